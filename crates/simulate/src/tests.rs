//! Whole runs: the same from the same seed, nothing lost or doubled, and each fault visible where it is.

mod bands;
mod faults;
mod runs;
