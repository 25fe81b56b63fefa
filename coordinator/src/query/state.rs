//! Questions about state: what was known of resources at a moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use fathom_diagnose::what_if::Serials;
use fathom_model::NodeId;
use fathom_model::state::{Key, Kind, Observation, Scope, Value};
use fathom_state::disks::Beside;
use fathom_state::history::{Endings, Fact, Picture, Unread, rests_on};
use fathom_state::{disks, integrity, jobs, pools, qos, rdma, shared_volumes, vms};
use fathom_store::paths::{DataPath, Table};
use fathom_store::read_observations;

use crate::error::Result;
use crate::ingest::{Cluster, View};

/// Kinds that pairs of nodes are told of.
const PAIRS: [Kind; 3] = [Kind::SmbConnection, Kind::SmbInterface, Kind::QosPolicy];

/// Kinds that settings are of.
const SETTINGS: [Kind; 8] = [
    Kind::QosPolicy,
    Kind::QosFlowControl,
    Kind::QosTrafficClass,
    Kind::QosDcbx,
    Kind::AdapterQos,
    Kind::Adapter,
    Kind::AdapterRdma,
    Kind::AdapterProperty,
];

/// What one question about state looks at.
pub(crate) struct StateSnapshot {
    cluster: Cluster,
    view: Arc<View>,
    /// The moment that is asked about.
    at: Option<i64>,
}

/// Which resources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Which {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) node: Option<String>,
    pub(crate) name: Option<String>,
    /// Only what is known to be on this volume.
    pub(crate) volume: Option<String>,
}

/// A resource with what follows from its readings.
pub(crate) struct Found {
    pub(crate) fact: Fact,
    pub(crate) derived: BTreeMap<String, Value>,
    /// What would follow from other readings and does not, with the reason.
    pub(crate) unknown: BTreeMap<String, String>,
}

/// What an answer looked at: the moment, and until when each node was heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looked {
    pub(crate) at: Option<i64>,
    pub(crate) nodes: BTreeMap<NodeId, Option<i64>>,
    /// What the answer rests on and could not be read.
    pub(crate) unread: Vec<Unread>,
}

impl StateSnapshot {
    pub(crate) fn new(cluster: Cluster, at: Option<i64>) -> Self {
        let view = cluster.view();
        let in_files = view
            .files
            .iter()
            .filter(|file| file.table == Table::Observations)
            .map(|file| file.max_unix_nanos)
            .max();
        let in_hot = view
            .state
            .iter()
            .flat_map(|some| some.iter())
            .map(|row| row.observed_unix_nanos)
            .max();
        let at = at.or_else(|| in_files.max(in_hot));
        Self { cluster, view, at }
    }

    pub(super) fn parts(&self) -> (&Cluster, &View) {
        (&self.cluster, &self.view)
    }

    /// Hands out everything that was said up to the moment, in the order in which it was stored. Blocks: files are read.
    pub(super) fn each(&self, mut take: impl FnMut(&Observation)) -> Result<()> {
        let Some(at) = self.at else { return Ok(()) };
        let runtime = tokio::runtime::Handle::current();
        for file in self
            .view
            .files
            .iter()
            .filter(|file| file.table == Table::Observations && file.min_unix_nanos <= at)
        {
            let rows = runtime.block_on(read_observations(&self.cluster.blobs, file))?;
            rows.iter()
                .filter(|row| row.observed_unix_nanos <= at)
                .for_each(&mut take);
        }
        for row in self
            .view
            .state
            .iter()
            .flat_map(|some| some.iter())
            .filter(|row| row.observed_unix_nanos <= at)
        {
            take(row);
        }
        Ok(())
    }

    /// The picture, and everything that was ever said of one kind.
    fn picture(&self, history_of: Option<Kind>) -> Result<(Picture, Vec<Observation>)> {
        let mut picture = Picture::at(self.at.unwrap_or(i64::MIN));
        let mut history = Vec::new();
        self.each(|row| {
            picture.add(row);
            if Some(row.kind) == history_of {
                history.push(row.clone());
            }
        })?;
        Ok((picture, history))
    }

