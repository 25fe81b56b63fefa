//! What a long stretch of a busy cluster costs to answer from the tables `latency` and `attribution`.
//!
//! One minute of writes is made up and added up as a worker does, a piece for each record; its cells then stand for every minute of the
//! stretch, and go into a store as a coordinator puts them, files put together among them. So the store is that of the whole stretch,
//! while no more than a minute of writes has to be made. Timed is what an answer takes from the names of the files to its rows: all but
//! the network. The store has some minutes before the stretch, so that it begins in the middle of files, as stretches do.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, ensure};
use fathom_diagnose::latency::{By, Latencies};
use fathom_diagnose::tally::{Tally, Totals};
use fathom_diagnose::what_if::WhatIf;
use fathom_model::cell::{Attribution, Bucket, Candidate, Cells, OfKind};
use fathom_model::fan_out::MoreOrdinals;
use fathom_model::report::Latency;
use fathom_model::{
    Catalog, DiskIndex, Incarnation, Io, IoClass, JoinedRows, Leg, LegMethod, NodeIndex, Observation, Op, PhysicalDisk,
    Slowest, StreamId, StreamIndex, StreamKind, VolumeIndex,
};
use fathom_store::blobs::Blobs;
use fathom_store::paths::Table;
use fathom_store::{Ask, Commit, FileEntry, Owner, Span, sum_attribution, sum_latency};
use serde_json::json;

use crate::fleet::thread_nanos;

const MINUTE: i64 = 60 * 1_000_000_000;
const START: i64 = 1_790_000_040_000_000_000;

/// Options of `fathom-bench tables`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Writes a second
    #[arg(long, default_value_t = 100_000)]
    writes: u64,
    /// Minutes of the stretch
    #[arg(long, default_value_t = 60)]
    minutes: i64,
    /// Minutes that the store has before the stretch
    #[arg(long, default_value_t = 10)]
    before: i64,
    /// Records a minute
    #[arg(long, default_value_t = 30)]
    records: u64,
    /// Nodes, each of which writes to a volume of its own
    #[arg(long, default_value_t = 16)]
    nodes: u32,
    /// Disks a node
    #[arg(long, default_value_t = 24)]
    disks: u32,
    /// Runs; the median is told
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// Makes the store, asks it, prints one line of JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.nodes >= 4 && args.disks >= 1, "at least four nodes and a disk");
    ensure!(
        args.writes > 0 && args.minutes > 0 && args.before >= 0 && args.records > 0 && args.runs > 0,
        "nothing is nothing to measure"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    let catalog = catalog(args);
    let mut made = Made::new(args);
    let (mut pieces, mut tally, mut nanos) = (Vec::new(), Tally::default(), 0.0);
    let a_record = args.writes * 60 / args.records;
    for record in 0..args.records {
        let mut left = a_record;
        while left > 0 {
            let some = left.min(4096);
            let rows = made.rows(some, record * a_record + (a_record - left), args.writes * 60);
            let before = thread_nanos();
            tally.add(&rows, &catalog);
            nanos += thread_nanos() - before;
            left -= some;
        }
        let before = thread_nanos();
        pieces.push(tally.take());
        nanos += thread_nanos() - before;
    }
    let folder = tempfile::tempdir()?;
    let blobs = Blobs::open_folder(folder.path())?;
    let put = runtime.block_on(store(args, &blobs, &pieces, &catalog))?;
    let files = &put.files;
    let a_minute = a_record * args.records;
    let writes = a_minute * args.minutes.unsigned_abs();
    // Those that began in the minute before the stretch and ended in it are of it too.
    let spilt: u64 = pieces.iter().map(spilt).sum();
    let of_stretch = writes + if args.before > 0 { spilt } else { 0 };
    let times: Result<Vec<[f64; 4]>> = (0..args.runs)
        .map(|_| runtime.block_on(answers(args, &blobs, files, of_stretch)))
        .collect();
    let times = times?;
    let median = |which: usize| {
        let mut times: Vec<f64> = times.iter().map(|times| times[which]).collect();
        times.sort_by(f64::total_cmp);
        rounded(times[times.len() / 2])
    };
    let line = json!({
        "latency_by_disk_s": median(0),
        "latency_by_node_s": median(1),
        "what_if_s": median(2),
        "what_if_of_a_volume_s": median(3),
        "writes": writes,
        "writes_a_second": args.writes,
        "minutes": args.minutes,
        "nodes": args.nodes,
        "disks": args.nodes * args.disks,
        "cells_a_record": pieces.iter().map(|cells| cells.latency.cells.len() + cells.attribution.cells.len()).sum::<usize>() / pieces.len(),
        "files": files.len(),
        "bytes": files.iter().map(|file| file.bytes).sum::<u64>(),
        "bytes_of_sums": files.iter().filter(|file| is_of_sums(file)).map(|file| file.bytes).sum::<u64>(),
        "adding_up_nanos_a_write": (nanos / a_minute as f64).round(),
        "record_s": rounded(put.mean),
        "slowest_record_s": rounded(put.slowest),
    });
    println!("{line}");
    Ok(())
}

