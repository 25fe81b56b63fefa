//! A latency that changed with something that happened, and a drive that goes by its serial number.

use fathom_capture::{StateRow, read_state, state_file, write_state};
use fathom_integration_tests::process::assert_fails;
use fathom_model::state::Kind;
use serde_json::json;

use super::Setup;

const SECOND: i64 = 1_000_000_000;

#[test]
fn ownership_that_moved_when_writes_became_slow_is_told_with_both() {
    let setup = Setup::new();
    // The links of n1 are slow from 18 to 42 s.
    let recording = setup.simulate("run", "link-slow", &["--seconds", "60", "--nodes", "3"], "");
    let path = state_file(&recording).unwrap();
    let mut rows = read_state(&path, None).unwrap();
    let owned = |row: &StateRow| match row {
        StateRow::Observation(row) if row.kind == Kind::Csv && row.text("volume") == Some("vol0") => Some(row.clone()),
        _ => None,
    };
    let first = rows.iter().find_map(owned).unwrap();
    assert_eq!(first.text("owner"), Some("n0"));
    let moved = first.observed_unix_nanos + 18 * SECOND;
    let mut now = first.clone().with("owner", "n2");
    now.observed_unix_nanos = moved;
    let later = |row: &StateRow| match row {
        StateRow::Observation(row) => row.node == first.node && row.observed_unix_nanos >= moved,
        StateRow::Sample(_) => false,
    };
    let at = rows.iter().position(later).unwrap();
    rows.insert(at, StateRow::Observation(now));
    write_state(&path, &rows).unwrap();

    let coordinator = setup.coordinator(&[]);
    setup.play(&coordinator, &recording);
    // Tables do not tell it.
    let why = setup.json(&coordinator, &["why", "--source", "rows"]);
    let changes = why["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{why}");
    let change = &changes[0];
    assert_eq!(
        (&change["of"], &change["volume"], &change["attribute"]),
        (&json!("volume"), &json!("vol0"), &json!("owner"))
    );
    assert_eq!((&change["before"], &change["after"]), (&json!("n0"), &json!("n2")));
    let p50 = |side: &str| change[format!("{side}_p50_ns")].as_u64().unwrap();
    assert!(p50("after") > p50("before") * 11 / 10, "{change}");
    let began = change["began_unix_ns"].as_i64().unwrap();
    assert!((began - moved).abs() < 4 * SECOND, "{change}");
    let text = setup.ask(&coordinator, &["why", "--source", "rows"]).out;
    assert!(
        text.contains("owner of csv") && text.contains("went from n0 to n2"),
        "{text}"
    );

    let by_place = setup.json(&coordinator, &["whatif", "--without", "disk:n1/disk0"]);
    let by_serial = setup.json(&coordinator, &["whatif", "--without", "disk:sim-01-00"]);
    assert_eq!(by_place["without"], by_serial["without"]);
    assert_eq!(by_serial["without"][0]["disk"], json!("disk0"));
    let unknown = setup.ask(&coordinator, &["whatif", "--without", "disk:SIM-99-00"]);
    assert_fails(&unknown, 2, &["there is no disk `SIM-99-00`", "serial number"]);
}