    /// Every node that is known of, by the topology, by itself, or by the cluster's own list.
    fn looked(&self, picture: &Picture) -> Looked {
        let mut nodes: BTreeMap<NodeId, Option<i64>> = BTreeMap::new();
        let of_topology = self
            .view
            .topology
            .iter()
            .flat_map(|topology| &topology.nodes)
            .map(|node| node.id.clone());
        let of_cluster = picture
            .of(Kind::Node)
            .map(|fact| NodeId::new(fact.observation.id.as_str()));
        nodes.extend(of_topology.chain(of_cluster).map(|node| (node, None)));
        let is_listed = picture.of(Kind::Node).next().is_some();
        for (node, heard) in picture.heard() {
            let is_node = nodes
                .keys()
                .any(|known| known.as_str().eq_ignore_ascii_case(node.as_str()));
            // What files say of a whole cluster is said under its name, ours or the one that it has in Windows, and that is no node.
            let is_named = node.as_str().eq_ignore_ascii_case(self.cluster.id.as_str());
            let is_cluster = is_named || (is_listed && !picture.says_of_itself(node));
            if !is_node && is_cluster && picture.is_of_files(node) {
                continue;
            }
            // A cluster's list may write a node in another case than the node itself, whose own name its observations have.
            nodes.retain(|known, _| !known.as_str().eq_ignore_ascii_case(node.as_str()));
            nodes.insert(node.clone(), heard.last_unix_nanos);
        }
        Looked {
            at: self.at,
            nodes,
            unread: Vec::new(),
        }
    }

    /// The same of an answer that rests on some kinds, of one node or of all.
    fn looked_for(&self, picture: &Picture, kinds: &[Kind], node: Option<&str>) -> Looked {
        let mut looked = self.looked(picture);
        looked.unread = picture.unread(&rests_on(kinds));
        // Whoever reports what is the cluster's says it of every node.
        looked.unread.retain(|unread| {
            let by = unread.node.as_ref().map_or("", |node| node.as_str());
            unread.kind.scope() == Scope::Cluster || node.is_none_or(|node| node.eq_ignore_ascii_case(by))
        });
        looked
    }

    /// Who was heard, and who could not read what an answer about some kinds rests on.
    pub(crate) fn heard(&self, kinds: &[Kind], node: Option<&str>) -> Result<Looked> {
        let (picture, _) = self.picture(None)?;
        Ok(self.looked_for(&picture, kinds, node))
    }

    /// The same where nothing of these kinds may ever have been said.
    pub(crate) fn heard_of(&self, kinds: &[Kind]) -> Result<Looked> {
        let (picture, _) = self.picture(None)?;
        let mut looked = self.looked_for(&picture, kinds, None);
        if self.at.is_some() {
            looked.unread.extend(picture.never_said(kinds));
        }
        Ok(looked)
    }

    /// Resources by kind, node and id.
    pub(crate) fn resources(&self, which: &Which) -> Result<(Vec<Found>, Looked)> {
        let wants = |kind: Kind| which.kinds.is_empty() || which.kinds.contains(&kind);
        let (picture, history) = self.picture(wants(Kind::StorageJob).then_some(Kind::StorageJob))?;
        let courses = jobs::courses(&history, picture.moment());
        let mut jobs = if wants(Kind::StorageJob) {
            jobs::about(&picture)
        } else {
            BTreeMap::new()
        };
        let mut beside = if wants(Kind::Disk) {
            disks::beside(&picture)
        } else {
            BTreeMap::new()
        };
        let mut owners = if wants(Kind::DiskReliability) {
            disks::owners(&picture)
        } else {
            BTreeMap::new()
        };
        let mut pools = if wants(Kind::Pool) {
            pools::beside(&picture)
        } else {
            BTreeMap::new()
        };
        let mut volumes = if wants(Kind::FileSystem) {
            integrity::beside(&picture)
        } else {
            BTreeMap::new()
        };
        let mut encryptions = if wants(Kind::Bitlocker) {
            shared_volumes::beside_encryption(&picture)
        } else {
            BTreeMap::new()
        };
        let mut machines = if wants(Kind::Vm) || wants(Kind::Vhd) {
            vms::beside(&picture)
        } else {
            BTreeMap::new()
        };
        let found = picture.facts().filter_map(|fact| {
            let own = &fact.observation;
            let mut more = match own.kind {
                Kind::Disk => beside.remove(&own.id).unwrap_or_default(),
                Kind::StorageJob => jobs.remove(&own.id).unwrap_or_default(),
                Kind::Pool => pools.remove(&own.id).unwrap_or_default(),
                Kind::Bitlocker => encryptions.remove(&own.key()).unwrap_or_default(),
                Kind::FileSystem => volumes.remove(&own.key()).unwrap_or_default(),
                _ => Beside::default(),
            };
            match own.kind {
                Kind::StorageJob => {
                    let course = courses.get(&own.id).map(|course| jobs::beside(course, &fact));
                    let course = course.unwrap_or_default();
                    more.known.extend(course.known);
                    more.unknown.extend(course.unknown);
                }
                Kind::DiskReliability => {
                    let disk = owners.remove(&own.id).map(Value::from);
                    more.known.extend(disk.map(|disk| ("disk".to_owned(), disk)));
                }
                Kind::Vm | Kind::Vhd => more.known = machines.remove(&own.key()).unwrap_or_default(),
                _ => {}
            }
            let Beside {
                known: derived,
                unknown,
            } = more;
            let is_on = |volume: &String| matches!(own.kind, Kind::Vm | Kind::Vhd) && vms::is_on(&derived, volume);
            if !which.volume.as_ref().is_none_or(is_on) {
                return None;
            }
            // A disk is on the node that has it, whoever reports it.
            let connected = derived.get("connected_node").and_then(Value::as_str);
            which.keeps(own, connected).then_some(Found { derived, unknown, fact })
        });
        let found: Vec<Found> = found.collect();
        let kinds = match which.kinds.is_empty() {
            true => Kind::ALL,
            false => &which.kinds,
        };
        let mut looked = self.looked_for(&picture, kinds, which.node.as_deref());
        if found.is_empty() && self.at.is_some() {
            looked.unread.extend(picture.never_said(&which.kinds));
        }
        Ok((found, looked))
    }

