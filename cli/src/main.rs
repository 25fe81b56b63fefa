//! `fathom`: the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    fathom_cli::main()
}
