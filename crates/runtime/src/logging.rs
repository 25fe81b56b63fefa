//! The daemons' own log: compact lines on standard error or in a file, filtered by the environment variable `FATHOM_LOG`.
//!
//! Not telemetry and not the audit log; those are data, and this is for the person who reads the console.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
    sync::Mutex,
};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use rotating::Rotating;

mod rotating;

/// The environment variable with the filter, such as `info,fathom_node_daemon::uplink=debug`.
pub const ENVIRONMENT_VARIABLE: &str = "FATHOM_LOG";

/// Starts logging; returns false, and changes nothing, if this process logs already.
///
/// `FATHOM_LOG` decides what is logged: a level, or levels by module, separated by commas. Where it is absent or empty, everything
/// from `default_level` up. One that cannot be read is named on standard error and left out. Colours only on a terminal.
pub fn init(default_level: Level) -> bool {
    // Before anything is built: a subscriber that is only made and thrown away already widens the process' level.
    if tracing::dispatcher::has_been_set() {
        return false;
    }
    let lines = tracing_subscriber::fmt::layer()
        .compact()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry()
        .with(filter(default_level))
        .with(lines)
        .try_init()
        .is_ok()
}

/// As [`init`], with the lines in a file: for a service that has no console.
///
/// Lines are added to what is there. A file that has grown past 16 MiB is renamed, with `.old` behind its name, over the one that
/// was renamed before: two files are the most there are.
///
/// # Errors
///
/// When the file cannot be opened; nothing was started then.
pub fn init_file(default_level: Level, path: &Path) -> io::Result<bool> {
    if tracing::dispatcher::has_been_set() {
        return Ok(false);
    }
    let lines = tracing_subscriber::fmt::layer()
        .compact()
        .with_writer(Mutex::new(Rotating::open(path)?))
        .with_ansi(false);
    let started = tracing_subscriber::registry()
        .with(filter(default_level))
        .with(lines)
        .try_init();
    Ok(started.is_ok())
}

fn filter(default_level: Level) -> Targets {
    let default = Targets::new().with_default(LevelFilter::from_level(default_level));
    match std::env::var(ENVIRONMENT_VARIABLE) {
        Ok(text) if !text.is_empty() => text.parse().unwrap_or_else(|error| {
            eprintln!("{ENVIRONMENT_VARIABLE}: `{text}` is no filter ({error}); an example is info,fathom_join=debug");
            default
        }),
        _ => default,
    }
}

#[cfg(test)]
mod tests;
