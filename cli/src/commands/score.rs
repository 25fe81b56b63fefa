//! `fathom score`: fan-outs held against a recording's truth.

use fathom_lab::replay::{Options, RowMap, replay};
use fathom_lab::{export, score};
use fathom_model::report::Score;

use crate::args::{Output, ScoreArgs};
use crate::commands::print;
use crate::error::Result;
use crate::exit::Code;
use crate::render::{json, report};

pub(crate) fn run(arguments: &ScoreArgs, output: Output) -> Result<Code> {
    let recording = fathom_lab::open(&arguments.recording)?;
    let lines = match &arguments.export {
        Some(path) => score::read_export(path)?,
        None => {
            let options = Options {
                without: arguments.without_tap.clone(),
                ..Options::default()
            };
            let replayed = replay(&recording, &options)?;
            let map = RowMap::new(&recording, &arguments.without_tap)?;
            export::lines(&replayed.rows, &replayed.catalog, &map).collect()
        }
    };
    let score = score::score(&recording, lines, &arguments.without_tap)?;
    match output {
        Output::Json => {
            let name = &recording.run().name;
            json::print(serde_json::json!({"run": name, "score": json::to_value(&score)}))?;
        }
        Output::Table => print(&report::score(&score))?,
    }
    Ok(if arguments.check && !is_good(&score) {
        Code::Trouble
    } else {
        Code::Fine
    })
}

/// What the join promises on recordings of a healthy capture.
fn is_good(score: &Score) -> bool {
    score.exact_fanout.is_none_or(|share| share >= 0.999)
        && score.leg_precision.is_none_or(|share| share >= 0.9999)
        && score.clock_bound_held != Some(false)
}
