//! Which I/Os a query is about.

use fathom_model::{Catalog, Io, JoinedRows, Leg, NodeId, Op, PhysicalDisk, Topology, Unmatched};
use fathom_proto::query::v1 as wire;
use fathom_store::Span;
use tonic::Status;

use crate::grpc::status;

/// So many names are told where one is not known.
const NAMED: usize = 48;

/// Restrictions; what is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) op: Option<Op>,
    pub(crate) volume: Option<String>,
    pub(crate) node: Option<String>,
    pub(crate) disk: Option<String>,
    /// The node of that disk, where it is said: a disk of this name on another node is another one.
    pub(crate) disk_node: Option<String>,
    pub(crate) since_nanos: Option<u64>,
    pub(crate) until_nanos: Option<u64>,
}

impl Filter {
    pub(crate) fn from_wire(filter: Option<wire::IoFilter>) -> Result<Self, Status> {
        let filter = filter.unwrap_or_default();
        let given = |text: String| (!text.is_empty()).then_some(text);
        if filter.since_nanos > 0 && filter.until_nanos >= filter.since_nanos {
            return Err(status::invalid(
                "filter.until_nanos: it ends before it begins; both are counted back from the newest I/O, and the end is the shorter",
            ));
        }
        let op = given(filter.op).map(|op| op.parse::<Op>()).transpose();
        Ok(Self {
            op: op.map_err(|error| status::invalid(format!("filter.op: {error}")))?,
            volume: given(filter.volume),
            node: given(filter.node),
            disk: given(filter.disk),
            disk_node: None,
            since_nanos: (filter.since_nanos > 0).then_some(filter.since_nanos),
            until_nanos: (filter.until_nanos > 0).then_some(filter.until_nanos),
        })
    }

    /// A disk may be asked for as answers show it, `NODE/DISK`; then a node beside it is asked for by itself. By its name alone it is on the
    /// node that is asked for, where that has such a disk. Names may hold a slash themselves: what is known decides.
    pub(crate) fn find_disk(&mut self, topology: &Topology) {
        let Some(given) = &self.disk else { return };
        let mut named = topology.disks.iter().filter(|disk| disk.name == *given).peekable();
        if named.peek().is_some() {
            let is_its = |node: &&String| named.any(|disk| disk.node.as_str() == **node);
            self.disk_node = self.node.as_ref().filter(is_its).cloned();
            return;
        }
        let shown = |disk: &&PhysicalDisk| {
            given
                .strip_prefix(disk.node.as_str())
                .and_then(|rest| rest.strip_prefix('/'))
                == Some(disk.name.as_str())
        };
        if let Some(disk) = topology.disks.iter().find(shown) {
            (self.disk, self.disk_node) = (Some(disk.name.clone()), Some(disk.node.to_string()));
        }
    }

    /// Refuses names that nothing of the cluster has. Comes after [`Self::find_disk`].
    pub(crate) fn check_names(&self, topology: &Topology) -> Result<(), Status> {
        let volumes = topology.volumes.iter().map(|volume| volume.id.to_string());
        known("volume", self.volume.as_ref(), volumes.collect())?;
        let nodes = topology.nodes.iter().map(|node| node.id.to_string());
        known("node", self.node.as_ref(), nodes.collect())?;
        if self
            .disk
            .as_ref()
            .is_some_and(|given| topology.disks.iter().any(|disk| disk.name == *given))
        {
            return Ok(());
        }
        // They are told as they were asked for: by name, or with their nodes.
        let with_node = self.disk.as_ref().is_some_and(|given| given.contains('/'));
        let name = |disk: &PhysicalDisk| match with_node {
            true => format!("{}/{}", disk.node, disk.name),
            false => disk.name.clone(),
        };
        known("disk", self.disk.as_ref(), topology.disks.iter().map(name).collect())
    }

    pub(crate) fn keeps_all(&self) -> bool {
        *self == Self::default()
    }

    /// The rows that pass.
    pub(crate) fn apply(&self, rows: &JoinedRows, catalog: &Catalog, within: Span) -> JoinedRows {
        let mut kept = JoinedRows::default();
        for io in rows
            .ios
            .iter()
            .filter(|io| self.keeps(io, rows.legs_of(io), catalog, within))
        {
            let first = kept.legs.len();
            kept.legs.extend_from_slice(rows.legs_of(io));
            let mut io = io.clone();
            if let Some(slowest) = &mut io.slowest {
                slowest.leg = slowest.leg - io.legs.start + first;
            }
            io.legs = first..kept.legs.len();
            kept.ios.push(io);
        }
        kept.unmatched = rows
            .unmatched
            .iter()
            .filter(|event| self.keeps_unmatched(event, catalog, within))
            .cloned()
            .collect();
        kept
    }

