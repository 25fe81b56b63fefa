//! What is answered comes to who asked as it was meant.

use fathom_model::rollup::Counted;
use fathom_model::sketch::Sketch;

use super::super::tests::key;
use super::*;

fn entry() -> Entry {
    let mut counts = fathom_model::rollup::Counts::default();
    counts.add(Counted::Node, State::Unknown, 16);
    Entry {
        level: Level::Site,
        site: "berlin".to_owned(),
        cluster: String::new(),
        state: State::Unknown,
        since_unix_ns: 4,
        reason: "cluster berlin/c7: not heard".to_owned(),
        labels: [("env".to_owned(), "prod".to_owned())].into(),
        heard_unix_ns: None,
        clusters: Clusters {
            ok: 3,
            unknown: 1,
            ..Clusters::default()
        },
        counts,
        findings: Vec::new(),
        findings_more: 1,
        worst: vec![Child {
            kind: "cluster".to_owned(),
            name: "berlin/c7".to_owned(),
            state: State::Unknown,
            since_unix_ns: Some(4),
            reason: "not heard".to_owned(),
        }],
        worst_more: 0,
        last_hour: Changed {
            lost: 1,
            ..Changed::default()
        },
        last_day: Changed {
            lost: 2,
            counted_from_unix_ns: Some(-5),
            ..Changed::default()
        },
    }
}

#[test]
fn an_entry_comes_back_as_it_went() {
    assert_eq!(entry_from_wire((&entry()).into()), Ok(entry()));
    let mut bad = wire::FleetEntry::from(&entry());
    bad.last_day = None;
    let error = entry_from_wire(bad).expect_err("it is refused");
    assert_eq!(error.to_string(), "entry.last_day is missing");
    let mut bad = wire::FleetEntry::from(&entry());
    bad.level = "planet".to_owned();
    assert!(entry_from_wire(bad).is_err());
}

#[test]
fn changes_come_back_as_they_went() {
    let whats = [
        What::State {
            from: None,
            to: State::Ok,
            hearing: None,
        },
        What::State {
            from: Some(State::Ok),
            to: State::Unknown,
            hearing: Some(Hearing::Lost),
        },
        What::State {
            from: Some(State::Unknown),
            to: State::Critical,
            hearing: Some(Hearing::Heard),
        },
        What::Update(Update {
            to: key(),
            from_variant: "1.0".to_owned(),
            devices: 24,
            of: 48,
        }),
    ];
    for what in whats {
        let change = Change {
            number: 3,
            at_unix_ns: -1,
            site: "berlin".to_owned(),
            cluster: "c7".to_owned(),
            what,
            reason: "because".to_owned(),
        };
        assert_eq!(change_from_wire((&change).into()), Ok(change));
    }
    assert!(change_from_wire(wire::FleetChange::default()).is_err());
}

#[test]
fn a_cohort_comes_back_as_it_went() {
    let mut sketch = Sketch::default();
    sketch.add(5);
    let cohort = Cohort {
        key: key(),
        clusters: 40,
        devices: 960,
        writes: Percentiles::from(&sketch),
        reads: Percentiles::default(),
        io_errors: 0,
        media_errors: None,
        found: 11,
        updated: 40,
        first_update_unix_ns: Some(7),
        verdicts: vec![Verdict {
            measure: Measure::WriteP50,
            significant: true,
            p_adjusted: 0.001,
            p: 0.0001,
            effect: 1.3,
            worse_clusters: 11,
            compared_clusters: 40,
            worst: vec!["berlin/c7".to_owned()],
            beside: 0,
            before: 40,
            alone: 0,
            text: "slow on 11 of 40 clusters since the update".to_owned(),
        }],
    };
    assert_eq!(cohort_from_wire((&cohort).into()), Ok(cohort.clone()));
    let mut bad = wire::Cohort::from(&cohort);
    bad.verdicts[0].measure = "beauty".to_owned();
    let error = cohort_from_wire(bad).expect_err("it is refused");
    assert!(error.to_string().contains("`beauty` is not a known measure"));
}
