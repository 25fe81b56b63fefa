//! A report for people: what was joined, latency, last copies, the culprit, the slowest write, the score.

use std::fmt::Write;

use fathom_model::report::{Culprit, LastCopy, Latency, Report, Score, Unseen};
use fathom_model::unit::show_nanos;

use super::table::{Grid, one_line};
use super::units::{bytes, count, percent, signed_nanos};
use super::waterfall;

/// Everything of a run.
pub(crate) fn run(name: &str, report: &Report, score: Option<&Score>) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}\n", one_line(name));
    text.push_str(&joined(report));
    let _ = writeln!(text, "\nLatency of writes");
    text.push_str(&latency(&report.latency));
    text.push('\n');
    text.push_str(&last_copies(report));
    text.push('\n');
    text.push_str(&culprit(report));
    if let Some(slowest) = &report.slowest_write {
        let _ = writeln!(text, "\nSlowest write");
        text.push_str(&waterfall::show(slowest));
    }
    text.push('\n');
    text.push_str(&clocks(report));
    if let Some(score) = score {
        text.push('\n');
        text.push_str(&self::score(score));
    }
    text
}

/// What was joined and what was not seen.
pub(crate) fn joined(report: &Report) -> String {
    let joined = &report.joined;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "Joined {} writes with {} of {} legs: {} exact, {} ambiguous, {} incomplete",
        count(joined.writes),
        count(joined.legs),
        count(joined.legs_expected),
        count(joined.exact),
        count(joined.ambiguous),
        count(joined.incomplete)
    );
    let others = [
        (joined.reads, "reads"),
        (joined.flushes, "flushes"),
        (joined.unmaps, "unmaps"),
    ];
    let others: Vec<String> = others
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(*number)))
        .collect();
    if !others.is_empty() {
        let _ = writeln!(text, "  and {}", others.join(", "));
    }
    text.push_str(&unseen(&report.unseen));
    text
}

/// What was not seen, and why.
pub(crate) fn unseen(unseen: &Unseen) -> String {
    const SHOWN: usize = 6;
    let mut text = String::new();
    for node in &unseen.nodes {
        let why = match node.cause.as_str() {
            "no_daemon" => "no daemon speaks for it",
            "silent" => "it went silent, and windows closed without it",
            "not_connected" => "its daemon is not connected",
            "was_silent" => "it was silent for a time, and windows closed without it",
            other => other,
        };
        let _ = writeln!(text, "  node {} was not heard: {why}", one_line(&node.node));
    }
    for row in unseen.missing.iter().take(SHOWN) {
        if row.tap == "volume" {
            // It is not an event that is missing, but places to look for some.
            let _ = writeln!(
                text,
                "  missing: the extents of {} I/Os of {} ({})",
                count(row.legs),
                row.node,
                row.cause
            );
            continue;
        }
        let _ = writeln!(
            text,
            "  missing: {} {} events of legs at {} ({})",
            count(row.legs),
            row.tap,
            row.node,
            row.cause
        );
    }
    if unseen.missing.len() > SHOWN {
        let _ = writeln!(
            text,
            "  missing: {} more kinds (-o json has all)",
            unseen.missing.len() - SHOWN
        );
    }
    for row in unseen.unmatched.iter().take(SHOWN) {
        let place = row
            .device
            .as_ref()
            .map_or_else(|| row.node.clone(), |disk| format!("{}/{disk}", row.node));
        let size = if row.bytes > 0 {
            format!(", {}", bytes(row.bytes))
        } else {
            String::new()
        };
        let why = match row.cause.as_str() {
            "foreign" if row.op == "write" && row.bytes / row.events.max(1) >= 512 * 1024 => {
                "of no write: another's I/O, by its size a repair or rebuild"
            }
            "foreign" => "of no I/O that was seen",
            "no_write" => "whose I/O was not seen",
            "after_write" => "ended too long after their I/O",
            "ambiguous" => "could be of more than one I/O",
            "late" => "came after their window had closed",
            "unknown_device" => "of a device that no extent map has",
            other => other,
        };
        let _ = writeln!(
            text,
            "  set aside: {} {} {} at {place}{size}, {why}",
            count(row.events),
            row.tap,
            plural(&row.op)
        );
    }
    if unseen.unmatched.len() > SHOWN {
        let _ = writeln!(
            text,
            "  set aside: {} more kinds (-o json has all)",
            unseen.unmatched.len() - SHOWN
        );
    }
    for warning in &unseen.warnings {
        let _ = writeln!(text, "  odd: {}", one_line(warning));
    }
    text
}

/// A column of a latency row that may be there.
type Name = fn(&Latency) -> &Option<String>;

