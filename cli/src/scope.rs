//! What a command says and where: straight to standard output and error, or, where the same command is asked of several clusters at
//! once, kept for whoever asks them all.
//!
//! A thread has at most one scope. A command neither knows nor minds: it asks about the cluster of its scope, and says everything through
//! here.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::client::Transport;
use crate::error::{Error, Result};
use crate::render::json;
use crate::render::table::many_lines;

thread_local! {
    static SCOPE: RefCell<Option<Scope>> = const { RefCell::new(None) };
    /// Until when an answer is waited for, where a command is about one cluster or about the fleet.
    static LIMIT: Cell<Option<Deadline>> = const { Cell::new(None) };
}

/// Until when an answer is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// How long that was from the beginning, as it was asked for.
    pub(crate) patience: Duration,
}

impl Deadline {
    /// From now on for so long; what no clock reads is for ever.
    pub(crate) fn after(patience: Duration) -> Option<Self> {
        let at = Instant::now().checked_add(patience)?;
        Some(Self { at, patience })
    }
}

/// One of several clusters that a command is asked of, and what it said.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// What to say in questions.
    pub(crate) cluster: String,
    /// Until when an answer is waited for; `None`: for ever.
    pub(crate) deadline: Option<Deadline>,
    /// Which way questions go; `None`: over a connection of their own.
    transport: Option<Transport>,
    pub(crate) text: String,
    pub(crate) document: Option<Map<String, Value>>,
    pub(crate) notes: Vec<String>,
}

impl Scope {
    pub(crate) const fn new(cluster: String, deadline: Option<Deadline>) -> Self {
        Self {
            cluster,
            deadline,
            transport: None,
            text: String::new(),
            document: None,
            notes: Vec::new(),
        }
    }

    /// The same, with questions that go this way.
    pub(crate) fn over(self, transport: Transport) -> Self {
        Self {
            transport: Some(transport),
            ..self
        }
    }

    /// Runs a command in this scope, on this thread.
    pub(crate) fn run<T>(self, command: impl FnOnce() -> T) -> (T, Self) {
        let kept = self.clone();
        SCOPE.set(Some(self));
        let result = command();
        // Only this function takes it away.
        (result, SCOPE.take().unwrap_or(kept))
    }
}

/// Does something with the scope, if there is one.
fn with<T>(action: impl FnOnce(&mut Scope) -> T) -> Option<T> {
    SCOPE.with_borrow_mut(|scope| scope.as_mut().map(action))
}

/// The cluster that the command is asked of, in a scope.
pub(crate) fn cluster() -> Option<String> {
    with(|scope| scope.cluster.clone())
}

/// Which way the questions of a command go, in a scope.
pub(crate) fn transport() -> Option<Transport> {
    with(|scope| scope.transport.clone()).flatten()
}

/// Until when an answer is waited for, where that is bounded.
pub(crate) fn deadline() -> Option<Deadline> {
    with(|scope| scope.deadline).unwrap_or_else(|| LIMIT.get())
}

/// Runs a command whose answers are waited for so long, if that is bounded.
pub(crate) fn within<T>(patience: Option<Duration>, command: impl FnOnce() -> T) -> T {
    let before = LIMIT.replace(patience.and_then(Deadline::after));
    let result = command();
    LIMIT.set(before);
    result
}

/// An answer for people.
pub(crate) fn print(text: &str) -> Result<()> {
    if with(|scope| scope.text.push_str(text)).is_some() {
        return Ok(());
    }
    std::io::stdout()
        .lock()
        .write_all(many_lines(text).as_bytes())
        .map_err(Error::Output)
}

/// An answer for programs, with the version of its shape in front.
pub(crate) fn document(document: Map<String, Value>) -> Result<()> {
    match with(|scope| scope.document = Some(document.clone())) {
        Some(()) => Ok(()),
        None => json::write(document),
    }
}

/// What is said of an answer.
pub(crate) fn say(note: fmt::Arguments<'_>) {
    if with(|scope| scope.notes.push(note.to_string())).is_none() {
        to_people(note);
    }
}

/// Writes a line to standard error. Where nobody can read that, nobody can be told, and the answer stands all the same.
pub(crate) fn to_people(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Says something of an answer, on standard error.
macro_rules! tell {
    ($($text:tt)*) => { $crate::scope::say(format_args!($($text)*)) };
}

pub(crate) use tell;
