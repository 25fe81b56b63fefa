//! The command line: asks a coordinator, runs recordings without a network, starts the roles.
//!
//! Data goes to standard output, everything that is said about it to standard error. Exit codes are documented in [`exit`]. Every
//! command has a table for people and, with `-o json`, one document for programs.
//!
//! # What it is not
//!
//! No rule of the domain lives here: numbers come from the coordinator or from `fathom-lab`, this crate shows them.

mod args;
mod client;
mod commands;
mod context;
mod error;
pub mod exit;
mod render;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::error::{Error, Result};
use crate::render::table::many_lines;

/// Parses the arguments, runs the command, and says what went wrong if something did.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        // The roles log what they do; the other commands only what is wrong.
        Command::Coordinator(_) => drop(fathom_runtime::logging::init(tracing::Level::INFO)),
        // Its configuration says where to.
        Command::Node(_) => {}
        _ => drop(fathom_runtime::logging::init(tracing::Level::WARN)),
    }
    match run(arguments) {
        Ok(code) => code.into(),
        Err(Error::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => exit::Code::Fine.into(),
        Err(error) => {
            eprintln!("error: {}", many_lines(&fathom_identity::explain::chain(&error)));
            error.code().into()
        }
    }
}

fn run(arguments: Arguments) -> Result<exit::Code> {
    let output = arguments.output;
    match arguments.command {
        Command::Demo(demo) => commands::demo::run(&demo, output),
        Command::Replay(replay) => commands::replay::run(&replay, output),
        Command::Score(score) => commands::score::run(&score, output),
        Command::Simulate(simulate) => commands::simulate::run(&simulate, output),
        Command::Import(import) => commands::import::run(&import, output),
        Command::Evaluate(evaluate) => commands::evaluate::run(&evaluate, output),
        Command::Coordinator(coordinator) => commands::roles::coordinator(*coordinator),
        Command::Node(node) => commands::roles::node(*node),
        Command::Nodes(nodes) => commands::nodes::run(&nodes, output),
        Command::Profile(profile) => commands::profile::run(&profile, output),
        Command::Volumes(volumes) => commands::volumes::run(&volumes, output),
        Command::Disks(arguments) => commands::state::run(&commands::state::DISKS, &arguments, output),
        Command::Jobs(arguments) if arguments.ledger => commands::ledger::run(&arguments, output),
        Command::Jobs(arguments) => commands::state::run(&commands::state::JOBS, &arguments.state, output),
        Command::Pools(arguments) => commands::state::run(&commands::state::POOLS, &arguments, output),
        Command::Sources(arguments) => commands::state::run(&commands::state::SOURCES, &arguments, output),
        Command::Extents(arguments) => commands::state::extents(&arguments, output),
        Command::Rdma(arguments) => commands::state::network::rdma(&arguments, output),
        Command::Qos(arguments) => commands::state::network::qos(&arguments, output),
        Command::History(arguments) => commands::state::history::run(&arguments, output),
        Command::Writes(list) => commands::ios::run(&list, fathom_model::Op::Write, output),
        Command::Reads(list) => commands::ios::run(&list, fathom_model::Op::Read, output),
        Command::Counters(arguments) => commands::state::counters::run(&arguments, output),
        Command::Flushes(list) => commands::ios::run(&list, fathom_model::Op::Flush, output),
        Command::Write(write) => commands::io::run(&write, output),
        Command::Latency(latency) => commands::latency::run(&latency, output),
        Command::Why(why) => commands::why::run(&why, output),
        Command::Findings(findings) => commands::findings::run(&findings, output),
        Command::Explain(explain) => commands::explain::run(&explain, output),
        Command::Compare(compare) => commands::compare::run(&compare, output),
        Command::Health(health) if health.slow_minutes => commands::slow_minutes::run(&health, output),
        Command::Health(health) => commands::health::run(&health, output),
        Command::WhatIf(what_if) => commands::what_if::run(&what_if, output),
    }
}
