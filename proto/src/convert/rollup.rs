//! `rollup.proto` of `fathom.fleet.v1`: rollups and sketches ([`fathom_model::rollup`]); what is answered from them is in [`answers`].
//!
//! What a later version counts beside what this one knows (another kind of thing, another group of devices) is left out and counted as left
//! out. A word in any other place that this version does not know is refused: fleet coordinators are updated before sites.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::finding::Severity;
use fathom_model::health::State;
use fathom_model::rollup::{
    Axis, ClusterRollup, CohortKey, CohortRow, Counted, Counts, FindingCount, LONGEST_TEXT, MOST_CODES, MOST_COHORTS,
    MOST_LABELS, MOST_WORST, Revision, TapLatency, WorstChild,
};
use fathom_model::sketch::{BINS, Parts, Sketch};
use fathom_model::tap::UnknownName;
use fathom_model::{ClusterId, Op, Tap, check_name};

use super::{Error, Result};
use crate::fleet::v1 as wire;

pub mod answers;

impl From<&Sketch> for wire::Sketch {
    fn from(sketch: &Sketch) -> Self {
        let Parts {
            first_bin,
            counts,
            sum_nanos,
            min_nanos,
            max_nanos,
        } = sketch.parts();
        Self {
            first_bin,
            counts,
            sum_nanos,
            min_nanos,
            max_nanos,
        }
    }
}

/// A sketch from the wire.
///
/// # Errors
///
/// When it cannot be that of any values.
pub fn sketch_from_wire(field: &'static str, sketch: wire::Sketch) -> Result<Sketch> {
    at_most(field, sketch.counts.len(), BINS)?;
    let parts = Parts {
        first_bin: sketch.first_bin,
        counts: sketch.counts,
        sum_nanos: sketch.sum_nanos,
        min_nanos: sketch.min_nanos,
        max_nanos: sketch.max_nanos,
    };
    Sketch::try_from(parts).map_err(|source| Error::Sketch { field, source })
}

impl From<&ClusterRollup> for wire::ClusterRollup {
    fn from(rollup: &ClusterRollup) -> Self {
        Self {
            site: rollup.site.clone(),
            cluster: rollup.cluster.to_string(),
            labels: rollup.labels.clone(),
            revision: Some(wire::RollupRevision {
                started_unix_nanos: rollup.revision.started_unix_ns,
                number: rollup.revision.number,
            }),
            from_unix_nanos: rollup.from_unix_ns,
            to_unix_nanos: rollup.to_unix_ns,
            state: rollup.state.as_str().to_owned(),
            since_unix_nanos: rollup.since_unix_ns,
            reason: rollup.reason.clone(),
            counts: counts_to_wire(&rollup.counts),
            worst: rollup.worst.iter().map(worst_to_wire).collect(),
            worst_more: rollup.worst_more,
            findings: rollup.findings.iter().map(finding_to_wire).collect(),
            findings_more: rollup.findings_more,
            latency: rollup.latency.iter().map(latency_to_wire).collect(),
            cohorts: rollup.cohorts.iter().map(cohort_to_wire).collect(),
            cohorts_more: rollup.cohorts_more,
        }
    }
}

fn counts_to_wire(counts: &Counts) -> Vec<wire::HealthCount> {
    let all = counts.iter().map(|(kind, state, count)| wire::HealthCount {
        kind: kind.as_str().to_owned(),
        state: state.as_str().to_owned(),
        count,
    });
    all.collect()
}

fn worst_to_wire(child: &WorstChild) -> wire::WorstChild {
    wire::WorstChild {
        kind: child.kind.as_str().to_owned(),
        name: child.name.clone(),
        state: child.state.as_str().to_owned(),
        since_unix_nanos: child.since_unix_ns,
        reason: child.reason.clone(),
    }
}

fn finding_to_wire(count: &FindingCount) -> wire::FindingCount {
    wire::FindingCount {
        code: count.code.clone(),
        severity: count.severity.as_str().to_owned(),
        open: count.open,
        muted: count.muted,
    }
}

fn latency_to_wire(latency: &TapLatency) -> wire::TapLatency {
    wire::TapLatency {
        tap: latency.tap.as_str().to_owned(),
        op: latency.op.as_str().to_owned(),
        sketch: Some((&latency.sketch).into()),
    }
}

