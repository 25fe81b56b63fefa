//! Deadlines as gRPC writes them.

use super::*;

#[test]
fn deadlines() {
    for (text, expected) in [
        ("5S", Some(Duration::from_secs(5))),
        ("2H", Some(Duration::from_secs(7_200))),
        ("3M", Some(Duration::from_secs(180))),
        ("1500m", Some(Duration::from_millis(1_500))),
        ("7u", Some(Duration::from_micros(7))),
        ("99999999n", Some(Duration::from_nanos(99_999_999))),
        ("999999999S", None),
        ("5", None),
        ("S", None),
        ("-1S", None),
        ("5ü", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", HeaderValue::from_bytes(text.as_bytes()).unwrap());
        assert_eq!(deadline(&headers), expected, "{text}");
    }
    assert_eq!(deadline(&HeaderMap::new()), None);
}
