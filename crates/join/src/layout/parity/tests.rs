//! I/Os in one tier, in the other and across.

use fathom_model::topology::Node;
use fathom_model::{ExtentMap, PhysicalDisk, Validity, Volume};

use super::*;

/// Two copies of bytes 0 to 1000, and a row of two data columns and one of parity for bytes 1000 to 3000.
fn tiers() -> (Layout, VolumeIndex) {
    let plain = |copy: u32| Extent {
        volume: "v".into(),
        volume_offset: 0,
        length: 1000,
        copy,
        disk: format!("n{copy}/0").as_str().into(),
        disk_offset: 5000,
        valid: Validity::default(),
        stripe: None,
        parity: None,
    };
    let slab = |column: u32| Extent {
        volume_offset: 1000,
        copy: 0,
        disk: format!("n{column}/0").as_str().into(),
        disk_offset: 10_000,
        parity: Some(Parity {
            column,
            columns: 3,
            parity_columns: 1,
            interleave_bytes: Some(100),
        }),
        ..plain(0)
    };
    let mut extents: Vec<Extent> = (0..2).map(plain).collect();
    extents.extend((0..3).map(slab));
    let names = ["n0", "n1", "n2"];
    let topology = Topology {
        nodes: names
            .map(|id| Node {
                id: id.into(),
                observed: true,
            })
            .into(),
        disks: names
            .map(|node| PhysicalDisk {
                id: format!("{node}/0").as_str().into(),
                node: node.into(),
                name: "0".to_owned(),
            })
            .into(),
        volumes: vec![Volume {
            id: "v".into(),
            size_bytes: 3000,
            copies: 2,
        }],
        extents: ExtentMap::try_new(extents).unwrap(),
    };
    let mut catalog = Catalog::default();
    let layout = Layout::new(&topology, &mut catalog);
    let volume = catalog.find_volume(&"v".into()).unwrap();
    (layout, volume)
}

const NOW: (i64, i64) = (0, 10);

#[test]
fn io_of_one_tier_has_nothing_of_the_other() {
    let (layout, volume) = tiers();
    let mirrored = layout.places_at(volume, 100, 200, NOW);
    assert!(mirrored.whole && mirrored.parity.is_empty());
    assert_eq!((mirrored.places.len(), mirrored.parts), (2, 1));
    let columns = layout.places_at(volume, 1250, 100, NOW);
    assert!(columns.whole && columns.places.is_empty());
    assert_eq!((columns.parity.len(), columns.parts), (1, 0));
    let part = &columns.parity[0];
    assert_eq!((part.part, part.in_slabs()), (0, (100, 200)));
    assert_eq!((part.least_columns(true), part.least_columns(false)), (3, 2));
    assert!(part.has_all_columns());
    assert_eq!(columns.nodes().count(), 3);
}

#[test]
fn io_across_the_border_has_parts_of_both() {
    let (layout, volume) = tiers();
    let both = layout.places_at(volume, 950, 100, NOW);
    assert!(both.whole);
    assert_eq!((both.places.len(), both.parts, both.parity.len()), (2, 1, 1));
    assert!(both.places.iter().all(|place| place.part == 0 && place.length == 50));
    assert_eq!((both.parity[0].part, both.parity[0].in_slabs()), (1, (0, 100)));
    assert_eq!(both.parity[0].least_columns(true), 2);
}

#[test]
fn bytes_beyond_both_tiers_are_not_whole() {
    let (layout, volume) = tiers();
    assert!(!layout.places_at(volume, 2950, 100, NOW).whole);
    assert!(!layout.places_at(volume, 5000, 100, NOW).whole);
    assert!(layout.places_at(volume, 2900, 100, NOW).whole);
}

#[test]
fn flush_reaches_every_disk_of_both_tiers_once() {
    let (layout, volume) = tiers();
    let places = layout.disks(volume, NOW).places;
    let disks: Vec<(u32, DiskIndex)> = places.iter().map(|place| (place.copy, place.disk)).collect();
    assert_eq!(places.len(), 3, "{disks:?}");
    assert_eq!(places[2].copy, 2);
}
