//! What is answered about many clusters ([`fathom_model::fleet`]).

use fathom_model::fleet::{
    Change, Changed, Child, Clusters, Cohort, Entry, Hearing, Level, Measure, Percentiles, Update, Verdict, What,
};
use fathom_model::health::State;
use fathom_model::rollup::CohortKey;

use super::{
    Error, Result, counts_from_wire, counts_to_wire, finding_to_wire, findings_from_wire, key_from_wire, state, unknown,
};
use crate::fleet::v1 as wire;

impl From<&Entry> for wire::FleetEntry {
    fn from(entry: &Entry) -> Self {
        let clusters = State::ALL.into_iter().map(|state| wire::ClusterCount {
            state: state.as_str().to_owned(),
            count: entry.clusters.of(state),
        });
        Self {
            level: entry.level.as_str().to_owned(),
            site: entry.site.clone(),
            cluster: entry.cluster.clone(),
            state: entry.state.as_str().to_owned(),
            since_unix_nanos: entry.since_unix_ns,
            reason: entry.reason.clone(),
            labels: entry.labels.clone(),
            heard_unix_nanos: entry.heard_unix_ns,
            clusters: clusters.filter(|own| own.count > 0).collect(),
            counts: counts_to_wire(&entry.counts),
            findings: entry.findings.iter().map(finding_to_wire).collect(),
            findings_more: entry.findings_more,
            worst: entry.worst.iter().map(child_to_wire).collect(),
            worst_more: entry.worst_more,
            last_hour: Some((&entry.last_hour).into()),
            last_day: Some((&entry.last_day).into()),
        }
    }
}

fn child_to_wire(child: &Child) -> wire::FleetChild {
    wire::FleetChild {
        kind: child.kind.clone(),
        name: child.name.clone(),
        state: child.state.as_str().to_owned(),
        since_unix_nanos: child.since_unix_ns,
        reason: child.reason.clone(),
    }
}

impl From<&Changed> for wire::ChangeCount {
    fn from(changed: &Changed) -> Self {
        Self {
            worse: changed.worse,
            better: changed.better,
            lost: changed.lost,
            heard: changed.heard,
            updates: changed.updates,
            counted_from_unix_nanos: changed.counted_from_unix_ns,
        }
    }
}

/// An entry from the wire.
///
/// # Errors
///
/// When something that is needed is not there, or a word is not known.
pub fn entry_from_wire(entry: wire::FleetEntry) -> Result<Entry> {
    let level = Level::ALL.into_iter().find(|level| level.as_str() == entry.level);
    let mut clusters = Clusters::default();
    for own in &entry.clusters {
        *clusters.of_mut(state("entry.clusters.state", &own.state)?) = own.count;
    }
    let changed =
        |field, changed: Option<wire::ChangeCount>| changed.map(changed_from_wire).ok_or(Error::Missing { field });
    let worst = entry.worst.into_iter().map(|child| {
        Ok(Child {
            state: state("entry.worst.state", &child.state)?,
            kind: child.kind,
            name: child.name,
            since_unix_ns: child.since_unix_nanos,
            reason: child.reason,
        })
    });
    Ok(Entry {
        level: level.ok_or_else(|| unknown("entry.level", "level", &entry.level, "fleet, site, cluster"))?,
        state: state("entry.state", &entry.state)?,
        site: entry.site,
        cluster: entry.cluster,
        since_unix_ns: entry.since_unix_nanos,
        reason: entry.reason,
        labels: entry.labels,
        heard_unix_ns: entry.heard_unix_nanos,
        clusters,
        counts: counts_from_wire("entry.counts.state", &entry.counts)?,
        findings: findings_from_wire(entry.findings)?,
        findings_more: entry.findings_more,
        worst: worst.collect::<Result<_>>()?,
        worst_more: entry.worst_more,
        last_hour: changed("entry.last_hour", entry.last_hour)?,
        last_day: changed("entry.last_day", entry.last_day)?,
    })
}

const fn changed_from_wire(changed: wire::ChangeCount) -> Changed {
    Changed {
        worse: changed.worse,
        better: changed.better,
        lost: changed.lost,
        heard: changed.heard,
        updates: changed.updates,
        counted_from_unix_ns: changed.counted_from_unix_nanos,
    }
}

impl From<&Change> for wire::FleetChange {
    fn from(change: &Change) -> Self {
        let what = match &change.what {
            What::State { from, to, hearing } => wire::fleet_change::What::State(wire::StateChange {
                from: from.map_or("", State::as_str).to_owned(),
                to: to.as_str().to_owned(),
                hearing: hearing.map_or("", Hearing::as_str).to_owned(),
            }),
            What::Update(update) => wire::fleet_change::What::Update(wire::SoftwareUpdate {
                to: Some((&update.to).into()),
                from_variant: update.from_variant.clone(),
                devices: update.devices,
                of: update.of,
            }),
        };
        Self {
            number: change.number,
            at_unix_nanos: change.at_unix_ns,
            site: change.site.clone(),
            cluster: change.cluster.clone(),
            what: Some(what),
            reason: change.reason.clone(),
        }
    }
}

