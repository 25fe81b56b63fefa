//! What people read of what is usual.

use super::*;

fn row(of: &str) -> wire::Baseline {
    wire::Baseline {
        of: of.to_owned(),
        volume: "vol0".to_owned(),
        node: "n1".to_owned(),
        disk: "disk2".to_owned(),
        tap: "device".to_owned(),
        op: "write".to_owned(),
        size: "4k".to_owned(),
        p50_nanos: Some(300_000),
        p99_nanos: Some(900_000),
        learnt_nanos: 6 * 24 * HOUR_NANOS,
        learnt: true,
        band: Some(wire::Band {
            share: "p99".to_owned(),
            below_nanos: 2_000_000,
        }),
        ..wire::Baseline::default()
    }
}

#[test]
fn stretch_is_told_against_the_past_and_the_band() {
    let against_usual = wire::AgainstUsual {
        baseline: Some(row("volume")),
        count: 1000,
        p50_nanos: Some(400_000),
        p99_nanos: Some(3_100_000),
        worse: Some(true),
    };
    let text = against(std::slice::from_ref(&against_usual));
    let line = "  vol0 at device, up to 4 KiB: p99 3.10 ms; usual here 900 us, learnt over 6 days; published band under 2.00 ms; worse than usual";
    assert!(text.contains(line), "{text}");
    let value = &against_values(&[against_usual])[0];
    assert_eq!(
        (&value["worse"], &value["usual"]["p99_ns"]),
        (&json!(true), &json!(900_000))
    );
    assert_eq!(against(&[]), "");
}

#[test]
fn nothing_learnt_is_said_and_is_no_zero() {
    let new = wire::Baseline {
        learnt: false,
        learnt_nanos: 0,
        p50_nanos: None,
        ..row("volume")
    };
    let told = wire::AgainstUsual {
        baseline: Some(new.clone()),
        p50_nanos: Some(400_000),
        p99_nanos: Some(500_000),
        ..wire::AgainstUsual::default()
    };
    let text = against(&[told]);
    assert!(
        text.contains("p99 500 us; what is usual here is not learnt yet (0 min so far); published band under 2.00 ms"),
        "{text}"
    );
    assert_eq!(value(&new)["p50_ns"], Value::Null);
    assert!(table(&[], false).starts_with("nothing is usual yet"));
}

#[test]
fn change_is_told_with_its_hour_and_what_happened() {
    let changed = wire::Baseline {
        change: Some(wire::BaselineChange {
            share: "p99".to_owned(),
            shape: "step".to_owned(),
            began_unix_nanos: 1_790_046_000_000_000_000,
            before_nanos: 900_000,
            after_nanos: 1_800_000,
            p: 0.001,
            events: vec![wire::BaselineEvent {
                kind: "disk".to_owned(),
                id: "eui.1".to_owned(),
                attribute: "firmware".to_owned(),
                before: "1.2".to_owned(),
                after: "1.3".to_owned(),
                ..wire::BaselineEvent::default()
            }],
        }),
        ..row("disk")
    };
    let text = table(&[row("disk"), changed], false);
    for words in [
        "(to 1 h): p99 at device of n1/disk2 of write up to 4 KiB 900 us -> 1.80 ms",
        "firmware of disk eui.1 went from 1.2 to 1.3",
        "and 1 of nodes, pairs and disks",
    ] {
        assert!(text.contains(words), "{text}");
    }
}
