//! One conversation with the coordinator: from Hello until the connection ends.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fathom_proto::COLLECT_PROTOCOL;
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_request::Message as Request;
use fathom_proto::collect::v1::collect_response::Message as Response;
use fathom_proto::collect::v1::collect_service_client::CollectServiceClient;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_segment_log::{Item, Reader, Record};
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::connector::connect;
use super::{Failure, Outgoing, Uplink};
use crate::error::Error;
use crate::health::Health;
use crate::spool::{Spool, Written, kind, request};

/// Messages on their way to the connection. When it is full the reader of the spool waits: the spool is the buffer.
const QUEUE: usize = 8;

/// Bytes of the spool that are read at once.
const READ_BYTES: usize = 1024 * 1024;

/// How long each step up to the coordinator's Welcome may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A heartbeat this often, unless the coordinator says otherwise.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// What the coordinator allows and asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Orders {
    /// Events with ordinals below this may be sent.
    credit: u64,
    /// Where to send from.
    position: u64,
    /// Rises with every order to send again.
    resends: u64,
}

impl Uplink {
    /// Talks until the stream is stored to its end. `talked` is set once the coordinator welcomed us.
    pub(super) async fn converse(&self, outgoing: &Outgoing, talked: &mut bool) -> Result<(), Failure> {
        // The transport's own limit ends with the TCP handshake.
        let connected = timeout(ANSWER_TIMEOUT, connect(&self.endpoint)).await;
        let (channel, spoke) = connected.map_err(|_| no_answer())?;
        let channel = channel.map_err(|error| self.connect_failure(&error, spoke.load(Ordering::Relaxed)))?;
        let mut client = CollectServiceClient::new(channel);
        let (outbox, queue) = mpsc::channel(QUEUE);
        let opening = outgoing
            .spool
            .as_ref()
            .map_or_else(|| outgoing.opening.clone(), |spool| spool.opening());
        put(&outbox, request(Request::Hello((&opening).into()))).await?;
        if let Some(topology) = &self.topology {
            put(&outbox, request(Request::Topology(topology.clone()))).await?;
        }
        let answered = timeout(ANSWER_TIMEOUT, client.collect(ReceiverStream::new(queue))).await;
        let answer = answered
            .map_err(|_| no_answer())?
            .map_err(|status| self.opening_failure(&status))?;
        let mut inbox = answer.into_inner();
        let welcome = timeout(ANSWER_TIMEOUT, self.welcome(&mut inbox)).await;
        let welcome = welcome.map_err(|_| no_answer())??;
        *talked = true;
        tracing::info!(
            coordinator = %self.address, epoch = welcome.epoch, position = welcome.position,
            version = %welcome.coordinator_version, "connected"
        );
        if welcome.complete {
            return Ok(());
        }
        let credit = welcome.credit.map_or(0, |credit| credit.until_ordinal);
        let (orders, ordered) = watch::channel(Orders {
            credit,
            position: welcome.position,
            resends: 0,
        });
        let sent = Arc::new(AtomicU64::new(welcome.position));
        let named = welcome.policy.as_ref().is_some_and(|policy| policy.report_cluster);
        self.reporter.store(named, Ordering::Relaxed);
        self.orders
            .take_again(welcome.policy.as_ref().and_then(|policy| policy.profile.as_ref()));
        let interval = welcome.policy.map_or(0, |policy| policy.heartbeat_interval_nanos);
        let interval = if interval == 0 {
            HEARTBEAT
        } else {
            Duration::from_nanos(interval)
        };
        let sender = Sender {
            outgoing,
            outbox: outbox.clone(),
            ordered,
            sent: Arc::clone(&sent),
        };
        tokio::select! {
            received = self.receive(&mut inbox, &orders, outgoing.spool.as_ref()) => received,
            failure = sender.run() => Err(failure),
            failure = beat(&outbox, &sent, interval, &self.health) => Err(failure),
        }
    }

    async fn welcome(&self, inbox: &mut Streaming<wire::CollectResponse>) -> Result<wire::Welcome, Failure> {
        let first = inbox.message().await.map_err(|status| self.opening_failure(&status))?;
        let Some(Response::Welcome(welcome)) = first.and_then(|response| response.message) else {
            return Err(Failure::Retry(
                "the coordinator did not begin with a Welcome".to_owned(),
            ));
        };
        if welcome.protocol_version != COLLECT_PROTOCOL {
            let (found, spoken) = (welcome.protocol_version, COLLECT_PROTOCOL);
            return Err(Failure::Fatal(Error::Protocol {
                address: self.address.clone(),
                found,
                spoken,
            }));
        }
        if !self.accept_epoch(welcome.epoch) {
            return Err(Failure::Retry(format!(
                "a stale coordinator answered (epoch {})",
                welcome.epoch
            )));
        }
        Ok(welcome)
    }

