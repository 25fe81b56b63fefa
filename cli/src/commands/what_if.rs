//! `fathom whatif`: what writes would have taken without something.

use std::path::Path;

use fathom_lab::diagnosis::what_if::{Away, Serials, WhatIf};
use fathom_lab::replay::{Options, replay};
use fathom_model::Op;
use fathom_model::unit::show_nanos;
use fathom_proto::query::v1 as wire;
use serde_json::{Value, json};

use crate::args::{Output, WhatIfArgs};
use crate::client::{Client, block_on, filter};
use crate::commands::{note, print, source, tell_source, unseen};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json;
use crate::render::table::Grid;
use crate::render::units::{count, maybe_nanos};
use crate::scope::tell;

pub(crate) fn run(arguments: &WhatIfArgs, output: Output) -> Result<Code> {
    let without = arguments.without.clone().unwrap_or_default();
    let (of, answer) = match &arguments.recording {
        Some(recording) => offline(recording, &without, arguments.limit)?,
        None => {
            let context = arguments.connection.resolve()?;
            block_on(async {
                let client = Client::connect(&context).await?;
                let filter = filter(&arguments.which, Some(Op::Write));
                let source = arguments.source.word();
                let answer = client.what_if(filter, &without, arguments.limit, source).await?;
                Ok((json!({"cluster": client.cluster().await?}), answer))
            })?
        }
    };
    match output {
        Output::Json => json::print(document(of, &answer))?,
        Output::Table => {
            print(&table(&answer))?;
            tell_source(answer.source.as_ref());
        }
    }
    if answer.unknown > 0 {
        tell!(
            "of {} of {} writes it is not known which copy came last: they count as they were",
            count(answer.unknown),
            count(answer.writes)
        );
    }
    Ok(note(answer.coverage.as_ref()))
}

/// The same of a recording, in one process.
fn offline(folder: &Path, without: &str, most: u32) -> Result<(Value, wire::GetWhatIfResponse)> {
    let recording = fathom_lab::open(folder)?;
    let replayed = replay(&recording, &Options::default())?;
    let mut what_if = WhatIf::default();
    replayed.rows.ios.iter().for_each(|io| what_if.add(&replayed.rows, io));
    let rows = if without.is_empty() {
        let mut ranked = what_if.ranked();
        ranked.retain(|row| row.given_back_nanos > 0);
        ranked.truncate(most as usize);
        ranked
    } else {
        let serials = if Away::asks_for_serial(without, &replayed.catalog) {
            fathom_lab::state::serials(&recording)?
        } else {
            Serials::default()
        };
        what_if
            .without(Away::parse(without, &replayed.catalog, &serials)?)
            .into_iter()
            .collect()
    };
    let rows = rows.into_iter().map(|row| {
        let (kind, node, disk, peer) = row.away.names(&replayed.catalog);
        let [p50_nanos, p95_nanos, p99_nanos] = row.percentiles;
        wire::Without {
            kind: kind.to_owned(),
            node,
            disk: disk.unwrap_or_default(),
            peer: peer.unwrap_or_default(),
            p50_nanos,
            p95_nanos,
            p99_nanos,
            given_back_nanos: row.given_back_nanos,
            sooner: row.sooner,
            unknown: row.unknown,
            job: String::new(),
        }
    });
    let percentiles = what_if.percentiles();
    let nodes = replayed.missing_nodes.iter().map(|node| wire::UnseenNode {
        node: node.to_string(),
        cause: "no_daemon".to_owned(),
    });
    let answer = wire::GetWhatIfResponse {
        writes: what_if.writes(),
        p50_nanos: percentiles.map(|[p50, _, _]| p50),
        p95_nanos: percentiles.map(|[_, p95, _]| p95),
        p99_nanos: percentiles.map(|[_, _, p99]| p99),
        without: rows.collect(),
        unknown: what_if.unknown(),
        source: None,
        coverage: Some(wire::Coverage {
            nodes: nodes.collect(),
            warnings: replayed.warnings.clone(),
            ..wire::Coverage::default()
        }),
    };
    Ok((json!({"run": recording.run().name}), answer))
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn name(row: &wire::Without) -> String {
    if let Some(job) = given(&row.job) {
        return format!("{}:{job}", row.kind);
    }
    match (given(&row.disk), given(&row.peer)) {
        (Some(disk), _) => format!("{}:{}/{disk}", row.kind, row.node),
        (None, Some(peer)) => format!("{}:{}-{peer}", row.kind, row.node),
        (None, None) => format!("{}:{}", row.kind, row.node),
    }
}

fn document(of: Value, answer: &wire::GetWhatIfResponse) -> Value {
    let rows = answer.without.iter().map(|row| {
        json!({
            "kind": row.kind, "node": given(&row.node), "disk": given(&row.disk), "peer": given(&row.peer), "job": given(&row.job),
            "p50_ns": row.p50_nanos, "p95_ns": row.p95_nanos, "p99_ns": row.p99_nanos,
            "given_back_ns": row.given_back_nanos, "sooner": row.sooner, "unknown": row.unknown,
        })
    });
    let coverage = answer.coverage.as_ref();
    let mut document = json!({
        "writes": answer.writes, "unknown": answer.unknown,
        "with": {"p50_ns": answer.p50_nanos, "p95_ns": answer.p95_nanos, "p99_ns": answer.p99_nanos},
        "without": rows.collect::<Vec<_>>(), "unseen": unseen(coverage),
        "newest_unix_ns": coverage.and_then(|coverage| coverage.newest_unix_nanos),
        "from_unix_ns": coverage.and_then(|coverage| coverage.from_unix_nanos), "source": source(answer.source.as_ref()),
    });
    if let (Value::Object(document), Value::Object(of)) = (&mut document, of) {
        document.extend(of);
    }
    document
}

fn table(answer: &wire::GetWhatIfResponse) -> String {
    if answer.writes == 0 {
        return "no writes\n".to_owned();
    }
    let mut grid = Grid::new(&[
        "without",
        ">p50",
        ">p95",
        ">p99",
        ">given back",
        ">sooner",
        ">not known",
    ]);
    grid.row([
        "(as it was)".to_owned(),
        maybe_nanos(answer.p50_nanos),
        maybe_nanos(answer.p95_nanos),
        maybe_nanos(answer.p99_nanos),
        String::new(),
        String::new(),
        String::new(),
    ]);
    for row in &answer.without {
        grid.row([
            name(row),
            show_nanos(row.p50_nanos),
            show_nanos(row.p95_nanos),
            show_nanos(row.p99_nanos),
            show_nanos(row.given_back_nanos),
            count(row.sooner),
            count(row.unknown),
        ]);
    }
    grid.lines("")
}
