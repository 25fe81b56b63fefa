//! The three PEM files by which a program shows who it is and whom it trusts, and what can be wrong with them.
//!
//! An operator meets these errors before anything else works, so each names the file, the fault and the cure. Not a
//! TLS configuration: that is made from the PEM text by whoever speaks a protocol.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::{
    CertificateError, InconsistentKeys, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer, UnixTime,
        pem::{self, PemObject, SectionKind},
    },
    server::{ParsedCertificate, WebPkiClientVerifier},
    sign::CertifiedKey,
};

/// Which of the three files an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The certificates of the authorities that are trusted.
    Ca,
    /// The program's own certificate, and after it any intermediate ones.
    Certificate,
    /// The private key of that certificate.
    Key,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "CA certificate",
            Self::Certificate => "certificate",
            Self::Key => "private key",
        })
    }
}

/// What a file holds instead of what was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or white space.
    Empty,
    /// A certificate where a key was expected.
    Certificate,
    /// A private key where a certificate was expected.
    PrivateKey,
    /// A private key that needs a password.
    EncryptedKey,
    /// A request for a certificate.
    Request,
    /// Text of two bytes a character, as older PowerShell writes it.
    Utf16,
    /// The binary form of a certificate or key.
    Der,
    /// None of the above.
    Other,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Certificate => "it holds a certificate; check whether the paths are swapped",
            Self::PrivateKey => "it holds a private key; check whether the paths are swapped",
            Self::EncryptedKey => "its key is encrypted; decrypt it with \"openssl pkey -in FILE -out NEW_FILE\"",
            Self::Request => "it holds a certificate request; use the certificate that was issued for it",
            Self::Utf16 => "it is UTF-16 text; save it as UTF-8 or ASCII",
            Self::Der => "it is binary (DER); convert it to PEM with \"openssl\" or \"certutil -encode\"",
            Self::Other => "it holds no PEM block of a known kind; PEM begins with -----BEGIN",
        })
    }
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("{role} file {} does not exist; check the configured path", path.display())]
    Missing {
        /// Which file.
        role: Role,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is there and cannot be read, most often for lack of rights.
    #[error("cannot read {role} file {}; check that this program's account may read it", path.display())]
    Unreadable {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A PEM block is cut or damaged.
    #[error("{role} file {} is damaged or cut; copy it again", path.display())]
    Damaged {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with the block.
        source: pem::Error,
    },
    /// A file that should hold certificates holds none.
    #[error("{role} file {} has no CERTIFICATE block: {found}", path.display())]
    NoCertificate {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
        /// What it holds instead.
        found: Found,
    },
    /// The key file holds no key, or one that needs a password.
    #[error("private key file {} has no usable PRIVATE KEY block: {found}", path.display())]
    NoPrivateKey {
        /// Where it is.
        path: PathBuf,
        /// What it holds instead.
        found: Found,
    },
    /// The block is well-formed and what is in it is no certificate.
    #[error("{role} file {} has a CERTIFICATE block that is no X.509 certificate; issue it again", path.display())]
    BadCertificate {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
        /// What the parser said.
        source: rustls::Error,
    },
    /// The certificate is of X.509 version 1, which has no extensions and so cannot say what it is for.
    #[error("the certificate in {} is of X.509 version 1 and cannot be used; issue it again with extensions (version 3: \
        with \"openssl x509 -req\", give -extfile)", path.display())]
    Version1 {
        /// The certificate's file.
        path: PathBuf,
    },
    /// The key is of a kind that TLS here does not take.
    #[error("the key in {} cannot be used; make one of ECDSA P-256, Ed25519 or RSA 2048", path.display())]
    BadKey {
        /// Where it is.
        path: PathBuf,
        /// What the parser said.
        source: rustls::Error,
    },
    /// Key and certificate are not a pair.
    #[error("the key in {} does not belong to the certificate in {}; use the two that were issued together",
        key.display(), certificate.display())]
    KeyMismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The certificate, or an intermediate one, is not valid any more.
    #[error("the certificate in {} expired {} ago; renew it, or check this machine's clock",
        path.display(), Rough(*ago))]
    Expired {
        /// The certificate's file.
        path: PathBuf,
        /// For how long it has not been valid.
        ago: Duration,
    },
    /// The certificate, or an intermediate one, is not valid yet.
    #[error("the certificate in {} becomes valid only in {}; check this machine's clock", path.display(), Rough(*wait))]
    NotYetValid {
        /// The certificate's file.
        path: PathBuf,
        /// How long until it is valid.
        wait: Duration,
    },
    /// None of the trusted authorities issued the certificate.
    #[error("the certificate in {} was not issued by an authority in {}; use the pair of one authority",
        certificate.display(), ca.display())]
    OtherAuthority {
        /// The certificate's file.
        certificate: PathBuf,
        /// The file of trusted authorities.
        ca: PathBuf,
    },
    /// The certificate does not verify for another reason, such as one that is itself an authority's.
    #[error("the certificate in {} would be refused by every peer; issue it again", path.display())]
    Refused {
        /// The certificate's file.
        path: PathBuf,
        /// What the verifier said.
        source: rustls::Error,
    },
}

