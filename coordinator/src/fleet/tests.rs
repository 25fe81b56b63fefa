//! Questions find their way down and answers theirs back, and whoever waits is told when there is none.

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use tokio::sync::mpsc::Receiver;

use super::answer::{Part, from_wire, to_wire, trailers_of};
use super::*;

type Inbox = Receiver<Result<wire::JoinResponse, Status>>;

/// A fleet with one site, what goes down to it, and its session.
fn fleet() -> (Sites, Inbox, u64) {
    let sites = Sites::new("local", BTreeMap::new(), <_>::default(), 1_000);
    let (outbox, inbox) = mpsc::channel(OUTBOX);
    let hello = wire::Hello {
        protocol_version: fathom_proto::FLEET_PROTOCOL,
        site: "berlin".to_owned(),
        ..wire::Hello::default()
    };
    let (session, _) = sites.join(hello, outbox).unwrap();
    (sites, inbox, session)
}

fn asked() -> Asked {
    Asked {
        site: "berlin".to_owned(),
        cluster: "c1".to_owned(),
        method: "/fathom.query.v1.QueryService/GetLatency".to_owned(),
        request: Bytes::from_static(b"\x0a\x02c1"),
        deadline: Some(Duration::from_secs(7)),
    }
}

fn next(inbox: &mut Inbox) -> wire::join_response::Message {
    inbox.try_recv().unwrap().unwrap().message.unwrap()
}

fn question(inbox: &mut Inbox) -> wire::Question {
    match next(inbox) {
        wire::join_response::Message::Question(question) => question,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn answer_comes_as_the_site_gave_it() {
    let (sites, mut inbox, _) = fleet();
    let answer = sites.ask(asked()).await.unwrap();
    let question = question(&mut inbox);
    assert_eq!(
        (question.cluster.as_str(), question.deadline_nanos),
        ("c1", Some(7_000_000_000))
    );
    assert!(
        sites.waiting_for(question.id, "oslo").is_none(),
        "only the site that was asked may answer"
    );
    let pending = sites.waiting_for(question.id, "berlin").unwrap();
    let refused = Status::invalid_argument("ünlike");
    let said = trailers_of(&refused);
    let over_the_wire = from_wire(&to_wire(&said)).unwrap();
    let tell = async {
        for piece in [&b"ab"[..], b"c"] {
            pending
                .parts
                .send(Part::Frames(Bytes::from_static(piece)))
                .await
                .unwrap();
        }
        pending.parts.send(Part::End(over_the_wire)).await.unwrap();
    };
    let (collected, ()) = tokio::join!(answer.collect(), tell);
    let collected = collected.unwrap();
    assert_eq!(collected.trailers(), Some(&said));
    let status = Status::from_header_map(collected.trailers().unwrap()).unwrap();
    assert_eq!((status.code(), status.message()), (refused.code(), refused.message()));
    assert_eq!(collected.to_bytes(), "abc");
    assert!(inbox.try_recv().is_err(), "an answer that is whole is not cancelled");
}

#[tokio::test]
async fn answer_that_nobody_wants_is_cancelled() {
    let (sites, mut inbox, _) = fleet();
    let answer = sites.ask(asked()).await.unwrap();
    let id = question(&mut inbox).id;
    let pending = sites.waiting_for(id, "berlin").unwrap();
    drop(answer);
    assert_eq!(
        next(&mut inbox),
        wire::join_response::Message::Cancel(wire::Cancel { id })
    );
    assert!(pending.parts.is_closed());
    assert!(sites.waiting_for(id, "berlin").is_none());
}

#[tokio::test]
async fn site_that_leaves_cuts_its_answers_off() {
    let (sites, mut inbox, session) = fleet();
    let (begun, waiting) = (sites.ask(asked()).await.unwrap(), sites.ask(asked()).await.unwrap());
    let pending = sites.waiting_for(question(&mut inbox).id, "berlin").unwrap();
    pending
        .parts
        .send(Part::Frames(Bytes::from_static(b"ab")))
        .await
        .unwrap();
    sites.leave("berlin", session);
    assert!(pending.cut.is_cancelled());
    drop(pending);
    for (answer, came) in [(begun, "ab"), (waiting, "")] {
        let collected = answer.collect().await.unwrap();
        let status = Status::from_header_map(collected.trailers().unwrap()).unwrap();
        assert_eq!(status.code(), tonic::Code::Unavailable);
        assert!(status.message().contains("berlin was cut off"), "{status}");
        assert_eq!(collected.to_bytes(), came, "what came before is not taken back");
    }
    let refused = sites.ask(asked()).await.unwrap_err();
    assert!(refused.message().contains("missing since"), "{refused}");
}

#[test]
fn trailers_without_a_status_are_no_end() {
    assert!(from_wire(&to_wire(&HeaderMap::new())).is_none());
    let odd = wire::AnswerEnd {
        trailers: vec![wire::Trailer {
            name: "not a name".to_owned(),
            value: b"0".to_vec(),
        }],
    };
    assert!(from_wire(&odd).is_none());
}
