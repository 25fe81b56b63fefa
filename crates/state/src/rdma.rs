//! Pairs of nodes: whether the storage bus between them goes over RDMA or TCP, since when, and over which adapters.
//!
//! What a node's SMB client says of its connections decides (RdmaConnectionCount, TcpConnectionCount of
//! MSFT_SmbMultichannelConnection): one with TCP connections and no RDMA connection between interfaces that both can RDMA has fallen back.
//! Older builds do not give the counts: that both can is then all that is known, and the transport is unknown.
//!
//! One rule says what of a pair counts, for the transport, the numbers of connections, the fallback, the interfaces and what both ends can:
//! connections that are used, which are selected and have not failed, and of those the storage bus' own where there are any. Failures alone are
//! counted over all of a pair's connections: they are of those that are not used any more.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::NodeId;
use fathom_model::state::{Kind, Observation};

use crate::decode::node_name;
use crate::history::{Fact, Picture, Unread};

/// How a pair of nodes talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// All connections are RDMA.
    Rdma,
    /// All connections are TCP.
    Tcp,
    /// Some are, some are not.
    Mixed,
    /// There is no connection.
    None,
    /// The source does not say.
    Unknown,
}

impl Transport {
    /// As columns and JSON show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rdma => "rdma",
            Self::Tcp => "tcp",
            Self::Mixed => "mixed",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }
}

/// One direction of a pair: `client` opens the connections, that is its storage bus initiator reaches the drives of `server`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Who opens them.
    pub client: NodeId,
    /// Whom.
    pub server: String,
    /// Over what.
    pub transport: Transport,
    /// Since when it was so; as far as readings go back.
    pub since_unix_nanos: Option<i64>,
    /// When it was last found to be so.
    pub seen_unix_nanos: Option<i64>,
    /// RDMA connections that count; none where the build does not count them.
    pub rdma_connections: Option<u64>,
    /// TCP connections.
    pub tcp_connections: Option<u64>,
    /// The client's interfaces that they go over.
    pub interfaces: Vec<String>,
    /// Failures that the client counts, of connections that are used and of those that are not.
    pub failures: Option<u64>,
    /// The priority that the client's policies mark it with; none where they set none, or several.
    pub priority: Option<u64>,
    /// Whether both ends can RDMA and TCP carries something all the same.
    pub fallback: bool,
    /// What is odd, or why something is not known.
    pub notes: Vec<String>,
}

/// The matrix of all pairs at a picture's moment. `history` are observations of SMB connections of any time.
#[must_use]
pub fn matrix<'a>(
    picture: &Picture,
    nodes: &[NodeId],
    history: impl IntoIterator<Item = &'a Observation>,
) -> Vec<Pair> {
    let servers = Servers::of(picture, nodes);
    let now: Vec<Fact> = picture.of(Kind::SmbConnection).collect();
    let since = since(history, picture.moment(), &servers);
    let unread = picture.unread(&[Kind::SmbConnection, Kind::QosPolicy]);
    let mut pairs = Vec::new();
    for client in nodes {
        let own: Vec<&Fact> = now
            .iter()
            .filter(|fact| same(client, fact.observation.node.as_str()))
            .collect();
        let others = nodes.iter().filter(|server| *server != client).map(NodeId::to_string);
        let named: BTreeSet<String> = own.iter().filter_map(|fact| servers.name(&fact.observation)).collect();
        let mut all: BTreeSet<String> = others.collect();
        all.extend(named);
        for server in all.into_iter().filter(|server| !same(client, server)) {
            let between: Vec<&Fact> = own
                .iter()
                .copied()
                .filter(|fact| servers.name(&fact.observation).as_deref() == Some(&server))
                .collect();
            let began = since.get(&(client.clone(), server.clone())).copied();
            pairs.push(pair(picture, &unread, client, server, &between, began));
        }
    }
    mark_priorities(picture, &unread, &mut pairs);
    note_one_way(&mut pairs);
    pairs
}

