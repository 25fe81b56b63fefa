use super::*;

#[test]
fn system_clock_reads_this_century_and_does_not_go_back() {
    let clock = SystemClock;
    // 2020-01-01 and 2200-01-01.
    assert!((1_577_836_800_000_000_000..7_258_118_400_000_000_000).contains(&clock.now_unix_nanos()));
    let readings: Vec<_> = (0..100).map(|_| clock.monotonic()).collect();
    assert!(readings.is_sorted());
}

#[test]
fn manual_clock_advances_both_hands_of_all_clones() {
    let clock = ManualClock::new(1_000);
    let other = clock.clone();
    clock.advance(Duration::from_nanos(500));
    assert_eq!(
        (other.now_unix_nanos(), other.monotonic()),
        (1_500, Duration::from_nanos(500))
    );
}

#[test]
fn a_step_of_the_wall_clock_leaves_the_monotonic_one() {
    let clock = ManualClock::new(1_000);
    clock.step_wall_nanos(-3_000);
    assert_eq!((clock.now_unix_nanos(), clock.monotonic()), (-2_000, Duration::ZERO));
    assert_eq!(clock.now(), UNIX_EPOCH - Duration::from_nanos(2_000));
}
