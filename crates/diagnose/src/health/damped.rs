//! States that do not change to and fro: worse at once, better when it stays so.

use std::collections::BTreeMap;

use fathom_model::health::{Entry, Kind, Span, State};

/// What got better is said when it has stayed so for this long.
const BETTER_NANOS: i64 = 60_000_000_000;

/// Whether something is heard is said when it has stayed so for this long: daemons reconnect within seconds.
const UNKNOWN_NANOS: i64 = 10_000_000_000;

/// So many changes of a cluster's state are kept.
const HISTORY: usize = 1000;

/// Health over time. Times are the caller's clock.
#[derive(Clone, Debug, Default)]
pub struct Damped {
    shown: BTreeMap<(Kind, String), Shown>,
    history: Vec<Span>,
    /// What a predecessor showed as other than ok, until it has been looked at for the first time. None: there was none.
    before: Option<BTreeMap<(Kind, String), Entry>>,
}

#[derive(Clone, Debug)]
struct Shown {
    entry: Entry,
    /// Since when it has been in another state than is shown.
    other: Option<(State, i64)>,
}

impl Damped {
    /// Goes on with the history and [`Self::troubled`] of a predecessor, if it left some.
    #[must_use]
    pub fn resume(history: Vec<Span>, troubled: Option<Vec<Entry>>) -> Self {
        let named = |entry: Entry| ((entry.kind, entry.name.clone()), entry);
        Self {
            history,
            before: troubled.map(|entries| entries.into_iter().map(named).collect()),
            ..Self::default()
        }
    }

    /// What is shown as other than ok: with it a successor goes on as if nothing had been interrupted. Since when the rest is ok it does
    /// not know.
    #[must_use]
    pub fn troubled(&self) -> Vec<Entry> {
        self.entries()
            .filter(|entry| entry.state != State::Ok)
            .cloned()
            .collect()
    }

    /// What is not known yet begins now, or as a predecessor left it.
    fn first(&mut self, now: Entry, now_unix_ns: i64) -> Entry {
        let Some(before) = &mut self.before else {
            let entry = Entry {
                since_unix_ns: Some(now_unix_ns),
                ..now
            };
            self.shown.insert(
                (entry.kind, entry.name.clone()),
                Shown {
                    entry: entry.clone(),
                    other: None,
                },
            );
            return entry;
        };
        let name = (now.kind, now.name.clone());
        let last = self.history.last().filter(|last| last.state == State::Ok);
        let entry = before.remove(&name).unwrap_or_else(|| Entry {
            kind: now.kind,
            name: now.name.clone(),
            state: State::Ok,
            since_unix_ns: last.filter(|_| now.kind == Kind::Cluster).map(|last| last.from_unix_ns),
            reasons: Vec::new(),
            more_reasons: 0,
        });
        let mut shown = Shown { entry, other: None };
        shown.take(now, now_unix_ns);
        let entry = shown.entry.clone();
        self.shown.insert(name, shown);
        entry
    }

    /// Takes how everything is now; what is shown differently from here on.
    pub fn update(&mut self, now: Vec<Entry>, now_unix_ns: i64) -> Vec<Entry> {
        let mut changed = Vec::new();
        let mut names: Vec<(Kind, String)> = Vec::new();
        for entry in now {
            let name = (entry.kind, entry.name.clone());
            names.push(name.clone());
            match self.shown.get_mut(&name) {
                Some(shown) => changed.extend(shown.take(entry, now_unix_ns)),
                None => changed.push(self.first(entry, now_unix_ns)),
            }
        }
        self.before = None;
        // What is no longer part of the cluster has no health.
        self.shown.retain(|name, _| names.contains(name));
        if let Some(cluster) = changed.iter().find(|entry| entry.kind == Kind::Cluster) {
            let is_new = self.history.last().is_none_or(|last| last.state != cluster.state);
            if is_new {
                let reason = cluster.reasons.first();
                self.history.push(Span {
                    state: cluster.state,
                    from_unix_ns: cluster.since_unix_ns.unwrap_or(now_unix_ns),
                    reason: reason.map_or_else(String::new, |reason| format!("{}: {}", reason.from, reason.text)),
                });
                let over = self.history.len().saturating_sub(HISTORY);
                self.history.drain(..over);
            }
        }
        changed
    }

    /// How everything is shown: the cluster first, then by kind and name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.shown.values().map(|shown| &shown.entry)
    }

    /// Changes of the cluster's state, oldest first.
    #[must_use]
    pub fn history(&self) -> &[Span] {
        &self.history
    }
}

impl Shown {
    /// Takes how it is now; the entry, when it is shown differently.
    fn take(&mut self, now: Entry, now_unix_ns: i64) -> Option<Entry> {
        let (shown, state) = (self.entry.state, now.state);
        if state == shown {
            self.other = None;
            let is_same = (&now.reasons, now.more_reasons) == (&self.entry.reasons, self.entry.more_reasons);
            (self.entry.reasons, self.entry.more_reasons) = (now.reasons, now.more_reasons);
            return (!is_same).then(|| self.entry.clone());
        }
        let since = match self.other {
            Some((other, since)) if other == state => since,
            _ => now_unix_ns,
        };
        self.other = Some((state, since));
        let patience = match (shown, state) {
            // That a node is back, or away, decides what was hidden behind it too.
            (State::Unknown, _) | (_, State::Unknown) if state < State::Degraded && shown < State::Degraded => {
                UNKNOWN_NANOS
            }
            (shown, state) if state > shown => 0,
            _ => BETTER_NANOS,
        };
        if now_unix_ns.saturating_sub(since) < patience {
            return None;
        }
        self.other = None;
        self.entry = Entry {
            since_unix_ns: Some(since),
            ..now
        };
        Some(self.entry.clone())
    }
}
