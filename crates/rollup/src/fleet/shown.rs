//! A state that does not change to and fro: worse at once, better when it stays so. As a cluster's own states are damped
//! (`docs/design/0019-findings.md`).

use fathom_model::health::State;

use super::Config;

/// A state as it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) state: State,
    /// Since when.
    pub(crate) since_unix_ns: i64,
    /// The state that it has been in since, where that is another one.
    other: Option<(State, i64)>,
}

impl Shown {
    pub(super) const fn new(state: State, since_unix_ns: i64) -> Self {
        Self {
            state,
            since_unix_ns,
            other: None,
        }
    }

    /// Takes how it is now, and since when it has been so where that is known. Whether it is shown so.
    pub(super) fn take(&mut self, now: State, since_unix_ns: Option<i64>, at_unix_ns: i64, config: &Config) -> bool {
        if now == self.state {
            self.other = None;
            return true;
        }
        let known = since_unix_ns.unwrap_or(at_unix_ns).min(at_unix_ns);
        let since = match self.other {
            Some((other, since)) if other == now => since.min(known),
            _ => known,
        };
        self.other = Some((now, since));
        if at_unix_ns.saturating_sub(since) < patience(self.state, now, config) {
            return false;
        }
        self.set(now, since);
        true
    }

    /// Takes that nothing comes of it since a time. Whether it is shown so: whoever is back soon was not away.
    pub(super) fn take_away(&mut self, since_unix_ns: i64, at_unix_ns: i64, config: &Config) -> bool {
        if self.state == State::Unknown {
            self.other = None;
            return true;
        }
        if at_unix_ns.saturating_sub(since_unix_ns) < config.unknown_nanos {
            self.other = Some((State::Unknown, since_unix_ns));
            return false;
        }
        self.set(State::Unknown, at_unix_ns);
        true
    }

    /// Nobody looked until now: what is waited for has not lasted.
    pub(super) const fn resume(&mut self, now_unix_ns: i64) {
        if let Some((_, since)) = &mut self.other {
            *since = now_unix_ns;
        }
    }

    /// Shows it as it is, at once.
    pub(super) const fn set(&mut self, now: State, since_unix_ns: i64) {
        self.state = now;
        self.since_unix_ns = since_unix_ns;
        self.other = None;
    }

    /// When what it is now will be shown, if it stays so.
    pub(super) fn due_unix_ns(&self, config: &Config) -> Option<i64> {
        let (now, since) = self.other?;
        Some(since.saturating_add(patience(self.state, now, config)))
    }
}

/// For how long it has to stay so until it is shown.
fn patience(shown: State, now: State, config: &Config) -> i64 {
    let is_about_hearing = shown == State::Unknown || now == State::Unknown;
    if is_about_hearing && shown < State::Degraded && now < State::Degraded {
        // That it is back, or away, decides what was hidden behind it too.
        config.unknown_nanos
    } else if now > shown {
        0
    } else {
        config.better_nanos
    }
}
