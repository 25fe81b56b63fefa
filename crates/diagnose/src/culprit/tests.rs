//! The part of the path that is worse is named, with its time and its cost; what all share is nobody's fault.

use fathom_model::Tap;
use fathom_model::report::Culprit;

use super::*;
use crate::fixture::{Cluster, Request, Times, healthy};

mod guesses;

const MILLISECOND: i64 = 1_000_000;

/// Ten seconds at 200 writes a second; `worse` changes the times of a copy.
fn run(worse: impl Fn(i64, usize, &mut Times), without: &[Tap]) -> (Option<Culprit>, Cluster) {
    let mut cluster = Cluster::new();
    for at in 0..2000_i64 {
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        for (copy, times) in times.iter_mut().enumerate() {
            worse(at * 5 * MILLISECOND, copy, times);
        }
        cluster.write(at * 5 * MILLISECOND, times, without);
    }
    (judge(&cluster), cluster)
}

/// Both passes.
fn judge(cluster: &Cluster) -> Option<Culprit> {
    let mut search = Search::default();
    cluster.rows.ios.iter().for_each(|io| search.add(&cluster.rows, io));
    search.suspect(&cluster.catalog).and_then(|mut case| {
        cluster
            .rows
            .ios
            .iter()
            .for_each(|io| case.add(&cluster.rows, io, &cluster.catalog));
        case.close(&cluster.catalog)
    })
}

/// Ten seconds at 200 writes a second of a cluster whose nodes write themselves, so that of each write one copy is local;
/// `worse` changes the times of a copy by the writing node and the copy's.
fn run_converged(worse: impl Fn(usize, usize, &mut Times)) -> Option<Culprit> {
    let mut cluster = Cluster::new();
    for at in 0..2000_i64 {
        let from = at as usize % 3;
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        for (copy, times) in times.iter_mut().enumerate() {
            worse(from, copy, times);
        }
        cluster.make(Request {
            at: at * 5 * MILLISECOND,
            from: ["t0", "t1", "t2"][from],
            times,
            before: 0,
            without: &[],
        });
    }
    judge(&cluster)
}

fn slow_drive(at: i64, copy: usize, times: &mut Times) {
    if copy == 1 && (4000..7000).contains(&(at / MILLISECOND)) {
        times.device += 3_000_000;
    }
}

#[test]
fn slow_drive_is_named_with_beginning_end_and_cost() {
    let (culprit, _) = run(slow_drive, &[]);
    let culprit = culprit.unwrap();
    assert_eq!(
        (culprit.kind.as_str(), culprit.node.as_deref(), culprit.disk.as_deref()),
        ("disk", Some("t1"), Some("disk0"))
    );
    assert_eq!(culprit.since, "2026-09-21T14:13:24.000000Z");
    assert!(culprit.until.starts_with("2026-09-21T14:13:26.99") || culprit.until.starts_with("2026-09-21T14:13:27.00"));
    // 600 writes, each about 3 ms longer.
    assert!(
        (1_600_000_000..1_900_000_000).contains(&culprit.cost_ns),
        "{}",
        culprit.cost_ns
    );
    assert!(culprit.confidence > 0.9, "{}", culprit.confidence);
    assert!(!culprit.evidence[0].writes.is_empty());
}

#[test]
fn slow_drive_is_named_without_target_events_and_without_initiator_events() {
    for without in [Tap::Target, Tap::Initiator] {
        let (culprit, _) = run(slow_drive, &[without]);
        let culprit = culprit.unwrap();
        assert_eq!(
            (culprit.kind.as_str(), culprit.node.as_deref()),
            ("disk", Some("t1")),
            "without {without}"
        );
    }
}

#[test]
fn slow_node_whose_drives_are_not_seen_is_unknown_with_its_node_and_healthy_ones_are_not_named() {
    let (culprit, _) = run(slow_drive, &[Tap::Device]);
    let culprit = culprit.unwrap();
    assert_eq!(
        (culprit.kind.as_str(), culprit.node.as_deref(), culprit.disk.as_deref()),
        ("unknown", Some("t1"), None)
    );
    assert!(
        culprit.evidence[0].text.contains("its drive was not seen"),
        "{}",
        culprit.evidence[0].text
    );
    assert_eq!(run(|_, _, _| {}, &[Tap::Device]).0, None);
}

#[test]
fn slow_link_is_named_with_both_ends_and_less_sure_without_target_events() {
    let slow = |at: i64, copy: usize, times: &mut Times| {
        if copy == 2 && at / MILLISECOND > 5000 {
            times.way += 4_000_000;
        }
    };
    let sure = run(slow, &[]).0.unwrap();
    assert_eq!(
        (sure.kind.as_str(), sure.node.as_deref(), sure.peer.as_deref()),
        ("link", Some("t2"), Some("i0"))
    );
    let less = run(slow, &[Tap::Target]).0.unwrap();
    assert_eq!((less.kind.as_str(), less.node.as_deref()), ("link", Some("t2")));
    assert!(less.confidence < sure.confidence);
    assert!(
        less.evidence[0].text.contains("one number"),
        "{}",
        less.evidence[0].text
    );
}

