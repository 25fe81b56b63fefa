//! `fathom-coordinator`: the coordinator as a program of its own.

use std::process::ExitCode;

use clap::Parser;
use fathom_coordinator::{Config, Options, run_blocking};

/// Joins what node daemons send, stores it, and answers questions
#[derive(Parser)]
#[command(name = "fathom-coordinator", version)]
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
    match run_blocking(config, |address| println!("listening on https://{address}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", fathom_identity::explain::chain(&error));
            ExitCode::FAILURE
        }
    }
}
