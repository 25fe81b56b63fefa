//! The state half of `fathom.query.v1`.

use std::pin::Pin;
use std::time::Duration;

use fathom_model::state::{Kind, Observation};
use fathom_proto::convert::state::{attribute, unknown_attribute};
use fathom_proto::query::v1 as wire;
use fathom_runtime::tasks::Kind as TaskKind;
use fathom_state::{qos, rdma};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Query, bad_page_token, page, status, unsealed};
use crate::grpc::paging::Stretch;
use crate::query::counters::{Asked, counters};
use crate::query::state::{Found, Looked, Mark, StateSnapshot, Which};
use crate::query::{known_node_of_state, run};

/// How often a watch looks for what is new.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Readings of counters in an answer, 20 bytes each: no more than a message may have.
const READINGS: usize = 150_000;

/// Observations in a message of a watch.
const SOME: usize = 1000;

/// A stream of what comes.
pub(crate) type Watch = Pin<Box<dyn Stream<Item = Result<wire::WatchResourcesResponse, Status>> + Send>>;

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn kind_of(text: &str) -> Result<Kind, Status> {
    text.parse().map_err(|error| {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        status::invalid(format!("{error} (known: {})", known.join(", ")))
    })
}

fn which(filter: Option<wire::ResourceFilter>) -> Result<Which, Status> {
    let filter = filter.unwrap_or_default();
    Ok(Which {
        kinds: filter
            .kinds
            .iter()
            .map(|kind| kind_of(kind))
            .collect::<Result<_, _>>()?,
        node: given(filter.node),
        name: given(filter.name),
        volume: given(filter.volume),
    })
}

/// The same where nothing tells which volume a resource is on.
fn which_of_any_volume(filter: Option<wire::ResourceFilter>) -> Result<Which, Status> {
    let which = which(filter)?;
    match which.volume {
        None => Ok(which),
        Some(_) => Err(status::invalid(
            "filter.volume is only for lists of resources; list `vm` and `vhd` with it, and ask for those by name",
        )),
    }
}

pub(crate) fn coverage(looked: &Looked) -> wire::StateCoverage {
    let nodes = looked.nodes.iter().map(|(node, heard)| wire::StateNode {
        node: node.to_string(),
        heard_unix_nanos: *heard,
    });
    let unread = looked.unread.iter().map(|unread| wire::StateUnread {
        node: unread.node.as_ref().map(ToString::to_string).unwrap_or_default(),
        kind: unread.kind.as_str().to_owned(),
        class: unread.class.clone(),
        reason: unread.reason.clone(),
        since_unix_nanos: unread.since_unix_nanos,
    });
    wire::StateCoverage {
        at_unix_nanos: looked.at,
        nodes: nodes.collect(),
        unread: unread.collect(),
    }
}

fn resource(found: &Found) -> wire::Resource {
    wire::Resource {
        observation: Some((&found.fact.observation).into()),
        since_unix_nanos: found.fact.since_unix_nanos,
        seen_unix_nanos: found.fact.seen_unix_nanos,
        derived: {
            let known = found.derived.iter().map(|(name, value)| attribute(name, value));
            let unknown = found.unknown.iter().map(|(name, why)| unknown_attribute(name, why));
            known.chain(unknown).collect()
        },
    }
}

/// How many series after the one of a token fit into one message.
fn fitting(rows: &[(String, wire::CounterSeries)], token: &str) -> Result<i32, Status> {
    let mut sum = 0;
    let mut count = 0;
    let after = rows
        .iter()
        .filter(|(name, _)| token.is_empty() || name.as_str() > token);
    for (_, series) in after {
        sum += series.readings.len();
        if sum > READINGS {
            if count == 0 {
                return Err(status::invalid(format!(
                    "{} readings of {} of {} on {} are more than fit into one answer; ask for a shorter stretch of time",
                    sum, series.name, series.id, series.node
                )));
            }
            break;
        }
        count += 1;
    }
    Ok(count.max(1))
}

/// A name by which resources are in order.
fn order(observation: &Observation) -> String {
    format!("{}\0{}\0{}", observation.kind, observation.node, observation.id)
}

