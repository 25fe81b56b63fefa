//! Findings of a cluster while its rows come in.
//!
//! The tracker sees exactly the rows that records hold, in the order in which they were decided, and its state stands in the same
//! record: a successor has the findings as they were after the rows that it finds. Changes are said to anybody only from a record, so
//! that no number is ever given twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fathom_diagnose::baseline::Pasts;
use fathom_diagnose::findings::{Kept, Refused, Said, Tracker, WARM_SECONDS};
use fathom_diagnose::objectives::Minutes;
use fathom_diagnose::tally::Tally;
use fathom_model::baseline::Hour;
use fathom_model::condition::{Condition, Sign};
use fathom_model::finding::{Change, Finding, Note};
use fathom_model::{Catalog, ClusterId, Io, JoinedRows, NodeId};
use fathom_state::conditions::Read;
use fathom_store::blobs::Blobs;
use fathom_store::paths::Table;
use fathom_store::{FileEntry, Span, read_baselines, read_rows};
use tokio::sync::oneshot;

use super::Running;
use crate::error::Result;
use crate::ingest::Remark;

/// At most so many I/Os are read again by a successor: a busy cluster shows what goes on in fewer seconds.
const WARM_IOS: u64 = 1_000_000;

/// Whoever waits for what he said to be stored.
type Waiting = (String, oneshot::Sender<Result<Finding, Refused>>);

/// Findings and what of them is not in a record yet.
#[derive(Default)]
pub(super) struct Findings {
    tracker: Tracker,
    /// Changes since the last record.
    pub(super) changes: Vec<Change>,
    /// Hours of what is usual that were closed since the last record.
    pub(super) hours: Vec<Hour>,
    waiting: Vec<Waiting>,
    /// Whether everything that will come has been judged.
    finished: bool,
}

impl Findings {
    /// Goes on where a predecessor was; [`Findings::warm`] has to follow before the first row.
    pub(super) fn resume(kept: Kept) -> Self {
        Self {
            tracker: Tracker::resume(kept),
            ..Self::default()
        }
    }

    /// Reads the rows of the last minutes again, so that what goes on is known.
    async fn warm(
        &mut self,
        blobs: &Blobs,
        cluster: &ClusterId,
        files: &[FileEntry],
        catalog: &Catalog,
        minutes: &mut Minutes,
        tally: &mut Tally,
    ) -> Result<()> {
        let ios = || files.iter().filter(|file| file.table == Table::Ios);
        let newest = ios().map(|file| file.max_unix_nanos).max().unwrap_or(i64::MIN);
        let from = newest.saturating_sub(WARM_SECONDS.saturating_mul(1_000_000_000));
        let span = Span {
            from_unix_nanos: from,
            until_unix_nanos: i64::MAX,
        };
        let mut rows = 0;
        let recent: Vec<&FileEntry> = ios()
            .rev()
            .take_while(|file| {
                rows += file.rows;
                rows <= WARM_IOS
            })
            .filter(|file| span.touches(file))
            .collect();
        let mut names = catalog.clone();
        for file in recent.into_iter().rev() {
            if let Some(rows) = read_rows(blobs, cluster, file, &mut names).await? {
                let rows = known(&rows, catalog, from);
                self.tracker.warm(&rows);
                tally.learn(&rows);
                rows.ios.iter().for_each(|io| minutes.add(io, catalog));
            }
        }
        self.tracker.settle(catalog);
        Ok(())
    }

    /// Takes up what was usual in the last days.
    async fn learn(&mut self, blobs: &Blobs, cluster: &ClusterId, files: &[FileEntry]) {
        let of_hours = || files.iter().filter(|file| file.table == Table::Baselines);
        let newest = of_hours().map(|file| file.max_unix_nanos).max().unwrap_or(i64::MIN);
        let reach = Pasts::reach_unix_nanos(newest);
        let mut hours = Vec::new();
        for file in of_hours().filter(|file| file.max_unix_nanos > reach) {
            match read_baselines(blobs, file).await {
                Ok(read) => hours.extend(read),
                // What is usual is learnt again; what comes in cannot wait for it.
                Err(error) => {
                    tracing::warn!(cluster = %cluster, %error, "what was usual in some hours cannot be read: it is left out");
                }
            }
        }
        self.tracker.resume_hours(hours);
    }

    /// What is usual.
    pub(super) const fn pasts(&self) -> &Arc<Pasts> {
        self.tracker.pasts()
    }

    /// Nothing comes for a while: the hour that goes on is closed as far as it came.
    pub(super) fn pause(&mut self, catalog: &Catalog) {
        self.tracker.close_hours(catalog);
        self.hours.append(&mut self.tracker.take_hours());
    }

    /// Takes rows that were decided.
    pub(super) fn add(&mut self, rows: &JoinedRows, catalog: &Catalog) {
        self.finished = false;
        self.tracker.add(rows, catalog);
        self.changes.append(&mut self.tracker.take_changes());
        self.hours.append(&mut self.tracker.take_hours());
    }

    /// Everything has come: what waited for later rows is judged.
    pub(super) fn finish(&mut self, catalog: &Catalog) {
        if !self.finished {
            self.finished = true;
            self.tracker.finish(catalog);
            self.changes.append(&mut self.tracker.take_changes());
            self.hours.append(&mut self.tracker.take_hours());
        }
    }

