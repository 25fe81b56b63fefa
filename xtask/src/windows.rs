//! `cargo xtask windows`: builds the programs for Windows from Debian, and runs them under Wine.
//!
//! The toolchain is Debian's own, since it ships the standard library's source, from which the library is built for the target
//! `x86_64-pc-windows-gnu`; what is missing of it is installed. What a run under Wine proves, and what it cannot, is in
//! `docs/operations/windows.md`; the tests themselves are `integration-tests/tests/windows.rs`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::command;
use crate::workspace::Workspace;

mod imports;
mod packages;

/// What the programs are built for.
const TARGET: &str = "x86_64-pc-windows-gnu";

/// Debian's wine64, which puts no `wine` on the path.
const WINE: &str = "/usr/lib/wine/wine64";

/// Where Debian has its cargo and rustc; the shims of rustup would come before them on the path.
const DEBIAN_BIN: &str = "/usr/bin";

/// Options of `cargo xtask windows`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Build the node daemon alone, and leave `fathom.exe` out.
    #[arg(long)]
    pub(crate) daemon_only: bool,
    /// Build what would be delivered: optimised.
    #[arg(long)]
    pub(crate) release: bool,
    /// Build and look at what was built, and run nothing.
    #[arg(long)]
    pub(crate) no_run: bool,
}

/// Crates with code of their own for Windows, whose tests run there too.
const TESTED: [&str; 4] = [
    "fathom-segment-log",
    "fathom-identity",
    "fathom-runtime",
    "fathom-node-daemon",
];

/// Builds, looks at what was built, and runs it.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let start = Instant::now();
    packages::install()?;
    let folder = workspace.target.join("windows");
    let built = build(workspace, &folder, args).context("the programs do not build for Windows")?;
    for program in &built {
        imports::check(program)?;
    }
    println!("built {} in {:.0} s", names(&built), start.elapsed().as_secs_f64());
    if !args.no_run {
        let prefix = wine(&folder).context("Wine cannot be made ready")?;
        let tested = test(workspace, &folder, &prefix, args).context("what was built for Windows fails under Wine");
        // Its services outlive whoever started them.
        let mut server = Command::new("/usr/lib/wine/wineserver64");
        wine_environment(&mut server, &prefix);
        if !command::succeeds(server.arg("-k")) {
            println!("Wine's server had ended already");
        }
        tested?;
    }
    println!("windows ok");
    Ok(())
}

/// The programs' paths, once they are built.
fn build(workspace: &Workspace, folder: &Path, args: &Args) -> Result<Vec<PathBuf>> {
    let mut cargo = cargo(workspace, folder, "build", args);
    cargo.args(["--package", "fathom-node-daemon"]);
    if !args.daemon_only {
        cargo.args(["--package", "fathom-cli"]);
    }
    command::run(&mut cargo)?;
    let made = programs(folder, args);
    let mut programs = vec![made.join("fathom-node.exe")];
    if !args.daemon_only {
        programs.push(made.join("fathom.exe"));
    }
    Ok(programs)
}

/// Where cargo leaves them.
fn programs(folder: &Path, args: &Args) -> PathBuf {
    folder.join(TARGET).join(profile(args))
}

/// Debian's cargo for the target.
fn cargo(workspace: &Workspace, folder: &Path, verb: &str, args: &Args) -> Command {
    let mut path = OsString::from(DEBIAN_BIN);
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    let mut cargo = command::cargo_of(format!("{DEBIAN_BIN}/cargo"));
    cargo
        .current_dir(&workspace.root)
        .env("PATH", path)
        .env("RUSTC", format!("{DEBIAN_BIN}/rustc"))
        .env("RUSTDOC", format!("{DEBIAN_BIN}/rustdoc"))
        // `build-std` is for nightly compilers; this one is told to take it.
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTC_WRAPPER")
        // Another compiler's artefacts are of no use to it, nor its to another's.
        .env("CARGO_TARGET_DIR", folder)
        .args([verb, "-Z", "build-std=std,panic_abort", "--target", TARGET, "--locked"]);
    cargo.args(["--profile", profile(args)]);
    cargo
}

/// The profile, and its folder.
const fn profile(args: &Args) -> &'static str {
    if args.release { "release" } else { "wine" }
}

/// A Windows of our own in `folder`, made where it is not there, with a library that current Rust asks for and Wine 8 lacks.
fn wine(folder: &Path) -> Result<PathBuf> {
    let prefix = folder.join("prefix");
    fs::create_dir_all(&prefix)?;
    let mut boot = Command::new(WINE);
    wine_environment(&mut boot, &prefix);
    command::run(boot.args(["wineboot", "--init"]))?;
    let library = prefix.join("drive_c/windows/system32/bcryptprimitives.dll");
    if !library.exists() {
        let source = folder.join("bcryptprimitives.c");
        fs::write(&source, include_str!("windows/bcryptprimitives.c"))?;
        let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
        compiler
            .args(["-shared", "-O1", "-o"])
            .arg(&library)
            .arg(&source)
            .arg("-ladvapi32");
        command::run(&mut compiler)?;
    }
    Ok(prefix)
}

/// Quiet, in its own folder, and without asking for parts that nothing here uses.
fn wine_environment(command: &mut Command, prefix: &Path) {
    command
        .env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all")
        .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
        .env_remove("DISPLAY");
}

fn test(workspace: &Workspace, folder: &Path, prefix: &Path, args: &Args) -> Result<()> {
    let mut units = cargo(workspace, folder, "test", args);
    units
        .args(["--lib", "--bins"])
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", WINE);
    for package in TESTED {
        units.args(["--package", package]);
    }
    wine_environment(&mut units, prefix);
    command::run(&mut units)?;

    let mut whole = command::cargo();
    whole
        .current_dir(&workspace.root)
        .args([
            "test",
            "--locked",
            // As all tests are built, so that nothing is built again with other features.
            "--workspace",
            "--test",
            "windows",
        ])
        .args(["--", "--ignored", "--test-threads", "1"])
        .env("FATHOM_WINDOWS_PROGRAMS", programs(folder, args))
        .env("FATHOM_WINE", WINE);
    if args.daemon_only {
        println!("left out: fathom.exe (--daemon-only)");
        whole.args(["--skip", "fathom_exe"]);
    }
    wine_environment(&mut whole, prefix);
    command::run(&mut whole)
}

fn names(programs: &[PathBuf]) -> String {
    let names = programs.iter().filter_map(|program| program.file_name());
    names
        .map(|name| name.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" and ")
}

/// Whether a program of the toolchain is there.
fn present(path: &str) -> Result<()> {
    if !Path::new(path).exists() {
        bail!("{path} is not there, although its package is installed");
    }
    Ok(())
}
