//! The first question is known whomever it is about, and its answer is what came.

use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::query_service_client::QueryServiceClient;
use prost::Message;
use tonic::transport::Endpoint;

use super::*;

fn request(cluster: &str) -> wire::GetLatencyRequest {
    wire::GetLatencyRequest {
        cluster: cluster.to_owned(),
        by: "disk".to_owned(),
        ..wire::GetLatencyRequest::default()
    }
}

/// Nobody is there: whatever goes over it fails.
fn nowhere() -> Transport {
    let endpoint = Endpoint::from_static("http://127.0.0.1:1");
    Transport::new(endpoint.connect_lazy())
}

#[tokio::test]
async fn first_question_is_noted_and_its_answer_given_once_to_whoever_asks_it() {
    let noted = Arc::new(Mutex::new(None));
    let mut client = QueryServiceClient::new(nowhere().with(First::Note(Arc::clone(&noted))));
    let refused = client.get_latency(request("")).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Cancelled, "noted"));
    assert!(client.list_nodes(wire::ListNodesRequest::default()).await.is_err());
    let question = noted.lock().unwrap().clone().unwrap();
    assert_eq!(question.method, "/fathom.query.v1.QueryService/GetLatency");
    assert_eq!(question.request, request("").encode_to_vec());

    let said = wire::GetLatencyResponse {
        latency: vec![wire::Latency {
            tap: "volume".to_owned(),
            ..wire::Latency::default()
        }],
        ..wire::GetLatencyResponse::default()
    };
    let message = BytesMut::from(&said.encode_to_vec()[..]);
    let answer = Answer::new(vec![message], Status::new(Code::Ok, ""));
    let known = First::Known(question.clone(), Arc::new(Mutex::new(Some(answer))));
    let mut client = QueryServiceClient::new(nowhere().with(known));
    // Another question goes its way.
    let other = client.list_nodes(wire::ListNodesRequest::default()).await.unwrap_err();
    assert_eq!(other.code(), Code::Unavailable, "{other}");
    let name = "c".repeat(200);
    let answered = client.get_latency(request(&name)).await.unwrap().into_inner();
    assert_eq!(answered, said);
    assert_eq!(
        client.get_latency(request(&name)).await.unwrap_err().code(),
        Code::Unavailable,
        "asked again it is a question of its own"
    );

    let refused = Answer::new(Vec::new(), Status::permission_denied("not here"));
    let known = First::Known(question, Arc::new(Mutex::new(Some(refused))));
    let mut client = QueryServiceClient::new(nowhere().with(known));
    let refused = client.get_latency(request("c1")).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::PermissionDenied, "not here")
    );
}

#[tokio::test]
async fn streams_are_answered_message_by_message() {
    let messages = ["a", "b"].map(|id| {
        let io = wire::Io {
            id: id.to_owned(),
            ..wire::Io::default()
        };
        let response = wire::StreamIosResponse {
            ios: vec![io],
            coverage: None,
        };
        BytesMut::from(&response.encode_to_vec()[..])
    });
    let question = Question {
        method: "/fathom.query.v1.QueryService/StreamIos".to_owned(),
        request: Bytes::new(),
    };
    let answer = Answer::new(messages.into(), Status::new(Code::Ok, ""));
    let known = First::Known(question, Arc::new(Mutex::new(Some(answer))));
    let mut client = QueryServiceClient::new(nowhere().with(known));
    let request = wire::StreamIosRequest {
        cluster: "c1".to_owned(),
        filter: None,
    };
    let mut stream = client.stream_ios(request).await.unwrap().into_inner();
    let mut ids = Vec::new();
    while let Some(some) = stream.message().await.unwrap() {
        ids.extend(some.ios.into_iter().map(|io| io.id));
    }
    assert_eq!(ids, ["a", "b"]);
}
