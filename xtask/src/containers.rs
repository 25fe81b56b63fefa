//! `cargo xtask containers`: fleet, sites and daemons in containers, on networks that are cut.
//!
//! Makes sure of a container engine, runs `integration-tests/tests/containers.rs`, and removes what a run that was killed left behind.
//! What it proves, and why this way, is in `docs/design/0025-containers.md`.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::command;
use crate::workspace::Workspace;

mod engine;

/// What the tests put on everything that they make.
const LABEL: &str = "label=fathom.test";

/// Runs the tests in containers; where there can be no engine, says what was left out, or fails where nothing may be.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let engine = match engine::ready(workspace)? {
        engine::Ready::Answers(engine) => engine,
        engine::Ready::NotHere(reason) if nothing_may_be_left_out() => {
            bail!("the tests in containers cannot run: {reason}")
        }
        engine::Ready::NotHere(reason) => {
            println!("left out: the tests in containers (fleet, sites and daemons on networks that are cut): {reason}");
            return Ok(());
        }
    };
    let start = Instant::now();
    remove_leftovers();
    // As all tests are built, so that nothing is built again with other features.
    let tested = command::run(command::cargo().current_dir(&workspace.root).args([
        "test",
        "--locked",
        "--workspace",
        "--test",
        "containers",
        "--",
        "--ignored",
        "--nocapture",
    ]));
    remove_leftovers();
    drop(engine);
    tested.context("fleet, sites and daemons in containers do not do what they should")?;
    println!("containers ok in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// CI says `CI=true`.
fn nothing_may_be_left_out() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// What a run leaves when it is killed: containers first, since they hold the rest.
fn remove_leftovers() {
    let kinds: [(&[&str], &[&str]); 3] = [
        (&["ps", "--all", "--quiet"], &["rm", "--force", "--volumes"]),
        (&["network", "ls", "--quiet"], &["network", "rm"]),
        (&["images", "--quiet"], &["rmi", "--force"]),
    ];
    for (list, remove) in kinds {
        let listed = command::output(docker().args(list).args(["--filter", LABEL])).unwrap_or_default();
        let left: Vec<&str> = listed.split_whitespace().collect();
        if left.is_empty() {
            continue;
        }
        println!("removing what an earlier run left: {} ({})", left.join(" "), list[0]);
        if let Err(error) = command::output(docker().args(remove).args(&left)) {
            println!("cannot be removed: {error:#}");
        }
    }
}

fn docker() -> Command {
    Command::new("docker")
}
