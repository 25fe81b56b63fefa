//! Each fault does what it says, where and when it says it.

use fathom_model::{Op, Tap};

use crate::scenario::Options;
use crate::{Scenario, Simulated, simulate};

/// An event with its true times and the names of where it was.
struct Seen {
    node: String,
    device: String,
    peer: Option<String>,
    tap: Tap,
    op: Op,
    length: u64,
    start: u64,
    end: u64,
    status: u32,
}

impl Seen {
    const fn took(&self) -> u64 {
        self.end - self.start
    }
}

fn run(scenario: Scenario, writes: u64) -> Simulated {
    let options = Options {
        writes: Some(writes),
        ..Options::default()
    };
    simulate(&scenario.config(&options)).unwrap()
}

fn seen(simulated: &Simulated) -> Vec<Seen> {
    let mut all = Vec::new();
    for node in &simulated.nodes {
        for (event, &(start, end)) in node.rows.iter().zip(&node.true_times) {
            let device = &node.devices[event.device as usize];
            all.push(Seen {
                node: node.id.to_string(),
                device: device.name.clone(),
                peer: device.peer.as_ref().map(ToString::to_string),
                tap: event.tap,
                op: event.op,
                length: event.length,
                start,
                end,
                status: event.status,
            });
        }
    }
    all
}

/// A percentile of the durations of those that are meant, in microseconds.
fn percentile(all: &[Seen], share: f64, meant: impl Fn(&Seen) -> bool) -> f64 {
    let mut durations: Vec<u64> = all.iter().filter(|seen| meant(seen)).map(Seen::took).collect();
    durations.sort_unstable();
    assert!(durations.len() > 50, "only {}", durations.len());
    durations[(durations.len() as f64 * share) as usize] as f64 / 1e3
}

fn span(simulated: &Simulated) -> (u64, u64) {
    (simulated.faults[0].from_nanos, simulated.faults[0].until_nanos)
}

/// Whether all of it lies inside.
const fn inside(seen: &Seen, span: (u64, u64)) -> bool {
    span.0 <= seen.start && seen.end <= span.1
}

fn at_disk(seen: &Seen, node: &str, disk: &str) -> bool {
    seen.tap == Tap::Device && seen.node == node && seen.device == disk
}

#[test]
fn slow_disk_is_slower_than_its_peers_while_it_lasts() {
    let simulated = run(Scenario::SlowDisk, 10_000);
    let (all, span) = (seen(&simulated), span(&simulated));
    let slow = percentile(&all, 0.5, |seen| at_disk(seen, "n1", "disk0") && inside(seen, span));
    let peers = percentile(&all, 0.5, |seen| at_disk(seen, "n2", "disk0") && inside(seen, span));
    let before = percentile(&all, 0.5, |seen| at_disk(seen, "n1", "disk0") && seen.end < span.0);
    assert!((5.0..7.5).contains(&(slow / peers)), "{slow} {peers}");
    assert!((0.8..1.2).contains(&(before / peers)), "{before} {peers}");
}

#[test]
fn stalls_are_rare_and_long() {
    let simulated = run(Scenario::SporadicStalls, 20_000);
    let (all, span) = (seen(&simulated), span(&simulated));
    let here = |seen: &Seen| at_disk(seen, "n1", "disk0") && inside(seen, span);
    assert!(percentile(&all, 0.5, here) < 200.0);
    assert!(percentile(&all, 0.97, here) > 2_000.0);
    assert!(percentile(&all, 0.97, |seen| at_disk(seen, "n2", "disk0")) < 1_000.0);
}

#[test]
fn wear_grows_over_the_run() {
    let simulated = run(Scenario::Wear, 10_000);
    let all = seen(&simulated);
    let tenth = simulated.duration_nanos / 10;
    let of = |from: u64, until: u64| {
        percentile(&all, 0.5, |seen| {
            at_disk(seen, "n1", "disk0") && from * tenth <= seen.start && seen.end < until * tenth
        })
    };
    let (first, middle, last) = (of(0, 2), of(4, 6), of(8, 10));
    assert!(first * 1.5 < middle && middle * 1.3 < last, "{first} {middle} {last}");
}

