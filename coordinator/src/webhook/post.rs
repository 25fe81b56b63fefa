//! One HTTP request with its answer, on a connection of its own: findings change seldom.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Webhook;

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody listens there, or the name has no address.
    #[error("cannot connect to {host}:{port}: {source}")]
    Connect {
        host: String,
        port: u16,
        source: std::io::Error,
    },
    /// It is not who it should be, or does not speak TLS.
    #[error("no TLS with {host}:{port}: {source}")]
    Tls {
        host: String,
        port: u16,
        source: std::io::Error,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("the connection broke: {source}")]
    Http { source: hyper::Error },
    /// The request could not be made: a header that cannot be one.
    #[error("the request cannot be made: {reason}")]
    Request { reason: String },
    /// It answered that it does not take it.
    #[error("it answered {status}{}", if status.is_redirection() { "; redirections are not followed, give the final url" } else { "" })]
    Status {
        status: StatusCode,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// It did not answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

impl Failure {
    /// How long it wants to be left alone, where it said so.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Sends a body that was signed at a second. Cancel safe: the endpoint may have taken it or not, as after any failure.
pub(super) async fn post(webhook: &Webhook, unix_seconds: u64, body: Bytes) -> Result<(), Failure> {
    let attempt = connect_and_send(webhook, unix_seconds, body);
    match tokio::time::timeout(webhook.timeout, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::Timeout(webhook.timeout)),
    }
}

async fn connect_and_send(webhook: &Webhook, unix_seconds: u64, body: Bytes) -> Result<(), Failure> {
    let (host, port) = (webhook.host.clone(), webhook.port);
    let request = request(webhook, unix_seconds, body)?;
    let stream = match TcpStream::connect((host.as_str(), port)).await {
        Ok(stream) => stream,
        Err(source) => return Err(Failure::Connect { host, port, source }),
    };
    let Some((config, name)) = &webhook.tls else {
        return exchange(stream, request).await;
    };
    match TlsConnector::from(std::sync::Arc::clone(config))
        .connect(name.clone(), stream)
        .await
    {
        Ok(stream) => exchange(stream, request).await,
        Err(source) => Err(Failure::Tls { host, port, source }),
    }
}

fn request(webhook: &Webhook, unix_seconds: u64, body: Bytes) -> Result<Request<Full<Bytes>>, Failure> {
    let invalid = |error: http::Error| Failure::Request {
        reason: error.to_string(),
    };
    let path = webhook.url.path_and_query().map_or("/", |path| path.as_str());
    let authority = webhook.url.authority().map_or("", |authority| authority.as_str());
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("fathom/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header("fathom-timestamp", unix_seconds)
        .header("fathom-signature", webhook.sign(unix_seconds, &body))
        .body(Full::new(body))
        .map_err(invalid)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let http = |source| Failure::Http { source };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(http)?;
    let answer = sender.send_request(request);
    let driven = async {
        // However it ends, the answer says it.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    let response = tokio::select! {
        biased;
        answer = answer => answer.map_err(http)?,
        () = driven => return Err(Failure::Request { reason: "the connection ended".to_owned() }),
    };
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let seconds = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    Err(Failure::Status {
        status,
        retry_after: seconds
            .and_then(|text| text.trim().parse().ok())
            .map(Duration::from_secs),
    })
}
