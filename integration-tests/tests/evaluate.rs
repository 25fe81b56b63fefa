//! `fathom evaluate` as a user meets it: the document, scenarios of a file, and what it refuses.

use std::fs;

use fathom_integration_tests::process::{Program, assert_fails};
use serde_json::Value;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

const FILE: &str = r#"
[[scenario]]
name = "slow"
[scenario.config]
seconds = 25.0
faults = [{ from-seconds = 8.0, what = { slow-disk = { on = { node = 1, disk = 2 }, factor = 8.0, add-micros = 0.0 } } }]

[[scenario]]
name = "well"
[scenario.config]
seconds = 20.0
"#;

#[test]
fn file_of_scenarios_is_run_and_scored_in_one_document() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("mine.toml");
    fs::write(&path, FILE).unwrap();
    let path = path.display().to_string();
    let ran = program().run(["evaluate", &path, "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document = ran.json();
    for key in [
        "n",
        "top1",
        "top3",
        "n_two_faults",
        "top1_two_faults",
        "time_to_name_p90_s",
        "healthy_cluster_days",
        "false_findings",
        "n_what_if",
        "what_if_within_10_percent",
        "what_if_error_p90",
        "by_kind",
    ] {
        assert!(document.get(key).is_some(), "{key}: {document}");
    }
    assert_eq!(document["schema"], 1);
    assert_eq!(document["seeds"], serde_json::json!({"from": 0, "until": 2}));
    assert_eq!(
        (&document["n"], &document["top1"]),
        (&Value::from(1), &Value::from(1.0))
    );
    assert_eq!(
        (&document["n_two_faults"], &document["top1_two_faults"]),
        (&Value::from(0), &Value::Null)
    );
    assert_eq!(document["false_findings"], 0);
    assert_eq!(document["by_kind"]["slow-disk"]["n"], 1);
    assert_eq!(document["scenarios"].as_array().unwrap().len(), 2);
    assert!(ran.err.contains("seed 0: slow"), "{}", ran.err);
    let again = program().run(["evaluate", &path, "-o", "json", "--threads", "1"]);
    assert_eq!(again.json(), document, "the number of threads changes nothing");
}

#[test]
fn seeds_of_the_catalogue_are_shown_as_a_table() {
    let ran = program().run(["evaluate", "--seeds", "4..5"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("Single faults: 1 scored"), "{}", ran.out);
}

#[test]
fn evaluate_refuses_what_it_cannot_do() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("mine.toml");
    let file = path.display().to_string();
    assert_fails(&program().run(["evaluate", "--seeds", "5"]), 2, &["A..B"]);
    assert_fails(&program().run(["evaluate", "--seeds", "5..5"]), 2, &["not included"]);
    assert_fails(&program().run(["evaluate", &file]), 1, &["mine.toml"]);
    for (text, cause) in [
        ("[[scenario]]\nname = 3\n", "mine.toml"),
        ("", "scenario"),
        (
            "[[scenario]]\nname = \"a\"\n[[scenario]]\nname = \"a\"\n",
            "a name of its own",
        ),
        ("[[scenario]]\nname = \"a\"\nconfig = { nodes = 17 }\n", "nodes is 17"),
        (
            "[[scenario]]\nname = \"a\"\n[[scenario.truth]]\nfault = 0\nnames = []\n",
            "faults[0]",
        ),
    ] {
        fs::write(&path, text).unwrap();
        assert_fails(&program().run(["evaluate", &file]), 2, &[cause, "0015-evaluate"]);
    }
    let help = program().run(["evaluate", "--help"]);
    assert!(help.out.contains("fathom evaluate mine.toml"), "{}", help.out);
}
