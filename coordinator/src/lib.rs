//! The coordinator: it takes what node daemons send, joins it into fan-outs, stores them, and answers questions.
//!
//! # Architecture
//!
//! ```text
//! daemons ──▶ grpc/collect ──▶ session (a stream each) ──▶ worker (a thread a cluster): engine, store, view
//! people  ──▶ fleet/route ──▶ grpc/query ──▶ query (scans on threads for blocking work) ──▶ files of one record + hot rows of the view
//!                        └──▶ a site's stream, where the cluster is at a site; site/ is the other end of it
//! ```
//!
//! A worker owns its cluster's engine and store; nothing else writes either. It acknowledges only what a manifest record holds.
//!
//! # Errors
//!
//! A fault of a daemon or of a question goes back to it as a status. A full disk, a store that another coordinator took over, a
//! port that is taken: [`Error`], and the program ends with a message; nothing that was acknowledged is lost.

mod accept;
mod config;
mod error;
mod fleet;
mod grpc;
mod ingest;
pub mod offline;
mod query;
mod quota;
mod site;
mod webhook;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use fathom_identity::explain::chain;
use fathom_identity::files::Credentials;
use fathom_model::objective::Objective;
use fathom_proto::collect::v1::collect_service_server::CollectServiceServer;
use fathom_proto::control::v1::control_service_server::ControlServiceServer;
use fathom_proto::fleet::v1::fleet_service_server::FleetServiceServer;
use fathom_proto::fleet::v1::site_service_server::SiteServiceServer;
use fathom_proto::query::v1::baseline_service_server::BaselineServiceServer;
use fathom_proto::query::v1::compare_service_server::CompareServiceServer;
use fathom_proto::query::v1::findings_service_server::FindingsServiceServer;
use fathom_proto::query::v1::health_service_server::HealthServiceServer;
use fathom_proto::query::v1::ledger_service_server::LedgerServiceServer;
use fathom_proto::query::v1::objectives_service_server::ObjectivesServiceServer;
use fathom_proto::query::v1::query_service_server::QueryServiceServer;
use fathom_proto::query::v1::what_if_service_server::WhatIfServiceServer;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::shutdown::{Cause, Shutdown};
use fathom_runtime::tasks::{Kind, TaskGroup};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::Layer as _;

pub use config::{Allowed, Config, Faults, Fleet, FleetOptions, Group, Ingest, Labels, Options, Policy, Role, Uplink};
pub use error::{Error, Result};
pub use webhook::Webhook;

use fleet::Sites;
use fleet::ask::Asker;
use fleet::route::RouteLayer;
use fleet::selections::Selections;
use grpc::baselines::Baselines;
use grpc::collect::Collect;
use grpc::control::Control;
use grpc::costs::Costs;
use grpc::findings::{Findings, WhatIf};
use grpc::health::Health;
use grpc::query::Query;
use ingest::Clusters;
use quota::QuotaLayer;
use site::Site;
use site::feed::Feed;

/// How long tasks may take to end: the last commit needs the disk.
const GRACE: Duration = Duration::from_secs(20);

/// Largest message: a batch's limit is 8 MiB before compression.
const MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// A connection is asked for a sign of life this often, and given up when it does not answer for this long.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Bytes that may be on their way on a connection without having been taken.
const CONNECTION_BYTES: u32 = 16 * 1024 * 1024;

/// A coordinator that listens.
#[derive(Debug)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    shutdown: Shutdown,
}

impl Listening {
    /// Waits until the coordinator is asked to stop or breaks.
    ///
    /// # Errors
    ///
    /// What broke it.
    pub async fn stopped(&self) -> Result<()> {
        match self.shutdown.requested().await {
            Cause::TaskFailed { task, reason } => Err(Error::Task {
                task: task.clone(),
                reason: reason.clone(),
            }),
            Cause::Signal(_) | Cause::Requested(_) => Ok(()),
        }
    }
}

