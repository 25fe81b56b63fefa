//! What adapters and drives count is what the run had, where and when it had it.

use fathom_model::state::Sample;

use super::*;
use crate::config::ADAPTERS;

/// Readings of a counter of a node at a time, by instance.
fn counter(simulated: &Simulated, node: u32, name: &str, at: u64) -> Vec<f64> {
    let samples = States::new(simulated).samples(node, at);
    let own = samples.into_iter().filter(|sample| sample.name == name);
    own.map(|sample| sample.value).collect()
}

fn sum(simulated: &Simulated, node: u32, name: &str, at: u64) -> f64 {
    counter(simulated, node, name, at).iter().sum()
}

#[test]
fn adapters_count_each_message_once_at_either_end() {
    let config = Config {
        nodes: 3,
        writes: None,
        seconds: Some(2.0),
        ..Config::default()
    };
    let simulated = simulate(&config).expect("it runs");
    let states = States::new(&simulated);
    let header = config.network.header_bytes;
    let (mut sent, mut received) = (0.0, 0.0);
    for node in 0..3 {
        // The first reading has no second before it.
        let all: Vec<Sample> = (1..5)
            .map(|second| u64::from(node) * APART_NANOS + second * POLL_NANOS)
            .flat_map(|at| states.samples(node, at))
            .collect();
        let of = |name: &str| {
            all.iter()
                .filter(|one| one.name == name)
                .map(|one| one.value)
                .sum::<f64>()
        };
        // Requests with data that it sent, and replies without.
        let own = &simulated.nodes[node as usize];
        let of_tap = |tap: Tap| own.rows.iter().filter(move |event| event.tap == tap);
        let requests: u64 = of_tap(Tap::Initiator).map(|event| event.length + header).sum();
        let replies = of_tap(Tap::Target).count() as u64 * header;
        let counted = of("rdma.outbound_bytes_per_s");
        if node == 0 {
            assert_eq!(counted, (requests + replies) as f64, "whole seconds of the first node");
            let messages = of_tap(Tap::Initiator).count() + of_tap(Tap::Target).count();
            assert_eq!(of("smb_direct.sends_per_s"), messages as f64);
        }
        sent += counted;
        received += of("rdma.inbound_bytes_per_s");
        assert_eq!(of("network.sent_bytes_per_s"), 0.0);
    }
    // Of other nodes what went before their first reading is in none of a whole second.
    assert!((sent / received - 1.0).abs() < 0.05, "{sent} {received}");
}

#[test]
fn node_without_credits_counts_how_often_it_waited_and_nobody_else_does() {
    let simulated = run(FaultKind::CreditStalls {
        node: 1,
        share: 0.25,
        wait_millis: 1.0,
    });
    let stalls = |node: u32, at: u64| sum(&simulated, node, "smb_direct.stalls_send_credit_per_s", at);
    let sends = sum(&simulated, 1, "smb_direct.sends_per_s", AFTER - 400_000_000);
    let stalled = stalls(1, AFTER - 400_000_000);
    // The fault ends in the middle of that second.
    assert!(
        sends > 1000.0 && (0.1..0.15).contains(&(stalled / sends)),
        "{stalled} of {sends}"
    );
    assert_eq!(
        (stalls(1, APART_NANOS), stalls(0, DURING), stalls(2, DURING)),
        (0.0, 0.0, 0.0)
    );
}

#[test]
fn adapter_that_breaks_connections_counts_them_and_so_do_both_ends_of_each() {
    let simulated = run(FaultKind::AdapterErrors {
        node: 1,
        adapter: 0,
        every_millis: 100.0,
        reconnect_millis: 10.0,
    });
    let errors = |node: u32, at: u64| counter(&simulated, node, "rdma.connection_errors", at);
    let during = errors(1, DURING);
    assert!(during[0] >= 4.0 && during[1] == 0.0, "{during:?}");
    assert_eq!((errors(1, BEFORE), errors(0, AFTER)), (vec![0.0; 2], vec![0.0; 2]));
    assert!(errors(1, AFTER)[0] > during[0], "they stay counted");
    let failures = |node: u32, peer: &str| -> Vec<u64> {
        let all = read(&simulated, node, Kind::SmbConnection, AFTER);
        let own = all.iter().filter(|one| one.text("server") == Some(peer));
        own.filter_map(|one| one.number("failures")).collect()
    };
    let (out, back) = (failures(1, "n0"), failures(0, "n1"));
    assert!(out[0] > 0 && out == back && out[1] == 0, "{out:?} {back:?}");
    assert_eq!(failures(0, "n2"), [0, 0]);
    // Two channels to each of two peers.
    assert_eq!(errors(1, AFTER)[0], (out[0] * 4) as f64);
}

