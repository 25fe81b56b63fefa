//! The events of a made-up cluster as its daemons would send them.

use super::*;

impl Cluster {
    /// A stream a node, in the order of the nodes, with all that was not lost.
    pub(in super::super) fn streams(&self) -> Vec<Made> {
        (0..self.nodes.len())
            .map(|node| self.stream(node, |_| true, 1))
            .collect()
    }

    /// The same, where a node starts anew at some moment: what it completed later comes by another stream.
    pub(in super::super) fn streams_with_new_start(&self, node: usize, moment: i64) -> Vec<Made> {
        let mut streams = self.streams();
        let mut before = self.stream(node, |draft| draft.end < moment, 1);
        before.end = End::Replaced;
        let until = before.clock.read(moment);
        before.heard.iter_mut().for_each(|heard| *heard = until.min(*heard));
        let mut after = self.stream(node, |draft| draft.end >= moment, 2);
        after.info.covered_from_unix_nanos = Some(until);
        after.after = Some(node);
        streams[node] = before;
        streams.push(after);
        streams
    }

    /// A stream of the events of a node that `keep` lets through.
    pub(in super::super) fn stream(&self, node: usize, keep: impl Fn(&Draft) -> bool, incarnation: u8) -> Made {
        let clock = self.clocks[node];
        let gives = |tap: &Tap| !self.options.without.contains(tap);
        let mut own = Vec::new();
        for (at, draft) in self.drafts.iter().enumerate() {
            let mut fate = Rng::new(self.options.seed ^ (at as u64 + 1).wrapping_mul(0xff51_afd7_ed55_8ccd));
            let logged = draft.end + fate.between(0, self.options.disorder_nanos + 1);
            let lost = fate.chance(self.options.lost_per_mille);
            let lost = lost && self.options.lost_at.is_none_or(|tap| tap == draft.device.tap);
            if draft.node == node && gives(&draft.device.tap) && !lost && keep(draft) {
                own.push((logged, at, draft));
            }
        }
        own.sort_by_key(|&(logged, at, _)| (logged, at));
        let mut devices: Vec<Device> = Vec::new();
        let mut events = Vec::new();
        for &(_, number, draft) in &own {
            let at = devices
                .iter()
                .position(|device| *device == draft.device)
                .unwrap_or_else(|| {
                    devices.push(draft.device.clone());
                    devices.len() - 1
                });
            let step = self.resolution(draft.device.tap) as i64;
            let start = clock.read(draft.start);
            let end = start + clock.unset(draft.end) - clock.unset(draft.start);
            events.push(IoEvent {
                tap: draft.device.tap,
                device: at as u32,
                op: draft.op,
                offset: if draft.device.has_offsets {
                    draft.offset + self.shift_of(draft)
                } else {
                    0
                },
                length: draft.length,
                start_unix_nanos: start / step * step,
                duration_nanos: ((end - start) / step * step) as u64,
                status: draft.status,
                correlation: match self.options.irps {
                    Irps::None => None,
                    Irps::Own => Some(number as u64),
                    Irps::Shared => draft.owner.io.map(|io| (1 << 32) + io as u64),
                },
            });
        }
        let last = self.drafts.iter().map(|draft| draft.end).max().unwrap_or(START);
        let mut heard = vec![clock.read(last.max(START + self.options.millis * MS) + 10 * MS)];
        for event in events.iter().rev() {
            heard.push(event.end_unix_nanos().min(*heard.last().unwrap()));
        }
        heard.reverse();
        let mut taps = vec![Tap::Volume, Tap::Initiator];
        if !self.options.converged && node < self.options.nodes {
            taps = vec![Tap::Target, Tap::Device];
        } else if self.options.converged {
            taps.extend([Tap::Target, Tap::Device]);
        }
        Made {
            info: StreamInfo {
                id: stream_id(&self.nodes[node], incarnation),
                taps: taps
                    .into_iter()
                    .filter(gives)
                    .map(|tap| (tap, self.resolution(tap)))
                    .collect(),
                covered_from_unix_nanos: Some(clock.read(START) - MS),
            },
            node,
            clock,
            devices,
            owners: own.iter().map(|(_, _, draft)| draft.owner).collect(),
            began: own.iter().map(|(_, _, draft)| draft.start).collect(),
            events,
            heard,
            end: End::Finished,
            after: None,
        }
    }

    /// How far the offset of an event is shifted.
    fn shift_of(&self, draft: &Draft) -> u64 {
        let tap = match draft.device.tap {
            Tap::Device => true,
            Tap::Target => self.options.shift_targets,
            _ => false,
        };
        match &draft.device.disk {
            Some(disk) if tap && draft.op != Op::Flush && self.options.shift_bytes > 0 => self.disk_shift(disk),
            _ => 0,
        }
    }

    /// By how many bytes a disk's offsets are shifted: never 0.
    pub(in super::super) fn disk_shift(&self, disk: &fathom_model::PhysicalDiskId) -> u64 {
        let name = disk.as_str().bytes().fold(self.options.seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        4096 * (1 + (name >> 16) % (self.options.shift_bytes / 4096))
    }

    /// How many I/Os have an event of their own among what was not lost, by number.
    pub(in super::super) fn numbers(streams: &[Made]) -> BTreeMap<usize, (usize, u64)> {
        let mut found = BTreeMap::new();
        for (at, stream) in streams.iter().enumerate() {
            for (ordinal, (event, owner)) in stream.events.iter().zip(&stream.owners).enumerate() {
                if let (Tap::Volume, Some(io)) = (event.tap, owner.io) {
                    found.insert(io, (at, ordinal as u64));
                }
            }
        }
        found
    }
}
