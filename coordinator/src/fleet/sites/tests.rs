//! Whatever is told twice, cut off or restarted: what is known of a site is right, and whoever is missing is named.

use fathom_proto::query::v1 as query;

use super::cluster::Findings;
use fathom_proto::FLEET_PROTOCOL;

use super::*;

/// A connection that nobody reads: it is only held.
fn outbox() -> (Outbox, tokio::sync::mpsc::Receiver<Result<wire::JoinResponse, Status>>) {
    tokio::sync::mpsc::channel(4)
}

fn hello(site: &str, clusters: &[&str]) -> wire::Hello {
    wire::Hello {
        protocol_version: FLEET_PROTOCOL,
        site: site.to_owned(),
        clusters: (clusters.iter())
            .map(|cluster| wire::OfferedCluster {
                cluster: (*cluster).to_owned(),
                ..wire::OfferedCluster::default()
            })
            .collect(),
        ..wire::Hello::default()
    }
}

fn known() -> Known {
    let mut known = Known::restore(wire::KeptFleet::default(), 0);
    known.add_own("local", BTreeMap::new(), "1");
    known
}

/// What a successor is given.
fn kept(known: &Known, now: i64) -> wire::KeptFleet {
    let (shown, names) = known.kept(now);
    let mut whole = memory::to_kept(&shown, |site| names.iter().any(|(name, _)| name == site), now);
    memory::add_own_variants(&mut whole, known.fleet());
    for (site, clusters) in names {
        // In pieces of one cluster.
        for cluster in clusters {
            let mut piece = known.kept_of(&site, &[cluster]).unwrap();
            memory::add_shown(&mut piece, &shown);
            whole.sites.push(piece);
        }
    }
    whole
}

fn rollup(site: &str, cluster: &str, number: u64, state: &str) -> wire::JoinRequest {
    let rollup = wire::ClusterRollup {
        site: site.to_owned(),
        cluster: cluster.to_owned(),
        revision: Some(wire::RollupRevision {
            started_unix_nanos: 1,
            number,
        }),
        state: state.to_owned(),
        ..wire::ClusterRollup::default()
    };
    wire::JoinRequest {
        message: Some(Message::Rollup(rollup)),
    }
}

fn change(sequence: u64, id: &str, state: &str) -> query::FindingChange {
    query::FindingChange {
        sequence,
        change: if state == "open" { "opened" } else { "closed" }.to_owned(),
        finding: Some(query::Finding {
            id: id.to_owned(),
            state: state.to_owned(),
            sequence,
            ..query::Finding::default()
        }),
        ..query::FindingChange::default()
    }
}

fn update(cluster: &str, changes: Vec<query::FindingChange>) -> wire::JoinRequest {
    let sequence = changes.last().map_or(0, |change| change.sequence);
    let update = wire::FindingsUpdate {
        cluster: cluster.to_owned(),
        changes,
        sequence,
        ..wire::FindingsUpdate::default()
    };
    wire::JoinRequest {
        message: Some(Message::Findings(update)),
    }
}

fn reset(cluster: &str, sequence: u64) -> wire::JoinRequest {
    let update = wire::FindingsUpdate {
        cluster: cluster.to_owned(),
        reset: true,
        sequence,
        ..wire::FindingsUpdate::default()
    };
    wire::JoinRequest {
        message: Some(Message::Findings(update)),
    }
}

fn findings<'a>(known: &'a Known, site: &str, cluster: &str) -> Option<&'a Findings> {
    known.sites.get(site)?.clusters.get(cluster)?.findings.as_ref()
}

