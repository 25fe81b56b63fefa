//! The uplink: sends the spool to the coordinator, for ever, whatever happens to the connection.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fathom_identity::explain::{REFUSED, chain, is_closed, tls_problem};
use fathom_identity::files::Credentials;
use fathom_model::Topology;
use fathom_proto::collect::v1 as wire;
use fathom_proto::convert::collect::{Opening, VersionedTopology};
use fathom_runtime::backoff::Backoff;
use tokio::sync::watch;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity as TlsIdentity};
use tonic::{Code, Status};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::health::Health;
use crate::orders::Orders;
use crate::spool::{Spool, Written, old_streams};

mod connection;
mod connector;

/// Shortest and longest wait before trying again.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The other end is asked for a sign of life this often ...
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// ... and given up when it does not answer for this long.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The same trouble is logged at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// So many connections in a row that end after the coordinator has shown its certificate and before it has said more, and none that
/// went further, are a refusal of ours.
const REFUSALS: u32 = 5;

/// A stream to send.
struct Outgoing {
    directory: PathBuf,
    opening: Opening,
    devices: Bytes,
    written: watch::Receiver<Written>,
    /// The present incarnation's spool; an old incarnation has none, its end is known.
    spool: Option<Arc<Spool>>,
}

/// Why one conversation with the coordinator ended before the stream did.
enum Failure {
    /// It may go better next time.
    Retry(String),
    /// The other side began the handshake and closed the connection before it said more: most often, but not always, it would
    /// again.
    Closed,
    /// It will not.
    Fatal(Error),
}

/// Sends spools to a coordinator.
pub(crate) struct Uplink {
    address: String,
    endpoint: Endpoint,
    topology: Option<wire::Topology>,
    streams: VecDeque<Outgoing>,
    /// The highest epoch of a coordinator seen: lower ones are stale.
    epoch: AtomicU64,
    seed: u64,
    /// Whether the coordinator named this node to read what the cluster answers for.
    reporter: Arc<AtomicBool>,
    orders: Arc<Orders>,
    health: Health,
}

