//! The operating system's ways to ask a process to end, as one future.
//!
//! A Windows service has no console and gets no signal: its control handler calls
//! [`Shutdown::request`](crate::shutdown::Shutdown::request) and so takes the same path.

use std::{fmt, io};

/// Which request was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C (SIGINT on Unix), or Ctrl-Break on Windows.
    Interrupt,
    /// SIGTERM: a service manager on Unix.
    Terminate,
    /// SIGHUP: the terminal was closed, or the connection to it is gone (Unix).
    Hangup,
    /// SIGQUIT: Ctrl-\ (Unix).
    Quit,
    /// The console window is being closed (Windows).
    ConsoleClose,
    /// The system is going down (Windows).
    SystemShutdown,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "interrupt signal",
            Self::Terminate => "terminate signal",
            Self::Hangup => "hangup: its terminal is gone",
            Self::Quit => "quit signal",
            Self::ConsoleClose => "console closed",
            Self::SystemShutdown => "system shutdown",
        })
    }
}

/// Registers the handlers now and returns a future that ends with the first request to stop.
///
/// The handlers stay for the life of the process: from here on Ctrl-C no longer ends it by itself. The future is cancel
/// safe. A hangup or a quit that whoever started the process had it ignore (`nohup`, a shell's background job) stays ignored.
///
/// # Errors
///
/// When the operating system refuses a handler.
///
/// # Panics
///
/// When called outside a tokio runtime with I/O enabled.
#[cfg(unix)]
pub fn terminated() -> io::Result<impl Future<Output = Signal> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let ignored = ignored();
    let unless_ignored = |kind: SignalKind| (!is_in(ignored, kind.as_raw_value())).then(|| signal(kind)).transpose();
    let mut hangup = unless_ignored(SignalKind::hangup())?;
    let mut quit = unless_ignored(SignalKind::quit())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
            () = received(&mut hangup) => Signal::Hangup,
            () = received(&mut quit) => Signal::Quit,
        }
    })
}

/// Ends with the signal; never where there is no handler of it.
#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// The signals that this process ignores, as a mask with a bit a signal from 1 on. Only Linux says it without a call that is unsafe;
/// where nobody says it nothing counts as ignored.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Whether a signal's bit is in a mask.
#[cfg(unix)]
const fn is_in(mask: u64, number: i32) -> bool {
    matches!(number, 1..=64) && mask >> (number - 1) & 1 == 1
}

/// Registers the handlers now and returns a future that ends with the first request to stop.
///
/// The handlers stay for the life of the process: from here on Ctrl-C no longer ends it by itself. After a console
/// close or a system shutdown Windows ends the process within seconds, so the grace period should be short. The future
/// is cancel safe.
///
/// # Errors
///
/// When the operating system refuses a handler.
///
/// # Panics
///
/// When called outside a tokio runtime with I/O enabled.
#[cfg(windows)]
pub fn terminated() -> io::Result<impl Future<Output = Signal> + Send + 'static> {
    use tokio::signal::windows;

    let mut ctrl_c = windows::ctrl_c()?;
    let mut ctrl_break = windows::ctrl_break()?;
    let mut close = windows::ctrl_close()?;
    let mut shutdown = windows::ctrl_shutdown()?;
    Ok(async move {
        tokio::select! {
            _ = ctrl_c.recv() => Signal::Interrupt,
            _ = ctrl_break.recv() => Signal::Interrupt,
            _ = close.recv() => Signal::ConsoleClose,
            _ = shutdown.recv() => Signal::SystemShutdown,
        }
    })
}

#[cfg(all(test, unix))]
mod tests;
