//! What rows add up to says what the rows say: counts exactly, percentiles to 1 %, whatever the pieces.

use fathom_model::sketch::RELATIVE_ERROR;
use fathom_model::{Missing, report};
use proptest::prelude::*;

use super::*;
use crate::fixture::{Cluster, Request, healthy};
use crate::last_copy::LastCopies;
use crate::latency::{By, Latencies as Grouped};
use crate::overview::{of_totals, slowest};
use crate::summary::Summary;
use crate::what_if::WhatIf;

/// One write in words of chance.
#[derive(Clone, Copy, Debug)]
struct Made {
    at_millis: i64,
    from: u8,
    slow: Option<(usize, u64)>,
    unseen: bool,
}

fn made() -> impl Strategy<Value = Made> {
    let slow = prop::option::weighted(0.3, (0_usize..3, 50_000_u64..20_000_000));
    (0_i64..200_000, 0_u8..3, slow, prop::bool::weighted(0.1)).prop_map(|(at_millis, from, slow, unseen)| Made {
        at_millis,
        from,
        slow,
        unseen,
    })
}

fn cluster(writes: &[Made]) -> Cluster {
    let mut cluster = Cluster::new();
    for (number, made) in writes.iter().enumerate() {
        let mut times = [0, 1, 2].map(|copy| healthy(number as u64, copy));
        if let Some((copy, more)) = made.slow {
            times[copy].device += more;
        }
        cluster.make(Request {
            at: made.at_millis * 1_000_000,
            from: ["i0", "i1", "t0"][usize::from(made.from)],
            times,
            before: 10_000,
            without: if made.unseen { &[Tap::Initiator] } else { &[] },
        });
        // Some are of another size, some were read, and of some nobody knows the last copy.
        let io = cluster.rows.ios.last_mut().unwrap();
        io.length = 4096 << (number % 3);
        io.event.ordinal = number as u64;
        if number.is_multiple_of(11) {
            io.op = Op::Read;
        }
        if number.is_multiple_of(13) {
            io.slowest = None;
            io.class = IoClass::Incomplete;
        }
        let legs = io.legs.clone();
        if number.is_multiple_of(13) {
            let leg = &mut cluster.rows.legs[legs.start];
            (leg.device, leg.missing_device) = (None, Some(Missing::Lost));
        }
    }
    cluster
}

/// The cells of rows that come in some pieces.
fn cells(cluster: &Cluster, pieces: usize) -> Cells {
    let mut tally = Tally::default();
    let mut all = Cells::default();
    let some = cluster.rows.ios.len().div_ceil(pieces).max(1);
    for piece in cluster.rows.ios.chunks(some) {
        piece
            .iter()
            .for_each(|io| tally.add_io(&cluster.rows, io, &cluster.catalog));
        all.merge(&tally.take());
        assert!(tally.is_empty());
    }
    all
}

fn totals(cells: &Cells) -> Totals {
    let mut totals = Totals::default();
    totals.add(cells);
    totals
}

fn is_near(found: u64, truth: u64) -> bool {
    // Rows are in bins of their own where there are many.
    found.abs_diff(truth) as f64 <= truth as f64 * (RELATIVE_ERROR + 0.001) + 1.0
}

