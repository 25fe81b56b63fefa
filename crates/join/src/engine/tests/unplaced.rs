//! Legs without an offset: tied where only one assignment is possible, said to be ambiguous where not, and never another's.

use fathom_model::{IoClass, Missing, Op, Tap, UnmatchedCause};

use super::cluster::{Cluster, Draft, Irps, MS, Made, Options, START};
use super::legs::{background, write};
use super::play::{Plan, Played, assert_same, play};
use super::traffic::Trip;
use super::truth::{Score, score};
use crate::config::Config;

fn busy(seed: u64) -> Options {
    Options {
        seed,
        nodes: 4,
        copies: 3,
        disks: 2,
        ios: 1_500,
        blocks: 600,
        offset_nanos: 500 * MS,
        drift_ppb: 100_000,
        unmaps_per_mille: 10,
        without: vec![Tap::Target],
        unplaced: true,
        ..Options::default()
    }
}

fn played(options: &Options) -> (Vec<Made>, Played) {
    let cluster = Cluster::busy(options);
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    (streams, played)
}

fn scored(options: &Options) -> Score {
    let (streams, played) = played(options);
    let score = score(&played, &streams);
    assert_eq!((score.wrong, score.left), (0, 0), "{score:?} of {options:?}");
    score
}

#[test]
fn none_is_tied_to_another_copy_however_many_are_under_way() {
    for seed in 1..4 {
        // The same I/Os in ever less time: about one, four and thirty of each initiator under way at once.
        for (millis, least_exact) in [(1_500, 0.9), (150, 0.5), (20, 0.0)] {
            for irps in [Irps::None, Irps::Own] {
                let options = Options {
                    millis,
                    initiators: 2,
                    irps,
                    ..busy(seed)
                };
                let score = scored(&options);
                assert!(
                    score.exact as f64 >= least_exact * score.ios as f64,
                    "{score:?} in {millis} ms"
                );
                assert_eq!(score.incomplete, 0, "{score:?} in {millis} ms");
            }
        }
    }
}

#[test]
fn none_is_tied_to_another_copy_whatever_is_asked_for() {
    let base = busy(5);
    let difficulties = [
        Options {
            reads_per_mille: 300,
            flushes_per_mille: 20,
            ..base.clone()
        },
        Options {
            converged: true,
            initiators: 3,
            reads_per_mille: 200,
            ..base.clone()
        },
        Options {
            shared: true,
            initiators: 3,
            blocks: 20,
            ..base.clone()
        },
        Options {
            split_bytes: Some(16_384),
            ..base.clone()
        },
        Options {
            slow_per_mille: 30,
            ..base.clone()
        },
        Options {
            retries_per_mille: 50,
            ..base.clone()
        },
        Options {
            foreign: 800,
            ..base.clone()
        },
        Options {
            without: Vec::new(),
            ..base.clone()
        },
        Options {
            without: vec![Tap::Device],
            ..base.clone()
        },
    ];
    for options in difficulties {
        let (streams, played) = played(&options);
        let score = score(&played, &streams);
        assert_eq!(score.wrong, 0, "{score:?} of {options:?}");
        assert!(score.exact * 2 > score.ios, "{score:?} of {options:?}");
    }
}

#[test]
fn irp_of_the_io_ties_its_legs_where_the_traffic_shows_that_they_carry_it() {
    for (irps, known) in [(Irps::Shared, Some(true)), (Irps::Own, Some(false)), (Irps::None, None)] {
        let options = Options {
            millis: 60,
            // So many that hardly any is overwritten in flight, which is another difficulty.
            chunks: 64,
            blocks: 8_000,
            irps,
            retries_per_mille: 50,
            ..busy(3)
        };
        let (streams, played) = played(&options);
        let score = score(&played, &streams);
        assert_eq!(score.wrong, 0, "{irps:?} {score:?}");
        let initiator = streams
            .iter()
            .find(|made| made.devices.iter().any(|device| !device.has_offsets));
        let stream = played
            .engine
            .catalog()
            .find_stream(&initiator.unwrap().info.id)
            .unwrap();
        let mut reports = played.engine.streams().into_iter();
        let report = reports.find(|report| report.stream == stream).unwrap();
        assert_eq!(report.legs_share_correlation, known);
        if irps == Irps::Shared {
            // What is left are I/Os with two parts of one length on one disk, and the attempts of such.
            assert!(score.exact * 100 > score.ios * 95, "{score:?}");
            assert!(score.left * 100 < score.ios * 2, "{score:?}");
        } else {
            assert!(score.ambiguous > 0, "{score:?}");
        }
    }
}

/// What was lost without a word can make another leg the only one left. With few under way it is rare that it then also holds the
/// copy's event; where the IRP says whose a leg is, it never happens.
#[test]
fn legs_next_to_lost_events_are_left_alone() {
    for seed in 1..6 {
        let options = Options {
            lost_per_mille: 100,
            irps: Irps::Shared,
            ..busy(seed)
        };
        let (streams, played) = played(&options);
        let score = score(&played, &streams);
        assert_eq!(score.wrong, 0, "{score:?}");
    }
}

