//! A slowest copy is named where the clocks and the learnt returns allow it, and not where they do not.

use fathom_model::fan_out::MoreOrdinals;
use fathom_model::{DiskIndex, LegMethod};

use super::*;

fn leg(node: u32) -> Leg {
    Leg {
        part: 0,
        copy: node,
        node: NodeIndex(node),
        disk: DiskIndex(node),
        disk_offset: 0,
        length: 4096,
        local: false,
        initiator: None,
        target: None,
        device: None,
        cache: None,
        merged: None,
        more: MoreOrdinals::default(),
        missing_initiator: None,
        missing_target: None,
        missing_device: None,
        method: LegMethod::Key,
        confidence: 1.0,
        ambiguous: false,
        candidate: false,
        clock: None,
    }
}

fn candidates(legs: &[Leg]) -> Vec<usize> {
    (0..legs.len()).filter(|&at| legs[at].candidate).collect()
}

/// Replies whose last copy is followed by the end of the I/O after 20 to 60 us.
fn learnt() -> Replies {
    let mut replies = Replies::default();
    let reply = |node: u32, leg_end: Option<i64>, service_end: i64| Reply {
        node: NodeIndex(node),
        local: false,
        ambiguous: false,
        leg_end,
        between: None,
        service_end: Some(service_end),
        clock: Some(ClockStatement {
            offset_nanos: 0,
            error_nanos: 0,
        }),
    };
    for at in 0..1000 {
        let after = 20_000 + at * 40;
        let io = (0, 1_000_000);
        replies.learn(io, [reply(0, None, 1_000_000 - after), reply(1, None, 500_000)]);
        replies.learn(
            io,
            [
                reply(0, Some(900_000), 900_000 - after),
                reply(1, Some(1_000_000), 1_000_000 - after),
            ],
        );
    }
    replies
}

#[test]
fn on_one_clock_the_last_end_is_the_slowest() {
    let mut legs = [leg(0), leg(1), leg(2)];
    let ends = [5, 9, 7].map(|at| End::Seen { at, service_end: None });
    let slowest = name(&Replies::default().known(), 10, &mut legs, &ends).unwrap();
    assert_eq!((slowest.leg, slowest.lead_nanos, slowest.confidence), (1, Some(2), 1.0));
    assert_eq!(candidates(&legs), [1]);
}

#[test]
fn two_ends_that_the_clock_cannot_tell_apart_are_both_candidates() {
    let mut legs = [leg(0), leg(1), leg(2)];
    let ends = [9, 9, 7].map(|at| End::Seen { at, service_end: None });
    assert_eq!(name(&Replies::default().known(), 10, &mut legs, &ends), None);
    assert_eq!(candidates(&legs), [0, 1]);
}

#[test]
fn ends_as_close_as_the_resolution_are_not_told_apart() {
    let known = Replies::default().known().with_resolution(100);
    let named = |last: i64| {
        let mut legs = [leg(0), leg(1), leg(2)];
        let ends = [1_000, last, 700].map(|at| End::Seen { at, service_end: None });
        let slowest = name(&known, 2_000, &mut legs, &ends).map(|slowest| slowest.leg);
        (slowest, candidates(&legs))
    };
    // Start and duration are cut off each: what is shown 100 ns later may have ended earlier.
    assert_eq!(named(1_100), (None, vec![0, 1]));
    assert_eq!(named(1_200), (Some(1), vec![1]));
}

#[test]
fn unseen_ends_are_named_only_far_apart_and_with_enough_learnt() {
    let far = [
        End::After {
            service_end: 970_000,
            error: 10_000,
        },
        End::After {
            service_end: 200_000,
            error: 10_000,
        },
    ];
    let near = [
        End::After {
            service_end: 970_000,
            error: 10_000,
        },
        End::After {
            service_end: 955_000,
            error: 10_000,
        },
    ];
    let mut legs = [leg(0), leg(1)];
    assert_eq!(name(&Replies::default().known(), 1_000_000, &mut legs, &far), None);
    assert_eq!(candidates(&legs), [0, 1]);
    let mut legs = [leg(0), leg(1)];
    let slowest = name(&learnt().known(), 1_000_000, &mut legs, &far).unwrap();
    assert_eq!((slowest.leg, slowest.lead_nanos), (0, None));
    assert!(slowest.confidence >= 0.98);
    let mut legs = [leg(0), leg(1)];
    assert_eq!(name(&learnt().known(), 1_000_000, &mut legs, &near), None);
    assert_eq!(candidates(&legs), [0, 1]);
}

#[test]
fn one_unseen_end_is_a_candidate_unless_it_was_done_long_before() {
    let ends = |service_end| {
        [
            End::Seen {
                at: 980_000,
                service_end: None,
            },
            End::After {
                service_end,
                error: 1_000,
            },
        ]
    };
    let mut legs = [leg(0), leg(1)];
    assert_eq!(
        name(&learnt().known(), 1_000_000, &mut legs, &ends(300_000))
            .unwrap()
            .leg,
        0
    );
    let mut legs = [leg(0), leg(1)];
    assert_eq!(name(&learnt().known(), 1_000_000, &mut legs, &ends(960_000)), None);
    assert_eq!(candidates(&legs), [0, 1]);
    let mut legs = [leg(0), leg(1)];
    assert_eq!(
        name(&learnt().known(), 1_000_000, &mut legs, &ends(985_000))
            .unwrap()
            .leg,
        1
    );
}

