//! `fathom nodes`.

use fathom_model::report::Clock;
use fathom_proto::query::v1 as wire;
use serde_json::json;

use crate::args::{Output, StateArgs};
use crate::client::{Client, block_on};
use crate::commands::state::{Beside, HEALTH_FAULTS, NODES, both, has};
use crate::commands::{note, print, unseen};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::table::{Grid, one_line};
use crate::render::units::{count, date_time, signed_nanos};
use crate::scope::tell;

/// What of a past moment is not known of nodes.
const OF_NOW: &str =
    "what daemons give, lose and do, and what the clocks are, is known of now alone: left out of a past moment";

pub(crate) fn run(arguments: &StateArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (cluster, now, beside) = block_on(async {
        let client = Client::connect(&context).await?;
        let beside = Beside::ask(&client, &[&NODES, &HEALTH_FAULTS], arguments).await?;
        let now = match arguments.at {
            None => Some(client.nodes().await?),
            Some(_) => None,
        };
        Ok((client.cluster().await?, now, beside))
    })?;
    let is_past = now.is_none();
    let (all, coverage) = now.unwrap_or_default();
    let names: Vec<String> = all.iter().map(|node| node.node.clone()).collect();
    let is_wanted = |node: &&wire::NodeStatus| {
        let by_node = arguments.node.as_ref();
        by_node.is_none_or(|name| name.eq_ignore_ascii_case(&node.node)) && has(arguments.name.as_ref(), &node.node)
    };
    let nodes: Vec<&wire::NodeStatus> = all.iter().filter(is_wanted).collect();
    match output {
        Output::Json => {
            let rows: Vec<_> = nodes
                .iter()
                .map(|node| {
                    let clocks: Vec<_> = node.clocks.iter().map(|clock| to_value(&Clock::from(clock))).collect();
                    json!({
                        "node": node.node, "state": node.state, "taps": node.taps, "events": node.events, "lost": node.lost,
                        "heard_unix_ns": node.heard_unix_nanos, "position": node.position, "clocks": clocks,
                        "daemon": node.daemon.as_ref().map(daemon),
                    })
                })
                .collect();
            let mut unseen = unseen(coverage.as_ref());
            let rows = match is_past {
                true => {
                    unseen["warnings"] = json!([OF_NOW]);
                    serde_json::Value::Null
                }
                false => rows.into(),
            };
            let mut document = json!({"cluster": cluster, "nodes": rows});
            beside.add(&mut document, unseen);
            json::print(document)?;
        }
        Output::Table if is_past => {
            print(&beside.lines())?;
            tell!("{OF_NOW}");
        }
        Output::Table => {
            let mut grid = Grid::new(&[
                "node",
                "state",
                "reads",
                "taps",
                ">events",
                ">lost",
                "heard until",
                "clock",
            ]);
            for node in &nodes {
                let clock = node.clocks.iter().find_map(|clock| {
                    let error = fathom_model::unit::show_nanos(clock.error_nanos?);
                    Some(format!(
                        "{} +-{error} against {}",
                        signed_nanos(clock.offset_nanos?),
                        clock.reference
                    ))
                });
                grid.row([
                    node.node.clone(),
                    node.state.clone(),
                    node.daemon.as_ref().map_or_else(|| "-".to_owned(), reads),
                    node.taps.join(" "),
                    count(node.events),
                    count(node.lost),
                    node.heard_unix_nanos.map_or_else(|| "-".to_owned(), date_time),
                    clock.unwrap_or_else(|| "-".to_owned()),
                ]);
            }
            print(&grid.lines(""))?;
            print(&beside.lines_under())?;
            for node in &nodes {
                for trouble in node.daemon.iter().flat_map(|daemon| &daemon.troubles) {
                    tell!("odd: node {}: {}", one_line(&node.node), one_line(trouble));
                }
            }
        }
    }
    let code = note(coverage.as_ref());
    Ok(both(code, beside.note(arguments, &names)))
}

/// What a daemon says of itself, as a document has it.
fn daemon(daemon: &wire::DaemonReport) -> serde_json::Value {
    json!({
        "profile": Some(&daemon.profile).filter(|profile| !profile.is_empty()), "ordered_for_ns": daemon.ordered_for_nanos,
        "processor_share": daemon.processor_share, "memory_bytes": daemon.memory_bytes, "events_read": daemon.events_read,
        "events_lost": daemon.events_lost, "events_shed": daemon.events_shed, "events_undecoded": daemon.events_undecoded,
        "spool_bytes": daemon.spool_bytes, "troubles": daemon.troubles,
    })
}

/// How much is read, and how much longer where that was ordered.
fn reads(daemon: &wire::DaemonReport) -> String {
    match (daemon.profile.as_str(), daemon.ordered_for_nanos) {
        ("", _) => "recording".to_owned(),
        (profile, Some(left)) => format!("{profile} for {} s", left / 1_000_000_000),
        (profile, None) => profile.to_owned(),
    }
}
