//! `fathom clusters`: the clusters of a fleet.

use fathom_proto::fleet::v1 as wire;
use serde_json::{Value, json};

use super::selected::Absent;
use crate::args::{ClustersArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::context::Meant;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::{Grid, one_line};
use crate::render::units::date_time;
use crate::scope::{self, tell};

/// How clusters are named that cannot be asked: their site is missing, or does not serve them any more.
pub(super) const MISSING: &str = "missing";
const WITHDRAWN: &str = "withdrawn";

/// Whether a cluster can be asked.
pub(super) fn is_here(cluster: &wire::ClusterStatus) -> bool {
    cluster.reach != MISSING && cluster.reach != WITHDRAWN
}

pub(crate) fn run(arguments: &ClustersArgs, output: Output) -> Result<Code> {
    scope::within(arguments.connection.deadline(), || list(arguments, output))
}

fn list(arguments: &ClustersArgs, output: Output) -> Result<Code> {
    let (context, meant) = arguments.connection.resolve_for_fleet()?;
    let selection = selection(meant);
    let is_narrow = is_narrow(&selection);
    let (clusters, absent) = block_on(async {
        let client = Client::connect(&context).await?;
        let listed = client.clusters(selection).await?;
        if listed.items.is_empty() && is_narrow {
            return Err(Error::NoneMeant);
        }
        Ok((listed.items, Absent::of(listed.gaps)))
    })?;
    match output {
        Output::Json => json::print(json!({
            "clusters": clusters.iter().map(document).collect::<Vec<_>>(), "unknown": absent.unknown(),
        }))?,
        Output::Table => print(&table(&clusters))?,
    }
    let missing = note_missing(&clusters);
    Ok(missing.or(absent.note()))
}

/// The clusters that are meant, for a fleet to find.
pub(super) fn selection(meant: Meant) -> wire::Selection {
    match meant {
        Meant::Several(selection) => selection,
        Meant::One(name) if name.is_empty() => wire::Selection::default(),
        Meant::One(name) => wire::Selection {
            terms: vec![name],
            ..wire::Selection::default()
        },
    }
}

/// Whether not all clusters are meant: then one at least has to be there.
pub(super) fn is_narrow(selection: &wire::Selection) -> bool {
    *selection != wire::Selection::default()
}

/// Says which sites are missing, with their clusters; the exit code that this means.
pub(super) fn note_missing(clusters: &[wire::ClusterStatus]) -> Code {
    let mut code = Code::Fine;
    for of_site in clusters.chunk_by(|a, b| a.site == b.site) {
        let Some(first) = of_site.first().filter(|first| first.reach == MISSING) else {
            continue;
        };
        let names: Vec<&str> = of_site.iter().map(|cluster| cluster.cluster.as_str()).collect();
        let since = first.missing_since_unix_nanos.map_or_else(|| "?".to_owned(), date_time);
        tell!(
            "partial: site {} has been missing since {since}, and with it {}",
            one_line(&first.site),
            one_line(&names.join(", "))
        );
        code = Code::Partial;
    }
    for cluster in clusters.iter().filter(|cluster| cluster.reach == WITHDRAWN) {
        note_withdrawn(&cluster.site, &cluster.cluster, cluster.missing_since_unix_nanos);
        code = Code::Partial;
    }
    code
}

/// Says that a site does not serve a cluster any more.
pub(super) fn note_withdrawn(site: &str, cluster: &str, since: Option<i64>) {
    let since = since.map_or_else(|| "?".to_owned(), date_time);
    let (site, cluster) = (one_line(site), one_line(cluster));
    tell!(
        "partial: site {site} has not served cluster {cluster} since {since}: did it lose its store? if the cluster is no more: fathom fleet forget {site}/{cluster}"
    );
}

fn document(cluster: &wire::ClusterStatus) -> Value {
    json!({
        "site": cluster.site, "cluster": cluster.cluster, "address": cluster.address, "labels": cluster.labels,
        "reach": cluster.reach, "state": cluster.state, "reason": cluster.reason, "heard_unix_ns": cluster.heard_unix_nanos, "missing_since_unix_ns": cluster.missing_since_unix_nanos,
        "open_findings": cluster.open_findings, "findings_sequence": cluster.findings_sequence,
    })
}

fn table(clusters: &[wire::ClusterStatus]) -> String {
    if clusters.is_empty() {
        return "no clusters: no daemon has connected yet, and no site has joined\n".to_owned();
    }
    let mut grid = Grid::new(&[
        "site",
        "cluster",
        "reach",
        "state",
        ">open findings",
        "heard",
        "labels",
        "why",
    ]);
    for cluster in clusters {
        let labels = cluster.labels.iter().map(|(key, value)| format!("{key}={value}"));
        grid.row([
            cluster.site.clone(),
            cluster.cluster.clone(),
            cluster.reach.clone(),
            cluster.state.clone(),
            cluster
                .open_findings
                .map_or_else(|| "?".to_owned(), |open| open.to_string()),
            date_time(cluster.heard_unix_nanos),
            labels.collect::<Vec<_>>().join(" "),
            cluster.reason.clone(),
        ]);
    }
    grid.lines("")
}
