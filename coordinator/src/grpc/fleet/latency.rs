//! `GetFleetLatency`: from rollups where they can tell, else from the sites that have the I/Os.

use std::collections::BTreeMap;

use fathom_model::fleet::Percentiles;
use fathom_model::rollup::TapLatency;
use fathom_model::sketch::Sketch;
use fathom_model::{Op, Tap};
use fathom_proto::convert::sketches::tap_latency_from_wire;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::query::v1 as query;
use prost::Message;
use tonic::{Code, Status};

use super::{Fleet, Selected, clusters, gaps, partial, unheard};
use crate::fleet::ask::{Event, Question, missing, patience};
use crate::grpc::status;

/// What sites are asked.
const METHOD: &str = "/fathom.query.v1.QueryService/GetLatencySketches";

impl Fleet {
    pub(super) async fn latency(
        &self,
        request: wire::GetFleetLatencyRequest,
    ) -> Result<wire::GetFleetLatencyResponse, Status> {
        let is_of_all = request.since_nanos == 0
            && request.until_nanos == 0
            && request.volume.is_empty()
            && request.node.is_empty();
        match request.source.as_str() {
            "" if is_of_all => self.latency_of_rollups(request.selection),
            "rollups" if is_of_all => self.latency_of_rollups(request.selection),
            "" | "sites" => self.latency_of_sites(request).await,
            "rollups" => Err(status::invalid_of_fleet(
                "rollups have the last hour of all volumes and nodes together: leave since, until, volume and node out, or ask the sites",
            )),
            other => Err(status::invalid_of_fleet(format!(
                "source: `{other}` is not one of rollups, sites"
            ))),
        }
    }

    fn latency_of_rollups(&self, selection: Option<wire::Selection>) -> Result<wire::GetFleetLatencyResponse, Status> {
        let Selected { selection, terms } = self.selected(selection)?;
        let (merged, gaps) = self
            .sites
            .look(|known| (known.fleet().latency(&selection), gaps(known, &terms)));
        Ok(wire::GetFleetLatencyResponse {
            latency: rows(&merged.latency),
            clusters: merged.clusters,
            unheard: unheard(merged.unheard),
            partial: partial(merged.partial),
            from_unix_nanos: merged.span_unix_ns.map(|(from, _)| from),
            to_unix_nanos: merged.span_unix_ns.map(|(_, to)| to),
            source: "rollups".to_owned(),
            missing: Vec::new(),
            gaps: Some(gaps),
        })
    }

    async fn latency_of_sites(
        &self,
        request: wire::GetFleetLatencyRequest,
    ) -> Result<wire::GetFleetLatencyResponse, Status> {
        let Selected { selection, terms } = self.selected(request.selection)?;
        let (all, gaps) = self
            .sites
            .look(|known| (clusters(known, &selection, false), gaps(known, &terms)));
        let asked = all.len();
        let filter = query::IoFilter {
            volume: request.volume,
            node: request.node,
            since_nanos: request.since_nanos,
            until_nanos: request.until_nanos,
            ..query::IoFilter::default()
        };
        let question = query::GetLatencySketchesRequest {
            filter: Some(filter),
            ..query::GetLatencySketchesRequest::default()
        };
        let mut events = self.asker.ask(Question {
            clusters: all.into_iter().map(|(_, cluster)| cluster).collect(),
            method: METHOD.to_owned(),
            request: question.encode_to_vec().into(),
            patience: patience(request.deadline_nanos),
        });
        let mut merged = Merged::default();
        let mut answers: BTreeMap<(String, String), Vec<u8>> = BTreeMap::new();
        let mut over = 0;
        while let Some(event) = events.recv().await {
            let outcome = match event {
                Event::Part(part) => {
                    let answer = answers.entry((part.site, part.cluster)).or_default();
                    answer.extend_from_slice(&part.piece);
                    continue;
                }
                Event::Over(outcome) => *outcome,
            };
            over += 1;
            let cluster = outcome.cluster.clone().unwrap_or_default();
            let answer = answers.remove(&(cluster.site.clone(), cluster.cluster.clone()));
            merged.take(outcome, &answer.unwrap_or_default());
        }
        if over < asked {
            return Err(status::stopping_of_fleet());
        }
        merged.answer(gaps)
    }
}

