//! Who a verified peer is: the names that its certificate gives it.
//!
//! Not a verifier: that the certificate is from an authority that is trusted, and that the peer has its key, is the handshake's business.

use std::fmt;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Tags of DER (X.690) that a name is made of.
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// Texts whose bytes are UTF-8 (or ASCII, which is that too): UTF8String, PrintableString, IA5String.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// The holder of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    names: Vec<String>,
}

impl Holder {
    /// Reads the names of a certificate that was verified: the common names of its subject, then its DNS names. One that cannot be read
    /// names nobody.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok(certificate) = EndEntityCert::try_from(certificate) else {
            return Self::default();
        };
        let mut names = common_names(certificate.subject());
        names.extend(certificate.valid_dns_names().map(str::to_owned));
        names.dedup();
        Self { names }
    }

    /// Whether the certificate gives its holder this name, letter for letter. A wildcard gives no name.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.names[..] {
            [] => f.write_str("nobody"),
            names => f.write_str(&names.join(", ")),
        }
    }
}

/// The common names of a subject (RFC 5280, `RDNSequence`, without its outer tag); what is malformed ends them.
fn common_names(mut subject: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let Some((SET, mut attributes, rest)) = element(subject) {
        while let Some((SEQUENCE, attribute, others)) = element(attributes) {
            names.extend(common_name(attribute));
            attributes = others;
        }
        subject = rest;
    }
    names
}

/// The text of an attribute that is a common name.
fn common_name(attribute: &[u8]) -> Option<String> {
    let (OBJECT_IDENTIFIER, COMMON_NAME, value) = element(attribute)? else {
        return None;
    };
    let (tag, text, _) = element(value)?;
    let text = TEXTS.contains(&tag).then_some(text)?;
    String::from_utf8(text.to_vec()).ok()
}

/// The first element of some DER: its tag, its content, and what comes after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        // No name is that long.
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests;
