//! What is nothing by itself is a finding where writes feel it and nowhere else; what is part of another is told there.

use super::*;
use crate::fixture::Cluster;

/// The finding that the writes of a cluster show alone.
fn felt(cluster: &Cluster) -> Finding {
    let mut tracker = Tracker::default();
    tracker.add(&cluster.rows, &cluster.catalog);
    tracker.finish(&cluster.catalog);
    let found: Vec<Finding> = tracker.findings().cloned().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// Pauses that one end of what was found sends, few enough to be nothing by themselves, since a second.
fn pauses(of: &Finding, since: i64) -> Condition {
    Condition {
        only_if_felt: true,
        since_unix_ns: Some(START + since * SECOND),
        observations: vec![ObservationRef {
            kind: "adapter".to_owned(),
            node: of.node.clone(),
            id: "SMB1".to_owned(),
            at_unix_ns: START + since * SECOND,
            counter: Some("port_qos.sent_pause_frames_per_s".to_owned()),
        }],
        ..condition(Sign::PauseStorm, "node", &of.node, None, None)
    }
}

/// Reads a condition every 5 s of a stretch, at the node that it is about or another.
fn read(tracker: &mut Tracker, condition: &Condition, seconds: std::ops::RangeInclusive<i64>) {
    let node = match condition.node.as_str() {
        "" => "i0",
        node => node,
    };
    for second in seconds.step_by(5) {
        let at = START + second * SECOND;
        tracker.read(condition.sign, std::slice::from_ref(condition), node, at);
    }
}

fn open(tracker: &Tracker) -> Vec<&Finding> {
    let open = tracker.findings().filter(|finding| finding.state == State::Open);
    open.collect()
}

#[test]
fn what_nobody_feels_is_no_finding_however_long_it_stands() {
    let cluster = cluster(60, |_, _, _| {});
    let mut tracker = Tracker::default();
    let of = Finding {
        node: "t1".to_owned(),
        ..felt(&slow_link())
    };
    read(&mut tracker, &pauses(&of, 0), 0..=30);
    tracker.add(&cluster.rows, &cluster.catalog);
    read(&mut tracker, &pauses(&of, 0), 35..=60);
    tracker.finish(&cluster.catalog);
    assert_eq!((tracker.findings().count(), kinds(&mut tracker)), (0, Vec::new()));
}

#[test]
fn what_is_felt_names_its_cause_before_or_after_and_keeps_its_cost_over_a_kill() {
    let cluster = slow_link();
    let link = felt(&cluster);
    for first_by_state in [true, false] {
        let mut tracker = Tracker::default();
        if first_by_state {
            read(&mut tracker, &pauses(&link, 15), 15..=25);
        }
        tracker.add(&part(&cluster, 0, 50), &cluster.catalog);
        if !first_by_state {
            assert_eq!(open(&tracker)[0].id, link.id);
            read(&mut tracker, &pauses(&link, 15), 15..=50);
        }
        let mut tracker = {
            let mut successor = Tracker::resume(tracker.kept());
            successor.warm(&part(&cluster, 0, 50));
            successor.settle(&cluster.catalog);
            successor
        };
        read(&mut tracker, &pauses(&link, 15), 50..=60);
        tracker.add(&part(&cluster, 50, 90), &cluster.catalog);
        tracker.finish(&cluster.catalog);
        let open = open(&tracker);
        assert_eq!(open.len(), 1, "{open:?}");
        let whole = open[0];
        assert_eq!(
            (whole.code.as_str(), whole.severity),
            ("LINK_PAUSE_STORM", link.severity)
        );
        let ratio = whole.cost_ns as f64 / link.cost_ns as f64;
        assert!((0.9..1.1).contains(&ratio), "{} {}", whole.cost_ns, link.cost_ns);
        assert!(!whole.victims.is_empty() && !whole.observations.is_empty());
        assert!(whole.evidence.iter().any(|reason| !reason.writes.is_empty()));
        assert!(
            whole
                .next
                .iter()
                .any(|command| command.contains("Get-NetQosFlowControl"))
        );
        for part in tracker.findings().filter(|finding| finding.state == State::Closed) {
            assert_eq!(part.part_of.as_ref(), Some(&whole.id), "{part:?}");
        }
    }
}

/// A full link makes ports pause and connections wait for credits: it is why, and not they.
#[test]
fn full_link_is_the_cause_and_not_what_it_looks_like() {
    let cluster = slow_link();
    let link = felt(&cluster);
    let of = |sign: Sign, kind: &str| Condition {
        only_if_felt: true,
        since_unix_ns: Some(START + 15 * SECOND),
        resource: (kind == "adapter").then(|| "SMB1".to_owned()),
        ..condition(sign, kind, &link.node, None, None)
    };
    let full = of(Sign::Saturated, "adapter");
    let mut tracker = Tracker::default();
    for looks_like in [Sign::PauseStorm, Sign::CreditStalls, Sign::LinkErrors] {
        read(&mut tracker, &of(looks_like, "adapter"), 15..=25);
    }
    read(&mut tracker, &full, 15..=25);
    tracker.add(&cluster.rows, &cluster.catalog);
    tracker.finish(&cluster.catalog);
    let open = open(&tracker);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(
        (open[0].code.as_str(), open[0].resource.as_deref(), open[0].severity),
        ("LINK_SATURATED", Some("SMB1"), link.severity)
    );
    assert!(
        open[0].cost_ns > 0 && open[0].next.iter().any(|one| one.contains("LinkSpeed")),
        "{open:?}"
    );
    // At another node it explains nothing, and alone it is nothing.
    let elsewhere = Condition {
        node: "elsewhere".to_owned(),
        ..full
    };
    let mut tracker = Tracker::default();
    tracker.read(
        Sign::Saturated,
        std::slice::from_ref(&elsewhere),
        "i0",
        START + 15 * SECOND,
    );
    tracker.read(
        Sign::Saturated,
        std::slice::from_ref(&elsewhere),
        "i0",
        START + 25 * SECOND,
    );
    tracker.add(&cluster.rows, &cluster.catalog);
    tracker.finish(&cluster.catalog);
    assert_eq!(
        tracker.findings().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        [link.id.as_str()]
    );
}

#[test]
fn cause_is_over_when_it_is_not_felt_any_more_though_it_stands() {
    let cluster = cluster(420, |at, of, times| {
        if of == 1 && (20..50).contains(&(at / SECOND)) {
            times.way += 2_000_000;
        }
    });
    let link = felt(&cluster);
    let mut tracker = Tracker::default();
    read(&mut tracker, &pauses(&link, 15), 15..=25);
    for from in (0..420).step_by(20) {
        tracker.add(&part(&cluster, from, from + 20), &cluster.catalog);
        read(&mut tracker, &pauses(&link, 15), from + 20..=from + 20);
    }
    tracker.finish(&cluster.catalog);
    let mut told = kinds(&mut tracker);
    told.retain(|kind| *kind != ChangeKind::Updated);
    assert_eq!(told, [ChangeKind::Opened, ChangeKind::Closed], "and it stays so");
    let found: Vec<&Finding> = tracker.findings().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].code.as_str(), found[0].state),
        ("LINK_PAUSE_STORM", State::Closed)
    );
    let closed = (found[0].closed_unix_ns.unwrap() - START) / SECOND;
    assert!((345..365).contains(&closed), "{closed}");
    assert!((found[0].last_unix_ns - START) / SECOND < 55);
}

