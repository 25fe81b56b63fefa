//! Findings and what-if of `fathom.query.v1`.

use std::pin::Pin;
use std::time::Duration;

use fathom_diagnose::findings::{Code, Refused, Said};
use fathom_diagnose::ledger::{Job, Times};
use fathom_diagnose::what_if::{Away, NotAway, Serials, Without};
use fathom_model::finding::{Finding, State};
use fathom_model::unit::show_nanos;
use fathom_model::{Catalog, Op};
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::findings_service_server::FindingsService;
use fathom_proto::query::v1::what_if_service_server::WhatIfService;
use fathom_runtime::shutdown::Shutdown;
use fathom_runtime::tasks::{Kind, TaskGroup};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::paging::Stretch;
use super::query::{Query, choose, source_to_wire, wanted};
use super::status;
use crate::ingest::{Cluster, RemarkNote};
use crate::query::costs::Known;
use crate::query::findings::{changes_after, every};
use crate::query::state::StateSnapshot;
use crate::query::sums::Wanted;
use crate::query::{Snapshot, run};

/// How often a watch looks for what is new: a finding takes seconds to be found.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Changes in a message of a watch.
const SOME: usize = 100;

/// Messages of a watch on their way. When it is full the watch waits: what it has not said yet stands in the store.
const QUEUE: usize = 4;

/// Rows of a ranking when the caller does not say.
const RANKING: usize = 20;

/// The longest text that somebody may say, and the longest name.
const LONGEST: usize = 4096;

/// Answers about findings.
#[derive(Clone)]
pub(crate) struct Findings {
    query: Query,
    tasks: TaskGroup,
}

impl Findings {
    pub(crate) const fn new(query: Query, tasks: TaskGroup) -> Self {
        Self { query, tasks }
    }

    async fn say(&self, said: Said, remark: wire::MuteFindingRequest) -> Result<wire::Finding, Status> {
        let cluster = self.query.cluster(&remark.cluster).await?;
        if remark.by.trim().is_empty() && !remark.undo {
            return Err(status::invalid("by is empty; say who it is"));
        }
        if [&remark.by, &remark.text, &remark.request_id]
            .iter()
            .any(|text| text.len() > LONGEST)
        {
            return Err(status::invalid(format!(
                "by, text and request_id may have {LONGEST} bytes each"
            )));
        }
        let note = (!remark.undo).then_some(RemarkNote {
            by: remark.by,
            for_nanos: (remark.for_nanos > 0).then_some(remark.for_nanos),
            text: remark.text,
        });
        let finding = cluster.remark(remark.id.clone(), said, (remark.request_id, note)).await;
        let finding = finding.ok_or_else(status::stopping)?;
        let finding = finding.map_err(|refused| match refused {
            Refused::NoSuchFinding => {
                let message = format!(
                    "there is no finding `{}` among those that are open or were closed last; `fathom findings --all` lists them",
                    remark.id
                );
                status::not_found("NO_FINDING", message)
            }
            Refused::OtherRequest => status::invalid(status::OTHER_REQUEST),
        })?;
        Ok((&finding).into())
    }
}

/// Open ones first, then by cost.
fn rank(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.state == State::Closed, std::cmp::Reverse(finding.cost_ns));
        key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
    });
}

#[tonic::async_trait]
impl FindingsService for Findings {
    async fn list_findings(
        &self,
        request: Request<wire::ListFindingsRequest>,
    ) -> Result<Response<wire::ListFindingsResponse>, Status> {
        let request = request.into_inner();
        let stretch = Stretch::parse(request.page_size, &request.page_token)?;
        check_code(&request.code)?;
        let cluster = self.query.cluster(&request.cluster).await?;
        let coverage = Query::coverage_of(&cluster).await?;
        let view = cluster.view();
        let sequence = view.findings_sequence;
        let has_code = |finding: &Finding| request.code.is_empty() || finding.code == request.code;
        let mut findings: Vec<Finding> = view
            .findings
            .iter()
            .filter(|finding| has_code(finding))
            .cloned()
            .collect();
        let mut muted = 0;
        if request.all {
            let (reader, recent) = (cluster.clone(), std::mem::take(&mut findings));
            findings = run(move || every(&reader, &view, recent))
                .await
                .map_err(|error| status::of(&error))?;
            findings.retain(has_code);
        } else {
            findings.retain(|finding| finding.state == State::Open);
            muted = findings.iter().filter(|finding| finding.muted.is_some()).count() as u32;
            findings.retain(|finding| finding.muted.is_none());
        }
        rank(&mut findings);
        let (shown, next_page_token) = stretch.of(&findings);
        Ok(Response::new(wire::ListFindingsResponse {
            findings: shown.iter().map(Into::into).collect(),
            next_page_token,
            coverage: Some(coverage),
            sequence,
            muted,
        }))
    }

