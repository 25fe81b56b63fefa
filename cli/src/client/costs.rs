//! Asking what jobs cost, what changed, what is usual, and when objectives were not met.

use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::baseline_service_client::BaselineServiceClient;
use fathom_proto::query::v1::compare_service_client::CompareServiceClient;
use fathom_proto::query::v1::ledger_service_client::LedgerServiceClient;
use fathom_proto::query::v1::objectives_service_client::ObjectivesServiceClient;

use super::{Client, MESSAGE_BYTES};
use crate::error::Result;

impl Client {
    /// The ledger of storage jobs.
    pub(crate) async fn ledger(&self, since_nanos: u64, source: String) -> Result<wire::GetJobLedgerResponse> {
        let request = wire::GetJobLedgerRequest {
            cluster: self.cluster.clone(),
            since_nanos,
            source,
        };
        let mut service = LedgerServiceClient::new(self.transport.clone()).max_decoding_message_size(MESSAGE_BYTES);
        let answer = service.get_job_ledger(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// Two stretches side by side.
    pub(crate) async fn compare(
        &self,
        before: i64,
        after: i64,
        window_nanos: u64,
        source: String,
    ) -> Result<wire::CompareStretchesResponse> {
        let request = wire::CompareStretchesRequest {
            cluster: self.cluster.clone(),
            before_unix_nanos: before,
            after_unix_nanos: after,
            window_nanos,
            source,
        };
        let mut service = CompareServiceClient::new(self.transport.clone()).max_decoding_message_size(MESSAGE_BYTES);
        let answer = service.compare_stretches(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// All that is usual, in one answer.
    pub(crate) async fn baselines(&self, asked: wire::ListBaselinesRequest) -> Result<wire::ListBaselinesResponse> {
        let mut service = BaselineServiceClient::new(self.transport.clone()).max_decoding_message_size(MESSAGE_BYTES);
        let mut whole = wire::ListBaselinesResponse::default();
        let mut page_token = String::new();
        loop {
            let request = wire::ListBaselinesRequest {
                cluster: self.cluster.clone(),
                page_token,
                ..asked.clone()
            };
            let answer = service.list_baselines(request).await;
            let mut answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            page_token = std::mem::take(&mut answer.next_page_token);
            whole.baselines.append(&mut answer.baselines);
            whole.coverage = whole.coverage.or(answer.coverage);
            if page_token.is_empty() {
                whole.total = answer.total;
                return Ok(whole);
            }
        }
    }

    /// All minutes of a stretch in which an objective was not met, in one answer.
    pub(crate) async fn slow_minutes(
        &self,
        from: Option<i64>,
        until: Option<i64>,
    ) -> Result<wire::ListSlowMinutesResponse> {
        let mut service = ObjectivesServiceClient::new(self.transport.clone()).max_decoding_message_size(MESSAGE_BYTES);
        let mut whole: Option<wire::ListSlowMinutesResponse> = None;
        let mut page_token = String::new();
        loop {
            let request = wire::ListSlowMinutesRequest {
                cluster: self.cluster.clone(),
                from_unix_nanos: from.unwrap_or(0),
                until_unix_nanos: until.unwrap_or(0),
                page_size: 0,
                page_token,
            };
            let answer = service.list_slow_minutes(request).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            page_token = answer.next_page_token.clone();
            let whole = match &mut whole {
                Some(whole) => {
                    whole.minutes.extend(answer.minutes);
                    whole
                }
                None => whole.insert(answer),
            };
            if page_token.is_empty() {
                return Ok(std::mem::take(whole));
            }
        }
    }
}