/// To the millisecond.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

const fn is_of_sums(file: &FileEntry) -> bool {
    matches!(file.table, Table::LatencySums | Table::AttributionSums)
}

/// What the store became.
struct Stored {
    /// The files of cells in force, and of their sums.
    files: Vec<FileEntry>,
    /// How long a record took, in seconds.
    mean: f64,
    slowest: f64,
}

/// Puts every minute's records.
async fn store(args: &Args, blobs: &Blobs, pieces: &[Cells], catalog: &Catalog) -> Result<Stored> {
    let mut owner = Owner::<u32>::take_over(blobs.clone(), "c".into(), [7; 16], START).await?;
    let (mut sum, mut slowest, mut records) = (0.0, 0.0_f64, 0_u32);
    for minute in 0..args.before + args.minutes {
        for piece in pieces {
            let cells = moved(piece, minute * MINUTE);
            let rows = JoinedRows {
                ios: vec![Made::io(START + minute * MINUTE, 0, 0..0)],
                ..JoinedRows::default()
            };
            let commit = Commit {
                rows: &rows,
                catalog,
                coverage: &[],
                observations: &[],
                samples: &[],
                findings: &[],
                slow_minutes: &[],
                baselines: &[],
                picture: None,
                cells: &cells,
                cells_since: 1,
                pending: &[],
                topologies: Vec::new(),
                state: 0,
                now_unix_nanos: START,
            };
            let began = Instant::now();
            owner.commit(commit).await?;
            let took = began.elapsed().as_secs_f64();
            (sum, slowest, records) = (sum + took, slowest.max(took), records + 1);
        }
    }
    let is_of_cells = |file: &&FileEntry| matches!(file.table, Table::Latency | Table::Attribution) || is_of_sums(file);
    Ok(Stored {
        files: owner.files().iter().filter(is_of_cells).cloned().collect(),
        mean: sum / f64::from(records),
        slowest,
    })
}

/// The same cells so much later.
fn moved(cells: &Cells, nanos: i64) -> Cells {
    let later = |bucket: &Bucket| Bucket {
        from_unix_nanos: bucket.from_unix_nanos + nanos,
        ..*bucket
    };
    let mut moved = Cells::default();
    for ((bucket, key), sketch) in &cells.latency.cells {
        moved.latency.add(later(bucket), *key, sketch);
    }
    for ((bucket, key), cell) in &cells.attribution.cells {
        moved.attribution.add(later(bucket), *key, cell);
    }
    moved
}

/// How many writes of a minute's cells ended after it.
fn spilt(cells: &Cells) -> u64 {
    let all = cells.attribution.cells.iter();
    all.filter(|((bucket, key), _)| bucket.from_unix_nanos >= START + MINUTE && key.to == Candidate::All)
        .map(|(_, cell)| cell.writes)
        .sum()
}

