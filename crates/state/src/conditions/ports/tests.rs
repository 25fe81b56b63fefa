//! Ports are held against their equals at the same time: a low rate, and one that all have, is nobody's.

use fathom_model::state::Sample;

use super::*;
use crate::conditions::tests::{SECOND, adapter, code, connection, is_about, observation, read};
use crate::conditions::{Conditions, Read};

const PORT: &str = "Mellanox ConnectX-6 Dx Adapter _2";

fn sample(node: &str, id: &str, name: &str, second: i64, value: f64) -> Sample {
    Sample {
        node: node.into(),
        kind: Kind::Adapter,
        id: id.to_owned(),
        name: name.to_owned(),
        observed_unix_nanos: second * SECOND,
        value,
    }
}

/// Three nodes whose adapters carry storage, at 25 Gbit/s.
fn nodes() -> Conditions {
    let mut conditions = Conditions::default();
    for node in ["a", "b", "c"] {
        let ports = vec![
            adapter(node, "SMB1", 9000)
                .with("description", "Mellanox ConnectX-6 Dx Adapter")
                .with("receive_bits_per_s", 25_000_000_000_u64),
            adapter(node, "SMB2", 9000)
                .with("description", "Mellanox ConnectX-6 Dx Adapter #2")
                .with("receive_bits_per_s", 25_000_000_000_u64),
        ];
        read(&mut conditions, node, Kind::Adapter, ports, 1);
        let rdma = ["SMB1", "SMB2"].map(|name| {
            observation(node, Kind::AdapterRdma, name, 1)
                .with("name", name)
                .with("enabled", true)
        });
        read(&mut conditions, node, Kind::AdapterRdma, rdma.to_vec(), 1);
    }
    conditions
}

/// Every node reads a counter of its second port every 10 s.
fn rates(
    conditions: &mut Conditions,
    name: &str,
    seconds: std::ops::Range<i64>,
    rate: impl Fn(&str, i64) -> f64,
) -> Vec<Read> {
    let mut over = Vec::new();
    for second in seconds.step_by(10) {
        for node in ["a", "b", "c"] {
            over.extend(conditions.add_sample(&sample(node, PORT, name, second, rate(node, second))));
        }
    }
    over
}

#[test]
fn port_that_pauses_the_others_is_told_by_the_time_it_may_stop_and_by_its_equals() {
    let storm = |rate: f64, others: f64| {
        let mut conditions = nodes();
        let over = rates(&mut conditions, PAUSES_SENT, 0..120, |node, _| {
            if node == "b" { rate } else { others }
        });
        assert!(over.iter().all(|read| read.sign == Sign::PauseStorm));
        // A reading is over when the next one of its node begins.
        assert_eq!(over.len(), 33);
        conditions.of(Sign::PauseStorm).to_vec()
    };
    // A frame stops 25 Gbit/s for 1.34 ms at the most: 100 a second are 13 %.
    let loud = storm(100.0, 2.0);
    assert_eq!(
        loud.iter().map(is_about).collect::<Vec<_>>(),
        [("adapter".to_owned(), "b".to_owned(), None)]
    );
    assert_eq!(
        (loud[0].resource.as_deref(), loud[0].only_if_felt),
        (Some("SMB2"), false)
    );
    assert!(loud[0].text.contains("up to 13 %"), "{}", loud[0].text);
    let cited = &loud[0].observations[0];
    assert_eq!(
        (cited.id.as_str(), cited.counter.as_deref(), cited.at_unix_ns),
        (PORT, Some(PAUSES_SENT), 110 * SECOND)
    );
    assert_eq!(loud[0].since_unix_ns, Some(0));
    assert!(
        storm(20.0, 0.0)[0].only_if_felt,
        "2.7 % of the time is nothing by itself"
    );
    assert_eq!(storm(5.0, 0.0), [], "a low rate is normal");
    assert_eq!(storm(100.0, 60.0), [], "all are busy");
}

#[test]
fn storm_is_dated_by_the_readings_that_reached_it() {
    let mut conditions = nodes();
    rates(&mut conditions, PAUSES_SENT, 0..200, |node, second| {
        match (node, second) {
            // One reading between is not its end.
            ("b", 120) => 0.0,
            ("b", 100..) => 400.0,
            _ => 0.0,
        }
    });
    assert_eq!(conditions.of(Sign::PauseStorm)[0].since_unix_ns, Some(100 * SECOND));
    // What has been so for longer than readings are kept is as old as these are.
    let mut conditions = nodes();
    rates(&mut conditions, PAUSES_SENT, 0..3000, |node, _| {
        if node == "b" { 400.0 } else { 0.0 }
    });
    assert_eq!(
        conditions.of(Sign::PauseStorm)[0].since_unix_ns,
        Some((2990 - 900) * SECOND)
    );
}

