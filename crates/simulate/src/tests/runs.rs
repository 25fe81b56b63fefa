//! What holds for every scenario.

use std::collections::BTreeSet;

use fathom_model::{Op, Tap};

use crate::scenario::Options;
use crate::{Scenario, Simulated, Taps, simulate};

fn run(scenario: Scenario, writes: u64, seed: u64) -> Simulated {
    let options = Options {
        seed: Some(seed),
        writes: Some(writes),
        ..Options::default()
    };
    simulate(&scenario.config(&options)).unwrap()
}

#[test]
fn same_seed_is_the_same_run_and_another_is_another() {
    for scenario in [Scenario::Healthy, Scenario::TargetDied, Scenario::MixedOps] {
        let (first, second, other) = (run(scenario, 500, 1), run(scenario, 500, 1), run(scenario, 500, 2));
        assert!(first.truth == second.truth && first.topology == second.topology && first.clocks == second.clocks);
        let rows = |simulated: &Simulated| simulated.nodes.iter().map(|node| node.rows.clone()).collect::<Vec<_>>();
        assert!(rows(&first) == rows(&second));
        assert!(rows(&first) != rows(&other));
    }
}

/// The bytes of a run are a promise: a change here means that recordings of old seeds cannot be made again, and goes with a
/// word in the notes of the change.
#[test]
fn run_of_seed_one_begins_as_it_always_did() {
    let simulated = run(Scenario::Healthy, 100, 1);
    let first = simulated.nodes[0].rows.get(0).unwrap();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for event in simulated.nodes.iter().flat_map(|node| node.rows.iter()) {
        for part in [
            event.offset,
            event.start_unix_nanos as u64,
            event.duration_nanos,
            event.tap as u64,
        ] {
            hash = (hash ^ part).wrapping_mul(0x0100_0000_01b3);
        }
    }
    assert_eq!((first.tap, first.op), (Tap::Device, Op::Write));
    assert_eq!(hash, HASH_OF_SEED_ONE, "{hash:#x}");
}

const HASH_OF_SEED_ONE: u64 = 0x9ca5_d257_5ba5_f580;

#[test]
fn rows_are_in_the_order_of_completion() {
    for scenario in Scenario::ALL {
        let simulated = run(scenario, 300, 3);
        for node in &simulated.nodes {
            assert!(
                node.true_times.windows(2).all(|pair| pair[0].1 <= pair[1].1),
                "{scenario}"
            );
            assert_eq!(node.rows.len(), node.true_times.len());
        }
    }
}

#[test]
fn recorded_times_are_the_true_ones_on_the_nodes_clock_rounded_down() {
    let simulated = run(Scenario::FarClocks, 500, 1);
    let resolution = 100;
    for (node, clock) in simulated.nodes.iter().zip(&simulated.clocks) {
        for (event, &(start, end)) in node.rows.iter().zip(&node.true_times) {
            let late = clock.shown(start) - event.start_unix_nanos;
            assert!((0..resolution).contains(&late));
            assert_eq!(event.start_unix_nanos % resolution, 0);
            let short = clock.monotonic(end) - clock.monotonic(start) - event.duration_nanos as i64;
            assert!((0..resolution).contains(&short));
        }
    }
}

/// Where nothing is lost, split or sent again, every leg has one row at each tap that it passes.
#[test]
fn every_write_has_its_legs_and_every_row_of_the_truth_is_what_it_should_be() {
    for scenario in Scenario::ALL {
        let simulated = run(scenario, 400, 5);
        let lossy = matches!(scenario, Scenario::LostEvents | Scenario::MissingDaemon);
        assert!(lossy || simulated.truth.len() == 400, "{scenario}");
        let mut used: BTreeSet<(u32, u64)> = BTreeSet::new();
        let merges = scenario == Scenario::Merge;
        for write in &simulated.truth {
            let own = &simulated.nodes[write.node as usize];
            let volume = own.rows.get(write.row as usize).unwrap();
            assert_eq!((volume.tap, volume.op, volume.status), (Tap::Volume, Op::Write, 0));
            assert!(used.insert((write.node, write.row)));
            for copy in &write.copies {
                let far = &simulated.nodes[copy.node as usize];
                let local = copy.node == write.node;
                let rich = simulated.config.recording.taps == Taps::Rich;
                if !lossy {
                    assert_eq!(copy.initiator_rows.is_empty(), local, "{scenario}");
                    assert_eq!(copy.target_rows.is_empty(), local || !rich, "{scenario}");
                    assert!(!copy.device_rows.is_empty(), "{scenario}");
                }
                let of_tap = [
                    (own, write.node, Tap::Initiator, &copy.initiator_rows),
                    (far, copy.node, Tap::Target, &copy.target_rows),
                    (far, copy.node, Tap::Device, &copy.device_rows),
                ];
                for (node, number, tap, rows) in of_tap {
                    for &row in rows {
                        let event = node.rows.get(row as usize).unwrap();
                        assert_eq!((event.tap, event.op), (tap, Op::Write));
                        assert!(
                            used.insert((number, row)) || (merges && tap == Tap::Device),
                            "{scenario}"
                        );
                    }
                }
            }
            let copies = write.copies.len() as u32;
            let copies_a_part = simulated.topology.volumes[0].copies;
            let of_copies = scenario != Scenario::MirrorAccelerated;
            assert!(!of_copies || copies.is_multiple_of(copies_a_part), "{scenario}");
            assert!(copies > 0, "{scenario}");
            assert!(write.slowest.is_some());
        }
    }
}

