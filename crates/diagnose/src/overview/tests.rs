//! A report is of rows and not of how they came.
//!
//! It was once made of rows in the order of their arrival, with the indices of whoever was met first: the same recording gave
//! other costs, ends and expected shares through the network, from run to run.

use fathom_model::{DiskIndex, Io, NodeIndex, Observation, StreamIndex, VolumeIndex};
use proptest::prelude::*;

use super::*;
use crate::fixture::{Cluster, Request, healthy};

const MILLISECOND: i64 = 1_000_000;

/// By how much `i1`'s clock is ahead.
const AHEAD: i64 = 7_000_000_000;

/// 24 seconds at 150 writes a second by `i0` and `i1` in turn, of which copies at `t1` get slow, and those at `t2` for `i1`.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    for at in 0..24 * 150_i64 {
        let from = (at % 2) as usize;
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        times[1].device += if at > 1500 { 2_000_000 } else { 0 };
        times[2].way += if from == 1 && at > 2000 { 4_000_000 } else { 0 };
        cluster.make(Request {
            at: at * 20 * MILLISECOND / 3,
            from: ["i0", "i1"][from],
            times,
            before: 0,
            without: &[],
        });
    }
    let ahead = |seen: &mut Observation| seen.start_unix_nanos += AHEAD;
    let i1 = cluster.catalog.find_node(&"i1".into()).unwrap();
    let rows = &mut cluster.rows;
    for io in rows.ios.iter_mut().filter(|io| io.node == i1) {
        ahead(&mut io.event);
        for leg in &mut rows.legs[io.legs.clone()] {
            leg.initiator.iter_mut().for_each(ahead);
            leg.clock.as_mut().unwrap().offset_nanos -= AHEAD;
        }
    }
    cluster
}

fn clocks() -> Vec<Clock> {
    let clock = |node: &str, reference: &str, offset: i64| Clock {
        node: node.to_owned(),
        reference: reference.to_owned(),
        offset_ns: Some(offset),
        drift_ppb: Some(0),
        error_ns: Some(1000),
    };
    let nodes = ["t0", "t1", "t2"];
    let of_i0 = nodes.map(|node| clock(node, "i0", 0));
    let of_i1 = nodes.map(|node| clock(node, "i1", -AHEAD));
    [of_i0, of_i1].concat()
}

/// The same names with other indices: turned by so many places.
struct Turned {
    catalog: Catalog,
    by: usize,
    counts: [usize; 4],
}

impl Turned {
    fn new(from: &Catalog, by: usize) -> Self {
        fn turned<T: Clone>(names: &[T], by: usize) -> Vec<T> {
            let mut names = names.to_vec();
            let by = by % names.len();
            names.rotate_left(by);
            names
        }
        let mut catalog = Catalog::default();
        for node in turned(from.nodes(), by) {
            catalog.intern_node(&node);
        }
        for disk in turned(from.disks(), by) {
            catalog.intern_disk(&disk);
        }
        for volume in turned(from.volumes(), by) {
            catalog.intern_volume(&volume);
        }
        for stream in turned(from.streams(), by) {
            catalog.intern_stream(&stream);
        }
        let counts = [
            from.nodes().len(),
            from.disks().len(),
            from.volumes().len(),
            from.streams().len(),
        ];
        Self { catalog, by, counts }
    }

    fn index(&self, kind: usize, at: u32) -> u32 {
        let count = self.counts[kind];
        ((at as usize + count - self.by % count) % count) as u32
    }

    /// Adds an I/O of other rows to these, with their indices.
    fn put(&self, into: &mut JoinedRows, from: &JoinedRows, io: &Io) {
        let seen = |mut seen: Observation| {
            seen.stream = StreamIndex(self.index(3, seen.stream.0));
            seen
        };
        let first = into.legs.len();
        for mut leg in from.legs_of(io).iter().cloned() {
            leg.node = NodeIndex(self.index(0, leg.node.0));
            leg.disk = DiskIndex(self.index(1, leg.disk.0));
            leg.initiator = leg.initiator.map(seen);
            leg.target = leg.target.map(seen);
            leg.device = leg.device.map(seen);
            into.legs.push(leg);
        }
        let mut io = io.clone();
        io.event = seen(io.event);
        io.node = NodeIndex(self.index(0, io.node.0));
        io.volume = VolumeIndex(self.index(2, io.volume.0));
        if let Some(slowest) = &mut io.slowest {
            slowest.leg = slowest.leg - io.legs.start + first;
        }
        io.legs = first..into.legs.len();
        into.ios.push(io);
    }
}

