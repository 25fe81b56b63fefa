//! One cause, one finding: what is felt folds under what state shows of it, with its cost, its victims and the writes that show it.

use fathom_model::Catalog;
use fathom_model::finding::{ChangeKind, State};

use super::Tracker;
use super::conditions::CITED;
use super::effect::Effect;
use super::jobs::OfCause;
use super::tracked::{Object, Tracked, felt_until};
use crate::watch::{self, BIN_NANOS, Named};

/// What a finding of the watch costs goes to the cause that it folds under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Adopted {
    pub(super) named: Named,
    pub(super) raised: i64,
    /// How much of it has been counted.
    pub(super) counted: u64,
}

impl Tracker {
    /// What had folded under a cause and turned out to be part of something larger is counted there, and what is over not any more.
    pub(super) fn release(&mut self, catalog: &Catalog, now: i64) {
        let findings = self.watch.findings();
        for tracked in &mut self.tracked {
            let adopted = std::mem::take(&mut tracked.adopted);
            for one in adopted {
                let own = (one.named, one.raised);
                let mut there = findings.iter();
                match there.find(|found| (found.named, found.raised_second) == own) {
                    Some(found) if found.goes_on(now) => tracked.adopted.push(one),
                    Some(_) => tracked.victims.forget(own),
                    None => {
                        tracked.carry(-i128::from(one.counted));
                        tracked.victims.give_back(own, catalog);
                    }
                }
            }
        }
    }

    /// Folds what the watch found under its cause, if it has one; what was open of it is closed as part of that.
    pub(super) fn adopt(&mut self, found: &watch::Finding, catalog: &Catalog, now: i64) -> bool {
        let report = found.report(catalog);
        let effect = Effect::of_found(found, &report);
        let at = now.saturating_mul(BIN_NANOS);
        let felt = felt_until(found);
        let cause = match self.cause_of(&effect) {
            Some(cause) => cause,
            None => match self
                .open_cause_of(&effect, felt, at)
                .or_else(|| self.job_of(&effect, felt, at))
            {
                Some(OfCause::Under(cause)) => cause,
                Some(OfCause::Over) => return true,
                None => return false,
            },
        };
        let own = (found.named, found.raised_second);
        let is_own = |adopted: &&mut Adopted| (adopted.named, adopted.raised) == own;
        let tracked = &mut self.tracked[cause];
        if let Some(adopted) = tracked.adopted.iter_mut().find(is_own) {
            let more = i128::from(found.cost_nanos) - i128::from(adopted.counted);
            adopted.counted = found.cost_nanos;
            tracked.carry(more);
            tracked.feel(found, catalog);
            self.worsen(cause, found, catalog, now);
            return true;
        }
        let object = Object::of(&report);
        let open = |tracked: &Tracked| tracked.object == object && tracked.finding.state == State::Open;
        if let Some(part) = self.tracked.iter().position(open) {
            self.tracked[part].victims.take(found, catalog);
            self.absorb(part, cause, at);
            self.tracked[cause].feel(found, catalog);
        } else {
            let severity = self.scale.of(found, catalog);
            let tracked = &mut self.tracked[cause];
            tracked.carry(i128::from(found.cost_nanos));
            tracked.finding.evidence.extend(report.evidence);
            tracked.finding.evidence.truncate(CITED);
            tracked.finding.severity = tracked.finding.severity.max(severity);
            tracked.feel(found, catalog);
            self.folded(cause, at);
        }
        let adopted = &mut self.tracked[cause].adopted;
        if !adopted.iter().any(|adopted| (adopted.named, adopted.raised) == own) {
            adopted.push(Adopted {
                named: found.named,
                raised: found.raised_second,
                counted: found.cost_nanos,
            });
        }
        true
    }

