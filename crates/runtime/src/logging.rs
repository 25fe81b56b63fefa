//! The daemons' own log: compact lines on standard error, filtered by the environment variable `FATHOM_LOG`.
//!
//! Not telemetry and not the audit log; those are data, and this is for the person who reads the console.

use std::io::{self, IsTerminal as _};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, util::SubscriberInitExt as _};

/// The environment variable with the filter, such as `info,fathom_node_daemon::uplink=debug`.
pub const ENVIRONMENT_VARIABLE: &str = "FATHOM_LOG";

/// Starts logging; returns false, and changes nothing, if this process logs already.
///
/// `FATHOM_LOG` decides what is logged; where it is absent or empty, everything from `default_level` up. A part of it
/// that cannot be read is named on standard error and left out. Colours only on a terminal.
pub fn init(default_level: Level) -> bool {
    // Before anything is built: a subscriber that is only made and thrown away already widens the process' level.
    if tracing::dispatcher::has_been_set() {
        return false;
    }
    let filter = EnvFilter::builder()
        .with_env_var(ENVIRONMENT_VARIABLE)
        .with_default_directive(LevelFilter::from_level(default_level).into())
        .from_env_lossy();
    let subscriber = tracing_subscriber::fmt()
        .compact()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter)
        .finish();
    subscriber.try_init().is_ok()
}

#[cfg(test)]
mod tests;
