//! `fathom evaluate`: how well the diagnosis names what is wrong.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use fathom_lab::evaluate::{Evaluation, File, Outcome, Plan, Scenario, evaluate};

use crate::args::{EvaluateArgs, Output};
use crate::commands::print;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::Grid;
use crate::render::units::count;
use crate::scope::tell;

/// Seeds of the catalogue where none are given.
const SEEDS: std::ops::Range<u64> = 0..200;

pub(crate) fn run(arguments: &EvaluateArgs, output: Output) -> Result<Code> {
    let scenarios = arguments.file.as_deref().map(read).transpose()?;
    let seeds = arguments.seeds.clone().unwrap_or_else(|| {
        let of_file = scenarios.as_ref().map(|scenarios| 0..scenarios.len() as u64);
        of_file.unwrap_or(SEEDS)
    });
    let threads = arguments
        .threads
        .map_or_else(|| available_parallelism().map_or(1, usize::from), usize::from);
    let plan = Plan {
        seeds: seeds.clone(),
        scenarios,
        threads,
    };
    let evaluation = evaluate(&plan, |outcome| tell!("{}", line(outcome)))?;
    match output {
        Output::Json => {
            let mut document = serde_json::json!({"seeds": {"from": seeds.start, "until": seeds.end}});
            if let (Some(document), serde_json::Value::Object(values)) =
                (document.as_object_mut(), json::to_value(&evaluation))
            {
                document.extend(values);
            }
            json::print(document)?;
        }
        Output::Table => print(&text(&evaluation))?,
    }
    Ok(Code::Fine)
}

fn read(path: &Path) -> Result<Vec<Scenario>> {
    let text = fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let wrong = |cause: String| Error::Scenarios {
        path: path.to_owned(),
        cause: cause.trim_end().to_owned(),
    };
    let file: File = fathom_runtime::settings::parse(&text).map_err(wrong)?;
    file.scenarios().map_err(|error| wrong(error.to_string()))
}

/// What is said while it runs, an outcome a line.
fn line(outcome: &Outcome) -> String {
    let mut line = format!("seed {}: {}", outcome.seed, outcome.scenario);
    for fault in &outcome.faults {
        let named = match (fault.place, fault.named_after_s) {
            (Some(place), Some(after)) => format!("named at place {place}, first after {after} s"),
            _ => "not named".to_owned(),
        };
        let scored = if fault.scored {
            ""
        } else {
            " (costs too little to be scored)"
        };
        let _ = write!(line, "; {} {named}{scored}", fault.fault);
    }
    match outcome.wrong {
        0 => {}
        wrong => {
            let _ = write!(line, "; {wrong} wrong among {}", outcome.named.join(", "));
        }
    }
    line
}

fn text(evaluation: &Evaluation) -> String {
    let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{:.1} %", value * 100.0));
    let mut grid = Grid::new(&["fault", "single", "scored", "first", "among three"]);
    for (name, kind) in &evaluation.by_kind {
        grid.row([
            name.clone(),
            count(kind.faults),
            count(kind.n),
            share(kind.top1),
            share(kind.top3),
        ]);
    }
    let mut text = grid.lines("");
    let named = evaluation.time_to_name_p90_s.map_or_else(
        || match evaluation.n {
            0 => "nothing to be named in time".to_owned(),
            _ => "more than 10 of 100 not named at all, so that p90 of naming is not known".to_owned(),
        },
        |seconds| format!("within {seconds} s (p90)"),
    );
    let _ = writeln!(
        text,
        "\nSingle faults: {} scored, {} named first, {} among three, {named}",
        count(evaluation.n),
        share(evaluation.top1),
        share(evaluation.top3),
    );
    let _ = writeln!(
        text,
        "Two faults: {} scored, one of them first in {}, both first in {}",
        count(evaluation.n_two_faults),
        share(evaluation.top1_two_faults),
        share(evaluation.both_two_faults),
    );
    let _ = writeln!(
        text,
        "What-if: p99 without the drive held against a run without it in {} cases, within 10 % in {}, off by at most {} in 90 of 100",
        count(evaluation.n_what_if),
        share(evaluation.what_if_within_10_percent),
        share(evaluation.what_if_error_p90),
    );
    let _ = writeln!(
        text,
        "Healthy: {} cluster-days with {} writes, {} false findings{}",
        evaluation.healthy_cluster_days,
        count(evaluation.healthy_writes),
        count(evaluation.false_findings),
        evaluation
            .false_findings_a_day_at_most
            .map_or_else(String::new, |most| format!(
                ", at most {most} a cluster-day at 95 % sureness"
            )),
    );
    let _ = writeln!(
        text,
        "Beside faults: {} wrong findings; {} findings without evidence that leads to events",
        count(evaluation.wrong_findings),
        count(evaluation.without_evidence),
    );
    text
}
