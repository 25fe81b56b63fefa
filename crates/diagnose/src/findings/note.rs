//! What people say of findings: that they work on one, or do not want to hear of it.

use fathom_model::finding::{ChangeKind, Finding, Note};
use serde::{Deserialize, Serialize};

use super::{State, Tracker};

/// So many requests are known again.
const REQUESTS: usize = 1_000;

/// Why nothing was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no finding of this name among those that are open or were closed last.
    NoSuchFinding,
    /// The request's id was another request's.
    OtherRequest,
}

/// A request that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    request: String,
    finding: String,
    said: Said,
    /// What was said, and by whom; `None`: it was taken back.
    note: Option<(String, String)>,
}

/// What is said of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Somebody works on it.
    Acknowledged,
    /// Somebody does not want to hear of it.
    Muted,
}

impl Said {
    const fn changes(self) -> (ChangeKind, ChangeKind) {
        match self {
            Self::Acknowledged => (ChangeKind::Acknowledged, ChangeKind::Unacknowledged),
            Self::Muted => (ChangeKind::Muted, ChangeKind::Unmuted),
        }
    }

    const fn of(self, finding: &mut Finding) -> &mut Option<Note> {
        match self {
            Self::Acknowledged => &mut finding.acknowledged,
            Self::Muted => &mut finding.muted,
        }
    }
}

impl Tracker {
    /// Notes what was said of a finding; without a note it is taken back. One of the last thousand requests that comes again changes nothing,
    /// whatever was said meanwhile; without an id (an empty one) the same again without an end changes nothing.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub fn say(
        &mut self,
        id: &str,
        said: Said,
        (request, note): (&str, Option<Note>),
        now_unix_ns: i64,
    ) -> Result<&Finding, Refused> {
        let at = self.tracked.iter().position(|tracked| tracked.finding.id == id);
        let at = at.ok_or(Refused::NoSuchFinding)?;
        if !request.is_empty() {
            let done = Done {
                request: request.to_owned(),
                finding: id.to_owned(),
                said,
                note: note.as_ref().map(|note| (note.by.clone(), note.text.clone())),
            };
            match self.requests.iter().find(|known| known.request == request) {
                Some(known) if *known == done => return Ok(&self.tracked[at].finding),
                Some(_) => return Err(Refused::OtherRequest),
                None => self.requests.push_back(done),
            }
            if self.requests.len() > REQUESTS {
                self.requests.pop_front();
            }
        }
        let known = said.of(&mut self.tracked[at].finding);
        let again = match (&known, &note) {
            (None, None) => true,
            (Some(_), Some(note)) if !note.request.is_empty() => false,
            (Some(known), Some(note)) => {
                (&known.by, known.until_unix_ns, &known.text) == (&note.by, note.until_unix_ns, &note.text)
            }
            _ => false,
        };
        if !again {
            let (on, off) = said.changes();
            let kind = if note.is_some() { on } else { off };
            *known = note;
            self.changed(at, kind, now_unix_ns);
        }
        Ok(&self.tracked[at].finding)
    }

    /// Takes back what was said up to now or earlier.
    pub fn expire(&mut self, now_unix_ns: i64) {
        for at in 0..self.tracked.len() {
            for said in [Said::Acknowledged, Said::Muted] {
                let finding = &mut self.tracked[at].finding;
                let is_open = finding.state == State::Open;
                let note = said.of(finding);
                let until = note.as_ref().and_then(|note| note.until_unix_ns);
                if until.is_some_and(|until| until <= now_unix_ns) {
                    *note = None;
                    // Of what is over nobody needs to hear that.
                    if is_open {
                        self.changed(at, said.changes().1, now_unix_ns);
                    }
                }
            }
        }
    }
}
