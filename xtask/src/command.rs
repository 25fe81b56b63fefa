//! Child processes: how they are started, and how a failure is told.

use std::env;
use std::ffi::{OsStr, OsString};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The cargo that started us, in an environment as a user's shell has it.
///
/// `cargo run` tells its child about the package it runs, and build scripts that watch those variables (ring's does)
/// would rebuild at every change between `cargo xtask` and `cargo build`.
pub(crate) fn cargo() -> Command {
    cargo_of(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Another cargo, in the same environment.
pub(crate) fn cargo_of(program: impl AsRef<OsStr>) -> Command {
    let mut cargo = Command::new(program);
    for (name, _) in env::vars_os() {
        let told_by_cargo_run = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(told_by_cargo_run) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs `command` with its output shown; fails unless it exits with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// What `command` prints, without the white space around it; fails, with what it said, unless it exits with 0.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", line(command)))?;
    if !output.status.success() {
        bail!(
            "{} ended with {}: {}",
            line(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Whether `command` can be started and exits with 0. Its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
