//! Whether a pair's clock is still what it was, and where the search for it stands.

use serde::{Deserialize, Serialize};

use super::vote::Candidate;

/// How many requests of late were answered where the clock has it: not all answers are seen, or are whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usual {
    fits: u32,
    of: u32,
}

impl Usual {
    /// So many requests of before are remembered.
    const MOST: u32 = 1_024;

    pub(crate) fn add(&mut self, fits: usize, of: usize) {
        let kept = Self::MOST.saturating_sub(of as u32).min(self.of);
        // Older ones give way in the share that they have.
        self.fits = (u64::from(self.fits) * u64::from(kept) / u64::from(self.of.max(1))) as u32 + fits as u32;
        self.of = kept + of as u32;
    }

    /// Whether so few of so many requests are answered in time that chance would make it so less than once in ten thousand times,
    /// by Hoeffding's bound for the means of two samples: exp(-2 d^2 n m / (n + m)) for shares that differ by d.
    pub(crate) fn is_less(self, fits: usize, of: usize) -> bool {
        let (fits, of) = (fits as i128, of as i128);
        let (usual, usual_of) = (i128::from(self.fits), i128::from(self.of));
        // d = short / (of * usual_of).
        let short = (of * usual - fits * usual_of).max(0);
        2 * short * short > 9 * of * usual_of * (of + usual_of)
    }
}

/// What speaks against a pair's clock being still what it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Doubt {
    /// The window that was looked at last.
    pub(crate) checked: Option<i64>,
    /// Start of the last request that was answered when it had to be.
    pub(crate) last_fit: Option<i64>,
    /// After this nothing is known: what was asked then was not answered when it had to be.
    pub(crate) until: Option<i64>,
    /// Requests that were not, with answers that have their key.
    pub(crate) misfits: Vec<Candidate>,
    /// What is usual of requests while the clock is right.
    #[serde(default)]
    pub(crate) usual: Usual,
    /// The first window that bore the clock out.
    #[serde(default)]
    pub(crate) since: Option<i64>,
    /// In how many windows with requests, one after the other, none was answered in time, and how many requests that were.
    pub(crate) windows: u32,
    pub(crate) requests: u32,
}

/// Where the search for a first alignment stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Search {
    /// Nobody needed this pair yet.
    #[default]
    Idle,
    /// Votes are held over ever longer stretches from `base`; windows wait.
    Waiting {
        /// Start of the first window that needed the pair.
        base: i64,
        /// Which vote comes next.
        attempt: u32,
    },
    /// The hold bound has passed: votes go on, nobody waits.
    GivenUp,
}
