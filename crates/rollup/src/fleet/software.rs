//! What runs on the devices of a cluster: since when, what ran there before, and how fast they were in the last hours.
//!
//! An update is seen when a variant of a product appears and others of the same product become fewer. A device that is added is none.

use std::collections::VecDeque;

use fathom_model::fleet::Update;
use fathom_model::rollup::{Axis, ClusterRollup, CohortKey, CohortRow, MOST_COHORTS};
use fathom_model::sketch::Sketch;

use crate::HOUR;
use crate::cohorts::{ENOUGH, ENOUGH_FOR_P99};

/// Hours that are kept; updates are compared with what was before for so long.
const HOURS: usize = 72;

/// An update is told for so long, in nanoseconds.
pub const UPDATES_KEPT_NANOS: i64 = HOURS as i64 * HOUR;

/// What was before is the middle of so many hours.
const BEFORE_HOURS: i64 = 6;

/// Half of the writes, 99 % of the writes, half of the reads, 99 % of the reads took at most this; `None` of too few.
pub(crate) type Times = [Option<f64>; 4];

/// One variant of a product on a cluster, as a successor of this process needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptVariant {
    /// Which.
    pub key: CohortKey,
    /// Devices that run it; 0: none any more.
    pub devices: u32,
    /// When devices changed to it, and from which variant; `None`: that was not seen.
    pub updated: Option<(i64, String)>,
    /// Hours since the Unix epoch with what half and 99 % of the writes, then of the reads, took at most, in nanoseconds; `None` of too
    /// few. The oldest first.
    pub hours: Vec<(i64, [Option<f32>; 4])>,
    /// When it was last there.
    pub seen_unix_ns: i64,
}

/// What runs on the devices of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Software {
    tracked: Vec<Tracked>,
}

#[derive(Debug)]
struct Tracked {
    key: CohortKey,
    /// 0: none any more.
    devices: u32,
    updated: Option<Updated>,
    hours: VecDeque<Hour>,
    seen_unix_ns: i64,
}

/// That devices changed to a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Updated {
    pub(crate) at_unix_ns: i64,
    pub(crate) from_variant: String,
}

/// Nanoseconds, as the last rollup of an hour had them; not a number where there were too few.
#[derive(Clone, Copy, Debug)]
struct Hour {
    hour: i64,
    times: [f32; 4],
}

/// The times of devices.
pub(crate) fn times(row: &CohortRow) -> Times {
    let of = |sketch: &Sketch| {
        let quantiles = sketch.quantiles([0.5, 0.99]);
        let enough = |least: u64, at: usize| {
            let value = quantiles.filter(|_| sketch.count() >= least)?[at];
            // A time of nothing has no logarithm, and no source is that quick.
            (value > 0).then_some(value as f64)
        };
        (enough(ENOUGH, 0), enough(ENOUGH_FOR_P99, 1))
    };
    let (writes, reads) = (of(&row.writes), of(&row.reads));
    [writes.0, writes.1, reads.0, reads.1]
}

impl Software {
    /// What a predecessor kept.
    pub(super) fn resume(kept: Vec<KeptVariant>) -> Self {
        let tracked = kept.into_iter().take(2 * MOST_COHORTS).map(|kept| {
            let mut hours: Vec<Hour> = (kept.hours.into_iter())
                .map(|(hour, times)| Hour {
                    hour,
                    times: times.map(|time| time.unwrap_or(f32::NAN)),
                })
                .collect();
            hours.sort_by_key(|own| own.hour);
            hours.drain(..hours.len().saturating_sub(HOURS));
            Tracked {
                key: kept.key,
                devices: kept.devices,
                updated: kept.updated.map(|(at_unix_ns, from_variant)| Updated {
                    at_unix_ns,
                    from_variant,
                }),
                hours: hours.into(),
                seen_unix_ns: kept.seen_unix_ns,
            }
        });
        Self {
            tracked: tracked.collect(),
        }
    }

    /// What a successor resumes.
    pub(super) fn kept(&self) -> Vec<KeptVariant> {
        let kept = self.tracked.iter().map(|own| KeptVariant {
            key: own.key.clone(),
            devices: own.devices,
            updated: (own.updated.as_ref()).map(|updated| (updated.at_unix_ns, updated.from_variant.clone())),
            hours: (own.hours.iter())
                .map(|hour| (hour.hour, hour.times.map(|time| time.is_finite().then_some(time))))
                .collect(),
            seen_unix_ns: own.seen_unix_ns,
        });
        kept.collect()
    }

