//! `fathom history`: what was said of a resource, and when it changed.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::state::{Key, Observation};
use serde_json::json;

use super::{document, note};
use crate::args::{HistoryArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json::to_value;
use crate::render::table::{Grid, one_line};
use crate::render::units::date_time;
use crate::scope::tell;

pub(crate) fn run(arguments: &HistoryArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (cluster, (rows, coverage)) = block_on(async {
        let client = Client::connect(&context).await?;
        let kind = arguments.kind.clone().unwrap_or_default();
        let answer = client.history(&arguments.resource, &kind, arguments.at).await?;
        Ok((client.cluster().await?, answer))
    })?;
    let rows: Vec<Observation> = rows
        .iter()
        .map(|row| Observation::try_from(row).map_err(Error::Malformed))
        .collect::<Result<_>>()?;
    if rows.is_empty() {
        let hint = match arguments.kind.as_deref() {
            None => "an id, a name or a serial number; extents by their id with --kind extent",
            Some("extent") => "the id of an extent, as `fathom extents VOLUME -o json` shows it",
            Some(_) => "an id, a name or a serial number",
        };
        tell!("nothing was said of `{}`; give {hint}", one_line(&arguments.resource));
    }
    match output {
        Output::Json => {
            let rows = rows.iter().map(|row| {
                json!({
                    "kind": row.kind.as_str(), "id": row.id, "node": row.node.as_str(), "present": row.present,
                    "observed_unix_ns": row.observed_unix_nanos,
                    "attributes": to_value(&row.attributes), "unavailable": to_value(&row.unavailable),
                })
            });
            document(&cluster, "history", rows.collect(), coverage.as_ref())?;
        }
        Output::Table => {
            let mut grid = Grid::new(&["time", "node", "kind", "resource", "change"]);
            let mut before: BTreeMap<Key, &Observation> = BTreeMap::new();
            for row in &rows {
                let last = before.get(&row.key()).copied();
                let name = row.text("name").or_else(|| last?.text("name"));
                let name = name.unwrap_or(&row.id).to_owned();
                let change = match before.insert(row.key(), row) {
                    _ if !row.present => "gone".to_owned(),
                    Some(last) if last.present => changes(last, row),
                    _ => "first seen".to_owned(),
                };
                grid.row([
                    date_time(row.observed_unix_nanos),
                    row.node.to_string(),
                    row.kind.to_string(),
                    name,
                    change,
                ]);
            }
            print(&grid.lines(""))?;
        }
    }
    Ok(note(coverage.as_ref()))
}

/// What differs between two readings, in words.
fn changes(before: &Observation, after: &Observation) -> String {
    let names: BTreeSet<&String> = before
        .attributes
        .keys()
        .chain(after.attributes.keys())
        .chain(before.unavailable.keys())
        .chain(after.unavailable.keys())
        .collect();
    let said = |row: &Observation, name: &str| match (row.get(name), row.unavailable.get(name)) {
        (Some(value), _) => value.to_string(),
        // Nodes of before it was said left it out.
        (None, Some(why)) if why == "not given" => "unknown".to_owned(),
        (None, Some(why)) => format!("unknown ({why})"),
        (None, None) => "unknown".to_owned(),
    };
    let changed = names.into_iter().filter_map(|name| {
        let (from, to) = (said(before, name), said(after, name));
        (from != to).then(|| format!("{name}: {from} -> {to}"))
    });
    changed.collect::<Vec<_>>().join("; ")
}
