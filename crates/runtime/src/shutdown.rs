//! The one path by which a process ends: a token that every task watches, and the cause that was given first.
//!
//! Not the waiting itself, which is [`TaskGroup::shutdown_and_wait`](crate::tasks::TaskGroup::shutdown_and_wait), and
//! not the signals, which are [`crate::signal`].

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use tokio_util::sync::CancellationToken;

use crate::signal::Signal;

/// Why the process was asked to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The operating system or a person at the console asked.
    Signal(Signal),
    /// A part of the program asked; the text says which, as in "service stop".
    Requested(&'static str),
    /// A task of [`Kind::Critical`](crate::tasks::Kind::Critical) ended by an error or a panic.
    TaskFailed {
        /// The task's name.
        task: String,
        /// The error with its sources, or the panic's message.
        reason: String,
    },
}

impl Cause {
    /// True if the exit code should say failure.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::TaskFailed { .. })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "{signal}"),
            Self::Requested(by) => f.write_str(by),
            Self::TaskFailed { task, reason } => write!(f, "task {task} failed: {reason}"),
        }
    }
}

/// A request to end that can be made once and seen by all; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    cause: Arc<OnceLock<Cause>>,
}

impl Shutdown {
    /// A shutdown that nobody has requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the process to end; returns false if it had been asked before, and then keeps the first cause.
    pub fn request(&self, cause: Cause) -> bool {
        if let Some(cause) = self.end(cause) {
            tracing::info!(%cause, "shutdown requested");
            return true;
        }
        false
    }

    /// The same by the program's own end, also where it never began: nobody asked, and there is nothing to tell. The cause, where it is
    /// the first.
    pub(crate) fn end(&self, cause: Cause) -> Option<&Cause> {
        let first = self.cause.set(cause).is_ok();
        // INVARIANT: the cause is set before the token is cancelled, so whoever wakes finds it.
        self.token.cancel();
        self.cause.get().filter(|_| first)
    }

    /// Waits until shutdown is requested and returns the cause. Cancel safe.
    pub async fn requested(&self) -> &Cause {
        self.token.cancelled().await;
        self.cause.get().unwrap_or(&Cause::Requested("token cancelled"))
    }

    /// True once shutdown has been requested.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The cause, once shutdown has been requested.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.get()
    }

    /// A token that is cancelled with this shutdown and may be cancelled alone: for a connection or a request.
    pub fn child_token(&self) -> CancellationToken {
        self.token.child_token()
    }
}

#[cfg(test)]
mod tests;
