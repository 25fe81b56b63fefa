//! Faults that only counters tell of: each slows what it is at, and nothing else.

use super::*;
use crate::config::FaultKind;

#[test]
fn message_that_waits_for_a_credit_is_late() {
    only_links_suffer(Scenario::CreditStalls, 0.9, 500.0);
}

#[test]
fn broken_connections_hold_what_goes_over_them() {
    let mut config = Scenario::AdapterErrors.config(&Options {
        writes: Some(20_000),
        ..Options::default()
    });
    // Often enough that a run of seconds has some.
    if let FaultKind::AdapterErrors { every_millis, .. } = &mut config.faults[0].what {
        *every_millis = 100.0;
    }
    let simulated = simulate(&config).unwrap();
    let (all, span) = (seen(&simulated), span(&simulated));
    // Most legs are of another adapter or come between two breaks: what is told is how many waited for one.
    let long = |meant: &dyn Fn(&Seen) -> bool| {
        let legs = all.iter().filter(|seen| seen.tap == Tap::Initiator && meant(seen));
        legs.filter(|seen| seen.took() > 8_000_000).count()
    };
    let of_node = |seen: &Seen| seen.node == "n1" || seen.peer.as_deref() == Some("n1");
    assert!(long(&|seen| of_node(seen) && inside(seen, span)) >= 50);
    assert_eq!(long(&|seen| !of_node(seen) || seen.end < span.0), 0);
}

#[test]
fn busy_links_make_messages_wait() {
    only_links_suffer(Scenario::LinkBusy, 0.5, 500.0);
}

#[test]
fn drive_that_tries_again_is_late_with_some_requests() {
    let simulated = run(Scenario::DriveErrors, 20_000);
    let (all, span) = (seen(&simulated), span(&simulated));
    let here = |seen: &Seen| at_disk(seen, "n1", "disk0") && inside(seen, span);
    assert!(percentile(&all, 0.5, here) < 300.0);
    assert!(percentile(&all, 0.97, here) > 5_000.0);
    assert!(percentile(&all, 0.97, |seen| at_disk(seen, "n2", "disk0")) < 1_000.0);
}

#[test]
fn redirected_node_waits_before_its_copies_and_only_at_that_volume() {
    let simulated = run(Scenario::CsvRedirected, 20_000);
    let span = span(&simulated);
    // Half of what n1 writes goes to vol0, half to its own.
    let own = until_first_leg(&simulated, 1, 0, span);
    assert!(own[own.len() / 4] < 200.0 && own[own.len() * 7 / 8] > 1_000.0);
    for other in [0, 2, 3] {
        let direct = until_first_leg(&simulated, other, 0, span);
        assert!(direct[direct.len() * 99 / 100] < 500.0, "n{other}");
    }
    let legs =
        |node: &'static str| move |seen: &Seen| seen.tap == Tap::Initiator && seen.node == node && inside(seen, span);
    let all = seen(&simulated);
    let (own, other) = (percentile(&all, 0.5, legs("n1")), percentile(&all, 0.5, legs("n2")));
    assert!(
        (0.8..1.25).contains(&(own / other)),
        "copies take what they took: {own} {other}"
    );
}
