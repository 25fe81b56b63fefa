//! `fathom simulate`: a cluster that nobody has at hand, as a recording with its truth.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use fathom_lab::simulate::{Summary, prepare, write};
use fathom_lab::simulator::scenario::Options;
use fathom_lab::simulator::{Config, Scenario, Taps, simulate};
use fathom_model::unit::show_nanos;
use serde_json::json;

use crate::args::{Output, SimulateArgs};
use crate::commands::print;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::Grid;
use crate::render::units::count;

pub(crate) fn run(arguments: &SimulateArgs, output: Output) -> Result<Code> {
    if arguments.list {
        return list(output);
    }
    let (config, about) = config(arguments)?;
    if arguments.show_config {
        return show_config(&config, output);
    }
    // The parser asks for a folder where neither of the two is given.
    let Some(folder) = &arguments.folder else {
        return Ok(Code::Fine);
    };
    config.filled().check()?;
    prepare(folder, arguments.force)?;
    let simulated = simulate(&config)?;
    let summary = write(&simulated, &about, folder)?;
    match output {
        Output::Json => json::print(document(folder, &config, &about, &summary))?,
        Output::Table => print(&text(folder, &about, &summary))?,
    }
    Ok(Code::Fine)
}

/// What is simulated, and a sentence on it.
fn config(arguments: &SimulateArgs) -> Result<(Config, String)> {
    let taps = arguments
        .taps
        .as_ref()
        .and_then(|name| Taps::ALL.into_iter().find(|taps| taps.as_str() == name));
    let options = Options {
        seed: arguments.seed,
        nodes: arguments.nodes,
        writes: arguments.writes,
        seconds: arguments.seconds,
        taps,
    };
    let Some(path) = &arguments.config else {
        let scenario: Scenario = arguments.scenario.as_deref().unwrap_or("healthy").parse()?;
        if let Some(nodes) = options.nodes {
            scenario.check_nodes(nodes)?;
        }
        return Ok((scenario.config(&options), scenario.about().to_owned()));
    };
    let text = fs::read_to_string(path).map_err(|source| Error::File {
        path: path.clone(),
        source,
    })?;
    let mut config: Config = fathom_runtime::settings::parse(&text).map_err(|cause| Error::SimulateConfig {
        path: path.clone(),
        cause,
    })?;
    config.seed = options.seed.unwrap_or(config.seed);
    config.nodes = options.nodes.unwrap_or(config.nodes);
    if options.writes.is_some() || options.seconds.is_some() {
        (config.writes, config.seconds) = (options.writes, options.seconds);
    }
    config.recording.taps = taps.unwrap_or(config.recording.taps);
    Ok((config, format!("Simulated from {}.", path.display())))
}

fn list(output: Output) -> Result<Code> {
    match output {
        Output::Json => {
            let scenarios = Scenario::ALL
                .map(|scenario| json!({"name": scenario.as_str(), "about": scenario.about()}))
                .to_vec();
            json::print(json!({"scenarios": scenarios}))?;
        }
        Output::Table => {
            let mut grid = Grid::new(&["scenario", "what"]);
            for scenario in Scenario::ALL {
                grid.row([scenario.as_str().to_owned(), scenario.about().to_owned()]);
            }
            print(&grid.lines(""))?;
        }
    }
    Ok(Code::Fine)
}

fn show_config(config: &Config, output: Output) -> Result<Code> {
    let filled = config.filled();
    filled.check()?;
    match output {
        Output::Json => json::print(json!({"config": json::to_value(&filled)}))?,
        Output::Table => {
            // Numbers, texts, lists and tables: everything of it has a form in TOML but integers past 63 bits.
            let text = toml::to_string(&filled).map_err(|error| Error::Output(std::io::Error::other(error)))?;
            print(&text)?;
        }
    }
    Ok(Code::Fine)
}

fn document(folder: &Path, config: &Config, about: &str, summary: &Summary) -> serde_json::Value {
    json!({
        "recording": folder.display().to_string(),
        "run": config.name,
        "about": about,
        "seed": config.seed,
        "taps": config.recording.taps.as_str(),
        "simulated": json::to_value(summary),
    })
}

fn text(folder: &Path, about: &str, summary: &Summary) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{about}\n");
    let _ = writeln!(
        text,
        "Simulated {} writes with {} legs on {} nodes in {}: {} events",
        count(summary.writes),
        count(summary.legs),
        count(summary.nodes),
        show_nanos(summary.duration_ns),
        count(summary.events)
    );
    if let (Some(p50), Some(p99)) = (summary.write_p50_ns, summary.write_p99_ns) {
        let _ = writeln!(
            text,
            "Writes took {} (p50) and {} (p99)",
            show_nanos(p50),
            show_nanos(p99)
        );
    }
    let _ = writeln!(text, "\nJoin it:  fathom replay {}", folder.display());
    text
}
