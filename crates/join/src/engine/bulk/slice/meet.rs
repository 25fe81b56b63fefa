//! Events of lanes meet the claims of a slice.

use fathom_model::Tap;

use super::super::decide::{Event, widen};
use super::super::{At, NOTHING};
use super::hot::{Hot, Met, Near, Scratch};
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
            let columns = batch.columns();
            batch.for_each_at(
                reach.from,
                reach.until,
                |tap| tap != Tap::Volume,
                |row| {
                    let entry = &entries[columns.devices[row] as usize];
                    let is_peers = columns.taps[row] == Tap::Initiator && entry.peer != NOTHING;
                    let node = if is_peers { entry.peer } else { own.node.0 };
                    let offset = columns.offsets[row].wrapping_sub_signed(entry.shift);
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
                },
            );
            self.meet_near(side, (number, batch), &near, scratch);
            near.clear();
        }
        scratch.near = near;
    }

    fn meet_near(&self, side: usize, (number, batch): (u32, &Batch), near: &[Near], scratch: &mut Scratch) {
        // What another life of the node saw is not what is looked for.
        let speaks = self.context.far(self.context.sides[side].node.0) == Some(side);
        let columns = batch.columns();
        for near in near {
            let row = near.row as usize;
            let (start, end) = (columns.starts[row], columns.end(row));
            let event = Event {
                at: At {
                    batch: number,
                    row: near.row,
                },
                ordinal: batch.first + row as u64,
                start,
                end,
                length: columns.lengths[row],
                status: columns.statuses[row],
                device: columns.devices[row],
                op: columns.ops[row],
            };
            let tap = columns.taps[row];
            let kind = match tap {
                Tap::Initiator => 0,
                Tap::Target => 1,
                _ => 2,
            };
            let is_leg = kind == 0;
            let met = Met {
                span: (start, end),
                leg_of: is_leg.then_some(side as u16),
            };
            // A leg that ended after its I/O may be that of several.
            let may_have = |claim: &Hot| is_leg || self.may_have(claim, side, tap, met.span);
            scratch.meet((event, kind), near, &met, may_have, !is_leg && !speaks);
        }
    }

    /// Whether an event at a tap of a far side may be a claim's by all that is known of the clocks: if it lies inside the I/O. False
    /// is for sure.
    fn may_have(&self, claim: &Hot, far: usize, tap: Tap, (start, end): (i64, i64)) -> bool {
        let context = self.context;
        let side = usize::from(claim.side);
        let own = &context.sides[side];
        let slack = own.own_slack();
        let until = claim.own.1.saturating_sub(slack);
        let from = claim.own.0.saturating_add(slack);
        let from = from.max(until.saturating_sub(context.longest_io_nanos));
        let low = context.offset(side, far, from);
        let high = context.offset(side, far, until);
        let (Some((low, _)), Some((_, high))) = (low, high) else {
            return true;
        };
        let slack = own.resolution(Tap::Volume) + context.sides[far].resolution(tap);
        let (from, until) = widen((from, until), slack);
        from.saturating_add(low) <= start && end <= until.saturating_add(high)
    }
}
