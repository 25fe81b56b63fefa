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
//! reads only what is synced. How much a live source reads is configured, and ordered by the coordinator for a time: another profile is
//! another incarnation, since it gives other taps. Whatever the coordinator says is stored for good may be deleted; everything else is sent again
//! after any interruption, from the position that the coordinator names.
//!
//! # Errors
//!
//! A lost connection, a coordinator that restarts, a busy one: tried again for ever, with backoff. A certificate that does not
//! fit, another protocol version, a full disk: [`Error`], and the program ends with a message.

pub mod check;
mod config;
mod error;
mod health;
mod orders;
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
use fathom_sources::live::{self, Profile, Setup};
use fathom_sources::replay::{Options as ReplayOptions, ReplaySource};

pub use config::{Config, Faults, Options};
pub use error::{Error, Result};

use health::Health;
use orders::Orders;
use sampler::Sampler;
use spool::{Identity, Spool};
use uplink::Uplink;

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
    run_with(config, tasks, started, Arc::new(open_source)).await
}

/// Opens the source, reading as much as the profile says.
type Opener = Arc<dyn Fn(&Config, Option<Profile>) -> Result<Box<dyn Source>> + Send + Sync>;

async fn run_with(config: Config, tasks: &TaskGroup, started: impl FnOnce() + Send, opener: Opener) -> Result<Outcome> {
    let configured = match &config.source {
        config::Source::Replay(_) => None,
        config::Source::Live(live) => match live.from {
            config::Origin::Etw => Some(live.profile),
            // What is in a file was read already.
            config::Origin::Trace { .. } => None,
        },
    };
    let orders = Arc::new(Orders::new(configured));
    let health = Health::new(Arc::clone(&orders));
    let credentials = credentials(&config, &SystemClock)?;
    let state = state::start(&config, &credentials, tasks, &health).await?;
    let at_once = matches!(&config.source, config::Source::Replay(replay) if replay.pace.is_none());
    let (mut before, beside) = if at_once { (state, None) } else { (None, state) };
    let mut started = Some(started);
    let life = Life {
        config: &config,
        tasks,
        orders: &orders,
        health: &health,
        opener: &opener,
    };
    let events = async {
        loop {
            match life.run(&mut started, &mut before).await? {
                Ended::Complete => return Ok(Outcome::Finished),
                Ended::Stopped => return Ok(Outcome::Stopped),
                Ended::Other => {}
            }
        }
    };
    let Some(state) = beside else { return events.await };
    tokio::pin!(events);
    let state = state::send(state);
    tokio::pin!(state);
    tokio::select! {
        ended = &mut events => match ended? {
            Outcome::Stopped => Ok(Outcome::Stopped),
            // What is left of the state.
            Outcome::Finished => tokio::select! {
                sent = state => sent.map(|()| Outcome::Finished),
                stopped = until_stopped(tasks) => stopped.map(|()| Outcome::Stopped),
            },
        },
        sent = &mut state => {
            sent?;
            events.await
        }
    }
}

/// Until the daemon is asked to stop; an error where a task of its own was the cause.
async fn until_stopped(tasks: &TaskGroup) -> Result<()> {
    match tasks.shutdown().requested().await {
        Cause::TaskFailed { task, reason } => Err(Error::Task {
            task: task.clone(),
            reason: reason.clone(),
        }),
        Cause::Signal(_) | Cause::Requested(_) => Ok(()),
    }
}

/// How one incarnation ended.
enum Ended {
    /// All that it will ever give is stored.
    Complete,
    /// The daemon was asked to stop.
    Stopped,
    /// Something else is to be read: the next incarnation does, and sends the rest of this one first.
    Other,
}

/// One incarnation of the daemon's stream: a source, its spool, and who sends it.
struct Life<'a> {
    config: &'a Config,
    tasks: &'a TaskGroup,
    orders: &'a Arc<Orders>,
    health: &'a Health,
    opener: &'a Opener,
}

