//! The demo's end before its time: who asks for it, and that nobody has to wait for it.

use std::thread;

use fathom_runtime::signal::{Signal, terminated};
use tokio::sync::watch;

use crate::error::{Error, Result};

/// Whether the demo was asked to stop. From when this is made a signal ends the process no more by itself: whoever has it returns, and
/// the folders go with what is dropped on the way. So it is made before the first of them.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    asked: watch::Receiver<Option<Signal>>,
}

impl Stop {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// When the system refuses a handler or a thread.
    pub(super) fn listen() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::Runtime)?;
        let signal = {
            let _entered = runtime.enter();
            terminated().map_err(Error::Runtime)?
        };
        let (asks, asked) = watch::channel(None);
        // Beside what is done: processes are started and a cluster is simulated without a runtime.
        let listener = thread::Builder::new().name("signals".to_owned());
        let listener = listener.spawn(move || {
            let signal = runtime.block_on(signal);
            asks.send_replace(Some(signal));
        });
        listener.map_err(Error::Runtime)?;
        Ok(Self { asked })
    }

    /// An error when it was asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`].
    pub(super) fn check(&self) -> Result<()> {
        match *self.asked.borrow() {
            Some(signal) => Err(Error::Stopped {
                signal: signal.to_string(),
            }),
            None => Ok(()),
        }
    }

    /// Ends when it is asked for. Cancel safe.
    pub(super) async fn asked(&self) -> Signal {
        let mut asked = self.asked.clone();
        loop {
            if let Some(signal) = *asked.borrow_and_update() {
                return signal;
            }
            if asked.changed().await.is_err() {
                // The thread has ended without a signal: nobody will ever ask.
                std::future::pending::<()>().await;
            }
        }
    }
}
