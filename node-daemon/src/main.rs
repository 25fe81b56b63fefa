//! `fathom-node`: the node daemon as a program of its own.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use fathom_identity::explain;
use fathom_node_daemon::{Config, Options, Outcome, check, run_blocking, service, start_logging};

/// Reads what this node sees and sends it to a coordinator
#[derive(Parser)]
#[command(
    name = "fathom-node",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Without a command it runs, as `fathom-node run` does.\n\nExit codes: 0 fine, 1 failed, 2 usage or configuration, 4 partial answer (check)"
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Run until the source has ended and is stored, or until it is asked to stop
    Run(Box<Run>),
    /// Show what this node can see and what it cannot, and why; starts nothing
    Check(check::Options),
    /// Register the daemon as a service: checks its configuration whole before anything else
    Install(service::Install),
    /// Stop the service and remove it; its spool, log and configuration stay
    Uninstall,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    options: Options,
    /// Speak with Windows' service manager, which started this
    #[cfg(windows)]
    #[arg(long, hide = true)]
    service: bool,
}

/// As everywhere in Fathom: the command line or a configuration is wrong.
const USAGE: u8 = 2;
/// As everywhere in Fathom: the answer was printed, and something had not answered.
const PARTIAL: u8 = 4;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        None => run(arguments.options),
        #[cfg(windows)]
        Some(Command::Run(command)) if command.service => match service::serve(command.options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        Some(Command::Run(command)) => run(command.options),
        Some(Command::Check(options)) => match check::run(&options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(PARTIAL),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        Some(Command::Install(options)) => {
            fathom_runtime::logging::init(tracing::Level::WARN);
            managed(service::install(&options))
        }
        Some(Command::Uninstall) => managed(service::uninstall()),
    }
}

fn run(options: Options) -> ExitCode {
    let config = Config::resolve(options).and_then(|config| start_logging(&config).map(|()| config));
    let config = match config {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("error: {faults}");
            return ExitCode::from(USAGE);
        }
    };
    match run_blocking(config) {
        Ok(Outcome::Finished | Outcome::Stopped) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn managed(outcome: service::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_usage() => {
            failed(&error);
            ExitCode::from(USAGE)
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("error: {}", explain::chain(error));
    ExitCode::FAILURE
}
