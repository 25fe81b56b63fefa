//! Events built from the exact field lists, and what is wrong with others.

use proptest::prelude::*;

use super::*;
use crate::build::Payload;

const CLOCK: Clock = Clock::of_counter(10_000_000, 0, 1_000_000_000_000);

fn key(provider: Guid, id: u16, version: u8) -> EventKey {
    EventKey { provider, id, version }
}

fn raw(key: EventKey, payload: &[u8]) -> RawEvent<'_> {
    RawEvent {
        key,
        stamp: 50_000,
        pointer_bytes: 8,
        payload,
    }
}

fn zero_ended(text: &str) -> Vec<u8> {
    Payload::default().utf16(text, text.len() + 1).0
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn nvme(command_type: &str, opcode: u32) -> Vec<u8> {
    join(&[
        &providers::NVME_DISK.0,
        &Payload::default().u32(7).0,
        b"Model\0",
        b"FW1\0",
        b"S4X1  \0",
        &Payload::default().u64(1_234).u64(0xfeed).0,
        &zero_ended(command_type),
        &Payload::default()
            .u32(9)
            .u32(0)
            .u32(opcode)
            .u32(0x10)
            .u32(0x2)
            .u32(0x8000_0007)
            .u32(0)
            .u32(0)
            .u32(0)
            .0,
    ])
}

#[test]
fn nvme_commands_have_block_and_count_of_their_dwords() {
    let decoder = Decoder::new(Settings::default());
    let key = key(providers::NVME_DISK, 200, 1);
    let payload = nvme("NVM", 1);
    let seen = decoder.decode(&raw(key, &payload), &CLOCK);
    let request = Request {
        tap: Tap::Device,
        site: Site::Drive {
            guid: providers::NVME_DISK,
            serial: b"S4X1  ",
        },
        op: Op::Write,
        place: Place::Block(0x2_0000_0010),
        extent: Extent::Blocks(8),
        correlation: Some(0xfeed),
    };
    let (duration_nanos, status) = (123_400, 0);
    assert_eq!(
        seen,
        Ok(Seen::Done {
            request,
            duration_nanos,
            status
        })
    );
    // Get Log Page has the number of a read.
    let admin = nvme("Admin command", 2);
    assert_eq!(decoder.decode(&raw(key, &admin), &CLOCK), Err(Unread::OtherOp));
    let vendor = nvme("NVM", 0xc1);
    assert_eq!(decoder.decode(&raw(key, &vendor), &CLOCK), Err(Unread::OtherOp));
}

#[test]
fn storport_requests_are_read_from_their_command_blocks() {
    let decoder = Decoder::new(Settings::default());
    let build = |cdb: &[u8], srb: u8| {
        let head = Payload::default()
            .u8(1)
            .u8(2)
            .u8(3)
            .u8(4)
            .u64(500)
            .u32(cdb.len() as u32)
            .0;
        let tail = Payload::default().u8(srb).u64(0xa).u64(0xb).u64(0).u64(0).u64(0).0;
        join(&[&head, cdb, &tail])
    };
    let write_16 = [0x8a, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 16, 0, 0];
    let write_10 = [0x2a, 0, 0, 0, 1, 0, 0, 0, 8, 0];
    let read_6 = [0x08, 0x1f, 0xff, 0xff, 0, 0];
    for (cdb, op, block, blocks) in [
        (&write_16[..], Op::Write, 0x1_0000_0002, 16),
        (&write_10[..], Op::Write, 256, 8),
        (&read_6[..], Op::Read, 0x1f_ffff, 256),
    ] {
        for id in [222, 223] {
            let payload = build(cdb, 0x81);
            let Ok(Seen::Done {
                request,
                duration_nanos,
                status,
            }) = decoder.decode(&raw(key(providers::STORPORT, id, 1), &payload), &CLOCK)
            else {
                panic!("an I/O");
            };
            assert_eq!(
                (request.op, request.place, request.extent),
                (op, Place::Block(block), Extent::Blocks(blocks))
            );
            assert_eq!(
                (request.site, request.correlation),
                (Site::Port([1, 2, 3, 4]), Some(0xb))
            );
            assert_eq!((duration_nanos, status), (50_000, 0));
        }
    }
    let failed = build(&write_10, 0x0e);
    let seen = decoder.decode(&raw(key(providers::STORPORT, 222, 1), &failed), &CLOCK);
    assert!(matches!(seen, Ok(Seen::Done { status: 0x0e, .. })), "{seen:?}");
    let cut = build(&write_10[..5], 1);
    assert_eq!(
        decoder.decode(&raw(key(providers::STORPORT, 222, 1), &cut), &CLOCK),
        Err(Unread::OtherOp)
    );
}

#[test]
fn spaces_say_which_copies() {
    let payload = Payload::default()
        .u32(5)
        .u32(6)
        .u32(7)
        .u32(8)
        .u16(9)
        .u16(0b111)
        .u16(2)
        .u8(0)
        .u8(1)
        .u8(2)
        .0;
    let seen = Decoder::new(Settings::default()).decode(&raw(key(providers::SPACES, 2600, 0), &payload), &CLOCK);
    let expected = SpaceIo {
        space: 5,
        slab: 6,
        column_offset: 7,
        length: 8,
        operation: 9,
        copies_mask: 7,
        column: 2,
        error: 0,
    };
    assert_eq!(seen, Ok(Seen::Copies(expected)));
}

#[test]
fn vsp_requests_have_queue_and_service_time_and_no_offset() {
    let tail = Payload::default().u32(0x2a).u32(4096).u32(0).u64(100).u64(250).0;
    let payload = join(&[&zero_ended("vm1-disk0"), &tail, &[0; 16], &[1, 0, 0, 0]]);
    let seen = Decoder::new(Settings::default()).decode(&raw(key(providers::STORAGE_VSP, 1001, 0), &payload), &CLOCK);
    let Ok(Seen::Done {
        request,
        duration_nanos,
        ..
    }) = seen
    else {
        panic!("an I/O: {seen:?}")
    };
    assert_eq!(
        (request.tap, request.op, request.place),
        (Tap::Guest, Op::Write, Place::Untold)
    );
    assert_eq!((request.extent, duration_nanos), (Extent::Bytes(4096), 350_000));
}

#[test]
fn virtual_disks_need_to_be_told_what_their_types_mean() {
    let payload = join(&[
        &zero_ended("a.vhdx"),
        &Payload::default().u32(2).u32(0).u64(1 << 20).u32(4096).0,
    ]);
    let (begin, end) = (key(providers::VHDMP, 1001, 0), key(providers::VHDMP, 1002, 0));
    let untold = Decoder::new(Settings::default());
    assert_eq!(untold.decode(&raw(begin, &payload), &CLOCK), Err(Unread::OtherOp));
    let told = Decoder::new(Settings {
        vhd_io_types: vec![(1, Op::Read), (2, Op::Write)],
        ..Settings::default()
    });
    let Ok(Seen::Begun { request, key }) = told.decode(&raw(begin, &payload), &CLOCK) else {
        panic!("a begin");
    };
    assert_eq!((request.op, request.place), (Op::Write, Place::Byte(1 << 20)));
    let ended = told.decode(&raw(end, &payload), &CLOCK);
    assert_eq!(ended, Ok(Seen::Ended { key, status: 0 }));
}

#[test]
fn smb_writes_pair_by_connection_session_and_message() {
    let decoder = Decoder::new(Settings::default());
    let guids = [[1; 16], [2; 16], [3; 16], [4; 16]].concat();
    let head = Payload::default()
        .u64(11)
        .u32(0)
        .u32(0)
        .u64(12)
        .u64(0)
        .u16(9)
        .u16(1)
        .u32(0);
    let begin = join(&[
        &head
            .clone()
            .u32(8192)
            .u64(1 << 30)
            .u64(0)
            .u32(1)
            .u32(0)
            .u16(0)
            .u16(0)
            .u32(0)
            .0,
        &guids,
    ]);
    let mut end = head.u32(0xc000_0001).u32(0);
    for _ in 0..8 {
        end = end.u32(0).u64(0);
    }
    let end = join(&[&end.u64(0).u32(0).u32(0).u16(0).u16(0).0, &guids, &[0; 8]]);
    let Ok(Seen::Begun { request, key: begun }) =
        decoder.decode(&raw(key(providers::SMB_SERVER, 12, 2), &begin), &CLOCK)
    else {
        panic!("a begin");
    };
    assert_eq!(
        (request.tap, request.place, request.extent),
        (Tap::Csv, Place::Byte(1 << 30), Extent::Bytes(8192))
    );
    let seen = decoder.decode(&raw(key(providers::SMB_SERVER, 112, 2), &end), &CLOCK);
    assert_eq!(
        seen,
        Ok(Seen::Ended {
            key: begun,
            status: 0xc000_0001
        })
    );
}

#[test]
fn legs_of_the_bus_are_read_by_the_layout_that_the_system_has() {
    let mut decoder = Decoder::new(Settings::default());
    let (begin, end) = (key(providers::CLUSPORT, 512, 0), key(providers::CLUSPORT, 1536, 0));
    assert_eq!(decoder.decode(&raw(begin, &[]), &CLOCK), Err(Unread::NoLayout));
    let layout = |text: &str| text.parse::<Layout>().expect("a layout");
    let lacking = decoder.learn(begin, &layout("DeviceNumber:u32 IoContext:pointer Major:u8"));
    assert!(
        matches!(&lacking, Err(NotUsable::Lacks { names: ["Irp"], .. })),
        "{lacking:?}"
    );
    assert_eq!(
        decoder.learn(
            begin,
            &layout("DeviceNumber:u32 IRP:pointer IoContext:pointer Major:u8 Minor:u8")
        ),
        Ok(())
    );
    assert_eq!(
        decoder.learn(
            end,
            &layout("DeviceNumber:u32 Irp:pointer IoContext:pointer Status:u32")
        ),
        Ok(())
    );
    let payload = Payload::default().u32(7).u64(0xfeed).u64(1).u8(4).u8(0).0;
    let Ok(Seen::Begun { request, key }) = decoder.decode(&raw(begin, &payload), &CLOCK) else {
        panic!("a begin");
    };
    assert_eq!(
        (request.tap, request.site, request.op),
        (Tap::Initiator, Site::BusDevice(7), Op::Write)
    );
    assert_eq!((request.place, request.extent), (Place::Untold, Extent::Untold));
    let payload = Payload::default().u32(7).u64(0xfeed).u64(1).u32(0).0;
    assert_eq!(
        decoder.decode(&raw(end, &payload), &CLOCK),
        Ok(Seen::Ended { key, status: 0 })
    );
    let foreign = decoder.learn(EventKey { id: 513, ..begin }, &layout("A:u8"));
    assert!(matches!(foreign, Err(NotUsable::Foreign { .. })), "{foreign:?}");
}

#[test]
fn csv_io_is_read_where_its_manifest_tells_what_it_does() {
    let mut decoder = Decoder::new(Settings::default());
    let direct = key(providers::CSVFS, 12320, 0);
    let layout: Layout = "Io:pointer Status:u32 Information:u64 Duration:u64"
        .parse()
        .expect("a layout");
    assert_eq!(decoder.learn(direct, &layout), Ok(()));
    let payload = Payload::default().u64(0xa).u32(0).u64(4096).u64(777).0;
    assert_eq!(decoder.decode(&raw(direct, &payload), &CLOCK), Err(Unread::OtherOp));
    let layout: Layout = "Major:u8 Io:pointer Status:u32 Information:u64 Duration:u64"
        .parse()
        .expect("a layout");
    assert_eq!(decoder.learn(direct, &layout), Ok(()));
    let payload = join(&[&[4], &payload]);
    let Ok(Seen::Done {
        request,
        duration_nanos,
        ..
    }) = decoder.decode(&raw(direct, &payload), &CLOCK)
    else {
        panic!("an I/O");
    };
    assert_eq!(
        (request.op, request.extent, duration_nanos),
        (Op::Write, Extent::Bytes(4096), 77_700)
    );
}

#[test]
fn unknown_events_versions_and_sizes_are_told_apart() {
    let decoder = Decoder::new(Settings::default());
    let of = |event_key, payload: &[u8]| decoder.decode(&raw(event_key, payload), &CLOCK).map(drop);
    assert_eq!(of(key(providers::NVME_DISK, 999, 0), &[]), Err(Unread::Foreign));
    assert_eq!(of(key(Guid([0; 16]), 200, 1), &[]), Err(Unread::Foreign));
    assert_eq!(of(key(providers::NVME_DISK, 200, 9), &[]), Err(Unread::NoLayout));
    assert_eq!(of(key(providers::DISK_IO, 12, 3), &[0; 12]), Err(Unread::NotWanted));
    assert_eq!(of(key(providers::DISK_IO, 11, 9), &[0; 52]), Err(Unread::NoLayout));
    assert_eq!(of(key(providers::DISK_IO, 11, 3), &[0; 51]), Err(Unread::Misfit));
    assert_eq!(of(key(providers::DISK_IO, 300, 3), &[0; 52]), Err(Unread::Foreign));
    let whole = nvme("NVM", 1);
    for end in 0..whole.len() {
        assert_eq!(
            of(key(providers::NVME_DISK, 200, 1), &whole[..end]),
            Err(Unread::Misfit),
            "{end}"
        );
    }
}

proptest! {
    #[test]
    fn no_payload_makes_a_panic(
        event in any::<proptest::sample::Index>(),
        bytes in proptest::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..200),
        pointer_bytes in prop_oneof![Just(4_u8), Just(8), any::<u8>()],
        stamp in any::<i64>(),
        cut in any::<bool>(),
    ) {
        let mut keys: Vec<EventKey> = manifest::layouts().map(|(key, _)| key).collect();
        keys.push(key(providers::DISK_IO, 11, 3));
        let key = keys[event.index(keys.len())];
        let bytes = if cut && key.provider == providers::DISK_IO { &bytes[..bytes.len().min(52)] } else { &bytes[..] };
        let event = RawEvent { key, stamp, pointer_bytes, payload: bytes };
        let settings = Settings { vhd_io_types: vec![(0, Op::Write)], ..Settings::default() };
        if let Ok(Seen::Done { request, .. }) = Decoder::new(settings).decode(&event, &CLOCK) {
            prop_assert!(request.tap == Tap::Device || request.tap == Tap::Guest);
        }
    }
}
