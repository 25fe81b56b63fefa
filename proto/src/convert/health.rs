//! Health of `findings.proto` and the model's ([`fathom_model::health`]).

use fathom_model::health::{Entry, Reason, Span};

use crate::query::v1 as wire;

impl From<&Entry> for wire::HealthEntry {
    fn from(entry: &Entry) -> Self {
        Self {
            kind: entry.kind.as_str().to_owned(),
            name: entry.name.clone(),
            state: entry.state.as_str().to_owned(),
            since_unix_nanos: entry.since_unix_ns,
            reasons: entry.reasons.iter().map(reason).collect(),
            more_reasons: entry.more_reasons,
        }
    }
}

fn reason(reason: &Reason) -> wire::HealthReason {
    wire::HealthReason {
        text: reason.text.clone(),
        finding: reason.finding.clone().unwrap_or_default(),
        from: reason.from.clone(),
        state: reason.state.as_str().to_owned(),
    }
}

impl From<&Span> for wire::HealthSpan {
    fn from(span: &Span) -> Self {
        Self {
            state: span.state.as_str().to_owned(),
            from_unix_nanos: span.from_unix_ns,
            reason: span.reason.clone(),
        }
    }
}
