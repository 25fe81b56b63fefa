//! A node's state as it is read now: classes asked at their own rates, each on a thread that may hang alone.
//!
//! What asks Windows is a [`Reader`]; this decides when, for how long, and what of the answers is new. A provider that hangs may hang for
//! ever: what has not answered by its limit is reported unavailable with that reason, and asked again only once it has answered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use fathom_model::state::{Kind, Observation, Sample, Scope};
use fathom_model::{Incarnation, NodeId};
use fathom_state::counters::{self, Readings};
use fathom_state::history::{Differ, Poll};
use fathom_state::{Bag, decode, schema};

use super::log::{self, Channel};
use super::{StateBatch, StatePolled, StateSource};
use crate::Result;

/// How long a class may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// How often each kind is read: what changes within a job or a connection often, what a drive has to be asked for itself seldom.
#[must_use]
pub const fn every(kind: Kind) -> Duration {
    match kind {
        Kind::StorageJob | Kind::SmbConnection => Duration::from_secs(10),
        Kind::Node | Kind::Csv | Kind::SblDevice | Kind::SblTarget => Duration::from_secs(15),
        Kind::DiskReliability => Duration::from_secs(900),
        Kind::Extent => Duration::from_secs(300),
        _ => Duration::from_secs(60),
    }
}

/// A set of counters that a node does not have is asked for ever more seldom, down to this: an adapter may come.
const SELDOM: Duration = Duration::from_secs(600);

/// That a set of counters can still be read is said this often, and whenever it changes.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Where counters are.
const COUNTERS: &str = r"root\cimv2";

/// What stands for a namespace where channels of the event log are asked.
pub const EVENT_LOG: &str = "event log";