fn cohort_to_wire(row: &CohortRow) -> wire::CohortRow {
    let some = |sketch: &Sketch| (!sketch.is_empty()).then(|| sketch.into());
    wire::CohortRow {
        key: Some((&row.key).into()),
        devices: row.devices,
        writes: some(&row.writes),
        reads: some(&row.reads),
        io_errors: row.io_errors,
        media_errors: row.media_errors,
        found: row.found,
    }
}

impl From<&CohortKey> for wire::CohortKey {
    fn from(key: &CohortKey) -> Self {
        Self {
            axis: key.axis.as_str().to_owned(),
            subject: key.subject.clone(),
            variant: key.variant.clone(),
        }
    }
}

/// A rollup from the wire.
///
/// # Errors
///
/// When something that is needed is not there, is more than a rollup holds, or cannot be: the error names the field.
pub fn rollup_from_wire(rollup: wire::ClusterRollup) -> Result<ClusterRollup> {
    name("rollup.site", &rollup.site)?;
    name("rollup.cluster", &rollup.cluster)?;
    let revision = rollup.revision.ok_or(Error::Missing {
        field: "rollup.revision",
    })?;
    if rollup.to_unix_nanos < rollup.from_unix_nanos {
        return Err(Error::Impossible {
            field: "rollup.to_unix_nanos, which is before rollup.from_unix_nanos,",
            value: rollup.to_unix_nanos.into(),
        });
    }
    at_most("number of rollup.findings", rollup.findings.len(), MOST_CODES)?;
    let (worst, unknown_worst) = worst_from_wire(rollup.worst)?;
    let (cohorts, unknown_devices) = cohorts_from_wire(rollup.cohorts)?;
    Ok(ClusterRollup {
        labels: labels_from_wire(rollup.labels)?,
        revision: Revision {
            started_unix_ns: revision.started_unix_nanos,
            number: revision.number,
        },
        from_unix_ns: rollup.from_unix_nanos,
        to_unix_ns: rollup.to_unix_nanos,
        state: state("rollup.state", &rollup.state)?,
        since_unix_ns: rollup.since_unix_nanos,
        reason: text("rollup.reason", rollup.reason)?,
        counts: counts_from_wire("rollup.counts", &rollup.counts)?,
        worst,
        worst_more: rollup.worst_more.saturating_add(unknown_worst),
        findings: findings_from_wire(rollup.findings)?,
        findings_more: rollup.findings_more,
        latency: latency_from_wire(rollup.latency)?,
        cohorts,
        cohorts_more: rollup.cohorts_more.saturating_add(unknown_devices),
        cluster: ClusterId::from(rollup.cluster.as_str()),
        site: rollup.site,
    })
}

fn labels_from_wire(labels: BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    at_most("number of rollup.labels", labels.len(), MOST_LABELS)?;
    for label in labels.iter().flat_map(|(name, value)| [name, value]) {
        at_most("length of a text in rollup.labels", label.len(), LONGEST_TEXT)?;
    }
    Ok(labels)
}

fn counts_from_wire(field: &'static str, counts: &[wire::HealthCount]) -> Result<Counts> {
    let mut all = Counts::default();
    for own in counts {
        let state = state(field, &own.state)?;
        if let Some(kind) = Counted::named(&own.kind) {
            all.add(kind, state, own.count);
        }
    }
    Ok(all)
}

/// With how many are of a kind that this version does not know.
fn worst_from_wire(worst: Vec<wire::WorstChild>) -> Result<(Vec<WorstChild>, u32)> {
    at_most("number of rollup.worst", worst.len(), MOST_WORST)?;
    let (mut known, mut unknown) = (Vec::with_capacity(worst.len()), 0);
    for child in worst {
        let state = state("rollup.worst.state", &child.state)?;
        let Some(kind) = Counted::named(&child.kind) else {
            unknown += 1;
            continue;
        };
        known.push(WorstChild {
            kind,
            name: text("rollup.worst.name", child.name)?,
            state,
            since_unix_ns: child.since_unix_nanos,
            reason: text("rollup.worst.reason", child.reason)?,
        });
    }
    Ok((known, unknown))
}

fn findings_from_wire(counts: Vec<wire::FindingCount>) -> Result<Vec<FindingCount>> {
    let known = counts.into_iter().map(|count| {
        let severity = Severity::ALL
            .into_iter()
            .find(|severity| severity.as_str() == count.severity);
        Ok(FindingCount {
            severity: severity.ok_or_else(|| {
                unknown(
                    "rollup.findings.severity",
                    "severity",
                    &count.severity,
                    "warning, critical",
                )
            })?,
            code: text("rollup.findings.code", count.code)?,
            open: count.open,
            muted: count.muted,
        })
    });
    known.collect()
}

