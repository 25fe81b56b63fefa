//! Classes that could not be read: what they would tell is not known, and is never to be taken for nothing.

use fathom_model::NodeId;
use fathom_model::state::{Kind, Scope};

use super::Picture;

/// A class whose newest reading by a node failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The node. None: no node has ever said anything of the kind.
    pub node: Option<NodeId>,
    /// What the class tells of.
    pub kind: Kind,
    /// The class. Empty: none was ever asked.
    pub class: String,
    /// Why.
    pub reason: String,
    /// Since when that is said.
    pub since_unix_nanos: Option<i64>,
    /// When it was found to be so last.
    pub seen_unix_nanos: Option<i64>,
    /// When it was read last, by whoever its kind is read by.
    pub read_unix_nanos: Option<i64>,
}

/// Why nothing is known of a kind that nothing was ever said of.
const NEVER: &str = "no node has said anything of it";

/// Kinds that an answer about others rests on beside themselves: what stands beside them is read of these.
#[must_use]
pub fn rests_on(kinds: &[Kind]) -> Vec<Kind> {
    let beside = kinds.iter().flat_map(|kind| match kind {
        Kind::Disk => &[Kind::DiskReliability, Kind::NvmeHealth, Kind::DiskView][..],
        Kind::StorageJob => &[Kind::JobObject],
        Kind::Pool => &[Kind::Disk],
        Kind::FileSystem => &[Kind::FileIntegrity],
        Kind::Vm => &[Kind::Vhd],
        Kind::Vhd => &[Kind::Vm],
        _ => &[],
    });
    // How classes were read is what sources tell themselves.
    let mut all: Vec<Kind> = kinds.iter().chain(beside).copied().collect();
    all.retain(|kind| *kind != Kind::Source);
    all.sort_unstable();
    all.dedup();
    all
}

impl Picture {
    /// Classes of some kinds whose newest reading failed, by node and class. What the cluster has one of is read where anybody has read the
    /// same class since.
    #[must_use]
    pub fn unread(&self, kinds: &[Kind]) -> Vec<Unread> {
        let failed = self.of(Kind::Source).filter_map(|fact| {
            let source = fact.observation;
            let kind: Kind = source.text("kind")?.parse().ok()?;
            if !kinds.contains(&kind) || source.flag("available") != Some(false) {
                return None;
            }
            let class = source.text("class").unwrap_or(&source.id).to_owned();
            let read_unix_nanos = self.last_read(&source.node, kind, &class);
            let read_since = read_unix_nanos.is_some_and(|read| read > source.observed_unix_nanos);
            (!read_since).then(|| Unread {
                kind,
                class,
                reason: source.text("reason").unwrap_or("no reason was given").to_owned(),
                since_unix_nanos: Some(fact.since_unix_nanos),
                seen_unix_nanos: Some(source.observed_unix_nanos),
                read_unix_nanos,
                node: Some(source.node),
            })
        });
        failed.collect()
    }

    /// When a class was read last: by the node itself, or, of what the cluster has one of, by anybody.
    fn last_read(&self, node: &NodeId, kind: Kind, class: &str) -> Option<i64> {
        let by = self
            .polls
            .iter()
            .filter(|((by, of), _)| *of == kind && (by == node || kind.scope() == Scope::Cluster));
        by.filter_map(|(_, classes)| Some(classes.get(class)?.seen)).max()
    }

    /// Kinds that are asked for where nothing was ever said of any of them: neither that there is something nor that there is nothing.
    #[must_use]
    pub fn never_said(&self, kinds: &[Kind]) -> Vec<Unread> {
        let is_said = |kind: &Kind| {
            self.polls.keys().any(|(_, said)| said == kind) || self.facts.keys().any(|key| key.kind == *kind)
        };
        if kinds.iter().any(is_said) || kinds.contains(&Kind::Source) || !self.unread(kinds).is_empty() {
            return Vec::new();
        }
        let never = kinds.iter().map(|kind| Unread {
            node: None,
            kind: *kind,
            class: String::new(),
            reason: NEVER.to_owned(),
            since_unix_nanos: None,
            seen_unix_nanos: None,
            read_unix_nanos: None,
        });
        never.collect()
    }
}
