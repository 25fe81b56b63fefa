//! The roles and commands as real processes.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use fathom_identity::authority::{Authority, Leaf};
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::query_service_client::QueryServiceClient;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// Nothing in these tests takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// For how long certificates are valid.
const VALID: Duration = Duration::from_secs(3600);

/// Certificates of one authority.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
    authority: Authority,
    not_before: SystemTime,
}

impl Certificates {
    /// An authority with certificates for a coordinator and a user, in a folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "certificates are checked against the real clock"
        )]
        let now = SystemTime::now();
        let authority = Authority::throw_away("test", now, VALID).unwrap();
        authority.write_to(folder, "ca").unwrap();
        let certificates = Self {
            folder: folder.to_owned(),
            authority,
            not_before: now,
        };
        certificates.issue(&Leaf {
            common_name: "coordinator".to_owned(),
            ip_addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            server: true,
            ..certificates.leaf()
        });
        certificates.issue_user("user");
        certificates
    }

    /// A certificate for a server that is called by a host name; under its own name it is a client too.
    pub fn issue_host(&self, name: &str, host: &str) {
        self.issue(&Leaf {
            common_name: name.to_owned(),
            dns_names: vec![host.to_owned()],
            server: true,
            client: true,
            ..self.leaf()
        });
    }

    /// A certificate for a client.
    pub fn issue_user(&self, name: &str) {
        self.issue(&Leaf {
            common_name: name.to_owned(),
            client: true,
            ..self.leaf()
        });
    }

    /// What all have in common: valid from now, for an hour.
    fn leaf(&self) -> Leaf {
        Leaf {
            not_before: self.not_before,
            valid: VALID,
            ..Leaf::default()
        }
    }

    fn issue(&self, leaf: &Leaf) {
        let issued = self.authority.issue(leaf).unwrap();
        issued.write_to(&self.folder, &leaf.common_name).unwrap();
    }

    /// `--ca`, `--cert` and `--key` for a name, each with its file.
    #[must_use]
    pub fn files(&self, name: &str) -> [(&'static str, PathBuf); 3] {
        [
            ("--ca", self.folder.join("ca.crt")),
            ("--cert", self.folder.join(format!("{name}.crt"))),
            ("--key", self.folder.join(format!("{name}.key"))),
        ]
    }

    /// The same as arguments.
    #[must_use]
    pub fn options(&self, name: &str) -> Vec<String> {
        let files = self.files(name).into_iter();
        files
            .flat_map(|(option, file)| [option.to_owned(), file.display().to_string()])
            .collect()
    }

    /// The text of a file.
    #[must_use]
    pub fn pem(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// A connection to a coordinator, as the user.
    pub async fn channel(&self, address: &str) -> Channel {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.pem("ca.crt")))
            .identity(Identity::from_pem(self.pem("user.crt"), self.pem("user.key")));
        Endpoint::from_shared(address.to_owned())
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .connect()
            .await
            .unwrap()
    }
}

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// What a coordinator said that it listens on.
    pub address: String,
}

impl Process {
    /// Kills it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets it stand still, as a machine that hangs: its connections stay open.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Sends it a signal, as `-HUP`.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Asks it to stop and waits; its exit code.
    pub fn terminate(&mut self) -> i32 {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        self.wait()
    }

    /// Waits for its end; its exit code.
    pub fn wait(&mut self) -> i32 {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it said on standard error, once it has ended.
    pub fn said(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Lines that it says on standard error while it runs, up to the one after which it is enough.
    pub fn said_until(&mut self, mut enough: impl FnMut(&str) -> bool) -> Vec<String> {
        let said = BufReader::new(self.child.stderr.as_mut().unwrap());
        let mut lines = Vec::new();
        for line in said.lines().map_while(Result::ok) {
            let is_last = enough(&line);
            lines.push(line);
            if is_last {
                break;
            }
        }
        lines
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program under test.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    /// Runs it where it is one for Windows.
    wine: Option<PathBuf>,
}

impl Program {
    /// By the path that cargo tells tests (`env!("CARGO_BIN_EXE_fathom-under-test")`).
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            path: path.into(),
            wine: None,
        }
    }

    /// A program for Windows, run by Wine in the folder that `WINEPREFIX` names.
    #[must_use]
    pub fn under_wine(wine: &Path, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            wine: Some(wine.to_owned()),
        }
    }

    /// A path as the program spells it: Wine has the root folder as drive Z.
    #[must_use]
    pub fn spelled(&self, path: &Path) -> OsString {
        match self.wine {
            Some(_) => format!("Z:{}", path.display()).replace('/', "\\").into(),
            None => path.into(),
        }
    }

