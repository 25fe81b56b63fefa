//! Each cluster that is asked for has one outcome, whatever others do, and what there is of an answer is what it gave.

use std::collections::BTreeMap;

use super::super::played::{Fleet, Plays};
use super::*;

const LATENCY: &str = "/fathom.query.v1.QueryService/GetLatency";

fn listed(clusters: &[(&str, &str)]) -> Vec<wire::ClusterStatus> {
    let clusters = clusters.iter().map(|(site, cluster)| wire::ClusterStatus {
        site: (*site).to_owned(),
        cluster: (*cluster).to_owned(),
        address: format!("{site}/{cluster}"),
        reach: "connected".to_owned(),
        ..wire::ClusterStatus::default()
    });
    clusters.collect()
}

fn question(clusters: Vec<wire::ClusterStatus>, patience: Duration) -> Question {
    Question {
        clusters,
        method: LATENCY.to_owned(),
        // Another name in it is not whom it is about.
        request: Bytes::from_static(b"\x0a\x05other\x1a\x04disk"),
        patience,
    }
}

fn name(cluster: &Option<wire::ClusterStatus>) -> String {
    let cluster = cluster.as_ref().unwrap();
    format!("{}/{}", cluster.site, cluster.cluster)
}

/// Outcomes by name, and the messages that came of each; none comes after an outcome.
async fn all(mut events: mpsc::Receiver<Event>) -> BTreeMap<String, (wire::ClusterOutcome, Vec<Vec<u8>>)> {
    let mut messages: BTreeMap<String, Vec<(Vec<u8>, bool)>> = BTreeMap::new();
    let mut over = BTreeMap::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Part(part) => {
                let name = format!("{}/{}", part.site, part.cluster);
                assert!(!over.contains_key(&name), "{name}");
                assert!(part.piece.len() <= PIECE);
                let own = messages.entry(name).or_default();
                match own.last_mut().filter(|(_, continues)| *continues) {
                    Some((message, continues)) => {
                        message.extend_from_slice(&part.piece);
                        *continues = part.continues;
                    }
                    None => own.push((part.piece.to_vec(), part.continues)),
                }
            }
            Event::Over(outcome) => {
                let name = name(&outcome.cluster);
                let own = messages.remove(&name).unwrap_or_default();
                let own: Vec<Vec<u8>> = own.into_iter().map(|(message, _)| message).collect();
                assert!(over.insert(name, (*outcome, own)).is_none());
            }
        }
    }
    over
}

#[tokio::test]
async fn answers_come_whole_however_they_are_cut_and_are_about_each_cluster() {
    let mut fleet = Fleet::new().await;
    let large = Bytes::from(vec![7; 2 * PIECE + 5]);
    let messages = vec![Bytes::from_static(b"abc"), large.clone(), Bytes::from_static(b"d")];
    let mut questions = fleet.join("oslo", vec![("c1", Plays::Answers(messages.clone(), 100_000))]);
    fleet.join("rome", vec![("c1", Plays::Answers(messages, 1_000_003))]);
    let clusters = listed(&[("oslo", "c1"), ("rome", "c1")]);
    let came = all(fleet.asker.ask(question(clusters, Duration::from_secs(20)))).await;
    assert_eq!(came.keys().collect::<Vec<_>>(), ["oslo/c1", "rome/c1"]);
    for (outcome, messages) in came.values() {
        assert_eq!((outcome.outcome.as_str(), outcome.code), ("answered", 0));
        assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), [3, large.len(), 1]);
        assert_eq!(messages[1], large);
    }
    let (asked, waits) = questions.recv().await.unwrap();
    assert_eq!((asked.cluster.as_str(), asked.method.as_str()), ("c1", LATENCY));
    assert_eq!(asked.request, &b"\x0a\x02c1\x1a\x04disk"[..]);
    let waits = waits.unwrap();
    assert!(
        waits > Duration::from_secs(19) && waits <= Duration::from_secs(21),
        "{waits:?}"
    );
}

