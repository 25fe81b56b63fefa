//! What the node daemon costs on the node: from the bytes of events to the spool on disk, in one thread, as in the daemon.
//!
//! The events of the kernel are those of a recorded trace, their payloads byte for byte but for disk, offset and request; the storage bus's
//! are built by a layout, since there is no public trace of them. They are handed over in slices of event time at the rate that is asked for,
//! over and over with later stamps, faster than they would come; so what is measured is work, never waiting.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fathom_proto::collect::v1 as wire;
use fathom_proto::convert::batch;
use fathom_segment_log::Writer;
use fathom_sources::live::chunk::{Chunks, events};
use fathom_sources::live::{LiveSource, Options, Profile, Settings};
use fathom_sources::{Polled, Source, process};
use prost::Message as _;
use serde_json::json;

mod load;

use load::{Load, Looped};

/// Options of `fathom-bench daemon`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Recorded trace, as it is or zipped
    #[arg(
        long,
        value_name = "FILE",
        default_value = "crates/etl/tests/traces/windows-kernel-x64.etl.zip"
    )]
    trace: std::path::PathBuf,
    /// Writes a second of event time
    #[arg(long, default_value_t = 100_000)]
    writes: u32,
    /// Copies of a write: each has a leg on the bus, which is two events, and a drive's event; the write itself has one
    #[arg(long, default_value_t = 3)]
    copies: u32,
    /// Seconds of event time in each run
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Runs; the median is told
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Most events in a batch
    #[arg(long, default_value_t = 4096)]
    batch: usize,
}

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Until {
    /// Events are copied as the session's thread does, and given back.
    Copied,
    /// ... decoded, paired, tied to disks, ordered and put into columns.
    Decoded,
    /// ... encoded and compressed.
    Encoded,
    /// ... and on disk.
    Spooled,
}

/// Measures, and prints one line of JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.runs == 0 || args.writes == 0 || args.seconds == 0 || args.copies == 0 {
        bail!("--runs, --writes, --seconds and --copies are at least 1");
    }
    let load = Load::new(&trace(&args.trace)?, args.writes, args.copies)?;
    let mut nanos = Vec::new();
    let mut last = None;
    for until in [Until::Copied, Until::Decoded, Until::Encoded, Until::Spooled] {
        // One that is not counted, so that memory is there.
        measure(&load, args, until)?;
        let mut runs = Vec::new();
        for _ in 0..args.runs {
            let measured = measure(&load, args, until)?;
            runs.push(measured.nanos_an_event);
            last = Some(measured);
        }
        runs.sort_by(f64::total_cmp);
        nanos.push(runs[runs.len() / 2]);
    }
    let last = last.context("nothing was measured")?;
    let all = nanos.iter().sum::<f64>() - nanos[1] - nanos[2];
    let rate = load.events_a_second() as f64;
    let rounded = |value: f64, steps: f64| (value * steps).round() / steps;
    let line = json!({
        "nanoseconds_an_event": {
            "copy": rounded(nanos[0], 10.0),
            "decode": rounded(nanos[1], 10.0),
            "batch": rounded(nanos[2] - nanos[1], 10.0),
            "spool": rounded(nanos[3] - nanos[2], 10.0),
            "decode_batch_spool": rounded(nanos[3], 10.0),
            "all": rounded(all, 10.0),
        },
        "processor_share_at_rate": rounded(all * rate / 1e9, 1_000.0),
        "writes_a_second": args.writes,
        "events_a_second": rate,
        "events_an_io": rounded(load.events_a_second() as f64 / last.ios as f64 * f64::from(args.seconds), 100.0),
        "bytes_an_event_in_spool": rounded(last.spool_bytes as f64 / last.events as f64, 10.0),
        "most_held_ios": last.most_held,
        "memory_bytes": process::usage().memory_bytes,
        "events": last.events,
        "ios": last.ios,
        "lost": last.lost,
        "runs": args.runs,
    });
    println!("{line}");
    Ok(())
}

struct Measured {
    nanos_an_event: f64,
    events: u64,
    ios: u64,
    lost: u64,
    spool_bytes: u64,
    most_held: u64,
}

