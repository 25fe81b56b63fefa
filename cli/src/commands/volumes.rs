//! `fathom volumes`.

use fathom_proto::query::v1 as wire;
use serde_json::json;

use crate::args::{Output, StateArgs};
use crate::client::{Client, block_on};
use crate::commands::state::{BITLOCKER, Beside, CSVS, FILE_SYSTEMS, Table, VIRTUAL_DISKS, both, has};
use crate::commands::{note, print, source, tell_source, unseen};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json;
use crate::render::table::Grid;
use crate::render::units::{bytes, count, maybe_nanos};
use crate::scope::tell;

/// What state says of volumes.
const LISTS: [&Table; 4] = [&VIRTUAL_DISKS, &CSVS, &FILE_SYSTEMS, &BITLOCKER];

/// What of a past moment is not known of volumes.
const OF_NOW: &str =
    "where the extents of volumes lie and what their writes took is told of now alone: left out of a past moment";

pub(crate) fn run(arguments: &StateArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (cluster, now, mut beside) = block_on(async {
        let client = Client::connect(&context).await?;
        let beside = Beside::ask(&client, &LISTS, arguments).await?;
        let now = match arguments.at {
            None => Some(client.volumes().await?),
            Some(_) => None,
        };
        Ok((client.cluster().await?, now, beside))
    })?;
    let is_past = now.is_none();
    let answer = now.unwrap_or_default();
    let names: Vec<String> = answer.volumes.iter().map(|volume| volume.volume.clone()).collect();
    let is_on = |volume: &wire::VolumeStatus| {
        let by_node = arguments.node.as_ref();
        by_node.is_none_or(|name| volume.nodes.iter().any(|node| node.eq_ignore_ascii_case(name)))
    };
    let wanted = answer.volumes.iter().filter(|volume| is_on(volume));
    let volumes: Vec<_> = wanted
        .filter(|volume| has(arguments.name.as_ref(), &volume.volume))
        .collect();
    if arguments.node.is_some() {
        keep_those_of(&mut beside, &volumes);
    }
    let coverage = answer.coverage.as_ref();
    match output {
        Output::Json => {
            let rows: Vec<_> = volumes
                .iter()
                .map(|volume| {
                    json!({
                        "volume": volume.volume, "size_bytes": known(volume.size_bytes), "copies": known(volume.copies),
                        "extents": volume.extents, "nodes": volume.nodes, "writes": volume.writes,
                        "write_p50_ns": volume.write_p50_nanos, "write_p99_ns": volume.write_p99_nanos,
                    })
                })
                .collect();
            let mut unseen = unseen(coverage);
            let rows = match is_past {
                true => {
                    unseen["warnings"] = json!([OF_NOW]);
                    serde_json::Value::Null
                }
                false => rows.into(),
            };
            let mut document = json!({"cluster": cluster, "volumes": rows});
            beside.add(&mut document, unseen);
            document["source"] = source(answer.source.as_ref());
            json::print(document)?;
        }
        Output::Table if is_past => {
            print(&beside.lines())?;
            tell!("{OF_NOW}");
        }
        Output::Table => {
            let mut grid = Grid::new(&[
                "volume", ">size", ">copies", ">extents", "on", ">writes", ">p50", ">p99",
            ]);
            for volume in &volumes {
                grid.row([
                    volume.volume.clone(),
                    shown(known(volume.size_bytes), bytes),
                    shown(known(volume.copies), |copies| copies.to_string()),
                    count(volume.extents),
                    volume.nodes.join(" "),
                    count(volume.writes),
                    maybe_nanos(volume.write_p50_nanos),
                    maybe_nanos(volume.write_p99_nanos),
                ]);
            }
            print(&grid.lines(""))?;
            print(&beside.lines_under())?;
            tell_source(answer.source.as_ref());
        }
    }
    let code = note(coverage);
    Ok(both(code, beside.note(arguments, &names)))
}

/// A virtual disk is on no one node: of those that were asked for by a node, the ones whose volume or cluster volume is shown stay.
fn keep_those_of(beside: &mut Beside, volumes: &[&wire::VolumeStatus]) {
    let mut named: Vec<String> = volumes.iter().map(|volume| volume.volume.clone()).collect();
    for csv in beside.of(&CSVS) {
        let own = &csv.observation;
        // Clusters call it `Cluster Virtual Disk (NAME)`.
        let within = own
            .text("name")
            .and_then(|name| Some(name.split_once('(')?.1.trim_end_matches(')')));
        named.extend(own.text("volume").into_iter().chain(within).map(str::to_owned));
    }
    beside.retain(&VIRTUAL_DISKS, |disk| {
        let name = disk.observation.text("name").unwrap_or(&disk.observation.id);
        named.iter().any(|named| named.eq_ignore_ascii_case(name))
    });
}

/// What the source said; on the wire 0 stands for that it did not.
fn known<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

/// Something for a table, where it is known.
fn shown<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}
