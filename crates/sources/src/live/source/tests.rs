//! The live source over feeds that say what a test wants, and over a real trace.

use std::io::{Cursor, Read};
use std::path::Path;

use fathom_etl::build::Payload;
use fathom_etl::event::RawEvent;
use fathom_model::{IoEvent, Op, PhysicalDiskId};
use proptest::prelude::*;

use super::*;
use crate::live::recorded::Recorded;
use crate::live::{Disk, Disks};

const BASE: i64 = 1_790_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;
/// A tick is 100 ns.
const CLOCK: Clock = Clock::of_counter(10_000_000, 0, BASE);

/// A feed that hands over what was put in.
#[derive(Debug, Default)]
struct Script {
    steps: VecDeque<(Vec<Owned>, Fed)>,
    layouts: Vec<(EventKey, Layout)>,
}

#[derive(Clone, Debug)]
enum Owned {
    Event(EventKey, i64, Vec<u8>),
    Rendered(String),
}

impl Feed for Script {
    fn drain(&mut self, _: Duration, take: &mut dyn FnMut(Item<'_>)) -> Result<Fed> {
        let (items, fed) = self.steps.pop_front().unwrap_or_default();
        for item in &items {
            take(match item {
                Owned::Event(key, stamp, payload) => Item::Event(RawEvent {
                    key: *key,
                    stamp: *stamp,
                    pointer_bytes: 8,
                    payload,
                }),
                Owned::Rendered(text) => Item::Rendered(text),
            });
        }
        Ok(fed)
    }

    fn layouts(&mut self) -> Vec<(EventKey, Layout)> {
        self.layouts.clone()
    }
}

fn key(provider: fathom_etl::event::Guid, id: u16, version: u8) -> EventKey {
    EventKey { provider, id, version }
}

/// A kernel's disk I/O that ended so many 100 ns after the base.
fn disk_io(op: Op, number: u32, offset: u64, ticks: i64, response: u64, irp: u64) -> Owned {
    let id = if op == Op::Read { 10 } else { 11 };
    let payload = Payload::default().u32(number).u32(0).u32(4096).u32(0).u64(offset);
    let payload = payload.u64(1).u64(irp).u64(response).u32(9).0;
    Owned::Event(key(providers::DISK_IO, id, 3), ticks, payload)
}

fn at(seconds: f64) -> Fed {
    Fed {
        now_unix_nanos: BASE + (seconds * 1e9) as i64,
        ..Fed::default()
    }
}

fn options(profile: Profile) -> Options {
    Options {
        node: "n1".into(),
        profile,
        clock: CLOCK,
        anchor: (BASE, 7),
        hold: Duration::from_secs(1),
        topology: None,
        settings: Settings::default(),
        layouts: Vec::new(),
        volumes: Vec::new(),
        most_held: 1 << 20,
    }
}

fn source(profile: Profile, steps: Vec<(Vec<Owned>, Fed)>) -> LiveSource<Script> {
    let script = Script {
        steps: steps.into(),
        layouts: Vec::new(),
    };
    LiveSource::new(script, options(profile)).0
}

/// Polls until it would have to wait, and so often more.
fn polled(source: &mut LiveSource<impl Feed>, polls: usize) -> (Vec<IoEvent>, Vec<Gap>, Vec<i64>) {
    let (mut events, mut gaps, mut promises) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..polls {
        match source.poll(Duration::ZERO, 100).expect("it works") {
            Polled::Events(batch) => {
                assert_eq!(batch.first_ordinal, events.len() as u64);
                assert!(
                    batch
                        .columns
                        .iter()
                        .all(|event| promises.iter().all(|&until| event.end_unix_nanos() >= until))
                );
                events.extend(batch.columns.iter());
                promises.push(batch.complete_until_unix_nanos);
            }
            Polled::Gap(gap) => gaps.push(gap),
            Polled::Quiet {
                complete_until_unix_nanos,
            } => promises.push(complete_until_unix_nanos),
            Polled::Later(_) => {}
            Polled::End => break,
        }
    }
    (events, gaps, promises)
}

#[test]
fn events_wait_for_those_that_come_by_slower_ways() {
    let early = disk_io(Op::Write, 1, 4096, 5_000_000, 1_000, 1);
    let late = disk_io(Op::Write, 1, 0, 1_000_000, 2_000, 2);
    let steps = vec![(vec![early], at(0.6)), (vec![late], at(1.0)), (vec![], at(2.0))];
    let mut source = source(Profile::Writes, steps);
    let (events, gaps, promises) = polled(&mut source, 4);
    let seen: Vec<(i64, u64, u64)> = events
        .iter()
        .map(|event| (event.end_unix_nanos() - BASE, event.duration_nanos, event.offset))
        .collect();
    assert_eq!(seen, [(SECOND / 10, 200_000, 0), (SECOND / 2, 100_000, 4096)]);
    assert_eq!((gaps, promises), (vec![], vec![BASE + SECOND]));
}

#[test]
fn an_event_that_is_later_than_that_is_a_gap() {
    let late = disk_io(Op::Write, 1, 0, 1_000_000, 2_000, 2);
    let mut source = source(Profile::Writes, vec![(vec![], at(3.0)), (vec![late], at(3.1))]);
    let (events, gaps, _) = polled(&mut source, 4);
    assert_eq!(events, []);
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].cause, gaps[0].events), (GapCause::SourceDropped, Some(1)));
    assert!(gaps[0].from_unix_nanos <= BASE + SECOND / 10 && gaps[0].until_unix_nanos > BASE + SECOND / 10);
}

