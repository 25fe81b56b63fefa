//! `fathom nodes`.

use fathom_model::report::Clock;
use serde_json::json;

use crate::args::{ClusterArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::state::{Beside, NODES};
use crate::commands::{note, print, unseen};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::table::Grid;
use crate::render::units::{count, date_time, signed_nanos};

pub(crate) fn run(arguments: &ClusterArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (cluster, (nodes, coverage), beside) = block_on(async {
        let client = Client::connect(&context).await?;
        let beside = Beside::ask(&client, &[&NODES]).await?;
        Ok((client.cluster().await?, client.nodes().await?, beside))
    })?;
    match output {
        Output::Json => {
            let nodes: Vec<_> = nodes
                .iter()
                .map(|node| {
                    let clocks: Vec<_> = node.clocks.iter().map(|clock| to_value(&Clock::from(clock))).collect();
                    json!({
                        "node": node.node, "state": node.state, "taps": node.taps, "events": node.events, "lost": node.lost,
                        "heard_unix_ns": node.heard_unix_nanos, "position": node.position, "clocks": clocks,
                    })
                })
                .collect();
            let mut document = json!({"cluster": cluster, "nodes": nodes});
            beside.add(&mut document);
            document["unseen"] = unseen(coverage.as_ref());
            json::print(document)?;
        }
        Output::Table => {
            let mut grid = Grid::new(&["node", "state", "taps", ">events", ">lost", "heard until", "clock"]);
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
                    node.taps.join(" "),
                    count(node.events),
                    count(node.lost),
                    node.heard_unix_nanos.map_or_else(|| "-".to_owned(), date_time),
                    clock.unwrap_or_else(|| "-".to_owned()),
                ]);
            }
            print(&grid.lines(""))?;
            print(&beside.lines())?;
        }
    }
    Ok(note(coverage.as_ref()))
}
