//! Made-up rollups for this crate's tests.

use fathom_model::finding::Severity;
use fathom_model::health::State;
use fathom_model::rollup::{
    Axis, ClusterKey, ClusterRollup, CohortKey, CohortRow, Counted, FindingCount, Revision, TapLatency, WorstChild,
};
use fathom_model::sketch::Sketch;
use fathom_model::{Op, Tap};
use rand_core::Rng as _;
use rand_pcg::Pcg64;

use crate::SECOND;

/// Some moment on the clock.
pub(crate) const START: i64 = 1_790_000_000 * SECOND;

/// A rollup of 16 nodes and 24 disks, one of which is in the cluster's state.
pub(crate) fn rollup(site: &str, cluster: &str, number: u64, state: State, at: i64) -> ClusterRollup {
    let revision = Revision {
        started_unix_ns: START,
        number,
    };
    let mut rollup = ClusterRollup::new(&ClusterKey::new(site, cluster), revision);
    rollup.labels.insert("env".to_owned(), "prod".to_owned());
    (rollup.from_unix_ns, rollup.to_unix_ns) = (at - 3600 * SECOND, at);
    rollup.state = state;
    rollup.reason.clear();
    rollup.counts.add(Counted::Node, State::Ok, 16);
    rollup.counts.add(Counted::Disk, State::Ok, 23);
    rollup.counts.add(Counted::Disk, state, 1);
    if state != State::Ok {
        rollup.reason = "disk n0/disk0: DISK_SLOW".to_owned();
        rollup.worst.push(WorstChild {
            kind: Counted::Disk,
            name: "n0/disk0".to_owned(),
            state,
            since_unix_ns: None,
            reason: "DISK_SLOW".to_owned(),
        });
    }
    if state >= State::Degraded {
        rollup.findings.push(FindingCount {
            code: "DISK_SLOW".to_owned(),
            severity: Severity::Warning,
            open: 1,
            muted: 0,
        });
    }
    let mut sketch = Sketch::default();
    (1..=100).for_each(|hundredths| sketch.add(hundredths * 10_000));
    rollup.latency.push(TapLatency {
        tap: Tap::Volume,
        op: Op::Write,
        sketch,
    });
    rollup
}

/// Random numbers from a seed.
pub(crate) struct Random(Pcg64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64::new(seed.into(), 0x5eed))
    }

    /// From 0 to below 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below a number.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.share() * end as f64) as usize
    }

    /// Normally distributed about 0.
    pub(crate) fn normal(&mut self, deviation: f64) -> f64 {
        let (radius, angle) = (self.share().max(1e-300), self.share());
        deviation * (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

/// Times about a middle, as drives have them: so many that their percentiles are nearly those of the distribution.
pub(crate) fn times(middle_nanos: f64, random: &mut Random) -> Sketch {
    let mut sketch = Sketch::default();
    for _ in 0..100 {
        // A pair that lies about the middle evenly.
        let away = random.normal(0.3);
        sketch.add_many((middle_nanos * away.exp()) as u64, 20);
        sketch.add_many((middle_nanos * (-away).exp()) as u64, 20);
    }
    sketch
}

pub(crate) fn cohort(axis: Axis, subject: &str, variant: &str) -> CohortKey {
    CohortKey {
        axis,
        subject: subject.to_owned(),
        variant: variant.to_owned(),
    }
}

/// Devices with times about a middle.
pub(crate) fn row(key: CohortKey, devices: u32, middle_nanos: f64, random: &mut Random) -> CohortRow {
    CohortRow {
        key,
        devices,
        writes: times(middle_nanos, random),
        reads: times(middle_nanos * 0.8, random),
        io_errors: 0,
        media_errors: Some(u64::from(random.share() < 0.05)),
        found: u32::from(random.share() < 0.05),
    }
}