#[test]
fn hard_disk_among_flash_is_slow_from_the_start() {
    let simulated = run(Scenario::MixedMedia, 3_000);
    let all = seen(&simulated);
    let disk = percentile(&all, 0.5, |seen| at_disk(seen, "n2", "disk0"));
    let flash = percentile(&all, 0.5, |seen| at_disk(seen, "n2", "disk1"));
    assert!(disk > 5.0 * flash, "{disk} {flash}");
}

/// Legs of n1's links get slower, those between other nodes and all drives do not.
fn only_links_suffer(scenario: Scenario, share: f64, least_micros: f64) {
    let simulated = run(scenario, 20_000);
    let (all, span) = (seen(&simulated), span(&simulated));
    let leg = |seen: &Seen, to: &str| seen.tap == Tap::Initiator && seen.peer.as_deref() == Some(to);
    let bad = percentile(&all, share, |seen| leg(seen, "n1") && inside(seen, span));
    let before = percentile(&all, share, |seen| leg(seen, "n1") && seen.end < span.0);
    let others = percentile(&all, share, |seen| {
        leg(seen, "n2") && seen.node != "n1" && inside(seen, span)
    });
    let drives = percentile(&all, share, |seen| {
        seen.tap == Tap::Device && seen.node == "n1" && inside(seen, span)
    });
    let drives_before = percentile(&all, share, |seen| {
        seen.tap == Tap::Device && seen.node == "n1" && seen.end < span.0
    });
    assert!(
        bad > others + least_micros && bad > before + least_micros,
        "{scenario}: {bad} {before} {others}"
    );
    assert!(
        drives < drives_before * 1.6 + 50.0,
        "{scenario}: {drives} {drives_before}"
    );
}

#[test]
fn slow_link_is_slow() {
    only_links_suffer(Scenario::LinkSlow, 0.5, 1900.0);
}

#[test]
fn lossy_link_is_slow_where_it_lost_something() {
    only_links_suffer(Scenario::LinkLossy, 0.98, 3000.0);
}

#[test]
fn link_without_rdma_has_a_longer_way() {
    only_links_suffer(Scenario::RdmaFallback, 0.5, 200.0);
}

#[test]
fn pauses_stop_what_is_sent_to_a_node() {
    only_links_suffer(Scenario::PfcStorm, 0.95, 1000.0);
}

#[test]
fn path_that_is_held_lets_go_of_all_at_once() {
    only_links_suffer(Scenario::SblPause, 0.97, 1000.0);
    let simulated = run(Scenario::SblPause, 10_000);
    let held = seen(&simulated)
        .into_iter()
        .filter(|seen| seen.tap == Tap::Initiator && seen.took() > 10_000_000);
    let mut ends: Vec<u64> = held.map(|seen| seen.end).collect();
    ends.sort_unstable();
    let close = ends.windows(2).filter(|pair| pair[1] - pair[0] < 1_000_000).count();
    assert!(
        ends.len() > 15 && close * 10 > ends.len() * 8,
        "{close} of {}",
        ends.len()
    );
}

#[test]
fn large_messages_are_slow_where_they_do_not_fit() {
    let simulated = run(Scenario::MtuMismatch, 10_000);
    let (all, span) = (seen(&simulated), span(&simulated));
    let leg = |seen: &Seen| seen.tap == Tap::Initiator && seen.peer.as_deref() == Some("n1") && inside(seen, span);
    let small = percentile(&all, 0.5, |seen| leg(seen) && seen.length <= 8192);
    let large = percentile(&all, 0.5, |seen| leg(seen) && seen.length == 16_384);
    assert!(large > small + 2000.0, "{large} {small}");
}

