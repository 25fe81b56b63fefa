//! What a fleet coordinator needs for many clusters: from the bytes of rollups to answers, with no network between, and through a
//! coordinator that sites join and people ask.
//!
//! The rollups are made up, of the size that a cluster of that shape gives: twelve sketches of taps and operations, five groups of devices
//! with two each, counts, and what is not ok. Everything is measured on the path that a coordinator uses: protobuf is decoded, checked,
//! applied; answers are converted and encoded. What is told of a fleet is the worse of both ways: the coordinator's, where it is there.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fathom_model::health::State;
use fathom_model::rollup::{ClusterKey, ClusterRollup};
use fathom_proto::convert::rollup::rollup_from_wire;
use fathom_proto::fleet::v1 as wire;
use fathom_rollup::{Applied, Config, Fleet, Selection};
use fathom_sources::process;
use prost::Message as _;
use serde_json::json;

mod data;
#[cfg(feature = "network")]
mod network;
mod site;

use data::{START, Shape, encoded, newer};

const SECOND: i64 = 1_000_000_000;

/// Every cluster sends a rollup this often.
const EVERY_SECONDS: f64 = 10.0;

/// Options of `fathom-bench fleet`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Clusters
    #[arg(long, default_value_t = 1000)]
    clusters: usize,
    /// Nodes of a cluster
    #[arg(long, default_value_t = 16)]
    nodes: u64,
    /// Disks of a node
    #[arg(long, default_value_t = 24)]
    disks: u64,
    /// Rollups of each cluster in a run
    #[arg(long, default_value_t = 10)]
    rounds: u64,
    /// Runs; the median is told
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Times that each question is asked
    #[arg(long, default_value_t = 100)]
    answers: usize,
    /// Changes that are watched, each amid the rollups of all clusters
    #[arg(long, default_value_t = 50)]
    changes: u64,
    /// Only says by how much memory grows when these rollups are kept: what the bench asks a process of its own
    #[arg(long, hide = true)]
    memory_of: Option<PathBuf>,
    /// Only serves as the fleet coordinator that the bench asks, with the certificates in this folder
    #[cfg(feature = "network")]
    #[arg(long, hide = true)]
    coordinator_in: Option<PathBuf>,
}

