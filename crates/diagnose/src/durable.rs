//! Which writes a flush made durable, and which flush made a write so.
//!
//! A flush has no offset and names no write: order ties them. It makes durable every write of its volume that had completed when it
//! began; those that had completed when an earlier flush began are that one's. All times are one initiator's, on its own clock,
//! so that nothing here rests on an alignment.
//!
//! Two passes over the same rows: [`Durability::look`] finds the flushes beside it, [`Durability::count`] counts the writes between
//! them.

use fathom_model::report::{Covered, CoveredBy, IoDetail};
use fathom_model::{Catalog, Io, NodeId, Op, VolumeId};

/// What is asked of one I/O.
#[derive(Clone, Debug)]
pub struct Durability {
    node: NodeId,
    volume: VolumeId,
    subject: Subject,
}

#[derive(Clone, Debug)]
enum Subject {
    /// A flush that began then.
    Flush { start: i64, covered: Covered },
    /// A write or an unmap that ended then.
    Write { end: i64, by: Option<CoveredBy> },
}

impl Durability {
    /// Of an I/O; `None` where the question has no answer: a read, and what failed.
    #[must_use]
    pub fn of(io: &IoDetail) -> Option<Self> {
        let start = io.start_unix_ns;
        let subject = match io.op.parse::<Op>().ok()? {
            _ if io.status != 0 => return None,
            Op::Flush => Subject::Flush {
                start,
                covered: Covered {
                    until_unix_ns: start,
                    ..Covered::default()
                },
            },
            Op::Write | Op::Unmap => Subject::Write {
                end: start.saturating_add_unsigned(io.duration_ns),
                by: None,
            },
            Op::Read => return None,
        };
        Some(Self {
            node: NodeId::new(io.node.clone()),
            volume: VolumeId::new(io.volume.clone()),
            subject,
        })
    }

    /// Completions, on the initiator's clock, of what has to be looked at when as much as `reach` before or after it is; from and
    /// until, both included. A flush may take as long again.
    #[must_use]
    pub const fn span(&self, reach_nanos: i64) -> (i64, i64) {
        match &self.subject {
            Subject::Flush { start, .. } => (start.saturating_sub(reach_nanos), start.saturating_add(reach_nanos)),
            Subject::Write { end, .. } => (*end, end.saturating_add(reach_nanos)),
        }
    }

    /// Looks at an I/O for the flush before or after this one.
    pub fn look(&mut self, io: &Io, catalog: &Catalog) {
        if io.op != Op::Flush || io.event.status != 0 || !self.is_beside(io, catalog) {
            return;
        }
        let began = io.event.start_unix_nanos;
        match &mut self.subject {
            Subject::Flush { start, covered } => {
                if began < *start {
                    covered.since_unix_ns = covered.since_unix_ns.max(Some(began));
                }
            }
            Subject::Write { end, by } => {
                let ended = io.event.end_unix_nanos();
                // Of several that cover it the one that was done first made it durable.
                let sooner = |by: &CoveredBy| ended < by.durable_unix_ns;
                if began >= *end && by.as_ref().is_none_or(sooner) {
                    *by = Some(CoveredBy {
                        id: io.id(catalog).to_string(),
                        durable_unix_ns: ended,
                        after_ns: ended.abs_diff(*end),
                    });
                }
            }
        }
    }

    /// Counts an I/O, if it is a write that the flush made durable and none before it.
    pub fn count(&mut self, io: &Io, catalog: &Catalog) {
        if !matches!(io.op, Op::Write | Op::Unmap) || io.event.status != 0 || !self.is_beside(io, catalog) {
            return;
        }
        if let Subject::Flush { start, covered } = &mut self.subject {
            let end = io.event.end_unix_nanos();
            if end <= *start && covered.since_unix_ns.is_none_or(|since| end > since) {
                covered.writes += 1;
                covered.bytes += io.length;
                covered.from_unix_ns = Some(covered.from_unix_ns.map_or(end, |from| from.min(end)));
            }
        }
    }

    /// Whether what was looked at suffices: a wider look could change nothing.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        match &self.subject {
            Subject::Flush { covered, .. } => covered.since_unix_ns.is_some(),
            Subject::Write { by, .. } => by.is_some(),
        }
    }

    /// What a flush covers, or what covers a write.
    #[must_use]
    pub fn finish(self) -> (Option<Covered>, Option<CoveredBy>) {
        match self.subject {
            Subject::Flush { covered, .. } => (Some(covered), None),
            Subject::Write { by, .. } => (None, by),
        }
    }

    fn is_beside(&self, io: &Io, catalog: &Catalog) -> bool {
        *catalog.volume(io.volume) == self.volume && *catalog.node(io.node) == self.node
    }
}

#[cfg(test)]
mod tests;
