//! What could be the answers to requests.

use fathom_model::{DiskIndex, StreamIndex};
use rustc_hash::FxHashMap;

use super::asked::Asked;
use crate::assign::Interval;
use crate::engine::Engine;
use crate::engine::align::{Request, Services, tightest};

impl Engine {
    /// Where on the far clock, as it is known, answers to requests may end.
    pub(super) fn within(&self, stream: StreamIndex, far: StreamIndex, requests: &[&Request]) -> Option<Interval> {
        let clock = &self.clocks[&(stream, far)];
        let (from, until) = time_of(requests);
        let far_slack = self.resolution(far, self.far_tap(far));
        let (low, _) = clock.present(&self.config, from)?;
        let (_, high) = clock.present(&self.config, until)?;
        Some((
            from.saturating_add(low).saturating_sub(4 * far_slack),
            until.saturating_add(high).saturating_add(4 * far_slack),
        ))
    }

    /// Looks for answers to requests: where the clock has them or, given until when, anywhere; among those that are known to be there,
    /// where somebody has looked for them.
    pub(super) fn ask(
        &self,
        stream: StreamIndex,
        far: StreamIndex,
        requests: &[&Request],
        (anywhere, known): (Option<i64>, Option<&Services>),
    ) -> Vec<Asked> {
        let clock = &self.clocks[&(stream, far)];
        let far_tap = self.far_tap(far);
        let (from, until) = time_of(requests);
        let far_slack = self.resolution(far, far_tap);
        let bounds = |x: i64| clock.present(&self.config, x);
        let within = match anywhere {
            Some(until) => Some((i64::MIN, until)),
            None => self.within(stream, far, requests),
        };
        let Some(within) = within else {
            return Vec::new();
        };
        let mut services = match known {
            Some(known) => services_within(known, within, requests),
            None => self.services((far, far_tap), within, requests, &FxHashMap::default()),
        };
        self.stand_in((far, far_tap), within, requests, &FxHashMap::default(), &mut services);
        // What a disk shows at other offsets than the map is no sign of another time. This may be so of a disk that shows little of
        // what is asked for.
        let mut shown: FxHashMap<DiskIndex, i64> = FxHashMap::default();
        for request in requests {
            let answered = services.get(&request.key()).is_some_and(|spans| !spans.is_empty());
            *shown.entry(request.place.disk).or_default() += if answered { 1 } else { -1 };
        }
        let hidden = requests.iter().copied();
        let hidden: Vec<&Request> = hidden.filter(|request| shown[&request.place.disk] < 0).collect();
        let (shifts, _) = self.shifts_without_clocks(far, far_tap, within.1, hidden.iter().copied());
        if shifts.values().any(|&bytes| bytes != 0) {
            services.extend(self.services((far, far_tap), within, &hidden, &shifts));
        }
        let legs = self.legs_of(stream, (from, until.saturating_add(1)), requests);
        let mut times: FxHashMap<_, u32> = FxHashMap::default();
        requests
            .iter()
            .for_each(|request| *times.entry(request.key()).or_default() += 1);
        let mut found = Vec::with_capacity(requests.len());
        for request in requests {
            let (outer, outer_tap) = tightest(request, &legs);
            // What is further away may be in memory or not, by when this is asked.
            let near =
                |&(start, _): &(i64, i64)| start.abs_diff(outer.0) <= self.config.max_offset_nanos.unsigned_abs();
            let answers = services.get(&request.key()).into_iter().flatten().copied();
            let mut asked = Asked {
                ordinal: request.ordinal,
                op: request.op,
                place: request.place,
                start: request.whole.0,
                alone: times[&request.key()] == 1,
                outer,
                slack: self.resolution(stream, outer_tap) + far_slack,
                answers: answers.filter(near).collect(),
                fits: false,
                fits_new: false,
                may_be_lost: false,
            };
            asked.fits = asked.answered(bounds);
            if !asked.fits
                && let (Some((low, _)), Some((_, high))) = (bounds(outer.0), bounds(outer.1))
            {
                let span = (outer.0.saturating_add(low), outer.1.saturating_add(high));
                asked.may_be_lost = self.uncovered(far, span).is_some();
            }
            found.push(asked);
        }
        found
    }
}

/// From the first start to the last end of some requests.
fn time_of(requests: &[&Request]) -> Interval {
    let from = requests.iter().map(|request| request.whole.0).min();
    let until = requests.iter().map(|request| request.whole.1).max();
    (from.unwrap_or(0), until.unwrap_or(0))
}

/// Of services those that have the keys of some requests, and ended in a stretch of time.
fn services_within(known: &Services, (from, until): Interval, requests: &[&Request]) -> Services {
    let of = |request: &&Request| {
        let spans = known.get(&request.key()).into_iter().flatten();
        let spans = spans.filter(|span| (from..until).contains(&span.1));
        (request.key(), spans.copied().collect())
    };
    requests.iter().map(of).collect()
}