#[test]
fn report_names_what_is_slow_of_initiators_with_different_clocks() {
    let cluster = cluster();
    let report = report(&cluster.rows, &cluster.catalog, clocks(), &Topology::default(), &[]);
    let culprits: Vec<(&str, Option<&str>)> = report
        .culprits
        .iter()
        .map(|culprit| (culprit.kind.as_str(), culprit.node.as_deref()))
        .collect();
    assert_eq!(culprits, [("disk", Some("t1")), ("link", Some("t2"))]);
    let culprit = report.culprit.unwrap();
    assert_eq!(report.culprits[0], culprit, "one suspect, one account");
    let of = |kind: &str, node: &str, peer: Option<&str>, cost_ns: u64| Culprit {
        kind: kind.to_owned(),
        node: Some(node.to_owned()),
        disk: None,
        peer: peer.map(ToOwned::to_owned),
        cost_ns,
        guessed_ns: 0,
        hidden_ns: 0,
        ..culprit.clone()
    };
    // Writes that lack the far side feel the same link as something behind its node; the way there alone is half of a pair.
    let both = of("link", "t2", Some("i0"), 50);
    let mut felt = Report {
        culprits: vec![
            of("unknown", "t2", None, 90),
            of("unknown", "t0", None, 60),
            both.clone(),
        ],
        ..Report::default()
    };
    blame(&mut felt, Some(of("link", "t2", Some("i0"), 30)));
    assert_eq!(felt.culprits, [of("unknown", "t0", None, 60), both.clone()]);
    // What is only known to be behind the node of the link is the link.
    let mut hidden = felt.clone();
    blame(&mut hidden, Some(of("unknown", "t2", Some("i0"), 40)));
    assert_eq!((hidden.culprit, &hidden.culprits), (Some(both), &felt.culprits));
    blame(&mut felt, Some(of("unknown", "t0", Some("i0"), 40)));
    assert_eq!(felt.culprits[1], of("unknown", "t0", Some("i0"), 40));
    // What writes show without the drive is of the drive that others show, in both accounts.
    let watched = Culprit {
        guessed_ns: 45,
        hidden_ns: 30,
        since: "2026-01-01T00:00:01Z".to_owned(),
        until: "2026-01-01T00:00:09Z".to_owned(),
        ..of("disk", "t1", None, 90)
    };
    let seen = Culprit {
        since: "2026-01-01T00:00:01.5Z".to_owned(),
        until: "2026-01-01T00:00:05.5Z".to_owned(),
        ..of("disk", "t1", None, 58)
    };
    let mut both = Report {
        culprits: vec![watched.clone()],
        ..Report::default()
    };
    blame(&mut both, Some(seen.clone()));
    let whole = both.culprit.unwrap();
    assert_eq!(both.culprits, std::slice::from_ref(&whole));
    assert_eq!((whole.cost_ns, whole.hidden_ns), (88, 30));
    assert_eq!(whole.guessed_ns, 15, "of what is taken over half is a guess");
    assert_eq!((&whole.since, &whole.until), (&seen.since, &watched.until));
    assert_eq!(whole.evidence.len(), seen.evidence.len() + 1);
    assert_eq!((culprit.kind.as_str(), culprit.node.as_deref()), ("disk", Some("t1")));
    assert_eq!(report.clocks, clocks());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn report_is_the_same_in_any_order_of_rows_in_any_files_and_with_any_indices(
        by in 0_usize..12,
        files in 1_usize..9,
        seed in any::<u64>(),
        disorder in 1_u64..4000,
    ) {
        let cluster = cluster();
        let expected = report(&cluster.rows, &cluster.catalog, clocks(), &Topology::default(), &[]);
        let turned = Turned::new(&cluster.catalog, by);
        let draw = |at: u64| (at ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20;
        // From nearly as they were decided to all over the place.
        let mut order: Vec<(u64, usize)> =
            (0..cluster.rows.ios.len()).map(|at| (at as u64 + draw(at as u64) % disorder, at)).collect();
        order.sort_unstable();
        let mut chunks = vec![JoinedRows::default(); files];
        for (place, &(_, at)) in order.iter().enumerate() {
            let chunk = place * files / order.len();
            turned.put(&mut chunks[chunk], &cluster.rows, &cluster.rows.ios[at]);
        }
        let mut all = JoinedRows::default();
        chunks.iter().for_each(|chunk| all.append(chunk.clone()));
        prop_assert_eq!(&report(&all, &turned.catalog, clocks(), &Topology::default(), &[]), &expected);
        // As a coordinator reads files: by their first row, and what nothing comes before is settled.
        let first = |rows: &JoinedRows| rows.ios.iter().map(|io| io.event.end_unix_nanos()).min().unwrap_or(i64::MAX);
        chunks.sort_by_key(first);
        let mut overview = Overview::new(clocks());
        for chunk in chunks {
            overview.settle(first(&chunk));
            overview.add(Cow::Owned(chunk), &turned.catalog);
        }
        let (mut found, case) = overview.finish(&turned.catalog);
        let culprit = case.and_then(|mut case| {
            all.ios.iter().for_each(|io| case.add(&all, io, &turned.catalog));
            case.close(&turned.catalog)
        });
        blame(&mut found, culprit);
        prop_assert_eq!(&found, &expected);
    }
}