    /// Closes what writes felt as part of its cause, which has its cost, its victims and its writes from here on.
    fn absorb(&mut self, part: usize, cause: usize, at: i64) {
        let whole = self.tracked[cause].finding.id.clone();
        let (felt, current) = (self.tracked[part].finding.clone(), self.tracked[part].current);
        let (victims, felt_second) = (self.tracked[part].victims.clone(), self.tracked[part].felt_second);
        let followed = current.and_then(|(named, raised)| {
            let mut findings = self.watch.findings().iter();
            let found = findings.find(|found| (found.named, found.raised_second) == (named, raised))?;
            Some(Adopted {
                named,
                raised,
                counted: found.cost_nanos,
            })
        });
        // Up to now, and not up to when it was last looked at.
        let carried = self.tracked[part].carried_nanos;
        let cost = followed.map_or_else(
            || i128::from(felt.cost_ns),
            |followed| carried + i128::from(followed.counted),
        );
        let tracked = &mut self.tracked[cause];
        tracked.adopted.extend(followed);
        tracked.carry(cost);
        tracked.victims.absorb(&victims);
        tracked.finding.first_unix_ns = tracked.finding.first_unix_ns.min(felt.first_unix_ns);
        if tracked.only_if_felt {
            tracked.felt_second = tracked.felt_second.max(felt_second);
            tracked.finding.last_unix_ns = tracked.finding.last_unix_ns.max(felt.last_unix_ns);
        }
        tracked.victims.show(&mut tracked.finding);
        tracked.finding.evidence.extend(felt.evidence);
        tracked.finding.evidence.truncate(CITED);
        tracked.finding.severity = tracked.finding.severity.max(felt.severity);
        // A cause is heard of before what is part of it is over.
        self.folded(cause, at);
        self.close_at(part, Some(whole), at);
    }

    /// What was felt before its cause was known is part of it from now on.
    pub(super) fn fold_effects(&mut self, at: i64) {
        for part in 0..self.tracked.len() {
            let tracked = &self.tracked[part];
            if tracked.finding.state == State::Closed || tracked.object.sign.is_some() {
                continue;
            }
            let (effect, felt_until) = (Effect::of(&tracked.finding), tracked.finding.last_unix_ns);
            let cause = self.cause_of(&effect).or_else(|| {
                let opened = self.open_cause_of(&effect, felt_until, at);
                match opened.or_else(|| self.job_of(&effect, felt_until, at))? {
                    OfCause::Under(cause) => Some(cause),
                    OfCause::Over => None,
                }
            });
            if let Some(cause) = cause {
                self.absorb(part, cause, at);
            }
        }
    }

    /// Takes over that a predecessor had folded what the watch found again.
    pub(super) fn adopt_again(&mut self, found: &watch::Finding, catalog: &Catalog) {
        let effect = Effect::of_found(found, &found.report(catalog));
        let at = felt_until(found);
        let cause = self.cause_of(&effect);
        let cause = cause.or_else(|| self.open_job_of(&effect, at));
        if let Some(cause) = cause {
            self.tracked[cause].victims.skip(found);
            self.tracked[cause].adopted.push(Adopted {
                named: found.named,
                raised: found.raised_second,
                counted: found.cost_nanos,
            });
        }
    }

    fn worsen(&mut self, cause: usize, found: &watch::Finding, catalog: &Catalog, now: i64) {
        let severity = self.scale.of(found, catalog);
        let finding = &mut self.tracked[cause].finding;
        let is_worse = severity > finding.severity;
        finding.severity = finding.severity.max(severity);
        if is_worse || self.tracked[cause].is_due(now) {
            self.changed(cause, ChangeKind::Updated, now.saturating_mul(BIN_NANOS));
        }
    }

    /// Says that something was folded under a cause, or that the cause was opened for it.
    fn folded(&mut self, cause: usize, at: i64) {
        let was_said = self.tracked[cause].finding.sequence > 0;
        let kind = match std::mem::take(&mut self.tracked[cause].comes_back) {
            _ if !was_said => ChangeKind::Opened,
            true => ChangeKind::Reopened,
            false => ChangeKind::Updated,
        };
        self.changed(cause, kind, at);
    }
}

impl Tracked {
    /// Adds to its cost.
    fn carry(&mut self, nanos: i128) {
        let cost = i128::from(self.finding.cost_ns) + nanos;
        self.finding.cost_ns = u64::try_from(cost.max(0)).unwrap_or(u64::MAX);
    }

    /// Takes from what has folded under it whom it costs, and since when it is felt; of what is nothing by itself also until when, as
    /// it is a finding for nothing else.
    fn feel(&mut self, found: &watch::Finding, catalog: &Catalog) {
        let first = found.first_second().saturating_mul(BIN_NANOS);
        self.finding.first_unix_ns = self.finding.first_unix_ns.min(first);
        if self.only_if_felt {
            self.felt_second = self.felt_second.max(found.felt_second());
            self.finding.last_unix_ns = self.finding.last_unix_ns.max(felt_until(found));
        }
        self.victims.take(found, catalog);
        self.victims.show(&mut self.finding);
    }
}