    /// Everything that was said of a resource by its id, name or serial number, oldest first; what only repeats is left out. What is not among a
    /// later reading that said everything is gone since then, as if that had been said.
    pub(crate) fn history(&self, resource: &str, kind: Option<Kind>) -> Result<(Vec<Observation>, Looked)> {
        let mut picture = Picture::at(self.at.unwrap_or(i64::MIN));
        let mut keys = std::collections::BTreeSet::new();
        let mut rows: Vec<Observation> = Vec::new();
        let mut endings = Endings::default();
        self.each(|row| {
            picture.add(row);
            endings.add(row);
            let called = is_called(row, resource);
            // Extents are many and have no name but their id, which every row has: only of those that are asked for are any kept.
            let is_wanted = match (kind, row.kind) {
                (Some(kind), Kind::Extent) => kind == Kind::Extent && called,
                (None, Kind::Extent) => false,
                (kind, own) => kind.is_none_or(|kind| own == kind),
            };
            if is_wanted {
                if called {
                    keys.insert(row.key());
                }
                rows.push(row.clone());
            }
        })?;
        rows.retain(|row| keys.contains(&row.key()));
        rows.sort_by_key(|row| row.observed_unix_nanos);
        let mut newest: BTreeMap<Key, Observation> = BTreeMap::new();
        newest.extend(rows.iter().map(|row| (row.key(), row.clone())));
        rows.extend(newest.into_values().filter_map(|row| {
            let gone = Observation::new(row.node.clone(), row.kind, row.id.clone(), endings.since(&row)?);
            Some(Observation {
                present: false,
                class: row.class,
                ..gone
            })
        }));
        rows.sort_by_key(|row| row.observed_unix_nanos);
        let mut last = BTreeMap::new();
        rows.retain(|row| {
            let same = last
                .get(&row.key())
                .is_some_and(|before: &Observation| before.says_the_same(row));
            last.insert(row.key(), row.clone());
            !same
        });
        // Of what kind nothing is would be is not known.
        let mut kinds: Vec<Kind> = match (kind, rows.is_empty()) {
            (Some(kind), _) => vec![kind],
            (None, true) => Kind::ALL.to_vec(),
            (None, false) => rows.iter().map(|row| row.kind).collect(),
        };
        kinds.dedup();
        Ok((rows, self.looked_for(&picture, &kinds, None)))
    }

    /// Serial numbers of drives with their identities. Blocks: files are read.
    pub(crate) fn serials(&self) -> Result<Serials> {
        Ok(disks::serials(&self.picture(None)?.0))
    }

    /// Pairs of nodes.
    pub(crate) fn rdma(&self, node: Option<&str>) -> Result<(Vec<rdma::Pair>, Looked)> {
        let (picture, history) = self.picture(Some(Kind::SmbConnection))?;
        let looked = self.looked_for(&picture, &PAIRS, None);
        let nodes: Vec<NodeId> = looked.nodes.keys().cloned().collect();
        let mut pairs = rdma::matrix(&picture, &nodes, &history);
        pairs.retain(|pair| {
            let ends = [pair.client.as_str(), pair.server.as_str()];
            node.is_none_or(|node| ends.iter().any(|end| end.eq_ignore_ascii_case(node)))
        });
        Ok((pairs, looked))
    }

