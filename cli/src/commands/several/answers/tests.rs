//! Who answered and who did not, in the order of sites and names, with since when.

use fathom_proto::query::v1 as query;
use tonic::transport::Endpoint;

use super::*;
use crate::client::{Client, Question};
use crate::context::Context;
use crate::exit;
use crate::scope;

fn outcome(cluster: &str, word: &str, reason: &str) -> wire::ClusterOutcome {
    wire::ClusterOutcome {
        cluster: Some(wire::ClusterStatus {
            site: "oslo".to_owned(),
            cluster: cluster.to_owned(),
            address: cluster.to_owned(),
            heard_unix_nanos: 9,
            ..wire::ClusterStatus::default()
        }),
        outcome: word.to_owned(),
        reason: reason.to_owned(),
        message: "no".to_owned(),
        code: if reason.is_empty() { 0 } else { Code::Unavailable.into() },
        since_unix_nanos: None,
    }
}

/// A command that asks for nodes, and says how many there are.
fn nodes() -> Result<exit::Code> {
    let context = Context {
        cluster: scope::cluster().unwrap_or_default(),
        ..Context::default()
    };
    crate::client::block_on(async {
        let client = Client::connect(&context).await?;
        let (nodes, _) = client.nodes().await?;
        scope::print(&format!("{} nodes", nodes.len()))?;
        Ok(exit::Code::Fine)
    })
}

#[test]
fn command_runs_with_the_answer_of_each_cluster() {
    let runtime = crate::client::runtime().unwrap();
    let _within = runtime.enter();
    let transport = crate::client::Transport::new(Endpoint::from_static("http://127.0.0.1:1").connect_lazy());
    let client = Client::of_transport(transport);
    let super::super::Asked::First(question) = super::super::first_question(&client, &nodes) else {
        panic!("it asks")
    };
    assert_eq!(
        question,
        Question {
            method: "/fathom.query.v1.QueryService/ListNodes".to_owned(),
            request: Vec::new().into()
        }
    );
    let deadline = scope::Deadline::after(Duration::from_secs(5));
    let asking = Asking {
        client: &client,
        question,
        deadline,
        ask: &nodes,
    };
    let answer = query::ListNodesResponse {
        nodes: vec![query::NodeStatus::default(); 3],
        ..query::ListNodesResponse::default()
    };
    let message = BytesMut::from(&prost::Message::encode_to_vec(&answer)[..]);
    let fine = asking.said(&outcome("c1", "answered", ""), vec![message.clone()]);
    assert_eq!(
        (fine.result.unwrap(), fine.scope.text.as_str()),
        (exit::Code::Fine, "3 nodes")
    );
    assert_eq!(fine.since, None);

    let refused = asking.said(&outcome("c1", "no_answer", "SITE_POLICY"), Vec::new());
    assert_eq!(refused.result.unwrap_err().reason(), Some("SITE_POLICY"));
    assert_eq!(refused.since, None, "it was refused, so it was heard");
    let late = asking.said(&outcome("c1", "no_answer", DEADLINE), vec![message.clone()]);
    assert!(
        matches!(late.result, Err(Error::Deadline { .. })),
        "what came of it is no answer"
    );
    let unasked = asking.said(&outcome("c1", "not_asked", DEADLINE), Vec::new());
    assert!(matches!(unasked.result, Err(Error::NotAsked { .. })));
    let cut = wire::ClusterOutcome {
        since_unix_nanos: Some(7),
        ..outcome("c1", "no_answer", "SITE_CUT_OFF")
    };
    assert_eq!(asking.said(&cut, Vec::new()).since, Some(7));
    // A page of it came, and the next is asked of nobody.
    let half = query::ListNodesResponse {
        next_page_token: "more".to_owned(),
        ..answer
    };
    let message = BytesMut::from(&prost::Message::encode_to_vec(&half)[..]);
    let broken = asking.said(&outcome("c1", "answered", ""), vec![message]);
    assert!(
        matches!(broken.result, Err(Error::Unreachable { .. })),
        "{:?}",
        broken.result
    );
}

#[test]
fn clusters_stand_by_site_and_name_whoever_was_quick() {
    let cluster = |name: &str| outcome(name, "answered", "").cluster.unwrap_or_default();
    let said = |name: &str| {
        let said = Said {
            result: Ok(exit::Code::Fine),
            scope: Scope::new(name.to_owned(), None),
            since: None,
        };
        (cluster(name), said)
    };
    let answers = sorted(vec![cluster("b")], vec![said("c"), said("a")], None);
    let names: Vec<&str> = answers.clusters.iter().map(|own| own.cluster.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let places: Vec<(usize, &str)> = (answers.said.iter())
        .map(|(at, said)| (*at, said.scope.cluster.as_str()))
        .collect();
    assert_eq!(places, [(0, "a"), (2, "c")]);
}

#[test]
fn pieces_become_messages() {
    let mut begun = Begun::default();
    for (piece, continues) in [("ab", true), ("c", false), ("", false), ("d", false)] {
        begun.add(piece.as_bytes(), continues);
    }
    assert_eq!(begun.messages, ["abc", "", "d"]);
}