#[test]
fn what_has_stood_for_long_explains_nothing_that_begins_now() {
    let cluster = slow_link();
    let link = felt(&cluster);
    let mut tracker = Tracker::default();
    // The reading says since when it is so: a coordinator that begins now does not make it new.
    read(&mut tracker, &pauses(&link, -3600), 0..=25);
    tracker.add(&cluster.rows, &cluster.catalog);
    tracker.finish(&cluster.catalog);
    assert_eq!(open(&tracker)[0].id, link.id);
    assert_eq!(tracker.findings().count(), 1);
}

#[test]
fn storm_at_a_node_whose_settings_began_to_drift_is_part_of_the_drift() {
    let storm = |second: i64| Condition {
        only_if_felt: false,
        text: "SMB1 sends 900 pause frames a second".to_owned(),
        ..pauses(&felt(&slow_link()), second)
    };
    let drift = |node: &str| condition(Sign::QosDrift, "node", node, None, None);
    let node = storm(0).node;
    // The drift is read first.
    let mut tracker = Tracker::default();
    for second in (0..=60).step_by(5) {
        let at = START + second * SECOND;
        tracker.read(Sign::QosDrift, &[drift(&node)], &node, at);
        tracker.read(Sign::PauseStorm, &[storm(0)], &node, at);
    }
    let found: Vec<&Finding> = tracker.findings().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code, "QOS_DRIFT");
    let said: Vec<&str> = found[0].evidence.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(
        said,
        ["it is so", "LINK_PAUSE_STORM: SMB1 sends 900 pause frames a second"]
    );
    assert!(found[0].observations.iter().any(|reading| reading.counter.is_some()));
    // The storm is.
    let mut tracker = Tracker::default();
    read(&mut tracker, &storm(0), 0..=5);
    assert_eq!(open(&tracker)[0].code, "LINK_PAUSE_STORM");
    for second in (5..=60).step_by(5) {
        let at = START + second * SECOND;
        tracker.read(Sign::QosDrift, &[drift(&node)], &node, at);
        tracker.read(Sign::PauseStorm, &[storm(0)], &node, at);
    }
    let told = kinds(&mut tracker);
    let opened = told.iter().filter(|kind| **kind == ChangeKind::Opened).count();
    assert_eq!((opened, open(&tracker).len()), (2, 1), "{told:?}");
    assert_eq!(open(&tracker)[0].code, "QOS_DRIFT");
    // Of another node it is not.
    let mut tracker = Tracker::default();
    for second in [0, 5, 10] {
        tracker.read(Sign::QosDrift, &[drift("elsewhere")], "i0", START + second * SECOND);
    }
    read(&mut tracker, &storm(0), 0..=10);
    assert_eq!(open(&tracker).len(), 2);
}

