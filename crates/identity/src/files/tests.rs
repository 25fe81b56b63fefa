use tempfile::TempDir;

use super::*;
use crate::authority::{Authority, Issued, Leaf};

const DAY: Duration = Duration::from_secs(86_400);

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A folder with ca.crt, n01.crt and n01.key, all good until a test spoils one.
struct Fixture {
    folder: TempDir,
    authority: Authority,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::throw_away("CA", start(), DAY * 10).unwrap();
        authority.write_to(folder.path(), "ca").unwrap();
        let fixture = Self { folder, authority };
        fixture
            .issue(true, true)
            .write_to(fixture.folder.path(), "n01")
            .unwrap();
        fixture
    }

    fn issue(&self, server: bool, client: bool) -> Issued {
        let common_name = "n01".to_owned();
        let leaf = Leaf {
            common_name,
            server,
            client,
            not_before: start(),
            valid: DAY,
            ..Leaf::default()
        };
        self.authority.issue(&leaf).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn load(&self) -> Result<Credentials> {
        Credentials::load(&self.path("ca.crt"), &self.path("n01.crt"), &self.path("n01.key"))
    }

    /// The error of loading, after a check that its text names this file and holds this advice.
    fn error(&self, file: &str, advice: &str) -> Error {
        let error = self.load().unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&self.path(file).display().to_string()) && text.contains(advice),
            "{text}"
        );
        error
    }
}

#[test]
fn good_files_load_and_verify() {
    let fixture = Fixture::new();
    let credentials = fixture.load().unwrap();
    assert_eq!(credentials.certificate_pem, fixture.text("n01.crt"));
    assert_eq!(credentials.key_pem, fixture.text("n01.key"));
    assert_eq!(credentials.ca_pem, fixture.text("ca.crt"));
    credentials.verify(start()).unwrap();
    assert!(!format!("{credentials:?}").contains("PRIVATE"));
}

#[test]
fn either_use_alone_verifies() {
    let fixture = Fixture::new();
    for (server, client) in [(true, false), (false, true)] {
        fixture
            .issue(server, client)
            .write_to(fixture.folder.path(), "n01")
            .unwrap();
        fixture.load().unwrap().verify(start()).unwrap();
    }
}

