//! What CI runs, step by step. What a machine needs for it before the first step is `.ci/run`'s business.

use std::env::consts::EXE_SUFFIX;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::workspace::Workspace;
use crate::{command, containers, layers, links, proto, windows};

/// Options of `cargo xtask ci`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave the demo out.
    #[arg(long)]
    skip_demo: bool,
    /// Run one step alone.
    #[arg(long, value_name = "STEP")]
    only: Option<Step>,
}

/// The steps in their order: the tools, then what takes seconds, then what takes minutes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Step {
    /// Install what the other steps need and cargo does not bring.
    Setup,
    /// Every file is formatted.
    Fmt,
    /// No arrow between crates outside the table.
    Layers,
    /// Pages that are named exist.
    Links,
    /// The wire contract is clean and compatible.
    Proto,
    /// No warning anywhere.
    Clippy,
    // Before the tests: their summary is the one that should be read last.
    /// The examples in the documentation.
    Doctest,
    /// Every test.
    Test,
    /// Fleet, sites and daemons in containers, on networks that are cut.
    Containers,
    /// The documentation builds, and its links lead somewhere.
    Doc,
    /// The release build.
    Build,
    /// The README's demo, with the release build.
    Demo,
    /// The node daemon for Windows, run under Wine.
    Windows,
    /// Licences, banned crates and where crates come from.
    Deny,
}

/// Runs the steps asked for; stops at the first that fails and names it.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let mut seconds = Vec::new();
    for step in steps(args) {
        println!("=== {}", step.name());
        let start = Instant::now();
        let outcome = step.run(workspace);
        seconds.push(format!("{} {:.1} s", step.name(), start.elapsed().as_secs_f64()));
        if outcome.is_err() {
            println!("=== failed: {}", seconds.join(", "));
        }
        outcome.with_context(|| {
            format!(
                "ci stopped at the step {0}; `cargo xtask ci --only {0}` repeats it",
                step.name()
            )
        })?;
    }
    println!("=== ci ok: {}", seconds.join(", "));
    Ok(())
}

fn steps(args: &Args) -> Vec<Step> {
    match args.only {
        Some(step) => vec![step],
        None => Step::value_variants()
            .iter()
            .copied()
            .filter(|&step| step != Step::Demo || !args.skip_demo)
            .collect(),
    }
}

impl Step {
    /// The name as `--only` takes it.
    fn name(self) -> String {
        self.to_possible_value()
            .expect("no step is hidden")
            .get_name()
            .to_owned()
    }

    fn run(self, workspace: &Workspace) -> Result<()> {
        let cargo = |line: &str| {
            let mut command = command::cargo();
            command.current_dir(&workspace.root).args(line.split_whitespace());
            command
        };
        match self {
            Self::Setup => setup(workspace),
            Self::Fmt => command::run(&mut cargo("fmt --all --check")),
            Self::Layers => layers::run(workspace),
            Self::Links => links::run(workspace),
            Self::Proto => proto::run(workspace, &proto::Args { check: true }),
            Self::Clippy => command::run(&mut cargo("clippy --workspace --all-targets --locked -- -D warnings")),
            Self::Doctest => command::run(&mut cargo("test --doc --workspace --locked")),
            Self::Test if has_nextest() => command::run(&mut cargo("nextest run --profile ci --workspace --locked")),
            Self::Test => command::run(&mut cargo("test --workspace --lib --bins --tests --locked")),
            Self::Containers => containers::run(workspace),
            Self::Doc => command::run(cargo("doc --workspace --no-deps --locked").env("RUSTDOCFLAGS", "-D warnings")),
            Self::Build => command::run(&mut cargo("build --release --locked")),
            Self::Demo => demo(workspace),
            Self::Windows => windows::run(
                workspace,
                &windows::Args {
                    daemon_only: true,
                    ..windows::Args::default()
                },
            ),
            Self::Deny if has_deny() => command::run(&mut cargo("deny check licenses bans sources")),
            Self::Deny => {
                println!("left out: cargo-deny is not installed (cargo install cargo-deny)");
                Ok(())
            }
        }
    }
}

fn setup(workspace: &Workspace) -> Result<()> {
    proto::buf::install(&workspace.target)?;
    if !has_nextest() {
        println!("cargo-nextest is not installed: the tests run with cargo test, one test program after the other");
    }
    Ok(())
}

/// The one command of the README that shows the whole system.
fn demo(workspace: &Workspace) -> Result<()> {
    let fathom = workspace.target.join("release").join(format!("fathom{EXE_SUFFIX}"));
    if !fathom.exists() {
        bail!(
            "there is no {}; `cargo xtask ci --only build` makes it",
            fathom.display()
        );
    }
    command::run(
        Command::new(fathom)
            .current_dir(&workspace.root)
            .args(["demo", "--once"]),
    )
}

fn has_nextest() -> bool {
    command::succeeds(command::cargo().args(["nextest", "--version"]))
}

fn has_deny() -> bool {
    command::succeeds(command::cargo().args(["deny", "--version"]))
}
