//! Streams that two daemons send at once: each takes the stream from the other, tries again, and so both get nowhere for ever.
//!
//! A daemon that comes back before its old connection is given up takes its own stream over too, but not again and again.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fathom_model::StreamId;

/// So often within [`WITHIN`], and it is no daemon that comes back.
const OFTEN: usize = 5;

/// ... and this long after the last time it is over. It is told as often.
const WITHIN: Duration = Duration::from_secs(60);

/// A stream and by whom it was taken over.
#[derive(Debug, Default)]
struct Contest {
    /// The last times.
    at: VecDeque<Instant>,
    /// How often in all.
    count: u64,
    /// From where who had it was connected, and who took it.
    between: [Option<SocketAddr>; 2],
    told: Option<Instant>,
}

impl Contest {
    fn is_one(&self, now: Instant) -> bool {
        let oldest = self.at.front().filter(|_| self.at.len() >= OFTEN);
        oldest.is_some_and(|oldest| now.saturating_duration_since(*oldest) <= WITHIN)
    }
}

/// All streams of a cluster that were taken over lately.
#[derive(Debug, Default)]
pub(super) struct Contests(HashMap<StreamId, Contest>);

impl Contests {
    /// Notes that a stream was taken over from a connection by another; how often that was so far, where it is time to tell.
    pub(super) fn note(&mut self, stream: &StreamId, between: [Option<SocketAddr>; 2], now: Instant) -> Option<u64> {
        let is_recent = |contest: &Contest| {
            let last = contest.at.back();
            last.is_some_and(|last| now.saturating_duration_since(*last) <= WITHIN)
        };
        self.0.retain(|_, contest| is_recent(contest));
        let contest = self.0.entry(stream.clone()).or_default();
        contest.count += 1;
        contest.between = between;
        contest.at.push_back(now);
        if contest.at.len() > OFTEN {
            contest.at.pop_front();
        }
        let told = contest.told.map(|told| now.saturating_duration_since(told));
        if !contest.is_one(now) || told.is_some_and(|ago| ago < WITHIN) {
            return None;
        }
        contest.told = Some(now);
        Some(contest.count)
    }

    /// A sentence each.
    pub(super) fn sentences(&self, now: Instant) -> impl Iterator<Item = String> + '_ {
        let present = self.0.iter().filter(move |(_, contest)| contest.is_one(now));
        present.map(|(stream, contest)| {
            let [one, other] = contest.between.map(address);
            format!(
                "two daemons send the same stream of node {} (incarnation {}) and take it from each other, the last ones from {one} and {other}: stop one of them",
                stream.node, stream.incarnation
            )
        })
    }
}

/// As people are told it.
pub(super) fn address(of: Option<SocketAddr>) -> String {
    of.map_or_else(|| "an address that is not known".to_owned(), |of| of.to_string())
}

#[cfg(test)]
mod tests;
