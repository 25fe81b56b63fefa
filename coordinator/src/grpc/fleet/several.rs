//! `AskClusters`: one question to many clusters.

use std::pin::Pin;

use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::ask_clusters_response::Message;
use fathom_runtime::tasks::Kind;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Fleet, Selected, clusters, gaps};
use crate::fleet::ask::{Event, Question, is_answer, missing, patience};
use crate::fleet::frame;
use crate::grpc::status;
use crate::site::reads_one;

/// What streams of answers are.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<wire::AskClustersResponse, Status>> + Send>>;

/// Messages on their way to whoever asks. When it is full the answers wait.
const QUEUE: usize = 4;

impl Fleet {
    pub(super) fn several(&self, request: wire::AskClustersRequest) -> Result<Answers, Status> {
        if !reads_one(&request.method) {
            return Err(status::not_of_several(&request.method));
        }
        // One that cannot be read is said to be so once, and not by each of them.
        frame::cluster(&request.request).map_err(|fault| status::invalid_of_fleet(format!("request: {fault}")))?;
        let Selected { selection, terms } = self.selected(request.selection)?;
        let (all, gaps) = self.sites.look(|known| {
            let all = clusters(known, &selection, request.last_findings);
            (all, gaps(known, &terms))
        });
        let question = Question {
            clusters: all.into_iter().map(|(_, cluster)| cluster).collect(),
            method: request.method,
            request: request.request,
            patience: patience(request.deadline_nanos),
        };
        let mut summary = wire::AskSummary {
            clusters: question.clusters.len() as u64,
            gaps: Some(gaps),
            ..wire::AskSummary::default()
        };
        let mut events = self.asker.ask(question);
        let (outbox, responses) = mpsc::channel(QUEUE);
        self.tasks.spawn("answers of clusters", Kind::Background, async move {
            let mut over = 0;
            let say = |message| {
                let response = wire::AskClustersResponse { message: Some(message) };
                outbox.send(Ok(response))
            };
            loop {
                let event = tokio::select! {
                    event = events.recv() => event,
                    () = outbox.closed() => return,
                };
                let message = match event {
                    Some(Event::Part(part)) => Message::Part(part),
                    Some(Event::Over(outcome)) => {
                        over += 1;
                        match is_answer(&outcome.outcome) {
                            true => summary.answered += 1,
                            false => summary.missing.push(missing(outcome.as_ref().clone())),
                        }
                        Message::Outcome(outcome)
                    }
                    None => break,
                };
                if say(message).await.is_err() {
                    return;
                }
            }
            if over < summary.clusters {
                // Whoever asks does so again at the next coordinator.
                let _ = outbox.send(Err(status::stopping_of_fleet())).await;
                return;
            }
            summary
                .missing
                .sort_by(|a, b| (&a.site, &a.cluster).cmp(&(&b.site, &b.cluster)));
            let _ = say(Message::Summary(summary)).await;
        });
        Ok(Box::pin(ReceiverStream::new(responses)))
    }
}
