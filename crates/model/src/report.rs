//! What Fathom answers: the numbers of a stretch of time, in names and raw integers.
//!
//! These are the shapes of the CLI's JSON (schema 1, `docs/design/0005-json-output.md`): nanoseconds and bytes as integers, `null`
//! for what is not known. Keys may be added; none changes its meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything that is said about a stretch of time at once.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Report {
    /// What was joined.
    pub joined: Joined,
    /// Latency by tap and node.
    pub latency: Vec<Latency>,
    /// Who came last, a disk.
    pub last_copies: Vec<LastCopy>,
    /// Who came last, a node.
    #[serde(default)]
    pub last_copies_by_node: Vec<LastCopy>,
    /// Who came last, a pair of nodes between which copies went.
    #[serde(default)]
    pub last_copies_by_pair: Vec<LastCopy>,
    /// What is worse than its peers or its own past; `None` when nothing is.
    pub culprit: Option<Culprit>,
    /// All that is worse than its equals at some time, the costliest first: several may be wrong at once.
    #[serde(default)]
    pub culprits: Vec<Culprit>,
    /// The slowest write with its legs.
    pub slowest_write: Option<IoDetail>,
    /// What is known of the clocks.
    pub clocks: Vec<Clock>,
    /// What was not seen.
    pub unseen: Unseen,
}

/// How many I/Os and legs were joined, and how surely. exact + ambiguous + incomplete = writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Joined {
    /// Writes.
    pub writes: u64,
    /// Copies of writes of which anything was seen.
    pub legs: u64,
    /// Copies of writes that the extent map asks for.
    pub legs_expected: u64,
    /// Writes with every expected copy found and only one possible assignment.
    pub exact: u64,
    /// Writes with everything found, but more than one possible assignment.
    pub ambiguous: u64,
    /// Writes with something missing.
    pub incomplete: u64,
    /// Reads.
    pub reads: u64,
    /// Flushes.
    pub flushes: u64,
    /// Unmaps.
    pub unmaps: u64,
    /// Writes of which it is not known which copy came last.
    #[serde(default)]
    pub last_unknown: u64,
}

/// What was not seen, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Unseen {
    /// Observations missing from legs of writes, by node, tap and cause.
    pub missing: Vec<MissingCount>,
    /// Events that no I/O has.
    pub unmatched: Vec<UnmatchedCount>,
    /// Nodes that no daemon speaks for, or that went silent.
    pub nodes: Vec<UnseenNode>,
    /// Oddities of the recording or the store, one sentence each.
    pub warnings: Vec<String>,
}

/// Observations missing for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct MissingCount {
    /// The node that would have seen them.
    pub node: String,
    /// The tap.
    pub tap: String,
    /// Why.
    pub cause: String,
    /// How many.
    pub legs: u64,
}

/// Events that no I/O has, of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct UnmatchedCount {
    /// The node that saw them.
    pub node: String,
    /// The disk as the node names it, of events at `target` and `device`; null at all other taps, which have a device a path.
    pub device: Option<String>,
    /// The tap.
    pub tap: String,
    /// The operation.
    pub op: String,
    /// Why no I/O has them.
    pub cause: String,
    /// How many.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A node that was not heard.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct UnseenNode {
    /// The node.
    pub node: String,
    /// `no_daemon`, `silent`, `not_connected` (it has not finished and is not connected now), or `was_silent` (it is heard now, and
    /// in the time that was asked about windows closed without it).
    pub cause: String,
}

/// Latency of what one group of I/Os or legs took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Latency {
    /// The tap.
    pub tap: String,
    /// The node that saw it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// The disk, when asked by disk.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disk: Option<String>,
    /// The volume, when asked by volume.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub volume: Option<String>,
    /// The initiator, when asked by pair; `node` is then the far node.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peer: Option<String>,
    /// How many.
    pub count: u64,
    /// Half were at most this.
    pub p50_ns: u64,
    /// 95 % were at most this.
    pub p95_ns: u64,
    /// 99 % were at most this.
    pub p99_ns: u64,
    /// The slowest.
    pub max_ns: u64,
}

/// How often, and at what price, writes waited for the copy on a disk, on a node, or that went between two nodes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct LastCopy {
    /// The node; of a pair the one whose name comes first.
    pub node: String,
    /// The disk; `None` of nodes and pairs.
    pub disk: Option<String>,
    /// The other node of a pair; `None` of disks and nodes.
    #[serde(default)]
    pub peer: Option<String>,
    /// Writes of at least two copies with a copy there whose last copy is known.
    pub writes: u64,
    /// In which share of them this copy was the last.
    pub share: f64,
    /// Between which shares that is with 95 % confidence: as many writes as there were, each drawn for itself, would show it with a share
    /// inside of these.
    #[serde(default)]
    pub share_low: f64,
    /// See [`Self::share_low`].
    #[serde(default)]
    pub share_high: f64,
    /// The share to be expected, given in which order copies were sent, if all disks and links were alike.
    pub expected_share: f64,
    /// What those writes waited for it after the second-last copy, in all, of the writes where that is known; null where it is
    /// known of none.
    pub added_ns: Option<u64>,
    /// Of how many of `writes` it is known how long they waited after the second-last copy; null from a coordinator of before this was
    /// said.
    #[serde(default)]
    pub added_writes: Option<u64>,
}

