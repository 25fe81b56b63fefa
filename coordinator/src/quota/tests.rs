//! A certificate has so many places, and they are free again when answers were taken.

use http_body_util::{BodyExt, Full};
use tower::ServiceExt;

use super::*;

const QUESTION: &str = "/fathom.query.v1.QueryService/GetLatency";
const WATCH: &str = "/fathom.query.v1.HealthService/WatchHealth";

fn request(path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().unwrap();
    request
}

fn services(
    most: u32,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answering> + Clone {
    // An answer without a body is over at once.
    let body = || Body::new(Full::new(Bytes::from_static(b"answer")));
    let answer = move |_: Request<Body>| async move { Ok::<_, Infallible>(Response::new(body())) };
    QuotaLayer::new(most).layer(tower::service_fn(answer))
}

fn code(response: &Response<Body>) -> Option<i32> {
    response.headers().get("grpc-status")?.to_str().ok()?.parse().ok()
}

#[tokio::test]
async fn one_more_than_may_be_is_refused_until_an_answer_was_taken() {
    let services = services(2);
    let ask = |path: &'static str| {
        let services = services.clone();
        async move {
            let Ok(response) = services.oneshot(request(path)).await;
            response
        }
    };
    let (first, second) = (ask(QUESTION).await, ask(QUESTION).await);
    assert_eq!((code(&first), code(&second)), (None, None));
    let refused = ask(QUESTION).await;
    assert_eq!(code(&refused), Some(tonic::Code::ResourceExhausted as i32));
    // Watches have a count of their own, and what is no question is not counted.
    let _watch = ask(WATCH).await;
    assert_eq!(code(&ask(WATCH).await), None);
    for _ in 0..5 {
        assert_eq!(code(&ask("/fathom.collect.v1.CollectService/Collect").await), None);
    }
    first.into_body().collect().await.unwrap();
    assert_eq!(code(&ask(QUESTION).await), None);
    drop(second);
}

#[test]
fn certificates_have_places_of_their_own_and_leave_nothing_behind() {
    let layer = QuotaLayer::new(1);
    let (one, other) = (([1; 32], false), ([2; 32], false));
    let place = layer.take(one);
    assert!(place.is_some() && layer.take(one).is_none() && layer.take(other).is_some());
    drop(place);
    assert!(layer.open.lock().unwrap().is_empty());
}
