//! Quantities in words for people. Programs get plain integers.

/// A duration for people: three significant digits.
#[must_use]
pub fn show_nanos(nanos: u64) -> String {
    let (value, unit) = match nanos {
        0..1_000 => return format!("{nanos} ns"),
        1_000..1_000_000 => (nanos as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (nanos as f64 / 1e6, "ms"),
        _ => (nanos as f64 / 1e9, "s"),
    };
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {unit}")
}

/// Bytes with a binary unit, exact where it is a whole number of it.
#[must_use]
pub fn show_bytes(value: u64) -> String {
    let units = [("TiB", 40_u32), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, bits)| value >= 1 << bits) {
        Some((name, bits)) if value.trailing_zeros() >= bits => format!("{} {name}", value >> bits),
        Some((name, bits)) => format!("{:.1} {name}", value as f64 / (1_u64 << bits) as f64),
        None => format!("{value} B"),
    }
}

#[cfg(test)]
mod tests;
