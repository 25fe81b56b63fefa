//! Disks whose offsets are shifted: by what is learnt, and said where it cannot be.

use fathom_model::{IoClass, Missing, Op, Tap};

use super::super::Engine;
use super::cluster::{Cluster, MS, Made, Options, START};
use super::play::{Plan, Played, assert_same, play};
use super::traffic::Request;
use super::truth::score;
use crate::config::Config;

fn shifted(seed: u64, shift_targets: bool) -> Options {
    Options {
        seed,
        nodes: 4,
        copies: 3,
        ios: 600,
        blocks: 400,
        offset_nanos: 500 * MS,
        drift_ppb: 50_000,
        shift_bytes: 16 << 20,
        shift_targets,
        ..Options::default()
    }
}

fn played(cluster: &Cluster, streams: &[Made]) -> Played {
    play(&Config::default(), &cluster.topology, streams, &Plan::PLAIN)
}

fn shifts_of(engine: &Engine, tap: Tap) -> Vec<(String, u64)> {
    let all = engine.shifts().into_iter().filter(|report| report.tap == tap);
    all.map(|report| (engine.catalog().disk(report.disk).id.to_string(), report.bytes as u64))
        .collect()
}

#[test]
fn shift_of_each_drive_is_learnt_and_everything_is_found() {
    for seed in 1..6 {
        for without in [vec![], vec![Tap::Target], vec![Tap::Initiator, Tap::Target]] {
            for shift_targets in [false, true] {
                let options = Options {
                    without: without.clone(),
                    ..shifted(seed, shift_targets)
                };
                let cluster = Cluster::busy(&options);
                let streams = cluster.streams();
                let played = played(&cluster, &streams);
                let score = score(&played, &streams);
                let context = format!(
                    "seed {seed}, without {without:?}, targets {shift_targets}: {score:?}, {:?}",
                    played.missing()
                );
                assert_eq!(score.wrong, 0, "{context}");
                assert!(score.exact * 100 >= score.ios * 98, "{context}");
                for (disk, bytes) in shifts_of(&played.engine, Tap::Device) {
                    assert_eq!(bytes, cluster.disk_shift(&disk.as_str().into()), "{disk}");
                }
                assert_eq!(shifts_of(&played.engine, Tap::Device).len(), options.nodes);
            }
        }
    }
}

#[test]
fn what_was_learnt_stays_over_a_restart() {
    let cluster = Cluster::busy(&shifted(3, true));
    let streams = cluster.streams();
    let plain = played(&cluster, &streams);
    for seed in 1..8 {
        let plan = Plan {
            restarts: 4,
            ..Plan::wild(seed)
        };
        let restarted = play(&Config::default(), &cluster.topology, &streams, &plan);
        assert_same(&plain.named, &restarted.named);
        assert_eq!(plain.engine.shifts(), restarted.engine.shifts());
        assert_eq!(plain.engine.state().shifts, restarted.engine.state().shifts);
    }
}

/// The offsets that rows of no I/O show are those that the tap showed.
#[test]
fn rows_of_no_io_show_what_the_tap_showed() {
    let cluster = Cluster::busy(&Options {
        foreign: 200,
        ..shifted(5, false)
    });
    let streams = cluster.streams();
    let played = played(&cluster, &streams);
    let devices = played.rows.unmatched.iter().filter(|row| row.tap == Tap::Device);
    let mut seen = 0;
    for row in devices {
        let id = played.engine.catalog().stream(row.event.stream);
        let made = streams.iter().find(|made| made.info.id == *id).unwrap();
        assert_eq!(row.offset, made.events[row.event.ordinal as usize].offset);
        seen += 1;
    }
    assert!(seen > 100);
}

/// Moves what drives show from some time on.
fn moved(streams: &mut [Made], from: i64, by: impl Fn(usize) -> u64) {
    for made in streams {
        let clock = made.clock;
        for (at, event) in made.events.iter_mut().enumerate() {
            let tap = made.devices[event.device as usize].tap;
            if tap == Tap::Device && event.op != Op::Flush && clock.when(event.start_unix_nanos) >= from {
                event.offset += by(at);
            }
        }
    }
}

#[test]
fn shift_that_changes_is_learnt_anew() {
    let options = Options {
        millis: 20_000,
        ios: 4_000,
        ..shifted(4, false)
    };
    let cluster = Cluster::busy(&options);
    let mut streams = cluster.streams();
    moved(&mut streams, START + 10_000 * MS, |_| 5 << 20);
    let played = played(&cluster, &streams);
    let score = score(&played, &streams);
    assert_eq!(score.wrong, 0, "{score:?}");
    // All but the window in which it changed and the one that found nothing any more.
    assert!(score.exact * 100 >= score.ios * 88, "{score:?}");
    for (disk, bytes) in shifts_of(&played.engine, Tap::Device) {
        assert_eq!(bytes, cluster.disk_shift(&disk.as_str().into()) + (5 << 20));
    }
}

#[test]
fn offsets_that_no_constant_explains_are_said_to_be_displaced() {
    let cluster = Cluster::busy(&Options {
        offset_nanos: MS,
        ..shifted(6, false)
    });
    let mut streams = cluster.streams();
    moved(&mut streams, START, |at| (1 + at as u64 * 7919 % 4001) << 20);
    let played = played(&cluster, &streams);
    assert_eq!(score(&played, &streams).wrong, 0);
    assert!(played.engine.shifts().iter().all(|report| report.tap == Tap::Target));
    for io in &played.rows.ios {
        assert_eq!(io.class, IoClass::Incomplete);
        for leg in played.rows.legs_of(io) {
            assert!(leg.target.is_some() && leg.device.is_none());
            assert_eq!(leg.missing_device, Some(Missing::Displaced));
        }
    }
}

/// Every request is followed at once by the next one: all but the last could be the one before, moved.
#[test]
fn stream_of_requests_is_not_shifted_by_one() {
    for in_flight in [1, 2, 4] {
        let mut cluster = Cluster::idle(&Options {
            seed: 9,
            chunks: 4,
            ..Options::default()
        });
        for at in 0..900_u64 {
            cluster.plain(Request {
                initiator: 0,
                op: Op::Write,
                offset: at * 4096,
                length: 4096,
                start: START + at as i64 * 200_000 / in_flight,
            });
        }
        let streams = cluster.streams();
        let played = played(&cluster, &streams);
        assert!(played.engine.shifts().iter().all(|report| report.bytes == 0));
        assert!(
            played.rows.ios.iter().all(|io| io.class == IoClass::Exact),
            "{in_flight}"
        );
    }
}
