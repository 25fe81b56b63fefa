//! `cargo xtask`: the house rules as code, and what CI runs. It builds and checks; it is not part of the product.

use std::process::ExitCode;

use clap::Parser;

mod ci;
#[path = "../../proto/codegen.rs"]
mod codegen;
mod command;
mod containers;
mod debian;
mod layers;
mod links;
mod proto;
mod windows;
mod workspace;

/// House rules and checks of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Fail on a dependency that the layer table does not allow.
    Layers,
    /// Fail on a link or a mention of a page that leads nowhere.
    Links,
    /// Make the generated code of the wire contract anew.
    Codegen,
    /// Format, lint and compare the wire contract.
    Proto(proto::Args),
    /// Build the programs for Windows, and run them under Wine.
    Windows(windows::Args),
    /// Run a fleet, its sites and their daemons in containers, on networks that are cut.
    Containers,
    /// Run what CI runs, and stop at the first failure.
    Ci(ci::Args),
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::load()?;
    match task {
        Task::Layers => layers::run(&workspace),
        Task::Links => links::run(&workspace),
        Task::Codegen => {
            let changed = codegen::regenerate(&workspace.root.join("proto"));
            println!("codegen ok: {} files changed", changed.len());
            Ok(())
        }
        Task::Proto(args) => proto::run(&workspace, &args),
        Task::Windows(args) => windows::run(&workspace, &args),
        Task::Containers => containers::run(&workspace),
        Task::Ci(args) => ci::run(&workspace, &args),
    }
}
