//! Why a TLS connection failed, in words for the operator: transport libraries bury it several sources deep.
//!
//! Not a verifier: it only reads an error that somebody else made.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// Said when the other side refuses us or closes the connection before it has said anything. It checks our certificate after our part
/// of the handshake is over: whether its alert arrives, or our first bytes meet a closed connection, is chance. So both are said alike.
pub const REFUSED: &str = "the other side closed the connection during the TLS handshake, most often because it does not accept our certificate; \
     give a certificate (--cert and --key) from an authority that the other side's CA file holds, best the same CA for both";

/// Whether an error is that of a connection which the other side closed, and not of one that could not be made.
#[must_use]
pub fn is_closed(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    let mut system = None;
    while let Some(error) = next {
        system = error.downcast_ref::<io::Error>().or(system);
        next = error.source();
    }
    // Without a word from the system it was the connection's own task that ended.
    system.is_none_or(|error| {
        matches!(
            error.kind(),
            ErrorKind::BrokenPipe
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::NotConnected
                | ErrorKind::UnexpectedEof
                // An alert that came too late for the handshake: HTTP/2 keeps its kind and its text alone.
                | ErrorKind::InvalidData
        )
    })
}

/// What is wrong with the certificates of a connection, and what to do; `None` when the error is about something else.
#[must_use]
pub fn tls_problem(error: &(dyn Error + 'static)) -> Option<String> {
    let tls = find(error)?;
    Some(match tls {
        TlsError::InvalidCertificate(reason) => match reason {
            // Two authorities of the same name differ by their keys alone.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the other side's certificate is from an authority that our CA file does not hold; give both sides the same CA"
                    .to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the other side's certificate has expired; renew it (or check the clocks)".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the other side's certificate is not valid yet; check the clocks".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the other side's certificate is for another name than the address that was used; use the name in the certificate"
                    .to_owned()
            }
            other => format!("the other side's certificate was refused: {other:?}"),
        },
        TlsError::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => {
                "the other side asks for a certificate and got none; give --cert and --key".to_owned()
            }
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::DecryptError
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied => REFUSED.to_owned(),
            AlertDescription::CertificateExpired => {
                "the other side refused our certificate: it has expired; renew it (or check the clocks)".to_owned()
            }
            other => format!("the other side ended the TLS handshake: {other:?}"),
        },
        TlsError::InvalidMessage(_) => {
            "the other side does not speak TLS: the address is not that of a coordinator, or it was called without TLS".to_owned()
        }
        other => format!("TLS failed: {other}"),
    })
}

fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a TlsError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<TlsError>() {
            return Some(tls);
        }
        // An io::Error does not name what it wraps as its source when it was made from an error.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(tls) = find(inner)
        {
            return Some(tls);
        }
        next = error.source();
    }
    None
}

/// All messages of an error and its sources on one line, each only once, and what to do where the system refused a file or folder.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut advice = advice(error);
    let mut next = error.source();
    while let Some(error) = next {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        advice = advice.or_else(|| self::advice(error));
        next = error.source();
    }
    match advice {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

/// What to do when the system refuses a file or folder: it says what it found, and not what was wanted.
fn advice(error: &(dyn Error + 'static)) -> Option<&'static str> {
    Some(match error.downcast_ref::<io::Error>()?.kind() {
        ErrorKind::NotFound => "check the path: this, or the folder that it should lie in, is not there",
        ErrorKind::PermissionDenied => "whoever runs this program needs the right to it",
        ErrorKind::NotADirectory => "a folder has to be there, and a file is",
        ErrorKind::IsADirectory => "a file has to be there, and a folder is",
        ErrorKind::AlreadyExists => "something else lies there already; choose another place",
        ErrorKind::ReadOnlyFilesystem => "choose a place that can be written to",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
