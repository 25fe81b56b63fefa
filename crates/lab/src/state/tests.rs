//! What state shows of simulated clusters and what writes feel of it are one finding, and of a healthy one there is none.

use fathom_model::finding::{Finding, State};
use fathom_simulate::config::Arrival;
use fathom_simulate::scenario::Options as Sizes;
use fathom_simulate::{Config, Scenario, simulate};

use super::*;
use crate::replay::{Options, replay};

/// A scenario of three nodes over 40 s, as a recording.
fn recorded(scenario: Scenario) -> (tempfile::TempDir, Recording) {
    of_config(&scenario.config(&Sizes {
        nodes: Some(3),
        seconds: Some(40.0),
        ..Sizes::default()
    }))
}

fn of_config(config: &Config) -> (tempfile::TempDir, Recording) {
    let folder = tempfile::tempdir().unwrap();
    let simulated = simulate(config).unwrap();
    crate::simulate::write(&simulated, "test", folder.path()).unwrap();
    let recording = crate::open(folder.path()).unwrap();
    (folder, recording)
}

fn open(recording: &Recording) -> Vec<Finding> {
    let replayed = replay(recording, &Options::default()).unwrap();
    let mut findings = findings(recording, &replayed).unwrap().findings;
    findings.retain(|finding| finding.state == State::Open);
    findings
}

#[test]
fn each_cause_is_one_finding_with_what_it_costs_and_its_readings() {
    let cases = [
        (Scenario::Healthy, None),
        // The wrong map of priorities is the cause of the pauses.
        (Scenario::PfcStorm, Some(("QOS_DRIFT", "n1"))),
        (Scenario::LinkLossy, Some(("LINK_ERRORS", "n1"))),
        (Scenario::Bitlocker, Some(("BITLOCKER_COSTS_WRITES", "n1"))),
        (Scenario::MixedMedia, Some(("POOL_MIXED_MEDIA", "S2D on simulated"))),
        (Scenario::CreditStalls, Some(("LINK_CREDIT_STALLS", "n1"))),
        (Scenario::AdapterErrors, Some(("LINK_ERRORS", "n1/SMB1"))),
        (Scenario::DriveErrors, Some(("DISK_ERRORS", "n1/disk0"))),
        (Scenario::CsvRedirected, Some(("CSV_REDIRECTED", "vol0"))),
    ];
    for (scenario, expected) in cases {
        let (_folder, recording) = recorded(scenario);
        let open = open(&recording);
        let told: Vec<(&str, String)> = open.iter().map(|one| (one.code.as_str(), one.object())).collect();
        let expected: Vec<(&str, String)> = expected.iter().map(|(code, of)| (*code, (*of).to_owned())).collect();
        assert_eq!(told, expected, "{scenario:?}: {open:#?}");
        for finding in &open {
            assert!(finding.cost_ns > 0 && !finding.victims.is_empty(), "{finding:#?}");
            assert!(!finding.observations.is_empty(), "{finding:#?}");
            assert!(
                finding.evidence.iter().any(|one| !one.writes.is_empty()),
                "{finding:#?}"
            );
        }
    }
}

/// What links carry is the mean of a minute, so that it takes one to be known.
#[test]
fn full_link_is_found_by_what_it_carries_and_has_what_writes_wait_for_it() {
    let mut config = Scenario::LinkBusy.config(&Sizes {
        nodes: Some(3),
        seconds: Some(150.0),
        ..Sizes::default()
    });
    for volume in &mut config.volumes {
        volume.arrival = Arrival::Rate(200.0);
    }
    config.faults[0].from_seconds = 40.0;
    config.faults[0].until_seconds = None;
    let (_folder, recording) = of_config(&config);
    let found = open(&recording);
    let told: Vec<(&str, String)> = found.iter().map(|one| (one.code.as_str(), one.object())).collect();
    assert_eq!(told, [("LINK_SATURATED", "n1".to_owned())], "{found:#?}");
    let one = &found[0];
    assert!(one.cost_ns > 0 && !one.victims.is_empty(), "{one:#?}");
    assert!(one.evidence[0].text.contains("% of what its link takes"), "{one:#?}");
    let cited: Vec<&str> = one
        .observations
        .iter()
        .filter_map(|one| one.counter.as_deref())
        .collect();
    assert!(cited.contains(&"network.sent_bytes_per_s"), "{cited:?}");
    // The same without what fills it.
    config.faults.clear();
    let (_folder, recording) = of_config(&config);
    assert_eq!(open(&recording), []);
}

/// Drives that count, and of which none has errors; volumes that several nodes reach, all of them directly.
#[test]
fn what_is_counted_and_read_of_a_healthy_cluster_is_no_finding() {
    let sizes = Sizes {
        nodes: Some(3),
        seconds: Some(40.0),
        ..Sizes::default()
    };
    for scenario in [Scenario::DriveErrors, Scenario::CsvRedirected] {
        let mut config = scenario.config(&sizes);
        config.faults.clear();
        let (_folder, recording) = of_config(&config);
        let open = open(&recording);
        assert!(open.is_empty(), "{scenario:?}: {open:#?}");
    }
}

#[test]
fn drives_of_a_recording_have_serial_numbers_where_its_state_has_them() {
    let (_folder, recording) = recorded(Scenario::Healthy);
    let serials = serials(&recording).unwrap();
    assert!(serials["SIM-01-02"].contains("n1/disk2"), "{serials:?}");
}
