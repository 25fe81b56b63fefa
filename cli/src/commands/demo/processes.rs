//! The demo's processes: a coordinator and a daemon a node, with throw-away certificates.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fathom_identity::authority::{Authority, Leaf};
use fathom_lab::Recording;
use fathom_lab::replay::cluster_of;
use fathom_model::Tap;
use fathom_runtime::clock::{Clock, SystemClock};

use super::stop::Stop;
use crate::commands::roles::END_WITH_STDIN;
use crate::context::{Context, ContextFile};
use crate::error::{Error, Result};
use crate::render::table::one_line;
use crate::scope::tell;

/// Throw-away certificates are good for so long.
pub(super) const VALID: Duration = Duration::from_secs(7 * 24 * 3600);

/// What was joined is stored this often, so that a demo that stays up shows a store and not only memory.
pub(super) const COMMIT_EVERY: &str = "2s";

/// A process and what it says. It ends when this is dropped.
pub(super) struct Running {
    name: String,
    child: Child,
    /// Reads what it says into its log, and gives back the line that says most.
    said: Option<JoinHandle<Option<String>>>,
}

/// The demo's processes. They end when this is dropped, or when this process ends in any other way.
pub(super) struct Processes {
    pub(super) program: PathBuf,
    pub(super) context: Context,
    pub(super) context_file: PathBuf,
    coordinator: Running,
    daemons: Vec<Running>,
}

impl Processes {
    /// Starts everything in `home`, without some taps and at a pace, unless it is asked to stop.
    pub(super) fn start(
        recording: &Recording,
        home: &Path,
        (without, pace): (&[Tap], Option<f64>),
        stop: &Stop,
    ) -> Result<Self> {
        let program = std::env::current_exe().map_err(|source| Error::File {
            path: "fathom".into(),
            source,
        })?;
        let certificates = home.join("certificates");
        fs::create_dir_all(&certificates).map_err(|source| Error::File {
            path: certificates.clone(),
            source,
        })?;
        let authority = Authority::throw_away("Fathom demo", SystemClock.now(), VALID)?;
        let ca = authority.write_to(&certificates, "ca")?;
        let issue = |name: &str, server: bool| {
            let leaf = loopback_leaf(name, server, !server);
            Ok::<_, Error>(authority.issue(&leaf)?.write_to(&certificates, name)?)
        };
        let cluster = cluster_of(recording).to_string();

        let (cert, key) = issue("coordinator", true)?;
        let mut coordinator = role(&program, "coordinator");
        coordinator.args(["--listen", "127.0.0.1:0", "--commit-every", COMMIT_EVERY]);
        let files = [
            ("--store", &home.join("store")),
            ("--ca", &ca),
            ("--cert", &cert),
            ("--key", &key),
        ];
        for (option, path) in files {
            coordinator.arg(option).arg(path);
        }
        let mut coordinator = spawn("coordinator", coordinator, home, Stdio::piped())?;
        let address = listening(&mut coordinator)?;

        let (cert, key) = issue("you", false)?;
        let context = Context {
            coordinator: address.clone(),
            cluster: cluster.clone(),
            ca: ca.clone(),
            cert,
            key,
        };
        let context_file = home.join("context.toml");
        ContextFile {
            coordinator: Some(context.coordinator.clone()),
            cluster: Some(context.cluster.clone()),
            ca: Some(context.ca.clone()),
            cert: Some(context.cert.clone()),
            key: Some(context.key.clone()),
            ..ContextFile::default()
        }
        .write(&context_file)?;

        let mut processes = Self {
            program,
            context,
            context_file,
            coordinator,
            daemons: Vec::new(),
        };
        for node in recording.nodes() {
            stop.check()?;
            if node.events.is_none() {
                tell!(
                    "node {} has no events in this recording: nobody speaks for it",
                    one_line(node.id.as_str())
                );
                continue;
            }
            let (cert, key) = issue(node.id.as_str(), false)?;
            let mut daemon = role(&processes.program, "node");
            daemon.args([
                "--coordinator",
                &address,
                "--cluster",
                &cluster,
                "--node",
                node.id.as_str(),
            ]);
            let spool = home.join("spool").join(node.id.as_str());
            let files = [
                ("--spool", spool.as_path()),
                ("--replay", recording.directory()),
                ("--ca", &ca),
                ("--cert", &cert),
                ("--key", &key),
            ];
            for (option, path) in files {
                daemon.arg(option).arg(path);
            }
            for tap in without {
                daemon.args(["--without-tap", tap.as_str()]);
            }
            if let Some(pace) = pace {
                daemon.args(["--pace", &pace.to_string()]);
            }
            let name = format!("node {}", node.id);
            processes.daemons.push(spawn(&name, daemon, home, Stdio::null())?);
        }
        Ok(processes)
    }