#[test]
fn port_without_equals_or_with_one_reading_is_not_told() {
    let mut conditions = nodes();
    for second in (0..60).step_by(10) {
        conditions.add_sample(&sample("b", PORT, PAUSES_SENT, second, 5000.0));
    }
    assert_eq!(conditions.of(Sign::PauseStorm), [], "nobody to hold it against");
    // Who was heard long before says nothing of now.
    let mut conditions = nodes();
    rates(&mut conditions, PAUSES_SENT, 0..40, |_, _| 0.0);
    for second in (1000..1060).step_by(10) {
        conditions.add_sample(&sample("b", PORT, PAUSES_SENT, second, 5000.0));
    }
    assert_eq!(conditions.of(Sign::PauseStorm), []);
    let mut conditions = nodes();
    for node in ["a", "b", "c"] {
        conditions.add_sample(&sample(
            node,
            PORT,
            PAUSES_SENT,
            0,
            if node == "b" { 5000.0 } else { 0.0 },
        ));
    }
    assert_eq!(conditions.of(Sign::PauseStorm), []);
}

#[test]
fn storm_of_two_ports_is_of_the_node_and_one_of_no_known_adapter_is_told_by_frames() {
    let mut conditions = nodes();
    for second in (0..60).step_by(10) {
        for node in ["a", "b", "c"] {
            let rate = if node == "b" { 2000.0 } else { 0.0 };
            for port in ["Mellanox ConnectX-6 Dx Adapter", PORT, "Port 9"] {
                conditions.add_sample(&sample(node, port, PAUSES_SENT, second, rate));
            }
        }
    }
    let found = conditions.of(Sign::PauseStorm);
    assert_eq!(
        found.iter().map(is_about).collect::<Vec<_>>(),
        [("node".to_owned(), "b".to_owned(), None)]
    );
    assert!(
        found[0]
            .text
            .contains("Port 9 sends 2000.0 pause frames a second; the middle"),
        "{}",
        found[0].text
    );
}

#[test]
fn waits_for_credits_are_nothing_by_themselves_and_told_by_kind() {
    let stalled = |stalls: f64, others: f64| {
        let mut conditions = nodes();
        for second in (0..60).step_by(10) {
            for node in ["a", "b", "c"] {
                let rate = if node == "a" { stalls } else { others };
                conditions.add_sample(&sample(node, "c1", STALLS[0].0, second, rate));
                conditions.add_sample(&sample(node, "c2", STALLS[0].0, second, rate));
                conditions.add_sample(&sample(node, "c1", STALLS[3].0, second, 0.0));
                conditions.add_sample(&sample(node, "c1", SENDS, second, 4000.0));
            }
        }
        conditions.of(Sign::CreditStalls).to_vec()
    };
    let found = stalled(50.0, 1.0);
    assert_eq!(
        found.iter().map(is_about).collect::<Vec<_>>(),
        [("node".to_owned(), "a".to_owned(), None)]
    );
    assert!(found[0].only_if_felt);
    assert!(
        found[0].text.contains("100.0 times a second (100.0 for send credits)"),
        "{}",
        found[0].text
    );
    assert_eq!(found[0].observations.len(), 2);
    assert_eq!(stalled(15.0, 0.0), [], "less than one of a hundred messages");
    assert_eq!(stalled(50.0, 40.0), [], "all wait");
}

