//! Clocks of any kind: whatever they do, what is stated of them is true at every moment, right around a change too.
//!
//! The quick form tries two hundred; the long one is
//! `CLOCK_MODELS=10000 cargo nextest run -p fathom-join what_is_stated_of_clocks`.

use fathom_model::Tap;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::super::End;
use super::cluster::{Clock, Cluster, MS, Made, Options, START};
use super::options::{cases, small};
use super::play::{Plan, Played, assert_same, play};
use super::truth::score;
use crate::config::Config;

/// What the clocks of a cluster do.
#[derive(Clone, Debug)]
struct Model {
    options: Options,
    /// Of each node: offset, drift, and what changes when.
    clocks: Vec<Clock>,
    /// A node that boots anew at a moment, with a clock of its own from then on.
    reboot: Option<(usize, i64, Clock)>,
}

impl Model {
    fn cluster(&self) -> Cluster {
        let mut cluster = Cluster::idle(&self.options);
        let count = cluster.clocks.len();
        cluster.clocks.copy_from_slice(&self.clocks[..count]);
        let clocks = cluster.clocks.clone();
        let mut busy = Cluster::busy(&self.options);
        busy.clocks = clocks;
        busy
    }

    fn streams(&self, cluster: &Cluster) -> Vec<Made> {
        let mut streams = cluster.streams();
        let Some((node, moment, clock)) = self.reboot else {
            return streams;
        };
        let mut before = cluster.stream(node, |draft| draft.end < moment, 1);
        before.end = End::Replaced;
        let until = before.clock.read(moment);
        before.heard.iter_mut().for_each(|heard| *heard = until.min(*heard));
        let mut anew = cluster.clone();
        anew.clocks[node] = clock;
        // What was under way is lost with the boot.
        let mut after = anew.stream(node, |draft| draft.start >= moment, 2);
        after.info.covered_from_unix_nanos = Some(clock.read(moment));
        after.after = Some(node);
        streams[node] = before;
        streams.push(after);
        streams
    }
}

fn clock() -> impl Strategy<Value = Clock> {
    let offset = prop_oneof![
        2 => -5 * MS..5 * MS,
        1 => -1_000 * MS..1_000 * MS,
    ];
    let bend = prop_oneof![
        1 => Just(None),
        1 => (500_i64..3_500, -100_000_i64..100_000).prop_map(|(at, ppb)| Some((START + at * MS, ppb))),
    ];
    let step = prop_oneof![
        2 => Just(None),
        1 => (500_i64..3_500, any::<bool>()).prop_map(|(at, back)| (at, if back { -200 * MS } else { 200 * MS })).prop_map(set),
        // What the traffic cannot tell from a slow leg is not seen.
        1 => (500_i64..3_500, 20 * MS..1_000 * MS, any::<bool>())
            .prop_map(|(at, by, back)| set((at, if back { -by } else { by }))),
    ];
    (offset, -100_000_i64..100_000, bend, step).prop_map(|(offset, ppb, bend, step)| Clock {
        offset,
        ppb,
        bend,
        step,
    })
}

/// A clock that is set so many milliseconds after the start.
fn set((at, by): (i64, i64)) -> Option<(i64, i64)> {
    Some((START + at * MS, by))
}

fn model() -> impl Strategy<Value = (Model, Config)> {
    let shape = (1_usize..4, 2_usize..5, 1_u32..4, any::<bool>());
    let load = (
        prop_oneof![1_usize..40, 40_usize..1_000],
        prop_oneof![3 => Just(1_000_usize), 1 => Just(20)],
        prop_oneof![Just(0_i64), 0_i64..2 * MS],
        prop_oneof![3 => Just(0_u64), 1 => Just(50)],
    );
    let without = prop_oneof![
        3 => Just(vec![]),
        2 => Just(vec![Tap::Target]),
        1 => Just(vec![Tap::Initiator]),
    ];
    let clocks = prop::collection::vec(prop_oneof![1 => steady(), 1 => clock()], 8);
    let reboot = prop_oneof![
        4 => Just(None),
        1 => (0_usize..2, 1_000_i64..3_000, steady()).prop_map(Some),
    ];
    let config = prop_oneof![2 => Just(Config::default()), 1 => Just(small())];
    (any::<u64>(), shape, load, without, clocks, reboot, config).prop_map(
        |(seed, shape, load, without, mut clocks, reboot, config)| {
            let (initiators, nodes, copies, converged) = shape;
            let (ios, blocks, asymmetry_nanos, lost_per_mille) = load;
            // Where a few places are written all the time, others' answers stand where a request's own no longer does: then a step
            // is seen late.
            // The same where a node boots: of a clock that is set before its pair was ever seen at work nothing can be told.
            if blocks <= 20 || reboot.is_some() {
                clocks.iter_mut().for_each(|clock: &mut Clock| clock.step = None);
            }
            // Initiators whose clocks are further apart than lateness do not know of each other's I/Os to the same place.
            if config != Config::default() {
                for clock in &mut clocks {
                    clock.offset /= 20;
                    // A longer step is followed when the events of both sides are there, which is later.
                    clock.step = clock.step.map(|(at, by)| (at, by.clamp(-190 * MS, 190 * MS)));
                }
            }
            let options = Options {
                seed,
                initiators: if converged { initiators.min(nodes) } else { initiators },
                nodes,
                copies: copies.min(nodes as u32),
                converged,
                shared: seed % 2 == 0,
                chunks: 24,
                ios,
                blocks,
                asymmetry_nanos,
                // Where a few places are written all the time, another's event stands in for one that is lost, and when its own
                // I/O is lost too nothing tells: that is no matter of clocks.
                lost_per_mille: if blocks > 20 { lost_per_mille } else { 0 },
                without,
                ..Options::default()
            };
            // Two that are set by the same at nearly the same moment look to each other as if neither was.
            for (number, clock) in (0..).zip(&mut clocks) {
                clock.step = clock.step.map(|(at, by)| (at, by + by.signum() * 3 * MS * number));
            }
            let reboot = reboot.map(|(node, at, clock)| (node, START + at * MS, clock));
            let model = Model {
                options,
                clocks,
                reboot,
            };
            (model, config)
        },
    )
}

