//! Where legs are missing is said only where many of those that were open lack some, and few elsewhere.

use fathom_model::{IoEvent, Op};

use super::*;

const US: i64 = 1_000;
const MS: i64 = 1_000_000;

fn legs(ends: impl IntoIterator<Item = i64>) -> IoColumns {
    let mut columns = IoColumns::default();
    for end in ends {
        columns.push(IoEvent {
            tap: Tap::Initiator,
            device: 0,
            op: Op::Write,
            offset: 0,
            length: 4096,
            start_unix_nanos: end - 10,
            duration_nanos: 10,
            status: 0,
            correlation: None,
        });
    }
    columns
}

/// 5000 legs, one every 90 to 110 us, with 50 ms in which there is none after the 3000th.
fn ends() -> Vec<i64> {
    let mut at = 0;
    let step = |row: i64| {
        if row == 3000 {
            50 * MS
        } else {
            90 * US + row * 7919 % (20 * US)
        }
    };
    (0..5000)
        .map(|row| {
            at += step(row);
            at
        })
        .collect()
}

/// The pause of [`ends`]: when the legs around it ended.
fn hole(ends: &[i64]) -> (i64, i64) {
    (ends[2999], ends[3000])
}

/// I/Os of which each was open for 5 ms, and each that was open in the hole lacks legs or not.
fn judged(pauses: &mut Pauses, ends: &[i64], lacking: impl Fn(usize) -> bool, overdue: bool) -> Stretches {
    let mut stretches = pauses.stretches(&[], i64::MAX);
    let mut tally = Tally::default();
    for (at, &end) in ends.iter().enumerate() {
        let io = (end - 5 * MS, end);
        if lacking(at) {
            tally.add_lacking(&stretches, io, io, (2, 1), |_| false);
        } else {
            tally.add_whole(&stretches, io, 3, |until| overdue && io.0 < until && until < io.1);
        }
    }
    pauses.learn(&mut stretches, &tally, 0);
    stretches
}

fn noted(ends: &[i64]) -> Pauses {
    let mut pauses = Pauses::default();
    pauses.note(0, &legs(ends.iter().copied()));
    pauses
}

#[test]
fn what_is_missing_of_ios_open_in_a_hole_is_missing_there() {
    let ends = ends();
    let (last, next) = hole(&ends);
    let mut pauses = noted(&ends);
    let stretches = judged(&mut pauses, &ends, |at| (3000..3020).contains(&at), false);
    let found = stretches.of_missing((next - MS, next + MS)).unwrap();
    assert_eq!((found.from, found.until), (last + 1, next - 1));
    assert!(found.doubt < 0.001, "{found:?}");
    assert!(stretches.of_missing((next + 5 * US, next + 80 * US)).is_none());
}

#[test]
fn rows_that_are_lost_one_by_one_are_not_looked_for_in_pauses() {
    let ends = ends();
    let (_, next) = hole(&ends);
    let mut pauses = noted(&ends);
    let stretches = judged(&mut pauses, &ends, |at| at % 100 == 0 || at == 3001, false);
    let found = stretches.of_missing((next - MS, next + MS)).unwrap();
    assert!(found.doubt > 0.1, "{found:?}");
}

#[test]
fn one_io_that_lacks_a_leg_makes_no_hole_of_a_stall_that_many_were_open_in() {
    let ends = ends();
    let (_, next) = hole(&ends);
    let mut pauses = noted(&ends);
    let stretches = judged(&mut pauses, &ends, |at| at == 3001, false);
    let found = stretches.of_missing((next - MS, next + MS)).unwrap();
    assert!(found.doubt > 0.001, "{found:?}");
}

#[test]
fn pause_after_which_overdue_legs_came_lost_nothing() {
    let ends = ends();
    let (_, next) = hole(&ends);
    let mut pauses = noted(&ends);
    let lacking = |at| (3000..3020).contains(&at);
    let stretches = judged(&mut pauses, &ends, lacking, true);
    let found = stretches.of_missing((next - MS, next + MS)).unwrap();
    assert_eq!(found.doubt, 1.0);
    // Nor does it for the windows after it.
    let later = judged(&mut pauses, &[next + 3 * MS], |_| true, false);
    assert_eq!(later.of_missing((next - MS, next + MS)).unwrap().doubt, 1.0);
}

#[test]
fn batches_repeats_and_a_restart_change_nothing() {
    let ends = ends();
    let whole = noted(&ends);
    let mut pauses = Pauses::default();
    let mut first = 0;
    for (at, batch) in ends.chunks(37).enumerate() {
        pauses.note(first as u64, &legs(batch.iter().copied()));
        first += batch.len();
        if at % 5 == 0 {
            let kept = serde_json::to_string(&pauses).unwrap();
            pauses = serde_json::from_str(&kept).unwrap();
            let again = first.saturating_sub(100);
            pauses.note(again as u64, &legs(ends[again..first].iter().copied()));
        }
    }
    assert_eq!(pauses, whole);
}

#[test]
fn legs_out_of_order_widen_where_missing_ones_may_have_ended() {
    let mut ends = ends();
    let (last, next) = hole(&ends);
    ends.insert(2001, ends[2000] - 300 * US);
    let mut pauses = noted(&ends);
    let stretches = judged(&mut pauses, &ends, |at| (3001..3021).contains(&at), false);
    let found = stretches.of_missing((next - MS, next + MS)).unwrap();
    assert_eq!(found.from, last + 1 - 300 * US);
    assert!(found.until >= next - 1 + 300 * US, "{found:?}");
}

#[test]
fn what_was_stated_and_what_came_before_the_first_leg_are_stretches() {
    let ends = ends();
    let pauses = noted(&ends);
    let stated = (ends[100] + 1, ends[110]);
    let stretches = pauses.stretches(&[stated], ends[4000]);
    let before = stretches.of_missing((ends[0] - MS, ends[0])).unwrap();
    assert!(before.from < -1_000_000 * MS);
    assert_eq!(before.until, ends[0] - 1);
    let found = stretches.of_missing((ends[99], ends[105])).unwrap();
    assert!(found.from <= stated.0 && found.until >= stated.1);
    // Of a stream that goes on in the middle nothing is known of before.
    let mut resumed = Pauses::resumed(7);
    resumed.note(7, &legs(ends.iter().copied()));
    let stretches = resumed.stretches(&[], ends[4000]);
    assert!(stretches.of_missing((ends[0] - MS, ends[0])).is_none());
}

#[test]
fn nothing_after_the_cut_is_looked_at() {
    let ends = ends();
    let (last, next) = hole(&ends);
    let pauses = noted(&ends);
    assert!(
        pauses
            .stretches(&[], next)
            .of_missing((last + MS, last + 2 * MS))
            .is_some()
    );
    assert!(
        pauses
            .stretches(&[], next - 1)
            .of_missing((last + MS, last + 2 * MS))
            .is_none()
    );
}
