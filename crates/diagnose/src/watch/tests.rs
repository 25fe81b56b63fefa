//! Several are named at once, by as few objects as explain them, soon, with writes that show it; equals are not.

use fathom_model::Tap;

use super::*;
use crate::fixture::{Cluster, Request, Times, healthy};

const MILLISECOND: i64 = 1_000_000;

/// So many seconds at 200 writes a second, in turn by `i0` and `i1`.
fn run(seconds: i64, worse: impl Fn(i64, usize, usize, &mut Times), without: &[Tap]) -> (Watch, Cluster) {
    let mut cluster = Cluster::new();
    for at in 0..200 * seconds {
        let from = (at % 2) as usize;
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        for (copy, times) in times.iter_mut().enumerate() {
            worse(at * 5 * MILLISECOND, from, copy, times);
        }
        cluster.make(Request {
            at: at * 5 * MILLISECOND,
            from: ["i0", "i1"][from],
            times,
            before: 0,
            without,
        });
    }
    let mut watch = Watch::default();
    cluster.rows.ios.iter().for_each(|io| watch.add(&cluster.rows, io));
    watch.finish();
    (watch, cluster)
}

fn names(watch: &Watch, cluster: &Cluster) -> Vec<(String, String, Option<String>, Option<String>)> {
    let culprits = watch.report(&cluster.catalog).into_iter();
    culprits
        .map(|culprit| {
            (
                culprit.kind,
                culprit.node.unwrap_or_default(),
                culprit.disk,
                culprit.peer,
            )
        })
        .collect()
}

fn disk(node: &str) -> (String, String, Option<String>, Option<String>) {
    ("disk".to_owned(), node.to_owned(), Some("disk0".to_owned()), None)
}

#[test]
fn equals_are_not_named_and_neither_is_what_all_share() {
    let (watch, _) = run(40, |_, _, _, _| {}, &[]);
    assert!(watch.findings().is_empty(), "{:?}", watch.findings());
    let load = |at: i64, _: usize, _: usize, times: &mut Times| {
        if at > 15_000 * MILLISECOND {
            times.device *= 8;
            times.way *= 3;
        }
    };
    let (watch, _) = run(40, load, &[]);
    assert!(watch.findings().is_empty(), "{:?}", watch.findings());
}

#[test]
fn slow_drive_is_named_within_seconds_with_writes_that_show_it() {
    let slow = |at: i64, _: usize, copy: usize, times: &mut Times| {
        if copy == 1 && at > 20_000 * MILLISECOND {
            times.device += 2_000_000;
        }
    };
    let (watch, cluster) = run(40, slow, &[]);
    assert_eq!(names(&watch, &cluster), [disk("t1")]);
    let finding = &watch.findings()[0];
    let began = crate::fixture::START.div_euclid(1_000_000_000) + 20;
    assert!((began..began + 6).contains(&finding.raised_second), "{finding:?}");
    assert!(!finding.shown.is_empty());
    for (_, write) in &finding.shown {
        let io = cluster
            .rows
            .ios
            .iter()
            .find(|io| io.event.ordinal == write.ordinal && io.node == write.node)
            .unwrap();
        let leg = &cluster.rows.legs_of(io)[1];
        assert!(leg.device.unwrap().duration_nanos > 2_000_000);
    }
    // 200 writes a second waited about 1.9 ms longer, for 20 s.
    assert!(
        (6_000_000_000..8_500_000_000).contains(&finding.cost_nanos),
        "{}",
        finding.cost_nanos
    );
}

#[test]
fn two_at_once_are_both_named_the_costlier_first() {
    let slow = |at: i64, from: usize, copy: usize, times: &mut Times| {
        if copy == 0 && at > 10_000 * MILLISECOND && at / MILLISECOND % 4 == 0 {
            times.device += 6_000_000;
        }
        if copy == 2 && from == 1 && at > 12_000 * MILLISECOND {
            times.way += 1_000_000;
        }
    };
    let (watch, cluster) = run(40, slow, &[]);
    let link = ("link".to_owned(), "t2".to_owned(), None, Some("i1".to_owned()));
    assert_eq!(names(&watch, &cluster), [disk("t0"), link]);
}

