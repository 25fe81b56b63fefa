//! Identity of disks, whatever their numbers do.

use fathom_model::{PhysicalDisk, Volume};

use super::*;

fn topology() -> Topology {
    Topology {
        disks: vec![PhysicalDisk {
            id: "EUI.0025".into(),
            node: "n1".into(),
            name: "disk0".to_owned(),
        }],
        volumes: vec![Volume {
            id: "vol0".into(),
            size_bytes: 0,
            copies: 2,
        }],
        ..Topology::default()
    }
}

fn disk(number: u32, unique_id: &str) -> Disk {
    Disk {
        number: Some(number),
        unique_id: unique_id.to_owned(),
        friendly_name: format!("NVMe {number}"),
        sector_bytes: 512,
        ..Disk::default()
    }
}

#[test]
fn a_number_that_becomes_another_disks_becomes_another_entry() {
    let mut places = Places::new(Some(topology()));
    places.set_disks(&[disk(3, "{eui.0025}"), disk(4, "eui.0026")]);
    let (three, four) = (
        places.find(Tap::Device, Site::Disk(3), true),
        places.find(Tap::Device, Site::Disk(4), true),
    );
    places.set_disks(&[disk(4, "{eui.0025}"), disk(3, "eui.0026")]);
    assert_eq!(places.find(Tap::Device, Site::Disk(4), true).device, three.device);
    assert_ne!(places.find(Tap::Device, Site::Disk(3), true).device, three.device);
    let devices = places.devices();
    // The topology's spelling and name, where it has the disk.
    assert_eq!(devices[three.device as usize].disk, Some("EUI.0025".into()));
    assert_eq!(devices[three.device as usize].name, "disk0");
    assert_eq!(devices[four.device as usize].disk, Some("eui.0026".into()));
}

#[test]
fn a_disk_that_the_system_does_not_know_has_no_identity() {
    let mut places = Places::new(None);
    let entry = places.find(Tap::Device, Site::Disk(9), true);
    assert_eq!(
        (places.devices()[0].name.as_str(), &places.devices()[0].disk),
        ("disk9", &None)
    );
    // Once it is known its events go elsewhere.
    places.set_disks(&[disk(9, "eui.0099")]);
    assert_ne!(places.find(Tap::Device, Site::Disk(9), true), entry);
}

#[test]
fn spaces_are_the_volumes_tap_and_other_nodes_disks_the_buses() {
    let mut places = Places::new(Some(topology()));
    let space = Disk {
        is_space: true,
        friendly_name: "VOL0".to_owned(),
        ..disk(5, "8f00")
    };
    let remote = Disk {
        peer: Some("n2".to_owned()),
        bus_number: Some(17),
        ..disk(6, "eui.0026")
    };
    places.set_disks(&[space, remote]);
    let volume = places.find(Tap::Device, Site::Disk(5), true);
    assert_eq!(volume.tap, Tap::Volume);
    assert_eq!(places.devices()[volume.device as usize].volume, Some("vol0".into()));
    let leg = places.find(Tap::Initiator, Site::BusDevice(17), false);
    let device = places.devices()[leg.device as usize].clone();
    assert_eq!(
        (leg.tap, device.has_offsets, device.peer),
        (Tap::Initiator, false, Some("n2".into()))
    );
    assert_eq!(device.disk, Some("eui.0026".into()));
    // The kernel's events of the same disk have offsets, so they are another entry.
    let kernel = places.find(Tap::Device, Site::Disk(6), true);
    assert_eq!(kernel.tap, Tap::Initiator);
    assert_ne!(kernel.device, leg.device);
}

#[test]
fn drives_are_found_by_serial_number_whatever_blanks_it_has() {
    let mut places = Places::new(None);
    let nvme = Disk {
        serial: "S4X1".to_owned(),
        ..disk(1, "eui.0001")
    };
    places.set_disks(&[nvme]);
    let guid = fathom_etl::event::Guid([1; 16]);
    let by_serial = places.find(
        Tap::Device,
        Site::Drive {
            guid,
            serial: b"  S4X1 ",
        },
        true,
    );
    assert_eq!(by_serial.sector_bytes, 512);
    assert_eq!(places.find(Tap::Device, Site::Disk(1), true).device, by_serial.device);
    assert_eq!(
        places.find_text(Tap::Device, "x", Some("s4x1"), true).device,
        by_serial.device
    );
}

#[test]
fn devices_are_bounded() {
    let mut places = Places::new(None);
    for number in 0..MOST_DEVICES as u64 + 100 {
        places.find(Tap::Initiator, Site::BusDevice(number), false);
    }
    assert_eq!(places.devices().len(), MOST_DEVICES + 1);
}
