//! `fathom simulate` as a user meets it: what it writes is joined and blamed, and what it cannot do it refuses.

use std::fs;
use std::path::Path;

use fathom_integration_tests::process::{Program, assert_fails};
use serde_json::Value;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn simulated_cluster_is_written_joined_and_blamed() {
    let home = tempfile::tempdir().unwrap();
    let folder = text(&home.path().join("slow"));
    let ran = program().run([
        "simulate",
        &folder,
        "--scenario",
        "slow-disk",
        "--seed",
        "3",
        "-o",
        "json",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document = ran.json();
    assert_eq!(
        (&document["schema"], &document["run"]),
        (&Value::from(1), &Value::from("slow-disk"))
    );
    assert_eq!(document["simulated"]["writes"], 30_000);
    let ran = program().run(["score", &folder, "--check"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = program().run(["replay", &folder, "-o", "json"]);
    let document = ran.json();
    assert_eq!(
        (&document["culprit"]["kind"], &document["culprit"]["node"]),
        (&Value::from("disk"), &Value::from("n1"))
    );
}

#[test]
fn simulate_says_what_it_can_and_prints_what_it_would_do() {
    let ran = program().run(["simulate", "--list"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("hot-spot") && ran.out.contains("clock-step-back"),
        "{}",
        ran.out
    );
    let home = tempfile::tempdir().unwrap();
    let ran = program().run(["simulate", "--scenario", "columns", "--writes", "300", "--show-config"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let config = home.path().join("my.toml");
    fs::write(&config, &ran.out).unwrap();
    let (first, second) = (home.path().join("first"), home.path().join("second"));
    let ran = program().run(["simulate", &text(&first), "--config", &text(&config)]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("300 writes"), "{}", ran.out);
    let ran = program().run(["simulate", &text(&second), "--scenario", "columns", "--writes", "300"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let events = |folder: &Path| fs::read(folder.join("events-n2.jsonl.zst")).unwrap();
    assert_eq!(events(&first), events(&second));
}

#[test]
fn simulate_refuses_what_it_cannot_do() {
    let home = tempfile::tempdir().unwrap();
    let folder = text(&home.path().join("new"));
    let simulate = |arguments: &[&str]| {
        let mut all = vec!["simulate"];
        all.extend(arguments);
        program().run(all)
    };
    assert_fails(&simulate(&[]), 2, &["<DIR>"]);
    assert_fails(
        &simulate(&[&folder, "--scenario", "slow-disc"]),
        2,
        &["slow-disc", "slow-disk"],
    );
    assert_fails(
        &simulate(&[&folder, "--nodes", "17"]),
        2,
        &["nodes is 17", "from 1 to 16"],
    );
    assert_fails(
        &simulate(&[&folder, "--scenario", "repair", "--nodes", "1"]),
        2,
        &["from 2 to 16"],
    );
    assert_fails(&simulate(&[&folder, "--taps", "some"]), 2, &["windows-offset"]);
    assert_fails(&simulate(&[&folder, "--seconds", "NaN"]), 2, &["seconds is NaN"]);
    let config = home.path().join("my.toml");
    assert_fails(&simulate(&[&folder, "--config", &text(&config)]), 1, &["my.toml"]);
    fs::write(&config, "[disks]\ncuont = 3\n").unwrap();
    assert_fails(
        &simulate(&[&folder, "--config", &text(&config)]),
        2,
        &["my.toml", "line 2", "cuont"],
    );
    assert!(!Path::new(&folder).exists(), "nothing is made for what is refused");
    let ran = simulate(&[&folder, "--writes", "50"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_fails(&simulate(&[&folder]), 2, &["not empty", "--force"]);
    let ran = simulate(&[&folder, "--writes", "50", "--force", "--nodes", "2"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!Path::new(&folder).join("events-n3.jsonl.zst").exists());
}
