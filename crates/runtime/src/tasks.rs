//! Named tasks and threads whose end is noticed: the only place of the workspace that spawns either.
//!
//! A group keeps the names of what runs, logs every error and panic, stops the process when a critical task fails, and
//! at the end says who is still pending. It does not restart tasks and does not hand back values: a task that must be
//! tried again loops itself with a [`Backoff`](crate::backoff::Backoff).

use std::{
    borrow::Cow,
    collections::BTreeMap,
    error::Error,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    thread,
    time::Duration,
};

use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::{
    shutdown::{Cause, Shutdown},
    signal,
};

/// What the failure of a task means for the process. Neither kind is aborted: a task watches the shutdown and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The daemon cannot do its work without it: an error or a panic is logged and requests shutdown.
    Critical,
    /// The daemon goes on without it: an error or a panic is logged.
    Background,
}

/// What a task may return: nothing, or a result whose error is text, boxed, `anyhow` or any error type.
pub trait Outcome {
    /// The failure with its sources, or `None` if the task ended well.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> Outcome for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| chain(&*error.into()))
    }
}

/// Tasks that had not ended when the grace period was over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("still pending after {grace:?}: {}", names.join(", "))]
pub struct StillPending {
    /// The tasks' names in the order in which they were spawned.
    pub names: Vec<String>,
    /// How long was waited.
    pub grace: Duration,
}

/// The tasks and threads of one process; clones share them.
#[derive(Clone, Debug)]
pub struct TaskGroup {
    shutdown: Shutdown,
    tracker: TaskTracker,
    running: Arc<Running>,
}

impl TaskGroup {
    /// An empty group whose critical tasks request this shutdown when they fail.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            tracker: TaskTracker::new(),
            running: Arc::default(),
        }
    }

    /// The shutdown that the tasks of this group watch.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// The names of all that runs now, oldest first.
    pub fn running(&self) -> Vec<String> {
        self.running
            .lock()
            .names
            .values()
            .map(|name| name.clone().into_owned())
            .collect()
    }

    /// Starts a task, in a tracing span with its name.
    ///
    /// # Panics
    ///
    /// When called outside a tokio runtime.
    pub fn spawn<F>(&self, name: impl Into<Cow<'static, str>>, kind: Kind, future: F)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let end = self.enter(name.into(), kind);
        let span = tracing::info_span!("task", name = %end.name);
        let task = async move { end.report(catch_panic(future).await) };
        self.tracker.spawn(task.instrument(span));
    }

    /// Starts a thread for blocking work, waited for and reported like a task.
    ///
    /// The closure must watch [`TaskGroup::shutdown`] by itself: a thread cannot be dropped like a future.
    ///
    /// # Errors
    ///
    /// When the operating system has no thread to give.
    ///
    /// # Panics
    ///
    /// When the name contains a NUL character.
    pub fn spawn_thread<F, T>(&self, name: impl Into<Cow<'static, str>>, kind: Kind, work: F) -> io::Result<()>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Outcome,
    {
        let end = self.enter(name.into(), kind);
        let tracked = self.tracker.token();
        thread::Builder::new()
            .name(end.name.clone().into_owned())
            .spawn(move || {
                let span = tracing::info_span!("thread", name = %end.name).entered();
                end.report(catch_unwind(AssertUnwindSafe(work)).map_err(|payload| panic_message(&*payload)));
                drop(span);
                drop(tracked);
            })?;
        Ok(())
    }

    /// Requests shutdown at the first signal to terminate.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a signal handler.
    ///
    /// # Panics
    ///
    /// When called outside a tokio runtime with I/O enabled.
    pub fn watch_signals(&self) -> io::Result<()> {
        let terminated = signal::terminated()?;
        let shutdown = self.shutdown.clone();
        self.spawn("signals", Kind::Background, async move {
            tokio::select! {
                signal = terminated => {
                    shutdown.request(Cause::Signal(signal));
                }
                _ = shutdown.requested() => {}
            }
        });
        Ok(())
    }

    /// Requests shutdown, unless that was done, and waits until all tasks and threads have ended.
    ///
    /// Whatever is left keeps running: the caller decides whether to end the process under it. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StillPending`] with the names of those that did not end within the grace period.
    pub async fn shutdown_and_wait(&self, grace: Duration) -> Result<(), StillPending> {
        self.shutdown.end(Cause::Requested("end of the program"));
        self.tracker.close();
        match tokio::time::timeout(grace, self.tracker.wait()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(StillPending {
                names: self.running(),
                grace,
            }),
        }
    }

    fn enter(&self, name: Cow<'static, str>, kind: Kind) -> End {
        let key = {
            let mut names = self.running.lock();
            names.next += 1;
            let key = names.next;
            names.names.insert(key, name.clone());
            key
        };
        End {
            name,
            kind,
            key,
            shutdown: self.shutdown.clone(),
            running: Arc::clone(&self.running),
        }
    }
}

/// The names of what runs. A lock, not a channel: it is held for a map operation and never across an await.
#[derive(Debug, Default)]
struct Running(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    next: u64,
    names: BTreeMap<u64, Cow<'static, str>>,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by a task as long as it exists; takes its name off the list however it ends.
#[derive(Debug)]
struct End {
    name: Cow<'static, str>,
    kind: Kind,
    key: u64,
    shutdown: Shutdown,
    running: Arc<Running>,
}

impl End {
    /// Runs inside the task's span, which carries the name.
    fn report(self, end: Result<impl Outcome, String>) {
        let reason = match end {
            Ok(outcome) => match outcome.failure() {
                None => return tracing::debug!("task ended"),
                Some(error) => error,
            },
            Err(message) => format!("panic: {message}"),
        };
        match self.kind {
            Kind::Critical => {
                tracing::error!(error = %reason, "critical task failed");
                self.shutdown.request(Cause::TaskFailed {
                    task: self.name.clone().into_owned(),
                    reason,
                });
            }
            Kind::Background => tracing::error!(error = %reason, "background task failed"),
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.running.lock().names.remove(&self.key);
    }
}

async fn catch_panic<F: Future + Send>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        // Unwind safe: after a panic the future is never polled again, only dropped.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(panic_message(&*payload))),
        }
    })
    .await
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(no text)").to_owned()
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Many an error says what its source says.
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
