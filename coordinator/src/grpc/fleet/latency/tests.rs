//! What clusters counted adds up, and of those that gave nothing nothing is in it.

use bytes::Bytes;

use super::*;
use crate::fleet::played::{Fleet as Played, Plays};
use crate::fleet::selections::Selections;

/// An answer of a cluster with these times of writes.
fn answer(times: &[u64], unheard: usize) -> Plays {
    let mut sketch = Sketch::new();
    times.iter().for_each(|nanos| sketch.add(*nanos));
    let row = TapLatency {
        tap: Tap::Volume,
        op: Op::Write,
        sketch,
    };
    let response = query::GetLatencySketchesResponse {
        latency: vec![(&row).into()],
        coverage: Some(query::Coverage {
            newest_unix_nanos: Some(100),
            from_unix_nanos: Some(times.len() as i64),
            nodes: vec![query::UnseenNode::default(); unheard],
            ..query::Coverage::default()
        }),
        source: None,
    };
    Plays::Answers(vec![response.encode_to_vec().into()], 64)
}

async fn fleet(clusters: Vec<(&str, Plays)>) -> (Fleet, Played) {
    let mut played = Played::new().await;
    let mut asked = played.join("oslo", clusters);
    let selections = Selections::open(played.store.path()).unwrap();
    let (sites, asker, tasks) = (played.sites.clone(), played.asker.clone(), played.tasks.clone());
    asked.close();
    (Fleet::new(sites, selections, asker, 1, tasks), played)
}

fn request(since_nanos: u64, volume: &str) -> wire::GetFleetLatencyRequest {
    wire::GetFleetLatencyRequest {
        since_nanos,
        volume: volume.to_owned(),
        deadline_nanos: 400_000_000,
        ..wire::GetFleetLatencyRequest::default()
    }
}

#[tokio::test]
async fn sketches_of_all_that_answer_add_up_and_the_others_are_named() {
    let odd = Plays::Answers(vec![Bytes::from_static(b"\xff\xff")], 64);
    let (fleet, _played) = fleet(vec![
        ("a", answer(&[1_000; 98], 0)),
        ("b", answer(&[9_000; 2], 1)),
        ("hangs", Plays::Hangs),
        ("odd", odd),
        (
            "other",
            Plays::Refuses(Bytes::new(), status::not_found("UNKNOWN_NAME", "no volume vol7")),
        ),
    ])
    .await;
    let found = fleet.latency(request(1, "vol7")).await.unwrap();
    assert_eq!((found.source.as_str(), found.clusters), ("sites", 2));
    let [row] = &found.latency[..] else { panic!("{found:?}") };
    let of = row.percentiles.unwrap();
    assert_eq!((row.tap.as_str(), row.op.as_str(), of.count), ("volume", "write", 100));
    let near = |found: Option<u64>, nanos: u64| found.unwrap().abs_diff(nanos) * 100 <= nanos;
    assert!(near(of.p50_nanos, 1_000) && near(of.p99_nanos, 9_000), "{of:?}");
    assert_eq!((found.from_unix_nanos, found.to_unix_nanos), (Some(2), Some(100)));
    let missing: Vec<_> = found
        .missing
        .iter()
        .map(|own| (own.cluster.as_str(), own.cause.as_str(), own.reason.as_str()))
        .collect();
    assert_eq!(missing, [("hangs", "no_answer", "DEADLINE"), ("odd", "no_answer", "")]);
    let [partial] = &found.partial[..] else {
        panic!("{found:?}")
    };
    assert_eq!((partial.cluster.as_str(), partial.unknown_nodes), ("b", 1));
}

#[tokio::test]
async fn what_no_cluster_has_is_a_wrong_question() {
    let none = || Plays::Refuses(Bytes::new(), status::not_found("UNKNOWN_NAME", "no volume vol7"));
    let (fleet, _played) = fleet(vec![("a", none()), ("b", none())]).await;
    let refused = fleet.latency(request(0, "vol7")).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::NotFound, "no volume vol7"));
}

#[tokio::test]
async fn rollups_are_asked_where_they_can_tell() {
    let (fleet, _played) = fleet(vec![("a", answer(&[1_000], 0))]).await;
    let of_rollups = fleet.latency(request(0, "")).await.unwrap();
    assert_eq!((of_rollups.source.as_str(), of_rollups.unheard.len()), ("rollups", 1));
    let source = |since, source: &str| wire::GetFleetLatencyRequest {
        source: source.to_owned(),
        ..request(since, "")
    };
    assert_eq!(fleet.latency(source(0, "sites")).await.unwrap().clusters, 1);
    for (since, word) in [(1, "rollups"), (0, "moon")] {
        let refused = fleet.latency(source(since, word)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
}
