//! Every method has its group, and one that nobody knows has none.

use super::*;

#[test]
fn methods_that_change_something_are_not_taken_for_reading() {
    for (method, expected) in [
        ("/fathom.query.v1.QueryService/GetLatency", Some(Group::Read)),
        ("/fathom.query.v1.QueryService/StreamIos", Some(Group::Read)),
        ("/fathom.query.v1.HealthService/WatchHealth", Some(Group::Read)),
        ("/fathom.query.v1.LaterService/ListThings", Some(Group::Read)),
        (
            "/fathom.query.v1.FindingsService/AcknowledgeFinding",
            Some(Group::Remarks),
        ),
        ("/fathom.query.v1.FindingsService/MuteFinding", Some(Group::Remarks)),
        ("/fathom.query.v1.LaterService/DeleteThings", None),
        ("/fathom.control.v1.ControlService/SetProfile", Some(Group::Profiles)),
        ("/fathom.control.v1.ControlService/GetThing", None),
        ("/fathom.collect.v1.CollectService/Collect", None),
        ("/fathom.fleet.v1.FleetService/ListSites", None),
        ("fathom.query.v1.QueryService/GetLatency", None),
        ("/fathom.query.v1.QueryService", None),
    ] {
        assert_eq!(group(method), expected, "{method}");
    }
}

/// A new method has to be given a thought here.
#[test]
fn every_method_that_there_is_has_a_group() {
    let text = String::from_utf8_lossy(fathom_proto::DESCRIPTORS);
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.');
    let asked = words.filter_map(|word| word.strip_prefix(".fathom.query.v1.")?.strip_suffix("Request"));
    let methods: std::collections::BTreeSet<&str> = asked.collect();
    assert!(
        methods.len() > 20 && methods.contains("CompareStretches"),
        "{methods:?}"
    );
    for method in methods {
        let expected = match method {
            "AcknowledgeFinding" | "MuteFinding" => Group::Remarks,
            _ => Group::Read,
        };
        let service = if expected == Group::Remarks {
            "FindingsService"
        } else {
            "Service"
        };
        let found = group(&format!("/fathom.query.v1.{service}/{method}"));
        assert_eq!(found, Some(expected), "{method}");
    }
}

#[test]
fn a_policy_allows_what_it_names() {
    let policy = Policy::default();
    assert!(policy.allows("/fathom.query.v1.QueryService/GetStatus"));
    assert!(!policy.allows("/fathom.query.v1.FindingsService/MuteFinding"));
    assert!(!policy.allows("/fathom.control.v1.ControlService/SetProfile"));
    assert_eq!(policy.allows_text(), "read");
    let nothing = Policy {
        allows: Default::default(),
        ..policy
    };
    assert!(!nothing.allows("/fathom.query.v1.QueryService/GetStatus"));
    assert_eq!(nothing.allows_text(), "nothing");
    assert!(is_watch("/fathom.query.v1.HealthService/WatchHealth"));
    assert!(!is_watch("/fathom.query.v1.QueryService/StreamIos"));
}