/// The port of SMB, over TCP and over RDMA.
const SMB_PORT: u64 = 445;

/// The priority of each pair by the client's policies: over RDMA those of the NetDirect port, else those of the port, or of the template
/// that cmdlets show as SMB.
fn mark_priorities(picture: &Picture, unread: &[Unread], pairs: &mut [Pair]) {
    let mut policies: BTreeMap<NodeId, Vec<Observation>> = BTreeMap::new();
    for fact in picture.of(Kind::QosPolicy) {
        let node = fact.observation.node.clone();
        policies.entry(node).or_default().push(fact.observation);
    }
    for pair in pairs {
        let own = policies.get(&pair.client).map_or(&[][..], Vec::as_slice);
        let over_rdma = |policy: &Observation| policy.number("net_direct_port") == Some(SMB_PORT);
        let over_tcp = |policy: &Observation| {
            let template = policy.text("template");
            let from = policy.number("destination_port").filter(|from| *from > 0);
            let until = policy.number("destination_port_end").filter(|until| *until > 0);
            policy.number("port") == Some(SMB_PORT)
                || from.is_some_and(|from| (from..=until.unwrap_or(from)).contains(&SMB_PORT))
                || template.is_some_and(|template| template.eq_ignore_ascii_case("SMB"))
        };
        let mut set: BTreeSet<u64> = BTreeSet::new();
        for policy in own {
            let is_of = match pair.transport {
                Transport::Rdma => over_rdma(policy),
                Transport::Tcp => over_tcp(policy),
                Transport::Mixed => over_rdma(policy) || over_tcp(policy),
                Transport::None | Transport::Unknown => false,
            };
            // -1 is below zero: the policy sets none.
            set.extend(policy.number("priority").filter(|_| is_of));
        }
        pair.priority = set.first().copied().filter(|_| set.len() == 1);
        if set.len() > 1 {
            let all: Vec<String> = set.iter().map(u64::to_string).collect();
            pair.notes.push(format!(
                "policies of {} set the priorities {}",
                pair.client,
                all.join(" and ")
            ));
        }
        if set.is_empty() && matches!(pair.transport, Transport::Tcp | Transport::Mixed) {
            let client = &pair.client;
            pair.notes.push(match picture.has_read(client, Kind::QosPolicy) {
                true => format!("no policy of {client} sets a priority for port {SMB_PORT} over TCP"),
                false => not_said(unread, client, Kind::QosPolicy, "policies, which set the priority"),
            });
        }
    }
}

/// Why nothing is known of what a node has: it cannot read it, or has not reported it.
fn not_said(unread: &[Unread], node: &NodeId, kind: Kind, what: &str) -> String {
    let own = unread
        .iter()
        .find(|unread| unread.kind == kind && unread.node.as_ref() == Some(node));
    match own {
        Some(unread) => format!("{node} cannot read its {what}: {}", unread.reason),
        None => format!("{node} has not reported its {what}"),
    }
}

/// Says of both directions of a pair that they differ, where both are known.
fn note_one_way(pairs: &mut [Pair]) {
    let carries = |pair: &Pair| matches!(pair.transport, Transport::Rdma | Transport::Tcp | Transport::Mixed);
    let known: BTreeMap<(String, String), Transport> = pairs
        .iter()
        .filter(|pair| carries(pair))
        .map(|pair| ((pair.client.to_string(), pair.server.clone()), pair.transport))
        .collect();
    for pair in pairs.iter_mut().filter(|pair| carries(pair)) {
        let back = known.get(&(pair.server.clone(), pair.client.to_string()));
        if let Some(back) = back.filter(|back| **back != pair.transport) {
            let (client, server) = (&pair.client, &pair.server);
            pair.notes
                .push(format!("the other way, {server} to {client}, it is {}", back.as_str()));
        }
    }
}

