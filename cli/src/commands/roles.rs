//! `fathom coordinator` and `fathom node`: the roles, as the programs of their own start them.

use std::io::{Read, Write};

use fathom_node_daemon::Outcome;

use crate::error::{Error, Result};
use crate::exit::Code;

/// Set by whoever starts a role and wants it to end with itself: the role ends when its standard input does.
pub(crate) const END_WITH_STDIN: &str = "FATHOM_END_WITH_STDIN";

/// Runs a coordinator until it is asked to stop.
pub(crate) fn coordinator(options: fathom_coordinator::Options) -> Result<Code> {
    let config = fathom_coordinator::Config::resolve(options)?;
    end_with_stdin()?;
    fathom_coordinator::run_blocking(config, |address| {
        // Whoever started us reads this line; if nobody does, that is fine too.
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "listening on https://{address}").and_then(|()| out.flush());
    })?;
    Ok(Code::Fine)
}

/// Runs a node daemon until its source has ended and is stored, or it is asked to stop.
pub(crate) fn node(options: fathom_node_daemon::Options) -> Result<Code> {
    let config = fathom_node_daemon::Config::resolve(options)?;
    fathom_node_daemon::start_logging(&config)?;
    end_with_stdin()?;
    match fathom_node_daemon::run_blocking(config)? {
        Outcome::Finished | Outcome::Stopped => Ok(Code::Fine),
    }
}

/// A parent that was killed cannot stop its children; the end of their input tells them. Ending at once is safe at any moment.
fn end_with_stdin() -> Result<()> {
    if std::env::var_os(END_WITH_STDIN).is_none() {
        return Ok(());
    }
    let watch = std::thread::Builder::new().name("stdin".to_owned()).spawn(|| {
        let mut nothing = [0; 64];
        while std::io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
        std::process::exit(i32::from(Code::Fine.number()));
    });
    watch.map(drop).map_err(Error::Runtime)
}
