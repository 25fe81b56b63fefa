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
mod scope;

use std::process::ExitCode;

use fathom_model::Op;

use crate::args::{Arguments, Command};
use crate::commands::several::{over, over_or_last};
use crate::commands::state;
use crate::error::{Error, Result};
use crate::render::table::many_lines;

/// Parses the arguments, runs the command, and says what went wrong if something did.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::of_command_line();
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
            let text = fathom_identity::explain::chain(&error);
            scope::to_people(format_args!("error: {}", many_lines(&text)));
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
        Command::Clusters(clusters) => commands::clusters::run(&clusters, output),
        Command::Fleet(fleet) => commands::fleet::run(&fleet, output),
        Command::Profile(a) => scope::within(a.connection.deadline(), || commands::profile::run(&a, output)),
        Command::Explain(explain) => commands::explain::run(&explain, output),
        Command::Nodes(a) => over(&a.connection, output, &|| commands::nodes::run(&a, output)),
        Command::Volumes(a) => over(&a.connection, output, &|| commands::volumes::run(&a, output)),
        Command::Disks(a) => over(&a.connection, output, &|| state::disks(&a, output)),
        Command::Jobs(a) if a.ledger => over(&a.state.connection, output, &|| commands::ledger::run(&a, output)),
        Command::Jobs(a) => over(&a.state.connection, output, &|| {
            state::run(&state::JOBS, &a.state, output)
        }),
        Command::Pools(a) => over(&a.connection, output, &|| state::run(&state::POOLS, &a, output)),
        Command::Sources(a) => over(&a.connection, output, &|| state::run(&state::SOURCES, &a, output)),
        Command::SmbEvents(a) => over(&a.connection, output, &|| state::run(&state::SMB_EVENTS, &a, output)),
        Command::Sbl(a) => over(&a.connection, output, &|| state::sbl(&a, output)),
        Command::Extents(a) => over(&a.connection, output, &|| state::extents::run(&a, output)),
        Command::Vms(a) => over(&a.state.connection, output, &|| state::vms::run(&a, output)),
        Command::Rdma(a) => over(&a.connection, output, &|| state::network::rdma(&a, output)),
        Command::Qos(a) => over(&a.connection, output, &|| state::network::qos(&a, output)),
        Command::History(a) => over(&a.connection, output, &|| state::history::run(&a, output)),
        Command::Writes(a) => over(&a.connection, output, &|| commands::ios::run(&a, Op::Write, output)),
        Command::Reads(a) => over(&a.connection, output, &|| commands::ios::run(&a, Op::Read, output)),
        Command::Flushes(a) => over(&a.connection, output, &|| commands::ios::run(&a, Op::Flush, output)),
        Command::Counters(a) => over(&a.connection, output, &|| state::counters::run(&a, output)),
        Command::Write(a) => over(&a.connection, output, &|| commands::io::run(&a, output)),
        Command::Latency(a) => over(&a.connection, output, &|| commands::latency::run(&a, output)),
        Command::Why(a) => over(&a.connection, output, &|| commands::why::run(&a, output)),
        // What somebody says is said of one finding, and a watch goes on at one cluster.
        Command::Findings(a) if a.watch || a.action.is_some() => commands::findings::run(&a, output),
        Command::Findings(a) => {
            let last: &dyn Fn(&_) -> _ = &|cluster| commands::findings::last(&a, cluster);
            over_or_last(&a.connection, output, Some(last), &|| {
                commands::findings::run(&a, output)
            })
        }
        Command::Baselines(a) => over(&a.connection, output, &|| commands::baselines::run(&a, output)),
        Command::Compare(a) => over(&a.connection, output, &|| commands::compare::run(&a, output)),
        Command::Health(a) if a.slow_minutes => {
            over(&a.connection, output, &|| commands::slow_minutes::run(&a, output))
        }
        Command::Health(a) if a.watch => commands::health::run(&a, output),
        Command::Health(a) => over(&a.connection, output, &|| commands::health::run(&a, output)),
        Command::WhatIf(a) => over(&a.connection, output, &|| commands::what_if::run(&a, output)),
    }
}
