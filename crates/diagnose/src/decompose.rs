//! Where the time of one I/O went.
//!
//! Every nanosecond of the I/O is in exactly one of: before the first copy was sent, while copies were under way, after the last was
//! acknowledged. While they were under way it waited for the last one, and the end of that, beyond the second-last, is the price of
//! the last copy. Each leg is cut into the way, the far side's queue and the drive, as far as it was seen. What was not seen is `None`
//! and never zero; what depends on a clock that is known to within an error, or on what was not seen, lies between two bounds.

use fathom_model::report::{Bounds, IoParts, LegParts};
use fathom_model::{Io, JoinedRows, Leg};

/// Takes an I/O apart: itself, where it has legs, and its legs in the order of the fan-out.
#[must_use]
pub fn decompose(rows: &JoinedRows, io: &Io) -> (Option<IoParts>, Vec<LegParts>) {
    let legs = rows.legs_of(io);
    (whole(io, legs), legs.iter().map(of_leg).collect())
}

fn whole(io: &Io, legs: &[Leg]) -> Option<IoParts> {
    let (start, end) = (io.event.start_unix_nanos, io.event.end_unix_nanos());
    let expected = io.legs_expected as usize;
    if legs.is_empty() && expected == 0 {
        return None;
    }
    let mut first = [end, end];
    let mut last = [start, start];
    let unseen = (legs.len() < expected).then_some(([start, end], [start, end]));
    for (begins, ends) in legs.iter().map(|leg| span(io, leg)).chain(unseen) {
        let [begins, ends] = [begins, ends].map(|of| of.map(|at| at.clamp(start, end)));
        first = [first[0].min(begins[0]), first[1].min(begins[1])];
        last = [last[0].max(ends[0]), last[1].max(ends[1])];
    }
    let apart = |from: i64, until: i64| u64::try_from(until.saturating_sub(from)).unwrap_or(0);
    Some(IoParts {
        before_ns: [apart(start, first[0]), apart(start, first[1])],
        legs_ns: [apart(first[1], last[0]), apart(first[0], last[1])],
        after_ns: [apart(last[1], end), apart(last[0], end)],
        last_copy_ns: io.slowest.and_then(|slowest| slowest.lead_nanos),
    })
}

/// Between what a leg began and between what it ended, on the initiator's clock.
fn span(io: &Io, leg: &Leg) -> ([i64; 2], [i64; 2]) {
    let (start, end) = (io.event.start_unix_nanos, io.event.end_unix_nanos());
    if let Some(seen) = leg.initiator.or_else(|| leg.service().filter(|_| leg.local)) {
        let begins = if leg.more.initiator.is_empty() {
            [seen.start_unix_nanos; 2]
        } else {
            // When a failed attempt before it began is not known.
            [start, seen.start_unix_nanos]
        };
        return (begins, [seen.end_unix_nanos(); 2]);
    }
    let Some((far, clock)) = leg.service().zip(leg.clock) else {
        return ([start, end], [start, end]);
    };
    // It was sent before the far side had it, and acknowledged after that was done.
    let here = |at: i64| at.saturating_sub(clock.offset_nanos);
    let begins = here(far.start_unix_nanos).saturating_add_unsigned(clock.error_nanos);
    let ends = here(far.end_unix_nanos()).saturating_sub_unsigned(clock.error_nanos);
    ([start, begins], [ends, end])
}

fn of_leg(leg: &Leg) -> LegParts {
    let nanos = |tap: Option<fathom_model::Observation>| tap.map(|seen| seen.duration_nanos);
    let (whole, target, drive) = (nanos(leg.initiator), nanos(leg.target), nanos(leg.device));
    let less = |whole: Option<u64>, part: Option<u64>| Some(whole?.saturating_sub(part?));
    let there_ns = there(leg);
    let both_ways = less(whole, nanos(leg.service()));
    LegParts {
        whole_ns: whole.or_else(|| nanos(leg.service()).filter(|_| leg.local)),
        way_ns: less(whole, target).filter(|_| !leg.local),
        there_ns,
        back_ns: there_ns
            .zip(both_ways)
            .map(|([low, high], all)| [all - high, all - low]),
        queue_ns: less(target, drive),
        way_and_queue_ns: less(whole, drive).filter(|_| !leg.local && target.is_none()),
        drive_ns: drive,
    }
}

/// How long a leg took until the far side had it: the two ways together are known by durations, which of them is by the far side's clock.
fn there(leg: &Leg) -> Option<Bounds> {
    let (seen, far, clock) = (leg.initiator?, leg.service()?, leg.clock?);
    if leg.local {
        return None;
    }
    let all = seen.duration_nanos.saturating_sub(far.duration_nanos);
    let there = far
        .start_unix_nanos
        .saturating_sub(clock.offset_nanos)
        .saturating_sub(seen.start_unix_nanos);
    let error = clock.error_nanos;
    let within = |nanos: i64| u64::try_from(nanos).unwrap_or(0).min(all);
    Some([
        within(there.saturating_sub_unsigned(error)),
        within(there.saturating_add_unsigned(error)),
    ])
}

#[cfg(test)]
mod tests;
