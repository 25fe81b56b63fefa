//! The join on real recordings, whole and damaged, with and without taps: right where it says so, and honest about the rest.
//!
//! Truth and clocks are read by the score alone; the join gets copies of the recordings without them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use fathom_integration_tests::damage::{self, Kind};
use fathom_integration_tests::fixture;
use fathom_lab::replay::{Options, Replayed, RowMap, replay};
use fathom_lab::{Recording, export, score};
use fathom_model::report::{Report, Score};
use fathom_model::{IoClass, Op, Tap};

/// A recording's fan-outs as the join makes them from a copy without truth and clocks, and their score.
struct Run {
    replayed: Replayed,
    report: Report,
    score: Score,
    lines: Vec<export::Line>,
}

fn run(recording: &Path, without: &[Tap]) -> Run {
    let stripped = tempfile::tempdir().unwrap();
    damage::strip(recording, stripped.path());
    let options = Options {
        without: without.to_vec(),
        ..Options::default()
    };
    let given = fathom_lab::open(stripped.path()).unwrap();
    assert!(given.truth().is_none() && given.run().clocks.is_none());
    let replayed = replay(&given, &options).unwrap();
    let map = RowMap::new(&given, without).unwrap();
    let lines: Vec<_> = export::lines(&replayed.rows, &replayed.catalog, &map).collect();
    let truth: Recording = fathom_lab::open(recording).unwrap();
    let score = score::score(&truth, lines.clone(), without).unwrap();
    Run {
        report: fathom_lab::report::report(&replayed),
        replayed,
        score,
        lines,
    }
}

/// What holds whatever is missing: nothing is joined to a wrong partner, every bound is true, everything is counted.
fn holds(name: &str, run: &Run) {
    let Run { score, report, .. } = run;
    assert!(
        score.exact_fanout.is_none_or(|share| share >= 0.999),
        "{name}: exact {score:?}"
    );
    assert!(
        score.leg_precision.is_none_or(|share| share >= 0.9999),
        "{name}: precision {score:?}"
    );
    assert_ne!(score.clock_bound_held, Some(false), "{name}: {score:?}");
    assert!(
        score.clock_stated.is_none_or(|share| share >= 0.95),
        "{name}: {score:?}"
    );
    let joined = &report.joined;
    assert_eq!(
        joined.exact + joined.ambiguous + joined.incomplete,
        joined.writes,
        "{name}"
    );
    for io in run
        .replayed
        .rows
        .ios
        .iter()
        .filter(|io| io.class == IoClass::Incomplete && io.op == Op::Write)
    {
        let said =
            run.replayed.rows.legs_of(io).iter().any(|leg| {
                leg.missing_initiator.is_some() || leg.missing_target.is_some() || leg.missing_device.is_some()
            });
        assert!(said, "{name}: an incomplete write does not say what is missing");
    }
}

/// Of the slowest copies that are named at most one in a thousand is another, or a single one where few are named.
fn named_is_right(name: &str, run: &Run) {
    let Some(right) = run.score.slowest_copy_named else {
        return;
    };
    let named = run.lines.iter().filter(|line| line.slowest.is_some()).count() as f64;
    let wrong = (1.0 - right) * named;
    assert!(
        wrong <= (named / 1000.0).max(1.5),
        "{name}: about {wrong:.0} of {named} are wrong: {:?}",
        run.score
    );
}

/// The bound is useful: its median is at most what a leg takes.
fn clock_is_useful(name: &str, run: &Run) {
    let tap = if run.report.latency.iter().any(|row| row.tap == "initiator") {
        "initiator"
    } else {
        "volume"
    };
    let leg = run
        .report
        .latency
        .iter()
        .filter(|row| row.tap == tap)
        .map(|row| row.p50_ns)
        .min()
        .unwrap();
    let median = run.score.clock_error_median_ns.unwrap();
    assert!(
        median <= leg,
        "{name}: a clock error of {median} against a leg of {leg}"
    );
}

#[test]
fn whole_recordings_are_joined_right_with_and_without_taps() {
    for path in fixture::all() {
        for without in [&[][..], &[Tap::Target], &[Tap::Initiator]] {
            let name = format!("{} without {without:?}", fixture::name(&path));
            let run = run(&path, without);
            holds(&name, &run);
            clock_is_useful(&name, &run);
            if without.contains(&Tap::Initiator) {
                // Ends at the initiator were not seen: what is named is right nearly always, and where nothing is named, the
                // candidates hold the one.
                named_is_right(&name, &run);
                assert!(
                    run.lines
                        .iter()
                        .all(|line| line.slowest.is_some() || line.candidates.len() > 1),
                    "{name}"
                );
            } else {
                assert!(run.score.slowest_copy.unwrap() >= 0.999, "{name}: {:?}", run.score);
            }
        }
    }
}

#[test]
fn damaged_recordings_are_joined_right_as_far_as_they_go() {
    for (seed, path) in (1..).zip(fixture::all()) {
        for kind in Kind::ALL {
            let damaged = tempfile::tempdir().unwrap();
            damage::damage(&path, damaged.path(), kind, seed);
            for without in [&[][..], &[Tap::Target], &[Tap::Initiator]] {
                let name = format!("{} {kind:?} seed {seed} without {without:?}", fixture::name(&path));
                let run = run(damaged.path(), without);
                holds(&name, &run);
                clock_is_useful(&name, &run);
                named_is_right(&name, &run);
                if fathom_lab::open(&path).unwrap().run().fault.is_none() {
                    assert_eq!(run.report.culprit, None, "{name}");
                }
                match kind {
                    Kind::NoNode => {
                        assert_eq!(run.report.unseen.nodes.len(), 1, "{name}");
                        assert!(
                            run.report.unseen.missing.iter().any(|row| row.cause == "no_daemon"),
                            "{name}"
                        );
                    }
                    Kind::Cut | Kind::Holes => assert!(run.report.joined.incomplete > 0, "{name}"),
                    Kind::Clocks => assert_eq!(run.report.joined.incomplete, 0, "{name}"),
                }
            }
        }
    }
}

