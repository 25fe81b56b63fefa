//! What I/Os add up to stands in the same records as they do: after any kill once, and what is answered of it is what the I/Os say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Process, Program, Ran, assert_fails, finished};
use fathom_lab::diagnosis::tally::{Tally, Totals};
use fathom_model::cell::{Cells, KeptAttribution, Moments, OfKind};
use fathom_model::{Catalog, ClusterId};
use fathom_store::blobs::Blobs;
use fathom_store::paths::Table;
use fathom_store::{
    Ask, FileEntry, Span, manifest, read_attribution, read_latency, read_rows, read_seconds, sum_attribution,
    sum_latency,
};
use serde_json::Value;

const RECORDING: &str = "fault-slow-drive";
const NODES: [&str; 4] = ["i0", "t0", "t1", "t2"];

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

struct Setup {
    home: tempfile::TempDir,
    certificates: Certificates,
}

impl Setup {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(&home.path().join("certificates"));
        Self { home, certificates }
    }

    fn store(&self) -> PathBuf {
        self.home.path().join("store")
    }

    fn coordinator(&self, more: &[&str]) -> Process {
        let mut options = vec!["--commit-every", "100ms"];
        options.extend(more);
        program().coordinator(&self.certificates, &self.store(), &options)
    }

    fn node(&self, coordinator: &Process, node: &str, more: &[&str]) -> Process {
        let recording = fixture::recording(RECORDING);
        let home = self.home.path();
        program().node(&self.certificates, &coordinator.address, &recording, node, home, more)
    }

    fn ask(&self, coordinator: &Process, arguments: &[&str]) -> Ran {
        program().ask(&self.certificates, &coordinator.address, arguments)
    }

    fn json(&self, coordinator: &Process, arguments: &[&str], source: &str) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["--source", source, "-o", "json"]);
        let ran = self.ask(coordinator, &all);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let answer = ran.json();
        assert_eq!(answer["source"]["kind"], source, "{answer}");
        answer
    }
}

/// What a store's cells say, and what its rows add up to, each without what is learnt in passing.
async fn both(store: &Path) -> (Cells, Cells, usize) {
    let blobs = Blobs::open_folder(store).unwrap();
    let cluster = ClusterId::new("test");
    let newest = manifest::newest::<Value>(&blobs, &cluster).await.unwrap().unwrap();
    let (mut names, mut stored, mut tally) = (Catalog::default(), Cells::default(), Tally::default());
    let mut files = 0;
    for file in &newest.files {
        files += usize::from(file.table == Table::Latency);
        read_latency(&blobs, file, &mut names, |bucket, key, kept| {
            stored.latency.cells.entry((bucket, key)).or_default().merge_bins(kept)
        })
        .await
        .unwrap();
        let add = |bucket, key, kept: &KeptAttribution<'_>| {
            let own = stored.attribution.cells.entry((bucket, key)).or_default();
            own.merge_kept(kept)
        };
        read_attribution(&blobs, file, &mut names, add).await.unwrap();
        let add = |key, moments: Moments| stored.seconds.add(key, &moments);
        read_seconds(&blobs, file, Span::ALL, &mut names, add).await.unwrap();
        if let Some(rows) = read_rows(&blobs, &cluster, file, &mut names).await.unwrap() {
            tally.add(&rows, &names);
        }
    }
    assert_sums_agree(&blobs, &newest.files, &stored, &mut names).await;
    let mut counted = tally.take();
    for cells in [&mut stored, &mut counted] {
        let all = cells.attribution.cells.values_mut();
        all.for_each(|cell| cell.expected_millionths = 0);
    }
    (stored, counted, files)
}

