//! What this node can give, asked without starting anything: each source's parts with what they answered, or why they did not.
//!
//! Each probe asks on a thread of its own and is given a limit. What has not answered by then is left alone and reported as that:
//! a provider of Windows that hangs may hang for ever, and a thread inside it cannot be ended. The whole takes as long as
//! the limit at most, and a part that answered before its neighbour hung keeps its answer.
//!
//! What "available" means is said with every answer and is never more than what was seen: a class that has instances, a channel
//! that is switched on, a session that could be started and was stopped again.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(windows)]
mod drives;
#[cfg(windows)]
mod etw;
#[cfg(windows)]
mod event_log;
#[cfg(any(windows, test))]
pub(crate) mod known;
#[cfg(windows)]
mod pdh;
#[cfg(windows)]
pub(crate) mod wmi;
#[cfg(any(windows, test))]
mod words;

/// One part of a source, and what became of asking it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The source: `replay`, `etw`, `wmi`, `pdh`, `event_log` or `drives`.
    pub source: &'static str,
    /// What of it: a class with its namespace, a counter set, a provider, a channel.
    pub item: String,
    /// What it answered.
    pub state: State,
}

/// What a part of a source answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is there; the text says what was seen of it.
    Available(String),
    /// It is not, or may not be read; the text says why.
    Unavailable(String),
    /// It had not answered after so long, and was left.
    NoAnswer(Duration),
}

/// Asks everything that there is on this system; returns after `limit` at the latest.
#[must_use]
pub fn check(limit: Duration) -> Vec<Finding> {
    let mut findings = vec![Finding {
        source: "replay",
        item: "recordings".to_owned(),
        state: State::Available("any system can play one".to_owned()),
    }];
    findings.extend(ask(probes(), limit));
    findings
}

#[cfg(windows)]
fn probes() -> Vec<Probe> {
    let mut probes = vec![
        etw::session(),
        etw::providers(),
        event_log::channels(),
        pdh::counter_sets(),
        drives::health(),
    ];
    probes.extend(wmi::namespaces());
    probes
}

#[cfg(not(windows))]
fn probes() -> Vec<Probe> {
    let absent = [
        ("etw", "event tracing of the kernel and of drivers"),
        ("event_log", "channels of the event log"),
        ("pdh", "performance counters"),
        ("wmi", "management classes"),
        ("drives", "health logs of NVMe drives"),
    ];
    let probe = |(source, item): (&'static str, &str)| {
        Probe::new(source, vec![item.to_owned()], |answers| {
            answers.give(0, State::Unavailable("not Windows".to_owned()));
        })
    };
    absent.into_iter().map(probe).collect()
}

/// Items of one source that are asked one after the other, on one thread.
struct Probe {
    source: &'static str,
    items: Vec<String>,
    ask: Box<dyn FnOnce(&Answers) + Send>,
}

impl Probe {
    fn new(source: &'static str, items: Vec<String>, ask: impl FnOnce(&Answers) + Send + 'static) -> Self {
        Self {
            source,
            items,
            ask: Box::new(ask),
        }
    }
}

/// Where a probe leaves its answers.
struct Answers(SyncSender<(usize, State)>);

impl Answers {
    /// The answer of the item at this place. After the limit nobody listens any more, and that is fine.
    fn give(&self, item: usize, state: State) {
        let _ = self.0.try_send((item, state));
    }
}

/// A probe that was started.
struct Asked {
    source: &'static str,
    items: Vec<String>,
    states: Vec<Option<State>>,
    answers: Receiver<(usize, State)>,
    /// Why the probe could not even start.
    failed: Option<String>,
}

fn ask(probes: Vec<Probe>, limit: Duration) -> Vec<Finding> {
    let start = Instant::now();
    let asked: Vec<Asked> = probes.into_iter().map(Asked::start).collect();
    let findings = asked.into_iter().flat_map(|asked| asked.finish(start, limit));
    findings.collect()
}

impl Asked {
    fn start(probe: Probe) -> Self {
        // Room for an answer an item: giving one never waits.
        let (give, answers) = sync_channel(probe.items.len().max(1));
        let ask = probe.ask;
        let started = thread::Builder::new()
            .name(format!("check-{}", probe.source))
            .spawn(move || ask(&Answers(give)));
        Self {
            source: probe.source,
            states: vec![None; probe.items.len()],
            items: probe.items,
            answers,
            failed: started.err().map(|error| format!("no thread to ask it on: {error}")),
        }
    }

    fn finish(mut self, start: Instant, limit: Duration) -> Vec<Finding> {
        let silent = loop {
            if self.states.iter().all(Option::is_some) {
                break State::NoAnswer(limit);
            }
            match self.answers.recv_timeout(limit.saturating_sub(start.elapsed())) {
                Ok((item, state)) => {
                    if let Some(place) = self.states.get_mut(item) {
                        *place = Some(state);
                    }
                }
                Err(RecvTimeoutError::Timeout) => break State::NoAnswer(limit),
                Err(RecvTimeoutError::Disconnected) => {
                    let reason = self.failed.take();
                    break State::Unavailable(
                        reason.unwrap_or_else(|| "its probe broke before it was asked".to_owned()),
                    );
                }
            }
        };
        let source = self.source;
        let named = self.items.into_iter().zip(self.states);
        named
            .map(|(item, state)| Finding {
                source,
                item,
                state: state.unwrap_or_else(|| silent.clone()),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
