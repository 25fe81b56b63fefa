use std::path::Path;

use fathom_model::report::Culprit;

use super::{Shown, commands, lines};

fn culprit(since: &str) -> Culprit {
    Culprit {
        kind: "disk".to_owned(),
        node: Some("t1".to_owned()),
        disk: Some("disk0".to_owned()),
        peer: None,
        resource: None,
        confidence: 0.9,
        cost_ns: 1,
        guessed_ns: 0,
        hidden_ns: 0,
        since: since.to_owned(),
        until: since.to_owned(),
        evidence: Vec::new(),
    }
}

/// `why --since 5s` was offered whenever the fault was, and answered that there is none.
#[test]
fn why_reaches_back_to_where_the_fault_began() {
    let began = culprit("2026-09-22T05:13:24.022538Z");
    let newest: jiff::Timestamp = "2026-09-22T05:13:36.5Z".parse().unwrap();
    let mut shown = Shown {
        culprit: Some(&began),
        newest_unix_nanos: i64::try_from(newest.as_nanosecond()).ok(),
        has_reads: false,
        has_state: false,
    };
    assert!(commands(&shown).contains(&"why --since 13s".to_owned()), "{shown:?}");
    shown.newest_unix_nanos = None;
    assert!(commands(&shown).contains(&"why".to_owned()), "{shown:?}");
    shown.culprit = None;
    assert!(commands(&shown).contains(&"why".to_owned()), "{shown:?}");
}

#[test]
fn state_is_offered_where_some_came() {
    let mut shown = Shown {
        culprit: None,
        newest_unix_nanos: Some(5),
        has_reads: false,
        has_state: false,
    };
    let is_of_state = |command: &String| command == "disks" || command == "rdma";
    assert!(!commands(&shown).iter().any(is_of_state));
    shown.has_state = true;
    assert_eq!(
        commands(&shown).iter().filter(|command| is_of_state(command)).count(),
        2
    );
}

#[test]
fn reads_are_offered_where_there_are_some() {
    let mut shown = Shown {
        culprit: None,
        newest_unix_nanos: Some(5),
        has_reads: false,
        has_state: false,
    };
    let is_offered = |shown: &Shown<'_>| commands(shown).contains(&"reads --slowest 10".to_owned());
    assert!(!is_offered(&shown));
    shown.has_reads = true;
    assert!(is_offered(&shown));
}

#[test]
fn lines_can_be_pasted_whatever_folders_are_called() {
    let lines = lines(
        Path::new("/usr/bin/fathom"),
        Path::new("/tmp/it's here/context.toml"),
        &["why --since 3s".to_owned(), "nodes".to_owned()],
    );
    let words: Vec<Vec<String>> = lines.lines().filter_map(shlex::split).collect();
    let context = "/tmp/it's here/context.toml";
    assert_eq!(
        words,
        [
            vec!["/usr/bin/fathom", "why", "--since", "3s", "--context", context],
            vec!["/usr/bin/fathom", "nodes", "--context", context]
        ]
    );
}