#[test]
fn errors_of_a_drive_that_is_not_well_are_part_of_that_and_explain_a_slow_one() {
    let cluster = cluster(60, slow_between(20, 60, 1));
    let slow = felt(&cluster);
    assert_eq!(slow.kind, "disk");
    let of = |sign: Sign, since: i64| Condition {
        since_unix_ns: Some(START + since * SECOND),
        ..condition(sign, "disk", &slow.node, None, slow.disk.as_deref())
    };
    let mut tracker = Tracker::default();
    tracker.add(&cluster.rows, &cluster.catalog);
    // Counted when they were read, a quarter of an hour after.
    read(&mut tracker, &of(Sign::DiskErrors, 900), 900..=905);
    assert_eq!(
        open(&tracker).iter().map(|one| one.code.as_str()).collect::<Vec<_>>(),
        ["DISK_ERRORS"]
    );
    assert!(open(&tracker)[0].cost_ns > 0);
    let mut tracker = Tracker::default();
    for second in (0..=30).step_by(5) {
        let at = START + second * SECOND;
        for sign in [Sign::DiskUnhealthy, Sign::DiskErrors] {
            tracker.read(sign, &[of(sign, -9000)], "i0", at);
        }
    }
    let found: Vec<&Finding> = tracker.findings().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code, "DISK_UNHEALTHY");
    assert_eq!(found[0].evidence.len(), 2);
}

#[test]
fn slow_drive_of_a_slower_medium_is_its_pools_whenever_it_began() {
    let cluster = cluster(60, slow_between(20, 60, 1));
    let slow = felt(&cluster);
    let pool = |disks: &[&str]| Condition {
        resource: Some("S2D".to_owned()),
        since_unix_ns: Some(START - 90_000 * SECOND),
        disks: disks.iter().map(|disk| (*disk).to_owned()).collect(),
        ..condition(Sign::MixedMedia, "pool", "", None, None)
    };
    let told = |pool: &Condition| {
        let mut tracker = Tracker::default();
        read(&mut tracker, pool, 0..=10);
        tracker.add(&cluster.rows, &cluster.catalog);
        tracker.finish(&cluster.catalog);
        let open: Vec<Finding> = open(&tracker).into_iter().cloned().collect();
        assert_eq!(open.len(), 1, "{open:?}");
        open[0].clone()
    };
    let whole = told(&pool(&[&slow.object(), "t9/disk9"]));
    assert_eq!(
        (whole.code.as_str(), whole.object().as_str()),
        ("POOL_MIXED_MEDIA", "S2D")
    );
    assert_eq!(whole.disks, [slow.object(), "t9/disk9".to_owned()]);
    assert!(
        whole.cost_ns > 0 && whole.next[0].contains("-CimSession 'i0'"),
        "{:?}",
        whole.next
    );
    assert_eq!(told(&pool(&["t9/disk9"])).code, "DISK_SLOW");
}

#[test]
fn initiator_is_explained_by_what_it_encrypts_or_reaches_by_way_of_another() {
    let effect = |node: &str, second: i64| Effect {
        code: Code::InitiatorSlow,
        node: node.to_owned(),
        disk: None,
        peer: None,
        first_unix_ns: START + second * SECOND,
    };
    let encrypted = condition(Sign::Encrypted, "initiator", "a", None, None);
    let explains = |condition: &Condition, effect: &Effect| Cause::of_condition(condition, START).explains(effect);
    assert!(explains(&encrypted, &effect("a", 10)));
    assert!(!explains(&encrypted, &effect("b", 10)));
    assert!(!explains(&encrypted, &effect("a", 1000)), "it began later");
    let redirected = Condition {
        nodes: vec!["b".to_owned()],
        ..condition(Sign::CsvRedirected, "volume", "", None, None)
    };
    assert!(explains(&redirected, &effect("b", 10)));
    assert!(!explains(&redirected, &effect("a", 10)), "it reaches it directly");
}
