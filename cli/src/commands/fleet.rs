//! `fathom fleet`: all clusters together, what changed, how long operations took over all of them, and what is worse than its like.

use std::fmt::Write as _;
use std::io::Write as _;

use fathom_model::fleet::{Change, Changed, Clusters, Cohort, Entry, Level, What};
use fathom_model::health::State;
use fathom_model::unit::show_nanos;
use fathom_proto::convert::rollup::answers::{change_from_wire, cohort_from_wire, entry_from_wire};
use fathom_proto::fleet::v1 as wire;
use serde_json::{Value, json};

use super::clusters::selection;
use crate::args::{FleetAction, FleetArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::context::Connection;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::table::{Grid, many_lines, one_line};
use crate::render::units::{count, date_time, maybe_nanos};
use crate::scope::tell;

/// Children that a table names.
const SHOWN: usize = 6;

pub(crate) fn run(arguments: &FleetArgs, output: Output) -> Result<Code> {
    match &arguments.action {
        None if arguments.watch => watch(arguments, output),
        None => health(arguments, output),
        Some(FleetAction::Sites { connection }) => sites(connection, output),
        Some(FleetAction::Latency { connection }) => latency(connection, output),
        Some(FleetAction::Cohorts { connection }) => cohorts(connection, output),
        Some(FleetAction::Forget { site, connection }) => {
            let (context, _) = connection.resolve_for_fleet()?;
            block_on(async { Client::connect(&context).await?.forget_site(site).await })?;
            Ok(Code::Fine)
        }
    }
}

fn health(arguments: &FleetArgs, output: Output) -> Result<Code> {
    let (context, meant) = arguments.connection.resolve_for_fleet()?;
    let request = wire::GetFleetHealthRequest {
        selection: Some(selection(meant)),
        clusters: true,
        changes_nanos: arguments
            .changes
            .map_or(0, |span| u64::try_from(span.0.as_nanos()).unwrap_or(u64::MAX)),
    };
    let answer = block_on(async { Client::connect(&context).await?.fleet_health(request).await })?;
    let entries: Vec<Entry> = answer
        .entries
        .into_iter()
        .map(entry_from_wire)
        .collect::<Result<_, _>>()?;
    let changes: Vec<Change> = answer
        .changes
        .into_iter()
        .map(change_from_wire)
        .collect::<Result<_, _>>()?;
    match output {
        Output::Json => {
            let of = |level: Level| {
                entries
                    .iter()
                    .filter(|entry| entry.level == level)
                    .map(to_value)
                    .collect::<Vec<_>>()
            };
            json::print(json!({
                "fleet": of(Level::Fleet).into_iter().next(), "sites": of(Level::Site), "clusters": of(Level::Cluster),
                "changes": arguments.changes.map(|_| to_value(&changes)), "changes_from_unix_ns": answer.changes_from_unix_nanos,
                "missing": answer.missing.iter().map(site_document).collect::<Vec<_>>(),
            }))?;
        }
        Output::Table => print(&table(&entries, &changes))?,
    }
    let partial = note_missing(&answer.missing);
    let is_well = entries
        .first()
        .is_some_and(|fleet| matches!(fleet.state, State::Ok | State::Maintenance));
    Ok(if arguments.check && !is_well {
        Code::Trouble
    } else {
        partial
    })
}

/// Says which sites are missing; the exit code that this means.
fn note_missing(missing: &[wire::SiteStatus]) -> Code {
    for site in missing {
        let since = site.missing_since_unix_nanos.map_or_else(|| "?".to_owned(), date_time);
        let clusters = site.clusters;
        tell!(
            "partial: site {} has been missing since {since}, and with it {clusters} clusters",
            one_line(&site.site)
        );
    }
    if missing.is_empty() { Code::Fine } else { Code::Partial }
}

/// So many clusters in which states, those that there are.
fn states(clusters: &Clusters) -> String {
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

fn changed(changed: &Changed) -> String {
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

fn table(entries: &[Entry], changes: &[Change]) -> String {
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
            let _ = writeln!(
                text,
                "  and {} more; fathom health --cluster {}/{}",
                count(more),
                entry.site,
                entry.cluster
            );
        }
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
        What::State { from: Some(from), to } => format!("{} -> {}{why}", from.as_str(), to.as_str()),
        What::State { from: None, to } => format!("first heard, {}{why}", to.as_str()),
        What::Update(update) => {
            let to = &update.to;
            format!(
                "{} {} {} -> {} on {} of {}{why}",
                to.axis, to.subject, update.from_variant, to.variant, update.devices, update.of
            )
        }
    }
}

fn watch(arguments: &FleetArgs, output: Output) -> Result<Code> {
    let (context, _) = arguments.connection.resolve_for_fleet()?;
    let token = arguments.after.clone().unwrap_or_default();
    block_on(async {
        let client = Client::connect(&context).await?;
        client
            .watch_fleet(token, |message| {
                let mut text = String::new();
                let token = &message.resume_token;
                for entry in message.entries {
                    let entry = entry_from_wire(entry)?;
                    match output {
                        Output::Json => {
                            let line = json!({"schema": 1, "is_all": message.is_all, "resume_token": token, "entry": to_value(&entry)});
                            let _ = writeln!(text, "{line}");
                        }
                        Output::Table => text.push_str(&line(&entry)),
                    }
                }
                for gone in message.gone {
                    match output {
                        Output::Json => {
                            let line = json!({"schema": 1, "is_all": message.is_all, "resume_token": token, "gone": {"site": gone.site, "cluster": gone.cluster}});
                            let _ = writeln!(text, "{line}");
                        }
                        Output::Table => {
                            let _ = writeln!(text, "{:<12} {}/{}", "gone", one_line(&gone.site), one_line(&gone.cluster));
                        }
                    }
                }
                print(&text)?;
                std::io::stdout().lock().flush().map_err(Error::Output)
            })
            .await
    })?;
    Ok(Code::Fine)
}

/// One entry of a watch.
fn line(entry: &Entry) -> String {
    let name = match entry.level {
        Level::Fleet => "fleet".to_owned(),
        Level::Site => format!("site {}", entry.site),
        Level::Cluster => format!("cluster {}/{}", entry.site, entry.cluster),
    };
    let clusters = if entry.level == Level::Cluster {
        String::new()
    } else {
        format!(" ({})", states(&entry.clusters))
    };
    let why = if entry.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", entry.reason)
    };
    let text = format!(
        "{:<12} {name} since {}{clusters}{why}",
        entry.state.as_str(),
        date_time(entry.since_unix_ns)
    );
    format!("{}\n", one_line(&text))
}