fn latencies_agree(cluster: &Cluster, totals: &Totals, by: By, op: Op) -> Result<(), TestCaseError> {
    let (mut scanned, mut added) = (Grouped::new(by, op), Grouped::new(by, op));
    let rows = &cluster.rows;
    rows.ios.iter().for_each(|io| scanned.add(io, rows.legs_of(io)));
    // Cells of these kinds are enough.
    let cells = totals.latency.iter();
    let cells = cells.filter(|(key, _)| by.kinds().contains(&key.of.kind()));
    cells.for_each(|(key, sketch)| added.add_cell(key, sketch));
    let (scanned, added) = (scanned.report(&cluster.catalog), added.report(&cluster.catalog));
    prop_assert_eq!(scanned.len(), added.len());
    for (row, sum) in scanned.iter().zip(&added) {
        let exact = |row: &report::Latency| report::Latency {
            p50_ns: 0,
            p95_ns: 0,
            p99_ns: 0,
            ..row.clone()
        };
        prop_assert_eq!(exact(row), exact(sum), "groups, counts and maxima are exact");
        for (truth, found) in [
            (row.p50_ns, sum.p50_ns),
            (row.p95_ns, sum.p95_ns),
            (row.p99_ns, sum.p99_ns),
        ] {
            prop_assert!(is_near(found, truth), "{found} for {truth} of {row:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn latencies_of_cells_are_those_of_rows(writes in prop::collection::vec(made(), 1..300), pieces in 1_usize..6) {
        let cluster = cluster(&writes);
        let totals = totals(&cells(&cluster, pieces));
        for by in By::ALL {
            for op in [Op::Write, Op::Read] {
                latencies_agree(&cluster, &totals, by, op)?;
            }
        }
    }

    #[test]
    fn what_would_have_been_is_that_of_rows(writes in prop::collection::vec(made(), 1..300), pieces in 1_usize..6) {
        let cluster = cluster(&writes);
        let mut scanned = WhatIf::default();
        cluster.rows.ios.iter().for_each(|io| scanned.add(&cluster.rows, io));
        let added = WhatIf::of_totals(&totals(&cells(&cluster, pieces)).attribution);
        prop_assert_eq!((added.writes(), added.unknown()), (scanned.writes(), scanned.unknown()));
        let (rows, sums) = (scanned.ranked(), added.ranked());
        prop_assert_eq!(rows.len(), sums.len());
        for (row, sum) in rows.iter().zip(&sums) {
            let exact = |one: &crate::what_if::Without| (one.away, one.given_back_nanos, one.sooner, one.unknown);
            prop_assert_eq!(exact(row), exact(sum));
            for (truth, found) in row.percentiles.iter().zip(sum.percentiles) {
                prop_assert!(is_near(found, *truth), "{found} for {truth} of {row:?}");
            }
        }
    }

    #[test]
    fn reports_of_cells_count_as_those_of_rows(writes in prop::collection::vec(made(), 1..300), pieces in 1_usize..6) {
        let cluster = cluster(&writes);
        let totals = totals(&cells(&cluster, pieces));
        let report = of_totals(&totals, &[], Vec::new(), &cluster.catalog);
        let (mut summary, mut last) = (Summary::default(), LastCopies::default());
        for io in &cluster.rows.ios {
            summary.add(io, cluster.rows.legs_of(io));
            last.add(&cluster.rows, io);
        }
        prop_assert_eq!(&report.joined, &summary.joined());
        prop_assert_eq!(&report.unseen.missing, &summary.missing(&cluster.catalog));
        let of_rows = [last.report(&cluster.catalog), last.by_node(&cluster.catalog), last.by_pair(&cluster.catalog)];
        let of_sums = [&report.last_copies, &report.last_copies_by_node, &report.last_copies_by_pair];
        for (rows, sums) in of_rows.iter().zip(of_sums) {
            prop_assert_eq!(rows.len(), sums.len());
            for (row, sum) in rows.iter().zip(sums) {
                // Cells learn what is usual in steps: of few writes one may weigh so much more.
                let near = 0.02 + 1.0 / row.writes as f64;
                prop_assert!((row.expected_share - sum.expected_share).abs() < near, "{row:?} {sum:?}");
                let same = report::LastCopy { expected_share: sum.expected_share, ..row.clone() };
                prop_assert_eq!(&same, sum);
            }
        }
        let writes = cluster.rows.ios.iter().filter(|io| io.op == Op::Write);
        let longest = writes.clone().map(|io| io.event.duration_nanos).max();
        let first = writes.filter(|io| Some(io.event.duration_nanos) == longest);
        let first = first.map(|io| io.id(&cluster.catalog).to_string()).min();
        prop_assert_eq!(slowest(&totals), first.as_deref());
    }

    #[test]
    fn pieces_and_order_change_only_what_is_learnt(writes in prop::collection::vec(made(), 1..200), pieces in 1_usize..9) {
        let mut cluster = cluster(&writes);
        let forget = |mut cells: Cells| {
            cells.attribution.cells.values_mut().for_each(|cell| cell.expected_millionths = 0);
            cells
        };
        let whole = forget(cells(&cluster, 1));
        prop_assert_eq!(&forget(cells(&cluster, pieces)), &whole);
        cluster.rows.ios.reverse();
        prop_assert_eq!(&forget(cells(&cluster, pieces)), &whole);
    }
}

#[test]
fn cells_are_of_the_stretch_in_which_an_io_completed() {
    let write = |at_millis| Made {
        at_millis,
        from: 0,
        slow: None,
        unseen: false,
    };
    // The fixture begins 20 s into a minute.
    let cluster = cluster(&[write(0), write(1000), write(16_000), write(56_000)]);
    let cells = cells(&cluster, 1);
    let mut fine: Vec<i64> = cells
        .latency
        .cells
        .keys()
        .map(|(bucket, _)| bucket.from_unix_nanos)
        .collect();
    fine.dedup();
    let mut minutes: Vec<i64> = cells
        .attribution
        .cells
        .keys()
        .map(|(bucket, _)| bucket.from_unix_nanos)
        .collect();
    minutes.dedup();
    assert_eq!((fine.len(), minutes.len()), (3, 2), "{fine:?} {minutes:?}");
    let ends = cluster.rows.ios.iter().map(|io| io.event.end_unix_nanos());
    for end in ends {
        assert!(fine.contains(&Bucket::of(end, Bucket::FINE_NANOS).from_unix_nanos));
        assert!(minutes.contains(&Bucket::of(end, Bucket::COARSE_NANOS).from_unix_nanos));
    }
}

#[test]
fn what_was_learnt_before_tells_what_to_expect_from_the_first_write_on() {
    let writes: Vec<Made> = (0..400)
        .map(|at| Made {
            at_millis: at * 10,
            from: 0,
            slow: None,
            unseen: false,
        })
        .collect();
    let cluster = cluster(&writes);
    let mut tally = Tally::default();
    tally.learn(&cluster.rows);
    let (earlier, later) = cluster.rows.ios.split_at(200);
    assert!(!earlier.is_empty());
    later
        .iter()
        .for_each(|io| tally.add_io(&cluster.rows, io, &cluster.catalog));
    let totals = totals(&tally.take());
    let share = |disk: u32| {
        let cell = &totals.attribution[&Candidate::Disk(DiskIndex(disk))];
        cell.expected_millionths as f64 / 1e6 / cell.writes as f64
    };
    // The copy that is sent last is more likely to be the last.
    assert!(share(2) > share(0) + 0.1, "{} {} {}", share(0), share(1), share(2));
}
