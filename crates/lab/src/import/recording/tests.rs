use fathom_model::Op;

use super::*;
use crate::import::places::{NumberedDisk, PlacedExtent};

fn io(disk: u32) -> DiskIo {
    DiskIo {
        disk,
        op: Op::Write,
        offset: 4096,
        length: 4096,
        start_unix_nanos: 1_790_294_400_000_000_000,
        duration_nanos: 1_000,
        irp: None,
    }
}

fn imported(nodes: &[(&str, &[u32])]) -> Imported {
    let nodes = nodes.iter().map(|(id, disks)| Node {
        id: NodeId::new(*id),
        events: disks.iter().map(|&disk| io(disk)).collect(),
        duplicates: 0,
    });
    Imported {
        traces: Vec::new(),
        nodes: nodes.collect(),
    }
}

fn key(name: &str) -> DiskKey {
    DiskKey(name.to_owned())
}

fn places() -> Places {
    let extent = |copy, disk: &str| PlacedExtent {
        volume: key("v"),
        volume_offset: 0,
        length: 1 << 30,
        copy,
        disk: key(disk),
        disk_offset: 1 << 20,
        column: 0,
        stripe: None,
    };
    let disk = |node: &str, number, disk: &str, name: Option<&str>| NumberedDisk {
        node: node.to_owned(),
        number,
        disk: key(disk),
        name: name.map(ToOwned::to_owned),
    };
    Places {
        extents: vec![extent(0, "a"), extent(1, "b")],
        disks: vec![
            disk("n1", 1000, "a", Some("NVMe")),
            disk("n2", 1000, "b", Some("NVMe")),
            disk("n1", 7, "v", Some("Volume1")),
        ],
        replacements: 0,
        ..Places::default()
    }
}

fn refused(imported: &Imported, places: &Places) -> String {
    let folder = tempfile::tempdir().unwrap();
    write_recording(imported, places, "r", folder.path())
        .unwrap_err()
        .to_string()
}

#[test]
fn virtual_disk_is_the_volume_tap_of_its_owner_and_other_disks_are_drives() {
    let folder = tempfile::tempdir().unwrap();
    let imported = imported(&[("N1", &[7, 1000, 0]), ("N2", &[1000, 7])]);
    let written = write_recording(&imported, &places(), "r", folder.path()).unwrap();
    assert_eq!(
        written,
        Written {
            volumes: vec![("Volume1".to_owned(), 1)],
            placed: 2,
            // Disk 7 of another node is another disk.
            elsewhere: 2,
            ..Written::default()
        }
    );
    let recording = fathom_capture::Recording::open(folder.path()).unwrap();
    let roles: Vec<_> = recording
        .nodes()
        .iter()
        .map(|node| (node.id.as_str(), node.initiator, node.target))
        .collect();
    assert_eq!(roles, [("N1", true, true), ("N2", false, true)]);
    let volume = &recording.topology().volumes[0];
    assert_eq!(
        (volume.id.as_str(), volume.size_bytes, volume.copies),
        ("Volume1", 1 << 30, 2)
    );
    assert_eq!(recording.topology().extents.extents().len(), 2);
    let mut rows = recording.events(&NodeId::new("N1")).unwrap();
    let batch = rows.next_batch(10).unwrap().unwrap();
    let names: Vec<(&str, &str)> = batch
        .columns
        .iter()
        .map(|event| (event.tap.as_str(), rows.devices()[event.device as usize].name.as_str()))
        .collect();
    assert_eq!(
        names,
        [("volume", "Volume1"), ("device", "disk1000"), ("device", "disk0")]
    );
}

#[test]
fn node_without_a_trace_and_volume_without_an_event_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let written = write_recording(&imported(&[("N1", &[1000])]), &places(), "r", folder.path()).unwrap();
    assert_eq!(written.missing_nodes, ["n2"]);
    assert!(
        written.warnings[0].contains("virtual disk Volume1"),
        "{:?}",
        written.warnings
    );
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let one = imported(&[("N1", &[7])]);
    let mut unplaced = places();
    unplaced.disks.remove(1);
    assert!(refused(&one, &unplaced).contains("disk b"));
    let mut twice = places();
    let again = NumberedDisk {
        node: "n3".to_owned(),
        ..twice.disks[0].clone()
    };
    twice.disks.push(again);
    assert!(refused(&one, &twice).contains("connected to N1 as disk1000 and to n3"));
    let mut overlapping = places();
    overlapping.extents[1].copy = 0;
    assert!(refused(&one, &overlapping).contains("overlap"));
    let mut empty = places();
    empty.extents.clear();
    assert!(refused(&one, &empty).contains("no extents"));
    let same = imported(&[("N1", &[7]), ("n1.example.org", &[7])]);
    assert!(refused(&same, &places()).contains("one name to Windows"));
}

/// Two virtual disks of one name are told apart by their ids.
#[test]
fn name_that_two_virtual_disks_have_is_not_used() {
    let mut twice = places();
    let other = PlacedExtent {
        volume: key("w"),
        disk_offset: 1 << 40,
        ..twice.extents[0].clone()
    };
    twice.extents.push(other);
    twice.disks.push(NumberedDisk {
        number: 8,
        disk: key("w"),
        ..twice.disks[2].clone()
    });
    let folder = tempfile::tempdir().unwrap();
    let written = write_recording(&imported(&[("N1", &[7])]), &twice, "r", folder.path()).unwrap();
    let names: Vec<&str> = written.volumes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["v", "w"]);
}