fn pair(
    picture: &Picture,
    unread: &[Unread],
    client: &NodeId,
    server: String,
    facts: &[&Fact],
    since: Option<(Transport, i64)>,
) -> Pair {
    let all: Vec<&Observation> = facts.iter().map(|fact| &fact.observation).collect();
    let observations = counted(&all);
    let transport = match all.is_empty() {
        true if picture.has_read(client, Kind::SmbConnection) => Transport::None,
        true => Transport::Unknown,
        false => transport(&observations),
    };
    let sum = |of: &[&Observation], name: &str| -> Option<u64> {
        let counts: Option<Vec<u64>> = of.iter().map(|observation| observation.number(name)).collect();
        counts
            .filter(|_| !all.is_empty())
            .map(|counts| counts.into_iter().fold(0, u64::saturating_add))
    };
    let capable = |observation: &&&Observation| {
        observation.flag("client_rdma_capable") == Some(true) && observation.flag("server_rdma_capable") == Some(true)
    };
    let fallback = observations
        .iter()
        .filter(capable)
        .any(|observation| observation.number("tcp_connections").is_some_and(|count| count > 0));
    let mut notes = Vec::new();
    if all.is_empty() && transport == Transport::Unknown {
        notes.push(not_said(unread, client, Kind::SmbConnection, "SMB connections"));
    } else if transport == Transport::Unknown && observations.iter().all(|observation| capable(&observation)) {
        notes.push("both ends can RDMA; this build does not say what is used".to_owned());
    }
    if fallback {
        notes.push("TCP although both ends can RDMA".to_owned());
    }
    if all.iter().any(|observation| observation.flag("failed") == Some(true)) {
        notes.push("a connection has failed".to_owned());
    }
    if observations.is_empty() && !all.is_empty() {
        notes.push("none of its connections is used".to_owned());
    }
    let one_sided = observations.iter().any(|observation| {
        let (client, server) = (
            observation.flag("client_rdma_capable"),
            observation.flag("server_rdma_capable"),
        );
        client.zip(server).is_some_and(|(client, server)| client != server)
    });
    if one_sided {
        notes.push("only one end can RDMA".to_owned());
    }
    let interfaces: BTreeSet<String> = observations
        .iter()
        .filter_map(|observation| {
            let name = observation.text("client_interface").map(str::to_owned);
            name.or_else(|| Some(format!("interface {}", observation.number("client_interface_index")?)))
        })
        .collect();
    Pair {
        client: client.clone(),
        server,
        transport,
        since_unix_nanos: since.filter(|(then, _)| *then == transport).map(|(_, at)| at),
        seen_unix_nanos: facts.iter().map(|fact| fact.seen_unix_nanos).max(),
        rdma_connections: sum(&observations, "rdma_connections"),
        tcp_connections: sum(&observations, "tcp_connections"),
        interfaces: interfaces.into_iter().collect(),
        failures: sum(&all, "failures"),
        priority: None,
        fallback,
        notes,
    }
}

/// Those of a pair's connections that count: of those that are used the storage bus' own where there are any, else all.
pub(crate) fn counted<'a>(observations: &[&'a Observation]) -> Vec<&'a Observation> {
    let used = |observation: &&&Observation| {
        observation.flag("selected") != Some(false) && observation.flag("failed") != Some(true)
    };
    let is_bus = |observation: &&&Observation| observation.text("instance") == Some("SBL");
    let used: Vec<&Observation> = observations.iter().filter(used).copied().collect();
    let bus: Vec<&Observation> = used.iter().filter(is_bus).copied().collect();
    if bus.is_empty() { used } else { bus }
}

/// Of connections that count.
fn transport(counted: &[&Observation]) -> Transport {
    let (mut rdma, mut tcp) = (0_u64, 0_u64);
    for observation in counted {
        let counts = observation
            .number("rdma_connections")
            .zip(observation.number("tcp_connections"));
        let Some((of_rdma, of_tcp)) = counts else {
            return Transport::Unknown;
        };
        rdma = rdma.saturating_add(of_rdma);
        tcp = tcp.saturating_add(of_tcp);
    }
    match (rdma, tcp) {
        (0, 0) => Transport::None,
        (_, 0) => Transport::Rdma,
        (0, _) => Transport::Tcp,
        _ => Transport::Mixed,
    }
}