#[test]
fn a_leg_of_which_nothing_was_seen_may_have_been_the_last() {
    let mut legs = [leg(0), leg(1)];
    let ends = [
        End::Seen {
            at: 9,
            service_end: None,
        },
        End::Unknown { from: 0 },
    ];
    assert_eq!(name(&learnt().known(), 10, &mut legs, &ends), None);
    assert_eq!(candidates(&legs), [0, 1]);
}

#[test]
fn bins_cover_all_durations_in_order() {
    let mut before = 0;
    for nanos in (0..60)
        .map(|bit| 1_i64 << bit)
        .flat_map(|base| [base, base + base / 4, base + base / 2])
    {
        let bin = Durations::bin(nanos);
        assert!(bin >= before, "{nanos}");
        before = bin;
    }
    assert!(before < 250);
}

/// A leg that may be one of several ended within what they did: enough to rule a copy out, or to name it.
#[test]
fn end_that_is_one_of_several_counts_as_far_as_it_is_known() {
    let seen = |at| End::Seen { at, service_end: None };
    let named = |ends: &[End]| {
        let mut legs = [leg(0), leg(1)];
        let slowest = name(&Replies::default().known(), 100, &mut legs, ends);
        (
            slowest.map(|slowest| (slowest.leg, slowest.lead_nanos)),
            candidates(&legs),
        )
    };
    let between = |first, last| End::Between { first, last };
    assert_eq!(named(&[seen(50), between(60, 80)]), (Some((1, None)), vec![1]));
    assert_eq!(named(&[seen(50), between(30, 40)]), (Some((0, None)), vec![0]));
    assert_eq!(named(&[seen(50), between(30, 60)]), (None, vec![0, 1]));
    assert_eq!(named(&[between(10, 40), between(30, 60)]), (None, vec![0, 1]));
    assert_eq!(named(&[between(10, 20), between(30, 60)]), (Some((1, None)), vec![1]));
}

mod lost {
    //! Legs that are missing in a stretch in which rows were lost.

    use fathom_model::Missing as Cause;

    use super::super::lost::{Missing, name};
    use super::*;
    use crate::pauses::{Pauses, Stretches, Tally};

    /// A stretch that is stated to have lost rows, as surely as so many I/Os without a missing leg elsewhere say.
    fn stretch(from: i64, until: i64, elsewhere: usize) -> Stretches {
        let mut pauses = Pauses::default();
        let mut stretches = pauses.stretches(&[(from, until)], i64::MAX);
        let mut tally = Tally::default();
        (0..elsewhere).for_each(|_| tally.add_whole(&stretches, (until + 1, until + 2), 2, |_| false));
        tally.add_lacking(&stretches, (from, until), (from, until), (1, 1), |_| false);
        pauses.learn(&mut stretches, &tally, 0);
        stretches
    }

    fn named(ends: &[End], io: (i64, i64), stretches: &Stretches) -> (Option<usize>, Vec<usize>) {
        let mut legs: Vec<Leg> = (0..ends.len() as u32).map(leg).collect();
        for (leg, end) in legs.iter_mut().zip(ends) {
            leg.missing_initiator = (!matches!(end, End::Seen { .. })).then_some(Cause::Absent);
        }
        let missing = Missing::of(io, &legs, ends).unwrap();
        let slowest = name(&Replies::default().known(), &mut legs, ends, &missing, stretches);
        (slowest.map(|slowest| slowest.leg), candidates(&legs))
    }

    const fn seen(at: i64) -> End {
        End::Seen { at, service_end: None }
    }

    const fn done(service_end: i64) -> End {
        End::After { service_end, error: 5 }
    }

    const LOST: End = End::Unknown { from: 0 };

    #[test]
    fn what_came_after_the_stretch_was_later_than_what_is_missing_in_it() {
        let sure = stretch(100, 200, 1000);
        assert_eq!(
            named(&[LOST, seen(210), done(120)], (50, 220), &sure),
            (Some(1), vec![1])
        );
        assert_eq!(
            named(&[seen(205), seen(210), LOST], (50, 220), &sure),
            (Some(1), vec![1])
        );
    }

    #[test]
    fn what_came_before_the_stretch_was_earlier() {
        let sure = stretch(100, 200, 1000);
        assert_eq!(named(&[seen(90), LOST], (50, 220), &sure), (Some(1), vec![1]));
        assert_eq!(
            named(&[seen(90), LOST, done(120)], (50, 220), &sure),
            (None, vec![1, 2])
        );
    }

    #[test]
    fn what_is_not_sure_or_not_in_the_stretch_stays_open() {
        let unsure = stretch(100, 200, 100);
        assert_eq!(named(&[LOST, seen(210)], (50, 220), &unsure), (None, vec![0, 1]));
        // Its far side was done after the stretch.
        let sure = stretch(100, 200, 1000);
        assert_eq!(named(&[done(206), seen(210)], (50, 220), &sure), (None, vec![0, 1]));
        // Nothing of it was seen at the initiator.
        assert_eq!(named(&[done(150), done(190)], (50, 220), &sure), (None, vec![0, 1]));
    }

    #[test]
    fn confidence_is_no_higher_than_the_stretch_is_sure() {
        let sure = stretch(100, 200, 1000);
        let mut legs = [leg(0), leg(1)];
        legs[0].missing_initiator = Some(Cause::Lost);
        let ends = [LOST, seen(210)];
        let missing = Missing::of((50, 220), &legs, &ends).unwrap();
        let slowest = name(&Replies::default().known(), &mut legs, &ends, &missing, &sure).unwrap();
        assert!((0.999..1.0).contains(&slowest.confidence), "{slowest:?}");
    }
}
