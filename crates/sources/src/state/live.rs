//! A node's state as it is read now: classes asked at their own rates, each on a thread that may hang alone.
//!
//! What asks Windows is a [`Reader`]; this decides when, for how long, and what of the answers is new. A provider that hangs may hang for
//! ever: what has not answered by its limit is reported unavailable with that reason, and asked again only once it has answered. What
//! waits behind it is reported too, as that. Time is counted from when the question was put, not from when it was put into the queue.
//!
//! No round is as long as the one before: each is up to a tenth shorter or longer, so that nodes and classes drift apart. What fails again
//! and again is asked ever more seldom, and at its own rate again once it has answered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use fathom_model::state::{Kind, Observation, Sample};
use fathom_model::{Incarnation, NodeId};
use fathom_state::counters::Readings;
use fathom_state::decode_each;
use fathom_state::history::{Differ, Poll};

use self::asked::{Asked, Got, Outcome, Told, What, jittered, mixed};
use super::log::{self, Channel};
use super::walks::Objects;
use super::{StateBatch, StatePolled, StateSource};
use crate::Result;

mod asked;

pub use asked::every;

/// How long a class may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// That a set of counters can still be read is said this often, and whenever it changes.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Where counters are.
const COUNTERS: &str = r"root\cimv2";

/// What stands for a namespace where channels of the event log are asked.
pub const EVENT_LOG: &str = "event log";

