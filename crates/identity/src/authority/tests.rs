use std::{net::Ipv4Addr, sync::Arc};

use rustls::{
    CertificateError, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn leaf(server: bool, client: bool) -> Leaf {
    Leaf {
        common_name: "coordinator".to_owned(),
        dns_names: vec!["coordinator.example".to_owned()],
        ip_addresses: vec![Ipv4Addr::LOCALHOST.into()],
        server,
        client,
        not_before: start(),
        valid: DAY,
    }
}

fn authority() -> Authority {
    Authority::throw_away("demo CA", start(), DAY * 10).unwrap()
}

fn roots(authority: &Authority) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).unwrap())
        .unwrap();
    Arc::new(roots)
}

fn at(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap())
}

fn as_server(authority: &Authority, issued: &Issued, name: &str, time: SystemTime) -> Result<(), rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(authority), provider)
        .build()
        .unwrap();
    let certificate = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier
        .verify_server_cert(&certificate, &[], &name, &[], at(time))
        .map(|_| ())
}

fn as_client(authority: &Authority, issued: &Issued, time: SystemTime) -> Result<(), rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(authority), provider)
        .build()
        .unwrap();
    let certificate = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
    verifier.verify_client_cert(&certificate, &[], at(time)).map(|_| ())
}

fn is(error: rustls::Error, wanted: fn(&CertificateError) -> bool) -> bool {
    matches!(&error, rustls::Error::InvalidCertificate(error) if wanted(error))
}

#[test]
fn issued_chain_verifies_for_servers_by_name_and_address_and_for_clients() {
    let authority = authority();
    let issued = authority.issue(&leaf(true, true)).unwrap();
    as_server(&authority, &issued, "coordinator.example", start()).unwrap();
    as_server(&authority, &issued, "127.0.0.1", start() + DAY).unwrap();
    as_client(&authority, &issued, start()).unwrap();

    let other = as_server(&authority, &issued, "other.example", start()).unwrap_err();
    assert!(is(other, |error| matches!(
        error,
        CertificateError::NotValidForNameContext { .. }
    )));
}

#[test]
fn a_certificate_serves_only_the_uses_that_it_names() {
    let authority = authority();
    let server = authority.issue(&leaf(true, false)).unwrap();
    let client = authority.issue(&leaf(false, true)).unwrap();
    let purpose: fn(&_) -> bool = |error| matches!(error, CertificateError::InvalidPurposeContext { .. });
    as_server(&authority, &server, "127.0.0.1", start()).unwrap();
    assert!(is(as_client(&authority, &server, start()).unwrap_err(), purpose));
    as_client(&authority, &client, start()).unwrap();
    assert!(is(
        as_server(&authority, &client, "127.0.0.1", start()).unwrap_err(),
        purpose
    ));
}

#[test]
fn another_authority_of_the_same_name_is_not_trusted() {
    let issued = authority().issue(&leaf(true, true)).unwrap();
    assert!(as_client(&authority(), &issued, start()).is_err());
}

#[test]
fn a_certificate_ends_with_its_own_time_or_with_its_authority() {
    let authority = authority();
    let expired: fn(&_) -> bool = |error| matches!(error, CertificateError::ExpiredContext { .. });
    let early: fn(&_) -> bool = |error| matches!(error, CertificateError::NotValidYetContext { .. });
    let second = Duration::from_secs(1);

    let short = authority.issue(&leaf(false, true)).unwrap();
    assert!(is(as_client(&authority, &short, start() - second).unwrap_err(), early));
    assert!(is(
        as_client(&authority, &short, start() + DAY + second).unwrap_err(),
        expired
    ));

    let long = authority
        .issue(&Leaf {
            valid: DAY * 99,
            ..leaf(false, true)
        })
        .unwrap();
    as_client(&authority, &long, start() + DAY * 10).unwrap();
    assert!(is(
        as_client(&authority, &long, start() + DAY * 10 + second).unwrap_err(),
        expired
    ));
}

#[test]
fn what_no_certificate_can_say_is_refused() {
    let authority = authority();
    assert!(matches!(
        authority.issue(&leaf(false, false)),
        Err(Error::NoPurpose { .. })
    ));
    let name = Leaf {
        dns_names: vec!["köln.example".to_owned()],
        ..leaf(true, false)
    };
    assert!(matches!(authority.issue(&name), Err(Error::DnsName { name, .. }) if name == "köln.example"));
    for (not_before, valid) in [
        (UNIX_EPOCH - DAY, DAY),
        (start(), Duration::MAX),
        (start(), DAY * 365 * 9_000),
    ] {
        assert!(matches!(
            authority.issue(&Leaf {
                not_before,
                valid,
                ..leaf(true, false)
            }),
            Err(Error::Dates)
        ));
        assert!(matches!(
            Authority::throw_away("CA", not_before, valid),
            Err(Error::Dates)
        ));
    }
}

#[test]
fn files_hold_the_pair_and_the_authoritys_key_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority();
    let issued = authority.issue(&leaf(true, true)).unwrap();
    let ca = authority.write_to(folder.path(), "ca").unwrap();
    let (certificate, key) = issued.write_to(folder.path(), "n01").unwrap();

    assert_eq!(fs::read_to_string(ca).unwrap(), authority.certificate_pem());
    assert_eq!(fs::read_to_string(certificate).unwrap(), issued.certificate_pem);
    assert_eq!(fs::read_to_string(key).unwrap(), issued.key_pem);
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["ca.crt", "n01.crt", "n01.key"]);

    let ca_key = authority.write_key_to(folder.path(), "ca").unwrap();
    assert!(fs::read_to_string(ca_key).unwrap().contains("PRIVATE KEY"));
}

#[cfg(unix)]
#[test]
fn key_files_are_for_their_owner_even_where_one_was_open_to_all() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    for stale in ["n01.key", "n01.key.new"] {
        fs::write(folder.path().join(stale), "old").unwrap();
        fs::set_permissions(folder.path().join(stale), fs::Permissions::from_mode(0o666)).unwrap();
    }
    let authority = authority();
    let (_, key) = authority
        .issue(&leaf(true, true))
        .unwrap()
        .write_to(folder.path(), "n01")
        .unwrap();
    let ca_key = authority.write_key_to(folder.path(), "ca").unwrap();
    for path in [key, ca_key] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = authority().write_to(&folder.path().join("absent"), "ca").unwrap_err();
    assert!(error.to_string().ends_with("ca.crt"), "{error}");
}

#[test]
fn debug_output_shows_no_key() {
    let authority = authority();
    let issued = authority.issue(&leaf(true, true)).unwrap();
    for text in [format!("{authority:?}"), format!("{issued:?}")] {
        assert!(!text.contains("PRIVATE"), "{text}");
    }
}
