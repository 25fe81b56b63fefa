//! Latencies that changed with something that happened.

use std::fmt::Write as _;

use fathom_model::unit::show_nanos;
use fathom_proto::query::v1 as wire;
use serde_json::{Value, json};

use super::units::date_time;

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// What takes longer or shorter.
fn of(change: &wire::DatedChange) -> String {
    match change.of.as_str() {
        "volume" => format!("writes of {}", change.volume),
        "node" => format!("writes of node {}", change.node),
        _ => format!("{} {}/{}", change.of, change.node, change.disk),
    }
}

/// To how much it is known when; nothing where the coordinator does not say.
fn resolution(change: &wire::DatedChange) -> String {
    match u64::try_from(change.resolution_nanos) {
        Ok(nanos) if nanos > 0 => format!(" (to {})", show_nanos(nanos)),
        _ => String::new(),
    }
}

/// A paragraph a change, for people.
pub(crate) fn lines(changes: &[wire::DatedChange]) -> String {
    let mut text = String::new();
    for change in changes {
        let _ = writeln!(
            text,
            "Since {}{}: {} p50 {} -> {}, p99 {} -> {}\n  {} of {} {} went from {} to {} between {} and {} (read by {})",
            date_time(change.began_unix_nanos),
            resolution(change),
            of(change),
            show_nanos(change.before_p50_nanos),
            show_nanos(change.after_p50_nanos),
            show_nanos(change.before_p99_nanos),
            show_nanos(change.after_p99_nanos),
            change.attribute,
            change.kind,
            change.id,
            change.before,
            change.after,
            date_time(change.from_unix_nanos),
            date_time(change.at_unix_nanos),
            change.reader,
        );
    }
    text
}

/// The same as JSON.
pub(crate) fn values(changes: &[wire::DatedChange]) -> Vec<Value> {
    let value = |change: &wire::DatedChange| {
        json!({
            "of": change.of, "volume": given(&change.volume), "node": given(&change.node), "disk": given(&change.disk),
            "kind": change.kind, "id": change.id, "reader": change.reader, "attribute": change.attribute,
            "before": change.before, "after": change.after,
            "from_unix_ns": change.from_unix_nanos, "at_unix_ns": change.at_unix_nanos, "began_unix_ns": change.began_unix_nanos,
            "resolution_ns": (change.resolution_nanos > 0).then_some(change.resolution_nanos),
            "before_p50_ns": change.before_p50_nanos, "before_p99_ns": change.before_p99_nanos,
            "after_p50_ns": change.after_p50_nanos, "after_p99_ns": change.after_p99_nanos,
            "p50_p": change.p50_p, "p99_p": change.p99_p,
        })
    };
    changes.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_is_told_with_what_happened_and_when() {
        let change = wire::DatedChange {
            of: "volume".to_owned(),
            volume: "vol0".to_owned(),
            kind: "csv".to_owned(),
            id: "Cluster Virtual Disk (vol0)".to_owned(),
            reader: "n0".to_owned(),
            attribute: "owner".to_owned(),
            before: "n1".to_owned(),
            after: "n2".to_owned(),
            before_p99_nanos: 2_000_000,
            after_p99_nanos: 6_000_000,
            p99_p: Some(0.001),
            resolution_nanos: 10_000_000_000,
            ..wire::DatedChange::default()
        };
        let text = lines(std::slice::from_ref(&change));
        for words in [
            "(to 10.0 s): writes of vol0",
            "p99 2.00 ms -> 6.00 ms",
            "owner of csv Cluster Virtual Disk (vol0) went from n1 to n2",
        ] {
            assert!(text.contains(words), "{text}");
        }
        let value = &values(&[change])[0];
        assert_eq!(
            (&value["volume"], &value["node"], &value["p50_p"]),
            (&json!("vol0"), &Value::Null, &Value::Null)
        );
        assert_eq!(value["resolution_ns"], json!(10_000_000_000_i64));
    }
}
