//! Slabs lie where resiliency says, and the extent map says where they lie.

use std::collections::BTreeSet;

use super::*;

fn config(nodes: u32, change: impl Fn(&mut Volume)) -> Config {
    let mut config = Config {
        nodes,
        ..Config::default()
    };
    config.volumes = vec![Volume::on(nodes), Volume::on(nodes)];
    config.volumes.iter_mut().for_each(change);
    config.filled()
}

#[test]
fn copies_of_a_byte_are_on_different_servers() {
    let config = config(5, |_| ());
    let layout = Layout::new(&config).unwrap();
    for row in layout.extents(0).collect::<Vec<_>>().chunks(3) {
        let nodes: BTreeSet<u32> = row.iter().map(|extent| layout.node_of(extent.part.disk)).collect();
        assert_eq!(nodes.len(), 3);
        assert_eq!(row.iter().map(|extent| extent.part.copy).collect::<Vec<_>>(), [0, 1, 2]);
    }
}

#[test]
fn nested_mirror_has_two_copies_at_its_owner_and_two_elsewhere() {
    let config = config(4, |volume| volume.resiliency = Resiliency::NestedTwoWay);
    let layout = Layout::new(&config).unwrap();
    for row in layout.extents(1).collect::<Vec<_>>().chunks(4) {
        let nodes: Vec<u32> = row.iter().map(|extent| layout.node_of(extent.part.disk)).collect();
        assert_eq!((nodes[0], nodes[1]), (1, 1));
        assert!(nodes[2] == nodes[3] && nodes[2] != 1);
        let disks: BTreeSet<_> = row.iter().map(|extent| extent.part.disk).collect();
        assert_eq!(disks.len(), 4);
    }
}

#[test]
fn single_node_keeps_copies_on_different_disks() {
    let config = config(1, |volume| volume.resiliency = Resiliency::TwoWay);
    let layout = Layout::new(&config).unwrap();
    for row in layout.extents(0).collect::<Vec<_>>().chunks(2) {
        assert_ne!(row[0].part.disk, row[1].part.disk);
    }
}

#[test]
fn extent_map_covers_the_volume_and_no_bytes_of_a_disk_twice() {
    let config = config(4, |volume| {
        volume.size_bytes = 300 << 20;
        volume.slab_bytes = 64 << 20;
        volume.columns = 3;
    });
    let layout = Layout::new(&config).unwrap();
    let mut used: Vec<(DiskNumber, u64, u64)> = Vec::new();
    for volume in 0..2 {
        for copy in 0..3 {
            let mut next = 0;
            for extent in layout.extents(volume).filter(|extent| extent.part.copy == copy) {
                assert_eq!(extent.volume_offset, next);
                next += extent.part.length;
                let from = extent.part.disk_offset;
                used.push((extent.part.disk, from, from + extent.part.length));
            }
            assert_eq!(next, 300 << 20);
        }
    }
    used.sort_unstable();
    assert!(
        used.windows(2)
            .all(|pair| pair[0].0 != pair[1].0 || pair[0].2 <= pair[1].1)
    );
}

#[test]
fn columns_take_turns_at_the_interleave() {
    let config = config(3, |volume| {
        volume.size_bytes = 64 << 20;
        volume.slab_bytes = 16 << 20;
        volume.columns = 2;
    });
    let layout = Layout::new(&config).unwrap();
    let interleave = 256 << 10;
    // From 4 KiB before the first border to 4 KiB after the second.
    let parts = layout.parts(0, interleave - 4096, interleave + 8192, 0);
    assert_eq!(
        parts.iter().map(|part| part.length).collect::<Vec<_>>(),
        [4096, 4096, 4096, interleave, interleave, interleave, 4096, 4096, 4096]
    );
    let disks: Vec<DiskNumber> = parts.iter().step_by(3).map(|part| part.disk).collect();
    assert_ne!(disks[0], disks[1]);
    assert_eq!(disks[0], disks[2]);
    assert_eq!(
        parts[6].disk_offset,
        parts[0].disk_offset + 4096,
        "the second stripe of a column follows its first"
    );
}

#[test]
fn flush_reaches_every_disk_once() {
    let config = config(4, |_| ());
    let layout = Layout::new(&config).unwrap();
    let disks: BTreeSet<DiskNumber> = layout.disks_of(0, 0).iter().map(|part| part.disk).collect();
    let all: BTreeSet<DiskNumber> = layout.extents(0).map(|extent| extent.part.disk).collect();
    assert_eq!(disks, all);
    assert_eq!(disks.len(), layout.disks_of(0, 0).len());
}

#[test]
fn volumes_that_do_not_fit_are_refused_by_name() {
    let mut full = config(3, |_| ());
    full.disks.capacity_bytes = 1 << 30;
    assert!(matches!(Layout::new(&full), Err(Error::Space { .. })));
    let wide = config(4, |volume| {
        volume.size_bytes = 1 << 40;
        volume.columns = 2;
    });
    assert!(matches!(Layout::new(&wide), Err(Error::TooManyExtents { .. })));
}
