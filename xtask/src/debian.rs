//! Debian's packages, installed where they are missing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;

/// Installs what is missing; fails, and says what and for which purpose, where it cannot.
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    if !is_here() {
        bail!(
            "{purpose} stands on Debian 12's packages {}, and this is no Debian",
            packages.join(", ")
        );
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing {}", missing.join(", "));
    let what = || format!("{purpose} cannot be had: {} cannot be installed", missing.join(", "));
    command::run(&mut apt(&["update", "-qq"])).with_context(what)?;
    command::run(apt(&["install", "-qq", "--yes", "--no-install-recommends"]).args(&missing)).with_context(what)
}

/// Whether this is a Debian.
pub(crate) fn is_here() -> bool {
    Path::new("/usr/bin/dpkg-query").exists()
}

fn installed(package: &str) -> bool {
    let asked = command::output(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]));
    asked.is_ok_and(|status| status == "installed")
}

fn apt(arguments: &[&str]) -> Command {
    let mut apt = Command::new("apt-get");
    // Another that installs just now is waited for.
    apt.args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    apt
}
