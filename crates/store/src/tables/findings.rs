//! `findings`: one row a change of a finding, in the order of their numbers.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | sequence | u64 | the change's number in the cluster |
//! | at | timestamp | when: of the diagnosis on the reference node's clock, of people on the coordinator's |
//! | change | text | opened, reopened, updated, closed, acknowledged, unacknowledged, muted, unmuted |
//! | id, code, kind | text | the finding, what it is, and of which kind its object is |
//! | node, disk, peer | text, null but for node | the object |
//! | severity, state | text | warning or critical; open or closed |
//! | first, last | timestamp | when it was felt first and last |
//! | `cost_nanos` | u64 | what writes waited for it |
//! | finding | text | all of it after the change, as JSON |

use bytes::Bytes;
use fathom_model::finding::{Change, ChangeKind, Finding};

use crate::columns::{Builder, Columns, read};
use crate::error::Result;

/// The changes as a Parquet file.
pub(crate) fn write(path: &str, rows: &[&Change]) -> Result<Bytes> {
    let mut builder = Builder::default();
    let findings = || rows.iter().map(|row| &row.finding);
    builder.u64("sequence", rows.iter().map(|row| Some(row.sequence)), false);
    builder.time("at", rows.iter().map(|row| Some(row.at_unix_ns)), false);
    builder.name("change", rows.iter().map(|row| Some(row.kind.as_str())), false);
    builder.name("id", findings().map(|finding| Some(finding.id.as_str())), false);
    builder.name("code", findings().map(|finding| Some(finding.code.as_str())), false);
    builder.name("kind", findings().map(|finding| Some(finding.kind.as_str())), false);
    builder.name("node", findings().map(|finding| Some(finding.node.as_str())), false);
    builder.name("disk", findings().map(|finding| finding.disk.as_deref()), true);
    builder.name("peer", findings().map(|finding| finding.peer.as_deref()), true);
    builder.name(
        "severity",
        findings().map(|finding| Some(finding.severity.as_str())),
        false,
    );
    builder.name("state", findings().map(|finding| Some(finding.state.as_str())), false);
    builder.time("first", findings().map(|finding| Some(finding.first_unix_ns)), false);
    builder.time("last", findings().map(|finding| Some(finding.last_unix_ns)), false);
    builder.u64("cost_nanos", findings().map(|finding| Some(finding.cost_ns)), false);
    // Texts, whole numbers and finite fractions: it always serialises.
    builder.text("finding", findings().map(|finding| serde_json::to_string(finding).ok()));
    builder.parquet(path)
}

/// The changes of a file.
pub(crate) fn load(path: &str, bytes: Bytes) -> Result<Vec<Change>> {
    let mut rows = Vec::new();
    for batch in read(path, bytes)? {
        let columns = Columns::new(path, &batch);
        let known = |name: &str| ChangeKind::ALL.into_iter().find(|kind| kind.as_str() == name);
        let sequences = columns.all("sequence", columns.u64s("sequence")?)?;
        let times = columns.all("at", columns.times("at")?)?;
        let kinds = columns.all("change", columns.parsed("change", known)?)?;
        let findings = columns.all("finding", columns.names("finding")?)?;
        for row in 0..columns.rows() {
            let finding: Finding =
                serde_json::from_str(findings[row]).map_err(|error| columns.wrong("finding", error.to_string()))?;
            rows.push(Change {
                sequence: sequences[row],
                kind: kinds[row],
                at_unix_ns: times[row],
                finding,
            });
        }
    }
    Ok(rows)
}
