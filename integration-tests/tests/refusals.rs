//! Everything that can be wrong between the parts: each a clear message and exit code, and never a panic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{TcpListener, TcpStream};
use std::process::Command;

use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Process, Program, assert_fails};
use fathom_proto::collect::v1 as collect;
use fathom_proto::collect::v1::collect_service_client::CollectServiceClient;
use fathom_proto::collect::v1::collect_service_server::{CollectService, CollectServiceServer};
use fathom_proto::query::v1::query_service_client::QueryServiceClient;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::StatusExt;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

/// A process ends with a code and a message.
fn assert_ends(mut process: Process, code: i32, says: &[&str]) {
    let ended = process.wait();
    let said = process.said();
    assert_eq!(ended, code, "{said}");
    let error = said
        .lines()
        .find(|line| line.starts_with("error: "))
        .unwrap_or_else(|| panic!("no error in {said}"));
    for expected in says {
        assert!(error.contains(expected), "`{expected}` is not in: {error}");
    }
    let repeated = error.split(": ").filter(|part| part.starts_with("cannot ")).count();
    assert!(repeated <= 1, "said twice: {error}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(!said.contains("end of the program"), "nobody asked for that: {said}");
}

struct Setup {
    home: tempfile::TempDir,
    certificates: Certificates,
}

impl Setup {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(&home.path().join("certificates"));
        Self { home, certificates }
    }

    fn store(&self) -> std::path::PathBuf {
        self.home.path().join("store")
    }

    fn node(&self, certificates: &Certificates, address: &str) -> Process {
        let recording = fixture::recording("fault-network-slow");
        program().node(certificates, address, &recording, "t0", self.home.path(), &[])
    }

    fn ask(&self, certificates: &Certificates, address: &str) -> fathom_integration_tests::process::Ran {
        let mut all = vec!["nodes".to_owned(), "--coordinator".to_owned(), address.to_owned()];
        all.extend(certificates.options("user"));
        program().run(all)
    }
}

#[test]
fn unreachable_coordinator_is_named() {
    let setup = Setup::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("https://127.0.0.1:{port}");
    let ran = setup.ask(&setup.certificates, &address);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains(&address) && ran.err.contains("refused"), "{}", ran.err);
    let ran = setup.ask(&setup.certificates, "http://127.0.0.1:1");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("is not the address of a coordinator"), "{}", ran.err);
    // Something accepts connections and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let address_of_mute = format!("https://{}", mute.local_addr().unwrap());
    let ran = setup.ask(&setup.certificates, &address_of_mute);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains(&address_of_mute) && ran.err.contains("no answer within"),
        "{}",
        ran.err
    );
    // A daemon keeps trying: the coordinator may be on its way up.
    let mut daemon = setup.node(&setup.certificates, &address);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(daemon.runs());
    assert_eq!(daemon.terminate(), 0, "and ends when it is asked to");
}

#[test]
fn wrong_certificates_are_explained() {
    let setup = Setup::new();
    let coordinator = program().coordinator(&setup.certificates, &setup.store(), &[]);
    let foreign = Certificates::new(&setup.home.path().join("foreign"));
    let ran = setup.ask(&foreign, &coordinator.address);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("same CA"), "{}", ran.err);
    assert_ends(
        setup.node(&foreign, &coordinator.address),
        1,
        &["same CA", &coordinator.address],
    );
    // We trust the coordinator, it does not trust us.
    let options = [
        setup.certificates.options("user")[..2].to_vec(),
        foreign.options("user")[2..].to_vec(),
    ]
    .concat();
    let all = [
        vec![
            "nodes".to_owned(),
            "--coordinator".to_owned(),
            coordinator.address.clone(),
        ],
        options,
    ]
    .concat();
    let ran = program().run(all);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("authority"), "{}", ran.err);
    // A certificate where a key belongs.
    let mut options = setup.certificates.options("user");
    options[5] = options[3].clone();
    let all = [
        vec![
            "nodes".to_owned(),
            "--coordinator".to_owned(),
            coordinator.address.clone(),
        ],
        options,
    ]
    .concat();
    let ran = program().run(all);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("user.crt") && ran.err.contains("swapped"),
        "{}",
        ran.err
    );
}

