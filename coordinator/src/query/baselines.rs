//! What is usual, whether that has changed, and how a stretch is against it.

use std::collections::BTreeMap;

use fathom_diagnose::baseline::course::{Change, changes, with};
use fathom_diagnose::baseline::{Recent, Usual, compare, of_culprit, told};
use fathom_diagnose::compare::Span;
use fathom_diagnose::dated::Event;
use fathom_model::baseline::{Place, Share, Subject};
use fathom_model::report::Report;
use fathom_model::{Catalog, Tap};

use super::Snapshot;
use super::state::StateSnapshot;
use crate::error::Result;
use crate::ingest::Cluster;

/// Events around changes are looked for from an hour before the first to as long after the last.
const AROUND_NANOS: i64 = 2 * 3_600_000_000_000;

/// Of which rows is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) volume: Option<String>,
    pub(crate) node: Option<String>,
    pub(crate) disk: Option<String>,
    pub(crate) changed: bool,
}

impl Asked {
    /// Whether a place is asked about.
    fn has(&self, place: &Place) -> bool {
        let [volume, node, disk, peer] = place.names();
        let is = |asked: &Option<String>, has: Option<&str>| asked.as_deref().is_none_or(|asked| has == Some(asked));
        is(&self.volume, volume) && (is(&self.node, node) || is(&self.node, peer)) && is(&self.disk, disk)
    }
}

/// What is usual of something, and how that has changed.
pub(crate) struct Baseline {
    pub(crate) subject: Subject,
    pub(crate) usual: Usual,
    pub(crate) change: Option<(Change, Vec<Event>)>,
}

/// What I/Os of a stretch took against what is usual.
pub(crate) struct Against {
    pub(crate) subject: Subject,
    pub(crate) usual: Usual,
    pub(crate) count: u64,
    pub(crate) p50_nanos: Option<u64>,
    pub(crate) p99_nanos: Option<u64>,
    pub(crate) worse: Option<bool>,
}

/// What is usual, in the order of what it is of. Blocks: files of state are read where something changed.
pub(crate) fn baselines(cluster: &Cluster, asked: &Asked) -> Result<Vec<Baseline>> {
    let view = cluster.view();
    let pasts = &view.usual;
    let mut changed: BTreeMap<Subject, Change> = changes(pasts, |subject| asked.has(&subject.place));
    let began = || changed.values().map(|change| change.began_unix_nanos);
    let events = match (began().min(), began().max()) {
        (Some(first), Some(last)) => StateSnapshot::new(cluster.clone(), None).happened(Span {
            from_unix_nanos: first.saturating_sub(AROUND_NANOS),
            until_unix_nanos: last.saturating_add(AROUND_NANOS),
        })?,
        _ => Vec::new(),
    };
    let mut rows = Vec::new();
    for (subject, _) in pasts.iter().filter(|(subject, _)| asked.has(&subject.place)) {
        let change = changed.remove(subject).map(|change| {
            let near = with(&change, &subject.place, &events).into_iter().cloned();
            (change, near.collect())
        });
        if asked.changed && change.is_none() {
            continue;
        }
        rows.push(Baseline {
            usual: pasts.usual(subject),
            subject: subject.clone(),
            change,
        });
    }
    Ok(rows)
}

impl Snapshot {
    /// How it is against what is usual, and the same among the evidence of culprits.
    pub(super) fn against(&self, recent: &Recent, names: &Catalog, report: &mut Report) -> Vec<Against> {
        let pasts = &self.view.usual;
        let mut places = Vec::new();
        for culprit in report.culprits.iter_mut().chain(&mut report.culprit) {
            let own = of_culprit(culprit);
            if let Some(compared) = compare(pasts, recent, &own, names) {
                let evidence = compared.evidence();
                if !culprit.evidence.contains(&evidence) {
                    culprit.evidence.push(evidence);
                }
            }
            places.extend(own);
        }
        let of_ios = self.filter.node.is_none() && self.filter.disk.is_none();
        let is_told = |subject: &Subject| match &subject.place {
            // Of a volume alone, or of what has a copy somewhere, it is not what is usual of all.
            Place::Cluster => of_ios && self.filter.volume.is_none() && subject.tap == Tap::Volume,
            Place::Volume(_) => of_ios,
            place => places.contains(place),
        };
        let all = recent.all(names).into_iter();
        let mut told: Vec<Against> = all
            .filter(|(subject, _)| is_told(subject))
            .filter_map(|(subject, values)| {
                let usual = pasts.usual(&subject);
                let [p50_nanos, p99_nanos] = [Share::P50, Share::P99].map(|share| told(&values, share));
                p50_nanos?;
                let worse = [(Share::P50, p50_nanos), (Share::P99, p99_nanos)];
                let worse = worse.map(|(share, nanos)| nanos.and_then(|nanos| usual.is_worse(share, nanos)));
                Some(Against {
                    usual,
                    count: values.count(),
                    p50_nanos,
                    p99_nanos,
                    worse: worse.into_iter().flatten().reduce(|one, other| one || other),
                    subject,
                })
            })
            .collect();
        told.sort_by(|a, b| a.subject.cmp(&b.subject));
        told
    }
}
