//! Rollups of made-up clusters as bytes of the wire.

use std::f64::consts::TAU;

use fathom_model::finding::Severity;
use fathom_model::health::State;
use fathom_model::rollup::{
    Axis, ClusterKey, ClusterRollup, CohortKey, CohortRow, Counted, FindingCount, Revision, TapLatency, WorstChild,
};
use fathom_model::sketch::Sketch;
use fathom_model::{Op, Tap};
use fathom_proto::fleet::v1 as wire;
use prost::Message as _;

/// Some moment on the clock.
pub(super) const START: i64 = 1_790_000_000_000_000_000;

/// What clusters are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) clusters: usize,
    pub(super) nodes: u64,
    /// Of a node.
    pub(super) disks: u64,
}

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: usize) -> usize {
        (self.share() * end as f64) as usize
    }

    fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.share().max(1e-300), self.share());
        (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
    }

    /// An hour of operations: most near a middle, with a long tail, so that several hundred bins are filled.
    fn times(&mut self, middle_nanos: f64) -> Sketch {
        let mut sketch = Sketch::default();
        for _ in 0..1_000 {
            let width = if self.share() < 0.05 { 1.2 } else { 0.35 };
            let nanos = (middle_nanos * (self.normal() * width).exp()) as u64;
            sketch.add_many(nanos, 1_000 + self.next() % 9_000);
        }
        sketch
    }
}

impl Shape {
    pub(super) const fn disks_in_all(&self) -> u64 {
        self.clusters as u64 * self.nodes * self.disks
    }

    /// Each cluster's rollup: 97 of a hundred are ok, the others have a few things that are not.
    pub(super) fn rollups(&self) -> Vec<ClusterRollup> {
        let mut random = Random(7);
        (0..self.clusters)
            .map(|number| self.rollup(number, &mut random))
            .collect()
    }

    fn rollup(&self, number: usize, random: &mut Random) -> ClusterRollup {
        let key = ClusterKey::new(format!("site{:03}", number / 20), format!("cluster{number:05}"));
        let mut rollup = ClusterRollup::new(&key, Revision::default());
        let env = ["prod", "test"][random.below(2)];
        for (name, value) in [("env", env), ("region", "europe-west"), ("ring", "2")] {
            rollup.labels.insert(name.to_owned(), value.to_owned());
        }
        (rollup.from_unix_ns, rollup.to_unix_ns) = (START - 3_600_000_000_000, START);
        self.set_health(&mut rollup, random);
        let load = (random.normal() * 0.25).exp();
        let taps = [
            (Tap::Volume, 420_000.0),
            (Tap::Initiator, 300_000.0),
            (Tap::Target, 160_000.0),
            (Tap::Device, 90_000.0),
        ];
        for (tap, middle) in taps {
            for op in [Op::Read, Op::Write, Op::Flush] {
                let sketch = random.times(middle * load);
                rollup.latency.push(TapLatency { tap, op, sketch });
            }
        }
        let nodes = self.nodes as u32;
        let (cache, capacity) = (nodes * 4, nodes * (self.disks as u32 - 4));
        let firmware = random.below(3);
        let groups = [
            (
                Axis::Disk,
                "Made-up NVMe cache 1600",
                format!("GDC5602{}", random.below(3)),
                cache,
                70_000.0,
            ),
            (
                Axis::Disk,
                "Made-up NVMe 7680",
                format!("VDV1DP2{firmware}"),
                capacity / 2,
                90_000.0,
            ),
            (
                Axis::Disk,
                "Made-up NVMe 7680",
                format!("VDV1DP2{}", firmware + 1),
                capacity / 2,
                90_000.0,
            ),
            (
                Axis::Nic,
                "Made-up ConnectX-6 Dx Adapter",
                format!("24.4.2606{}.0", random.below(4)),
                nodes * 2,
                60_000.0,
            ),
            (Axis::Os, "", format!("2{}100", 5 + random.below(2)), nodes, 420_000.0),
        ];
        let rows = groups
            .into_iter()
            .map(|(axis, subject, variant, devices, middle)| CohortRow {
                key: CohortKey {
                    axis,
                    subject: subject.to_owned(),
                    variant,
                },
                devices,
                writes: random.times(middle * load),
                reads: random.times(middle * load * 0.8),
                io_errors: random.next() % 3,
                media_errors: (axis == Axis::Disk).then(|| random.next() % 2),
                found: 0,
            });
        rollup.cohorts = rows.collect();
        rollup
    }

    fn set_health(&self, rollup: &mut ClusterRollup, random: &mut Random) {
        let all = [
            (Counted::Node, self.nodes),
            (Counted::Disk, self.nodes * self.disks),
            (Counted::Adapter, self.nodes * 2),
            (Counted::Link, self.nodes * (self.nodes - 1) / 2),
            (Counted::Volume, self.nodes),
        ];
        let is_bad = random.below(100) < 3;
        rollup.state = if is_bad { State::Degraded } else { State::Ok };
        rollup.reason = if is_bad {
            "disk n03/disk07: DISK_SLOW (97 % sure)".to_owned()
        } else {
            String::new()
        };
        for (kind, count) in all {
            let bad = u64::from(is_bad).min(count);
            rollup.counts.add(kind, State::Ok, count - bad);
            if !is_bad {
                continue;
            }
            rollup.counts.add(kind, State::Degraded, bad);
            rollup.worst.push(WorstChild {
                kind,
                name: "n03/disk07".to_owned(),
                state: State::Degraded,
                since_unix_ns: Some(START),
                reason: rollup.reason.clone(),
            });
        }
        if is_bad {
            rollup.findings.push(FindingCount {
                code: "DISK_SLOW".to_owned(),
                severity: Severity::Warning,
                open: 1,
                muted: 0,
            });
        }
    }
}

/// A rollup with its state, as bytes.
pub(super) fn encoded(rollup: &ClusterRollup, state: State) -> Vec<u8> {
    let mut rollup = rollup.clone();
    rollup.state = state;
    wire::ClusterRollup::from(&rollup).encode_to_vec()
}

/// The same bytes as a newer rollup: a field that comes again is merged, so that its last value counts.
pub(super) fn newer(bytes: &[u8], number: u64) -> Vec<u8> {
    let revision = wire::RollupRevision {
        started_unix_nanos: START,
        number,
    };
    let newer = wire::ClusterRollup {
        revision: Some(revision),
        ..wire::ClusterRollup::default()
    };
    let mut all = bytes.to_vec();
    all.extend(newer.encode_to_vec());
    all
}
