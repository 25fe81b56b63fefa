//! A session: one daemon's stream, from its Hello until its connection ends. Decodes what comes and hands it to the worker.

use std::net::SocketAddr;

use fathom_join::End;
use fathom_proto::COLLECT_PROTOCOL;
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_request::Message as Request;
use fathom_proto::convert::batch;
use fathom_proto::convert::collect::{
    Opening, VersionedTopology, cause_from_wire, devices_from_wire, gap_from_wire, lost_from_wire,
};
use tonic::{Status, Streaming};

use super::{Cluster, Clusters, Message, Outbox};
use crate::grpc::status;

/// Reads a daemon's stream until it ends; `from` is where it is connected from. A fault of the daemon goes back to it as a status.
pub(crate) async fn serve(
    clusters: Clusters,
    mut requests: Streaming<wire::CollectRequest>,
    outbox: Outbox,
    from: Option<SocketAddr>,
) {
    let opened = open(&clusters, &mut requests, &outbox, from).await;
    let (cluster, session) = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) => return,
        Err(status) => {
            // The daemon may be gone already; then nobody needs to know.
            let _ = outbox.send(Err(status)).await;
            return;
        }
    };
    if let Err(status) = follow(&cluster, session, &mut requests).await {
        let _ = outbox.send(Err(status)).await;
    }
    cluster.send(Message::Closed { session }).await;
}

async fn open(
    clusters: &Clusters,
    requests: &mut Streaming<wire::CollectRequest>,
    outbox: &Outbox,
    from: Option<SocketAddr>,
) -> Result<Option<(Cluster, u64)>, Status> {
    let Some(first) = requests.message().await? else {
        return Ok(None);
    };
    let Some(Request::Hello(hello)) = first.message else {
        return Err(status::no_hello());
    };
    if hello.protocol_version != COLLECT_PROTOCOL {
        return Err(status::protocol_version(hello.protocol_version));
    }
    let opening = Opening::try_from(&hello).map_err(|error| status::of_convert(&error))?;
    let cluster = clusters
        .get_or_start(&opening.stream.cluster)
        .map_err(|error| status::of_collect(&error))?;
    let session = clusters.new_session();
    let message = Message::Open {
        session,
        opening,
        from,
        outbox: outbox.clone(),
    };
    if !cluster.send(message).await {
        return Err(status::stopping_collect());
    }
    Ok(Some((cluster, session)))
}

async fn follow(cluster: &Cluster, session: u64, requests: &mut Streaming<wire::CollectRequest>) -> Result<(), Status> {
    while let Some(request) = requests.message().await? {
        let Some(message) = request.message else {
            return Err(status::unknown_message());
        };
        let message = decode(session, message)?;
        if !cluster.send(message).await {
            return Err(status::stopping_collect());
        }
    }
    Ok(())
}

fn decode(session: u64, message: Request) -> Result<Message, Status> {
    let refused = |error: fathom_proto::convert::Error| status::of_convert(&error);
    Ok(match message {
        Request::Hello(_) => return Err(status::second_hello()),
        Request::Devices(dictionary) => Message::Devices {
            session,
            devices: devices_from_wire(&dictionary).map_err(refused)?,
        },
        Request::IoBatch(encoded) => Message::Batch {
            session,
            first_ordinal: encoded.first_ordinal,
            columns: batch::decode(&encoded).map_err(refused)?,
            complete_until: encoded.complete_until_unix_nanos,
        },
        Request::StateBatch(batch) => Message::State {
            session,
            first_ordinal: batch.first_ordinal,
            observations: (batch
                .observations
                .iter()
                .map(TryFrom::try_from)
                .collect::<Result<_, _>>())
            .map_err(refused)?,
            samples: (batch.samples.iter().map(TryFrom::try_from).collect::<Result<_, _>>()).map_err(refused)?,
        },
        Request::Topology(topology) => Message::Topology {
            session,
            topology: VersionedTopology::try_from(&topology).map_err(refused)?,
        },
        Request::Heartbeat(heartbeat) => Message::Heartbeat {
            session,
            complete_until: heartbeat.complete_until_unix_nanos,
            next_ordinal: heartbeat.next_ordinal,
            wall_unix_nanos: heartbeat.wall_unix_nanos,
            daemon: heartbeat.daemon,
        },
        Request::OrdinalsLost(lost) => Message::Lost {
            session,
            ordinals: lost_from_wire(&lost).map_err(refused)?,
            cause: cause_from_wire("ordinals_lost.cause", lost.cause).map_err(refused)?,
            complete_until: lost.complete_until_unix_nanos,
        },
        Request::TimeGap(gap) => Message::Gap {
            session,
            stretch: gap_from_wire(&gap).map_err(refused)?,
            cause: cause_from_wire("time_gap.cause", gap.cause).map_err(refused)?,
            events: gap.events,
        },
        Request::EndOfStream(end) => Message::End {
            session,
            end: match end.reason() {
                wire::EndReason::Finished => End::Finished,
                wire::EndReason::Replaced => End::Replaced,
                wire::EndReason::Unspecified => {
                    let value = i64::from(end.reason);
                    let field = "end_of_stream.reason";
                    return Err(refused(fathom_proto::convert::Error::UnknownNumber { field, value }));
                }
            },
            next_ordinal: end.next_ordinal,
        },
    })
}
