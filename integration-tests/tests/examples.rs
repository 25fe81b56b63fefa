//! The demo of a fleet, and the examples for other languages, run as somebody would who has only the repository.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Process, Program};
use serde_json::Value;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples")
}

/// CI says `CI=true`: there nothing may be left out.
fn nothing_may_be_left_out() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// A Python with what the example needs; what is in the way, where there is none.
fn python(home: &Path) -> Result<PathBuf, String> {
    let run = |command: &mut Command| {
        let ran = command.output().map_err(|error| format!("{command:?}: {error}"))?;
        match ran.status.success() {
            true => Ok(()),
            false => Err(format!(
                "{command:?}: {}",
                String::from_utf8_lossy(&ran.stderr).trim_end()
            )),
        }
    };
    let venv = home.join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let python = venv.join("bin").join("python");
    let requirements = examples().join("python").join("requirements.txt");
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "-r"])
        .arg(requirements))?;
    Ok(python)
}

#[test]
fn python_client_from_our_protos_asks_a_fleet_and_repeats_itself_without_harm() {
    let home = tempfile::tempdir().unwrap();
    let python = match python(home.path()) {
        Ok(python) => python,
        Err(missing) => {
            let needs = "the Python example needs python3 with venv, and pip with a way to PyPI";
            assert!(!nothing_may_be_left_out(), "it cannot run: {needs}: {missing}");
            eprintln!("left out: {needs}: {missing}");
            return;
        }
    };
    let certificates = Certificates::new(&home.path().join("certificates"));
    let fleet = program().coordinator(&certificates, &home.path().join("fleet"), &["--role", "fleet"]);
    certificates.issue_user("berlin");
    let own = certificates.options("berlin");
    let options = [
        "--commit-every",
        "300ms",
        "--fleet",
        &fleet.address,
        "--site",
        "berlin",
        "--fleet-cert",
        &own[3],
        "--fleet-key",
        &own[5],
        "--fleet-allow",
        "read,remarks",
    ];
    let mut site = program().coordinator(&certificates, &home.path().join("berlin"), &options);
    let recording = fixture::recording("fault-slow-drive");
    let mut daemons: Vec<Process> = ["i0", "t0", "t1", "t2"]
        .iter()
        .map(|node| program().node(&certificates, &site.address, &recording, node, home.path(), &[]))
        .collect();
    daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.wait(), 0));

    let ask = |more: &[&str]| -> Output {
        Command::new(&python)
            .arg(examples().join("python").join("fleet_report.py"))
            .args(["--coordinator", fleet.address.trim_start_matches("https://")])
            .args(certificates.options("user"))
            .args(more)
            .output()
            .unwrap()
    };
    let report = |output: &Output| -> Value {
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    };
    let started = Instant::now();
    let told = loop {
        let output = ask(&["--ack", "ann"]);
        let told = report(&output);
        if told["clusters"][0]["findings"][0]["code"] == "DISK_SLOW" {
            assert_eq!(output.status.code(), Some(0), "{told:#}");
            break told;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{told:#}");
    };
    assert_eq!(told["clusters"][0]["site"], "berlin");
    assert_eq!(told["acknowledged"]["by"], "ann");
    assert_eq!(
        told["changes"],
        serde_json::json!(["acknowledged"]),
        "sent twice it happened once"
    );
    let services = told["services"].as_array().unwrap();
    assert!(
        services.contains(&"fathom.fleet.v1.FleetService".into()),
        "{services:?}"
    );
    // The same is known of the fleet without our files, by reflection alone.
    let entries = told["entries"].as_array().unwrap();
    let levels: Vec<&str> = entries.iter().map(|entry| entry["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["fleet", "site", "cluster"], "{entries:#?}");
    assert_eq!(
        (&entries[2]["site"], &entries[2]["cluster"]),
        (&Value::from("berlin"), &told["clusters"][0]["cluster"]),
        "{entries:#?}"
    );

    // All clusters were asked the same with one call.
    let together = &told["together"];
    let cluster = format!("berlin/{}", told["clusters"][0]["cluster"].as_str().unwrap());
    assert!(together["slowest_write_ns"][&cluster].is_u64(), "{together:#}");
    assert_eq!(together["missing"], serde_json::json!([]));

    // Who is missing is named, and the exit code says that somebody is.
    site.kill();
    let started = Instant::now();
    loop {
        let output = ask(&[]);
        let told = report(&output);
        if told["clusters"][0]["missing_since_unix_ns"].is_i64() {
            assert_eq!(output.status.code(), Some(4), "{told:#}");
            assert_eq!(told["clusters"][0]["error"]["code"], "UNAVAILABLE");
            assert_eq!(told["clusters"][0]["error"]["reason"], "SITE_MISSING");
            let missing = &told["together"]["missing"][0];
            assert_eq!(
                (&missing["site"], &missing["reason"]),
                (&"berlin".into(), &"SITE_MISSING".into())
            );
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{told:#}");
    }
}

#[test]
fn demo_of_a_fleet_goes_from_three_clusters_to_the_one_drive() {
    let started = Instant::now();
    let ran = program().run(["demo", "--fleet", "--once", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}: {}",
        started.elapsed(),
        ran.err
    );
    let document = ran.json();
    let clusters = document["clusters"]["clusters"].as_array().unwrap();
    let states: Vec<&str> = clusters
        .iter()
        .map(|cluster| cluster["state"].as_str().unwrap())
        .collect();
    assert_eq!(states.len(), 3);
    assert_eq!((states[0], states[2]), ("ok", "unknown"), "{states:?}");
    assert!(["degraded", "critical"].contains(&states[1]), "{states:?}");
    assert_eq!(document["fleet"]["fleet"]["clusters"]["ok"], 1);
    let findings = document["findings"]["findings"].as_array().unwrap();
    assert_eq!(
        (findings.len(), &findings[0]["code"]),
        (1, &Value::from("DISK_SLOW")),
        "{findings:#?}"
    );
    let culprit = &document["why"]["culprit"];
    assert_eq!(
        (&culprit["kind"], &culprit["node"]),
        (&Value::from("disk"), &findings[0]["node"]),
        "{culprit:#}"
    );
    assert_eq!(culprit["disk"], findings[0]["disk"]);
    // What a person sees: the commands, each with its answer.
    let ran = program().run(["demo", "--fleet", "--once"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for text in [
        "$ fathom fleet\n",
        "$ fathom why --cluster prod-2",
        "berlin",
        "oslo",
        "DISK_SLOW",
    ] {
        assert!(ran.out.contains(text), "{text}: {}", ran.out);
    }
}
