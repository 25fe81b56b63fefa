//! What is usual, how it has changed, and how a stretch is against it.

use std::fmt::Write as _;

use fathom_model::baseline::Size;
use fathom_model::unit::show_nanos;
use fathom_proto::query::v1 as wire;
use serde_json::{Value, json};

use super::table::Grid;
use super::units::{count, date_time, maybe_nanos};

const HOUR_NANOS: u64 = 3_600_000_000_000;

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// What a row is of.
fn place(row: &wire::Baseline) -> String {
    match row.of.as_str() {
        "cluster" => "cluster".to_owned(),
        "volume" => row.volume.clone(),
        "pair" => format!("{} to {}", row.node, row.peer),
        "disk" => format!("{}/{}", row.node, row.disk),
        _ => row.node.clone(),
    }
}

fn size(row: &wire::Baseline) -> &str {
    match Size::parse(&row.size) {
        Some(size) => size.words(),
        None => &row.size,
    }
}

/// How much time was learnt of.
fn learnt(row: &wire::Baseline) -> String {
    match row.learnt_nanos / HOUR_NANOS {
        0 => format!("{} min", row.learnt_nanos / (HOUR_NANOS / 60)),
        hours @ 1..48 => format!("{hours} h"),
        more => format!("{} days", more / 24),
    }
}

fn band(row: &wire::Baseline) -> String {
    row.band.as_ref().map_or_else(
        || "-".to_owned(),
        |band| format!("{} under {}", band.share, show_nanos(band.below_nanos)),
    )
}

/// What is usual for people; of nodes, pairs and disks too where it is asked for.
pub(crate) fn table(rows: &[wire::Baseline], is_narrow: bool) -> String {
    let is_shown =
        |row: &&wire::Baseline| is_narrow || matches!(row.of.as_str(), "cluster" | "volume") || row.change.is_some();
    let shown: Vec<&wire::Baseline> = rows.iter().filter(is_shown).collect();
    if rows.is_empty() {
        return "nothing is usual yet: an hour has to be over\n".to_owned();
    }
    let mut grid = Grid::new(&[
        "of",
        "tap",
        "op",
        "size",
        ">usual p50",
        ">usual p99",
        ">8 in 10 hours",
        ">learnt",
        ">published band",
    ]);
    for row in &shown {
        let range = row.p99_low_nanos.zip(row.p99_high_nanos);
        grid.row([
            place(row),
            row.tap.clone(),
            row.op.clone(),
            size(row).to_owned(),
            maybe_nanos(row.p50_nanos),
            maybe_nanos(row.p99_nanos),
            range.map_or_else(
                || "-".to_owned(),
                |(low, high)| format!("{} to {}", show_nanos(low), show_nanos(high)),
            ),
            learnt(row),
            band(row),
        ]);
    }
    let mut text = grid.lines("");
    for row in &shown {
        text.push_str(&change(row));
    }
    let more = rows.len() - shown.len();
    if more > 0 {
        let _ = writeln!(
            text,
            "and {} of nodes, pairs and disks: --places, --node, --disk",
            count(more as u64)
        );
    }
    text
}

/// How a row has changed, for people; nothing where it has not.
fn change(row: &wire::Baseline) -> String {
    let Some(change) = &row.change else {
        return String::new();
    };
    let how = match change.shape.as_str() {
        "step" => format!("Since {} (to 1 h)", date_time(change.began_unix_nanos)),
        _ => format!("Day by day since {}", date_time(change.began_unix_nanos)),
    };
    let mut text = format!(
        "{how}: {} at {} of {} of {} {} {} -> {}\n",
        change.share,
        row.tap,
        place(row),
        row.op,
        size(row),
        show_nanos(change.before_nanos),
        show_nanos(change.after_nanos),
    );
    for event in &change.events {
        let _ = writeln!(
            text,
            "  {} of {} {} went from {} to {} between {} and {} (read by {})",
            event.attribute,
            event.kind,
            event.id,
            event.before,
            event.after,
            date_time(event.from_unix_nanos),
            date_time(event.at_unix_nanos),
            event.reader,
        );
    }
    text
}

/// A row as JSON.
pub(crate) fn value(row: &wire::Baseline) -> Value {
    let change = row.change.as_ref().map(|change| {
        let events = change.events.iter().map(|event| {
            json!({
                "kind": event.kind, "id": event.id, "reader": event.reader, "attribute": event.attribute,
                "before": event.before, "after": event.after,
                "from_unix_ns": event.from_unix_nanos, "at_unix_ns": event.at_unix_nanos,
            })
        });
        json!({
            "share": change.share, "shape": change.shape, "began_unix_ns": change.began_unix_nanos,
            "before_ns": change.before_nanos, "after_ns": change.after_nanos, "p": change.p,
            "events": events.collect::<Vec<_>>(),
        })
    });
    json!({
        "of": row.of, "volume": given(&row.volume), "node": given(&row.node), "disk": given(&row.disk), "peer": given(&row.peer),
        "tap": row.tap, "op": row.op, "size": row.size, "p50_ns": row.p50_nanos, "p99_ns": row.p99_nanos,
        "p99_low_ns": row.p99_low_nanos, "p99_high_ns": row.p99_high_nanos,
        "learnt_ns": row.learnt_nanos, "since_unix_ns": row.since_unix_nanos, "learnt": row.learnt,
        "band": row.band.as_ref().map(|band| json!({"share": band.share, "below_ns": band.below_nanos})),
        "change": change,
    })
}

/// How a stretch is against what is usual, for people: of writes, and of what is worse; nothing where nothing is usual.
pub(crate) fn against(rows: &[wire::AgainstUsual]) -> String {
    let known = |row: &&wire::AgainstUsual| {
        let usual = row.baseline.as_ref();
        usual.is_some_and(|usual| (usual.learnt || usual.band.is_some()) && usual.op == "write")
    };
    let shown: Vec<&wire::AgainstUsual> = rows.iter().filter(known).collect();
    if shown.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for row in shown {
        let Some(usual) = &row.baseline else { continue };
        let (share, now, was) = match (row.p99_nanos, usual.p99_nanos) {
            (Some(now), was) => ("p99", now, was),
            (None, _) => ("p50", row.p50_nanos.unwrap_or_default(), usual.p50_nanos),
        };
        let was = match was {
            Some(was) if usual.learnt => format!("usual here {}, learnt over {}", show_nanos(was), learnt(usual)),
            _ => format!("what is usual here is not learnt yet ({} so far)", learnt(usual)),
        };
        let band = usual.band.as_ref().filter(|band| band.share == share);
        let band = band.map_or_else(String::new, |band| {
            format!("; published band under {}", show_nanos(band.below_nanos))
        });
        let worse = if row.worse == Some(true) {
            "; worse than usual"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "  {} at {}, {}: {share} {}; {was}{band}{worse}",
            place(usual),
            usual.tap,
            size(usual),
            show_nanos(now),
        );
    }
    format!("Writes against what is usual\n{text}")
}

/// The same as JSON, of reads too.
pub(crate) fn against_values(rows: &[wire::AgainstUsual]) -> Vec<Value> {
    let value = |row: &wire::AgainstUsual| {
        json!({
            "usual": row.baseline.as_ref().map(value), "count": row.count,
            "p50_ns": row.p50_nanos, "p99_ns": row.p99_nanos, "worse": row.worse,
        })
    };
    rows.iter().map(value).collect()
}

#[cfg(test)]
mod tests;
