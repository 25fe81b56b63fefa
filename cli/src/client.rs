//! Asking a coordinator.

use std::time::{Duration, Instant};

use fathom_identity::explain::{REFUSED, chain, is_closed, tls_problem};
use fathom_identity::files::Credentials;
use fathom_proto::control::v1 as control;
use fathom_proto::control::v1::control_service_client::ControlServiceClient;
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::query_service_client::QueryServiceClient;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::units::Span;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::args::Which;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::scope;

mod costs;
mod findings;
mod fleet;
mod transport;

pub(crate) use findings::Listed;
pub(crate) use transport::{Answer, First, Question, Transport};

/// How long a connection may take, and an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// The longest stretch of time that is asked about, 292 years.
const MOST_NANOS: u64 = i64::MAX as u64;

/// Largest answer.
const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// A connection to a coordinator, and which cluster to ask about.
#[derive(Clone)]
pub(crate) struct Client {
    address: String,
    cluster: String,
    service: QueryServiceClient<Transport>,
    control: ControlServiceClient<Transport>,
    transport: Transport,
}

impl Client {
    /// Connects, and checks that a coordinator of this protocol answers. Where several clusters are asked, that was done for all of them.
    pub(crate) async fn connect(context: &Context) -> Result<Self> {
        if let Some(transport) = scope::transport() {
            return Ok(Self::over(context, transport));
        }
        let credentials = Credentials::load(&context.ca, &context.cert, &context.key)?;
        credentials.verify(SystemClock.now())?;
        let address = context.coordinator.clone();
        let unusable = || Error::Address {
            address: address.clone(),
        };
        if !address.starts_with("https://") {
            return Err(unusable());
        }
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&credentials.ca_pem))
            .identity(Identity::from_pem(&credentials.certificate_pem, &credentials.key_pem));
        let endpoint = Endpoint::from_shared(address.clone())
            .map_err(|_| unusable())?
            .tls_config(tls)
            .map_err(|error| Error::Tls {
                address: address.clone(),
                problem: chain(&error),
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT);
        // The transport's own limit ends with the TCP handshake; whoever accepts and says nothing would hold us for ever.
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect()).await;
        let connected = connected.map_err(|_| Error::Unreachable {
            address: address.clone(),
            cause: format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        })?;
        let channel = connected.map_err(|error| match tls_problem(&error) {
            Some(problem) => Error::Tls {
                address: address.clone(),
                problem,
            },
            None if is_closed(&error) => refused(&address),
            None => Error::Unreachable {
                address: address.clone(),
                cause: innermost(&error),
            },
        })?;
        let client = Self::over(context, Transport::new(channel));
        let status = client.first_status().await?;
        if status.protocol_version != fathom_proto::QUERY_PROTOCOL {
            let message = format!("it speaks version {} of the query protocol", status.protocol_version);
            return Err(Error::Protocol {
                address: client.address,
                message,
            });
        }
        Ok(client)
    }

    fn over(context: &Context, transport: Transport) -> Self {
        Self {
            address: context.coordinator.clone(),
            cluster: context.cluster.clone(),
            service: QueryServiceClient::new(transport.clone()).max_decoding_message_size(MESSAGE_BYTES),
            control: ControlServiceClient::new(transport.clone()),
            transport,
        }
    }

    /// One without a coordinator.
    #[cfg(test)]
    pub(crate) fn of_transport(transport: Transport) -> Self {
        Self::over(&Context::default(), transport)
    }

    /// Its connection, for commands that are run for several clusters.
    pub(crate) const fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The first answer on a connection. For us the handshake is over by now, for a coordinator that checks our certificate it is not.
    async fn first_status(&self) -> Result<wire::GetStatusResponse> {
        let asked = Instant::now();
        self.status().await.map_err(|error| match error {
            Error::Unreachable { .. } if asked.elapsed() < ANSWER_TIMEOUT => refused(&self.address),
            other => other,
        })
    }

    pub(crate) async fn status(&self) -> Result<wire::GetStatusResponse> {
        let answer = self.service.clone().get_status(wire::GetStatusRequest {}).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// All nodes, and what was not complete.
    pub(crate) async fn nodes(&self) -> Result<(Vec<wire::NodeStatus>, Option<wire::Coverage>)> {
        let mut nodes = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = wire::ListNodesRequest {
                cluster: self.cluster.clone(),
                page_size: 0,
                page_token,
            };
            let answer = self.service.clone().list_nodes(request).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            nodes.extend(answer.nodes);
            if answer.next_page_token.is_empty() {
                return Ok((nodes, answer.coverage));
            }
            page_token = answer.next_page_token;
        }
    }

    /// All volumes, with what was not complete and what their writes were counted from: those of the last page.
    pub(crate) async fn volumes(&self) -> Result<wire::ListVolumesResponse> {
        let mut volumes = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = wire::ListVolumesRequest {
                cluster: self.cluster.clone(),
                page_size: 0,
                page_token,
            };
            let answer = self.service.clone().list_volumes(request).await;
            let mut answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            volumes.append(&mut answer.volumes);
            if answer.next_page_token.is_empty() {
                return Ok(wire::ListVolumesResponse { volumes, ..answer });
            }
            page_token = answer.next_page_token;
        }
    }

    pub(crate) async fn ios(
        &self,
        filter: wire::IoFilter,
        order: wire::IoOrder,
        most: u32,
    ) -> Result<wire::ListIosResponse> {
        let request = wire::ListIosRequest {
            cluster: self.cluster.clone(),
            filter: Some(filter),
            order: order.into(),
            page_size: most as i32,
            page_token: String::new(),
        };
        let answer = self.service.clone().list_ios(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// One I/O, and what was not complete.
    pub(crate) async fn io(&self, id: &str) -> Result<(wire::Io, wire::GetIoResponse)> {
        let request = wire::GetIoRequest {
            cluster: self.cluster.clone(),
            id: id.to_owned(),
        };
        let answer = self.service.clone().get_io(request).await;
        let mut answer = answer.map_err(|status| self.failure(&status))?.into_inner();
        let missing = Error::Malformed(fathom_proto::convert::Error::Missing { field: "io" });
        Ok((answer.io.take().ok_or(missing)?, answer))
    }

    /// All I/Os that pass, a message at a time.
    pub(crate) async fn all_ios(&self, filter: wire::IoFilter, mut each: impl FnMut(wire::Io)) -> Result<()> {
        let request = wire::StreamIosRequest {
            cluster: self.cluster.clone(),
            filter: Some(filter),
        };
        let answer = self.service.clone().stream_ios(request).await;
        let mut stream = answer.map_err(|status| self.failure(&status))?.into_inner();
        while let Some(some) = stream.message().await.map_err(|status| self.failure(&status))? {
            some.ios.into_iter().for_each(&mut each);
        }
        Ok(())
    }

    pub(crate) async fn latency(
        &self,
        filter: wire::IoFilter,
        by: &str,
        source: String,
    ) -> Result<wire::GetLatencyResponse> {
        let request = wire::GetLatencyRequest {
            cluster: self.cluster.clone(),
            filter: Some(filter),
            by: by.to_owned(),
            source,
        };
        let answer = self.service.clone().get_latency(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    pub(crate) async fn report(&self, filter: wire::IoFilter, source: String) -> Result<wire::GetReportResponse> {
        let request = wire::GetReportRequest {
            cluster: self.cluster.clone(),
            filter: Some(filter),
            source,
        };
        let answer = self.service.clone().get_report(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// All resources that pass, as they were at a moment, and what was looked at.
    pub(crate) async fn resources(
        &self,
        filter: wire::ResourceFilter,
        at: Option<i64>,
    ) -> Result<(Vec<wire::Resource>, Option<wire::StateCoverage>)> {
        let (mut resources, mut page_token, mut moment) = (Vec::new(), String::new(), at);
        loop {
            let request = wire::ListResourcesRequest {
                cluster: self.cluster.clone(),
                filter: Some(filter.clone()),
                at_unix_nanos: moment,
                page_size: 0,
                page_token,
            };
            let answer = self.service.clone().list_resources(request).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            resources.extend(answer.resources);
            if answer.next_page_token.is_empty() {
                return Ok((resources, answer.coverage));
            }
            // All pages are of one moment.
            moment = answer.coverage.and_then(|coverage| coverage.at_unix_nanos);
            page_token = answer.next_page_token;
        }
    }

    /// Everything that was said of a resource.
    pub(crate) async fn history(
        &self,
        resource: &str,
        kind: &str,
        at: Option<i64>,
    ) -> Result<(Vec<fathom_proto::collect::v1::Observation>, Option<wire::StateCoverage>)> {
        let (mut rows, mut page_token, mut moment) = (Vec::new(), String::new(), at);
        loop {
            let request = wire::ListHistoryRequest {
                cluster: self.cluster.clone(),
                resource: resource.to_owned(),
                kind: kind.to_owned(),
                at_unix_nanos: moment,
                page_size: 0,
                page_token,
            };
            let answer = self.service.clone().list_history(request).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            rows.extend(answer.observations);
            if answer.next_page_token.is_empty() {
                return Ok((rows, answer.coverage));
            }
            moment = answer.coverage.and_then(|coverage| coverage.at_unix_nanos);
            page_token = answer.next_page_token;
        }
    }

    /// Readings of counters, and the stretch of time that was looked at.
    pub(crate) async fn counters(
        &self,
        request: wire::ListCountersRequest,
    ) -> Result<(
        Vec<wire::CounterSeries>,
        Option<(i64, i64)>,
        Option<wire::StateCoverage>,
    )> {
        let mut request = wire::ListCountersRequest {
            cluster: self.cluster.clone(),
            ..request
        };
        let mut series = Vec::new();
        loop {
            let answer = self.service.clone().list_counters(request.clone()).await;
            let answer = answer.map_err(|status| self.failure(&status))?.into_inner();
            series.extend(answer.series);
            let stretch = answer.from_unix_nanos.zip(answer.until_unix_nanos);
            if answer.next_page_token.is_empty() {
                return Ok((series, stretch, answer.coverage));
            }
            // The next page is of the same stretch, whatever came meanwhile.
            request.until_unix_nanos = answer.until_unix_nanos;
            request.page_token = answer.next_page_token;
        }
    }

    pub(crate) async fn rdma(&self, node: String, at_unix_nanos: Option<i64>) -> Result<wire::ListRdmaResponse> {
        let cluster = self.cluster.clone();
        let request = wire::ListRdmaRequest {
            cluster,
            node,
            at_unix_nanos,
        };
        let answer = self.service.clone().list_rdma(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    pub(crate) async fn qos(&self, wanted: wire::ListQosRequest) -> Result<wire::ListQosResponse> {
        let request = wire::ListQosRequest {
            cluster: self.cluster.clone(),
            ..wanted
        };
        let answer = self.service.clone().list_qos(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// Orders how much of these nodes is read, or of all; an empty profile takes an order back.
    pub(crate) async fn set_profile(
        &self,
        nodes: &[String],
        profile: &str,
        for_nanos: u64,
        request_id: String,
    ) -> Result<control::SetProfileResponse> {
        let request = control::SetProfileRequest {
            cluster: self.cluster.clone(),
            nodes: nodes.to_vec(),
            profile: profile.to_owned(),
            for_nanos,
            request_id,
        };
        let answer = self.control.clone().set_profile(request).await;
        Ok(answer.map_err(|status| self.failure(&status))?.into_inner())
    }

    /// The cluster that answers are about, for showing.
    pub(crate) async fn cluster(&self) -> Result<String> {
        if !self.cluster.is_empty() {
            return Ok(self.cluster.clone());
        }
        // Whoever asked without a name was answered about the only one: it may be at a site.
        let here = self.status().await?.clusters.into_iter().next();
        match here {
            Some(cluster) => Ok(cluster.cluster),
            None => Ok(self.only_of_fleet().await?.unwrap_or_default()),
        }
    }

    fn failure(&self, status: &Status) -> Error {
        let address = self.address.clone();
        if let Some(problem) = tls_problem(status) {
            return Error::Tls { address, problem };
        }
        match status.code() {
            Code::Unimplemented => Error::Protocol {
                address,
                message: status.message().to_owned(),
            },
            Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal
                if std::error::Error::source(status).is_some() =>
            {
                Error::Unreachable {
                    address,
                    cause: innermost(status),
                }
            }
            code => Error::Answer {
                message: status.message().to_owned(),
                usage: code == Code::InvalidArgument || (code == Code::NotFound && self.asks_for_another(status)),
                absent: code == Code::NotFound
                    && reason(status).is_some_and(|reason| ABSENT.contains(&reason.as_str())),
                reason: reason(status),
            },
        }
    }
}

/// Reasons of NOT_FOUND that say that an option names something which is not there.
const ANOTHER: [&str; 3] = ["NO_CLUSTER", "UNKNOWN_NAME", "NO_SELECTION"];

/// Those that say that what was asked for by its identity is not there: it may be elsewhere.
const ABSENT: [&str; 3] = ["NO_IO", "NO_FINDING", "NO_RESOURCE"];

/// What a status is about, for programs.
fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

impl Client {
    /// Whether what was not found is what an option names, and not what there may be later.
    fn asks_for_another(&self, status: &Status) -> bool {
        let reason = reason(status);
        // Without a name the only cluster is meant, and before the first daemon connects there is none.
        reason.is_some_and(|reason| {
            ANOTHER.contains(&reason.as_str()) && (reason != "NO_CLUSTER" || !self.cluster.is_empty())
        })
    }
}

/// It closed the connection before it said anything.
fn refused(address: &str) -> Error {
    Error::Tls {
        address: address.to_owned(),
        problem: REFUSED.to_owned(),
    }
}

/// The filter that the options mean.
pub(crate) fn filter(which: &Which, op: Option<fathom_model::Op>) -> wire::IoFilter {
    let text = |option: &Option<String>| option.clone().unwrap_or_default();
    // 0 would say nothing on the wire; longer than any clock reads is as good as the longest.
    let nanos = |time: Span| u64::try_from(time.0.as_nanos()).map_or(MOST_NANOS, |nanos| nanos.clamp(1, MOST_NANOS));
    wire::IoFilter {
        op: op.map_or_else(String::new, |op| op.as_str().to_owned()),
        volume: text(&which.volume),
        node: text(&which.node),
        disk: text(&which.disk),
        since_nanos: which.since.map_or(0, nanos),
        until_nanos: which.until.map_or(0, nanos),
    }
}

/// What the system said at the bottom of an error: the rest says "transport error" in several ways. Where a library says where to read
/// about it, that is left out: it is about programming.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = last.to_string();
    match text.split_once(": https://") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// A runtime for one command.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.map_err(Error::Runtime)
}

/// Runs an asynchronous command on a runtime of its own.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = runtime()?;
    let Some(deadline) = scope::deadline() else {
        return runtime.block_on(command);
    };
    let left = deadline.at.saturating_duration_since(Instant::now());
    let answered = runtime.block_on(async { tokio::time::timeout(left, command).await });
    // What is still on its way is given up with the connection.
    runtime.shutdown_background();
    answered.unwrap_or(Err(Error::Deadline {
        patience: deadline.patience,
    }))
}
