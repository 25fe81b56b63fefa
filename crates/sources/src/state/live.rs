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

use fathom_model::state::{Kind, Observation, Scope};
use fathom_model::{Incarnation, NodeId};
use fathom_state::history::Differ;
use fathom_state::{Bag, decode, schema};

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

/// Asks for the objects of a class; called on a thread that belongs to that class's namespace alone.
pub trait Reader: 'static {
    /// The objects, or why there are none.
    ///
    /// # Errors
    ///
    /// In words for people: no such class, no privilege, the namespace cannot be opened.
    fn read(&mut self, class: &'static schema::Class) -> Result<Vec<Bag>, String>;
}

/// What a class answered.
type Answer = (usize, Result<Vec<Bag>, String>);

/// One class and when it is read.
struct Asked {
    class: &'static schema::Class,
    worker: usize,
    due: Duration,
    /// Since when an answer is waited for.
    since: Option<Duration>,
    /// Whether it was said that it does not answer.
    told: bool,
}

/// A node's state, read now.
pub struct LiveState {
    node: NodeId,
    anchor_unix_nanos: i64,
    asked: Vec<Asked>,
    workers: Vec<SyncSender<usize>>,
    answers: Receiver<Answer>,
    differ: Differ,
    /// Whether this node reads what the cluster answers for.
    reporter: Arc<AtomicBool>,
    was_reporter: bool,
    waiting: VecDeque<Observation>,
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
        for class in schema::classes().filter(|class| !class.namespace.is_empty()) {
            let worker = namespaces
                .iter()
                .position(|known| *known == class.namespace)
                .unwrap_or_else(|| {
                    namespaces.push(class.namespace);
                    namespaces.len() - 1
                });
            // Nodes and classes apart, so that neither a provider nor a coordinator gets all of them at once.
            let spread = every(class.kind).min(Duration::from_secs(30)).as_millis() as u64;
            let number = asked.len() as u64;
            let jitter = seed
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .wrapping_add(number.wrapping_mul(0xD134_2543_DE82_EF95))
                >> 17;
            asked.push(Asked {
                class,
                worker,
                due: Duration::from_millis(jitter % spread.max(1)),
                since: None,
                told: false,
            });
        }
        let (answer, answers) = sync_channel(asked.len());
        let mut workers = Vec::new();
        for namespace in namespaces {
            // Never full: a class that has not answered is not asked again.
            let (ask, questions) = sync_channel::<usize>(asked.len());
            let classes: Vec<&'static schema::Class> = asked.iter().map(|asked| asked.class).collect();
            let (answer, open) = (answer.clone(), open.clone());
            thread::Builder::new()
                .name(format!("state {namespace}"))
                .spawn(move || {
                    let mut reader = open(namespace);
                    while let Ok(number) = questions.recv() {
                        let read = reader.read(classes[number]);
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
            was_reporter: reporter.load(Ordering::Relaxed),
            reporter,
            waiting: VecDeque::new(),
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
        let at = self.shown(elapsed);
        let mut next = Duration::from_secs(1);
        for (number, asked) in self.asked.iter_mut().enumerate() {
            let wanted = asked.class.kind.scope() == Scope::Node || reporter;
            let mut failed = None;
            match asked.since {
                Some(since) if elapsed.saturating_sub(since) >= LIMIT && !asked.told => {
                    asked.told = true;
                    failed = Some(format!("no answer within {} s", LIMIT.as_secs()));
                }
                Some(_) => {}
                None if wanted && asked.due <= elapsed => {
                    match self.workers[asked.worker].try_send(number) {
                        Ok(()) => asked.since = Some(elapsed),
                        // Its thread has ended: the reader broke.
                        Err(_) => failed = Some("what asks Windows has ended".to_owned()),
                    }
                    asked.due = elapsed + every(asked.class.kind);
                }
                None if wanted => next = next.min(asked.due - elapsed),
                None => {}
            }
            if let Some(reason) = failed {
                let class = asked.class;
                let said = self
                    .differ
                    .read(&self.node, class.names[0], class.kind, Err(reason), at);
                self.waiting.extend(said);
            }
        }
        next.max(Duration::from_millis(20))
    }

    fn take(&mut self, number: usize, read: Result<Vec<Bag>, String>, elapsed: Duration) {
        let at = self.shown(elapsed);
        let Some(asked) = self.asked.get_mut(number) else {
            return;
        };
        asked.since = None;
        asked.told = false;
        let class = asked.class;
        let decoded = read.map(|bags| {
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
        if self.waiting.is_empty() {
            return Ok(StatePolled::Later(wait));
        }
        let observations: Vec<Observation> = self.waiting.drain(..most.min(self.waiting.len())).collect();
        let first_ordinal = self.next;
        self.next += observations.len() as u64;
        Ok(StatePolled::Rows(StateBatch {
            first_ordinal,
            observations,
            samples: Vec::new(),
        }))
    }
}

#[cfg(test)]
mod tests;
