//! `fathom fleet latency`: how long operations took over clusters together.

use serde_json::json;

use super::super::clusters::{is_narrow, selection};
use super::super::selected::Absent;
use super::{note_partial, note_unheard, partial_document, unheard_document};
use crate::args::Output;
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::context::Connection;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::Grid;
use crate::render::units::{count, date_time, maybe_nanos};
use crate::scope::tell;

pub(super) fn run(connection: &Connection, output: Output) -> Result<Code> {
    let (context, meant) = connection.resolve_for_fleet()?;
    let selection = selection(meant);
    let is_narrow = is_narrow(&selection);
    let (answer, absent) = block_on(async {
        let client = Client::connect(&context).await?;
        let answer = client.fleet_latency(selection.clone()).await?;
        if is_narrow && answer.clusters == 0 && answer.unheard.is_empty() {
            return Err(Error::NoneMeant);
        }
        let absent = Absent::of(&client, &selection, None).await?;
        Ok((answer, absent))
    })?;
    match output {
        Output::Json => {
            let rows = answer.latency.iter().map(|row| {
                let of = row.percentiles.unwrap_or_default();
                json!({
                    "tap": row.tap, "op": row.op, "count": of.count, "p50_ns": of.p50_nanos, "p95_ns": of.p95_nanos,
                    "p99_ns": of.p99_nanos, "max_ns": of.max_nanos,
                })
            });
            json::print(json!({
                "latency": rows.collect::<Vec<_>>(), "clusters": answer.clusters, "unheard": unheard_document(&answer.unheard),
                "partial": partial_document(&answer.partial), "unknown": absent.unknown(),
                "from_unix_ns": answer.from_unix_nanos, "to_unix_ns": answer.to_unix_nanos,
            }))?;
        }
        Output::Table => {
            let mut grid = Grid::new(&["tap", "op", ">count", ">p50", ">p95", ">p99", ">max"]);
            for row in &answer.latency {
                let of = row.percentiles.unwrap_or_default();
                grid.row([
                    row.tap.clone(),
                    row.op.clone(),
                    count(of.count),
                    maybe_nanos(of.p50_nanos),
                    maybe_nanos(of.p95_nanos),
                    maybe_nanos(of.p99_nanos),
                    maybe_nanos(of.max_nanos),
                ]);
            }
            print(&grid.lines(""))?;
        }
    }
    if let (Some(from), Some(to)) = (answer.from_unix_nanos, answer.to_unix_nanos) {
        tell!(
            "of {}, from {} to {}",
            if answer.clusters == 1 {
                "1 cluster".to_owned()
            } else {
                format!("{} clusters", count(answer.clusters))
            },
            date_time(from),
            date_time(to)
        );
    }
    let (unheard, partial) = (note_unheard(&answer.unheard), note_partial(&answer.partial));
    Ok(unheard.or(partial).or(absent.note()))
}