    fn keeps(&self, io: &Io, legs: &[Leg], catalog: &Catalog, within: Span) -> bool {
        // A node is meant as initiator or as holder of a copy.
        let at_node = |node: &String| {
            let holds = |leg: &Leg| catalog.disk(leg.disk).node.as_str() == node;
            catalog.node(io.node).as_str() == node || legs.iter().any(holds)
        };
        self.node.as_ref().is_none_or(at_node)
            && (self.disk.is_none() || legs.iter().any(|leg| self.is_on(catalog.disk(leg.disk))))
            && self.op.is_none_or(|op| io.op == op)
            && self
                .volume
                .as_ref()
                .is_none_or(|volume| catalog.volume(io.volume).as_str() == volume)
            && is_within(io.event.end_unix_nanos(), within)
    }

    fn is_on(&self, disk: &PhysicalDisk) -> bool {
        self.disk.as_ref().is_none_or(|name| disk.name == *name)
            && self.disk_node.as_ref().is_none_or(|node| disk.node.as_str() == node)
    }

    /// An event of no I/O has no volume: whoever asks for one does not get it.
    fn keeps_unmatched(&self, event: &Unmatched, catalog: &Catalog, within: Span) -> bool {
        self.volume.is_none()
            && self.op.is_none_or(|op| event.op == op)
            && self
                .node
                .as_ref()
                .is_none_or(|node| catalog.node(event.node).as_str() == node)
            && (self.disk.is_none() || event.disk.is_some_and(|index| self.is_on(catalog.disk(index))))
            && is_within(event.event.end_unix_nanos(), within)
    }
}

const fn is_within(at: i64, span: Span) -> bool {
    span.from_unix_nanos <= at && at <= span.until_unix_nanos
}

/// Refuses a node that is not among those that are known, in whatever case; where none is known any will do.
fn known_node<'a>(name: Option<&str>, nodes: impl IntoIterator<Item = &'a NodeId>) -> Result<(), Status> {
    let nodes: Vec<String> = nodes.into_iter().map(NodeId::to_string).collect();
    let is_known = |name: &&str| nodes.iter().any(|node| node.eq_ignore_ascii_case(name));
    match name.filter(|name| !nodes.is_empty() && !is_known(name)) {
        Some(name) => known("node", Some(&name.to_owned()), nodes),
        None => Ok(()),
    }
}

/// The same of what state says, which is of files alone where it is of no node: then there is none of any name.
pub(crate) fn known_node_of_state<'a>(
    name: Option<&str>,
    nodes: impl IntoIterator<Item = &'a NodeId>,
    is_said: bool,
) -> Result<(), Status> {
    let nodes: Vec<&NodeId> = nodes.into_iter().collect();
    match name.filter(|_| is_said && nodes.is_empty()) {
        Some(name) => known("node", Some(&name.to_owned()), Vec::new()),
        None => known_node(name, nodes),
    }
}

/// Refuses a name that is not among those there are.
fn known(what: &str, name: Option<&String>, mut names: Vec<String>) -> Result<(), Status> {
    let Some(name) = name.filter(|name| !names.contains(name)) else {
        return Ok(());
    };
    names.sort_unstable();
    names.dedup();
    let more = match names.len().checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => {
            names.truncate(NAMED);
            format!(" and {more} more")
        }
        None => String::new(),
    };
    let all = if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    };
    let message = format!("there is no {what} `{name}` (known: {all}{more})");
    Err(status::not_found("UNKNOWN_NAME", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_refused_where_state_is_said_and_of_no_node() {
        let none: [&NodeId; 0] = [];
        let refused = known_node_of_state(Some("n7"), none, true).expect_err("there is none");
        assert_eq!(refused.message(), "there is no node `n7` (known: none)");
        // Of what nothing was said any may be.
        assert!(known_node_of_state(Some("n7"), none, false).is_ok());
        assert!(known_node_of_state(None, none, true).is_ok());
        let node = NodeId::new("n1");
        assert!(known_node_of_state(Some("N1"), [&node], true).is_ok());
        assert!(known_node_of_state(Some("n7"), [&node], true).is_err());
    }
}
