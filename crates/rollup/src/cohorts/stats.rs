//! The tests behind a verdict, each about one question and each one-sided: is it *worse*?
//!
//! A cluster is the unit, never an I/O: a million writes of one cluster are one observation of how that cluster is. Values are compared by
//! rank, since latencies have no normal distribution.

/// The chance of a standard normal value of `z` or more.
fn above(z: f64) -> f64 {
    libm::erfc(z / std::f64::consts::SQRT_2) / 2.0
}

/// Wilcoxon's signed-rank test: the chance that differences lie as far above 0 as these where they lie evenly about it. `None` with fewer than
/// six that are not 0.
pub(super) fn signed_rank(differences: &[f64]) -> Option<f64> {
    let mut away: Vec<f64> = differences.iter().copied().filter(|own| *own != 0.0).collect();
    if away.len() < 6 {
        return None;
    }
    away.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let (ranks, ties) = ranks(&away, |a, b| a.abs() == b.abs());
    let positive = away.iter().zip(&ranks).filter(|(own, _)| **own > 0.0);
    let sum: f64 = positive.map(|(_, rank)| rank).sum();
    let count = away.len() as f64;
    let mean = count * (count + 1.0) / 4.0;
    let variance = count * (count + 1.0) * (2.0 * count + 1.0) / 24.0 - ties / 48.0;
    Some(normal(sum, mean, variance))
}

/// The test of Mann and Whitney: the chance that `own` values lie as far above `others` as these where both are alike. `None` with fewer than
/// four of either or twelve in all, or where all are the same.
pub(super) fn mann_whitney(own: &[f64], others: &[f64]) -> Option<f64> {
    if own.len() < 4 || others.len() < 4 || own.len() + others.len() < 12 {
        return None;
    }
    let mut all: Vec<(f64, bool)> = own.iter().map(|value| (*value, true)).collect();
    all.extend(others.iter().map(|value| (*value, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ranks, ties) = ranks(&all, |a, b| a.0 == b.0);
    let sum: f64 = all
        .iter()
        .zip(&ranks)
        .filter(|((_, is_own), _)| *is_own)
        .map(|(_, rank)| rank)
        .sum();
    let (own, others) = (own.len() as f64, others.len() as f64);
    let count = own + others;
    let mean = own * (count + 1.0) / 2.0;
    let variance = own * others / 12.0 * (count + 1.0 - ties / (count * (count - 1.0)));
    (variance > 0.0).then(|| normal(sum, mean, variance))
}

/// Fisher's exact test: the chance that so many of the `own` ones or more are `marked` where marks fall on all alike. `None` where nothing is
/// marked.
pub(super) fn hypergeometric(own_marked: usize, own: usize, all_marked: usize, all: usize) -> Option<f64> {
    if all_marked == 0 || own == 0 || own == all {
        return None;
    }
    let most = own.min(all_marked);
    let log_of = |marked: usize| choose(all_marked, marked) + choose(all - all_marked, own - marked) - choose(all, own);
    let possible = (own_marked..=most).filter(|marked| own - marked <= all - all_marked);
    Some(possible.map(|marked| log_of(marked).exp()).sum::<f64>().min(1.0))
}

/// The sign test: the chance that so many of all or more are on one side where each side is as likely. `None` without any.
pub(super) fn signs(positive: usize, all: usize) -> Option<f64> {
    if all == 0 {
        return None;
    }
    let log_half = -(all as f64) * std::f64::consts::LN_2;
    let sum: f64 = (positive..=all)
        .map(|count| (choose(all, count) + log_half).exp())
        .sum();
    Some(sum.min(1.0))
}

/// Fisher's method: one chance from those of two tests about different clusters. Of one alone it is that one's.
pub(super) fn together(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => {
            // The chance of a chi-squared value of four degrees of freedom, which has this closed form.
            let product = one * other;
            Some(if product > 0.0 {
                product * (1.0 - product.ln())
            } else {
                0.0
            })
        }
        (one, other) => one.or(other),
    }
}

/// The smaller chance of two tests, doubled since it was chosen: whatever the two have to do with each other.
pub(super) fn doubled(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some((2.0 * one.min(other)).min(1.0)),
        (one, other) => one.or(other),
    }
}

/// Benjamini and Hochberg: each chance as it is after the correction for all of them. Of those that stay below a bound, no larger share than
/// the bound is by chance.
pub(super) fn adjusted(chances: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*b].total_cmp(&chances[*a]));
    let (mut result, mut least) = (vec![1.0; chances.len()], 1.0_f64);
    for (from_end, at) in order.into_iter().enumerate() {
        let rank = chances.len() - from_end;
        least = least.min(chances[at] * chances.len() as f64 / rank as f64);
        result[at] = least;
    }
    result
}

/// The middle value; of two the one between. `None` without any.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

/// The robust standard deviation about a middle.
pub(super) fn deviation(values: &[f64], middle: f64) -> f64 {
    let away: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    // The median of what is normally distributed lies at 0.6745 standard deviations.
    median(&away).unwrap_or(0.0) / 0.674_489_75
}

/// A chance from a sum, its mean and its variance, with half a step for its being whole.
fn normal(sum: f64, mean: f64, variance: f64) -> f64 {
    above((sum - mean - 0.5) / variance.sqrt())
}

/// Ranks from 1 of sorted values, those that are the same have the middle one; and what ties take from a variance.
fn ranks<T>(sorted: &[T], same: impl Fn(&T, &T) -> bool) -> (Vec<f64>, f64) {
    let (mut ranks, mut ties, mut at) = (vec![0.0; sorted.len()], 0.0, 0);
    while at < sorted.len() {
        let alike = sorted[at..].iter().take_while(|other| same(&sorted[at], other)).count();
        ranks[at..at + alike].fill(at as f64 + (alike as f64 + 1.0) / 2.0);
        let alike_count = alike as f64;
        ties += alike_count * alike_count * alike_count - alike_count;
        at += alike;
    }
    (ranks, ties)
}

/// The logarithm of how many choices of some there are.
fn choose(all: usize, some: usize) -> f64 {
    let log = |count: usize| libm::lgamma(count as f64 + 1.0);
    log(all) - log(some) - log(all - some)
}

#[cfg(test)]
mod tests;