#[test]
fn slow_bus_target_is_the_node() {
    let slow = |_: i64, copy: usize, times: &mut Times| {
        if copy == 0 {
            times.target += 2_000_000;
        }
    };
    let culprit = run(slow, &[]).0.unwrap();
    assert_eq!(
        (culprit.kind.as_str(), culprit.node.as_deref(), culprit.disk),
        ("node", Some("t0"), None)
    );
}

#[test]
fn leg_whose_far_side_is_unseen_is_unknown_with_its_node() {
    let mut cluster = Cluster::new();
    for at in 0..2000_i64 {
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        times[1].device += 3_000_000;
        cluster.write(at * 5 * MILLISECOND, times, &[]);
    }
    for leg in cluster.rows.legs.iter_mut().filter(|leg| leg.copy == 1) {
        (leg.target, leg.device) = (None, None);
    }
    let culprit = judge(&cluster).unwrap();
    assert_eq!(
        (culprit.kind.as_str(), culprit.node.as_deref()),
        ("unknown", Some("t1"))
    );
    // Whole legs are held against whole legs: of the others the way takes 200 us and more, drive and target 150 us and more.
    let text = &culprit.evidence[0].text;
    let peers = text.split("against p50 ").nth(1).unwrap();
    let micros: u64 = peers.split(' ').next().unwrap().parse().unwrap();
    assert!((380..=480).contains(&micros), "{text}");
}

#[test]
fn slow_disk_is_named_where_it_is_local_to_the_writer_and_where_it_is_not() {
    let local = run_converged(|from, copy, times| times.device += if (from, copy) == (1, 1) { 3_000_000 } else { 0 });
    let remote = run_converged(|from, copy, times| times.device += if from != 1 && copy == 1 { 3_000_000 } else { 0 });
    for (culprit, name) in [(local, "local"), (remote, "remote")] {
        let culprit = culprit.unwrap_or_else(|| panic!("{name}: nobody"));
        assert_eq!(
            (culprit.kind.as_str(), culprit.node.as_deref(), culprit.disk.as_deref()),
            ("disk", Some("t1"), Some("disk0")),
            "{name}"
        );
        assert!(
            culprit
                .evidence
                .iter()
                .any(|one| one.text.contains("waited for this copy"))
        );
    }
}

#[test]
fn slow_link_between_nodes_that_write_themselves_is_named() {
    let culprit = run_converged(|from, copy, times| times.way += if (from, copy) == (0, 2) { 4_000_000 } else { 0 });
    let culprit = culprit.unwrap();
    assert_eq!(
        (culprit.kind.as_str(), culprit.node.as_deref(), culprit.peer.as_deref()),
        ("link", Some("t2"), Some("t0"))
    );
}

#[test]
fn healthy_nodes_that_write_themselves_blame_nobody() {
    assert_eq!(run_converged(|_, _, _| {}), None);
}

#[test]
fn load_that_all_share_blames_nobody() {
    let all = |at: i64, _: usize, times: &mut Times| {
        if at / MILLISECOND > 5000 {
            times.device += 5_000_000;
            times.way += 3_000_000;
        }
    };
    assert_eq!(run(all, &[]).0, None);
    assert_eq!(run(|_, _, _| {}, &[]).0, None);
}

#[test]
fn copy_that_is_sent_last_is_not_to_blame_for_coming_last() {
    // Copies are sent 30 us apart in the fixture; with equal times the last one is always last.
    let equal = |_: i64, _: usize, times: &mut Times| {
        *times = Times {
            way: 100_000,
            target: 10_000,
            device: 50_000,
        }
    };
    assert_eq!(run(equal, &[]).0, None);
}

#[test]
fn single_stall_is_not_a_culprit() {
    let once = |at: i64, copy: usize, times: &mut Times| {
        if copy == 1 && at / MILLISECOND == 5000 {
            times.device += 900_000_000;
        }
    };
    assert_eq!(run(once, &[]).0, None);
}

#[test]
fn bins_merge_when_there_are_too_many() {
    let mut cluster = Cluster::new();
    for at in 0..5000_i64 {
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        times[1].device += if at > 2500 { 3_000_000 } else { 0 };
        cluster.write(at * 1000 * MILLISECOND, times, &[]);
    }
    let mut search = Search::default();
    cluster.rows.ios.iter().for_each(|io| search.add(&cluster.rows, io));
    assert!(search.times.len() <= MOST_BINS);
    let culprit = judge(&cluster).unwrap();
    assert_eq!(culprit.node.as_deref(), Some("t1"));
}

