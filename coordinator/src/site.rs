//! This coordinator as a site of a fleet: it dials out, tells what is known of its clusters, and answers what its policy lets be asked.
//!
//! The fleet is never needed: whatever happens to it, the site's clusters are joined, stored and answered for as before.

use std::time::{Duration, Instant};

use fathom_identity::explain::{REFUSED, chain, is_closed, tls_problem};
use fathom_identity::files::Credentials;
use fathom_runtime::backoff::Backoff;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::tasks::{Kind, TaskGroup};
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

pub(crate) use policy::{is_watch, reads_one};

use crate::config::{Fleet, Policy, Uplink};
use crate::error::{Error, Result};
use crate::ingest::Clusters;

mod conversation;
pub(crate) mod feed;
mod places;
mod policy;
mod question;

/// Shortest and longest wait before trying again: a fleet coordinator that was restarted has all its sites again within 10 s.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The other end is asked for a sign of life this often, and given up when it does not answer for this long.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The same trouble is logged at most this often.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// A site that dials out.
pub(crate) struct Site {
    config: Fleet,
    address: String,
    policy: Policy,
    endpoint: Endpoint,
    /// The services that answer questions, without the listener before them.
    services: Routes,
    clusters: Clusters,
    tasks: TaskGroup,
}

/// Why a conversation ended.
struct Ended {
    reason: String,
    /// Whether the fleet coordinator had welcomed us.
    was_welcome: bool,
}

impl Ended {
    /// Before anything was said.
    fn early(error: &(dyn std::error::Error + 'static)) -> Self {
        let closed = || is_closed(error).then(|| REFUSED.to_owned());
        Self {
            reason: tls_problem(error).or_else(closed).unwrap_or_else(|| chain(error)),
            was_welcome: false,
        }
    }

    fn status(status: &Status, was_welcome: bool) -> Self {
        let reason = tls_problem(status).unwrap_or_else(|| match std::error::Error::source(status) {
            Some(_) => chain(status),
            None => status.message().to_owned(),
        });
        Self { reason, was_welcome }
    }
}

impl Site {
    /// Checks what it is to be shown with.
    ///
    /// # Errors
    ///
    /// When address or files cannot be used.
    pub(crate) fn new(
        config: &Fleet,
        uplink: &Uplink,
        services: Routes,
        clusters: Clusters,
        tasks: TaskGroup,
    ) -> Result<Self> {
        let credentials = Credentials::load(&uplink.ca, &uplink.certificate, &uplink.key)?;
        credentials.verify(SystemClock.now())?;
        let unusable = |problem: String| Error::Uplink {
            address: uplink.address.clone(),
            problem,
        };
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&credentials.ca_pem))
            .identity(Identity::from_pem(&credentials.certificate_pem, &credentials.key_pem));
        let endpoint = Endpoint::from_shared(uplink.address.clone())
            .map_err(|error| unusable(chain(&error)))?
            .tls_config(tls)
            .map_err(|error| unusable(chain(&error)))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        Ok(Self {
            config: config.clone(),
            address: uplink.address.clone(),
            policy: uplink.policy.clone(),
            endpoint,
            services,
            clusters,
            tasks,
        })
    }

    /// Dials out until the coordinator stops.
    pub(crate) fn start(self) {
        let tasks = self.tasks.clone();
        tasks.spawn("uplink to the fleet", Kind::Background, async move { self.run().await });
    }

    async fn run(self) {
        let shutdown = self.tasks.shutdown().clone();
        let mut seed = [0; 8];
        // Without randomness sites still differ by their names.
        let _ = getrandom::fill(&mut seed);
        let of_name = self
            .config
            .site
            .bytes()
            .fold(17_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut backoff = Backoff::new(RETRY.0, RETRY.1, u64::from_le_bytes(seed) ^ of_name);
        let mut logged: Option<(Instant, String)> = None;
        loop {
            let ended = tokio::select! {
                ended = self.converse() => ended,
                _ = shutdown.requested() => return,
            };
            if ended.was_welcome {
                backoff.reset();
            }
            let is_news = |(at, said): &(Instant, String)| *said != ended.reason || at.elapsed() >= LOG_EVERY;
            if logged.as_ref().is_none_or(is_news) {
                tracing::warn!(fleet = %self.address, error = ended.reason, "not connected to the fleet; trying again");
                logged = Some((Instant::now(), ended.reason));
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next_delay()) => {}
                _ = shutdown.requested() => return,
            }
        }
    }
}
