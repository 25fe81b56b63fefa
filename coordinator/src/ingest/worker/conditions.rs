//! What is wrong by state, looked at in the order of the readings' times.
//!
//! Nodes report at their own pace: one that was away sends what it read hours ago. What it read then is not held against what others
//! read since: observations wait a moment for those of the same time, and are taken in the order of their times.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fathom_model::Topology;
use fathom_model::condition::Sign;
use fathom_model::state::{Kind, Observation, Sample};
use fathom_state::conditions::{Conditions, is_followed};

use super::Running;

/// How long an observation waits for those of the same time.
const PATIENCE: Duration = Duration::from_secs(3);

/// So long after this coordinator began with the cluster nothing is due unless all has come: nodes come one after the other, and whoever is
/// not there yet must not make the others seem to be all there are.
const GRACE: Duration = Duration::from_secs(10);

/// So many wait at the most; beyond it those of the earliest times are taken at once.
const MOST: usize = 200_000;

/// An observation or a reading of a counter that waits: the piece that it came in, and where in it.
struct Waiting {
    at: i64,
    /// The place of an observation among all that ever came; of a reading of a counter, that of the next observation: it is not looked at
    /// again after a restart.
    number: u64,
    came: Instant,
    piece: Piece,
    place: usize,
}

/// What came together.
#[derive(Clone)]
enum Piece {
    Observations(Arc<Vec<Observation>>),
    Samples(Arc<Vec<Sample>>),
}

/// What stands by state, and what has come and was not looked at.
#[derive(Default)]
pub(super) struct ByState {
    pub(super) now: Conditions,
    waiting: Vec<Waiting>,
    /// How many have ever come, in the order in which they are stored.
    came: u64,
}

impl ByState {
    pub(super) fn new(topology: Option<&Topology>) -> Self {
        let mut by_state = Self::default();
        if let Some(topology) = topology {
            by_state.now.set_topology(topology);
        }
        by_state
    }

    /// Takes what has come.
    pub(super) fn wait(&mut self, piece: &Arc<Vec<Observation>>) {
        let came = Instant::now();
        for (place, observation) in piece.iter().enumerate() {
            let number = self.came;
            self.came += 1;
            if observation.kind != Kind::Extent {
                self.waiting.push(Waiting {
                    at: observation.observed_unix_nanos,
                    number,
                    came,
                    piece: Piece::Observations(Arc::clone(piece)),
                    place,
                });
            }
        }
    }

    /// Takes readings of counters that have come.
    pub(super) fn wait_samples(&mut self, piece: &Arc<Vec<Sample>>) {
        let came = Instant::now();
        let number = self.came;
        let followed = piece.iter().enumerate().filter(|(_, sample)| is_followed(sample));
        self.waiting.extend(followed.map(|(place, sample)| Waiting {
            at: sample.observed_unix_nanos,
            number,
            came,
            piece: Piece::Samples(Arc::clone(piece)),
            place,
        }));
    }

    /// Takes a picture of so many that came, all of which were looked at.
    pub(super) fn begin(&mut self, picture: &[Observation], came: u64) {
        for observation in picture {
            self.now.add(observation);
        }
        self.came = came;
    }

    /// Takes what a predecessor stored: of the first so many it knew what they meant.
    pub(super) fn take_up(&mut self, rows: Vec<Observation>, judged: u64) {
        let known = usize::try_from(judged.saturating_sub(self.came)).unwrap_or(usize::MAX);
        let mut rows = rows.into_iter();
        for observation in rows.by_ref().take(known) {
            self.now.add(&observation);
            self.came += 1;
        }
        let rest: Vec<Observation> = rows.collect();
        if !rest.is_empty() {
            self.wait(&Arc::new(rest));
        }
    }

    /// So many of those that came, from the first on, have been looked at.
    pub(super) fn judged(&self) -> u64 {
        let of_state = self
            .waiting
            .iter()
            .filter(|waiting| matches!(waiting.piece, Piece::Observations(_)));
        let first = of_state.map(|waiting| waiting.number).min();
        first.unwrap_or(self.came)
    }

    /// What has waited long enough, and everything of earlier times, in the order of the times.
    fn due(&mut self, all: bool, begins: bool) -> Vec<Waiting> {
        let is_due = |waiting: &&Waiting| all || (!begins && waiting.came.elapsed() >= PATIENCE);
        let mut until = self.waiting.iter().filter(is_due).map(|waiting| waiting.at).max();
        if self.waiting.len() > MOST {
            let mut times: Vec<i64> = self.waiting.iter().map(|waiting| waiting.at).collect();
            times.sort_unstable();
            until = until.max(times.get(times.len() / 2).copied());
        }
        let Some(until) = until else { return Vec::new() };
        let (mut due, later): (Vec<Waiting>, Vec<Waiting>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.at <= until);
        self.waiting = later;
        due.sort_by_key(|waiting| (waiting.at, waiting.number));
        due
    }
}

impl Running {
    /// Looks what stands by what has come; at all of it where nothing more will.
    pub(super) fn read_conditions(&mut self, all: bool) {
        let begins = self.started.elapsed() < GRACE;
        for waiting in self.by_state.due(all, begins) {
            let now = &mut self.by_state.now;
            let read = match &waiting.piece {
                Piece::Observations(piece) => piece.get(waiting.place).and_then(|one| now.add(one)),
                Piece::Samples(piece) => piece.get(waiting.place).and_then(|one| now.add_sample(one)),
            };
            if let Some(read) = read {
                self.findings.set_maintenance(self.by_state.now.maintenance());
                if read.sign == Sign::DiskUnhealthy {
                    self.findings.set_drives(self.by_state.now.drives());
                }
                for sign in read.sign.with_its_like() {
                    let standing = self.by_state.now.of(*sign);
                    self.findings.read(*sign, &read, standing);
                }
            }
        }
    }
}
