//! An event is told of what changed with it, and of nothing that changed at another time or not at all.

use super::*;
use crate::findings::tests::cluster;
use crate::fixture::{Cluster, START};
use crate::tally::Tally;

/// Of a minute and a half, pieces are of 1.5 s.
const SECONDS: i64 = 90;

fn span() -> Span {
    Span {
        from_unix_nanos: START,
        until_unix_nanos: START + SECONDS * SECOND,
    }
}

fn event(about: About, second: i64) -> Event {
    Event {
        from_unix_nanos: START + (second - 1) * SECOND,
        at_unix_nanos: START + second * SECOND,
        about,
        kind: "csv".to_owned(),
        id: "Cluster Virtual Disk (vol0)".to_owned(),
        node: "i0".to_owned(),
        attribute: "owner".to_owned(),
        values: ["t0".to_owned(), "t1".to_owned()],
    }
}

/// All copies take longer by half from a second on.
fn slower_from(second: i64) -> Cluster {
    cluster(SECONDS, |at, _, times| {
        if at >= second * SECOND {
            times.way += times.way / 2;
            times.device += times.device / 2;
        }
    })
}

fn dated(cluster: &Cluster, events: Vec<Event>) -> Vec<Dated> {
    let mut search = Search::new(span(), events);
    search.add(&cluster.rows, &cluster.catalog);
    search.report()
}

fn volume() -> About {
    About::Volume("vol0".to_owned())
}

#[test]
fn change_that_begins_with_an_event_is_told_with_when_and_by_how_much() {
    let cluster = slower_from(40);
    let disk = About::Disk("t1".to_owned(), "disk0".to_owned());
    for about in [volume(), About::Node("i1".to_owned()), disk] {
        let told = dated(&cluster, vec![event(about.clone(), 41)]);
        assert_eq!(told.len(), 1, "{about:?}");
        let one = &told[0];
        let began = (one.began_unix_nanos - START) as f64 / SECOND as f64;
        assert!((37.0..43.0).contains(&began), "{began}");
        let ratio = one.after.p50_nanos as f64 / one.before.p50_nanos as f64;
        assert!((1.2..1.6).contains(&ratio), "{about:?} {one:?}");
        assert!(one.p[0].unwrap() < 0.001 && one.before.count > 100, "{one:?}");
    }
}

#[test]
fn event_at_another_time_or_of_something_else_is_not_told() {
    let cluster = slower_from(40);
    // Before and after differ by the test alone: most of what is after is slower.
    for second in [25, 31, 50, 60] {
        assert_eq!(dated(&cluster, vec![event(volume(), second)]), [], "{second}");
    }
    assert_eq!(dated(&cluster, vec![event(About::Volume("vol9".to_owned()), 41)]), []);
    assert_eq!(
        dated(&cluster, vec![event(About::Node("t1".to_owned()), 41)]),
        [],
        "it writes nothing"
    );
}

#[test]
fn where_nothing_changed_or_little_is_known_nothing_is_told() {
    let events: Vec<Event> = (10..80).step_by(5).map(|second| event(volume(), second)).collect();
    assert_eq!(dated(&cluster(SECONDS, |_, _, _| {}), events), []);
    let early = slower_from(5);
    assert_eq!(
        dated(&early, vec![event(volume(), 5)]),
        [],
        "four pieces before are too few"
    );
    assert!(Search::new(span(), Vec::new()).is_empty());
}

#[test]
fn what_happened_at_the_same_time_is_all_told() {
    let cluster = slower_from(40);
    let firmware = Event {
        attribute: "firmware".to_owned(),
        ..event(About::Node("i0".to_owned()), 39)
    };
    let told = dated(&cluster, vec![event(volume(), 41), firmware, event(volume(), 70)]);
    let mut told: Vec<&str> = told.iter().map(|one| one.event.attribute.as_str()).collect();
    told.sort_unstable();
    assert_eq!(told, ["firmware", "owner"]);
}

/// What rows add up to tells the same, in the pieces that the cells have.
#[test]
fn cells_tell_the_change_that_rows_tell_to_a_bucket() {
    let cluster = cluster(600, |at, _, times| {
        if at >= 300 * SECOND {
            times.way += times.way / 2;
            times.device += times.device / 2;
        }
    });
    let mut tally = Tally::default();
    tally.add(&cluster.rows, &cluster.catalog);
    let cells = tally.cells();
    let disk = About::Disk("t1".to_owned(), "disk0".to_owned());
    for (about, length) in [
        (volume(), Bucket::FINE_NANOS),
        (About::Node("i1".to_owned()), Bucket::FINE_NANOS),
        (disk, Bucket::FINE_NANOS),
    ] {
        let dated_at = |second: i64| {
            let mut search = Search::of_pieces(vec![(event(about.clone(), second), length)]);
            for ((bucket, key), sketch) in &cells.latency.cells {
                search.add_cell(*bucket, key, sketch, &cluster.catalog);
            }
            search.report()
        };
        let told = dated_at(301);
        assert_eq!(told.len(), 1, "{about:?}");
        let one = &told[0];
        assert_eq!(one.piece_nanos, length);
        let began = (one.began_unix_nanos - START) / SECOND;
        assert!((290..=310).contains(&began), "{began}");
        let ratio = one.after.p50_nanos as f64 / one.before.p50_nanos as f64;
        assert!((1.2..1.6).contains(&ratio), "{about:?} {one:?}");
        for elsewhere in [200, 250, 350, 400] {
            assert_eq!(dated_at(elsewhere), [], "{about:?} at {elsewhere}");
        }
    }
}