fn rows(latency: &[TapLatency]) -> Vec<wire::FleetLatency> {
    let rows = latency.iter().map(|row| wire::FleetLatency {
        tap: row.tap.as_str().to_owned(),
        op: row.op.as_str().to_owned(),
        percentiles: Some((&Percentiles::from(&row.sketch)).into()),
    });
    rows.collect()
}

/// What sites answered, put together.
#[derive(Default)]
struct Merged {
    sketches: BTreeMap<(Tap, Op), Sketch>,
    clusters: u64,
    partial: Vec<wire::PartialCluster>,
    span: Option<(i64, i64)>,
    missing: Vec<wire::MissingCluster>,
    /// Why a cluster has nothing of what was asked for: of the first such.
    not_there: Option<wire::ClusterOutcome>,
}

impl Merged {
    /// Takes what became of a cluster, and its answer.
    fn take(&mut self, outcome: wire::ClusterOutcome, answer: &[u8]) {
        match outcome.outcome.as_str() {
            "answered" => {}
            // It has no such volume or node: nothing of it belongs in here.
            "not_there" => {
                self.not_there.get_or_insert(outcome);
                return;
            }
            _ => return self.missing.push(missing(outcome)),
        }
        let read = query::GetLatencySketchesResponse::decode(answer).map_err(|error| error.to_string());
        let read = read.and_then(|answer| {
            let rows = answer.latency.into_iter().map(tap_latency_from_wire);
            let rows: Vec<TapLatency> = rows.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
            Ok((rows, answer.coverage.unwrap_or_default()))
        });
        let (rows, coverage) = match read {
            Ok(read) => read,
            Err(fault) => {
                let mut own = missing(outcome);
                "no_answer".clone_into(&mut own.cause);
                own.message = format!("its answer cannot be used: {fault}");
                return self.missing.push(own);
            }
        };
        self.clusters += 1;
        for row in rows {
            self.sketches.entry((row.tap, row.op)).or_default().merge(&row.sketch);
        }
        if let Some(newest) = coverage.newest_unix_nanos {
            let from = coverage.from_unix_nanos.unwrap_or(newest);
            let (least, most) = self.span.unwrap_or((from, newest));
            self.span = Some((least.min(from), most.max(newest)));
        }
        if !coverage.nodes.is_empty() {
            let cluster = outcome.cluster.unwrap_or_default();
            self.partial.push(wire::PartialCluster {
                site: cluster.site,
                cluster: cluster.cluster,
                unknown_nodes: coverage.nodes.len() as u64,
                counted_from_unix_nanos: None,
            });
        }
    }

    fn answer(mut self, gaps: wire::SelectionGaps) -> Result<wire::GetFleetLatencyResponse, Status> {
        // Where none that answers has it, the question is wrong, as it is for one.
        if let (0, true, Some(none)) = (self.clusters, self.missing.is_empty(), &self.not_there) {
            return Err(match Code::from(none.code) {
                Code::NotFound => status::not_found(&none.reason, none.message.clone()),
                _ => status::invalid_of_fleet(none.message.clone()),
            });
        }
        self.missing
            .sort_by(|a, b| (&a.site, &a.cluster).cmp(&(&b.site, &b.cluster)));
        self.partial
            .sort_by(|a, b| (&a.site, &a.cluster).cmp(&(&b.site, &b.cluster)));
        let sketches = self.sketches.into_iter();
        let latency: Vec<TapLatency> = sketches
            .map(|((tap, op), sketch)| TapLatency { tap, op, sketch })
            .collect();
        Ok(wire::GetFleetLatencyResponse {
            latency: rows(&latency),
            clusters: self.clusters,
            unheard: Vec::new(),
            from_unix_nanos: self.span.map(|(from, _)| from),
            to_unix_nanos: self.span.map(|(_, to)| to),
            partial: self.partial,
            source: "sites".to_owned(),
            missing: self.missing,
            gaps: Some(gaps),
        })
    }
}

#[cfg(test)]
mod tests;
