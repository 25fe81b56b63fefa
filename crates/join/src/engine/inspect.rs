//! How the engine is doing: for status, credit and coverage. Changes nothing.

use fathom_model::{DiskIndex, NodeIndex, StreamIndex, Tap};

use super::{End, Engine};

/// A stream as the engine has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamReport {
    /// The stream.
    pub stream: StreamIndex,
    /// The node that speaks.
    pub node: NodeIndex,
    /// Its taps.
    pub taps: Vec<Tap>,
    /// The ordinal that comes next.
    pub next_ordinal: u64,
    /// Ordinals declared lost.
    pub lost: u64,
    /// From when on it would have seen an event.
    pub covered_from_unix_nanos: Option<i64>,
    /// Nothing that completed before this is still to come; `None` before the first promise.
    pub heard_unix_nanos: Option<i64>,
    /// How it ended.
    pub ended: Option<End>,
    /// Whether its initiator legs without an offset carry the correlation (the IRP) of their I/O; `None` while that is not
    /// known, or neither is so.
    pub legs_share_correlation: Option<bool>,
}

impl Engine {
    /// All streams, by identity.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamReport> {
        let mut streams: Vec<StreamReport> = self
            .streams
            .iter()
            .map(|(&index, stream)| StreamReport {
                stream: index,
                node: stream.node,
                taps: Tap::ALL
                    .into_iter()
                    .filter(|&tap| stream.resolution[tap as usize].is_some())
                    .collect(),
                next_ordinal: stream.next,
                lost: stream.lost,
                covered_from_unix_nanos: stream.covered_from,
                heard_unix_nanos: (stream.heard != i64::MIN).then_some(stream.heard),
                ended: stream.ended,
                legs_share_correlation: self.legs_share_correlation(index),
            })
            .collect();
        streams.sort_by_key(|report| self.catalog.stream(report.stream));
        streams
    }

    /// What the traffic shows that does not fit the extent map, in sentences: disks whose offsets are shifted, and disks that show
    /// what the map has on others.
    #[must_use]
    pub fn oddities(&self) -> Vec<String> {
        let name = |disk: DiskIndex| {
            let disk = self.catalog.disk(disk);
            format!("{}/{}", disk.node, disk.name)
        };
        let shifted = self.shifts().into_iter().filter(|shift| shift.bytes != 0);
        let mut said: Vec<String> = shifted
            .map(|shift| {
                format!(
                    "{} of {}: every offset is {} bytes beyond the extent map's, as the traffic shows; joined by that",
                    shift.tap,
                    name(shift.disk),
                    shift.bytes
                )
            })
            .collect();
        said.extend(self.mistaken().into_iter().map(|mistaken| {
            format!(
                "{} of {} shows what the extent map has on {}: are files, nodes or disks taken for one another? Nothing was joined by it",
                mistaken.tap,
                name(mistaken.disk),
                name(mistaken.shows)
            )
        }));
        said.extend(self.streams.values().filter(|stream| stream.has_legs_alone()).map(|stream| {
            format!(
                "node {} gives its legs (initiator) and not its I/Os (volume): none of them can be joined, and what others saw of them is set aside as foreign",
                self.catalog.node(stream.node)
            )
        }));
        said.sort_unstable();
        said.dedup();
        said
    }

    /// Until when, on its clock, windows closed that a silent node could have had legs in, or what far sides saw of its own I/Os was set
    /// aside.
    #[must_use]
    pub fn closed_without(&self, node: NodeIndex) -> Option<i64> {
        let writes = self.lives(node).iter().any(|&stream| self.gives(stream, Tap::Volume));
        let set_aside = self.set_aside.get(&node).filter(|_| writes);
        // Until when nothing can be left is later than anybody has come.
        let newest = self.streams.values().map(|stream| stream.newest).max();
        let set_aside = set_aside.map(|&until| newest.map_or(until, |newest| until.min(newest)));
        set_aside.max(self.closed_without.get(&node).copied())
    }
}