/// A change from the wire.
///
/// # Errors
///
/// When nothing is said of what changed, or a word is not known.
pub fn change_from_wire(change: wire::FleetChange) -> Result<Change> {
    let what = match change.what.ok_or(Error::Missing { field: "change.what" })? {
        wire::fleet_change::What::State(own) => {
            let from = (!own.from.is_empty()).then(|| state("change.state.from", &own.from));
            What::State {
                from: from.transpose()?,
                to: state("change.state.to", &own.to)?,
                hearing: hearing_from_wire(&own.hearing)?,
            }
        }
        wire::fleet_change::What::Update(own) => What::Update(Update {
            to: needed_key("change.update.to", own.to)?,
            from_variant: own.from_variant,
            devices: own.devices,
            of: own.of,
        }),
    };
    Ok(Change {
        number: change.number,
        at_unix_ns: change.at_unix_nanos,
        site: change.site,
        cluster: change.cluster,
        what,
        reason: change.reason,
    })
}

fn hearing_from_wire(word: &str) -> Result<Option<Hearing>> {
    if word.is_empty() {
        return Ok(None);
    }
    let found = Hearing::ALL.into_iter().find(|own| own.as_str() == word);
    found
        .map(Some)
        .ok_or_else(|| unknown("change.state.hearing", "hearing", word, "lost, heard"))
}

fn needed_key(field: &'static str, key: Option<wire::CohortKey>) -> Result<CohortKey> {
    let key = key.ok_or(Error::Missing { field })?;
    let axis = key.axis.clone();
    key_from_wire(key)?.ok_or_else(|| unknown(field, "axis", &axis, "disk, nic, os"))
}

impl From<&Percentiles> for wire::Percentiles {
    fn from(percentiles: &Percentiles) -> Self {
        Self {
            count: percentiles.count,
            p50_nanos: percentiles.p50_ns,
            p95_nanos: percentiles.p95_ns,
            p99_nanos: percentiles.p99_ns,
            max_nanos: percentiles.max_ns,
        }
    }
}

/// Percentiles from the wire.
#[must_use]
pub const fn percentiles_from_wire(percentiles: &wire::Percentiles) -> Percentiles {
    Percentiles {
        count: percentiles.count,
        p50_ns: percentiles.p50_nanos,
        p95_ns: percentiles.p95_nanos,
        p99_ns: percentiles.p99_nanos,
        max_ns: percentiles.max_nanos,
    }
}

impl From<&Cohort> for wire::Cohort {
    fn from(cohort: &Cohort) -> Self {
        Self {
            key: Some((&cohort.key).into()),
            clusters: cohort.clusters,
            devices: cohort.devices,
            writes: Some((&cohort.writes).into()),
            reads: Some((&cohort.reads).into()),
            io_errors: cohort.io_errors,
            media_errors: cohort.media_errors,
            found: cohort.found,
            updated: cohort.updated,
            first_update_unix_nanos: cohort.first_update_unix_ns,
            verdicts: cohort.verdicts.iter().map(verdict_to_wire).collect(),
        }
    }
}

fn verdict_to_wire(verdict: &Verdict) -> wire::CohortVerdict {
    wire::CohortVerdict {
        measure: verdict.measure.as_str().to_owned(),
        significant: verdict.significant,
        p_adjusted: verdict.p_adjusted,
        p: verdict.p,
        effect: verdict.effect,
        worse_clusters: verdict.worse_clusters,
        compared_clusters: verdict.compared_clusters,
        worst: verdict.worst.clone(),
        beside: verdict.beside,
        before: verdict.before,
        alone: verdict.alone,
        text: verdict.text.clone(),
    }
}

/// A cohort from the wire.
///
/// # Errors
///
/// When something that is needed is not there, or a word is not known.
pub fn cohort_from_wire(cohort: wire::Cohort) -> Result<Cohort> {
    let percentiles =
        |field, own: Option<wire::Percentiles>| own.as_ref().map(percentiles_from_wire).ok_or(Error::Missing { field });
    let verdicts = cohort.verdicts.into_iter().map(verdict_from_wire);
    Ok(Cohort {
        key: needed_key("cohort.key", cohort.key)?,
        clusters: cohort.clusters,
        devices: cohort.devices,
        writes: percentiles("cohort.writes", cohort.writes)?,
        reads: percentiles("cohort.reads", cohort.reads)?,
        io_errors: cohort.io_errors,
        media_errors: cohort.media_errors,
        found: cohort.found,
        updated: cohort.updated,
        first_update_unix_ns: cohort.first_update_unix_nanos,
        verdicts: verdicts.collect::<Result<_>>()?,
    })
}

fn verdict_from_wire(verdict: wire::CohortVerdict) -> Result<Verdict> {
    let measure = Measure::ALL
        .into_iter()
        .find(|measure| measure.as_str() == verdict.measure);
    Ok(Verdict {
        measure: measure.ok_or_else(|| {
            unknown(
                "cohort.verdicts.measure",
                "measure",
                &verdict.measure,
                "write_p50, write_p99, read_p50, read_p99, io_errors, media_errors, found",
            )
        })?,
        significant: verdict.significant,
        p_adjusted: verdict.p_adjusted,
        p: verdict.p,
        effect: verdict.effect,
        worse_clusters: verdict.worse_clusters,
        compared_clusters: verdict.compared_clusters,
        worst: verdict.worst,
        beside: verdict.beside,
        before: verdict.before,
        alone: verdict.alone,
        text: verdict.text,
    })
}

#[cfg(test)]
mod tests;