#[test]
fn client_certificate_that_the_coordinator_refuses_is_explained_in_the_same_words_always() {
    let setup = Setup::new();
    let mut coordinator = program().coordinator(&setup.certificates, &setup.store(), &[]);
    // They trust the coordinator and their own authority; the coordinator knows nothing of the latter.
    let folder = setup.home.path().join("foreign");
    let foreign = Certificates::new(&folder);
    let both = foreign.pem("ca.crt") + &setup.certificates.pem("ca.crt");
    std::fs::write(folder.join("ca.crt"), both).unwrap();
    let says = "during the TLS handshake, most often because it does not accept our certificate";
    for _ in 0..10 {
        let ran = setup.ask(&foreign, &coordinator.address);
        assert_fails(&ran, 1, &[&coordinator.address, says, "--cert and --key"]);
    }
    for _ in 0..3 {
        let mut daemon = setup.node(&foreign, &coordinator.address);
        let ended = daemon.wait();
        let said = daemon.said();
        assert_eq!(ended, 1, "{said}");
        assert!(said.contains("error: ") && said.contains(says), "{said}");
        assert!(!said.contains("hyper") && !said.contains("panicked"), "{said}");
    }
    // Once for all of them: they came from one address within a minute.
    coordinator.kill();
    let said = coordinator.said();
    let told: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("connection refused"))
        .collect();
    assert_eq!(told.len(), 1, "{said}");
    assert!(told[0].contains("peer=127.0.0.1:"), "{said}");
    assert!(
        told[0].contains("from an authority that our CA file does not hold"),
        "{said}"
    );
}

#[test]
fn proxy_without_a_coordinator_behind_it_is_no_refusal() {
    let setup = Setup::new();
    let coordinator = program().coordinator(&setup.certificates, &setup.store(), &[]);
    let behind = coordinator.address.trim_start_matches("https://").to_owned();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", proxy.local_addr().unwrap());
    let refused = 6;
    let passing = std::thread::spawn(move || {
        for (number, near) in proxy.incoming().flatten().enumerate() {
            if number < refused {
                continue;
            }
            let far = TcpStream::connect(&behind).unwrap();
            let (mut near_in, mut far_out) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let (mut near, mut far) = (near, far);
            std::thread::spawn(move || std::io::copy(&mut near_in, &mut far_out));
            // Until the daemon is done.
            let _ = std::io::copy(&mut far, &mut near);
            return number;
        }
        0
    });
    let mut daemon = setup.node(&setup.certificates, &address);
    let ended = daemon.wait();
    let said = daemon.said();
    assert_eq!(ended, 0, "{said}");
    assert!(said.contains("before the TLS handshake began"), "{said}");
    assert_eq!(passing.join().unwrap(), refused);
}

#[test]
fn port_in_use_is_named() {
    let setup = Setup::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let coordinator = program().try_coordinator(&setup.certificates, &setup.store(), &["--listen", &address]);
    assert_ends(coordinator, 1, &[&address, "in use", "--listen"]);
}

#[test]
fn folder_that_cannot_be_used_is_named() {
    let setup = Setup::new();
    let file = setup.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let coordinator = program().try_coordinator(&setup.certificates, &file.join("store"), &[]);
    assert_ends(coordinator, 1, &["file/store", "a folder has to be there"]);
    let coordinator = program().try_coordinator(&setup.certificates, &file, &[]);
    assert_ends(coordinator, 1, &["something else lies there already"]);
    let recording = fixture::recording("fault-network-slow");
    let daemon = program().node(&setup.certificates, "https://127.0.0.1:1", &recording, "t0", &file, &[]);
    assert_ends(daemon, 1, &["file/spool/t0"]);
    let daemon = program().node(
        &setup.certificates,
        "https://127.0.0.1:1",
        &recording,
        "t9",
        setup.home.path(),
        &[],
    );
    assert_ends(daemon, 1, &["t9", "no events file", "i0, t0, t1, t2"]);
}

