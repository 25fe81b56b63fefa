//! Which drives answer when they are asked for their health.

use super::{Probe, State};
use crate::state::drives::Physical;
use crate::state::nvme;

pub(super) fn health() -> Probe {
    Probe::new("drives", vec!["health logs of NVMe drives".to_owned()], |answers| {
        let state = match nvme::read(&mut Physical::begin()) {
            Ok(read) => {
                let note = read.note.map(|note| format!("; {note}")).unwrap_or_default();
                match read.bags.len() {
                    0 => State::Unavailable(format!("no NVMe drive is there{note}")),
                    1 => State::Available(format!("1 drive{note}")),
                    drives => State::Available(format!("{drives} drives{note}")),
                }
            }
            Err(why) => State::Unavailable(why),
        };
        answers.give(0, state);
    })
}
