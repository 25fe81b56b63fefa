//! A site that is cut off from its fleet for a day of its cluster's time catches up: every change once, none left out.
//!
//! The day is simulated: a burst of writes every four hours, each with another drive that is slow, played as fast as it can be. For the
//! cluster it is a day all the same, since findings, windows and numbers go by the writes' own times.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fathom_integration_tests::fleet::{BACK_WITHIN, PATIENCE, Setup, find, told};
use fathom_integration_tests::process::{Process, Program, finished};
use fathom_lab::simulate::{prepare, write};
use fathom_lab::simulator::config::{DiskRef, FaultKind};
use fathom_lab::simulator::scenario::Options;
use fathom_lab::simulator::{Config, Scenario, simulate};
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::findings_service_client::FindingsServiceClient;
use serde_json::Value;

const HOURS: i64 = 3_600_000_000_000;

/// Between the beginnings of two bursts.
const EVERY: i64 = 4 * HOURS;

/// The first is heard by the fleet; the others are the day.
const BURSTS: i64 = 7;

/// How long nothing changes once nothing will.
const QUIET: Duration = Duration::from_secs(2);

const NODES: [&str; 3] = ["n0", "n1", "n2"];

/// A burst of writes with one slow drive.
fn burst(number: i64) -> Config {
    let options = Options {
        seed: Some(7),
        nodes: Some(3),
        seconds: Some(6.0),
        ..Options::default()
    };
    let mut config = Scenario::SlowDisk.config(&options);
    config.epoch_unix_nanos += number * EVERY;
    // Each burst begins with the same offsets: clocks that drifted would jump back in between.
    config.clocks.drift_ppm = 0.0;
    config.volumes.truncate(1);
    let node = u32::try_from(number).unwrap() % 3;
    for fault in &mut config.faults {
        fault.from_seconds = 1.0;
        fault.until_seconds = None;
        if let FaultKind::SlowDisk { on, .. } = &mut fault.what {
            *on = DiskRef { node, disk: 0 };
        }
    }
    config
}

/// Simulates a burst; its folder, and how many writes are in it.
fn simulated(number: i64, home: &Path) -> (PathBuf, u64) {
    let folder = home.join(format!("burst-{number}"));
    prepare(&folder, false).unwrap();
    let made = simulate(&burst(number)).unwrap();
    write(&made, "a burst", &folder).unwrap();
    (folder, made.truth.len() as u64)
}

/// Bursts one after the other as one recording.
fn joined(bursts: &[(PathBuf, u64)], home: &Path) -> PathBuf {
    let folder = home.join("day");
    fs::create_dir(&folder).unwrap();
    let first = fs::read_to_string(bursts[0].0.join("run.json")).unwrap();
    let mut run: Value = serde_json::from_str(&first).unwrap();
    run.as_object_mut().unwrap().remove("counts");
    fs::write(folder.join("run.json"), run.to_string()).unwrap();
    for node in NODES {
        let name = format!("events-{node}.jsonl.zst");
        let mut whole = File::create(folder.join(&name)).unwrap();
        for (burst, _) in bursts {
            // Frames of zstd in one file are read one after the other.
            io::copy(&mut File::open(burst.join(&name)).unwrap(), &mut whole).unwrap();
        }
    }
    folder
}

