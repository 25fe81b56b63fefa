//! One question to many clusters at the same time.
//!
//! Each is asked the way any question goes ([`super::route`]): down its site's stream, or by the services of this coordinator. Sites take
//! turns. What comes is handed on as it comes; whoever has not answered in time is said to have given no answer, and of whoever's turn had not
//! come nothing is said but that.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fathom_proto::fleet::v1 as wire;
use fathom_runtime::tasks::{Kind, TaskGroup};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Method, Request, Version};
use http_body_util::{BodyExt, Full};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::ServiceExt as _;

use super::Sites;
use super::frame::{self, Pieces};
use super::route::Route;
use super::sites::Reach;
use crate::grpc::status;

mod turns;

use turns::Turns;

/// What comes of clusters on its way. When it is full the answers wait, and with them the scans behind them.
const EVENTS: usize = 16;

/// Largest piece of an answer: clients of gRPC take 4 MiB unless told otherwise.
const PIECE: usize = 1024 * 1024;

/// Largest answer of one cluster, as sites have it by default.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Sites are told to give up so long after the time is over: their own word for it would come at the same moment as ours.
const AFTER: Duration = Duration::from_secs(1);

/// How long answers are waited for where nothing is said, and at most.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reasons of NOT_FOUND that say that a cluster has not what was asked for.
const NOT_THERE: [&str; 5] = ["NO_IO", "NO_FINDING", "NO_RESOURCE", "UNKNOWN_NAME", "NO_CLUSTER"];

/// Reasons of somebody who is not heard.
const SILENT: [&str; 3] = ["DEADLINE", "SITE_MISSING", "SITE_CUT_OFF"];

/// Asks clusters. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Asker {
    sites: Sites,
    services: Route<Routes>,
    tasks: TaskGroup,
}

/// A question to many clusters.
#[derive(Debug)]
pub(crate) struct Question {
    /// Whom it is about: those that cannot be asked, too.
    pub(crate) clusters: Vec<wire::ClusterStatus>,
    /// The method as in the path of gRPC.
    pub(crate) method: String,
    /// The request; its cluster is filled in for each.
    pub(crate) request: Bytes,
    /// How long answers are waited for.
    pub(crate) patience: Duration,
}

/// What comes of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// A part of its answer.
    Part(wire::AnswerPart),
    /// Nothing more comes of it.
    Over(Box<wire::ClusterOutcome>),
}

/// How long a request wants answers waited for.
pub(crate) fn patience(nanos: u64) -> Duration {
    match nanos {
        0 => PATIENCE,
        nanos => Duration::from_nanos(nanos).min(LONGEST),
    }
}

/// Whether an outcome is an answer, be it that something is not there.
pub(crate) fn is_answer(outcome: &str) -> bool {
    matches!(outcome, "answered" | "not_there" | "invalid")
}

/// A cluster that gave no answer, in short.
pub(crate) fn missing(outcome: wire::ClusterOutcome) -> wire::MissingCluster {
    let cluster = outcome.cluster.unwrap_or_default();
    wire::MissingCluster {
        site: cluster.site,
        cluster: cluster.cluster,
        cause: outcome.outcome,
        reason: outcome.reason,
        since_unix_nanos: outcome.since_unix_nanos,
        message: outcome.message,
    }
}

/// The question and what it needs, shared by those who ask.
struct Shared {
    question: Question,
    deadline: Instant,
    turns: Turns,
}

impl Asker {
    pub(crate) const fn new(sites: Sites, services: Route<Routes>, tasks: TaskGroup) -> Self {
        Self { sites, services, tasks }
    }

    /// Asks all of them. Of each comes one outcome, after the parts of its answer; fewer where this coordinator stops. Whoever drops what is
    /// given takes the question back.
    pub(crate) fn ask(&self, question: Question) -> mpsc::Receiver<Event> {
        let (events, inbox) = mpsc::channel(EVENTS);
        let reached = (question.clusters.iter().enumerate()).filter(|(_, cluster)| is_reached(cluster));
        let turns = Turns::new(reached.map(|(at, cluster)| (at, cluster.site.as_str())));
        let at_once = turns.at_once();
        let shared = Arc::new(Shared {
            deadline: Instant::now() + question.patience.min(LONGEST),
            question,
            turns,
        });
        for _ in 0..at_once {
            let (own, shared, events) = (self.clone(), Arc::clone(&shared), events.clone());
            self.tasks.spawn("question to clusters", Kind::Background, async move {
                tokio::select! {
                    () = own.work(&shared, &events) => {}
                    () = events.closed() => {}
                    _ = own.tasks.shutdown().requested() => {}
                }
            });
        }
        self.tasks
            .spawn("clusters that cannot be asked", Kind::Background, async move {
                let away = shared.question.clusters.iter().filter(|cluster| !is_reached(cluster));
                for cluster in away {
                    if events.send(Event::Over(Box::new(away_outcome(cluster)))).await.is_err() {
                        return;
                    }
                }
            });
        inbox
    }

