//! The tables: their columns, and how rows go in and come out. One file a table.
//!
//! Times are `timestamp(ns, UTC)` on the clock of the node that saw the event, durations nanoseconds, offsets and lengths bytes.
//! The cluster stands in the path. An I/O's key is (node, incarnation, ordinal).

pub mod attribution;
pub mod attribution_sums;
pub mod baselines;
pub mod coverage;
pub mod findings;
pub mod ios;
pub mod latency;
pub mod latency_sums;
pub mod legs;
pub mod observations;
pub mod pending;
pub mod samples;
pub mod slow_minutes;
pub mod unmatched;
pub mod write_seconds;

use std::collections::HashMap;

use fathom_model::cell::Bucket;
use fathom_model::{
    Catalog, DiskIndex, Incarnation, NodeId, NodeIndex, Observation, PhysicalDisk, PhysicalDiskId, StreamId,
    StreamIndex, StreamKind, VolumeId, VolumeIndex,
};

use crate::columns::{Builder, Columns};
use crate::error::Result;

/// Files of up to so many rows are one row group.
const SMALL: usize = 512;

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

/// Adds the columns that say which stretch of time a row is of.
fn buckets(builder: &mut Builder, buckets: impl Iterator<Item = Bucket> + Clone) {
    builder.time(
        "bucket",
        buckets.clone().map(|bucket| Some(bucket.from_unix_nanos)),
        false,
    );
    builder.i64("bucket_nanos", buckets.map(|bucket| Some(bucket.length_nanos)), false);
}

/// Adds the columns that say which stretch of time all rows are of: from the first nanosecond to the last in it.
fn stretch(builder: &mut Builder, (from, last): (i64, i64), rows: usize) {
    builder.time("from", (0..rows).map(|_| Some(from)), false);
    builder.time("until", (0..rows).map(|_| Some(last.saturating_add(1))), false);
}

/// Where row groups of sorted rows end: before each row, of which is asked whether it begins one after the group that begins at the other.
/// Small files stay whole: what a row group takes is not worth it.
fn group_ends(rows: usize, begins: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let (mut ends, mut from) = (Vec::new(), 0);
    if rows > SMALL {
        for at in 1..rows {
            if begins(at, from) {
                ends.push(at);
                from = at;
            }
        }
    }
    ends
}

/// Reads what [`buckets`] wrote.
fn read_buckets(columns: &Columns<'_>) -> Result<Vec<Bucket>> {
    let from = columns.all("bucket", columns.times("bucket")?)?;
    let lengths = columns.all("bucket_nanos", columns.i64s("bucket_nanos")?)?;
    let bucket = |(from_unix_nanos, length_nanos): (i64, i64)| {
        let bucket = Bucket {
            from_unix_nanos,
            length_nanos,
        };
        let is_whole = length_nanos > 0 && Bucket::of(from_unix_nanos, length_nanos) == bucket;
        is_whole.then_some(bucket).ok_or_else(|| {
            columns.wrong(
                "bucket_nanos",
                format!("{length_nanos} ns do not begin at {from_unix_nanos}"),
            )
        })
    };
    from.into_iter().zip(lengths).map(bucket).collect()
}

/// Names of a batch on their way into a catalog: each is looked up there once.
struct Names<'c, 'b> {
    catalog: &'c mut Catalog,
    nodes: HashMap<&'b str, NodeIndex>,
    volumes: HashMap<&'b str, VolumeIndex>,
    disks: HashMap<(&'b str, &'b str), DiskIndex>,
}

impl<'c, 'b> Names<'c, 'b> {
    fn new(catalog: &'c mut Catalog) -> Self {
        Self {
            catalog,
            nodes: HashMap::new(),
            volumes: HashMap::new(),
            disks: HashMap::new(),
        }
    }

    fn node(&mut self, name: Option<&'b str>) -> Option<NodeIndex> {
        let (name, catalog) = (name?, &mut *self.catalog);
        let node = self.nodes.entry(name);
        Some(*node.or_insert_with(|| catalog.intern_node(&NodeId::new(name))))
    }

    fn volume(&mut self, name: Option<&'b str>) -> Option<VolumeIndex> {
        let (name, catalog) = (name?, &mut *self.catalog);
        let volume = self.volumes.entry(name);
        Some(*volume.or_insert_with(|| catalog.intern_volume(&VolumeId::new(name))))
    }

    fn disk(&mut self, node: Option<&'b str>, name: Option<&'b str>, id: Option<&'b str>) -> Option<DiskIndex> {
        let (node, name, id) = (node?, name?, id?);
        let catalog = &mut *self.catalog;
        let disk = self.disks.entry((id, node));
        Some(*disk.or_insert_with(|| {
            catalog.intern_disk(&PhysicalDisk {
                id: PhysicalDiskId::new(id),
                node: NodeId::new(node),
                name: name.to_owned(),
            })
        }))
    }
}
