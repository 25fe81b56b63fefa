use fathom_model::{Incarnation, StreamKind};

use super::*;

fn stream(node: &str) -> StreamId {
    StreamId {
        cluster: "c".into(),
        node: node.into(),
        kind: StreamKind::Io,
        incarnation: Incarnation::from_bytes([7; 16]),
    }
}

/// Two daemons of one node took the stream from each other every 0.4 s, and nobody was told.
#[test]
fn stream_that_two_send_is_told_once_a_minute_with_both() {
    let began = Instant::now();
    let mut contests = Contests::default();
    let between = |at: u16| [at, at + 1].map(|port| Some(SocketAddr::from(([10, 0, 0, 1], port))));
    let mut told = Vec::new();
    for at in 0..300_u16 {
        let now = began + Duration::from_millis(400) * u32::from(at);
        if let Some(count) = contests.note(&stream("t1"), between(at), now) {
            told.push((at, count));
        }
    }
    assert_eq!(told, [(4, 5), (154, 155)]);
    let now = began + Duration::from_secs(120);
    let said: Vec<String> = contests.sentences(now).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    for part in ["node t1", "07070707", "10.0.0.1:299 and 10.0.0.1:300"] {
        assert!(said[0].contains(part), "{part}: {said:?}");
    }
    assert_eq!(contests.sentences(now + WITHIN).count(), 0);
}

#[test]
fn daemon_that_comes_back_is_no_contest() {
    let began = Instant::now();
    let mut contests = Contests::default();
    for at in 0..20 {
        let now = began + Duration::from_secs(20) * at;
        assert_eq!(contests.note(&stream("t1"), [None, None], now), None);
        assert_eq!(contests.note(&stream("t2"), [None, None], now), None);
        assert_eq!(contests.sentences(now).count(), 0);
    }
}
