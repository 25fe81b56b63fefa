use super::*;

fn status(running_s: u64, processor_ms: u64, read: Option<u64>) -> wire::DaemonStatus {
    wire::DaemonStatus {
        processor_nanos: Some(processor_ms * 1_000_000),
        running_nanos: running_s * 1_000_000_000,
        events_read: read,
        spool_bytes: 4096,
        ..wire::DaemonStatus::default()
    }
}

fn value(samples: &[Sample], name: &str) -> Option<f64> {
    samples
        .iter()
        .find(|sample| sample.name == name)
        .map(|sample| sample.value)
}

#[test]
fn what_a_daemon_used_is_reckoned_since_it_was_looked_at_before() {
    let first = status(10, 500, Some(1_000));
    let begun = readings(&"n1".into(), None, &first, 7);
    assert_eq!(value(&begun, "daemon.processor_percent"), Some(5.0));
    assert_eq!(value(&begun, "daemon.events_read_per_s"), Some(100.0));
    assert_eq!(value(&begun, "daemon.memory_bytes"), None, "it does not say");
    assert_eq!(value(&begun, "daemon.events_lost"), None, "it does not count");
    let later = readings(&"n1".into(), Some(&first), &status(70, 12_500, Some(61_000)), 8);
    assert_eq!(value(&later, "daemon.processor_percent"), Some(20.0));
    assert_eq!(value(&later, "daemon.events_read_per_s"), Some(1_000.0));
    assert!(
        later
            .iter()
            .all(|sample| sample.observed_unix_nanos == 8 && sample.id == "n1")
    );
    // Another process began at nothing.
    let another = readings(&"n1".into(), Some(&first), &status(4, 200, Some(40)), 9);
    assert_eq!(value(&another, "daemon.processor_percent"), Some(5.0));
    assert_eq!(value(&another, "daemon.events_read_per_s"), Some(10.0));
    // One that counts less than before in the same life says nothing rather than something wrong.
    assert_eq!(
        value(
            &readings(&"n1".into(), Some(&first), &status(70, 12_500, Some(5)), 9),
            "daemon.events_read_per_s"
        ),
        None
    );
}
