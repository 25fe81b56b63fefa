//! One cluster: its last rollup, when it was heard, and how it is shown.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use fathom_model::fleet::Update;
use fathom_model::health::State;
use fathom_model::rollup::{ClusterKey, ClusterRollup, Counted, Counts};

use super::recall::Before;
use super::shown::Shown;
use super::{Config, Software};
use crate::Gather;

/// A rollup counts so much or more, but where its site's coordinator was started in between: all pieces but the one that goes on.
const SURE_NANOS: i64 = Gather::PIECE_NANOS * (Gather::PIECES - 1);

/// Why one is missing that was heard before.
pub(super) const NOTHING_COMES: &str = "nothing comes of it any more";

/// A cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) key: ClusterKey,
    pub(super) labels: BTreeMap<String, String>,
    pub(crate) rollup: Option<ClusterRollup>,
    pub(super) heard_unix_ns: Option<i64>,
    /// Nothing came for too long, or nothing came since a restart.
    pub(crate) is_missing: bool,
    /// Since when nothing is expected of it.
    missed_unix_ns: i64,
    /// Whether it is told as one of which nothing comes any more: `unknown` may also be what it says of itself.
    pub(super) is_unheard: bool,
    /// The next rollup decides how it is shown, without waiting.
    is_fresh: bool,
    pub(super) shown: Shown,
    /// Whether a change of its state was ever told.
    pub(super) was_said: bool,
    /// How a predecessor of this process showed it, and since when, where nothing was said of it since.
    pub(super) before: Option<(State, i64)>,
    pub(crate) software: Software,
    why: String,
}

impl Cluster {
    /// Nothing came of it; a predecessor may have shown it.
    pub(super) fn new(key: ClusterKey, known: Before, now_unix_ns: i64) -> Self {
        let before = known.shown;
        // One that was not known is not known since then.
        let unknown_since = before.filter(|(state, _)| *state == State::Unknown);
        Self {
            key,
            labels: BTreeMap::new(),
            rollup: None,
            heard_unix_ns: None,
            is_missing: true,
            missed_unix_ns: now_unix_ns,
            is_unheard: known.is_unheard,
            is_fresh: true,
            shown: Shown::new(State::Unknown, unknown_since.map_or(now_unix_ns, |(_, since)| since)),
            was_said: unknown_since.is_some(),
            before: before.filter(|_| unknown_since.is_none()),
            software: known.software,
            why: "nothing came of it yet".to_owned(),
        }
    }

    /// When it was last heard; `None` where nothing ever came.
    pub(crate) const fn heard_unix_ns(&self) -> Option<i64> {
        self.heard_unix_ns
    }

    pub(crate) const fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// Takes its newest rollup; what it says that runs on devices now in another version than before.
    pub(super) fn take(&mut self, rollup: ClusterRollup, heard_unix_ns: i64, restored: bool) -> Vec<Update> {
        let updates = self.software.take(&rollup, heard_unix_ns);
        self.labels.clone_from(&rollup.labels);
        self.rollup = Some(rollup);
        if restored {
            self.heard_unix_ns = Some(heard_unix_ns);
            self.miss(heard_unix_ns, NOTHING_COMES);
            self.is_fresh = true;
        } else {
            self.hear(heard_unix_ns);
        }
        updates
    }

    /// Notes that it was heard.
    pub(super) const fn hear(&mut self, heard_unix_ns: i64) {
        self.heard_unix_ns = Some(heard_unix_ns);
        self.is_missing = false;
    }

    /// Notes that nothing comes of it any more since a time, and why.
    pub(super) fn miss(&mut self, since_unix_ns: i64, why: &str) {
        if !self.is_missing {
            self.missed_unix_ns = since_unix_ns;
        }
        self.is_missing = true;
        why.clone_into(&mut self.why);
    }

    /// Notes that nobody listened until now: what did not come meanwhile was not missing, and what lasts begins to.
    pub(super) const fn resume(&mut self, now_unix_ns: i64) {
        if self.is_missing && !self.is_unheard {
            self.missed_unix_ns = now_unix_ns;
        }
        self.shown.resume(now_unix_ns);
    }

    /// Whether it is shown as one of which nothing comes: not before that has lasted.
    pub(super) fn is_away(&self) -> bool {
        self.is_missing && self.shown.state == State::Unknown
    }

    /// Shows its state where that is time; whether it is shown as it is.
    pub(super) fn settle(&mut self, config: &Config, now_unix_ns: i64) -> bool {
        let Some(rollup) = &self.rollup else { return true };
        if self.is_missing {
            let is_shown = self.shown.take_away(self.missed_unix_ns, now_unix_ns, config);
            if self.is_fresh {
                // Whether it is still there is waited for.
                return is_shown;
            }
            let lasted = now_unix_ns.saturating_sub(self.missed_unix_ns) >= config.unknown_nanos;
            self.is_unheard |= is_shown && lasted;
            return is_shown && lasted;
        }
        let own = rollup.state;
        let is_shown = self.settle_heard(config, now_unix_ns);
        // It is told as heard again when it is shown as it is.
        self.is_unheard &= self.shown.state == State::Unknown && own != State::Unknown;
        is_shown
    }

