//! The fan-out join against DuckDB on data that `generate.py` makes.
//!
//! Timed for Fathom: from column batches in memory, in the order in which they would arrive, with clocks unknown, to fan-outs
//! with their legs in memory. Timed for DuckDB: one SQL statement over tables in memory, on true clocks (`duckdb_join.py`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use fathom_join::{Config, End, Engine, FanOuts};
use fathom_model::{JoinedRows, StreamIndex};
use serde_json::{Value, json};

mod data;
mod diagnosis;

use data::Data;
use diagnosis::{Times, diagnose};

/// Options of `fathom-bench join`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder that `generate.py` filled; made with `--writes` and `--hot` if it is not there
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Threads of either side
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Alternating runs; medians are compared
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Leave DuckDB out
    #[arg(long)]
    alone: bool,
    /// Writes to make, where the folder is not there
    #[arg(long, default_value_t = 2_000_000)]
    writes: u64,
    /// Nodes to make
    #[arg(long, default_value_t = 4)]
    nodes: u32,
    /// Seconds of event time to make
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// So many clusters at once, each with all of the data, their batches in turn
    #[arg(long, default_value_t = 1)]
    clusters: usize,
    /// Look for what is wrong, and add up, what was joined too: its processor time beside the join's
    #[arg(long)]
    diagnose: bool,
    /// Share of writes that go to 1,000 blocks, to make
    #[arg(long, default_value_t = 0.0)]
    hot: f64,
}

/// The allocator reads its options from here before anything else runs.
const ALLOCATOR_OPTIONS: &str = "_RJEM_MALLOC_CONF";

/// Makes the data if need be, runs both sides in turn, prints one line of JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    if std::env::var_os(ALLOCATOR_OPTIONS).is_none() {
        return run_keeping_memory();
    }
    if args.runs == 0 || args.threads == 0 || args.clusters == 0 {
        bail!("--runs, --threads and --clusters are at least 1");
    }
    if args.clusters > 1 && !args.alone {
        bail!("several clusters have no peer: give --alone");
    }
    if !args.data.join("volume.parquet").exists() {
        generate(args)?;
    }
    let data = Data::load(&args.data)?;
    let (_, joined, catalog) = join(&data, args.threads, 1)?;
    let truth = data.compare(&joined.into_rows(), &catalog)?;
    let (mut own, mut duckdb) = (Vec::new(), Vec::new());
    let (mut processor, mut processor_used) = (Vec::new(), Vec::new());
    let mut diagnosed: Vec<Times> = Vec::new();
    for _ in 0..args.runs {
        // Either side runs twice in turn, and the first time is not counted: a machine gives its memory slowly the first time, and
        // what an allocator kept would be gone after the other side's run.
        drop(join(&data, args.threads, args.clusters)?);
        let (seconds, joined, catalog) = join(&data, args.threads, args.clusters)?;
        own.push(seconds.elapsed);
        processor_used.push(seconds.user + seconds.system);
        processor.push(json!({"user": seconds.user, "system": seconds.system}));
        if args.diagnose {
            let rows = joined.into_rows();
            diagnose(&rows, &catalog);
            diagnosed.push(diagnose(&rows, &catalog));
        } else {
            drop(joined);
        }
        if !args.alone {
            duckdb.push(run_duckdb(args)?);
        }
    }
    let (writes, events) = (data.writes * args.clusters as u64, data.events * args.clusters as u64);
    let nanos_an_event = median_of(processor_used) * 1e9 / events as f64;
    // Of the first cluster's rows alone, so that it is held against its own writes.
    diagnosed.sort_by(|a, b| a.all().total_cmp(&b.all()));
    let diagnosis = diagnosed.get(diagnosed.len() / 2).map(|times| {
        let (own, join) = (
            times.all() / data.writes as f64,
            nanos_an_event * data.events as f64 / data.writes as f64,
        );
        json!({
            "nanos_a_write": own.round(),
            "join_nanos_a_write": join.round(),
            "to_join": (own / join * 1000.0).round() / 1000.0,
            "of_it": times.a_write(data.writes),
        })
    });
    let per_second = |seconds: &mut Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        (!seconds.is_empty()).then(|| (writes as f64 / seconds[seconds.len() / 2]).round())
    };
    let all = json!({"fathom": own, "duckdb": duckdb, "fathom_processor": processor});
    let (own, duckdb) = (per_second(&mut own), per_second(&mut duckdb));
    let line = json!({
        "fathom_writes_per_second": own,
        "duckdb_writes_per_second": duckdb,
        "ratio": own.zip(duckdb).map(|(own, duckdb)| (own / duckdb * 100.0).round() / 100.0),
        "exact": truth.exact as f64 / data.writes as f64,
        "ambiguous": truth.ambiguous as f64 / data.writes as f64,
        "wrong": truth.wrong,
        "incomplete": truth.incomplete,
        "threads": args.threads,
        "runs": args.runs,
        "clusters": args.clusters,
        "diagnosis": diagnosis,
        "processor_nanos_an_event": (nanos_an_event * 10.0).round() / 10.0,
        "writes": writes,
        "events": events,
        "nodes": data.nodes,
        "repeated_keys": data.repeated,
        "seconds": all,
    });
    println!("{line}");
    Ok(())
}