/// Each pair's transport at the moment and since when, from all readings before it.
fn since<'a>(
    history: impl IntoIterator<Item = &'a Observation>,
    until: i64,
    servers: &Servers,
) -> BTreeMap<(NodeId, String), (Transport, i64)> {
    let mut readings: Vec<&Observation> = history
        .into_iter()
        .filter(|observation| observation.kind == Kind::SmbConnection && observation.observed_unix_nanos <= until)
        .collect();
    readings.sort_by_key(|observation| observation.observed_unix_nanos);
    let mut standing: BTreeMap<(NodeId, String), BTreeMap<&str, &Observation>> = BTreeMap::new();
    let mut pair_of: BTreeMap<(&NodeId, &str), (NodeId, String)> = BTreeMap::new();
    let mut since: BTreeMap<(NodeId, String), (Transport, i64)> = BTreeMap::new();
    let mut at = 0;
    while at < readings.len() {
        let moment = readings[at].observed_unix_nanos;
        let mut touched = BTreeSet::new();
        while let Some(observation) = readings
            .get(at)
            .filter(|observation| observation.observed_unix_nanos == moment)
        {
            at += 1;
            let id = (&observation.node, observation.id.as_str());
            // One that is gone does not say any more whose it was.
            let pair = servers
                .name(observation)
                .map(|server| (observation.node.clone(), server))
                .or_else(|| pair_of.get(&id).cloned());
            let Some(pair) = pair else { continue };
            let connections = standing.entry(pair.clone()).or_default();
            if observation.present {
                connections.insert(&observation.id, observation);
            } else {
                connections.remove(observation.id.as_str());
            }
            pair_of.insert(id, pair.clone());
            touched.insert(pair);
        }
        for pair in touched {
            let connections: Vec<&Observation> = standing
                .get(&pair)
                .into_iter()
                .flat_map(|all| all.values().copied())
                .collect();
            let now = if connections.is_empty() {
                Transport::None
            } else {
                transport(&counted(&connections))
            };
            let entry = since.entry(pair).or_insert((now, moment));
            if entry.0 != now {
                *entry = (now, moment);
            }
        }
    }
    since
}

/// Which node a connection leads to: by the server's name, or by an address that a node's interface has.
pub(crate) struct Servers {
    nodes: Vec<NodeId>,
    by_address: BTreeMap<String, NodeId>,
}

impl Servers {
    pub(crate) fn of(picture: &Picture, nodes: &[NodeId]) -> Self {
        let mut by_address = BTreeMap::new();
        for fact in picture.of(Kind::SmbInterface) {
            for address in fact
                .observation
                .get("addresses")
                .into_iter()
                .flat_map(fathom_model::state::Value::items)
            {
                by_address.extend(
                    address
                        .as_str()
                        .map(|address| (address.to_owned(), fact.observation.node.clone())),
                );
            }
        }
        Self {
            nodes: nodes.to_vec(),
            by_address,
        }
    }

    pub(crate) fn name(&self, observation: &Observation) -> Option<String> {
        let said = observation.text("server")?;
        let plain = node_name(said);
        let known = self.nodes.iter().find(|node| same(node, plain));
        let by_address = || {
            let address = observation.text("server_address");
            [Some(said), address]
                .into_iter()
                .flatten()
                .find_map(|address| self.by_address.get(address))
        };
        Some(
            known
                .or_else(by_address)
                .map_or_else(|| plain.to_owned(), NodeId::to_string),
        )
    }
}

fn same(node: &NodeId, name: &str) -> bool {
    node_name(node.as_str()).eq_ignore_ascii_case(node_name(name))
}
