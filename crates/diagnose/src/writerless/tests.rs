//! What all copies show and no initiator is counted; what one copy alone shows is a repair's.

use fathom_model::{ExtentMap, NodeIndex, Observation, PhysicalDisk, StreamIndex, Validity, Volume};

use super::*;

const SLAB: u64 = 1 << 20;

/// Volume `vol0` of one slab with three copies, on a disk of each of three nodes, at different places.
fn cluster() -> (Topology, Catalog) {
    let mut catalog = Catalog::default();
    let disk = |copy: u32| PhysicalDisk {
        id: format!("d{copy}").as_str().into(),
        node: format!("t{copy}").as_str().into(),
        name: "disk0".to_owned(),
    };
    let disks: Vec<PhysicalDisk> = (0..3).map(disk).collect();
    for disk in &disks {
        catalog.intern_node(&disk.node);
        catalog.intern_disk(disk);
    }
    let extent = |copy: u32| Extent {
        volume: "vol0".into(),
        volume_offset: 0,
        length: SLAB,
        copy,
        disk: disks[copy as usize].id.clone(),
        disk_offset: u64::from(copy + 1) * SLAB,
        valid: Validity::default(),
        stripe: None,
        parity: None,
    };
    let topology = Topology {
        extents: ExtentMap::try_new((0..3).map(extent).collect()).unwrap(),
        volumes: vec![Volume {
            id: "vol0".into(),
            size_bytes: SLAB,
            copies: 3,
        }],
        disks,
        ..Topology::default()
    };
    (topology, catalog)
}

/// Something that a node's far side did at a place of the volume.
fn event(copy: u32, (tap, op): (Tap, Op), at: u64) -> Unmatched {
    Unmatched {
        event: Observation {
            stream: StreamIndex(copy),
            ordinal: 0,
            start_unix_nanos: 0,
            duration_nanos: 1,
            status: 0,
        },
        tap,
        node: NodeIndex(copy),
        disk: Some(DiskIndex(copy)),
        device: "disk0".to_owned(),
        op,
        offset: u64::from(copy + 1) * SLAB + at,
        length: 4096,
        cause: UnmatchedCause::Foreign,
    }
}

fn said(events: &[Unmatched]) -> Vec<String> {
    let (topology, catalog) = cluster();
    let mut writerless = Writerless::default();
    events.iter().for_each(|event| writerless.add(event));
    writerless.sentences(&topology, &catalog)
}

const AT_DRIVE: (Tap, Op) = (Tap::Device, Op::Write);

#[test]
fn writes_that_all_copies_show_are_counted_as_often_as_all_do() {
    let mut events = Vec::new();
    for copy in 0..3 {
        events.push(event(copy, AT_DRIVE, 4096));
        // Both taps of one leg are one.
        events.push(event(copy, (Tap::Target, Op::Write), 4096));
        events.push(event(copy, AT_DRIVE, 8192));
        events.push(event(copy, (Tap::Target, Op::Write), 8192));
    }
    // What a drive splits, its bus target has as one.
    events.push(event(0, AT_DRIVE, 8192));
    events.push(event(0, (Tap::Target, Op::Write), 8192));
    let said = said(&events);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("2 writes of vol0 "), "{said:?}");
}

#[test]
fn repair_and_what_else_the_map_does_not_have_are_not_counted() {
    let mut elsewhere: Vec<Unmatched> = (0..3).map(|copy| event(copy, AT_DRIVE, 9 * SLAB)).collect();
    // What is read of two and written to the third is a repair's.
    elsewhere.push(event(0, (Tap::Device, Op::Read), 0));
    elsewhere.push(event(1, (Tap::Device, Op::Read), 0));
    elsewhere.push(event(2, AT_DRIVE, 0));
    assert!(said(&elsewhere).is_empty());
    // Late ones have their own account.
    let late: Vec<Unmatched> = (0..3)
        .map(|copy| Unmatched {
            cause: UnmatchedCause::Late,
            ..event(copy, AT_DRIVE, 0)
        })
        .collect();
    assert!(said(&late).is_empty());
}

#[test]
fn copy_of_a_node_that_is_not_heard_is_not_waited_for_and_one_copy_alone_says_nothing() {
    let two = [event(0, AT_DRIVE, 0), event(1, AT_DRIVE, 0)];
    assert_eq!(said(&two).len(), 1);
    assert!(said(&two[..1]).is_empty());
}

#[test]
fn what_may_be_of_a_write_that_lacks_something_is_left_out() {
    let (topology, mut catalog) = cluster();
    let volume = catalog.intern_volume(&"vol0".into());
    let mut writerless = Writerless::default();
    (0..3).for_each(|copy| writerless.add(&event(copy, AT_DRIVE, 4096)));
    let said = writerless.sentences(&topology, &catalog);
    assert!(said[0].starts_with("1 writes of vol0 "), "{said:?}");
    let lacking = Io {
        event: event(0, AT_DRIVE, 0).event,
        node: NodeIndex(0),
        volume,
        op: Op::Write,
        offset: 0,
        length: 8192,
        class: IoClass::Incomplete,
        legs_expected: 3,
        slowest: None,
        legs: 0..0,
    };
    writerless.add_io(&lacking, &[]);
    assert!(writerless.sentences(&topology, &catalog).is_empty());
}