/// A small file system of its own, where the system lets us make one.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(path: std::path::PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir_all(&path).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(&path)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn full_disk_ends_with_a_message_and_loses_nothing() {
    let setup = Setup::new();
    let Some(disk) = SmallDisk::mount(setup.home.path().join("small"), "100k") else {
        eprintln!("left out: making a small file system needs root");
        return;
    };
    // A demo says what its processes die of, though their logs lie on that disk too.
    let options = ["--dir", &disk.0.join("demo").display().to_string()].map(str::to_owned);
    let demo = [
        "demo",
        "--once",
        "--run",
        &fixture::recording("fault-network-slow").display().to_string(),
    ];
    let ran = program().run(demo.map(str::to_owned).into_iter().chain(options));
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("the disk is full"), "{}", ran.err);
    std::fs::remove_dir_all(disk.0.join("demo")).unwrap();
    // The daemon's spool fills the disk.
    let recording = fixture::recording("fault-network-slow");
    let daemon = program().node(
        &setup.certificates,
        "https://127.0.0.1:1",
        &recording,
        "t0",
        &disk.0,
        &[],
    );
    assert_ends(daemon, 1, &["spool", "the disk is full"]);
    std::fs::remove_dir_all(disk.0.join("spool")).unwrap();
    // The coordinator's store does.
    let mut coordinator =
        program().coordinator(&setup.certificates, &disk.0.join("store"), &["--commit-every", "100ms"]);
    let daemons: Vec<Process> = ["i0", "t0", "t1", "t2"]
        .iter()
        .map(|node| {
            program().node(
                &setup.certificates,
                &coordinator.address,
                &recording,
                node,
                setup.home.path(),
                &["--pace", "8"],
            )
        })
        .collect();
    assert_eq!(coordinator.wait(), 1);
    let said = coordinator.said();
    let error = said.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert_eq!(error.matches("the disk is full").count(), 1, "{error}");
    assert_eq!(error.matches("No space left").count(), 1, "{error}");
    drop(daemons);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(fathom_integration_tests::stored::read(&disk.0.join("store"), "test"));
    assert!(
        fathom_integration_tests::stored::ordinals(&found)
            .values()
            .all(|uses| *uses == 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_of_another_protocol_version_is_refused_with_a_reason() {
    let setup = Setup::new();
    let coordinator = program().coordinator(&setup.certificates, &setup.store(), &[]);
    let channel = setup.certificates.channel(&coordinator.address).await;
    let refused = |hello: collect::CollectRequest| {
        let mut client = CollectServiceClient::new(channel.clone());
        async move {
            let mut answers = client.collect(tokio_stream::iter([hello])).await.unwrap().into_inner();
            answers.message().await.unwrap_err()
        }
    };
    let hello = |protocol_version: u32, node: &str| collect::CollectRequest {
        message: Some(collect::collect_request::Message::Hello(collect::Hello {
            protocol_version,
            cluster: "test".to_owned(),
            node: node.to_owned(),
            stream_kind: collect::StreamKind::Io.into(),
            incarnation: vec![7; 16],
            ..collect::Hello::default()
        })),
    };
    let status = refused(hello(99, "n")).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("version 99"), "{status}");
    assert_eq!(status.get_details_error_info().unwrap().reason, "PROTOCOL_VERSION");
    let status = refused(hello(1, "")).await;
    assert_eq!(
        (status.code(), status.message()),
        (Code::InvalidArgument, "hello.node is missing")
    );
    let status = refused(collect::CollectRequest { message: None }).await;
    assert_eq!(status.get_details_error_info().unwrap().reason, "NO_HELLO");
}

/// A daemon once said a cluster's name of 300 letters: the worker could not make its folder, and ended the coordinator of all clusters.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be_folders_are_refused_and_end_nobody() {
    let setup = Setup::new();
    let mut coordinator = program().coordinator(&setup.certificates, &setup.store(), &[]);
    let channel = setup.certificates.channel(&coordinator.address).await;
    let long = "z".repeat(300);
    let names = [
        (long.as_str(), "n", "hello.cluster has 300 bytes"),
        (
            "test\nlevel=ERROR",
            "n",
            "hello.cluster has the control character U+000A",
        ),
        ("test", long.as_str(), "hello.node has 300 bytes"),
        ("test", "n\0", "hello.node has the control character U+0000"),
    ];
    let hello = |cluster: &str, node: &str| collect::CollectRequest {
        message: Some(collect::collect_request::Message::Hello(collect::Hello {
            protocol_version: 1,
            cluster: cluster.to_owned(),
            node: node.to_owned(),
            stream_kind: collect::StreamKind::Io.into(),
            incarnation: vec![7; 16],
            ..collect::Hello::default()
        })),
    };
    for (cluster, node, says) in names {
        let mut client = CollectServiceClient::new(channel.clone());
        let mut answers = client
            .collect(tokio_stream::iter([hello(cluster, node)]))
            .await
            .unwrap()
            .into_inner();
        let status = answers.message().await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().starts_with(says), "{status}");
        assert_eq!(status.get_details_error_info().unwrap().reason, "NAME");
    }
    let recording = fixture::recording("fault-network-slow");
    let home = setup.home.path();
    let ran = program().run(
        ["node", "--cluster", &long, "--node", "t0", "--replay"]
            .map(str::to_owned)
            .into_iter()
            .chain([recording.display().to_string()])
            .chain(["--coordinator".to_owned(), coordinator.address.clone()])
            .chain(["--spool".to_owned(), home.join("spool").display().to_string()])
            .chain(setup.certificates.options("user")),
    );
    assert_fails(&ran, 2, &["cluster has 300 bytes; a name has 1 to 80"]);
    let ran = program().run(["import", "--cluster", &long, "x.etl"].map(str::to_owned));
    assert_fails(&ran, 2, &["--cluster", "it has 300 bytes; a name has 1 to 80"]);
    // A name that just fits, all of its bytes escaped, is a cluster's; and the coordinator is still there.
    let fits = "\u{fc}".repeat(40);
    let mut client = CollectServiceClient::new(channel.clone());
    let mut answers = client
        .collect(tokio_stream::iter([hello(&fits, "n")]))
        .await
        .unwrap()
        .into_inner();
    assert!(answers.message().await.unwrap().is_some());
    assert!(coordinator.runs());
    assert!(
        setup
            .store()
            .join(format!("manifest/cluster={}", "%C3%BC".repeat(40)))
            .is_dir()
    );
}