    /// The same of one that is heard.
    fn settle_heard(&mut self, config: &Config, now_unix_ns: i64) -> bool {
        let Some(rollup) = &self.rollup else { return true };
        // On the site's clock; of a clock that is ahead no time is known.
        let lasted = rollup
            .since_unix_ns
            .map(|since| rollup.to_unix_ns.saturating_sub(since).max(0));
        let heard = self.heard_unix_ns.unwrap_or(now_unix_ns);
        let since = lasted.map(|lasted| heard.saturating_sub(lasted));
        if std::mem::take(&mut self.is_fresh) {
            let as_before = self.before.filter(|(state, _)| *state == rollup.state);
            let since = as_before.map(|(_, since)| since).or(since);
            self.shown.set(rollup.state, since.unwrap_or(now_unix_ns));
            return true;
        }
        if self.shown.state == State::Unknown && rollup.state != State::Unknown {
            // From being missing back to ok it is the time here that counts: it has to stay. How long it has been so its site knows.
            let is_shown = self.shown.take(rollup.state, None, now_unix_ns, config);
            if is_shown {
                self.shown.since_unix_ns = since.unwrap_or(now_unix_ns);
            }
            return is_shown;
        }
        self.shown.take(rollup.state, since, now_unix_ns, config)
    }

    /// Whether its state is to be shown differently by now.
    pub(super) fn is_due(&self, config: &Config, now_unix_ns: i64) -> bool {
        if self.is_missing {
            return now_unix_ns.saturating_sub(self.missed_unix_ns) >= config.unknown_nanos;
        }
        self.shown.due_unix_ns(config).is_some_and(|due| due <= now_unix_ns)
    }

    /// How a successor is to take it for having been shown; `None`: nothing was ever said of it.
    pub(super) fn said(&self) -> Option<(State, i64)> {
        let own = (self.shown.state, self.shown.since_unix_ns);
        self.before.or_else(|| self.was_said.then_some(own))
    }

    /// What was not seen of one that is heard; `None`: nothing is missing.
    pub(crate) fn partial(&self) -> Option<Partial> {
        let rollup = self.rollup.as_ref()?;
        let unknown_nodes = rollup.counts.of(Counted::Node, State::Unknown);
        let is_short = rollup.to_unix_ns.saturating_sub(rollup.from_unix_ns) < SURE_NANOS;
        (unknown_nodes > 0 || is_short).then(|| Partial {
            cluster: self.key.clone(),
            unknown_nodes,
            counted_from_unix_ns: is_short.then_some(rollup.from_unix_ns),
        })
    }

    /// The worst reason for the state that is shown; empty when it is ok.
    pub(super) fn reason(&self) -> &str {
        match &self.rollup {
            Some(rollup) if !self.is_away() => match self.shown.state {
                State::Ok => "",
                _ if rollup.reason.is_empty() => "better now, and not for long enough to be shown so",
                _ => &rollup.reason,
            },
            _ => &self.why,
        }
    }

    /// What is counted of it: of one that is missing nothing is known to be ok.
    pub(super) fn counts(&self) -> Counts {
        match &self.rollup {
            Some(rollup) if !self.is_away() => rollup.counts,
            Some(rollup) => rollup.counts.unheard(),
            None => Counts::default(),
        }
    }

    /// What a watch shows of it: whether this changed decides whether it is told.
    pub(super) fn face(&self) -> Face {
        Face {
            state: self.shown.state,
            counts: self.counts(),
            rest: self.rollup.as_ref().map_or(0, |rollup| {
                let mut hasher = DefaultHasher::new();
                self.reason().hash(&mut hasher);
                for child in &rollup.worst {
                    (child.kind, &child.name, child.state, &child.reason).hash(&mut hasher);
                }
                for count in &rollup.findings {
                    (&count.code, count.severity, count.open, count.muted).hash(&mut hasher);
                }
                (rollup.worst_more, rollup.findings_more, &self.labels).hash(&mut hasher);
                hasher.finish()
            }),
        }
    }
}

/// A cluster that is in an answer and was not seen whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial {
    /// Which.
    pub cluster: ClusterKey,
    /// Nodes that its site does not hear.
    pub unknown_nodes: u64,
    /// From when on it is counted, where that is not all of the last hour, on its site's clock.
    pub counted_from_unix_ns: Option<i64>,
}

/// What a watch shows of a cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Face {
    state: State,
    counts: Counts,
    /// A hash of the texts.
    rest: u64,
}