#[test]
fn site_that_was_cut_off_for_a_day_goes_on_after_the_last_change() {
    let mut known = known();
    let (out, _in) = outbox();
    known.join(hello("berlin", &["c1"]), 1, out, 10).unwrap();
    known.take("berlin", 1, reset("c1", 4), 11).unwrap();
    known
        .take(
            "berlin",
            1,
            update("c1", vec![change(5, "a", "open"), change(6, "b", "open")]),
            12,
        )
        .unwrap();
    known.leave("berlin", 1, 13);
    assert_eq!(known.sites["berlin"].missing_since(), Some(13));

    // A day later, with thousands of changes between; some come twice, since the connection broke before it was told that they had come.
    const DAY: i64 = 86_400_000_000_000;
    let all: Vec<_> = (7..=5000)
        .map(|sequence| {
            change(
                sequence,
                &format!("f{}", sequence % 7),
                if sequence % 3 == 0 { "closed" } else { "open" },
            )
        })
        .collect();
    let (out, _in) = outbox();
    let (welcome, _) = known.join(hello("berlin", &["c1"]), 2, out, DAY).unwrap();
    assert_eq!(welcome.positions[0].findings_sequence, Some(6));
    assert_eq!(known.sites["berlin"].missing_since(), None);
    let mut acked = 6;
    for (number, some) in all.chunks(100).enumerate() {
        let ack = known
            .take("berlin", 2, update("c1", some.to_vec()), DAY + 1)
            .unwrap()
            .unwrap();
        assert!(ack.findings_sequence > Some(acked));
        acked = ack.findings_sequence.unwrap();
        if number % 5 == 0 {
            let again = known
                .take("berlin", 2, update("c1", some.to_vec()), DAY + 2)
                .unwrap()
                .unwrap();
            assert_eq!(again.findings_sequence, Some(acked), "told twice it counts once");
        }
    }
    // What one that never was cut off would have.
    let mut expected: BTreeMap<String, u64> = BTreeMap::from([("a".to_owned(), 5), ("b".to_owned(), 6)]);
    for change in &all {
        let finding = change.finding.as_ref().unwrap();
        match finding.state.as_str() {
            "open" => expected.insert(finding.id.clone(), change.sequence),
            _ => expected.remove(&finding.id),
        };
    }
    let found = findings(&known, "berlin", "c1").unwrap();
    let open: BTreeMap<String, u64> = found
        .open
        .iter()
        .map(|(id, finding)| (id.clone(), finding.sequence))
        .collect();
    assert_eq!((found.sequence, open), (5000, expected));
}

#[test]
fn gap_in_changes_is_refused() {
    let mut known = known();
    let (out, _in) = outbox();
    known.join(hello("berlin", &["c1"]), 1, out, 1).unwrap();
    let early = known
        .take("berlin", 1, update("c1", vec![change(1, "a", "open")]), 2)
        .unwrap_err();
    assert_eq!(early.code(), tonic::Code::Aborted, "{early}");
    known.take("berlin", 1, reset("c1", 0), 2).unwrap();
    let gap = known
        .take("berlin", 1, update("c1", vec![change(2, "a", "open")]), 3)
        .unwrap_err();
    assert!(
        gap.message().contains("change 2") && gap.message().contains("after change 0"),
        "{gap}"
    );
    let foreign = known.take("berlin", 1, reset("c9", 0), 3).unwrap_err();
    assert!(foreign.message().contains("c9"), "{foreign}");
}

#[test]
fn restart_remembers_who_is_missing_since_when() {
    let mut before = known();
    let (out, _in) = outbox();
    before.join(hello("berlin", &["c1", "c2"]), 1, out, 5).unwrap();
    before.take("berlin", 1, reset("c1", 0), 6).unwrap();
    before
        .take("berlin", 1, update("c1", vec![change(1, "a", "open")]), 7)
        .unwrap();
    let mut after = Known::restore(kept(&before, 7), 7);
    after.add_own("local", BTreeMap::new(), "2");
    let berlin = &after.sites["berlin"];
    assert_eq!((berlin.reach(), berlin.missing_since()), (Reach::Missing, Some(7)));
    assert_eq!(findings(&after, "berlin", "c1"), findings(&before, "berlin", "c1"));
    let refused = after.link("berlin", "c1").unwrap_err();
    assert!(refused.message().contains("1970-01-01T00:00:00Z"), "{refused}");
    let (out, _in) = outbox();
    let (welcome, _) = after.join(hello("berlin", &["c2"]), 1, out, 8).unwrap();
    assert_eq!(welcome.positions.len(), 1, "c1 is not served any more");
    after.leave("berlin", 1, 9);
    after.forget_cluster("berlin", "c1").unwrap();
    let sites = kept(&after, 9).sites;
    assert_eq!(
        sites.len(),
        1,
        "this coordinator itself is not kept where it has no clusters"
    );
}

