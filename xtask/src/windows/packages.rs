//! What the Windows build needs of Debian, installed where it is missing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;

/// The compiler with the source of its library, the linker and C compiler for the target, and what runs the result.
const PACKAGES: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "gcc-mingw-w64-x86-64",
    "wine64",
];

/// Installs what is missing; fails, and says what, where it cannot.
pub(super) fn install() -> Result<()> {
    if !Path::new("/usr/bin/dpkg-query").exists() {
        bail!(
            "the Windows build stands on Debian 12's packages {}, and this is no Debian",
            PACKAGES.join(", ")
        );
    }
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|package| !installed(package)).collect();
    if !missing.is_empty() {
        println!("installing {}", missing.join(", "));
        let what = || {
            format!(
                "the Windows build cannot be made: {} cannot be installed",
                missing.join(", ")
            )
        };
        command::run(&mut apt(&["update", "-qq"])).with_context(what)?;
        command::run(apt(&["install", "-qq", "--yes", "--no-install-recommends"]).args(&missing)).with_context(what)?;
    }
    for path in ["/usr/bin/cargo", "/usr/bin/rustc", super::WINE] {
        super::present(path)?;
    }
    Ok(())
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
