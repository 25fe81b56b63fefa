//! `ios`: one row an I/O.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | node, incarnation, ordinal | text, text, u64 | the I/O's event: its key |
//! | start, duration_nanos, status | timestamp, u64, u32 | its times on the node's clock; 0 or the source's code |
//! | volume, op, offset, length | text, text, u64, u64 | what it did |
//! | class | text | exact, ambiguous, incomplete |
//! | legs_expected, legs | u32 | copies that the extent map asks for; rows in `legs` |
//! | last_node, last_disk | text, null | where the last copy lies; null where it cannot be known |
//! | last_leg | u32, null | which of the I/O's legs it is, from 0 |
//! | lead_nanos | u64, null | how long after the second-last |
//! | last_confidence | f32, null | how sure |
//! | weight | f32 | how many I/Os the row stands for: 1 unless detail was shed |

use bytes::Bytes;
use fathom_model::{Catalog, ClusterId, Io, IoClass, JoinedRows, NodeId, Op, Slowest, VolumeId};

use super::{Incarnations, PLAIN, event_columns, read_events, read_streams};
use crate::columns::{Builder, Columns, read};
use crate::error::Result;

/// The I/Os as a Parquet file.
pub(crate) fn write(path: &str, ios: &[&Io], rows: &JoinedRows, catalog: &Catalog) -> Result<Bytes> {
    let incarnations = Incarnations::new(catalog);
    let last = |io: &Io| io.slowest.map(|slowest| catalog.disk(rows.legs[slowest.leg].disk));
    let events: Vec<_> = ios.iter().map(|io| Some(&io.event)).collect();
    let mut builder = Builder::default();
    builder.name("node", ios.iter().map(|io| Some(catalog.node(io.node).as_str())), false);
    builder.name(
        "incarnation",
        ios.iter().map(|io| Some(incarnations.of(io.event.stream))),
        false,
    );
    event_columns(&mut builder, "", false, &events);
    builder.name(
        "volume",
        ios.iter().map(|io| Some(catalog.volume(io.volume).as_str())),
        false,
    );
    builder.name("op", ios.iter().map(|io| Some(io.op.as_str())), false);
    builder.u64("offset", ios.iter().map(|io| Some(io.offset)), false);
    builder.u64("length", ios.iter().map(|io| Some(io.length)), false);
    builder.name("class", ios.iter().map(|io| Some(io.class.as_str())), false);
    builder.u32("legs_expected", ios.iter().map(|io| Some(io.legs_expected)), false);
    builder.u32("legs", ios.iter().map(|io| Some(io.legs.len() as u32)), false);
    builder.name(
        "last_node",
        ios.iter().map(|io| last(io).map(|disk| disk.node.as_str())),
        true,
    );
    builder.name(
        "last_disk",
        ios.iter().map(|io| last(io).map(|disk| disk.name.as_str())),
        true,
    );
    builder.u32(
        "last_leg",
        ios.iter()
            .map(|io| io.slowest.map(|slowest| (slowest.leg - io.legs.start) as u32)),
        true,
    );
    builder.u64(
        "lead_nanos",
        ios.iter().map(|io| io.slowest.and_then(|slowest| slowest.lead_nanos)),
        true,
    );
    builder.f32(
        "last_confidence",
        ios.iter().map(|io| io.slowest.map(|slowest| slowest.confidence)),
        true,
    );
    builder.f32("weight", ios.iter().map(|_| Some(1.0)), false);
    builder.parquet(path)
}

/// The I/Os of a file; their legs are the next of `legs` each, in order.
pub(crate) fn load(path: &str, bytes: Bytes, cluster: &ClusterId, catalog: &mut Catalog) -> Result<Vec<Io>> {
    let mut ios: Vec<Io> = Vec::new();
    for batch in read(path, bytes)? {
        let columns = Columns::new(path, &batch);
        let streams = read_streams(&columns, "node", "incarnation", cluster, catalog)?;
        let events = columns.all("ordinal", read_events(&columns, &PLAIN, &streams)?)?;
        let nodes = columns.all("node", columns.names("node")?)?;
        let volumes = columns.all("volume", columns.names("volume")?)?;
        let ops = columns.all("op", columns.parsed("op", |text| text.parse::<Op>().ok())?)?;
        let offsets = columns.all("offset", columns.u64s("offset")?)?;
        let lengths = columns.all("length", columns.u64s("length")?)?;
        let class = |text: &str| IoClass::ALL.into_iter().find(|class| class.as_str() == text);
        let classes = columns.all("class", columns.parsed("class", class)?)?;
        let expected = columns.all("legs_expected", columns.u32s("legs_expected")?)?;
        let legs = columns.all("legs", columns.u32s("legs")?)?;
        let last_legs = columns.u32s("last_leg")?;
        let leads = columns.u64s("lead_nanos")?;
        let confidences = columns.f32s("last_confidence")?;
        for row in 0..columns.rows() {
            let from = ios.last().map_or(0, |before| before.legs.end);
            let slowest = last_legs[row].map(|leg| Slowest {
                leg: from + leg as usize,
                lead_nanos: leads[row],
                confidence: confidences[row].unwrap_or(0.0),
            });
            if slowest.is_some_and(|slowest| slowest.leg >= from + legs[row] as usize) {
                return Err(columns.wrong("last_leg", "is not one of the I/O's legs"));
            }
            ios.push(Io {
                event: events[row],
                node: catalog.intern_node(&NodeId::new(nodes[row])),
                volume: catalog.intern_volume(&VolumeId::new(volumes[row])),
                op: ops[row],
                offset: offsets[row],
                length: lengths[row],
                class: classes[row],
                legs_expected: expected[row],
                slowest,
                legs: from..from + legs[row] as usize,
            });
        }
    }
    Ok(ios)
}
