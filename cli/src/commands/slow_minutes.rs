//! `fathom health --slow-minutes`: minutes in which an objective was not met.

use fathom_model::unit::show_nanos;
use fathom_proto::query::v1 as wire;
use serde_json::{Value, json};

use crate::args::{HealthArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::{note, print, unseen};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json;
use crate::render::table::Grid;
use crate::render::units::{bytes, count, date_time, percent};

/// So many are shown to people, the newest first.
const SHOWN: usize = 60;

pub(crate) fn run(arguments: &HealthArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (cluster, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        let answer = client.slow_minutes(arguments.from, arguments.until).await?;
        Ok((client.cluster().await?, answer))
    })?;
    match output {
        Output::Json => json::print(json!({
            "cluster": cluster,
            "objectives": answer.objectives.iter().map(objective).collect::<Vec<_>>(),
            "slow_minutes": answer.minutes.iter().map(minute).collect::<Vec<_>>(),
            "unseen": unseen(answer.coverage.as_ref()),
        }))?,
        Output::Table => print(&table(&answer))?,
    }
    Ok(note(answer.coverage.as_ref()))
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn objective(objective: &wire::Objective) -> Value {
    json!({
        "name": objective.name, "volume": given(&objective.volume), "up_to_bytes": objective.up_to_bytes,
        "percentile": objective.percentile, "below_ns": objective.below_nanos,
    })
}

fn minute(minute: &wire::SlowMinute) -> Value {
    json!({
        "minute_unix_ns": minute.minute_unix_nanos, "objective": minute.objective, "volume": given(&minute.volume),
        "writes": minute.writes, "slow": minute.slow, "value_ns": minute.value_nanos, "below_ns": minute.below_nanos,
    })
}

fn table(answer: &wire::ListSlowMinutesResponse) -> String {
    let mut text = String::new();
    for objective in &answer.objectives {
        text += &format!(
            "objective {}: p{} of writes of up to {} {} below {}\n",
            objective.name,
            objective.percentile,
            bytes(objective.up_to_bytes),
            given(&objective.volume).map_or_else(|| "in the cluster".to_owned(), |volume| format!("to {volume}")),
            show_nanos(objective.below_nanos),
        );
    }
    if answer.minutes.is_empty() {
        return text + "no minute was slow\n";
    }
    let mut grid = Grid::new(&[
        "minute",
        "objective",
        "volume",
        ">value",
        ">limit",
        ">slow",
        ">of writes",
    ]);
    for minute in answer.minutes.iter().take(SHOWN) {
        grid.row([
            date_time(minute.minute_unix_nanos),
            minute.objective.clone(),
            given(&minute.volume).unwrap_or("-").to_owned(),
            show_nanos(minute.value_nanos),
            show_nanos(minute.below_nanos),
            percent(minute.slow as f64 / minute.writes.max(1) as f64),
            count(minute.writes),
        ]);
    }
    text += &grid.lines("");
    let more = answer.minutes.len().saturating_sub(SHOWN);
    if more > 0 {
        text += &format!("and {} earlier ones; -o json has all\n", count(more as u64));
    }
    text
}
