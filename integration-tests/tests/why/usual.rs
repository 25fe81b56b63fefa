//! What is usual: learnt, kept over restarts, and what is found is told against it.

use fathom_model::baseline::{Hour, Place, Size, Subject};
use fathom_model::cell::Cells;
use fathom_model::{Catalog, JoinedRows, Op, Tap};
use fathom_store::blobs::Blobs;
use fathom_store::{Commit, Owner};
use serde_json::{Value, json};

use super::Setup;

const HOUR_NANOS: i64 = 3_600_000_000_000;

/// When the simulator's recordings begin.
const BEGIN: i64 = 1_790_000_000_000_000_000;

/// Six days of hours of 4 KiB writes up to the beginning of a simulated recording: at a drive of n1, and of vol0.
fn past() -> Vec<Hour> {
    let subject = |place: Place, tap: Tap| Subject {
        place,
        tap,
        op: Op::Write,
        size: Size::Small,
    };
    let drive = Place::Disk {
        node: "n1".to_owned(),
        disk: "disk0".to_owned(),
    };
    let of = [
        (subject(drive, Tap::Device), 300_000),
        (subject(Place::Volume("vol0".to_owned()), Tap::Volume), 900_000),
    ];
    let newest = BEGIN.div_euclid(HOUR_NANOS);
    let hours = (newest - 6 * 24)..newest;
    hours
        .flat_map(|hour| {
            of.iter().map(move |(subject, p99)| Hour {
                from_unix_nanos: hour * HOUR_NANOS,
                subject: subject.clone(),
                blocks: 12,
                values: 12_000,
                p50_nanos: p99 / 2,
                p99_nanos: Some(*p99),
                felt: false,
            })
        })
        .collect()
}