    /// Asks one after the other whose turn it is, until all were.
    async fn work(&self, shared: &Shared, events: &mpsc::Sender<Event>) {
        while let Some(turn) = shared.turns.next().await {
            let Some(cluster) = shared.question.clusters.get(turn.at) else {
                return;
            };
            let patience = shared.question.patience;
            // Of one whose turn comes too late nobody knows whether it would have answered.
            let (answered, was_asked) = match Instant::now() < shared.deadline {
                false => (Err(status::no_turn_in_time(patience)), false),
                true => {
                    let asked = tokio::time::timeout_at(shared.deadline, self.one(shared, cluster, events)).await;
                    let late = |_| Err(status::no_answer_in_time(patience));
                    (asked.unwrap_or_else(late), true)
                }
            };
            drop(turn);
            let outcome = match answered {
                Ok(()) => outcome(cluster, "answered"),
                Err(status) => self.refused(cluster, &status, was_asked),
            };
            if events.send(Event::Over(Box::new(outcome))).await.is_err() {
                return;
            }
        }
    }

    /// Asks a cluster, and hands on what it answers.
    async fn one(
        &self,
        shared: &Shared,
        cluster: &wire::ClusterStatus,
        events: &mpsc::Sender<Event>,
    ) -> Result<(), Status> {
        let fault = |fault: frame::Fault| status::bad_request(fault.to_string());
        let about = frame::about(&shared.question.request, &cluster.address).map_err(fault)?;
        let mut request = Request::new(Body::new(Full::new(frame::framed(&about))));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        let path = shared.question.method.parse();
        *request.uri_mut() = path.map_err(|_| status::bad_request("the method is no path"))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        let left = shared.deadline.saturating_duration_since(Instant::now()) + AFTER;
        if let Ok(left) = HeaderValue::try_from(format!("{}m", left.as_millis())) {
            headers.insert("grpc-timeout", left);
        }
        let Ok(response) = self.services.clone().oneshot(request).await;
        let (parts, mut body) = response.into_parts();
        let (mut pieces, mut bytes) = (Pieces::default(), 0);
        let mut trailers = None;
        while let Some(frame) = body.frame().await {
            let frame = match frame?.into_data() {
                Ok(frame) => frame,
                Err(other) => {
                    trailers = other.into_trailers().ok();
                    break;
                }
            };
            bytes += frame.len();
            if bytes > MOST_BYTES {
                return Err(status::too_large_of_several(MOST_BYTES));
            }
            pieces.add(&frame);
            while let Some((piece, continues)) = pieces.next(PIECE).map_err(fault)? {
                let part = wire::AnswerPart {
                    site: cluster.site.clone(),
                    cluster: cluster.cluster.clone(),
                    piece,
                    continues,
                };
                // Where nobody takes it the question is over.
                let sent = events.send(Event::Part(part)).await;
                sent.map_err(|_| Status::cancelled("nobody waits for the answer"))?;
            }
        }
        ended(trailers.as_ref().unwrap_or(&parts.headers), &pieces)
    }

    /// What a status of a cluster says of it.
    fn refused(&self, cluster: &wire::ClusterStatus, status: &Status, was_asked: bool) -> wire::ClusterOutcome {
        let reason = status
            .get_details_error_info()
            .map(|info| info.reason)
            .unwrap_or_default();
        let word = match status.code() {
            _ if !was_asked => "not_asked",
            Code::NotFound if NOT_THERE.contains(&reason.as_str()) => "not_there",
            // Which of several is meant was decided before.
            Code::InvalidArgument if reason != "AMBIGUOUS_CLUSTER" => "invalid",
            _ => "no_answer",
        };
        let is_silent = word == "no_answer" && SILENT.contains(&reason.as_str());
        let heard = || {
            let heard = self.sites.look(|known| {
                let site = known.sites().find(|(name, _)| *name == cluster.site);
                site.map(|(_, site)| site.heard_unix_nanos)
            });
            heard.filter(|heard| *heard != 0)
        };
        wire::ClusterOutcome {
            code: status.code().into(),
            message: status.message().to_owned(),
            reason,
            since_unix_nanos: is_silent.then(heard).flatten(),
            ..outcome(cluster, word)
        }
    }
}

/// How an answer ended.
fn ended(trailers: &HeaderMap, pieces: &Pieces) -> Result<(), Status> {
    let status = Status::from_header_map(trailers).unwrap_or_else(|| Status::internal("the answer has no end"));
    match status.code() {
        Code::Ok if pieces.is_whole() => Ok(()),
        Code::Ok => Err(Status::internal("the answer ends within a message")),
        _ => Err(status),
    }
}

fn outcome(cluster: &wire::ClusterStatus, word: &str) -> wire::ClusterOutcome {
    wire::ClusterOutcome {
        cluster: Some(cluster.clone()),
        outcome: word.to_owned(),
        ..wire::ClusterOutcome::default()
    }
}

/// Whether a cluster can be asked.
fn is_reached(cluster: &wire::ClusterStatus) -> bool {
    cluster.missing_since_unix_nanos.is_none()
}

/// What is said of a cluster that cannot be asked: what a question about it would be refused with.
fn away_outcome(cluster: &wire::ClusterStatus) -> wire::ClusterOutcome {
    let since = cluster.missing_since_unix_nanos.unwrap_or_default();
    let (word, status) = match cluster.reach == Reach::Missing.as_str() {
        true => ("site_missing", status::site_missing(&cluster.site, since)),
        false => (
            "cluster_withdrawn",
            status::cluster_withdrawn(&cluster.site, &cluster.cluster, since),
        ),
    };
    wire::ClusterOutcome {
        code: status.code().into(),
        message: status.message().to_owned(),
        reason: status
            .get_details_error_info()
            .map(|info| info.reason)
            .unwrap_or_default(),
        since_unix_nanos: cluster.missing_since_unix_nanos,
        ..outcome(cluster, word)
    }
}

#[cfg(test)]
mod tests;
