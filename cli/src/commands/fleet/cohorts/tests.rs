//! What a table of cohorts says.

use fathom_model::fleet::Percentiles;
use fathom_model::rollup::{Axis, CohortKey};

use super::*;

fn cohort(media_errors: Option<u64>, first_update_unix_ns: Option<i64>) -> Cohort {
    Cohort {
        key: CohortKey {
            axis: Axis::Disk,
            subject: "MODEL".to_owned(),
            variant: "FW2".to_owned(),
        },
        clusters: 3,
        devices: 72,
        writes: Percentiles::default(),
        reads: Percentiles::default(),
        io_errors: 0,
        media_errors,
        found: 5,
        updated: 2,
        first_update_unix_ns,
        verdicts: Vec::new(),
    }
}

#[test]
fn findings_media_errors_and_updates_are_in_it() {
    let table = cohort_table(&[cohort(Some(17), Some(0)), cohort(None, None)]);
    let lines: Vec<&str> = table.lines().collect();
    for heading in ["media errors", "found", "updated since"] {
        assert!(lines[0].contains(heading), "{table}");
    }
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert!(words.contains(&"17") && words.contains(&"5"), "{table}");
    assert!(lines[1].contains("1970-01-01 00:00:00 UTC (2)"), "{table}");
    assert!(!lines[2].contains("1970"), "{table}");
}
