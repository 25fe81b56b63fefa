//! The rules on made-up workspaces.

use std::path::PathBuf;

use super::*;

/// A crate that keeps every rule about itself, with ordinary dependencies. `:dev` or `:build` after a name is its kind.
fn member(folder: &str, dependencies: &[&str]) -> Member {
    Member {
        name: format!("{PREFIX}{folder}"),
        folder: folder.to_owned(),
        dependencies: dependencies.iter().map(|name| dependency(name)).collect(),
        inherits_lints: true,
        mod_files: Vec::new(),
    }
}

fn dependency(text: &str) -> Dependency {
    let (name, kind) = match text.split_once(':') {
        None => (text, None),
        Some((name, "dev")) => (name, Some(Kind::Dev)),
        Some((name, _)) => (name, Some(Kind::Build)),
    };
    Dependency {
        name: name.to_owned(),
        kind,
        path: None,
    }
}

/// The faults as they are printed.
fn faults(members: &[Member]) -> Vec<String> {
    check(members).iter().map(Fault::to_string).collect()
}

#[track_caller]
fn allowed(folder: &str, dependencies: &[&str]) {
    assert_eq!(faults(&[member(folder, dependencies)]), Vec::<String>::new());
}

#[track_caller]
fn refused(folder: &str, dependency: &str, rule: &str) {
    let faults = faults(&[member(folder, &[dependency])]);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains(rule), "{}", faults[0]);
}

#[test]
fn arrows_of_the_table_are_allowed() {
    allowed("model", &["serde"]);
    allowed("sources", &["fathom-capture", "fathom-model", "fathom-simulate"]);
    allowed(
        "node-daemon",
        &["fathom-proto", "fathom-runtime", "fathom-segment-log", "fathom-sources"],
    );
    allowed("coordinator", &["fathom-diagnose", "fathom-join", "fathom-store"]);
    allowed("cli", &["fathom-coordinator", "fathom-lab", "fathom-node-daemon"]);
    allowed("xtask", &["fathom-cli", "fathom-store", "fathom-proto:build"]);
}

#[test]
fn layer_0_imports_nothing_of_ours() {
    refused("runtime", "fathom-model", "runtime may import nothing of ours");
}

#[test]
fn layer_1_crates_do_not_import_each_other() {
    refused("join", "fathom-store", "join may import only model");
    refused("join", "fathom-store:build", "fathom-store (build)");
}

#[test]
fn the_two_roles_do_not_import_each_other() {
    refused(
        "node-daemon",
        "fathom-coordinator",
        "node-daemon may import only model, runtime",
    );
    refused(
        "coordinator",
        "fathom-node-daemon",
        "coordinator may import only model, runtime",
    );
}

#[test]
fn nothing_imports_layer_3() {
    refused(
        "cli",
        "fathom-integration-tests:dev",
        "nothing may import integration-tests",
    );
    refused("bench", "fathom-xtask", "nothing may import xtask");
}

#[test]
fn layer_1_may_use_recordings_in_its_tests_only() {
    allowed("join", &["fathom-capture:dev"]);
    refused("join", "fathom-capture", "join may import only model");
    refused("model", "fathom-capture:dev", "model may import nothing of ours");
    refused("join", "fathom-simulate:dev", "fathom-simulate (dev)");
}

#[test]
fn an_arrow_to_a_folder_outside_the_table_is_a_fault() {
    let mut cli = member("cli", &["helpful"]);
    cli.dependencies[0].path = Some(PathBuf::from("vendor/helpful"));
    let faults = faults(&[cli]);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("fathom-cli -> helpful: an arrow ends at a crate of the layer table"));
}

#[test]
fn only_the_edges_know_grpc() {
    allowed("proto", &["prost", "tonic", "tonic-prost-build:build"]);
    refused("store", "tonic", "may know tonic, prost");
    refused("lab", "prost-types:dev", "may know tonic, prost");
}

#[test]
fn only_store_and_tests_know_parquet() {
    allowed("store", &["arrow-array", "object_store", "parquet"]);
    allowed("coordinator", &["parquet:dev"]);
    refused(
        "coordinator",
        "arrow-schema",
        "only store, integration-tests, bench may know",
    );
    refused("lab", "object_store", "only store, integration-tests, bench may know");
}

#[test]
fn a_name_that_merely_begins_alike_is_free() {
    allowed("lab", &["arrowhead", "prosty", "tokiometer"]);
}

#[test]
fn tokio_stays_at_the_edges_and_in_the_store() {
    allowed("store", &["tokio"]);
    refused("sources", "tokio", "may know tokio");
    refused("capture", "tokio-util:dev", "may know tokio");
}

#[test]
fn pure_crates_neither_wait_nor_log() {
    allowed("sources", &["tracing"]);
    for folder in ["model", "join", "diagnose", "simulate"] {
        refused(folder, "tokio", "know nothing of tokio, tracing");
        refused(folder, "tracing", "know nothing of tokio, tracing");
    }
}

#[test]
fn every_member_stands_in_the_table() {
    let faults = faults(&[member("utils", &["fathom-model"])]);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("fathom-utils: every member stands in the layer table"));
}

#[test]
fn a_package_is_named_after_its_folder() {
    let join = Member {
        name: "fathom-joins".to_owned(),
        ..member("join", &[])
    };
    assert_eq!(
        faults(&[join]),
        [
            "fathom-joins: a package is called fathom- and its folder, which is join; \
             rename the package to fathom-join, or move it"
        ]
    );
}

#[test]
fn every_crate_inherits_the_lints() {
    let join = Member {
        inherits_lints: false,
        ..member("join", &[])
    };
    assert!(faults(&[join])[0].contains("inherits the workspace's lints"));
}

#[test]
fn a_mod_file_is_a_fault() {
    let join = Member {
        mod_files: vec![PathBuf::from("src/clock/mod.rs")],
        ..member("join", &[])
    };
    assert!(faults(&[join])[0].contains("src/clock/mod.rs"));
}

#[test]
fn every_fault_is_told() {
    let members = [
        member("join", &["fathom-store", "tokio"]),
        member("proto", &["fathom-join"]),
    ];
    assert_eq!(faults(&members).len(), 3);
}
