//! Traces of a cluster whose virtual disk has columns, under every arithmetic: the one that made the traffic is found, and what is
//! imported can be joined.

use fathom_capture::Recording;
use fathom_etl::DiskIo;
use fathom_model::{IoClass, NodeId};

use super::*;
use crate::error::Error;
use crate::import::places::{Known, NumberedDisk};
use crate::import::{Imported, Node, Written as Imports, write_recording};
use crate::replay;

const SLAB: u64 = 1 << 20;
const INTERLEAVE: u64 = 1 << 16;

fn key(name: &str) -> DiskKey {
    DiskKey(name.to_owned())
}

/// Two copies, each on a node of its own, of three rows of two columns.
fn places(arithmetic: Arithmetic) -> Places {
    let mut extents = Vec::new();
    for row in 0..3_u64 {
        for copy in 0..2_u32 {
            for column in 0..2_u64 {
                let within = if arithmetic == Arithmetic::RowStart { 0 } else { column };
                extents.push(PlacedExtent {
                    volume: key("v"),
                    volume_offset: (row * 2 + within) * SLAB,
                    length: SLAB,
                    copy,
                    disk: key(&format!("d{copy}{column}")),
                    disk_offset: (1 << 30) + row * SLAB,
                    column: column + 1,
                    stripe: None,
                });
            }
        }
    }
    extents.sort();
    let disk = |node: &str, number, disk: &str| NumberedDisk {
        node: node.to_owned(),
        number,
        disk: key(disk),
        name: None,
    };
    Places {
        extents,
        disks: vec![
            disk("n1", 7, "v"),
            disk("n1", 1, "d00"),
            disk("n1", 2, "d01"),
            disk("n2", 1, "d10"),
            disk("n2", 2, "d11"),
        ],
        ..Places::default()
    }
}

/// Writes of 4 KiB one after the other all over the volume, with what the drives did for them; the second node's clock is off.
fn traffic(arithmetic: Arithmetic, writes: u64) -> Imported {
    let places = places(arithmetic);
    let slabs: Vec<Slab> = places.extents.iter().map(|extent| slab(extent).unwrap()).collect();
    let striping = Striping {
        columns: 2,
        interleave_bytes: INTERLEAVE,
    };
    let map = StripedMap::try_new(&slabs, striping, arithmetic).unwrap();
    let mut events: [Vec<DiskIo>; 2] = [Vec::new(), Vec::new()];
    for write in 0..writes {
        let offset = write.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (6 * SLAB / 4096) * 4096;
        let start = 1_790_294_400_000_000_000 + write as i64 * 2_000_000;
        let io = |disk, offset, start, duration_nanos| DiskIo {
            disk,
            op: Op::Write,
            offset,
            length: 4096,
            start_unix_nanos: start,
            duration_nanos,
            irp: None,
        };
        for part in map.parts(&VolumeId::new("v"), offset, 4096) {
            let at = part.copy as usize;
            let apart = if at == 1 { 700_000_000 } else { 0 };
            let jitter = (write % 7) as i64 * 3_000;
            let disk = u32::from(part.disk.as_str().ends_with('1')) + 1;
            events[at].push(io(disk, part.disk_offset, start + apart + 20_000 + jitter, 100_000));
        }
        events[0].push(io(7, offset, start, 200_000));
    }
    let [first, second] = events;
    let node = |id: &str, mut events: Vec<DiskIo>| {
        fathom_etl::in_order(&mut events);
        Node {
            id: NodeId::new(id),
            events,
            duplicates: 0,
        }
    };
    Imported {
        traces: Vec::new(),
        nodes: vec![node("n1", first), node("n2", second)],
    }
}

fn import(imported: &Imported, places: &Places) -> Result<(Imports, u64, u64), Error> {
    let folder = tempfile::tempdir().unwrap();
    let written = write_recording(imported, places, "r", folder.path())?;
    let recording = Recording::open(folder.path()).unwrap();
    let replayed = replay::replay(&recording, &replay::Options::default()).unwrap();
    let ios = &replayed.rows.ios;
    let exact = ios.iter().filter(|io| io.class == IoClass::Exact).count();
    Ok((written, ios.len() as u64, exact as u64))
}

#[test]
fn arithmetic_that_made_the_traffic_is_found_and_joined() {
    for arithmetic in Arithmetic::ALL {
        let (written, ios, exact) = import(&traffic(arithmetic, 600), &places(arithmetic)).unwrap();
        let [columns] = &written.columns[..] else {
            panic!("{:?}", written.columns);
        };
        let chosen = &columns.candidates[columns.chosen];
        assert_eq!(chosen.arithmetic, arithmetic);
        assert!(!columns.by_hand);
        if arithmetic != Arithmetic::Straight {
            assert_eq!(chosen.interleave_bytes, INTERLEAVE);
        }
        // Every candidate is said, with what it explains or why it cannot be.
        assert!(columns.candidates.len() > 9);
        assert_eq!((ios, exact), (600, 600), "{arithmetic:?}");
    }
}

#[test]
fn what_nothing_explains_is_refused_with_the_counts() {
    let right = places(Arithmetic::RowStart);
    // The first stripe is in one place under every interleave.
    let error = import(&traffic(Arithmetic::RowStart, 3), &right)
        .unwrap_err()
        .to_string();
    assert!(error.contains("has 2 columns"), "{error}");
    assert!(error.contains("row-start,65536: "), "{error}");
    assert!(error.contains("--column-arithmetic"), "{error}");
}

#[test]
fn what_is_said_by_hand_is_used_without_traffic() {
    let mut right = places(Arithmetic::RowStart);
    right.arithmetic = Some("row-start,65536".parse().unwrap());
    let (written, ios, exact) = import(&traffic(Arithmetic::RowStart, 5), &right).unwrap();
    assert!(written.columns[0].by_hand);
    assert_eq!(ios, 5);
    // So few tell nothing of the other node's clock.
    assert!(exact <= 5);
    // What the rows rule out is not used whoever says so.
    right.arithmetic = Some("consecutive,65536".parse().unwrap());
    assert!(import(&traffic(Arithmetic::RowStart, 5), &right).is_err());
}

#[test]
fn what_the_virtual_disk_says_leaves_fewer_to_try() {
    let mut right = places(Arithmetic::Consecutive);
    let known = Known {
        columns: Some(2),
        interleave_bytes: Some(INTERLEAVE),
    };
    right.striping.insert(key("v"), known);
    let (written, ..) = import(&traffic(Arithmetic::Consecutive, 400), &right).unwrap();
    let columns = &written.columns[0];
    assert_eq!(columns.candidates.len(), 3);
    assert_eq!(columns.candidates[columns.chosen].arithmetic, Arithmetic::Consecutive);
}

#[test]
fn words_for_an_arithmetic_are_read_and_others_are_not() {
    let read = |text: &str| text.parse::<ByHand>();
    assert!(read("row-start").is_ok_and(|hand| hand.interleave_bytes.is_none()));
    assert!(read("consecutive,262144").is_ok_and(|hand| hand.interleave_bytes == Some(262_144)));
    assert!(read("diagonal").unwrap_err().contains("row-start"));
    assert!(read("row-start,0").is_err());
    assert!(read("row-start,much").is_err());
}
