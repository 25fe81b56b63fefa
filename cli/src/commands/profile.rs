//! `fathom profile`.

use serde_json::json;

use crate::args::{Output, ProfileArgs};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::error::Result;
use crate::exit::Code;
use crate::render::json;
use crate::render::table::Grid;

pub(crate) fn run(arguments: &ProfileArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let profile = arguments.profile.clone().unwrap_or_default();
    let lasts = arguments
        .lasts
        .map_or(0, |lasts| u64::try_from(lasts.0.as_nanos()).unwrap_or(u64::MAX));
    let told = block_on(async {
        let client = Client::connect(&context).await?;
        let request_id = arguments.request_id.clone().unwrap_or_default();
        client.set_profile(&arguments.node, &profile, lasts, request_id).await
    })?;
    let all_told = told.nodes.iter().all(|node| node.told);
    match output {
        Output::Json => {
            let nodes: Vec<_> = told
                .nodes
                .iter()
                .map(|node| json!({"node": node.node, "told": node.told}))
                .collect();
            let profile = (!profile.is_empty()).then_some(profile);
            json::print(json!({"cluster": told.cluster, "profile": profile, "for_ns": lasts, "nodes": nodes}))?;
        }
        Output::Table => {
            let mut grid = Grid::new(&["node", "told"]);
            for node in &told.nodes {
                let said = if node.told { "yes" } else { "when it connects" };
                grid.row([node.node.clone(), said.to_owned()]);
            }
            print(&grid.lines(""))?;
        }
    }
    Ok(if all_told { Code::Fine } else { Code::Partial })
}
