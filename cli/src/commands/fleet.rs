//! `fathom fleet`: all clusters together, what changed, how long operations took over all of them, and what is worse than its like.

use fathom_model::fleet::{Change, Entry, Level};
use fathom_model::health::State;
use fathom_proto::convert::rollup::answers::{change_from_wire, entry_from_wire};
use fathom_proto::fleet::v1 as wire;
use serde_json::{Value, json};

use super::clusters::{is_narrow, note_withdrawn, selection};
use super::selected::Absent;
use crate::args::{FleetAction, FleetArgs, LatencyOfFleetArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::context::Connection;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::table::{Grid, one_line};
use crate::render::units::{count, date_time};
use crate::scope::{self, tell};

mod cohorts;
mod latency;
mod selections;
mod table;
mod watch;

/// Clusters that are named one by one as not seen whole; of more only how many.
const NAMED: usize = 20;

pub(crate) fn run(arguments: &FleetArgs, output: Output) -> Result<Code> {
    let connection = match &arguments.action {
        // It goes on until somebody ends it.
        None if arguments.watch => return watch::run(arguments, output),
        None => &arguments.connection,
        Some(
            FleetAction::Sites { connection }
            | FleetAction::Latency(LatencyOfFleetArgs { connection, .. })
            | FleetAction::Cohorts { connection }
            | FleetAction::Selections { connection }
            | FleetAction::Save { connection, .. }
            | FleetAction::Unsave { connection, .. }
            | FleetAction::Forget { connection, .. },
        ) => connection,
    };
    scope::within(connection.deadline(), || ask(arguments, output))
}

fn ask(arguments: &FleetArgs, output: Output) -> Result<Code> {
    match &arguments.action {
        None => health(arguments, output),
        Some(FleetAction::Sites { connection }) => sites(connection, output),
        Some(FleetAction::Latency(arguments)) => latency::run(arguments, output),
        Some(FleetAction::Cohorts { connection }) => cohorts::run(connection, output),
        Some(FleetAction::Selections { connection }) => selections::list(connection, output),
        Some(FleetAction::Save {
            name,
            request_id,
            connection,
        }) => selections::save(name, request_id.as_deref(), connection),
        Some(FleetAction::Unsave {
            name,
            request_id,
            connection,
        }) => selections::delete(name, request_id.as_deref(), connection),
        Some(FleetAction::Forget { site, connection }) => {
            let (context, _) = connection.resolve_for_fleet()?;
            block_on(async { Client::connect(&context).await?.forget_site(site).await })?;
            Ok(Code::Fine)
        }
    }
}

fn health(arguments: &FleetArgs, output: Output) -> Result<Code> {
    let (context, meant) = arguments.connection.resolve_for_fleet()?;
    let selection = selection(meant);
    let is_narrow = is_narrow(&selection);
    let request = wire::GetFleetHealthRequest {
        selection: Some(selection),
        clusters: true,
        changes_nanos: arguments
            .changes
            .map_or(0, |span| u64::try_from(span.0.as_nanos()).unwrap_or(u64::MAX)),
        ..wire::GetFleetHealthRequest::default()
    };
    let (mut answer, absent) = block_on(async {
        let client = Client::connect(&context).await?;
        let mut answer = client.fleet_health(request).await?;
        if is_narrow
            && !answer
                .entries
                .iter()
                .any(|entry| entry.level == Level::Cluster.as_str())
        {
            return Err(Error::NoneMeant);
        }
        let absent = Absent::of(answer.gaps.take());
        Ok((answer, absent))
    })?;
    let entries: Vec<Entry> = std::mem::take(&mut answer.entries)
        .into_iter()
        .map(entry_from_wire)
        .collect::<Result<_, _>>()?;
    let changes: Vec<Change> = std::mem::take(&mut answer.changes)
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
                "withdrawn": unheard_document(&answer.withdrawn), "unknown": absent.unknown(),
                "damaged_unix_ns": answer.damaged_unix_nanos,
            }))?;
        }
        Output::Table => print(&table::health(&entries, &changes))?,
    }
    if let Some(from) = answer.changes_from_unix_nanos.filter(|_| arguments.changes.is_some()) {
        tell!(
            "changes from before {} may be missing: those since then are all there",
            date_time(from)
        );
    }
    for cluster in &answer.withdrawn {
        note_withdrawn(&cluster.site, &cluster.cluster, cluster.since_unix_nanos);
    }
    let withdrawn = if answer.withdrawn.is_empty() {
        Code::Fine
    } else {
        Code::Partial
    };
    let partial = note_missing(&answer.missing)
        .or(withdrawn)
        .or(note_damaged(answer.damaged_unix_nanos))
        .or(absent.note());
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
        let clusters = match site.clusters {
            1 => "1 cluster".to_owned(),
            many => format!("{} clusters", count(many.into())),
        };
        tell!(
            "partial: site {} has been missing since {since}, and with it {clusters}",
            one_line(&site.site)
        );
    }
    if missing.is_empty() { Code::Fine } else { Code::Partial }
}