/// Who is to blame.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Culprit {
    /// `disk`, `link` (`node` is the far node, `peer` the initiator), `node` (its bus target), `initiator` (time of its writes
    /// outside all legs), `job` (`resource` is its id), or `unknown` when something is worse and the evidence does not say what. An
    /// open word: later versions add more.
    pub kind: String,
    /// The node.
    pub node: Option<String>,
    /// The disk, of a `disk`.
    pub disk: Option<String>,
    /// The initiator, of a `link` or an `unknown`.
    pub peer: Option<String>,
    /// The id of the storage job, of a `job`; null of all else.
    #[serde(default)]
    pub resource: Option<String>,
    /// How sure: how much of the time added in the bad stretches this explains, less where the evidence cannot tell two suspects
    /// apart.
    pub confidence: f64,
    /// What it cost: time that writes waited for it beyond what is usual for its peers, or was usual for itself. 0, which no cost is that
    /// is known: it is not known; null in JSON.
    #[serde(default, with = "null_of_zero")]
    pub cost_ns: u64,
    /// The part of it that is of writes of which it is not known that they waited for it.
    #[serde(default)]
    pub guessed_ns: u64,
    /// The part of it that writes show of which the drive or the far side was not seen: it was seen there in others at the same time.
    #[serde(default)]
    pub hidden_ns: u64,
    /// When it began: the first write that felt it, RFC 3339, on the initiator's clock.
    pub since: String,
    /// When it was last felt.
    pub until: String,
    /// Why.
    pub evidence: Vec<Evidence>,
}

impl Culprit {
    /// Whether both are of one suspect, whatever is said of it. What is `unknown` is behind a node, whoever asked it.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let ends = |culprit: &Self| (culprit.node.clone(), culprit.peer.clone());
        let (own, theirs) = (ends(self), ends(other));
        let peers = own.1 == theirs.1 || self.kind == "unknown";
        // A link is the same from either end.
        let turned = self.kind == "link" && (&own.0, &own.1) == (&theirs.1, &theirs.0);
        (&self.kind, &self.disk, &self.resource) == (&other.kind, &other.disk, &other.resource)
            && (own.0 == theirs.0 && peers || turned)
    }
}

/// A number of which 0 says that it is not known.
mod null_of_zero {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        Some(*number).filter(|number| *number > 0).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(0))
    }
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Evidence {
    /// In words, with numbers.
    pub text: String,
    /// Writes that show it, so that anyone can check.
    pub writes: Vec<String>,
}

/// The writes that a flush made durable and none before it: those of its volume and initiator that completed after the flush before
/// it began, and no later than it began itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// How many.
    pub writes: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the first of them completed, on the initiator's clock; none where there is none.
    pub from_unix_ns: Option<i64>,
    /// When the flush began.
    pub until_unix_ns: i64,
    /// When the flush before it began; none where none was seen in the ten minutes before: then there may be more writes.
    pub since_unix_ns: Option<i64>,
}

/// The flush that made a write durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoveredBy {
    /// Its name.
    pub id: String,
    /// When it was done, on the initiator's clock.
    pub durable_unix_ns: i64,
    /// So long after the write was.
    pub after_ns: u64,
}

/// One I/O with its legs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct IoDetail {
    /// Its name.
    pub id: String,
    /// The initiator.
    pub node: String,
    /// The volume.
    pub volume: String,
    /// `read`, `write`, `flush` or `unmap`.
    pub op: String,
    /// Byte offset in the volume.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Start, nanoseconds since 1970 on the initiator's clock.
    pub start_unix_ns: i64,
    /// How long it took.
    pub duration_ns: u64,
    /// 0 for success, else the source's own code.
    pub status: u32,
    /// `exact`, `ambiguous` or `incomplete`.
    pub class: String,
    /// Copies that the extent map asks for.
    pub legs_expected: u32,
    /// The copy that it waited for.
    pub slowest: Option<SlowestDetail>,
    /// Its legs, by part and copy.
    pub legs: Vec<LegDetail>,
    /// Where its time went; null of one without legs, and of a coordinator of before this was told.
    #[serde(default)]
    pub parts: Option<IoParts>,
}

/// The least and the most that something may be, in nanoseconds; the same where it is known.
pub type Bounds = [u64; 2];