#[test]
fn repair_is_io_of_no_write_at_both_nodes() {
    let simulated = run(Scenario::Repair, 5_000);
    let (all, span) = (seen(&simulated), span(&simulated));
    let of = |node: &str, op: Op, tap: Tap| {
        let pieces = all
            .iter()
            .filter(|seen| seen.node == node && seen.op == op && seen.tap == tap);
        pieces.filter(|seen| seen.length > 4096).count()
    };
    let (read, written) = (of("n0", Op::Read, Tap::Target), of("n1", Op::Write, Tap::Target));
    assert!(
        read > 100 && written > 100 && read.abs_diff(written) <= 4,
        "{read} {written}"
    );
    assert!(
        of("n1", Op::Write, Tap::Device) > written,
        "pieces past 1 MiB are split"
    );
    assert_eq!(of("n2", Op::Write, Tap::Device) + of("n3", Op::Read, Tap::Device), 0);
    assert!(
        all.iter()
            .filter(|seen| seen.length > 1 << 20)
            .all(|seen| seen.end >= span.0)
    );
    let busy = percentile(&all, 0.9, |seen| {
        at_disk(seen, "n1", "disk0") && seen.length == 4096 && inside(seen, span)
    });
    let idle = percentile(&all, 0.9, |seen| at_disk(seen, "n1", "disk1") && inside(seen, span));
    assert!(busy > idle, "{busy} {idle}");
}

#[test]
fn starved_processors_slow_both_roles_of_a_node() {
    let simulated = run(Scenario::CpuStarved, 10_000);
    let (all, span) = (seen(&simulated), span(&simulated));
    let outside_drive = |node: &str| {
        percentile(&all, 0.9, |seen| {
            seen.tap == Tap::Target && seen.node == node && inside(seen, span)
        })
    };
    assert!(outside_drive("n1") > outside_drive("n2") + 500.0);
    let write = |node: &str| {
        percentile(&all, 0.5, |seen| {
            seen.tap == Tap::Volume && seen.node == node && inside(seen, span)
        })
    };
    assert!(write("n1") > write("n2") + 100.0);
}

/// Until the first copy is sent, a write, in microseconds; only of writes whose first copy goes over the bus.
fn until_first_leg(simulated: &Simulated, node: u32, least: u64, span: (u64, u64)) -> Vec<f64> {
    let own = &simulated.nodes[node as usize];
    let of_node = simulated.truth.iter().filter(|write| write.node == node);
    let mut waits: Vec<f64> = of_node
        .filter_map(|write| {
            let event = own.rows.get(write.row as usize)?;
            let (start, end) = own.true_times[write.row as usize];
            let first = *write.copies.first()?.initiator_rows.first()?;
            let meant = event.length >= least && span.0 <= start && end <= span.1;
            meant.then(|| (own.true_times[first as usize].0 - start) as f64 / 1e3)
        })
        .collect();
    waits.sort_by(f64::total_cmp);
    waits
}

#[test]
fn stalled_file_system_holds_writes_before_their_legs() {
    let simulated = run(Scenario::RefsStall, 20_000);
    let span = span(&simulated);
    let held = until_first_leg(&simulated, 0, 0, span);
    assert!(held[held.len() / 2] < 200.0 && held[held.len() - 2] > 20_000.0);
    let others = until_first_leg(&simulated, 1, 0, span);
    assert!(others[others.len() - 1] < 1_000.0);
}

#[test]
fn encryption_takes_time_for_every_byte_before_the_legs() {
    let simulated = run(Scenario::Bitlocker, 10_000);
    let span = span(&simulated);
    let median = |node: u32, least: u64| {
        let waits = until_first_leg(&simulated, node, least, span);
        waits[waits.len() / 2]
    };
    // 64 KiB and more at 40 ns a byte.
    assert!(median(1, 65_536) > 2_600.0);
    assert!(median(2, 65_536) < 200.0);
}

