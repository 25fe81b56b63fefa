use tokio::{sync::oneshot, time::Instant};

use super::*;

const GRACE: Duration = Duration::from_secs(10);

fn group() -> TaskGroup {
    TaskGroup::new(Shutdown::new())
}

#[derive(Debug, thiserror::Error)]
#[error("cannot send batch")]
struct Outer(#[source] io::Error);

#[tokio::test(start_paused = true)]
async fn critical_error_requests_shutdown_with_its_chain() {
    let tasks = group();
    tasks.spawn("uplink", Kind::Critical, async {
        Err::<(), _>(Outer(io::Error::other("pipe closed")))
    });
    let cause = tasks.shutdown().requested().await;
    let reason = "cannot send batch: pipe closed".to_owned();
    assert_eq!(
        cause,
        &Cause::TaskFailed {
            task: "uplink".to_owned(),
            reason
        }
    );
    tasks.shutdown_and_wait(GRACE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn critical_panic_requests_shutdown_with_its_message() {
    let tasks = group();
    tasks.spawn("sampler", Kind::Critical, async {
        tokio::task::yield_now().await;
        assert!(Instant::now().elapsed() > GRACE, "no sample");
    });
    let cause = tasks.shutdown().requested().await.clone();
    assert_eq!(
        cause,
        Cause::TaskFailed {
            task: "sampler".to_owned(),
            reason: "panic: no sample".to_owned()
        }
    );
    assert!(cause.is_failure());
}

#[tokio::test(start_paused = true)]
async fn background_failures_leave_the_process_running() {
    let tasks = group();
    tasks.spawn("refresh", Kind::Background, async { Err::<(), _>("no answer") });
    tasks.spawn("prune", Kind::Background, async {
        if tokio::runtime::Handle::try_current().is_ok() {
            panic!("{} files", 3);
        }
    });
    while !tasks.running().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!tasks.shutdown().is_requested());
}

#[tokio::test(start_paused = true)]
async fn a_normal_end_of_a_critical_task_is_no_failure() {
    let tasks = group();
    tasks.spawn("replay", Kind::Critical, async { Ok::<(), io::Error>(()) });
    while !tasks.running().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!tasks.shutdown().is_requested());
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_the_last_task_ends() {
    let tasks = group();
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("flush", Kind::Critical, async move {
        shutdown.requested().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    });
    let start = Instant::now();
    tasks.shutdown_and_wait(GRACE).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn the_grace_period_ends_with_the_names_of_the_pending() {
    let tasks = group();
    tasks.spawn("stuck", Kind::Background, std::future::pending::<()>());
    tasks.spawn("quick", Kind::Background, async {});
    tasks.spawn(format!("peer {}", 7), Kind::Background, std::future::pending::<()>());
    let start = Instant::now();
    let pending = tasks.shutdown_and_wait(GRACE).await.unwrap_err();
    assert_eq!(start.elapsed(), GRACE);
    assert_eq!(pending.names, ["stuck", "peer 7"]);
    assert_eq!(pending.to_string(), "still pending after 10s: stuck, peer 7");
}

#[tokio::test]
async fn threads_are_named_waited_for_and_reported() {
    let tasks = group();
    let (name, named) = oneshot::channel();
    let (go, wait) = oneshot::channel::<()>();
    let work = move || {
        let _ = name.send(thread::current().name().map(str::to_owned));
        let _ = wait.blocking_recv();
        Err::<(), _>(io::Error::other("device gone"))
    };
    tasks.spawn_thread("wmi reader", Kind::Critical, work).unwrap();
    assert_eq!(named.await.unwrap().as_deref(), Some("wmi reader"));
    assert_eq!(tasks.running(), ["wmi reader"]);

    go.send(()).unwrap();
    let reason = "device gone".to_owned();
    let cause = tasks.shutdown().requested().await;
    assert_eq!(
        cause,
        &Cause::TaskFailed {
            task: "wmi reader".to_owned(),
            reason
        }
    );
    tasks.shutdown_and_wait(GRACE).await.unwrap();
}

#[tokio::test]
async fn a_panicking_thread_stops_the_process_too() {
    let tasks = group();
    tasks
        .spawn_thread("writer", Kind::Critical, || -> () { panic!("bad state") })
        .unwrap();
    let cause = tasks.shutdown().requested().await.to_string();
    assert_eq!(cause, "task writer failed: panic: bad state");
}
