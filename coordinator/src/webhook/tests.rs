//! Signatures are those of the standard, wrong configurations are named, and HTTPS is believed only from whom it may be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::SystemTime;

use fathom_identity::authority::{Authority, Leaf};
use fathom_runtime::clock::{Clock, SystemClock};
use hyper::body::Bytes;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::post::{Failure, post};
use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn entry(folder: &Path, url: &str) -> Entry {
    let secret_file = folder.join("secret");
    std::fs::write(&secret_file, format!("{SECRET}\n")).unwrap();
    Entry {
        name: "ops".to_owned(),
        url: url.to_owned(),
        secret_file,
        ca: None,
        timeout: None,
        clusters: Vec::new(),
    }
}

#[test]
fn signature_is_the_hmac_of_time_and_body() {
    let folder = tempfile::tempdir().unwrap();
    let webhook = Webhook::open(&entry(folder.path(), "http://localhost/hook")).unwrap();
    // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    assert_eq!(
        webhook.sign(1_700_000_000, br#"{"a":1}"#),
        "v1=f05f2539e3ae1c49aec5f8cfdad75ef6b06480b133973ffbb7ec9e18827af177"
    );
}

#[test]
fn what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("short");
    std::fs::write(&short, "short\n").unwrap();
    let of = |url: &str| entry(folder.path(), url);
    let wrong = [
        (of("ftp://host/"), "http://"),
        (of("https://host/"), "needs ca"),
        (of("http://user@host/"), "user"),
        (
            Entry {
                secret_file: folder.path().join("none"),
                ..of("http://host/")
            },
            "none",
        ),
        (
            Entry {
                secret_file: short.clone(),
                ..of("http://host/")
            },
            "5 bytes",
        ),
        (
            Entry {
                ca: Some(short),
                ..of("https://host/")
            },
            "no certificate",
        ),
        (
            Entry {
                name: String::new(),
                ..of("http://host/")
            },
            "1 to 64",
        ),
    ];
    for (entry, says) in wrong {
        let fault = Webhook::open(&entry).unwrap_err();
        assert!(fault.contains(says), "{fault}");
    }
    let twice = open_all(&[of("http://a/"), of("http://b/")]).unwrap_err();
    assert!(twice[0].contains("twice"), "{twice:?}");
}

/// Answers one request over TLS as an authority vouches; gives back the body.
fn https(authority: &Authority, now: SystemTime) -> (u16, std::thread::JoinHandle<Option<Vec<u8>>>) {
    let leaf = Leaf {
        common_name: "hook".to_owned(),
        ip_addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        server: true,
        not_before: now,
        valid: Duration::from_secs(3600),
        ..Leaf::default()
    };
    let issued = authority.issue(&leaf).unwrap();
    let certificates = CertificateDer::pem_slice_iter(issued.certificate_pem.as_bytes());
    let certificates = certificates.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut reader = BufReader::new(StreamOwned::new(connection, stream));
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        reader.get_mut().write_all(answer).ok()?;
        reader.get_mut().flush().ok()?;
        Some(body)
    });
    (port, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_spoken_with_whom_the_authority_vouches_for_alone() {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemClock.now();
    let own = Authority::throw_away("own", now, Duration::from_secs(3600)).unwrap();
    let other = Authority::throw_away("other", now, Duration::from_secs(3600)).unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, own.certificate_pem()).unwrap();
    for (authority, is_believed) in [(&own, true), (&other, false)] {
        let (port, server) = https(authority, now);
        let webhook = Webhook::open(&Entry {
            ca: Some(ca.clone()),
            ..entry(folder.path(), &format!("https://127.0.0.1:{port}/hook?x=1"))
        })
        .unwrap();
        let outcome = post(&webhook, 1, Bytes::from_static(b"{}")).await;
        match is_believed {
            true => {
                outcome.unwrap();
                assert_eq!(server.join().unwrap().as_deref(), Some(&b"{}"[..]));
            }
            false => {
                assert!(matches!(outcome, Err(Failure::Tls { .. })), "{outcome:?}");
                // An empty read or nothing: never the body.
                assert_ne!(server.join().unwrap().as_deref(), Some(&b"{}"[..]));
            }
        }
    }
}