    /// How many daemons there are.
    pub(super) fn nodes(&self) -> usize {
        self.daemons.len()
    }

    /// Whether all daemons have sent everything: they end by themselves then. An error when a process has failed.
    pub(super) fn check(&mut self) -> Result<bool> {
        self.check_coordinator()?;
        let mut all_ended = true;
        for daemon in &mut self.daemons {
            match daemon.child.try_wait() {
                Ok(Some(status)) if !status.success() => return Err(daemon.failed()),
                Ok(Some(_)) => {}
                _ => all_ended = false,
            }
        }
        Ok(all_ended)
    }

    /// An error when the coordinator has ended.
    pub(super) fn check_coordinator(&mut self) -> Result<()> {
        match self.coordinator.child.try_wait() {
            Ok(Some(_)) => Err(self.coordinator.failed()),
            _ => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ending at any moment is safe, and one that has ended already cannot be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// An error when it has failed; that it has done its work and ended is none.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.child.try_wait() {
            Ok(Some(status)) if !status.success() => Err(self.failed()),
            _ => Ok(()),
        }
    }

    /// What was wrong: the error that it told, else how it ended and what it said last. Only for a process that has ended.
    fn failed(&mut self) -> Error {
        let said = self.said.take().and_then(|said| said.join().ok()).flatten();
        let told = said.as_deref().and_then(|line| line.strip_prefix("error: "));
        let cause = told.map(ToOwned::to_owned).unwrap_or_else(|| {
            let ended = self
                .child
                .wait()
                .map_or_else(|error| error.to_string(), |status| status.to_string());
            match &said {
                Some(line) => format!("{ended}; it said last: {line}"),
                None => format!("{ended}; it said nothing"),
            }
        });
        Error::Process {
            name: self.name.clone(),
            cause,
        }
    }
}

/// Copies what a process says to its log until it ends; its last error, or else its last line. The log may lie on a disk that is
/// full, and that is then what the process has to say: so nothing here depends on the log.
fn listen(said: impl Read, mut log: File) -> Option<String> {
    let mut last: Option<String> = None;
    let mut lines = BufReader::new(said);
    let mut line = Vec::new();
    // An error reads as the end.
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let _ = log.write_all(&line);
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let is_error = |line: &str| line.starts_with("error: ");
        if is_error(&text) || !last.as_deref().is_some_and(is_error) {
            last = Some(text);
        }
        line.clear();
    }
    last
}

/// A role of this program. Its settings come from its arguments alone, and it ends with us.
pub(super) fn role(program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    for (variable, _) in std::env::vars_os() {
        let ours = variable.to_string_lossy().starts_with("FATHOM_")
            && variable != fathom_runtime::logging::ENVIRONMENT_VARIABLE;
        if ours {
            command.env_remove(variable);
        }
    }
    command.env(END_WITH_STDIN, "1").arg(name);
    command
}

pub(super) fn spawn(name: &str, mut command: Command, home: &Path, stdout: Stdio) -> Result<Running> {
    let logs = home.join("logs");
    let log = logs.join(format!("{}.log", name.replace(' ', "-")));
    let file = fs::create_dir_all(&logs).and_then(|()| File::create(&log));
    let file = file.map_err(|source| Error::File {
        path: log.clone(),
        source,
    })?;
    let started = command
        .stdin(Stdio::piped())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|source| Error::File {
        path: command.get_program().into(),
        source,
    })?;
    let said = child.stderr.take();
    let reader = thread::Builder::new().name(format!("log of {name}"));
    let said = said.map(|said| reader.spawn(move || listen(said, file)));
    let said = match said.transpose() {
        Ok(said) => said,
        Err(source) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::Runtime(source));
        }
    };
    Ok(Running {
        name: name.to_owned(),
        child,
        said,
    })
}

/// The address that the coordinator says it listens on.
pub(super) fn listening(coordinator: &mut Running) -> Result<String> {
    let mut line = String::new();
    if let Some(stdout) = coordinator.child.stdout.take() {
        // An error reads as silence, and silence as a coordinator that ended.
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    match line.trim().strip_prefix("listening on ") {
        Some(address) => Ok(address.to_owned()),
        None => {
            let _ = coordinator.child.wait();
            Err(coordinator.failed())
        }
    }
}

/// What a throw-away certificate of a demo says: a server is found on loopback.
pub(super) fn loopback_leaf(name: &str, server: bool, client: bool) -> Leaf {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Leaf {
        common_name: name.to_owned(),
        ip_addresses: if server { vec![loopback] } else { Vec::new() },
        server,
        client,
        not_before: SystemClock.now(),
        valid: VALID,
        ..Leaf::default()
    }
}