/// Asks for the objects of a class, or for the events of a channel; called on a thread that belongs to that class's namespace, to the
/// event log, or to a slow class, alone.
pub trait Reader: 'static {
    /// The objects, or why there are none.
    ///
    /// # Errors
    ///
    /// In words for people: no such class, no privilege, the namespace cannot be opened.
    fn read(&mut self, class: &'static str) -> Result<Objects, String>;

    /// The events that a channel has had since it was last asked, as XML, oldest first; the first time some of those before.
    ///
    /// # Errors
    ///
    /// In words for people: no such channel, it is switched off, no privilege.
    fn events(&mut self, channel: &'static Channel) -> Result<Vec<String>, String>;
}

/// A node's state, read now.
pub struct LiveState {
    node: NodeId,
    anchor_unix_nanos: i64,
    asked: Vec<Asked>,
    workers: Vec<SyncSender<usize>>,
    answers: Receiver<Told>,
    seed: u64,
    differ: Differ,
    readings: Readings,
    /// Whether this node reads what the cluster answers for.
    reporter: Arc<AtomicBool>,
    was_reporter: bool,
    waiting: VecDeque<Observation>,
    samples: VecDeque<Sample>,
    next: u64,
}

impl std::fmt::Debug for LiveState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveState")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl LiveState {
    /// Reads the classes of every namespace with a reader of its own, made on its thread by `open`; `anchor_unix_nanos` is the wall clock when
    /// the source is started, and `seed` spreads nodes over the time between two readings. While `reporter` is false, what the
    /// cluster answers for is left to another node.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start<R: Reader>(
        node: NodeId,
        anchor_unix_nanos: i64,
        seed: u64,
        reporter: Arc<AtomicBool>,
        open: impl Fn(&'static str) -> R + Send + Clone + 'static,
    ) -> std::io::Result<Self> {
        let mut lanes: Vec<(&'static str, Option<&'static str>)> = Vec::new();
        let mut asked = Vec::new();
        for what in What::all() {
            let worker = lanes.iter().position(|known| *known == what.lane()).unwrap_or_else(|| {
                lanes.push(what.lane());
                lanes.len() - 1
            });
            // Nodes and classes apart, so that neither a provider nor a coordinator gets all of them at once.
            let spread = what.every().min(Duration::from_secs(30)).as_millis() as u64;
            let number = asked.len() as u64;
            asked.push(Asked {
                what,
                worker,
                due: Duration::from_millis(mixed(seed, number, 0) % spread.max(1)),
                queued: None,
                since: None,
                told: false,
                said: None,
                failed: 0,
                round: 0,
            });
        }
        // Never full: a class tells two things each time, and that has not answered is not asked again.
        let (answer, answers) = sync_channel(2 * asked.len());
        let mut workers = Vec::new();
        for (namespace, own) in lanes {
            // Never full, for the same reason.
            let (ask, questions) = sync_channel::<usize>(asked.len());
            let all: Vec<What> = asked.iter().map(|asked| asked.what).collect();
            let (answer, open) = (answer.clone(), open.clone());
            thread::Builder::new()
                .name(format!("state {}", own.unwrap_or(namespace)))
                .spawn(move || {
                    let mut reader = open(namespace);
                    while let Ok(number) = questions.recv() {
                        if answer.send(Told::Begun(number)).is_err() {
                            break;
                        }
                        let read = all[number].ask(&mut reader);
                        if answer.send(Told::Answered(number, read)).is_err() {
                            break;
                        }
                    }
                })?;
            workers.push(ask);
        }
        Ok(Self {
            node,
            anchor_unix_nanos,
            asked,
            workers,
            answers,
            seed,
            differ: Differ::default(),
            readings: Readings::default(),
            was_reporter: reporter.load(Ordering::Relaxed),
            reporter,
            waiting: VecDeque::new(),
            samples: VecDeque::new(),
            next: 0,
        })
    }

    fn shown(&self, elapsed: Duration) -> i64 {
        self.anchor_unix_nanos
            .saturating_add(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Asks what is due, takes what has come, and gives up what is late; when to look again.
    fn step(&mut self, elapsed: Duration) -> Duration {
        let reporter = self.reporter.load(Ordering::Relaxed);
        if reporter && !self.was_reporter {
            // Whoever reported before may have said less, or nothing for long: everything is said anew.
            self.differ.forget();
        }
        self.was_reporter = reporter;
        while let Ok(told) = self.answers.try_recv() {
            match told {
                Told::Begun(number) => self.asked[number].since = Some(elapsed),
                Told::Answered(number, read) => self.take(number, read, elapsed),
            }
        }
        let mut next = Duration::from_secs(1);
        let mut late = self.late(elapsed);
        for (number, asked) in self.asked.iter_mut().enumerate() {
            if asked.queued.is_some() || !asked.what.is_wanted(reporter) {
                continue;
            }
            if asked.due > elapsed {
                next = next.min(asked.due.saturating_sub(elapsed));
                continue;
            }
            asked.round += 1;
            asked.due = elapsed + jittered(asked.pause(), mixed(self.seed, number as u64, asked.round));
            match self.workers[asked.worker].try_send(number) {
                Ok(()) => asked.queued = Some(elapsed),
                // Its thread has ended: the reader broke.
                Err(_) => late.push((number, "what asks Windows has ended".to_owned())),
            }
        }
        for (number, reason) in late {
            self.say(number, Err(reason), elapsed);
        }
        next.max(Duration::from_millis(20))
    }

    /// What has not answered by its limit, and what waits behind it, each told once.
    fn late(&mut self, elapsed: Duration) -> Vec<(usize, String)> {
        let limit = LIMIT.as_secs();
        let is_over = |since: &Duration| elapsed.saturating_sub(*since) >= LIMIT;
        let mut hangs: Vec<Option<&'static str>> = vec![None; self.workers.len()];
        for asked in self
            .asked
            .iter()
            .filter(|asked| asked.since.as_ref().is_some_and(is_over))
        {
            hangs[asked.worker] = Some(asked.what.name());
        }
        let mut late = Vec::new();
        for (number, asked) in self.asked.iter_mut().enumerate().filter(|(_, asked)| !asked.told) {
            let reason = match (asked.since, asked.queued, hangs[asked.worker]) {
                (Some(since), ..) if is_over(&since) => format!("no answer within {limit} s"),
                (None, Some(queued), Some(before)) if is_over(&queued) => {
                    format!("not asked: {before} before it has not answered within {limit} s")
                }
                _ => continue,
            };
            asked.told = true;
            late.push((number, reason));
        }
        late
    }

    fn take(&mut self, number: usize, read: Result<Got, String>, elapsed: Duration) {
        if let Some(asked) = self.asked.get_mut(number) {
            (asked.since, asked.queued, asked.told) = (None, None, false);
            self.say(number, read, elapsed);
        }
    }

    /// Says what was read, or why nothing was.
    fn say(&mut self, number: usize, read: Result<Got, String>, elapsed: Duration) {
        let at = self.shown(elapsed);
        let objects = |got: Got| match got {
            Got::Objects(objects) => objects,
            Got::Events(_) => Objects::default(),
        };
        match self.asked[number].what {
            What::Class(class) => {
                self.pace(number, read.is_ok(), elapsed);
                let mut note = None;
                let decoded = read.map(objects).map(|objects| {
                    let (observations, said) = self.decoded(objects, at);
                    note = said;
                    observations
                });
                let every = self.asked[number].what.every();
                let said = self.differ.read(&self.node, class.names[0], class.kind, decoded, at);
                self.waiting.extend(said.into_iter().map(|row| match row.kind {
                    Kind::Source => of_source(row, every, note.take()),
                    _ => row,
                }));
            }
            What::Set(set) => {
                let mut note = None;
                let outcome = read.map(objects).map(|objects| {
                    note = objects.note;
                    self.samples
                        .extend(self.readings.read(set, &self.node, &objects.bags, at));
                    objects.bags.len() as u64
                });
                self.pace(number, outcome.is_ok(), elapsed);
                self.say_of_set(number, Kind::Counters, (outcome, note), elapsed);
            }
            What::Channel(channel) => {
                // One event that cannot be read is no reason to ask for the others more seldom.
                self.pace(number, read.is_ok(), elapsed);
                let outcome = read.and_then(|got| match got {
                    Got::Events(texts) => self.take_events(&texts),
                    Got::Objects(_) => Ok(0),
                });
                self.say_of_set(number, channel.kind, (outcome, None), elapsed);
            }
        }
    }

    /// What fails again and again is asked more seldom.
    fn pace(&mut self, number: usize, answered: bool, elapsed: Duration) {
        let mixed = mixed(self.seed, number as u64, self.asked[number].round);
        let asked = &mut self.asked[number];
        if answered {
            asked.failed = 0;
        } else {
            asked.failed = asked.failed.saturating_add(1);
            asked.due = elapsed + jittered(asked.pause(), mixed);
        }
    }

    /// Observations of objects, and what is to be said of how they were read.
    fn decoded(&self, objects: Objects, at: i64) -> (Vec<Observation>, Option<String>) {
        let (mut observations, mut refused) = (Vec::new(), Vec::new());
        let count = objects.bags.len();
        for mut bag in objects.bags {
            // It was asked here, whatever name the object has for the computer.
            bag.computer = None;
            for one in decode_each(&bag, &self.node, at) {
                match one {
                    Ok(observation) => observations.push(observation),
                    Err(why) => refused.push(why),
                }
            }
        }
        let undecoded = refused
            .first()
            .map(|why| format!("{} of {count} objects could not be decoded: {why}", refused.len()));
        let notes: Vec<String> = objects.note.into_iter().chain(undecoded).collect();
        (observations, (!notes.is_empty()).then(|| notes.join("; ")))
    }

    /// Takes what events say; how many there were, or why nothing could be made of one of them.
    fn take_events(&mut self, texts: &[String]) -> Result<u64, String> {
        let said = log::read(texts, &self.node);
        self.waiting.extend(said.observations);
        self.samples.extend(said.samples);
        match said.why {
            None => Ok(texts.len() as u64),
            Some(why) => Err(format!(
                "of {} events {} could not be decoded: {why}",
                texts.len(),
                said.undecoded
            )),
        }
    }

    /// Says whether a set of counters or a channel can be read, when that is news.
    fn say_of_set(&mut self, number: usize, kind: Kind, outcome: Outcome, elapsed: Duration) {
        let at = self.shown(elapsed);
        let asked = &mut self.asked[number];
        let known = asked
            .said
            .as_ref()
            .is_some_and(|(said, when)| *said == outcome && elapsed.saturating_sub(*when) < SAY_AGAIN);
        if !known {
            asked.said = Some((outcome.clone(), elapsed));
            let poll = Poll {
                kind,
                class: asked.what.name().to_owned(),
                outcome: outcome.0,
                full: false,
            };
            let every = asked.what.every();
            let row = poll.observation(&self.node, at);
            self.waiting.push_back(of_source(row, every, outcome.1));
        }
    }
}

/// A source with the rate it is read at while it answers, and how it was asked.
fn of_source(row: Observation, every: Duration, note: Option<String>) -> Observation {
    let row = row.with("every_s", every.as_secs());
    match note {
        Some(note) => row.with("note", note),
        None => row,
    }
}

impl StateSource for LiveState {
    fn incarnation(&self) -> Option<Incarnation> {
        None
    }

    /// What is read now has no past: a spool that has rows already goes on with the next ordinal.
    fn seek(&mut self, ordinal: u64) -> Result<()> {
        self.next = ordinal;
        Ok(())
    }

    fn poll(&mut self, elapsed: Duration, most: usize) -> Result<StatePolled> {
        let wait = self.step(elapsed);
        if self.waiting.is_empty() && self.samples.is_empty() {
            return Ok(StatePolled::Later(wait));
        }
        let observations: Vec<Observation> = self.waiting.drain(..most.min(self.waiting.len())).collect();
        let rest = most - observations.len();
        let samples: Vec<Sample> = self.samples.drain(..rest.min(self.samples.len())).collect();
        let first_ordinal = self.next;
        self.next += (observations.len() + samples.len()) as u64;
        Ok(StatePolled::Rows(StateBatch {
            first_ordinal,
            observations,
            samples,
        }))
    }
}

#[cfg(test)]
mod tests;
