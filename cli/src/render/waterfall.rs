//! One I/O as a waterfall of its legs.

use std::fmt::Write;

use fathom_model::report::{Bounds, Covered, CoveredBy, IoDetail, LegDetail};
use fathom_model::unit::show_nanos;

use super::table::Grid;
use super::units::{bytes, maybe_nanos, time_of_day};

/// Characters of a bar: the whole I/O.
const WIDTH: usize = 44;

/// The I/O with a bar a leg.
pub(crate) fn show(io: &IoDetail) -> String {
    let mut text = String::new();
    let place = if io.op == "flush" {
        String::new()
    } else {
        format!(" {} at {}", bytes(io.length), io.offset)
    };
    let _ = writeln!(
        text,
        "{} {} on {} of {}:{place}, {} at {}, {}",
        io.op,
        io.id,
        io.volume,
        io.node,
        show_nanos(io.duration_ns),
        time_of_day(io.start_unix_ns),
        io.class
    );
    if io.status != 0 {
        let _ = writeln!(text, "  failed with status {}", io.status);
    }
    let several = io.legs.iter().any(|leg| leg.part > 0);
    let title = format!("0 {:>1$}", show_nanos(io.duration_ns), WIDTH - 2);
    let mut grid = Grid::new(&["copy", "on", &title, ">leg", ">way", ">target", ">drive", "", ""]);
    for leg in &io.legs {
        let copy = if several {
            format!("{}.{}", leg.part, leg.copy)
        } else {
            leg.copy.to_string()
        };
        let last = io
            .slowest
            .as_ref()
            .is_some_and(|slowest| (slowest.part, slowest.copy) == (leg.part, leg.copy));
        grid.row([
            copy,
            format!("{}/{}", leg.node, leg.disk),
            bar(io, leg),
            maybe_nanos(leg.initiator_ns.map(length)),
            maybe_nanos(way(leg)),
            maybe_nanos(leg.target_ns.map(length)),
            maybe_nanos(leg.device_ns.map(length)),
            if last { "<- last".to_owned() } else { String::new() },
            notes(leg),
        ]);
    }
    text.push_str(&grid.lines("  "));
    let _ = writeln!(
        text,
        "  - leg at the initiator   = at the far side's bus target   # at the drive"
    );
    if io.legs.len() < io.legs_expected as usize {
        let _ = writeln!(
            text,
            "  {} of {} copies were not seen at all",
            io.legs_expected as usize - io.legs.len(),
            io.legs_expected
        );
    }
    if let Some((before, after)) = outside_legs(io) {
        let most = if (before + after).saturating_mul(2) > io.duration_ns {
            ", which is most of it"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "  at {} itself: {} before the first leg, {} after the last{most}",
            io.node,
            show_nanos(before),
            show_nanos(after)
        );
    }
    if let (None, Some(parts)) = (outside_legs(io), &io.parts) {
        let _ = writeln!(
            text,
            "  at {} itself: {} before the first leg, {} after the last",
            io.node,
            bounds(parts.before_ns),
            bounds(parts.after_ns)
        );
    }
    match &io.slowest {
        Some(slowest) => {
            let lead = slowest.lead_ns.map_or_else(String::new, |lead| {
                format!(", {} after the one before", show_nanos(lead))
            });
            let sure = if slowest.confidence < 1.0 {
                format!(" ({:.0} % sure)", slowest.confidence * 100.0)
            } else {
                String::new()
            };
            let _ = writeln!(
                text,
                "  it waited for copy {} on {}/{}{lead}{sure}",
                slowest.copy, slowest.node, slowest.disk
            );
            let is_it = |leg: &&LegDetail| (leg.part, leg.copy) == (slowest.part, slowest.copy);
            let parts = io.legs.iter().find(is_it).map(|leg| leg.parts);
            if let Some((there, back)) = parts.and_then(|parts| parts.there_ns.zip(parts.back_ns)) {
                let _ = writeln!(text, "  on its way {} there, {} back", bounds(there), bounds(back));
            }
        }
        None => {
            let may: Vec<String> = io
                .legs
                .iter()
                .filter(|leg| leg.candidate)
                .map(|leg| format!("{}/{}", leg.node, leg.disk))
                .collect();
            let _ = match &may[..] {
                [] => writeln!(text, "  which copy it waited for is not known"),
                may => writeln!(
                    text,
                    "  which copy it waited for is not known: it may be {}",
                    may.join(" or ")
                ),
            };
        }
    }
    text
}

