//! Sources ask for what their volume's configuration says.

use super::*;
use crate::config::{OpMix, SizeShare};

fn source(change: impl Fn(&mut Volume)) -> Source {
    let mut config = Config {
        volumes: vec![Volume::on(4)],
        ..Config::default()
    };
    config.volumes.iter_mut().for_each(change);
    Source::all(&config.filled()).remove(0)
}

#[test]
fn log_goes_on_where_it_was_and_wraps_around() {
    let mut source = source(|volume| volume.offsets = Offsets::Log { bytes: 3 * 4096 });
    let offsets: Vec<u64> = (0..5).map(|_| source.next(|_| 0).unwrap().offset).collect();
    assert_eq!(offsets, [0, 4096, 8192, 0, 4096]);
}

#[test]
fn block_with_enough_writes_under_way_gets_no_more() {
    let mut source = source(|volume| {
        volume.offsets = Offsets::Zipf {
            blocks: 2,
            exponent: 1.2,
        };
        volume.same_block_limit = 3;
    });
    let full_first = |offset: u64| if offset == 0 { 3 } else { 2 };
    assert!((0..50).all(|_| source.next(full_first).is_some_and(|wanted| wanted.offset == 4096)));
    assert_eq!(source.next(|_| 3), None);
}

#[test]
fn operations_and_sizes_come_as_often_as_asked() {
    let mut source = source(|volume| {
        volume.ops = OpMix {
            read: 6.0,
            write: 3.0,
            flush: 1.0,
            unmap: 0.0,
        };
        volume.sizes = [(4096, 3.0), (65_536, 1.0)]
            .map(|(bytes, share)| SizeShare { bytes, share })
            .to_vec();
    });
    let wanted: Vec<Wanted> = (0..10_000).map(|_| source.next(|_| 0).unwrap()).collect();
    let share = |count: usize| count as f64 / 10_000.0;
    let reads = share(wanted.iter().filter(|wanted| wanted.op == Op::Read).count());
    let flushes = share(wanted.iter().filter(|wanted| wanted.op == Op::Flush).count());
    let large = share(wanted.iter().filter(|wanted| wanted.length == 65_536).count());
    assert!((0.58..0.62).contains(&reads), "{reads}");
    assert!((0.09..0.11).contains(&flushes), "{flushes}");
    assert!((0.21..0.24).contains(&large), "{large}");
    assert!(
        wanted
            .iter()
            .all(|wanted| wanted.offset.is_multiple_of(4096) && wanted.offset + wanted.length <= 4 << 30)
    );
}

#[test]
fn uniform_offsets_reach_all_of_the_volume() {
    let mut source = source(|_| ());
    let offsets: Vec<u64> = (0..1000).map(|_| source.next(|_| 0).unwrap().offset).collect();
    assert!(offsets.iter().any(|&offset| offset < 1 << 28) && offsets.iter().any(|&offset| offset > 15 << 28));
}
