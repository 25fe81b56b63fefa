//! How many requests one certificate may have open at once: whoever asks too much is told so, and takes nothing from the others.
//!
//! It stands before all services. What daemons and sites say is not counted, nor is whether the coordinator lives: credit, and the one
//! stream that each has, bound those.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use tonic::body::Body;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tower::{Layer, Service};

use crate::grpc::status;
use crate::site::is_watch;

/// Requests to these packages are counted.
const COUNTED: [&str; 3] = [
    "/fathom.query.v1.",
    "/fathom.control.v1.",
    "/fathom.fleet.v1.FleetService/",
];

/// Whose requests of which kind: the certificate's checksum, and whether they are watches, which have a count of their own.
type Who = ([u8; SHA256_OUTPUT_LEN], bool);

/// Puts [`Quota`] before services.
#[derive(Clone)]
pub(crate) struct QuotaLayer {
    /// Most requests of a certificate at once, and as many watches.
    most: u32,
    open: Arc<Mutex<HashMap<Who, u32>>>,
}

impl QuotaLayer {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            open: Arc::default(),
        }
    }

    /// A place for one more; `None` where there are as many as may be.
    fn take(&self, who: Who) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(who).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place {
            open: Arc::clone(&self.open),
            who,
        })
    }
}

/// A request that is open, until it is dropped.
struct Place {
    open: Arc<Mutex<HashMap<Who, u32>>>,
    who: Who,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.who) {
            *count -= 1;
            // Certificates come and go.
            if *count == 0 {
                open.remove(&self.who);
            }
        }
    }
}

impl<S> Layer<S> for QuotaLayer {
    type Service = Quota<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Quota {
            inner,
            layer: self.clone(),
        }
    }
}

/// Services with the count before them.
#[derive(Clone)]
pub(crate) struct Quota<S> {
    inner: S,
    layer: QuotaLayer,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for Quota<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let Some(package) = COUNTED.into_iter().find(|package| path.starts_with(package)) else {
            return Box::pin(self.inner.call(request));
        };
        let who = (certificate(&request), is_watch(path));
        let Some(place) = self.layer.take(who) else {
            let refused = status::too_many_requests(package.starts_with("/fathom.fleet."), self.layer.most);
            return Box::pin(async move { Ok(refused.into_http()) });
        };
        let answered = self.inner.call(request);
        Box::pin(async move {
            let response = answered.await?;
            // It is open until all of its answer has been taken.
            Ok(response.map(|body| Body::new(Held { body, _place: place })))
        })
    }
}

/// The checksum of the certificate that the connection was made with. Over anything but TLS, as in tests, all are one.
fn certificate(request: &Request<Body>) -> [u8; SHA256_OUTPUT_LEN] {
    let info = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>();
    let certificates = info.and_then(TlsConnectInfo::peer_certs);
    let own = certificates.as_ref().and_then(|chain| chain.first());
    let mut checksum = [0; SHA256_OUTPUT_LEN];
    if let Some(own) = own {
        checksum.copy_from_slice(digest(&SHA256, own).as_ref());
    }
    checksum
}

/// An answer that keeps its place.
struct Held {
    body: Body,
    _place: Place,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
