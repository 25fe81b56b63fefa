//! The ledger, comparisons and objectives of `fathom.query.v1`.

use std::sync::Arc;

use fathom_diagnose::compare::{self, Compared, Span};
use fathom_diagnose::ledger::Entry;
use fathom_model::cell::Bucket;
use fathom_model::objective::{Objective, SlowMinute};
use fathom_model::state::Kind;
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::compare_service_server::CompareService;
use fathom_proto::query::v1::ledger_service_server::LedgerService;
use fathom_proto::query::v1::objectives_service_server::ObjectivesService;
use tonic::{Request, Response, Status};

use super::paging::Stretch;
use super::query::state::coverage as state_coverage;
use super::query::{Query, choose, source_to_wire, wanted};
use super::status;
use crate::query::costs::{Changed, Known, node_of, slow_minutes};
use crate::query::run;
use crate::query::state::StateSnapshot;
use crate::query::sums::Wanted;

/// How long a stretch is where nothing is said.
const WINDOW_NANOS: u64 = 15 * 60 * 1_000_000_000;

/// The longest stretch: a day of a busy cluster is read in minutes.
const LONGEST_NANOS: u64 = 24 * 3600 * 1_000_000_000;

/// The shortest stretch of which minutes are enough to be held against others.
const LEAST_NANOS: u64 = 8 * 60 * 1_000_000_000;

/// Answers what things cost.
#[derive(Clone)]
pub(crate) struct Costs {
    query: Query,
    objectives: Arc<[Objective]>,
}

impl Costs {
    pub(crate) fn new(query: Query, objectives: Vec<Objective>) -> Self {
        Self {
            query,
            objectives: objectives.into(),
        }
    }
}

#[tonic::async_trait]
impl LedgerService for Costs {
    async fn get_job_ledger(
        &self,
        request: Request<wire::GetJobLedgerRequest>,
    ) -> Result<Response<wire::GetJobLedgerResponse>, Status> {
        let request = request.into_inner();
        let wanted = wanted(&request.source)?;
        let snapshot = self.query.snapshot(&request.cluster, None).await?;
        let coverage = Query::coverage(&snapshot).await?;
        let state = StateSnapshot::new(snapshot.cluster().clone(), None);
        let (newest, since) = (snapshot.newest(), request.since_nanos);
        let answer = run(move || {
            let from = newest
                .filter(|_| since > 0)
                .map(|newest| newest.saturating_sub_unsigned(since));
            let mut known = state.jobs()?;
            // Those that ran beside them are needed to tell what is whose.
            let jobs = known.iter().map(|known| known.job.clone()).collect();
            let (mut entries, source) = snapshot.ledger(jobs, wanted)?;
            entries.resize_with(known.len(), Entry::default);
            let mut rows: Vec<(Known, Entry)> = known.drain(..).zip(entries).collect();
            rows.retain(|(known, _)| from.is_none_or(|from| known.job.until_unix_nanos >= from));
            let looked = state.heard_of(&[Kind::StorageJob])?;
            Ok((rows, source, looked))
        });
        let (rows, source, looked) = answer.await.map_err(|error| status::of(&error))?;
        Ok(Response::new(wire::GetJobLedgerResponse {
            jobs: rows.iter().map(|(known, entry)| job(known, entry)).collect(),
            coverage: Some(coverage),
            source: Some(source_to_wire(source)),
            state: Some(state_coverage(&looked)),
        }))
    }
}

