//! `observations`: one row a resource as a node reported it.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | kind, id | text | which resource |
//! | node | text | the node that reports |
//! | observed | timestamp | when it was so, on that node's clock |
//! | present | bool | false: it was there before and is not any more |
//! | attributes | text | what is known of it: a JSON object, units in the names |
//! | class | text, null | the class that it was read of; null where that was not said, and not in files of before it was |
//! | unavailable | text, null | what is not known and why: a JSON object; null where nothing is |

use std::collections::BTreeMap;

use bytes::Bytes;
use fathom_model::NodeId;
use fathom_model::state::{Kind, Observation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::columns::{Builder, Columns, read};
use crate::error::Result;

/// The observations as a Parquet file.
pub(crate) fn write(path: &str, rows: &[&Observation]) -> Result<Bytes> {
    let mut builder = Builder::default();
    builder.name("kind", rows.iter().map(|row| Some(row.kind.as_str())), false);
    builder.name("id", rows.iter().map(|row| Some(row.id.as_str())), false);
    builder.name("node", rows.iter().map(|row| Some(row.node.as_str())), false);
    builder.name("class", rows.iter().map(|row| row.class.as_deref()), true);
    builder.time("observed", rows.iter().map(|row| Some(row.observed_unix_nanos)), false);
    builder.bool("present", rows.iter().map(|row| row.present));
    builder.text("attributes", rows.iter().map(|row| Some(json(&row.attributes))));
    let unavailable = |row: &&Observation| (!row.unavailable.is_empty()).then(|| json(&row.unavailable));
    builder.text("unavailable", rows.iter().map(unavailable));
    builder.parquet(path)
}

/// The observations of a file.
pub(crate) fn load(path: &str, bytes: Bytes) -> Result<Vec<Observation>> {
    let mut rows = Vec::new();
    for batch in read(path, bytes)? {
        let columns = Columns::new(path, &batch);
        let kinds = columns.all("kind", columns.parsed("kind", |text| text.parse::<Kind>().ok())?)?;
        let ids = columns.all("id", columns.names("id")?)?;
        let nodes = columns.all("node", columns.names("node")?)?;
        let classes = columns.since("class", |name| columns.names(name))?;
        let observed = columns.all("observed", columns.times("observed")?)?;
        let present = columns.all("present", columns.bools("present")?)?;
        let attributes = columns.names("attributes")?;
        let unavailable = columns.names("unavailable")?;
        for row in 0..columns.rows() {
            rows.push(Observation {
                node: NodeId::new(nodes[row]),
                kind: kinds[row],
                id: ids[row].to_owned(),
                class: classes[row].map(str::to_owned),
                observed_unix_nanos: observed[row],
                present: present[row],
                attributes: parsed(&columns, "attributes", attributes[row])?,
                unavailable: parsed(&columns, "unavailable", unavailable[row])?,
            });
        }
    }
    Ok(rows)
}

fn json<T: Serialize>(map: &BTreeMap<String, T>) -> String {
    // Texts, numbers and lists of them under texts: they always serialise, but for a number that is none, which is then null.
    serde_json::to_string(map).unwrap_or_default()
}

fn parsed<T: DeserializeOwned>(
    columns: &Columns<'_>,
    name: &'static str,
    text: Option<&str>,
) -> Result<BTreeMap<String, T>> {
    let Some(text) = text else { return Ok(BTreeMap::new()) };
    serde_json::from_str(text).map_err(|error| columns.wrong(name, error.to_string()))
}