/// More than one of an operation.
pub(crate) fn plural(op: &str) -> String {
    if op == "flush" {
        "flushes".to_owned()
    } else {
        format!("{op}s")
    }
}

/// Latency by whatever it is grouped by.
pub(crate) fn latency(rows: &[Latency]) -> String {
    let has = |get: Name| rows.iter().any(|row| get(row).is_some());
    let columns: [(&str, Name); 4] = [
        ("volume", |row| &row.volume),
        ("from", |row| &row.peer),
        ("node", |row| &row.node),
        ("disk", |row| &row.disk),
    ];
    let columns: Vec<_> = columns.into_iter().filter(|(_, get)| has(*get)).collect();
    let mut names = vec!["tap"];
    names.extend(columns.iter().map(|(name, _)| *name));
    names.extend([">count", ">p50", ">p95", ">p99", ">max"]);
    let mut grid = Grid::new(&names);
    for row in rows {
        let mut values = vec![row.tap.clone()];
        values.extend(columns.iter().map(|(_, get)| get(row).clone().unwrap_or_default()));
        values.push(count(row.count));
        values.extend([row.p50_ns, row.p95_ns, row.p99_ns, row.max_ns].map(show_nanos));
        grid.row(values);
    }
    if rows.is_empty() {
        "  nothing\n".to_owned()
    } else {
        grid.lines("  ")
    }
}

/// Who came last.
pub(crate) fn last_copies(report: &Report) -> String {
    if report.last_copies.is_empty() {
        return "Last copies: none is known\n".to_owned();
    }
    let mut text = last_copies_of("Last copies", report.last_copies.iter());
    let joined = &report.joined;
    if joined.last_unknown > 0 {
        let _ = writeln!(
            text,
            "  of {} of {} writes it is not known which copy came last: they are not in this",
            count(joined.last_unknown),
            count(joined.writes)
        );
    }
    text
}

/// Who came last by node and by pair of nodes, where that is not what the disks say already.
pub(crate) fn last_copies_of_more(report: &Report) -> String {
    let (disks, nodes, pairs) = (
        &report.last_copies,
        &report.last_copies_by_node,
        &report.last_copies_by_pair,
    );
    let mut text = String::new();
    if disks.len() > nodes.len() {
        text.push('\n');
        text.push_str(&last_copies_of("By node", nodes.iter()));
    }
    if pairs.len() > nodes.len() {
        let mut costliest: Vec<&LastCopy> = pairs.iter().collect();
        costliest.sort_by_key(|row| std::cmp::Reverse(row.added_ns));
        costliest.truncate(MOST_PAIRS);
        text.push('\n');
        text.push_str(&last_copies_of("Between", costliest.into_iter()));
        if pairs.len() > MOST_PAIRS {
            let _ = writeln!(text, "  and {} more pairs, which added less", pairs.len() - MOST_PAIRS);
        }
    }
    text
}

/// No more pairs of nodes than this are shown to people.
const MOST_PAIRS: usize = 10;

fn last_copies_of<'a>(title: &str, rows: impl Iterator<Item = &'a LastCopy>) -> String {
    let mut grid = Grid::new(&[
        title,
        "",
        ">writes",
        ">last in",
        ">95 %",
        ">expected",
        ">added",
        ">a write",
    ]);
    for row in rows {
        grid.row([
            row.node.clone(),
            row.disk.clone().or_else(|| row.peer.clone()).unwrap_or_default(),
            count(row.writes),
            percent(row.share),
            // A coordinator of before these were told gives none.
            if row.share_high > 0.0 {
                format!("{:.1}-{:.1}", row.share_low * 100.0, row.share_high * 100.0)
            } else {
                "-".to_owned()
            },
            percent(row.expected_share),
            row.added_ns.map_or_else(|| "-".to_owned(), show_nanos),
            // Of those of which it is known: the others are no zeros.
            row.added_ns.map_or_else(
                || "-".to_owned(),
                |added| show_nanos(added / row.added_writes.unwrap_or(row.writes).max(1)),
            ),
        ]);
    }
    grid.lines("")
}

/// Who is to blame, and what else is worse than its equals.
pub(crate) fn culprit(report: &Report) -> String {
    let mut text = match &report.culprit {
        Some(culprit) => verdict("Culprit", culprit),
        None if report.culprits.is_empty() => nobody(report),
        None => String::new(),
    };
    let first = report.culprit.as_ref().map(who);
    let others = report.culprits.iter().filter(|other| Some(who(other)) != first);
    others.for_each(|other| text.push_str(&verdict("Worse than its equals", other)));
    text
}

