//! What is computed is what a list of all stripes says.

use fathom_model::striping::{Arithmetic, Slab, StripedMap, Striping};
use fathom_model::topology::Node;
use fathom_model::{Extent, ExtentMap, PhysicalDisk, Topology, Validity, Volume, VolumeIndex};
use proptest::prelude::*;

use super::super::Places;
use super::*;

const INTERLEAVE: u64 = 64;

fn topology(extents: Vec<Extent>) -> Topology {
    let disks = extents.iter().map(|extent| PhysicalDisk {
        id: extent.disk.clone(),
        node: extent.disk.as_str()[..2].into(),
        name: extent.disk.to_string(),
    });
    let mut disks: Vec<PhysicalDisk> = disks.collect();
    disks.sort_by(|a, b| a.id.cmp(&b.id));
    disks.dedup();
    let node = |id: &str| Node {
        id: id.into(),
        observed: true,
    };
    Topology {
        nodes: ["n0", "n1"].map(node).into(),
        disks,
        volumes: vec![Volume {
            id: "v".into(),
            size_bytes: 0,
            copies: 2,
        }],
        extents: ExtentMap::try_new(extents).unwrap(),
    }
}

fn layout(extents: Vec<Extent>) -> (Layout, VolumeIndex) {
    let mut catalog = Catalog::default();
    // Disks have the same numbers in every layout.
    let layout = Layout::new(&topology(extents), &mut catalog);
    (layout, catalog.find_volume(&"v".into()).unwrap())
}

/// Two copies of rows of slabs of so many columns and stripes a slab; every other row is one that nothing is known of, where there
/// are `holes`.
fn map(rows: u64, columns: u32, stripes: u64, holes: bool) -> StripedMap {
    let length = stripes * INTERLEAVE;
    let mut slabs = Vec::new();
    for row in (0..rows).filter(|row| !holes || row % 2 == 0) {
        for copy in 0..2_u32 {
            for column in 0..columns {
                slabs.push(Slab {
                    volume: "v".into(),
                    copy,
                    column,
                    volume_offset: row * length * u64::from(columns),
                    length,
                    disk: format!("n{copy}/{}", (u64::from(column) + row) % u64::from(columns + 1))
                        .as_str()
                        .into(),
                    disk_offset: (row * 7 + u64::from(column)) * 10_000,
                });
            }
        }
    }
    let striping = Striping {
        columns,
        interleave_bytes: INTERLEAVE,
    };
    StripedMap::try_new(&slabs, striping, Arithmetic::RowStart).unwrap()
}

fn seen(places: &Places) -> (bool, u32, Vec<Place>) {
    (places.whole, places.parts, places.places.to_vec())
}

proptest! {
    #[test]
    fn computed_stripes_are_those_of_the_list(
        (rows, columns, stripes, holes) in (1_u64..4, 2_u32..6, 1_u64..4, any::<bool>()),
        (offset, length) in (0_u64..4000, 1_u64..3000),
    ) {
        let map = map(rows, columns, stripes, holes);
        let (computed, volume) = layout(map.slabs());
        let (listed, same) = layout(map.extents(1 << 20).unwrap());
        prop_assert_eq!(volume, same);
        let (own, other) = (computed.places(volume, offset, length), listed.places(volume, offset, length));
        prop_assert_eq!(seen(&own), seen(&other));
        let flush = |layout: &Layout| {
            let mut on: Vec<_> = layout.disks(volume, (0, 1)).places.iter().map(|place| (place.copy, place.disk)).collect();
            on.sort();
            on
        };
        prop_assert_eq!(flush(&computed), flush(&listed));
        for place in &own.places {
            let at = |layout: &Layout| layout.disk_at(volume, place.copy, place.node, place.offset);
            prop_assert_eq!(at(&computed), at(&listed));
        }
    }

    /// One slab moves at some time; both ways say the same of what is before, after and about it.
    #[test]
    fn a_slab_of_a_column_moves_as_its_stripes_do(
        (columns, stripes, moved) in (2_u32..5, 1_u64..4, 0_u32..5),
        (offset, length, at) in (0_u64..2000, 1_u64..900, 0_i64..40),
    ) {
        let map = map(2, columns, stripes, false);
        let moved = moved % columns;
        let (from, slab_bytes) = (0, stripes * INTERLEAVE);
        let is_moved = |extent: &Extent| {
            let within = extent.volume_offset.checked_sub(from).filter(|within| *within < slab_bytes * u64::from(columns));
            let column = match extent.stripe {
                Some(stripe) => u64::from(stripe.column),
                None => extent.volume_offset / INTERLEAVE % u64::from(columns),
            };
            within.is_some() && column == u64::from(moved) && extent.copy == 0
        };
        let versions = |extents: Vec<Extent>| {
            let both = extents.into_iter().flat_map(|extent| {
                if !is_moved(&extent) {
                    return vec![extent];
                }
                let before = Extent { valid: Validity { from_unix_nanos: None, until_unix_nanos: Some(20) }, ..extent.clone() };
                let after = Extent {
                    valid: Validity { from_unix_nanos: Some(10), until_unix_nanos: None },
                    disk: "n0/new".into(),
                    ..extent
                };
                vec![before, after]
            });
            both.collect::<Vec<_>>()
        };
        let (computed, volume) = layout(versions(map.slabs()));
        let (listed, _) = layout(versions(map.extents(1 << 20).unwrap()));
        let (own, other) = (
            computed.places_at(volume, offset, length, (at, at + 2)),
            listed.places_at(volume, offset, length, (at, at + 2)),
        );
        let sorted = |places: &Places| {
            let (whole, parts, mut list) = seen(places);
            list.sort_by_key(|place| (place.part, place.copy, place.disk, place.offset));
            (whole, parts, list)
        };
        prop_assert_eq!(sorted(&own), sorted(&other));
    }
}

#[test]
fn a_large_volume_takes_no_more_than_its_slabs() {
    let columns = 8;
    let striping = Striping {
        columns,
        interleave_bytes: 1 << 16,
    };
    let slabs = (0..1024_u64).flat_map(|row| {
        (0..columns).map(move |column| Slab {
            volume: "v".into(),
            copy: 0,
            column,
            volume_offset: row << 33,
            length: 1 << 30,
            disk: format!("n0/{column}").as_str().into(),
            disk_offset: row << 30,
        })
    });
    let map = StripedMap::try_new(&slabs.collect::<Vec<_>>(), striping, Arithmetic::RowStart).unwrap();
    let (layout, volume) = layout(map.slabs());
    // 8 TiB of stripes of 64 KiB: the last byte.
    let found = layout.places(volume, (8 << 40) - 1, 1);
    let place = found.places[0];
    assert!(found.whole);
    assert_eq!((place.offset, place.length), ((1024 << 30) - 1, 1));
    assert_eq!(
        layout
            .volumes
            .iter()
            .flatten()
            .map(|volume| volume.copies[0].1.len())
            .sum::<usize>(),
        8192
    );
}

#[test]
fn columns_of_a_row_do_not_overlap_and_the_same_column_twice_does() {
    let map = map(1, 3, 2, false);
    let mut slabs = map.slabs();
    assert!(ExtentMap::try_new(slabs.clone()).is_ok());
    let twice = slabs[0].clone();
    slabs.push(twice);
    assert!(ExtentMap::try_new(slabs).is_err());
    let mut odd = map.slabs();
    odd[0].length -= 1;
    assert!(ExtentMap::try_new(odd).is_err());
}
