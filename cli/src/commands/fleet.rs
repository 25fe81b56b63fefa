//! `fathom fleet`: all clusters together.

use fathom_proto::fleet::v1 as wire;
use serde_json::{Value, json};

use super::clusters::MISSING;
use crate::args::{FleetAction, FleetArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::error::Result;
use crate::exit::Code;
use crate::render::json;
use crate::render::table::{Grid, one_line};
use crate::render::units::date_time;
use crate::scope::tell;

pub(crate) fn run(arguments: &FleetArgs, output: Output) -> Result<Code> {
    if let Some(FleetAction::Forget { site, connection }) = &arguments.action {
        let (context, _) = connection.resolve_for_fleet()?;
        block_on(async { Client::connect(&context).await?.forget_site(site).await })?;
        return Ok(Code::Fine);
    }
    let (context, _) = arguments.connection.resolve_for_fleet()?;
    let sites = block_on(async { Client::connect(&context).await?.sites().await })?;
    match output {
        Output::Json => json::print(json!({"sites": sites.iter().map(document).collect::<Vec<_>>()}))?,
        Output::Table => print(&table(&sites))?,
    }
    let missing = sites.iter().filter(|site| site.reach == MISSING);
    let mut code = Code::Fine;
    for site in missing {
        let since = site.missing_since_unix_nanos.map_or_else(|| "?".to_owned(), date_time);
        tell!("partial: site {} has been missing since {since}", one_line(&site.site));
        code = Code::Partial;
    }
    Ok(code)
}

fn document(site: &wire::SiteStatus) -> Value {
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

fn table(sites: &[wire::SiteStatus]) -> String {
    let mut grid = Grid::new(&["site", "reach", "heard", ">clusters", "allows", "version"]);
    for site in sites {
        let allows = site
            .policy
            .as_ref()
            .map_or_else(|| "-".to_owned(), |policy| policy.allows.join(" "));
        grid.row([
            site.site.clone(),
            site.reach.clone(),
            date_time(site.heard_unix_nanos),
            site.clusters.to_string(),
            allows,
            site.version.clone(),
        ]);
    }
    grid.lines("")
}