#[test]
fn restart_remembers_states_and_changes_of_sites_and_its_own() {
    const SECOND: i64 = 1_000_000_000;
    let mut before = known();
    let (out, _in) = outbox();
    before.join(hello("berlin", &["c1", "c2"]), 1, out, SECOND).unwrap();
    before
        .take("berlin", 1, rollup("berlin", "c1", 1, "ok"), 2 * SECOND)
        .unwrap();
    before
        .take("berlin", 1, rollup("berlin", "c2", 1, "ok"), 2 * SECOND)
        .unwrap();
    before
        .take("berlin", 1, rollup("berlin", "c2", 2, "critical"), 3 * SECOND)
        .unwrap();
    let own = wire::OfferedClusters {
        clusters: hello("", &["mine"]).clusters,
    };
    let offer = wire::JoinRequest {
        message: Some(Message::Clusters(own)),
    };
    before.take_own(offer.clone(), 2 * SECOND).unwrap();
    before
        .take_own(rollup("local", "mine", 1, "degraded"), 2 * SECOND)
        .unwrap();

    let at = 20 * SECOND;
    let mut after = Known::restore(kept(&before, at), at);
    after.add_own("local", BTreeMap::new(), "1");
    assert_eq!(after.sites["berlin"].clusters.len(), 2, "pieces are put together");
    let (out, _in) = outbox();
    after.join(hello("berlin", &["c1", "c2"]), 1, out, at).unwrap();
    after.take("berlin", 1, rollup("berlin", "c1", 1, "ok"), at).unwrap();
    after
        .take("berlin", 1, rollup("berlin", "c2", 2, "critical"), at)
        .unwrap();
    after.take_own(offer, at).unwrap();
    after.take_own(rollup("local", "mine", 1, "degraded"), at).unwrap();
    let (is, was) = (after.fleet.fleet_entry(at), before.fleet.fleet_entry(at));
    assert_eq!((is.state, is.since_unix_ns), (was.state, 3 * SECOND));
    assert_eq!((is.last_hour, is.last_day), (was.last_hour, was.last_day));
    assert_eq!(is.last_hour.worse, 1);
    let mine = after
        .fleet
        .cluster_entry(&ClusterKey::new("local", "mine"), at)
        .unwrap();
    assert_eq!(mine.since_unix_ns, 2 * SECOND);

    // Whoever was away for longer does not know what changed meanwhile.
    let late = Known::restore(kept(&before, at), at + 3600 * SECOND);
    let day = late.fleet.fleet_entry(at + 3600 * SECOND).last_day;
    assert_eq!((day.worse, day.counted_from_unix_ns), (1, Some(at + 3600 * SECOND)));
}

/// A process that was stopped and went on, or whose machine moved, once said of every cluster that it was lost and heard again.
#[test]
fn fleet_that_stood_still_takes_nobody_for_silent() {
    const SECOND: i64 = 1_000_000_000;
    let mut known = known();
    let (out, _in) = outbox();
    known.join(hello("berlin", &["c1"]), 1, out, SECOND).unwrap();
    let say = |known: &mut Known, now: i64| {
        known
            .take("berlin", 1, rollup("berlin", "c1", 1, "degraded"), now)
            .unwrap();
    };
    let (mut monotonic, mut now) = (Duration::ZERO, SECOND);
    let mut step = |known: &mut Known, millis: u64, is_counted: bool| {
        now += i64::try_from(millis).unwrap() * 1_000_000;
        monotonic += Duration::from_millis(if is_counted { millis } else { 0 });
        let paused = known.runs(monotonic, now);
        known.tick(now);
        (paused, now)
    };
    let (_, at) = step(&mut known, 1000, true);
    say(&mut known, at);
    let was = known.fleet.fleet_entry(at);
    assert_eq!((was.state.as_str(), was.since_unix_ns), ("degraded", at));
    // The monotonic clock ran through the pause, or stood still as well.
    for (millis, is_counted) in [(100_000, true), (1_000_000, false)] {
        for _ in 0..8 {
            assert_eq!(step(&mut known, 500, true).0, None);
        }
        let (paused, at) = step(&mut known, millis, is_counted);
        assert_eq!(paused, Some(Duration::from_millis(millis)));
        for _ in 0..20 {
            step(&mut known, 1000, true);
        }
        let is = known.fleet.fleet_entry(at);
        assert_eq!((is.state, is.since_unix_ns), (was.state, was.since_unix_ns));
        assert_eq!((is.last_day.lost, is.last_day.heard), (0, 0));
        let (_, at) = step(&mut known, 500, true);
        say(&mut known, at);
    }
    // Whoever says nothing in his usual time is missing all the same.
    for _ in 0..29 {
        step(&mut known, 1000, true);
    }
    let (_, at) = step(&mut known, 500, true);
    assert_eq!(known.fleet.fleet_entry(at).last_day.lost, 0);
    let (_, at) = step(&mut known, 500, true);
    let entry = known.fleet.fleet_entry(at);
    assert_eq!((entry.state.as_str(), entry.last_day.lost), ("unknown", 1));
}