/// Measures, and prints one line of JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(file) = &args.memory_of {
        println!("{}", memory_of(file)?);
        return Ok(());
    }
    #[cfg(feature = "network")]
    if let Some(home) = &args.coordinator_in {
        return network::serve(home);
    }
    if args.clusters < 10 || args.nodes < 2 || args.disks < 6 {
        bail!("--clusters is at least 10, --nodes at least 2, --disks at least 6");
    }
    if args.rounds == 0 || args.runs == 0 || args.answers == 0 || args.changes == 0 {
        bail!("--rounds, --runs, --answers and --changes are at least 1");
    }
    if args.changes >= args.clusters as u64 {
        bail!("--changes is less than --clusters: each is at a cluster of its own");
    }
    let shape = Shape {
        clusters: args.clusters,
        nodes: args.nodes,
        disks: args.disks,
    };
    let rollups = shape.rollups();
    let bytes: Vec<Vec<u8>> = rollups.iter().map(|rollup| encoded(rollup, rollup.state)).collect();
    let (many, few) = cost(&bytes, args)?;
    let answers = answers(&bytes, args)?;
    let visible = changes(&rollups, &bytes, args)?;
    let memory = memory(&bytes)?;
    let site = site::measure(&shape);
    let rounded = |value: f64, steps: f64| (value * steps).round() / steps;
    let bytes_of_a_rollup = bytes.iter().map(Vec::len).sum::<usize>() as f64 / bytes.len() as f64;
    let cores = |nanos_a_rollup: f64| rounded(nanos_a_rollup * args.clusters as f64 / 1e9 / EVERY_SECONDS, 10_000.0);
    let seconds = |time: Duration| rounded(time.as_secs_f64(), 10_000.0);
    let slowest = |answers: &[Answer]| answers.iter().map(|answer| answer.p99).max().unwrap_or_default();
    let millis = |time: Duration| rounded(time.as_secs_f64() * 1e3, 100.0);
    let by_question = |answers: &[Answer]| -> serde_json::Map<String, serde_json::Value> {
        let each = answers.iter();
        each.map(|answer| (answer.question.to_owned(), millis(answer.p99).into()))
            .collect()
    };
    #[cfg(feature = "network")]
    let (worst, through) = {
        let told = network::measure(&rollups, args)?;
        let worst = Worst {
            nanos_a_rollup: many.max(told.nanos_a_rollup),
            answer: slowest(&answers).max(slowest(&told.answers)),
            visible: visible.max(told.visible),
        };
        let through = json!({
            "sites": told.sites,
            "rollup_cpu_cores": cores(told.nanos_a_rollup),
            "microseconds_a_rollup": rounded(told.nanos_a_rollup / 1e3, 10.0),
            "change_visible_p99_s": seconds(told.visible),
            "answer_p99_ms_by_question": by_question(&told.answers),
        });
        (worst, through)
    };
    #[cfg(not(feature = "network"))]
    let (worst, through) = {
        let worst = Worst {
            nanos_a_rollup: many,
            answer: slowest(&answers),
            visible,
        };
        (worst, serde_json::Value::Null)
    };
    let line = json!({
        "clusters": args.clusters,
        "disks": shape.disks_in_all(),
        "rollup_cpu_cores": cores(worst.nanos_a_rollup),
        "fleet_answer_p99_ms": millis(worst.answer),
        "change_visible_p99_s": seconds(worst.visible),
        "memory_bytes_per_disk": rounded(memory as f64 / shape.disks_in_all() as f64, 10.0),
        "memory_measured_as": "growth of resident memory in a process of its own, with 72 hours of history",
        "cost_ratio_1000_to_10": rounded(many / few, 1_000.0),
        "microseconds_a_rollup": rounded(many / 1e3, 10.0),
        "bytes_a_rollup": bytes_of_a_rollup.round(),
        "wan_bytes_per_second_a_cluster": (bytes_of_a_rollup / EVERY_SECONDS).round(),
        "change_visible_p99_s_in_process": seconds(visible),
        "answer_p99_ms_by_question": by_question(&answers),
        "through_coordinator": through,
        "site_nanoseconds_a_write": rounded(site.a_write, 10.0),
        "site_microseconds_a_rollup": rounded(site.a_rollup / 1e3, 10.0),
        "runs": args.runs,
    });
    println!("{line}");
    Ok(())
}

/// As a coordinator takes a rollup.
fn take(fleet: &mut Fleet, bytes: &[u8], now_unix_ns: i64) -> Result<()> {
    let message = wire::ClusterRollup::decode(bytes)?;
    let rollup = rollup_from_wire(message)?;
    if fleet.apply(rollup, now_unix_ns) != Applied::New {
        bail!("a rollup was not taken");
    }
    Ok(())
}

/// Processor time of a rollup in nanoseconds, of all clusters and of ten: the median of the runs, which take turns.
fn cost(bytes: &[Vec<u8>], args: &Args) -> Result<(f64, f64)> {
    let (mut many, mut few) = (Vec::new(), Vec::new());
    let rounds_of_few = args.rounds * bytes.len() as u64 / 10;
    // One that is not counted, so that memory is there.
    nanos_a_rollup(bytes, 1)?;
    for _ in 0..args.runs {
        many.push(nanos_a_rollup(bytes, args.rounds)?);
        few.push(nanos_a_rollup(&bytes[..10], rounds_of_few)?);
    }
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Ok((median(many), median(few)))
}

/// In rounds of all clusters, as they come.
fn nanos_a_rollup(bytes: &[Vec<u8>], rounds: u64) -> Result<f64> {
    let mut fleet = Fleet::new(Config::default());
    let mut nanos = 0.0;
    for round in 0..rounds {
        // That they are made newer is not the coordinator's work.
        let sent: Vec<Vec<u8>> = bytes.iter().map(|own| newer(own, round + 1)).collect();
        let now = START + round as i64 * 10 * SECOND;
        let began = thread_nanos();
        for own in &sent {
            take(&mut fleet, own, now)?;
        }
        fleet.tick(now);
        nanos += thread_nanos() - began;
    }
    Ok(nanos / (rounds * bytes.len() as u64) as f64)
}

