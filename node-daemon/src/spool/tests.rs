//! A spool goes on where it was, knows its own, and tells only of what is durable.

use fathom_model::{IoColumns, IoEvent, Op};
use fathom_proto::convert::batch;

use super::*;

fn identity(byte: u8) -> Identity {
    Identity {
        stream: StreamId {
            cluster: "c".into(),
            node: "n".into(),
            kind: fathom_model::StreamKind::Io,
            incarnation: Incarnation::from_bytes([byte; 16]),
        },
        anchor_unix_nanos: i64::from(byte),
        anchor_monotonic_nanos: 0,
        taps: vec![(Tap::Device, 1000)],
        covered_from_unix_nanos: None,
    }
}

fn open(root: &Path, identity: Identity) -> Spool {
    Spool::open(root, 1 << 30, identity, &[]).unwrap()
}

fn events(count: usize) -> IoColumns {
    let event = IoEvent {
        tap: Tap::Device,
        device: 0,
        op: Op::Write,
        offset: 0,
        length: 1,
        start_unix_nanos: 5,
        duration_nanos: 1,
        status: 0,
        correlation: None,
    };
    std::iter::repeat_n(event, count).collect()
}

fn add(spool: &Spool, first: u64, count: usize) {
    let batch = batch::encode(first, &events(count), 7);
    assert!(
        spool
            .append(
                kind::BATCH,
                first,
                count as u32,
                wire::collect_request::Message::IoBatch(batch)
            )
            .unwrap()
    );
}

#[test]
fn spool_goes_on_after_what_is_durable() {
    let root = tempfile::tempdir().unwrap();
    let spool = open(root.path(), identity(1));
    add(&spool, 0, 10);
    spool.sync(false).unwrap();
    add(&spool, 10, 5);
    assert_eq!(
        spool.watch().borrow().durable.next_ordinal(),
        10,
        "what is not synced is not told"
    );
    drop(spool);
    let spool = open(
        root.path(),
        Identity {
            anchor_unix_nanos: 99,
            ..identity(1)
        },
    );
    assert_eq!(spool.next_ordinal(), 10);
    assert_eq!(spool.opening().anchor_unix_nanos, 1, "an incarnation has one anchor");
    assert!(!spool.ended());
}

#[test]
fn end_of_stream_is_remembered() {
    let root = tempfile::tempdir().unwrap();
    let spool = open(root.path(), identity(1));
    add(&spool, 0, 10);
    let end = wire::EndOfStream {
        reason: wire::EndReason::Finished.into(),
        next_ordinal: 10,
    };
    assert!(
        spool
            .append(kind::END, 10, 0, wire::collect_request::Message::EndOfStream(end))
            .unwrap()
    );
    spool.sync(true).unwrap();
    drop(spool);
    assert!(open(root.path(), identity(1)).ended());
}

#[test]
fn each_incarnation_has_its_folder_in_order() {
    let root = tempfile::tempdir().unwrap();
    let first = open(root.path(), identity(1)).directory().to_owned();
    let second = open(root.path(), identity(2)).directory().to_owned();
    assert!(first < second);
    assert_eq!(open(root.path(), identity(1)).directory(), first);
}

#[test]
fn folder_of_another_stream_is_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    let spool = open(root.path(), identity(1));
    add(&spool, 0, 1);
    spool.sync(false).unwrap();
    drop(spool);
    let mut other = identity(1);
    other.stream.node = "m".into();
    let error = Spool::open(root.path(), 1 << 30, other, &[]).unwrap_err().to_string();
    assert!(
        error.contains("belongs to c/n/io/") && error.contains("move it away"),
        "{error}"
    );
}

#[test]
fn hello_says_what_the_spool_still_holds() {
    let root = tempfile::tempdir().unwrap();
    let spool = open(root.path(), identity(1));
    assert_eq!(spool.opening().spool_first_ordinal, 0);
    // Incompressible enough to fill more than one segment.
    let mut first = 0;
    while spool.writer().total_bytes() < 2 * SEGMENT_BYTES {
        let noise = |at: u64| (at ^ first).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let columns: IoColumns = (0..60_000)
            .map(|at| IoEvent {
                tap: Tap::Device,
                device: 0,
                op: Op::Write,
                offset: noise(at) >> 2,
                length: noise(at + 1) >> 40,
                start_unix_nanos: 5,
                duration_nanos: noise(at + 2) >> 20,
                status: 0,
                correlation: None,
            })
            .collect();
        let message = wire::collect_request::Message::IoBatch(batch::encode(first, &columns, 7));
        assert!(spool.append(kind::BATCH, first, 60_000, message).unwrap());
        first += 60_000;
    }
    spool.sync(false).unwrap();
    spool.release(first).unwrap();
    let kept = spool.opening();
    assert!(
        kept.spool_first_ordinal > 0 && kept.spool_first_ordinal < kept.spool_next_ordinal,
        "{kept:?}"
    );
    // An older incarnation says the same of itself.
    let directory = spool.directory().to_owned();
    drop(spool);
    let present = open(root.path(), identity(2)).directory().to_owned();
    let old = old_streams(root.path(), &present, &identity(2).stream).unwrap();
    assert_eq!(old[0].directory, directory);
    assert_eq!(old[0].opening.spool_first_ordinal, kept.spool_first_ordinal);
}

#[test]
fn dictionary_that_grows_stands_in_the_heads_of_later_segments() {
    let root = tempfile::tempdir().unwrap();
    let spool = open(root.path(), identity(1));
    add(&spool, 0, 5);
    let device = Device {
        tap: Tap::Device,
        name: "disk0".to_owned(),
        disk: Some("eui.01".into()),
        volume: None,
        copy: None,
        peer: None,
        has_offsets: true,
    };
    let grown = [
        device.clone(),
        Device {
            name: "disk1".to_owned(),
            ..device
        },
    ];
    assert_eq!(spool.device_count(), 0);
    spool.grow(&grown).unwrap();
    assert_eq!((spool.device_count(), spool.next_ordinal()), (2, 5));
    let message = wire::collect_request::Message::Devices(devices_to_wire(&grown));
    assert!(spool.append(kind::DEVICES, 5, 0, message).unwrap());
    add(&spool, 5, 5);
    spool.sync(false).unwrap();
    let said = spool.devices();
    drop(spool);
    // The next incarnation sends this one to its end, with the dictionary that it came to have.
    let present = open(root.path(), identity(2));
    let old = old_streams(root.path(), present.directory(), &identity(2).stream).unwrap();
    assert_eq!((old.len(), old[0].durable.next_ordinal()), (1, 10));
    assert_eq!(old[0].devices, said);
}
