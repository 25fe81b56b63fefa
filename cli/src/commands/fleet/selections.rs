//! `fathom fleet selections`, `save` and `unsave`: selections under names, for everybody who asks this coordinator.

use fathom_proto::fleet::v1 as wire;
use serde_json::json;

use super::super::clusters::{is_narrow, selection};
use crate::args::Output;
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::context::Connection;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::Grid;
use crate::render::units::date_time;

pub(super) fn list(connection: &Connection, output: Output) -> Result<Code> {
    let (context, _) = connection.resolve_for_fleet()?;
    let saved = block_on(async { Client::connect(&context).await?.selections().await })?;
    match output {
        Output::Json => {
            let rows = saved.iter().map(|saved| {
                let what = saved.selection.clone().unwrap_or_default();
                json!({
                    "name": saved.name, "clusters": what.terms, "sites": what.sites, "saved_unix_ns": saved.saved_unix_nanos,
                })
            });
            json::print(json!({"selections": rows.collect::<Vec<_>>()}))?;
        }
        Output::Table if saved.is_empty() => {
            print("no selections: fathom fleet save NAME --cluster WHAT saves one\n")?;
        }
        Output::Table => {
            let mut grid = Grid::new(&["name", "clusters", "at sites", "saved"]);
            for saved in saved {
                let what = saved.selection.unwrap_or_default();
                let or_all = |names: Vec<String>| match names.is_empty() {
                    true => "all".to_owned(),
                    false => names.join(" "),
                };
                grid.row([
                    format!("@{}", saved.name),
                    or_all(what.terms),
                    or_all(what.sites),
                    date_time(saved.saved_unix_nanos),
                ]);
            }
            print(&grid.lines(""))?;
        }
    }
    Ok(Code::Fine)
}

pub(super) fn save(name: &str, request_id: Option<&str>, connection: &Connection) -> Result<Code> {
    let (context, meant) = connection.resolve_for_fleet()?;
    let selection = selection(meant);
    if !is_narrow(&selection) {
        return Err(Error::NothingToSave);
    }
    let request = wire::SaveSelectionRequest {
        name: name.to_owned(),
        selection: Some(selection),
        request_id: request_id.unwrap_or_default().to_owned(),
    };
    block_on(async { Client::connect(&context).await?.save_selection(request).await })?;
    Ok(Code::Fine)
}

pub(super) fn delete(name: &str, request_id: Option<&str>, connection: &Connection) -> Result<Code> {
    let (context, _) = connection.resolve_for_fleet()?;
    let request = wire::DeleteSelectionRequest {
        name: name.to_owned(),
        request_id: request_id.unwrap_or_default().to_owned(),
    };
    match block_on(async { Client::connect(&context).await?.delete_selection(request).await })? {
        true => Ok(Code::Fine),
        false => Err(Error::NotSaved { name: name.to_owned() }),
    }
}
