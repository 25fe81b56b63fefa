//! A TLS fault is found however deep it lies, and nothing else is taken for one.

use std::fmt;

use super::*;

#[derive(Debug)]
struct Outer(io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("transport error")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn fault_inside_an_io_error_inside_a_transport_error_is_found() {
    let tls = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
    let problem = tls_problem(&Outer(io::Error::new(ErrorKind::InvalidData, tls))).unwrap();
    assert!(problem.contains("same CA"), "{problem}");
    let alert = TlsError::AlertReceived(AlertDescription::CertificateRequired);
    assert!(tls_problem(&Outer(io::Error::other(alert))).unwrap().contains("--cert"));
}

#[test]
fn other_errors_are_not_tls_problems() {
    assert_eq!(tls_problem(&Outer(io::Error::from(ErrorKind::ConnectionRefused))), None);
}

#[test]
fn chain_says_everything_once() {
    let text = chain(&Outer(io::Error::other("no route")));
    assert_eq!(text, "transport error: no route");
}

#[test]
fn chain_says_what_to_do_about_a_path() {
    let text = chain(&Outer(io::Error::from_raw_os_error(2)));
    assert!(
        text.ends_with("; check the path: this, or the folder that it should lie in, is not there"),
        "{text}"
    );
}

#[test]
fn refusal_reads_the_same_whether_or_not_the_alert_arrives() {
    let alert = TlsError::AlertReceived(AlertDescription::UnknownCA);
    assert_eq!(tls_problem(&Outer(io::Error::other(alert))).as_deref(), Some(REFUSED));
    for kind in [
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionReset,
        ErrorKind::UnexpectedEof,
    ] {
        assert!(is_closed(&Outer(io::Error::from(kind))), "{kind}");
    }
    let late = io::Error::new(ErrorKind::InvalidData, "received fatal alert: UnknownCA");
    assert!(is_closed(&Outer(late)));
    for kind in [ErrorKind::ConnectionRefused, ErrorKind::TimedOut, ErrorKind::Other] {
        assert!(!is_closed(&Outer(io::Error::from(kind))), "{kind}");
    }
}