/// Runs this program again with an allocator that keeps what is freed, as a coordinator that joins without a pause does of itself:
/// else each run would measure how fast the kernel hands out zeroed pages.
fn run_keeping_memory() -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1));
    // Without a bound on what is kept aside as large: that would be given back at once.
    command.env(
        ALLOCATOR_OPTIONS,
        "dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0",
    );
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// What a run took.
#[derive(Clone, Copy, Debug)]
struct Seconds {
    elapsed: f64,
    /// Of all threads, in the program and in the kernel (page faults).
    user: f64,
    system: f64,
}

/// Processor time of this process so far, in the program and in the kernel, in steps of 10 ms; zeros where the system does
/// not say.
fn processor_seconds() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15 of proc(5); the second one is a name in brackets that may hold blanks.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks() / 100.0, ticks() / 100.0)
}

fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One cluster's join.
struct Cluster {
    engine: Engine,
    streams: Vec<StreamIndex>,
}

impl Cluster {
    fn open(data: &Data, threads: usize) -> Result<Self> {
        let mut engine = Engine::new(Config {
            threads,
            ..Config::default()
        });
        engine.set_topology(&data.topology);
        let mut streams: Vec<StreamIndex> = Vec::new();
        for (info, devices) in &data.streams {
            let stream = engine.open_stream(info);
            engine.set_devices(stream, devices)?;
            streams.push(stream);
        }
        Ok(Self { engine, streams })
    }

    fn take(&mut self, batch: data::Batch) -> Result<Joined> {
        let stream = self.streams[batch.stream];
        self.engine.push(stream, batch.first, batch.columns)?;
        self.engine.heard(stream, batch.heard)?;
        self.engine.advance();
        Ok(self.joined())
    }

    fn joined(&mut self) -> Joined {
        let (fan_outs, rows) = self.engine.take_columns();
        Joined {
            fan_outs,
            rows: vec![rows],
        }
    }

    fn finish(&mut self) -> Result<Joined> {
        for &stream in &self.streams {
            self.engine.end(stream, End::Finished)?;
        }
        self.engine.advance();
        Ok(self.joined())
    }
}

/// What a join gives: fan-outs with their legs, as columns and, what was not decided in bulk, as rows.
#[derive(Debug, Default)]
struct Joined {
    fan_outs: Vec<FanOuts>,
    rows: Vec<JoinedRows>,
}

impl Joined {
    fn append(&mut self, mut others: Self) {
        self.fan_outs.append(&mut others.fan_outs);
        self.rows
            .extend(others.rows.into_iter().filter(|rows| !rows.is_empty()));
    }

    fn into_rows(self) -> Vec<JoinedRows> {
        let mut rows = self.rows;
        rows.extend(self.fan_outs.iter().map(FanOuts::to_rows));
        rows
    }
}

/// Joins everything once, for so many clusters; gives the time, what came of the first and the names behind it.
fn join(data: &Data, threads: usize, clusters: usize) -> Result<(Seconds, Joined, fathom_model::Catalog)> {
    let batches = data.batches.clone();
    let start = Instant::now();
    let (user, system) = processor_seconds();
    let mut all: Vec<Cluster> = (0..clusters)
        .map(|_| Cluster::open(data, threads))
        .collect::<Result<_>>()?;
    let mut joined = Joined::default();
    for batch in batches {
        // What is not the first cluster's is let go of, as a store would once it is written.
        for cluster in &mut all[1..] {
            drop(cluster.take(batch.clone())?);
        }
        joined.append(all[0].take(batch)?);
    }
    for (number, cluster) in all.iter_mut().enumerate() {
        let last = cluster.finish()?;
        if number == 0 {
            joined.append(last);
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let (user_now, system_now) = processor_seconds();
    let seconds = Seconds {
        elapsed,
        user: user_now - user,
        system: system_now - system,
    };
    Ok((seconds, joined, all[0].engine.catalog().clone()))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn generate(args: &Args) -> Result<()> {
    let mut command = Command::new("python3");
    command.arg(script("generate.py")).arg(&args.data);
    command.args(["--writes", &args.writes.to_string(), "--nodes", &args.nodes.to_string()]);
    command.args(["--seconds", &args.seconds.to_string(), "--hot", &args.hot.to_string()]);
    output(&mut command).map(|_| ())
}

/// One timed run of DuckDB (after one that is not counted), in seconds.
fn run_duckdb(args: &Args) -> Result<f64> {
    let mut command = Command::new("python3");
    command.arg(script("duckdb_join.py")).arg(&args.data);
    command.args(["--threads", &args.threads.to_string(), "--runs", "1"]);
    let answer: Value = serde_json::from_str(output(&mut command)?.trim()).context("what duckdb_join.py printed")?;
    answer["seconds"][0].as_f64().context("duckdb_join.py gave no seconds")
}

fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}: it needs python3 with duckdb, numpy and pyarrow (pip)"))?;
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}: {} (it needs python3 with duckdb, numpy and pyarrow: pip install duckdb numpy pyarrow)",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}
