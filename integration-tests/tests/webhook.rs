//! Changes of findings, told to an endpoint that fails, over a coordinator that is killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Process, Program, Ran, assert_fails, finished};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const NODES: [&str; 4] = ["i0", "t0", "t1", "t2"];
const SECRET: &[u8] = b"a secret of more than sixteen bytes";

/// A request: its headers by name, and its body.
type Request = (BTreeMap<String, String>, Vec<u8>);

/// An endpoint that keeps what it took.
struct Endpoint {
    port: u16,
    taken: Arc<Mutex<Vec<Request>>>,
    refused: Arc<Mutex<usize>>,
    fails: Arc<AtomicBool>,
}

impl Endpoint {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let endpoint = Self {
            port: listener.local_addr().unwrap().port(),
            taken: Arc::default(),
            refused: Arc::default(),
            fails: Arc::new(AtomicBool::new(true)),
        };
        let (taken, refused) = (Arc::clone(&endpoint.taken), Arc::clone(&endpoint.refused));
        let fails = Arc::clone(&endpoint.fails);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // One that was killed in the middle has said nothing.
                let Some((request, mut stream)) = read(stream) else {
                    continue;
                };
                if fails.load(Ordering::SeqCst) {
                    let mut refused = refused.lock().unwrap();
                    *refused += 1;
                    // Every second one gets no answer at all.
                    if *refused % 2 == 1 {
                        let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
                    }
                } else {
                    taken.lock().unwrap().push(request);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
            }
        });
        endpoint
    }

    fn numbers(&self) -> Vec<u64> {
        let taken = self.taken.lock().unwrap();
        taken.iter().map(|(_, body)| number(&parse(body))).collect()
    }

    fn wait(&self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is_there(self) {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{what}: {:?}, refused {}",
                self.numbers(),
                self.refused.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn read(stream: TcpStream) -> Option<(Request, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    assert!(
        first.is_empty() || first.starts_with("POST /hook?of=test HTTP/1.1"),
        "{first}"
    );
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(((headers, body), reader.into_inner()))
}

fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn number(body: &Value) -> u64 {
    body["sequence"].as_u64().unwrap()
}

/// RFC 2104, written down once more.
fn hmac(key: &[u8], message: &[u8]) -> String {
    assert!(key.len() <= 64);
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect() };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check_signature((headers, body): &Request) {
    let time = &headers["fathom-timestamp"];
    let signed = [time.as_bytes(), b".", body].concat();
    assert_eq!(headers["fathom-signature"], format!("v1={}", hmac(SECRET, &signed)));
    assert_eq!(headers["content-type"], "application/json");
    assert!(time.parse::<u64>().unwrap() > 1_700_000_000);
}

struct Setup {
    home: tempfile::TempDir,
    certificates: Certificates,
    config: PathBuf,
}

impl Setup {
    fn new(webhooks: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(&home.path().join("certificates"));
        let config = home.path().join("coordinator.toml");
        std::fs::write(home.path().join("secret"), [SECRET, b"\n"].concat()).unwrap();
        let secret = home.path().join("secret").display().to_string();
        std::fs::write(&config, webhooks.replace("SECRET", &secret)).unwrap();
        Self {
            home,
            certificates,
            config,
        }
    }

    fn options<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let mut options = vec!["--commit-every", "300ms", "--config", self.config.to_str().unwrap()];
        options.extend(more);
        options
    }

    fn coordinator(&self, more: &[&str]) -> Process {
        program().coordinator(&self.certificates, &self.home.path().join("store"), &self.options(more))
    }

    fn ask(&self, address: &str, arguments: &[&str]) -> Ran {
        program().ask(&self.certificates, address, arguments)
    }

    fn findings(&self, address: &str) -> Vec<Value> {
        let ran = self.ask(address, &["findings", "--all", "-o", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json()["findings"].as_array().unwrap().clone()
    }
}

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_that_fails_gets_each_change_in_order_over_kills_of_the_coordinator() {
    let endpoint = Endpoint::start();
    // The dead one has a port that nobody listens at: it is in nobody's way.
    let dead = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let dead_port = dead.local_addr().unwrap().port();
    drop(dead);
    let setup = Setup::new(&format!(
        "[[webhook]]\nname = 'dead'\nurl = 'http://127.0.0.1:{dead_port}/'\nsecret-file = 'SECRET'\n\
         [[webhook]]\nname = 'ops'\nurl = 'http://127.0.0.1:{}/hook?of=test'\nsecret-file = 'SECRET'\ntimeout = '5s'\n",
        endpoint.port
    ));
    let mut coordinator = setup.coordinator(&[]);
    let address = coordinator.address.clone();
    let listen = format!("127.0.0.1:{}", address.rsplit(':').next().unwrap());
    let recording = fixture::recording("fault-slow-drive");
    let mut daemons: Vec<Process> = NODES
        .iter()
        .map(|node| {
            program().node(
                &setup.certificates,
                &address,
                &recording,
                node,
                setup.home.path(),
                &["--pace", "10"],
            )
        })
        .collect();

    // It fails, and the coordinator is killed while it does.
    endpoint.wait("it is told", |endpoint| *endpoint.refused.lock().unwrap() >= 3);
    coordinator.kill();
    coordinator = setup.coordinator(&["--listen", &listen]);
    finished(&setup.certificates, &address).await;
    daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.wait(), 0));
    assert_eq!(endpoint.numbers(), Vec::<u64>::new());
    let id = setup.findings(&address)[0]["id"].as_str().unwrap().to_owned();
    for by in ["ann", "ben"] {
        assert_eq!(setup.ask(&address, &["findings", "ack", &id, "--by", by]).code, 0);
    }

    // It takes some, the coordinator is killed, and it goes on.
    endpoint.fails.store(false, Ordering::SeqCst);
    endpoint.wait("it takes some", |endpoint| !endpoint.numbers().is_empty());
    coordinator.kill();
    coordinator = setup.coordinator(&["--listen", &listen]);
    finished(&setup.certificates, &address).await;
    assert_eq!(setup.ask(&address, &["findings", "mute", &id, "--by", "cem"]).code, 0);
    let last = setup.ask(&address, &["findings", "-o", "json"]).json()["sequence"]
        .as_u64()
        .unwrap();
    assert!(last >= 4, "opened, acknowledged twice, muted: {last}");
    endpoint.wait("it takes all", |endpoint| endpoint.numbers().last() == Some(&last));

    let taken = endpoint.taken.lock().unwrap().clone();
    taken.iter().for_each(check_signature);
    let mut seen = 0;
    for (_, body) in &taken {
        // In order: one that is told again is not ahead of one that was not told.
        let now = number(&parse(body));
        assert!(now <= seen + 1, "{now} after {seen}");
        seen = seen.max(now);
    }
    assert_eq!(seen, last);

    // The same as a watch says, and the cluster.
    let user = setup.certificates.options("user");
    let mut watch = vec![
        "findings",
        "--watch",
        "--after",
        "0",
        "-o",
        "json",
        "--coordinator",
        &address,
    ];
    watch.extend(user.iter().map(String::as_str));
    let lines = program().lines_until(watch, |line| parse(line.as_bytes())["sequence"] == json!(last));
    let lines = lines.iter().map(|line| parse(line.as_bytes()));
    let watched: BTreeMap<u64, Value> = lines
        .filter(|line| line["sequence"].is_u64())
        .map(|line| (number(&line), line))
        .collect();
    for (_, body) in &taken {
        let mut told = parse(body);
        let cluster = told.as_object_mut().unwrap().remove("cluster");
        assert_eq!(cluster, Some(json!("test")));
        assert_eq!(told, watched[&number(&told)]);
    }

    // Nothing is told again once a record has it.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let before = endpoint.numbers().len();
    coordinator.kill();
    coordinator = setup.coordinator(&["--listen", &listen]);
    finished(&setup.certificates, &address).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(endpoint.numbers().len(), before);
    drop(coordinator);
}

#[test]
fn wrong_webhooks_are_refused_before_anything_starts() {
    let setup = Setup::new(
        "[[webhook]]\nname = 'a'\nurl = 'https://host/'\nsecret-file = 'SECRET'\n\
         [[webhook]]\nname = 'b'\nurl = 'gopher://host/'\nsecret-file = '/nowhere'\n",
    );
    let mut all = vec!["coordinator".to_owned(), "--store".to_owned()];
    all.push(setup.home.path().join("store").display().to_string());
    all.extend(setup.certificates.options("coordinator"));
    all.extend(setup.options(&[]).iter().map(|&option| option.to_owned()));
    let ran = program().run(all);
    assert_fails(
        &ran,
        2,
        &["webhook `a`: https needs ca", "webhook `b`: url `gopher://host/`"],
    );
}