/// Twelve seconds at 200 writes a second by `i0` and `i1` in turn, or by `i0` alone; `change` changes the times of all copies and the
/// time before the first is sent. Copies 1 and 2 are cut off when `single`.
fn run_long(
    initiators: &[&str],
    single: bool,
    without: &[Tap],
    change: impl Fn(i64, usize, &mut [Times; 3], &mut i64),
) -> Option<Culprit> {
    let mut cluster = Cluster::new();
    for at in 0..2400_i64 {
        let from = at as usize % initiators.len();
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        let mut before = 20_000 + at % 7 * 1_000;
        change(at * 5, from, &mut times, &mut before);
        cluster.make(Request {
            at: at * 5 * MILLISECOND,
            from: initiators[from],
            times,
            before,
            without,
        });
    }
    if single {
        let mut legs = Vec::new();
        for io in &mut cluster.rows.ios {
            let first = cluster.rows.legs[io.legs.start].clone();
            let end = first.initiator.map_or(0, |seen| seen.end_unix_nanos());
            io.event.duration_nanos = u64::try_from(end - io.event.start_unix_nanos).unwrap() + 20_000;
            io.legs = legs.len()..legs.len() + 1;
            io.legs_expected = 1;
            let slowest = io.slowest.as_mut().unwrap();
            (slowest.leg, slowest.lead_nanos) = (legs.len(), None);
            legs.push(first);
        }
        cluster.rows.legs = legs;
    }
    judge(&cluster)
}

fn named(culprit: Option<&Culprit>) -> Option<(&str, &str)> {
    culprit.map(|culprit| (culprit.kind.as_str(), culprit.node.as_deref().unwrap_or_default()))
}

#[test]
fn drive_that_becomes_slow_is_named_by_its_own_past_where_its_peers_are_no_better() {
    // Each of the others takes 20 ms for a third of the writes, ever since; t1 takes 6 ms more from the sixth second on, which
    // costs less than what either of them costs.
    let slower = |millis: i64, _: usize, times: &mut [Times; 3], _: &mut i64| {
        match millis / 5 % 3 {
            0 => times[0].device += 20_000_000,
            1 => times[2].device += 20_000_000,
            _ => {}
        }
        times[1].device += if millis >= 6000 { 6_000_000 } else { 0 };
    };
    let culprit = run_long(&["i0"], false, &[], slower).unwrap();
    assert_eq!(named(Some(&culprit)), Some(("disk", "t1")), "{culprit:?}");
    assert!(culprit.confidence > 0.8, "{culprit:?}");
    assert!(culprit.evidence[1].text.contains("did not slow like it"), "{culprit:?}");
    let before =
        |millis: i64, from: usize, times: &mut [Times; 3], before: &mut i64| slower(millis % 6000, from, times, before);
    assert_eq!(run_long(&["i0"], false, &[], before).map(|found| found.kind), None);
}

#[test]
fn link_without_a_peer_is_named_by_its_own_past() {
    let slower = |millis: i64, _: usize, times: &mut [Times; 3], _: &mut i64| {
        times[0].way += if millis >= 7000 { 5_000_000 } else { 0 };
    };
    let culprit = run_long(&["i0"], true, &[], slower).unwrap();
    assert_eq!(named(Some(&culprit)), Some(("link", "t0")));
    assert_eq!(culprit.since, "2026-09-21T14:13:27.000000Z");
    assert!(culprit.evidence[0].text.contains("at other times"), "{culprit:?}");
    assert!((4_500_000_000..5_500_000_000).contains(&culprit.cost_ns), "{culprit:?}");
}

#[test]
fn what_all_slow_alike_is_nobodys_own_past() {
    let all = |millis: i64, _: usize, times: &mut [Times; 3], before: &mut i64| {
        if millis >= 6000 {
            *before *= 20;
            for times in times {
                times.device *= 20;
                times.way *= 20;
                times.target *= 20;
            }
        }
    };
    for single in [false, true] {
        for initiators in [&["i0"][..], &["i0", "i1"]] {
            assert_eq!(run_long(initiators, single, &[], all), None, "{single} {initiators:?}");
        }
    }
}

#[test]
fn nothing_changed_and_nothing_worse_blames_nobody() {
    for single in [false, true] {
        for initiators in [&["i0"][..], &["i0", "i1"]] {
            let found = run_long(initiators, single, &[], |_, _, _, _| {});
            assert_eq!(found, None, "{single} {initiators:?}");
        }
    }
}