fn sites(connection: &Connection, output: Output) -> Result<Code> {
    let (context, _) = connection.resolve_for_fleet()?;
    let sites = block_on(async { Client::connect(&context).await?.sites().await })?;
    match output {
        Output::Json => json::print(json!({"sites": sites.iter().map(site_document).collect::<Vec<_>>()}))?,
        Output::Table => {
            let mut grid = Grid::new(&["site", "reach", "heard", ">clusters", "allows", "version"]);
            for site in &sites {
                let allows = match &site.policy {
                    None => "-".to_owned(),
                    Some(policy) if policy.allows.is_empty() => "nothing".to_owned(),
                    Some(policy) => policy.allows.join(" "),
                };
                grid.row([
                    site.site.clone(),
                    site.reach.clone(),
                    if site.heard_unix_nanos == 0 {
                        "-".to_owned()
                    } else {
                        date_time(site.heard_unix_nanos)
                    },
                    site.clusters.to_string(),
                    allows,
                    site.version.clone(),
                ]);
            }
            print(&grid.lines(""))?;
        }
    }
    let missing: Vec<_> = sites
        .into_iter()
        .filter(|site| site.missing_since_unix_nanos.is_some())
        .collect();
    Ok(note_missing(&missing))
}

fn site_document(site: &wire::SiteStatus) -> Value {
    let policy = site.policy.as_ref().map(|policy| {
        json!({
            "allows": policy.allows, "max_rows": policy.max_rows, "max_answer_bytes": policy.max_answer_bytes,
            "max_time_ns": policy.max_time_nanos, "max_queries": policy.max_queries,
        })
    });
    json!({
        "site": site.site, "reach": site.reach, "heard_unix_ns": site.heard_unix_nanos,
        "missing_since_unix_ns": site.missing_since_unix_nanos, "labels": site.labels, "version": site.version,
        "clusters": site.clusters, "policy": policy,
    })
}

/// Says which clusters an answer does not have; the exit code that this means.
fn note_unheard(unheard: &[wire::UnheardCluster]) -> Code {
    for cluster in unheard {
        let since = cluster
            .since_unix_nanos
            .map_or_else(|| "ever".to_owned(), |since| format!("since {}", date_time(since)));
        tell!(
            "partial: cluster {}/{} was not heard {since}",
            one_line(&cluster.site),
            one_line(&cluster.cluster)
        );
    }
    if unheard.is_empty() { Code::Fine } else { Code::Partial }
}

