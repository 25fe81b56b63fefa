//! What a stream lost: ordinals, whose time is known by what was heard around them, and stretches of time.

use fathom_model::{Missing, StreamIndex};
use serde::{Deserialize, Serialize};

use super::{Engine, Stream};
use crate::error::{Error, Result};

/// Ordinals that are lost and after which no event has come yet, so that it is not known until when they reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLoss {
    /// None of them completed before this, on the stream's clock.
    pub from_unix_nanos: i64,
    /// One past the last of them.
    pub until_ordinal: u64,
}

impl Engine {
    /// Says that ordinals of a stream are lost for ever. They lie between what had been heard before and the completion of the
    /// next event, since events come in the order of their completion: whatever is missing of that time may be among them.
    ///
    /// What was heard is to be said before: then rows do not depend on when this is. Says how many were not known to be lost.
    ///
    /// # Errors
    ///
    /// When the stream is not open, ordinals before the lost ones are still missing, or it ended before them.
    pub fn lose(&mut self, stream: StreamIndex, from: u64, until: u64) -> Result<u64> {
        let state = self.streams.get_mut(&stream).ok_or(Error::NotOpen)?;
        if from > state.next {
            return Err(Error::Skipped {
                expected: state.next,
                found: from,
            });
        }
        if until > state.next {
            state.not_after_end(until - 1)?;
        }
        // What was accounted for before a restart is not lost, whatever became of the spool since.
        let lost = state.accounted.gaps(state.next.max(from), until);
        let lost: u64 = lost.iter().map(|(a, b)| b - a).sum();
        if lost > 0 {
            state.lost += lost;
            let from_unix_nanos = match state.open_loss {
                Some(open) => open.from_unix_nanos,
                None => state.promised.max(state.covered_from.unwrap_or(i64::MIN)),
            };
            state.open_loss = Some(OpenLoss {
                from_unix_nanos,
                until_ordinal: until,
            });
        }
        state.next = state.next.max(until);
        Ok(lost)
    }

    /// Says that a stream's source lost events in a stretch of time (on the stream's clock). Whether that was not known.
    ///
    /// # Errors
    ///
    /// When the stream is not open.
    pub fn gap(&mut self, stream: StreamIndex, from_unix_nanos: i64, until_unix_nanos: i64) -> Result<bool> {
        let state = self.streams.get_mut(&stream).ok_or(Error::NotOpen)?;
        Ok(state.add_gap(from_unix_nanos, until_unix_nanos))
    }

    /// Why a stream may not have an event of this time, if there is a reason.
    pub(super) fn uncovered(&self, stream: StreamIndex, (start, end): (i64, i64)) -> Option<Missing> {
        let stream = self.streams.get(&stream)?;
        let is_over = stream.ended.is_some();
        let in_gap = stream.gaps.iter().any(|&(from, until)| start < until && from < end);
        // Until the next event comes, or else until the stream ended.
        let in_loss = |open: OpenLoss| open.from_unix_nanos < end && (!is_over || start < stream.heard);
        if in_gap || stream.open_loss.is_some_and(in_loss) {
            return Some(Missing::Lost);
        }
        let before = stream.covered_from.is_some_and(|from| start < from);
        let after = is_over && end > stream.heard;
        (before || after).then_some(Missing::NotCovered)
    }
}

impl Stream {
    /// Nothing has an ordinal beyond the end of a stream.
    pub(super) fn not_after_end(&self, found: u64) -> Result<()> {
        match self.ended {
            Some(_) => Err(Error::AfterEnd { end: self.next, found }),
            None => Ok(()),
        }
    }

    fn add_gap(&mut self, from: i64, until: i64) -> bool {
        let is_new = !self.gaps.contains(&(from, until));
        if is_new {
            self.gaps.push((from, until));
        }
        is_new
    }

    /// An event after lost ordinals says until when they reach. Sent again after a restart, events before them say nothing.
    pub(super) fn end_loss(&mut self, ordinal: u64, end_unix_nanos: i64) {
        if let Some(open) = self.open_loss.take_if(|open| ordinal >= open.until_ordinal) {
            self.add_gap(open.from_unix_nanos, end_unix_nanos.max(open.from_unix_nanos));
        }
    }
}
