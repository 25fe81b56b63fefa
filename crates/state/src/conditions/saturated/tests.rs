//! A link is full by what it carries of any kind, against its own speed.

use fathom_model::state::{Kind, Sample};

use super::*;
use crate::conditions::Conditions;
use crate::conditions::tests::{SECOND, adapter, is_about, observation, read};

const SPEED: u64 = 25_000_000_000;

/// Two nodes with a port for storage and one for guests each.
fn nodes() -> Conditions {
    let mut conditions = Conditions::default();
    for node in ["a", "b"] {
        let ports = ["SMB1", "Guests"].map(|name| {
            adapter(node, name, 9000)
                .with("transmit_bits_per_s", SPEED)
                .with("receive_bits_per_s", SPEED)
        });
        read(&mut conditions, node, Kind::Adapter, ports.to_vec(), 1);
        let rdma = observation(node, Kind::AdapterRdma, "SMB1", 1)
            .with("name", "SMB1")
            .with("enabled", true);
        read(&mut conditions, node, Kind::AdapterRdma, vec![rdma], 1);
    }
    conditions
}

/// What a port of `b` carries of a counter, as a share of its speed, every 10 s.
fn carries(conditions: &mut Conditions, port: &str, counter: &str, share: impl Fn(i64) -> f64) {
    for second in (0..120).step_by(10) {
        conditions.add_sample(&Sample {
            node: "b".into(),
            kind: Kind::Adapter,
            id: port.to_owned(),
            name: counter.to_owned(),
            observed_unix_nanos: second * SECOND,
            value: share(second) * SPEED as f64 / 8.0,
        });
    }
}

#[test]
fn link_is_full_by_rdma_and_all_else_together_and_says_since_when() {
    let mut conditions = nodes();
    carries(&mut conditions, "SMB1", "rdma.outbound_bytes_per_s", |_| 0.3);
    carries(&mut conditions, "SMB1", "network.sent_bytes_per_s", |second| {
        if second >= 50 { 0.65 } else { 0.4 }
    });
    let told = conditions.of(Sign::Saturated).to_vec();
    assert_eq!(
        told.iter().map(is_about).collect::<Vec<_>>(),
        [("adapter".to_owned(), "b".to_owned(), None)]
    );
    let one = &told[0];
    assert_eq!(one.resource.as_deref(), Some("SMB1"));
    assert!(one.only_if_felt, "a link is there to be used");
    assert_eq!(one.text, "SMB1 sends 23.8 Gbit/s, 95 % of what its link takes");
    assert_eq!(one.since_unix_ns, Some(50 * SECOND));
    let cited: Vec<&str> = one
        .observations
        .iter()
        .filter_map(|one| one.counter.as_deref())
        .collect();
    assert_eq!(cited, ["network.sent_bytes_per_s", "rdma.outbound_bytes_per_s"]);
}

#[test]
fn directions_are_apart_and_other_ports_and_unknown_speeds_are_not_told() {
    let mut conditions = nodes();
    // Half each way is half.
    carries(&mut conditions, "SMB1", "network.sent_bytes_per_s", |_| 0.5);
    carries(&mut conditions, "SMB1", "network.received_bytes_per_s", |_| 0.5);
    carries(&mut conditions, "Guests", "network.sent_bytes_per_s", |_| 0.99);
    assert_eq!(conditions.of(Sign::Saturated), []);
    let mut conditions = nodes();
    let unknown = vec![adapter("b", "SMB1", 9000)];
    read(&mut conditions, "b", Kind::Adapter, unknown, 2);
    carries(&mut conditions, "SMB1", "network.sent_bytes_per_s", |_| 0.99);
    assert_eq!(conditions.of(Sign::Saturated), []);
}

#[test]
fn both_directions_are_one_condition() {
    let mut conditions = nodes();
    for counter in ["network.sent_bytes_per_s", "network.received_bytes_per_s"] {
        carries(&mut conditions, "SMB1", counter, |_| 0.97);
    }
    let told = conditions.of(Sign::Saturated);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].text.contains("sends") && told[0].text.contains("; SMB1 receives"),
        "{}",
        told[0].text
    );
}