    /// Settings side by side.
    pub(crate) fn qos(
        &self,
        only_drift: bool,
        node: Option<&str>,
        name: Option<&str>,
    ) -> Result<(Vec<qos::Setting>, Looked)> {
        let (picture, _) = self.picture(None)?;
        let looked = self.looked_for(&picture, &SETTINGS, node);
        let nodes: Vec<NodeId> = looked.nodes.keys().cloned().collect();
        let mut settings = qos::settings(&picture, &nodes);
        settings.retain(|setting| setting.drift || !only_drift);
        let name = name.map(str::to_lowercase);
        settings.retain(|setting| {
            let called = name
                .as_ref()
                .is_none_or(|name| setting.name.to_lowercase().contains(name));
            let has = |node: &str| match only_drift {
                true => setting.odd.iter().any(|odd| odd.as_str().eq_ignore_ascii_case(node)),
                false => {
                    let own = setting
                        .values
                        .iter()
                        .find(|(own, _)| own.as_str().eq_ignore_ascii_case(node));
                    own.is_some_and(|(_, value)| value.is_some())
                }
            };
            called && node.is_none_or(has)
        });
        Ok((settings, looked))
    }
}

impl Which {
    /// Whether a resource is among them; `connected` is the node that has it, where that is known by others.
    pub(crate) fn keeps(&self, row: &Observation, connected: Option<&str>) -> bool {
        let on_node = |node: &String| {
            let reporter = (row.kind.scope() == Scope::Node).then(|| row.node.as_str());
            let own = ["node", "connected_node", "owner"].map(|name| row.text(name));
            let itself = (row.kind == Kind::Node).then_some(row.id.as_str());
            let all = own.into_iter().chain([reporter, connected, itself]);
            all.flatten().any(|name| name.eq_ignore_ascii_case(node))
        };
        let called = |part: &String| {
            let part = part.to_lowercase();
            let names = [
                Some(row.id.as_str()),
                row.text("name"),
                row.text("serial_number"),
                row.text("virtual_disk_id"),
                row.text("path"),
                row.text("vm_name"),
            ];
            names
                .into_iter()
                .flatten()
                .any(|name| name.to_lowercase().contains(&part))
        };
        (self.kinds.is_empty() || self.kinds.contains(&row.kind))
            && self.node.as_ref().is_none_or(on_node)
            && self.name.as_ref().is_none_or(called)
    }
}

fn is_called(row: &Observation, name: &str) -> bool {
    let names = [
        Some(row.id.as_str()),
        row.text("name"),
        row.text("serial_number"),
        row.text("unique_id"),
        row.text("path"),
    ];
    names
        .into_iter()
        .flatten()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Where a watch is: the newest record whose observations were said, and how many of those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) record: u64,
    pub(crate) after: usize,
}

impl Mark {
    pub(crate) fn now(view: &View) -> Self {
        let after = view.state.iter().map(|some| some.len()).sum();
        Self {
            record: view.record,
            after,
        }
    }

    pub(crate) fn token(self) -> String {
        format!("{}.{}", self.record, self.after)
    }

    pub(crate) fn of_token(token: &str) -> Option<Self> {
        let (record, after) = token.split_once('.')?;
        Some(Self {
            record: record.parse().ok()?,
            after: after.parse().ok()?,
        })
    }

    /// What was said since, and where that leads. After a record some of it may have been said before.
    pub(crate) fn since(self, cluster: &Cluster, which: &Which) -> Result<(Vec<Observation>, Self)> {
        let view = cluster.view();
        let now = Self::now(&view);
        let mut rows = Vec::new();
        let mut skip = self.after;
        if view.record != self.record {
            skip = 0;
            let runtime = tokio::runtime::Handle::current();
            for file in view.files.iter().filter(|file| file.table == Table::Observations) {
                let newer = file
                    .path
                    .parse::<DataPath>()
                    .is_ok_and(|path| path.number > self.record);
                if newer {
                    rows.extend(runtime.block_on(read_observations(&cluster.blobs, file))?);
                }
            }
        }
        rows.extend(view.state.iter().flat_map(|some| some.iter()).skip(skip).cloned());
        rows.retain(|row| which.keeps(row, None));
        Ok((rows, now))
    }
}
