//! `fathom counters`: readings of performance counters over a stretch of time.

use fathom_model::unit::show_nanos;
use fathom_proto::query::v1 as wire;
use serde_json::json;

use super::{note, note_unread, unseen};
use crate::args::{CountersArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::error::Result;
use crate::exit::Code;
use crate::render::json;
use crate::render::table::{Grid, one_line};
use crate::render::units::{bytes, date_time};

pub(crate) fn run(arguments: &CountersArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let request = wire::ListCountersRequest {
        filter: Some(wire::ResourceFilter {
            kinds: arguments.kind.iter().cloned().collect(),
            node: arguments.node.clone().unwrap_or_default(),
            name: arguments.name.clone().unwrap_or_default(),
            volume: String::new(),
        }),
        counter: arguments.counter.clone().unwrap_or_default(),
        until_unix_nanos: arguments.at,
        since_nanos: arguments
            .since
            .map_or(0, |since| u64::try_from(since.0.as_nanos()).unwrap_or(u64::MAX)),
        ..wire::ListCountersRequest::default()
    };
    let (cluster, (series, stretch, coverage)) = block_on(async {
        let client = Client::connect(&context).await?;
        Ok((client.cluster().await?, client.counters(request).await?))
    })?;
    let (from, until) = stretch.map_or((None, None), |(from, until)| (Some(from), Some(until)));
    if let Output::Json = output {
        let all: Vec<serde_json::Value> = series.iter().map(one).collect();
        json::print(json!({
            "cluster": cluster, "from_unix_ns": from, "until_unix_ns": until, "series": all,
            "unseen": unseen(coverage.as_ref(), &[]),
        }))?;
    } else {
        print(&table(&series, stretch))?;
    }
    // What was never read is not known to be nothing. Of nodes that report counters alone nothing says who else there is.
    let code = match &coverage {
        Some(coverage) if coverage.at_unix_nanos.is_some() => note(Some(coverage)),
        _ => note_unread(coverage.as_ref()),
    };
    Ok(if until.is_none() { Code::Partial } else { code })
}

fn one(series: &wire::CounterSeries) -> serde_json::Value {
    let readings = series
        .readings
        .iter()
        .map(|reading| json!({"observed_unix_ns": reading.observed_unix_nanos, "value": reading.value}));
    json!({
        "node": series.node, "kind": series.kind, "id": series.id, "name": series.name,
        "readings": readings.collect::<Vec<_>>(),
    })
}

fn table(series: &[wire::CounterSeries], stretch: Option<(i64, i64)>) -> String {
    let Some((from, until)) = stretch else {
        return "no counter was ever read\n".to_owned();
    };
    if series.is_empty() {
        return format!(
            "no such counter was read from {} to {}\n",
            date_time(from),
            date_time(until)
        );
    }
    let mut grid = Grid::new(&[
        "node",
        "kind",
        "of",
        "counter",
        ">newest",
        ">least",
        ">mean",
        ">most",
        ">readings",
        "last read",
    ]);
    for series in series {
        let values: Vec<f64> = series.readings.iter().map(|reading| reading.value).collect();
        let Some(last) = series.readings.last() else { continue };
        let show = |value: f64| shown(&series.name, value);
        grid.row([
            one_line(&series.node).into_owned(),
            series.kind.clone(),
            one_line(&series.id).into_owned(),
            one_line(&series.name).into_owned(),
            show(last.value),
            show(values.iter().copied().fold(f64::INFINITY, f64::min)),
            show(values.iter().sum::<f64>() / values.len() as f64),
            show(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            values.len().to_string(),
            date_time(last.observed_unix_nanos),
        ]);
    }
    format!("from {} to {}\n{}", date_time(from), date_time(until), grid.lines(""))
}

/// A reading for people, by the unit that its counter's name ends in.
fn shown(name: &str, value: f64) -> String {
    let whole = || value.max(0.0).round() as u64;
    if name.ends_with("_ns") {
        show_nanos(whole())
    } else if name.ends_with("_bytes_per_s") {
        format!("{}/s", bytes(whole()))
    } else if name.ends_with("_bytes") {
        bytes(whole())
    } else if name.ends_with("_percent") {
        format!("{value:.1} %")
    } else if name.ends_with("_per_s") {
        format!("{value:.1}/s")
    } else {
        format!("{value}")
    }
}
