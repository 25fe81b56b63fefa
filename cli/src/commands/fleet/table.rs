//! How the fleet is, as a table.

use std::fmt::Write as _;

use fathom_model::fleet::{Change, Changed, Clusters, Entry, Hearing, Level, What};
use fathom_model::health::State;

use crate::render::table::{Grid, many_lines, one_line};
use crate::render::units::{count, date_time};

/// Children that a table names.
const SHOWN: usize = 6;

/// So many clusters in which states, those that there are.
pub(super) fn states(clusters: &Clusters) -> String {
    let all = State::ALL.into_iter().rev().filter(|state| clusters.of(*state) > 0);
    let all: Vec<String> = all
        .map(|state| format!("{} {}", count(clusters.of(state)), state.as_str()))
        .collect();
    if all.is_empty() {
        "none".to_owned()
    } else {
        all.join(", ")
    }
}

pub(super) fn changed(changed: &Changed) -> String {
    let parts = [
        (changed.worse, "worse"),
        (changed.better, "better"),
        (changed.lost, "not heard any more"),
        (changed.heard, "heard again"),
        (changed.updates, "updates"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(number)))
        .collect();
    let since = changed
        .counted_from_unix_ns
        .map_or_else(String::new, |from| format!(" (counted from {})", date_time(from)));
    if parts.is_empty() {
        format!("nothing{since}")
    } else {
        format!("{}{since}", parts.join(", "))
    }
}

fn open(entry: &Entry) -> u64 {
    entry
        .findings
        .iter()
        .map(|finding| u64::from(finding.open))
        .sum::<u64>()
        + entry.findings_more
}

/// All of it.
pub(super) fn health(entries: &[Entry], changes: &[Change]) -> String {
    let mut text = String::new();
    if let Some(fleet) = entries.iter().find(|entry| entry.level == Level::Fleet) {
        let _ = writeln!(
            text,
            "{} since {}",
            fleet.state.as_str(),
            date_time(fleet.since_unix_ns)
        );
        let _ = writeln!(text, "  clusters   {}", states(&fleet.clusters));
        let _ = writeln!(text, "  last hour  {}", changed(&fleet.last_hour));
        let _ = writeln!(text, "  last day   {}", changed(&fleet.last_day));
        let findings: Vec<String> = fleet
            .findings
            .iter()
            .map(|finding| format!("{} {} ({})", finding.open, finding.code, finding.severity.as_str()))
            .collect();
        if !findings.is_empty() {
            let _ = writeln!(text, "  findings   {}", findings.join(", "));
        }
    }
    let mut grid = Grid::new(&["site", "cluster", "state", "since", ">open findings", "worst"]);
    for entry in entries.iter().filter(|entry| entry.level != Level::Fleet) {
        let below = match entry.level {
            Level::Cluster => entry.cluster.clone(),
            Level::Fleet | Level::Site => states(&entry.clusters),
        };
        grid.row([
            entry.site.clone(),
            below,
            entry.state.as_str().to_owned(),
            date_time(entry.since_unix_ns),
            count(open(entry)),
            if entry.level == Level::Cluster {
                entry.reason.clone()
            } else {
                String::new()
            },
        ]);
    }
    let _ = write!(text, "\n{}", grid.lines(""));
    let clusters = entries
        .iter()
        .filter(|entry| entry.level == Level::Cluster && !entry.worst.is_empty());
    for entry in clusters {
        let _ = writeln!(text, "\n{}/{}", one_line(&entry.site), one_line(&entry.cluster));
        text.push_str(&children(entry));
    }
    if !changes.is_empty() {
        text.push_str("\nChanges\n");
        for change in changes {
            let line = format!(
                "  {}  {}/{}  {}",
                date_time(change.at_unix_ns),
                change.site,
                change.cluster,
                told(change)
            );
            let _ = writeln!(text, "{}", one_line(&line));
        }
    }
    many_lines(&text).into_owned()
}

fn told(change: &Change) -> String {
    let why = if change.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", change.reason)
    };
    match &change.what {
        What::State {
            from: Some(from),
            to,
            hearing,
        } => {
            let hearing = match hearing {
                Some(Hearing::Lost) => ", not heard any more",
                Some(Hearing::Heard) => ", heard again",
                None => "",
            };
            format!("{} -> {}{hearing}{why}", from.as_str(), to.as_str())
        }
        What::State { from: None, to, .. } => format!("first heard, {}{why}", to.as_str()),
        What::Update(update) => {
            let to = &update.to;
            format!(
                "{} {} {} -> {} on {} of {}{why}",
                to.axis, to.subject, update.from_variant, to.variant, update.devices, update.of
            )
        }
    }
}

/// What is not ok in an entry, the worst first, a line each.
pub(super) fn children(entry: &Entry) -> String {
    let mut text = String::new();
    for child in entry.worst.iter().take(SHOWN) {
        let line = format!(
            "{:<12} {} {}: {}",
            child.state.as_str(),
            child.kind,
            child.name,
            child.reason
        );
        let _ = writeln!(text, "  {}", one_line(&line));
    }
    let more = (entry.worst.len().saturating_sub(SHOWN)) as u64 + entry.worst_more;
    if more > 0 {
        let next = match entry.level {
            Level::Cluster => format!("fathom health --cluster {}/{}", entry.site, entry.cluster),
            Level::Site => format!("fathom fleet --site {}", entry.site),
            Level::Fleet => "fathom fleet".to_owned(),
        };
        let _ = writeln!(text, "  and {} more; {}", count(more), one_line(&next));
    }
    text
}