impl Query {
    pub(super) async fn resources(
        &self,
        request: wire::ListResourcesRequest,
    ) -> Result<wire::ListResourcesResponse, Status> {
        let which = which(request.filter)?;
        let node = which.node.clone();
        let snapshot = StateSnapshot::new(self.cluster(&request.cluster).await?, request.at_unix_nanos);
        let (found, looked) = run(move || snapshot.resources(&which))
            .await
            .map_err(|error| status::of(&error))?;
        // Something may be on a node that nothing else tells of.
        if found.is_empty() {
            known_node_of_state(node.as_deref(), looked.nodes.keys(), looked.at.is_some())?;
        }
        let mut rows: Vec<(String, wire::Resource)> = found
            .iter()
            .map(|found| (order(&found.fact.observation), resource(found)))
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let (resources, next_page_token) = page(rows, request.page_size, &request.page_token)?;
        Ok(wire::ListResourcesResponse {
            resources,
            next_page_token,
            coverage: Some(coverage(&looked)),
        })
    }

    pub(super) async fn resource(
        &self,
        request: wire::GetResourceRequest,
    ) -> Result<wire::GetResourceResponse, Status> {
        let kind = kind_of(&request.kind)?;
        let snapshot = StateSnapshot::new(self.cluster(&request.cluster).await?, request.at_unix_nanos);
        let which = Which {
            kinds: vec![kind],
            node: given(request.node),
            ..Which::default()
        };
        let (found, looked) = run(move || snapshot.resources(&which))
            .await
            .map_err(|error| status::of(&error))?;
        let one = found.iter().find(|found| found.fact.observation.id == request.id);
        let one = one.ok_or_else(|| {
            status::not_found(
                "NO_RESOURCE",
                format!("there is no {kind} `{}` at that moment", request.id),
            )
        })?;
        Ok(wire::GetResourceResponse {
            resource: Some(resource(one)),
            coverage: Some(coverage(&looked)),
        })
    }

    pub(super) async fn counters(
        &self,
        request: wire::ListCountersRequest,
    ) -> Result<wire::ListCountersResponse, Status> {
        let asked = Asked {
            which: which_of_any_volume(request.filter)?,
            counter: request.counter.to_lowercase(),
            until: request.until_unix_nanos,
            since_nanos: request.since_nanos,
        };
        let cluster = self.cluster(&request.cluster).await?;
        let (found, looked, heard) = run(move || {
            let (found, looked) = counters(&cluster, &asked)?;
            let until = looked.map(|(_, until)| until).or(asked.until);
            let state = StateSnapshot::new(cluster, until);
            let heard = state.heard(&[Kind::Counters], asked.which.node.as_deref())?;
            Ok((found, looked, heard))
        })
        .await
        .map_err(|error| status::of(&error))?;
        let rows = found.into_iter().map(|(series, readings)| {
            let order = format!("{}\0{}\0{}\0{}", series.kind, series.node, series.id, series.name);
            let readings = readings.into_iter().map(|(at, value)| wire::CounterReading {
                observed_unix_nanos: at,
                value,
            });
            let series = wire::CounterSeries {
                node: series.node,
                kind: series.kind.as_str().to_owned(),
                id: series.id,
                name: series.name,
                readings: readings.collect(),
            };
            (order, series)
        });
        let mut rows: Vec<(String, wire::CounterSeries)> = rows.collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let fitting = fitting(&rows, unsealed(&request.page_token).ok_or_else(bad_page_token)?)?;
        let size = match request.page_size {
            0 => fitting,
            size => size.min(fitting),
        };
        let (series, next_page_token) = page(rows, size, &request.page_token)?;
        Ok(wire::ListCountersResponse {
            series,
            next_page_token,
            from_unix_nanos: looked.map(|(from, _)| from),
            until_unix_nanos: looked.map(|(_, until)| until),
            coverage: Some(coverage(&heard)),
        })
    }

    pub(super) async fn history(&self, request: wire::ListHistoryRequest) -> Result<wire::ListHistoryResponse, Status> {
        let kind = given(request.kind).map(|kind| kind_of(&kind)).transpose()?;
        if request.resource.is_empty() {
            return Err(status::invalid(
                "resource is empty; give an id, a name or a serial number",
            ));
        }
        let stretch = Stretch::parse(request.page_size, &request.page_token)?;
        let snapshot = StateSnapshot::new(self.cluster(&request.cluster).await?, request.at_unix_nanos);
        let resource = request.resource;
        let (rows, looked) = run(move || snapshot.history(&resource, kind))
            .await
            .map_err(|error| status::of(&error))?;
        let (shown, next_page_token) = stretch.of(&rows);
        Ok(wire::ListHistoryResponse {
            observations: shown.iter().map(Into::into).collect(),
            next_page_token,
            coverage: Some(coverage(&looked)),
        })
    }

