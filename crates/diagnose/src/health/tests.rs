//! The worst decides, its reason is carried up, what is not heard is never ok, and nothing changes to and fro.

use fathom_model::finding::Victim;
use fathom_model::topology::Node;
use fathom_model::{Extent, ExtentMap, PhysicalDisk, Validity, Volume};

use super::*;

const SECOND: i64 = 1_000_000_000;

fn topology() -> Topology {
    let names = ["t0", "t1", "t2"];
    let disk = |node: &str| PhysicalDisk {
        id: format!("{node}/disk0").as_str().into(),
        node: node.into(),
        name: "disk0".to_owned(),
    };
    let extents = names.iter().enumerate().map(|(copy, node)| Extent {
        volume: "vol0".into(),
        volume_offset: 0,
        length: 1 << 30,
        copy: copy as u32,
        disk: disk(node).id,
        disk_offset: 0,
        valid: Validity::default(),
        stripe: None,
        parity: None,
    });
    Topology {
        nodes: names
            .map(|node| Node {
                id: node.into(),
                observed: true,
            })
            .to_vec(),
        disks: names.map(disk).to_vec(),
        volumes: ["vol0", "vol1"]
            .map(|volume| Volume {
                id: volume.into(),
                size_bytes: 0,
                copies: 3,
            })
            .to_vec(),
        extents: ExtentMap::try_new(extents.collect()).unwrap(),
    }
}

fn finding(kind: &str, node: &str, disk: Option<&str>, severity: Severity) -> Finding {
    Finding {
        id: format!("{kind}-{node}"),
        code: "DISK_SLOW".to_owned(),
        kind: kind.to_owned(),
        node: node.to_owned(),
        disk: disk.map(str::to_owned),
        peer: None,
        resource: None,
        observations: Vec::new(),
        severity,
        state: Life::Open,
        confidence: 0.9,
        opened_unix_ns: 0,
        first_unix_ns: 0,
        last_unix_ns: 0,
        closed_unix_ns: None,
        reopened: 0,
        cost_ns: 0,
        disks: Vec::new(),
        initiators: Vec::new(),
        victims: Vec::new(),
        evidence: Vec::new(),
        next: Vec::new(),
        part_of: None,
        acknowledged: None,
        muted: None,
        sequence: 1,
    }
}

fn told(findings: &[Finding], unheard: &[&str], maintenance: &[&str]) -> Vec<Entry> {
    let topology = topology();
    let unheard = unheard.iter().map(|node| (NodeId::new(*node), "silent")).collect();
    let maintenance = maintenance.iter().map(|node| NodeId::new(*node)).collect();
    health(&Scene {
        topology: &topology,
        unheard: &unheard,
        findings,
        maintenance: &maintenance,
        adapters: &[("t1".into(), "SMB1".to_owned())].into(),
        ways: &[("t0", "t1"), ("t0", "t2"), ("t1", "t2")]
            .map(|(one, other)| (one.into(), other.into()))
            .into(),
        unread: &[],
    })
}

fn state(entries: &[Entry], kind: Kind, name: &str) -> State {
    let entry = entries.iter().find(|entry| entry.kind == kind && entry.name == name);
    entry.unwrap_or_else(|| panic!("{kind:?} {name}")).state
}

#[test]
fn all_is_ok_where_all_are_heard_and_nothing_is_found() {
    let entries = told(&[], &[], &[]);
    // The cluster, three nodes, disks and links, an adapter, two volumes.
    assert_eq!(entries.len(), 13);
    assert!(
        entries
            .iter()
            .all(|entry| entry.state == State::Ok && entry.reasons.is_empty())
    );
    assert_eq!(entries[0].kind, Kind::Cluster);
}

