//! What is not there, or gives no answer, is told to people and programs: names that nothing has, refusals, and what was known of a missing site.

use fathom_integration_tests::fleet::{BACK_WITHIN, Setup, told};
use fathom_integration_tests::process::Process;
use fathom_integration_tests::schema;
use serde_json::{Value, json};

use super::answers::{document_is_as_its_schema_says, list, the_schema};

/// Where something else was found, a name that nothing has was once left out in silence, with exit code 0.
pub(crate) fn names_that_nothing_has_are_told(setup: &Setup, fleet: &Process) {
    let names: [(&[&str], Value, &str); 3] = [
        (
            &["--cluster", "c1", "--cluster", "oslo/c1"],
            json!({"site": "oslo", "cluster": "c1", "reason": "NO_CLUSTER"}),
            "there is no cluster `oslo/c1`",
        ),
        (
            &["--cluster", "c?", "--cluster", "c9"],
            json!({"site": null, "cluster": "c9", "reason": "NO_CLUSTER"}),
            "there is no cluster `c9`",
        ),
        (
            &["--site", "berlin", "--site", "bergen"],
            json!({"site": "bergen", "cluster": null, "reason": "NO_SITE"}),
            "there is no site `bergen`",
        ),
    ];
    for (selects, row, says) in names {
        for question in [
            &["clusters"][..],
            &["fleet"],
            &["fleet", "sites"],
            &["fleet", "latency"],
            &["fleet", "cohorts"],
        ] {
            let ran = setup.ask(fleet, &[question, selects, &["-o", "json"]].concat());
            assert_eq!(ran.code, 4, "{question:?} {selects:?}: {}", ran.err);
            assert!(
                ran.err.contains(&format!("partial: {says}")),
                "{question:?}: {}",
                ran.err
            );
            assert_eq!(list(&ran.json(), "unknown"), std::slice::from_ref(&row), "{question:?}");
        }
        let ran = setup.ask(fleet, &[&["findings"][..], selects, &["-o", "json"]].concat());
        assert_eq!(ran.code, 4, "{selects:?}: {}", ran.err);
        let document = ran.json();
        assert_eq!(schema::faults(&the_schema(), &document), Vec::<String>::new());
        let [missing] = &list(&document, "missing")[..] else {
            panic!("{document:#}")
        };
        for key in ["site", "cluster", "reason"] {
            assert_eq!(missing[key], row[key], "{document:#}");
        }
        assert_eq!(
            (&missing["cause"], &missing["since_unix_ns"]),
            (&json!("unknown"), &Value::Null)
        );
        assert!(!list(&document, "clusters").is_empty(), "{document:#}");
    }
    // A pattern selects what there is.
    let ran = setup.ask(fleet, &["clusters", "--cluster", "c1", "--cluster", "x*"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("no cluster is what `x*` selects"), "{}", ran.err);
}

/// What a site refuses is told by its stable reason, and is no silence of it.
pub(crate) fn refusals_have_their_reason(setup: &Setup, fleet: &Process) {
    let many = ["writes", "--limit", "5000", "--cluster", "c?", "-o", "json"];
    let ran = setup.ask(fleet, &many);
    assert_eq!(ran.code, 4, "{}", ran.err);
    let document = ran.json();
    let [missing] = &list(&document, "missing")[..] else {
        panic!("{document:#}")
    };
    assert_eq!(
        (&missing["cluster"], &missing["cause"], &missing["reason"]),
        (&json!("c2"), &json!("no_answer"), &json!("SITE_ROWS")),
        "{document:#}"
    );
    assert_eq!(missing["since_unix_ns"], Value::Null, "it was heard: {document:#}");
    assert!(!ran.err.contains("heard last at"), "{}", ran.err);
    // Where it is not there, too.
    let none = setup.ask(fleet, &["write", "nothing", "--site", "berlin", "-o", "json"]);
    assert_ne!(none.code, 0, "{}", none.err);
    let document = none.json();
    assert!(
        list(&document, "clusters")
            .iter()
            .all(|cluster| cluster["reason"].is_string()),
        "{document:#}"
    );
}

/// What the fleet holds of a missing site is shown as what it was, and is no answer.
pub(crate) fn findings_of_a_missing_site_are_as_they_were(setup: &Setup, fleet: &Process) {
    let ask = |more: &[&str]| setup.ask(fleet, &[&["findings", "--all-clusters"], more].concat());
    let ran = ask(&["--all", "-o", "json"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    let document = ran.json();
    document_is_as_its_schema_says(&document);
    let missing = &list(&document, "missing")[0];
    let last = &missing["last"];
    assert_eq!(last["as_of_unix_ns"], missing["since_unix_ns"], "{missing:#}");
    assert_eq!(
        (list(last, "findings").len(), &last["more"]),
        (1, &json!(0)),
        "{missing:#}"
    );
    assert_eq!(last["findings"][0]["code"], "DISK_SLOW", "{missing:#}");
    assert_eq!(list(&document, "clusters").len(), 1, "{document:#}");
    let other = ask(&["--code", "CSV_REDIRECTED", "-o", "json"]).json();
    assert_eq!(list(&other["missing"][0]["last"], "findings").len(), 0, "{other:#}");
    let table = ask(&[]).out;
    let said = table.split("oslo/c2, which cannot be asked, as of ").nth(1).unwrap();
    assert!(said.contains("DISK_SLOW"), "{table}");
    let of_others = setup.ask(fleet, &["nodes", "--all-clusters", "-o", "json"]).json();
    assert_eq!(of_others["missing"][0]["last"], Value::Null, "{of_others:#}");
}

/// What was kept of sites was once put aside with a line in the log alone: a site that was missing then was missing in no answer.
pub(crate) fn damage_is_told(setup: &Setup, mut fleet: Process) {
    fleet.kill();
    let folder = setup.home.path().join("fleet").join("fleet");
    std::fs::write(folder.join("sites.pb"), "nothing that was kept").unwrap();
    let fleet = setup.fleet();
    setup.clusters(&fleet, BACK_WITHIN, |clusters| told(clusters, 2));
    for question in [&["fleet"][..], &["fleet", "sites"]] {
        let ran = setup.ask(&fleet, &[question, &["-o", "json"]].concat());
        assert_eq!(ran.code, 4, "{question:?}: {}", ran.err);
        assert!(ran.json()["damaged_unix_ns"].is_i64(), "{}", ran.out);
        assert!(
            ran.err
                .contains("was damaged: a site that has been missing since is not known"),
            "{}",
            ran.err
        );
    }
    assert!(folder.join("sites.damaged").is_file());
}