/// Processor time of this thread so far, where the system counts it in nanoseconds (Linux, proc(5)), else time that has passed.
pub(crate) fn thread_nanos() -> f64 {
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = counted.and_then(|text| text.split_ascii_whitespace().next()?.parse().ok());
    nanos.unwrap_or_else(|| BEGAN.elapsed().as_nanos() as f64)
}

/// The worse of both ways.
struct Worst {
    nanos_a_rollup: f64,
    answer: Duration,
    visible: Duration,
}

/// A question and how long its slowest answers took.
struct Answer {
    question: &'static str,
    p99: Duration,
}

/// A question, answered to the bytes that go out; how many.
type Question = fn(&Fleet, i64) -> Result<usize>;

/// From the question to the bytes of its answer.
fn answers(bytes: &[Vec<u8>], args: &Args) -> Result<Vec<Answer>> {
    let mut fleet = Fleet::new(Config::default());
    for own in bytes {
        take(&mut fleet, &newer(own, 1), START)?;
    }
    let some = || Selection::parse(&["cluster*1*", "env=prod"], &[] as &[&str]);
    // Nothing is asked that has no answer.
    if fleet.keys(&some()?).count() == 0 {
        bail!("no cluster is selected");
    }
    let questions: [(&str, Question); 6] = [
        ("fleet", |fleet, now| Ok(entry_bytes(&[fleet.fleet_entry(now)]))),
        ("sites", |fleet, now| {
            Ok(entry_bytes(&fleet.site_entries(&Selection::all(), now)))
        }),
        ("clusters", |fleet, now| {
            Ok(entry_bytes(&fleet.cluster_entries(&Selection::all(), now)))
        }),
        ("latency_of_all", |fleet, _| {
            let merged = fleet.latency(&Selection::all());
            let sketches = merged
                .latency
                .iter()
                .map(|own| wire::Sketch::from(&own.sketch).encode_to_vec().len());
            Ok(sketches.sum())
        }),
        ("latency_of_some", |fleet, _| {
            let some = Selection::parse(&["cluster*1*", "env=prod"], &[] as &[&str])?;
            let merged = fleet.latency(&some);
            let sketches = merged
                .latency
                .iter()
                .map(|own| wire::Sketch::from(&own.sketch).encode_to_vec().len());
            Ok(sketches.sum())
        }),
        ("cohorts", |fleet, _| {
            let told = fleet.cohorts(&Selection::all());
            let cohorts = told
                .cohorts
                .iter()
                .map(|own| wire::Cohort::from(own).encode_to_vec().len());
            Ok(cohorts.sum())
        }),
    ];
    let mut told = Vec::new();
    for (question, ask) in questions {
        let mut took = Vec::new();
        for _ in 0..args.answers {
            let began = Instant::now();
            let bytes = ask(&fleet, START)?;
            took.push(began.elapsed());
            if bytes == 0 {
                bail!("{question} was not answered");
            }
        }
        told.push(Answer {
            question,
            p99: p99(took),
        });
    }
    Ok(told)
}

fn entry_bytes(entries: &[fathom_model::fleet::Entry]) -> usize {
    let all = entries
        .iter()
        .map(|entry| wire::FleetEntry::from(entry).encode_to_vec().len());
    all.sum()
}

/// By nearest rank.
fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    let rank = (took.len() as f64 * 0.99).ceil() as usize;
    took.get(rank.max(1) - 1).copied().unwrap_or_default()
}

/// A fleet that one thread changes, one watches and one asks.
struct Shared {
    fleet: Mutex<Fleet>,
    changed: Condvar,
}

