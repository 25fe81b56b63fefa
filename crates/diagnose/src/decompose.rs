//! Where the time of one write went.
//!
//! Every nanosecond of the I/O is in exactly one of: before the first copy was sent, while copies were under way, after the last was
//! acknowledged. While they were under way it waited for the last one, and the end of that, beyond the second-last, is the price of
//! the last copy. Each leg is cut into the way, the far side's queue and the drive, as far as it was seen. What was not seen is `None`
//! and never zero.

use fathom_model::{Io, JoinedRows, Leg};

/// The parts of one I/O, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decomposition {
    /// All of it.
    pub whole_nanos: u64,
    /// From its start until the first copy was sent; `None` where not every leg's beginning is known on the initiator's clock.
    pub before_nanos: Option<u64>,
    /// From the first copy sent until the last was acknowledged.
    pub legs_nanos: Option<u64>,
    /// From the last acknowledgement until its end.
    pub after_nanos: Option<u64>,
    /// How long the last copy kept it waiting beyond the second-last.
    pub last_copy_nanos: Option<u64>,
    /// Its legs, in the order of the fan-out.
    pub legs: Vec<LegParts>,
}

/// The parts of one leg, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegParts {
    /// All of it, as the initiator saw it; of a copy on the initiator's own node the drive's time.
    pub whole_nanos: Option<u64>,
    /// On the network, both ways: the leg less the target's time. `None` where either was not seen, and on the initiator's own node.
    pub network_nanos: Option<u64>,
    /// In the far side's queue: the target's time less the drive's.
    pub queue_nanos: Option<u64>,
    /// Network and queue as one number, where the target was not seen: the leg less the drive's time.
    pub way_and_queue_nanos: Option<u64>,
    /// At the drive.
    pub drive_nanos: Option<u64>,
}

/// Takes an I/O apart.
#[must_use]
pub fn decompose(rows: &JoinedRows, io: &Io) -> Decomposition {
    let legs = rows.legs_of(io);
    let (before_nanos, legs_nanos, after_nanos) = match span(io, legs) {
        Some((first, last)) => {
            let apart = |from: i64, until: i64| u64::try_from(until.saturating_sub(from)).unwrap_or(0);
            let before = apart(io.event.start_unix_nanos, first).min(io.event.duration_nanos);
            let after = apart(last, io.event.end_unix_nanos()).min(io.event.duration_nanos - before);
            (
                Some(before),
                Some(io.event.duration_nanos - before - after),
                Some(after),
            )
        }
        None => (None, None, None),
    };
    Decomposition {
        whole_nanos: io.event.duration_nanos,
        before_nanos,
        legs_nanos,
        after_nanos,
        last_copy_nanos: io.slowest.and_then(|slowest| slowest.lead_nanos),
        legs: legs.iter().map(of_leg).collect(),
    }
}

/// From the first copy sent to the last acknowledged, on the initiator's clock, where every leg was seen.
fn span(io: &Io, legs: &[Leg]) -> Option<(i64, i64)> {
    if legs.len() != io.legs_expected as usize {
        return None;
    }
    let mut span: Option<(i64, i64)> = None;
    for leg in legs {
        // When a failed attempt before it began is not known.
        if !leg.more.initiator.is_empty() {
            return None;
        }
        let seen = leg.initiator.or_else(|| leg.service().filter(|_| leg.local))?;
        let (start, end) = (seen.start_unix_nanos, seen.end_unix_nanos());
        span = Some(span.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
    }
    span
}

fn of_leg(leg: &Leg) -> LegParts {
    let nanos = |tap: Option<fathom_model::Observation>| tap.map(|seen| seen.duration_nanos);
    let (whole, target, drive) = (nanos(leg.initiator), nanos(leg.target), nanos(leg.device));
    let less = |whole: Option<u64>, part: Option<u64>| Some(whole?.saturating_sub(part?));
    LegParts {
        whole_nanos: whole.or_else(|| nanos(leg.service()).filter(|_| leg.local)),
        network_nanos: less(whole, target).filter(|_| !leg.local),
        queue_nanos: less(target, drive),
        way_and_queue_nanos: less(whole, drive).filter(|_| !leg.local && target.is_none()),
        drive_nanos: drive,
    }
}

#[cfg(test)]
mod tests;
