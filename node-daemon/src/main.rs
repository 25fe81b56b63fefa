//! `fathom-node`: the node daemon as a program of its own.

use std::process::ExitCode;

use clap::Parser;
use fathom_node_daemon::{Config, Options, Outcome, run_blocking};

/// Reads what this node sees and sends it to a coordinator
#[derive(Parser)]
#[command(name = "fathom-node", version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    fathom_runtime::logging::init(tracing::Level::INFO);
    let config = match Config::resolve(Arguments::parse().options) {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("error: {faults}");
            return ExitCode::from(2);
        }
    };
    match run_blocking(config) {
        Ok(Outcome::Finished | Outcome::Stopped) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", fathom_identity::explain::chain(&error));
            ExitCode::FAILURE
        }
    }
}