/// Ordinals that are said to be lost may have been those of an I/O or of a leg: whatever is left over may be another's.
#[test]
fn where_events_are_said_to_be_lost_nothing_is_sure() {
    let options = Options { millis: 400, ..busy(2) };
    let cluster = Cluster::busy(&options);
    let streams = cluster.streams();
    let initiator = streams.len() - 1;
    let lost: Vec<_> = (0..20).map(|at| (initiator, 200 + 40 * at, 220 + 40 * at)).collect();
    let plan = Plan { lost, ..Plan::PLAIN };
    let played = play(&Config::default(), &cluster.topology, &streams, &plan);
    let score = score(&played, &streams);
    assert_eq!(score.wrong, 0, "{score:?}");
    assert!(score.incomplete > 0 && score.exact > 0, "{score:?}");
}

/// Two writes of one length to one disk, one inside the other: only the drive's events tell whose leg is whose, and they do.
#[test]
fn event_of_the_drive_tells_which_leg_it_was() {
    let mut cluster = Cluster::busy(&Options {
        unplaced: true,
        ..background()
    });
    let spots = cluster.spots(0, 512, 4096);
    let long = Trip {
        wait: 100_000,
        service: 400_000,
        ..Trip::PLAIN
    };
    let outer = cluster.io(write(512, 4096, 0), &spots, &[long; 2], 50_000);
    let inner = cluster.plain(write(512 + 8192, 4096, 20));
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    for io in [outer, inner] {
        let (row, legs) = played.io(&streams, io);
        assert_eq!(row.class, IoClass::Exact, "{legs:#?}");
    }
    assert_eq!(score(&played, &streams).wrong, 0);
}

/// The same, of drives that nobody sees: it stays open which leg was whose, and the copy that was last too.
#[test]
fn what_only_order_tells_is_ambiguous_and_names_nobody() {
    let mut cluster = Cluster::busy(&Options {
        unplaced: true,
        ..background()
    });
    let one = cluster.plain(write(512, 4096, 0));
    let other = cluster.plain(write(512 + 8192, 4096, 1));
    let (from, until) = (START + 1_100 * MS, START + 1_300 * MS);
    let far = |draft: &Draft| draft.device.tap.is_far_side() && (from..until).contains(&draft.start);
    cluster.drafts.retain(|draft| !far(draft));
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    for io in [one, other] {
        let (row, legs) = played.io(&streams, io);
        assert_eq!(row.slowest, None, "{legs:#?}");
        assert!(
            legs.iter().all(|leg| leg.ambiguous && leg.confidence == 0.5),
            "{legs:#?}"
        );
        assert!(legs.iter().all(|leg| leg.candidate), "{legs:#?}");
    }
}

#[test]
fn failed_attempt_is_shown_with_the_leg_that_went_well() {
    let mut cluster = Cluster::busy(&Options {
        unplaced: true,
        ..background()
    });
    let spots = cluster.spots(0, 512, 4096);
    let again = Trip {
        wait: 500_000,
        ..Trip::PLAIN
    };
    let retried = cluster.io(write(512, 4096, 0), &spots, &[again, Trip::PLAIN], 2_000);
    let beside = cluster.plain(write(512 + 8192, 4096, 20));
    let attempt = |from: i64, until: i64| (START + 1_200 * MS + from * 1_000, START + 1_200 * MS + until * 1_000);
    let (node, _) = cluster.initiator(0);
    let device = cluster.port_device(spots[0].node, spots[0].disk);
    let owner = super::cluster::Owner {
        io: Some(retried),
        part: 0,
        copy: 0,
    };
    for span in [attempt(10, 200), attempt(250, 480)] {
        cluster.event(node, device.clone(), Op::Write, (0, 4096), span, owner);
        cluster.drafts.last_mut().unwrap().status = 104;
    }
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let (row, legs) = played.io(&streams, retried);
    assert_eq!(row.class, IoClass::Exact, "{legs:#?}");
    assert_eq!(legs[0].initiator.unwrap().status, 0);
    assert_eq!(legs[0].more.initiator.len(), 2);
    assert!(legs[1].more.initiator.is_empty());
    assert_eq!(played.io(&streams, beside).0.class, IoClass::Exact);
    assert_eq!(score(&played, &streams).wrong, 0);
}