#[test]
fn worst_child_decides_and_its_reason_is_carried_up() {
    let mut slow = finding("disk", "t1", Some("disk0"), Severity::Warning);
    slow.victims.push(Victim {
        volume: "vol0".to_owned(),
        writes: 1,
        cost_ns: Some(1),
    });
    let entries = told(&[slow], &[], &[]);
    for (kind, name) in [
        (Kind::Disk, "t1/disk0"),
        (Kind::Node, "t1"),
        (Kind::Volume, "vol0"),
        (Kind::Cluster, ""),
    ] {
        assert_eq!(state(&entries, kind, name), State::Degraded, "{kind:?}");
    }
    for (kind, name) in [
        (Kind::Disk, "t0/disk0"),
        (Kind::Node, "t0"),
        (Kind::Volume, "vol1"),
        (Kind::Link, "t0-t1"),
    ] {
        assert_eq!(state(&entries, kind, name), State::Ok, "{kind:?}");
    }
    assert_eq!(entries[0].reasons[0].finding.as_deref(), Some("disk-t1"));
    assert_eq!(entries[0].reasons[0].from, "disk t1/disk0");
}

#[test]
fn what_is_not_heard_is_never_ok_and_never_hidden() {
    let entries = told(
        &[finding("disk", "t1", Some("disk0"), Severity::Critical)],
        &["t2"],
        &[],
    );
    for (kind, name) in [(Kind::Node, "t2"), (Kind::Disk, "t2/disk0"), (Kind::Link, "t0-t2")] {
        assert_eq!(state(&entries, kind, name), State::Unknown, "{kind:?}");
    }
    assert_eq!(state(&entries, Kind::Cluster, ""), State::Critical);
    let states: Vec<State> = entries[0].reasons.iter().map(|reason| reason.state).collect();
    assert_eq!(states, [State::Critical, State::Unknown]);
}

#[test]
fn unknown_is_among_the_reasons_however_many_are_worse() {
    let slow = |number: usize| finding("disk", &format!("x{number}"), Some("disk0"), Severity::Warning);
    let entries = told(&(0..80).map(slow).collect::<Vec<_>>(), &["t2"], &[]);
    let cluster = &entries[0];
    assert_eq!((cluster.state, cluster.reasons.len()), (State::Degraded, 50));
    assert!(cluster.reasons.iter().any(|reason| reason.state == State::Unknown));
    assert_eq!(cluster.more_reasons, 31);
}

#[test]
fn way_that_nothing_took_is_not_ok_but_left_out() {
    let topology = topology();
    let (none, nodes, adapters) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let of = |unheard: &BTreeMap<NodeId, &'static str>| {
        let entries = health(&Scene {
            topology: &topology,
            unheard,
            findings: &[],
            maintenance: &nodes,
            adapters: &adapters,
            ways: &[("t0".into(), "t1".into())].into(),
            unread: &[],
        });
        let links = entries.into_iter().filter(|entry| entry.kind == Kind::Link);
        links.map(|entry| (entry.name, entry.state)).collect::<Vec<_>>()
    };
    assert_eq!(of(&none), [("t0-t1".to_owned(), State::Ok)]);
    let away = [("t2".into(), "silent")].into();
    let names: Vec<String> = of(&away).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["t0-t1", "t0-t2", "t1-t2"],
        "what is not heard is never left out"
    );
}

#[test]
fn maintenance_is_shown_and_is_no_alarm() {
    let entries = told(
        &[finding("disk", "t1", Some("disk0"), Severity::Critical)],
        &["t1"],
        &["t1"],
    );
    assert_eq!(state(&entries, Kind::Node, "t1"), State::Maintenance);
    assert_eq!(state(&entries, Kind::Cluster, ""), State::Maintenance);
}

#[test]
fn worse_is_said_at_once_and_better_when_it_stays() {
    let slow = [finding("disk", "t1", Some("disk0"), Severity::Warning)];
    let mut damped = Damped::default();
    assert_eq!(damped.update(told(&[], &[], &[]), 0).len(), 13);
    assert!(damped.update(told(&[], &[], &[]), SECOND).is_empty());
    let worse = damped.update(told(&slow, &[], &[]), 2 * SECOND);
    assert!(
        worse
            .iter()
            .any(|entry| entry.kind == Kind::Cluster && entry.since_unix_ns == Some(2 * SECOND))
    );
    // It comes and goes: nothing is said.
    for second in 3..60 {
        let now = if second % 2 == 0 { &slow[..] } else { &[] };
        assert!(
            damped.update(told(now, &[], &[]), second * SECOND).is_empty(),
            "{second}"
        );
    }
    // It was slow last at 58 s.
    assert!(damped.update(told(&[], &[], &[]), 118 * SECOND).is_empty());
    let better = damped.update(told(&[], &[], &[]), 119 * SECOND);
    assert!(
        better
            .iter()
            .all(|entry| entry.state == State::Ok && entry.since_unix_ns == Some(59 * SECOND))
    );
    let history: Vec<State> = damped.history().iter().map(|span| span.state).collect();
    assert_eq!(history, [State::Ok, State::Degraded, State::Ok]);
}

