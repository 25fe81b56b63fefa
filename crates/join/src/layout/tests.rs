//! Places of an I/O inside, across and outside of extents.

use fathom_model::topology::Node;
use fathom_model::{Extent, ExtentMap, PhysicalDisk, Validity, Volume};

use super::*;

/// Two copies, chunks of 100 bytes that alternate between two disks a copy.
fn layout() -> (Layout, VolumeIndex) {
    let disk = |name: &str| PhysicalDisk {
        id: name.into(),
        node: name[..2].into(),
        name: name.to_owned(),
    };
    let extents = (0..6_u64)
        .flat_map(|chunk| {
            (0..2_u32).map(move |copy| Extent {
                volume: "v".into(),
                volume_offset: chunk * 100,
                length: 100,
                copy,
                disk: format!("n{copy}/{}", chunk % 2).as_str().into(),
                disk_offset: 1000 * u64::from(copy + 1) + chunk / 2 * 100,
                valid: Validity::default(),
                stripe: None,
                parity: None,
            })
        })
        .collect();
    let topology = Topology {
        nodes: ["n0", "n1"]
            .map(|id| Node {
                id: id.into(),
                observed: true,
            })
            .into(),
        disks: ["n0/0", "n0/1", "n1/0", "n1/1"].map(disk).into(),
        volumes: vec![Volume {
            id: "v".into(),
            size_bytes: 600,
            copies: 2,
        }],
        extents: ExtentMap::try_new(extents).unwrap(),
    };
    let mut catalog = Catalog::default();
    let layout = Layout::new(&topology, &mut catalog);
    let volume = catalog.find_volume(&"v".into()).unwrap();
    (layout, volume)
}

#[test]
fn io_inside_a_chunk_has_one_part_and_a_place_a_copy() {
    let (layout, volume) = layout();
    let found = layout.places(volume, 210, 50);
    assert!(found.whole);
    assert_eq!(found.parts, 1);
    let places: Vec<_> = found
        .places
        .iter()
        .map(|place| (place.part, place.copy, place.offset, place.length))
        .collect();
    assert_eq!(places, [(0, 0, 1110, 50), (0, 1, 2110, 50)]);
}

#[test]
fn io_across_borders_has_a_part_a_chunk() {
    let (layout, volume) = layout();
    let found = layout.places(volume, 150, 200);
    assert!(found.whole);
    let places: Vec<_> = found
        .places
        .iter()
        .map(|place| (place.part, place.copy, place.offset, place.length))
        .collect();
    assert_eq!(
        places,
        [
            (0, 0, 1050, 50),
            (0, 1, 2050, 50),
            (1, 0, 1100, 100),
            (1, 1, 2100, 100),
            (2, 0, 1100, 50),
            (2, 1, 2100, 50)
        ]
    );
}

#[test]
fn io_past_the_map_is_not_whole() {
    let (layout, volume) = layout();
    assert!(!layout.places(volume, 550, 100).whole);
    assert!(!layout.places(volume, 700, 10).whole);
    assert!(layout.places(volume, 550, 50).whole);
}

#[test]
fn flush_reaches_every_disk_of_every_copy_once() {
    let (layout, volume) = layout();
    assert_eq!(layout.disks(volume, ALWAYS).places.len(), 4);
}

#[test]
fn disk_is_found_by_copy_node_and_offset_unless_several_have_it() {
    let (layout, volume) = layout();
    let place = layout.places(volume, 310, 10).places[1];
    assert_eq!(layout.disk_at(volume, 1, place.node, 5000), None);
    assert_eq!(layout.disk_at(volume, 7, place.node, place.offset), None);
    assert_eq!(
        layout.disk_at(volume, 1, place.node, place.offset),
        None,
        "both disks of the node have this offset"
    );
    let one_disk = Layout {
        volumes: layout
            .volumes
            .iter()
            .map(|of| of.as_ref().map(only_even_chunks))
            .collect(),
        ..Layout::default()
    };
    assert_eq!(
        one_disk.disk_at(volume, 1, place.node, 2010),
        Some(layout.places(volume, 10, 1).places[1].disk)
    );
}

fn only_even_chunks(layout: &VolumeLayout) -> VolumeLayout {
    let even = |pieces: &Vec<Piece>| {
        pieces
            .iter()
            .filter(|piece| piece.from / 100 % 2 == 0)
            .copied()
            .collect()
    };
    VolumeLayout {
        copies: layout
            .copies
            .iter()
            .map(|(copy, pieces)| (*copy, even(pieces)))
            .collect(),
        even: None,
        beside: Vec::new(),
        stripes: Vec::new(),
        timed: false,
        parity: ParityRows::default(),
    }
}
