//! What people say of findings: that they work on one, or do not want to hear of it.

use fathom_model::finding::{ChangeKind, Finding, Note};

use super::{State, Tracker};

/// There is no finding of this name among those that are open or were closed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchFinding;

/// What is said of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Notes what was said of a finding; without a note it is taken back. Said again by the same request, or the same again without an
    /// end, it changes nothing.
    ///
    /// # Errors
    ///
    /// [`NoSuchFinding`].
    pub fn say(
        &mut self,
        id: &str,
        said: Said,
        note: Option<Note>,
        now_unix_ns: i64,
    ) -> Result<&Finding, NoSuchFinding> {
        let at = self.tracked.iter().position(|tracked| tracked.finding.id == id);
        let at = at.ok_or(NoSuchFinding)?;
        let known = said.of(&mut self.tracked[at].finding);
        let again = match (&known, &note) {
            (None, None) => true,
            (Some(known), Some(note)) if !note.request.is_empty() => known.request == note.request,
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
