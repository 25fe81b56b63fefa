//! Every byte of a parity tier lies in one column, beside parity on others.

use std::collections::BTreeSet;

use crate::config::{Config, ParityTier, Volume};
use crate::layout::Layout;

const INTERLEAVE: u64 = 64 << 10;
const BORDER: u64 = 64 << 20;

fn layout() -> Layout {
    let config = Config {
        nodes: 4,
        volumes: vec![Volume {
            size_bytes: BORDER + (48 << 20),
            slab_bytes: 8 << 20,
            interleave_bytes: INTERLEAVE,
            parity: Some(ParityTier {
                size_bytes: 48 << 20,
                columns: 6,
                parity_columns: 2,
            }),
            ..Volume::on(4)
        }],
        ..Config::default()
    }
    .filled();
    config.check().unwrap();
    Layout::new(&config).unwrap()
}

#[test]
fn stripe_is_written_to_all_columns_and_read_from_those_of_its_data() {
    let layout = layout();
    let stripe = 4 * INTERLEAVE;
    for at in 0..20 {
        let written = layout.parts(0, BORDER + at * stripe, stripe, 0);
        assert_eq!(written.len(), 6);
        let columns: BTreeSet<u32> = written.iter().map(|part| part.copy).collect();
        let disks: BTreeSet<_> = written.iter().map(|part| part.disk).collect();
        assert_eq!((columns.len(), disks.len()), (6, 6));
        assert!(written.iter().all(|part| part.of_parity && part.length == INTERLEAVE));
        assert_eq!(layout.read_parts(0, BORDER + at * stripe, stripe).len(), 4);
    }
}

#[test]
fn bytes_of_the_tier_do_not_share_places() {
    let layout = layout();
    let mut used = BTreeSet::new();
    for block in 0..(48 << 20) / INTERLEAVE {
        for part in layout.read_parts(0, BORDER + block * INTERLEAVE, INTERLEAVE) {
            assert!(used.insert((part.disk, part.disk_offset)), "block {block}");
        }
    }
    assert_eq!(used.len() as u64, (48 << 20) / INTERLEAVE);
}

#[test]
fn write_over_the_border_has_copies_and_columns() {
    let layout = layout();
    let parts = layout.parts(0, BORDER - 4096, 8192, 0);
    assert_eq!(parts.iter().filter(|part| !part.of_parity).count(), 3);
    assert_eq!(parts.iter().filter(|part| part.of_parity).count(), 3);
    assert!(parts.iter().all(|part| part.length == 4096));
}
