//! Lines between points: the band of lines that pass below all upper points and above all lower points.

use super::Point;

/// Slopes are fixed-point with this many fractional bits: 2^-40 is 0.001 ppb, 0.03 ns over 30 s.
const SLOPE_BITS: u32 = 40;
const ONE: i128 = 1 << SLOPE_BITS;

/// All lines that pass between the points.
#[derive(Clone, Debug)]
pub(super) struct Band {
    /// Lower convex hull of the upper points, by x.
    upper: Vec<Point>,
    /// Upper convex hull of the lower points, by x.
    lower: Vec<Point>,
    /// Least and greatest slope of such a line, rounded outwards.
    slopes: (i128, i128),
}

impl Band {
    /// The band between two hulls; `None` when no line fits or there is no point on one side.
    pub(super) fn new(upper: Vec<Point>, lower: Vec<Point>, max_drift_ppb: i64) -> Option<Self> {
        if upper.is_empty() || lower.is_empty() {
            return None;
        }
        let most = (i128::from(max_drift_ppb) * ONE).div_euclid(1_000_000_000) + 1;
        let mut slopes = (-most, most);
        // Slope r is possible when for all pairs: low.y + r (up.x - low.x) <= up.y.
        for &(up_x, up_y) in &upper {
            for &(low_x, low_y) in &lower {
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
        (slopes.0 <= slopes.1).then_some(Self { upper, lower, slopes })
    }

    /// Least and greatest value of such a line at x.
    pub(super) fn at(&self, x: i64) -> (i64, i64) {
        let high = greatest(&self.upper, x, self.slopes);
        // The same question upside down.
        let (least, most) = self.slopes;
        let low = -greatest_of(
            self.lower.iter().map(|&(x, y)| (x, -y)),
            &self.lower,
            x,
            (-most, -least),
            -1,
        );
        (low, high.max(low))
    }

    pub(super) fn drift_ppb(&self) -> i64 {
        let middle = (self.slopes.0 + self.slopes.1) / 2;
        i64::try_from((middle * 1_000_000_000) >> SLOPE_BITS).unwrap_or(0)
    }
}

fn greatest(hull: &[Point], x: i64, slopes: (i128, i128)) -> i64 {
    greatest_of(hull.iter().copied(), hull, x, slopes, 1)
}

/// The greatest value at x of a line below all `points` with a slope in range: a function of the slope that rises and then
/// falls, best at the slope of the hull's edge over x, or as near to that as the range allows.
fn greatest_of(points: impl Iterator<Item = Point>, hull: &[Point], x: i64, slopes: (i128, i128), sign: i64) -> i64 {
    let after = hull.partition_point(|point| point.0 <= x);
    let slope = if after == 0 {
        slopes.0
    } else if after == hull.len() {
        slopes.1
    } else {
        let (a, b) = (hull[after - 1], hull[after]);
        let rise = (i128::from(sign) * (i128::from(b.1) - i128::from(a.1))) << SLOPE_BITS;
        let run = i128::from(b.0) - i128::from(a.0);
        let edge = rise.div_euclid(run);
        if (slopes.0..slopes.1).contains(&edge) {
            // On the edge itself, rounded up.
            let rise = i128::from(sign) * (i128::from(b.1) - i128::from(a.1));
            let along = ceil_div(rise * (i128::from(x) - i128::from(a.0)), run);
            return clamp(i128::from(sign * a.1) + along);
        }
        edge.clamp(slopes.0, slopes.1)
    };
    let least = points
        .map(|(at, y)| i128::from(y) + ceil_div(slope * (i128::from(x) - i128::from(at)), ONE))
        .min()
        .unwrap_or(0);
    // A slope between two steps of the fixed point may reach one higher.
    clamp(least + 1)
}

fn clamp(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN / 4), i128::from(i64::MAX / 4)) as i64
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
