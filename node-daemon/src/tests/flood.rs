//! A node that logs faster than its daemon reads, and nobody who takes what it has read: memory stays within its bound, the spool within its own,
//! and every event is in the spool, shed or lost, counted, with its time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fathom_segment_log::{Item as Logged, Reader};
use fathom_sources::live::chunk::{Chunks, events};
use fathom_sources::live::waiting::Waiting;
use fathom_sources::live::{Clock, Fed, Feed, Item, LiveSource, Options as Reading, Settings, event_key};
use fathom_sources::process;
use prost::Message as _;

use super::*;

/// What a daemon may hold of its node's memory.
const MEMORY_BYTES: u64 = 256 << 20;

/// Events handed over and not decoded, and I/Os that wait for their order: as much as the live source has.
const HANDED_OVER_BYTES: usize = 64 << 20;
const MOST_HELD: usize = 1_500_000;

/// When the flood begins: 2026-09-22, 3 o'clock.
const BEGIN_UNIX_NANOS: i64 = 1_790_046_000_000_000_000;

/// Events that are made by a thread as fast as it can, each so much later than the one before.
struct Flood {
    step_nanos: u64,
    made: AtomicU64,
    /// No more are wanted.
    stop: AtomicBool,
    /// The last was made.
    ended: AtomicBool,
    /// One found no room.
    is_full: AtomicBool,
    /// Of a trace session.
    chunks: Chunks,
    /// Of the event log.
    log: Mutex<Waiting>,
}

impl Flood {
    fn new(step_nanos: u64) -> Arc<Self> {
        Arc::new(Self {
            step_nanos,
            made: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            chunks: Chunks::new(HANDED_OVER_BYTES),
            log: Mutex::default(),
        })
    }

    /// `make` says whether all that was made so far found room.
    fn begin(self: &Arc<Self>, make: impl Fn(&Self, u64) -> bool + Send + 'static) -> std::thread::JoinHandle<()> {
        let flood = Arc::clone(self);
        std::thread::spawn(move || {
            while !flood.stop.load(Ordering::Relaxed) {
                let number = flood.made.load(Ordering::Relaxed);
                if !make(&flood, number) {
                    flood.is_full.store(true, Ordering::Relaxed);
                }
                flood.made.store(number + 1, Ordering::Release);
            }
            flood.ended.store(true, Ordering::Release);
        })
    }

    const fn nanos(&self, number: u64) -> u64 {
        number * self.step_nanos
    }
}

/// What the log has of a slow write of ReFS: the event's names are those of its manifest.
fn slow_write(flood: &Flood, number: u64) -> bool {
    let nanos = flood.nanos(number);
    let (minute, second, fraction) = (
        nanos / 60_000_000_000,
        nanos / 1_000_000_000 % 60,
        nanos % 1_000_000_000,
    );
    let text = format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-ReFS' \
         Guid='{{cd9c6198-bf73-4106-803b-c17d26559018}}'/><EventID>147</EventID><Version>1</Version>\
         <TimeCreated SystemTime='2026-09-22T03:{minute:02}:{second:02}.{fraction:09}Z'/><EventRecordID>{number}</EventRecordID>\
         <Channel>Microsoft-Windows-ReFS/Operational</Channel><Computer>HV01</Computer></System><EventData>\
         <Data Name='VolumeName'>Volume1</Data><Data Name='IoTypeStr'>Write</Data><Data Name='IoSize'>65536</Data>\
         <Data Name='LatencyMs'>1200</Data><Data Name='FileOffset'>{number}</Data></EventData></Event>"
    );
    let mut log = flood.log.lock().unwrap();
    log.put(text);
    log.dropped() == 0
}

/// What the kernel says of a completed write, laid out as in a block of events: provider, id, version, bytes of a pointer, length, stamp,
/// payload (`DiskIo_TypeGroup1`).
fn kernel_write() -> Vec<u8> {
    let provider = event_key("3d6fa8d4-fe05-11d0-9dda-00c04fd7ba7c", 11, 3)
        .unwrap()
        .provider;
    let mut payload = Vec::new();
    for number in [5_u32, 0, 4096, 0] {
        payload.extend(number.to_le_bytes());
    }
    // Offset, file, request, response time in ticks of 100 ns.
    for number in [1_u64 << 30, 0, 7, 400] {
        payload.extend(number.to_le_bytes());
    }
    payload.extend(0_u32.to_le_bytes());
    let mut block = provider.0.to_vec();
    block.extend(11_u16.to_le_bytes());
    block.extend([3, 8]);
    block.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
    block.extend(0_i64.to_le_bytes());
    block.extend(payload);
    block
}