#[test]
fn all_ways_to_a_node_are_the_node() {
    let slow = |at: i64, _: usize, copy: usize, times: &mut Times| {
        if copy == 2 && at > 10_000 * MILLISECOND {
            times.way += 1_000_000;
        }
    };
    let (watch, cluster) = run(30, slow, &[]);
    assert_eq!(
        names(&watch, &cluster),
        [("node".to_owned(), "t2".to_owned(), None, None)]
    );
    // Without target events its queue is part of the way, and the node is as sure.
    let (watch, cluster) = run(30, slow, &[Tap::Target]);
    assert_eq!(
        names(&watch, &cluster),
        [("node".to_owned(), "t2".to_owned(), None, None)]
    );
}

#[test]
fn node_whose_far_side_is_not_seen_is_unknown() {
    let slow = |at: i64, _: usize, copy: usize, times: &mut Times| {
        if copy == 1 && at > 10_000 * MILLISECOND {
            times.device += 2_000_000;
        }
    };
    let (watch, cluster) = run(30, slow, &[Tap::Target, Tap::Device]);
    assert_eq!(
        names(&watch, &cluster),
        [("unknown".to_owned(), "t1".to_owned(), None, None)]
    );
}

/// The way from `i1` to `t2` is slow from the tenth second on, and the far side of `t2` is not seen while `hidden`.
fn run_with_holes(hidden: impl Fn(i64) -> bool) -> (Watch, Cluster) {
    let slow = |at: i64, from: usize, copy: usize, times: &mut Times| {
        if copy == 2 && from == 1 && at > 10_000 * MILLISECOND {
            times.way += 1_000_000;
        }
    };
    run_with_lost(slow, hidden, 2, |leg| (leg.target, leg.device) = (None, None))
}

/// The drive of `t1` is slow from the tenth second on and ways wait behind it, and its events alone are not seen while `hidden`.
fn run_with_holes_at_the_drive(hidden: impl Fn(i64) -> bool) -> (Watch, Cluster) {
    let slow = |at: i64, _: usize, copy: usize, times: &mut Times| {
        if copy == 1 && at > 10_000 * MILLISECOND {
            times.device += 3_000_000;
            times.way += 300_000;
        }
    };
    run_with_lost(slow, hidden, 1, |leg| leg.device = None)
}

fn run_with_lost(
    slow: impl Fn(i64, usize, usize, &mut Times),
    hidden: impl Fn(i64) -> bool,
    copy: usize,
    lose: impl Fn(&mut fathom_model::Leg),
) -> (Watch, Cluster) {
    let (_, mut cluster) = run(60, slow, &[]);
    let rows = &mut cluster.rows;
    for io in &rows.ios {
        let seconds = (io.event.start_unix_nanos - crate::fixture::START) / (1000 * MILLISECOND);
        if hidden(seconds) {
            lose(&mut rows.legs[io.legs.clone()][copy]);
        }
    }
    let mut watch = Watch::default();
    rows.ios.iter().for_each(|io| watch.add(rows, io));
    watch.finish();
    (watch, cluster)
}

type Hidden = fn(i64) -> bool;

const HIDDEN: [(&str, Hidden); 3] = [
    ("three of six seconds", |at| at % 6 < 3),
    ("from when it began", |at| (8..35).contains(&at)),
    ("later", |at| at > 30),
];

#[test]
fn what_hides_now_and_then_is_told_by_what_was_seen() {
    let link = ("link".to_owned(), "t2".to_owned(), None, Some("i1".to_owned()));
    assert_is_told(&link, run_with_holes);
}

#[test]
fn drive_that_hides_now_and_then_is_told_by_what_was_seen_and_no_way_beside_it() {
    assert_is_told(&disk("t1"), run_with_holes_at_the_drive);
    let (watch, cluster) = run_with_holes_at_the_drive(|_| true);
    assert_eq!(
        names(&watch, &cluster),
        [("unknown".to_owned(), "t1".to_owned(), None, None)]
    );
}

