//! Connections as they are made. Whoever does not prove who it is gets none, and the log says who that was and why: the other side often
//! sees no more than a connection that was closed.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fathom_identity::explain::{chain, tls_problem};
use fathom_identity::files::Credentials;
use fathom_runtime::tasks::{Kind, TaskGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::{Error, Result};

/// Who has not proved who it is by then does not want to.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections that may prove who they are at a time; more wait in the system's queue.
const MOST_HANDSHAKES: usize = 1024;

/// Connections that wait for the server to take them.
const WAITING: usize = 16;

/// After this long another refusal of the same address is told again.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// Addresses whose refusals are remembered as told.
const MOST_TOLD: usize = 1024;

/// How long to wait when the system gives no connection, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection of somebody who has proved who it is.
pub(crate) type Connection = TlsStream<TcpStream>;

/// Starts to take connections.
///
/// # Errors
///
/// When the certificates cannot be used.
pub(crate) fn start(
    listener: TcpListener,
    credentials: &Credentials,
    tasks: &TaskGroup,
) -> Result<ReceiverStream<io::Result<Connection>>> {
    let acceptor = TlsAcceptor::from(Arc::new(configuration(credentials)?));
    let (made, connections) = mpsc::channel(WAITING);
    let stop = tasks.shutdown().child_token();
    tasks.spawn("accept", Kind::Critical, async move {
        stop.run_until_cancelled(accept(listener, acceptor, made)).await;
        Ok::<(), String>(())
    });
    Ok(ReceiverStream::new(connections))
}

fn configuration(credentials: &Credentials) -> Result<ServerConfig> {
    let broken = |reason: String| Error::Server { reason };
    let certificates = |text: &str| -> Result<Vec<CertificateDer<'static>>> {
        let all = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>();
        all.map_err(|error| broken(chain(&error)))
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&credentials.ca_pem)?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = verifier.build().map_err(|error| broken(chain(&error)))?;
    let key = PrivateKeyDer::from_pem_slice(credentials.key_pem.as_bytes());
    let key = key.map_err(|error| broken(chain(&error)))?;
    let mut configuration = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(chain(&error)))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&credentials.certificate_pem)?, key)
        .map_err(|error| broken(chain(&error)))?;
    configuration.alpn_protocols.push(b"h2".to_vec());
    Ok(configuration)
}

/// Takes connections until nobody wants them any more.
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, made: mpsc::Sender<io::Result<Connection>>) {
    let mut refused = Refused::default();
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if handshakes.len() < MOST_HANDSHAKES => match accepted {
                Ok((stream, peer)) => {
                    let acceptor = acceptor.clone();
                    handshakes.spawn(async move { (peer, handshake(acceptor, stream).await) });
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "no connection can be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(done) = handshakes.join_next() => match done {
                Ok((_, Ok(connection))) => {
                    if made.send(Ok(connection)).await.is_err() {
                        return;
                    }
                }
                Ok((peer, Err(error))) => refused.tell(peer, &error, Instant::now()),
                Err(error) => tracing::error!(error = chain(&error), "a handshake broke"),
            },
        }
    }
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the TLS handshake did not come to an end",
        )),
    }
}

/// Who was refused a connection, so that one that tries again and again does not fill the log.
#[derive(Debug, Default)]
struct Refused {
    told: HashMap<IpAddr, (Instant, u64)>,
}

impl Refused {
    fn tell(&mut self, peer: SocketAddr, error: &io::Error, now: Instant) {
        // Who looks whether the port is open closes it without a word.
        let Some(problem) = tls_problem(error) else {
            tracing::debug!(%peer, error = chain(error), "a connection ended before it was one");
            return;
        };
        if let Some(since) = self.is_due(peer.ip(), now) {
            tracing::warn!(%peer, since_last_told = since, "connection refused: {problem}");
        }
    }

    /// How many were refused since the last that was told; none when it is too early to tell another.
    fn is_due(&mut self, address: IpAddr, now: Instant) -> Option<u64> {
        if let Some((at, count)) = self.told.get_mut(&address) {
            *count += 1;
            if now.duration_since(*at) < TOLD_AGAIN {
                return None;
            }
            *at = now;
            return Some(std::mem::take(count));
        }
        if self.told.len() >= MOST_TOLD {
            self.told.clear();
        }
        self.told.insert(address, (now, 0));
        Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_again_and_again_is_told_once_a_minute_with_how_often() {
        let mut refused = Refused::default();
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let start = Instant::now();
        assert_eq!(refused.is_due(one, start), Some(1));
        for after in 1..60 {
            assert_eq!(refused.is_due(one, start + Duration::from_secs(after)), None);
        }
        assert_eq!(refused.is_due(other, start + Duration::from_secs(3)), Some(1));
        assert_eq!(refused.is_due(one, start + TOLD_AGAIN), Some(60));
        assert_eq!(refused.is_due(one, start + TOLD_AGAIN), None);
    }
}
