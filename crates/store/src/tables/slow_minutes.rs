//! `slow_minutes`: one row a minute in which an objective was not met.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | minute | timestamp | when it began, on the clocks of those who wrote |
//! | objective | text | the objective's name |
//! | volume | text, null | its volume; null: all writes of the cluster together |
//! | writes, slow | u64 | writes that counted, and those of them that took longer than was promised |
//! | `value_nanos`, `below_nanos` | u64 | the percentile as it was, and what it was to be below |

use bytes::Bytes;
use fathom_model::objective::SlowMinute;

use crate::columns::{Builder, Columns, read};
use crate::error::Result;

/// The minutes as a Parquet file.
pub(crate) fn write(path: &str, rows: &[&SlowMinute]) -> Result<Bytes> {
    let mut builder = Builder::default();
    builder.time("minute", rows.iter().map(|row| Some(row.minute_unix_ns)), false);
    builder.name("objective", rows.iter().map(|row| Some(row.objective.as_str())), false);
    builder.name("volume", rows.iter().map(|row| row.volume.as_deref()), true);
    builder.u64("writes", rows.iter().map(|row| Some(row.writes)), false);
    builder.u64("slow", rows.iter().map(|row| Some(row.slow)), false);
    builder.u64("value_nanos", rows.iter().map(|row| Some(row.value_ns)), false);
    builder.u64("below_nanos", rows.iter().map(|row| Some(row.below_ns)), false);
    builder.parquet(path)
}

/// The minutes of a file.
pub(crate) fn load(path: &str, bytes: Bytes) -> Result<Vec<SlowMinute>> {
    let mut rows = Vec::new();
    for batch in read(path, bytes)? {
        let columns = Columns::new(path, &batch);
        let minutes = columns.all("minute", columns.times("minute")?)?;
        let objectives = columns.all("objective", columns.names("objective")?)?;
        let volumes = columns.names("volume")?;
        let writes = columns.all("writes", columns.u64s("writes")?)?;
        let slow = columns.all("slow", columns.u64s("slow")?)?;
        let values = columns.all("value_nanos", columns.u64s("value_nanos")?)?;
        let limits = columns.all("below_nanos", columns.u64s("below_nanos")?)?;
        for row in 0..columns.rows() {
            rows.push(SlowMinute {
                minute_unix_ns: minutes[row],
                objective: objectives[row].to_string(),
                volume: volumes[row].map(|volume| volume.to_string()),
                writes: writes[row],
                slow: slow[row],
                value_ns: values[row],
                below_ns: limits[row],
            });
        }
    }
    Ok(rows)
}
