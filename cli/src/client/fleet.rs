//! Asking about a fleet.

use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use tonic::Code;
use tonic::transport::Channel;

use super::{Client, MESSAGE_BYTES};
use crate::error::{Error, Result};

impl Client {
    fn fleet_service(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// All clusters that are meant, by site and name.
    pub(crate) async fn clusters(&self, selection: wire::Selection) -> Result<Vec<wire::ClusterStatus>> {
        self.clusters_with(selection, false).await
    }

    /// The same, of those that cannot be asked with the findings that were open when they were last heard, where these are asked for.
    pub(crate) async fn clusters_with(
        &self,
        selection: wire::Selection,
        last_findings: bool,
    ) -> Result<Vec<wire::ClusterStatus>> {
        let (mut clusters, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = wire::ListClustersRequest {
                selection: Some(selection.clone()),
                page_size: 0,
                page_token,
                last_findings,
            };
            let answer = self.fleet_service().list_clusters(request).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            clusters.extend(answer.clusters);
            if answer.next_page_token.is_empty() {
                return Ok(clusters);
            }
            page_token = answer.next_page_token;
        }
    }

    /// Whether any cluster is meant.
    pub(crate) async fn has_clusters(&self, selection: wire::Selection) -> Result<bool> {
        let request = wire::ListClustersRequest {
            selection: Some(selection),
            page_size: 1,
            ..wire::ListClustersRequest::default()
        };
        let answer = self.fleet_service().list_clusters(request).await;
        let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
        Ok(!answer.clusters.is_empty())
    }

    /// All sites that are meant, by name.
    pub(crate) async fn sites(&self, selection: wire::Selection) -> Result<Vec<wire::SiteStatus>> {
        let (mut sites, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = wire::ListSitesRequest {
                page_size: 0,
                page_token,
                selection: Some(selection.clone()),
            };
            let answer = self.fleet_service().list_sites(request).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            sites.extend(answer.sites);
            if answer.next_page_token.is_empty() {
                return Ok(sites);
            }
            page_token = answer.next_page_token;
        }
    }

    /// How the fleet is.
    pub(crate) async fn fleet_health(
        &self,
        request: wire::GetFleetHealthRequest,
    ) -> Result<wire::GetFleetHealthResponse> {
        let answer = self.fleet_service().get_fleet_health(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// How long operations took over clusters together.
    pub(crate) async fn fleet_latency(&self, selection: wire::Selection) -> Result<wire::GetFleetLatencyResponse> {
        let request = wire::GetFleetLatencyRequest {
            selection: Some(selection),
        };
        let answer = self.fleet_service().get_fleet_latency(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// What runs on devices, compared.
    pub(crate) async fn cohorts(&self, selection: wire::Selection) -> Result<wire::ListCohortsResponse> {
        let request = wire::ListCohortsRequest {
            selection: Some(selection),
        };
        let answer = self.fleet_service().list_cohorts(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// How the fleet is and what comes to look different, message by message, until the coordinator ends it.
    pub(crate) async fn watch_fleet(
        &self,
        request: wire::WatchFleetHealthRequest,
        mut each: impl FnMut(wire::WatchFleetHealthResponse) -> Result<()>,
    ) -> Result<()> {
        let answer = self.fleet_service().watch_fleet_health(request).await;
        let mut stream = answer.map_err(|status| self.failure(&status))?.into_inner();
        let mut token = String::new();
        loop {
            let cause = match stream.message().await {
                Ok(Some(message)) => {
                    if !message.resume_token.is_empty() {
                        token.clone_from(&message.resume_token);
                    }
                    each(message)?;
                    continue;
                }
                Ok(None) => "the coordinator stopped".to_owned(),
                Err(status) if token.is_empty() => return Err(self.failure(&status)),
                Err(status) => self.failure(&status).to_string(),
            };
            return Err(Error::WatchEnded { cause, after: token });
        }
    }

    /// Forgets a site that is missing, or a cluster (`SITE/CLUSTER`) that its site does not serve any more.
    pub(crate) async fn forget_site(&self, name: &str) -> Result<()> {
        let (site, cluster) = name.split_once('/').unwrap_or((name, ""));
        let request = wire::ForgetSiteRequest {
            site: site.to_owned(),
            cluster: cluster.to_owned(),
        };
        let answer = self.fleet_service().forget_site(request).await;
        match answer.map_err(|status| self.failure(&status))?.into_inner().was_known {
            true => Ok(()),
            false => Err(Error::NoSite { site: name.to_owned() }),
        }
    }

    /// The name of the only cluster that a fleet has. A coordinator of before there were fleets knows none but its own.
    pub(super) async fn only_of_fleet(&self) -> Result<Option<String>> {
        let request = wire::ListClustersRequest {
            page_size: 1,
            ..wire::ListClustersRequest::default()
        };
        match self.fleet_service().list_clusters(request).await {
            Ok(answer) => Ok(answer
                .into_inner()
                .clusters
                .into_iter()
                .next()
                .map(|first| first.cluster)),
            Err(status) if status.code() == Code::Unimplemented => Ok(None),
            Err(status) => Err(self.failure(&status)),
        }
    }
}
