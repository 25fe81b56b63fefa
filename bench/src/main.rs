//! `fathom-bench`: Fathom beside its peers, in one run on one machine, as a ratio; and what the node daemon and a fleet cost.

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

mod daemon;
mod fleet;
#[cfg(feature = "join")]
mod join;
#[cfg(feature = "join")]
mod tables;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Benchmarks. Build with --release; each prints one line of JSON.
#[derive(Debug, Parser)]
#[command(name = "fathom-bench")]
enum Bench {
    /// The fan-out join against the same join in DuckDB.
    #[cfg(feature = "join")]
    Join(join::Args),
    /// The node daemon's work an event, and its share of a processor.
    Daemon(daemon::Args),
    /// Answers about a long stretch from what its I/Os add up to.
    #[cfg(feature = "join")]
    Tables(tables::Args),
    /// A fleet coordinator's work, memory and answers for many clusters.
    Fleet(fleet::Args),
}

fn main() -> ExitCode {
    let result = match Bench::parse() {
        #[cfg(feature = "join")]
        Bench::Join(args) => join::run(&args),
        #[cfg(feature = "join")]
        Bench::Tables(args) => tables::run(&args),
        Bench::Daemon(args) => daemon::run(&args),
        Bench::Fleet(args) => fleet::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
