//! A fleet coordinator, two sites and a daemon a node, each in a container, on networks that lead nowhere else: questions across, a site
//! that is cut off, and every role killed. `cargo xtask containers` makes sure of an engine and runs this.
//!
//! What containers prove beyond processes on loopback: names are looked up, addresses change, a cut is silent (nobody's connection is
//! closed), and whoever should not be reached cannot be. The clusters are simulated, so how many I/Os there are is known beforehand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fathom_integration_tests::process::{Certificates, Program, assert_fails};
use fathom_integration_tests::stored;
use fathom_lab::replay::{Options, replay};
use serde_json::Value;

#[path = "containers/engine.rs"]
mod engine;
#[path = "containers/image.rs"]
mod image;
#[path = "containers/site.rs"]
mod site;

use engine::{Engine, PATIENCE, Plan, Role};
use site::{CERTIFICATES, Counts, STORE, Site, ask, coordinator};

/// The network between sites and fleet.
const WAN: &str = "wan";

/// A site is: its name, its cluster, and of which seed that is simulated.
const SITES: [(&str, &str, &str); 2] = [("berlin", "c1", "11"), ("oslo", "c2", "12")];

/// All that runs.
struct Lab {
    fleet: Role,
    sites: Vec<Site>,
    home: tempfile::TempDir,
}

/// What the fleet said of all clusters.
#[derive(Debug)]
struct Answer {
    code: i32,
    counts: BTreeMap<String, Counts>,
    /// Sites that could not be asked, each with the cause and since when.
    missing: BTreeMap<String, (String, Option<i64>)>,
    err: String,
}

#[test]
#[ignore = "needs a container engine: cargo xtask containers"]
fn sites_on_networks_of_their_own_are_asked_across_cut_off_and_killed_and_nothing_counts_twice() {
    let started = Instant::now();
    let say = |what: &str| eprintln!("{:6.1} s  {what}", started.elapsed().as_secs_f64());
    let program = Program::new(env!("CARGO_BIN_EXE_fathom-under-test"));
    let engine = Engine::with_image(Path::new(env!("CARGO_BIN_EXE_fathom-under-test")));
    say("the image is made");
    let lab = Lab::start(&engine, &program);
    say("all run");
    lab.only_sites_reach_the_fleet();
    say("daemons reach their site and nobody else");
    lab.killed_daemon_goes_on();
    say("a daemon was killed and goes on");
    lab.cut_site_is_named_and_comes_back(&say);
    lab.killed_site_is_named_and_comes_back();
    say("a site coordinator was killed and is back");
    lab.killed_fleet_finds_its_sites();
    say("the fleet coordinator was killed and has its sites");
    lab.assert_exact();
    say("all is played, and counts are exact");
    lab.every_role_killed_again();
    lab.assert_exact();
    say("every role was killed once more, and counts are the same");
    lab.assert_whole();
    say("what is stored is what one process joins");
}