/// Two writes waited for the same dead target: whose attempt it was that failed cannot be told, and it says so.
#[test]
fn attempt_of_one_of_two_is_no_one_s_and_says_so() {
    let mut cluster = Cluster::busy(&Options {
        unplaced: true,
        ..background()
    });
    let spots = cluster.spots(0, 512, 4096);
    let again = Trip {
        wait: 500_000,
        ..Trip::PLAIN
    };
    let one = cluster.io(write(512, 4096, 0), &spots, &[again; 2], 2_000);
    let later = Trip {
        wait: 900_000,
        ..Trip::PLAIN
    };
    let spots_beside = cluster.spots(0, 512 + 8192, 4096);
    let other = cluster.io(write(512 + 8192, 4096, 5), &spots_beside, &[later; 2], 2_000);
    let (node, _) = cluster.initiator(0);
    let device = cluster.port_device(spots[0].node, spots[0].disk);
    let owner = super::cluster::Owner {
        io: Some(one),
        part: 0,
        copy: 0,
    };
    let from = START + 1_200 * MS + 20_000;
    cluster.event(node, device, Op::Write, (0, 4096), (from, from + 100_000), owner);
    cluster.drafts.last_mut().unwrap().status = 104;
    let streams = cluster.streams();
    let plain = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    for io in [one, other] {
        let (row, legs) = plain.io(&streams, io);
        assert_eq!(row.class, IoClass::Exact, "{legs:#?}");
        assert!(legs.iter().all(|leg| leg.more.initiator.is_empty()));
    }
    let causes: Vec<_> = plain
        .rows
        .unmatched
        .iter()
        .map(|row| (row.event.status, row.cause))
        .collect();
    assert_eq!(causes, [(104, UnmatchedCause::Ambiguous)]);
    for seed in 1..10 {
        let plan = Plan {
            restarts: 20,
            most_batch: 20,
            seed,
            ..Plan::PLAIN
        };
        let restarted = play(&Config::default(), &cluster.topology, &streams, &plan);
        assert_same(&plain.named, &restarted.named);
    }
}

/// A disk that no extent is on is no copy's: its legs were taken for those of another disk of the node.
#[test]
fn leg_to_a_disk_that_is_not_known_is_nobody_s() {
    let mut cluster = Cluster::busy(&Options {
        unplaced: true,
        ..background()
    });
    let io = cluster.plain(write(512, 4096, 0));
    let spot = cluster.spots(0, 512, 4096)[0];
    for draft in &mut cluster.drafts {
        if draft.owner.io == Some(io) && draft.owner.copy == 0 && draft.device.tap == Tap::Initiator {
            draft.device.disk = Some(format!("n{}/disk99", spot.node).as_str().into());
        }
    }
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let (row, legs) = played.io(&streams, io);
    assert_eq!(
        (row.class, legs[0].missing_initiator),
        (IoClass::Incomplete, Some(Missing::Absent))
    );
    let causes: Vec<_> = played.rows.unmatched.iter().map(|row| row.cause).collect();
    assert_eq!(causes, [UnmatchedCause::UnknownDevice]);
}

/// A device that says only to which node it leads: any of its disks may be meant, and time tells which.
#[test]
fn leg_of_which_only_the_node_is_known_is_tied() {
    let mut cluster = Cluster::busy(&busy(4));
    for draft in &mut cluster.drafts {
        if draft.device.tap == Tap::Initiator {
            draft.device.disk = None;
        }
    }
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let score = score(&played, &streams);
    assert_eq!((score.wrong, score.left, score.incomplete), (0, 0, 0), "{score:?}");
    assert!(score.exact * 100 > score.ios * 90, "{score:?}");
}

/// A write that hangs for seconds lies around everything that others to its disk do meanwhile.
#[test]
fn write_that_hangs_keeps_its_leg_and_takes_no_other() {
    let options = Options {
        millis: 4_000,
        ios: 3_000,
        ..busy(6)
    };
    let mut cluster = Cluster::busy(&options);
    let spots = cluster.spots(0, 512, 4096);
    let hangs = Trip {
        service: 2_500 * MS,
        ..Trip::PLAIN
    };
    let trips = [hangs, Trip::PLAIN, Trip::PLAIN];
    let hung = cluster.io(write(512, 4096, 0), &spots, &trips, 2_000);
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let (row, legs) = played.io(&streams, hung);
    assert_eq!(row.class, IoClass::Exact, "{legs:#?}");
    let score = score(&played, &streams);
    assert_eq!((score.wrong, score.left, score.incomplete), (0, 0, 0), "{score:?}");
    assert!(score.exact * 100 > score.ios * 95, "{score:?}");
}

/// Whether the storage bus shows legs to disks of its own node is unverified; where it does, they are legs like others.
#[test]
fn leg_to_a_disk_of_the_own_node_is_tied_where_there_is_one() {
    let mut cluster = Cluster::busy(&Options {
        converged: true,
        unplaced: true,
        ..background()
    });
    let io = cluster.plain(write(512, 4096, 0));
    let local = *cluster.spots(0, 512, 4096).iter().find(|spot| spot.node == 0).unwrap();
    let device = cluster.port_device(0, local.disk);
    let owner = super::cluster::Owner {
        io: Some(io),
        part: 0,
        copy: local.copy,
    };
    let from = START + 1_200 * MS + 4_000;
    let streams = cluster.streams();
    let without = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    assert_eq!(without.io(&streams, io).0.class, IoClass::Exact);
    cluster.event(0, device, Op::Write, (0, 4096), (from, from + 110_000), owner);
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let (row, legs) = played.io(&streams, io);
    assert_eq!(row.class, IoClass::Exact, "{legs:#?}");
    assert!(legs.iter().all(|leg| leg.initiator.is_some()), "{legs:#?}");
    assert!(played.rows.unmatched.is_empty());
}