fn steady() -> impl Strategy<Value = Clock> {
    (-1_000 * MS..1_000 * MS, -100_000_i64..100_000).prop_map(|(offset, ppb)| Clock {
        offset,
        ppb,
        ..Clock::default()
    })
}

/// What was stated of clocks, and the first thing that is not true.
fn stated(played: &Played, streams: &[Made]) -> (usize, Option<String>) {
    let catalog = played.engine.catalog();
    let made = |stream| {
        let id = catalog.stream(stream);
        streams.iter().find(|made| made.info.id == *id).unwrap()
    };
    let mut count = 0;
    let mut wrong = None;
    for io in &played.rows.ios {
        let own = made(io.event.stream);
        let began = own.began[io.event.ordinal as usize];
        for leg in played.rows.legs_of(io) {
            let seen = leg.target.or(leg.device);
            let (Some(said), Some(seen)) = (leg.clock, seen) else {
                continue;
            };
            count += 1;
            let far = made(seen.stream);
            let truth = far.clock.read(began) - own.clock.read(began);
            // Readings are whole nanoseconds.
            if (truth - said.offset_nanos).unsigned_abs() > said.error_nanos + 1 {
                wrong.get_or_insert_with(|| {
                    let (from, to) = (&own.info.id.node, &far.info.id.node);
                    let at = (began - START) as f64 / 1e9;
                    format!("{to} against {from} at {at} s: {truth}, said {said:?}")
                });
            }
        }
    }
    (count, wrong)
}

/// The same models every time, so that a rare one does not fail somebody else's change; `CLOCK_MODELS` says how many.
#[test]
fn what_is_stated_of_clocks_is_true_whatever_they_do() {
    let asked = std::env::var("CLOCK_MODELS").ok().and_then(|asked| asked.parse().ok());
    let count: usize = asked.unwrap_or(200);
    // One of them alone, by its number.
    let only = std::env::var("CLOCK_MODEL").ok();
    let mut runner = TestRunner::deterministic();
    let (mut statements, mut false_ones, mut wrong_joins) = (0, Vec::new(), 0);
    for number in 0..count {
        let (model, config) = model().new_tree(&mut runner).unwrap().current();
        if let Some(only) = &only {
            if *only != number.to_string() {
                continue;
            }
            eprintln!("{model:?} {config:?}");
        }
        let cluster = model.cluster();
        let streams = model.streams(&cluster);
        let played = play(&config, &cluster.topology, &streams, &Plan::PLAIN);
        let (stated, wrong) = stated(&played, &streams);
        statements += stated;
        // What is joined to another's event while a clock is set bounds nothing; that it is rare is judged below.
        if score(&played, &streams).wrong > 0 {
            wrong_joins += 1;
        } else if let Some(wrong) = wrong {
            false_ones.push(format!("model {number}: {wrong}"));
        }
    }
    eprintln!("{count} models, {statements} statements, {wrong_joins} models with a wrong join");
    assert_eq!(false_ones, Vec::<String>::new());
    assert!(only.is_some() || statements > 1_000 * count / 2, "{statements}");
    assert!(wrong_joins <= count.div_ceil(50), "{wrong_joins} of {count}");
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn rows_are_the_same_in_any_order_and_over_restarts_whatever_clocks_do((mut model, config) in model(), seed in 1_u64..) {
        model.reboot = None;
        let cluster = model.cluster();
        let streams = model.streams(&cluster);
        let plain = play(&Config { bulk: false, ..config.clone() }, &cluster.topology, &streams, &Plan::PLAIN);
        let wild = Plan { restarts: (seed % 3) as u32, ..Plan::wild(seed) };
        let wild = play(&config, &cluster.topology, &streams, &wild);
        assert_same(&plain.named, &wild.named);
        prop_assert_eq!(wild.uses.len(), streams.iter().map(|stream| stream.events.len()).sum::<usize>());
    }

    #[test]
    fn bulk_gives_the_same_when_a_node_boots_anew_with_another_clock(
        (mut model, config) in model(), at in 1_000_i64..3_000, new in steady(),
    ) {
        model.reboot = Some((0, START + at * MS, new));
        let cluster = model.cluster();
        let streams = model.streams(&cluster);
        let plain = play(&Config { bulk: false, ..config.clone() }, &cluster.topology, &streams, &Plan::PLAIN);
        let bulk = play(&config, &cluster.topology, &streams, &Plan::PLAIN);
        assert_same(&plain.named, &bulk.named);
    }
}

