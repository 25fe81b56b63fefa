//! What a drive did, as the node's own tap saw it.

use std::collections::BTreeMap;

use fathom_model::{Op, Tap};

use crate::record::NodeEvents;

/// Requests that a drive has completed, in the order of their completion.
#[derive(Debug, Default)]
pub(super) struct Done {
    reads: Vec<One>,
    writes: Vec<One>,
}

/// A request.
#[derive(Clone, Copy, Debug)]
struct One {
    /// Completion in true time.
    end: u64,
    bytes: u64,
    nanos: u64,
    /// The longest of those up to this.
    longest: u64,
}

/// Requests of one kind within a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) nanos: u64,
}

impl Done {
    /// Of each of a node's drives, by name.
    pub(super) fn of_drives(node: &NodeEvents) -> BTreeMap<&str, Self> {
        let drives = node.devices.iter().filter(|device| device.tap == Tap::Device);
        let mut done: BTreeMap<&str, Self> = drives.map(|drive| (drive.name.as_str(), Self::default())).collect();
        for (event, times) in node.rows.iter().zip(&node.true_times) {
            if event.tap != Tap::Device {
                continue;
            }
            let Some(drive) = done.get_mut(node.devices[event.device as usize].name.as_str()) else {
                continue;
            };
            let one = One {
                end: times.1,
                bytes: event.length,
                nanos: times.1.saturating_sub(times.0),
                longest: 0,
            };
            match event.op {
                Op::Read => drive.reads.push(one),
                Op::Write => drive.writes.push(one),
                Op::Flush | Op::Unmap => {}
            }
        }
        for drive in done.values_mut() {
            for all in [&mut drive.reads, &mut drive.writes] {
                all.sort_unstable_by_key(|one| one.end);
                let mut longest = 0;
                for one in all {
                    longest = one.nanos.max(longest);
                    one.longest = longest;
                }
            }
        }
        done
    }

    fn of(&self, op: Op) -> &[One] {
        match op {
            Op::Read => &self.reads,
            _ => &self.writes,
        }
    }

    /// The longest request of a kind that was completed by a time; none where none was.
    pub(super) fn longest(&self, op: Op, at: u64) -> Option<u64> {
        let all = self.of(op);
        let by = all.partition_point(|one| one.end <= at);
        all.get(by.checked_sub(1)?).map(|one| one.longest)
    }

    /// What was completed after one time and by another.
    pub(super) fn between(&self, op: Op, after: u64, by: u64) -> Sum {
        let all = self.of(op);
        let from = all.partition_point(|one| one.end <= after);
        let own = all[from..].iter().take_while(|one| one.end <= by);
        own.fold(Sum::default(), |sum, one| Sum {
            requests: sum.requests + 1,
            bytes: sum.bytes + one.bytes,
            nanos: sum.nanos + one.nanos,
        })
    }
}