    /// Follows the coordinator's orders until the stream is complete.
    async fn receive(
        &self,
        inbox: &mut Streaming<wire::CollectResponse>,
        orders: &watch::Sender<Orders>,
        spool: Option<&Arc<Spool>>,
    ) -> Result<(), Failure> {
        loop {
            let response = inbox.message().await.map_err(|status| self.status_failure(&status))?;
            let Some(response) = response else {
                return Err(Failure::Retry("the coordinator closed the connection".to_owned()));
            };
            match response.message {
                Some(Response::Ack(ack)) => {
                    // A stale coordinator must not make us delete anything.
                    if !self.accept_epoch(ack.epoch) {
                        continue;
                    }
                    if let Some(spool) = spool {
                        let spool = Arc::clone(spool);
                        let released = tokio::task::spawn_blocking(move || spool.release(ack.position)).await;
                        released
                            .map_err(|error| Failure::Retry(error.to_string()))?
                            .map_err(Failure::Fatal)?;
                    }
                    if ack.complete {
                        return Ok(());
                    }
                }
                Some(Response::Credit(credit)) => orders.send_modify(|orders| orders.credit = credit.until_ordinal),
                Some(Response::Resend(resend)) => {
                    if self.accept_epoch(resend.epoch) {
                        orders.send_modify(|orders| {
                            orders.position = resend.position;
                            orders.resends += 1;
                        });
                    }
                }
                // Batches in the spool are encoded already, and the pace of heartbeats is set by the Welcome.
                Some(Response::Policy(policy)) => {
                    self.reporter.store(policy.report_cluster, Ordering::Relaxed);
                    self.orders.take(policy.profile.as_ref());
                }
                Some(Response::Welcome(_)) => {
                    return Err(Failure::Retry("the coordinator said Welcome twice".to_owned()));
                }
                None => {
                    let reason = "it sent a message that this version does not know: upgrade this daemon".to_owned();
                    return Err(Failure::Fatal(Error::Refused {
                        address: self.address.clone(),
                        reason,
                    }));
                }
            }
        }
    }
}

async fn put(outbox: &mpsc::Sender<wire::CollectRequest>, message: wire::CollectRequest) -> Result<(), Failure> {
    outbox
        .send(message)
        .await
        .map_err(|_| Failure::Retry("the connection was lost".to_owned()))
}

async fn beat(
    outbox: &mpsc::Sender<wire::CollectRequest>,
    sent: &AtomicU64,
    interval: Duration,
    health: &Health,
) -> Failure {
    let clock = SystemClock;
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let heartbeat = wire::Heartbeat {
            wall_unix_nanos: clock.now_unix_nanos(),
            monotonic_nanos: u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX),
            complete_until_unix_nanos: None,
            next_ordinal: sent.load(Ordering::Relaxed),
            daemon: Some(health.status()),
        };
        if let Err(failure) = put(outbox, request(Request::Heartbeat(heartbeat))).await {
            return failure;
        }
    }
}

/// Reads the spool and sends what is durable and allowed.
struct Sender<'a> {
    outgoing: &'a Outgoing,
    outbox: mpsc::Sender<wire::CollectRequest>,
    ordered: watch::Receiver<Orders>,
    sent: Arc<AtomicU64>,
}

