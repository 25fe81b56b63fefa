//! Tells an endpoint what changed in a cluster, for as long as the coordinator runs.

use std::sync::Arc;
use std::time::Duration;

use fathom_model::finding::{Change, Finding, Severity};
use fathom_runtime::backoff::Backoff;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::shutdown::Shutdown;
use hyper::body::Bytes;
use serde::Serialize;

use super::Webhook;
use super::post::{Failure, post};
use crate::ingest::{Cluster, Message};
use crate::query::findings::changes_after;
use crate::query::run;

/// How often it is looked for what is new: a finding takes seconds to be found.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// An attempt that failed is repeated after this at the least, and at the most.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(120);

/// So many changes are held while they are told: the rest stays in the store.
const AHEAD: usize = 256;

/// How long is waited for the worker at a time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Version of the body's shape, as of every document (`docs/design/0005-json-output.md`).
const SCHEMA: u32 = 1;

/// A change as `fathom findings --watch -o json` has it, with the cluster.
#[derive(Serialize)]
struct Body<'a> {
    schema: u32,
    cluster: &'a str,
    change: &'static str,
    sequence: u64,
    at_unix_ns: i64,
    finding: &'a Finding,
}

/// Tells an endpoint each change of a cluster's findings, from where the record says it is, until the coordinator stops.
pub(crate) async fn deliver(cluster: Cluster, webhook: Arc<Webhook>, shutdown: Shutdown) {
    tokio::select! {
        _ = shutdown.requested() => {}
        () = follow(&cluster, &webhook) => {}
    }
}

async fn follow(cluster: &Cluster, webhook: &Webhook) {
    let seed = SystemClock.now_unix_nanos().unsigned_abs();
    let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX, seed);
    while cluster.ready(PATIENCE).await.is_err() {
        if cluster.is_over() {
            return;
        }
    }
    let mut after = loop {
        // Published with the worker's first view.
        if let Some(&told) = cluster.view().webhooks.get(webhook.name()) {
            break told;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    loop {
        let view = cluster.view();
        if view.findings_sequence <= after {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        let reader = cluster.clone();
        let read = run(move || {
            let mut changes = changes_after(&reader, &view, after)?;
            changes.truncate(AHEAD);
            Ok(changes)
        });
        let changes = match read.await {
            Ok(changes) if !changes.is_empty() => changes,
            Ok(_) => {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            Err(error) => {
                tracing::warn!(cluster = %cluster.id, webhook = webhook.name(), %error, "changes of findings cannot be read");
                tokio::time::sleep(backoff.next_delay()).await;
                continue;
            }
        };
        for change in &changes {
            // What is at a node that is worked on is no incident: it is passed over, and the number with it.
            if change.finding.severity > Severity::Maintenance {
                tell(cluster, webhook, change, &mut backoff).await;
            }
            after = change.sequence;
            let message = Message::Told {
                webhook: webhook.name().to_owned(),
                sequence: after,
            };
            if !cluster.send(message).await {
                return;
            }
        }
    }
}

/// Tells one change, as often as it takes.
async fn tell(cluster: &Cluster, webhook: &Webhook, change: &Change, backoff: &mut Backoff) {
    let body = Body {
        schema: SCHEMA,
        cluster: cluster.id.as_str(),
        change: change.kind.as_str(),
        sequence: change.sequence,
        at_unix_ns: change.at_unix_ns,
        finding: &change.finding,
    };
    let body = match serde_json::to_vec(&body) {
        Ok(body) => Bytes::from(body),
        Err(error) => {
            // Plain structs of numbers and texts: they always serialise.
            tracing::error!(cluster = %cluster.id, sequence = change.sequence, %error, "a change cannot be written as JSON");
            return;
        }
    };
    let mut said: Option<String> = None;
    loop {
        let now = SystemClock.now_unix_nanos().max(0).unsigned_abs() / 1_000_000_000;
        let failure = match post(webhook, now, body.clone()).await {
            Ok(()) => {
                if said.is_some() {
                    tracing::info!(cluster = %cluster.id, webhook = webhook.name(), sequence = change.sequence, "is told again");
                }
                backoff.reset();
                return;
            }
            Err(failure) => failure,
        };
        let text = fathom_identity::explain::chain(&failure);
        // Once for each thing that is wrong, not once an attempt.
        if said.as_ref() != Some(&text) {
            tracing::warn!(
                cluster = %cluster.id, webhook = webhook.name(), sequence = change.sequence, error = text,
                "did not take a change; it is told again until it does"
            );
            said = Some(text);
        }
        tokio::time::sleep(pause(&failure, backoff.next_delay())).await;
    }
}

/// How long to wait after a failure: longer where the endpoint asks for it, within bounds.
fn pause(failure: &Failure, delay: Duration) -> Duration {
    failure
        .retry_after()
        .map_or(delay, |asked| asked.clamp(delay, RETRY_MAX.max(delay)))
}