/// All findings of a cluster as a coordinator lists them, with the number of the last change.
fn findings(setup: &Setup, coordinator: &Process) -> (Vec<Value>, u64) {
    let ran = setup.ask(coordinator, &["findings", "--all", "--cluster", "c1", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document = ran.json();
    let found = document["findings"].as_array().unwrap().clone();
    (found, document["sequence"].as_u64().unwrap())
}

/// How many are open, and the number of the last change, as the fleet coordinator was told.
fn told_of(cluster: &Value) -> (Option<u64>, Option<u64>) {
    (cluster["open_findings"].as_u64(), cluster["findings_sequence"].as_u64())
}

/// Follows a cluster's changes through a coordinator, from a token to a number.
async fn changes(setup: &Setup, coordinator: &Process, token: &str, last: u64) -> Vec<wire::FindingChange> {
    let channel = setup.certificates.channel(&coordinator.address).await;
    let request = wire::WatchFindingsRequest {
        cluster: "c1".to_owned(),
        resume_token: token.to_owned(),
        ..wire::WatchFindingsRequest::default()
    };
    let mut watch = FindingsServiceClient::new(channel)
        .watch_findings(request)
        .await
        .unwrap()
        .into_inner();
    let mut changes = Vec::new();
    let all = async {
        while changes
            .last()
            .is_none_or(|change: &wire::FindingChange| change.sequence < last)
        {
            changes.extend(watch.message().await.unwrap().unwrap().changes);
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    changes
}

#[test]
fn site_cut_off_for_a_day_catches_up_and_nothing_is_lost_or_counts_twice() {
    let setup = Setup::new(Program::new(env!("CARGO_BIN_EXE_fathom-under-test")));
    let home = setup.home.path();
    let bursts: Vec<(PathBuf, u64)> = (0..BURSTS).map(|number| simulated(number, home)).collect();
    let day = joined(&bursts[1..], home);
    let mut fleet = setup.fleet();
    let site = setup.site("berlin", &[]);

    // The fleet knows what there is before the cut.
    setup.play_folder(&site, "berlin", "c1", &bursts[0].0, &NODES);
    let (found, before) = settled(&setup, &site, bursts[0].1);
    let open = found.iter().filter(|finding| finding["state"] == "open").count() as u64;
    assert!(open >= 1, "the slow drive is found: {found:?}");
    setup.clusters(&fleet, PATIENCE, |clusters| {
        told(clusters, 1) && told_of(&clusters[0]) == (Some(open), Some(before))
    });
    // It is kept within seconds.
    std::thread::sleep(Duration::from_secs(4));
    fleet.kill();

    // A day without the fleet.
    setup.play_folder(&site, "berlin", "c1", &day, &NODES);
    let writes: u64 = bursts.iter().map(|(_, writes)| writes).sum();
    let (there, last) = settled(&setup, &site, writes);
    assert!(last >= before + 10, "much has changed: {before} to {last}");

    // It is back, and knows of the last change, as soon as a fleet coordinator should.
    let fleet = setup.fleet();
    let clusters = setup.clusters(&fleet, BACK_WITHIN, |clusters| {
        find(clusters, "berlin", "c1")
            .is_some_and(|cluster| cluster["reach"] == "connected" && cluster["findings_sequence"] == last)
    });
    let open = there.iter().filter(|finding| finding["state"] == "open").count() as u64;
    assert_eq!(told_of(&clusters[0]), (Some(open), Some(last)));
    assert_eq!(findings(&setup, &fleet), (there.clone(), last));
    let mut ids: Vec<&str> = there.iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), there.len(), "each finding once");

    // Whoever followed through the fleet until the cut is told every change of the day once, and it is a day.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let told = runtime.block_on(changes(&setup, &fleet, &before.to_string(), last));
    let numbers: Vec<u64> = told.iter().map(|change| change.sequence).collect();
    assert_eq!(numbers, (before + 1..=last).collect::<Vec<_>>());
    let of_day = told.last().unwrap().at_unix_nanos - told[0].at_unix_nanos;
    assert!(of_day > 19 * HOURS, "{} h", of_day / HOURS);
    let own = runtime.block_on(changes(&setup, &site, &before.to_string(), last));
    assert_eq!(told, own, "what the site itself tells");
    // Daemons that come one after the other to a cluster whose nodes had all finished are not waited for: a burst may be joined in part,
    // and two of them then be told as one thing that is not known.
    let opened = told.iter().filter(|change| change.change == "opened").count() as i64;
    assert!((3..BURSTS).contains(&opened), "{opened} of the day's slow drives");

    // Each write counts once, whoever is asked.
    let total = |coordinator: &Process| {
        let ran = setup.ask(
            coordinator,
            &["writes", "--limit", "1", "--cluster", "c1", "-o", "json"],
        );
        ran.json()["total"].as_u64()
    };
    assert_eq!((total(&site), total(&fleet)), (Some(writes), Some(writes)));
}

/// The site's findings, once all writes are stored and nothing changes any more.
fn settled(setup: &Setup, site: &Process, writes: u64) -> (Vec<Value>, u64) {
    // What waits for later rows is judged when everything has come.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(finished(&setup.certificates, &site.address));
    let (started, mut quiet) = (Instant::now(), Instant::now());
    let mut known = findings(setup, site);
    loop {
        let ran = setup.ask(site, &["writes", "--limit", "1", "-o", "json"]);
        let (now, total) = (findings(setup, site), ran.json()["total"].as_u64().unwrap());
        assert!(total <= writes, "{total} of {writes} writes");
        if total < writes || now != known {
            (known, quiet) = (now, Instant::now());
        } else if quiet.elapsed() > QUIET {
            return known;
        }
        assert!(started.elapsed() < PATIENCE, "{total} of {writes} writes");
        std::thread::sleep(Duration::from_millis(300));
    }
}
