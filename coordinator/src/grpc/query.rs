//! `fathom.query.v1`.

use std::ops::ControlFlow;
use std::pin::Pin;

use fathom_diagnose::latency::By;
use fathom_model::report::Clock;
use fathom_model::{IoId, NodeId, Op};
use fathom_proto::convert::durable::{covered_by_to_wire, covered_to_wire};
use fathom_proto::convert::query::{coverage_to_wire, daemon_to_wire, io_to_wire, report_to_wire};
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::query_service_server::QueryService;
use fathom_runtime::tasks::{Kind, TaskGroup};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::baselines::against_to_wire;
use super::paging::{sealed_page, unsealed};
use super::status;
use super::unseen::{closed_without, unseen, unseen_since};
use crate::ingest::{Clusters, WorkerReport};
use crate::query::sums::{Source, Wanted};
use crate::query::{Filter, Found, Order, Snapshot, run};

mod asked;
mod dated;
mod sketches;
pub(super) mod state;

use asked::PATIENCE;
use dated::dated_to_wire;

/// I/Os on a page when the caller does not say.
const PAGE: usize = 20;

/// Most I/Os on a page, and how deep pages go: each is found by a scan.
const MOST: usize = 10_000;
const DEEPEST: usize = 100_000;

/// I/Os in a message of a stream.
const SOME: usize = 500;

/// Messages of a stream on their way; when the caller is slow, the scan waits.
const QUEUE: usize = 4;

/// Answers questions.
#[derive(Clone)]
pub(crate) struct Query {
    clusters: Clusters,
    tasks: TaskGroup,
}

impl Query {
    pub(crate) const fn new(clusters: Clusters, tasks: TaskGroup) -> Self {
        Self { clusters, tasks }
    }
}

/// One page of a list by names.
fn page<T>(items: Vec<(String, T)>, size: i32, token: &str) -> Result<(Vec<T>, String), Status> {
    sealed_page(items, size, token).ok_or_else(bad_page_token)?
}

/// A page's token is not one of an earlier answer: taken for a name, it would leave rows out in silence.
fn bad_page_token() -> Status {
    status::invalid("page_token is not one of an earlier answer; leave it out to begin anew")
}

/// What is known of the clocks: a row a pair that is aligned.
fn clocks(report: &WorkerReport) -> Vec<Clock> {
    report
        .clocks
        .iter()
        .map(|(node, reference, clock)| Clock {
            node: node.to_string(),
            reference: reference.to_string(),
            offset_ns: Some(clock.offset_nanos),
            drift_ppb: Some(clock.drift_ppb),
            error_ns: Some(clock.error_nanos),
        })
        .collect()
}

/// What a question wants its answer to be made of.
pub(super) fn wanted(source: &str) -> Result<Wanted, Status> {
    match source {
        "" => Ok(Wanted::Either),
        "rows" => Ok(Wanted::Rows),
        "tables" => Ok(Wanted::Tables),
        other => Err(status::invalid(format!("source: `{other}` is none of rows, tables"))),
    }
}

/// Chooses what the answer is made of; whether of tables.
pub(super) fn choose(snapshot: &mut Snapshot, wanted: Wanted, can: Result<(), String>) -> Result<bool, Status> {
    let chosen = snapshot.choose(wanted, can);
    chosen.map_err(|why| status::invalid(format!("source: {why}")))
}

pub(super) fn source_to_wire(source: Source) -> wire::Source {
    wire::Source {
        kind: if source.by_tables { "tables" } else { "rows" }.to_owned(),
        relative_error: source.relative_error,
        bucket_nanos: source.bucket_nanos.unsigned_abs(),
        files: source.files,
    }
}

fn to_wire(found: &Found) -> wire::Io {
    io_to_wire(&found.detail, found.ordinal, &found.attempts)
}

