//! Against values of tables and of other programs.

use super::*;

fn near(found: Option<f64>, expected: f64, within: f64) {
    let found = found.expect("there is a chance");
    assert!((found - expected).abs() <= within, "{found} for {expected}");
}

#[test]
fn the_normal_distribution_is_that_of_tables() {
    near(Some(above(0.0)), 0.5, 1e-12);
    near(Some(above(1.644_854)), 0.05, 1e-6);
    near(Some(above(3.090_232)), 0.001, 1e-8);
}

#[test]
fn mann_whitney_is_that_of_other_programs() {
    // R: wilcox.test(c(7,8,9,10,11,12), 1:6, alternative="greater", exact=FALSE) gives 0.002525.
    let (high, low) = ([7.0, 8.0, 9.0, 10.0, 11.0, 12.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    near(mann_whitney(&high, &low), 0.002_525, 2e-5);
    near(mann_whitney(&low, &high), 0.998, 2e-3);
    assert_eq!(mann_whitney(&high[..3], &low), None);
    assert_eq!(mann_whitney(&[1.0; 8], &[1.0; 8]), None);
    // Where all but one are the same there is little to say.
    let mut own = [0.0; 10];
    own[0] = 1.0;
    let chance = mann_whitney(&own, &[0.0; 10]).expect("there is one");
    assert!(chance > 0.1, "{chance}");
}

#[test]
fn signed_ranks_are_those_of_other_programs() {
    // All of eight above 0: W = 36, mean 18, deviation 7.1414; (36 - 18 - 0.5) / 7.1414 = 2.4505.
    let all: Vec<f64> = (1..=8).map(f64::from).collect();
    near(signed_rank(&all), 0.007_13, 1e-4);
    let turned: Vec<f64> = all.iter().map(|own| -own).collect();
    assert!(signed_rank(&turned).expect("there is one") > 0.99);
    assert_eq!(signed_rank(&[1.0, 2.0, 0.0, 3.0, 4.0, 5.0]), None);
}

#[test]
fn exact_tests_count_what_can_be() {
    // Of ten clusters five are ours and three are marked, all of them ours: 10 of 120 choices.
    near(hypergeometric(3, 5, 3, 10), 10.0 / 120.0, 1e-9);
    near(hypergeometric(0, 5, 3, 10), 1.0, 1e-9);
    // More marked than others there are: at least two are ours whatever happens.
    near(hypergeometric(2, 8, 4, 10), 1.0, 1e-9);
    assert_eq!(hypergeometric(0, 5, 0, 10), None);
    near(signs(5, 5), 1.0 / 32.0, 1e-9);
    near(signs(0, 5), 1.0, 1e-9);
    assert_eq!(signs(0, 0), None);
}

#[test]
fn chances_are_put_together() {
    // Two of 0.05: chi-squared of 11.98 with four degrees of freedom.
    near(together(Some(0.05), Some(0.05)), 0.017_48, 1e-5);
    assert_eq!(together(Some(0.2), None), Some(0.2));
    assert_eq!(together(Some(0.0), Some(0.5)), Some(0.0));
    assert_eq!(doubled(Some(0.2), Some(0.01)), Some(0.02));
    assert_eq!(doubled(Some(0.9), Some(0.8)), Some(1.0));
}

#[test]
fn the_correction_is_that_of_benjamini_and_hochberg() {
    // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "BH") gives 0.02 0.04 0.04 0.02.
    let found = adjusted(&[0.01, 0.04, 0.03, 0.005]);
    for (found, expected) in found.into_iter().zip([0.02, 0.04, 0.04, 0.02]) {
        near(Some(found), expected, 1e-12);
    }
    assert!(adjusted(&[]).is_empty());
}

#[test]
fn middles_and_deviations_are_robust() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    assert_eq!(median(&[]), None);
    let with_outlier = [-1.0, -0.5, 0.0, 0.5, 1000.0];
    assert!((0.7..0.8).contains(&deviation(&with_outlier, 0.0)));
}
