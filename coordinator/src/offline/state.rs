//! State into a store without a network.

use std::path::Path;

use fathom_join::End;
use fathom_model::state::{Observation, Sample};
use fathom_model::{ClusterId, Incarnation, NodeId, StreamId, StreamKind};
use fathom_proto::COLLECT_PROTOCOL;
use fathom_proto::collect::v1::collect_response::Message as Response;
use fathom_proto::convert::collect::Opening;
use fathom_runtime::tasks::TaskGroup;
use tokio::sync::mpsc;

use super::{PATIENCE, Stored, alone, refused};
use crate::config::Ingest;
use crate::error::{Error, Result};
use crate::ingest::{Cluster, Clusters, Message, OUTBOX, Outbox};

/// Observations in one message.
const BATCH: usize = 1000;

/// A node's state on its way into a store.
#[derive(Clone, Debug)]
pub struct StateStream {
    /// The node.
    pub node: NodeId,
    /// The same for the same rows: what was put in once is not put in again.
    pub incarnation: Incarnation,
    /// What it reports, all of it its own.
    pub observations: Vec<Observation>,
    /// What its counters read.
    pub samples: Vec<Sample>,
}

/// Puts state into a cluster of the store in a folder and returns when all of it is in a record. Blocks; in a runtime of its own.
///
/// # Errors
///
/// When the store cannot be opened or written.
pub fn store_state_blocking(store: &Path, cluster: &ClusterId, streams: Vec<StateStream>) -> Result<Stored> {
    alone(async |tasks| put(store, cluster, streams, tasks).await)
}

async fn put(store: &Path, id: &ClusterId, streams: Vec<StateStream>, tasks: &TaskGroup) -> Result<Stored> {
    // A record as soon as everything is there, whatever streams of events have not ended.
    let config = Ingest {
        commit_every: std::time::Duration::ZERO,
        ..Ingest::default()
    };
    let clusters = Clusters::open(config, store, tasks.clone()).await?;
    let cluster = clusters.get_or_start(id)?;
    cluster.ready(PATIENCE).await.map_err(|status| refused(None, &status))?;
    let mut stored = Stored::default();
    for stream in streams {
        let (outbox, mut responses): (Outbox, _) = mpsc::channel(OUTBOX);
        let session = clusters.new_session();
        tell(
            &cluster,
            Message::Open {
                session,
                opening: opening(id, &stream),
                from: None,
                outbox,
            },
        )
        .await?;
        let mut next = 0;
        let mut complete = false;
        let mut sent = false;
        loop {
            let response = responses.recv().await.ok_or_else(gone)?;
            match response.map_err(|status| refused(Some(&stream.node), &status))?.message {
                Some(Response::Welcome(welcome)) => {
                    next = welcome.position;
                    complete = welcome.complete;
                    stored.known_streams += u64::from(complete);
                }
                Some(Response::Ack(ack)) => complete |= ack.complete,
                _ => {}
            }
            if complete {
                break;
            }
            if !std::mem::replace(&mut sent, true) {
                stored.events += send(&cluster, session, &stream, next).await?;
            }
        }
        tell(&cluster, Message::Closed { session }).await?;
    }
    Ok(stored)
}

/// Sends everything from an ordinal on, and the end: the worker's inbox waits where it is busy.
async fn send(cluster: &Cluster, session: u64, stream: &StateStream, next: u64) -> Result<u64> {
    let observations = stream
        .observations
        .chunks(BATCH)
        .map(|some| (some.to_vec(), Vec::new()));
    let samples = stream.samples.chunks(BATCH).map(|some| (Vec::new(), some.to_vec()));
    let mut first_ordinal = 0;
    for (observations, samples) in observations.chain(samples) {
        let count = (observations.len() + samples.len()) as u64;
        tell(
            cluster,
            Message::State {
                session,
                first_ordinal,
                observations,
                samples,
            },
        )
        .await?;
        first_ordinal += count;
    }
    let end = Message::End {
        session,
        end: End::Finished,
        next_ordinal: first_ordinal,
    };
    tell(cluster, end).await?;
    Ok(first_ordinal.saturating_sub(next))
}

fn opening(cluster: &ClusterId, stream: &StateStream) -> Opening {
    Opening {
        protocol_version: COLLECT_PROTOCOL,
        stream: StreamId {
            cluster: cluster.clone(),
            node: stream.node.clone(),
            kind: StreamKind::State,
            incarnation: stream.incarnation,
        },
        anchor_unix_nanos: 0,
        anchor_monotonic_nanos: 0,
        taps: Vec::new(),
        covered_from_unix_nanos: None,
        spool_first_ordinal: 0,
        spool_next_ordinal: 0,
        daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

async fn tell(cluster: &Cluster, message: Message) -> Result<()> {
    if cluster.send(message).await {
        Ok(())
    } else {
        Err(gone())
    }
}

fn gone() -> Error {
    Error::Task {
        task: "the import of state".to_owned(),
        reason: "the worker ended".to_owned(),
    }
}
