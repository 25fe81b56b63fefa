//! `FleetService` of `fathom.fleet.v1`: what is known of all clusters together.

use std::pin::Pin;
use std::time::Duration;

use fathom_model::rollup::ClusterKey;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::fleet_service_server::FleetService;
use fathom_rollup::{Partial, Selection, UPDATES_KEPT_NANOS};
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::tasks::{Kind, TaskGroup};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{paging::sealed_page, status};
use crate::fleet::Sites;
use crate::fleet::ask::Asker;
use crate::fleet::selections::Selections;

mod gaps;
mod health;
mod latency;
mod lists;
mod several;
mod watch;

use gaps::gaps;
use lists::{clusters, is_meant, missing, site_status, withdrawn};
use watch::Watch;

/// A watch says what is new at most this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Messages of a watch on their way. When it is full the watch waits, and says the newest when it goes on.
const QUEUE: usize = 4;

/// Answers from what sites told.
#[derive(Clone)]
pub(crate) struct Fleet {
    sites: Sites,
    selections: Selections,
    asker: Asker,
    /// Of which process a token is.
    incarnation: u64,
    tasks: TaskGroup,
}

/// What is asked for, with what was saved in the place of its name.
struct Selected {
    selection: Selection,
    /// As it was written, for what of it is not there.
    terms: wire::Selection,
}

impl Fleet {
    pub(crate) const fn new(
        sites: Sites,
        selections: Selections,
        asker: Asker,
        incarnation: u64,
        tasks: TaskGroup,
    ) -> Self {
        Self {
            sites,
            selections,
            asker,
            incarnation,
            tasks,
        }
    }

    fn selected(&self, selection: Option<wire::Selection>) -> Result<Selected, Status> {
        let terms = self.selections.expand(selection.unwrap_or_default())?;
        let selection = Selection::parse(&terms.terms, &terms.sites)
            .map_err(|error| status::invalid_of_fleet(format!("selection: {error}")))?;
        Ok(Selected { selection, terms })
    }

    /// Runs what writes a file where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Selections) -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let selections = self.selections.clone();
        let done = tokio::task::spawn_blocking(move || work(&selections)).await;
        done.map_err(|_| status::stopping_of_fleet())?
    }

    /// The version that a token is of; 0, which is everything, where it is of another process.
    fn version_of(&self, token: &str) -> Result<u64, Status> {
        if token.is_empty() {
            return Ok(0);
        }
        let parts = token.split_once('.');
        let parsed = parts.and_then(|(incarnation, version)| {
            Some((u64::from_str_radix(incarnation, 16).ok()?, version.parse().ok()?))
        });
        match parsed {
            Some((incarnation, version)) if incarnation == self.incarnation => Ok(version),
            Some(_) => Ok(0),
            None => Err(status::invalid_of_fleet(
                "resume_token is not one of an earlier message; leave it out to begin anew",
            )),
        }
    }
}

fn unheard(clusters: Vec<(ClusterKey, Option<i64>)>) -> Vec<wire::UnheardCluster> {
    let clusters = clusters.into_iter().map(|(key, since)| wire::UnheardCluster {
        site: key.site,
        cluster: key.cluster,
        since_unix_nanos: since,
    });
    clusters.collect()
}

fn partial(clusters: Vec<Partial>) -> Vec<wire::PartialCluster> {
    let clusters = clusters.into_iter().map(|own| wire::PartialCluster {
        site: own.cluster.site,
        cluster: own.cluster.cluster,
        unknown_nodes: own.unknown_nodes,
        counted_from_unix_nanos: own.counted_from_unix_ns,
    });
    clusters.collect()
}

/// One page of a list by names.
fn page<T>(items: Vec<(String, T)>, size: i32, token: &str) -> Result<(Vec<T>, String), Status> {
    if size < 0 {
        return Err(status::invalid_of_fleet("page_size is negative"));
    }
    sealed_page(items, size, token).ok_or_else(status::bad_page_token)?
}

#[tonic::async_trait]
impl FleetService for Fleet {
    async fn list_sites(
        &self,
        request: Request<wire::ListSitesRequest>,
    ) -> Result<Response<wire::ListSitesResponse>, Status> {
        let request = request.into_inner();
        let Selected { selection, terms } = self.selected(request.selection)?;
        let is_first = request.page_token.is_empty();
        let (all, gaps) = self.sites.look(|known| {
            let sites = known
                .sites()
                .filter(|(name, site)| is_meant(name, site, &selection))
                .map(|(name, site)| (name.to_owned(), site_status(name, site)));
            (sites.collect(), is_first.then(|| gaps(known, &terms)))
        });
        let (sites, next_page_token) = page(all, request.page_size, &request.page_token)?;
        Ok(Response::new(wire::ListSitesResponse {
            sites,
            next_page_token,
            gaps,
            damaged_unix_nanos: self.sites.damaged(),
        }))
    }

    async fn list_clusters(
        &self,
        request: Request<wire::ListClustersRequest>,
    ) -> Result<Response<wire::ListClustersResponse>, Status> {
        let request = request.into_inner();
        let Selected { selection, terms } = self.selected(request.selection)?;
        let is_first = request.page_token.is_empty();
        let (all, gaps) = self.sites.look(|known| {
            let all = clusters(known, &selection, request.last_findings);
            (all, is_first.then(|| gaps(known, &terms)))
        });
        let (clusters, next_page_token) = page(all, request.page_size, &request.page_token)?;
        Ok(Response::new(wire::ListClustersResponse {
            clusters,
            next_page_token,
            gaps,
        }))
    }

