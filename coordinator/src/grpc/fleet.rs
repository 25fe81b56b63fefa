//! `FleetService` of `fathom.fleet.v1`: what is known of all clusters together.

use std::pin::Pin;
use std::time::Duration;

use fathom_model::fleet::Percentiles;
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
use crate::fleet::sites::{Known, Reach, Site};

mod watch;

use watch::Watch;

/// A watch says what is new at most this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Messages of a watch on their way. When it is full the watch waits, and says the newest when it goes on.
const QUEUE: usize = 4;

/// So many of the findings that were open when a cluster was last heard are given.
const LAST_FINDINGS: usize = 20;

/// How a cluster is called that its site does not serve any more.
const WITHDRAWN: &str = "withdrawn";

/// Answers from what sites told.
#[derive(Clone)]
pub(crate) struct Fleet {
    sites: Sites,
    /// Of which process a token is.
    incarnation: u64,
    tasks: TaskGroup,
}

impl Fleet {
    pub(crate) const fn new(sites: Sites, incarnation: u64, tasks: TaskGroup) -> Self {
        Self {
            sites,
            incarnation,
            tasks,
        }
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

fn selected(selection: Option<wire::Selection>) -> Result<Selection, Status> {
    let selection = selection.unwrap_or_default();
    Selection::parse(&selection.terms, &selection.sites)
        .map_err(|error| status::invalid_of_fleet(format!("selection: {error}")))
}

/// One page of a list by names.
fn page<T>(items: Vec<(String, T)>, size: i32, token: &str) -> Result<(Vec<T>, String), Status> {
    if size < 0 {
        return Err(status::invalid_of_fleet("page_size is negative"));
    }
    sealed_page(items, size, token).ok_or_else(status::bad_page_token)?
}

fn site_status(name: &str, site: &Site) -> wire::SiteStatus {
    wire::SiteStatus {
        site: name.to_owned(),
        reach: site.reach().as_str().to_owned(),
        heard_unix_nanos: site.heard_unix_nanos,
        missing_since_unix_nanos: site.missing_since(),
        labels: site.labels.clone(),
        version: site.version.clone(),
        clusters: u32::try_from(site.served().count()).unwrap_or(u32::MAX),
        policy: site.policy.clone(),
        refused_twin_unix_nanos: site.twice_unix_nanos,
    }
}

/// The clusters that are meant. The names by which they are paged sort as site and cluster do.
fn clusters(known: &Known, selection: &Selection, with_last: bool) -> Vec<(String, wire::ClusterStatus)> {
    let now = SystemClock.now_unix_nanos();
    let mut found = Vec::new();
    for (site, of_site) in known.sites() {
        for (cluster, of_cluster) in &of_site.clusters {
            let key = ClusterKey::new(site, cluster.as_str());
            let labels = of_site.labels_of(of_cluster);
            if !selection.has(&key, &labels) {
                continue;
            }
            let findings = of_cluster.findings.as_ref();
            let entry = known.fleet().cluster_entry(&key, now);
            let is_withdrawn = of_cluster.withdrawn_since_unix_nanos.is_some();
            let (state, reason) = match entry {
                // Whoever cannot be reached is not known now, however short that is.
                _ if of_site.missing_since().is_some() => ("unknown".to_owned(), format!("site {site} is missing")),
                _ if is_withdrawn => ("unknown".to_owned(), format!("site {site} does not serve it any more")),
                Some(entry) => (entry.state.as_str().to_owned(), entry.reason),
                None => ("unknown".to_owned(), String::new()),
            };
            let missing_since_unix_nanos = of_site.cluster_missing_since(of_cluster);
            let is_last_asked = with_last && missing_since_unix_nanos.is_some();
            let status = wire::ClusterStatus {
                site: site.to_owned(),
                cluster: cluster.clone(),
                address: known.address(site, cluster),
                labels,
                reach: match of_site.reach() {
                    Reach::Connected if is_withdrawn => WITHDRAWN.to_owned(),
                    reach => reach.as_str().to_owned(),
                },
                heard_unix_nanos: of_site.heard_unix_nanos,
                missing_since_unix_nanos,
                open_findings: findings.map(|findings| u32::try_from(findings.open.len()).unwrap_or(u32::MAX)),
                findings_sequence: findings.map(|findings| findings.sequence),
                state,
                reason,
                last_findings: findings
                    .filter(|_| is_last_asked)
                    .map_or_else(Vec::new, |findings| findings.costliest(LAST_FINDINGS)),
            };
            found.push((format!("{site}\0{cluster}"), status));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Whether a site is meant: it has a cluster that is, or sites alone were named and it is one of them.
fn is_meant(name: &str, site: &Site, selection: &Selection) -> bool {
    let mut clusters = site.clusters.iter();
    selection.is_all()
        || (selection.is_of_sites() && selection.may_have_site(name))
        || clusters.any(|(cluster, of)| selection.has(&ClusterKey::new(name, cluster.as_str()), &site.labels_of(of)))
}

/// Sites that are missing, with clusters that are meant.
fn missing(known: &Known, selection: &Selection) -> Vec<wire::SiteStatus> {
    let missing = known.sites().filter(|(_, site)| site.missing_since().is_some());
    let meant = missing.filter(|(name, site)| is_meant(name, site, selection));
    meant.map(|(name, site)| site_status(name, site)).collect()
}

/// Clusters that are meant and that their sites, which are connected, do not serve any more.
fn withdrawn(known: &Known, selection: &Selection) -> Vec<wire::UnheardCluster> {
    let connected = known.sites().filter(|(_, site)| site.missing_since().is_none());
    let clusters = connected.flat_map(|(name, site)| site.clusters.iter().map(move |own| (name, site, own)));
    let withdrawn = clusters.filter_map(|(name, site, (cluster, own))| {
        let since = own.withdrawn_since_unix_nanos?;
        let key = ClusterKey::new(name, cluster.as_str());
        selection.has(&key, &site.labels_of(own)).then_some((key, Some(since)))
    });
    unheard(withdrawn.collect())
}

#[tonic::async_trait]
impl FleetService for Fleet {
    async fn list_sites(
        &self,
        request: Request<wire::ListSitesRequest>,
    ) -> Result<Response<wire::ListSitesResponse>, Status> {
        let request = request.into_inner();
        let selection = selected(request.selection)?;
        let all = self.sites.look(|known| {
            let sites = known
                .sites()
                .filter(|(name, site)| is_meant(name, site, &selection))
                .map(|(name, site)| (name.to_owned(), site_status(name, site)));
            sites.collect()
        });
        let (sites, next_page_token) = page(all, request.page_size, &request.page_token)?;
        Ok(Response::new(wire::ListSitesResponse { sites, next_page_token }))
    }

    async fn list_clusters(
        &self,
        request: Request<wire::ListClustersRequest>,
    ) -> Result<Response<wire::ListClustersResponse>, Status> {
        let request = request.into_inner();
        let selection = selected(request.selection)?;
        let all = self
            .sites
            .look(|known| clusters(known, &selection, request.last_findings));
        let (clusters, next_page_token) = page(all, request.page_size, &request.page_token)?;
        Ok(Response::new(wire::ListClustersResponse {
            clusters,
            next_page_token,
        }))
    }

    async fn get_fleet_health(
        &self,
        request: Request<wire::GetFleetHealthRequest>,
    ) -> Result<Response<wire::GetFleetHealthResponse>, Status> {
        let request = request.into_inner();
        let selection = selected(request.selection)?;
        let now = SystemClock.now_unix_nanos();
        Ok(Response::new(self.sites.look(|known| {
            let fleet = known.fleet();
            let mut entries = vec![fleet.selected_entry(&selection, now)];
            entries.extend(fleet.site_entries(&selection, now));
            if request.clusters {
                entries.extend(fleet.cluster_entries(&selection, now));
            }
            let (changes, from) = match request.changes_nanos {
                0 => (Vec::new(), None),
                nanos => fleet.changes(&selection, now.saturating_sub_unsigned(nanos), now),
            };
            wire::GetFleetHealthResponse {
                entries: entries.iter().map(Into::into).collect(),
                changes: changes.iter().map(Into::into).collect(),
                changes_from_unix_nanos: from,
                missing: missing(known, &selection),
                withdrawn: withdrawn(known, &selection),
            }
        })))
    }

    type WatchFleetHealthStream = Pin<Box<dyn Stream<Item = Result<wire::WatchFleetHealthResponse, Status>> + Send>>;

    async fn watch_fleet_health(
        &self,
        request: Request<wire::WatchFleetHealthRequest>,
    ) -> Result<Response<Self::WatchFleetHealthStream>, Status> {
        let request = request.into_inner();
        let mut watch = Watch::new(selected(request.selection)?, self.version_of(&request.resume_token)?);
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
        let selection = selected(request.into_inner().selection)?;
        let (found, updates_from) = self.sites.look(|known| {
            let fleet = known.fleet();
            (fleet.cohorts(&selection), fleet.updates_from_unix_ns())
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
        }))
    }

    async fn get_fleet_latency(
        &self,
        request: Request<wire::GetFleetLatencyRequest>,
    ) -> Result<Response<wire::GetFleetLatencyResponse>, Status> {
        let selection = selected(request.into_inner().selection)?;
        let merged = self.sites.look(|known| known.fleet().latency(&selection));
        let latency = merged.latency.iter().map(|row| wire::FleetLatency {
            tap: row.tap.as_str().to_owned(),
            op: row.op.as_str().to_owned(),
            percentiles: Some((&Percentiles::from(&row.sketch)).into()),
        });
        Ok(Response::new(wire::GetFleetLatencyResponse {
            latency: latency.collect(),
            clusters: merged.clusters,
            unheard: unheard(merged.unheard),
            partial: partial(merged.partial),
            from_unix_nanos: merged.span_unix_ns.map(|(from, _)| from),
            to_unix_nanos: merged.span_unix_ns.map(|(_, to)| to),
        }))
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
