//! `FleetService` of `fathom.fleet.v1`: what is known of all clusters together.

use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::fleet_service_server::FleetService;
use tonic::{Request, Response, Status};

use super::paging::page;
use crate::fleet::Sites;
use crate::fleet::selection::Selection;
use crate::fleet::sites::Known;

/// Answers from what sites told.
#[derive(Clone)]
pub(crate) struct Fleet {
    sites: Sites,
}

impl Fleet {
    pub(crate) const fn new(sites: Sites) -> Self {
        Self { sites }
    }
}

/// All sites.
fn sites(known: &Known) -> Vec<(String, wire::SiteStatus)> {
    let sites = known.sites().map(|(name, site)| {
        let status = wire::SiteStatus {
            site: name.to_owned(),
            reach: site.reach().as_str().to_owned(),
            heard_unix_nanos: site.heard_unix_nanos,
            missing_since_unix_nanos: site.missing_since(),
            labels: site.labels.clone(),
            version: site.version.clone(),
            clusters: u32::try_from(site.clusters.len()).unwrap_or(u32::MAX),
            policy: site.policy.clone(),
        };
        (name.to_owned(), status)
    });
    sites.collect()
}

/// The clusters that are meant. The names by which they are paged sort as site and cluster do.
fn clusters(known: &Known, selection: &Selection) -> Vec<(String, wire::ClusterStatus)> {
    let mut found = Vec::new();
    for (site, of_site) in known.sites() {
        for (cluster, of_cluster) in &of_site.clusters {
            if !selection.has(site, cluster, &of_site.labels, &of_cluster.labels) {
                continue;
            }
            let mut labels = of_site.labels.clone();
            labels.extend(of_cluster.labels.clone());
            let findings = of_cluster.findings.as_ref();
            let status = wire::ClusterStatus {
                site: site.to_owned(),
                cluster: cluster.clone(),
                address: known.address(site, cluster),
                labels,
                reach: of_site.reach().as_str().to_owned(),
                heard_unix_nanos: of_site.heard_unix_nanos,
                missing_since_unix_nanos: of_site.missing_since(),
                open_findings: findings.map(|findings| u32::try_from(findings.open.len()).unwrap_or(u32::MAX)),
                findings_sequence: findings.map(|findings| findings.sequence),
                state: "unknown".to_owned(),
                reason: String::new(),
            };
            found.push((format!("{site}\0{cluster}"), status));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[tonic::async_trait]
impl FleetService for Fleet {
    async fn list_sites(
        &self,
        request: Request<wire::ListSitesRequest>,
    ) -> Result<Response<wire::ListSitesResponse>, Status> {
        let request = request.into_inner();
        let (sites, next_page_token) = page(self.sites.look(sites), request.page_size, &request.page_token)?;
        Ok(Response::new(wire::ListSitesResponse { sites, next_page_token }))
    }

    async fn list_clusters(
        &self,
        request: Request<wire::ListClustersRequest>,
    ) -> Result<Response<wire::ListClustersResponse>, Status> {
        let request = request.into_inner();
        let selection = Selection::from_wire(request.selection)?;
        let all = self.sites.look(|known| clusters(known, &selection));
        let (clusters, next_page_token) = page(all, request.page_size, &request.page_token)?;
        Ok(Response::new(wire::ListClustersResponse {
            clusters,
            next_page_token,
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