fn sites(connection: &Connection, output: Output) -> Result<Code> {
    let (context, meant) = connection.resolve_for_fleet()?;
    let selection = selection(meant);
    let is_narrow = is_narrow(&selection);
    let (sites, absent, damaged) = block_on(async {
        let client = Client::connect(&context).await?;
        let listed = client.sites(selection).await?;
        if is_narrow && listed.items.is_empty() {
            return Err(Error::NoneMeant);
        }
        Ok((listed.items, Absent::of(listed.gaps), listed.damaged_unix_nanos))
    })?;
    match output {
        Output::Json => json::print(json!({
            "sites": sites.iter().map(site_document).collect::<Vec<_>>(), "unknown": absent.unknown(),
            "damaged_unix_ns": damaged,
        }))?,
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
    for site in &sites {
        if let Some(at) = site.refused_twin_unix_nanos {
            tell!(
                "site {}: another coordinator goes by its name and was refused, last at {}: give one of the two another name",
                one_line(&site.site),
                date_time(at)
            );
        }
    }
    let missing: Vec<_> = sites
        .into_iter()
        .filter(|site| site.missing_since_unix_nanos.is_some())
        .collect();
    Ok(note_missing(&missing).or(note_damaged(damaged)).or(absent.note()))
}

/// Says that sites may be missing of which nobody knows; the exit code that this means.
fn note_damaged(written: Option<i64>) -> Code {
    let Some(written) = written else { return Code::Fine };
    tell!(
        "partial: what the fleet coordinator kept of its sites until {} was damaged: a site that has been missing since is not known (see fleet/sites.damaged in its store, and remove that once all sites are here)",
        date_time(written)
    );
    Code::Partial
}

fn site_document(site: &wire::SiteStatus) -> Value {
    let policy = site.policy.as_ref().map(|policy| {
        json!({
            "allows": policy.allows, "max_rows": policy.max_rows, "max_answer_bytes": policy.max_answer_bytes,
            "max_time_ns": policy.max_time_nanos, "max_queries": policy.max_queries, "max_watches": policy.max_watches,
        })
    });
    json!({
        "site": site.site, "reach": site.reach, "heard_unix_ns": site.heard_unix_nanos,
        "missing_since_unix_ns": site.missing_since_unix_nanos, "labels": site.labels, "version": site.version,
        "clusters": site.clusters, "policy": policy, "refused_twin_unix_ns": site.refused_twin_unix_nanos,
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

/// Says which clusters an answer has not whole; the exit code that this means.
fn note_partial(partial: &[wire::PartialCluster]) -> Code {
    for cluster in partial.iter().take(NAMED) {
        let name = format!("{}/{}", one_line(&cluster.site), one_line(&cluster.cluster));
        match cluster.unknown_nodes {
            0 => {}
            1 => tell!("partial: of cluster {name} 1 node is not heard"),
            nodes => tell!("partial: of cluster {name} {} nodes are not heard", count(nodes)),
        }
        if let Some(from) = cluster.counted_from_unix_nanos {
            tell!(
                "partial: cluster {name} is counted from {} only, when its coordinator was started anew",
                date_time(from)
            );
        }
    }
    let more = partial.len().saturating_sub(NAMED);
    if more > 0 {
        tell!(
            "partial: {} clusters more were not seen whole; -o json names them",
            count(more as u64)
        );
    }
    if partial.is_empty() { Code::Fine } else { Code::Partial }
}

fn partial_document(partial: &[wire::PartialCluster]) -> Vec<Value> {
    let clusters = partial.iter().map(|cluster| {
        json!({
            "site": cluster.site, "cluster": cluster.cluster, "unknown_nodes": cluster.unknown_nodes,
            "counted_from_unix_ns": cluster.counted_from_unix_nanos,
        })
    });
    clusters.collect()
}