/// A steady cluster with 1,500 writes a second of one initiator, three copies.
fn dense() -> Options {
    Options {
        ios: 9_000,
        millis: 6_000,
        nodes: 4,
        copies: 3,
        blocks: 4_000,
        chunks: 24,
        offset_nanos: 5 * MS,
        drift_ppb: 50_000,
        ..Options::default()
    }
}

/// Plays a dense cluster with one clock changed, and says how much of it was stated and joined.
fn followed(node: usize, change: impl Fn(&mut Clock)) -> (f64, f64) {
    let mut cluster = Cluster::busy(&dense());
    change(&mut cluster.clocks[node]);
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let (count, wrong) = stated(&played, &streams);
    assert_eq!(wrong, None);
    let score = score(&played, &streams);
    assert_eq!(score.wrong, 0, "{score:?}");
    let legs: usize = played.rows.ios.iter().map(|io| played.rows.legs_of(io).len()).sum();
    (count as f64 / legs as f64, score.exact as f64 / score.ios as f64)
}

#[test]
fn far_clock_that_is_set_is_followed_at_once() {
    for by in [200 * MS, -200 * MS, 5 * MS, -1_500 * MS] {
        let (stated, exact) = followed(1, |clock| clock.step = Some((START + 2_600 * MS, by)));
        assert!(stated > 0.99 && exact > 0.99, "{by}: {stated} stated, {exact} exact");
    }
}

#[test]
fn initiators_clock_that_is_set_forward_is_followed_at_once() {
    let (stated, exact) = followed(4, |clock| clock.step = Some((START + 2_600 * MS, 200 * MS)));
    assert!(stated > 0.99 && exact > 0.99, "{stated} stated, {exact} exact");
}

#[test]
fn initiators_clock_that_is_set_back_leaves_open_only_the_time_that_it_shows_twice() {
    for at in [2_600, 2_040] {
        let (stated, exact) = followed(4, |clock| clock.step = Some((START + at * MS, -200 * MS)));
        // 0.4 s of 6 s, and what the placing of the break leaves open.
        assert!(stated > 0.92 && exact > 0.92, "{stated} stated, {exact} exact");
    }
}

#[test]
fn drift_that_changes_is_followed_without_a_break() {
    for ppb in [80_000, -200_000] {
        let (stated, exact) = followed(1, |clock| clock.bend = Some((START + 2_600 * MS, ppb)));
        assert!(stated > 0.999 && exact > 0.999, "{ppb}: {stated} stated, {exact} exact");
    }
}

#[test]
fn clocks_two_minutes_apart_are_aligned() {
    let mut cluster = Cluster::busy(&dense());
    cluster.clocks[0].offset = 58_000 * MS;
    cluster.clocks[1].offset = -59_000 * MS;
    cluster.clocks[4].offset = -60_000 * MS;
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let (count, wrong) = stated(&played, &streams);
    assert_eq!(wrong, None);
    let score = score(&played, &streams);
    assert!(
        count > 26_000 && score.exact as f64 >= 0.999 * score.ios as f64,
        "{count} stated, {score:?}"
    );
}

/// Its newest event lies before the step, not at the end of what came last.
#[test]
fn far_clock_that_is_set_back_at_the_end_gives_the_same_rows_in_any_batches() {
    let options = Options {
        ios: 1_500,
        millis: 4_000,
        lost_per_mille: 50,
        ..dense()
    };
    let mut cluster = Cluster::busy(&options);
    cluster.clocks[1].step = Some((START + 3_300 * MS, -800 * MS));
    let streams = cluster.streams();
    let config = Config::default();
    let plain = play(&config, &cluster.topology, &streams, &Plan::PLAIN);
    for (most_batch, restarts) in [(1, 0), (40, 0), (500, 3)] {
        let plan = Plan {
            most_batch,
            restarts,
            ..Plan::PLAIN
        };
        let other = play(&config, &cluster.topology, &streams, &plan);
        assert_same(&plain.named, &other.named);
    }
}
