//! What is known of few writes is not said of all: neither that they waited nor what that cost.

use super::*;
use crate::culprit::doubted;

fn last(culprit: &Culprit) -> &str {
    &culprit.evidence.last().unwrap().text
}

/// Which copy a write waited for is known of one of so many.
fn forget_last(cluster: &mut Cluster, known_of: usize) {
    let ios = cluster.rows.ios.iter_mut().enumerate();
    ios.filter(|(at, _)| at % known_of != 0)
        .for_each(|(_, io)| io.slowest = None);
}

/// A node that nobody saw, and next to no replies: any copy may have been the last.
fn hide_a_node(cluster: &mut Cluster) {
    for leg in &mut cluster.rows.legs {
        leg.candidate = true;
        if leg.copy == 0 {
            (leg.target, leg.device, leg.clock) = (None, None, None);
        }
    }
}

#[test]
fn what_a_drive_cost_is_a_guess_where_of_no_write_the_last_copy_is_known() {
    let (known, mut cluster) = run(slow_drive, &[Tap::Initiator]);
    let known = known.unwrap();
    assert!(!last(&known).contains("guess") && known.guessed_ns == 0, "{known:?}");
    hide_a_node(&mut cluster);
    cluster.rows.ios.iter_mut().for_each(|io| io.slowest = None);
    let culprit = judge(&cluster).unwrap();
    assert_eq!(named(Some(&culprit)), Some(("disk", "t1")), "{culprit:?}");
    assert!(last(&culprit).contains("may have waited for it"), "{culprit:?}");
    assert!(last(&culprit).contains("is a guess"), "{culprit:?}");
    assert_eq!(culprit.guessed_ns, culprit.cost_ns);
    assert!(culprit.confidence < known.confidence, "{culprit:?}");
}

/// 30 of 60,000 replies made it "100 % of those writes waited for it", and surer than with all of them.
#[test]
fn few_replies_do_not_make_a_guess_known() {
    let (_, mut cluster) = run(slow_drive, &[Tap::Initiator]);
    hide_a_node(&mut cluster);
    let known = judge(&cluster).unwrap();
    assert!(last(&known).contains("100 % of those writes waited for"), "{known:?}");
    assert_eq!(known.guessed_ns, 0);
    forget_last(&mut cluster, 100);
    let culprit = judge(&cluster).unwrap();
    assert_eq!(named(Some(&culprit)), Some(("disk", "t1")), "{culprit:?}");
    let said = last(&culprit);
    assert!(
        said.contains("waited for it or may have: it is known of 6 of 600, of the others no reply tells")
            && said.contains("of it a guess"),
        "{said}"
    );
    let share = culprit.guessed_ns as f64 / culprit.cost_ns as f64;
    assert!((0.98..1.0).contains(&share), "{culprit:?}");
    assert!(culprit.confidence < known.confidence, "{culprit:?}");
}

/// Replies told of half of the writes, and of the others nothing told: `50 % of those writes waited for this copy`, as sure as with all.
#[test]
fn writes_of_which_it_is_open_what_they_waited_for_are_said_and_doubted() {
    let (known, mut cluster) = run(slow_drive, &[]);
    let known = known.unwrap();
    let rows = &mut cluster.rows;
    for (_, io) in rows.ios.iter_mut().enumerate().filter(|(at, _)| at % 2 != 0) {
        for leg in &mut rows.legs[io.legs.clone()] {
            leg.candidate = true;
            if leg.copy == 1 {
                leg.initiator = None;
            }
        }
        io.slowest = None;
    }
    let half = judge(&cluster).unwrap();
    assert_eq!(named(Some(&half)), Some(("disk", "t1")));
    let said = last(&half);
    assert!(
        said.contains("% more it is open whether they waited for it or how long, and nothing of them is counted"),
        "{said}"
    );
    assert!(half.confidence < known.confidence, "{half:?}");
}

#[test]
fn copy_that_was_done_last_by_the_clocks_is_not_said_to_have_been_waited_for() {
    let (known, mut cluster) = run(slow_drive, &[Tap::Initiator]);
    let known = known.unwrap();
    assert!(last(&known).contains("waited for this copy;"), "{known:?}");
    forget_last(&mut cluster, 100);
    let few = judge(&cluster).unwrap();
    assert!(
        last(&few).contains("waited for this copy or may have: it is known of 6 of "),
        "{few:?}"
    );
    assert!(
        few.guessed_ns > few.cost_ns / 10 * 9 && few.guessed_ns < few.cost_ns,
        "{few:?}"
    );
    cluster.rows.ios.iter_mut().for_each(|io| io.slowest = None);
    let none = judge(&cluster).unwrap();
    assert!(
        last(&none).contains("done last at the far side (replies were not seen)"),
        "{none:?}"
    );
    assert_eq!(none.guessed_ns, none.cost_ns);
    for less in [&few, &none] {
        assert_eq!(named(Some(less)), Some(("disk", "t1")));
        let (sure, less) = (known.confidence, less.confidence);
        assert!((0.75..0.9).contains(&(less / sure)), "{less} of {sure}");
    }
}