#[test]
fn drive_that_tries_again_counts_it_where_drives_count() {
    let on = DiskRef { node: 1, disk: 2 };
    let errors = |error_counters: bool| {
        let mut config = Config {
            nodes: 3,
            writes: None,
            seconds: Some(2.0),
            faults: vec![Fault {
                from_seconds: 0.5,
                until_seconds: Some(1.5),
                what: FaultKind::DriveErrors {
                    on,
                    share: 0.2,
                    retry_millis: 2.0,
                },
            }],
            ..Config::default()
        };
        config.disks.error_counters = error_counters;
        simulate(&config).expect("it runs")
    };
    let counting = errors(true);
    let of = |id: &str, at: u64| {
        let all = read(&counting, 0, Kind::DiskReliability, at);
        let own = all.iter().find(|one| one.id == id).expect("it is there");
        assert_eq!(own.number("write_errors"), own.number("write_errors_corrected"));
        assert_eq!(own.number("write_errors_uncorrected"), Some(0));
        own.number("write_errors").expect("it counts")
    };
    assert_eq!(of("n1/disk2", BEFORE), 0);
    assert!(0 < of("n1/disk2", DURING) && of("n1/disk2", DURING) < of("n1/disk2", AFTER));
    // As many as took much longer than any request of this drive does otherwise.
    let node = &counting.nodes[1];
    let long = node.rows.iter().zip(&node.true_times).filter(|(event, times)| {
        event.tap == Tap::Device
            && node.devices[event.device as usize].name == "disk2"
            && times.0 >= 500_000_000
            && times.1 - times.0 > 2_000_000
    });
    let (long, all) = (long.count() as f64, of("n1/disk2", AFTER) as f64);
    // Of an exponential of this mean about one in e.
    assert!((0.25..0.5).contains(&(long / all)), "{long} of {all}");
    assert_eq!(of("n1/disk1", AFTER), 0);
    let silent = errors(false);
    let reliability = read(&silent, 0, Kind::DiskReliability, AFTER);
    assert!(reliability.iter().all(|one| one.number("write_errors").is_none()));
}

#[test]
fn node_that_is_redirected_is_so_while_it_lasts_and_nobody_else() {
    let config = Config {
        nodes: 3,
        writes: None,
        seconds: Some(2.0),
        volumes: vec![Volume {
            initiators: vec![0, 1],
            ..Volume::on(3)
        }],
        faults: vec![Fault {
            from_seconds: 0.5,
            until_seconds: Some(1.5),
            what: FaultKind::CsvRedirected {
                volume: 0,
                node: 1,
                add_micros: 800.0,
            },
        }],
        ..Config::default()
    };
    let simulated = simulate(&config).expect("it runs");
    let redirected = |at: u64| -> Vec<String> {
        let all = read(&simulated, 0, Kind::Csv, at);
        let own = all.iter().filter(|one| one.text("state") == Some("BlockRedirected"));
        own.filter_map(|one| one.text("node").map(str::to_owned)).collect()
    };
    assert_eq!((redirected(BEFORE), redirected(AFTER)), (vec![], vec![]));
    assert_eq!(redirected(DURING), ["n1"]);
    // One row of the volume itself, and one a node.
    assert_eq!(read(&simulated, 0, Kind::Csv, DURING).len(), 4);
}

#[test]
fn busy_adapters_count_what_is_not_of_the_storage_bus() {
    let simulated = run(FaultKind::LinkBusy {
        node: 2,
        load_share: 0.9,
        burst_micros: 20.0,
    });
    let bytes_per_s = simulated.config.network.gigabits_per_second * 1e9 / 8.0;
    let share = |node: u32, at: u64| {
        let of = |name: &str| sum(&simulated, node, name, at) / f64::from(ADAPTERS) / bytes_per_s;
        (of("network.sent_bytes_per_s"), of("network.received_bytes_per_s"))
    };
    // Of the second that ends at 1.4 s nine tenths are within it.
    let (sent, received) = share(2, 1_400_000_000);
    assert!((sent - 0.81).abs() < 1e-9 && sent == received, "{sent} {received}");
    assert_eq!((share(2, BEFORE), share(0, DURING)), ((0.0, 0.0), (0.0, 0.0)));
}
