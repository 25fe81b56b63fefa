//! `fathom fleet cohorts`: which firmware, driver or build is worse than its like.

use fathom_model::fleet::Cohort;
use fathom_model::unit::show_nanos;
use fathom_proto::convert::rollup::answers::cohort_from_wire;
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
use crate::render::json::{self, to_value};
use crate::render::table::Grid;
use crate::render::units::{count, date_time};
use crate::scope::tell;

pub(super) fn run(connection: &Connection, output: Output) -> Result<Code> {
    let (context, meant) = connection.resolve_for_fleet()?;
    let selection = selection(meant);
    let is_narrow = is_narrow(&selection);
    let (answer, absent) = block_on(async {
        let client = Client::connect(&context).await?;
        let mut answer = client.cohorts(selection).await?;
        if is_narrow && answer.clusters == 0 && answer.unheard.is_empty() {
            return Err(Error::NoneMeant);
        }
        let absent = Absent::of(answer.gaps.take());
        Ok((answer, absent))
    })?;
    let cohorts: Vec<Cohort> = answer
        .cohorts
        .into_iter()
        .map(cohort_from_wire)
        .collect::<Result<_, _>>()?;
    match output {
        Output::Json => json::print(json!({
            "cohorts": to_value(&cohorts), "more": answer.more, "compared": answer.compared, "clusters": answer.clusters,
            "unheard": unheard_document(&answer.unheard), "partial": partial_document(&answer.partial),
            "updates_from_unix_ns": answer.updates_from_unix_nanos, "unknown": absent.unknown(),
        }))?,
        Output::Table => print(&cohort_table(&cohorts))?,
    }
    if answer.more > 0 {
        tell!("{} cohorts more", count(answer.more));
    }
    if let Some(from) = answer.updates_from_unix_nanos {
        tell!(
            "updates of before {} were not seen, and clusters are not held against their own hours before that",
            date_time(from)
        );
    }
    let (unheard, partial) = (note_unheard(&answer.unheard), note_partial(&answer.partial));
    Ok(unheard.or(partial).or(absent.note()))
}

fn cohort_table(cohorts: &[Cohort]) -> String {
    if cohorts.is_empty() {
        return "no cohorts: no cluster has told what runs on its devices\n".to_owned();
    }
    let mut grid = Grid::new(&[
        "of",
        "what",
        "runs",
        ">clusters",
        ">devices",
        ">write p50",
        ">write p99",
        ">errors",
        ">media errors",
        ">found",
        "updated since",
        "against its like",
    ]);
    for cohort in cohorts {
        let worse: Vec<&str> = cohort
            .verdicts
            .iter()
            .filter(|verdict| verdict.significant)
            .map(|verdict| verdict.text.as_str())
            .collect();
        let said = match (worse.is_empty(), cohort.verdicts.is_empty()) {
            (false, _) => worse.join("; "),
            (true, false) => "no worse than by chance".to_owned(),
            (true, true) => "nothing to compare it with".to_owned(),
        };
        grid.row([
            cohort.key.axis.to_string(),
            cohort.key.subject.clone(),
            cohort.key.variant.clone(),
            count(cohort.clusters),
            count(cohort.devices),
            cohort.writes.p50_ns.map_or_else(|| "-".to_owned(), show_nanos),
            cohort.writes.p99_ns.map_or_else(|| "-".to_owned(), show_nanos),
            count(cohort.io_errors),
            cohort.media_errors.map_or_else(|| "-".to_owned(), count),
            count(cohort.found),
            updated(cohort),
            said,
        ]);
    }
    grid.lines("")
}

/// When clusters were first seen to change to it, and how many did.
fn updated(cohort: &Cohort) -> String {
    match cohort.first_update_unix_ns {
        Some(first) => format!("{} ({})", date_time(first), count(cohort.updated)),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests;
