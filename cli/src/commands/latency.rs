//! `fathom latency`.

use fathom_model::report::Latency;
use serde_json::json;

use crate::args::{LatencyArgs, Output};
use crate::client::{Client, block_on, filter};
use crate::commands::{note, print, source, tell_source, unseen, unseen_only_nodes};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::report;

pub(crate) fn run(arguments: &LatencyArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let by = arguments.by.as_str();
    let (cluster, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        let which = filter(&arguments.which, Some(arguments.op));
        let answer = client.latency(which, by, arguments.source.word()).await?;
        Ok((client.cluster().await?, answer))
    })?;
    let rows: Vec<Latency> = answer.latency.iter().map(Into::into).collect();
    match output {
        Output::Json => {
            let coverage = answer.coverage.clone().unwrap_or_default();
            let seen = answer.coverage.as_ref();
            json::print(json!({
                "cluster": cluster, "op": arguments.op.as_str(), "by": by, "latency": to_value(&rows), "unseen": unseen(seen),
                "unseen_nodes": unseen_only_nodes(seen), "newest_unix_ns": coverage.newest_unix_nanos,
                "from_unix_ns": coverage.from_unix_nanos, "source": source(answer.source.as_ref()),
            }))?;
        }
        Output::Table => {
            print(&report::latency(&rows))?;
            tell_source(answer.source.as_ref());
        }
    }
    Ok(note(answer.coverage.as_ref()))
}
