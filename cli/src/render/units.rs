//! Quantities for people.

use fathom_model::unit::{show_bytes, show_nanos};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time of day with microseconds, UTC.
pub(crate) fn time_of_day(unix_nanos: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(unix_nanos)) {
        Ok(time) => time.to_zoned(TimeZone::UTC).strftime("%H:%M:%S.%6f").to_string(),
        Err(_) => unix_nanos.to_string(),
    }
}

/// Date and time to the second, UTC.
pub(crate) fn date_time(unix_nanos: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(unix_nanos)) {
        Ok(time) => time.to_zoned(TimeZone::UTC).strftime("%F %T UTC").to_string(),
        Err(_) => unix_nanos.to_string(),
    }
}

/// Date and time to the microsecond, UTC: stretches of time may be shorter than a second.
pub(crate) fn moment(unix_nanos: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(unix_nanos)) {
        Ok(time) => time.to_zoned(TimeZone::UTC).strftime("%F %H:%M:%S.%6f UTC").to_string(),
        Err(_) => unix_nanos.to_string(),
    }
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    if share > 0.999 && share < 1.0 {
        return format!("{:.3} %", share * 100.0);
    }
    format!("{:.1} %", share * 100.0)
}

/// A count with a mark at every thousand.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes with a binary unit where it is exact.
pub(crate) fn bytes(value: u64) -> String {
    show_bytes(value)
}

/// A duration, or a dash where it is not known.
pub(crate) fn maybe_nanos(value: Option<u64>) -> String {
    value.map_or_else(|| "-".to_owned(), show_nanos)
}

/// A signed duration.
pub(crate) fn signed_nanos(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "+" };
    format!("{sign}{}", show_nanos(value.unsigned_abs()))
}

#[cfg(test)]
mod tests;
