//! Records: what makes joined rows last, and lets daemons forget.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use fathom_join::State;
use fathom_model::JoinedRows;
use fathom_model::health::Entry;
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_response::Message as Response;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_store::Commit;
use fathom_store::manifest::TopologyVersion;

use super::Running;
use crate::error::Result;
use crate::ingest::{Kept, View};

impl Running {
    /// Puts a record that holds everything up to now, if there is anything new that a successor needs.
    pub(super) async fn commit(&mut self) -> Result<()> {
        if !self.dirty && self.webhooks == self.owner.record().state.webhooks {
            return Ok(());
        }
        let join = self.engine.state();
        if !self.has_news(&join) {
            self.committed = Instant::now();
            self.dirty = false;
            return Ok(());
        }
        let mut rows = JoinedRows::default();
        for chunk in &self.hot {
            rows.append(JoinedRows::clone(chunk));
        }
        self.note_coverage();
        let topologies = self.topology.iter().map(|version| TopologyVersion {
            version: version.version,
            valid_from_unix_nanos: version.valid_from_unix_nanos,
            topology: version.topology.clone(),
        });
        let observations: Vec<_> = self.state.hot.iter().flat_map(|some| some.iter().cloned()).collect();
        let samples: Vec<_> = self
            .state
            .samples
            .iter()
            .flat_map(|some| some.iter().cloned())
            .collect();
        let picture = self.picture.due(self.by_state.judged());
        let state = Kept {
            state_streams: self.state.kept(),
            events: join
                .streams
                .iter()
                .map(|stream| stream.position + stream.accounted.len())
                .sum(),
            join,
            covered_until: self.covered_until.clone(),
            ios: self.ios,
            findings: self.findings.kept(),
            health: self.health.history().to_vec(),
            troubled: self
                .health
                .troubled()
                .or_else(|| self.owner.record().state.troubled.clone()),
            webhooks: self.webhooks.clone(),
            judged_minute: self.minutes.judged(),
            cells_since: Some(self.cells_since),
            seconds_since: Some(self.seconds_since),
            pictured: match &picture {
                Some((counted, _)) => Some(*counted),
                None => self.owner.record().state.pictured,
            },
            state_judged: Some(self.by_state.judged()),
        };
        let cells = self.tally.take();
        let record = self
            .owner
            .commit(Commit {
                rows: &rows,
                catalog: self.engine.catalog(),
                coverage: &self.coverage,
                observations: &observations,
                samples: &samples,
                findings: &self.findings.changes,
                slow_minutes: &self.slow_minutes,
                baselines: &self.findings.hours,
                picture: picture.as_ref().map(|(_, rows)| rows.as_slice()),
                cells: &cells,
                cells_since: self.cells_since,
                pending: &self.engine.pending(),
                topologies: topologies.collect(),
                state,
                now_unix_nanos: SystemClock.now_unix_nanos(),
            })
            .await?;
        tracing::debug!(cluster = %self.id, record = record.number, ios = rows.ios.len(), "committed");
        if let Some(error) = self.owner.take_merge_fault() {
            tracing::warn!(cluster = %self.id, %error, "a file of a table cannot be read: files of what rows add up to stay as they are");
        }
        self.hot.clear();
        self.hot_bytes = 0;
        self.picture
            .stored(std::mem::take(&mut self.state.hot), picture.is_some());
        self.state.samples.clear();
        self.coverage.clear();
        self.slow_minutes.clear();
        self.committed = Instant::now();
        self.dirty = false;
        self.publish();
        self.findings.stored();
        self.acknowledge();
        self.acknowledge_state();
        Ok(())
    }