/// The result of loading and verifying files.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Three PEM texts that belong together: each holds what it should, and the key fits the certificate.
#[derive(Clone)]
pub struct Credentials {
    /// The certificates of the authorities that are trusted.
    pub ca_pem: String,
    /// The program's own certificate, and after it any intermediate ones.
    pub certificate_pem: String,
    /// The private key of that certificate. A secret.
    pub key_pem: String,
    paths: Arc<Paths>,
}

#[derive(Debug)]
struct Paths {
    ca: PathBuf,
    certificate: PathBuf,
}

impl Credentials {
    /// Reads and checks the files. Dates and issuer are not checked here, since an expired certificate may still be
    /// good for renewal: see [`Credentials::verify`].
    ///
    /// # Errors
    ///
    /// All variants up to [`Error::KeyMismatch`].
    pub fn load(ca: &Path, certificate: &Path, key: &Path) -> Result<Self> {
        let ca_pem = Pem::read(Role::Ca, ca)?;
        let certificate_pem = Pem::read(Role::Certificate, certificate)?;
        let key_pem = Pem::read(Role::Key, key)?;

        roots(&ca_pem.certificates()?, ca)?;
        let chain = certificate_pem.certificates()?;
        if chain.first().is_some_and(|leaf| is_version_1(leaf)) {
            return Err(Error::Version1 {
                path: certificate.to_owned(),
            });
        }
        let private_key = key_pem.private_key()?;

        let signer = ring::default_provider().key_provider.load_private_key(private_key);
        let signer = signer.map_err(|source| Error::BadKey {
            path: key.to_owned(),
            source,
        })?;
        match CertifiedKey::new(chain, signer).keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(Error::KeyMismatch {
                    key: key.to_owned(),
                    certificate: certificate.to_owned(),
                });
            }
            Err(source) => {
                let path = certificate.to_owned();
                return Err(Error::BadCertificate {
                    role: Role::Certificate,
                    path,
                    source,
                });
            }
        }
        Ok(Self {
            ca_pem: ca_pem.text,
            certificate_pem: certificate_pem.text,
            key_pem: key_pem.text,
            paths: Arc::new(Paths {
                ca: ca.to_owned(),
                certificate: certificate.to_owned(),
            }),
        })
    }

    /// Checks that the certificate is valid at this time and was issued by one of the trusted authorities.
    ///
    /// That is what a peer with the same authorities would check. Names are not: only the peer knows whom it called.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::NotYetValid`], [`Error::OtherAuthority`], [`Error::Refused`].
    pub fn verify(&self, now: SystemTime) -> Result<()> {
        let Paths { ca, certificate: path } = &*self.paths;
        let parse = |role, path: &Path, text: &str| {
            Pem {
                role,
                path,
                text: text.to_owned(),
            }
            .certificates()
        };
        let roots = roots(&parse(Role::Ca, ca, &self.ca_pem)?, ca)?;
        let chain = parse(Role::Certificate, path, &self.certificate_pem)?;
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());

        verify_for_either_use(&chain, roots, now).map_err(|error| {
            use CertificateError::{ExpiredContext, NotValidYetContext, UnknownIssuer};
            let between = |later: UnixTime, earlier: UnixTime| {
                Duration::from_secs(later.as_secs().saturating_sub(earlier.as_secs()))
            };
            let path = path.clone();
            match error {
                rustls::Error::InvalidCertificate(ExpiredContext { time, not_after }) => Error::Expired {
                    path,
                    ago: between(time, not_after),
                },
                rustls::Error::InvalidCertificate(NotValidYetContext { time, not_before }) => Error::NotYetValid {
                    path,
                    wait: between(not_before, time),
                },
                rustls::Error::InvalidCertificate(UnknownIssuer | CertificateError::BadSignature) => {
                    Error::OtherAuthority {
                        certificate: path,
                        ca: ca.clone(),
                    }
                }
                source => Error::Refused { path, source },
            }
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

/// A certificate is good if servers or clients may use it; rustls asks for one of the two uses at a time.
fn verify_for_either_use(
    chain: &[CertificateDer<'_>],
    roots: RootCertStore,
    now: UnixTime,
) -> Result<(), rustls::Error> {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return Err(rustls::Error::NoCertificatesPresented);
    };
    let provider: CryptoProvider = ring::default_provider();
    let algorithms = provider.signature_verification_algorithms.all;
    let parsed = ParsedCertificate::try_from(leaf)?;
    match verify_server_cert_signed_by_trust_anchor(&parsed, &roots, intermediates, now, algorithms) {
        Err(rustls::Error::InvalidCertificate(
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. },
        )) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider)).build();
            let verifier = verifier.map_err(|error| rustls::Error::General(error.to_string()))?;
            verifier.verify_client_cert(leaf, intermediates, now).map(|_| ())
        }
        other => other,
    }
}

