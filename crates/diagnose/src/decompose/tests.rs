//! The parts of a write add up, and what was not seen is not a zero.

use fathom_model::Tap;

use super::*;
use crate::fixture::{Cluster, Request, Times};

const TIMES: Times = Times {
    way: 200_000,
    target: 20_000,
    device: 130_000,
};

fn made(from: &str, without: &[Tap]) -> Decomposition {
    let mut cluster = Cluster::new();
    cluster.make(Request {
        at: 0,
        from,
        times: [TIMES; 3],
        before: 40_000,
        without,
    });
    decompose(&cluster.rows, &cluster.rows.ios[0])
}

#[test]
fn every_part_has_its_time_and_they_add_up_to_the_whole() {
    let parts = made("i0", &[]);
    // Copies are sent 30 us apart, so that the last is later than the second-last by as much.
    assert_eq!(parts.last_copy_nanos, Some(30_000));
    // The fixture's write ends 20 us after its last copy.
    assert_eq!(
        (parts.before_nanos, parts.legs_nanos, parts.after_nanos),
        (Some(40_000), Some(410_000), Some(20_000))
    );
    assert_eq!(parts.whole_nanos, 470_000);
    let leg = parts.legs[1];
    assert_eq!((leg.whole_nanos, leg.network_nanos), (Some(350_000), Some(200_000)));
    assert_eq!(
        (leg.queue_nanos, leg.drive_nanos, leg.way_and_queue_nanos),
        (Some(20_000), Some(130_000), None)
    );
}

#[test]
fn without_target_network_and_queue_are_one_number() {
    let leg = made("i0", &[Tap::Target]).legs[0];
    assert_eq!((leg.network_nanos, leg.queue_nanos), (None, None));
    assert_eq!(
        (leg.way_and_queue_nanos, leg.drive_nanos),
        (Some(220_000), Some(130_000))
    );
}

#[test]
fn what_was_not_seen_is_none_and_a_local_copy_has_no_way() {
    let parts = made("i0", &[Tap::Initiator]);
    assert_eq!(
        (parts.before_nanos, parts.legs_nanos, parts.after_nanos),
        (None, None, None)
    );
    assert_eq!(parts.legs[0].whole_nanos, None);
    let leg = made("t0", &[]).legs[0];
    assert_eq!((leg.whole_nanos, leg.drive_nanos), (Some(130_000), Some(130_000)));
    assert_eq!((leg.network_nanos, leg.way_and_queue_nanos), (None, None));
}
