//! Questions wait for each other and not for watches.

use std::task::Poll;
use std::time::Instant;

use super::*;

/// One question and one watch at once; others wait for so long.
fn places(patience: Duration) -> Places {
    let policy = Policy {
        max_queries: 1,
        max_watches: 1,
        ..Policy::default()
    };
    Places {
        patience,
        ..Places::new(&policy)
    }
}

const SOON: Duration = Duration::from_millis(20);
const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn watch_holds_no_question_up() {
    let places = places(SOON);
    let _watch = places.take(true, None).await.unwrap();
    assert!(places.take(false, None).await.is_some());
    assert!(places.take(true, None).await.is_none(), "watches have a bound too");
}

#[tokio::test]
async fn question_waits_for_its_turn_and_not_for_ever() {
    let places = places(NEVER);
    let first = places.take(false, None).await.unwrap();
    let begun = Instant::now();
    assert!(places.take(false, Some(SOON)).await.is_none());
    assert!(begun.elapsed() >= SOON, "whoever asks waits as long as he said");
    let ends = async {
        tokio::time::sleep(SOON).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(places.take(false, None), ends);
    assert!(second.is_some());
    let impatient = self::places(SOON);
    let _first = impatient.take(false, None).await.unwrap();
    assert!(impatient.take(false, Some(NEVER)).await.is_none());
}

#[tokio::test]
async fn only_so_many_wait() {
    let places = places(NEVER);
    let _first = places.take(false, None).await.unwrap();
    let mut waiting: Vec<_> = (0..=WAITING).map(|_| Box::pin(places.take(false, None))).collect();
    let mut refused = 0;
    for take in &mut waiting {
        let now = std::future::poll_fn(|context| Poll::Ready(take.as_mut().poll(context))).await;
        refused += usize::from(now.is_ready());
    }
    assert_eq!(refused, 1);
}
