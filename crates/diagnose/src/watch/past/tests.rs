//! Who has no equal is held against its own past, and what all share or more load brings is not its own.

use fathom_model::report::Culprit;
use fathom_model::{JoinedRows, Topology};

use crate::fixture::{Cluster, Request, Times, healthy};
use crate::overview::report;
use crate::watch::Watch;

const SECOND: i64 = 1_000_000_000;

/// What changes in the fortieth of eighty seconds, of a cluster that makes 200 writes a second before.
struct Change {
    writes_a_second: i64,
    times: fn(&mut Times),
}

const NONE: Change = Change {
    writes_a_second: 200,
    times: |_| {},
};

fn made(change: &Change) -> Cluster {
    let mut cluster = Cluster::new();
    let (mut at, mut number) = (0, 0_u64);
    while at < 80 * SECOND {
        let changed = at >= 40 * SECOND;
        let mut times = [0, 1, 2].map(|copy| healthy(number, copy));
        if changed {
            times.iter_mut().for_each(change.times);
        }
        cluster.make(Request {
            at,
            from: ["t0", "t1"][number as usize % 2],
            times,
            before: 0,
            without: &[],
        });
        number += 1;
        at += SECOND / if changed { change.writes_a_second } else { 200 };
    }
    cluster
}

/// Two nodes that write to each other, and two copies: the third is taken out.
fn of_two_nodes(change: &Change) -> Cluster {
    let mut cluster = made(change);
    let mut rows = JoinedRows::default();
    for mut io in std::mem::take(&mut cluster.rows.ios) {
        let from = rows.legs.len();
        let legs = &cluster.rows.legs[io.legs.start..io.legs.start + 2];
        // The copy on the other node is the last: its way is longer than what drives differ by.
        let remote = legs.iter().position(|leg| !leg.local).unwrap();
        let end = |leg: &fathom_model::Leg| leg.initiator.or(leg.device).unwrap().end_unix_nanos();
        let lead = end(&legs[remote]) - end(&legs[1 - remote]);
        let slowest = io.slowest.as_mut().unwrap();
        slowest.leg = from + remote;
        slowest.lead_nanos = Some(lead.max(0) as u64);
        io.event.duration_nanos = (end(&legs[remote]) - io.event.start_unix_nanos) as u64 + 20_000;
        rows.legs.extend_from_slice(legs);
        (io.legs, io.legs_expected) = (from..from + 2, 2);
        rows.ios.push(io);
    }
    cluster.rows = rows;
    cluster
}

fn watched(cluster: &Cluster) -> Vec<Culprit> {
    let mut watch = Watch::default();
    cluster.rows.ios.iter().for_each(|io| watch.add(&cluster.rows, io));
    watch.finish();
    watch.report(&cluster.catalog)
}

fn slow_way(times: &mut Times) {
    times.way += 600_000;
}

#[test]
fn only_way_between_two_nodes_that_slows_is_the_link() {
    let slow = Change {
        times: slow_way,
        ..NONE
    };
    let cluster = of_two_nodes(&slow);
    let found = watched(&cluster);
    let [link] = &found[..] else { panic!("{found:#?}") };
    assert_eq!(link.kind, "link");
    let mut ends = [link.node.as_deref().unwrap(), link.peer.as_deref().unwrap()];
    ends.sort_unstable();
    assert_eq!(ends, ["t0", "t1"]);
    assert!(link.evidence[0].text.contains("what it took before"), "{link:#?}");
    assert!(!link.evidence[0].writes.is_empty());
    // 200 writes a second for 40 seconds waited 0.6 ms longer.
    assert!(
        (4_000_000_000..5_600_000_000).contains(&link.cost_ns),
        "{}",
        link.cost_ns
    );
    let all = report(&cluster.rows, &cluster.catalog, Vec::new(), &Topology::default(), &[]);
    assert_eq!(all.culprit.unwrap().kind, "link");
}

#[test]
fn what_all_share_and_more_load_is_nobodys() {
    let all = |times: &mut Times| {
        times.way *= 4;
        times.target *= 4;
        times.device *= 6;
    };
    for (what, change) in [
        ("nothing", NONE),
        ("all is slower", Change { times: all, ..NONE }),
        (
            "more is written",
            Change {
                writes_a_second: 700,
                times: slow_way,
            },
        ),
    ] {
        let found = watched(&of_two_nodes(&change));
        assert!(found.is_empty(), "{what}: {found:#?}");
    }
}
