//! `cargo xtask windows`: builds the programs for Windows from Debian, and runs them under Wine.
//!
//! The toolchain is Debian's own, since it ships the standard library's source, from which the library is built for the target
//! `x86_64-pc-windows-gnu`; what is missing of it is installed. What a run under Wine proves, and what it cannot, is in
//! `docs/operations/windows.md`; the tests themselves are `integration-tests/tests/windows.rs`.

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
        let home = runnable(&folder, &built)?;
        prepare_wine(&folder)?;
        test(workspace, &folder, &home, args).context("what was built for Windows fails under Wine")?;
    }
    println!("windows ok");
    Ok(())
}

/// The programs' paths, once they are built.
fn build(workspace: &Workspace, folder: &Path, args: &Args) -> Result<Vec<PathBuf>> {
    let mut cargo = command::cargo_of(&format!("{DEBIAN_BIN}/cargo"));
    let mut path = std::ffi::OsString::from(DEBIAN_BIN);
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
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
        .args([
            "build",
            "-Z",
            "build-std=std,panic_abort",
            "--target",
            TARGET,
            "--locked",
        ])
        .args(["--package", "fathom-node-daemon"]);
    if !args.daemon_only {
        cargo.args(["--package", "fathom-cli"]);
    }
    if args.release {
        cargo.arg("--release");
    }
    command::run(&mut cargo)?;
    let made = folder.join(TARGET).join(if args.release { "release" } else { "debug" });
    let mut programs = vec![made.join("fathom-node.exe")];
    if !args.daemon_only {
        programs.push(made.join("fathom.exe"));
    }
    Ok(programs)
}

/// A folder with the programs as Wine can run them: beside a library that current Rust asks for and Wine 8 lacks.
fn runnable(folder: &Path, programs: &[PathBuf]) -> Result<PathBuf> {
    let home = folder.join("run");
    fs::create_dir_all(&home)?;
    // What is there from a run before is not to be tested by mistake.
    for entry in fs::read_dir(&home)? {
        fs::remove_file(entry?.path())?;
    }
    for program in programs {
        let name = program.file_name().context("a program has a name")?;
        fs::copy(program, home.join(name))?;
    }
    let source = home.join("bcryptprimitives.c");
    fs::write(&source, include_str!("windows/bcryptprimitives.c"))?;
    command::run(
        Command::new("x86_64-w64-mingw32-gcc")
            .args(["-shared", "-O1", "-o"])
            .arg(home.join("bcryptprimitives.dll"))
            .arg(&source)
            .arg("-ladvapi32"),
    )?;
    Ok(home)
}

/// A Windows of our own in `folder`, made where it is not there.
fn prepare_wine(folder: &Path) -> Result<()> {
    let prefix = folder.join("prefix");
    fs::create_dir_all(&prefix)?;
    if prefix.join("system.reg").exists() {
        return Ok(());
    }
    let mut boot = Command::new(WINE);
    wine_environment(&mut boot, &prefix);
    command::run(boot.args(["wineboot", "--init"])).context("Wine cannot make its folder")
}

/// Quiet, in its own folder, and without asking for parts that nothing here uses.
fn wine_environment(command: &mut Command, prefix: &Path) {
    command
        .env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all")
        .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
        .env_remove("DISPLAY");
}

fn test(workspace: &Workspace, folder: &Path, home: &Path, args: &Args) -> Result<()> {
    let mut tests = command::cargo();
    tests
        .current_dir(&workspace.root)
        .args([
            "test",
            "--locked",
            "--package",
            "fathom-integration-tests",
            "--test",
            "windows",
        ])
        .args(["--", "--ignored", "--test-threads", "1"])
        .env("FATHOM_WINDOWS_PROGRAMS", home)
        .env("FATHOM_WINE", WINE);
    if args.daemon_only {
        println!("left out: fathom.exe (--daemon-only)");
        tests.args(["--skip", "fathom_exe"]);
    }
    wine_environment(&mut tests, &folder.join("prefix"));
    let tested = command::run(&mut tests);
    // Its services outlive whoever started them.
    let mut server = Command::new("/usr/lib/wine/wineserver64");
    wine_environment(&mut server, &folder.join("prefix"));
    if !command::succeeds(server.arg("-k")) {
        println!("Wine's server had ended already");
    }
    tested
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
