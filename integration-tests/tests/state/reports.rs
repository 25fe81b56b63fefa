//! What a report or a single cmdlet says of a cluster that nothing else is known of is shown where somebody looks for it; what of a file is
//! not read is told.

use std::fs;
use std::path::{Path, PathBuf};

use fathom_integration_tests::process::{Certificates, Ran};

use super::{ask, program, rows, text};

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crates/state/tests/captures")
        .join(name)
}

fn import(arguments: &[&str], store: &Path) -> Ran {
    let store = text(store);
    let more = ["--at", "2026-09-22T03:00:00Z", "--store", &store, "--cluster", "test"];
    program().run([&["import"], arguments, &more].concat())
}

/// They were counted at the import, and no command showed them.
#[test]
fn what_a_report_alone_tells_is_shown() {
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("store");
    for file in [
        "sddc-report-summary.txt",
        "drt-dirty-count.txt",
        "reliability-counter-nvme.txt",
    ] {
        let ran = import(&[&text(&capture(file))], &store);
        assert_eq!(ran.code, 0, "{file}: {} {}", ran.out, ran.err);
        // The answer is data.
        assert!(ran.out.contains(file) && ran.err.is_empty(), "{} {}", ran.out, ran.err);
    }
    let certificates = Certificates::new(&home.path().join("pki"));
    let coordinator = program().coordinator(&certificates, &store, &[]);
    let table = |arguments: &[&str]| ask(&certificates, &coordinator, arguments).out;
    let json = |arguments: &[&str]| ask(&certificates, &coordinator, &[arguments, &["-o", "json"]].concat()).json();

    let sbl = table(&["sbl"]);
    for said in [
        "S2D4",
        "SkippedBindingNoFlash",
        "userstorage_2 - disk 19",
        "above the limit (!)",
    ] {
        assert!(sbl.contains(said), "`{said}` is not in {sbl}");
    }
    let sbl = json(&["sbl"]);
    let bus = &rows(&sbl, "sbl_nodes")[0];
    assert_eq!(
        (rows(&sbl, "sbl_nodes").len(), &bus["attributes"]["capacity_devices"]),
        (4, &12.into())
    );
    assert_eq!(rows(&sbl, "dirty_regions")[0]["attributes"]["dirty_count_limit"], 255);

    let disks = json(&["disks"]);
    let lists = ["disks", "disk_views", "firmware", "disk_reliability"];
    assert_eq!(lists.map(|list| rows(&disks, list).len()), [0, 48, 1, 1]);
    let disks = table(&["disks"]);
    for said in ["drive as a node sees it", "drives of", "counters of no known drive"] {
        assert!(disks.contains(said), "`{said}` is not in {disks}");
    }
    // What is listed has its history by the id that is shown.
    let id = json(&["disks"])["firmware"][0]["id"].as_str().unwrap().to_owned();
    assert!(disks.contains(&id), "`{id}` is not in {disks}");
    assert_eq!(rows(&json(&["history", &id]), "history").len(), 1);
}

/// Two blocks of one adapter were told as two, and the second alone was kept; other broken files passed with exit code 0.
#[test]
fn what_of_a_file_was_not_read_is_told() {
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("store");
    let named = format!("HV01={}", text(&capture("netadapter-qos.txt")));
    let ran = import(&["--node", &named], &store);
    assert_eq!(ran.code, 4, "{} {}", ran.out, ran.err);
    assert!(
        ran.out
            .contains("left out: 1 adapter_qos that says something else of the same id"),
        "{}",
        ran.out
    );

    let folder = home.path().join("HealthTest");
    fs::create_dir_all(folder.join("Node_HV01")).unwrap();
    fs::write(folder.join("GetPhysicalDisk.json"), super::files::DISKS).unwrap();
    fs::write(folder.join("Node_HV01/GetNetAdapter.XML"), "not xml").unwrap();
    fs::write(folder.join("Node_HV01/GetSmbMultichannelConnection.XML"), "").unwrap();
    let ran = import(&[&text(&folder)], &store);
    assert_eq!(ran.code, 4, "{} {}", ran.out, ran.err);
    let certificates = Certificates::new(&home.path().join("pki"));
    let coordinator = program().coordinator(&certificates, &store, &[]);
    let sources = ask(&certificates, &coordinator, &["sources"]).out;
    assert!(
        sources.contains("the file is empty") && sources.contains("no JSON, no CLIXML"),
        "{sources}"
    );
    // And told by what rests on it.
    let pairs = ask(&certificates, &coordinator, &["rdma"]);
    assert!(
        pairs.code == 4 && pairs.err.contains("the file is empty"),
        "{} {}",
        pairs.out,
        pairs.err
    );
}

/// It was told that extents were missing, which state needs none of.
#[test]
fn an_archive_that_is_cut_off_is_told_to_be_that() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("HealthTest.zip");
    fs::write(&path, b"PK\x03\x04\x14\0\0\0\x08\0cut off here").unwrap();
    let ran = import(&[&text(&path)], &home.path().join("store"));
    assert_eq!(ran.code, 1, "{} {}", ran.out, ran.err);
    assert!(
        ran.err.contains("cannot be unpacked") && !ran.err.contains("--extents"),
        "{}",
        ran.err
    );
}
