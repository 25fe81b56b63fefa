use super::*;

#[tokio::test]
async fn waiters_wake_with_the_first_cause() {
    let shutdown = Shutdown::new();
    let other = shutdown.clone();
    assert!(!other.is_requested());
    assert!(shutdown.request(Cause::Requested("service stop")));
    assert!(!shutdown.request(Cause::Signal(Signal::Terminate)));
    assert_eq!(other.requested().await, &Cause::Requested("service stop"));
    assert_eq!(other.cause(), Some(&Cause::Requested("service stop")));
}

#[tokio::test]
async fn a_child_token_ends_alone_or_with_the_process() {
    let shutdown = Shutdown::new();
    let (alone, with) = (shutdown.child_token(), shutdown.child_token());
    alone.cancel();
    assert!(!shutdown.is_requested() && !with.is_cancelled());
    shutdown.request(Cause::Requested("test"));
    assert!(with.is_cancelled());
}

#[test]
fn only_a_failed_task_is_a_failure() {
    assert!(!Cause::Signal(Signal::Interrupt).is_failure());
    let failed = Cause::TaskFailed {
        task: "uplink".to_owned(),
        reason: "disk full".to_owned(),
    };
    assert!(failed.is_failure());
    assert_eq!(failed.to_string(), "task uplink failed: disk full");
}
