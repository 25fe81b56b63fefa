//! The tables: their columns, and how rows go in and come out. One file a table.
//!
//! Times are `timestamp(ns, UTC)` on the clock of the node that saw the event, durations nanoseconds, offsets and lengths bytes.
//! The cluster stands in the path. An I/O's key is (node, incarnation, ordinal).

pub mod coverage;
pub mod findings;
pub mod ios;
pub mod legs;
pub mod observations;
pub mod pending;
pub mod samples;
pub mod slow_minutes;
pub mod unmatched;

use fathom_model::{Catalog, Incarnation, NodeId, Observation, StreamId, StreamIndex, StreamKind};

use crate::columns::{Builder, Columns};
use crate::error::Result;

/// Adds the columns that name an event and its times, each with a prefix.
fn event_columns(builder: &mut Builder, prefix: &str, nullable: bool, events: &[Option<&Observation>]) {
    let at = |name: &str| format!("{prefix}{name}");
    let values = || events.iter().map(|event| event.copied());
    builder.u64(
        &at("ordinal"),
        values().map(|event| event.map(|event| event.ordinal)),
        nullable,
    );
    builder.time(
        &at("start"),
        values().map(|event| event.map(|event| event.start_unix_nanos)),
        nullable,
    );
    builder.u64(
        &at("duration_nanos"),
        values().map(|event| event.map(|event| event.duration_nanos)),
        nullable,
    );
    builder.u32(
        &at("status"),
        values().map(|event| event.map(|event| event.status)),
        nullable,
    );
}

/// Names of the columns that [`event_columns`] adds.
struct EventNames {
    ordinal: &'static str,
    start: &'static str,
    duration: &'static str,
    status: &'static str,
}

const PLAIN: EventNames = EventNames {
    ordinal: "ordinal",
    start: "start",
    duration: "duration_nanos",
    status: "status",
};

/// Reads what [`event_columns`] wrote; `streams` has the stream of each row's event.
fn read_events(
    columns: &Columns<'_>,
    names: &EventNames,
    streams: &[Option<StreamIndex>],
) -> Result<Vec<Option<Observation>>> {
    let ordinals = columns.u64s(names.ordinal)?;
    let starts = columns.times(names.start)?;
    let durations = columns.u64s(names.duration)?;
    let statuses = columns.u32s(names.status)?;
    (0..columns.rows())
        .map(|row| {
            let Some(ordinal) = ordinals[row] else { return Ok(None) };
            Ok(Some(Observation {
                stream: streams[row].ok_or_else(|| columns.wrong(names.ordinal, "is an event without a stream"))?,
                ordinal,
                start_unix_nanos: starts[row].ok_or_else(|| columns.wrong(names.start, "has a null"))?,
                duration_nanos: durations[row].ok_or_else(|| columns.wrong(names.duration, "has a null"))?,
                status: statuses[row].ok_or_else(|| columns.wrong(names.status, "has a null"))?,
            }))
        })
        .collect()
}

/// Reads the streams behind a column of nodes and one of incarnations.
fn read_streams(
    columns: &Columns<'_>,
    node: &'static str,
    incarnation: &'static str,
    cluster: &fathom_model::ClusterId,
    catalog: &mut Catalog,
) -> Result<Vec<Option<StreamIndex>>> {
    let nodes = columns.names(node)?;
    let incarnations = columns.parsed(incarnation, |text| text.parse::<Incarnation>().ok())?;
    let mut last: Option<((&str, Incarnation), StreamIndex)> = None;
    nodes
        .into_iter()
        .zip(incarnations)
        .map(|(node, incarnation)| {
            let (Some(node), Some(incarnation)) = (node, incarnation) else {
                return Ok(None);
            };
            // Rows of one stream stand together: most look-ups are the one before.
            if let Some((key, index)) = last
                && key == (node, incarnation)
            {
                return Ok(Some(index));
            }
            let id = StreamId {
                cluster: cluster.clone(),
                node: NodeId::new(node),
                kind: StreamKind::Io,
                incarnation,
            };
            let index = catalog.intern_stream(&id);
            last = Some(((node, incarnation), index));
            Ok(Some(index))
        })
        .collect()
}

/// Names by index of a catalog, each formatted once.
struct Incarnations(Vec<String>);

impl Incarnations {
    fn new(catalog: &Catalog) -> Self {
        Self(
            catalog
                .streams()
                .iter()
                .map(|stream| stream.incarnation.to_string())
                .collect(),
        )
    }

    fn of(&self, stream: StreamIndex) -> &str {
        &self.0[stream.as_usize()]
    }
}
