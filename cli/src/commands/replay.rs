//! `fathom replay`: a recording through the join in one process.

use fathom_lab::replay::{Options, Replayed, RowMap, replay};
use fathom_lab::{Recording, export, report, score};
use fathom_model::report::{Report, Score};

use crate::args::{Output, ReplayArgs};
use crate::commands::print;
use crate::error::Result;
use crate::exit::Code;
use crate::render::{json, report as text};
use crate::scope::tell;

pub(crate) fn run(arguments: &ReplayArgs, output: Output) -> Result<Code> {
    let recording = fathom_lab::open(&arguments.recording)?;
    let options = Options {
        without: arguments.without_tap.clone(),
        batch_events: arguments.batch_events as usize,
        ..Options::default()
    };
    let replayed = replay(&recording, &options)?;
    let map = RowMap::new(&recording, &arguments.without_tap)?;
    if let Some(path) = &arguments.export {
        export::write(path, &replayed.rows, &replayed.catalog, &map)?;
        tell!("exported to {}", path.display());
    }
    let report = report::report(&replayed);
    let score = score_of(&recording, &replayed, &map, &arguments.without_tap)?;
    show(&recording.run().name, &report, score.as_ref(), output)
}

/// The score against the recording's truth, if it has one.
fn score_of(
    recording: &Recording,
    replayed: &Replayed,
    map: &RowMap,
    without: &[fathom_model::Tap],
) -> Result<Option<Score>> {
    if recording.truth().is_none() {
        return Ok(None);
    }
    let lines = export::lines(&replayed.rows, &replayed.catalog, map);
    Ok(Some(score::score(recording, lines, without)?))
}

/// Prints a run as `demo` and `replay` do.
pub(crate) fn show(name: &str, report: &Report, score: Option<&Score>, output: Output) -> Result<Code> {
    match output {
        Output::Json => json::print(json::run(name, report, score))?,
        Output::Table => print(&text::run(name, report, score))?,
    }
    Ok(Code::Fine)
}
