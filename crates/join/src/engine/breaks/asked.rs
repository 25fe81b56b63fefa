//! Requests of a window with what could be their answers, and what these say of a clock.

use fathom_model::Op;

use super::super::resolve::contains;
use crate::assign::Interval;
use crate::clock::vote::Candidate;
use crate::layout::Place;

/// Requests without any answer at the end of a window mean something when they are so many: single ones are lost, or were split.
const UNANSWERED: usize = 8;

/// Of the requests of a sample that were not answered where the clock has it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Misfits {
    /// Those that have an answer elsewhere.
    pub(super) all: usize,
    /// Of these the ones after the last that was answered in time, and those among them whose key is met once in the window:
    /// others' answers may have been taken by requests that came before.
    pub(super) after: usize,
    pub(super) after_alone: usize,
    /// When the first of these began.
    pub(super) first: Option<i64>,
    /// After that one, those that have no answer at all.
    pub(super) unanswered_after: usize,
}

impl Misfits {
    /// Of requests in the order of their ordinals.
    pub(super) fn of(asked: &[Asked]) -> Self {
        // After a clock was set back its times come again: what was asked later is told by the order of ordinals as well.
        let before = || asked[..turn(asked)].iter().filter(|asked| asked.fits);
        let last_start = before().map(|asked| asked.outer.0).max();
        let last_ordinal = before().map(|asked| asked.ordinal).max();
        let mut found = Self::default();
        for asked in asked.iter().filter(|asked| !asked.fits) {
            let after = Some(asked.outer.0) > last_start || Some(asked.ordinal) > last_ordinal;
            if asked.answers.is_empty() {
                found.unanswered_after += usize::from(after);
                continue;
            }
            found.all += 1;
            if after {
                found.after += 1;
                found.after_alone += usize::from(asked.alone);
                found.first = Some(found.first.map_or(asked.start, |first| first.min(asked.start)));
            }
        }
        found
    }

    /// Whether nothing speaks against the clock.
    pub(super) const fn none(&self) -> bool {
        self.after_alone == 0 && self.after < 2 && self.unanswered_after < UNANSWERED
    }
}

/// A request with its answers.
pub(super) struct Asked {
    pub(super) ordinal: u64,
    pub(super) op: Op,
    pub(super) place: Place,
    /// When its I/O began.
    pub(super) start: i64,
    /// Whether no other request that was looked at has its key.
    pub(super) alone: bool,
    pub(super) outer: (i64, i64),
    pub(super) slack: i64,
    pub(super) answers: Vec<(i64, i64)>,
    /// Whether one of them is where the clock that is known has it.
    pub(super) fits: bool,
    /// Whether one is where another clock has it.
    pub(super) fits_new: bool,
    /// Whether the far stream says that it may have lost what would be where the clock that is known has it.
    pub(super) may_be_lost: bool,
}

impl Asked {
    /// Whether it says anything: without an answer anywhere it does not where that may be lost.
    pub(super) const fn counts(&self) -> bool {
        self.fits || !self.may_be_lost || !self.answers.is_empty()
    }

    /// How much longer it lasted than the longest answer that could be its own: by so much the clock could be off.
    pub(super) fn room(&self) -> i64 {
        let lasted = self.outer.1.saturating_sub(self.outer.0);
        let took = self.answers.iter().map(|(start, end)| end.saturating_sub(*start));
        lasted - took.filter(|took| *took <= lasted).max().unwrap_or(0)
    }

    /// Where on the far clock its answer must lie.
    pub(super) fn span(&self, bounds: impl Fn(i64) -> Option<(i64, i64)>) -> Option<Interval> {
        let ((low, _), (_, high)) = (bounds(self.outer.0)?, bounds(self.outer.1)?);
        Some((
            self.outer.0.saturating_add(low).saturating_sub(self.slack),
            self.outer.1.saturating_add(high).saturating_add(2 * self.slack),
        ))
    }

    /// Whether an answer lies where a clock has it.
    pub(super) fn answered(&self, bounds: impl Fn(i64) -> Option<(i64, i64)>) -> bool {
        let span = self.span(bounds);
        span.is_some_and(|span| self.answers.iter().any(|&answer| contains(span, answer)))
    }

    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        self.answers.iter().map(|&inner| Candidate {
            outer: self.outer,
            inner,
            start_slack: self.slack,
            end_slack: 2 * self.slack,
        })
    }
}

/// The last request that was answered by the old clock and says something. One that lasted much longer than its answer does not:
/// it would have been answered in time by another clock too. Nor does one after the clock was set that some other request's answer
/// happens to fit: what counts is until when more requests speak for the clock than against it.
pub(super) fn last_fit(asked: &[Asked]) -> Option<&Asked> {
    let fitting = || asked.iter().filter(|asked| asked.fits && !asked.fits_new);
    let mut rooms: Vec<i64> = fitting().map(Asked::room).collect();
    rooms.sort_unstable();
    let most = rooms.get(rooms.len() / 2)?.saturating_mul(2);
    let before = asked[..turn(asked)].iter();
    let fitting = before.filter(|asked| asked.fits && !asked.fits_new && asked.room() <= most);
    fitting.max_by_key(|asked| (asked.outer.0, asked.ordinal))
}

/// From when on a clock holds for sure of which more requests say the contrary before: the end of the first request by it, and
/// when all I/Os before that one had ended. If the initiator's clock was set back, they ended later by what it showed then.
pub(super) fn first_fit(asked: &mut [Asked], ends: &[(u64, i64)]) -> Option<i64> {
    asked.reverse();
    let until = turn(asked);
    let (after, before) = asked.split_at(until);
    if !before.iter().any(|asked| !asked.fits && !asked.answers.is_empty()) {
        return None;
    }
    let fitting = || after.iter().filter(|asked| asked.fits);
    let first = fitting().map(|asked| asked.ordinal).min()?;
    let end = fitting().map(|asked| asked.outer.1).min()?;
    let earlier = ends.iter().filter(|(ordinal, _)| *ordinal < first);
    Some(
        earlier
            .map(|&(_, end)| end.saturating_add(1))
            .max()
            .unwrap_or(end)
            .max(end),
    )
}

/// How many of the requests, in the order of their ordinals, to look at until more speak against the old clock than for it.
pub(super) fn turn(asked: &[Asked]) -> usize {
    let (mut sum, mut best, mut until) = (0_i64, 0, 0);
    for (at, asked) in asked.iter().enumerate() {
        match (asked.fits, asked.fits_new) {
            (true, false) => sum += 1024,
            (false, _) if !asked.answers.is_empty() => sum -= 1024,
            _ => {}
        }
        if sum >= best && sum > 0 {
            (best, until) = (sum, at + 1);
        }
    }
    until
}
