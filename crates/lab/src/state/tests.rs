//! What state shows of simulated clusters and what writes feel of it are one finding, and of a healthy one there is none.

use fathom_model::finding::{Finding, State};
use fathom_simulate::scenario::Options as Sizes;
use fathom_simulate::{Scenario, simulate};

use super::*;
use crate::replay::{Options, replay};

/// A scenario of three nodes over 40 s, as a recording.
fn recorded(scenario: Scenario) -> (tempfile::TempDir, Recording) {
    let folder = tempfile::tempdir().unwrap();
    let config = scenario.config(&Sizes {
        nodes: Some(3),
        seconds: Some(40.0),
        ..Sizes::default()
    });
    let simulated = simulate(&config).unwrap();
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

#[test]
fn drives_of_a_recording_have_serial_numbers_where_its_state_has_them() {
    let (_folder, recording) = recorded(Scenario::Healthy);
    let serials = serials(&recording).unwrap();
    assert!(serials["SIM-01-02"].contains("n1/disk2"), "{serials:?}");
}