/// A store in which a coordinator of six days has learnt.
fn learn(setup: &Setup, hours: &[Hour]) {
    let folder = setup.home.path().join("store");
    std::fs::create_dir_all(&folder).unwrap();
    let blobs = Blobs::open_folder(&folder).unwrap();
    let state = json!({
        "join": {"streams": [], "clocks": [], "replies": [], "closed_without": []},
        "covered_until": {}, "ios": 0, "events": 0,
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut owner = Owner::<Value>::take_over(blobs, "test".into(), [9; 16], BEGIN)
            .await
            .unwrap();
        let (rows, catalog, cells) = (JoinedRows::default(), Catalog::default(), Cells::default());
        let commit = Commit {
            rows: &rows,
            catalog: &catalog,
            coverage: &[],
            observations: &[],
            samples: &[],
            findings: &[],
            slow_minutes: &[],
            baselines: hours,
            picture: None,
            cells: &cells,
            cells_since: 1,
            pending: &[],
            topologies: Vec::new(),
            state: state.clone(),
            now_unix_nanos: BEGIN,
        };
        owner.commit(commit).await.unwrap();
    });
    // The record that took over an empty store has no state of a coordinator yet.
    let first = folder.join("manifest/cluster=test/00000000000000000001.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&first).unwrap()).unwrap();
    record["state"] = state;
    std::fs::write(&first, record.to_string()).unwrap();
}

fn row(rows: &Value, is_it: impl Fn(&Value) -> bool) -> &Value {
    let all = rows.as_array().unwrap();
    all.iter().find(|row| is_it(row)).unwrap_or_else(|| panic!("{rows}"))
}

#[test]
fn slow_drive_is_told_against_its_own_past_which_outlives_kill_and_stop() {
    let setup = Setup::new();
    learn(&setup, &past());
    // The drive of n1 is slow from 18 s on for 24 s.
    let recording = setup.simulate("run", "slow-disk", &["--seconds", "60", "--nodes", "3"], "");
    let mut coordinator = setup.coordinator(&[]);
    let is_drive =
        |row: &Value| row["disk"] == "disk0" && row["node"] == "n1" && row["op"] == "write" && row["size"] == "4k";
    let learnt = setup.json(&coordinator, &["baselines", "--disk", "n1/disk0"]);
    let drive = row(&learnt["baselines"], is_drive);
    assert_eq!(
        (&drive["p99_ns"], &drive["learnt"]),
        (&json!(300_000), &json!(true)),
        "{drive}"
    );
    assert_eq!(drive["learnt_ns"], 6 * 24 * HOUR_NANOS);

    setup.play(&coordinator, &recording);
    let open = setup.open(&coordinator);
    assert_eq!(open.len(), 1, "{open:?}");
    let texts = |of: &Value| -> Vec<String> {
        let evidence = of["evidence"].as_array().unwrap().iter();
        evidence
            .map(|reason| reason["text"].as_str().unwrap().to_owned())
            .collect()
    };
    let compared = |of: &Value| {
        let texts = texts(of);
        let own = texts
            .iter()
            .filter(|text| text.starts_with("against its own past: p99 of writes of up to 4 KiB at the drive "));
        let own: Vec<&String> = own.collect();
        assert_eq!(own.len(), 1, "{texts:?}");
        assert!(own[0].contains("; usual here 300 us, learnt over 6 days"), "{own:?}");
    };
    compared(&open[0]);
    let why = setup.json(&coordinator, &["why", "--source", "rows"]);
    compared(&why["culprit"]);
    let against = row(&why["against_usual"], |row| is_drive(&row["usual"]));
    assert_eq!(
        (&against["worse"], &against["usual"]["p99_ns"]),
        (&json!(true), &json!(300_000)),
        "{against}"
    );
    assert!(against["p99_ns"].as_u64().unwrap() > 600_000, "{against}");
    let table = setup.ask(&coordinator, &["why", "--source", "rows"]);
    assert!(table.out.contains("Writes against what is usual\n"), "{}", table.out);
    // Of tables the finding says it, and how volumes are is told.
    let why = setup.json(&coordinator, &["why", "--source", "tables"]);
    compared(&why["culprit"]);
    row(&why["against_usual"], |row| row["usual"]["volume"] == "vol0");

    // A minute of trouble changes nothing, and what came is learnt too.
    let now = setup.json(&coordinator, &["baselines"]);
    let drive = row(&now["baselines"], is_drive);
    assert_eq!(drive["p99_ns"], 300_000, "{drive}");
    let of_cluster =
        |tap: &'static str| move |row: &Value| row["of"] == "cluster" && row["tap"] == tap && row["op"] == "write";
    for tap in ["volume", "initiator", "target", "device"] {
        let own = row(&now["baselines"], of_cluster(tap));
        assert_eq!(own["learnt"], false, "{own}");
    }
    let band = &row(&now["baselines"], of_cluster("volume"))["band"];
    assert_eq!(*band, json!({"share": "p99", "below_ns": 2_000_000}));
    coordinator.kill();
    coordinator = setup.coordinator(&[]);
    let again = setup.json(&coordinator, &["baselines"]);
    assert_eq!(again["baselines"], now["baselines"]);
    let table = setup.ask(&coordinator, &["baselines"]);
    assert!(
        table.out.contains("and ") && table.out.contains("vol0"),
        "{}",
        table.out
    );
    let changed = setup.json(&coordinator, &["baselines", "--changed"]);
    assert_eq!(changed["baselines"], json!([]));
}

#[test]
fn change_of_a_drive_is_dated_to_its_hour() {
    let setup = Setup::new();
    let mut hours = past();
    // Twice as slow for the last two days.
    let since = BEGIN.div_euclid(HOUR_NANOS) * HOUR_NANOS - 48 * HOUR_NANOS;
    for hour in hours.iter_mut().filter(|hour| hour.from_unix_nanos >= since) {
        hour.p50_nanos *= 2;
        hour.p99_nanos = hour.p99_nanos.map(|nanos| nanos * 2);
    }
    learn(&setup, &hours);
    let coordinator = setup.coordinator(&[]);
    let changed = setup.json(&coordinator, &["baselines", "--changed"]);
    let drive = row(&changed["baselines"], |row| row["of"] == "disk");
    let change = &drive["change"];
    assert_eq!(
        (&change["shape"], &change["share"]),
        (&json!("step"), &json!("p50")),
        "{drive}"
    );
    assert_eq!(change["began_unix_ns"], since, "{drive}");
    assert_eq!(
        (&change["before_ns"], &change["after_ns"]),
        (&json!(150_000), &json!(300_000))
    );
    assert_eq!(change["events"], json!([]));
}