/// Checks everything, opens the store, starts a worker for each cluster in it, and starts to listen. Workers take their clusters over
/// meanwhile: until one has, questions about its cluster are answered with `UNAVAILABLE`, and what its daemons send waits.
///
/// # Errors
///
/// When anything is wrong that somebody has to mend first.
pub async fn start(config: Config, tasks: &TaskGroup) -> Result<Listening> {
    let credentials = Credentials::load(&config.ca, &config.certificate, &config.key)?;
    credentials.verify(SystemClock.now())?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| listen_error(config.listen, source))?;
    let address = listener
        .local_addr()
        .map_err(|source| listen_error(config.listen, source))?;
    let objectives = config.ingest.objectives.clone();
    let clusters = Clusters::open(config.ingest, &config.store, tasks.clone()).await?;
    let (sites, incarnation) = known_sites(&config.fleet, &config.store)?;
    fleet::own::start(sites.clone(), Feed::new(clusters.clone(), &config.fleet), tasks);
    if config.fleet.role == Role::Fleet {
        fleet::kept::start(sites.clone(), config.store.clone(), tasks);
    }

    let answering = answering(clusters.clone(), objectives, tasks);
    if let Some(uplink) = &config.fleet.uplink {
        let site = Site::new(
            &config.fleet,
            uplink,
            answering.clone(),
            clusters.clone(),
            tasks.clone(),
        )?;
        site.start();
    }
    let layer = RouteLayer {
        sites: sites.clone(),
        clusters: clusters.clone(),
    };
    let is_fleet = config.fleet.role == Role::Fleet;
    let joining = SiteServiceServer::new(grpc::site::Site::new(sites.clone(), is_fleet, tasks.clone()))
        .max_decoding_message_size(MESSAGE_BYTES);
    let selections = Selections::open(&config.store).map_err(|source| Error::KeptSites {
        path: config.store.clone(),
        source,
    })?;
    let asker = Asker::new(sites.clone(), layer.layer(answering.clone()), tasks.clone());
    let fleet = grpc::fleet::Fleet::new(sites, selections, asker, incarnation, tasks.clone());
    let of_fleet = FleetServiceServer::new(fleet).max_encoding_message_size(4 * MESSAGE_BYTES);
    let collect =
        CollectServiceServer::new(Collect::new(clusters, tasks.clone())).max_decoding_message_size(MESSAGE_BYTES);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<CollectServiceServer<Collect>>().await;
    health.set_serving::<ControlServiceServer<Control>>().await;
    health.set_serving::<QueryServiceServer<Query>>().await;
    health.set_serving::<FindingsServiceServer<Findings>>().await;
    health.set_serving::<WhatIfServiceServer<WhatIf>>().await;
    health.set_serving::<HealthServiceServer<Health>>().await;
    health.set_serving::<FleetServiceServer<grpc::fleet::Fleet>>().await;
    if is_fleet {
        health.set_serving::<SiteServiceServer<grpc::site::Site>>().await;
    }
    health.set_serving::<LedgerServiceServer<Costs>>().await;
    health.set_serving::<CompareServiceServer<Costs>>().await;
    health.set_serving::<ObjectivesServiceServer<Costs>>().await;
    health.set_serving::<BaselineServiceServer<Baselines>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(fathom_proto::DESCRIPTORS)
    };
    let broken = |error: tonic_reflection::server::Error| Error::Server {
        reason: error.to_string(),
    };
    // The version from before it was stable is what clients of several languages still ask for.
    let (stable, older) = (
        reflection().build_v1().map_err(broken)?,
        reflection().build_v1alpha().map_err(broken)?,
    );
    let connections = accept::start(listener, &credentials, tasks)?;
    let router = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        // What one stream may hold is far less: answers that nobody takes do not hold up other streams of a connection.
        .initial_connection_window_size(CONNECTION_BYTES)
        .layer(QuotaLayer::new(config.max_requests))
        .layer(layer)
        .add_routes(answering)
        .add_service(collect)
        .add_service(joining)
        .add_service(of_fleet)
        .add_service(health_service)
        .add_service(stable)
        .add_service(older);
    let shutdown = tasks.shutdown().clone();
    let stop = shutdown.child_token();
    tasks.spawn("server", Kind::Critical, async move {
        router
            .serve_with_incoming_shutdown(connections, async move { stop.cancelled().await })
            .await
            .map_err(|error| chain(&error))
    });
    Ok(Listening { address, shutdown })
}

