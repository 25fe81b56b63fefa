//! `fathom fleet latency`: how long operations took over clusters together.

use std::time::Duration;

use fathom_proto::fleet::v1 as wire;
use serde_json::{Value, json};

use super::super::clusters::{is_narrow, selection};
use super::super::selected::Absent;
use super::{note_partial, note_unheard, partial_document, unheard_document};
use crate::args::{LatencyOfFleetArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::{Grid, one_line};
use crate::render::units::{count, date_time, maybe_nanos};
use crate::scope::tell;

/// The fleet coordinator says who has not answered when the time is over; so much earlier it is to say so.
const EARLIER: Duration = Duration::from_millis(500);

pub(super) fn run(arguments: &LatencyOfFleetArgs, output: Output) -> Result<Code> {
    let connection = &arguments.connection;
    let (context, meant) = connection.resolve_for_fleet()?;
    let selection = selection(meant);
    let is_narrow = is_narrow(&selection);
    let nanos = |time: Option<Duration>| time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let text = |name: &Option<String>| name.clone().unwrap_or_default();
    // Somewhat less than the time after which nobody listens any more.
    let patience = connection
        .deadline()
        .map(|all| all.saturating_sub(EARLIER.min(all / 2)));
    let request = wire::GetFleetLatencyRequest {
        selection: Some(selection),
        since_nanos: nanos(arguments.since.map(|span| span.0)),
        until_nanos: nanos(arguments.until.map(|span| span.0)),
        volume: text(&arguments.volume),
        node: text(&arguments.node),
        source: String::new(),
        deadline_nanos: nanos(patience),
    };
    let (answer, absent) = block_on(async {
        let client = Client::connect(&context).await?;
        let mut answer = client.fleet_latency(request).await?;
        if is_narrow && answer.clusters == 0 && answer.unheard.is_empty() && answer.missing.is_empty() {
            return Err(Error::NoneMeant);
        }
        let absent = Absent::of(answer.gaps.take());
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
                "partial": partial_document(&answer.partial), "unknown": absent.unknown(), "source": source(&answer),
                "missing": answer.missing.iter().map(missing_document).collect::<Vec<_>>(),
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
    for cluster in &answer.missing {
        let heard = cluster.since_unix_nanos.map_or_else(String::new, |heard| {
            format!(" (its site was heard last at {})", date_time(heard))
        });
        tell!(
            "partial: {}/{} gave no answer{heard}: {}",
            one_line(&cluster.site),
            one_line(&cluster.cluster),
            one_line(&cluster.message)
        );
    }
    let missing = if answer.missing.is_empty() {
        Code::Fine
    } else {
        Code::Partial
    };
    let (unheard, partial) = (note_unheard(&answer.unheard), note_partial(&answer.partial));
    Ok(missing.or(unheard).or(partial).or(absent.note()))
}

/// What it was made of; a version that did not say had rollups alone.
fn source(answer: &wire::GetFleetLatencyResponse) -> &str {
    match answer.source.as_str() {
        "" => "rollups",
        source => source,
    }
}

fn missing_document(cluster: &wire::MissingCluster) -> Value {
    json!({
        "site": cluster.site, "cluster": cluster.cluster, "cause": cluster.cause, "reason": cluster.reason,
        "since_unix_ns": cluster.since_unix_nanos, "error": cluster.message,
    })
}