impl Uplink {
    pub(crate) fn new(
        config: &Config,
        credentials: Credentials,
        spool: Arc<Spool>,
        topology: Option<Topology>,
        orders: Arc<Orders>,
        health: Health,
    ) -> Result<Self> {
        let address = config.coordinator.clone();
        let unusable = || Error::Address {
            address: address.clone(),
        };
        if !address.starts_with("https://") {
            return Err(unusable());
        }
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&credentials.ca_pem))
            .identity(TlsIdentity::from_pem(
                &credentials.certificate_pem,
                &credentials.key_pem,
            ));
        let endpoint = Endpoint::from_shared(address.clone())
            .map_err(|_| unusable())?
            .tls_config(tls)
            .map_err(|error| Error::Tls {
                address: address.clone(),
                problem: chain(&error),
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        let mut streams: VecDeque<Outgoing> = VecDeque::new();
        for old in old_streams(&config.spool, spool.directory(), &spool.opening().stream)? {
            let (_, written) = watch::channel(Written {
                durable: old.durable,
                ended: true,
            });
            streams.push_back(Outgoing {
                directory: old.directory,
                opening: old.opening,
                devices: old.devices,
                written,
                spool: None,
            });
        }
        let seed = crate::seed_of(&spool.opening().stream.to_string());
        streams.push_back(Outgoing {
            directory: spool.directory().to_owned(),
            opening: spool.opening(),
            devices: spool.devices(),
            written: spool.watch(),
            spool: Some(spool),
        });
        let versioned = topology.map(|topology| VersionedTopology {
            version: 1,
            valid_from_unix_nanos: None,
            topology,
        });
        Ok(Self {
            address,
            endpoint,
            topology: versioned.as_ref().map(Into::into),
            streams,
            epoch: AtomicU64::new(0),
            seed,
            reporter: Arc::default(),
            orders,
            health,
        })
    }

    /// Notes there whether the coordinator names this node to report for the cluster.
    pub(crate) fn with_reporter(self, reporter: Arc<AtomicBool>) -> Self {
        Self { reporter, ..self }
    }

    /// Sends all streams to their ends, old incarnations first. Not cancel safe in the sense that a cancelled call has
    /// sent things that were not acknowledged; they are sent again.
    pub(crate) async fn run(mut self) -> Result<()> {
        while let Some(outgoing) = self.streams.pop_front() {
            self.send(&outgoing).await?;
            if outgoing.spool.is_none() {
                let failed = |source| Error::SpoolFolder {
                    directory: outgoing.directory.clone(),
                    source,
                };
                fs::remove_dir_all(&outgoing.directory).map_err(failed)?;
            }
        }
        Ok(())
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<()> {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1, self.seed);
        let mut logged: Option<(Instant, String)> = None;
        let mut was_connected = false;
        let mut closed = 0;
        loop {
            let mut talked = false;
            let failure = match self.converse(outgoing, &mut talked).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if talked {
                was_connected = true;
                backoff.reset();
            }
            closed = if matches!(failure, Failure::Closed) {
                closed + 1
            } else {
                0
            };
            let reason = match failure {
                // Certificates that once fitted are being renewed; ones that never did will not by themselves.
                Failure::Fatal(Error::Tls { problem, .. }) if was_connected => problem,
                Failure::Fatal(error) => return Err(error),
                Failure::Closed if was_connected => "the coordinator closed the connection".to_owned(),
                Failure::Closed if closed >= REFUSALS => {
                    return Err(Error::Tls {
                        address: self.address.clone(),
                        problem: REFUSED.to_owned(),
                    });
                }
                Failure::Closed => REFUSED.to_owned(),
                Failure::Retry(reason) => reason,
            };
            let quiet = logged
                .as_ref()
                .is_some_and(|(at, before)| *before == reason && at.elapsed() < LOG_EVERY);
            if !quiet {
                tracing::warn!(coordinator = %self.address, %reason, "not connected; trying again");
                logged = Some((Instant::now(), reason));
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// Notes a coordinator's epoch; false when a higher one was seen before.
    fn accept_epoch(&self, epoch: u64) -> bool {
        self.epoch.fetch_max(epoch, Ordering::Relaxed) <= epoch
    }

    fn connect_failure(&self, error: &tonic::transport::Error, spoke: bool) -> Failure {
        match tls_problem(error) {
            Some(problem) => Failure::Fatal(Error::Tls {
                address: self.address.clone(),
                problem,
            }),
            None if is_closed(error) && spoke => Failure::Closed,
            None if is_closed(error) => Failure::Retry(
                "the connection was closed before the TLS handshake began: is something in between that has no coordinator behind it?"
                    .to_owned(),
            ),
            None => Failure::Retry(chain(error)),
        }
    }

    /// As [`Self::status_failure`], before the coordinator has said anything: it may still be at its part of the TLS handshake.
    fn opening_failure(&self, status: &Status) -> Failure {
        match self.status_failure(status) {
            Failure::Retry(_) if is_broken_off(status) => Failure::Closed,
            other => other,
        }
    }

    /// What a status means for trying again: the table of the OTLP protocol.
    fn status_failure(&self, status: &Status) -> Failure {
        if let Some(problem) = tls_problem(status) {
            return Failure::Fatal(Error::Tls {
                address: self.address.clone(),
                problem,
            });
        }
        match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Unimplemented
            | Code::Unauthenticated
            | Code::OutOfRange
            | Code::DataLoss => Failure::Fatal(Error::Refused {
                address: self.address.clone(),
                reason: status.message().to_owned(),
            }),
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Internal
            | Code::Unavailable => Failure::Retry(broken(status)),
        }
    }
}

/// Whether it is the connection that ended, and not the coordinator that answered: what it answers itself has no source.
fn is_broken_off(status: &Status) -> bool {
    std::error::Error::source(status).is_some() && is_closed(status)
}

/// Why a conversation ended that may go better next time.
fn broken(status: &Status) -> String {
    if is_broken_off(status) {
        "the connection broke off: the coordinator has stopped, or something in between gave it up".to_owned()
    } else {
        format!("{:?}: {}", status.code(), chain(status))
    }
}
