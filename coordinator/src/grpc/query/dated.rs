//! Latencies that changed with something that happened, on the wire.

use fathom_diagnose::dated::{About, Dated};
use fathom_proto::query::v1 as wire;

pub(super) fn dated_to_wire(dated: &Dated) -> wire::DatedChange {
    let event = &dated.event;
    let (of, volume, node, disk) = match &event.about {
        About::Volume(volume) => ("volume", volume.as_str(), "", ""),
        About::Node(node) => ("node", "", node.as_str(), ""),
        About::Disk(node, disk) => ("disk", "", node.as_str(), disk.as_str()),
    };
    let [before, after] = &event.values;
    let [p50_p, p99_p] = dated.p;
    wire::DatedChange {
        of: of.to_owned(),
        volume: volume.to_owned(),
        node: node.to_owned(),
        disk: disk.to_owned(),
        kind: event.kind.clone(),
        id: event.id.clone(),
        reader: event.node.clone(),
        attribute: event.attribute.clone(),
        before: before.clone(),
        after: after.clone(),
        from_unix_nanos: event.from_unix_nanos,
        at_unix_nanos: event.at_unix_nanos,
        began_unix_nanos: dated.began_unix_nanos,
        before_p50_nanos: dated.before.p50_nanos,
        before_p99_nanos: dated.before.p99_nanos,
        after_p50_nanos: dated.after.p50_nanos,
        after_p99_nanos: dated.after.p99_nanos,
        p50_p,
        p99_p,
        resolution_nanos: dated.piece_nanos,
    }
}
