use std::process::Command;

use super::*;
use crate::{
    shutdown::{Cause, Shutdown},
    tasks::TaskGroup,
};

// One test for both: signals reach the whole process, so two tests would wake each other.
#[tokio::test]
async fn sigterm_ends_the_future_and_requests_shutdown() {
    let terminated = terminated().unwrap();
    let tasks = TaskGroup::new(Shutdown::new());
    tasks.watch_signals().unwrap();

    let status = Command::new("kill")
        .args(["-TERM", &std::process::id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());

    assert_eq!(terminated.await, Signal::Terminate);
    assert_eq!(tasks.shutdown().requested().await, &Cause::Signal(Signal::Terminate));
}
