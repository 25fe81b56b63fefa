//! What every daemon of Fathom needs and no domain: tasks, shutdown, signals, backoff, time, logging, configuration files.
//!
//! # Purpose
//!
//! A daemon that forgets a panic has a silent gap in its data, and one that is killed in the middle of a write has to
//! repair it at the next start. This crate is the one place where tasks are spawned, where the process learns that it
//! should end, and where the clock is read, so that those three things happen one way everywhere.
//!
//! # How the parts fit
//!
//! ```text
//! signal, service stop, failed task ──▶ Shutdown ──▶ every task of the TaskGroup ──▶ shutdown_and_wait(grace)
//! ```
//!
//! ```no_run
//! use std::{io, time::Duration};
//!
//! use fathom_runtime::{logging, shutdown::Shutdown, tasks::{Kind, TaskGroup}};
//!
//! # async fn sample(shutdown: Shutdown) -> io::Result<()> { shutdown.requested().await; Ok(()) }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! logging::init(tracing::Level::INFO);
//! let tasks = TaskGroup::new(Shutdown::new());
//! tasks.watch_signals()?;
//! tasks.spawn("sampler", Kind::Critical, sample(tasks.shutdown().clone()));
//! let cause = tasks.shutdown().requested().await;
//! tasks.shutdown_and_wait(Duration::from_secs(10)).await?;
//! std::process::exit(i32::from(cause.is_failure()));
//! # }
//! ```
//!
//! # What it is not
//!
//! It knows nothing of storage, of the wire or of what configuration files say, and it holds no state of its own beyond the
//! names of running tasks.
//!
//! # Errors
//!
//! Only three things can fail here, and each says so where it is called: registering a signal handler and starting a
//! thread ([`std::io::Error`]), and waiting for tasks that do not end ([`tasks::StillPending`]).

pub mod backoff;
pub mod clock;
pub mod logging;
pub mod settings;
pub mod shutdown;
pub mod signal;
pub mod tasks;
pub mod units;