    pub(super) async fn rdma(&self, request: wire::ListRdmaRequest) -> Result<wire::ListRdmaResponse, Status> {
        let snapshot = StateSnapshot::new(self.cluster(&request.cluster).await?, request.at_unix_nanos);
        let node = given(request.node);
        let of = node.clone();
        let (pairs, looked) = run(move || snapshot.rdma(of.as_deref()))
            .await
            .map_err(|error| status::of(&error))?;
        if pairs.is_empty() {
            known_node_of_state(node.as_deref(), looked.nodes.keys(), looked.at.is_some())?;
        }
        Ok(wire::ListRdmaResponse {
            pairs: pairs.into_iter().map(pair).collect(),
            coverage: Some(coverage(&looked)),
        })
    }

    pub(super) async fn qos(&self, request: wire::ListQosRequest) -> Result<wire::ListQosResponse, Status> {
        let snapshot = StateSnapshot::new(self.cluster(&request.cluster).await?, request.at_unix_nanos);
        let (node, name) = (given(request.node), given(request.name));
        let of = node.clone();
        let (settings, looked) = run(move || snapshot.qos(request.only_drift, of.as_deref(), name.as_deref()))
            .await
            .map_err(|error| status::of(&error))?;
        if settings.is_empty() {
            known_node_of_state(node.as_deref(), looked.nodes.keys(), looked.at.is_some())?;
        }
        Ok(wire::ListQosResponse {
            settings: settings.into_iter().map(setting).collect(),
            coverage: Some(coverage(&looked)),
        })
    }

    pub(super) async fn watch(&self, request: wire::WatchResourcesRequest) -> Result<Watch, Status> {
        let which = which_of_any_volume(request.filter)?;
        let cluster = self.cluster(&request.cluster).await?;
        let mut mark = match request.resume_token.as_str() {
            "" => Mark::now(&cluster.view()),
            token => {
                Mark::of_token(token).ok_or_else(|| status::invalid("resume_token is not one of an earlier message"))?
            }
        };
        if mark.record > cluster.view().record {
            return Err(status::invalid(
                "resume_token is of another store: it is ahead of this one; begin without a token",
            ));
        }
        let (outbox, responses) = mpsc::channel(4);
        self.tasks
            .spawn("watch of resources", TaskKind::Background, async move {
                let first = wire::WatchResourcesResponse {
                    observations: Vec::new(),
                    resume_token: mark.token(),
                };
                if outbox.send(Ok(first)).await.is_err() {
                    return;
                }
                loop {
                    let (cluster, which) = (cluster.clone(), which.clone());
                    let looked = run(move || mark.since(&cluster, &which)).await;
                    let (rows, now) = match looked {
                        Ok(looked) => looked,
                        Err(error) => {
                            let _ = outbox.send(Err(status::of(&error))).await;
                            return;
                        }
                    };
                    let pieces = rows.chunks(SOME).count();
                    for (at, some) in rows.chunks(SOME).enumerate() {
                        // Whoever stops between two pieces gets them again: nothing is left out.
                        let mark = if at + 1 == pieces { now } else { mark };
                        let response = wire::WatchResourcesResponse {
                            observations: some.iter().map(Into::into).collect(),
                            resume_token: mark.token(),
                        };
                        if outbox.send(Ok(response)).await.is_err() {
                            return;
                        }
                    }
                    mark = now;
                    tokio::select! {
                        () = outbox.closed() => return,
                        () = tokio::time::sleep(LOOK_EVERY) => {}
                    }
                }
            });
        Ok(Box::pin(ReceiverStream::new(responses)))
    }
}

fn pair(pair: rdma::Pair) -> wire::RdmaPair {
    wire::RdmaPair {
        client: pair.client.to_string(),
        server: pair.server,
        transport: pair.transport.as_str().to_owned(),
        since_unix_nanos: pair.since_unix_nanos,
        seen_unix_nanos: pair.seen_unix_nanos,
        rdma_connections: pair.rdma_connections,
        tcp_connections: pair.tcp_connections,
        interfaces: pair.interfaces,
        failures: pair.failures,
        priority: pair.priority,
        fallback: pair.fallback,
        notes: pair.notes,
    }
}

fn setting(setting: qos::Setting) -> wire::QosSetting {
    let values = setting.values.into_iter().map(|(node, value)| wire::QosValue {
        odd: setting.odd.contains(&node),
        seen_unix_nanos: setting.seen.get(&node).copied(),
        unavailable: setting.failed.get(&node).cloned().unwrap_or_default(),
        node: node.to_string(),
        value,
    });
    wire::QosSetting {
        values: values.collect(),
        of: setting.of,
        what: setting.what,
        drift: setting.drift,
        notes: setting.notes,
    }
}
