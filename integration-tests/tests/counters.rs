//! Readings of counters, from a node to the command line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Process, Program, Ran, finished};
use serde_json::Value;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

fn ask(certificates: &Certificates, coordinator: &Process, arguments: &[&str]) -> Ran {
    program().ask(certificates, &coordinator.address, arguments)
}

/// Every reading of a counter that a node's recording has, by time.
fn recorded(node: &str, id: &str, name: &str) -> Vec<(i64, f64)> {
    let file = std::fs::File::open(fixture::recording("state-tcp-fallback").join("state.jsonl.zst")).unwrap();
    let text = std::io::read_to_string(zstd::Decoder::new(file).unwrap()).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut found: Vec<(i64, f64)> = rows
        .map(|row| row.get("sample").cloned().unwrap_or(row))
        .filter(|row| row["node"] == node && row["id"] == id && row["name"] == name)
        .map(|row| {
            (
                row["observed_unix_nanos"].as_i64().unwrap(),
                row["value"].as_f64().unwrap(),
            )
        })
        .collect();
    found.sort_by_key(|(at, _)| *at);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_shown_as_they_were_read() {
    let home = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(&home.path().join("pki"));
    let mut coordinator = program().coordinator(&certificates, &home.path().join("store"), &[]);
    let never = ask(&certificates, &coordinator, &["counters"]);
    assert_ne!(never.code, 0, "no cluster is known: {}", never.out);
    let recording = fixture::recording("state-tcp-fallback");
    let nodes = ["n0", "n1", "n2"];
    let mut daemons =
        nodes.map(|node| program().node(&certificates, &coordinator.address, &recording, node, home.path(), &[]));
    finished(&certificates, &coordinator.address).await;
    daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.wait(), 0));

    let expected = recorded("n1", "n1/disk1", "physical_disk.write_bytes_per_s");
    assert!(expected.len() > 2, "{expected:?}");
    let arguments = [
        "counters",
        "--node",
        "n1",
        "--name",
        "N1/disk1",
        "--counter",
        "write_bytes",
        "-o",
        "json",
    ];
    let said = ask(&certificates, &coordinator, &arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    let document = said.json();
    let series = document["series"].as_array().unwrap();
    assert_eq!(series.len(), 1, "{document}");
    let readings: Vec<(i64, f64)> = series[0]["readings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reading| {
            (
                reading["observed_unix_ns"].as_i64().unwrap(),
                reading["value"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(readings, expected);

    // As it was then, and what a short look back has.
    let (moment, _) = expected[expected.len() - 2];
    let at = jiff::Timestamp::from_nanosecond(moment.into()).unwrap().to_string();
    let then = ask(
        &certificates,
        &coordinator,
        &[&arguments[..], &["--at", &at, "--since", "1ms"]].concat(),
    )
    .json();
    assert_eq!(then["series"][0]["readings"].as_array().unwrap().len(), 1, "{then}");
    assert_eq!(then["until_unix_ns"].as_i64(), Some(moment));

    let table = ask(&certificates, &coordinator, &["counters", "--counter", "write_bytes"]).out;
    assert!(
        table.contains("physical_disk.write_bytes_per_s") && table.contains("n2/disk2"),
        "{table}"
    );
    let none = ask(&certificates, &coordinator, &["counters", "--counter", "no-such"]);
    assert_eq!(none.code, 0);
    assert!(none.out.contains("no such counter was read"), "{}", none.out);
    let kind = ask(&certificates, &coordinator, &["counters", "--kind", "no-such"]);
    assert_eq!(kind.code, 2, "{}", kind.err);
    assert_eq!(coordinator.terminate(), 0);
}