#[test]
fn newer_session_takes_over_from_one_that_is_not_heard_and_the_older_is_not_listened_to() {
    let mut known = known();
    let (first, _a) = outbox();
    let (second, _b) = outbox();
    known.join(hello("berlin", &["c1"]), 1, first, 1).unwrap();
    // Two coordinators of one name would take each other's place for ever.
    let twin = known.join(hello("berlin", &["c2"]), 2, second.clone(), LIVES_NANOS);
    let twin = twin.unwrap_err();
    assert!(twin.message().contains("two sites of one name"), "{twin}");
    assert_eq!(known.sites["berlin"].twice_unix_nanos, Some(LIVES_NANOS));
    assert_eq!(known.sites["berlin"].clusters.len(), 1);
    let at = 1 + LIVES_NANOS;
    let (_, replaced) = known.join(hello("berlin", &["c1"]), 3, second, at).unwrap();
    assert_eq!(replaced.map(|(session, _)| session), Some(1));
    assert_eq!(
        known.take("berlin", 1, reset("c1", 9), at + 1).unwrap_err().code(),
        tonic::Code::Aborted
    );
    known.leave("berlin", 1, at + 2);
    assert_eq!(known.sites["berlin"].reach(), Reach::Connected);
    assert!(findings(&known, "berlin", "c1").is_none());
    assert!(known.forget("berlin").is_err() && known.forget("local").is_err());
    known.leave("berlin", 3, at + 3);
    known.forget("berlin").unwrap();
    known.forget("berlin").unwrap();
    assert!(!known.sites.contains_key("berlin"));
}

#[test]
fn cluster_that_its_site_does_not_serve_any_more_is_missing_until_it_is_forgotten() {
    const SECOND: i64 = 1_000_000_000;
    let mut before = known();
    let (out, _in) = outbox();
    before.join(hello("oslo", &["edge", "core"]), 1, out, SECOND).unwrap();
    before
        .take("oslo", 1, rollup("oslo", "edge", 1, "critical"), SECOND)
        .unwrap();
    before.take("oslo", 1, rollup("oslo", "core", 1, "ok"), SECOND).unwrap();
    before.leave("oslo", 1, 2 * SECOND);
    // It comes back without its store.
    let at = 3 * SECOND;
    let (out, _in) = outbox();
    before.join(hello("oslo", &["core"]), 2, out, at).unwrap();
    before.take("oslo", 2, rollup("oslo", "core", 1, "ok"), at).unwrap();
    let later = at + 10 * SECOND;
    before.tick(later);
    let mut after = Known::restore(kept(&before, later), later);
    after.add_own("local", BTreeMap::new(), "1");
    let (out, _in) = outbox();
    after.join(hello("oslo", &["core"]), 1, out, later).unwrap();
    for (known, session) in [(&mut before, 2), (&mut after, 1)] {
        let edge = known
            .fleet
            .cluster_entry(&ClusterKey::new("oslo", "edge"), later)
            .unwrap();
        assert_eq!(edge.state.as_str(), "unknown");
        assert_eq!(edge.reason, "its site does not serve it any more");
        assert_eq!(known.sites["oslo"].served().count(), 1);
        let refused = known.link("oslo", "edge").unwrap_err();
        assert!(refused.message().contains("forget oslo/edge"), "{refused}");
        assert!(known.link("oslo", "core").is_ok());
        assert!(known.forget_cluster("oslo", "core").is_err(), "it is served");
        // Offered again it is served.
        let again = wire::OfferedClusters {
            clusters: hello("", &["edge"]).clusters,
        };
        let again = wire::JoinRequest {
            message: Some(Message::Clusters(again)),
        };
        known.take("oslo", session, again, later).unwrap();
        assert!(known.link("oslo", "edge").is_ok());
    }
    let (out, _in) = outbox();
    before.leave("oslo", 2, later);
    before.join(hello("oslo", &["core"]), 3, out, later).unwrap();
    assert!(before.forget_cluster("oslo", "edge").unwrap());
    assert!(!before.forget_cluster("oslo", "edge").unwrap());
    assert!(
        before
            .fleet
            .cluster_entry(&ClusterKey::new("oslo", "edge"), later)
            .is_none()
    );
}