/// Device inside target inside initiator leg inside write, in true time. A retried leg's rows of earlier attempts are left out.
#[test]
fn each_tap_lies_inside_the_one_before_it() {
    for scenario in Scenario::ALL {
        let simulated = run(scenario, 400, 7);
        for write in &simulated.truth {
            let times = |node: u32, row: u64| simulated.nodes[node as usize].true_times[row as usize];
            let volume = times(write.node, write.row);
            for copy in &write.copies {
                let leg = copy.initiator_rows.last().map_or(volume, |&row| times(write.node, row));
                let target = copy.target_rows.last().map_or(leg, |&row| times(copy.node, row));
                assert!(volume.0 <= leg.0 && leg.1 <= volume.1, "{scenario}");
                assert!(leg.0 <= target.0 && target.1 <= leg.1, "{scenario}");
                if copy.initiator_rows.len() > 1 {
                    continue;
                }
                for &row in &copy.device_rows {
                    let device = times(copy.node, row);
                    assert!(target.0 <= device.0 && device.1 <= target.1, "{scenario}");
                }
            }
        }
    }
}

/// What the join's key promises: the device row of a leg lies where the extent map puts the leg.
#[test]
fn rows_of_legs_lie_where_the_extent_map_says() {
    for scenario in [
        Scenario::Healthy,
        Scenario::Nested,
        Scenario::Columns,
        Scenario::ManyInitiators,
    ] {
        let simulated = run(scenario, 400, 2);
        for write in &simulated.truth {
            let own = &simulated.nodes[write.node as usize];
            let volume = own.rows.get(write.row as usize).unwrap();
            let name = &own.devices[volume.device as usize].volume;
            let (from, until) = (volume.offset, volume.offset + volume.length);
            let mut expected: Vec<(u32, String, u64, u64)> = simulated
                .topology
                .extents
                .extents()
                .iter()
                .filter(|extent| Some(&extent.volume) == name.as_ref())
                .filter(|extent| extent.volume_offset < until && from < extent.volume_end())
                .map(|extent| {
                    let start = from.max(extent.volume_offset);
                    let length = until.min(extent.volume_end()) - start;
                    let disk = extent.disk.to_string();
                    (
                        extent.copy,
                        disk,
                        extent.disk_offset + start - extent.volume_offset,
                        length,
                    )
                })
                .collect();
            let mut found: Vec<(u32, String, u64, u64)> = Vec::new();
            for copy in &write.copies {
                let far = &simulated.nodes[copy.node as usize];
                for &row in &copy.device_rows {
                    let event = far.rows.get(row as usize).unwrap();
                    let disk = far.devices[event.device as usize].disk.as_ref().unwrap();
                    found.push((copy.copy, disk.to_string(), event.offset, event.length));
                }
            }
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{scenario}");
        }
    }
}

#[test]
fn windows_shows_no_target_and_no_offset_of_legs_but_irps_that_are_used_again() {
    let simulated = run(Scenario::Windows, 2000, 1);
    let mut irps: Vec<u64> = Vec::new();
    for node in &simulated.nodes {
        for event in node.rows.iter() {
            let device = &node.devices[event.device as usize];
            assert_ne!(event.tap, Tap::Target);
            if event.tap == Tap::Initiator {
                assert!(!device.has_offsets && event.offset == 0 && event.length == 4096);
                let (peer, disk) = (device.peer.as_ref().unwrap(), device.disk.as_ref().unwrap());
                assert_eq!(format!("clusport.{}", disk.as_str().replace('/', ".")), device.name);
                assert!(disk.as_str().starts_with(peer.as_str()));
                assert_eq!((&device.volume, device.copy), (&None, None));
                irps.push(event.correlation.unwrap());
            }
        }
    }
    let legs = irps.len();
    irps.sort_unstable();
    irps.dedup();
    assert!(irps.len() * 20 < legs, "{} IRPs of {legs} legs", irps.len());
}

#[test]
fn irp_is_of_one_request_at_a_time() {
    let simulated = run(Scenario::Windows, 1000, 4);
    for node in &simulated.nodes {
        let mut by_irp: Vec<(u64, u64, u64)> = node
            .rows
            .iter()
            .zip(&node.true_times)
            .map(|(event, &(start, end))| (event.correlation.unwrap(), start, end))
            .collect();
        by_irp.sort_unstable();
        assert!(
            by_irp
                .windows(2)
                .all(|pair| pair[0].0 != pair[1].0 || pair[0].2 <= pair[1].1)
        );
    }
}

#[test]
fn lost_events_are_in_neither_rows_nor_truth() {
    let simulated = run(Scenario::LostEvents, 3000, 1);
    let whole = {
        let mut config = simulated.config.clone();
        config.recording.lost.clear();
        simulate(&config).unwrap()
    };
    for (at, node) in simulated.nodes.iter().enumerate() {
        let lost = simulated.config.recording.lost[at];
        let (from, until) = ((lost.from_seconds * 1e9) as u64, (lost.until_seconds * 1e9) as u64);
        assert!(node.true_times.iter().all(|&(_, end)| end < from || until <= end));
        assert!(node.rows.len() < whole.nodes[at].rows.len());
    }
    assert!(simulated.truth.len() < whole.truth.len());
}

#[test]
fn single_node_cluster_has_local_legs_alone() {
    let options = Options {
        nodes: Some(1),
        writes: Some(200),
        ..Options::default()
    };
    let simulated = simulate(&Scenario::Healthy.config(&options)).unwrap();
    let taps: BTreeSet<Tap> = simulated.nodes[0].rows.iter().map(|event| event.tap).collect();
    assert_eq!(taps, BTreeSet::from([Tap::Volume, Tap::Device]));
}
