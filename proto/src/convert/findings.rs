//! `findings.proto` of `fathom.query.v1` and the model's findings ([`fathom_model::finding`]).

use fathom_model::finding::{Change, ChangeKind, Finding, Note, ObservationRef, Severity, State, Victim, VictimNode};
use fathom_model::report;
use fathom_model::tap::UnknownName;

use super::{Error, Result};
use crate::query::v1 as wire;

impl From<&Finding> for wire::Finding {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id.clone(),
            code: finding.code.clone(),
            kind: finding.kind.clone(),
            node: finding.node.clone(),
            disk: finding.disk.clone().unwrap_or_default(),
            peer: finding.peer.clone().unwrap_or_default(),
            severity: finding.severity.as_str().to_owned(),
            state: finding.state.as_str().to_owned(),
            confidence: finding.confidence,
            opened_unix_nanos: finding.opened_unix_ns,
            first_unix_nanos: finding.first_unix_ns,
            last_unix_nanos: finding.last_unix_ns,
            closed_unix_nanos: finding.closed_unix_ns,
            reopened: finding.reopened,
            cost_nanos: finding.cost_ns,
            victims: finding.victims.iter().map(victim_to_wire).collect(),
            evidence: finding.evidence.iter().map(evidence_to_wire).collect(),
            next: finding.next.clone(),
            part_of: finding.part_of.clone().unwrap_or_default(),
            acknowledged: finding.acknowledged.as_ref().map(note_to_wire),
            muted: finding.muted.as_ref().map(note_to_wire),
            sequence: finding.sequence,
            resource: finding.resource.clone().unwrap_or_default(),
            observations: finding.observations.iter().map(observation_to_wire).collect(),
            disks: finding.disks.clone(),
            initiators: finding.initiators.iter().map(initiator_to_wire).collect(),
        }
    }
}

fn victim_to_wire(victim: &Victim) -> wire::Victim {
    wire::Victim {
        volume: victim.volume.clone(),
        writes: victim.writes,
        cost_nanos: victim.cost_ns,
    }
}

fn initiator_to_wire(initiator: &VictimNode) -> wire::VictimNode {
    wire::VictimNode {
        node: initiator.node.clone(),
        writes: initiator.writes,
        cost_nanos: initiator.cost_ns,
    }
}

fn evidence_to_wire(evidence: &report::Evidence) -> wire::Evidence {
    wire::Evidence {
        text: evidence.text.clone(),
        writes: evidence.writes.clone(),
    }
}

fn observation_to_wire(observation: &ObservationRef) -> wire::ObservationRef {
    wire::ObservationRef {
        kind: observation.kind.clone(),
        node: observation.node.clone(),
        id: observation.id.clone(),
        at_unix_nanos: observation.at_unix_ns,
        counter: observation.counter.clone().unwrap_or_default(),
    }
}

fn note_to_wire(note: &Note) -> wire::FindingNote {
    wire::FindingNote {
        by: note.by.clone(),
        at_unix_nanos: note.at_unix_ns,
        until_unix_nanos: note.until_unix_ns,
        text: note.text.clone(),
    }
}

impl From<&Change> for wire::FindingChange {
    fn from(change: &Change) -> Self {
        Self {
            sequence: change.sequence,
            change: change.kind.as_str().to_owned(),
            at_unix_nanos: change.at_unix_ns,
            finding: Some((&change.finding).into()),
        }
    }
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn note_from_wire(note: &wire::FindingNote) -> Note {
    Note {
        by: note.by.clone(),
        at_unix_ns: note.at_unix_nanos,
        until_unix_ns: note.until_unix_nanos,
        text: note.text.clone(),
        request: String::new(),
    }
}

/// A finding from the wire.
///
/// # Errors
///
/// When its severity or state is none that this version knows.
pub fn finding_from_wire(finding: &wire::Finding) -> Result<Finding> {
    let named = |field, name: &str| Error::UnknownName {
        field,
        source: UnknownName {
            what: "word of a finding",
            name: name.to_owned(),
            known: "warning, critical; open, closed",
        },
    };
    let severity = Severity::ALL
        .into_iter()
        .find(|severity| severity.as_str() == finding.severity);
    let state = State::ALL.into_iter().find(|state| state.as_str() == finding.state);
    Ok(Finding {
        id: finding.id.clone(),
        code: finding.code.clone(),
        kind: finding.kind.clone(),
        node: finding.node.clone(),
        disk: given(&finding.disk),
        peer: given(&finding.peer),
        resource: given(&finding.resource),
        disks: finding.disks.clone(),
        initiators: finding
            .initiators
            .iter()
            .map(|initiator| VictimNode {
                node: initiator.node.clone(),
                writes: initiator.writes,
                cost_ns: initiator.cost_nanos,
            })
            .collect(),
        severity: severity.ok_or_else(|| named("finding.severity", &finding.severity))?,
        state: state.ok_or_else(|| named("finding.state", &finding.state))?,
        confidence: finding.confidence,
        opened_unix_ns: finding.opened_unix_nanos,
        first_unix_ns: finding.first_unix_nanos,
        last_unix_ns: finding.last_unix_nanos,
        closed_unix_ns: finding.closed_unix_nanos,
        reopened: finding.reopened,
        cost_ns: finding.cost_nanos,
        victims: finding
            .victims
            .iter()
            .map(|victim| Victim {
                volume: victim.volume.clone(),
                writes: victim.writes,
                cost_ns: victim.cost_nanos,
            })
            .collect(),
        evidence: finding
            .evidence
            .iter()
            .map(|evidence| report::Evidence {
                text: evidence.text.clone(),
                writes: evidence.writes.clone(),
            })
            .collect(),
        observations: finding
            .observations
            .iter()
            .map(|observation| ObservationRef {
                kind: observation.kind.clone(),
                node: observation.node.clone(),
                id: observation.id.clone(),
                at_unix_ns: observation.at_unix_nanos,
                counter: given(&observation.counter),
            })
            .collect(),
        next: finding.next.clone(),
        part_of: given(&finding.part_of),
        acknowledged: finding.acknowledged.as_ref().map(note_from_wire),
        muted: finding.muted.as_ref().map(note_from_wire),
        sequence: finding.sequence,
    })
}

/// A change from the wire.
///
/// # Errors
///
/// When it has no finding, or words that this version does not know.
pub fn change_from_wire(change: &wire::FindingChange) -> Result<Change> {
    let kind = ChangeKind::ALL.into_iter().find(|kind| kind.as_str() == change.change);
    let finding = change.finding.as_ref().ok_or(Error::Missing {
        field: "change.finding",
    })?;
    Ok(Change {
        sequence: change.sequence,
        kind: kind.ok_or_else(|| Error::UnknownName {
            field: "change.change",
            source: UnknownName {
                what: "change",
                name: change.change.clone(),
                known: "opened, reopened, updated, closed, acknowledged, unacknowledged, muted, unmuted",
            },
        })?,
        at_unix_ns: change.at_unix_nanos,
        finding: finding_from_wire(finding)?,
    })
}

#[cfg(test)]
mod tests;