    /// Whether there is anything that the newest record does not have and a successor would miss: rows, what is accounted for or
    /// pending, closed windows, clocks, the topology, ends, losses. That somebody is heard is not: daemons say it again.
    fn has_news(&self, join: &State) -> bool {
        let record = self.owner.record();
        let topology = record.topologies.last().map(|known| (known.version, &known.topology));
        !self.hot.is_empty()
            || !self.coverage.is_empty()
            || self.state.has_news(&record.state.state_streams)
            || self.findings.has_news()
            || self.health.history() != record.state.health
            || self
                .health
                .troubled()
                .is_some_and(|troubled| !is_same(&troubled, record.state.troubled.as_deref()))
            || !self.slow_minutes.is_empty()
            || !self.findings.hours.is_empty()
            || self.webhooks != record.state.webhooks
            || topology != self.topology.as_ref().map(|said| (said.version, &said.topology))
            || without_promises(join) != without_promises(&record.state.join)
    }

    /// Says how far each connected stream is stored.
    pub(super) fn acknowledge(&mut self) {
        self.ack_due = false;
        let record = self.owner.record();
        let catalog = self.engine.catalog();
        for session in self.sessions.values_mut() {
            let id = catalog.stream(session.stream);
            let Some(kept) = record.state.join.streams.iter().find(|kept| kept.id == *id) else {
                continue;
            };
            let now = (kept.position, kept.ended.is_some());
            if now == session.acked {
                continue;
            }
            let ack = wire::Ack {
                epoch: record.epoch,
                position: now.0,
                complete: now.1,
            };
            let sent = session.outbox.try_send(Ok(wire::CollectResponse {
                message: Some(Response::Ack(ack)),
            }));
            match sent {
                Ok(()) => session.acked = now,
                // Said again at the next step: a daemon waits for its last ack for ever.
                Err(_) => self.ack_due = true,
            }
        }
    }

    /// Shows queries what there is now.
    pub(super) fn publish(&self) {
        let before = Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner));
        let record = self.owner.record();
        let names = |catalog: &fathom_model::Catalog| {
            catalog.nodes().len() + catalog.disks().len() + catalog.volumes().len() + catalog.streams().len()
        };
        let same_names = names(&before.catalog) == names(self.engine.catalog());
        let same_files = before.record == record.number;
        let view = View {
            record: record.number,
            epoch: record.epoch,
            files: if same_files {
                Arc::clone(&before.files)
            } else {
                Arc::new(self.owner.files().to_vec())
            },
            hot: self.hot.clone(),
            catalog: if same_names {
                Arc::clone(&before.catalog)
            } else {
                Arc::new(self.engine.catalog().clone())
            },
            topology: self.topology.as_ref().map(|version| Arc::new(version.topology.clone())),
            state: self.state.hot.clone(),
            samples: self.state.samples.clone(),
            findings: if same_files {
                Arc::clone(&before.findings)
            } else {
                Arc::new(record.state.findings.findings.clone())
            },
            findings_sequence: record.state.findings.sequence,
            health: Arc::clone(&self.health.view),
            rollup: self.rollups.view.clone(),
            webhooks: self.webhooks.clone(),
            cells_since: self.cells_since,
            seconds_since: self.seconds_since,
            usual: Arc::clone(self.findings.pasts()),
        };
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }
}

/// A state without what is only fresh: until when streams that go on were heard, and the newest that came of them.
fn without_promises(state: &State) -> State {
    let mut state = state.clone();
    for stream in state.streams.iter_mut().filter(|stream| stream.ended.is_none()) {
        stream.heard_unix_nanos = i64::MIN;
        stream.promised_unix_nanos = None;
        stream.newest_unix_nanos = None;
    }
    state
}

/// Whether the same is shown as not ok, in the same state since the same time. Why may have changed: that is not worth a record.
fn is_same(shown: &[Entry], kept: Option<&[Entry]>) -> bool {
    let short = |entry: &Entry| (entry.kind, entry.name.clone(), entry.state, entry.since_unix_ns);
    kept.is_some_and(|kept| kept.iter().map(short).eq(shown.iter().map(short)))
}