#[test]
fn cluster_is_found_by_its_name_where_no_other_has_it() {
    let mut known = known();
    assert_eq!(
        known.place("c1").unwrap(),
        Place::Own("c1".to_owned()),
        "without sites its own services know best"
    );
    assert_eq!(known.place("").unwrap(), Place::Own(String::new()));
    let offered = wire::OfferedClusters {
        clusters: hello("local", &["own"]).clusters,
    };
    let message = wire::JoinRequest {
        message: Some(Message::Clusters(offered)),
    };
    known.take_own(message, 1).unwrap();
    assert_eq!(known.place("local/own").unwrap(), Place::Own("own".to_owned()));
    assert_eq!(known.place("").unwrap(), Place::Own(String::new()));
    let (first, _a) = outbox();
    let (second, _b) = outbox();
    known.join(hello("berlin", &["c1", "both"]), 1, first, 1).unwrap();
    let at = |site: &str, cluster: &str| Place::Site {
        site: site.to_owned(),
        cluster: cluster.to_owned(),
    };
    assert_eq!(known.place("c1").unwrap(), at("berlin", "c1"));
    known.join(hello("munich", &["c2", "both"]), 2, second, 1).unwrap();
    assert_eq!(known.place("c2").unwrap(), at("munich", "c2"));
    assert_eq!(known.place("munich/c2").unwrap(), at("munich", "c2"));
    assert_eq!(known.place("berlin/both").unwrap(), at("berlin", "both"));
    let several = known.place("both").unwrap_err();
    assert!(several.message().contains("berlin/both, munich/both"), "{several}");
    let which = known.place("").unwrap_err();
    assert!(
        which.message().contains("berlin/both, c1, own, munich/both, c2"),
        "{which}"
    );
    assert!(matches!(known.place("c9").unwrap(), Place::Nowhere { known } if known.len() == 5));
}

#[test]
fn what_cannot_be_is_refused() {
    let mut known = known();
    let mut refused = |hello: wire::Hello| {
        let (out, _in) = outbox();
        known.join(hello, 1, out, 1).unwrap_err().message().to_owned()
    };
    assert!(refused(hello("a/b", &[])).contains("a/b"));
    assert!(refused(hello("", &[])).contains("name"));
    assert!(refused(hello("local", &[])).contains("own name"));
    assert!(refused(hello("berlin", &["x\ny"])).contains("cluster's name"));
    let later = wire::Hello {
        protocol_version: 9,
        ..hello("berlin", &[])
    };
    assert!(refused(later).contains("version 9"));
    let mut long = hello("berlin", &[]);
    long.labels.insert("k".to_owned(), "v".repeat(257));
    assert!(refused(long).contains("labels"));
    let mut many = hello("berlin", &[]);
    many.labels = (0..33).map(|at| (format!("key{at}"), "value".to_owned())).collect();
    assert!(refused(many).contains("there may be 32 labels"));
}