/// The services that answer questions about a cluster and take orders for it: those that a fleet may reach.
fn answering(clusters: Clusters, objectives: Vec<Objective>, tasks: &TaskGroup) -> Routes {
    let questions = Query::new(clusters, tasks.clone());
    let findings = FindingsServiceServer::new(Findings::new(questions.clone(), tasks.clone()))
        .max_encoding_message_size(4 * MESSAGE_BYTES);
    let states = HealthServiceServer::new(Health::new(questions.clone(), tasks.clone()))
        .max_encoding_message_size(4 * MESSAGE_BYTES);
    let costs = Costs::new(questions.clone(), objectives);
    let ledger = LedgerServiceServer::new(costs.clone()).max_encoding_message_size(4 * MESSAGE_BYTES);
    let compare = CompareServiceServer::new(costs.clone()).max_encoding_message_size(4 * MESSAGE_BYTES);
    let objectives = ObjectivesServiceServer::new(costs).max_encoding_message_size(4 * MESSAGE_BYTES);
    let usual = Baselines::new(questions.clone());
    Routes::default()
        .add_service(BaselineServiceServer::new(usual).max_encoding_message_size(4 * MESSAGE_BYTES))
        .add_service(ledger)
        .add_service(compare)
        .add_service(objectives)
        .add_service(ControlServiceServer::new(Control::new(questions.clone())))
        .add_service(findings)
        .add_service(states)
        .add_service(WhatIfServiceServer::new(WhatIf::new(questions.clone())))
        .add_service(QueryServiceServer::new(questions).max_encoding_message_size(4 * MESSAGE_BYTES))
}

/// This coordinator itself, and of a fleet coordinator the sites that it knew; with a number that no other process has.
fn known_sites(config: &Fleet, store: &Path) -> Result<(Sites, u64)> {
    let kept = match config.role {
        Role::Fleet => fleet::kept::read(store).map_err(|source| Error::KeptSites {
            path: store.to_owned(),
            source,
        })?,
        Role::Coordinator => Default::default(),
    };
    let mut first = [0; 8];
    getrandom::fill(&mut first).map_err(|error| Error::Random {
        reason: error.to_string(),
    })?;
    // Numbers of questions only rise: half of the range is left for that.
    let first = u64::from_le_bytes(first) >> 1;
    Ok((Sites::new(&config.site, config.labels.clone(), kept, first), first))
}

/// Runs a coordinator in a runtime of its own until it is asked to stop, as both programs do. `ready` is told the
/// address once it listens.
///
/// # Errors
///
/// As [`start`], and when it breaks while running.
pub fn run_blocking(config: Config, ready: impl FnOnce(SocketAddr)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Thread { source })?;
    runtime.block_on(async {
        let tasks = TaskGroup::new(Shutdown::new());
        tasks.watch_signals().map_err(|source| Error::Thread { source })?;
        let outcome = match start(config, &tasks).await {
            Ok(listening) => {
                tracing::info!(address = %listening.address, "listening");
                ready(listening.address);
                listening.stopped().await
            }
            Err(error) => Err(error),
        };
        if let Err(pending) = tasks.shutdown_and_wait(GRACE).await {
            tracing::warn!(pending = ?pending.names, "tasks did not end in time");
        }
        outcome
    })
}

fn listen_error(address: SocketAddr, source: std::io::Error) -> Error {
    let advice = match source.kind() {
        std::io::ErrorKind::AddrInUse => {
            "the port is in use; is a coordinator running already? Give another one with --listen, port 0 takes a free one"
        }
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address; give one of its own with --listen",
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; give a higher one with --listen",
        _ => "give another address with --listen",
    };
    Error::Listen {
        address,
        advice: advice.to_owned(),
        source,
    }
}
