//! Sends each question to where its cluster is: to the services of this coordinator, or down to a site.
//!
//! It stands before all services. A question is read as bytes, its cluster is found in field 1, and what a site answers goes back as it
//! came, trailers and all: so every method of `fathom.query.v1` and `fathom.control.v1` works across a fleet, and every client of gRPC.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::sites::Place;
use super::{Asked, Sites, frame};
use crate::grpc::status;
use crate::ingest::Clusters;

/// Questions to these packages are about a cluster; all others are this coordinator's own affair.
const ROUTED: [&str; 2] = ["/fathom.query.v1.", "/fathom.control.v1."];

/// But for this one, which asks who answers.
pub(crate) const OWN: &str = "/fathom.query.v1.QueryService/GetStatus";

/// Largest question.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Puts [`Route`] before services.
#[derive(Clone)]
pub(crate) struct RouteLayer {
    pub(crate) sites: Sites,
    pub(crate) clusters: Clusters,
}

impl<S> Layer<S> for RouteLayer {
    type Service = Route<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Route {
            inner,
            layer: self.clone(),
        }
    }
}

/// Services with the way to sites before them.
#[derive(Clone)]
pub(crate) struct Route<S> {
    inner: S,
    layer: RouteLayer,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for Route<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        if path == OWN || !ROUTED.iter().any(|package| path.starts_with(package)) {
            return Box::pin(self.inner.call(request));
        }
        // The clone takes the place of the one that was made ready.
        let inner = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, inner);
        let layer = self.layer.clone();
        Box::pin(async move {
            match layer.route(request).await {
                Ok(Way::Own(request)) => ready.call(request).await,
                Ok(Way::Answered(response)) => Ok(response),
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

/// What became of a question.
enum Way {
    /// It is for the services here.
    Own(Request<Body>),
    /// A site answers it.
    Answered(Response<Body>),
}

impl RouteLayer {
    async fn route(&self, request: Request<Body>) -> Result<Way, Status> {
        let (parts, body) = request.into_parts();
        let whole = Limited::new(body, MOST_BYTES).collect().await;
        let whole = whole.map_err(|error| status::bad_request(format!("the question cannot be read: {error}")))?;
        let fault = |fault: frame::Fault| status::bad_request(fault.to_string());
        let message = frame::only_message(whole.to_bytes()).map_err(fault)?;
        let name = frame::cluster(&message).map_err(fault)?;
        let own = |message: &[u8]| {
            let body = Body::new(Full::new(frame::framed(message)));
            Request::from_parts(parts.clone(), body)
        };
        let (site, cluster) = match self.sites.place(&name)? {
            Place::Own(cluster) if cluster == name => return Ok(Way::Own(own(&message))),
            Place::Own(cluster) => return Ok(Way::Own(own(&frame::about(&message, &cluster).map_err(fault)?))),
            Place::Site { site, cluster } => (site, cluster),
            Place::Nowhere { known } => {
                let all = self.clusters.all();
                if all.iter().any(|cluster| cluster.id.as_str() == name) {
                    return Ok(Way::Own(own(&message)));
                }
                return Err(status::no_cluster(&name, &known));
            }
        };
        let asked = Asked {
            request: frame::about(&message, &cluster).map_err(fault)?,
            site,
            cluster,
            method: parts.uri.path().to_owned(),
            deadline: deadline(&parts.headers),
        };
        let mut answer = self.sites.ask(asked).await?;
        answer.begun().await;
        let mut response = Response::new(Body::new(answer));
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(CONTENT_TYPE, grpc);
        Ok(Way::Answered(response))
    }
}

/// What the header `grpc-timeout` says: at most eight digits and a unit. One that is damaged says nothing.
pub(crate) fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
