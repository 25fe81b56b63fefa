//! What a long stretch of a busy cluster costs to answer from the tables `latency` and `attribution`.
//!
//! One minute of writes is made up and added up as a worker does, a piece for each record; its cells then stand for every minute of the
//! stretch, and go into a store as a coordinator puts them, files put together among them. So the store is that of the whole stretch,
//! while no more than a minute of writes has to be made. Timed is what an answer takes from the names of the files to its rows: all but
//! the network.

use std::time::Instant;

use anyhow::{Result, ensure};
use fathom_diagnose::latency::{By, Latencies};
use fathom_diagnose::tally::{Tally, Totals};
use fathom_diagnose::what_if::WhatIf;
use fathom_model::cell::{Bucket, Cells};
use fathom_model::fan_out::MoreOrdinals;
use fathom_model::{
    Catalog, DiskIndex, Incarnation, Io, IoClass, JoinedRows, Leg, LegMethod, NodeIndex, Observation, Op, PhysicalDisk,
    Slowest, StreamId, StreamIndex, StreamKind, VolumeIndex,
};
use fathom_store::blobs::Blobs;
use fathom_store::paths::Table;
use fathom_store::{Commit, Owner, read_attribution, read_latency};
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
        args.writes > 0 && args.minutes > 0 && args.records > 0 && args.runs > 0,
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
    let (files, bytes, put) = runtime.block_on(store(args, &blobs, &pieces, &catalog))?;
    let mut times: Vec<[f64; 2]> = Vec::new();
    for _ in 0..args.runs {
        let began = Instant::now();
        let (totals, names) = runtime.block_on(read(&blobs, &files, true))?;
        let mut latencies = Latencies::new(By::Disk, Op::Write);
        totals
            .latency
            .iter()
            .for_each(|(key, sketch)| latencies.add_cell(key, sketch));
        ensure!(
            latencies.report(&names).len() >= args.disks as usize,
            "disks have latencies"
        );
        let latency = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let (totals, _) = runtime.block_on(read(&blobs, &files, false))?;
        let what_if = WhatIf::of_totals(&totals.attribution);
        ensure!(
            what_if.writes() == a_record * args.records * args.minutes.unsigned_abs(),
            "each write counts once"
        );
        ensure!(!what_if.ranked().is_empty(), "something is waited for");
        times.push([latency, began.elapsed().as_secs_f64()]);
    }
    let median = |which: usize| {
        let mut times: Vec<f64> = times.iter().map(|times| times[which]).collect();
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2] * 1000.0).round() / 1000.0
    };
    let writes = a_record * args.records;
    let line = json!({
        "latency_by_disk_s": median(0),
        "what_if_s": median(1),
        "writes": writes * args.minutes.unsigned_abs(),
        "writes_a_second": args.writes,
        "minutes": args.minutes,
        "nodes": args.nodes,
        "disks": args.nodes * args.disks,
        "cells_a_record": pieces.iter().map(|cells| cells.latency.cells.len() + cells.attribution.cells.len()).sum::<usize>() / pieces.len(),
        "files": files.len(),
        "bytes": bytes,
        "adding_up_nanos_a_write": (nanos / writes as f64).round(),
        "records_a_second": (put * 10.0).round() / 10.0,
    });
    println!("{line}");
    Ok(())
}

/// Puts every minute's records; the files in force, their bytes, and how many records a second were put.
async fn store(
    args: &Args,
    blobs: &Blobs,
    pieces: &[Cells],
    catalog: &Catalog,
) -> Result<(Vec<fathom_store::FileEntry>, u64, f64)> {
    let mut owner = Owner::<u32>::take_over(blobs.clone(), "c".into(), [7; 16], START).await?;
    let began = Instant::now();
    for minute in 0..args.minutes {
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
                picture: None,
                cells: &cells,
                cells_since: 1,
                pending: &[],
                topologies: Vec::new(),
                state: 0,
                now_unix_nanos: START,
            };
            owner.commit(commit).await?;
        }
    }
    let records = args.minutes as f64 * pieces.len() as f64;
    let is_of_cells = |file: &&fathom_store::FileEntry| matches!(file.table, Table::Latency | Table::Attribution);
    let files: Vec<_> = owner.files().iter().filter(is_of_cells).cloned().collect();
    let bytes = files.iter().map(|file| file.bytes).sum();
    Ok((files, bytes, records / began.elapsed().as_secs_f64()))
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

/// Adds up all files of one of the tables, as a coordinator does for a question.
async fn read(blobs: &Blobs, files: &[fathom_store::FileEntry], latency: bool) -> Result<(Totals, Catalog)> {
    let (mut totals, mut names) = (Totals::default(), Catalog::default());
    for file in files {
        if latency {
            let own = &mut totals.latency;
            read_latency(blobs, file, &mut names, |_, key, kept| {
                own.entry(key).or_default().merge_bins(kept)
            })
            .await?;
        } else {
            let own = &mut totals.attribution;
            read_attribution(blobs, file, &mut names, |_, key, cell| {
                own.entry(key.to).or_default().merge(cell);
            })
            .await?;
        }
    }
    Ok((totals, names))
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
