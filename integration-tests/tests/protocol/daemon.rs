//! A daemon that speaks by hand, and a coordinator that listens to it.

use std::time::Duration;

use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Process, Program};
use fathom_model::{ClusterId, Incarnation, IoColumns, StreamId, StreamKind};
use fathom_proto::COLLECT_PROTOCOL;
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_request::Message as Request;
use fathom_proto::collect::v1::collect_response::Message as Response;
use fathom_proto::collect::v1::collect_service_client::CollectServiceClient;
use fathom_proto::convert::batch;
use fathom_proto::convert::collect::{Opening, VersionedTopology, devices_to_wire};
use fathom_sources::replay::{Options as ReplayOptions, ReplaySource};
use fathom_sources::{Polled, Source};
use fathom_store::blobs::Blobs;
use fathom_store::manifest;
use serde_json::Value;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

pub(crate) fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

pub(crate) struct Setup {
    pub(crate) home: tempfile::TempDir,
    pub(crate) certificates: Certificates,
    pub(crate) coordinator: Process,
    pub(crate) channel: Channel,
}

impl Setup {
    pub(crate) async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(&home.path().join("certificates"));
        let options = ["--commit-every", "100ms", "--silence", "1h"];
        let coordinator = program().coordinator(&certificates, &home.path().join("store"), &options);
        let channel = certificates.channel(&coordinator.address).await;
        Self {
            home,
            certificates,
            coordinator,
            channel,
        }
    }

    pub(crate) async fn record(&self) -> manifest::Record<Value> {
        let blobs = Blobs::open_folder(&self.home.path().join("store")).unwrap();
        let newest = manifest::newest::<Value>(&blobs, &ClusterId::new("test")).await;
        newest.unwrap().unwrap().record
    }

    /// Waits until a record says that so many ordinals of node n0 are lost.
    pub(crate) async fn lost(&self, count: u64) -> u64 {
        for _ in 0..200 {
            let record = self.record().await;
            let streams = record.state["join"]["streams"].as_array().cloned().unwrap_or_default();
            if streams.iter().any(|stream| stream["lost"] == count) {
                return record.number;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no record says that {count} are lost");
    }
}

/// A daemon for node n0 of the hand-written recording, that says what it is told to.
pub(crate) struct Daemon {
    outbox: mpsc::Sender<wire::CollectRequest>,
    inbox: Streaming<wire::CollectResponse>,
    batches: Vec<(u64, IoColumns, i64)>,
    /// What the Welcome asked for.
    pub(crate) policy: Option<wire::Policy>,
}

impl Daemon {
    pub(crate) async fn connect(channel: &Channel) -> Self {
        let recording = fathom_lab::open(&fixture::recording("reads-by-hand")).unwrap();
        let mut source = ReplaySource::open(&recording, &"n0".into(), ReplayOptions::default()).unwrap();
        let described = source.describe();
        let opening = Opening {
            protocol_version: COLLECT_PROTOCOL,
            stream: StreamId {
                cluster: "test".into(),
                node: "n0".into(),
                kind: StreamKind::Io,
                incarnation: Incarnation::from_bytes([9; 16]),
            },
            anchor_unix_nanos: 0,
            anchor_monotonic_nanos: 0,
            taps: described.taps,
            covered_from_unix_nanos: described.covered_from_unix_nanos,
            spool_first_ordinal: 0,
            spool_next_ordinal: 0,
            daemon_version: "test".to_owned(),
        };
        let mut topology = described.topology.unwrap();
        // A source that does not say how large its volumes are.
        for volume in &mut topology.volumes {
            (volume.size_bytes, volume.copies) = (0, 0);
        }
        let topology = VersionedTopology {
            version: 1,
            valid_from_unix_nanos: None,
            topology,
        };
        let mut batches = Vec::new();
        while let Polled::Events(events) = source.poll(Duration::ZERO, 10).unwrap() {
            batches.push((events.first_ordinal, events.columns, events.complete_until_unix_nanos));
        }
        let (outbox, queue) = mpsc::channel(16);
        for message in [
            Request::Hello((&opening).into()),
            Request::Topology((&topology).into()),
            Request::Devices(devices_to_wire(source.devices())),
        ] {
            let message = Some(message);
            outbox.send(wire::CollectRequest { message }).await.unwrap();
        }
        let queue = tokio_stream::wrappers::ReceiverStream::new(queue);
        let mut client = CollectServiceClient::new(channel.clone());
        let mut inbox = client.collect(queue).await.unwrap().into_inner();
        let welcome = inbox.message().await.unwrap().unwrap().message;
        let Some(Response::Welcome(welcome)) = welcome else {
            panic!("{welcome:?}");
        };
        let policy = welcome.policy;
        Self {
            outbox,
            inbox,
            batches,
            policy,
        }
    }

    /// The next order that comes.
    pub(crate) async fn ordered(&mut self) -> wire::ProfileOrder {
        loop {
            if let Some(Response::Policy(policy)) = self.inbox.message().await.unwrap().unwrap().message {
                return policy.profile.unwrap();
            }
        }
    }

    pub(crate) async fn say(&self, message: Request) {
        let message = Some(message);
        self.outbox.send(wire::CollectRequest { message }).await.unwrap();
    }

    pub(crate) async fn say_batch(&self, at: usize) {
        let (first, columns, until) = &self.batches[at];
        self.say(Request::IoBatch(batch::encode(*first, columns, *until))).await;
    }

    /// A source that has no more.
    pub(crate) async fn say_end(&self, next_ordinal: u64) {
        let reason = wire::EndReason::Finished.into();
        let end = wire::EndOfStream { reason, next_ordinal };
        self.say(Request::EndOfStream(end)).await;
    }

    pub(crate) async fn say_lost(&self, first_ordinal: u64, count: u64) {
        let cause = wire::LossCause::Released.into();
        let lost = wire::OrdinalsLost {
            first_ordinal,
            count,
            cause,
            complete_until_unix_nanos: None,
        };
        self.say(Request::OrdinalsLost(lost)).await;
    }

    /// A source that lost events of a stretch of time.
    pub(crate) async fn say_gap(&self, from_unix_nanos: i64, until_unix_nanos: i64) {
        let gap = wire::TimeGap {
            from_unix_nanos,
            until_unix_nanos,
            cause: wire::LossCause::SourceDropped.into(),
            events: Some(3),
        };
        self.say(Request::TimeGap(gap)).await;
    }

    pub(crate) async fn beat(&self, promise: Option<i64>, next_ordinal: u64) {
        let heartbeat = wire::Heartbeat {
            wall_unix_nanos: 1,
            monotonic_nanos: 1,
            complete_until_unix_nanos: promise,
            next_ordinal,
            daemon: None,
        };
        self.say(Request::Heartbeat(heartbeat)).await;
    }

    /// What the coordinator ends the call with.
    pub(crate) async fn refused(mut self) -> Status {
        loop {
            match self.inbox.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended without a reason"),
                Err(status) => return status,
            }
        }
    }
}
