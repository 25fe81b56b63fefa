//! The test of two samples by ranks, and how many of many tests may be believed.

/// Fewer blocks than this a side, and the normal approximation does not hold.
const FEWEST: usize = 8;

/// Probability, of either sign, of ranks at least this far apart if both samples were of one kind; none of too few.
pub(crate) fn mann_whitney(one: &[f64], other: &[f64]) -> Option<f64> {
    if one.len() < FEWEST || other.len() < FEWEST {
        return None;
    }
    let mut all: Vec<(f64, bool)> = one.iter().map(|value| (*value, true)).collect();
    all.extend(other.iter().map(|value| (*value, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (n, m, total) = (one.len() as f64, other.len() as f64, all.len() as f64);
    let (mut ranks, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let same = all[at..].iter().take_while(|(value, _)| *value == all[at].0).count();
        // Ranks are from 1; equal ones share the middle.
        let rank = at as f64 + (same as f64 + 1.0) / 2.0;
        let own = all[at..at + same].iter().filter(|(_, is_one)| *is_one).count();
        ranks += rank * own as f64;
        let tied = same as f64;
        ties += tied.powi(3) - tied;
        at += same;
    }
    let u = ranks - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return Some(1.0);
    }
    let distance = ((u - n * m / 2.0).abs() - 0.5).max(0.0);
    Some(libm::erfc(distance / variance.sqrt() / std::f64::consts::SQRT_2))
}

/// The largest p that may be believed when so many tests were made and this share of those believed may be wrong; none where none may.
pub(crate) fn adjusted(all: &mut [f64], rate: f64) -> Option<f64> {
    all.sort_by(f64::total_cmp);
    let count = all.len() as f64;
    let numbered = all.iter().enumerate().rev();
    let mut believed = numbered.filter(|(at, p)| **p <= rate * (*at as f64 + 1.0) / count);
    believed.next().map(|(_, p)| *p)
}
