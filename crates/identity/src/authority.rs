//! A certificate authority in memory and the certificates that it issues.
//!
//! For tests, demonstrations and small sites. Not an enrolment service, and not a place that keeps the authority's key:
//! that is written only by [`Authority::write_key_to`], and otherwise gone with the value.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};

use crate::private;

/// A certificate can name times up to 9999-12-31 23:59:59 UTC (RFC 5280, 4.1.2.5).
const LATEST_UNIX_SECONDS: u64 = 253_402_300_799;

/// Why a certificate cannot be made or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A DNS name has characters that a certificate cannot hold; write it in its ASCII form.
    #[error("{name:?} is no DNS name that a certificate can hold")]
    DnsName {
        /// The name as given.
        name: String,
        /// What the encoder said.
        source: rcgen::Error,
    },
    /// A leaf is for neither servers nor clients, so nobody would accept it.
    #[error("the certificate for {common_name:?} is for neither servers nor clients")]
    NoPurpose {
        /// The leaf's name.
        common_name: String,
    },
    /// The time of validity begins before 1970 or ends after 9999.
    #[error("certificates are valid from 1970 to 9999 only")]
    Dates,
    /// The key could not be made or the certificate not be signed; the system may have no randomness to give.
    #[error("cannot make a key or sign a certificate")]
    Sign(#[source] rcgen::Error),
    /// A file could not be written; a file of that name that was there before is unchanged.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The result of making or writing certificates.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A certificate authority whose key lives in this value.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    end: u64,
}

/// What a certificate should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The subject's common name: who this is, for people and for the peer's roles.
    pub common_name: String,
    /// The DNS names by which a server is called.
    pub dns_names: Vec<String>,
    /// The addresses by which a server is called.
    pub ip_addresses: Vec<IpAddr>,
    /// Whether the holder may accept connections.
    pub server: bool,
    /// Whether the holder may make connections.
    pub client: bool,
    /// From when it is valid, in whole seconds. A little in the past spares trouble with clocks that differ.
    pub not_before: SystemTime,
    /// For how long it is valid; never longer than its authority.
    pub valid: Duration,
}

impl Default for Leaf {
    /// No name, no purpose, and a day in 1970: to be filled in, never to be used as it is.
    fn default() -> Self {
        Self {
            common_name: String::new(),
            dns_names: Vec::new(),
            ip_addresses: Vec::new(),
            server: false,
            client: false,
            not_before: UNIX_EPOCH,
            valid: Duration::from_secs(86_400),
        }
    }
}

/// A certificate with its key, both as PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate_pem: String,
    /// Its private key (PKCS #8). A secret.
    pub key_pem: String,
}

impl Authority {
    /// Makes an authority that issues leaves only, with a new key (ECDSA P-256).
    ///
    /// # Errors
    ///
    /// [`Error::Dates`], [`Error::Sign`].
    pub fn throw_away(name: &str, not_before: SystemTime, valid: Duration) -> Result<Self> {
        let (start, end) = seconds(not_before, valid)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_dates(&mut params, start, end);
        let key = KeyPair::generate().map_err(Error::Sign)?;
        let certificate_pem = params.self_signed(&key).map_err(Error::Sign)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate_pem,
            end,
        })
    }

    /// The authority's certificate, which peers need in order to trust what it issues.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Issues a certificate with a new key (ECDSA P-256).
    ///
    /// # Errors
    ///
    /// [`Error::NoPurpose`], [`Error::DnsName`], [`Error::Dates`], [`Error::Sign`].
    pub fn issue(&self, leaf: &Leaf) -> Result<Issued> {
        if !leaf.server && !leaf.client {
            return Err(Error::NoPurpose {
                common_name: leaf.common_name.clone(),
            });
        }
        let (start, end) = seconds(leaf.not_before, leaf.valid)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, leaf.common_name.as_str());
        for name in &leaf.dns_names {
            let ascii = name.as_str().try_into();
            let ascii = ascii.map_err(|source| Error::DnsName {
                name: name.clone(),
                source,
            })?;
            params.subject_alt_names.push(SanType::DnsName(ascii));
        }
        params
            .subject_alt_names
            .extend(leaf.ip_addresses.iter().copied().map(SanType::IpAddress));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let purposes = [
            (leaf.server, ExtendedKeyUsagePurpose::ServerAuth),
            (leaf.client, ExtendedKeyUsagePurpose::ClientAuth),
        ];
        params.extended_key_usages = purposes
            .into_iter()
            .filter(|(wanted, _)| *wanted)
            .map(|(_, use_)| use_)
            .collect();
        params.use_authority_key_identifier_extension = true;
        set_dates(&mut params, start, end.min(self.end));
        let key = KeyPair::generate().map_err(Error::Sign)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(Error::Sign)?;
        Ok(Issued {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// Writes the authority's certificate, and never its key, to `<name>.crt` in a folder; returns the path.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn write_to(&self, folder: &Path, name: &str) -> Result<PathBuf> {
        write(folder, &format!("{name}.crt"), &self.certificate_pem, Secrecy::Public)
    }

    /// Writes the authority's key to `<name>.key` in a folder; returns the path. Whoever reads that file can issue.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn write_key_to(&self, folder: &Path, name: &str) -> Result<PathBuf> {
        write(
            folder,
            &format!("{name}.key"),
            &self.issuer.key().serialize_pem(),
            Secrecy::Secret,
        )
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

impl Issued {
    /// Writes `<name>.crt` and `<name>.key` into a folder; returns both paths, the certificate's first.
    ///
    /// Each file is replaced in one step, the key first, so that a reader sees the old or the new one and never half of
    /// it. Between the two steps the pair does not match; a reader that meets this tries again. On Unix only the owner
    /// may read the key; on Windows the folder's access list applies to it.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn write_to(&self, folder: &Path, name: &str) -> Result<(PathBuf, PathBuf)> {
        let key = write(folder, &format!("{name}.key"), &self.key_pem, Secrecy::Secret)?;
        let certificate = write(folder, &format!("{name}.crt"), &self.certificate_pem, Secrecy::Public)?;
        Ok((certificate, key))
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// Start and end in seconds since 1970, the resolution of a certificate.
fn seconds(not_before: SystemTime, valid: Duration) -> Result<(u64, u64)> {
    let start = not_before
        .duration_since(UNIX_EPOCH)
        .map_err(|_| Error::Dates)?
        .as_secs();
    let end = start
        .checked_add(valid.as_secs())
        .filter(|end| *end <= LATEST_UNIX_SECONDS);
    Ok((start, end.ok_or(Error::Dates)?))
}

fn set_dates(params: &mut CertificateParams, start: u64, end: u64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(start);
    params.not_after = epoch + Duration::from_secs(end);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secrecy {
    Public,
    Secret,
}

fn write(folder: &Path, name: &str, pem: &str, secrecy: Secrecy) -> Result<PathBuf> {
    let path = folder.join(name);
    let new = folder.join(format!("{name}.new"));
    let written = create(&new, secrecy)
        .and_then(|mut file| file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, &path));
    match written {
        Ok(()) => Ok(path),
        Err(source) => {
            // Best effort: the next attempt removes it too, and the cause of the failure is what counts.
            let _ = fs::remove_file(&new);
            Err(Error::Write { path, source })
        }
    }
}

/// Makes the file anew: the mode of one that was there would stay as it was.
fn create(path: &Path, secrecy: Secrecy) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match secrecy {
        Secrecy::Public => OpenOptions::new().write(true).create_new(true).open(path),
        Secrecy::Secret => private::create(path),
    }
}

#[cfg(test)]
mod tests;