/// A coordinator of a later version.
struct Later;

#[tonic::async_trait]
impl CollectService for Later {
    type CollectStream = ReceiverStream<Result<collect::CollectResponse, Status>>;

    async fn collect(
        &self,
        _: Request<Streaming<collect::CollectRequest>>,
    ) -> Result<Response<Self::CollectStream>, Status> {
        let (outbox, inbox) = tokio::sync::mpsc::channel(1);
        let welcome = collect::Welcome {
            protocol_version: 2,
            ..collect::Welcome::default()
        };
        let message = Some(collect::collect_response::Message::Welcome(welcome));
        outbox.send(Ok(collect::CollectResponse { message })).await.unwrap();
        Ok(Response::new(ReceiverStream::new(inbox)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_of_another_protocol_version_is_named() {
    let setup = Setup::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(
            setup.certificates.pem("coordinator.crt"),
            setup.certificates.pem("coordinator.key"),
        ))
        .client_ca_root(Certificate::from_pem(setup.certificates.pem("ca.crt")));
    let server = Server::builder()
        .tls_config(tls)
        .unwrap()
        .add_service(CollectServiceServer::new(Later));
    let serving = server.serve_with_incoming(TcpListenerStream::new(listener));
    let asking = async {
        let daemon = setup.node(&setup.certificates, &address);
        let at = address.clone();
        let daemon = tokio::task::spawn_blocking(move || assert_ends(daemon, 1, &[&at, "version 2", "upgrade"]));
        daemon.await.unwrap();
        // It has no query service at all.
        let ran = tokio::task::spawn_blocking(move || setup.ask(&setup.certificates, &address));
        let ran = ran.await.unwrap();
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains("does not speak this protocol"), "{}", ran.err);
    };
    tokio::select! {
        served = serving => panic!("the server ended: {served:?}"),
        () = asking => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_and_health_are_served() {
    let setup = Setup::new();
    let coordinator = program().coordinator(&setup.certificates, &setup.store(), &[]);
    let channel = setup.certificates.channel(&coordinator.address).await;
    let health = tonic_health::pb::health_client::HealthClient::new(channel.clone())
        .check(tonic_health::pb::HealthCheckRequest {
            service: "fathom.query.v1.QueryService".to_owned(),
        })
        .await
        .unwrap();
    assert_eq!(
        health.into_inner().status(),
        tonic_health::pb::health_check_response::ServingStatus::Serving
    );
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let request = tonic_reflection::pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let mut answers = client
        .server_reflection_info(tokio_stream::iter([request]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(services) = answer else {
        panic!("{answer:?}")
    };
    let names: Vec<&str> = services.service.iter().map(|service| service.name.as_str()).collect();
    assert!(
        names.contains(&"fathom.collect.v1.CollectService") && names.contains(&"fathom.query.v1.QueryService"),
        "{names:?}"
    );
    let status = QueryServiceClient::new(channel)
        .get_status(fathom_proto::query::v1::GetStatusRequest {})
        .await
        .unwrap();
    assert_eq!(status.into_inner().protocol_version, 1);
}