#[test]
fn dead_target_answers_nothing_and_legs_are_sent_again() {
    let simulated = run(Scenario::TargetDied, 10_000);
    let (all, span) = (seen(&simulated), span(&simulated));
    let target = |seen: &&Seen| seen.tap == Tap::Target && seen.node == "n1";
    assert!(
        !all.iter()
            .filter(target)
            .any(|seen| span.0 < seen.end && seen.end < span.1)
    );
    assert!(
        all.iter()
            .filter(target)
            .all(|seen| seen.end <= span.0 || span.1 <= seen.start)
    );
    let failed = all.iter().filter(|seen| seen.status != 0);
    assert!(failed.clone().count() > 100);
    assert!(
        failed
            .clone()
            .all(|seen| seen.tap == Tap::Initiator && seen.peer.as_deref() == Some("n1"))
    );
    let mut retried = 0;
    for write in &simulated.truth {
        let own = &simulated.nodes[write.node as usize];
        for copy in &write.copies {
            let statuses: Vec<u32> = copy
                .initiator_rows
                .iter()
                .map(|&row| own.rows.get(row as usize).unwrap().status)
                .collect();
            retried += usize::from(statuses.len() > 1);
            // Each attempt but the last failed.
            assert!(statuses.iter().rev().skip(1).all(|&status| status != 0));
            assert!(statuses.last().is_none_or(|&status| status == 0));
        }
    }
    assert!(retried > 50, "{retried}");
}

#[test]
fn drive_splits_and_merges_as_it_is_told() {
    let split = run(Scenario::Split, 3_000);
    let legs = split.truth.iter().flat_map(|write| &write.copies);
    assert!(legs.clone().any(|copy| copy.device_rows.len() > 10));
    let longest = seen(&split)
        .iter()
        .filter(|seen| seen.tap == Tap::Device)
        .map(|seen| seen.length)
        .max();
    assert_eq!(longest, Some(64 << 10));
    let merge = run(Scenario::Merge, 3_000);
    let all = seen(&merge);
    let merged = all
        .iter()
        .filter(|seen| seen.tap == Tap::Device && seen.length > 4096)
        .count();
    let devices = all.iter().filter(|seen| seen.tap == Tap::Device).count();
    assert!(merged > 500 && devices < 8_500, "{merged} of {devices}");
}

#[test]
fn shifted_and_cached_drives_show_other_offsets() {
    for scenario in [Scenario::Shift, Scenario::Cache] {
        let simulated = run(scenario, 1_000);
        for copy in simulated.truth.iter().flat_map(|write| &write.copies) {
            let node = &simulated.nodes[copy.node as usize];
            let (Some(&target), Some(&device)) = (copy.target_rows.first(), copy.device_rows.first()) else {
                continue;
            };
            let (target, device) = (
                node.rows.get(target as usize).unwrap(),
                node.rows.get(device as usize).unwrap(),
            );
            assert_ne!(target.offset, device.offset, "{scenario}");
            assert_eq!(target.length, device.length);
            if scenario == Scenario::Cache {
                assert_eq!(node.devices[device.device as usize].name, "cache0");
            }
        }
    }
}

#[test]
fn hot_spot_has_many_writes_to_one_block_at_once_and_replicas_differ_in_order() {
    let simulated = run(Scenario::HotSpot, 5_000);
    let mut intervals: Vec<(u64, u64)> = Vec::new();
    let own = &simulated.nodes[0];
    for (event, &times) in own.rows.iter().zip(&own.true_times) {
        if event.tap == Tap::Volume && event.offset == 0 {
            intervals.push(times);
        }
    }
    let most = intervals.iter().map(|&(at, _)| {
        intervals
            .iter()
            .filter(|&&(start, end)| start <= at && at < end)
            .count()
    });
    let most = most.max().unwrap();
    assert!((10..=64).contains(&most), "{most}");
    // Order of two writes to one block at the drives of two copies.
    let order = |copy: usize| {
        let writes = simulated.truth.iter().filter(|write| write.node == 0);
        let hot = writes.filter(|write| own.rows.get(write.row as usize).unwrap().offset == 0);
        let ends = hot.map(|write| {
            let copy = &write.copies[copy];
            let row = copy.device_rows[0] as usize;
            (simulated.nodes[copy.node as usize].true_times[row].1, write.row)
        });
        let mut ends: Vec<(u64, u64)> = ends.collect();
        ends.sort_unstable();
        ends.into_iter().map(|(_, row)| row).collect::<Vec<_>>()
    };
    assert_ne!(order(0), order(1));
}

mod adapters;