/// The daemon's end of it. Once it does not come to read until there is no room: how fast a machine makes and reads is not for the test.
struct Reads {
    flood: Arc<Flood>,
    stood_still: bool,
}

impl Feed for Reads {
    fn drain(&mut self, _: Duration, take: &mut dyn FnMut(Item<'_>)) -> fathom_sources::Result<Fed> {
        let flood = &self.flood;
        while !self.stood_still {
            std::thread::sleep(Duration::from_millis(1));
            self.stood_still = flood.is_full.load(Ordering::Relaxed) || flood.ended.load(Ordering::Acquire);
        }
        // Before the events: nothing is made after the last.
        let is_ended = flood.ended.load(Ordering::Acquire);
        let made = flood.made.load(Ordering::Acquire);
        let taken = flood.chunks.take();
        for block in taken.blocks {
            events(&block).for_each(|event| take(Item::Event(event)));
            flood.chunks.give_back([block]);
        }
        let (texts, dropped) = {
            let mut log = flood.log.lock().unwrap();
            (log.take(), log.dropped())
        };
        texts.iter().for_each(|text| take(Item::Rendered(text)));
        Ok(Fed {
            now_unix_nanos: BEGIN_UNIX_NANOS + i64::try_from(flood.nanos(made)).unwrap(),
            lost: taken.dropped + dropped,
            is_ended,
            ..Fed::default()
        })
    }
}

/// What became of a flood.
#[derive(Debug)]
struct After {
    made: u64,
    spooled: u64,
    shed: u64,
    lost: u64,
    /// Events of gaps, by cause.
    gaps: BTreeMap<i32, u64>,
    memory: u64,
    spool: u64,
}

/// Reads a flood until enough of it was left out, and then to its end.
fn run(
    profile: Profile,
    flood: &Arc<Flood>,
    spool_bytes: u64,
    make: impl Fn(&Flood, u64) -> bool + Send + 'static,
) -> After {
    let folder = tempfile::tempdir().unwrap();
    let reading = Reading {
        node: "n".into(),
        profile,
        clock: Clock::of_counter(10_000_000, 0, BEGIN_UNIX_NANOS),
        anchor: (BEGIN_UNIX_NANOS, 0),
        hold: Duration::from_millis(500),
        topology: None,
        settings: Settings::default(),
        layouts: Vec::new(),
        volumes: Vec::new(),
        most_held: MOST_HELD,
    };
    let feed = Reads {
        flood: Arc::clone(flood),
        stood_still: false,
    };
    let (source, odd) = LiveSource::new(feed, reading);
    assert!(odd.is_empty(), "{odd:?}");
    let identity = Identity {
        stream: StreamId {
            cluster: "c".into(),
            node: "n".into(),
            kind: StreamKind::Io,
            incarnation: random_incarnation().unwrap(),
        },
        anchor_unix_nanos: BEGIN_UNIX_NANOS,
        anchor_monotonic_nanos: 0,
        taps: source.describe().taps,
        covered_from_unix_nanos: None,
    };
    let spool = Arc::new(Spool::open(folder.path(), spool_bytes, identity, source.devices()).unwrap());
    let health = Health::new(Arc::new(Orders::new(Some(profile))));
    let sampler = Sampler::new(Box::new(source), Arc::clone(&spool), 4096, health.clone());

    let maker = flood.begin(make);
    let began = Instant::now();
    let (done, memory) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let watch = std::thread::spawn({
        let (done, memory, flood) = (Arc::clone(&done), Arc::clone(&memory), Arc::clone(flood));
        move || {
            while !done.load(Ordering::Relaxed) {
                memory.fetch_max(process::usage().memory_bytes.unwrap_or(0), Ordering::Relaxed);
                let status = health.status();
                let is_enough = status.events_shed.unwrap_or(0) > 0 && status.events_lost.unwrap_or(0) > 0;
                if is_enough || began.elapsed() > Duration::from_secs(60) {
                    flood.stop.store(true, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            health.status()
        }
    });
    // A spool that is full makes the sampler wait for somebody to take from it: nobody does, and the test would say so.
    sampler.run(|| began.elapsed() > Duration::from_secs(120)).unwrap();
    done.store(true, Ordering::Relaxed);
    maker.join().unwrap();
    let status = watch.join().unwrap();

    let mut gaps = BTreeMap::new();
    let durable = spool.watch().borrow().durable;
    let mut reader = Reader::open(spool.directory(), 0).unwrap();
    let mut is_ended = false;
    while let Some(item) = reader.next(durable).unwrap() {
        let Logged::Record(record) = item else { continue };
        is_ended |= record.kind == spool::kind::END;
        if record.kind != spool::kind::GAP {
            continue;
        }
        let request = wire::CollectRequest::decode(record.payload).unwrap();
        let Some(wire::collect_request::Message::TimeGap(gap)) = request.message else {
            panic!("a gap is a gap");
        };
        assert!(gap.from_unix_nanos < gap.until_unix_nanos, "{gap:?}");
        *gaps.entry(gap.cause).or_default() += gap.events.unwrap_or(0);
    }
    assert!(is_ended, "it was read to its end");
    After {
        made: flood.made.load(Ordering::Relaxed),
        spooled: spool.next_ordinal(),
        shed: status.events_shed.unwrap(),
        lost: status.events_lost.unwrap(),
        gaps,
        memory: memory.load(Ordering::Relaxed),
        spool: spool.fullness().0,
    }
}

fn check(after: &After, spool_bytes: u64) {
    assert!(after.memory > 0 && after.memory < MEMORY_BYTES, "{after:?}");
    assert!(after.spool <= spool_bytes, "{after:?}");
    assert!(after.spooled > 0 && after.shed > 0 && after.lost > 0, "{after:?}");
    assert_eq!(after.made, after.spooled + after.shed + after.lost, "{after:?}");
    // Each is in a gap of its cause, and what was shed by the rule is told from what could not be kept at all.
    let of = |causes: &[wire::LossCause]| -> u64 {
        let all = causes.iter().filter_map(|cause| after.gaps.get(&(*cause).into()));
        all.sum()
    };
    assert_eq!(of(&[wire::LossCause::SourceDropped]), after.lost, "{after:?}");
    assert_eq!(
        of(&[wire::LossCause::Shed, wire::LossCause::SpoolFull]),
        after.shed,
        "{after:?}"
    );
    tracing::info!(?after, "a flood is over");
}

/// Set in a process that has one of these tests alone.
const ALONE: &str = "FATHOM_FLOOD_ALONE";

/// Whether a test is alone in its process, whose memory is looked at. Where it is not, it is run in one of its own.
fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut own = std::process::Command::new(std::env::current_exe().unwrap());
    let ran = own
        .args(["--exact", test, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}{errors}");
    false
}

/// The log is read one event in ten microseconds, and its channels have a hundred thousand a second.
#[test]
fn slow_events_that_nobody_takes_fill_neither_memory_nor_the_spool() {
    if !is_alone("tests::flood::slow_events_that_nobody_takes_fill_neither_memory_nor_the_spool") {
        return;
    }
    let flood = Flood::new(10_000);
    let spool_bytes = 1 << 20;
    let after = run(Profile::SlowOnly, &flood, spool_bytes, slow_write);
    check(&after, spool_bytes);
}

/// Two million events a second of event time.
#[test]
fn writes_that_nobody_takes_fill_neither_memory_nor_the_spool() {
    if !is_alone("tests::flood::writes_that_nobody_takes_fill_neither_memory_nor_the_spool") {
        return;
    }
    let flood = Flood::new(500);
    // What waits in memory has to find room in it at the end.
    let spool_bytes = 64 << 20;
    let block = kernel_write();
    let after = run(Profile::Writes, &flood, spool_bytes, move |flood, number| {
        let mut event = events(&block).next().unwrap();
        event.stamp = i64::try_from(flood.nanos(number) / 100).unwrap();
        flood.chunks.put(&event)
    });
    check(&after, spool_bytes);
}
