//! `fathom demo --fleet`: three simulated clusters at two sites, one fleet coordinator, and the way from all of them to one drive.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::Parser;
use fathom_identity::authority::Authority;
use fathom_lab::simulate::{prepare, write};
use fathom_lab::simulator::scenario::Options;
use fathom_lab::simulator::{Scenario, simulate};
use fathom_proto::fleet::v1 as wire;
use fathom_runtime::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use super::home::{Home, Played};
use super::processes::{COMMIT_EVERY, Running, VALID, listening, loopback_leaf, role, spawn};
use super::stop::Stop;
use super::{POLL, hints, stay_until};
use crate::args::{Arguments, DemoArgs, Output};
use crate::client::Client;
use crate::commands::print;
use crate::context::{Context, ContextFile};
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::scope::tell;
use crate::scope::{Deadline, Scope};

/// A cluster of the demo: where it is and what is wrong with it.
struct Simulated {
    site: &'static str,
    cluster: &'static str,
    scenario: Scenario,
}

const CLUSTERS: [Simulated; 3] = [
    Simulated {
        site: "berlin",
        cluster: "prod-1",
        scenario: Scenario::Healthy,
    },
    Simulated {
        site: "berlin",
        cluster: "prod-2",
        scenario: Scenario::SlowDisk,
    },
    Simulated {
        site: "oslo",
        cluster: "edge-1",
        scenario: Scenario::MissingDaemon,
    },
];

const SITES: [(&str, &str); 2] = [("berlin", "country=de"), ("oslo", "country=no")];

/// Volume writes of each cluster: about six seconds, enough for what is wrong to be more than chance.
const WRITES: u64 = 30_000;

/// A node that says nothing is given up after this: the demo shows what that looks like.
const SILENCE: &str = "2s";

/// It is over by then, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(90);

/// All that runs.
struct Fleet {
    program: PathBuf,
    home: PathBuf,
    authority: Authority,
    /// Ended, in this order, when this is dropped.
    running: Vec<Running>,
}

pub(super) fn run(arguments: &DemoArgs, stop: &Stop, output: Output) -> Result<Code> {
    let started = Instant::now();
    let home = Home::open(arguments.dir.as_deref(), &Played::named("fleet"))?;
    let program = std::env::current_exe().map_err(|source| Error::File {
        path: "fathom".into(),
        source,
    })?;
    let mut fleet = Fleet {
        program,
        authority: Authority::throw_away("Fathom demo", SystemClock.now(), VALID)?,
        home: home.path().to_owned(),
        running: Vec::new(),
    };
    let context_file = fleet.start(stop)?;
    let guilty = super::unless_stopped(stop, fleet.settled(&context_file))?;
    tell!(
        "two sites with three clusters have joined, and are joined to their ends, after {:.1} s",
        started.elapsed().as_secs_f64()
    );
    show(&context_file, &guilty, output)?;
    if !arguments.once {
        let hint = fleet.hint(&context_file, &guilty);
        stay_until(&hint, stop, || fleet.check())?;
    }
    Ok(Code::Fine)
}

impl Fleet {
    /// Starts the fleet coordinator, the sites, and a daemon a node. The context file of whoever asks.
    fn start(&mut self, stop: &Stop) -> Result<PathBuf> {
        let certificates = self.home.join("certificates");
        std::fs::create_dir_all(&certificates).map_err(|source| Error::File {
            path: certificates.clone(),
            source,
        })?;
        let ca = self.authority.write_to(&certificates, "ca")?;
        let fleet = self.coordinator("fleet", &["--role", "fleet", "--site", "headquarters"], None)?;
        let mut sites = Vec::new();
        for (site, label) in SITES {
            let options = ["--site", site, "--label", label, "--silence", SILENCE];
            sites.push((site, self.coordinator(site, &options, Some(&fleet))?));
        }
        let (cert, key) = self.issue("you", false)?;
        let context_file = self.home.join("context.toml");
        ContextFile {
            coordinator: Some(fleet),
            ca: Some(ca),
            cert: Some(cert),
            key: Some(key),
            ..ContextFile::default()
        }
        .write(&context_file)?;
        for simulated in &CLUSTERS {
            stop.check()?;
            let address = sites.iter().find(|(site, _)| *site == simulated.site);
            if let Some((_, address)) = address {
                self.play(simulated, address)?;
            }
        }
        Ok(context_file)
    }

    fn issue(&self, name: &str, server: bool) -> Result<(PathBuf, PathBuf)> {
        let leaf = loopback_leaf(name, server, true);
        Ok(self
            .authority
            .issue(&leaf)?
            .write_to(&self.home.join("certificates"), name)?)
    }

    /// Starts a coordinator, as a site where it joins a fleet; its address.
    fn coordinator(&mut self, name: &str, options: &[&str], joins: Option<&str>) -> Result<String> {
        let (cert, key) = self.issue(name, true)?;
        let mut command = role(&self.program, "coordinator");
        command.args(["--listen", "127.0.0.1:0", "--commit-every", COMMIT_EVERY]);
        command.args(options);
        if let Some(fleet) = joins {
            command.args(["--fleet", fleet]);
        }
        for (option, path) in [
            ("--store", self.home.join("stores").join(name)),
            ("--ca", self.home.join("certificates").join("ca.crt")),
            ("--cert", cert),
            ("--key", key),
        ] {
            command.arg(option).arg(path);
        }
        let mut process = spawn(&format!("coordinator {name}"), command, &self.home, Stdio::piped())?;
        let address = listening(&mut process)?;
        self.running.push(process);
        Ok(address)
    }

