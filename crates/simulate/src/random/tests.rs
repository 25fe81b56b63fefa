//! Draws have the distributions that they are named after.

use super::*;

fn draws(count: usize, mut draw: impl FnMut(&mut Random) -> f64) -> Vec<f64> {
    let mut random = Random::new(7, Purpose::Disk, 0);
    let mut values: Vec<f64> = (0..count).map(|_| draw(&mut random)).collect();
    values.sort_by(f64::total_cmp);
    values
}

#[test]
fn log_normal_has_its_median_and_spread() {
    let values = draws(20_000, |random| random.log_normal(100.0, 0.5));
    let median = values[10_000];
    assert!((95.0..105.0).contains(&median), "{median}");
    let one_sigma = values[(20_000.0 * 0.8413) as usize];
    assert!((155.0..175.0).contains(&one_sigma), "{one_sigma}");
}

#[test]
fn exponential_has_its_mean() {
    let values = draws(20_000, |random| random.exponential(50.0));
    let mean = values.iter().sum::<f64>() / 20_000.0;
    assert!((48.0..52.0).contains(&mean), "{mean}");
}

#[test]
fn zipf_prefers_the_first_as_its_exponent_says() {
    let zipf = Zipf::new(64, 1.2);
    let mut random = Random::new(3, Purpose::Source, 0);
    let mut counts = [0_u32; 64];
    (0..50_000).for_each(|_| counts[zipf.draw(&mut random) as usize] += 1);
    let ratio = f64::from(counts[0]) / f64::from(counts[1]);
    assert!((2.1..2.5).contains(&ratio), "2^1.2 is 2.30, drawn {ratio}");
    assert!(counts.iter().all(|&count| count > 0));
}

#[test]
fn purposes_and_members_draw_apart() {
    let first = |purpose, member| Random::new(1, purpose, member).bits();
    assert_ne!(first(Purpose::Disk, 0), first(Purpose::Disk, 1));
    assert_ne!(first(Purpose::Disk, 0), first(Purpose::Link, 0));
    assert_eq!(first(Purpose::Disk, 0), first(Purpose::Disk, 0));
}
