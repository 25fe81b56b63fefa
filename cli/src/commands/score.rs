//! `fathom score`: fan-outs held against a recording's truth.

use fathom_lab::replay::{Options, RowMap, replay};
use fathom_lab::{export, score};
use fathom_model::report::Score;

use crate::args::{Output, ScoreArgs};
use crate::commands::print;
use crate::error::Result;
use crate::exit::Code;
use crate::render::table::Grid;
use crate::render::units::{count, percent};
use crate::render::{json, report};

pub(crate) fn run(arguments: &ScoreArgs, output: Output) -> Result<Code> {
    let recording = fathom_lab::open(&arguments.recording)?;
    score::check_truth(&recording)?;
    let lines: Vec<export::Line> = match &arguments.export {
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
    let calibration = score::calibration(&recording, &lines)?;
    let score = score::score(&recording, lines, &arguments.without_tap)?;
    match output {
        Output::Json => {
            let name = &recording.run().name;
            json::print(serde_json::json!({
                "run": name,
                "score": json::to_value(&score),
                "calibration": json::to_value(&calibration),
            }))?;
        }
        Output::Table => {
            print(&report::score(&score))?;
            print(&worth(&calibration))?;
        }
    }
    Ok(if arguments.check && !is_good(&score) {
        Code::Trouble
    } else {
        Code::Fine
    })
}

/// How often legs of each confidence are wrong.
fn worth(calibration: &score::Calibration) -> String {
    let mut grid = Grid::new(&["confidence from", "legs", "wrong", "share"]);
    for band in &calibration.bands {
        grid.row([
            format!("{}", band.from),
            count(band.legs),
            count(band.wrong),
            percent(band.wrong as f64 / band.legs as f64),
        ]);
    }
    let decided = calibration.writes - calibration.flagged;
    format!(
        "\n{} of {} writes are ambiguous; {} of the {} others have a wrong leg\n\n{}",
        count(calibration.flagged),
        count(calibration.writes),
        count(calibration.decided_wrong),
        count(decided),
        grid.lines("")
    )
}

/// What the join promises on recordings of a healthy capture.
fn is_good(score: &Score) -> bool {
    score.exact_fanout.is_none_or(|share| share >= 0.999)
        && score.leg_precision.is_none_or(|share| share >= 0.9999)
        && score.clock_bound_held != Some(false)
}