impl Life<'_> {
    /// `before` is sent first: of what is read at once, whoever asks when the events are joined finds the state.
    async fn run(&self, started: &mut Option<impl FnOnce() + Send>, before: &mut Option<Uplink>) -> Result<Ended> {
        let (config, clock) = (self.config, SystemClock);
        let credentials = credentials(config, &clock)?;
        let (source, profile) = self.open().await?;
        let description = source.describe();
        let (anchor_unix_nanos, anchor_monotonic_nanos) = match (description.incarnation, description.anchor) {
            (_, Some(anchor)) => anchor,
            // A recording's times were not made from an anchor.
            (Some(_), None) => (clock.now_unix_nanos(), 0),
            (None, None) => {
                let monotonic = u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX);
                (clock.now_unix_nanos(), monotonic)
            }
        };
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
            anchor_unix_nanos,
            anchor_monotonic_nanos,
            taps: description.taps.clone(),
            covered_from_unix_nanos: description.covered_from_unix_nanos,
        };
        let spool = Spool::open(&config.spool, config.spool_bytes, identity, source.devices())?;
        let spool = Arc::new(spool);

        let sampler = Sampler::new(source, Arc::clone(&spool), config.batch_events, self.health.clone());
        let stop = self.tasks.shutdown().child_token();
        let (done, sampled) = tokio::sync::oneshot::channel::<()>();
        let stopped = stop.clone();
        let began = self.tasks.spawn_thread("sampler", Kind::Critical, move || {
            let outcome = sampler.run(|| stopped.is_cancelled());
            // After the source is closed, so that the next one finds what it needs free.
            drop(done);
            outcome
        });
        began.map_err(|source| Error::Thread { source })?;

        let (orders, health) = (Arc::clone(self.orders), self.health.clone());
        let uplink = Uplink::new(config, credentials, spool, description.topology, orders, health)?;
        if let Some(started) = started.take() {
            started();
        }
        let first = before.take();
        let send = async {
            if let Some(state) = first {
                state::send(state).await?;
            }
            uplink.run().await
        };
        tokio::select! {
            sent = send => sent.map(|_| Ended::Complete),
            stopped = until_stopped(self.tasks) => stopped.map(|()| Ended::Stopped),
            () = self.orders.other_than(profile) => {
                stop.cancel();
                // Ends with an error when the sampler has ended, which is all that is waited for.
                let _ = sampled.await;
                Ok(Ended::Other)
            }
        }
    }

    /// Opening reads the whole recording once, so not on a thread that answers others.
    async fn open_elsewhere(&self, profile: Option<Profile>) -> Result<Box<dyn Source>> {
        let (config, opener) = (self.config.clone(), Arc::clone(self.opener));
        let opened = tokio::task::spawn_blocking(move || opener(&config, profile));
        opened.await.map_err(|error| Error::Task {
            task: "source".into(),
            reason: error.to_string(),
        })?
    }

    /// Opens the source with the profile that is to be read. An order that cannot be carried out is given up and reported; what is
    /// configured has to work.
    async fn open(&self) -> Result<(Box<dyn Source>, Option<Profile>)> {
        loop {
            let profile = self.orders.profile();
            match self.open_elsewhere(profile).await {
                Ok(source) => {
                    if self.orders.remaining().is_some() {
                        self.health.note_refused(None);
                    }
                    return Ok((source, profile));
                }
                Err(error) => {
                    let reason = fathom_identity::explain::chain(&error);
                    if !self.orders.give_up() {
                        return Err(error);
                    }
                    tracing::error!(%reason, "the order cannot be carried out; going on as configured");
                    self.health
                        .note_refused(Some(format!("the profile that was ordered: {reason}")));
                }
            }
        }
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
    match &config.source {
        config::Source::Replay(_) => open_source(config, None).map(drop),
        // A session is started by who runs: what a node gives, `check` says.
        config::Source::Live(live) => match &live.from {
            config::Origin::Trace { .. } => open_source(config, None).map(drop),
            config::Origin::Etw => topology_of(live).map(drop),
        },
    }
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

fn open_source(config: &Config, profile: Option<Profile>) -> Result<Box<dyn Source>> {
    let (source, warnings) = match &config.source {
        config::Source::Replay(replay) => {
            let options = ReplayOptions {
                without: replay.without.clone(),
                pace: replay.pace,
            };
            let source = ReplaySource::open_folder(&replay.recording, &config.node, options)?;
            let warnings = source.warnings().to_vec();
            (Box::new(source) as Box<dyn Source>, warnings)
        }
        config::Source::Live(live) => {
            let setup = Setup {
                node: config.node.clone(),
                profile: profile.unwrap_or(live.profile),
                topology: topology_of(live)?,
                settings: live.settings.clone(),
                layouts: live.layouts.clone(),
                volumes: live.volumes.clone(),
                disks: live.disks.clone(),
            };
            match &live.from {
                config::Origin::Etw => live::open::etw(setup)?,
                config::Origin::Trace { file, pace } => live::open::trace(setup, file, *pace)?,
            }
        }
    };
    for warning in warnings {
        tracing::warn!(%warning, "odd source");
    }
    Ok(source)
}

fn topology_of(live: &config::Live) -> Result<Option<fathom_model::Topology>> {
    let folder = live.topology.as_deref();
    Ok(folder.map(live::open::topology).transpose()?)
}

fn random_incarnation() -> Result<Incarnation> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random {
        reason: error.to_string(),
    })?;
    Ok(Incarnation::from_bytes(bytes))
}

/// A number that is the same for one name and another for another: it spreads over time what all nodes would do at once.
fn seed_of(name: &str) -> u64 {
    let bytes = name.bytes();
    bytes.fold(17, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

#[cfg(test)]
mod tests;
