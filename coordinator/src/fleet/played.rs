//! Sites for tests, whose answers are made up.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use fathom_proto::fleet::v1 as wire;
use fathom_runtime::shutdown::Shutdown;
use fathom_runtime::tasks::{Kind, TaskGroup};
use tokio::sync::mpsc;
use tonic::Status;
use tonic::service::Routes;
use tower::Layer;

use super::answer::{Part, trailers_of};
use super::ask::Asker;
use super::route::RouteLayer;
use super::{OUTBOX, Sites, frame};
use crate::config::Ingest;
use crate::ingest::Clusters;

/// What a cluster does when it is asked.
#[derive(Clone, Debug)]
pub(crate) enum Plays {
    /// It answers with these messages, cut into frames of so many bytes.
    Answers(Vec<Bytes>, usize),
    /// It refuses, after some bytes.
    Refuses(Bytes, Status),
    /// Nothing comes.
    Hangs,
}

/// A fleet coordinator without a listener.
pub(crate) struct Fleet {
    pub(crate) sites: Sites,
    pub(crate) asker: Asker,
    pub(crate) tasks: TaskGroup,
    pub(crate) store: tempfile::TempDir,
    sessions: BTreeMap<String, u64>,
}

impl Fleet {
    pub(crate) async fn new() -> Self {
        let tasks = TaskGroup::new(Shutdown::new());
        let store = tempfile::tempdir().unwrap();
        let clusters = Clusters::open(Ingest::default(), store.path(), tasks.clone()).await;
        let sites = Sites::new("local", BTreeMap::new(), <_>::default(), 1_000);
        let layer = RouteLayer {
            sites: sites.clone(),
            clusters: clusters.unwrap(),
        };
        Self {
            asker: Asker::new(sites.clone(), layer.layer(Routes::default()), tasks.clone()),
            sites,
            tasks,
            store,
            sessions: BTreeMap::new(),
        }
    }

    /// A site joins, and its clusters do this when they are asked; what they were asked is given out, with how long whoever asks waits.
    pub(crate) fn join(
        &mut self,
        site: &str,
        clusters: Vec<(&str, Plays)>,
    ) -> mpsc::Receiver<(wire::Question, Option<Duration>)> {
        let (outbox, mut inbox) = mpsc::channel(OUTBOX);
        let offered = clusters.iter().map(|(cluster, _)| wire::OfferedCluster {
            cluster: (*cluster).to_owned(),
            ..wire::OfferedCluster::default()
        });
        let hello = wire::Hello {
            protocol_version: fathom_proto::FLEET_PROTOCOL,
            site: site.to_owned(),
            labels: BTreeMap::from([("at".to_owned(), site.to_owned())]),
            clusters: offered.collect(),
            ..wire::Hello::default()
        };
        let (session, _) = self.sites.join(hello, outbox).unwrap();
        self.sessions.insert(site.to_owned(), session);
        let plays: BTreeMap<String, Plays> = clusters
            .into_iter()
            .map(|(cluster, plays)| (cluster.to_owned(), plays))
            .collect();
        let (asked, questions) = mpsc::channel(1_000);
        let (sites, site) = (self.sites.clone(), site.to_owned());
        self.tasks.spawn("played site", Kind::Background, async move {
            while let Some(Ok(message)) = inbox.recv().await {
                let Some(wire::join_response::Message::Question(question)) = message.message else {
                    continue;
                };
                let waits = question.deadline_nanos.map(Duration::from_nanos);
                let plays = plays.get(&question.cluster).cloned().unwrap();
                let id = question.id;
                // Of tests that do not look there is room for all.
                let _ = asked.try_send((question, waits));
                let (messages, size, status) = match plays {
                    Plays::Hangs => continue,
                    Plays::Answers(messages, size) => (messages, size, Status::new(tonic::Code::Ok, "")),
                    Plays::Refuses(bytes, status) => (vec![bytes], 64, status),
                };
                let Some(pending) = sites.waiting_for(id, &site) else {
                    continue;
                };
                let frames: Vec<u8> = (messages.iter().filter(|message| !message.is_empty()))
                    .flat_map(|message| frame::framed(message))
                    .collect();
                for frame in frames.chunks(size) {
                    let _ = pending.parts.send(Part::Frames(Bytes::copy_from_slice(frame))).await;
                }
                let _ = pending.parts.send(Part::End(trailers_of(&status))).await;
            }
        });
        questions
    }

    /// A site says how a cluster of it is, for the so manieth time.
    pub(crate) fn tell(&self, site: &str, cluster: &str, number: u64, state: &str) {
        let rollup = wire::ClusterRollup {
            site: site.to_owned(),
            cluster: cluster.to_owned(),
            revision: Some(wire::RollupRevision {
                started_unix_nanos: 1,
                number,
            }),
            state: state.to_owned(),
            ..wire::ClusterRollup::default()
        };
        let message = wire::JoinRequest {
            message: Some(wire::join_request::Message::Rollup(rollup)),
        };
        self.sites.take(site, self.sessions[site], message).unwrap();
    }

    /// A site's connection is over.
    pub(crate) fn leave(&self, site: &str) {
        self.sites.leave(site, self.sessions[site]);
    }
}