#[tonic::async_trait]
impl QueryService for Query {
    async fn get_status(
        &self,
        _: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        let mut clusters = Vec::new();
        for cluster in self.clusters.all() {
            cluster.ready(PATIENCE).await?;
            let report = Self::worker(&cluster).await?;
            let view = cluster.view();
            clusters.push(wire::ClusterStatus {
                cluster: cluster.id.to_string(),
                epoch: view.epoch,
                record: view.record,
                ios: report.ios,
                events: report.events,
                in_memory: report.in_memory,
                finished: report.finished,
                waiting: report
                    .waiting
                    .iter()
                    .map(|(node, waiting)| wire::Waiting {
                        node: node.to_string(),
                        until_unix_nanos: waiting.until_unix_nanos,
                    })
                    .collect(),
            });
        }
        Ok(Response::new(wire::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: status::query_protocol(),
            clusters,
        }))
    }

    async fn list_nodes(
        &self,
        request: Request<wire::ListNodesRequest>,
    ) -> Result<Response<wire::ListNodesResponse>, Status> {
        let request = request.into_inner();
        let snapshot = self.snapshot(&request.cluster, None).await?;
        let report = Self::worker(snapshot.cluster()).await?;
        let clocks = clocks(&report);
        let of_node = |node: &NodeId| {
            clocks
                .iter()
                .filter(|clock| clock.node == node.as_str())
                .map(Into::into)
                .collect()
        };
        let nodes = report.nodes.iter().map(|node| {
            let status = wire::NodeStatus {
                node: node.node.to_string(),
                state: node.state.as_str().to_owned(),
                taps: node.taps.iter().map(|tap| tap.as_str().to_owned()).collect(),
                events: node.events,
                lost: node.lost,
                heard_unix_nanos: node.heard,
                position: node.position,
                clocks: of_node(&node.node),
                daemon: node.daemon.as_ref().map(daemon_to_wire),
            };
            (node.node.to_string(), status)
        });
        let (nodes, next_page_token) = page(nodes.collect(), request.page_size, &request.page_token)?;
        let mut warnings = report.oddities.clone();
        warnings.extend(report.nodes.iter().filter_map(closed_without));
        let coverage = coverage_to_wire(&unseen(&report), &warnings, snapshot.newest(), None);
        Ok(Response::new(wire::ListNodesResponse {
            nodes,
            next_page_token,
            coverage: Some(coverage),
        }))
    }

    async fn list_volumes(
        &self,
        request: Request<wire::ListVolumesRequest>,
    ) -> Result<Response<wire::ListVolumesResponse>, Status> {
        let request = request.into_inner();
        let mut snapshot = self.snapshot(&request.cluster, None).await?;
        let topology = snapshot.view().topology.clone();
        let by_tables = choose(&mut snapshot, Wanted::Either, Ok(()))?;
        let coverage = Some(Self::coverage(&snapshot).await?);
        let (latency, source) = run(move || snapshot.latency_of(by_tables, By::Volume, Op::Write))
            .await
            .map_err(|error| status::of(&error))?;
        let source = Some(source_to_wire(source));
        let Some(topology) = topology else {
            return Ok(Response::new(wire::ListVolumesResponse {
                coverage,
                source,
                ..wire::ListVolumesResponse::default()
            }));
        };
        let node_of = |disk: &fathom_model::PhysicalDiskId| {
            topology
                .disks
                .iter()
                .find(|known| known.id == *disk)
                .map(|known| known.node.to_string())
        };
        let mut volumes: Vec<(String, wire::VolumeStatus)> = topology
            .volumes
            .iter()
            .map(|volume| {
                let extents: Vec<_> = topology
                    .extents
                    .extents()
                    .iter()
                    .filter(|extent| extent.volume == volume.id)
                    .collect();
                let mut nodes: Vec<String> = extents.iter().filter_map(|extent| node_of(&extent.disk)).collect();
                nodes.sort();
                nodes.dedup();
                let own = |row: &&fathom_model::report::Latency| {
                    row.tap == "volume" && row.volume.as_deref() == Some(volume.id.as_str())
                };
                let row = latency.iter().find(own);
                let status = wire::VolumeStatus {
                    volume: volume.id.to_string(),
                    size_bytes: volume.size_bytes,
                    copies: volume.copies,
                    extents: extents.len() as u64,
                    nodes,
                    writes: row.map_or(0, |row| row.count),
                    write_p50_nanos: row.map(|row| row.p50_ns),
                    write_p99_nanos: row.map(|row| row.p99_ns),
                };
                (volume.id.to_string(), status)
            })
            .collect();
        volumes.sort_by(|a, b| a.0.cmp(&b.0));
        let (volumes, next_page_token) = page(volumes, request.page_size, &request.page_token)?;
        Ok(Response::new(wire::ListVolumesResponse {
            volumes,
            next_page_token,
            coverage,
            source,
        }))
    }

    async fn list_ios(
        &self,
        request: Request<wire::ListIosRequest>,
    ) -> Result<Response<wire::ListIosResponse>, Status> {
        let request = request.into_inner();
        let order = match wire::IoOrder::try_from(request.order) {
            Ok(wire::IoOrder::Unspecified | wire::IoOrder::Newest) => Order::Newest,
            Ok(wire::IoOrder::Slowest) => Order::Slowest,
            Err(_) => {
                let message = format!("order {} is not one that this coordinator knows", request.order);
                return Err(status::invalid(message));
            }
        };
        let most = match request.page_size {
            0 => PAGE,
            size if (1..=MOST as i32).contains(&size) => size as usize,
            size => return Err(status::invalid(format!("page_size {size} is not from 1 to {MOST}"))),
        };
        let skip = match request.page_token.as_str() {
            "" => 0,
            token => token
                .parse::<usize>()
                .ok()
                .filter(|skip| *skip <= DEEPEST)
                .ok_or_else(|| {
                    status::invalid("page_token is not one of an earlier answer; narrow the filter to go deeper")
                })?,
        };
        let snapshot = self.snapshot(&request.cluster, request.filter).await?;
        let coverage = Self::coverage(&snapshot).await?;
        let page = run(move || snapshot.list(order, skip, most))
            .await
            .map_err(|error| status::of(&error))?;
        let shown = skip + page.ios.len();
        Ok(Response::new(wire::ListIosResponse {
            ios: page.ios.iter().map(to_wire).collect(),
            next_page_token: if (shown as u64) < page.total {
                shown.to_string()
            } else {
                String::new()
            },
            coverage: Some(coverage),
            total: page.total,
        }))
    }

    async fn get_io(&self, request: Request<wire::GetIoRequest>) -> Result<Response<wire::GetIoResponse>, Status> {
        let request = request.into_inner();
        let id: IoId = request
            .id
            .parse()
            .map_err(|error| status::invalid(format!("id: {error}")))?;
        let snapshot = self.snapshot(&request.cluster, None).await?;
        let coverage = Self::coverage(&snapshot).await?;
        let answer = run(move || {
            let Some(found) = snapshot.find(&id)? else {
                return Ok(None);
            };
            let durable = snapshot.durability(&found.detail)?;
            Ok(Some((found, durable)))
        });
        let found = answer.await.map_err(|error| status::of(&error))?;
        let (found, (covers, covered_by)) =
            found.ok_or_else(|| status::not_found("NO_IO", format!("there is no I/O `{}`", request.id)))?;
        Ok(Response::new(wire::GetIoResponse {
            io: Some(to_wire(&found)),
            coverage: Some(coverage),
            covers: covers.as_ref().map(covered_to_wire),
            covered_by: covered_by.as_ref().map(covered_by_to_wire),
        }))
    }

    type StreamIosStream = Pin<Box<dyn Stream<Item = Result<wire::StreamIosResponse, Status>> + Send>>;

    async fn stream_ios(
        &self,
        request: Request<wire::StreamIosRequest>,
    ) -> Result<Response<Self::StreamIosStream>, Status> {
        let request = request.into_inner();
        let snapshot = self.snapshot(&request.cluster, request.filter).await?;
        let coverage = Self::coverage(&snapshot).await?;
        let (outbox, responses) = mpsc::channel(QUEUE);
        self.tasks.spawn("stream of I/Os", Kind::Background, async move {
            let first = wire::StreamIosResponse {
                ios: Vec::new(),
                coverage: Some(coverage),
            };
            if outbox.send(Ok(first)).await.is_err() {
                return;
            }
            let sender = outbox.clone();
            let streamed = run(move || {
                snapshot.stream(SOME, |ios| {
                    let response = wire::StreamIosResponse {
                        ios: ios.iter().map(to_wire).collect(),
                        coverage: None,
                    };
                    match sender.blocking_send(Ok(response)) {
                        Ok(()) => ControlFlow::Continue(()),
                        // The caller has what it wanted.
                        Err(_) => ControlFlow::Break(()),
                    }
                })
            });
            if let Err(error) = streamed.await {
                let _ = outbox.send(Err(status::of(&error))).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }

    async fn get_latency_sketches(
        &self,
        request: Request<wire::GetLatencySketchesRequest>,
    ) -> Result<Response<wire::GetLatencySketchesResponse>, Status> {
        Ok(Response::new(self.sketches(request.into_inner()).await?))
    }

    async fn get_latency(
        &self,
        request: Request<wire::GetLatencyRequest>,
    ) -> Result<Response<wire::GetLatencyResponse>, Status> {
        let request = request.into_inner();
        let by = match request.by.as_str() {
            "" => By::default(),
            name => By::ALL
                .into_iter()
                .find(|by| by.as_str() == name)
                .ok_or_else(|| status::invalid(format!("by: `{name}` is not one of tap, node, disk, volume, pair")))?,
        };
        let wanted = wanted(&request.source)?;
        let mut snapshot = self.snapshot(&request.cluster, request.filter.clone()).await?;
        let op = Filter::from_wire(request.filter)?.op.unwrap_or(Op::Write);
        let can = snapshot.tables_can_by(by);
        let by_tables = choose(&mut snapshot, wanted, can)?;
        let coverage = Self::coverage(&snapshot).await?;
        let (latency, source) = run(move || snapshot.latency_of(by_tables, by, op))
            .await
            .map_err(|error| status::of(&error))?;
        Ok(Response::new(wire::GetLatencyResponse {
            latency: latency.iter().map(Into::into).collect(),
            coverage: Some(coverage),
            source: Some(source_to_wire(source)),
        }))
    }

    async fn get_report(
        &self,
        request: Request<wire::GetReportRequest>,
    ) -> Result<Response<wire::GetReportResponse>, Status> {
        let request = request.into_inner();
        let filter = request.filter.map(|filter| wire::IoFilter {
            op: String::new(),
            ..filter
        });
        let wanted = wanted(&request.source)?;
        let mut snapshot = self.snapshot(&request.cluster, filter).await?;
        let can = snapshot.tables_can();
        let by_tables = choose(&mut snapshot, wanted, can)?;
        let worker = Self::worker(snapshot.cluster()).await?;
        let (newest, from) = (snapshot.newest(), snapshot.from());
        let clocks = clocks(&worker);
        let answer = run(move || match by_tables {
            true => snapshot.report_by_tables(clocks),
            false => snapshot.report(clocks),
        });
        let mut whole = answer.await.map_err(|error| status::of(&error))?;
        whole.report.unseen.nodes = unseen_since(&worker, from);
        whole.report.unseen.warnings.extend_from_slice(&worker.oddities);
        let slowest = whole.slowest.as_ref().map(to_wire);
        let mut response = report_to_wire(&whole.report, slowest, newest, from);
        response.changes = whole.changes.iter().map(dated_to_wire).collect();
        response.against_usual = whole.against.iter().map(against_to_wire).collect();
        response.slowest_write_id = whole.slowest_id.unwrap_or_default();
        response.source = Some(source_to_wire(whole.source));
        Ok(Response::new(response))
    }

    async fn list_resources(
        &self,
        request: Request<wire::ListResourcesRequest>,
    ) -> Result<Response<wire::ListResourcesResponse>, Status> {
        Ok(Response::new(self.resources(request.into_inner()).await?))
    }

    async fn get_resource(
        &self,
        request: Request<wire::GetResourceRequest>,
    ) -> Result<Response<wire::GetResourceResponse>, Status> {
        Ok(Response::new(self.resource(request.into_inner()).await?))
    }

    async fn list_counters(
        &self,
        request: Request<wire::ListCountersRequest>,
    ) -> Result<Response<wire::ListCountersResponse>, Status> {
        Ok(Response::new(self.counters(request.into_inner()).await?))
    }

    async fn list_history(
        &self,
        request: Request<wire::ListHistoryRequest>,
    ) -> Result<Response<wire::ListHistoryResponse>, Status> {
        Ok(Response::new(self.history(request.into_inner()).await?))
    }

    async fn list_rdma(
        &self,
        request: Request<wire::ListRdmaRequest>,
    ) -> Result<Response<wire::ListRdmaResponse>, Status> {
        Ok(Response::new(self.rdma(request.into_inner()).await?))
    }

    async fn list_qos(
        &self,
        request: Request<wire::ListQosRequest>,
    ) -> Result<Response<wire::ListQosResponse>, Status> {
        Ok(Response::new(self.qos(request.into_inner()).await?))
    }

    type WatchResourcesStream = state::Watch;

    async fn watch_resources(
        &self,
        request: Request<wire::WatchResourcesRequest>,
    ) -> Result<Response<Self::WatchResourcesStream>, Status> {
        Ok(Response::new(self.watch(request.into_inner()).await?))
    }
}
