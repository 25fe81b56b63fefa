//! Whoever selected some is told of those, whole and alone.

use fathom_model::health::State;
use fathom_model::rollup::{ClusterRollup, Revision};
use fathom_rollup::Config;

use super::*;

const NOW: i64 = 1_790_000_000_000_000_000;

fn say(fleet: &mut Fleet, cluster: &str, number: u64, state: State, tier: &str) {
    let revision = Revision {
        started_unix_ns: NOW,
        number,
    };
    let mut rollup = ClusterRollup::new(&ClusterKey::new("berlin", cluster), revision);
    rollup.state = state;
    rollup.labels.insert("tier".to_owned(), tier.to_owned());
    (rollup.from_unix_ns, rollup.to_unix_ns) = (NOW - 3_600_000_000_000, NOW);
    fleet.apply(rollup, NOW);
}

fn told(news: &News) -> Vec<&str> {
    let entry = |entry: &'_ Entry| match (entry.site.is_empty(), entry.cluster.is_empty()) {
        (true, _) => "fleet",
        (false, true) => "site",
        (false, false) => "cluster",
    };
    news.entries.iter().map(entry).collect()
}

#[test]
fn only_what_is_selected_is_told_and_counted() {
    let mut fleet = Fleet::new(Config::default());
    say(&mut fleet, "c1", 1, State::Ok, "gold");
    say(&mut fleet, "c2", 1, State::Critical, "tin");
    let selection = Selection::parse(&["tier=gold"], &[] as &[&str]).unwrap();
    let mut watch = Watch::new(selection.clone(), 0);
    let first = watch.news(&fleet, NOW);
    assert!(first.is_all);
    assert_eq!(told(&first), ["fleet", "site", "cluster"]);
    for entry in &first.entries {
        assert_eq!((entry.state, entry.clusters.total()), (State::Ok, 1), "{entry:?}");
    }
    // What is not selected is no news, and what comes to be selected is.
    say(&mut fleet, "c2", 2, State::Degraded, "tin");
    assert!(watch.news(&fleet, NOW).messages(1).is_empty());
    say(&mut fleet, "c2", 3, State::Degraded, "gold");
    let second = watch.news(&fleet, NOW);
    assert_eq!(told(&second), ["fleet", "site", "cluster"]);
    assert_eq!(second.entries[2].cluster, "c2");
    assert_eq!(second.entries[0].clusters.total(), 2);
    // What does not fit any more is gone, and so is what was taken out.
    let token = second.version;
    say(&mut fleet, "c2", 4, State::Degraded, "tin");
    let third = watch.news(&fleet, NOW);
    assert_eq!(third.gone, [ClusterKey::new("berlin", "c2")]);
    assert_eq!(told(&third), ["fleet", "site"]);
    let resumed = Watch::new(selection, token).news(&fleet, NOW);
    assert_eq!((resumed.is_all, resumed.gone), (false, third.gone));
    fleet.forget(&ClusterKey::new("berlin", "c1"));
    assert_eq!(watch.news(&fleet, NOW).gone, [ClusterKey::new("berlin", "c1")]);
    assert!(watch.news(&fleet, NOW).messages(1).is_empty());
}

#[test]
fn whoever_selects_all_is_told_of_everything() {
    let mut fleet = Fleet::new(Config::default());
    say(&mut fleet, "c1", 1, State::Ok, "gold");
    let mut watch = Watch::new(Selection::all(), 0);
    assert_eq!(told(&watch.news(&fleet, NOW)), ["fleet", "site", "cluster"]);
    say(&mut fleet, "c2", 1, State::Critical, "tin");
    let news = watch.news(&fleet, NOW);
    assert_eq!(told(&news), ["fleet", "site", "cluster"]);
    fleet.forget(&ClusterKey::new("berlin", "c2"));
    let messages = watch.news(&fleet, NOW).messages(7);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].gone[0].cluster, "c2");
    assert!(messages[0].resume_token.starts_with("0000000000000007."));
}
