//! `fathom` under a name of its own, so that cargo builds it for these tests and tells them where it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    fathom_cli::main()
}
