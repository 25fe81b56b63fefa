//! Sites take turns.

use super::*;

async fn open(turns: &Turns, count: usize) -> Vec<Turn<'_>> {
    let mut open = Vec::new();
    for _ in 0..count {
        open.push(turns.next().await.unwrap());
    }
    open
}

#[tokio::test]
async fn sites_take_turns_and_none_has_more_than_its_share() {
    let sites = ["a"; 40].into_iter().chain(["b"; 3]).chain(["c"; 3]);
    let turns = Turns::new(sites.enumerate());
    assert_eq!(turns.at_once(), 16);
    let mut asked = open(&turns, 11).await;
    // Of three sites none may have more than five at once; b and c have three each.
    let of_a = |asked: &[Turn<'_>]| asked.iter().filter(|turn| turn.at < 40).count();
    assert_eq!((asked.len(), of_a(&asked)), (11, 5));
    assert_eq!(asked[..3].iter().map(|turn| turn.at).collect::<Vec<_>>(), [0, 40, 43]);
    // Whoever asks now waits until somebody is done.
    let waits = tokio::time::timeout(std::time::Duration::from_millis(20), turns.next()).await;
    assert!(waits.is_err());
    let next = async {
        let next = turns.next().await.unwrap();
        next.at
    };
    let (next, ()) = tokio::join!(next, async {
        tokio::task::yield_now().await;
        asked.retain(|turn| !(40..43).contains(&turn.at));
    });
    assert!(next < 40, "b is done, and a may have more: {next}");
    // When the others are done, all of it is a's.
    asked.retain(|turn| turn.at < 40);
    asked.extend(open(&turns, 11).await);
    assert_eq!(of_a(&asked), 16);
}

#[tokio::test]
async fn of_more_sites_than_are_asked_at_once_each_has_one() {
    let many: Vec<String> = (0..40).map(|at| format!("s{at}")).collect();
    let turns = Turns::new(many.iter().chain(&many).map(String::as_str).enumerate());
    assert_eq!(turns.at_once(), 40);
    let asked = open(&turns, 40).await;
    let mut numbers: Vec<usize> = asked.iter().map(|turn| turn.at).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
    drop(asked);
    drop(open(&turns, 40).await);
    assert!(turns.next().await.is_none());
}