fn job(known: &Known, entry: &Entry) -> wire::LedgerJob {
    let text = |name: &str| known.last.text(name).unwrap_or_default().to_owned();
    wire::LedgerJob {
        id: known.job.id.clone(),
        name: text("name"),
        state: text("state"),
        from_unix_nanos: known.job.from_unix_nanos,
        until_unix_nanos: known.job.until_unix_nanos,
        moved_bytes: known.course.moved_bytes,
        bytes_per_s: known.course.bytes_per_s,
        restarts: known.course.restarts,
        read_bytes: entry.read_bytes,
        written_bytes: entry.written_bytes,
        disks: entry.disks.clone(),
        costs: entry
            .costs
            .iter()
            .map(|cost| wire::LedgerCost {
                volume: cost.volume.clone(),
                writes: cost.writes,
                cost_nanos: cost.cost_nanos,
                error_nanos: cost.error_nanos,
                unknown: cost.unknown,
                exposed: cost.exposed.unwrap_or(0),
                at_drives_nanos: cost.at_drives_nanos,
                at_drives_error_nanos: cost.at_drives_error_nanos,
            })
            .collect(),
        shared_nanos: entry.shared_nanos,
    }
}

#[tonic::async_trait]
impl CompareService for Costs {
    async fn compare_stretches(
        &self,
        request: Request<wire::CompareStretchesRequest>,
    ) -> Result<Response<wire::CompareStretchesResponse>, Status> {
        let request = request.into_inner();
        let window = match request.window_nanos {
            0 => WINDOW_NANOS,
            window if window > LONGEST_NANOS => {
                return Err(status::invalid(
                    "window_nanos is more than a day; compare shorter stretches",
                ));
            }
            window => window,
        };
        let wanted = wanted(&request.source)?;
        let mut snapshot = self.query.snapshot(&request.cluster, None).await?;
        let coverage = Query::coverage(&snapshot).await?;
        let newest = snapshot.newest().unwrap_or(request.after_unix_nanos).saturating_add(1);
        let span = |until: i64| Span {
            from_unix_nanos: until.saturating_sub_unsigned(window),
            until_unix_nanos: until,
        };
        let (mut before, mut after) = (
            span(request.before_unix_nanos),
            span(request.after_unix_nanos.min(newest)),
        );
        if before.until_unix_nanos > after.from_unix_nanos {
            return Err(status::invalid(
                "the stretches overlap, or the second lies before the first: give times that are further apart, or a shorter window",
            ));
        }
        let can = if window < LEAST_NANOS {
            Err("tables have minutes, which are too few of so short stretches: take a window of 8 min at least, or rows".to_owned())
        } else {
            Ok(())
        };
        let by_tables = match wanted {
            Wanted::Either => can.is_ok() && snapshot.is_long(&[before, after]),
            other => choose(&mut snapshot, other, can)?,
        };
        if by_tables {
            [before, after] = [before, after].map(whole_minutes);
            // What both would have belongs to the second.
            before.until_unix_nanos = before.until_unix_nanos.min(after.from_unix_nanos);
        }
        let state = StateSnapshot::new(snapshot.cluster().clone(), None);
        let answer = run(move || {
            let (compared, source) = if by_tables {
                snapshot.compare_by_tables(before, after)?
            } else {
                snapshot.compare(before, after)?
            };
            let felt = snapshot.felt(before, after)?;
            let changes = state.changes(before.until_unix_nanos, after.until_unix_nanos)?;
            Ok((compared, source, felt, changes))
        });
        let (compared, source, felt, changes) = answer.await.map_err(|error| status::of(&error))?;
        let side = |span: Span, number: usize| wire::Side {
            from_unix_nanos: span.from_unix_nanos,
            until_unix_nanos: span.until_unix_nanos,
            writes: compared.writes[number],
            blocks: compared.blocks[number],
        };
        Ok(Response::new(wire::CompareStretchesResponse {
            before: Some(side(before, 0)),
            after: Some(side(after, 1)),
            latencies: latencies(&compared),
            last_copies: shares(&compared),
            findings: felt
                .into_iter()
                .map(|(finding, before, after)| wire::ComparedFinding {
                    object: format!("{} {}", finding.kind, finding.object()),
                    id: finding.id,
                    code: finding.code,
                    before,
                    after,
                })
                .collect(),
            states: changes.into_iter().map(changed).collect(),
            coverage: Some(coverage),
            source: Some(source_to_wire(source)),
        }))
    }
}

