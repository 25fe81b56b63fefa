//! `fathom baselines`: what is usual at each place, and whether that has changed.

use fathom_proto::query::v1 as wire;
use serde_json::json;

use crate::args::{BaselinesArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::{note, print, unseen};
use crate::error::Result;
use crate::exit::Code;
use crate::render::{json, usual};

pub(crate) fn run(arguments: &BaselinesArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let asked = wire::ListBaselinesRequest {
        volume: arguments.volume.clone().unwrap_or_default(),
        node: arguments.node.clone().unwrap_or_default(),
        disk: arguments.disk.clone().unwrap_or_default(),
        changed: arguments.changed,
        ..wire::ListBaselinesRequest::default()
    };
    let (cluster, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        let answer = client.baselines(asked).await?;
        Ok((client.cluster().await?, answer))
    })?;
    match output {
        Output::Json => json::print(json!({
            "cluster": cluster,
            "baselines": answer.baselines.iter().map(usual::value).collect::<Vec<_>>(),
            "unseen": unseen(answer.coverage.as_ref()),
        }))?,
        Output::Table => {
            let is_narrow =
                arguments.places || arguments.changed || arguments.node.is_some() || arguments.disk.is_some();
            print(&usual::table(&answer.baselines, is_narrow))?;
        }
    }
    Ok(note(answer.coverage.as_ref()))
}
