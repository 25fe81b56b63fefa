//! What was known at a moment, from observations in whatever order, and what a node's own readings change.

use std::collections::BTreeMap;

use fathom_model::NodeId;
use fathom_model::state::{Key, Kind, Observation, Scope, Value};

mod unread;

pub use unread::{Unread, rests_on};

/// The class of what files say ([`polls_of`]), which is all there is of a kind, whatever classes it was read of.
const FILES: &str = "import";

/// What a poll of a class says of itself, as an observation of kind `source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// What its objects are.
    pub kind: Kind,
    /// The class or file.
    pub class: String,
    /// Objects found, or why none can be.
    pub outcome: Result<u64, String>,
    /// Whether everything that is there was said, and not only what changed.
    pub full: bool,
}

impl Poll {
    /// As an observation.
    #[must_use]
    pub fn observation(&self, node: &NodeId, observed_unix_nanos: i64) -> Observation {
        let source = Observation::new(
            node.clone(),
            Kind::Source,
            format!("{}/{}", self.kind, self.class),
            observed_unix_nanos,
        )
        .with("kind", self.kind.as_str())
        .with("class", self.class.as_str())
        .with("full", self.full)
        .with("available", self.outcome.is_ok());
        match &self.outcome {
            Ok(instances) => source.with("instances", *instances),
            Err(reason) => source.with("reason", reason.as_str()),
        }
    }
}

/// A resource as it was at the picture's moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What was said of it last.
    pub observation: Observation,
    /// Since when it has said that.
    pub since_unix_nanos: i64,
    /// When it was last found to be so: a later reading of its class that had nothing to say of it confirms it.
    pub seen_unix_nanos: i64,
}

/// How a node's state was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Its newest reading.
    pub last_unix_nanos: Option<i64>,
}

/// Readings of a class that succeeded.
#[derive(Clone, Copy, Debug)]
struct Polled {
    /// The newest.
    seen: i64,
    /// The newest that said everything.
    full: Option<i64>,
}

/// Everything that was known at a moment.
#[derive(Clone, Debug)]
pub struct Picture {
    at: i64,
    facts: BTreeMap<Key, Fact>,
    /// What each node reads of a kind, by class.
    polls: BTreeMap<(NodeId, Kind), BTreeMap<String, Polled>>,
    /// Of what the cluster has one of: the newest reading that said everything, of whichever node, by class.
    whole: BTreeMap<Kind, BTreeMap<String, i64>>,
    heard: BTreeMap<NodeId, Heard>,
}

impl Picture {
    /// Of a moment, with nothing known.
    #[must_use]
    pub const fn at(at: i64) -> Self {
        Self {
            at,
            facts: BTreeMap::new(),
            polls: BTreeMap::new(),
            whole: BTreeMap::new(),
            heard: BTreeMap::new(),
        }
    }

    /// The moment.
    #[must_use]
    pub const fn moment(&self) -> i64 {
        self.at
    }