/// What lies between two bounds, or is known.
fn bounds([low, high]: Bounds) -> String {
    if low == high {
        return show_nanos(low);
    }
    format!("{} to {}", show_nanos(low), show_nanos(high))
}

/// What a flush made durable, or when a write was; nothing where neither is known.
pub(crate) fn durable(io: &IoDetail, covers: Option<&Covered>, by: Option<&CoveredBy>) -> String {
    match (covers, by) {
        (Some(covered), _) => {
            let since = covered.since_unix_ns.map_or_else(
                || "no flush was seen in the ten minutes before it; there may be more".to_owned(),
                |since| {
                    format!(
                        "in the {} since the flush before it began",
                        show_nanos(covered.until_unix_ns.abs_diff(since))
                    )
                },
            );
            format!(
                "  it made {} writes of {} by {} durable ({}), which completed before it: {since}\n",
                covered.writes,
                io.volume,
                io.node,
                bytes(covered.bytes)
            )
        }
        (None, Some(by)) => format!(
            "  durable {} after it was done, by flush {}\n",
            show_nanos(by.after_ns),
            by.id
        ),
        (None, None) => String::new(),
    }
}

fn length([start, end]: [i64; 2]) -> u64 {
    u64::try_from(end.saturating_sub(start)).unwrap_or(0)
}

/// What of the I/O's time no leg has: before the first began and after the last ended. `None` where a leg was not seen.
fn outside_legs(io: &IoDetail) -> Option<(u64, u64)> {
    if io.legs.len() < io.legs_expected as usize {
        return None;
    }
    let legs: Option<Vec<[i64; 2]>> = io.legs.iter().map(|leg| leg.initiator_ns).collect();
    let legs = legs?;
    let first = legs.iter().map(|leg| leg[0]).min()?;
    let last = legs.iter().map(|leg| leg[1]).max()?;
    let after = io.duration_ns.saturating_sub(u64::try_from(last).unwrap_or(0));
    Some((u64::try_from(first).unwrap_or(0), after))
}

/// What of the leg is not the far side's service: the way and, without a target, its queue.
fn way(leg: &LegDetail) -> Option<u64> {
    let service = leg.target_ns.or(leg.device_ns)?;
    Some(length(leg.initiator_ns?).saturating_sub(length(service)))
}

fn notes(leg: &LegDetail) -> String {
    let mut notes = Vec::new();
    for (tap, cause) in &leg.missing {
        notes.push(format!("no {tap}: {cause}"));
    }
    if leg.ambiguous {
        notes.push(format!("ambiguous ({:.0} % sure)", leg.confidence * 100.0));
    }
    if let Some(error) = leg.clock_error_ns.filter(|error| *error > 0) {
        notes.push(format!("clock +-{}", show_nanos(error)));
    }
    notes.join(", ")
}

/// The drive over the target over the leg, each where it was. At least one character each, so that nothing seen vanishes.
fn bar(io: &IoDetail, leg: &LegDetail) -> String {
    let mut bar = vec!['.'; WIDTH];
    let whole = i128::from(io.duration_ns.max(1));
    let column = |nanos: i64| (i128::from(nanos) * WIDTH as i128 / whole).clamp(0, WIDTH as i128 - 1) as usize;
    for (span, mark) in [(leg.initiator_ns, '-'), (leg.target_ns, '='), (leg.device_ns, '#')] {
        if let Some([start, end]) = span {
            let (from, until) = (column(start), column(end.saturating_sub(1)));
            bar[from..=until.max(from)].fill(mark);
        }
    }
    bar.into_iter().collect()
}

#[cfg(test)]
mod tests;