#[test]
fn what_the_session_lost_is_a_gap_up_to_the_last_look_and_its_buffers() {
    let lost = Fed { lost: 5, ..at(4.0) };
    let buffers = Fed {
        lost: 5,
        lost_buffers: 1,
        ..at(5.0)
    };
    let mut source = source(
        Profile::Writes,
        vec![
            (vec![], at(3.0)),
            (vec![], lost.clone()),
            (vec![], lost),
            (vec![], buffers),
        ],
    );
    let (_, gaps, _) = polled(&mut source, 8);
    let told: Vec<(i64, i64, Option<u64>)> = gaps
        .iter()
        .map(|gap| (gap.from_unix_nanos - BASE, gap.until_unix_nanos - BASE, gap.events))
        .collect();
    assert_eq!(
        told,
        [(2 * SECOND, 4 * SECOND, Some(5)), (3 * SECOND, 5 * SECOND, None)]
    );
}

#[test]
fn reads_are_kept_by_the_full_profile_alone() {
    let io = vec![
        disk_io(Op::Read, 1, 0, 1_000_000, 1, 1),
        disk_io(Op::Write, 1, 0, 1_000_001, 1, 2),
    ];
    for (profile, count) in [(Profile::Writes, 1), (Profile::Full, 2)] {
        let mut source = source(profile, vec![(io.clone(), at(3.0))]);
        assert_eq!(polled(&mut source, 3).0.len(), count, "{profile}");
    }
}

#[test]
fn a_quiet_node_still_promises() {
    let steps = (1..6).map(|second| (vec![], at(f64::from(second)))).collect();
    let (events, _, promises) = polled(&mut source(Profile::Writes, steps), 5);
    assert_eq!(events, []);
    assert_eq!(
        promises,
        [BASE + SECOND, BASE + 2 * SECOND, BASE + 3 * SECOND, BASE + 4 * SECOND]
    );
    let steps = (1..6).map(|second| (vec![], at(f64::from(second)))).collect();
    let promises = polled(&mut source(Profile::Off, steps), 5).2;
    assert_eq!(promises.len(), 4, "where nothing is read nobody is to wait for it");
}

fn bus(text: &str) -> Layout {
    text.parse().expect("a layout")
}

#[test]
fn legs_of_the_bus_are_paired_by_device_and_irp() {
    let (begin, end) = (key(providers::CLUSPORT, 512, 0), key(providers::CLUSPORT, 1536, 0));
    let begun =
        |ticks, device, irp, major| Owned::Event(begin, ticks, Payload::default().u32(device).u64(irp).u8(major).0);
    let ended =
        |ticks, device, irp, status| Owned::Event(end, ticks, Payload::default().u32(device).u64(irp).u32(status).0);
    let items = vec![
        begun(10_000, 1, 0xa, 4),
        begun(11_000, 2, 0xa, 4),
        begun(11_500, 1, 0xb, 3),
        ended(12_000, 2, 0xa, 0),
        ended(15_000, 1, 0xa, 0xc000_0185),
        ended(16_000, 3, 0xa, 0),
    ];
    let script = Script {
        steps: vec![(items, at(3.0))].into(),
        layouts: vec![
            (begin, bus("DeviceNumber:u32 Irp:pointer Major:u8")),
            (end, bus("DeviceNumber:u32 Irp:pointer Status:u32")),
        ],
    };
    let (mut source, refused) = LiveSource::new(script, options(Profile::Writes));
    assert_eq!(refused, Vec::<String>::new());
    assert!(source.describe().taps.iter().any(|(tap, _)| *tap == Tap::Initiator));
    let (events, _, _) = polled(&mut source, 3);
    let legs: Vec<(u32, u64, u32, Option<u64>)> = events
        .iter()
        .map(|event| (event.device, event.duration_nanos, event.status, event.correlation))
        .collect();
    assert_eq!(legs, [(1, 100_000, 0, Some(0xa)), (0, 500_000, 0xc000_0185, Some(0xa))]);
    assert!(
        source
            .devices()
            .iter()
            .all(|device| device.tap == Tap::Initiator && !device.has_offsets)
    );
    assert_eq!(
        (source.counts().pairs.paired, source.counts().pairs.without_begin),
        (2, 1)
    );
}