fn latency_from_wire(latency: Vec<wire::TapLatency>) -> Result<Vec<TapLatency>> {
    let most = Tap::ALL.len() * Op::ALL.len();
    at_most("number of rollup.latency", latency.len(), most)?;
    let (mut all, mut seen) = (Vec::with_capacity(latency.len()), BTreeSet::new());
    for own in latency {
        let named = |field| move |source| Error::UnknownName { field, source };
        let tap: Tap = own.tap.parse().map_err(named("rollup.latency.tap"))?;
        let op: Op = own.op.parse().map_err(named("rollup.latency.op"))?;
        if !seen.insert((tap, op)) {
            return Err(twice("rollup.latency", format!("{op}s at {tap}")));
        }
        let sketch = own.sketch.ok_or(Error::Missing {
            field: "rollup.latency.sketch",
        })?;
        let sketch = sketch_from_wire("rollup.latency.sketch", sketch)?;
        all.push(TapLatency { tap, op, sketch });
    }
    Ok(all)
}

/// With how many devices are of a group that this version does not know.
fn cohorts_from_wire(rows: Vec<wire::CohortRow>) -> Result<(Vec<CohortRow>, u32)> {
    at_most("number of rollup.cohorts", rows.len(), MOST_COHORTS)?;
    let (mut known, mut seen, mut unknown) = (Vec::with_capacity(rows.len()), BTreeSet::new(), 0_u32);
    for row in rows {
        let key = row.key.ok_or(Error::Missing {
            field: "rollup.cohorts.key",
        })?;
        let Some(key) = key_from_wire(key)? else {
            unknown = unknown.saturating_add(row.devices);
            continue;
        };
        if !seen.insert(key.clone()) {
            return Err(twice(
                "rollup.cohorts",
                format!("{} `{}` `{}`", key.axis, key.subject, key.variant),
            ));
        }
        let sketch = |field, sketch: Option<wire::Sketch>| match sketch {
            Some(sketch) => sketch_from_wire(field, sketch),
            None => Ok(Sketch::default()),
        };
        known.push(CohortRow {
            key,
            devices: row.devices,
            writes: sketch("rollup.cohorts.writes", row.writes)?,
            reads: sketch("rollup.cohorts.reads", row.reads)?,
            io_errors: row.io_errors,
            media_errors: row.media_errors,
            found: row.found,
        });
    }
    Ok((known, unknown))
}

/// What a cohort has in common; `None` of an axis that this version does not know.
///
/// # Errors
///
/// When a text is longer than 256 bytes.
pub fn key_from_wire(key: wire::CohortKey) -> Result<Option<CohortKey>> {
    let axis = Axis::ALL.into_iter().find(|axis| axis.as_str() == key.axis);
    let Some(axis) = axis else { return Ok(None) };
    Ok(Some(CohortKey {
        axis,
        subject: text("cohort key.subject", key.subject)?,
        variant: text("cohort key.variant", key.variant)?,
    }))
}

fn name(field: &'static str, name: &str) -> Result<()> {
    check_name(name).map_err(|source| Error::Name { field, source })
}

fn text(field: &'static str, text: String) -> Result<String> {
    at_most(field, text.len(), LONGEST_TEXT)?;
    Ok(text)
}

fn at_most(field: &'static str, found: usize, limit: usize) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::TooLarge {
        field,
        limit: limit as u64,
        found: found as u64,
    })
}

fn state(field: &'static str, word: &str) -> Result<State> {
    let found = State::ALL.into_iter().find(|state| state.as_str() == word);
    found.ok_or_else(|| unknown(field, "state", word, "ok, maintenance, unknown, degraded, critical"))
}

fn unknown(field: &'static str, what: &'static str, name: &str, known: &'static str) -> Error {
    // What is quoted is bounded, since a stranger may have sent it.
    let name = name.chars().take(40).collect();
    Error::UnknownName {
        field,
        source: UnknownName { what, name, known },
    }
}

fn twice(field: &'static str, what: String) -> Error {
    Error::Encoding {
        field,
        cause: format!("{what} are in it twice"),
    }
}

#[cfg(test)]
mod tests;
