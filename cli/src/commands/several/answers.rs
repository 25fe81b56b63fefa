//! Answers of several clusters as they come, and the command that is run with each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::ask_clusters_response::Message;
use tokio::runtime::Runtime;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::{Asking, Said, is_here};
use crate::client::{Answer, First};
use crate::error::{DEADLINE, Error, Result};
use crate::scope::Scope;

/// So many commands are run at once: what they ask beyond their first question is asked for each.
const AT_ONCE: usize = 16;

/// The fleet coordinator says who has not answered when the time is over; so much longer it may take to say so.
const GRACE: Duration = Duration::from_secs(3);

/// Everything that came.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// All clusters that are meant, by site and name.
    pub(super) clusters: Vec<wire::ClusterStatus>,
    /// What those said that could be asked, by their places in `clusters`.
    pub(super) said: Vec<(usize, Said)>,
    pub(super) gaps: Option<wire::SelectionGaps>,
}

/// A cluster whose answer is there, and that answer.
type Ready = (wire::ClusterOutcome, Vec<BytesMut>);

/// Answers on their way to the threads that run commands. There are no more of them than clusters, and all are held anyway.
#[derive(Default)]
struct Desk {
    ready: Mutex<(VecDeque<Ready>, bool)>,
    more: Condvar,
}

impl Desk {
    fn put(&self, ready: Ready) {
        self.lock().0.push_back(ready);
        self.more.notify_one();
    }

    /// Nothing more comes.
    fn close(&self) {
        self.lock().1 = true;
        self.more.notify_all();
    }

    /// The next one; `None` where nothing more comes.
    fn take(&self) -> Option<Ready> {
        let mut desk = self.lock();
        loop {
            if let Some(ready) = desk.0.pop_front() {
                return Some(ready);
            }
            if desk.1 {
                return None;
            }
            desk = self.more.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, (VecDeque<Ready>, bool)> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts the question, and runs the command with each answer as it comes; `None` where the fleet coordinator did not say in time what became of
/// all.
pub(super) fn all(
    runtime: &Runtime,
    asking: &Asking<'_>,
    request: wire::AskClustersRequest,
) -> Result<Option<Answers>> {
    let desk = Desk::default();
    let done: Mutex<Vec<(wire::ClusterStatus, Said)>> = Mutex::default();
    let work = || {
        while let Some((outcome, messages)) = desk.take() {
            let said = asking.said(&outcome, messages);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((outcome.cluster.unwrap_or_default(), said));
        }
    };
    let patience = Duration::from_nanos(request.deadline_nanos);
    let mut away = Vec::new();
    let mut gaps = None;
    let came = std::thread::scope(|threads| {
        let spawned = (0..AT_ONCE).try_for_each(|number| {
            let thread = std::thread::Builder::new().name(format!("answer {number}"));
            thread.spawn_scoped(threads, work).map(drop)
        });
        let came = spawned.map_err(Error::Runtime).and_then(|()| {
            let mut begun: BTreeMap<(String, String), Begun> = BTreeMap::new();
            let asked = asking.client.ask_clusters(request, |message| match message {
                Message::Part(part) => begun
                    .entry((part.site, part.cluster))
                    .or_default()
                    .add(&part.piece, part.continues),
                Message::Outcome(outcome) => {
                    let outcome = *outcome;
                    let cluster = outcome.cluster.clone().unwrap_or_default();
                    let messages = begun.remove(&(cluster.site.clone(), cluster.cluster.clone()));
                    match is_here(&cluster) {
                        true => desk.put((outcome, messages.unwrap_or_default().messages)),
                        false => away.push(cluster),
                    }
                }
                Message::Summary(summary) => gaps = summary.gaps,
            });
            runtime.block_on(async {
                tokio::time::timeout(patience.saturating_add(GRACE), asked)
                    .await
                    .ok()
                    .transpose()
            })
        });
        desk.close();
        came
    });
    if came?.is_none() {
        return Ok(None);
    }
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Some(sorted(away, done, gaps)))
}

/// By site and name.
fn sorted(
    away: Vec<wire::ClusterStatus>,
    done: Vec<(wire::ClusterStatus, Said)>,
    gaps: Option<wire::SelectionGaps>,
) -> Answers {
    let away = away.into_iter().map(|cluster| (cluster, None));
    let done = done.into_iter().map(|(cluster, said)| (cluster, Some(said)));
    let mut all: Vec<(wire::ClusterStatus, Option<Said>)> = away.chain(done).collect();
    all.sort_by(|(a, _), (b, _)| (&a.site, &a.cluster).cmp(&(&b.site, &b.cluster)));
    let mut answers = Answers {
        gaps,
        ..Answers::default()
    };
    for (at, (cluster, said)) in all.into_iter().enumerate() {
        answers.clusters.push(cluster);
        answers.said.extend(said.map(|said| (at, said)));
    }
    answers
}

/// An answer that has not come whole.
#[derive(Default)]
struct Begun {
    messages: Vec<BytesMut>,
    continues: bool,
}

impl Begun {
    fn add(&mut self, piece: &[u8], continues: bool) {
        match self.messages.last_mut().filter(|_| self.continues) {
            Some(message) => message.extend_from_slice(piece),
            None => self.messages.push(BytesMut::from(piece)),
        }
        self.continues = continues;
    }
}

impl Asking<'_> {
    /// What a cluster said: the command is run with its answer.
    fn said(&self, outcome: &wire::ClusterOutcome, messages: Vec<BytesMut>) -> Said {
        let cluster = outcome.cluster.clone().unwrap_or_default();
        let status = status_of(outcome);
        let answer = Arc::new(Mutex::new(Some(Answer::new(messages, status))));
        let transport = self
            .client
            .transport()
            .with(First::Known(self.question.clone(), answer));
        let scope = Scope::new(cluster.address, self.deadline).over(transport);
        let patience = self.deadline.map_or(Duration::MAX, |deadline| deadline.patience);
        let (result, scope) = match outcome.outcome.as_str() {
            "not_asked" => (Err(Error::NotAsked { patience }), scope),
            "no_answer" if outcome.reason == DEADLINE => (Err(Error::Deadline { patience }), scope),
            _ => scope.run(self.ask),
        };
        let since = outcome.since_unix_nanos.or_else(|| {
            // It was heard when it gave its first answer, and not when it was to give the next.
            let heard = Some(cluster.heard_unix_nanos).filter(|heard| *heard != 0);
            heard.filter(|_| outcome.code == 0 && result.as_ref().is_err_and(is_silence))
        });
        Said { result, scope, since }
    }
}

/// Whether an error says that somebody is not heard.
fn is_silence(error: &Error) -> bool {
    matches!(error.reason(), Some(DEADLINE | "SITE_MISSING" | "SITE_CUT_OFF"))
}

/// The status with which a cluster's answer ended.
fn status_of(outcome: &wire::ClusterOutcome) -> Status {
    let code = Code::from(outcome.code);
    if outcome.reason.is_empty() {
        return Status::new(code, outcome.message.clone());
    }
    let details = ErrorDetails::with_error_info(outcome.reason.as_str(), "", []);
    Status::with_error_details(code, outcome.message.clone(), details)
}

#[cfg(test)]
mod tests;
