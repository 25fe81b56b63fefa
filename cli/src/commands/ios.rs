//! `fathom writes`, `fathom reads` and `fathom flushes`.

use fathom_model::Op;
use fathom_model::report::IoDetail;
use fathom_model::unit::show_nanos;
use fathom_proto::convert::query::io_from_wire;
use fathom_proto::query::v1::IoOrder;
use serde_json::json;

use crate::args::{ListArgs, Output};
use crate::client::{Client, block_on, filter};
use crate::commands::{note, print, unseen, unseen_only_nodes};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::report::plural;
use crate::render::table::Grid;
use crate::render::units::{bytes, count, maybe_nanos, time_of_day};
use crate::scope::tell;

/// How many when nobody says.
const SHOWN: u32 = 20;

pub(crate) fn run(arguments: &ListArgs, op: Op, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (order, most) = match arguments.slowest {
        Some(most) => (IoOrder::Slowest, most),
        None => (IoOrder::Newest, arguments.limit.unwrap_or(SHOWN)),
    };
    let (cluster, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        Ok((
            client.cluster().await?,
            client.ios(filter(&arguments.which, Some(op)), order, most).await?,
        ))
    })?;
    let ios: Vec<IoDetail> = answer.ios.iter().map(io_from_wire).collect();
    match output {
        Output::Json => {
            let seen = answer.coverage.as_ref();
            let coverage = answer.coverage.clone().unwrap_or_default();
            json::print(json!({
                "cluster": cluster, "op": op.as_str(), "total": answer.total, "ios": to_value(&ios),
                "unseen": unseen(seen), "unseen_nodes": unseen_only_nodes(seen), "newest_unix_ns": coverage.newest_unix_nanos,
                "from_unix_ns": coverage.from_unix_nanos,
            }))?;
        }
        Output::Table if ios.is_empty() => {
            let plural = if op == Op::Flush { "es" } else { "s" };
            print(&format!("no {op}{plural}\n"))?;
        }
        Output::Table => {
            let mut grid = Grid::new(&[
                "id",
                "at",
                "volume",
                ">bytes",
                ">took",
                "class",
                "waited for",
                ">after the others",
                "legs",
            ]);
            for io in &ios {
                grid.row([
                    io.id.clone(),
                    time_of_day(io.start_unix_ns),
                    io.volume.clone(),
                    bytes(io.length),
                    show_nanos(io.duration_ns),
                    io.class.clone(),
                    waited_for(io),
                    maybe_nanos(io.slowest.as_ref().and_then(|slowest| slowest.lead_ns)),
                    legs(io),
                ]);
            }
            print(&grid.lines(""))?;
            if answer.total > ios.len() as u64 {
                tell!("{} of {} {} shown", ios.len(), count(answer.total), plural(op.as_str()));
            }
        }
    }
    Ok(note(answer.coverage.as_ref()))
}

fn waited_for(io: &IoDetail) -> String {
    match &io.slowest {
        Some(slowest) => format!("{}/{}", slowest.node, slowest.disk),
        None => "?".to_owned(),
    }
}

/// Where its copies are; a read's copy is local or remote.
fn legs(io: &IoDetail) -> String {
    if io.op == "read" {
        let place = |leg: &fathom_model::report::LegDetail| {
            format!(
                "{}/{} {}",
                leg.node,
                leg.disk,
                if leg.local { "local" } else { "remote" }
            )
        };
        return io.legs.iter().map(place).collect::<Vec<_>>().join(" ");
    }
    io.legs
        .iter()
        .map(|leg| leg.node.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}
