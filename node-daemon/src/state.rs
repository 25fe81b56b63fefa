//! The state stream: a sampler and a spool of its own beside that of events, so that a flood of events never costs state.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use fathom_identity::files::Credentials;
use fathom_model::{StreamId, StreamKind};
use fathom_proto::collect::v1 as wire;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::shutdown::Shutdown;
use fathom_runtime::tasks::{Kind, TaskGroup};
use fathom_sources::state::{ReplayState, StatePolled, StateSource};

#[cfg(windows)]
use crate::config::Origin;
use crate::config::{Config, Live, Source};
use crate::error::{Error, Result};
use crate::health::Health;
use crate::orders::Orders;
use crate::random_incarnation;
use crate::spool::{Identity, Spool, kind};
use crate::uplink::Uplink;

/// The state's spool within the daemon's spool folder.
const FOLDER: &str = "state";

/// Most that it takes of the disk: state is small, and never thinned.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Rows in one message.
const BATCH: usize = 500;

/// Longest wait before looking whether the daemon should stop.
const NAP: Duration = Duration::from_millis(50);

/// Opens the node's state, and starts to read it; none where the source has none.
pub(crate) async fn start(
    config: &Config,
    credentials: &Credentials,
    tasks: &TaskGroup,
    health: &Health,
) -> Result<Option<Uplink>> {
    let reporter = Arc::default();
    let Some(source) = open(config, &reporter).await? else {
        return Ok(None);
    };
    let clock = SystemClock;
    let incarnation = source.incarnation();
    let identity = Identity {
        stream: StreamId {
            cluster: config.cluster.clone(),
            node: config.node.clone(),
            kind: StreamKind::State,
            incarnation: match incarnation {
                Some(incarnation) => incarnation,
                None => random_incarnation()?,
            },
        },
        anchor_unix_nanos: clock.now_unix_nanos(),
        anchor_monotonic_nanos: match incarnation {
            Some(_) => 0,
            None => u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX),
        },
        taps: Vec::new(),
        covered_from_unix_nanos: None,
    };
    let config = Config {
        spool: config.spool.join(FOLDER),
        ..config.clone()
    };
    let spool = Arc::new(Spool::open(
        &config.spool,
        config.spool_bytes.min(MOST_BYTES),
        identity,
        &[],
    )?);
    // What is ordered of events is no business of the state's.
    let orders = Arc::new(Orders::new(None));
    let uplink = Uplink::new(
        &config,
        credentials.clone(),
        Arc::clone(&spool),
        None,
        orders,
        health.clone(),
    )?
    .with_reporter(reporter);
    let shutdown = tasks.shutdown().clone();
    let sampled = tasks.spawn_thread("state sampler", Kind::Critical, move || {
        sample(source, &spool, &shutdown)
    });
    sampled.map_err(|source| Error::Thread { source })?;
    Ok(Some(uplink))
}

/// Sends the state to its end, which live state has none of.
pub(crate) async fn send(state: Uplink) -> Result<()> {
    match state.run().await {
        // A coordinator of before there was state: events go on all the same.
        Err(Error::Refused { address, reason }) => {
            tracing::warn!(coordinator = %address, %reason, "state is not taken");
            Ok(())
        }
        other => other.map(drop),
    }
}

async fn open(config: &Config, reporter: &Arc<AtomicBool>) -> Result<Option<Box<dyn StateSource>>> {
    let replay = match &config.source {
        Source::Replay(replay) => replay,
        Source::Live(live) => return of_this_system(config, live, reporter),
    };
    let (folder, node, pace) = (replay.recording.clone(), config.node.clone(), replay.pace);
    let opened = tokio::task::spawn_blocking(move || ReplayState::open(&folder, &node, pace)).await;
    let opened = opened.map_err(|error| Error::Task {
        task: "state source".into(),
        reason: error.to_string(),
    })??;
    Ok(opened.map(|source| Box::new(source) as Box<dyn StateSource>))
}

/// The state of the node that is traced; of one whose trace is played nothing is known here.
#[cfg(windows)]
fn of_this_system(config: &Config, live: &Live, reporter: &Arc<AtomicBool>) -> Result<Option<Box<dyn StateSource>>> {
    if live.from != Origin::Etw {
        return Ok(None);
    }
    let seed = crate::seed_of(config.node.as_str());
    fathom_sources::state::of_this_system(&config.node, SystemClock.now_unix_nanos(), seed, Arc::clone(reporter))
        .map_err(|source| Error::Thread { source })
}

/// State is read on Windows alone.
#[cfg(not(windows))]
#[expect(clippy::unnecessary_wraps, reason = "as on Windows")]
const fn of_this_system(
    _config: &Config,
    _live: &Live,
    _reporter: &Arc<AtomicBool>,
) -> Result<Option<Box<dyn StateSource>>> {
    Ok(None)
}

/// Reads until the source ends or the daemon stops. Everything read is durable when this returns.
fn sample(mut source: Box<dyn StateSource>, spool: &Spool, shutdown: &Shutdown) -> Result<()> {
    if spool.ended() {
        return Ok(());
    }
    source.seek(spool.next_ordinal())?;
    let started = Instant::now();
    while !shutdown.is_requested() {
        match source.poll(started.elapsed(), BATCH)? {
            StatePolled::Rows(rows) => {
                let first = rows.first_ordinal;
                let count = (rows.observations.len() + rows.samples.len()) as u32;
                let batch = wire::StateBatch {
                    first_ordinal: first,
                    observations: rows.observations.iter().map(Into::into).collect(),
                    samples: rows.samples.iter().map(Into::into).collect(),
                };
                let message = wire::collect_request::Message::StateBatch(batch);
                if !append(spool, shutdown, kind::BATCH, first, count, &message)? {
                    break;
                }
            }
            StatePolled::Later(wait) => {
                spool.sync(false)?;
                std::thread::sleep(wait.clamp(Duration::from_millis(1), NAP));
            }
            StatePolled::End => {
                let next_ordinal = spool.next_ordinal();
                let end = wire::EndOfStream {
                    reason: wire::EndReason::Finished.into(),
                    next_ordinal,
                };
                let message = wire::collect_request::Message::EndOfStream(end);
                if append(spool, shutdown, kind::END, next_ordinal, 0, &message)? {
                    spool.sync(true)?;
                }
                return Ok(());
            }
        }
    }
    spool.sync(false)
}

/// Adds to the spool, waiting while it is full. False when the daemon stops meanwhile.
fn append(
    spool: &Spool,
    shutdown: &Shutdown,
    kind: u8,
    first: u64,
    count: u32,
    message: &wire::collect_request::Message,
) -> Result<bool> {
    while !spool.append(kind, first, count, message.clone())? {
        spool.sync(false)?;
        if shutdown.is_requested() {
            return Ok(false);
        }
        std::thread::sleep(NAP);
    }
    Ok(true)
}
