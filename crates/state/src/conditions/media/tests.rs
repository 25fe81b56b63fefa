//! Media are mixed where slabs are, and not where a pool has tiers.

use fathom_model::{Extent, ExtentMap, Validity};

use super::*;
use crate::conditions::Conditions;
use crate::conditions::tests::{code, disk, observation, read};

/// Drives with their media; slabs with the drives that hold their copies.
fn pool(media: &[(&str, i64)], slabs: &[&[&str]]) -> Conditions {
    let extents = slabs.iter().enumerate().flat_map(|(slab, disks)| {
        disks.iter().enumerate().map(move |(copy, disk)| Extent {
            volume: "vol0".into(),
            volume_offset: slab as u64 * 1024,
            length: 1024,
            copy: copy as u32,
            disk: (*disk).into(),
            disk_offset: slab as u64 * 1024,
            valid: Validity::default(),
            stripe: None,
            parity: None,
        })
    });
    let topology = Topology {
        extents: ExtentMap::try_new(extents.collect()).unwrap(),
        ..Topology::default()
    };
    let mut conditions = Conditions::default();
    conditions.set_topology(&topology);
    let disks = media.iter().map(|(id, media)| {
        let own = disk(id, 0, &[2]).with("media", code(*media, if *media == 3 { "HDD" } else { "SSD" }));
        own.with("cannot_pool_reason", vec![code(2, "In a Pool")])
    });
    let looked = read(&mut conditions, "a", Kind::Disk, disks.collect(), 1);
    assert!(looked.sign.with_its_like().contains(&Sign::MixedMedia));
    // What it is called is known later, and no news of the drives.
    conditions.of(Sign::MixedMedia);
    let own = observation("a", Kind::Pool, "S2D", 1).with("name", "S2D on cluster");
    let looked = read(&mut conditions, "a", Kind::Pool, vec![own], 2);
    assert!(looked.sign.with_its_like().contains(&Sign::MixedMedia));
    conditions
}

#[test]
fn slower_drives_of_mixed_slabs_are_named_and_are_nothing_by_themselves() {
    let media = [("s1", 4), ("s2", 4), ("h1", 3), ("h2", 3)];
    let mut conditions = pool(&media, &[&["s1", "h1"], &["s1", "s2"], &["h2", "s2"]]);
    let found = conditions.of(Sign::MixedMedia);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (
            found[0].kind.as_str(),
            found[0].resource.as_deref(),
            found[0].only_if_felt
        ),
        ("pool", Some("S2D on cluster"), true)
    );
    assert_eq!(found[0].disks, ["/h1", "/h2"]);
    assert!(found[0].text.contains("HDD and SSD"), "{}", found[0].text);
    assert!(!found[0].observations.is_empty());
}

#[test]
fn tiers_and_what_is_not_known_are_not_mixed() {
    let media = [("s1", 4), ("s2", 4), ("h1", 3), ("h2", 3)];
    assert_eq!(pool(&media, &[&["s1", "s2"], &["h1", "h2"]]).of(Sign::MixedMedia), []);
    assert_eq!(pool(&media, &[]).of(Sign::MixedMedia), [], "no extents");
    assert_eq!(pool(&[("s1", 4), ("h1", 0)], &[&["s1", "h1"]]).of(Sign::MixedMedia), []);
}