/// How long each answer takes, in seconds.
async fn answers(args: &Args, blobs: &Blobs, files: &[FileEntry], writes: u64) -> Result<[f64; 4]> {
    let began = Instant::now();
    let (totals, names) = latencies(blobs, files, &ask(args, By::Disk.kinds())).await?;
    let latency = report(By::Disk, &totals, &names)?;
    let of_devices = latency.iter().filter(|row| row.tap == "device");
    ensure!(
        of_devices.map(|row| row.count).sum::<u64>() == 3 * writes,
        "each copy counts once"
    );
    let by_disk = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let (totals, names) = latencies(blobs, files, &ask(args, By::Node.kinds())).await?;
    ensure!(!report(By::Node, &totals, &names)?.is_empty(), "nodes have latencies");
    let by_node = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let totals = attribution(blobs, files, &ask(args, &[])).await?;
    let what_if = WhatIf::of_totals(&totals);
    ensure!(what_if.writes() == writes, "each write counts once");
    ensure!(!what_if.ranked().is_empty(), "something is waited for");
    let all = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let of_one = Ask {
        volume: Some("vol0"),
        ..ask(args, &[])
    };
    let totals = attribution(blobs, files, &of_one).await?;
    let what_if = WhatIf::of_totals(&totals);
    ensure!(
        0 < what_if.writes() && what_if.writes() < writes,
        "a volume has some of the writes"
    );
    Ok([by_disk, by_node, all, began.elapsed().as_secs_f64()])
}

/// The stretch, as a question of a coordinator names it.
fn ask<'a>(args: &Args, kinds: &'a [OfKind]) -> Ask<'a> {
    Ask {
        span: Span {
            from_unix_nanos: START + args.before * MINUTE,
            until_unix_nanos: i64::MAX,
        },
        since: 1,
        volume: None,
        op: Some(Op::Write),
        kinds,
        with_sketches: true,
    }
}

/// Adds up latencies as a coordinator does for a question.
async fn latencies(blobs: &Blobs, files: &[FileEntry], ask: &Ask<'_>) -> Result<(Totals, Catalog)> {
    let (mut totals, mut names) = (Totals::default(), Catalog::default());
    let own = &mut totals.latency;
    sum_latency(blobs, files, ask, &mut names, |key, kept| {
        own.entry(key).or_default().merge_bins(kept)
    })
    .await?;
    Ok((totals, names))
}

/// The rows of an answer.
fn report(by: By, totals: &Totals, names: &Catalog) -> Result<Vec<Latency>> {
    let mut latencies = Latencies::new(by, Op::Write);
    for (key, sketch) in &totals.latency {
        ensure!(
            by.kinds().contains(&key.of.kind()),
            "nothing is read that is not asked for"
        );
        latencies.add_cell(key, sketch);
    }
    Ok(latencies.report(names))
}

/// Adds up what writes waited for as a coordinator does for a question.
async fn attribution(blobs: &Blobs, files: &[FileEntry], ask: &Ask<'_>) -> Result<BTreeMap<Candidate, Attribution>> {
    let (mut totals, mut names) = (BTreeMap::<Candidate, Attribution>::new(), Catalog::default());
    sum_attribution(blobs, files, ask, &mut names, |to, kept| {
        totals.entry(to).or_default().merge_kept(kept)
    })
    .await?;
    Ok(totals)
}

fn catalog(args: &Args) -> Catalog {
    let mut catalog = Catalog::default();
    for node in 0..args.nodes {
        let name = format!("n{node}");
        catalog.intern_node(&name.as_str().into());
        catalog.intern_volume(&format!("vol{node}").as_str().into());
        catalog.intern_stream(&StreamId {
            cluster: "c".into(),
            node: name.as_str().into(),
            kind: StreamKind::Io,
            incarnation: Incarnation::from_bytes([1; 16]),
        });
        for disk in 0..args.disks {
            catalog.intern_disk(&PhysicalDisk {
                id: format!("{name}-{disk}").as_str().into(),
                node: name.as_str().into(),
                name: format!("disk{disk}"),
            });
        }
    }
    catalog
}