fn measure(load: &Load, args: &Args, until: Until) -> Result<Measured> {
    if until == Until::Copied {
        return Ok(copy(load, args));
    }
    let folder = tempfile::tempdir()?;
    let mut writer = match until {
        Until::Spooled => Some(Writer::open(fathom_segment_log::Config::new(folder.path()), b"bench")?),
        _ => None,
    };
    let options = Options {
        node: "bench".into(),
        profile: Profile::Writes,
        clock: load.clock(),
        anchor: (load.begin_unix_nanos(), 0),
        // As the daemon's own: a flush timer of 250 ms and 250 ms to come.
        hold: Duration::from_millis(500),
        topology: None,
        settings: Settings::default(),
        layouts: Vec::new(),
        volumes: Vec::new(),
        most_held: 1_500_000,
    };
    let (mut source, odd) = LiveSource::new(Looped::new(load, args.seconds), options);
    if !odd.is_empty() {
        bail!("the layouts do not fit: {odd:?}");
    }
    let (mut ios, mut most_held, mut unsynced) = (0_u64, 0, 0_u64);
    let mut elapsed = Duration::ZERO;
    let began = process_nanos();
    loop {
        match source.poll(elapsed, args.batch)? {
            Polled::Events(events) => {
                let count = events.columns.len();
                ios += count as u64;
                if until == Until::Decoded {
                    std::hint::black_box(&events);
                    continue;
                }
                let encoded = batch::encode(events.first_ordinal, &events.columns, events.complete_until_unix_nanos);
                let Some(writer) = &mut writer else {
                    std::hint::black_box(&encoded);
                    continue;
                };
                let request = wire::CollectRequest {
                    message: Some(wire::collect_request::Message::IoBatch(encoded)),
                };
                writer.append(1, events.first_ordinal, count as u32, &request.encode_to_vec())?;
                unsynced += count as u64;
                // As the sampler does.
                if unsynced >= 64 * 1024 {
                    writer.sync()?;
                    unsynced = 0;
                }
            }
            Polled::Later(_) | Polled::Quiet { .. } => {
                most_held = most_held.max(source.tally().map_or(0, |tally| tally.held));
                elapsed += load::SLICE;
            }
            Polled::Gap(gap) => bail!("events were lost: {gap:?}"),
            Polled::End => break,
        }
    }
    if let Some(writer) = &mut writer {
        writer.sync()?;
    }
    let nanos = process_nanos() - began;
    let counts = source.counts();
    let lost = counts.lost + counts.late + counts.shed;
    if counts.seen == 0 || !counts.troubles().is_empty() {
        bail!("events were not decoded: {:?}", counts.troubles());
    }
    Ok(Measured {
        nanos_an_event: nanos / counts.seen as f64,
        events: counts.seen,
        ios,
        lost,
        spool_bytes: writer.map_or(0, |writer| writer.total_bytes()),
        most_held,
    })
}

/// What the session's own thread does with each event.
fn copy(load: &Load, args: &Args) -> Measured {
    let chunks = Chunks::new(64 << 20);
    let (mut copied, mut events_seen) = (0_u64, 0_u64);
    let began = process_nanos();
    for _ in 0..args.seconds * load::SLICES {
        for event in load.blocks().iter().flat_map(|block| events(block)) {
            copied += u64::from(chunks.put(&event));
            events_seen += 1;
        }
        let taken = chunks.take();
        chunks.give_back(taken.blocks);
    }
    Measured {
        nanos_an_event: (process_nanos() - began) / events_seen.max(1) as f64,
        events: events_seen,
        ios: 0,
        lost: events_seen - copied,
        spool_bytes: 0,
        most_held: 0,
    }
}

/// Processor time so far where the system counts it finely, else time that has passed: in nanoseconds.
fn process_nanos() -> f64 {
    // The processor's time has steps of 10 ms; a run takes seconds, so that this is below one in a hundred.
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let passed = BEGAN.elapsed().as_nanos() as f64;
    process::usage().processor_nanos.map_or(passed, |nanos| nanos as f64)
}

fn trace(path: &Path) -> Result<Vec<u8>> {
    let told = || format!("{}: give a trace with --trace", path.display());
    let bytes = std::fs::read(path).with_context(told)?;
    if !bytes.starts_with(b"PK") {
        return Ok(bytes);
    }
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).with_context(told)?;
    let mut unpacked = Vec::new();
    archive.by_index(0).with_context(told)?.read_to_end(&mut unpacked)?;
    Ok(unpacked)
}
