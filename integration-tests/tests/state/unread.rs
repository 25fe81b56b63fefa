//! What nobody could read is told as that by every command, and never as nothing.

use std::fs;
use std::path::Path;

use fathom_integration_tests::process::{Certificates, Ran, finished};
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::query_service_client::QueryServiceClient;
use serde_json::{Value, json};

use super::{program, rows, simulate, text};

const WHY: &str = "Access is denied (0x80041003)";

/// A recording of which no source of some kinds could be read: what else was said of such kinds was never said.
fn blinded(home: &Path, is_blind: impl Fn(&str) -> bool) -> std::path::PathBuf {
    let recording = simulate(home);
    let path = recording.join("state.jsonl.zst");
    let lines = String::from_utf8(zstd::decode_all(&fs::read(&path).unwrap()[..]).unwrap()).unwrap();
    let mut kept = String::new();
    for line in lines.lines() {
        let mut row: Value = serde_json::from_str(line).unwrap();
        let Some(own) = row.get_mut("observation").filter(|own| own.is_object()) else {
            kept += &format!("{line}\n");
            continue;
        };
        let kind = own["kind"].as_str().unwrap().to_owned();
        if kind == "source" {
            let of = own["attributes"]["kind"].as_str().unwrap().to_owned();
            if is_blind(&of) {
                let said = &mut own["attributes"];
                (said["available"], said["full"], said["reason"]) = (json!(false), json!(false), json!(WHY));
                said.as_object_mut().unwrap().remove("instances");
            }
        } else if is_blind(&kind) {
            continue;
        }
        kept += &format!("{row}\n");
    }
    fs::write(&path, zstd::encode_all(kept.as_bytes(), 3).unwrap()).unwrap();
    recording
}

/// Every state command said `no rows` with exit code 0 where every class of every node was refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_node_could_read_is_told_by_every_command() {
    let home = tempfile::tempdir().unwrap();
    let recording = blinded(home.path(), |_| true);
    let certificates = Certificates::new(&home.path().join("pki"));
    let coordinator = program().coordinator(&certificates, &home.path().join("store"), &[]);
    let nodes = ["n0", "n1", "n2"];
    let mut daemons =
        nodes.map(|node| program().node(&certificates, &coordinator.address, &recording, node, home.path(), &[]));
    finished(&certificates, &coordinator.address).await;
    for daemon in &mut daemons {
        assert_eq!(daemon.wait(), 0);
    }
    let ask = |arguments: &[&str]| -> Ran { program().ask(&certificates, &coordinator.address, arguments) };
    for command in [
        &["jobs"][..],
        &["jobs", "--ledger"],
        &["disks"],
        &["pools"],
        &["sbl"],
        &["smb-events"],
        &["nodes"],
        &["volumes"],
        &["rdma"],
        &["qos"],
        &["vms"],
        &["history", "n0/disk0"],
    ] {
        let table = ask(command);
        assert_eq!(table.code, 4, "{command:?}: {} {}", table.out, table.err);
        assert!(table.err.contains("cannot be read"), "{command:?}: {}", table.err);
        assert!(table.err.contains(WHY), "{command:?}: {}", table.err);
        let ran = ask(&[command, &["-o", "json"]].concat());
        let document = ran.json();
        let warnings = rows(&document["unseen"], "warnings");
        let is_told = |warning: &Value| warning.as_str().unwrap().contains(WHY);
        assert!(ran.code == 4 && warnings.iter().any(is_told), "{command:?}: {document}");
    }
    let pairs = ask(&["rdma", "-o", "json"]).json();
    let note = pairs["pairs"][0]["notes"].to_string();
    assert!(
        note.contains("n0 cannot read its SMB connections: Access is denied"),
        "{note}"
    );
    // Nothing that nobody could read is ok.
    let began = std::time::Instant::now();
    let health = loop {
        // It is looked at from the first message on, and what is not known is said when it has stayed so.
        let health = ask(&["health", "-o", "json"]).json();
        if health["state"] == "unknown" {
            break health;
        }
        assert!(began.elapsed().as_secs() < 60, "{health}");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    };
    let is_ok =
        |entry: &&Value| entry["state"] == "ok" && ["disk", "volume"].contains(&entry["kind"].as_str().unwrap());
    assert!(!rows(&health, "health").iter().any(|entry| is_ok(&entry)), "{health}");

    // A token that is none of an earlier answer would leave rows out in silence.
    let mut client = QueryServiceClient::new(certificates.channel(&coordinator.address).await);
    let request = wire::ListResourcesRequest {
        cluster: "test".to_owned(),
        page_token: "zz".to_owned(),
        ..wire::ListResourcesRequest::default()
    };
    let refused = client.list_resources(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused:?}");
    assert!(refused.message().contains("page_token"), "{refused:?}");
}

/// The demo said of drives without a health that they are well, of jobs that could not be read that none runs, and of settings that none differs.
#[test]
fn a_demo_says_what_is_not_known() {
    let home = tempfile::tempdir().unwrap();
    let of_settings = |kind: &str| kind.starts_with("qos_") || kind.starts_with("adapter");
    let recording = blinded(home.path(), |kind| {
        ["storage_job", "job_object", "disk"].contains(&kind) || of_settings(kind)
    });
    let ran = program().run(["demo", "--run", &text(&recording), "--once"]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    for said in [
        "of disks nothing is known, whether a storage job runs is not known",
        "whether network settings differ between nodes is not known",
        "not known: MSFT_StorageJob of node n0 (storage_job) cannot be read since",
    ] {
        assert!(ran.out.contains(said), "`{said}` is not in: {}", ran.out);
    }
    assert!(!ran.out.contains("are well") && !ran.out.contains("no storage job runs"));
}