    type WatchFindingsStream = Pin<Box<dyn Stream<Item = Result<wire::WatchFindingsResponse, Status>> + Send>>;

    async fn watch_findings(
        &self,
        request: Request<wire::WatchFindingsRequest>,
    ) -> Result<Response<Self::WatchFindingsStream>, Status> {
        let request = request.into_inner();
        check_code(&request.code)?;
        let cluster = self.query.cluster(&request.cluster).await?;
        let view = cluster.view();
        let mut open: Vec<Finding> = Vec::new();
        let after = match request.resume_token.as_str() {
            "" => {
                let is_open = |finding: &&Finding| finding.state == State::Open;
                open = view.findings.iter().filter(is_open).cloned().collect();
                view.findings_sequence
            }
            token => token
                .parse::<u64>()
                .map_err(|_| status::invalid("resume_token is not one of an earlier message"))?,
        };
        if after > view.findings_sequence {
            return Err(status::invalid(
                "resume_token is of another store: it is ahead of this one; begin without a token",
            ));
        }
        let (code, shutdown) = (request.code, self.tasks.shutdown().clone());
        open.retain(|finding| code.is_empty() || finding.code == code);
        rank(&mut open);
        let (outbox, responses) = mpsc::channel(QUEUE);
        self.tasks.spawn("watch of findings", Kind::Background, async move {
            let first = wire::WatchFindingsResponse {
                open: open.iter().map(Into::into).collect(),
                changes: Vec::new(),
                resume_token: after.to_string(),
            };
            if outbox.send(Ok(first)).await.is_ok() {
                follow(cluster, after, &code, &outbox, &shutdown).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }

    async fn acknowledge_finding(
        &self,
        request: Request<wire::AcknowledgeFindingRequest>,
    ) -> Result<Response<wire::AcknowledgeFindingResponse>, Status> {
        let request = request.into_inner();
        let remark = wire::MuteFindingRequest {
            cluster: request.cluster,
            id: request.id,
            by: request.by,
            for_nanos: request.for_nanos,
            text: request.text,
            request_id: request.request_id,
            undo: request.undo,
        };
        let finding = Some(self.say(Said::Acknowledged, remark).await?);
        Ok(Response::new(wire::AcknowledgeFindingResponse { finding }))
    }

    async fn mute_finding(
        &self,
        request: Request<wire::MuteFindingRequest>,
    ) -> Result<Response<wire::MuteFindingResponse>, Status> {
        let finding = Some(self.say(Said::Muted, request.into_inner()).await?);
        Ok(Response::new(wire::MuteFindingResponse { finding }))
    }
}

/// Sends changes as they are stored, until nobody listens any more or the coordinator stops.
async fn follow(
    cluster: Cluster,
    mut after: u64,
    code: &str,
    outbox: &mpsc::Sender<Result<wire::WatchFindingsResponse, Status>>,
    shutdown: &Shutdown,
) {
    loop {
        let view = cluster.view();
        if view.findings_sequence > after {
            let reader = cluster.clone();
            let changes = match run(move || changes_after(&reader, &view, after)).await {
                Ok(changes) => changes,
                Err(error) => {
                    let _ = outbox.send(Err(status::of(&error))).await;
                    return;
                }
            };
            for some in changes.chunks(SOME) {
                after = some.last().map_or(after, |change| change.sequence);
                let told = some
                    .iter()
                    .filter(|change| code.is_empty() || change.finding.code == code);
                let response = wire::WatchFindingsResponse {
                    open: Vec::new(),
                    changes: told.map(Into::into).collect(),
                    resume_token: after.to_string(),
                };
                if !response.changes.is_empty() && outbox.send(Ok(response)).await.is_err() {
                    return;
                }
            }
        }
        tokio::select! {
            () = outbox.closed() => return,
            _ = shutdown.requested() => {
                // Whoever watches goes on with the next coordinator.
                let _ = outbox.try_send(Err(status::stopping()));
                return;
            }
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Answers what would have been.
#[derive(Clone)]
pub(crate) struct WhatIf {
    query: Query,
}

impl WhatIf {
    pub(crate) const fn new(query: Query) -> Self {
        Self { query }
    }
}

fn without(without: &Without, catalog: &Catalog) -> wire::Without {
    let (kind, node, disk, peer) = without.away.names(catalog);
    let [p50_nanos, p95_nanos, p99_nanos] = without.percentiles;
    wire::Without {
        kind: kind.to_owned(),
        node,
        disk: disk.unwrap_or_default(),
        peer: peer.unwrap_or_default(),
        p50_nanos,
        p95_nanos,
        p99_nanos,
        given_back_nanos: without.given_back_nanos,
        sooner: without.sooner,
        unknown: without.unknown,
        job: String::new(),
    }
}

impl WhatIf {
    /// What would have been without a storage job.
    async fn without_job(
        &self,
        mut snapshot: Snapshot,
        named: &str,
        wanted: Wanted,
    ) -> Result<Response<wire::GetWhatIfResponse>, Status> {
        // Tables know by ten seconds how writes are spread, and a job begins and ends in between.
        let can = Err("how writes are spread beside a job is told of rows alone".to_owned());
        choose(&mut snapshot, wanted, can)?;
        let mut coverage = Query::coverage(&snapshot).await?;
        let state = StateSnapshot::new(snapshot.cluster().clone(), None);
        let known = run(move || state.jobs()).await.map_err(|error| status::of(&error))?;
        let which = which_job(&known, named)?;
        let id = known[which].job.id.clone();
        let jobs: Vec<Job> = known.into_iter().map(|known| known.job).collect();
        let shared = Times::new(jobs.clone()).shared(which);
        let answer = run(move || snapshot.without_job(jobs, which)).await;
        let answer = answer.map_err(|error| status::of(&error))?;
        let with = answer.what_if.percentiles();
        let row = with.zip(answer.without.percentiles);
        let row = row.map(|(_, [p50_nanos, p95_nanos, p99_nanos])| wire::Without {
            kind: "job".to_owned(),
            p50_nanos,
            p95_nanos,
            p99_nanos,
            given_back_nanos: u64::try_from(answer.without.given_back_nanos).unwrap_or(0),
            sooner: answer.without.replaced,
            unknown: answer.without.unknown,
            job: id,
            ..wire::Without::default()
        });
        if shared > 0 {
            coverage.warnings.push(format!(
                "other jobs ran too for {} of the time of this one: writes of then are counted as they were",
                show_nanos(shared)
            ));
        }
        Ok(Response::new(wire::GetWhatIfResponse {
            writes: answer.what_if.writes(),
            p50_nanos: with.map(|[p50, _, _]| p50),
            p95_nanos: with.map(|[_, p95, _]| p95),
            p99_nanos: with.map(|[_, _, p99]| p99),
            without: row.into_iter().collect(),
            unknown: answer.what_if.unknown(),
            coverage: Some(coverage),
            source: Some(source_to_wire(answer.source)),
        }))
    }
}

/// Refuses a code that no finding has.
fn check_code(code: &str) -> Result<(), Status> {
    if code.is_empty() || Code::parse(code).is_some() {
        return Ok(());
    }
    let known = Code::ALL.map(Code::as_str).join(", ");
    Err(status::invalid(format!(
        "code: there is no finding code `{code}` (known: {known})"
    )))
}

/// The job that somebody means by its identity, or by its name where one alone has it.
fn which_job(known: &[Known], named: &str) -> Result<usize, Status> {
    if let Some(at) = known.iter().position(|known| known.job.id == named) {
        return Ok(at);
    }
    let has_name = |known: &Known| known.last.text("name") == Some(named);
    let mut like = known.iter().enumerate().filter(|(_, known)| has_name(known));
    match (like.next(), like.next()) {
        (Some((at, _)), None) => Ok(at),
        (Some((_, one)), Some((_, other))) => Err(status::invalid(format!(
            "without: several jobs are called `{named}`; name one by its identity, such as job:{} or job:{}",
            one.job.id, other.job.id
        ))),
        (None, _) => {
            let told = |known: &Known| match known.last.text("name") {
                Some(name) if !name.is_empty() && name != known.job.id => format!("{name} ({})", known.job.id),
                _ => known.job.id.clone(),
            };
            let ids: Vec<String> = known.iter().map(told).collect();
            let ids = if ids.is_empty() {
                "none".to_owned()
            } else {
                ids.join(", ")
            };
            Err(status::not_found(
                "UNKNOWN_NAME",
                format!("there is no storage job `{named}` (known: {ids})"),
            ))
        }
    }
}

#[tonic::async_trait]
impl WhatIfService for WhatIf {
    async fn get_what_if(
        &self,
        request: Request<wire::GetWhatIfRequest>,
    ) -> Result<Response<wire::GetWhatIfResponse>, Status> {
        let request = request.into_inner();
        let mut filter = request.filter.unwrap_or_default();
        if !filter.op.is_empty() && filter.op != Op::Write.as_str() {
            return Err(status::invalid("only writes have other copies; leave op out"));
        }
        filter.op = Op::Write.as_str().to_owned();
        let wanted = wanted(&request.source)?;
        let mut snapshot = self.query.snapshot(&request.cluster, Some(filter)).await?;
        let asked = request.without;
        if let Some(job) = asked.strip_prefix("job:") {
            return self.without_job(snapshot, job, wanted).await;
        }
        // State alone has serial numbers.
        let serials = if Away::asks_for_serial(&asked, &snapshot.view().catalog) {
            let state = StateSnapshot::new(snapshot.cluster().clone(), None);
            run(move || state.serials()).await.map_err(|error| status::of(&error))?
        } else {
            Serials::default()
        };
        // Before everything is read: whatever there is, this names none of it.
        if !asked.is_empty()
            && let Err(error @ (NotAway::Form { .. } | NotAway::Several { .. })) =
                Away::parse(&asked, &snapshot.view().catalog, &serials)
        {
            return Err(not_away(&error));
        }
        let can = snapshot.tables_can();
        let by_tables = choose(&mut snapshot, wanted, can)?;
        let coverage = Query::coverage(&snapshot).await?;
        let most = match request.most {
            0 => RANKING,
            most => most as usize,
        };
        let answer = run(move || {
            if by_tables {
                return snapshot.what_if_by_tables();
            }
            let (what_if, catalog) = snapshot.what_if()?;
            Ok((what_if, catalog, snapshot.source_of_rows()))
        });
        let (what_if, catalog, source) = answer.await.map_err(|error| status::of(&error))?;
        let rows: Vec<wire::Without> = if asked.is_empty() {
            let ranked = what_if.ranked();
            let some = ranked.iter().filter(|row| row.given_back_nanos > 0).take(most);
            some.map(|row| without(row, &catalog)).collect()
        } else {
            let away = Away::parse(&asked, &catalog, &serials).map_err(|error| not_away(&error))?;
            what_if.without(away).iter().map(|row| without(row, &catalog)).collect()
        };
        let percentiles = what_if.percentiles();
        Ok(Response::new(wire::GetWhatIfResponse {
            writes: what_if.writes(),
            p50_nanos: percentiles.map(|[p50, _, _]| p50),
            p95_nanos: percentiles.map(|[_, p95, _]| p95),
            p99_nanos: percentiles.map(|[_, _, p99]| p99),
            without: rows,
            unknown: what_if.unknown(),
            coverage: Some(coverage),
            source: Some(source_to_wire(source)),
        }))
    }
}

/// What is asked about is not there, or cannot be.
fn not_away(error: &NotAway) -> Status {
    match error {
        NotAway::Form { .. } | NotAway::Several { .. } => status::invalid(format!("without: {error}")),
        NotAway::Unknown { .. } => status::not_found("UNKNOWN_NAME", error.to_string()),
    }
}