#[test]
fn initiator_that_holds_writes_back_is_named_against_others_and_against_its_own_past() {
    let always =
        |_: i64, from: usize, _: &mut [Times; 3], before: &mut i64| *before += if from == 1 { 2_000_000 } else { 0 };
    let culprit = run_long(&["i0", "i1"], false, &[], always).unwrap();
    assert_eq!(named(Some(&culprit)), Some(("initiator", "i1")));
    assert!(culprit.evidence[0].text.contains("other initiators"), "{culprit:?}");
    assert!(
        culprit.confidence > 0.9 && culprit.disk.is_none() && culprit.peer.is_none(),
        "{culprit:?}"
    );
    let later = |millis: i64, _: usize, _: &mut [Times; 3], before: &mut i64| {
        *before += if millis >= 6000 { 2_000_000 } else { 0 }
    };
    let culprit = run_long(&["i0"], false, &[], later).unwrap();
    assert_eq!(named(Some(&culprit)), Some(("initiator", "i0")));
    assert_eq!(culprit.since, "2026-09-21T14:13:26.000000Z");
    // All initiators alike: shared, not blamed.
    assert_eq!(run_long(&["i0", "i1"], false, &[], later), None);
    // A slow initiator from the beginning, with nobody to compare with.
    let slow = |_: i64, _: usize, _: &mut [Times; 3], before: &mut i64| *before += 2_000_000;
    assert_eq!(run_long(&["i0"], false, &[], slow), None);
    // Without initiator events nothing outside the legs is known.
    assert_eq!(run_long(&["i0"], false, &[Tap::Initiator], later), None);
}

/// Ten seconds at 400 writes a second of two nodes that write themselves, each with a copy at home and one at the other, on drives with
/// long tails; `worse` changes the drive's time of a copy.
fn run_of_two(worse: impl Fn(usize, &mut u64)) -> Option<Culprit> {
    let mut cluster = Cluster::new();
    for at in 0..4000_i64 {
        let from = at as usize % 2;
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        for (copy, times) in times.iter_mut().enumerate() {
            let chance = (at as u64 * 3 + copy as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let chance = (chance ^ (chance >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
            // From 40 us on, with a tail as long as the writes themselves.
            times.device = 40_000 + 80_000_000_000 / (100_000 + chance % 1_000_000);
            worse(copy, &mut times.device);
        }
        // The third copy is cut off below.
        times[2] = Times {
            way: 0,
            target: 0,
            device: 0,
        };
        cluster.make(Request {
            at: at * MILLISECOND * 5 / 2,
            from: ["t0", "t1"][from],
            times,
            before: 0,
            without: &[],
        });
        let io = cluster.rows.ios.last_mut().unwrap();
        cluster.rows.legs.pop();
        (io.legs.end, io.legs_expected) = (io.legs.end - 1, 2);
        let ends = [0, 1].map(|copy| {
            let leg = &cluster.rows.legs[io.legs.start + copy];
            leg.initiator.or(leg.device).unwrap().end_unix_nanos()
        });
        let last = usize::from(ends[1] > ends[0]);
        let slowest = io.slowest.as_mut().unwrap();
        slowest.leg = io.legs.start + last;
        slowest.lead_nanos = Some(ends[0].abs_diff(ends[1]));
    }
    judge(&cluster)
}

#[test]
fn copy_that_is_last_for_its_way_is_not_blamed_for_the_chance_in_its_drive() {
    assert_eq!(run_of_two(|_, _| {}), None);
    let slow = run_of_two(|copy, device| *device += if copy == 1 { 2_000_000 } else { 0 });
    assert_eq!(named(slow.as_ref()), Some(("disk", "t1")));
}

#[test]
fn writes_that_take_no_time_blame_nobody() {
    let nothing = |_: i64, _: usize, times: &mut Times| {
        *times = Times {
            way: 0,
            target: 0,
            device: 0,
        }
    };
    for without in [&[][..], &[Tap::Initiator]] {
        let mut cluster = run(nothing, without).1;
        for io in &mut cluster.rows.ios {
            io.event.duration_nanos = 0;
            // Sent at once.
            for leg in &mut cluster.rows.legs[io.legs.clone()] {
                for seen in [&mut leg.initiator, &mut leg.target, &mut leg.device]
                    .into_iter()
                    .flatten()
                {
                    seen.start_unix_nanos = io.event.start_unix_nanos;
                }
            }
        }
        assert_eq!(judge(&cluster), None);
    }
}

#[test]
fn whoever_is_less_likely_than_not_is_not_named() {
    // Of what last copies add, t1's drive adds a third, and the ways of the others the rest.
    let mixed = |at: i64, copy: usize, times: &mut Times| match (at / (5 * MILLISECOND) % 6, copy) {
        (0 | 1, 1) => times.device += 3_000_000,
        (2, 0) | (3, 2) => times.way += 4_000_000,
        (4, 0) | (5, 2) => times.target += 4_000_000,
        _ => {}
    };
    assert!(run(mixed, &[]).0.is_none_or(|culprit| culprit.confidence >= 0.5));
}
