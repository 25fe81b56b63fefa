//! Asking about findings, what-if and health.

use fathom_model::finding::{Change, Finding};
use fathom_proto::convert::findings::{change_from_wire, finding_from_wire};
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::findings_service_client::FindingsServiceClient;
use fathom_proto::query::v1::health_service_client::HealthServiceClient;
use fathom_proto::query::v1::what_if_service_client::WhatIfServiceClient;

use super::{Client, MESSAGE_BYTES, Transport};
use crate::args::RemarkArgs;
use crate::error::{Error, Result};

/// Findings and what the answer did not have.
pub(crate) struct Listed {
    pub(crate) findings: Vec<Finding>,
    pub(crate) muted: u32,
    pub(crate) sequence: u64,
    pub(crate) coverage: Option<wire::Coverage>,
}

impl Client {
    fn findings_service(&self) -> FindingsServiceClient<Transport> {
        FindingsServiceClient::new(self.transport.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// All findings that pass.
    pub(crate) async fn findings(&self, all: bool, code: &str) -> Result<Listed> {
        let (mut findings, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = wire::ListFindingsRequest {
                cluster: self.cluster.clone(),
                all,
                code: code.to_owned(),
                page_size: 0,
                page_token,
            };
            let answer = self.findings_service().list_findings(request).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            for finding in &answer.findings {
                findings.push(finding_from_wire(finding)?);
            }
            if answer.next_page_token.is_empty() {
                return Ok(Listed {
                    findings,
                    muted: answer.muted,
                    sequence: answer.sequence,
                    coverage: answer.coverage,
                });
            }
            page_token = answer.next_page_token;
        }
    }

    /// Findings that are open and then changes, message by message, until the coordinator ends it.
    pub(crate) async fn watch_findings(
        &self,
        code: &str,
        after: Option<u64>,
        mut each: impl FnMut(Vec<Finding>, Vec<Change>, &str) -> Result<()>,
    ) -> Result<()> {
        let request = wire::WatchFindingsRequest {
            cluster: self.cluster.clone(),
            resume_token: after.map_or_else(String::new, |after| after.to_string()),
            code: code.to_owned(),
        };
        let answer = self.findings_service().watch_findings(request).await;
        let mut stream = answer.map_err(|status| self.failure(&status))?.into_inner();
        let mut token = String::new();
        loop {
            let message = match stream.message().await {
                Ok(Some(message)) => message,
                Ok(None) => {
                    return Err(Error::WatchEnded {
                        cause: "the coordinator stopped".to_owned(),
                        after: token,
                    });
                }
                Err(status) if token.is_empty() => return Err(self.failure(&status)),
                Err(status) => {
                    return Err(Error::WatchEnded {
                        cause: self.failure(&status).to_string(),
                        after: token,
                    });
                }
            };
            let open = message.open.iter().map(finding_from_wire);
            let changes = message.changes.iter().map(change_from_wire);
            each(
                open.collect::<Result<_, _>>()?,
                changes.collect::<Result<_, _>>()?,
                &message.resume_token,
            )?;
            token = message.resume_token;
        }
    }

    /// Says something of a finding; the finding as it is then.
    pub(crate) async fn remark(&self, arguments: &RemarkArgs, mutes: bool) -> Result<Finding> {
        let text = |option: &Option<String>| option.clone().unwrap_or_default();
        let for_nanos = arguments.how_long.map_or(0, |span| {
            u64::try_from(span.0.as_nanos()).map_or(i64::MAX as u64, |nanos| nanos.clamp(1, i64::MAX as u64))
        });
        let (cluster, id) = (self.cluster.clone(), arguments.id.clone());
        let (by, said) = (text(&arguments.by), text(&arguments.text));
        let finding = if mutes {
            let request = wire::MuteFindingRequest {
                cluster,
                id,
                by,
                for_nanos,
                text: said,
                request_id: String::new(),
                undo: arguments.undo,
            };
            let answer = self.findings_service().mute_finding(request).await;
            answer.map_err(|status| self.failure(&status))?.into_inner().finding
        } else {
            let request = wire::AcknowledgeFindingRequest {
                cluster,
                id,
                by,
                for_nanos,
                text: said,
                request_id: String::new(),
                undo: arguments.undo,
            };
            let answer = self.findings_service().acknowledge_finding(request).await;
            answer.map_err(|status| self.failure(&status))?.into_inner().finding
        };
        let missing = fathom_proto::convert::Error::Missing { field: "finding" };
        Ok(finding_from_wire(&finding.ok_or(missing)?)?)
    }

    /// What writes would have taken without something.
    pub(crate) async fn what_if(
        &self,
        filter: wire::IoFilter,
        without: &str,
        most: u32,
        source: String,
    ) -> Result<wire::GetWhatIfResponse> {
        let request = wire::GetWhatIfRequest {
            cluster: self.cluster.clone(),
            filter: Some(filter),
            without: without.to_owned(),
            most,
            source,
        };
        let service = WhatIfServiceClient::new(self.transport.clone()).max_decoding_message_size(MESSAGE_BYTES);
        let answer = service.clone().get_what_if(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    fn health_service(&self) -> HealthServiceClient<Transport> {
        HealthServiceClient::new(self.transport.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// How everything is.
    pub(crate) async fn health(&self, history: bool) -> Result<wire::GetHealthResponse> {
        let cluster = self.cluster.clone();
        let request = wire::GetHealthRequest { cluster, history };
        let answer = self.health_service().get_health(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// How everything is and then what changes, until the coordinator ends it.
    pub(crate) async fn watch_health(
        &self,
        after: &str,
        mut each: impl FnMut(&wire::WatchHealthResponse) -> Result<()>,
    ) -> Result<()> {
        let request = wire::WatchHealthRequest {
            cluster: self.cluster.clone(),
            resume_token: after.to_owned(),
        };
        let answer = self.health_service().watch_health(request).await;
        let mut stream = answer.map_err(|status| self.failure(&status))?.into_inner();
        let mut token = String::new();
        loop {
            let cause = match stream.message().await {
                Ok(Some(message)) => {
                    each(&message)?;
                    token = message.resume_token;
                    continue;
                }
                Ok(None) => "the coordinator stopped".to_owned(),
                Err(status) if token.is_empty() => return Err(self.failure(&status)),
                Err(status) => self.failure(&status).to_string(),
            };
            return Err(Error::WatchEnded { cause, after: token });
        }
    }
}
