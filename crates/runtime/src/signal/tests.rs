use std::process::Command;

use super::*;
use crate::{
    shutdown::{Cause, Shutdown},
    tasks::TaskGroup,
};

fn send(signal: &str) {
    let id = std::process::id().to_string();
    let sent = Command::new("kill").args([signal, &id]).status().expect("kill starts");
    assert!(sent.success());
}

// One test for all: signals reach the whole process, so two tests would wake each other.
#[tokio::test]
async fn signals_end_the_future_and_request_shutdown() {
    let told = terminated().unwrap();
    let tasks = TaskGroup::new(Shutdown::new());
    tasks.watch_signals().unwrap();

    send("-TERM");

    assert_eq!(told.await, Signal::Terminate);
    assert_eq!(tasks.shutdown().requested().await, &Cause::Signal(Signal::Terminate));

    // A closed terminal and Ctrl-\ ended the process at once, with all that it would have removed at its end.
    for (name, number, signal) in [("-HUP", 1, Signal::Hangup), ("-QUIT", 3, Signal::Quit)] {
        if is_in(ignored(), number) {
            eprintln!("left out: {name} is ignored here");
            continue;
        }
        let told = terminated().unwrap();
        send(name);
        assert_eq!(told.await, signal);
    }
}

#[test]
fn a_signal_is_told_by_its_bit() {
    let nohup = 0x0000_0000_0000_0001;
    assert!(is_in(nohup, 1) && !is_in(nohup, 3));
    assert!(is_in(4, 3) && !is_in(4, 1));
    assert!(is_in(1 << 63, 64));
    assert!(!is_in(u64::MAX, 0) && !is_in(u64::MAX, 65) && !is_in(u64::MAX, -1));
}
