use std::collections::BTreeSet;

use super::*;

fn available(text: &str) -> State {
    State::Available(text.to_owned())
}

#[test]
fn a_probe_that_hangs_is_left_and_what_it_said_before_stays() {
    let (_keep, never) = sync_channel::<()>(1);
    let hangs = Probe::new("wmi", vec!["first".to_owned(), "second".to_owned()], move |answers| {
        answers.give(0, available("12 instances"));
        let _ = never.recv();
    });
    let answers = Probe::new("pdh", vec!["third".to_owned()], |answers| {
        answers.give(0, available("3"))
    });
    let limit = Duration::from_millis(50);
    let found = ask(vec![hangs, answers], limit);
    let states: Vec<State> = found.into_iter().map(|finding| finding.state).collect();
    assert_eq!(
        states,
        [available("12 instances"), State::NoAnswer(limit), available("3")]
    );
}

#[test]
fn an_item_that_a_broken_probe_did_not_reach_is_unavailable() {
    let broken = Probe::new("etw", vec!["first".to_owned(), "second".to_owned()], |answers| {
        answers.give(0, available("here"));
    });
    let found = ask(vec![broken], Duration::from_secs(60));
    assert_eq!(found[0].state, available("here"));
    assert!(matches!(&found[1].state, State::Unavailable(reason) if reason.contains("broke")));
}

#[cfg(not(windows))]
#[test]
fn elsewhere_than_on_windows_only_recordings_can_be_played() {
    let found = check(Duration::from_secs(60));
    let there: Vec<&str> = found
        .iter()
        .filter(|finding| matches!(finding.state, State::Available(_)))
        .map(|finding| finding.source)
        .collect();
    assert_eq!(there, ["replay"]);
    for source in ["etw", "event_log", "pdh", "wmi", "drives"] {
        let finding = found.iter().find(|finding| finding.source == source).unwrap();
        assert_eq!(finding.state, State::Unavailable("not Windows".to_owned()));
    }
}

#[test]
fn guids_of_providers_are_what_the_registry_calls_them() {
    for provider in known::PROVIDERS {
        let lengths: Vec<usize> = provider.guid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{}", provider.name);
        assert!(
            provider.guid.chars().all(|c| c == '-' || c.is_ascii_hexdigit()),
            "{}",
            provider.name
        );
    }
}

#[test]
fn errors_of_management_and_counters_are_told_in_words() {
    assert_eq!(words::wmi(0x8004_1010), "there is no such class (0x80041010)");
    assert_eq!(words::pdh(0xC000_0BB8), "there is no such counter set (0xC0000BB8)");
    assert_eq!(words::wmi(0x8004_1FFF), "it failed (0x80041FFF)");
}

#[test]
fn nothing_is_asked_twice_and_every_name_can_be_one() {
    let mut items = BTreeSet::new();
    let mut add = |item: String| assert!(items.insert(item.clone()), "{item} is asked twice");
    for namespace in known::namespaces() {
        assert!(namespace.path.starts_with(r"root\"), "{}", namespace.path);
        let guarded = namespace.path.contains("MSCluster") || namespace.path.contains("Encryption");
        assert_eq!(known::is_guarded(namespace.path), guarded, "{}", namespace.path);
        for class in &namespace.classes {
            // It stands in a query.
            assert!(
                class.name().chars().all(|c| c == '_' || c.is_ascii_alphanumeric()),
                "{class:?}"
            );
            add(format!(r"{}\{}", namespace.path, class.name()));
        }
    }
    for (set, counter) in known::COUNTERS {
        assert!(!set.contains(['(', '\\']) && !counter.contains('\\'), "{set} {counter}");
        add((*set).to_owned());
    }
    for channel in known::CHANNELS {
        // Some old ones have none.
        assert!(channel.matches('/').count() <= 1, "{channel}");
        add((*channel).to_owned());
    }
}

#[test]
fn everything_that_state_asks_is_shown() {
    let shown = known::namespaces();
    let has = |path: &str, name: &str| {
        let mut of = shown
            .iter()
            .filter(|namespace| namespace.path.eq_ignore_ascii_case(path));
        of.any(|namespace| namespace.classes.iter().any(|class| class.name() == name))
    };
    let is_asked = |class: &&fathom_state::schema::Class| class.namespace.starts_with("root");
    for class in fathom_state::schema::classes().filter(is_asked) {
        assert!(has(class.namespace, class.names[0]), "{}", class.names[0]);
    }
    for set in fathom_state::counters::SETS {
        assert!(has(r"root\cimv2", set.class), "{}", set.class);
    }
    for channel in crate::state::log::CHANNELS {
        assert!(known::CHANNELS.contains(&channel.name), "{}", channel.name);
    }
    for asked in [
        "MSCluster_HealthFault",
        "MSFT_NetQosDcbxSettingData",
        "MSFT_SBLTargetDisk",
    ] {
        assert!(shown.iter().any(|namespace| has(namespace.path, asked)), "{asked}");
    }
}