#[test]
fn a_tap_without_a_layout_is_never_expected() {
    let mut source = source(
        Profile::Writes,
        vec![(
            vec![Owned::Event(key(providers::CLUSPORT, 512, 0), 1, vec![0; 8])],
            at(1.0),
        )],
    );
    let taps: Vec<Tap> = source.describe().taps.iter().map(|(tap, _)| *tap).collect();
    assert_eq!(taps, [Tap::Volume, Tap::Device]);
    polled(&mut source, 1);
    let troubles = source.tally().expect("it tells").troubles;
    assert!(
        troubles
            .iter()
            .any(|line| line.contains("512") && line.contains("no layout")),
        "{troubles:?}"
    );
}

#[test]
fn load_leaves_out_whole_slices_and_says_so() {
    let io = |second: i64| vec![disk_io(Op::Write, 1, 0, second * 10_000_000 + 5, 1, 1); 3];
    let first = BASE / SECOND;
    let mut source = source(
        Profile::Writes,
        (0..8)
            .map(|second| (io(second), at(second as f64 + 1.0)))
            .chain([(vec![], at(12.0))])
            .collect(),
    );
    source.set_pressure(0.6);
    let (events, gaps, _) = polled(&mut source, 30);
    let kept: Vec<i64> = events.iter().map(|event| event.end_unix_nanos() / SECOND).collect();
    // The slice that the first look fell into was whole.
    assert!(
        kept.iter().all(|second| second % 2 == 0 || *second == first),
        "{kept:?}"
    );
    assert!(
        gaps.iter()
            .all(|gap| gap.cause == GapCause::Shed && gap.events == Some(3)),
        "{gaps:?}"
    );
    assert_eq!(events.len() + 3 * gaps.len(), 24);
}

#[test]
fn slow_io_of_the_log_is_placed_where_that_is_known() {
    let refs = |volume: &str| {
        format!(
            "<Event><System><Provider Name='Microsoft-Windows-ReFS'/><EventID>147</EventID><Version>2</Version>\
             <TimeCreated SystemTime='2026-09-21T14:13:20.5Z'/></System><EventData><Data Name='VolumeName'>{volume}</Data>\
             <Data Name='IoTypeStr'>Write</Data><Data Name='IoSize'>4096</Data><Data Name='LatencyMs'>100</Data>\
             <Data Name='StartingLcn'>10</Data></EventData></Event>"
        )
    };
    let items = vec![
        Owned::Rendered(refs("V1")),
        Owned::Rendered(refs("V2")),
        Owned::Rendered("<broken".to_owned()),
    ];
    let script = Script {
        steps: vec![(items, at(3.0)), (vec![], at(3.0))].into(),
        layouts: Vec::new(),
    };
    let options = Options {
        volumes: vec![Volume {
            name: "V1".to_owned(),
            volume: "vol0".to_owned(),
            cluster_bytes: 4096,
            partition_offset: 1 << 20,
        }],
        ..options(Profile::SlowOnly)
    };
    let (mut source, _) = LiveSource::new(script, options);
    let (events, gaps, _) = polled(&mut source, 4);
    let seen: Vec<(Tap, u64)> = events.iter().map(|event| (event.tap, event.offset)).collect();
    assert_eq!(seen, [(Tap::Refs, 0), (Tap::Volume, (1 << 20) + 40_960)]);
    assert!(
        source
            .devices()
            .iter()
            .any(|device| device.tap == Tap::Refs && !device.has_offsets)
    );
    // What is not slow is not seen, and that is no absence.
    assert_eq!((gaps.len(), gaps[0].cause), (1, GapCause::Shed));
    assert!(gaps[0].from_unix_nanos == BASE && gaps[0].until_unix_nanos > BASE + 1_000 * SECOND);
    assert!(source.counts().troubles()[0].contains("broken XML"));
}

