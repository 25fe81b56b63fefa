//! `fathom volumes`.

use serde_json::json;

use crate::args::{ClusterArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::state::{Beside, CSVS, VIRTUAL_DISKS};
use crate::commands::{note, print, source, tell_source, unseen};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json;
use crate::render::table::Grid;
use crate::render::units::{bytes, count, maybe_nanos};

pub(crate) fn run(arguments: &ClusterArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (cluster, answer, beside) = block_on(async {
        let client = Client::connect(&context).await?;
        let beside = Beside::ask(&client, &[&VIRTUAL_DISKS, &CSVS]).await?;
        Ok((client.cluster().await?, client.volumes().await?, beside))
    })?;
    let (volumes, coverage) = (&answer.volumes, answer.coverage.as_ref());
    match output {
        Output::Json => {
            let volumes: Vec<_> = volumes
                .iter()
                .map(|volume| {
                    json!({
                        "volume": volume.volume, "size_bytes": known(volume.size_bytes), "copies": known(volume.copies),
                        "extents": volume.extents, "nodes": volume.nodes, "writes": volume.writes,
                        "write_p50_ns": volume.write_p50_nanos, "write_p99_ns": volume.write_p99_nanos,
                    })
                })
                .collect();
            let mut document = json!({"cluster": cluster, "volumes": volumes});
            beside.add(&mut document);
            document["unseen"] = unseen(coverage);
            document["source"] = source(answer.source.as_ref());
            json::print(document)?;
        }
        Output::Table => {
            let mut grid = Grid::new(&[
                "volume", ">size", ">copies", ">extents", "on", ">writes", ">p50", ">p99",
            ]);
            for volume in volumes {
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
            print(&beside.lines())?;
            tell_source(answer.source.as_ref());
        }
    }
    Ok(note(coverage))
}

/// What the source said; on the wire 0 stands for that it did not.
fn known<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

/// Something for a table, where it is known.
fn shown<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}