#[test]
fn errors_are_of_adapters_of_storage_alone() {
    let mut conditions = nodes();
    let faulty = |node: &str, _: i64| if node == "c" { 3.0 } else { 0.0 };
    rates(&mut conditions, ERRORS[0].0, 0..60, faulty);
    for second in (0..60).step_by(10) {
        for node in ["a", "b", "c"] {
            let rate = if node == "a" { 500.0 } else { 0.0 };
            conditions.add_sample(&sample(node, "Intel Management", ERRORS[0].0, second, rate));
        }
    }
    let found = conditions.of(Sign::LinkErrors).to_vec();
    assert_eq!(
        found.iter().map(is_about).collect::<Vec<_>>(),
        [("adapter".to_owned(), "c".to_owned(), None)]
    );
    assert!(!found[0].only_if_felt);
    // Connection errors of RDMA are totals: what was counted before is not counted.
    let mut conditions = nodes();
    rates(&mut conditions, RDMA_ERRORS[0].0, 0..60, |node, second| match node {
        "a" => 70.0 + (second / 30) as f64,
        _ => 900.0,
    });
    let found = conditions.of(Sign::LinkErrors);
    assert_eq!(
        found.iter().map(is_about).collect::<Vec<_>>(),
        [("adapter".to_owned(), "a".to_owned(), None)]
    );
    assert!(
        found[0].only_if_felt && found[0].text.contains("1 connections that failed"),
        "{}",
        found[0].text
    );
}

/// Reads connections of each node to the others, with so many failures counted.
fn failures(conditions: &mut Conditions, second: i64, count: impl Fn(&str, &str) -> u64) {
    let nodes = ["a", "b", "c"];
    for client in nodes {
        let others = nodes.into_iter().filter(|server| *server != client);
        let rows =
            others.map(|server| connection(client, server, 0, 2, second).with("failures", count(client, server)));
        read(conditions, client, Kind::SmbConnection, rows.collect(), second);
    }
}

#[test]
fn connections_that_fail_again_and_again_are_told_of_the_pair_or_the_node_for_a_quarter_of_an_hour() {
    let between = |one: &str, other: &str| (one == "a" && other == "b") || (one == "b" && other == "a");
    let mut conditions = nodes();
    failures(&mut conditions, 10, |_, _| 40);
    assert_eq!(conditions.of(Sign::LinkErrors), [], "that was before");
    failures(
        &mut conditions,
        20,
        |one, other| if between(one, other) { 41 } else { 40 },
    );
    let found = conditions.of(Sign::LinkErrors).to_vec();
    assert_eq!(
        found.iter().map(is_about).collect::<Vec<_>>(),
        [("link".to_owned(), "a".to_owned(), Some("b".to_owned()))]
    );
    assert!(found[0].only_if_felt, "two are nothing by themselves");
    assert_eq!(
        (found[0].since_unix_ns, found[0].observations.len()),
        (Some(20 * SECOND), 2)
    );
    failures(
        &mut conditions,
        30,
        |one, other| if between(one, other) { 46 } else { 40 },
    );
    assert!(!conditions.of(Sign::LinkErrors)[0].only_if_felt, "twelve are");
    failures(
        &mut conditions,
        40,
        |one, other| if one == "b" || other == "b" { 47 } else { 40 },
    );
    assert_eq!(
        conditions.of(Sign::LinkErrors).iter().map(is_about).collect::<Vec<_>>(),
        [("node".to_owned(), "b".to_owned(), None)]
    );
    failures(
        &mut conditions,
        1000,
        |one, other| if one == "b" || other == "b" { 47 } else { 40 },
    );
    assert_eq!(conditions.of(Sign::LinkErrors), [], "the last was 15 min ago");
}

#[test]
fn failures_that_all_pairs_have_or_of_connections_that_nobody_uses_are_not_told() {
    let mut conditions = nodes();
    failures(&mut conditions, 10, |_, _| 0);
    failures(&mut conditions, 20, |_, _| 20);
    assert_eq!(conditions.of(Sign::LinkErrors), [], "all fail alike");
    let mut conditions = nodes();
    for (second, count) in [(10, 0_u64), (20, 30)] {
        let row = connection("a", "b", 0, 0, second)
            .with("selected", false)
            .with("failures", count);
        read(&mut conditions, "a", Kind::SmbConnection, vec![row], second);
    }
    assert_eq!(conditions.of(Sign::LinkErrors), []);
}

#[test]
fn connections_to_a_node_that_is_down_fail_rightly() {
    let mut conditions = nodes();
    failures(&mut conditions, 10, |_, _| 0);
    let down = observation("a", Kind::Node, "c", 15)
        .with("name", "c")
        .with("state", code(1, "Down"));
    conditions.add(&down);
    failures(
        &mut conditions,
        20,
        |one, other| if one == "c" || other == "c" { 30 } else { 0 },
    );
    assert_eq!(conditions.of(Sign::LinkErrors), []);
}
