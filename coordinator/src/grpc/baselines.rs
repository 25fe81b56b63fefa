//! What is usual, of `fathom.query.v1`.

use fathom_diagnose::baseline::Usual;
use fathom_diagnose::baseline::course::Change;
use fathom_diagnose::dated::Event;
use fathom_model::baseline::Subject;
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::baseline_service_server::BaselineService;
use tonic::{Request, Response, Status};

use super::paging::Stretch;
use super::query::Query;
use super::status;
use crate::query::baselines::{Against, Asked, Baseline, baselines};
use crate::query::run;

/// Answers what is usual.
#[derive(Clone)]
pub(crate) struct Baselines {
    query: Query,
}

impl Baselines {
    pub(crate) const fn new(query: Query) -> Self {
        Self { query }
    }
}

#[tonic::async_trait]
impl BaselineService for Baselines {
    async fn list_baselines(
        &self,
        request: Request<wire::ListBaselinesRequest>,
    ) -> Result<Response<wire::ListBaselinesResponse>, Status> {
        let request = request.into_inner();
        let stretch = Stretch::parse(request.page_size, &request.page_token)?;
        let given = |text: String| (!text.is_empty()).then_some(text);
        let mut asked = Asked {
            volume: given(request.volume),
            node: given(request.node),
            disk: given(request.disk),
            changed: request.changed,
        };
        // A name that there is not is an error, as of every question.
        let filter = wire::IoFilter {
            volume: asked.volume.clone().unwrap_or_default(),
            node: asked.node.clone().unwrap_or_default(),
            disk: asked.disk.clone().unwrap_or_default(),
            ..wire::IoFilter::default()
        };
        let snapshot = self.query.snapshot(&request.cluster, Some(filter)).await?;
        // A disk may be said with its node, as answers show it.
        if let Some((node, disk)) = asked.disk.as_deref().and_then(|disk| disk.split_once('/')) {
            (asked.node, asked.disk) = (Some(node.to_owned()), Some(disk.to_owned()));
        }
        let cluster = snapshot.cluster().clone();
        let coverage = Query::coverage_of(&cluster).await?;
        let rows = run(move || baselines(&cluster, &asked))
            .await
            .map_err(|error| status::of(&error))?;
        let (shown, next_page_token) = stretch.of(&rows);
        Ok(Response::new(wire::ListBaselinesResponse {
            baselines: shown.iter().map(baseline).collect(),
            next_page_token,
            total: rows.len() as u64,
            coverage: Some(coverage),
        }))
    }
}

fn baseline(row: &Baseline) -> wire::Baseline {
    wire::Baseline {
        change: row.change.as_ref().map(|(change, events)| changed(change, events)),
        ..usual_to_wire(&row.subject, &row.usual)
    }
}

fn usual_to_wire(subject: &Subject, usual: &Usual) -> wire::Baseline {
    let [volume, node, disk, peer] = subject.place.names().map(|name| name.unwrap_or_default().to_owned());
    wire::Baseline {
        of: subject.place.kind().to_owned(),
        volume,
        node,
        disk,
        peer,
        tap: subject.tap.as_str().to_owned(),
        op: subject.op.as_str().to_owned(),
        size: subject.size.as_str().to_owned(),
        p50_nanos: usual.p50_nanos,
        p99_nanos: usual.p99_nanos,
        p99_low_nanos: usual.p99_range_nanos.map(|(low, _)| low),
        p99_high_nanos: usual.p99_range_nanos.map(|(_, high)| high),
        learnt_nanos: usual.learnt_nanos,
        since_unix_nanos: usual.since_unix_nanos,
        learnt: usual.is_learnt,
        band: usual.band.map(|band| wire::Band {
            share: band.of.as_str().to_owned(),
            below_nanos: band.below_nanos,
        }),
        change: None,
    }
}

fn changed(change: &Change, events: &[Event]) -> wire::BaselineChange {
    wire::BaselineChange {
        share: change.share.as_str().to_owned(),
        shape: change.shape.as_str().to_owned(),
        began_unix_nanos: change.began_unix_nanos,
        before_nanos: change.before_nanos,
        after_nanos: change.after_nanos,
        p: change.p,
        events: events
            .iter()
            .map(|event| wire::BaselineEvent {
                kind: event.kind.clone(),
                id: event.id.clone(),
                reader: event.node.clone(),
                attribute: event.attribute.clone(),
                before: event.values[0].clone(),
                after: event.values[1].clone(),
                from_unix_nanos: event.from_unix_nanos,
                at_unix_nanos: event.at_unix_nanos,
            })
            .collect(),
    }
}

pub(super) fn against_to_wire(against: &Against) -> wire::AgainstUsual {
    wire::AgainstUsual {
        baseline: Some(usual_to_wire(&against.subject, &against.usual)),
        count: against.count,
        p50_nanos: against.p50_nanos,
        p99_nanos: against.p99_nanos,
        worse: against.worse,
    }
}