    /// Takes what Windows says of drives.
    pub(super) fn set_drives(&mut self, drives: BTreeMap<(String, String), String>) {
        self.tracker.set_drives(drives);
    }

    /// Takes which nodes are worked on.
    pub(super) fn set_maintenance(&mut self, nodes: &BTreeSet<NodeId>) {
        self.tracker.set_maintenance(nodes);
    }

    /// Takes what stands of a sign after a reading.
    pub(super) fn read(&mut self, sign: Sign, read: &Read, standing: &[Condition]) {
        let node = read.node.as_str();
        self.tracker.read(sign, standing, node, read.at_unix_nanos);
        self.changes.append(&mut self.tracker.take_changes());
    }

    /// Nodes between which copies of writes went, as far as this coordinator has seen.
    pub(super) fn ways(&self, catalog: &Catalog) -> BTreeSet<(NodeId, NodeId)> {
        self.tracker.ways(catalog)
    }

    /// Takes back what people said up to now.
    pub(super) fn expire(&mut self, now_unix_nanos: i64) {
        self.tracker.expire(now_unix_nanos);
        self.changes.append(&mut self.tracker.take_changes());
    }

    /// Whether there is something that the newest record does not have.
    pub(super) const fn has_news(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What a successor needs.
    pub(super) fn kept(&self) -> Kept {
        self.tracker.kept()
    }

    /// They are in a record: whoever waited for it is told.
    pub(super) fn stored(&mut self) {
        self.changes.clear();
        self.hours.clear();
        for (id, reply) in self.waiting.drain(..) {
            let finding = self.tracker.findings().find(|finding| finding.id == id).cloned();
            // Whoever asked may have gone.
            let _ = reply.send(finding.ok_or(Refused::NoSuchFinding));
        }
    }

    fn say(&mut self, remark: Remark, now: i64) {
        let Remark {
            id,
            said,
            request,
            note,
            reply,
        } = remark;
        let note = note.map(|note| Note {
            at_unix_ns: now,
            until_unix_ns: note.for_nanos.map(|nanos| now.saturating_add_unsigned(nanos)),
            by: note.by,
            text: note.text,
            request: request.clone(),
        });
        let answer = self.tracker.say(&id, said, (&request, note), now).cloned();
        let mut changes = self.tracker.take_changes();
        if answer.is_err() || (changes.is_empty() && self.changes.is_empty()) {
            let _ = reply.send(answer);
        } else {
            self.changes.append(&mut changes);
            self.waiting.push((id, reply));
        }
    }
}

impl Running {
    /// Takes up what a predecessor found: after questions can be answered, since files are read, and before anything is joined.
    pub(super) async fn warm_findings(&mut self) -> Result<()> {
        self.findings.set_maintenance(self.by_state.now.maintenance());
        let (owner, catalog) = (&self.owner, self.engine.catalog());
        self.findings.learn(owner.blobs(), &self.id, owner.files()).await;
        self.findings
            .warm(
                owner.blobs(),
                &self.id,
                owner.files(),
                catalog,
                &mut self.minutes,
                &mut self.tally,
            )
            .await?;
        self.publish();
        Ok(())
    }

    /// The coordinator stops: what was learnt of the hour that goes on is not lost with it.
    pub(super) fn pause_findings(&mut self) {
        self.findings.pause(self.engine.catalog());
        self.dirty |= !self.findings.hours.is_empty();
    }

    /// Somebody says something of a finding: he is answered when it is stored.
    pub(super) fn take_remark(&mut self, remark: Remark, now_unix_nanos: i64) {
        match remark.said {
            Said::Acknowledged | Said::Muted => self.findings.say(remark, now_unix_nanos),
        }
        self.dirty |= self.findings.has_news();
    }
}

/// The I/Os that ended late enough, and of which everything has a name here: the join may give a number that only a file knows to
/// something else.
fn known(rows: &JoinedRows, catalog: &Catalog, from: i64) -> JoinedRows {
    let (nodes, disks) = (catalog.nodes().len(), catalog.disks().len());
    let (volumes, streams) = (catalog.volumes().len(), catalog.streams().len());
    let has_names = |io: &Io| {
        let legs = rows.legs_of(io);
        (io.node.0 as usize) < nodes
            && (io.volume.0 as usize) < volumes
            && (io.event.stream.0 as usize) < streams
            && legs.iter().all(|leg| {
                let cache = leg.cache.is_none_or(|disk| (disk.0 as usize) < disks);
                (leg.node.0 as usize) < nodes && (leg.disk.0 as usize) < disks && cache
            })
    };
    let mut kept = JoinedRows::default();
    for io in rows
        .ios
        .iter()
        .filter(|io| io.event.end_unix_nanos() >= from && has_names(io))
    {
        let first = kept.legs.len();
        kept.legs.extend(rows.legs_of(io).iter().cloned());
        let mut io = io.clone();
        let own = io.legs.clone();
        io.slowest = io.slowest.filter(|slowest| own.contains(&slowest.leg));
        if let Some(slowest) = &mut io.slowest {
            slowest.leg = slowest.leg - own.start + first;
        }
        io.legs = first..kept.legs.len();
        kept.ios.push(io);
    }
    kept
}
