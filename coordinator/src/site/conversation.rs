//! One conversation with the fleet coordinator: from Hello until the connection ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fathom_identity::explain::{REFUSED, is_closed};
use fathom_proto::FLEET_PROTOCOL;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::join_request::Message as Request;
use fathom_proto::fleet::v1::join_response::Message as Response;
use fathom_proto::fleet::v1::site_service_client::SiteServiceClient;
use fathom_runtime::clock::{Clock, SystemClock};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::transport::Channel;

use super::feed::Feed;
use super::places::Places;
use super::question::Desk;
use super::{Ended, Site};

/// Messages on their way up. When it is full the feed waits: what it has not said yet it will find again.
const QUEUE: usize = 16;

/// How long each step up to the Welcome may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A heartbeat this often, unless the fleet coordinator says otherwise.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How often it is looked for what is new.
const LOOK_EVERY: Duration = Duration::from_millis(500);

fn no_answer() -> Ended {
    Ended {
        reason: format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()),
        was_welcome: false,
    }
}

fn lost() -> Ended {
    Ended {
        reason: "the connection was lost".to_owned(),
        was_welcome: true,
    }
}

impl Site {
    /// Talks until the connection ends, and says why it did.
    pub(super) async fn converse(&self) -> Ended {
        match self.talk().await {
            Ok(()) => lost(),
            Err(ended) => ended,
        }
    }

    async fn talk(&self) -> Result<(), Ended> {
        let connected = timeout(ANSWER_TIMEOUT, self.endpoint.connect()).await;
        let channel = connected
            .map_err(|_| no_answer())?
            .map_err(|error| Ended::early(&error))?;
        let (outbox, queue) = mpsc::channel(QUEUE);
        let mut feed = Feed::new(self.clusters.clone(), &self.config);
        let hello = wire::Hello {
            protocol_version: FLEET_PROTOCOL,
            site: self.config.site.clone(),
            labels: self.config.labels.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            policy: Some(super::policy::to_wire(&self.policy)),
            clusters: feed.offer(),
        };
        put(&outbox, Request::Hello(hello)).await?;
        let mut client = SiteServiceClient::new(channel);
        let answered = timeout(ANSWER_TIMEOUT, client.join(ReceiverStream::new(queue))).await;
        let answered = answered.map_err(|_| no_answer())?;
        let mut inbox = answered.map_err(|status| early(&status))?.into_inner();
        let welcome = timeout(ANSWER_TIMEOUT, welcome(&mut inbox))
            .await
            .map_err(|_| no_answer())??;
        tracing::info!(fleet = %self.address, site = self.config.site, version = welcome.version, "joined the fleet");
        welcome.positions.iter().for_each(|position| feed.acked(position));
        let interval = match welcome.heartbeat_interval_nanos {
            0 => HEARTBEAT,
            nanos => Duration::from_nanos(nanos),
        };
        // Answers go over a connection of their own: what holds them up does not hold up what is wrong.
        let answers = SiteServiceClient::new(self.endpoint.connect_lazy());
        let questions = Questions {
            desk: Arc::new(Desk {
                site: self.config.site.clone(),
                policy: self.policy.clone(),
                services: self.services.clone(),
                places: Places::new(&self.policy),
            }),
            answers,
            open: HashMap::new(),
            all: CancellationToken::new(),
        };
        self.go_on(inbox, outbox, feed, questions, interval).await
    }

    async fn go_on(
        &self,
        mut inbox: Streaming<wire::JoinResponse>,
        outbox: mpsc::Sender<wire::JoinRequest>,
        mut feed: Feed,
        mut questions: Questions,
        interval: Duration,
    ) -> Result<(), Ended> {
        let ticks = |every: Duration| {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut beats, mut looks) = (ticks(interval), ticks(LOOK_EVERY));
        loop {
            tokio::select! {
                response = inbox.message() => match response {
                    Ok(Some(response)) => match response.message {
                        Some(Response::Ack(ack)) => feed.acked(&ack),
                        Some(Response::Question(question)) => questions.take(self, question),
                        Some(Response::Cancel(cancel)) => questions.cancel(cancel.id),
                        // What a later version says besides changes nothing here.
                        Some(Response::Welcome(_)) | None => {}
                    },
                    Ok(None) => return Ok(()),
                    Err(status) => return Err(Ended::status(&status, true)),
                },
                _ = beats.tick() => {
                    let beat = wire::Heartbeat { wall_unix_nanos: SystemClock.now_unix_nanos() };
                    put(&outbox, Request::Heartbeat(beat)).await?;
                }
                _ = looks.tick() => {
                    let news = feed.next().await.map_err(|error| Ended {
                        reason: fathom_identity::explain::chain(&error),
                        was_welcome: true,
                    })?;
                    for message in news {
                        outbox.send(message).await.map_err(|_| lost())?;
                    }
                }
            }
        }
    }
}

/// Before anything was said: who refuses a certificate closes the connection.
fn early(status: &tonic::Status) -> Ended {
    let is_transport = std::error::Error::source(status).is_some();
    if is_transport && is_closed(status) {
        return Ended {
            reason: REFUSED.to_owned(),
            was_welcome: false,
        };
    }
    Ended::status(status, false)
}

async fn welcome(inbox: &mut Streaming<wire::JoinResponse>) -> Result<wire::Welcome, Ended> {
    let first = inbox.message().await.map_err(|status| early(&status))?;
    let Some(Response::Welcome(welcome)) = first.and_then(|response| response.message) else {
        return Err(Ended {
            reason: "the fleet coordinator did not begin with a Welcome".to_owned(),
            was_welcome: false,
        });
    };
    if welcome.protocol_version != FLEET_PROTOCOL {
        let reason = format!(
            "it speaks version {} of the fleet protocol, this site speaks {FLEET_PROTOCOL}: upgrade the older one",
            welcome.protocol_version
        );
        return Err(Ended {
            reason,
            was_welcome: false,
        });
    }
    Ok(welcome)
}

async fn put(outbox: &mpsc::Sender<wire::JoinRequest>, message: Request) -> Result<(), Ended> {
    let request = wire::JoinRequest { message: Some(message) };
    outbox.send(request).await.map_err(|_| lost())
}

/// Questions that are being answered. They end with the conversation.
struct Questions {
    desk: Arc<Desk>,
    answers: SiteServiceClient<Channel>,
    open: HashMap<u64, CancellationToken>,
    all: CancellationToken,
}

impl Questions {
    fn take(&mut self, site: &Site, question: wire::Question) {
        self.open.retain(|_, cancelled| !cancelled.is_cancelled());
        let cancelled = self.all.child_token();
        self.open.insert(question.id, cancelled.clone());
        let (desk, answers) = (Arc::clone(&self.desk), self.answers.clone());
        let kind = fathom_runtime::tasks::Kind::Background;
        site.tasks.spawn("question of the fleet", kind, async move {
            tokio::select! {
                () = desk.answer(question, answers) => {}
                () = cancelled.cancelled() => {}
            }
            cancelled.cancel();
        });
    }

    fn cancel(&mut self, id: u64) {
        if let Some(cancelled) = self.open.remove(&id) {
            cancelled.cancel();
        }
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        self.all.cancel();
    }
}
