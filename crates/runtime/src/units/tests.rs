//! Texts with units are read as people mean them, and others are refused with an example.

use super::*;

#[test]
fn durations_are_read_with_their_units() {
    let read = |text: &str| text.parse::<Span>().map(|span| span.0);
    assert_eq!(read("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(read("15m"), Ok(Duration::from_secs(900)));
    assert_eq!(read("1h 30m"), Ok(Duration::from_secs(5400)));
    assert_eq!(read("1.5 s"), Ok(Duration::from_millis(1500)));
    for wrong in [
        "",
        "15",
        "m",
        "15 minutes ago",
        "-3s",
        "3x",
        "1e99w",
        "9999999999999999999999w",
    ] {
        let error = read(wrong).unwrap_err().to_string();
        assert!(error.contains("such as"), "{error}");
    }
}

#[test]
fn sizes_are_read_with_their_units() {
    let read = |text: &str| text.parse::<ByteSize>().map(|size| size.0);
    assert_eq!(read("4096"), Ok(4096));
    assert_eq!(read("64 MiB"), Ok(64 << 20));
    assert_eq!(read("2gib"), Ok(2 << 30));
    assert_eq!(read("1 MB"), Ok(1_000_000));
    for wrong in ["", "MiB", "1.5 MiB", "-1", "1 XB", "99999999999 TiB"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    assert_eq!(ByteSize(3 << 29).to_string(), "1.5 GiB");
    assert_eq!(ByteSize(12).to_string(), "12 B");
}
