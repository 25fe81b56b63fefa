//! A site of the fleet: its coordinator, its cluster's daemons, and how many I/Os there are to be found.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fathom_integration_tests::process::{Program, Ran};

use crate::WAN;
use crate::engine::{Engine, PATIENCE, Plan, Role};

const PORT: u16 = 7443;

/// Where roles find their files.
pub(crate) const CERTIFICATES: &str = "/etc/fathom";
const RECORDING: &str = "/recording";
pub(crate) const STORE: &str = "/var/lib/fathom/store";

/// So long that all that is done in the middle is done in the middle.
const SECONDS: &str = "120";

const NODES: [&str; 2] = ["n0", "n1"];

/// How many there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) writes: u64,
    pub(crate) reads: u64,
    pub(crate) flushes: u64,
}

impl Counts {
    /// Whether none is more than there are.
    pub(crate) fn within(&self, all: &Self) -> bool {
        self.writes <= all.writes && self.reads <= all.reads && self.flushes <= all.flushes
    }

    pub(crate) fn of(&mut self, what: &str) -> &mut u64 {
        match what {
            "writes" => &mut self.writes,
            "reads" => &mut self.reads,
            _ => &mut self.flushes,
        }
    }
}

/// A site with its cluster.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) cluster: &'static str,
    pub(crate) recording: PathBuf,
    /// What one process makes of the recording.
    pub(crate) expected: Counts,
    pub(crate) daemons: Vec<Role>,
    pub(crate) coordinator: Role,
}

impl Site {
    pub(crate) fn start(
        engine: &Arc<Engine>,
        program: &Program,
        home: &tempfile::TempDir,
        (name, cluster, seed): (&'static str, &'static str, &'static str),
    ) -> Self {
        let recording = home.path().join(cluster);
        let expected = simulate(program, &recording, seed);
        let certificates = home.path().join("certificates");
        engine.network(name);
        let host = engine.name(name);
        let mut arguments = coordinator(name);
        let fleet = format!("https://{}:{PORT}", engine.name("fleet"));
        arguments.extend(["--fleet", &fleet, "--site", name].map(str::to_owned));
        let coordinator = engine.start(Plan {
            name,
            network: name,
            files: &[(&certificates, CERTIFICATES)],
            arguments,
            says: Some("listening on"),
        });
        coordinator.connect(WAN);
        let daemon = |node: &&str| {
            let mut arguments: Vec<String> = ["node", "--coordinator"].map(str::to_owned).to_vec();
            arguments.push(format!("https://{host}:{PORT}"));
            arguments.extend(["--cluster", cluster, "--node", node, "--replay", RECORDING].map(str::to_owned));
            arguments.extend(["--pace", "1", "--spool", "/var/lib/fathom/spool"].map(str::to_owned));
            arguments.extend(credentials("user"));
            engine.start(Plan {
                name: &format!("{cluster}-{node}"),
                network: name,
                files: &[(&certificates, CERTIFICATES), (&recording, RECORDING)],
                arguments,
                says: None,
            })
        };
        Self {
            name,
            cluster,
            expected,
            daemons: NODES.iter().map(daemon).collect(),
            recording,
            coordinator,
        }
    }

    /// What its own coordinator says, asked where it is.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for what in ["writes", "reads", "flushes"] {
            let question = [what, "--limit", "1", "-o", "json"];
            let ran = ask(&self.coordinator, self.coordinator.host(), &question);
            assert_eq!(ran.code, 0, "{}", ran.err);
            *counts.of(what) = ran.json()["total"].as_u64().unwrap();
        }
        assert!(counts.within(&self.expected), "{} has {counts:?}", self.name);
        counts
    }

    /// Waits until there is more than there was.
    pub(crate) fn grows_beyond(&self, before: Counts) -> Counts {
        let started = Instant::now();
        loop {
            let counts = self.counts();
            if counts.writes > before.writes {
                return counts;
            }
            assert!(started.elapsed() < PATIENCE, "{} stays at {counts:?}", self.name);
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// What is done now is done in the middle.
    pub(crate) fn assert_playing(&self) {
        for daemon in &self.daemons {
            assert!(daemon.runs(), "{} has ended before its time", daemon.host());
        }
    }
}

/// Simulates a cluster that is not busy, and counts what one process finds in it.
fn simulate(program: &Program, folder: &Path, seed: &str) -> Counts {
    let nodes = NODES.len().to_string();
    let shape = [
        "simulate",
        "--scenario",
        "mixed-ops",
        "--nodes",
        &nodes,
        "--show-config",
    ];
    let config = program.run(shape).out;
    let calm = config.replace("rate = 2000.0", "rate = 100.0");
    assert_ne!(calm, config);
    let (file, folder) = (folder.with_extension("toml"), folder.display().to_string());
    std::fs::write(&file, calm).unwrap();
    let file = file.display().to_string();
    let made = program.run([
        "simulate",
        &folder,
        "--config",
        &file,
        "--seed",
        seed,
        "--seconds",
        SECONDS,
    ]);
    assert_eq!(made.code, 0, "{}", made.err);
    let replayed = program.run(["replay", &folder, "-o", "json"]).json();
    let count = |what: &str| replayed["joined"][what].as_u64().unwrap();
    let counts = Counts {
        writes: count("writes"),
        reads: count("reads"),
        flushes: count("flushes"),
    };
    assert!(
        counts.writes > 1_000 && counts.reads > 1_000 && counts.flushes > 10,
        "{counts:?}"
    );
    counts
}

/// A coordinator's arguments, whatever its role.
pub(crate) fn coordinator(name: &str) -> Vec<String> {
    let listen = format!("0.0.0.0:{PORT}");
    let fixed = [
        "coordinator",
        "--listen",
        &listen,
        "--store",
        STORE,
        "--commit-every",
        "1s",
    ];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
    arguments.extend(credentials(name));
    arguments
}

fn credentials(name: &str) -> [String; 6] {
    [
        "--ca".to_owned(),
        format!("{CERTIFICATES}/ca.crt"),
        "--cert".to_owned(),
        format!("{CERTIFICATES}/{name}.crt"),
        "--key".to_owned(),
        format!("{CERTIFICATES}/{name}.key"),
    ]
}

/// Asks a host as the user, from where a role is.
pub(crate) fn ask(from: &Role, host: &str, question: &[&str]) -> Ran {
    let mut arguments: Vec<String> = question.iter().map(|&word| word.to_owned()).collect();
    arguments.extend(["--coordinator".to_owned(), format!("https://{host}:{PORT}")]);
    arguments.extend(credentials("user"));
    from.run(&arguments)
}