/// Made-up writes.
struct Made {
    nodes: u32,
    disks: u32,
    random: u64,
}

impl Made {
    const fn new(args: &Args) -> Self {
        Self {
            nodes: args.nodes,
            disks: args.disks,
            random: 7,
        }
    }

    /// SplitMix64.
    const fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// About so long: mostly within a third, one in 200 ten times as long.
    fn about(&mut self, nanos: u64) -> u64 {
        let spread: u64 = (0..4).map(|_| self.next() % (nanos / 3)).sum();
        let tail = if self.next().is_multiple_of(200) { 10 } else { 1 };
        (nanos / 3 + spread) * tail
    }

    fn io(end: i64, node: u32, legs: std::ops::Range<usize>) -> Io {
        Io {
            event: Observation {
                stream: StreamIndex(node),
                ordinal: 0,
                start_unix_nanos: end,
                duration_nanos: 0,
                status: 0,
            },
            node: NodeIndex(node),
            volume: VolumeIndex(node),
            op: Op::Write,
            offset: 0,
            length: 4096,
            class: IoClass::Exact,
            legs_expected: 3,
            slowest: None,
            legs,
        }
    }

    /// So many writes from one of a minute's on.
    fn rows(&mut self, count: u64, first: u64, a_minute: u64) -> JoinedRows {
        let mut rows = JoinedRows::default();
        for number in 0..count {
            let start = START + ((first + number) as i64).saturating_mul(MINUTE) / a_minute as i64;
            let node = (self.next() % u64::from(self.nodes)) as u32;
            let slab = self.next();
            let from = rows.legs.len();
            for copy in 0..3 {
                // Three nodes apart, by the slab.
                let holder = ((slab % u64::from(self.nodes)) as u32 + copy * (self.nodes / 3).max(1)) % self.nodes;
                let disk = holder * self.disks + ((slab >> (8 * copy)) % u64::from(self.disks)) as u32;
                let device = self.about(150_000);
                let way = if holder == node { 0 } else { self.about(90_000) };
                let sent = start + 10_000 + 3_000 * i64::from(copy);
                let seen = |start: i64, nanos: u64| Observation {
                    stream: StreamIndex(holder),
                    ordinal: first + number,
                    start_unix_nanos: start,
                    duration_nanos: nanos,
                    status: 0,
                };
                let local = holder == node;
                rows.legs.push(Leg {
                    part: 0,
                    copy,
                    node: NodeIndex(holder),
                    disk: DiskIndex(disk),
                    disk_offset: 0,
                    length: 4096,
                    local,
                    initiator: (!local).then(|| seen(sent, way + device)),
                    target: None,
                    device: Some(seen(sent + (way / 2) as i64, device)),
                    cache: None,
                    merged: None,
                    more: MoreOrdinals::default(),
                    missing_initiator: None,
                    missing_target: None,
                    missing_device: None,
                    method: LegMethod::Key,
                    confidence: 1.0,
                    ambiguous: false,
                    candidate: false,
                    clock: None,
                });
            }
            let end = |leg: &Leg| leg.initiator.or(leg.device).map_or(0, |seen| seen.end_unix_nanos());
            let mut ends: Vec<(i64, usize)> = (from..from + 3).map(|at| (end(&rows.legs[at]), at)).collect();
            ends.sort_unstable();
            let mut io = Self::io(start, node, from..from + 3);
            io.event.ordinal = first + number;
            io.event.duration_nanos = (ends[2].0 - start).unsigned_abs() + 15_000;
            io.slowest = Some(Slowest {
                leg: ends[2].1,
                lead_nanos: Some((ends[2].0 - ends[1].0).unsigned_abs()),
                confidence: 1.0,
            });
            rows.ios.push(io);
        }
        rows
    }
}