fn who(culprit: &Culprit) -> String {
    let node = culprit.node.clone().unwrap_or_default();
    match (culprit.kind.as_str(), &culprit.disk, &culprit.peer) {
        ("disk", Some(disk), _) => format!("disk {node}/{disk}"),
        ("link", _, Some(peer)) => format!("link {peer} -> {node}"),
        ("node", _, _) => format!("node {node}"),
        ("job", _, _) => format!("job {}", culprit.resource.as_deref().unwrap_or_default()),
        ("unknown", _, _) => format!("unknown, behind node {node}"),
        (kind, _, _) => format!("{kind} {node}"),
    }
}

fn verdict(word: &str, culprit: &Culprit) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{word}: {}, {:.0} % sure, {} between {} and {}",
        who(culprit),
        culprit.confidence * 100.0,
        cost(culprit),
        culprit.since,
        culprit.until
    );
    let mut shown: Vec<&String> = Vec::new();
    for evidence in &culprit.evidence {
        let _ = writeln!(text, "  {}", evidence.text);
        for write in &evidence.writes {
            if !shown.contains(&write) {
                shown.push(write);
            }
        }
    }
    if !shown.is_empty() {
        let names: Vec<&str> = shown.iter().map(|name| name.as_str()).collect();
        let _ = writeln!(text, "  look at {}", names.join(" "));
    }
    text
}

/// What it cost, as far as that is known.
fn cost(culprit: &Culprit) -> String {
    if culprit.cost_ns == 0 {
        return "what it cost is not known; felt".to_owned();
    }
    let guess = match culprit.guessed_ns {
        0 => String::new(),
        guessed if guessed >= culprit.cost_ns => ", all of it a guess,".to_owned(),
        guessed => format!(", {} of it a guess,", show_nanos(guessed)),
    };
    format!(
        "cost {} in all (summed over the writes that waited){guess}",
        show_nanos(culprit.cost_ns)
    )
}

/// Why nobody is named: since nothing is worse, or since it was not seen.
fn nobody(report: &Report) -> String {
    if report.joined.writes == 0 {
        return "Culprit: none to name; no write was joined in what was asked about\n".to_owned();
    }
    if report.joined.legs == 0 {
        return "Culprit: not known; no copy of any write was joined\n".to_owned();
    }
    let unheard: Vec<_> = report.unseen.nodes.iter().map(|node| one_line(&node.node)).collect();
    if !unheard.is_empty() {
        return format!(
            "Culprit: none among what was seen; {} was not heard\n",
            unheard.join(", ")
        );
    }
    let far = ["target", "device"].into_iter();
    let blind: Vec<_> = far
        .filter(|tap| !report.latency.iter().any(|row| row.tap == *tap))
        .collect();
    // Whether a drive is worse than others its node cannot say that saw none.
    if blind.contains(&"device") {
        return format!(
            "Culprit: none among what was seen; nothing was seen at {}, so that a slow drive may be to blame\n",
            blind.join(" and ")
        );
    }
    "Culprit: none; nothing that was seen is worse than its peers or its own past\n".to_owned()
}

/// What is known of the clocks.
pub(crate) fn clocks(report: &Report) -> String {
    let mut grid = Grid::new(&["Clocks", "against", ">offset", ">error", ">drift"]);
    for clock in &report.clocks {
        grid.row([
            clock.node.clone(),
            clock.reference.clone(),
            clock.offset_ns.map_or_else(|| "unknown".to_owned(), signed_nanos),
            clock
                .error_ns
                .map_or_else(|| "-".to_owned(), |error| format!("+-{}", show_nanos(error))),
            clock
                .drift_ppb
                .map_or_else(|| "-".to_owned(), |drift| format!("{:+.1} ppm", drift as f64 / 1000.0)),
        ]);
    }
    if report.clocks.is_empty() {
        "Clocks: none could be aligned\n".to_owned()
    } else {
        grid.lines("")
    }
}

/// How it compares with the truth.
pub(crate) fn score(score: &Score) -> String {
    let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), percent);
    let bound = match score.clock_bound_held {
        Some(true) => "held",
        Some(false) => "BROKEN",
        None => "not checked",
    };
    let named = match (score.slowest_copy, score.slowest_copy_named) {
        (Some(all), Some(named)) if all < named => format!(" ({} of those named)", percent(named)),
        _ => String::new(),
    };
    format!(
        "Against the truth: fan-outs exact {}, legs right {}, legs found {}, slowest copy {}{named}, clock bounds {bound}\n",
        share(score.exact_fanout),
        share(score.leg_precision),
        share(score.leg_recall),
        share(score.slowest_copy),
    )
}

#[cfg(test)]
mod tests;