/// A copy that nobody saw leaves open which one was last, and the link cost 0 ns of which the leg had been measured, as it said.
#[test]
fn link_beside_a_copy_that_nobody_saw_costs_what_can_be_guessed_and_says_what_was_seen() {
    let slow = |at: i64, _: usize, copy: usize, times: &mut Times| {
        if copy == 2 && at > 20_000 * MILLISECOND && at / MILLISECOND % 20 < 5 {
            times.way += 9_000_000;
        }
    };
    let (whole, _) = run(60, slow, &[]);
    let (_, mut cluster) = run(60, slow, &[Tap::Initiator]);
    for leg in cluster.rows.legs.iter_mut().filter(|leg| leg.copy == 0) {
        (leg.target, leg.device, leg.clock) = (None, None, None);
    }
    cluster.rows.ios.iter_mut().for_each(|io| io.slowest = None);
    let mut watch = Watch::default();
    cluster.rows.ios.iter().for_each(|io| watch.add(&cluster.rows, io));
    watch.finish();
    let found = watch.report(&cluster.catalog);
    assert!(!found.is_empty());
    for culprit in &found {
        let text = &culprit.evidence[0].text;
        assert!(
            text.contains("the leg itself was not seen at the initiator") && !text.contains("leg less"),
            "{text}"
        );
        let guess = culprit.evidence.last().unwrap();
        assert!(guess.text.contains("is a guess"), "{guess:?}");
        assert_eq!(culprit.guessed_ns, culprit.cost_ns);
        assert!(culprit.confidence <= 0.8, "{culprit:?}");
    }
    // One way is slower by 4.5 ms, half of what was added both ways.
    let (guess, cost) = (
        found.iter().map(|culprit| culprit.cost_ns).sum::<u64>(),
        whole.findings(),
    );
    let cost: u64 = cost.iter().map(|finding| finding.cost_nanos).sum();
    let share = guess as f64 / cost as f64;
    assert!((0.35..1.1).contains(&share), "{guess} of {cost}");
}

fn assert_is_told(one: &(String, String, Option<String>, Option<String>), run: impl Fn(Hidden) -> (Watch, Cluster)) {
    let (all, _) = run(|_| false);
    for (what, hidden) in HIDDEN {
        let (watch, cluster) = run(hidden);
        let all_found = watch.report(&cluster.catalog);
        assert_eq!(
            names(&watch, &cluster),
            std::slice::from_ref(one),
            "{what}: {all_found:#?}"
        );
        let report = &watch.report(&cluster.catalog)[0];
        assert!(
            0 < report.hidden_ns && report.hidden_ns < report.cost_ns,
            "{what}: {report:?}"
        );
        assert_eq!(report.evidence.len(), 2, "{what}: {report:?}");
        let (own, whole) = (&watch.findings()[0], &all.findings()[0]);
        let share = own.cost_nanos as f64 / whole.cost_nanos as f64;
        assert!((0.8..1.2).contains(&share), "{what}: {share} of the cost");
        assert!(
            (own.first_second() - whole.first_second()).abs() <= 2,
            "{what}: {own:?}"
        );
        assert!((own.felt_second() - whole.felt_second()).abs() <= 2, "{what}: {own:?}");
    }
}

/// By the clocks a copy was done last, and no reply tells: that this cost writes anything was said as what was seen.
#[test]
fn cost_of_writes_without_a_reply_is_said_to_be_a_guess() {
    let slow = |at: i64, _: usize, copy: usize, times: &mut Times| {
        if copy == 1 && at > 20_000 * MILLISECOND {
            times.device += 2_000_000;
        }
    };
    let of = |known_of: usize| {
        let (_, mut cluster) = run(40, slow, &[Tap::Initiator]);
        let ios = cluster.rows.ios.iter_mut().enumerate();
        ios.filter(|(at, _)| at % known_of != 0)
            .for_each(|(_, io)| io.slowest = None);
        let mut watch = Watch::default();
        cluster.rows.ios.iter().for_each(|io| watch.add(&cluster.rows, io));
        watch.finish();
        watch.report(&cluster.catalog).remove(0)
    };
    let (all, half, none) = (of(1), of(2), of(100_000));
    assert_eq!(all.guessed_ns, 0);
    let share = half.guessed_ns as f64 / half.cost_ns as f64;
    assert!((0.4..0.6).contains(&share), "{half:?}");
    assert!(
        half.evidence.iter().any(|one| one.text.contains("no reply tells")),
        "{half:?}"
    );
    assert!(none.guessed_ns > none.cost_ns / 100 * 99, "{none:?}");
    assert!(all.confidence > half.confidence && half.confidence > none.confidence);
}

