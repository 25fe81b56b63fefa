//! `FleetService` of `fathom.fleet.v1`: what is known of all clusters together.

use std::pin::Pin;
use std::time::Duration;

use fathom_model::fleet::{Entry, Percentiles};
use fathom_model::rollup::ClusterKey;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::fleet_service_server::FleetService;
use fathom_rollup::Selection;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::tasks::{Kind, TaskGroup};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{paging::page, status};
use crate::fleet::Sites;
use crate::fleet::sites::{Known, Site};

/// A watch says what is new at most this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Messages of a watch on their way. When it is full the watch waits, and says the newest when it goes on.
const QUEUE: usize = 4;

/// Entries in a message of a watch.
const SOME: usize = 500;

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

    /// What looks different since a version, in messages; the version after it.
    fn news(&self, version: u64) -> (Vec<wire::WatchFleetHealthResponse>, u64) {
        let now = SystemClock.now_unix_nanos();
        let (delta, entries) = self.sites.look(|known| {
            let fleet = known.fleet();
            let delta = fleet.changed_since(version);
            let mut entries: Vec<Entry> = vec![fleet.fleet_entry(now)];
            let mut sites: Vec<&str> = delta.changed.iter().map(|key| key.site.as_str()).collect();
            sites.sort_unstable();
            sites.dedup();
            entries.extend(sites.into_iter().filter_map(|site| fleet.site_entry(site, now)));
            entries.extend(delta.changed.iter().filter_map(|key| fleet.cluster_entry(key, now)));
            (delta, entries)
        });
        if delta.changed.is_empty() && delta.gone.is_empty() && !delta.is_all {
            return (Vec::new(), delta.version);
        }
        let mut messages: Vec<wire::WatchFleetHealthResponse> = entries
            .chunks(SOME)
            .map(|some| wire::WatchFleetHealthResponse {
                entries: some.iter().map(Into::into).collect(),
                ..wire::WatchFleetHealthResponse::default()
            })
            .collect();
        if let Some(first) = messages.first_mut() {
            first.is_all = delta.is_all;
            first.gone = delta.gone.into_iter().map(name).collect();
        }
        if let Some(last) = messages.last_mut() {
            // Whoever breaks off before has not seen all of it, and begins at the same place again.
            last.resume_token = format!("{:016x}.{}", self.incarnation, delta.version);
        }
        (messages, delta.version)
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
            None => Err(status::invalid("resume_token is not one of an earlier message")),
        }
    }
}

