//! Added time goes to the component that was longer than its peers', and to nobody where none was.

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