impl Lab {
    fn start(engine: &Arc<Engine>, program: &Program) -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("certificates");
        let certificates = Certificates::new(&folder);
        let hosts = SITES.iter().map(|site| site.0).chain(["fleet"]);
        hosts.for_each(|host| certificates.issue_host(host, &engine.name(host)));
        engine.network(WAN);
        let mut arguments = coordinator("fleet");
        arguments.extend(["--role", "fleet"].map(str::to_owned));
        let fleet = engine.start(Plan {
            name: "fleet",
            network: WAN,
            files: &[(&folder, CERTIFICATES)],
            arguments,
            says: Some("listening on"),
        });
        let start = |site| Site::start(engine, program, &home, site);
        let sites = SITES.into_iter().map(start).collect();
        let lab = Self { fleet, sites, home };
        lab.complete("both clusters are there", |answer| {
            answer.counts.values().all(|counts| counts.writes > 0)
        });
        lab
    }

    fn site(&self, name: &str) -> &Site {
        self.sites.iter().find(|site| site.name == name).unwrap()
    }

    /// Asks the fleet coordinator about all clusters.
    fn ask(&self) -> Answer {
        let mut answer = Answer {
            code: 0,
            counts: BTreeMap::new(),
            missing: BTreeMap::new(),
            err: String::new(),
        };
        for what in ["writes", "reads", "flushes"] {
            let question = [what, "--limit", "1", "--all-clusters", "--deadline", "5s", "-o", "json"];
            let ran = ask(&self.fleet, self.fleet.host(), &question);
            assert!(
                ran.code == 0 || ran.code == 4 || ran.code == 1 || ran.code == 2,
                "{}",
                ran.err
            );
            answer.code = answer.code.max(ran.code);
            answer.err += &ran.err;
            if ran.code == 1 || ran.code == 2 {
                // Nobody answered, or nobody has joined yet.
                continue;
            }
            let document = ran.json();
            for cluster in document["clusters"].as_array().unwrap() {
                let name = cluster["site"].as_str().unwrap().to_owned();
                let counts = answer.counts.entry(name).or_default();
                *counts.of(what) = cluster["answer"]["total"].as_u64().unwrap();
            }
            for missing in document["missing"].as_array().unwrap() {
                let cause = missing["cause"].as_str().unwrap().to_owned();
                let name = missing["site"].as_str().unwrap().to_owned();
                answer.missing.insert(name, (cause, missing["since_unix_ns"].as_i64()));
            }
        }
        for (site, counts) in &answer.counts {
            let expected = self.site(site).expected;
            assert!(counts.within(&expected), "{site} has {counts:?} of {expected:?}");
        }
        answer
    }

    /// Asks until the answer is as it should be.
    fn until(&self, what: &str, settled: impl Fn(&Answer) -> bool) -> Answer {
        let started = Instant::now();
        loop {
            let answer = self.ask();
            if settled(&answer) {
                return answer;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "not within {PATIENCE:?}: {what}; {answer:#?}"
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Asks until both sites answer and it is as it should be.
    fn complete(&self, what: &str, settled: impl Fn(&Answer) -> bool) -> Answer {
        let is_complete = |answer: &Answer| {
            answer.code == 0 && answer.counts.len() == SITES.len() && answer.missing.is_empty() && settled(answer)
        };
        self.until(what, is_complete)
    }

    /// Asks until the answer is partial and names the site; it is missing since a moment not before `from`.
    fn partial(&self, site: &Site, from: i64) -> Answer {
        let answer = self.until(&format!("{} is named as missing", site.name), |answer| {
            let missing = answer.missing.get(site.name);
            let is_named = missing.is_some_and(|(cause, _)| cause == "site_missing");
            answer.code == 4 && is_named && !answer.counts.contains_key(site.name)
        });
        let (_, since) = &answer.missing[site.name];
        let since = since.unwrap();
        assert!((from..=unix_nanos()).contains(&since), "{since} is not after {from}");
        assert_eq!(answer.missing.len(), 1, "{answer:#?}");
        assert_eq!(answer.counts.len(), SITES.len() - 1, "the other answers: {answer:#?}");
        let says = format!("partial: site {} has been missing since", site.name);
        assert!(answer.err.contains(&says), "{}", answer.err);
        let health = self.health(4);
        let missing = health["missing"].as_array().unwrap();
        assert_eq!(
            (missing.len(), &missing[0]["site"]),
            (1, &Value::from(site.name)),
            "{health:#}"
        );
        answer
    }

    /// How the fleet says that all are, with this exit code; each site and cluster stands there once, whoever is missing.
    fn health(&self, code: i32) -> Value {
        let ran = ask(&self.fleet, self.fleet.host(), &["fleet", "-o", "json"]);
        assert_eq!(ran.code, code, "{}", ran.err);
        let health = ran.json();
        for (list, of) in [("sites", "site"), ("clusters", "cluster")] {
            let rows = health[list].as_array().unwrap().iter();
            let names: Vec<&str> = rows.map(|row| row[of].as_str().unwrap()).collect();
            let expected: Vec<&str> = SITES
                .iter()
                .map(|site| if of == "site" { site.0 } else { site.1 })
                .collect();
            assert_eq!(names, expected, "{health:#}");
        }
        let counts = health["fleet"]["clusters"].as_object().unwrap().values();
        assert_eq!(
            counts.filter_map(Value::as_u64).sum::<u64>(),
            SITES.len() as u64,
            "{health:#}"
        );
        health
    }

    /// A daemon reaches its coordinator, and neither the fleet coordinator nor another site, by name or by address.
    fn only_sites_reach_the_fleet(&self) {
        let (berlin, oslo) = (self.site("berlin"), self.site("oslo"));
        let reaches = |role: &Role, host: &str| ask(role, host, &["clusters", "-o", "json"]);
        let (near, fleet) = (berlin.coordinator.host(), self.fleet.host());
        for (role, host) in [(&berlin.daemons[0], near), (&berlin.coordinator, fleet)] {
            let ran = reaches(role, host);
            assert_eq!(ran.code, 0, "{host} is there: {}", ran.err);
        }
        let addresses = [
            self.fleet.address(WAN),
            oslo.coordinator.address("oslo"),
            oslo.daemons[0].address("oslo"),
        ];
        let [of_fleet, of_oslo, of_daemon] = addresses.map(|address| address.to_string());
        let daemon = &berlin.daemons[1];
        let far: [(&Role, &str); 7] = [
            (daemon, fleet),
            (daemon, &of_fleet),
            (daemon, oslo.coordinator.host()),
            (daemon, &of_oslo),
            // Nor is a daemon's network reached from elsewhere.
            (daemon, &of_daemon),
            (&self.fleet, &of_daemon),
            (&berlin.coordinator, &of_daemon),
        ];
        // Nobody answers, which takes its time; all at once.
        std::thread::scope(|threads| {
            for (role, host) in far {
                threads.spawn(move || {
                    let ran = reaches(role, host);
                    assert_fails(&ran, 1, &["cannot reach the coordinator", host]);
                    assert!(!ran.err.contains("certificate"), "somebody answered: {}", ran.err);
                });
            }
        });
    }

    /// While a daemon is dead the answer says that its node is not heard; its site is not missing.
    fn killed_daemon_goes_on(&self) {
        let berlin = self.site("berlin");
        let victim = &berlin.daemons[1];
        berlin.assert_playing();
        victim.kill();
        let answer = self.until("a node that is not heard is told", |answer| {
            answer.code == 4 && answer.err.contains("berlin/c1: partial: node n1 was not heard")
        });
        assert_eq!(answer.missing.len(), 0, "{answer:#?}");
        assert_eq!(answer.counts.len(), SITES.len(), "{answer:#?}");
        victim.start();
        self.complete("the daemon that was killed is back", |_| true);
        berlin.grows_beyond(answer.counts["berlin"]);
    }

    fn cut_site_is_named_and_comes_back(&self, say: &dyn Fn(&str)) {
        let (berlin, oslo) = (self.site("berlin"), self.site("oslo"));
        let whole = self.complete("both answer before the cut", |_| true);
        oslo.assert_playing();
        let from = unix_nanos() - HEARD_BEFORE.as_nanos() as i64;
        oslo.coordinator.disconnect(WAN);
        // The site does not notice at once either, and goes on.
        let there = oslo.grows_beyond(whole.counts["oslo"]);
        let partial = self.partial(oslo, from);
        say("a site is cut off, and named");
        let one = ask(&self.fleet, self.fleet.host(), &["writes", "--cluster", "c2"]);
        assert_fails(&one, 1, &["site oslo has been missing since"]);
        oslo.assert_playing();
        let later = oslo.grows_beyond(there);
        berlin.grows_beyond(partial.counts["berlin"]);
        let lost = ask(&oslo.coordinator, self.fleet.host(), &["clusters"]);
        assert_eq!(lost.code, 1, "it is cut off: {}", lost.out);
        oslo.coordinator.connect(WAN);
        let back = self.complete("the site that was cut off is back", |_| true);
        assert!(later.within(&back.counts["oslo"]), "{later:?} {back:?}");
        say("it is connected again, and the answer is complete");
    }

    fn killed_site_is_named_and_comes_back(&self) {
        let berlin = self.site("berlin");
        let before = self.complete("both answer before the site is killed", |_| true);
        berlin.assert_playing();
        let from = unix_nanos() - HEARD_BEFORE.as_nanos() as i64;
        berlin.coordinator.kill();
        self.partial(berlin, from);
        berlin.coordinator.start();
        self.complete("the site that was killed is back and goes on", |answer| {
            before.counts["berlin"].writes < answer.counts["berlin"].writes
        });
    }

    fn killed_fleet_finds_its_sites(&self) {
        let before = self.complete("both answer before the fleet coordinator is killed", |_| true);
        self.fleet.kill();
        for site in &self.sites {
            site.assert_playing();
            // Nobody at a site notices.
            site.grows_beyond(before.counts[site.name]);
        }
        self.fleet.start();
        self.complete("the fleet coordinator that was killed has both sites", |_| true);
    }

    fn every_role_killed_again(&self) {
        self.fleet.kill();
        for site in &self.sites {
            site.coordinator.kill();
        }
        for site in &self.sites {
            site.coordinator.start();
            // They have ended; started again they find that all was taken, and end again.
            site.daemons.iter().for_each(Role::start);
        }
        self.fleet.start();
    }

    /// All daemons have ended, and what the fleet says is what each site says, and that is what one process counts.
    fn assert_exact(&self) {
        for site in &self.sites {
            for daemon in &site.daemons {
                assert_eq!(daemon.ended(), 0, "{} did not play all", daemon.host());
            }
        }
        let exact = |answer: &Answer| {
            let as_expected = |site: &Site| answer.counts[site.name] == site.expected;
            self.sites.iter().all(as_expected)
        };
        self.complete("the fleet has exactly what was recorded", exact);
        assert_eq!(self.health(0)["missing"].as_array().unwrap().len(), 0);
        for site in &self.sites {
            assert_eq!(site.counts(), site.expected, "{}", site.name);
        }
    }

    /// Stops the sites; each I/O and each event stands in their stores as one process has it, and no event twice.
    fn assert_whole(&self) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for site in &self.sites {
            assert_eq!(site.coordinator.stop(), 0, "{}", site.name);
            let store = site.coordinator.copy_out(STORE, self.home.path());
            let found = runtime.block_on(stored::read(&store, site.cluster));
            let recording = fathom_lab::open(&site.recording).unwrap();
            let replayed = replay(&recording, &Options::default()).unwrap();
            let expected = stored::texts(&replayed.rows, &replayed.catalog);
            assert_eq!(found.rows.len(), expected.len(), "{}", site.name);
            let mut pairs = found.rows.iter().zip(&expected);
            assert_eq!(pairs.find(|(found, expected)| found != expected), None, "{}", site.name);
            let used = stored::ordinals(&found);
            assert!(used.values().all(|uses| *uses == 1), "an event counts twice");
            let events: u64 = replayed.events.iter().map(|(_, events)| events).sum();
            assert_eq!(used.len() as u64, events, "every event is somewhere");
        }
    }
}

/// A site is heard every 2 s, and it is missing since it was heard last; a busy machine is given as much again.
const HEARD_BEFORE: Duration = Duration::from_secs(4);

#[expect(
    clippy::disallowed_methods,
    reason = "it is held against what the roles say of the real clock"
)]
fn unix_nanos() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_nanos()).unwrap()
}