    async fn get_fleet_health(
        &self,
        request: Request<wire::GetFleetHealthRequest>,
    ) -> Result<Response<wire::GetFleetHealthResponse>, Status> {
        Ok(Response::new(self.health(request.into_inner())?))
    }

    type WatchFleetHealthStream = Pin<Box<dyn Stream<Item = Result<wire::WatchFleetHealthResponse, Status>> + Send>>;

    async fn watch_fleet_health(
        &self,
        request: Request<wire::WatchFleetHealthRequest>,
    ) -> Result<Response<Self::WatchFleetHealthStream>, Status> {
        let request = request.into_inner();
        let mut watch = Watch::new(
            self.selected(request.selection)?.selection,
            self.version_of(&request.resume_token)?,
        );
        let (outbox, responses) = mpsc::channel(QUEUE);
        let (own, shutdown) = (self.clone(), self.tasks.shutdown().clone());
        self.tasks.spawn("watch of the fleet", Kind::Background, async move {
            let mut changed = own.sites.watch();
            loop {
                changed.borrow_and_update();
                let now = SystemClock.now_unix_nanos();
                let news = own.sites.look(|known| watch.news(known.fleet(), now));
                for message in news.messages(own.incarnation) {
                    if outbox.send(Ok(message)).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    () = outbox.closed() => return,
                    _ = shutdown.requested() => {
                        // Whoever watches goes on with the next coordinator.
                        let _ = outbox.try_send(Err(status::stopping_of_fleet()));
                        return;
                    }
                    news = changed.changed() => if news.is_err() { return },
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }

    async fn list_cohorts(
        &self,
        request: Request<wire::ListCohortsRequest>,
    ) -> Result<Response<wire::ListCohortsResponse>, Status> {
        let Selected { selection, terms } = self.selected(request.into_inner().selection)?;
        let (found, updates_from, gaps) = self.sites.look(|known| {
            let fleet = known.fleet();
            (
                fleet.cohorts(&selection),
                fleet.updates_from_unix_ns(),
                gaps(known, &terms),
            )
        });
        let kept_from = SystemClock.now_unix_nanos().saturating_sub(UPDATES_KEPT_NANOS);
        Ok(Response::new(wire::ListCohortsResponse {
            cohorts: found.cohorts.iter().map(Into::into).collect(),
            more: found.more,
            compared: found.compared,
            clusters: found.clusters,
            unheard: unheard(found.unheard),
            partial: partial(found.partial),
            updates_from_unix_nanos: updates_from.filter(|from| *from > kept_from),
            gaps: Some(gaps),
        }))
    }

    async fn get_fleet_latency(
        &self,
        request: Request<wire::GetFleetLatencyRequest>,
    ) -> Result<Response<wire::GetFleetLatencyResponse>, Status> {
        Ok(Response::new(self.latency(request.into_inner()).await?))
    }

    type AskClustersStream = several::Answers;

    async fn ask_clusters(
        &self,
        request: Request<wire::AskClustersRequest>,
    ) -> Result<Response<Self::AskClustersStream>, Status> {
        Ok(Response::new(self.several(request.into_inner())?))
    }

    async fn list_selections(
        &self,
        request: Request<wire::ListSelectionsRequest>,
    ) -> Result<Response<wire::ListSelectionsResponse>, Status> {
        let request = request.into_inner();
        let all = self.selections.all().into_iter();
        let all = all.map(|saved| (saved.name.clone(), saved)).collect();
        let (selections, next_page_token) = page(all, request.page_size, &request.page_token)?;
        Ok(Response::new(wire::ListSelectionsResponse {
            selections,
            next_page_token,
        }))
    }

    async fn save_selection(
        &self,
        request: Request<wire::SaveSelectionRequest>,
    ) -> Result<Response<wire::SaveSelectionResponse>, Status> {
        let request = request.into_inner();
        let now = SystemClock.now_unix_nanos();
        let saved = self.blocking(move |selections| selections.save(request, now)).await?;
        tracing::info!(name = saved.name, "selection saved");
        Ok(Response::new(wire::SaveSelectionResponse { selection: Some(saved) }))
    }

    async fn delete_selection(
        &self,
        request: Request<wire::DeleteSelectionRequest>,
    ) -> Result<Response<wire::DeleteSelectionResponse>, Status> {
        let request = request.into_inner();
        let name = request.name.clone();
        let was_there = self.blocking(move |selections| selections.delete(request)).await?;
        tracing::info!(name, was_there, "selection deleted");
        Ok(Response::new(wire::DeleteSelectionResponse { was_there }))
    }

    async fn forget_site(
        &self,
        request: Request<wire::ForgetSiteRequest>,
    ) -> Result<Response<wire::ForgetSiteResponse>, Status> {
        let wire::ForgetSiteRequest { site, cluster } = request.into_inner();
        let was_known = match cluster.as_str() {
            "" => self.sites.forget(&site)?,
            cluster => self.sites.forget_cluster(&site, cluster)?,
        };
        if was_known {
            tracing::info!(site, cluster, "forgotten");
        }
        Ok(Response::new(wire::ForgetSiteResponse { was_known }))
    }
}