#[tokio::test]
async fn what_a_cluster_says_and_what_it_does_not_are_told_apart() {
    let mut fleet = Fleet::new().await;
    let refuses = |status: Status| Plays::Refuses(Bytes::from_static(b"begun"), status);
    fleet.join(
        "oslo",
        vec![
            ("fine", Plays::Answers(vec![Bytes::from_static(b"a")], 64)),
            ("none", refuses(status::not_found("NO_IO", "no such write"))),
            ("wrong", refuses(status::invalid("by: no"))),
            ("policy", refuses(status::site_policy("oslo", LATENCY, "nothing"))),
            ("cut", refuses(status::cut_off("oslo"))),
            ("plain", refuses(Status::unimplemented("no such method"))),
            ("hangs", Plays::Hangs),
        ],
    );
    fleet.join("rome", vec![("gone", Plays::Hangs)]);
    fleet.leave("rome");
    let mut clusters = listed(&[
        ("oslo", "fine"),
        ("oslo", "none"),
        ("oslo", "wrong"),
        ("oslo", "policy"),
        ("oslo", "cut"),
        ("oslo", "plain"),
        ("oslo", "hangs"),
        ("rome", "gone"),
        ("rome", "late"),
        ("oslo", "withdrawn"),
    ]);
    for (at, reach) in [(8, "missing"), (9, "withdrawn")] {
        clusters[at].reach = reach.to_owned();
        clusters[at].missing_since_unix_nanos = Some(7);
    }
    let came = all(fleet.asker.ask(question(clusters, Duration::from_millis(300)))).await;
    let said = |name: &str| {
        let (outcome, _) = &came[name];
        (
            outcome.outcome.as_str(),
            outcome.reason.as_str(),
            outcome.since_unix_nanos.is_some(),
        )
    };
    assert_eq!(said("oslo/fine"), ("answered", "", false));
    assert_eq!(said("oslo/none"), ("not_there", "NO_IO", false));
    assert_eq!(said("oslo/wrong"), ("invalid", "INVALID", false));
    // It was refused, so it is heard.
    assert_eq!(said("oslo/policy"), ("no_answer", "SITE_POLICY", false));
    assert_eq!(said("oslo/cut"), ("no_answer", "SITE_CUT_OFF", true));
    assert_eq!(said("oslo/plain"), ("no_answer", "", false));
    assert_eq!(said("oslo/hangs"), ("no_answer", "DEADLINE", true));
    // It was there when clusters were listed, and is gone since.
    assert_eq!(said("rome/gone"), ("no_answer", "SITE_MISSING", true));
    assert_eq!(said("rome/late"), ("site_missing", "SITE_MISSING", true));
    assert_eq!(said("oslo/withdrawn"), ("cluster_withdrawn", "CLUSTER_WITHDRAWN", true));
    assert_eq!(came["oslo/plain"].0.code, i32::from(Code::Unimplemented));
    assert_eq!(came["rome/late"].0.since_unix_nanos, Some(7));
    assert!(came["rome/late"].0.message.contains("rome has been missing since"));
    assert_eq!(came.len(), 10);
}

/// Sixteen clusters were once asked in the order of sites: a site that hung had all places until the deadline, nobody else was asked, and all
/// were said to have given no answer.
#[tokio::test]
async fn site_that_hangs_keeps_nobody_else_from_being_asked() {
    let mut fleet = Fleet::new().await;
    let names: Vec<String> = (0..24).map(|at| format!("c{at}")).collect();
    let hangs = names.iter().map(|name| (name.as_str(), Plays::Hangs));
    fleet.join("hangs", hangs.collect());
    let mut listing: Vec<(&str, &str)> = names.iter().map(|name| ("hangs", name.as_str())).collect();
    for site in ["oslo", "paris", "rome"] {
        let some = names.iter().take(5).map(String::as_str);
        listing.extend(some.clone().map(|name| (site, name)));
        fleet.join(
            site,
            some.map(|name| (name, Plays::Answers(vec![Bytes::from_static(b"a")], 64)))
                .collect(),
        );
    }
    let came = all(fleet.asker.ask(question(listed(&listing), Duration::from_millis(700)))).await;
    let count = |word: &str, hangs: bool| {
        let of = came.iter().filter(|(name, _)| name.starts_with("hangs/") == hangs);
        of.filter(|(_, (outcome, _))| outcome.outcome == word).count()
    };
    assert_eq!((count("answered", false), came.len()), (15, 39));
    let (unanswered, unasked) = (count("no_answer", true), count("not_asked", true));
    assert_eq!(unanswered + unasked, 24);
    assert!(unanswered >= 4 && unasked > 0, "{unanswered} {unasked}");
    for (outcome, _) in came.values().filter(|(outcome, _)| outcome.outcome == "not_asked") {
        assert_eq!((outcome.reason.as_str(), outcome.since_unix_nanos), ("DEADLINE", None));
    }
}

#[tokio::test]
async fn answer_that_is_too_large_is_none() {
    let mut fleet = Fleet::new().await;
    let large = Bytes::from(vec![7; MOST_BYTES]);
    fleet.join("oslo", vec![("c1", Plays::Answers(vec![large], 4 * PIECE))]);
    let asked = question(listed(&[("oslo", "c1")]), Duration::from_secs(60));
    let came = all(fleet.asker.ask(asked)).await;
    let (outcome, _) = &came["oslo/c1"];
    assert_eq!(
        (outcome.outcome.as_str(), outcome.reason.as_str()),
        ("no_answer", "ANSWER_BYTES")
    );
}

#[tokio::test]
async fn whoever_leaves_takes_the_question_back() {
    let mut fleet = Fleet::new().await;
    let mut questions = fleet.join("oslo", vec![("c1", Plays::Hangs), ("c2", Plays::Hangs)]);
    let clusters = listed(&[("oslo", "c1"), ("oslo", "c2")]);
    let events = fleet.asker.ask(question(clusters, Duration::from_secs(600)));
    let (first, _) = questions.recv().await.unwrap();
    drop(events);
    // The tasks end long before the time is over, and nobody waits at the site any more.
    let running = || {
        fleet
            .tasks
            .running()
            .into_iter()
            .filter(|name| name.contains("clusters"))
            .count()
    };
    while running() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(fleet.sites.waiting_for(first.id, "oslo").is_none());
}

#[tokio::test]
async fn nobody_is_asked_where_nobody_is_meant() {
    let fleet = Fleet::new().await;
    assert!(all(fleet.asker.ask(question(Vec::new(), PATIENCE))).await.is_empty());
}

#[test]
fn time_that_is_not_said_is_half_a_minute() {
    assert_eq!(patience(0), Duration::from_secs(30));
    assert_eq!(patience(5), Duration::from_nanos(5));
    assert_eq!(patience(u64::MAX), LONGEST);
}
