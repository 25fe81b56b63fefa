//! Redirection is told with its reason, and with ReFS not at all; encryption of volumes of the cluster alone.

use super::*;
use crate::conditions::Conditions;
use crate::conditions::tests::{SECOND, code, observation, read};

fn csv(node: &str, state: i64, file_system: Option<i64>, block: Option<i64>) -> Observation {
    let mut own = observation("a", Kind::Csv, &format!("Cluster Virtual Disk (vol0)/{node}"), 1)
        .with("name", "Cluster Virtual Disk (vol0)")
        .with("volume", "vol0")
        .with("node", node)
        .with("state", code(state, "state"));
    let reasons = [
        ("file_system_redirected_reason", file_system),
        ("block_redirected_reason", block),
    ];
    for (name, reason) in reasons {
        if let Some(reason) = reason {
            own = own.with(name, code(reason, "reason"));
        }
    }
    own
}

fn told(rows: Vec<Observation>) -> Vec<Condition> {
    let mut conditions = Conditions::default();
    let looked = read(&mut conditions, "a", Kind::Csv, rows, 5);
    assert_eq!(looked.sign, Sign::CsvRedirected);
    conditions.of(Sign::CsvRedirected).to_vec()
}

#[test]
fn volume_is_told_once_with_all_its_nodes_and_reasons() {
    let rows = vec![
        csv("a", 2, Some(0), Some(0)),
        csv("b", 3, Some(2), Some(0)),
        csv("c", 4, Some(0), Some(1)),
    ];
    let found = told(rows);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (
            found[0].kind.as_str(),
            found[0].node.as_str(),
            found[0].resource.as_deref()
        ),
        ("volume", "", Some("vol0"))
    );
    assert_eq!(found[0].nodes, ["b", "c"]);
    assert!(!found[0].only_if_felt);
    for words in [
        "file system redirected at b (a file system filter is not compatible)",
        "block redirected at c (the node has no connection to the disk)",
    ] {
        assert!(found[0].text.contains(words), "{}", found[0].text);
    }
    assert_eq!(
        (found[0].since_unix_ns, found[0].observations.len()),
        (Some(5 * SECOND), 2)
    );
}

#[test]
fn refs_redirects_by_design_and_what_is_not_known_is_not_told() {
    assert_eq!(told(vec![csv("b", 3, Some(32), None)]), []);
    assert_eq!(told(vec![csv("b", 3, None, None)]), [], "it may be for ReFS");
    assert_eq!(told(vec![csv("b", 1, None, None)]), [], "paused is not redirected");
    assert_eq!(
        told(vec![csv("b", 3, Some(33), None)]).len(),
        1,
        "somebody has asked for it besides"
    );
    assert_eq!(
        told(vec![csv("b", 4, None, None)]).len(),
        1,
        "no block is redirected by design"
    );
    assert!(told(vec![csv("b", 3, Some(8), None)])[0].only_if_felt);
}

#[test]
fn node_that_is_drained_is_left_out() {
    let mut conditions = Conditions::default();
    let node = observation("a", Kind::Node, "b", 1)
        .with("name", "b")
        .with("state", code(2, "Paused"));
    read(&mut conditions, "a", Kind::Csv, vec![csv("b", 3, Some(1), None)], 1);
    assert_eq!(conditions.of(Sign::CsvRedirected).len(), 1);
    conditions.add(&node);
    assert_eq!(conditions.of(Sign::CsvRedirected), []);
}

fn bitlocker(node: &str, volume: &str, protection: i64, conversion: i64) -> Observation {
    observation(node, Kind::Bitlocker, volume, 1)
        .with("volume", volume)
        .with("protection", code(protection, "protection"))
        .with("conversion", code(conversion, "conversion"))
}

#[test]
fn encryption_is_of_volumes_of_the_cluster_by_path_folder_or_name() {
    let mut conditions = Conditions::default();
    let path = r"\\?\Volume{1ab3}\";
    let shared = csv("a", 2, None, None).with("path", path);
    read(&mut conditions, "a", Kind::Csv, vec![shared], 1);
    let volumes = vec![
        bitlocker("a", r"\\?\volume{1AB3}\", 1, 1),
        bitlocker("a", r"C:\ClusterStorage\sql", 0, 2),
        bitlocker("a", "C:", 1, 1),
        bitlocker("a", r"C:\ClusterStorage\plain", 0, 0),
    ];
    read(&mut conditions, "a", Kind::Bitlocker, volumes, 7);
    read(
        &mut conditions,
        "b",
        Kind::Bitlocker,
        vec![bitlocker("b", "vol0", 0, 0)],
        7,
    );
    let found = conditions.of(Sign::Encrypted);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].kind.as_str(), found[0].node.as_str()), ("initiator", "a"));
    assert!(found[0].only_if_felt, "it is nothing wrong by itself");
    assert!(found[0].text.contains("vol0") && found[0].text.contains("sql") && !found[0].text.contains("plain"));
    assert_eq!(
        (found[0].since_unix_ns, found[0].observations.len()),
        (Some(7 * SECOND), 2)
    );
}
