//! `fathom-bench`: Fathom beside its peers, in one run on one machine, as a ratio.

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

mod join;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Benchmarks against peers. Build with --release; each prints one line of JSON.
#[derive(Debug, Parser)]
#[command(name = "fathom-bench")]
enum Bench {
    /// The fan-out join against the same join in DuckDB.
    Join(join::Args),
}

fn main() -> ExitCode {
    let result = match Bench::parse() {
        Bench::Join(args) => join::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
