//! Events of lanes meet the claims of a slice.

use fathom_model::Tap;

use super::super::decide::Event;
use super::super::{At, NOTHING};
use super::hot::{Hot, Near, Scratch};
use super::{Reach, Work};
use crate::engine::lane::Batch;

/// So many events of a batch are looked up before what they find is looked at.
const MET_AT_ONCE: usize = 256;

impl Work<'_> {
    /// Looks at the events of a side that may touch claims of the slice.
    pub(super) fn meet(&self, side: usize, reach: Reach, scratch: &mut Scratch) {
        if reach.from > reach.until {
            return;
        }
        let own = &self.context.sides[side];
        let lane = &self.engine.streams[&own.stream].lane;
        let entries = self.devices[side].as_slice();
        let mut near = std::mem::take(&mut scratch.near);
        for (number, batch) in lane.batches() {
            let columns = &batch.columns;
            let (taps, devices, offsets) = (columns.taps(), columns.devices(), columns.offsets());
            batch.for_each_between(reach.from, reach.until, |row| {
                let tap = taps[row];
                if tap == Tap::Volume {
                    return;
                }
                let entry = &entries[devices[row] as usize];
                let is_peers = tap == Tap::Initiator && entry.peer != NOTHING;
                let node = if is_peers { entry.peer } else { own.node.0 };
                let offset = offsets[row].wrapping_sub_signed(entry.shift);
                let head = scratch.head(node, offset);
                if head == NOTHING {
                    return;
                }
                near.push(Near {
                    offset,
                    node,
                    head,
                    row: row as u32,
                });
                // Several at a time: where claims are is known before any of them is looked at, so that the processor waits once.
                if near.len() == MET_AT_ONCE {
                    self.meet_near(side, (number, batch), &near, scratch);
                    near.clear();
                }
            });
            self.meet_near(side, (number, batch), &near, scratch);
            near.clear();
        }
        scratch.near = near;
    }

    fn meet_near(&self, side: usize, (number, batch): (u32, &Batch), near: &[Near], scratch: &mut Scratch) {
        // What another life of the node saw is not what is looked for.
        let speaks = self.context.far(self.context.sides[side].node.0) == Some(side);
        let columns = &batch.columns;
        for near in near {
            let row = near.row as usize;
            let (start, end) = (columns.starts_unix_nanos()[row], batch.end(row));
            let event = || Event {
                at: At {
                    batch: number,
                    row: near.row,
                },
                ordinal: batch.first + row as u64,
                start,
                end,
                length: columns.lengths()[row],
                status: columns.statuses()[row],
                device: columns.devices()[row],
                op: columns.ops()[row],
            };
            let span = (start, end);
            match columns.taps()[row] {
                Tap::Initiator => {
                    let touches = |claim: &Hot| claim.meets_leg(side as u16, span);
                    scratch.meet(event, near, touches, |claim| &mut claim.leg, false);
                }
                Tap::Target => {
                    let touches = |claim: &Hot| claim.meets_far(span);
                    scratch.meet(event, near, touches, |claim| &mut claim.target, !speaks);
                }
                _ => {
                    let touches = |claim: &Hot| claim.meets_far(span);
                    scratch.meet(event, near, touches, |claim| &mut claim.device, !speaks);
                }
            }
        }
    }
}