/// Channels are asked this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Asks for the objects of a class, or for the events of a channel; called on a thread that belongs to that class's namespace, or to the
/// event log, alone.
pub trait Reader: 'static {
    /// The objects, or why there are none.
    ///
    /// # Errors
    ///
    /// In words for people: no such class, no privilege, the namespace cannot be opened.
    fn read(&mut self, class: &'static str) -> Result<Vec<Bag>, String>;

    /// The events that a channel has had since it was last asked, as XML, oldest first; the first time some of those before.
    ///
    /// # Errors
    ///
    /// In words for people: no such channel, it is switched off, no privilege.
    fn events(&mut self, channel: &'static Channel) -> Result<Vec<String>, String>;
}

/// What is asked for.
#[derive(Clone, Copy)]
enum What {
    /// Resources.
    Class(&'static schema::Class),
    /// Counters; every node has its own.
    Set(&'static counters::Set),
    /// Events of state; every node has its own.
    Channel(&'static Channel),
}

impl What {
    fn all() -> impl Iterator<Item = Self> {
        let classes = schema::classes().filter(|class| !class.namespace.is_empty());
        let classes = classes.map(Self::Class);
        classes
            .chain(counters::SETS.iter().map(Self::Set))
            .chain(log::CHANNELS.iter().map(Self::Channel))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Class(class) => class.names[0],
            Self::Set(set) => set.class,
            Self::Channel(channel) => channel.name,
        }
    }

    const fn namespace(self) -> &'static str {
        match self {
            Self::Class(class) => class.namespace,
            Self::Set(_) => COUNTERS,
            Self::Channel(_) => EVENT_LOG,
        }
    }

    const fn every(self) -> Duration {
        match self {
            Self::Class(class) => every(class.kind),
            Self::Set(set) => Duration::from_secs(set.every_seconds),
            Self::Channel(_) => LOG_EVERY,
        }
    }

    fn is_wanted(self, reporter: bool) -> bool {
        match self {
            Self::Class(class) => class.kind.scope() == Scope::Node || reporter,
            Self::Set(_) | Self::Channel(_) => true,
        }
    }

    /// Asks; it may take for ever.
    fn ask(self, reader: &mut impl Reader) -> Result<Got, String> {
        match self {
            Self::Class(_) | Self::Set(_) => reader.read(self.name()).map(Got::Objects),
            Self::Channel(channel) => reader.events(channel).map(Got::Events),
        }
    }
}

/// What was asked for.
#[derive(Debug)]
enum Got {
    /// Objects of a class.
    Objects(Vec<Bag>),
    /// Events as XML.
    Events(Vec<String>),
}

/// What a class or a channel answered.
type Answer = (usize, Result<Got, String>);

/// One class and when it is read.
struct Asked {
    what: What,
    worker: usize,
    due: Duration,
    /// Since when an answer is waited for.
    since: Option<Duration>,
    /// Whether it was said that it does not answer.
    told: bool,
    /// Of a set of counters what was said of it last, and when.
    said: Option<(Result<u64, String>, Duration)>,
    /// Readings one after the other that failed.
    failed: u32,
}

/// A node's state, read now.
pub struct LiveState {
    node: NodeId,
    anchor_unix_nanos: i64,
    asked: Vec<Asked>,
    workers: Vec<SyncSender<usize>>,
    answers: Receiver<Answer>,
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
        let mut namespaces: Vec<&'static str> = Vec::new();
        let mut asked = Vec::new();
        for what in What::all() {
            let worker = namespaces
                .iter()
                .position(|known| *known == what.namespace())
                .unwrap_or_else(|| {
                    namespaces.push(what.namespace());
                    namespaces.len() - 1
                });
            // Nodes and classes apart, so that neither a provider nor a coordinator gets all of them at once.
            let spread = what.every().min(Duration::from_secs(30)).as_millis() as u64;
            let number = asked.len() as u64;
            let jitter = seed
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .wrapping_add(number.wrapping_mul(0xD134_2543_DE82_EF95))
                >> 17;
            asked.push(Asked {
                what,
                worker,
                due: Duration::from_millis(jitter % spread.max(1)),
                since: None,
                told: false,
                said: None,
                failed: 0,
            });
        }
        let (answer, answers) = sync_channel(asked.len());
        let mut workers = Vec::new();
        for namespace in namespaces {
            // Never full: a class that has not answered is not asked again.
            let (ask, questions) = sync_channel::<usize>(asked.len());
            let all: Vec<What> = asked.iter().map(|asked| asked.what).collect();
            let (answer, open) = (answer.clone(), open.clone());
            thread::Builder::new()
                .name(format!("state {namespace}"))
                .spawn(move || {
                    let mut reader = open(namespace);
                    while let Ok(number) = questions.recv() {
                        let read = all[number].ask(&mut reader);
                        if answer.send((number, read)).is_err() {
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
        while let Ok((number, read)) = self.answers.try_recv() {
            self.take(number, read, elapsed);
        }
        let mut next = Duration::from_secs(1);
        let mut late = Vec::new();
        for (number, asked) in self.asked.iter_mut().enumerate() {
            let wanted = asked.what.is_wanted(reporter);
            match asked.since {
                Some(since) if elapsed.saturating_sub(since) >= LIMIT && !asked.told => {
                    asked.told = true;
                    late.push((number, format!("no answer within {} s", LIMIT.as_secs())));
                }
                Some(_) => {}
                None if wanted && asked.due <= elapsed => {
                    match self.workers[asked.worker].try_send(number) {
                        Ok(()) => asked.since = Some(elapsed),
                        // Its thread has ended: the reader broke.
                        Err(_) => late.push((number, "what asks Windows has ended".to_owned())),
                    }
                    asked.due = elapsed + asked.what.every();
                }
                None if wanted => next = next.min(asked.due - elapsed),
                None => {}
            }
        }
        for (number, reason) in late {
            self.say(number, Err(reason), elapsed);
        }
        next.max(Duration::from_millis(20))
    }

    fn take(&mut self, number: usize, read: Result<Got, String>, elapsed: Duration) {
        if let Some(asked) = self.asked.get_mut(number) {
            asked.since = None;
            asked.told = false;
            self.say(number, read, elapsed);
        }
    }

    /// Says what was read, or why nothing was.
    fn say(&mut self, number: usize, read: Result<Got, String>, elapsed: Duration) {
        let at = self.shown(elapsed);
        let objects = |got: Got| match got {
            Got::Objects(bags) => bags,
            Got::Events(_) => Vec::new(),
        };
        match self.asked[number].what {
            What::Class(class) => {
                let decoded = read.map(objects).map(|bags| {
                    // It was asked here, whatever name the object has for the computer.
                    let all = bags.into_iter().map(|mut bag| {
                        bag.computer = None;
                        decode(&bag, &self.node, at)
                    });
                    all.filter_map(std::result::Result::ok).flatten().collect()
                });
                let said = self.differ.read(&self.node, class.names[0], class.kind, decoded, at);
                self.waiting.extend(said);
            }
            What::Set(set) => {
                let outcome = read.map(objects).map(|objects| {
                    self.samples.extend(self.readings.read(set, &self.node, &objects, at));
                    objects.len() as u64
                });
                self.say_of_set(number, Kind::Counters, outcome, elapsed);
            }
            What::Channel(channel) => {
                let answered = read.is_ok();
                let outcome = read.and_then(|got| match got {
                    Got::Events(texts) => self.take_events(&texts),
                    Got::Objects(_) => Ok(0),
                });
                self.say_of_set(number, channel.kind, outcome, elapsed);
                // One event that cannot be read is no reason to ask for the others more seldom.
                if answered {
                    self.asked[number].failed = 0;
                    self.asked[number].due = elapsed + LOG_EVERY;
                }
            }
        }
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
    fn say_of_set(&mut self, number: usize, kind: Kind, outcome: Result<u64, String>, elapsed: Duration) {
        let at = self.shown(elapsed);
        let asked = &mut self.asked[number];
        if outcome.is_ok() {
            asked.failed = 0;
        } else {
            asked.failed = asked.failed.saturating_add(1);
            let pause = asked.what.every().saturating_mul(1 << asked.failed.min(10));
            asked.due = elapsed + pause.min(SELDOM);
        }
        let known = asked
            .said
            .as_ref()
            .is_some_and(|(said, when)| *said == outcome && elapsed.saturating_sub(*when) < SAY_AGAIN);
        if !known {
            asked.said = Some((outcome.clone(), elapsed));
            let poll = Poll {
                kind,
                class: asked.what.name().to_owned(),
                outcome,
                full: false,
            };
            self.waiting.push_back(poll.observation(&self.node, at));
        }
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
