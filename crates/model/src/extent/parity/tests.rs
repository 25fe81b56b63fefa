//! What follows from a row's columns alone, held against every way in which parity may rotate.

use super::*;
use crate::extent::{Extent, ExtentError, ExtentMap, Stripe, Validity};

fn four_and_two() -> Parity {
    Parity {
        column: 0,
        columns: 6,
        parity_columns: 2,
        interleave_bytes: Some(64),
    }
}

fn slab(column: u32) -> Extent {
    Extent {
        volume: "v".into(),
        volume_offset: 4096,
        length: 1024,
        copy: 0,
        disk: format!("d{column}").as_str().into(),
        disk_offset: 0,
        valid: Validity::default(),
        stripe: None,
        parity: Some(Parity {
            column,
            ..four_and_two()
        }),
    }
}

/// Which columns the bytes of a row touch, and where in their slabs, when parity of stripe `s` begins at column `s * turn`.
fn touched(parity: Parity, (from, until): (u64, u64), turn: u64) -> Vec<(u64, u64)> {
    let (interleave, data, columns) = (64, u64::from(parity.data_columns()), u64::from(parity.columns));
    let units = from / interleave..until.div_ceil(interleave);
    let of = |unit: u64| {
        let stripe = unit / data;
        let column = (stripe * turn + u64::from(parity.parity_columns) + unit % data) % columns;
        (column, stripe * interleave)
    };
    units.map(of).collect()
}

#[test]
fn bytes_lie_where_it_is_said_however_parity_rotates() {
    let parity = four_and_two();
    for turn in 0..6 {
        for from in (0..1024).step_by(16) {
            for length in [16, 64, 100, 256, 300, 600, 1500] {
                let bytes = (from, from + length);
                let (begin, end) = parity.in_slab(bytes, 1024);
                let touched = touched(parity, bytes, turn);
                assert!(
                    touched.iter().all(|&(_, at)| begin <= at && at + 64 <= end),
                    "{bytes:?}"
                );
                let mut columns: Vec<u64> = touched.iter().map(|&(column, _)| column).collect();
                columns.sort_unstable();
                columns.dedup();
                assert!(
                    parity.least_data_columns(bytes) as usize <= columns.len(),
                    "{bytes:?} turn {turn}"
                );
            }
        }
    }
    assert_eq!(parity.least_data_columns((0, 64)), 1);
    assert_eq!(parity.least_data_columns((0, 256)), 4);
    assert_eq!(parity.least_data_columns((192, 320)), 1);
    assert_eq!(parity.in_slab((192, 320), 1024), (0, 128));
    assert_eq!(parity.least_data_columns((5, 5)), 0);
}

#[test]
fn without_an_interleave_all_of_a_slab_may_be_meant() {
    let parity = Parity {
        interleave_bytes: None,
        ..four_and_two()
    };
    assert_eq!(parity.in_slab((100, 200), 1024), (0, 1024));
    assert_eq!(parity.least_data_columns((100, 2000)), 1);
}

#[test]
fn row_spans_its_data_and_its_slabs_are_no_overlap() {
    let row: Vec<Extent> = (0..6).map(slab).collect();
    assert_eq!(row[0].volume_end(), 4096 + 4 * 1024);
    assert_eq!(row[0].volume_offset_of(0, 16), None);
    assert!(ExtentMap::try_new(row.clone()).is_ok());
    let twice = row.iter().cloned().chain([slab(3)]).collect();
    assert!(matches!(ExtentMap::try_new(twice), Err(ExtentError::Overlap { .. })));
    let mirrored = Extent {
        parity: None,
        ..slab(0)
    };
    let both = row.iter().cloned().chain([mirrored]).collect();
    assert!(matches!(ExtentMap::try_new(both), Err(ExtentError::Overlap { .. })));
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let with = |change: fn(&mut Parity)| {
        let mut extent = slab(0);
        change(extent.parity.as_mut().unwrap());
        ExtentMap::try_new(vec![extent]).is_err()
    };
    assert!(with(|parity| parity.column = 6));
    assert!(with(|parity| parity.parity_columns = 6));
    assert!(with(|parity| parity.parity_columns = 0));
    assert!(with(|parity| parity.interleave_bytes = Some(0)));
    assert!(with(|parity| parity.interleave_bytes = Some(100)));
    let both = Extent {
        stripe: Some(Stripe::alone(1024)),
        ..slab(0)
    };
    assert!(ExtentMap::try_new(vec![both]).is_err());
}

#[test]
fn what_knows_nothing_of_parity_is_read_as_before_and_back() {
    let text = serde_json::to_string(&slab(2)).unwrap();
    assert_eq!(serde_json::from_str::<Extent>(&text).unwrap(), slab(2));
    let plain = Extent {
        parity: None,
        ..slab(2)
    };
    assert!(!serde_json::to_string(&plain).unwrap().contains("parity"));
}