/// From the moment that the bytes of a change are handed over until a watcher has the encoded entry of the cluster: behind the rollups of
/// all clusters that come in the same moment, while somebody asks for cohorts again and again.
fn changes(rollups: &[ClusterRollup], bytes: &[Vec<u8>], args: &Args) -> Result<Duration> {
    let shared = Arc::new(Shared {
        fleet: Mutex::new(Fleet::new(Config::default())),
        changed: Condvar::new(),
    });
    let (send, receive) = sync_channel::<Vec<u8>>(bytes.len() + 1);
    let own = Arc::clone(&shared);
    let worker = thread::spawn(move || -> Result<()> {
        for sent in receive {
            take(&mut locked(&own.fleet), &sent, START)?;
            own.changed.notify_all();
        }
        Ok(())
    });
    let (stop, stopped) = sync_channel::<()>(1);
    let own = Arc::clone(&shared);
    let asker = thread::spawn(move || {
        // A second between questions, as a screen that is kept up to date asks.
        while stopped.recv_timeout(Duration::from_secs(1)).is_err() {
            std::hint::black_box(locked(&own.fleet).cohorts(&Selection::all()));
        }
    });
    let mut took = Vec::new();
    let mut number = 0;
    for change in 0..=args.changes {
        let at = (change as usize * 37) % rollups.len();
        number += 1;
        for own in bytes {
            send.send(newer(own, number)).context("the worker has ended")?;
        }
        number += 1;
        let key = rollups[at].key();
        let from = locked(&shared.fleet).version();
        let changed = newer(&encoded(&rollups[at], State::Critical), number);
        let began = Instant::now();
        send.send(changed).context("the worker has ended")?;
        watch(&shared, from, &key, State::Critical)?;
        // The first round makes the clusters known: that each is new is no change.
        if change > 0 {
            took.push(began.elapsed());
        }
    }
    drop(send);
    worker.join().map_err(|_| anyhow::anyhow!("the worker panicked"))??;
    stop.send(()).context("the asker has ended")?;
    asker.join().map_err(|_| anyhow::anyhow!("the asker panicked"))?;
    Ok(p99(took))
}

/// Follows what looks different until the cluster is seen in the state.
fn watch(shared: &Shared, mut version: u64, key: &ClusterKey, state: State) -> Result<()> {
    let begin = Instant::now();
    let mut fleet = locked(&shared.fleet);
    while begin.elapsed() < Duration::from_secs(60) {
        let delta = fleet.changed_since(version);
        version = delta.version;
        for own in &delta.changed {
            let entry = fleet.cluster_entry(own, START).context("the cluster is there")?;
            let sent = wire::FleetEntry::from(&entry).encode_to_vec();
            if own == key && entry.state == state && !sent.is_empty() {
                return Ok(());
            }
        }
        let waited = shared.changed.wait_timeout(fleet, Duration::from_secs(1));
        fleet = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    bail!("a change of {key} was not seen within a minute")
}

fn locked(fleet: &Mutex<Fleet>) -> std::sync::MutexGuard<'_, Fleet> {
    fleet.lock().unwrap_or_else(PoisonError::into_inner)
}

/// By how much memory grows for them, as a process of its own says: here freed memory would be used again, and hide it.
fn memory(bytes: &[Vec<u8>]) -> Result<u64> {
    let mut file = tempfile::NamedTempFile::new()?;
    for own in bytes {
        std::io::Write::write_all(&mut file, &(own.len() as u64).to_le_bytes())?;
        std::io::Write::write_all(&mut file, own)?;
    }
    let told = Command::new(std::env::current_exe()?)
        .args(["fleet", "--memory-of"])
        .arg(file.path())
        .output()?;
    let text = String::from_utf8_lossy(&told.stdout);
    text.trim()
        .parse()
        .with_context(|| format!("memory was not told: {}", String::from_utf8_lossy(&told.stderr)))
}

/// Reads one rollup after the other, keeps them for 72 hours of history, and says by how many bytes resident memory grew.
fn memory_of(path: &Path) -> Result<u64> {
    let resident = || {
        process::usage()
            .memory_bytes
            .context("the system does not tell the memory of a process")
    };
    let mut fleet = Fleet::new(Config::default());
    let before = resident()?;
    for hour in 0..73 {
        let mut file = std::io::BufReader::new(std::fs::File::open(path)?);
        let mut length = [0; 8];
        while file.read_exact(&mut length).is_ok() {
            let mut own = vec![0; usize::try_from(u64::from_le_bytes(length))?];
            file.read_exact(&mut own)?;
            take(&mut fleet, &newer(&own, hour + 1), START + hour as i64 * 3600 * SECOND)?;
        }
    }
    let grown = resident()?.saturating_sub(before);
    if fleet.is_empty() {
        bail!("{} has no rollups", path.display());
    }
    Ok(grown)
}
