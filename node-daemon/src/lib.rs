//! The node daemon: it reads what its node sees, keeps it in a spool, and sends it to the coordinator.
//!
//! # Architecture
//!
//! ```text
//! source ──▶ sampler (thread) ──▶ spool (segments on disk, fsynced) ──▶ uplink (task) ──▶ coordinator
//!                                      ▲                                   │
//!                                      └──── release after acknowledgement ┘
//! ```
//!
//! A batch is encoded and compressed once, by the sampler; the same bytes stand in the spool and go over the wire. The uplink
//! reads only what is synced. Whatever the coordinator says is stored for good may be deleted; everything else is sent again
//! after any interruption, from the position that the coordinator names.
//!
//! # Errors
//!
//! A lost connection, a coordinator that restarts, a busy one: tried again for ever, with backoff. A certificate that does not
//! fit, another protocol version, a full disk: [`Error`], and the program ends with a message.

pub mod check;
mod config;
mod error;
mod sampler;
pub mod service;
mod spool;
mod state;
mod uplink;

use std::sync::Arc;
use std::time::Duration;

use fathom_identity::files::Credentials;
use fathom_model::{Incarnation, StreamId, StreamKind};
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::shutdown::{Cause, Shutdown};
use fathom_runtime::tasks::{Kind, TaskGroup};
use fathom_sources::Source;
use fathom_sources::replay::{Options as ReplayOptions, ReplaySource};

pub use config::{Config, Faults, Options};
pub use error::{Error, Result};

use sampler::Sampler;
use spool::{Identity, Spool};
use uplink::{Ended, Uplink};

/// How long tasks may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// How a daemon's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The source ended and everything it gave is stored for good.
    Finished,
    /// It was asked to stop; what is in the spool will be sent next time.
    Stopped,
}

/// Runs the daemon until its source has ended and everything is acknowledged, or until it is asked to stop.
///
/// `started` is called once, when everything that the configuration names is open.
///
/// # Errors
///
/// When it cannot go on without somebody doing something about it.
pub async fn run(config: Config, tasks: &TaskGroup, started: impl FnOnce() + Send) -> Result<Outcome> {
    let clock = SystemClock;
    let credentials = credentials(&config, &clock)?;
    let source = open_source_elsewhere(&config).await?;
    let description = source.describe();
    let identity = Identity {
        stream: StreamId {
            cluster: config.cluster.clone(),
            node: config.node.clone(),
            kind: StreamKind::Io,
            incarnation: match description.incarnation {
                Some(incarnation) => incarnation,
                None => random_incarnation()?,
            },
        },
        anchor_unix_nanos: clock.now_unix_nanos(),
        // A recording's times were not made from an anchor.
        anchor_monotonic_nanos: match description.incarnation {
            Some(_) => 0,
            None => u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX),
        },
        taps: description.taps.clone(),
        covered_from_unix_nanos: description.covered_from_unix_nanos,
    };
    let spool = Spool::open(&config.spool, config.spool_bytes, identity, source.devices())?;
    let spool = Arc::new(spool);
    let topology = description.topology.clone();

    let sampler = Sampler::new(source, Arc::clone(&spool), config.batch_events);
    let shutdown = tasks.shutdown().clone();
    let sampled = tasks.spawn_thread("sampler", Kind::Critical, move || sampler.run(&shutdown));
    sampled.map_err(|source| Error::Thread { source })?;

    let state = state::start(&config, &credentials, tasks).await?;
    let uplink = Uplink::new(&config, credentials, Arc::clone(&spool), topology)?;
    let state_first = config.replay.pace.is_none();
    started();
    let ended = tokio::select! {
        ended = state::run_beside(uplink, state, state_first) => ended?,
        cause = tasks.shutdown().requested() => {
            if let Cause::TaskFailed { task, reason } = cause {
                return Err(Error::Task { task: task.clone(), reason: reason.clone() });
            }
            return Ok(Outcome::Stopped);
        }
    };
    match ended {
        Ended::Complete => Ok(Outcome::Finished),
    }
}

/// Starts the daemon's own log where the configuration says.
///
/// # Errors
///
/// When its file cannot be opened.
pub fn start_logging(config: &Config) -> Result<(), Faults> {
    match &config.log_file {
        Some(path) => fathom_runtime::logging::init_file(tracing::Level::INFO, path)
            .map(drop)
            .map_err(|error| Faults(vec![format!("log-file {}: {error}", path.display())])),
        None => {
            fathom_runtime::logging::init(tracing::Level::INFO);
            Ok(())
        }
    }
}

/// Opens what the configuration names and closes it again: certificates that fit, and a source that can be read.
///
/// Nothing is started, written or connected. It is done as whoever calls it, who may read more than the account of a service.
///
/// # Errors
///
/// As [`run`], for the first thing that is wrong.
pub fn verify(config: &Config) -> Result<()> {
    credentials(config, &SystemClock)?;
    open_source(config)?;
    Ok(())
}

/// Runs the daemon in a runtime of its own, as both programs do, until it is asked to stop by a signal.
///
/// # Errors
///
/// As [`run`], and when the runtime cannot start.
pub fn run_blocking(config: Config) -> Result<Outcome> {
    run_blocking_until(config, Shutdown::new(), || ())
}

/// As [`run_blocking`], and until `shutdown` is requested; `started` is called as [`run`] does.
///
/// # Errors
///
/// As [`run_blocking`].
pub fn run_blocking_until(config: Config, shutdown: Shutdown, started: impl FnOnce() + Send) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| Error::Thread { source })?;
    runtime.block_on(async {
        let tasks = TaskGroup::new(shutdown);
        tasks.watch_signals().map_err(|source| Error::Thread { source })?;
        let outcome = run(config, &tasks, started).await;
        if let Err(pending) = tasks.shutdown_and_wait(GRACE).await {
            tracing::warn!(pending = ?pending.names, "tasks did not end in time");
        }
        outcome
    })
}

fn credentials(config: &Config, clock: &SystemClock) -> Result<Credentials> {
    let credentials = Credentials::load(&config.ca, &config.certificate, &config.key)?;
    credentials.verify(clock.now())?;
    Ok(credentials)
}

/// Opening reads the whole recording once, so not on a thread that answers others.
async fn open_source_elsewhere(config: &Config) -> Result<Box<dyn Source>> {
    let config = config.clone();
    let opened = tokio::task::spawn_blocking(move || open_source(&config));
    opened.await.map_err(|error| Error::Task {
        task: "source".into(),
        reason: error.to_string(),
    })?
}

fn open_source(config: &Config) -> Result<Box<dyn Source>> {
    let replay = config.replay.clone();
    let options = ReplayOptions {
        without: replay.without,
        pace: replay.pace,
    };
    let source = ReplaySource::open_folder(&replay.recording, &config.node, options)?;
    for warning in source.warnings() {
        tracing::warn!(%warning, "odd recording");
    }
    Ok(Box::new(source))
}

fn random_incarnation() -> Result<Incarnation> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random {
        reason: error.to_string(),
    })?;
    Ok(Incarnation::from_bytes(bytes))
}