/// Where replies told of one write in ten, what those cost was said to be all that it cost, and surer than with all replies.
#[test]
fn cost_that_is_known_of_a_few_writes_is_not_said_to_be_all() {
    let slow = |at: i64, _: usize, copy: usize, times: &mut Times| {
        if copy == 2 && at > 20_000 * MILLISECOND && at / MILLISECOND % 20 < 5 {
            times.way += 9_000_000;
        }
    };
    let of = |known_of: usize| {
        let (_, mut cluster) = run(60, slow, &[]);
        let rows = &mut cluster.rows;
        for (at, io) in rows.ios.iter_mut().enumerate().filter(|(at, _)| at % known_of != 0) {
            for leg in &mut rows.legs[io.legs.clone()] {
                leg.initiator = None;
                if leg.copy == 0 {
                    (leg.target, leg.device, leg.clock) = (None, None, None);
                }
            }
            io.slowest = None;
            assert!(at > 0);
        }
        let mut watch = Watch::default();
        cluster.rows.ios.iter().for_each(|io| watch.add(&cluster.rows, io));
        watch.finish();
        watch.report(&cluster.catalog).remove(0)
    };
    let (all, few) = (of(1), of(10));
    assert_eq!(all.guessed_ns, 0);
    assert!(few.cost_ns > all.cost_ns / 4, "{} of {}", few.cost_ns, all.cost_ns);
    assert!(
        few.guessed_ns > few.cost_ns / 2 && few.guessed_ns < few.cost_ns,
        "{few:?}"
    );
    assert!(few.confidence < all.confidence, "{few:?}");
    assert!(
        few.evidence
            .iter()
            .any(|one| one.text.contains("of what it cost is a guess")),
        "{few:?}"
    );
}

#[test]
fn one_stall_is_no_trouble() {
    let stall = |at: i64, _: usize, copy: usize, times: &mut Times| {
        if copy == 1 && (20_000..20_400).contains(&(at / MILLISECOND)) {
            times.device += 300_000_000;
        }
    };
    let (watch, _) = run(60, stall, &[]);
    assert!(watch.findings().is_empty(), "{:?}", watch.findings());
}

/// A target that is away answers nothing, and when it is back all that waited for it ends at once.
#[test]
fn node_that_was_away_once_for_seconds_is_trouble_though_all_of_it_ends_in_one() {
    const BACK: i64 = 23_050;
    let away = |at: i64, _: usize, copy: usize, times: &mut Times| {
        if copy == 2 && (20_000..BACK).contains(&(at / MILLISECOND)) {
            times.way += (BACK * MILLISECOND - at) as u64;
        }
    };
    let (watch, cluster) = run(60, away, &[]);
    assert_eq!(
        names(&watch, &cluster),
        [("node".to_owned(), "t2".to_owned(), None, None)]
    );
}

#[test]
fn findings_do_not_depend_on_how_rows_are_handed_over() {
    let slow = |at: i64, _: usize, copy: usize, times: &mut Times| {
        if copy == 1 && at > 10_000 * MILLISECOND {
            times.device += 2_000_000;
        }
    };
    let (watch, cluster) = run(30, slow, &[]);
    let mut other = Watch::default();
    for io in &cluster.rows.ios {
        other.add(&cluster.rows, io);
        let _ = other.report(&cluster.catalog);
    }
    other.finish();
    assert_eq!(watch.report(&cluster.catalog), other.report(&cluster.catalog));
}
