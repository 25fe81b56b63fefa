//! A fold over the essence knows what a fold over everything knows.

use proptest::prelude::*;

use super::*;
use crate::conditions::Conditions;
use crate::history::{Picture, Poll};

/// One observation in words of chance.
#[derive(Clone, Debug)]
enum Said {
    Fact {
        kind: Kind,
        id: u8,
        node: u8,
        at: i64,
        value: u8,
        present: bool,
        class: Option<u8>,
    },
    Poll {
        kind: Kind,
        node: u8,
        at: i64,
        class: u8,
        full: bool,
        works: bool,
    },
    Job {
        id: u8,
        node: u8,
        at: i64,
        done: Option<u64>,
        elapsed: u64,
        present: bool,
    },
    Counts {
        connection: bool,
        id: u8,
        node: u8,
        at: i64,
        count: Option<u64>,
        value: u8,
        present: bool,
    },
}

fn said() -> impl Strategy<Value = Said> {
    let kind = || prop::sample::select(vec![Kind::Disk, Kind::Adapter, Kind::Node, Kind::QosPolicy]);
    let class = || prop::option::weighted(0.8, 0_u8..2);
    prop_oneof![
        (
            kind(),
            0_u8..3,
            0_u8..3,
            0_i64..40,
            0_u8..3,
            prop::bool::weighted(0.9),
            class()
        )
            .prop_map(|(kind, id, node, at, value, present, class)| Said::Fact {
                kind,
                id,
                node,
                at,
                value,
                present,
                class
            }),
        (
            kind(),
            0_u8..3,
            0_i64..40,
            0_u8..2,
            any::<bool>(),
            prop::bool::weighted(0.8)
        )
            .prop_map(|(kind, node, at, class, full, works)| Said::Poll {
                kind,
                node,
                at,
                class,
                full,
                works
            }),
        (
            0_u8..2,
            0_u8..2,
            0_i64..40,
            prop::option::weighted(0.9, 0_u64..4),
            0_u64..4,
            prop::bool::weighted(0.95)
        )
            .prop_map(|(id, node, at, done, elapsed, present)| Said::Job {
                id,
                node,
                at,
                done,
                elapsed,
                present
            }),
        (
            any::<bool>(),
            0_u8..2,
            0_u8..2,
            0_i64..40,
            prop::option::weighted(0.9, 0_u64..4),
            0_u8..2,
            prop::bool::weighted(0.9)
        )
            .prop_map(|(connection, id, node, at, count, value, present)| Said::Counts {
                connection,
                id,
                node,
                at,
                count,
                value,
                present
            }),
    ]
}

/// What is said with it: of a job and of counters also the reading itself.
fn observations(said: &[Said]) -> Vec<Observation> {
    let all = said.iter().flat_map(|said| {
        let poll = match *said {
            Said::Job { node, at, .. } => Some(observation(&Said::Poll {
                kind: Kind::StorageJob,
                node,
                at,
                class: 0,
                full: false,
                works: true,
            })),
            Said::Counts {
                connection, node, at, ..
            } => Some(observation(&Said::Poll {
                kind: counted(connection),
                node,
                at,
                class: 0,
                full: false,
                works: true,
            })),
            _ => None,
        };
        [observation(said)].into_iter().chain(poll)
    });
    all.collect()
}

const fn counted(connection: bool) -> Kind {
    match connection {
        true => Kind::SmbConnection,
        false => Kind::DiskReliability,
    }
}

fn observation(said: &Said) -> Observation {
    let name = |node: u8| NodeId::new(format!("n{node}"));
    match *said {
        Said::Fact {
            kind,
            id,
            node,
            at,
            value,
            present,
            class,
        } => Observation {
            present,
            class: class.map(|class| format!("c{class}")),
            ..Observation::new(name(node), kind, format!("r{id}"), at).with("value", u64::from(value))
        },
        Said::Poll {
            kind,
            node,
            at,
            class,
            full,
            works,
        } => Poll {
            kind,
            class: format!("c{class}"),
            outcome: if works { Ok(3) } else { Err("no".to_owned()) },
            full,
        }
        .observation(&name(node), at),
        Said::Job {
            id,
            node,
            at,
            done,
            elapsed,
            present,
        } => {
            let job = Observation::new(name(node), Kind::StorageJob, format!("j{id}"), at).with("elapsed_ns", elapsed);
            let job = match done {
                Some(done) => job.with("processed_bytes", done),
                None => job,
            };
            Observation { present, ..job }
        }
        Said::Counts {
            connection,
            id,
            node,
            at,
            count,
            value,
            present,
        } => {
            let own =
                Observation::new(name(node), counted(connection), format!("c{id}"), at).with("value", u64::from(value));
            let own = match count {
                Some(count) => own.with(if connection { "failures" } else { "read_errors" }, count),
                None => own,
            };
            Observation { present, ..own }
        }
    }
}

fn folded<'a>(observations: impl IntoIterator<Item = &'a Observation>) -> (String, String) {
    let (mut conditions, mut picture) = (Conditions::default(), Picture::at(i64::MAX));
    for observation in observations {
        conditions.add(observation);
        picture.add(observation);
    }
    (format!("{conditions:#?}"), format!("{picture:#?}"))
}

fn essence<'a>(observations: impl IntoIterator<Item = &'a Observation>) -> Essence {
    let mut essence = Essence::default();
    observations
        .into_iter()
        .for_each(|observation| essence.add(observation));
    essence
}

proptest! {
    #[test]
    fn fold_of_the_essence_is_that_of_everything(said in prop::collection::vec(said(), 0..120), later in prop::collection::vec(said(), 0..20)) {
        let all = observations(&said);
        let kept = essence(&all).observations();
        prop_assert_eq!(folded(&kept), folded(&all));
        // And so it stays, whatever comes.
        let later = observations(&later);
        prop_assert_eq!(folded(kept.iter().chain(&later)), folded(all.iter().chain(&later)));
        // The essence of the essence and more is that of all.
        let again = essence(kept.iter().chain(&later)).observations();
        prop_assert_eq!(folded(&again), folded(all.iter().chain(&later)));
    }
}

#[test]
fn end_of_a_job_that_came_late_stays_an_end() {
    let job = |at, present| Said::Job {
        id: 0,
        node: 1,
        at,
        done: Some(1),
        elapsed: 0,
        present,
    };
    let all = observations(&[job(22, true), job(0, false), job(0, true)]);
    assert_eq!(folded(&essence(&all).observations()), folded(&all));
}

#[test]
fn little_is_kept_of_what_is_said_again_and_again() {
    let mut essence = Essence::default();
    for at in 0..10_000 {
        let job = Observation::new(NodeId::new("n0"), Kind::StorageJob, "j", at);
        essence.add(
            &job.with("processed_bytes", at as u64 * 100)
                .with("elapsed_ns", at as u64),
        );
        essence.add(&Observation::new(NodeId::new("n0"), Kind::Disk, "d", at).with("health", u64::from(at > 5000)));
    }
    let kept = essence.observations();
    assert!(kept.len() < 12, "{}", kept.len());
}