impl Sender<'_> {
    async fn run(mut self) -> Failure {
        loop {
            let orders = *self.ordered.borrow_and_update();
            if let Err(failure) = self.send_from(orders).await {
                return failure;
            }
        }
    }

    /// Sends from a position on until an order to send again comes.
    async fn send_from(&mut self, begun: Orders) -> Result<(), Failure> {
        let devices = self
            .outgoing
            .spool
            .as_ref()
            .map_or_else(|| self.outgoing.devices.clone(), |spool| spool.devices());
        put(&self.outbox, decode(&devices)?).await?;
        let mut written = self.outgoing.written.clone();
        let mut end_sent = false;
        let directory = &self.outgoing.directory;
        // A spool that is behind (it was lost, and a recording is read again) catches up below the position first.
        let from = begun.position.min(written.borrow().durable.next_ordinal());
        let mut reader = Reader::open(directory, from).map_err(|source| self.spool_failure(source))?;
        let mut waiting: VecDeque<Outbound> = VecDeque::new();
        loop {
            let orders = *self.ordered.borrow_and_update();
            if orders.resends != begun.resends {
                return Ok(());
            }
            while let Some(next) = waiting.front() {
                if !next.ordinals.is_empty() && next.ordinals.end <= begun.position {
                    waiting.pop_front();
                    continue;
                }
                if !next.ordinals.is_empty() && next.ordinals.start >= orders.credit {
                    break;
                }
                let Some(next) = waiting.pop_front() else { break };
                end_sent |= next.is_end;
                put(&self.outbox, next.message).await?;
                self.sent.store(next.ordinals.end, Ordering::Relaxed);
            }
            if !waiting.is_empty() {
                // Out of credit: the coordinator says when there is more.
                changed(self.ordered.changed().await)?;
                continue;
            }
            let now = *written.borrow_and_update();
            let (back, read) = read(reader, now).await?;
            reader = back;
            let read = read.map_err(|source| self.spool_failure(source))?;
            for item in read {
                match item {
                    Item::Record(record) => waiting.push_back(Outbound::of_record(record)?),
                    Item::Missing(ordinals) => waiting.push_back(Outbound::of_missing(ordinals)),
                    Item::SegmentHead(_) => {}
                }
            }
            if !waiting.is_empty() {
                continue;
            }
            if now.ended && !end_sent && self.outgoing.spool.is_none() {
                // An old incarnation that did not come to its end: the node has gone on under a new one.
                let next_ordinal = now.durable.next_ordinal();
                let end = wire::EndOfStream {
                    reason: wire::EndReason::Replaced.into(),
                    next_ordinal,
                };
                put(&self.outbox, request(Request::EndOfStream(end))).await?;
                end_sent = true;
            }
            tokio::select! {
                news = written.changed(), if self.outgoing.spool.is_some() => changed(news)?,
                order = self.ordered.changed() => changed(order)?,
            }
        }
    }

    fn spool_failure(&self, source: fathom_segment_log::Error) -> Failure {
        Failure::Fatal(Error::Spool {
            directory: self.outgoing.directory.clone(),
            source,
        })
    }
}

fn changed(news: Result<(), watch::error::RecvError>) -> Result<(), Failure> {
    news.map_err(|_| Failure::Retry("the daemon is stopping".to_owned()))
}

/// A message of the spool, ready to be sent.
struct Outbound {
    message: wire::CollectRequest,
    /// Ordinals that it stands for; empty for a mark.
    ordinals: Range<u64>,
    is_end: bool,
}

impl Outbound {
    fn of_record(record: Record) -> Result<Self, Failure> {
        Ok(Self {
            ordinals: record.first..record.end(),
            is_end: record.kind == kind::END,
            message: decode(&record.payload)?,
        })
    }

    /// In place of ordinals that the spool has given away to a coordinator with another store.
    fn of_missing(ordinals: Range<u64>) -> Self {
        let lost = wire::OrdinalsLost {
            first_ordinal: ordinals.start,
            count: ordinals.end - ordinals.start,
            cause: wire::LossCause::Released.into(),
            complete_until_unix_nanos: None,
        };
        Self {
            message: request(Request::OrdinalsLost(lost)),
            ordinals,
            is_end: false,
        }
    }
}

/// Reads the next stretch of the spool on a thread for blocking work.
async fn read(
    mut reader: Reader,
    written: Written,
) -> Result<(Reader, fathom_segment_log::Result<Vec<Item>>), Failure> {
    let read = tokio::task::spawn_blocking(move || {
        let mut items = Vec::new();
        let mut bytes = 0;
        while bytes < READ_BYTES {
            match reader.next(written.durable) {
                // A head repeats the Hello and the dictionary, which stand at the head of the stream as well.
                Ok(Some(Item::SegmentHead(_))) => {}
                Ok(Some(item)) => {
                    if let Item::Record(record) = &item {
                        bytes += record.payload.len();
                    }
                    items.push(item);
                }
                Ok(None) => break,
                Err(error) => return (reader, Err(error)),
            }
        }
        (reader, Ok(items))
    });
    read.await.map_err(|error| Failure::Retry(error.to_string()))
}

fn decode(payload: &bytes::Bytes) -> Result<wire::CollectRequest, Failure> {
    wire::CollectRequest::decode(payload.clone())
        .map_err(|error| Failure::Retry(format!("a record of the spool cannot be read: {error}")))
}

fn no_answer() -> Failure {
    Failure::Retry(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))
}
