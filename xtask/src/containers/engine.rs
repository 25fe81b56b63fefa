//! The container engine: found where one answers, else installed and started, as far as that is allowed.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::docker;
use crate::workspace::Workspace;
use crate::{command, debian};

/// Debian's package of it.
const PACKAGE: &str = "docker.io";

/// An engine that has not answered by then will not.
const START: Duration = Duration::from_secs(60);

/// An engine that has not ended by then is killed.
const STOP: Duration = Duration::from_secs(20);

/// How it is started: as it likes itself, and where the kernel does not let it lay file systems over each other, with copies.
const WAYS: [&[&str]; 2] = [&[], &["--storage-driver=vfs"]];

/// Lines of its log that a failure shows.
const LAST_LINES: usize = 10;

/// Whether there is an engine.
pub(super) enum Ready {
    /// It answers, until this is dropped.
    Answers(Engine),
    /// There is none, and none can be had, for this reason.
    NotHere(String),
}

/// An engine that answers; where it was started here, it is stopped when this is dropped.
pub(super) struct Engine {
    started: Option<Child>,
}

/// Makes sure of an engine.
pub(super) fn ready(workspace: &Workspace) -> Result<Ready> {
    if let Ok(version) = version() {
        println!("container engine: Docker {version}, which runs already");
        return Ok(Ready::Answers(Engine { started: None }));
    }
    if let Some(host) = std::env::var_os("DOCKER_HOST") {
        let reason = format!("DOCKER_HOST is {}, and no engine answers there", host.display());
        return Ok(Ready::NotHere(reason));
    }
    if !is_root() {
        let reason = format!("no engine answers, and only root may install and start Debian's {PACKAGE}");
        return Ok(Ready::NotHere(reason));
    }
    if (!is_program("dockerd") || !is_program("docker"))
        && let Err(error) = debian::install(&[PACKAGE], "a container engine")
    {
        return Ok(Ready::NotHere(format!("{error:#}")));
    }
    let folder = workspace.target.join("containers");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut reasons = Vec::new();
    for way in WAYS {
        match start(way, &folder)? {
            Ok(engine) => return Ok(Ready::Answers(engine)),
            Err(reason) => {
                println!("dockerd {} does not start: {reason}", way.join(" "));
                reasons.push(reason);
            }
        }
    }
    Ok(Ready::NotHere(format!(
        "the engine does not start: {}",
        reasons.join("; ")
    )))
}

/// The version of the engine that answers.
fn version() -> Result<String> {
    command::output(docker().args(["version", "--format", "{{.Server.Version}}"]))
}

fn is_root() -> bool {
    command::output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}

fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    // Where daemons are, also for those whose path leaves them out.
    folders.push("/usr/sbin".into());
    folders.iter().any(|folder| folder.join(name).is_file())
}

/// Starts it in one way; why not, where it does not answer.
fn start(way: &[&str], folder: &Path) -> Result<Result<Engine, String>> {
    let log = &folder.join("dockerd.log");
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    // One that was killed leaves its number, which may be another process's now; and none answers.
    let number = folder.join("dockerd.pid");
    if number.exists() {
        fs::remove_file(&number).with_context(|| format!("cannot remove {}", number.display()))?;
    }
    let errors = file.try_clone()?;
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    let started = Command::new("dockerd")
        .args(way)
        .arg("--pidfile")
        .arg(number)
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn();
    let mut engine = match started {
        Ok(child) => Engine { started: Some(child) },
        Err(error) => return Ok(Err(error.to_string())),
    };
    let begun = Instant::now();
    loop {
        if let Ok(version) = version() {
            let options = if way.is_empty() { "no options" } else { &way.join(" ") };
            println!(
                "container engine: Docker {version}, started with {options} in {:.1} s",
                begun.elapsed().as_secs_f64()
            );
            return Ok(Ok(engine));
        }
        let ended = engine.started.as_mut().map(Child::try_wait).transpose()?.flatten();
        if let Some(status) = ended {
            engine.started = None;
            return Ok(Err(format!("it ended with {status}: {}", last_lines(log))));
        }
        if begun.elapsed() > START {
            return Ok(Err(format!("it does not answer within {START:?}: {}", last_lines(log))));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The end of its log.
fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(mut child) = self.started.take() else { return };
        // Asked first: it ends what it started itself.
        if !command::succeeds(Command::new("kill").arg(child.id().to_string())) {
            println!("dockerd cannot be asked to stop");
        }
        let asked = Instant::now();
        while asked.elapsed() < STOP {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("dockerd does not stop within {STOP:?} and is killed");
        if let Err(error) = child.kill().and_then(|()| child.wait().map(|_| ())) {
            println!("dockerd cannot be killed: {error}");
        }
    }
}
