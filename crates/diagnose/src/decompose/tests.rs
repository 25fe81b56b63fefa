//! The parts of a write add up, what was not seen is not a zero, and what the clock does not tell has bounds.

use fathom_model::Tap;

use super::*;
use crate::fixture::{Cluster, Request, Times};

const TIMES: Times = Times {
    way: 200_000,
    target: 20_000,
    device: 130_000,
};

fn cluster(from: &str, without: &[Tap]) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.make(Request {
        at: 0,
        from,
        times: [TIMES; 3],
        before: 40_000,
        without,
    });
    cluster
}

fn made(from: &str, without: &[Tap]) -> (IoParts, Vec<LegParts>) {
    let cluster = cluster(from, without);
    let (whole, legs) = decompose(&cluster.rows, &cluster.rows.ios[0]);
    (whole.unwrap(), legs)
}

#[test]
fn every_part_has_its_time_and_they_add_up_to_the_whole() {
    let (parts, legs) = made("i0", &[]);
    // Copies are sent 30 us apart, so that the last is later than the second-last by as much.
    assert_eq!(parts.last_copy_ns, Some(30_000));
    // The fixture's write of 470 us ends 20 us after its last copy.
    assert_eq!(
        (parts.before_ns, parts.legs_ns, parts.after_ns),
        ([40_000; 2], [410_000; 2], [20_000; 2])
    );
    let leg = legs[1];
    assert_eq!((leg.whole_ns, leg.way_ns), (Some(350_000), Some(200_000)));
    assert_eq!(
        (leg.queue_ns, leg.drive_ns, leg.way_and_queue_ns),
        (Some(20_000), Some(130_000), None)
    );
    // The fixture's clocks are known to within 1 us.
    assert_eq!(
        (leg.there_ns, leg.back_ns),
        (Some([99_000, 101_000]), Some([99_000, 101_000]))
    );
}

#[test]
fn clock_that_is_known_badly_does_not_split_the_way() {
    let mut cluster = cluster("i0", &[]);
    for leg in &mut cluster.rows.legs {
        leg.clock = leg.clock.map(|clock| fathom_model::ClockStatement {
            error_nanos: 5_000_000,
            ..clock
        });
    }
    let (_, legs) = decompose(&cluster.rows, &cluster.rows.ios[0]);
    assert_eq!(
        (legs[0].there_ns, legs[0].back_ns),
        (Some([0, 200_000]), Some([0, 200_000]))
    );
    assert_eq!(legs[0].way_ns, Some(200_000), "how long both ways took needs no clock");
}

#[test]
fn without_target_network_and_queue_are_one_number() {
    let leg = made("i0", &[Tap::Target]).1[0];
    assert_eq!((leg.way_ns, leg.queue_ns), (None, None));
    assert_eq!((leg.way_and_queue_ns, leg.drive_ns), (Some(220_000), Some(130_000)));
}

#[test]
fn legs_that_were_seen_at_the_far_side_alone_bound_what_is_before_and_after_them() {
    let (parts, legs) = made("i0", &[Tap::Initiator]);
    assert_eq!(legs[0].whole_ns, None);
    // The far side had the first 140 us after the start, and was done with the last 120 us before the end; to within 1 us.
    assert_eq!((parts.before_ns, parts.after_ns), ([0, 141_000], [0, 121_000]));
    assert!(parts.legs_ns[0] < 410_000 && parts.legs_ns[1] == 470_000, "{parts:?}");
}

#[test]
fn what_was_not_seen_is_none_and_a_local_copy_has_no_way() {
    let (parts, legs) = made("i0", &[Tap::Initiator, Tap::Target, Tap::Device]);
    assert_eq!(
        (parts.before_ns, parts.legs_ns, parts.after_ns),
        ([0, 470_000], [0, 470_000], [0, 470_000])
    );
    assert_eq!(legs[0], LegParts::default());
    let leg = made("t0", &[]).1[0];
    assert_eq!((leg.whole_ns, leg.drive_ns), (Some(130_000), Some(130_000)));
    assert_eq!((leg.way_ns, leg.way_and_queue_ns, leg.there_ns), (None, None, None));
}
