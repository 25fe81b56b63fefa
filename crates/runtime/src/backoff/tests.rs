use super::*;

const MIN: Duration = Duration::from_millis(100);
const MAX: Duration = Duration::from_secs(10);

#[test]
fn the_ceiling_doubles_up_to_the_maximum() {
    for seed in 0..200 {
        let mut backoff = Backoff::new(MIN, MAX, seed);
        for attempt in 1..40_u32 {
            let ceiling = MIN.saturating_mul(2_u32.saturating_pow(attempt)).min(MAX);
            let delay = backoff.next_delay();
            assert!(
                delay >= MIN && delay <= ceiling,
                "seed {seed}, attempt {attempt}: {delay:?} > {ceiling:?}"
            );
        }
    }
}

#[test]
fn delays_fill_the_whole_range() {
    let mut backoff = Backoff::new(MIN, MAX, 1);
    let delays: Vec<_> = (0..1000).map(|_| backoff.next_delay()).skip(10).collect();
    let mean = delays.iter().sum::<Duration>() / 990;
    let middle = (MIN + MAX) / 2;
    assert!(mean > middle * 9 / 10 && mean < middle * 11 / 10, "{mean:?}");
    assert!(delays.iter().any(|delay| *delay < MAX / 10) && delays.iter().any(|delay| *delay > MAX * 9 / 10));
}

#[test]
fn reset_starts_over_from_the_minimum() {
    let mut backoff = Backoff::new(MIN, MAX, 7);
    for _ in 0..20 {
        backoff.next_delay();
    }
    backoff.reset();
    assert!(backoff.next_delay() <= MIN * 2);
}

#[test]
fn seeds_decide_the_delays() {
    let delays = |seed| {
        let mut backoff = Backoff::new(MIN, MAX, seed);
        [(); 8].map(|()| backoff.next_delay())
    };
    assert_eq!(delays(3), delays(3));
    assert_ne!(delays(3), delays(4));
    assert_ne!(delays(0), [MIN; 8], "a zero seed is no fixed point");
}

#[test]
fn a_maximum_below_the_minimum_gives_the_minimum() {
    let mut backoff = Backoff::new(MIN, Duration::ZERO, 5);
    assert_eq!([(); 3].map(|()| backoff.next_delay()), [MIN; 3]);
}

#[test]
fn the_longest_durations_do_not_overflow() {
    let mut backoff = Backoff::new(Duration::MAX / 3, Duration::MAX, u64::MAX);
    for _ in 0..10 {
        assert!(backoff.next_delay() >= Duration::MAX / 3);
    }
}
