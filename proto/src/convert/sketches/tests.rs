//! What is added up far away is what was counted, and what cannot be is refused.

use fathom_model::{Op, Tap};

use super::*;

fn row() -> TapLatency {
    let mut sketch = Sketch::new();
    [0, 5, 70_000, 1_000_000]
        .into_iter()
        .for_each(|nanos| sketch.add(nanos));
    TapLatency {
        tap: Tap::Device,
        op: Op::Read,
        sketch,
    }
}

#[test]
fn comes_back_as_it_was() {
    let wire = wire::LatencySketch::from(&row());
    assert_eq!((wire.tap.as_str(), wire.op.as_str()), ("device", "read"));
    assert_eq!(tap_latency_from_wire(wire).unwrap(), row());
}

#[test]
fn what_cannot_be_is_refused_by_its_field() {
    let spoilt = |spoil: &dyn Fn(&mut wire::LatencySketch), field: &str| {
        let mut wire = wire::LatencySketch::from(&row());
        spoil(&mut wire);
        let refused = tap_latency_from_wire(wire).unwrap_err().to_string();
        assert!(refused.contains(field), "{refused}");
    };
    spoilt(&|wire| wire.tap = "moon".to_owned(), "latency.tap");
    spoilt(&|wire| wire.op = "think".to_owned(), "latency.op");
    spoilt(&|wire| wire.counts = vec![1; 5_000], "latency.counts");
    spoilt(&|wire| wire.max_nanos = 1, "latency");
}