#[test]
fn node_that_reconnects_within_seconds_is_not_unknown() {
    let mut damped = Damped::default();
    damped.update(told(&[], &[], &[]), 0);
    assert!(damped.update(told(&[], &["t1"], &[]), SECOND).is_empty());
    assert!(damped.update(told(&[], &[], &[]), 5 * SECOND).is_empty());
    assert!(damped.update(told(&[], &["t1"], &[]), 6 * SECOND).is_empty());
    assert!(!damped.update(told(&[], &["t1"], &[]), 16 * SECOND).is_empty());
    assert!(damped.update(told(&[], &[], &[]), 20 * SECOND).is_empty());
    assert!(!damped.update(told(&[], &[], &[]), 30 * SECOND).is_empty());
}

#[test]
fn a_successor_goes_on_as_if_nothing_had_been_interrupted() {
    let slow = [finding("disk", "t1", Some("disk0"), Severity::Warning)];
    let mut first = Damped::default();
    first.update(told(&[], &[], &[]), 0);
    first.update(told(&slow, &[], &[]), 2 * SECOND);
    let mut next = Damped::resume(first.history().to_vec(), Some(first.troubled()));
    // Daemons connect again within seconds.
    next.update(told(&slow, &["t0", "t2"], &[]), 100 * SECOND);
    next.update(told(&slow, &[], &[]), 103 * SECOND);
    let shown = |kind: Kind, name: &str| {
        let entry = next
            .entries()
            .find(|entry| (entry.kind, &entry.name[..]) == (kind, name))
            .unwrap();
        (entry.state, entry.since_unix_ns, entry.reasons.len())
    };
    assert_eq!(shown(Kind::Cluster, ""), (State::Degraded, Some(2 * SECOND), 1));
    assert_eq!(shown(Kind::Disk, "t1/disk0"), (State::Degraded, Some(2 * SECOND), 1));
    assert_eq!(
        shown(Kind::Node, "t0"),
        (State::Ok, None, 0),
        "since when is not kept of what is ok"
    );
    assert_eq!(next.history(), first.history());
}

#[test]
fn what_nobody_could_read_is_not_ok() {
    let topology = topology();
    let (none, nodes) = (BTreeMap::new(), BTreeSet::new());
    let blind = |kind: Kind, node: &str| Unread {
        kind,
        node: node.into(),
        text: "its class cannot be read: access denied".to_owned(),
    };
    let entries = health(&Scene {
        topology: &topology,
        unheard: &none,
        findings: &[],
        maintenance: &nodes,
        adapters: &[("t0".into(), "SMB1".to_owned()), ("t1".into(), "SMB1".to_owned())].into(),
        ways: &[("t0", "t1"), ("t0", "t2"), ("t1", "t2")]
            .map(|(one, other)| (one.into(), other.into()))
            .into(),
        unread: &[
            blind(Kind::Disk, "t0"),
            blind(Kind::Adapter, "t1"),
            blind(Kind::Link, "t2"),
        ],
    });
    let unknown: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.state == State::Unknown)
        .map(|entry| entry.name.as_str())
        .collect();
    // The cluster, every node by its drives, all drives, one adapter, both links of one end; what volumes say was read.
    assert_eq!(
        unknown,
        [
            "", "t0", "t1", "t2", "t0/disk0", "t1/disk0", "t2/disk0", "t1/SMB1", "t0-t2", "t1-t2"
        ]
    );
    assert!(
        entries[0]
            .reasons
            .iter()
            .any(|reason| reason.text.contains("access denied"))
    );
}
