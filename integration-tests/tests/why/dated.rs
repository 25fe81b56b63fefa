//! A latency that changed with something that happened, and a drive that goes by its serial number.

use std::path::Path;

use fathom_capture::{StateRow, read_state, state_file, write_state};
use fathom_integration_tests::process::assert_fails;
use fathom_lab::simulate::{prepare, write};
use fathom_lab::simulator::config::Arrival;
use fathom_lab::simulator::scenario::Options;
use fathom_lab::simulator::{Scenario, simulate};
use fathom_model::state::Kind;
use serde_json::{Value, json};

use super::Setup;

const SECOND: i64 = 1_000_000_000;

/// Writes into a recording's state that the owner of vol0 is another from a second on; when that was, on the reader's clock.
fn move_owner(recording: &Path, second: i64) -> i64 {
    let path = state_file(recording).unwrap();
    let mut rows = read_state(&path, None).unwrap();
    let owned = |row: &StateRow| match row {
        StateRow::Observation(row) if row.kind == Kind::Csv && row.text("volume") == Some("vol0") => Some(row.clone()),
        _ => None,
    };
    let first = rows.iter().find_map(owned).unwrap();
    assert_eq!(first.text("owner"), Some("n0"));
    let moved = first.observed_unix_nanos + second * SECOND;
    let mut now = first.clone().with("owner", "n2");
    now.observed_unix_nanos = moved;
    let later = |row: &StateRow| match row {
        StateRow::Observation(row) => row.node == first.node && row.observed_unix_nanos >= moved,
        StateRow::Sample(_) => false,
    };
    let at = rows.iter().position(later).unwrap();
    rows.insert(at, StateRow::Observation(now));
    write_state(&path, &rows).unwrap();
    moved
}

#[test]
fn ownership_that_moved_when_writes_became_slow_is_told_with_both() {
    let setup = Setup::new();
    // The links of n1 are slow from 18 to 42 s.
    let recording = setup.simulate("run", "link-slow", &["--seconds", "60", "--nodes", "3"], "");
    let moved = move_owner(&recording, 18);

    let coordinator = setup.coordinator(&[]);
    setup.play(&coordinator, &recording);
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

#[test]
fn tables_tell_it_as_well_to_a_bucket_of_theirs() {
    let setup = Setup::new();
    let mut config = Scenario::LinkSlow.config(&Options {
        nodes: Some(3),
        seconds: Some(300.0),
        ..Options::default()
    });
    for volume in &mut config.volumes {
        volume.arrival = Arrival::Rate(60.0);
    }
    config.faults[0].from_seconds = 150.0;
    config.faults[0].until_seconds = None;
    let recording = setup.home.path().join("run");
    prepare(&recording, false).unwrap();
    write(&simulate(&config).unwrap(), "an owner that moved", &recording).unwrap();
    let moved = move_owner(&recording, 150);
    let coordinator = setup.coordinator(&[]);
    setup.play(&coordinator, &recording);

    let told = |source: &str| {
        let why = setup.json(&coordinator, &["why", "--source", source]);
        assert_eq!(why["source"]["kind"], source);
        let changes = why["changes"].as_array().unwrap().clone();
        assert_eq!(changes.len(), 1, "{source}: {why}");
        changes[0].clone()
    };
    let (rows, tables) = (told("rows"), told("tables"));
    for same in [
        "of",
        "volume",
        "kind",
        "id",
        "attribute",
        "before",
        "after",
        "from_unix_ns",
        "at_unix_ns",
    ] {
        assert_eq!(rows[same], tables[same], "{same}");
    }
    assert_eq!(tables["resolution_ns"], json!(10 * SECOND));
    // A sixtieth of what there is.
    let of_rows = rows["resolution_ns"].as_i64().unwrap();
    assert!((4 * SECOND..6 * SECOND).contains(&of_rows), "{rows}");
    let began = tables["began_unix_ns"].as_i64().unwrap();
    assert!((began - moved).abs() <= 20 * SECOND, "{tables}");
    let p50 = |change: &Value, side: &str| change[format!("{side}_p50_ns")].as_f64().unwrap();
    for side in ["before", "after"] {
        let ratio = p50(&tables, side) / p50(&rows, side);
        // Of other pieces of the same stretch, and to 1 %.
        assert!((0.95..1.05).contains(&ratio), "{side}: {rows} {tables}");
    }
    let text = setup.ask(&coordinator, &["why", "--source", "tables"]).out;
    assert!(text.contains("(to 10.0 s): writes of vol0"), "{text}");
    // Asked of one volume it is told of that one, and of another it is not.
    let of = |volume: &str| setup.json(&coordinator, &["why", "--source", "tables", "--volume", volume]);
    assert_eq!(of("vol0")["changes"].as_array().unwrap().len(), 1);
    assert_eq!(of("vol1")["changes"], json!([]));
}