#[test]
fn a_missing_file_is_named_with_its_role() {
    for (file, role) in [
        ("ca.crt", "CA certificate"),
        ("n01.crt", "certificate"),
        ("n01.key", "private key"),
    ] {
        let fixture = Fixture::new();
        fs::remove_file(fixture.path(file)).unwrap();
        let error = fixture.error(file, "check the configured path");
        assert!(
            matches!(error, Error::Missing { .. }) && error.to_string().starts_with(role),
            "{error}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_called_missing() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.path("n01.key")).unwrap();
    fs::create_dir(fixture.path("n01.key")).unwrap();
    let error = fixture.error("n01.key", "account may read it");
    assert!(matches!(error, Error::Unreadable { role: Role::Key, .. }));
}

#[test]
fn swapped_certificate_and_key_are_called_swapped() {
    let fixture = Fixture::new();
    let (certificate, key) = (fixture.text("n01.crt"), fixture.text("n01.key"));
    fixture.put("n01.crt", &key);
    fixture.put("n01.key", &certificate);
    let error = fixture.error("n01.crt", "holds a private key; check whether the paths are swapped");
    assert!(matches!(
        error,
        Error::NoCertificate {
            role: Role::Certificate,
            found: Found::PrivateKey,
            ..
        }
    ));

    fixture.put("n01.crt", &certificate);
    let error = fixture.error("n01.key", "holds a certificate; check whether the paths are swapped");
    assert!(matches!(
        error,
        Error::NoPrivateKey {
            found: Found::Certificate,
            ..
        }
    ));
}

#[test]
fn a_key_in_the_place_of_the_authority_is_refused() {
    let fixture = Fixture::new();
    fixture.put("ca.crt", fixture.text("n01.key"));
    let error = fixture.error("ca.crt", "no CERTIFICATE block");
    assert!(matches!(
        error,
        Error::NoCertificate {
            role: Role::Ca,
            found: Found::PrivateKey,
            ..
        }
    ));
}

#[test]
fn other_contents_are_recognised() {
    let block = |label: &str| format!("-----BEGIN {label}-----\nMAAA\n-----END {label}-----\n").into_bytes();
    let utf16 = |text: &str| {
        [0xfeff]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect()
    };
    let old = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMAAA\n-----END RSA PRIVATE KEY-----\n";
    let certificate = Fixture::new().issue(true, true).certificate_pem;
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap().to_vec();
    let contents: [(Vec<u8>, Found, &str); 8] = [
        (b" \r\n".to_vec(), Found::Empty, "is empty"),
        (block("ENCRYPTED PRIVATE KEY"), Found::EncryptedKey, "openssl pkey"),
        (old.to_vec(), Found::EncryptedKey, "openssl pkey"),
        (block("CERTIFICATE REQUEST"), Found::Request, "was issued for it"),
        (block("EC PARAMETERS"), Found::Other, "-----BEGIN"),
        (b"hello".to_vec(), Found::Other, "-----BEGIN"),
        (utf16(&certificate), Found::Utf16, "save it as UTF-8"),
        (der, Found::Der, "certutil -encode"),
    ];
    let fixture = Fixture::new();
    for (bytes, wanted, advice) in contents {
        fixture.put("n01.crt", &bytes);
        let error = fixture.error("n01.crt", advice);
        assert!(
            matches!(error, Error::NoCertificate { found, .. } if found == wanted),
            "{error}"
        );
    }
}

#[test]
fn an_encrypted_key_is_called_encrypted() {
    let fixture = Fixture::new();
    fixture.put(
        "n01.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let error = fixture.error("n01.key", "is encrypted; decrypt it");
    assert!(matches!(
        error,
        Error::NoPrivateKey {
            found: Found::EncryptedKey,
            ..
        }
    ));
}

#[test]
fn cut_files_are_called_damaged() {
    for file in ["ca.crt", "n01.crt", "n01.key"] {
        let fixture = Fixture::new();
        let text = fixture.text(file);
        fixture.put(file, &text[..text.len() / 2]);
        assert!(matches!(fixture.error(file, "copy it again"), Error::Damaged { .. }));
    }
}

#[test]
fn blocks_with_other_contents_are_no_certificate_and_no_key() {
    for file in ["ca.crt", "n01.crt"] {
        let fixture = Fixture::new();
        fixture.put(file, "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n");
        assert!(matches!(
            fixture.error(file, "no X.509 certificate"),
            Error::BadCertificate { .. }
        ));
    }
    let fixture = Fixture::new();
    fixture.put(
        "n01.key",
        "-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n",
    );
    assert!(matches!(
        fixture.error("n01.key", "make one of ECDSA"),
        Error::BadKey { .. }
    ));
}

#[test]
fn a_key_of_another_certificate_is_refused_and_both_files_named() {
    let fixture = Fixture::new();
    fixture.put("n01.key", fixture.issue(true, true).key_pem);
    let error = fixture.error("n01.key", "issued together");
    assert!(
        matches!(error, Error::KeyMismatch { .. }) && error.to_string().contains("n01.crt"),
        "{error}"
    );
}

#[test]
fn dates_are_checked_against_the_given_time() {
    let credentials = Fixture::new().load().unwrap();
    let early = credentials.verify(start() - Duration::from_secs(7_200)).unwrap_err();
    assert!(matches!(early, Error::NotYetValid { wait, .. } if wait == Duration::from_secs(7_200)));
    assert!(
        early
            .to_string()
            .contains("only in 2 hours; check this machine's clock"),
        "{early}"
    );

    let late = credentials.verify(start() + DAY * 4).unwrap_err();
    assert!(matches!(late, Error::Expired { ago, .. } if ago == DAY * 3));
    assert!(late.to_string().contains("expired 3 days ago; renew it"), "{late}");
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let fixture = Fixture::new();
    for name in ["CA", "another CA"] {
        let other = Authority::throw_away(name, start(), DAY).unwrap();
        other.write_to(fixture.folder.path(), "ca").unwrap();
        let error = fixture.load().unwrap().verify(start()).unwrap_err();
        assert!(matches!(error, Error::OtherAuthority { .. }), "{error:?}");
    }
}

#[test]
fn an_authoritys_own_certificate_is_refused_as_a_leaf() {
    let fixture = Fixture::new();
    fixture.authority.write_to(fixture.folder.path(), "n01").unwrap();
    fixture.authority.write_key_to(fixture.folder.path(), "n01").unwrap();
    let error = fixture.load().unwrap().verify(start()).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
}

#[test]
fn marks_and_comments_around_the_blocks_do_not_matter() {
    let fixture = Fixture::new();
    fixture.put("n01.crt", format!("\u{feff}{}", fixture.text("n01.crt")));
    fixture.put(
        "ca.crt",
        [b"# f\xfcr Labor\r\n".as_slice(), fixture.text("ca.crt").as_bytes()].concat(),
    );
    let credentials = fixture.load().unwrap();
    assert!(credentials.certificate_pem.starts_with("-----BEGIN"));
    credentials.verify(start()).unwrap();
}

#[test]
fn rough_durations_take_their_largest_unit() {
    let texts =
        [0, 1, 59, 60, 3_599, 7_200, 86_399, 86_400, 864_000].map(|s| Rough(Duration::from_secs(s)).to_string());
    let wanted = [
        "0 seconds",
        "1 second",
        "59 seconds",
        "1 minute",
        "59 minutes",
        "2 hours",
        "23 hours",
        "1 day",
        "10 days",
    ];
    assert_eq!(texts, wanted);
}

#[test]
fn certificate_of_version_1_is_called_that() {
    let fixture = Fixture::new();
    fixture.put("n01.crt", VERSION_1);
    let error = fixture.load().unwrap_err();
    assert!(matches!(error, Error::Version1 { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("n01.crt") && text.contains("version 1") && text.contains("version 3"),
        "{text}"
    );
}

/// As `openssl x509 -req` makes them without extensions.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBGDCBvwIURdGOFxfVMBX/NmGYh3zFwvB3ktwwCgYIKoZIzj0EAwIwDjEMMAoG
A1UEAwwDb2xkMCAXDTI2MTEyNDE5NTM0N1oYDzIxMjYxMDMxMTk1MzQ3WjAOMQww
CgYDVQQDDANvbGQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARHk24vrWLukaZM
K+Wv/YOBC2n3+2FlnkCFxVWoXIWkJgUWEhp95ZBFVf5hYJB3BrxdDe1UWzvcW9DF
L4zv3FHvMAoGCCqGSM49BAMCA0gAMEUCIQD2F8tsc1ZhujsHcHQA6TrI+DTcsWgV
b3paoSLTrnpUzwIgDYVaz0/dvmtaFzJnrS1poYuQ0vbfwF7lUj92PLMNDvg=
-----END CERTIFICATE-----
";