fn unheard_document(unheard: &[wire::UnheardCluster]) -> Vec<Value> {
    let clusters = unheard.iter().map(
        |cluster| json!({"site": cluster.site, "cluster": cluster.cluster, "since_unix_ns": cluster.since_unix_nanos}),
    );
    clusters.collect()
}

fn latency(connection: &Connection, output: Output) -> Result<Code> {
    let (context, meant) = connection.resolve_for_fleet()?;
    let answer = block_on(async { Client::connect(&context).await?.fleet_latency(selection(meant)).await })?;
    match output {
        Output::Json => {
            let rows = answer.latency.iter().map(|row| {
                let of = row.percentiles.unwrap_or_default();
                json!({
                    "tap": row.tap, "op": row.op, "count": of.count, "p50_ns": of.p50_nanos, "p95_ns": of.p95_nanos,
                    "p99_ns": of.p99_nanos, "max_ns": of.max_nanos,
                })
            });
            json::print(json!({
                "latency": rows.collect::<Vec<_>>(), "clusters": answer.clusters, "unheard": unheard_document(&answer.unheard),
                "from_unix_ns": answer.from_unix_nanos, "to_unix_ns": answer.to_unix_nanos,
            }))?;
        }
        Output::Table => {
            let mut grid = Grid::new(&["tap", "op", ">count", ">p50", ">p95", ">p99", ">max"]);
            for row in &answer.latency {
                let of = row.percentiles.unwrap_or_default();
                grid.row([
                    row.tap.clone(),
                    row.op.clone(),
                    count(of.count),
                    maybe_nanos(of.p50_nanos),
                    maybe_nanos(of.p95_nanos),
                    maybe_nanos(of.p99_nanos),
                    maybe_nanos(of.max_nanos),
                ]);
            }
            print(&grid.lines(""))?;
        }
    }
    if let (Some(from), Some(to)) = (answer.from_unix_nanos, answer.to_unix_nanos) {
        tell!(
            "of {} clusters, from {} to {}",
            answer.clusters,
            date_time(from),
            date_time(to)
        );
    }
    Ok(note_unheard(&answer.unheard))
}

fn cohorts(connection: &Connection, output: Output) -> Result<Code> {
    let (context, meant) = connection.resolve_for_fleet()?;
    let answer = block_on(async { Client::connect(&context).await?.cohorts(selection(meant)).await })?;
    let cohorts: Vec<Cohort> = answer
        .cohorts
        .into_iter()
        .map(cohort_from_wire)
        .collect::<Result<_, _>>()?;
    match output {
        Output::Json => json::print(json!({
            "cohorts": to_value(&cohorts), "more": answer.more, "compared": answer.compared, "clusters": answer.clusters,
            "unheard": unheard_document(&answer.unheard),
        }))?,
        Output::Table => print(&cohort_table(&cohorts))?,
    }
    if answer.more > 0 {
        tell!("{} cohorts more", count(answer.more));
    }
    Ok(note_unheard(&answer.unheard))
}

fn cohort_table(cohorts: &[Cohort]) -> String {
    if cohorts.is_empty() {
        return "no cohorts: no cluster has told what runs on its devices\n".to_owned();
    }
    let mut grid = Grid::new(&[
        "of",
        "what",
        "runs",
        ">clusters",
        ">devices",
        ">write p50",
        ">write p99",
        ">errors",
        "against its like",
    ]);
    for cohort in cohorts {
        let worse: Vec<&str> = cohort
            .verdicts
            .iter()
            .filter(|verdict| verdict.significant)
            .map(|verdict| verdict.text.as_str())
            .collect();
        let said = match (worse.is_empty(), cohort.verdicts.is_empty()) {
            (false, _) => worse.join("; "),
            (true, false) => "no worse than by chance".to_owned(),
            (true, true) => "nothing to compare it with".to_owned(),
        };
        grid.row([
            cohort.key.axis.to_string(),
            cohort.key.subject.clone(),
            cohort.key.variant.clone(),
            count(cohort.clusters),
            count(cohort.devices),
            cohort.writes.p50_ns.map_or_else(|| "-".to_owned(), show_nanos),
            cohort.writes.p99_ns.map_or_else(|| "-".to_owned(), show_nanos),
            count(cohort.io_errors),
            said,
        ]);
    }
    grid.lines("")
}
