//! Made-up fan-outs for this crate's tests.

use fathom_model::fan_out::MoreOrdinals;
use fathom_model::{
    Catalog, ClockStatement, Incarnation, Io, IoClass, JoinedRows, Leg, LegMethod, Observation, Op, PhysicalDisk,
    Slowest, StreamId, StreamIndex, StreamKind, Tap, Unmatched, UnmatchedCause,
};

pub(crate) const START: i64 = 1_790_000_000_000_000_000;

/// What one leg takes, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) way: u64,
    pub(crate) target: u64,
    pub(crate) device: u64,
}

/// A write to be made up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// Time since the start.
    pub(crate) at: i64,
    /// The initiator; a copy on it is local: nothing but its drive is seen.
    pub(crate) from: &'a str,
    /// What each copy takes; of a local one only the drive's time counts.
    pub(crate) times: [Times; 3],
    /// How long before the first copy is sent.
    pub(crate) before: i64,
    /// Taps that saw nothing.
    pub(crate) without: &'a [Tap],
}

/// A cluster of initiators `i0` and `i1` and three nodes with a disk each, which may write too.
pub(crate) struct Cluster {
    pub(crate) catalog: Catalog,
    pub(crate) rows: JoinedRows,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let mut catalog = Catalog::default();
        catalog.intern_volume(&"vol0".into());
        for node in ["i0", "i1", "t0", "t1", "t2"] {
            catalog.intern_node(&node.into());
            catalog.intern_stream(&StreamId {
                cluster: "c".into(),
                node: node.into(),
                kind: StreamKind::Io,
                incarnation: Incarnation::from_bytes([7; 16]),
            });
        }
        for node in ["t0", "t1", "t2"] {
            let id = format!("{node}/disk0");
            catalog.intern_disk(&PhysicalDisk {
                id: id.as_str().into(),
                node: node.into(),
                name: "disk0".to_owned(),
            });
        }
        Self {
            catalog,
            rows: JoinedRows::default(),
        }
    }

    /// Adds a write of `i0` at a time since the start; copies are sent 30 us apart. Taps in `without` saw nothing.
    pub(crate) fn write(&mut self, at: i64, times: [Times; 3], without: &[Tap]) {
        self.make(Request {
            at,
            from: "i0",
            times,
            before: 0,
            without,
        });
    }

    /// Adds a write; copies are sent 30 us apart.
    pub(crate) fn make(&mut self, request: Request<'_>) {
        let node = self.catalog.find_node(&request.from.into()).unwrap();
        let seen = |start: i64, nanos: u64| Observation {
            stream: StreamIndex(node.0),
            ordinal: self.rows.ios.len() as u64,
            start_unix_nanos: start,
            duration_nanos: nanos,
            status: 0,
        };
        let start = START + request.at;
        let from = self.rows.legs.len();
        let (mut ends, mut last) = (Vec::new(), 0);
        for (copy, time) in request.times.into_iter().enumerate() {
            let holder = ["t0", "t1", "t2"][copy];
            let local = holder == request.from;
            let sent = start + request.before + 30_000 * copy as i64;
            let target = sent + if local { 0 } else { (time.way / 2) as i64 };
            let keep = |tap: Tap, seen: Observation| {
                (!request.without.contains(&tap) && (!local || tap == Tap::Device)).then_some(seen)
            };
            let service = time.target + time.device;
            let whole = if local { time.device } else { time.way + service };
            ends.push(sent + whole as i64);
            if ends[copy] > ends[last] {
                last = copy;
            }
            self.rows.legs.push(Leg {
                part: 0,
                copy: copy as u32,
                node: self.catalog.find_node(&holder.into()).unwrap(),
                disk: fathom_model::DiskIndex(copy as u32),
                disk_offset: 0,
                length: 4096,
                local,
                initiator: keep(Tap::Initiator, seen(sent, whole)),
                target: keep(Tap::Target, seen(target, service)),
                device: keep(Tap::Device, seen(target, time.device)),
                cache: None,
                merged: None,
                more: MoreOrdinals::default(),
                missing_initiator: None,
                missing_target: None,
                missing_device: None,
                method: LegMethod::Key,
                confidence: 1.0,
                ambiguous: false,
                candidate: copy == 0,
                clock: Some(ClockStatement {
                    offset_nanos: 0,
                    error_nanos: 1000,
                }),
            });
        }
        let before = ends
            .iter()
            .enumerate()
            .filter(|&(copy, _)| copy != last)
            .map(|(_, end)| *end)
            .max()
            .unwrap();
        let io = Io {
            event: seen(start, (ends[last] - start) as u64 + 20_000),
            node,
            volume: self.catalog.find_volume(&"vol0".into()).unwrap(),
            op: Op::Write,
            offset: 0,
            length: 4096,
            class: IoClass::Exact,
            legs_expected: 3,
            slowest: Some(Slowest {
                leg: from + last,
                lead_nanos: Some((ends[last] - before) as u64),
                confidence: 1.0,
            }),
            legs: from..from + 3,
        };
        self.rows.ios.push(io);
    }
}

/// Large writes to the drive of copy 1 that are of no write, 20 MiB a second, of a stretch in seconds since the start.
pub(crate) fn moved(from: i64, until: i64) -> Vec<Unmatched> {
    let one = |at: i64| Unmatched {
        event: Observation {
            stream: StreamIndex(3),
            ordinal: at.unsigned_abs(),
            start_unix_nanos: START + at * 50_000_000,
            duration_nanos: 2_000_000,
            status: 0,
        },
        tap: Tap::Device,
        node: fathom_model::NodeIndex(3),
        disk: Some(fathom_model::DiskIndex(1)),
        device: "disk0".to_owned(),
        op: Op::Write,
        offset: 0,
        length: 1 << 20,
        cause: UnmatchedCause::Foreign,
    };
    (from * 20..until * 20).map(one).collect()
}

/// Healthy times with some deterministic spread.
pub(crate) fn healthy(at: u64, copy: u64) -> Times {
    let noise = (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (copy << 17)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
    Times {
        way: 200_000 + noise % 100_000,
        target: 20_000 + noise % 7_000,
        device: 130_000 + noise % 50_000,
    }
}
