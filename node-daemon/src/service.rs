//! The daemon as a service of the system: a Windows service, or a unit of systemd.
//!
//! A service has no one's environment, no current folder and no console. So it is installed with a configuration file alone, whose
//! paths are absolute, and the file is checked whole before anything is registered. It restarts after failures, and not after
//! its source has ended.

use std::path::{Path, PathBuf};

use crate::config::{Origin, Source};
use crate::{Config, Faults, Options};

#[cfg(not(windows))]
mod systemd;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
use systemd as system;
#[cfg(windows)]
use windows as system;

#[cfg(windows)]
pub use windows::serve;

/// What the service is called.
pub const NAME: &str = "fathom-node";

/// Options of `fathom-node install`.
#[derive(Clone, Debug, clap::Args)]
pub struct Install {
    /// Configuration file of the service, with everything it needs and absolute paths
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Account that it runs under [default: on Windows its own, `NT SERVICE\fathom-node`; on Linux `fathom-node`]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Start it at once, and not only at the next start of the system
    #[arg(long)]
    start: bool,
    /// Check everything, print what would be registered, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Why a service could not be installed, removed or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file is not fit for a service.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// The daemon could not run with this configuration.
    #[error("the service was not installed, since it could not run: {source}")]
    CannotRun {
        /// What it would end with.
        source: crate::Error,
    },
    /// A service of this name is there already.
    #[error("the service {NAME} is installed already; `fathom-node uninstall` removes it")]
    Present,
    /// No service of this name is there.
    #[error("the service {NAME} is not installed")]
    Absent,
    /// The account is none of this system.
    #[error("there is no account `{account}`; `useradd --system --no-create-home {account}` makes it")]
    Account {
        /// Its name.
        account: String,
    },
    /// The system refused; often because only an administrator may.
    #[error("cannot {action}: {source}{}", advice(source))]
    System {
        /// What was tried.
        action: String,
        /// What it said.
        source: std::io::Error,
    },
    /// A command of the system failed.
    #[error("`{command}` failed: {said}")]
    Command {
        /// The command.
        command: String,
        /// What it said.
        said: String,
    },
    /// It did not reach the state asked for in time.
    #[error("the service did not {what} within {seconds} s")]
    Late {
        /// `start` or `stop`.
        what: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It started and ended at once.
    #[error("the service was installed and ended at once, with {code}; its log says why")]
    Ended {
        /// Its exit code, as the system told it.
        code: String,
    },
}

/// `Result` with this module's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether the command line or the configuration is at fault.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Faults(_) | Self::Account { .. })
    }

    fn system(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::System { action, source }
    }
}

fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied if cfg!(windows) => "; run this as administrator",
        std::io::ErrorKind::PermissionDenied => "; run this as root",
        _ => "",
    }
}

/// Checks the configuration whole, then registers the service to start with the system. Prints what it did.
///
/// # Errors
///
/// When the configuration has faults, the daemon could not run with it, or the system refuses. What was registered by then is
/// removed again.
pub fn install(install: &Install) -> Result<()> {
    let config_file = absolute(&install.config)?;
    let config = Config::resolve(Options {
        config: Some(config_file.clone()),
        ..Options::default()
    })?;
    let faults = unfit(&config, cfg!(windows));
    if !faults.is_empty() {
        return Err(Faults(faults).into());
    }
    crate::verify(&config).map_err(|source| Error::CannotRun { source })?;
    let program = std::env::current_exe().map_err(Error::system("find this program"))?;
    system::install(&Plan {
        program,
        config_file,
        config,
        account: install.account.clone(),
        start: install.start,
        dry_run: install.dry_run,
    })
}

/// Stops the service and removes it; spool, log and configuration stay.
///
/// # Errors
///
/// When it is not installed, does not stop, or the system refuses.
pub fn uninstall() -> Result<()> {
    system::uninstall()
}

/// What is to be registered.
#[derive(Debug)]
struct Plan {
    program: PathBuf,
    config_file: PathBuf,
    config: Config,
    account: Option<String>,
    start: bool,
    dry_run: bool,
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(Error::system("find the current folder"))
}

/// What of a configuration works at a prompt and not in a service.
fn unfit(config: &Config, needs_log_file: bool) -> Vec<String> {
    let paths = [
        ("ca", &config.ca),
        ("cert", &config.certificate),
        ("key", &config.key),
        ("spool", &config.spool),
    ];
    let of_source: Vec<(&str, &PathBuf)> = match &config.source {
        Source::Replay(replay) => vec![("replay", &replay.recording)],
        Source::Live(live) => {
            let trace = match &live.from {
                Origin::Trace { file, .. } => Some(("trace", file)),
                Origin::Etw => None,
            };
            trace
                .into_iter()
                .chain(live.topology.iter().map(|path| ("topology", path)))
                .collect()
        }
    };
    let paths = paths
        .into_iter()
        .chain(of_source)
        .chain(config.log_file.iter().map(|path| ("log-file", path)));
    let mut faults: Vec<String> = paths
        .filter(|(_, path)| !path.is_absolute())
        .map(|(key, path)| {
            format!(
                "{key} must be an absolute path for a service, which has no current folder; it is `{}`",
                path.display()
            )
        })
        .collect();
    if needs_log_file && config.log_file.is_none() {
        faults.push("log-file is missing: a Windows service has no console, so say where its log goes".to_owned());
    }
    faults
}

#[cfg(test)]
mod tests;
