//! `fathom write ID`: one I/O as a waterfall of its legs.

use fathom_proto::convert::durable::{covered_by_from_wire, covered_from_wire};
use fathom_proto::convert::query::io_from_wire;
use serde_json::json;

use crate::args::{Output, WriteArgs};
use crate::client::{Client, block_on};
use crate::commands::{note, print, unseen};
use crate::context::Connection;
use crate::error::Result;
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::waterfall;

pub(crate) fn run(arguments: &WriteArgs, output: Output) -> Result<Code> {
    one(&arguments.id, &arguments.connection, output)
}

/// One I/O by its name.
pub(crate) fn one(id: &str, connection: &Connection, output: Output) -> Result<Code> {
    let context = connection.resolve()?;
    let (cluster, (io, answer)) = block_on(async {
        let client = Client::connect(&context).await?;
        Ok((client.cluster().await?, client.io(id).await?))
    })?;
    let io = io_from_wire(&io);
    let covers = answer.covers.as_ref().map(covered_from_wire);
    let covered_by = answer.covered_by.as_ref().map(covered_by_from_wire);
    match output {
        Output::Json => json::print(json!({
            "cluster": cluster,
            "io": to_value(&io),
            "covers": to_value(&covers),
            "covered_by": to_value(&covered_by),
            "unseen": unseen(answer.coverage.as_ref()),
        }))?,
        Output::Table => {
            let durable = waterfall::durable(&io, covers.as_ref(), covered_by.as_ref());
            print(&format!("{}{durable}", waterfall::show(&io)))?;
        }
    }
    Ok(note(answer.coverage.as_ref()))
}
