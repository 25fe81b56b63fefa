//! Why a request may have no answer although the clock is right: those say nothing of it.

use fathom_model::{DiskIndex, StreamIndex, Tap};
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::Engine;
use super::super::resolve::{contains, interval};
use super::super::shifts::mapped_offset;
use super::Asked;
use crate::assign::Interval;

/// Events of one disk by offset.
#[derive(Default)]
struct Shown {
    events: Vec<(u64, u64, fathom_model::Op, Interval)>,
    longest: u64,
}

impl Engine {
    /// Leaves out requests that were not answered where the clock has it when there may be a cause other than the clock: their disk
    /// shows offsets that are not known yet, or its cache took them, or a drive made them one of several or several of one.
    pub(super) fn leave_out_other_causes(&self, stream: StreamIndex, far: StreamIndex, asked: &mut Vec<Asked>) {
        let tap = self.far_tap(far);
        let fitting = asked.iter().filter(|asked| asked.fits);
        let fitting: FxHashSet<DiskIndex> = fitting.map(|asked| asked.place.disk).collect();
        asked.retain(|asked| {
            let disk = asked.place.disk;
            // Of a disk on which nothing was ever found where the map has it, an event at such a place is there by chance.
            let is_known = fitting.contains(&disk) || self.shifts.is_known(disk, tap);
            asked.fits || (is_known && !(tap == Tap::Device && self.caches.has(disk)))
        });
        if tap == Tap::Device {
            self.leave_out_reshaped(stream, far, asked);
        }
    }

    /// Leaves out requests that were not answered where an event of another length has a part of them, in their time: what else
    /// has their key is another's.
    fn leave_out_reshaped(&self, stream: StreamIndex, far: StreamIndex, asked: &mut Vec<Asked>) {
        let clock = &self.clocks[&(stream, far)];
        let span = |asked: &Asked| asked.span(|x| clock.present(&self.config, x));
        let open = |asked: &&Asked| !asked.fits;
        let spans = asked.iter().filter(open).filter_map(span);
        let Some(whole) = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else {
            return;
        };
        let disks = asked.iter().filter(open);
        let disks: FxHashSet<DiskIndex> = disks.map(|asked| asked.place.disk).collect();
        let shown = self.shown(far, whole, &disks);
        asked.retain(|asked| {
            let Some((of_disk, span)) = shown.get(&asked.place.disk).zip(span(asked)) else {
                return true;
            };
            let (offset, length) = (asked.place.offset, asked.place.length);
            let first = offset.saturating_sub(of_disk.longest);
            let from = of_disk.events.partition_point(|event| event.0 < first);
            let near = of_disk.events[from..]
                .iter()
                .take_while(|event| event.0 < offset.saturating_add(length));
            let mut parts = near.filter(|&&(at, bytes, op, time)| {
                bytes != length && op == asked.op && at.saturating_add(bytes) > offset && contains(span, time)
            });
            asked.fits || parts.next().is_none()
        });
    }

    /// What a far stream's drives show in a stretch of its time.
    fn shown(
        &self,
        far: StreamIndex,
        (from, until): Interval,
        disks: &FxHashSet<DiskIndex>,
    ) -> FxHashMap<DiskIndex, Shown> {
        let mut shown: FxHashMap<DiskIndex, Shown> = FxHashMap::default();
        let mut add = |disk: DiskIndex, offset: u64, length: u64, op, time: Interval| {
            if disks.contains(&disk) && contains((from, until), time) {
                let of_disk = shown.entry(disk).or_default();
                of_disk.events.push((offset, length, op, time));
                of_disk.longest = of_disk.longest.max(length);
            }
        };
        for (_, event) in &self.pool.events {
            let of_far = event.event.stream == far && event.tap == Tap::Device;
            if let Some(disk) = event.disk.filter(|_| of_far) {
                add(disk, event.offset, event.length, event.op, interval(event));
            }
        }
        let state = &self.streams[&far];
        state.lane.for_each_ended(from, until.saturating_add(1), |batch, row| {
            let columns = &batch.columns;
            let disk = state.devices[columns.devices()[row] as usize].disk;
            if let Some(disk) = disk.filter(|_| columns.taps()[row] == Tap::Device) {
                let time = (columns.starts_unix_nanos()[row], batch.end(row));
                let offset = mapped_offset(&state.devices, batch, row);
                add(disk, offset, columns.lengths()[row], columns.ops()[row], time);
            }
        });
        for of_disk in shown.values_mut() {
            of_disk.events.sort_unstable_by_key(|event| event.0);
        }
        shown
    }
}
