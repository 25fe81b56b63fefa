//! Lines between points: the band of lines that pass below all upper points and above all lower points.

use super::Point;

/// Slopes are fixed-point with this many fractional bits: 2^-40 is 0.001 ppb, 0.03 ns over 30 s.
const SLOPE_BITS: u32 = 40;
const ONE: i128 = 1 << SLOPE_BITS;

/// All lines that pass between the points.
#[derive(Clone, Debug)]
pub(super) struct Band {
    /// Least and greatest slope of such a line, rounded outwards.
    slopes: (i128, i128),
}

impl Band {
    /// The band between two hulls (the lower one of the upper points, the upper one of the lower points); `None` when no line fits or there is no point on one side.
    pub(super) fn new(upper: &[Point], lower: &[Point], max_drift_ppb: i64) -> Option<Self> {
        if upper.is_empty() || lower.is_empty() {
            return None;
        }
        let most = (i128::from(max_drift_ppb) * ONE).div_euclid(1_000_000_000) + 1;
        let mut slopes = (-most, most);
        // Slope r is possible when for all pairs: low.y + r (up.x - low.x) <= up.y.
        for &(up_x, up_y) in upper {
            for &(low_x, low_y) in lower {
                let run = i128::from(up_x) - i128::from(low_x);
                let rise = (i128::from(up_y) - i128::from(low_y)) << SLOPE_BITS;
                match run {
                    0 if rise < 0 => return None,
                    0 => {}
                    1.. => slopes.1 = slopes.1.min(ceil_div(rise, run)),
                    ..0 => slopes.0 = slopes.0.max(rise.div_euclid(run)),
                }
            }
        }
        (slopes.0 <= slopes.1).then_some(Self { slopes })
    }

    pub(super) fn drift_ppb(&self) -> i64 {
        let middle = (self.slopes.0 + self.slopes.1) / 2;
        i64::try_from((middle * 1_000_000_000) >> SLOPE_BITS).unwrap_or(0)
    }
}

fn ceil_div(a: i128, b: i128) -> i128 {
    -((-a).div_euclid(b))
}

/// The points that a line below all of them can touch, by x.
pub(super) fn lower_hull(points: Vec<Point>) -> Vec<Point> {
    hull(points, 1)
}

/// The points that a line above all of them can touch, by x.
pub(super) fn upper_hull(points: Vec<Point>) -> Vec<Point> {
    hull(points, -1)
}

fn hull(mut points: Vec<Point>, sign: i64) -> Vec<Point> {
    points.sort_unstable_by_key(|&(x, y)| (x, sign * y));
    points.dedup_by_key(|point| point.0);
    let mut kept: Vec<Point> = Vec::new();
    for point in points {
        while let [.., a, b] = kept[..] {
            let cross = (i128::from(b.0) - i128::from(a.0)) * (i128::from(point.1) - i128::from(a.1))
                - (i128::from(b.1) - i128::from(a.1)) * (i128::from(point.0) - i128::from(a.0));
            if cross * i128::from(sign) > 0 {
                break;
            }
            kept.pop();
        }
        kept.push(point);
    }
    kept
}