/// A stretch that begins and ends where minutes do; it ends no earlier than it would.
fn whole_minutes(stretch: Span) -> Span {
    let minute = |at: i64| Bucket::of(at, Bucket::COARSE_NANOS).from_unix_nanos;
    Span {
        from_unix_nanos: minute(stretch.from_unix_nanos),
        until_unix_nanos: minute(stretch.until_unix_nanos.saturating_add(Bucket::COARSE_NANOS - 1)),
    }
}

fn latencies(compared: &Compared) -> Vec<wire::ComparedLatency> {
    let quantiles = |quantiles: compare::Quantiles| wire::Quantiles {
        count: quantiles.count,
        p50_nanos: quantiles.p50_nanos,
        p95_nanos: quantiles.p95_nanos,
        p99_nanos: quantiles.p99_nanos,
    };
    compared
        .latencies
        .iter()
        .map(|one| wire::ComparedLatency {
            tap: one.tap.as_str().to_owned(),
            volume: one.volume.clone().unwrap_or_default(),
            node: one.node.clone().unwrap_or_default(),
            disk: one.disk.clone().unwrap_or_default(),
            before: one.before.map(quantiles),
            after: one.after.map(quantiles),
            changed: one.changed,
            p50_p: one.p50_p,
            p99_p: one.p99_p,
        })
        .collect()
}

fn shares(compared: &Compared) -> Vec<wire::ComparedShare> {
    compared
        .shares
        .iter()
        .map(|one| wire::ComparedShare {
            node: one.node.clone(),
            disk: one.disk.clone(),
            before: one.before,
            after: one.after,
            changed: one.changed,
            p: one.p,
        })
        .collect()
}

fn changed(change: Changed) -> wire::ComparedState {
    wire::ComparedState {
        kind: change.key.kind.as_str().to_owned(),
        node: node_of(&change.key),
        id: change.key.id,
        attribute: change.attribute.unwrap_or_default(),
        before: change.before,
        after: change.after,
        changed_unix_nanos: change.since,
    }
}

#[tonic::async_trait]
impl ObjectivesService for Costs {
    async fn list_slow_minutes(
        &self,
        request: Request<wire::ListSlowMinutesRequest>,
    ) -> Result<Response<wire::ListSlowMinutesResponse>, Status> {
        let request = request.into_inner();
        let stretch = Stretch::parse(request.page_size, &request.page_token)?;
        let cluster = self.query.cluster(&request.cluster).await?;
        let coverage = Query::coverage_of(&cluster).await?;
        let until = match request.until_unix_nanos {
            0 => i64::MAX,
            until => until,
        };
        let from = match request.from_unix_nanos {
            0 => i64::MIN,
            from => from,
        };
        let minutes = run(move || slow_minutes(&cluster, from, until))
            .await
            .map_err(|error| status::of(&error))?;
        let (shown, next_page_token) = stretch.of(&minutes);
        Ok(Response::new(wire::ListSlowMinutesResponse {
            minutes: shown.iter().map(minute).collect(),
            next_page_token,
            objectives: self.objectives.iter().map(objective).collect(),
            total: minutes.len() as u64,
            coverage: Some(coverage),
        }))
    }
}

fn objective(objective: &Objective) -> wire::Objective {
    wire::Objective {
        name: objective.name.clone(),
        volume: objective.volume.clone().unwrap_or_default(),
        up_to_bytes: objective.up_to_bytes,
        percentile: objective.percentile,
        below_nanos: objective.below_ns,
    }
}

fn minute(minute: &SlowMinute) -> wire::SlowMinute {
    wire::SlowMinute {
        minute_unix_nanos: minute.minute_unix_ns,
        objective: minute.objective.clone(),
        volume: minute.volume.clone().unwrap_or_default(),
        writes: minute.writes,
        slow: minute.slow,
        value_nanos: minute.value_ns,
        below_nanos: minute.below_ns,
    }
}
