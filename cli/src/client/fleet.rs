//! Asking about a fleet.

use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::ask_clusters_response::Message;
use fathom_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use tonic::Code;

use super::{Client, MESSAGE_BYTES, Transport};
use crate::error::{Error, Result};

/// Entries and changes on a page of the fleet's health: some two MB at most.
const PAGE: i32 = 1000;

/// All pages of a list.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    /// What of the selection is not there.
    pub(crate) gaps: Option<wire::SelectionGaps>,
    /// When what was kept of sites was written last, where it was damaged.
    pub(crate) damaged_unix_nanos: Option<i64>,
    next_page_token: String,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            gaps: None,
            damaged_unix_nanos: None,
            next_page_token: String::new(),
        }
    }
}

impl<T> Listed<T> {
    /// Takes a page; whether it was the last.
    fn add(&mut self, items: Vec<T>, next_page_token: String) -> bool {
        self.items.extend(items);
        self.next_page_token = next_page_token;
        self.next_page_token.is_empty()
    }
}

impl Client {
    fn fleet_service(&self) -> FleetServiceClient<Transport> {
        FleetServiceClient::new(self.transport.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// All clusters that are meant, by site and name, and what of these is not there.
    pub(crate) async fn clusters(&self, selection: wire::Selection) -> Result<Listed<wire::ClusterStatus>> {
        let mut listed = Listed::default();
        loop {
            let request = wire::ListClustersRequest {
                selection: Some(selection.clone()),
                page_token: std::mem::take(&mut listed.next_page_token),
                ..wire::ListClustersRequest::default()
            };
            let answer = self.fleet_service().list_clusters(request).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            listed.gaps = listed.gaps.or(answer.gaps);
            if listed.add(answer.clusters, answer.next_page_token) {
                return Ok(listed);
            }
        }
    }

    /// What of a selection is not there.
    pub(crate) async fn gaps(&self, request: wire::ListClustersRequest) -> Result<Option<wire::SelectionGaps>> {
        let answer = self.fleet_service().list_clusters(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner().gaps)
    }

    /// All sites that are meant, by name, and what of these is not there.
    pub(crate) async fn sites(&self, selection: wire::Selection) -> Result<Listed<wire::SiteStatus>> {
        let mut listed = Listed::default();
        loop {
            let request = wire::ListSitesRequest {
                selection: Some(selection.clone()),
                page_token: std::mem::take(&mut listed.next_page_token),
                ..wire::ListSitesRequest::default()
            };
            let answer = self.fleet_service().list_sites(request).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            listed.gaps = listed.gaps.or(answer.gaps);
            listed.damaged_unix_nanos = answer.damaged_unix_nanos;
            if listed.add(answer.sites, answer.next_page_token) {
                return Ok(listed);
            }
        }
    }

    /// The selections that were saved, by name.
    pub(crate) async fn selections(&self) -> Result<Vec<wire::SavedSelection>> {
        let mut listed = Listed::default();
        loop {
            let request = wire::ListSelectionsRequest {
                page_size: 0,
                page_token: std::mem::take(&mut listed.next_page_token),
            };
            let answer = self.fleet_service().list_selections(request).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            if listed.add(answer.selections, answer.next_page_token) {
                return Ok(listed.items);
            }
        }
    }

    /// Saves a selection.
    pub(crate) async fn save_selection(&self, request: wire::SaveSelectionRequest) -> Result<()> {
        let answer = self.fleet_service().save_selection(request).await;
        answer.map_err(|status| self.failure(&status)).map(drop)
    }

    /// Deletes a selection; whether there was one.
    pub(crate) async fn delete_selection(&self, request: wire::DeleteSelectionRequest) -> Result<bool> {
        let answer = self.fleet_service().delete_selection(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner().was_there)
    }

    /// Puts one question to several clusters, and hands out what comes of it.
    pub(crate) async fn ask_clusters(
        &self,
        request: wire::AskClustersRequest,
        mut each: impl FnMut(Message),
    ) -> Result<()> {
        let answer = self.fleet_service().ask_clusters(request).await;
        let mut stream = answer.map_err(|status| self.failure(&status))?.into_inner();
        loop {
            let response = stream.message().await.map_err(|status| self.failure(&status))?;
            let Some(response) = response else {
                return Err(Error::Malformed(fathom_proto::convert::Error::Missing {
                    field: "summary",
                }));
            };
            // One of a later version is none of an answer.
            let Some(message) = response.message else { continue };
            let is_last = matches!(message, Message::Summary(_));
            each(message);
            if is_last {
                return Ok(());
            }
        }
    }

    /// How the fleet is, all pages together.
    pub(crate) async fn fleet_health(
        &self,
        request: wire::GetFleetHealthRequest,
    ) -> Result<wire::GetFleetHealthResponse> {
        let mut whole = wire::GetFleetHealthResponse::default();
        loop {
            let is_first = whole.next_page_token.is_empty();
            let request = wire::GetFleetHealthRequest {
                page_size: PAGE,
                page_token: std::mem::take(&mut whole.next_page_token),
                ..request.clone()
            };
            let answer = self.fleet_service().get_fleet_health(request).await;
            let mut answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            if is_first {
                whole = answer;
            } else {
                whole.entries.append(&mut answer.entries);
                whole.changes.append(&mut answer.changes);
                whole.next_page_token = answer.next_page_token;
            }
            if whole.next_page_token.is_empty() {
                return Ok(whole);
            }
        }
    }

    /// How long operations took over clusters together.
    pub(crate) async fn fleet_latency(
        &self,
        request: wire::GetFleetLatencyRequest,
    ) -> Result<wire::GetFleetLatencyResponse> {
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