fn roots(certificates: &[CertificateDer<'static>], path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let added = roots.add(certificate.clone());
        added.map_err(|source| Error::BadCertificate {
            role: Role::Ca,
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(roots)
}

/// Whether this is a certificate without a version in front: only version 1 leaves it out. Of anything else, false.
fn is_version_1(der: &[u8]) -> bool {
    // Certificate and TBSCertificate are sequences; in version 1 the serial number comes first within the second.
    fn inside(der: &[u8]) -> Option<&[u8]> {
        let (&[tag, length], rest) = der.split_first_chunk::<2>()?;
        let more = if length < 0x80 { 0 } else { usize::from(length & 0x7f) };
        if tag == 0x30 { rest.get(more..) } else { None }
    }
    let fields = inside(der).and_then(inside);
    fields.and_then(<[u8]>::first) == Some(&0x02)
}

/// The text of one file, with what an error about it must name.
struct Pem<'a> {
    role: Role,
    path: &'a Path,
    text: String,
}

impl<'a> Pem<'a> {
    fn read(role: Role, path: &'a Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing {
                role,
                path: path.to_owned(),
            },
            _ => Error::Unreadable {
                role,
                path: path.to_owned(),
                source,
            },
        })?;
        // Comments between the blocks may be in any code page. A byte order mark would hide the first BEGIN line.
        let text = match String::from_utf8(bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text),
            Err(error) => match binary(error.as_bytes()) {
                Some(found) => {
                    return Err(Pem {
                        role,
                        path,
                        text: String::new(),
                    }
                    .nothing(found));
                }
                None => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            },
        };
        Ok(Self { role, path, text })
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
        let blocks: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.text.as_bytes()).collect();
        match blocks {
            Ok(blocks) if blocks.is_empty() => Err(self.nothing(self.holds())),
            Ok(blocks) => Ok(blocks),
            Err(source) => Err(self.fault(source)),
        }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_slice(self.text.as_bytes()).map_err(|source| self.fault(source))
    }

    fn fault(&self, source: pem::Error) -> Error {
        let found = self.holds();
        match source {
            pem::Error::NoItemsFound => self.nothing(found),
            // The older kind of encrypted key has headers within its block, which the parser takes for damage.
            _ if found == Found::EncryptedKey => self.nothing(found),
            source => Error::Damaged {
                role: self.role,
                path: self.path.to_owned(),
                source,
            },
        }
    }

    fn nothing(&self, found: Found) -> Error {
        let path = self.path.to_owned();
        match self.role {
            Role::Key => Error::NoPrivateKey { path, found },
            role => Error::NoCertificate { role, path, found },
        }
    }

    /// What the text holds, to be asked only when it is not what was looked for.
    fn holds(&self) -> Found {
        if self.text.trim().is_empty() {
            return Found::Empty;
        }
        if self.text.contains("ENCRYPTED PRIVATE KEY-----") || self.text.contains("Proc-Type: 4,ENCRYPTED") {
            return Found::EncryptedKey;
        }
        match <(SectionKind, Vec<u8>)>::pem_slice_iter(self.text.as_bytes())
            .flatten()
            .next()
        {
            Some((SectionKind::Certificate, _)) => Found::Certificate,
            Some((SectionKind::PrivateKey | SectionKind::EcPrivateKey | SectionKind::RsaPrivateKey, _)) => {
                Found::PrivateKey
            }
            Some((SectionKind::Csr, _)) => Found::Request,
            _ => Found::Other,
        }
    }
}

/// The kinds of file that are known not to be text: UTF-16 by its mark, DER by the head of an ASN.1 sequence.
fn binary(bytes: &[u8]) -> Option<Found> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(Found::Utf16),
        [0x30, 0x80..=0x84, ..] => Some(Found::Der),
        _ => None,
    }
}

/// A duration in its largest unit: "3 days".
struct Rough(Duration);

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
        let (size, unit) = units
            .into_iter()
            .find(|(size, _)| seconds >= *size)
            .unwrap_or((1, "second"));
        let count = seconds / size;
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests;