fn name(key: ClusterKey) -> wire::ClusterName {
    wire::ClusterName {
        site: key.site,
        cluster: key.cluster,
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

fn selected(selection: Option<wire::Selection>) -> Result<Selection, Status> {
    let selection = selection.unwrap_or_default();
    Selection::parse(&selection.terms, &selection.sites).map_err(|error| status::invalid(format!("selection: {error}")))
}

fn site_status(name: &str, site: &Site) -> wire::SiteStatus {
    wire::SiteStatus {
        site: name.to_owned(),
        reach: site.reach().as_str().to_owned(),
        heard_unix_nanos: site.heard_unix_nanos,
        missing_since_unix_nanos: site.missing_since(),
        labels: site.labels.clone(),
        version: site.version.clone(),
        clusters: u32::try_from(site.clusters.len()).unwrap_or(u32::MAX),
        policy: site.policy.clone(),
    }
}

/// The clusters that are meant. The names by which they are paged sort as site and cluster do.
fn clusters(known: &Known, selection: &Selection) -> Vec<(String, wire::ClusterStatus)> {
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
            let missing_since = of_site.missing_since();
            let (state, reason) = match entry {
                // Whoever cannot be reached is not known now, however short that is.
                _ if missing_since.is_some() => ("unknown".to_owned(), format!("site {site} is missing")),
                Some(entry) => (entry.state.as_str().to_owned(), entry.reason),
                None => ("unknown".to_owned(), String::new()),
            };
            let status = wire::ClusterStatus {
                site: site.to_owned(),
                cluster: cluster.clone(),
                address: known.address(site, cluster),
                labels,
                reach: of_site.reach().as_str().to_owned(),
                heard_unix_nanos: of_site.heard_unix_nanos,
                missing_since_unix_nanos: missing_since,
                open_findings: findings.map(|findings| u32::try_from(findings.open.len()).unwrap_or(u32::MAX)),
                findings_sequence: findings.map(|findings| findings.sequence),
                state,
                reason,
            };
            found.push((format!("{site}\0{cluster}"), status));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Sites that are missing, with clusters that are meant.
fn missing(known: &Known, selection: &Selection) -> Vec<wire::SiteStatus> {
    let is_meant = |name: &str, site: &Site| {
        let mut clusters = site.clusters.iter();
        clusters.any(|(cluster, of)| selection.has(&ClusterKey::new(name, cluster.as_str()), &site.labels_of(of)))
    };
    let missing = known.sites().filter(|(_, site)| site.missing_since().is_some());
    let meant = missing.filter(|(name, site)| selection.is_all() || is_meant(name, site));
    meant.map(|(name, site)| site_status(name, site)).collect()
}

#[tonic::async_trait]
impl FleetService for Fleet {
    async fn list_sites(
        &self,
        request: Request<wire::ListSitesRequest>,
    ) -> Result<Response<wire::ListSitesResponse>, Status> {
        let request = request.into_inner();
        let all = self.sites.look(|known| {
            let sites = known
                .sites()
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
        let all = self.sites.look(|known| clusters(known, &selection));
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
                nanos => fleet.changes(&selection, now.saturating_sub_unsigned(nanos)),
            };
            wire::GetFleetHealthResponse {
                entries: entries.iter().map(Into::into).collect(),
                changes: changes.iter().map(Into::into).collect(),
                changes_from_unix_nanos: from,
                missing: missing(known, &selection),
            }
        })))
    }

    type WatchFleetHealthStream = Pin<Box<dyn Stream<Item = Result<wire::WatchFleetHealthResponse, Status>> + Send>>;

    async fn watch_fleet_health(
        &self,
        request: Request<wire::WatchFleetHealthRequest>,
    ) -> Result<Response<Self::WatchFleetHealthStream>, Status> {
        let mut version = self.version_of(&request.into_inner().resume_token)?;
        let (outbox, responses) = mpsc::channel(QUEUE);
        let (own, shutdown) = (self.clone(), self.tasks.shutdown().clone());
        self.tasks.spawn("watch of the fleet", Kind::Background, async move {
            let mut changed = own.sites.watch();
            loop {
                changed.borrow_and_update();
                let (messages, now) = own.news(version);
                version = now;
                for message in messages {
                    if outbox.send(Ok(message)).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    () = outbox.closed() => return,
                    _ = shutdown.requested() => {
                        // Whoever watches goes on with the next coordinator.
                        let _ = outbox.try_send(Err(status::stopping()));
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
        let found = self.sites.look(|known| known.fleet().cohorts(&selection));
        Ok(Response::new(wire::ListCohortsResponse {
            cohorts: found.cohorts.iter().map(Into::into).collect(),
            more: found.more,
            compared: found.compared,
            clusters: found.clusters,
            unheard: unheard(found.unheard),
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
            from_unix_nanos: merged.span_unix_ns.map(|(from, _)| from),
            to_unix_nanos: merged.span_unix_ns.map(|(_, to)| to),
        }))
    }

    async fn forget_site(
        &self,
        request: Request<wire::ForgetSiteRequest>,
    ) -> Result<Response<wire::ForgetSiteResponse>, Status> {
        let site = request.into_inner().site;
        self.sites.forget(&site)?;
        tracing::info!(site, "site forgotten");
        Ok(Response::new(wire::ForgetSiteResponse {}))
    }
}
