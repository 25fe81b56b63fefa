//! Detail that was shed by slices of time: what is left is joined as if nothing had been shed, and of what lies at a border it is said
//! that events are lost.
//!
//! Every node thins by one rule, seconds of event time of which the number is a multiple of 2^k (`docs/design/0028-shedding.md`).

use std::collections::BTreeMap;

use fathom_model::{IoClass, Missing};
use proptest::prelude::*;

use super::super::Engine;
use super::cluster::{Cluster, MS, Made, Options};
use super::options::cases;
use super::play::events_of;
use crate::config::Config;

const SLICE: i64 = 1_000 * MS;

/// Of a stream the rows that are kept, and the stretches that are left out with how many events each has.
struct Thinned {
    kept: Vec<usize>,
    gaps: BTreeMap<i64, u64>,
}

fn thin(made: &Made, level: u32) -> Thinned {
    let mut thinned = Thinned {
        kept: Vec::new(),
        gaps: BTreeMap::new(),
    };
    for (row, event) in made.events.iter().enumerate() {
        let slice = event.end_unix_nanos().div_euclid(SLICE);
        if slice.rem_euclid(1 << level) == 0 {
            thinned.kept.push(row);
        } else {
            *thinned.gaps.entry(slice).or_default() += 1;
        }
    }
    thinned
}

/// What was joined to an I/O: its class, and of each leg part, copy and the events as rows of the unthinned streams.
type Joined = BTreeMap<(usize, usize), (IoClass, Vec<(u32, u32, Vec<(usize, usize)>, [Option<Missing>; 3])>)>;

fn joined(cluster: &Cluster, streams: &[Made], thinned: &[Thinned], config: &Config) -> Joined {
    let mut engine = Engine::new(config.clone());
    engine.set_topology(&cluster.topology);
    let mut numbers = BTreeMap::new();
    for (at, (made, thinned)) in streams.iter().zip(thinned).enumerate() {
        let stream = engine.open_stream(&made.info);
        numbers.insert(stream, at);
        engine.set_devices(stream, &made.devices).unwrap();
        for &slice in thinned.gaps.keys() {
            engine.gap(stream, slice * SLICE, (slice + 1) * SLICE).unwrap();
        }
        let events = thinned.kept.iter().map(|&row| made.events[row]).collect();
        engine.push(stream, 0, events).unwrap();
        engine.heard(stream, *made.heard.last().unwrap()).unwrap();
        engine.end(stream, made.end).unwrap();
    }
    engine.advance();
    assert!(engine.is_finished());
    let rows = engine.take_rows();
    let kept: usize = thinned.iter().map(|thinned| thinned.kept.len()).sum();
    assert_eq!(
        super::play::used(&rows).len(),
        kept,
        "each event that was kept is in one row"
    );
    let original = |(stream, ordinal)| {
        let at = numbers[&stream];
        (at, thinned[at].kept[ordinal as usize])
    };
    let legs = |io| {
        let legs = rows.legs_of(io).iter().map(|leg| {
            let events = events_of(leg).into_iter().map(|(_, event)| original(event)).collect();
            let missing = [leg.missing_initiator, leg.missing_target, leg.missing_device];
            (leg.part, leg.copy, events, missing)
        });
        legs.collect()
    };
    let ios = rows.ios.iter();
    ios.map(|io| (original((io.event.stream, io.event.ordinal)), (io.class, legs(io))))
        .collect()
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn what_is_kept_is_joined_as_if_nothing_had_been_shed(
        seed in any::<u64>(), level in 1_u32..3, ios in 500_usize..3000, bulk: bool,
    ) {
        let cluster = Cluster::busy(&Options {
            seed,
            nodes: 4,
            copies: 3,
            millis: 9_000,
            ios,
            blocks: 2000,
            offset_nanos: 5 * MS,
            drift_ppb: 20_000,
            ..Options::default()
        });
        let streams = cluster.streams();
        let config = Config { bulk, ..Config::default() };
        let whole: Vec<Thinned> = streams.iter().map(|made| thin(made, 0)).collect();
        let thinned: Vec<Thinned> = streams.iter().map(|made| thin(made, level)).collect();
        for (made, thinned) in streams.iter().zip(&thinned) {
            let left_out: u64 = thinned.gaps.values().sum();
            prop_assert_eq!(thinned.kept.len() + left_out as usize, made.events.len());
        }
        let all = joined(&cluster, &streams, &whole, &config);
        let some = joined(&cluster, &streams, &thinned, &config);
        let (mut same, mut at_borders, mut doubtful) = (0, 0, 0);
        for (io, (class, legs)) in &some {
            let full = &all[io];
            let events = full.1.iter().flat_map(|leg| &leg.2);
            let all_kept = events.into_iter().all(|&(at, row)| thinned[at].kept.binary_search(&row).is_ok());
            if all_kept {
                // Somebody who wrote the same place at once may have been cut at a border: then it is doubtful, and never another.
                if (class, legs) != (&full.0, &full.1) {
                    prop_assert_eq!(*class, IoClass::Ambiguous);
                    doubtful += 1;
                }
                same += 1;
            } else {
                prop_assert_eq!(*class, IoClass::Incomplete);
                let lost = legs.iter().flat_map(|leg| leg.3).flatten().any(|cause| cause == Missing::Lost);
                prop_assert!(lost, "{legs:?}");
                at_borders += 1;
            }
        }
        prop_assert!(doubtful * 100 <= same, "{doubtful} of {same}");
        prop_assert!(same * 20 > at_borders, "{same} of {}", some.len());
        prop_assert!(same * (1 << level) * 2 > ios, "{same} of {ios}");
    }
}
