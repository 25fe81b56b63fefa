//! A fleet coordinator and its sites, as processes.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixture;
use crate::process::{Certificates, Process, Program, Ran};

/// A fleet coordinator that was restarted knows all of its sites again within this.
pub const BACK_WITHIN: Duration = Duration::from_secs(10);

/// Nothing takes this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A port that was free a moment ago: a coordinator that is restarted has to be found where it was.
fn port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A fleet coordinator and its sites, in a folder of their own.
#[derive(Debug)]
pub struct Setup {
    program: Program,
    /// Where everything of it lies.
    pub home: tempfile::TempDir,
    /// Of one authority, which all trust.
    pub certificates: Certificates,
    /// Where the fleet coordinator listens.
    pub address: String,
}

impl Setup {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(program: Program) -> Self {
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(&home.path().join("certificates"));
        Self {
            program,
            home,
            certificates,
            address: port(),
        }
    }

    /// Starts the fleet coordinator.
    #[must_use]
    pub fn fleet(&self) -> Process {
        let store = self.home.path().join("fleet");
        self.program.coordinator(
            &self.certificates,
            &store,
            &["--role", "fleet", "--listen", &self.address],
        )
    }

    /// Starts a site.
    #[must_use]
    pub fn site(&self, name: &str, more: &[&str]) -> Process {
        self.certificates.issue_user(name);
        let (url, files) = (format!("https://{}", self.address), self.certificates.options(name));
        let mut options = vec!["--commit-every", "300ms", "--fleet", &url, "--site", name];
        options.extend(["--fleet-cert", &files[3], "--fleet-key", &files[5]]);
        options.extend(more);
        self.program
            .coordinator(&self.certificates, &self.home.path().join(name), &options)
    }

    /// Plays a recording to a site, and waits until all of it is stored.
    pub fn play(&self, site: &Process, name: &str, cluster: &str, recording: &str, nodes: &[&str]) {
        self.play_folder(site, name, cluster, &fixture::recording(recording), nodes);
    }

    /// The same with a recording that is not one of the repository's.
    pub fn play_folder(&self, site: &Process, name: &str, cluster: &str, recording: &Path, nodes: &[&str]) {
        let home = self.home.path().join(format!("spools-{name}-{cluster}"));
        let start = |node: &&str| {
            let more = ["--cluster", cluster];
            self.program
                .node(&self.certificates, &site.address, recording, node, &home, &more)
        };
        let mut daemons: Vec<Process> = nodes.iter().map(start).collect();
        daemons
            .iter_mut()
            .for_each(|daemon| assert_eq!(daemon.wait(), 0, "{}", daemon.said()));
    }

    /// Asks a coordinator as the user.
    #[must_use]
    pub fn ask(&self, coordinator: &Process, arguments: &[&str]) -> Ran {
        self.program.ask(&self.certificates, &coordinator.address, arguments)
    }

    /// How the fleet is, once it is as it should be.
    pub fn fleet_health(&self, fleet: &Process, settled: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let ran = self.ask(fleet, &["fleet", "-o", "json"]);
            assert!(ran.code == 0 || ran.code == 4, "{}", ran.err);
            let health = ran.json();
            if settled(&health) {
                return health;
            }
            assert!(started.elapsed() < PATIENCE, "{health:#}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// The clusters as a coordinator lists them, once they are as they should be.
    pub fn clusters(&self, coordinator: &Process, within: Duration, settled: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let started = Instant::now();
        loop {
            let ran = self.ask(coordinator, &["clusters", "-o", "json"]);
            assert!(ran.code == 0 || ran.code == 4, "{}", ran.err);
            let clusters = ran.json()["clusters"].as_array().unwrap().clone();
            if settled(&clusters) {
                return clusters;
            }
            assert!(started.elapsed() < within, "{clusters:#?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A cluster of a list.
#[must_use]
pub fn find<'a>(clusters: &'a [Value], site: &str, cluster: &str) -> Option<&'a Value> {
    clusters
        .iter()
        .find(|found| found["site"] == site && found["cluster"] == cluster)
}

/// Whether all clusters are connected and have told their findings.
#[must_use]
pub fn told(clusters: &[Value], count: usize) -> bool {
    clusters.len() == count
        && clusters
            .iter()
            .all(|cluster| cluster["reach"] != "missing" && !cluster["open_findings"].is_null())
}