/// Where the time of an I/O went. Where every leg was seen at the initiator the three are exact and add up to the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct IoParts {
    /// From its start until the first leg was sent.
    pub before_ns: Bounds,
    /// From then until the last leg was acknowledged.
    pub legs_ns: Bounds,
    /// From then until its end.
    pub after_ns: Bounds,
    /// How long the last copy kept it waiting beyond the second-last, as part of `legs_ns`; null where that is not known well enough.
    pub last_copy_ns: Option<u64>,
}

/// Where the time of a leg went; what was not seen is null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct LegParts {
    /// All of it, as the initiator saw it; of a copy on the initiator's own node the drive's time.
    pub whole_ns: Option<u64>,
    /// On the network, both ways: the leg less the target's time. Null on the initiator's own node too.
    pub way_ns: Option<u64>,
    /// Until the far side had it: the target, or where that was not seen the drive.
    pub there_ns: Option<Bounds>,
    /// From when the far side was done until the initiator knew.
    pub back_ns: Option<Bounds>,
    /// In the far side's queue: the target's time less the drive's.
    pub queue_ns: Option<u64>,
    /// Network and queue as one number, where the target was not seen: the leg less the drive's time.
    pub way_and_queue_ns: Option<u64>,
    /// At the drive.
    pub drive_ns: Option<u64>,
}

/// The copy that an I/O waited for.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct SlowestDetail {
    /// The node.
    pub node: String,
    /// The disk.
    pub disk: String,
    /// Part number.
    pub part: u32,
    /// Copy number.
    pub copy: u32,
    /// How long after the second-last copy; null where that is not known well enough.
    pub lead_ns: Option<u64>,
    /// How sure.
    pub confidence: f64,
}

/// One leg. Times are [start, end] since the I/O's start, on the initiator's clock; those of the far side are moved by
/// the best estimate of its clock's offset.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct LegDetail {
    /// Part number.
    pub part: u32,
    /// Copy number.
    pub copy: u32,
    /// The node that holds it.
    pub node: String,
    /// The disk that holds it.
    pub disk: String,
    /// Byte offset on the disk.
    pub disk_offset: u64,
    /// Bytes.
    pub length: u64,
    /// Whether it is on the initiator's own node.
    pub local: bool,
    /// As the initiator saw it.
    pub initiator_ns: Option<[i64; 2]>,
    /// At the far side's bus target.
    pub target_ns: Option<[i64; 2]>,
    /// At the drive.
    pub device_ns: Option<[i64; 2]>,
    /// Taps that should have seen it and did not, with the cause.
    pub missing: BTreeMap<String, String>,
    /// `key`, `order` or `time`.
    pub method: String,
    /// How sure.
    pub confidence: f64,
    /// Whether another assignment was possible.
    pub ambiguous: bool,
    /// Whether the I/O may have waited for this leg.
    pub candidate: bool,
    /// The copy node's clock minus the initiator's.
    pub clock_offset_ns: Option<i64>,
    /// The truth lies within this of the offset.
    pub clock_error_ns: Option<u64>,
    /// Ordinal of the initiator's event in its stream; in a recording that is played without leaving out taps the row.
    pub initiator_ordinal: Option<u64>,
    /// Ordinal of the target's event.
    pub target_ordinal: Option<u64>,
    /// Ordinals of the drive's events; several where it split the request.
    pub device_ordinals: Vec<u64>,
    /// Where its time went.
    #[serde(default)]
    pub parts: LegParts,
}

/// A node's clock as seen from an initiator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Clock {
    /// The node.
    pub node: String,
    /// The initiator.
    pub reference: String,
    /// The node's clock minus the initiator's; null where it is not known.
    pub offset_ns: Option<i64>,
    /// How much faster it runs, in parts per billion.
    pub drift_ppb: Option<i64>,
    /// The truth lies within this of the offset.
    pub error_ns: Option<u64>,
}

/// How fan-outs compare with a recording's truth. Shares are of writes in the truth; null where the truth has nothing to
/// compare.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Score {
    /// Writes whose target and drive events are exactly those of the truth.
    pub exact_fanout: Option<f64>,
    /// Of the target and drive events claimed, how many are right.
    pub leg_precision: Option<f64>,
    /// Of the legs with target or drive events in the truth, how many were found.
    pub leg_recall: Option<f64>,
    /// Of the writes whose slowest copy is known in the truth, how many were named right.
    pub slowest_copy: Option<f64>,
    /// Of those that were named, how many are right.
    pub slowest_copy_named: Option<f64>,
    /// Whether the true clock offset was within the stated error for every copy; null without the true clocks.
    pub clock_bound_held: Option<bool>,
    /// Copies whose clock was stated, of the copies joined.
    pub clock_stated: Option<f64>,
    /// Median of the stated clock errors.
    pub clock_error_median_ns: Option<u64>,
}
