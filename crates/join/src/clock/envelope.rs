//! Between the points: all curves that pass below every upper point and above every lower one, and are nowhere steeper than
//! two clocks can drift apart.
//!
//! A point bounds such a curve everywhere: at its own place by its value, and the further away the less, by as much as the
//! fastest drift can gain on the way. Nothing is taken for granted about how the drift changes, so the bounds hold whether a
//! clock is steady, bends with its temperature or changes its rate at once.

use super::Point;

/// Rates are fixed-point with this many fractional bits: 2^-32 is 0.23 ppb.
const RATE_BITS: u32 = 32;

/// How much two clocks can drift apart, rounded up, per nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(i64);

impl Rate {
    /// From parts per billion.
    pub(crate) const fn from_ppb(ppb: i64) -> Self {
        let ppb = if ppb < 0 { 0 } else { ppb as i128 };
        Self((((ppb << RATE_BITS) / 1_000_000_000) as i64).saturating_add(1))
    }

    /// The most that the offset can have changed after a time of either sign, rounded up.
    #[inline]
    pub(crate) const fn over(self, nanos: i64) -> i64 {
        let nanos = nanos.unsigned_abs();
        // Nearly always there is room for the product.
        if nanos < 1 << 32 && self.0 < 1 << 30 {
            return ((nanos as i64 * self.0) >> RATE_BITS) + 1;
        }
        let change = (nanos as i128 * self.0 as i128) >> RATE_BITS;
        if change > FAR as i128 { FAR } else { change as i64 + 1 }
    }
}

/// Offsets and their changes are kept within this: sums of a few stay in range.
const FAR: i64 = i64::MAX / 8;

/// Of one side the points that no other one makes needless, by x. Lower points are kept with their sign turned, so that both sides
/// are the same question.
#[derive(Clone, Debug, Default)]
struct Side(Vec<Point>);

impl Side {
    /// The least value that the points allow at x.
    fn at(&self, x: i64, rate: Rate) -> i64 {
        self.least(self.after(x), x, rate)
    }

    /// The number of the first point beyond x.
    fn after(&self, x: i64) -> usize {
        self.0.partition_point(|point| point.0 <= x)
    }

    /// The least value at x, where it is known which point is the first beyond it.
    fn least(&self, after: usize, x: i64, rate: Rate) -> i64 {
        // What lies further away was kept only because it bounds less here than its neighbour does.
        let by = |point: &Point| point.1.saturating_add(rate.over(x.saturating_sub(point.0)));
        let before = after.checked_sub(1).and_then(|before| self.0.get(before));
        match (before, self.0.get(after)) {
            (Some(before), Some(after)) => by(before).min(by(after)),
            (Some(point), None) | (None, Some(point)) => by(point),
            (None, None) => FAR,
        }
    }

    /// Goes on from what was the first point beyond an earlier x.
    fn follow(&self, after: &mut usize, x: i64) {
        while self.0.get(*after).is_some_and(|point| point.0 <= x) {
            *after += 1;
        }
    }
}

/// Of points that bound from above those that no other one makes needless, by x.
pub(super) fn needed(mut points: Vec<Point>, rate: Rate) -> Vec<Point> {
    points.sort_unstable();
    let mut kept: Vec<Point> = Vec::new();
    let follows = |from: Point, to: Point| from.1.saturating_add(rate.over(to.0.saturating_sub(from.0))) <= to.1;
    for point in points {
        if kept.last().is_some_and(|&last| follows(last, point)) {
            continue;
        }
        while kept.last().is_some_and(|&last| follows(point, last)) {
            kept.pop();
        }
        kept.push(point);
    }
    kept
}

/// The same points upside down.
pub(super) fn turned(points: impl IntoIterator<Item = Point>) -> Vec<Point> {
    points.into_iter().map(|(x, y)| (x, -y)).collect()
}

/// All curves between the points.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    upper: Side,
    lower: Side,
    rate: Rate,
}

impl Envelope {
    /// Between upper and lower points; `None` when there is no such curve, or no point on one side.
    pub(super) fn new(upper: Vec<Point>, lower: Vec<Point>, rate: Rate) -> Option<Self> {
        if upper.is_empty() || lower.is_empty() {
            return None;
        }
        let upper = Side(needed(upper, rate));
        let lower = Side(needed(turned(lower), rate));
        let meets = |&(x, turned): &Point| -turned <= upper.at(x, rate);
        lower.0.iter().all(meets).then_some(Self { upper, lower, rate })
    }

    /// Lowest and highest value of such a curve at x.
    pub(super) fn at(&self, x: i64) -> (i64, i64) {
        self.walk(x).at(x)
    }

    /// To be asked for one x after the other, each no earlier than the one before; the first no earlier than this.
    pub(super) fn walk(&self, from: i64) -> Walk<'_> {
        Walk {
            envelope: self,
            after_upper: self.upper.after(from),
            after_lower: self.lower.after(from),
        }
    }
}

/// An envelope that is followed along x: the next points are found where the last ones were.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    envelope: &'a Envelope,
    after_upper: usize,
    after_lower: usize,
}

impl Walk<'_> {
    /// See [`Envelope::at`].
    pub(super) fn at(&mut self, x: i64) -> (i64, i64) {
        let Envelope { upper, lower, rate } = self.envelope;
        upper.follow(&mut self.after_upper, x);
        lower.follow(&mut self.after_lower, x);
        let high = upper.least(self.after_upper, x, *rate);
        let low = -lower.least(self.after_lower, x, *rate);
        (low, high.max(low))
    }
}
