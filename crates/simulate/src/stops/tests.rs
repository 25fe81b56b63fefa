//! Nothing moves in a stop, and stops are the same for all who meet them.

use super::*;
use crate::random::Purpose;

fn stops() -> Stops {
    let random = Random::new(5, Purpose::Fault, 0);
    Stops::new(random, (1000, 1_000_000), 5_000.0, 1_000.0)
}

#[test]
fn release_is_never_inside_a_stop() {
    let mut stops = stops();
    let held = (0..1_000_000)
        .step_by(7)
        .filter(|&now| stops.release(now) > now)
        .count();
    // A sixth of the time is stopped.
    let share = held as f64 * 7.0 / 1e6;
    assert!((0.1..0.25).contains(&share), "{share}");
    for now in (0..1_000_000).step_by(7) {
        let release = stops.release(now);
        assert_eq!(stops.release(release), release);
    }
}

#[test]
fn work_takes_as_long_as_it_is_and_the_stops_it_meets() {
    let mut stops = stops();
    stops.make_until(2_000_000);
    let all = stops.made.clone();
    for (now, work) in [(0, 100), (500, 30_000), (100_000, 3), (700_000, 500_000)] {
        let end = stops.through(now, work);
        let stopped: u64 = all
            .iter()
            .map(|&(from, until)| until.min(end).saturating_sub(from.max(now)))
            .sum();
        assert_eq!(end - now, work + stopped);
    }
}

#[test]
fn nothing_stops_before_and_after() {
    let mut stops = stops();
    assert_eq!(stops.through(0, 900), 900);
    assert_eq!(stops.release(5_000_000), 5_000_000);
    assert_eq!(stops.through(5_000_000, 77), 5_000_077);
}

#[test]
fn order_of_questions_changes_nothing() {
    let (mut forward, mut backward) = (stops(), stops());
    backward.release(900_000);
    let times: Vec<u64> = (0..1_000_000).step_by(999).collect();
    let first: Vec<u64> = times.iter().map(|&now| forward.release(now)).collect();
    let second: Vec<u64> = times.iter().map(|&now| backward.release(now)).collect();
    assert_eq!(first, second);
}
