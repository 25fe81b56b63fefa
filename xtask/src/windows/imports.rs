//! What a program for Windows loads before it starts: only what every Windows has, so that it is one file.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command;

/// Libraries of Windows itself that the programs load; another one is a decision. Names without `.dll`, in small letters.
const OF_WINDOWS: &[&str] = &[
    "advapi32",
    "bcrypt",
    "bcryptprimitives",
    "combase",
    "kernel32",
    "msvcrt",
    "ntdll",
    "ole32",
    "oleaut32",
    "pdh",
    "propsys",
    "rpcrt4",
    "userenv",
    "wevtapi",
    "ws2_32",
];

/// Fails when the program asks for a library that Windows does not bring.
pub(super) fn check(program: &Path) -> Result<()> {
    let dump = command::output(Command::new("x86_64-w64-mingw32-objdump").arg("-p").arg(program))?;
    let imports = libraries(&dump);
    if imports.is_empty() {
        bail!("{} imports nothing at all, so it was not read right", program.display());
    }
    let foreign: Vec<&str> = imports
        .iter()
        .map(String::as_str)
        .filter(|name| !of_windows(name))
        .collect();
    if !foreign.is_empty() {
        bail!(
            "{} is not one file: it loads {}, which Windows does not bring or nobody decided on",
            program.display(),
            foreign.join(", ")
        );
    }
    Ok(())
}

/// The names after `DLL Name:` in what objdump prints, in small letters.
fn libraries(dump: &str) -> BTreeSet<String> {
    let names = dump.lines().filter_map(|line| line.trim().strip_prefix("DLL Name:"));
    names.map(|name| name.trim().to_ascii_lowercase()).collect()
}

fn of_windows(name: &str) -> bool {
    let stem = name.strip_suffix(".dll").unwrap_or(name);
    // Sets of functions under a name of their own, mapped by the loader of every Windows since 8.
    stem.starts_with("api-ms-win-") || OF_WINDOWS.contains(&stem)
}

#[cfg(test)]
mod tests;