    /// Takes what a rollup says; the updates that it shows.
    pub(super) fn take(&mut self, rollup: &ClusterRollup, at_unix_ns: i64) -> Vec<Update> {
        let updates: Vec<Update> = rollup
            .cohorts
            .iter()
            .filter_map(|row| self.update(row, rollup))
            .collect();
        let hour = at_unix_ns.div_euclid(HOUR);
        for tracked in &mut self.tracked {
            tracked.devices = 0;
        }
        for row in &rollup.cohorts {
            let known = self.tracked.iter().position(|tracked| tracked.key == row.key);
            let at = known.unwrap_or_else(|| {
                self.tracked.push(Tracked {
                    key: row.key.clone(),
                    devices: 0,
                    updated: None,
                    hours: VecDeque::new(),
                    seen_unix_ns: at_unix_ns,
                });
                self.tracked.len() - 1
            });
            let tracked = &mut self.tracked[at];
            tracked.devices = row.devices;
            tracked.seen_unix_ns = at_unix_ns;
            if let Some(update) = updates.iter().find(|update| update.to == row.key) {
                tracked.updated = Some(Updated {
                    at_unix_ns,
                    from_variant: update.from_variant.clone(),
                });
            }
            tracked.note(hour, times(row));
        }
        let begin = at_unix_ns.saturating_sub(UPDATES_KEPT_NANOS);
        self.tracked
            .retain(|tracked| tracked.devices > 0 || tracked.seen_unix_ns >= begin);
        if self.tracked.len() > 2 * MOST_COHORTS {
            // Those that are there first, then those that were for longest not.
            self.tracked
                .sort_by_key(|tracked| (tracked.devices == 0, -tracked.seen_unix_ns));
            self.tracked.truncate(2 * MOST_COHORTS);
        }
        updates
    }

    /// The update that a row shows.
    fn update(&self, row: &CohortRow, rollup: &ClusterRollup) -> Option<Update> {
        let is_here = |tracked: &&Tracked| tracked.devices > 0;
        let is_like = |key: &CohortKey| key.axis == row.key.axis && key.subject == row.key.subject;
        if self
            .tracked
            .iter()
            .filter(is_here)
            .any(|tracked| tracked.key == row.key)
        {
            return None;
        }
        let others = self
            .tracked
            .iter()
            .filter(is_here)
            .filter(|tracked| is_like(&tracked.key));
        let now = |key: &CohortKey| {
            let own = rollup.cohorts.iter().find(|own| own.key == *key);
            own.map_or(0, |own| own.devices)
        };
        let from = others
            .filter(|tracked| now(&tracked.key) < tracked.devices)
            .max_by_key(|tracked| tracked.devices - now(&tracked.key))?;
        let like = rollup.cohorts.iter().filter(|own| is_like(&own.key));
        Some(Update {
            to: row.key.clone(),
            from_variant: from.key.variant.clone(),
            devices: row.devices,
            of: like.fold(0_u32, |sum, own| sum.saturating_add(own.devices)),
        })
    }

    /// When its devices were updated to a variant.
    pub(crate) fn updated(&self, key: &CohortKey) -> Option<&Updated> {
        let own = self.tracked.iter().find(|tracked| tracked.key == *key)?;
        own.updated.as_ref()
    }

    /// The hour of an update, and the times of what ran there in the hours before it.
    pub(crate) fn before(&self, key: &CohortKey) -> Option<(i64, Times)> {
        let updated = self.updated(key)?;
        let old = self.tracked.iter().find(|tracked| {
            let own = &tracked.key;
            own.axis == key.axis && own.subject == key.subject && own.variant == updated.from_variant
        })?;
        let hour = updated.at_unix_ns.div_euclid(HOUR);
        Some((hour, old.middle_before(hour)))
    }

    /// The times of what most devices of an axis run, in the hours before one and now, where nothing of the axis changed since.
    pub(crate) fn steady(&self, axis: Axis, hour: i64, now: &ClusterRollup) -> Option<(Times, Times)> {
        let own = || self.tracked.iter().filter(|tracked| tracked.key.axis == axis);
        let since = (hour - BEFORE_HOURS) * HOUR;
        let changed = |tracked: &Tracked| {
            let is_update = tracked
                .updated
                .as_ref()
                .is_some_and(|updated| updated.at_unix_ns >= since);
            is_update || (tracked.devices == 0 && tracked.seen_unix_ns >= since)
        };
        if own().any(changed) {
            return None;
        }
        let main = own().max_by_key(|tracked| tracked.devices)?;
        let row = now.cohorts.iter().find(|row| row.key == main.key)?;
        Some((main.middle_before(hour), times(row)))
    }
}

impl Tracked {
    fn note(&mut self, hour: i64, times: Times) {
        let times = times.map(|time| time.map_or(f32::NAN, |time| time as f32));
        match self.hours.back_mut() {
            Some(last) if last.hour == hour => last.times = times,
            _ => {
                self.hours.push_back(Hour { hour, times });
                if self.hours.len() > HOURS {
                    self.hours.pop_front();
                }
            }
        }
    }

    /// The middle of the hours before one.
    fn middle_before(&self, hour: i64) -> Times {
        let mut middles = [None; 4];
        for (at, middle) in middles.iter_mut().enumerate() {
            let before = self
                .hours
                .iter()
                .filter(|own| (hour - BEFORE_HOURS..hour).contains(&own.hour));
            let values: Vec<f64> = before
                .map(|own| f64::from(own.times[at]))
                .filter(|value| value.is_finite())
                .collect();
            *middle = crate::cohorts::median(&values);
        }
        middles
    }
}

#[cfg(test)]
mod tests;
