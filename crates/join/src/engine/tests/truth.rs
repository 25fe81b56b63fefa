//! What the engine says, against what truly happened.

use std::collections::BTreeMap;

use fathom_model::{Io, Leg, Tap};

use super::cluster::{Cluster, Made, Owner};
use super::play::{Played, events_of};

impl Played {
    /// The row of an I/O by its number.
    pub(super) fn io(&self, streams: &[Made], number: usize) -> (&Io, &[Leg]) {
        let (at, ordinal) = Cluster::numbers(streams)[&number];
        let stream = self.engine.catalog().find_stream(&streams[at].info.id).unwrap();
        let io = self
            .rows
            .ios
            .iter()
            .find(|io| (io.event.stream, io.event.ordinal) == (stream, ordinal));
        let io = io.unwrap_or_else(|| panic!("I/O {number} has no row"));
        (io, self.rows.legs_of(io))
    }

    /// How often what is missing at a tap, and why.
    pub(super) fn missing(&self) -> BTreeMap<String, usize> {
        let mut missing: BTreeMap<String, usize> = BTreeMap::new();
        for leg in &self.rows.legs {
            let of_tap = [
                (Tap::Initiator, leg.missing_initiator),
                (Tap::Target, leg.missing_target),
                (Tap::Device, leg.missing_device),
            ];
            for (tap, cause) in of_tap.into_iter().filter_map(|(tap, cause)| Some((tap, cause?))) {
                *missing.entry(format!("{tap:?} {cause:?}")).or_default() += 1;
            }
        }
        missing
    }

    /// Who truly made an event.
    pub(super) fn owner(&self, streams: &[Made], (stream, ordinal): (fathom_model::StreamIndex, u64)) -> Owner {
        let id = self.engine.catalog().stream(stream);
        let made = streams.iter().find(|made| made.info.id == *id).unwrap();
        made.owners[ordinal as usize]
    }
}

/// How claims compare with the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    pub(super) ios: usize,
    pub(super) exact: usize,
    pub(super) ambiguous: usize,
    pub(super) incomplete: usize,
    /// Observations in legs.
    pub(super) claims: usize,
    /// Of those in legs that are not said to be ambiguous, how many are another's.
    pub(super) wrong: usize,
    /// Of those at drives, or of columns of a parity tier, that only time tied, which may be wrong as often as their confidence says.
    pub(super) wrong_by_time: usize,
    pub(super) by_time: usize,
    /// Of those in ambiguous legs.
    pub(super) wrong_ambiguous: usize,
    /// Events of I/Os that have a row, but which no leg has.
    pub(super) left: usize,
}

/// Compares all rows with the truth.
pub(super) fn score(played: &Played, streams: &[Made]) -> Score {
    let mut score = Score::default();
    for io in &played.rows.ios {
        let own = played.owner(streams, (io.event.stream, io.event.ordinal));
        score.ios += 1;
        match io.class {
            fathom_model::IoClass::Exact => score.exact += 1,
            fathom_model::IoClass::Ambiguous => score.ambiguous += 1,
            fathom_model::IoClass::Incomplete => score.incomplete += 1,
        }
        for leg in played.rows.legs_of(io) {
            let truth = Owner {
                part: leg.part,
                copy: leg.copy,
                ..own
            };
            for (tap, event) in events_of(leg) {
                score.claims += 1;
                let wrong = played.owner(streams, event) != truth;
                let of_column = leg.method == fathom_model::LegMethod::Time && leg.length > 0;
                let by_time =
                    (tap == Tap::Device && leg.cache.is_some() || of_column && leg.cache.is_none()) && !leg.ambiguous;
                score.by_time += usize::from(by_time);
                score.wrong_by_time += usize::from(wrong && by_time);
                score.wrong += usize::from(wrong && !leg.ambiguous && !by_time);
                score.wrong_ambiguous += usize::from(wrong && leg.ambiguous);
            }
        }
    }
    let numbers = Cluster::numbers(streams);
    score.left = played
        .rows
        .unmatched
        .iter()
        .filter(|row| {
            let owner = played.owner(streams, (row.event.stream, row.event.ordinal));
            owner.io.is_some_and(|io| numbers.contains_key(&io))
        })
        .count();
    score
}