    /// Takes an observation; what is later than the moment is not looked at.
    pub fn add(&mut self, observation: &Observation) {
        let at = observation.observed_unix_nanos;
        if at > self.at {
            return;
        }
        let heard = self.heard.entry(observation.node.clone()).or_default();
        heard.last_unix_nanos = heard.last_unix_nanos.max(Some(at));
        if observation.kind == Kind::Source
            && observation.flag("available") == Some(true)
            && let Some(kind) = observation.text("kind").and_then(|kind| kind.parse().ok())
        {
            let is_full = observation.flag("full") == Some(true);
            let class = observation.text("class").unwrap_or_default();
            self.poll(&observation.node, kind, class, at, is_full);
        }
        match self.facts.entry(observation.key()) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Fact {
                    observation: observation.clone(),
                    since_unix_nanos: at,
                    seen_unix_nanos: at,
                });
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let fact = entry.get_mut();
                let same = fact.observation.says_the_same(observation);
                if at < fact.observation.observed_unix_nanos {
                    return;
                }
                if !same {
                    fact.since_unix_nanos = at;
                }
                fact.seen_unix_nanos = at;
                fact.observation = observation.clone();
            }
        }
    }

    fn poll(&mut self, node: &NodeId, kind: Kind, class: &str, at: i64, is_full: bool) {
        let of_node = self.polls.entry((node.clone(), kind)).or_default();
        let polled = of_node
            .entry(class.to_owned())
            .or_insert(Polled { seen: at, full: None });
        polled.seen = polled.seen.max(at);
        if is_full {
            polled.full = polled.full.max(Some(at));
            if kind.scope() == Scope::Cluster {
                let whole = self.whole.entry(kind).or_default();
                let newest = whole.entry(class.to_owned()).or_insert(at);
                *newest = at.max(*newest);
            }
        }
    }

    /// What was there, by kind, node and name.
    pub fn facts(&self) -> impl Iterator<Item = Fact> {
        self.facts.values().filter_map(|fact| self.standing(fact))
    }

    /// A fact, if it is there at the moment.
    fn standing(&self, fact: &Fact) -> Option<Fact> {
        let own = &fact.observation;
        if !own.present {
            return None;
        }
        let of_node = self.polls.get(&(own.node.clone(), own.kind));
        let polls = || {
            let all = of_node.into_iter().flatten();
            all.filter(move |(class, _)| speaks_of(class, own))
        };
        let full = match own.kind.scope() {
            Scope::Node => polls().filter_map(|(_, polled)| polled.full).max(),
            // Whoever reads it next reads all of it: nobody else goes on saying what one node said.
            Scope::Cluster => {
                let whole = self.whole.get(&own.kind).into_iter().flatten();
                whole
                    .filter(|(class, _)| speaks_of(class, own))
                    .map(|(_, at)| *at)
                    .max()
            }
        };
        // Everything was said later, and this was not among it.
        if own.kind != Kind::Source && full.is_some_and(|full| full > fact.seen_unix_nanos) {
            return None;
        }
        let seen = polls().map(|(_, polled)| polled.seen).max();
        Some(Fact {
            seen_unix_nanos: seen.map_or(fact.seen_unix_nanos, |seen| fact.seen_unix_nanos.max(seen)),
            ..fact.clone()
        })
    }

    /// What was there of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = Fact> {
        // Kinds come first in the order of the keys.
        let first = Key {
            kind,
            node: None,
            id: String::new(),
        };
        let own = self.facts.range(first..).take_while(move |(key, _)| key.kind == kind);
        own.filter_map(|(_, fact)| self.standing(fact))
    }

    /// The nodes that have ever reported, and when last.
    #[must_use]
    pub const fn heard(&self) -> &BTreeMap<NodeId, Heard> {
        &self.heard
    }

    /// When a node's newest reading of a kind that succeeded was made.
    #[must_use]
    pub fn read_at(&self, node: &NodeId, kind: Kind) -> Option<i64> {
        let polls = self.polls.get(&(node.clone(), kind));
        polls.into_iter().flatten().map(|(_, polled)| polled.seen).max()
    }

    /// Classes whose newest reading by a node failed: by node and kind, the class and why.
    #[must_use]
    pub fn failures(&self) -> BTreeMap<(NodeId, Kind), (String, String)> {
        let failed = self.of(Kind::Source).filter_map(|fact| {
            let source = fact.observation;
            let kind = source.text("kind")?.parse().ok()?;
            let class = source.text("class").unwrap_or(&source.id).to_owned();
            let reason = source.text("reason").unwrap_or("no reason was given").to_owned();
            (source.flag("available") == Some(false)).then(|| ((source.node.clone(), kind), (class, reason)))
        });
        failed.collect()
    }

    /// Whether all that was said in a node's name was read of files, and nothing by a daemon there.
    #[must_use]
    pub fn is_of_files(&self, node: &NodeId) -> bool {
        let mut own = self.polls.iter().filter(|((read_by, _), _)| read_by == node);
        own.all(|(_, classes)| classes.keys().all(|class| class == FILES))
    }

    /// Whether a name is heard of in files alone, and those say nothing that a node has of its own: what they say of a whole cluster is said
    /// under the cluster's name, which is no node's.
    #[must_use]
    pub fn may_be_a_clusters(&self, node: &NodeId) -> bool {
        let is_read = self.polls.keys().any(|(read_by, _)| read_by == node);
        is_read && self.is_of_files(node) && !self.says_of_itself(node)
    }

    /// Whether anything was read in a node's name that each node has of its own.
    #[must_use]
    pub fn says_of_itself(&self, node: &NodeId) -> bool {
        let mut read = self.polls.keys();
        read.any(|(read_by, kind)| read_by == node && kind.scope() == Scope::Node)
    }

    /// Whether a node's readings of a kind have ever succeeded; of what the cluster has one of, whether anybody's have.
    #[must_use]
    pub fn has_read(&self, node: &NodeId, kind: Kind) -> bool {
        let is_clusters = kind.scope() == Scope::Cluster;
        self.polls.contains_key(&(node.clone(), kind))
            || (is_clusters && self.polls.keys().any(|(_, read)| *read == kind))
            || self.of(kind).any(|fact| is_clusters || fact.observation.node == *node)
    }
}

/// What is gone though nobody said so: readings that said everything, and did not have it.
#[derive(Clone, Debug, Default)]
pub struct Endings {
    full: Vec<(NodeId, Kind, String, i64)>,
}

