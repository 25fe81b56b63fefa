//! Added time goes to the component that was longer than its peers', and to nobody where none was.

use fathom_model::Slowest;
use fathom_model::fan_out::{Further, MoreOrdinals};

use super::*;
use crate::fixture::{Cluster, Times};

const USUAL: Times = Times {
    way: 100_000,
    target: 10_000,
    device: 50_000,
};

fn blamed(times: [Times; 3]) -> Blame {
    let mut cluster = Cluster::new();
    cluster.write(0, times, &[]);
    blame(&cluster.rows, &cluster.rows.ios[0]).unwrap()
}

#[test]
fn shares_follow_the_excess_of_each_component() {
    let blame = blamed([
        USUAL,
        Times {
            device: 1_050_000,
            way: 600_000,
            ..USUAL
        },
        USUAL,
    ]);
    let nanos = |wanted: fn(&Suspect) -> bool| {
        blame
            .shares
            .iter()
            .find(|(suspect, _)| wanted(suspect))
            .map_or(0, |(_, nanos)| *nanos)
    };
    let disk = nanos(|suspect| matches!(suspect, Suspect::Disk(_)));
    let link = nanos(|suspect| matches!(suspect, Suspect::Link { .. }));
    assert!(disk > 900_000 && (link * 2).abs_diff(disk) < 10, "{blame:?}");
    assert!(disk + link <= blame.added_nanos);
}

#[test]
fn copy_that_was_only_sent_later_blames_nobody() {
    let blame = blamed([USUAL; 3]);
    assert_eq!(blame.added_nanos, 30_000);
    assert!(blame.shares.iter().all(|(_, nanos)| *nanos == 0));
}

/// Until the attempt that went well was sent.
const LOST: u64 = 50_000_000;

/// The attempt that went well took what it always takes: what the write waited for was lost before it.
#[test]
fn attempts_that_failed_are_of_the_way_that_they_went() {
    let mut cluster = Cluster::new();
    cluster.write(0, [USUAL; 3], &[]);
    let rows = &mut cluster.rows;
    let again = &mut rows.legs[1];
    for seen in [&mut again.initiator, &mut again.target, &mut again.device]
        .into_iter()
        .flatten()
    {
        seen.start_unix_nanos = seen.start_unix_nanos.saturating_add_unsigned(LOST);
    }
    again.more = MoreOrdinals::from(Further {
        initiator: vec![7],
        ..Further::default()
    });
    let far = again.node;
    rows.ios[0].event.duration_nanos += LOST;
    rows.ios[0].slowest = Some(Slowest {
        leg: 1,
        lead_nanos: Some(LOST),
        confidence: 1.0,
    });
    let blame = blame(rows, &rows.ios[0]).unwrap();
    let (suspect, nanos) = blame.shares.iter().max_by_key(|(_, nanos)| *nanos).unwrap();
    assert!(
        matches!(suspect, Suspect::Link { node, .. } if *node == far),
        "{blame:?}"
    );
    assert!(*nanos > LOST * 99 / 100, "{blame:?}");
}
