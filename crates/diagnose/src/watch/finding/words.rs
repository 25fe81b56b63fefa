//! What is said of what was found.

use fathom_model::report::Evidence;
use fathom_model::unit::show_nanos as show;

use super::{Finding, What};

/// Said where all that it cost is a guess.
const GUESSED: &str = "what it cost is a guess: which copy its writes waited for is not known of any, since no reply tells, and one copy was \
                       not seen at all or the clocks do not tell; counted is by how much this one was longer than the others that were \
                       seen (a way only there and not back), as far as the write took longer than usual";

impl Finding {
    /// By how much and how often it is worse, in words.
    pub(super) fn text(&self) -> String {
        let what = match self.case.what {
            What::Drive => "time at the drive",
            What::Target => "time at the far side's bus target beyond the drive's",
            What::Way if self.case.one_way == 0 => "time on the way (leg less the far side's service)",
            What::Way if self.case.one_way >= self.case.writes => {
                "time until the far side had the request (the leg itself was not seen at the initiator)"
            }
            What::Way => {
                "time on the way (leg less the far side's service; until the far side had the request, where the leg itself was not seen)"
            }
            What::FarSide => {
                "time at the far side's bus target (its drive was not seen, so disk and node cannot be told apart)"
            }
            What::Leg => "time of the whole leg (the far side was not seen, so disk and link cannot be told apart)",
            What::Outside => "time outside all legs (before the first was sent and after the last was acknowledged)",
        };
        let against = match self.case.what {
            _ if self.case.by_past => "what it took before for requests of its size, having no equal,",
            What::Outside => "what is usual for writes of their size",
            _ => "the longest of the same writes' other copies",
        };
        let equals = if self.case.by_past { "it" } else { "its equals" };
        format!(
            "{what}: longer than {against} by {} or more in {} of {} writes within {} s, where {equals} would have been in {:.1}",
            show(self.case.margin_nanos),
            self.case.count,
            self.case.writes,
            self.seconds,
            self.case.expected,
        )
    }
}

/// Says that a cost is guessed, or how much of it beside what is known.
pub(super) fn guessed(guessed_ns: u64, known_ns: u64) -> Option<Evidence> {
    let text = match (guessed_ns, known_ns) {
        (0, _) => return None,
        (_, 0) => GUESSED.to_owned(),
        _ => format!(
            "{} of what it cost is a guess, of writes of which it is not known for which copy they waited: no reply tells, and one copy was \
             not seen at all or the clocks do not tell; counted is by how much this one was longer than the others that were seen (a way \
             only there and not back), as far as the write took longer than usual",
            show(guessed_ns)
        ),
    };
    Some(Evidence {
        text,
        writes: Vec::new(),
    })
}

/// Whether it is said that a cost is guessed.
pub(crate) fn says_guessed(evidence: &[Evidence]) -> bool {
    evidence.iter().any(|one| one.text == GUESSED)
}

/// Says which part of a cost is that of writes of which the clocks alone tell which copy was last.
pub(super) fn by_clocks(unsure_ns: u64) -> Option<Evidence> {
    (unsure_ns > 0).then(|| Evidence {
        text: format!(
            "{} of what it cost is of writes of which no reply tells for which copy they waited: by the clocks, the far side was done last \
             with this one",
            show(unsure_ns)
        ),
        writes: Vec::new(),
    })
}

/// Says which part of a cost is that of writes in which what is named was not seen.
pub(crate) fn unseen_there(hidden_ns: u64) -> Option<Evidence> {
    (hidden_ns > 0).then(|| Evidence {
        text: format!(
            "{} of what it cost is of writes whose drive or far side was not seen there; at the same time others show that it was this",
            show(hidden_ns)
        ),
        writes: Vec::new(),
    })
}