impl Endings {
    /// Takes an observation; what is no reading that said everything is not looked at.
    pub fn add(&mut self, observation: &Observation) {
        let is_full = observation.kind == Kind::Source
            && observation.flag("available") == Some(true)
            && observation.flag("full") == Some(true);
        let kind = observation.text("kind").and_then(|kind| kind.parse().ok());
        if let Some(kind) = kind.filter(|_| is_full) {
            let class = observation.text("class").unwrap_or_default().to_owned();
            let at = observation.observed_unix_nanos;
            self.full.push((observation.node.clone(), kind, class, at));
        }
    }

    /// Since when a resource is gone of which this is the last that was said: by the first reading after it that said everything of its class.
    #[must_use]
    pub fn since(&self, last: &Observation) -> Option<i64> {
        let ends = |(node, kind, class, at): &&(NodeId, Kind, String, i64)| {
            *kind == last.kind
                && *at > last.observed_unix_nanos
                && (kind.scope() == Scope::Cluster || *node == last.node)
                && speaks_of(class, last)
        };
        let first = self.full.iter().filter(ends).map(|(.., at)| *at).min();
        first.filter(|_| last.present && last.kind != Kind::Source)
    }
}

/// Whether a reading of a class says anything of what was observed, by its being there or not. What does not say its class is of any.
fn speaks_of(class: &str, observation: &Observation) -> bool {
    class == FILES || observation.class.as_deref().is_none_or(|own| own == class)
}

/// Turns full readings into what has changed, as a daemon sends it: everything after a start, then differences.
#[derive(Clone, Debug, Default)]
pub struct Differ {
    last: BTreeMap<(Kind, String), BTreeMap<String, Observation>>,
}

impl Differ {
    /// What to say of one reading of a class: what is new, what has changed, what is gone, and the reading itself.
    pub fn read(
        &mut self,
        node: &NodeId,
        class: &str,
        kind: Kind,
        read: Result<Vec<Observation>, String>,
        at: i64,
    ) -> Vec<Observation> {
        let key = (kind, class.to_owned());
        let full = !self.last.contains_key(&key);
        let read = match read {
            Ok(read) => read,
            Err(reason) => {
                let poll = Poll {
                    kind,
                    class: class.to_owned(),
                    outcome: Err(reason),
                    full: false,
                };
                return vec![poll.observation(node, at)];
            }
        };
        let poll = Poll {
            kind,
            class: class.to_owned(),
            outcome: Ok(read.len() as u64),
            full,
        };
        let known = self.last.remove(&key).unwrap_or_default();
        let mut now = BTreeMap::new();
        let mut said = Vec::new();
        for mut observation in read {
            observation.class = Some(class.to_owned());
            if known
                .get(&observation.id)
                .is_none_or(|before| !before.says_the_same(&observation))
            {
                said.push(observation.clone());
            }
            now.insert(observation.id.clone(), observation);
        }
        for (id, _) in known.into_iter().filter(|(id, _)| !now.contains_key(id)) {
            said.push(Observation {
                present: false,
                class: Some(class.to_owned()),
                ..Observation::new(node.clone(), kind, id, at)
            });
        }
        self.last.insert(key, now);
        said.push(poll.observation(node, at));
        said
    }

    /// Forgets everything: the next readings are said in full.
    pub fn forget(&mut self) {
        self.last.clear();
    }
}

/// The readings behind many observations that were handed over as a whole, one a node and kind: what a file says is all there is.
#[must_use]
pub fn polls_of(observations: &[Observation], class: &str) -> Vec<Observation> {
    let mut counts: BTreeMap<(NodeId, Kind, i64), u64> = BTreeMap::new();
    for observation in observations
        .iter()
        .filter(|observation| observation.kind != Kind::Source)
    {
        let key = (
            observation.node.clone(),
            observation.kind,
            observation.observed_unix_nanos,
        );
        *counts.entry(key).or_default() += 1;
    }
    let poll = |((node, kind, at), count): ((NodeId, Kind, i64), u64)| {
        let poll = Poll {
            kind,
            class: class.to_owned(),
            outcome: Ok(count),
            full: true,
        };
        poll.observation(&node, at)
    };
    counts.into_iter().map(poll).collect()
}

/// A value of a fact as people read it.
#[must_use]
pub fn shown(observation: &Observation, attribute: &str) -> String {
    match (observation.get(attribute), observation.unavailable.get(attribute)) {
        (Some(value), _) => value.to_string(),
        (None, Some(reason)) => format!("unknown ({reason})"),
        (None, None) => "unknown (not given)".to_owned(),
    }
}

/// A value of a fact, to be compared.
pub(crate) fn value<'a>(observation: &'a Observation, attribute: &str) -> Option<&'a Value> {
    observation.get(attribute)
}