/// Rows that were lost in ranges take the initiator's legs of some writes with them. What they took ended in the range, and so
/// nearly every slowest copy is known all the same, and none is named wrong.
#[test]
fn slowest_copies_are_known_where_rows_were_lost_in_ranges() {
    for path in fixture::all() {
        let mut shares = Vec::new();
        for seed in 1..=6 {
            let damaged = tempfile::tempdir().unwrap();
            damage::damage(&path, damaged.path(), Kind::Holes, seed);
            let name = format!("{} seed {seed}", fixture::name(&path));
            let run = run(damaged.path(), &[]);
            assert_eq!(run.score.slowest_copy_named, Some(1.0), "{name}: {:?}", run.score);
            // Where several ranges lie in a stream's first hundreds of writes, when nothing could be counted yet (seed 4 of
            // clean-placement-6vol), a few more stay open.
            let share = run.score.slowest_copy.unwrap();
            assert!(share >= 0.9988, "{name}: {:?}", run.score);
            shares.push(share);
        }
        let beyond = shares.iter().filter(|share| **share >= 0.999).count();
        assert!(beyond + 1 >= shares.len(), "{}: {shares:?}", fixture::name(&path));
    }
}

#[test]
fn why_names_the_fault_with_its_node_and_nobody_on_clean_recordings() {
    for path in fixture::all() {
        let fault = fathom_lab::open(&path).unwrap().run().fault.clone();
        for without in [&[][..], &[Tap::Target], &[Tap::Initiator]] {
            let name = format!("{} without {without:?}", fixture::name(&path));
            let report = run(&path, without).report;
            let culprit = report.culprit.as_ref();
            let kind = fault.as_ref().map(|fault| fault["kind"].as_str().unwrap().to_owned());
            let node = fault
                .as_ref()
                .and_then(|fault| fault["node"].as_str().map(ToOwned::to_owned));
            let named = culprit.map(|culprit| (culprit.kind.as_str(), culprit.node.clone()));
            match kind.as_deref() {
                None => {
                    assert_eq!(named, None, "{name}: {culprit:?}");
                    assert!(report.culprits.is_empty(), "{name}: {:?}", report.culprits);
                }
                Some("drive-slow") => assert_eq!(named, Some(("disk", node)), "{name}"),
                Some("network-slow") => assert_eq!(named, Some(("link", node)), "{name}"),
                Some("copy-remote") => {
                    // All disks of this run share one physical drive, so blame is not judged; the rebuild's I/O is told apart.
                    let foreign = report
                        .unseen
                        .unmatched
                        .iter()
                        .find(|row| row.op == "write" && row.cause == "foreign");
                    let foreign = foreign.unwrap_or_else(|| panic!("{name}: the rebuild was not told apart"));
                    assert!(
                        Some(&foreign.node) == node.as_ref() && foreign.bytes > 1 << 30,
                        "{name}: {foreign:?}"
                    );
                }
                Some(other) => eprintln!("{name}: a fault of kind {other} is not judged here"),
            }
            // What is found while rows come in says the same, and nothing besides.
            if matches!(kind.as_deref(), Some("drive-slow" | "network-slow")) {
                let found = report.culprits.iter();
                let found: Vec<_> = found.map(|one| (one.kind.as_str(), one.node.clone())).collect();
                assert_eq!(found, [named.unwrap()], "{name}: {:?}", report.culprits);
            }
            for culprit in culprit.into_iter().chain(&report.culprits) {
                assert!(
                    culprit.evidence.iter().any(|one| !one.writes.is_empty()),
                    "{name}: evidence without writes"
                );
                // Where a rebuild moves much, nobody is named for sure: it may be that.
                let least = if kind.as_deref() == Some("copy-remote") {
                    0.2
                } else {
                    0.5
                };
                assert!(
                    culprit.confidence > least && culprit.confidence <= 1.0,
                    "{name}: {culprit:?}"
                );
            }
        }
    }
}

#[test]
fn files_of_two_nodes_taken_for_one_another_join_nothing_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fixture::swapped(&fixture::recording("fault-slow-drive"), folder.path());
    for without in [vec![], vec![Tap::Target], vec![Tap::Initiator]] {
        let run = run(folder.path(), &without);
        let missing = |tap: Tap, leg: &fathom_model::Leg| leg.observation(tap).is_none();
        let catalog = &run.replayed.catalog;
        for leg in &run.replayed.rows.legs {
            if catalog.node(leg.node).as_str() != "t0" {
                assert!(missing(Tap::Target, leg) && missing(Tap::Device, leg), "{leg:?}");
            }
        }
        assert_eq!(run.score.leg_precision, Some(1.0));
        assert_ne!(run.score.clock_bound_held, Some(false));
        let said = run.replayed.warnings.join("\n");
        for (disk, shows) in [("t1/disk0", "t2/disk0"), ("t2/disk0", "t1/disk0")] {
            let expected = format!("{disk} shows what the extent map has on {shows}");
            assert!(said.contains(&expected), "without {without:?}: {said}");
        }
    }
}
