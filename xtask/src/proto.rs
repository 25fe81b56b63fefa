//! The wire contract's own rules: its format, its lint, and whether an older peer would still understand it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command;
use crate::workspace::Workspace;

pub(crate) mod buf;

/// The folder that buf.yaml and the packages are in, from the root.
const FOLDER: &str = "proto";

/// Options of `cargo xtask proto`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change no file: fail on a .proto file that is not formatted instead of formatting it.
    #[arg(long)]
    pub(crate) check: bool,
}

/// A commit that today's contract must stay compatible with.
#[derive(Debug)]
struct Baseline {
    commit: String,
    /// What it is to a reader.
    name: String,
}

/// Formats, lints, and compares with the newest release, or with main where none holds a .proto file.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let buf = buf::install(&workspace.target)?;
    let buf = || {
        let mut command = Command::new(&buf);
        command.current_dir(&workspace.root);
        command
    };
    let how: &[&str] = if args.check {
        &["--diff", "--exit-code"]
    } else {
        &["--write"]
    };
    command::run(buf().args(["format", FOLDER]).args(how))
        .context("a .proto file is at fault, or is not as `cargo xtask proto` would write it")?;
    command::run(buf().args(["lint", FOLDER]))?;
    let Some(baseline) = baseline(&workspace.root)? else {
        println!("proto ok: format and lint; no tag and no commit of main has a .proto file to compare with");
        return Ok(());
    };
    let archive = workspace.target.join("tools/proto-baseline.tar");
    command::run(
        git(&workspace.root)
            .args(["archive", "--format=tar", "--output"])
            .arg(&archive)
            .args([&baseline.commit, FOLDER]),
    )?;
    let against = format!("{}#subdir={FOLDER}", archive.display());
    command::run(buf().args(["breaking", FOLDER, "--against", &against]))
        .with_context(|| format!("the contract breaks with {}", baseline.name))?;
    println!("proto ok: format, lint, and compatible with {}", baseline.name);
    Ok(())
}

/// The first of: the newest tag before this commit, where it left main. `None` if neither has a .proto file.
fn baseline(root: &Path) -> Result<Option<Baseline>> {
    // A repository without commits, or a source archive, has no older version of anything.
    let Ok(head) = command::output(git(root).args(["rev-parse", "--verify", "HEAD"])) else {
        return Ok(None);
    };
    let tag = command::output(git(root).args(["describe", "--tags", "--abbrev=0"]));
    let mut candidates: Vec<_> = tag
        .into_iter()
        .map(|tag| Baseline {
            name: tag.clone(),
            commit: tag,
        })
        .collect();
    for main in ["origin/main", "main"] {
        if let Ok(commit) = command::output(git(root).args(["merge-base", "HEAD", main])) {
            let itself = if commit == head {
                ", which is this commit: only what is not committed can differ"
            } else {
                ""
            };
            candidates.push(Baseline {
                name: format!("{main} at {commit:.10}{itself}"),
                commit,
            });
        }
    }
    for candidate in candidates {
        let files = command::output(git(root).args(["ls-tree", "-r", "--name-only", &candidate.commit, "--", FOLDER]))?;
        if files.lines().any(|file| file.ends_with(".proto")) {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

fn git(root: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(root);
    git
}