fn real_trace() -> Recorded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etl/tests/traces/windows-kernel-x64.etl.zip");
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).expect("the trace is there")).expect("an archive");
    let mut bytes = Vec::new();
    archive
        .by_index(0)
        .expect("a file")
        .read_to_end(&mut bytes)
        .expect("it unpacks");
    let disk = Disk {
        number: Some(0),
        unique_id: "eui.01".to_owned(),
        ..Disk::default()
    };
    Recorded::read(Cursor::new(bytes), Disks::from([disk]), None).expect("a trace")
}

#[test]
fn a_real_trace_gives_the_events_that_an_import_gives() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etl/tests/traces/windows-kernel-x64.etl.zip");
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).expect("the trace is there")).expect("an archive");
    let imported = fathom_etl::read(archive.by_index(0).expect("a file")).expect("a trace");
    let feed = real_trace();
    let options = Options {
        clock: feed.clock(),
        anchor: (feed.first_unix_nanos(), 0),
        ..options(Profile::Full)
    };
    let (mut source, _) = LiveSource::new(feed, options);
    let (events, gaps, _) = polled(&mut source, 10_000);
    assert_eq!(gaps, []);
    let tuple = |event: &IoEvent| {
        (
            event.end_unix_nanos(),
            event.start_unix_nanos,
            event.op,
            event.offset,
            event.length,
            event.correlation,
        )
    };
    let seen: Vec<_> = events.iter().map(tuple).collect();
    let mut expected: Vec<_> = imported
        .events
        .iter()
        .map(|io| {
            (
                io.end_unix_nanos(),
                io.start_unix_nanos,
                io.op,
                io.offset,
                io.length,
                io.irp,
            )
        })
        .collect();
    let mut sorted = seen.clone();
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
    assert_eq!(seen.len(), 1_231);
    assert!(seen.is_sorted_by_key(|event| event.0));
    assert_eq!(
        source.devices()[events[0].device as usize].disk,
        Some(PhysicalDiskId::from("eui.01"))
    );
    assert_eq!(source.tally().expect("it tells").undecoded, 0);
}

#[test]
fn a_trace_is_taken_up_where_its_stream_was_left_and_what_was_live_is_not() {
    let feed = real_trace();
    let options_of_trace = Options {
        clock: feed.clock(),
        anchor: (feed.first_unix_nanos(), 0),
        ..options(Profile::Full)
    };
    let (source, _) = LiveSource::new(feed, options_of_trace);
    let mut source = source.repeatable(Incarnation::from_bytes([1; 16]));
    source.seek(1_200).expect("a file can be read again");
    let mut given = Vec::new();
    loop {
        match source.poll(Duration::ZERO, 20).expect("it works") {
            Polled::Events(batch) => given.push((batch.first_ordinal, batch.columns.len())),
            Polled::End => break,
            Polled::Gap(_) | Polled::Quiet { .. } | Polled::Later(_) => {}
        }
    }
    let mut next = 1_200;
    for (first, count) in given {
        assert!(first == next && count <= 20, "{first} {next}");
        next += count as u64;
    }
    assert_eq!(next, 1_231);

    let io = vec![disk_io(Op::Write, 1, 0, 1_000_000, 1, 1)];
    let mut live = source_of(io);
    assert!(matches!(live.seek(5), Err(Error::Gone { wanted: 5, next: 0 })));
}

fn source_of(items: Vec<Owned>) -> LiveSource<Script> {
    source(Profile::Writes, vec![(items, at(3.0))])
}

proptest! {
    #[test]
    fn no_feed_makes_a_panic_or_breaks_a_promise(
        steps in proptest::collection::vec((
            proptest::collection::vec((0_usize..20, any::<i64>(), proptest::collection::vec(any::<u8>(), 0..60), any::<bool>()), 0..6),
            0.0_f64..20.0, 0_u64..4, 0.0_f64..1.0,
        ), 1..20),
    ) {
        let keys: Vec<EventKey> = fathom_etl::manifest::layouts().map(|(key, _)| key).chain([key(providers::DISK_IO, 11, 3)]).collect();
        let mut losses = 0;
        let script = steps.iter().map(|(items, now, lost, _)| {
            losses += lost;
            let items = items.iter().map(|(event, stamp, payload, valid)| if *valid {
                disk_io(Op::Write, *event as u32, 0, (*stamp).rem_euclid(200_000_000), 10, 1)
            } else {
                Owned::Event(keys[event % keys.len()], *stamp, payload.clone())
            });
            (items.collect(), Fed { lost: losses, ..at(*now) })
        }).collect();
        let mut source = source(Profile::Full, script);
        source.set_pressure(steps[0].3);
        let (_, _, promises) = polled(&mut source, 100);
        prop_assert!(promises.is_sorted());
    }
}
