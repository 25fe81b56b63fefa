//! buf, the tool: one exact version from npm, in the target folder, so that nobody has to install it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;

const PACKAGE: &str = "@bufbuild/buf";
const VERSION: &str = "1.75.0";

/// The path of the program; installs it where it is absent or of another version.
pub(crate) fn install(target: &Path) -> Result<PathBuf> {
    let folder = target.join("tools/buf");
    let program = folder
        .join("node_modules/.bin")
        .join(if cfg!(windows) { "buf.cmd" } else { "buf" });
    if command::output(Command::new(&program).arg("--version")).is_ok_and(|version| version == VERSION) {
        return Ok(program);
    }
    ensure_npm()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    println!("installing {PACKAGE} {VERSION}");
    // The program is in the package as it is: no script of a package has to run here.
    command::run(
        npm()
            .args([
                "install",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
                "--ignore-scripts",
                "--save-exact",
            ])
            .arg("--prefix")
            .arg(&folder)
            .arg(format!("{PACKAGE}@{VERSION}")),
    )?;
    Ok(program)
}

fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

/// Installs npm on a Debian where we may; says what to do elsewhere.
fn ensure_npm() -> Result<()> {
    if command::succeeds(npm().arg("--version")) {
        return Ok(());
    }
    let apt = || Command::new("apt-get");
    let root = command::output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    if !root || !command::succeeds(apt().arg("--version")) {
        bail!("npm is missing, which buf comes from: install it (on Debian: sudo apt-get install npm)");
    }
    command::run(apt().args(["update", "-qq"]))?;
    command::run(apt().args(["install", "-qq", "--yes", "--no-install-recommends", "npm"]))
}
