//! Drives, links and processors, and how long each takes for what.
//!
//! The defaults are an all-flash cluster on RDMA that is well: a random 4 KiB write takes 0.3 to 0.8 ms at its volume (p50) and
//! less than 2 ms in 99 of 100 cases. No single part's figure is from a data sheet; together they give those.

use serde::{Deserialize, Serialize};

/// The drives of every node.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Disks {
    /// Drives a node, 1 to 64. Default 4.
    pub count: u32,
    /// Bytes of each. Default 1 TiB.
    pub capacity_bytes: u64,
    /// Requests that a drive works on at the same time. Default 8.
    pub channels: u32,
    /// Median of a write without its transfer, in microseconds. Default 110.
    pub write_micros: f64,
    /// Median of a read without its transfer, in microseconds. Default 90.
    pub read_micros: f64,
    /// Median of a flush, in microseconds. Default 30: there is power loss protection.
    pub flush_micros: f64,
    /// Median of an unmap, in microseconds. Default 25.
    pub unmap_micros: f64,
    /// Spread (sigma of the logarithm) of all of them. Default 0.3.
    pub sigma: f64,
    /// Bytes a second that one channel moves. Default 500 MB/s.
    pub channel_bytes_per_second: f64,
    /// Share of requests that meet the drive's own housekeeping. Default 0.01.
    pub tail_share: f64,
    /// Mean of what those take longer, in microseconds. Default 500.
    pub tail_micros: f64,
    /// Largest request; a longer one is split. Default 1 MiB.
    pub max_transfer_bytes: u64,
    /// How long a write waits for one that continues it, to become one request with it, in microseconds. Default 0: no merges.
    pub merge_micros: f64,
    /// Where not 0, offsets at the far side are shifted by a constant of each drive: a multiple of 4096 of at most this, in
    /// bytes. Default 0.
    pub shift_bytes: u64,
    /// From which tap on they are shifted. Default device.
    pub shift_from: ShiftFrom,
    /// Whether drives say how often they had to try again (reliability counters); many NVMe drives do not. Default false.
    pub error_counters: bool,
    /// Whether a cache drive of each node takes the writes, at offsets of its own, and gives them to the capacity drives later
    /// (domain/README.md, finding 8). Default false.
    pub cache: bool,
}

impl Default for Disks {
    fn default() -> Self {
        Self {
            count: 4,
            capacity_bytes: 1 << 40,
            channels: 8,
            write_micros: 110.0,
            read_micros: 90.0,
            flush_micros: 30.0,
            unmap_micros: 25.0,
            sigma: 0.3,
            channel_bytes_per_second: 500e6,
            tail_share: 0.01,
            tail_micros: 500.0,
            max_transfer_bytes: 1 << 20,
            merge_micros: 0.0,
            shift_bytes: 0,
            shift_from: ShiftFrom::Device,
            error_counters: false,
            cache: false,
        }
    }
}

/// The first tap whose offsets are shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShiftFrom {
    /// The bus target and the drive: what initiator and target show differs.
    Target,
    /// The drive alone.
    Device,
}

/// Adapters of a node that carry storage, one a network.
pub const ADAPTERS: u32 = 2;

/// The links; each direction between two nodes is one of its own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Network {
    /// Bits a second of each direction, in billions. Default 25.
    pub gigabits_per_second: f64,
    /// Median of a message's way without its transfer, adapters and switch included, in microseconds. Default 45.
    pub one_way_micros: f64,
    /// Spread (sigma of the logarithm) of the way. Default 0.25.
    pub sigma: f64,
    /// Bytes of a message beside its data. Default 128.
    pub header_bytes: u64,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            gigabits_per_second: 25.0,
            one_way_micros: 45.0,
            sigma: 0.25,
            header_bytes: 128,
        }
    }
}

/// The processors of every node, and what an I/O takes of them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Cpus {
    /// Cores that storage may use at the same time. Default 8.
    pub cores: u32,
    /// Median before the first copy is sent, in microseconds. Default 50.
    pub submit_micros: f64,
    /// Between one copy and the next, which are sent in order, in microseconds. Default 6.
    pub send_gap_micros: f64,
    /// Median for a message that arrives, in microseconds. Default 8.
    pub message_micros: f64,
    /// Median after the last copy, in microseconds. Default 12.
    pub complete_micros: f64,
    /// Spread (sigma of the logarithm) of all of them. Default 0.35.
    pub sigma: f64,
}

impl Default for Cpus {
    fn default() -> Self {
        Self {
            cores: 8,
            submit_micros: 50.0,
            send_gap_micros: 6.0,
            message_micros: 8.0,
            complete_micros: 12.0,
            sigma: 0.35,
        }
    }
}