/// What is read of a whole store, sums in place of cells where there are any, is what all cells add up to.
async fn assert_sums_agree(blobs: &Blobs, files: &[FileEntry], stored: &Cells, names: &mut Catalog) {
    let ask = Ask {
        span: Span::ALL,
        since: 0,
        volume: None,
        op: None,
        kinds: &OfKind::ALL,
        with_sketches: true,
    };
    let (mut expected, mut found) = (Totals::default(), Totals::default());
    expected.add(stored);
    let (latency, attribution) = (&mut found.latency, &mut found.attribution);
    sum_latency(blobs, files, &ask, names, |key, kept| {
        latency.entry(key).or_default().merge_bins(kept)
    })
    .await
    .unwrap();
    sum_attribution(blobs, files, &ask, names, |to, kept| {
        attribution.entry(to).or_default().merge_kept(kept)
    })
    .await
    .unwrap();
    assert!(found.latency == expected.latency, "latencies");
    assert!(found.attribution == expected.attribution, "attribution");
    let merged = |table: Table| {
        let own = files
            .iter()
            .filter(|file| file.table == table && file.path.contains("-m"));
        own.count()
    };
    let single = files.iter().filter(|file| file.table == Table::Latency).count() - merged(Table::Latency);
    assert!(single < 32, "as many as that are put together: {single}");
    assert_eq!(merged(Table::Latency), merged(Table::LatencySums));
    assert_eq!(merged(Table::Attribution), merged(Table::AttributionSums));
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Two documents are the same, percentiles to 1 % and a little, shares of what was learnt to 2 of 100.
fn assert_agree(rows: &Value, tables: &Value, at: &str) {
    match (rows, tables) {
        (Value::Object(one), Value::Object(other)) => {
            assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{at}");
            for (key, value) in one.iter().filter(|(key, _)| *key != "source") {
                assert_agree(value, &other[key], &format!("{at}.{key}"));
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{at}");
            for (number, (one, other)) in one.iter().zip(other).enumerate() {
                assert_agree(one, other, &format!("{at}[{number}]"));
            }
        }
        _ if at.ends_with("p50_ns") || at.ends_with("p95_ns") || at.ends_with("p99_ns") => {
            let (one, other) = (number(rows), number(tables));
            assert!((one - other).abs() <= one * 0.011, "{at}: {rows} {tables}");
        }
        _ if at.ends_with("expected_share") => {
            assert!((number(rows) - number(tables)).abs() < 0.02, "{at}: {rows} {tables}");
        }
        _ => assert_eq!(rows, tables, "{at}"),
    }
}

fn assert_answers_agree(setup: &Setup, coordinator: &Process) {
    let questions: &[&[&str]] = &[
        &["latency"],
        &["latency", "--by", "tap"],
        &["latency", "--by", "disk"],
        &["latency", "--by", "volume", "--volume", "vol0"],
        &["latency", "--by", "pair"],
        &["latency", "--op", "read"],
        &["whatif"],
        &["whatif", "--without", "disk:t1/disk0"],
        &["whatif", "--volume", "vol0", "--without", "link:i0-t1"],
    ];
    for question in questions {
        let rows = setup.json(coordinator, question, "rows");
        let tables = setup.json(coordinator, question, "tables");
        assert_agree(&rows, &tables, &question.join(" "));
    }
    let (rows, tables) = (
        setup.json(coordinator, &["why"], "rows"),
        setup.json(coordinator, &["why"], "tables"),
    );
    for part in ["last_copies", "joined", "unseen", "slowest_write_id", "newest_unix_ns"] {
        assert_agree(&rows[part], &tables[part], part);
    }
    // Of tables it is what was found while the writes came.
    for answer in [&rows, &tables] {
        let culprit = &answer["culprit"];
        assert_eq!(
            [&culprit["kind"], &culprit["node"], &culprit["disk"]],
            ["disk", "t1", "disk0"],
            "{answer}"
        );
    }
    assert!(!tables["culprit"]["evidence"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_killed_again_and_again_counts_nothing_twice() {
    let setup = Setup::new();
    let mut coordinator = setup.coordinator(&[]);
    let port = coordinator.address.rsplit(':').next().unwrap().to_owned();
    let listen = format!("127.0.0.1:{port}");
    let more = ["--pace", "6", "--batch-events", "700"];
    let mut daemons: Vec<Process> = NODES.iter().map(|node| setup.node(&coordinator, node, &more)).collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(daemons.iter_mut().all(Process::runs), "it is killed in the middle");
        coordinator.kill();
        coordinator = setup.coordinator(&["--listen", &listen]);
    }
    finished(&setup.certificates, &coordinator.address).await;
    daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.wait(), 0));
    assert_answers_agree(&setup, &coordinator);
    drop(coordinator);
    let (stored, counted, _) = both(&setup.store()).await;
    assert!(!counted.is_empty());
    assert_eq!(stored.latency.cells.len(), counted.latency.cells.len());
    assert!(stored == counted, "cells are those of the rows beside them");
}

#[tokio::test(flavor = "multi_thread")]
async fn store_of_before_there_were_tables_is_read_row_by_row_and_goes_on_with_them() {
    let setup = Setup::new();
    let mut coordinator = setup.coordinator(&[]);
    let mut daemons: Vec<Process> = NODES.iter().map(|node| setup.node(&coordinator, node, &[])).collect();
    finished(&setup.certificates, &coordinator.address).await;
    daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.wait(), 0));
    let before = setup.json(&coordinator, &["latency", "--by", "disk"], "tables");
    assert_eq!(coordinator.terminate(), 0);
    // As a version leaves it that knows nothing of the tables: whatever lies there is not said to be whole.
    let folder = setup.store().join("manifest/cluster=test");
    let newest = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max()
        .unwrap();
    let mut record: Value = serde_json::from_slice(&std::fs::read(&newest).unwrap()).unwrap();
    for table in ["cells_since", "seconds_since"] {
        assert!(record["state"].as_object_mut().unwrap().remove(table).is_some());
    }
    std::fs::write(&newest, serde_json::to_vec(&record).unwrap()).unwrap();
    let coordinator = setup.coordinator(&[]);
    let after = setup.json(&coordinator, &["latency", "--by", "disk"], "tables");
    assert_agree(&before["latency"], &after["latency"], "latency");
    assert_answers_agree(&setup, &coordinator);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tables_cannot_tell_is_refused_and_else_told_of_rows() {
    let setup = Setup::new();
    let coordinator = setup.coordinator(&[]);
    let mut daemons: Vec<Process> = NODES.iter().map(|node| setup.node(&coordinator, node, &[])).collect();
    finished(&setup.certificates, &coordinator.address).await;
    daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.wait(), 0));
    let ran = setup.ask(&coordinator, &["latency", "--node", "t1", "--source", "tables"]);
    assert_fails(&ran, 2, &["source", "node", "rows"]);
    let ran = setup.ask(
        &coordinator,
        &["latency", "--by", "disk", "--volume", "vol0", "--source", "tables"],
    );
    assert_fails(&ran, 2, &["source", "volume"]);
    // Without being told what to take it takes what can tell, and says which.
    let ran = setup.ask(&coordinator, &["latency", "--node", "t1", "-o", "json"]);
    assert_eq!(ran.json()["source"]["kind"], "rows", "{}", ran.err);
    // A stretch of tables begins with a whole minute, and the answer says where.
    let answer = setup.json(&coordinator, &["latency", "--since", "2s"], "tables");
    let from = answer["from_unix_ns"].as_i64().unwrap();
    assert_eq!(from.rem_euclid(60_000_000_000), 0);
    assert!(answer["newest_unix_ns"].as_i64().unwrap() - from >= 2_000_000_000);
    let told = setup.ask(&coordinator, &["whatif", "--source", "tables"]);
    assert!(told.err.contains("within 1 %"), "{}", told.err);
}