#[test]
fn way_of_which_few_legs_were_seen_is_told_and_doubted_as_one_that_was_not_seen() {
    let of = |seen_of: i64| {
        let mut cluster = Cluster::new();
        for at in 0..2000_i64 {
            let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
            times[2].way += if at > 1000 { 4_000_000 } else { 0 };
            let is_seen = at % seen_of == 0;
            cluster.write(
                at * 5 * MILLISECOND,
                times,
                if is_seen { &[] } else { &[Tap::Initiator] },
            );
            if !is_seen && let Some(slowest) = &mut cluster.rows.ios.last_mut().unwrap().slowest {
                slowest.lead_nanos = None;
            }
        }
        judge(&cluster).unwrap()
    };
    let (all, few, none) = (of(1), of(100), of(5000));
    for culprit in [&all, &few, &none] {
        assert_eq!(named(Some(culprit)), Some(("link", "t2")));
    }
    let what = |culprit: &Culprit| culprit.evidence[0].text.clone();
    assert!(
        what(&all).starts_with("time on the way (leg less the far side's service):"),
        "{all:?}"
    );
    assert!(
        what(&few).contains("writes until the far side had the request"),
        "{few:?}"
    );
    assert!(
        what(&none).starts_with("time until the far side had the request"),
        "{none:?}"
    );
    assert!(few.confidence < all.confidence - 0.1, "{few:?} {all:?}");
}

#[test]
fn guess_takes_a_fifth_of_how_sure_it_is_and_leaves_what_is_likely_likely() {
    let all = [
        (0.9, 0.0, 0.9),
        (0.9, 1.0, 0.72),
        (0.9, 0.5, 0.81),
        (0.55, 1.0, 0.5),
        (0.4, 1.0, 0.32),
    ];
    for (sure, guess, doubtful) in all {
        assert!((doubted(sure, guess) - doubtful).abs() < 1e-9, "{sure} {guess}");
    }
}

/// Of every other write the reply of another copy was lost: what the drive took beyond the other drives is seen all the same. It was said
/// of half of the writes that they did not wait for it, at half the cost.
#[test]
fn replies_that_others_lost_take_nothing_from_what_a_drive_cost() {
    let (known, mut cluster) = run(slow_drive, &[]);
    let known = known.unwrap();
    let rows = &mut cluster.rows;
    for io in rows.ios.iter().step_by(2) {
        for leg in &mut rows.legs[io.legs.clone()] {
            if leg.copy == 0 {
                leg.initiator = None;
            }
        }
    }
    let half = judge(&cluster).unwrap();
    assert_eq!(named(Some(&half)), Some(("disk", "t1")));
    assert_eq!((half.guessed_ns, half.confidence), (0, known.confidence));
    let share = half.cost_ns as f64 / known.cost_ns as f64;
    assert!((0.99..1.01).contains(&share), "{half:?}");
    assert!(!last(&half).contains("open"), "{half:?}");
}

/// A way whose reply was seen has no peer among those that were seen there alone: that such writes waited for it is known, and how long is
/// said to be open.
#[test]
fn ways_without_a_peer_seen_alike_are_open_and_not_left_out() {
    let slow = |at: i64, copy: usize, times: &mut Times| {
        if copy == 2 && at / MILLISECOND > 5000 {
            times.way += 4_000_000;
        }
    };
    let (known, mut cluster) = run(slow, &[]);
    let known = known.unwrap();
    let rows = &mut cluster.rows;
    for io in rows.ios.iter().step_by(2) {
        for leg in &mut rows.legs[io.legs.clone()] {
            if leg.copy != 2 {
                leg.initiator = None;
            }
        }
    }
    let half = judge(&cluster).unwrap();
    assert_eq!(named(Some(&half)), named(Some(&known)));
    assert!(half.cost_ns < known.cost_ns, "{half:?}");
    assert!(
        last(&half).contains("more it is open whether they waited for it or how long"),
        "{half:?}"
    );
    assert!(half.confidence < known.confidence, "{half:?}");
}