    /// Simulates a cluster and starts its daemons.
    fn play(&mut self, simulated: &Simulated, address: &str) -> Result<()> {
        let Simulated {
            site,
            cluster,
            scenario,
        } = *simulated;
        tell!("{site}/{cluster}: {}", scenario.about());
        let options = Options {
            seed: Some(7),
            writes: Some(WRITES),
            ..Options::default()
        };
        let folder = self.home.join("recordings").join(cluster);
        prepare(&folder, true)?;
        write(&simulate(&scenario.config(&options))?, scenario.about(), &folder)?;
        let recording = fathom_lab::open(&folder)?;
        for node in recording.nodes().iter().filter(|node| node.events.is_some()) {
            let name = format!("{cluster}-{}", node.id);
            let (cert, key) = self.issue(&name, false)?;
            let mut daemon = role(&self.program, "node");
            daemon.args([
                "--coordinator",
                address,
                "--cluster",
                cluster,
                "--node",
                node.id.as_str(),
            ]);
            for (option, path) in [
                ("--spool", self.home.join("spools").join(&name)),
                ("--replay", folder.clone()),
                ("--ca", self.home.join("certificates").join("ca.crt")),
                ("--cert", cert),
                ("--key", key),
            ] {
                daemon.arg(option).arg(path);
            }
            self.running
                .push(spawn(&format!("node {name}"), daemon, &self.home, Stdio::null())?);
        }
        Ok(())
    }

    /// An error when a process has failed.
    fn check(&mut self) -> Result<()> {
        self.running.iter_mut().try_for_each(Running::check)
    }

    /// Waits until the fleet coordinator knows how every cluster is; the address of the one with most findings.
    async fn settled(&mut self, context_file: &Path) -> Result<String> {
        let started = Instant::now();
        let context = Context::of_file(context_file)?;
        let client = Client::connect(&context).await?;
        let expected = ["ok", "degraded", "unknown"];
        loop {
            self.check()?;
            let clusters = client.clusters(wire::Selection::default()).await?.items;
            let is_settled = |cluster: &wire::ClusterStatus| {
                let simulated = CLUSTERS
                    .iter()
                    .position(|simulated| simulated.cluster == cluster.cluster);
                let wanted = simulated.and_then(|at| expected.get(at)).copied();
                // Whether a drive is slow or very slow is for the diagnosis to say.
                Some(cluster.state.as_str()) == wanted || (wanted == Some("degraded") && cluster.state == "critical")
            };
            if clusters.len() == CLUSTERS.len() && clusters.iter().all(is_settled) {
                let worst = clusters.into_iter().max_by_key(|cluster| cluster.open_findings);
                return Ok(worst.map(|worst| worst.address).unwrap_or_default());
            }
            if started.elapsed() > PATIENCE {
                let states: Vec<String> = clusters
                    .iter()
                    .map(|cluster| {
                        format!(
                            "{}/{} {} {}",
                            cluster.site, cluster.cluster, cluster.reach, cluster.state
                        )
                    })
                    .collect();
                return Err(Error::Process {
                    name: "the fleet".to_owned(),
                    cause: format!("its clusters are not as they were simulated: {}", states.join(", ")),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn hint(&self, context_file: &Path, guilty: &str) -> String {
        let lines = hints::lines(&self.program, context_file, &offered(guilty));
        format!("The fleet stays up. Ask more:\n{lines}\nCtrl-C ends it.")
    }
}

/// What to ask more; what goes on until it is ended is the last, so that all can be pasted at once.
fn offered(guilty: &str) -> Vec<String> {
    vec![
        "clusters --site berlin".to_owned(),
        format!("writes --slowest 10 --cluster {guilty}"),
        "latency --all-clusters".to_owned(),
        "findings --cluster country=de".to_owned(),
        "fleet --watch".to_owned(),
    ]
}

/// From all clusters to the one drive: the commands that anybody would give, each with its answer.
fn show(context_file: &Path, guilty: &str, output: Output) -> Result<()> {
    let steps: [(&str, &[&str]); 4] = [
        ("fleet", &["fleet"]),
        ("clusters", &["clusters"]),
        ("findings", &["findings", "--cluster", guilty]),
        ("why", &["why", "--cluster", guilty]),
    ];
    let mut documents = json!({"run": "fleet"});
    for (name, step) in steps {
        let format = if output == Output::Json { "json" } else { "table" };
        let context = context_file.display().to_string();
        let options = ["--context", &context, "-o", format];
        let arguments = Arguments::try_parse_from(["fathom"].iter().chain(step).chain(&options));
        let arguments = arguments.map_err(|error| Error::Output(std::io::Error::other(error)))?;
        let deadline = Deadline::after(PATIENCE);
        // Of this very demo: who is missing in it is missing on purpose.
        let (result, scope) = Scope::new(guilty.to_owned(), deadline).run(|| crate::run(arguments));
        result?;
        match output {
            Output::Table => print(&format!("\n$ fathom {}\n{}", step.join(" "), scope.text))?,
            Output::Json => {
                let mut document = scope.document.unwrap_or_default();
                document.remove("schema");
                documents[name] = Value::Object(document);
            }
        }
    }
    match output {
        Output::Json => json::print(documents),
        Output::Table => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::offered;

    #[test]
    fn what_never_ends_is_offered_last() {
        let offered = offered("prod-2");
        let endless = offered.iter().position(|command| command.contains("--watch"));
        assert_eq!(endless, Some(offered.len() - 1), "{offered:?}");
    }
}
