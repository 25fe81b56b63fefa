//! `fathom write ID`: one I/O as a waterfall of its legs.

use fathom_proto::convert::query::io_from_wire;
use serde_json::json;

use crate::args::{Output, WriteArgs};
use crate::client::{Client, block_on};
use crate::commands::{note, print, unseen};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::waterfall;

pub(crate) fn run(arguments: &WriteArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (cluster, (io, coverage)) = block_on(async {
        let client = Client::connect(&context).await?;
        Ok((client.cluster().await?, client.io(&arguments.id).await?))
    })?;
    let io = io_from_wire(&io);
    match output {
        Output::Json => {
            json::print(json!({"cluster": cluster, "io": to_value(&io), "unseen": unseen(coverage.as_ref())}))?
        }
        Output::Table => print(&waterfall::show(&io))?,
    }
    Ok(note(coverage.as_ref()))
}