    /// What starts a node daemon: a command of `fathom`, or of the daemon's own program.
    fn node_command(&self) -> &'static str {
        if self.path.file_stem().is_some_and(|name| name == "fathom-node") {
            "run"
        } else {
            "node"
        }
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = match &self.wine {
            Some(wine) => {
                let mut command = Command::new(wine);
                command.arg(&self.path);
                command
            }
            None => Command::new(&self.path),
        };
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FATHOM_")) {
            command.env_remove(variable);
        }
        // No context of whoever runs the tests.
        command
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Asks a coordinator, as the user `user`.
    #[must_use]
    pub fn ask(&self, certificates: &Certificates, address: &str, arguments: &[&str]) -> Ran {
        self.ask_in(certificates, address, arguments, &[])
    }

    /// The same in an environment with these variables.
    #[must_use]
    pub fn ask_in(
        &self,
        certificates: &Certificates,
        address: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Ran {
        let connection = certificates.options("user");
        let options = ["--coordinator", address]
            .into_iter()
            .chain(connection.iter().map(String::as_str));
        let mut command = self.command(arguments.iter().copied().chain(options));
        Ran::of(command.envs(variables.iter().copied()).output().unwrap())
    }

    /// Starts a command that goes on.
    #[must_use]
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Process {
        self.start_in(arguments, &[])
    }

    /// The same in an environment with these variables.
    #[must_use]
    pub fn start_in<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        variables: &[(&str, &str)],
    ) -> Process {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        Process {
            child: command.spawn().unwrap(),
            address: String::new(),
        }
    }

    /// Lines of a command that goes on, up to the one after which it is enough; then it is killed.
    pub fn lines_until<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        mut enough: impl FnMut(&str) -> bool,
    ) -> Vec<String> {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut lines = Vec::new();
        for line in out.lines().map_while(Result::ok) {
            let is_last = enough(&line);
            lines.push(line);
            if is_last {
                break;
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        lines
    }

    /// Starts a coordinator and waits until it listens.
    #[must_use]
    pub fn coordinator(&self, certificates: &Certificates, store: &Path, more: &[&str]) -> Process {
        let mut process = self.try_coordinator(certificates, store, more);
        let mut line = String::new();
        BufReader::new(process.child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        match line.trim().strip_prefix("listening on ") {
            Some(address) => address.clone_into(&mut process.address),
            None => panic!("it does not listen: {}", process.said()),
        }
        process
    }

    /// Starts a coordinator that may fail.
    #[must_use]
    pub fn try_coordinator(&self, certificates: &Certificates, store: &Path, more: &[&str]) -> Process {
        let mut command = self.command(["coordinator", "--store"]);
        command.arg(store).args(certificates.options("coordinator"));
        if !more.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        Process {
            child: command.spawn().unwrap(),
            address: String::new(),
        }
    }

    /// Starts a daemon that plays its node's part of a recording.
    #[must_use]
    pub fn node(
        &self,
        certificates: &Certificates,
        address: &str,
        recording: &Path,
        node: &str,
        home: &Path,
        more: &[&str],
    ) -> Process {
        let spool = home.join("spool").join(node);
        let mut command = self.command([self.node_command(), "--coordinator", address, "--node", node]);
        if !more.contains(&"--cluster") {
            command.args(["--cluster", "test"]);
        }
        command
            .arg("--replay")
            .arg(self.spelled(recording))
            .arg("--spool")
            .arg(self.spelled(&spool));
        for (option, file) in certificates.files("user") {
            command.arg(option).arg(self.spelled(&file));
        }
        command.args(more);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        Process {
            child: command.spawn().unwrap(),
            address: String::new(),
        }
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output as a JSON document.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {} / {}", self.out, self.err))
    }
}

/// Waits until the coordinator has joined and stored everything.
pub async fn finished(certificates: &Certificates, address: &str) {
    let started = Instant::now();
    let mut client = QueryServiceClient::new(certificates.channel(address).await);
    loop {
        let status = client.get_status(wire::GetStatusRequest {}).await.unwrap().into_inner();
        if status
            .clusters
            .iter()
            .any(|cluster| cluster.finished && cluster.events > 0)
        {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "it does not finish: {status:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A failure says what was wrong on standard error, nothing on standard output, and never panics.
///
/// # Panics
///
/// When that is not so.
pub fn assert_fails(ran: &Ran, code: i32, says: &[&str]) {
    assert_eq!(ran.code, code, "{} {}", ran.out, ran.err);
    for expected in says {
        assert!(ran.err.contains(expected), "`{expected}` is not in: {}", ran.err);
    }
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
}
