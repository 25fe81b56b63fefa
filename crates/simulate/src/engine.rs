//! The run: a heap of events in true time, and what each of them brings about.
//!
//! A write is submitted, worked on, fanned out; each leg is sent, reaches its target, is issued to the drive, served, and replied
//! to; with the last reply the write is complete. A step that somebody has to wait for asks [`Hardware`] when it is done and comes
//! back on the heap at that time. Steps of the same time come in the order in which they were put there, so a run depends on
//! nothing but its configuration.

mod far_side;
mod legs;
mod repair;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fathom_model::{Op, Tap};
use rustc_hash::FxHashMap;

use self::far_side::{Gathering, Request};
use self::legs::{Io, Leg};
use self::repair::Job;
use crate::config::{Arrival, Config, ShiftFrom};
use crate::counted::Counted;
use crate::faults::{Death, Faults, Timed, nanos};
use crate::hardware::Hardware;
use crate::layout::{DiskNumber, Layout};
use crate::random::{Purpose, Random};
use crate::record::{DeviceKey, NOBODY, Recorder, Seen};
use crate::slots::Slots;
use crate::truth::Truth;
use crate::workload::Source;

/// After this a source that found no place for a write tries again, in nanoseconds.
const TRY_AGAIN: u64 = 50_000;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// A source makes its next I/O.
    Submit { source: u32 },
    /// An I/O's first copy goes.
    Fan { io: u32 },
    /// A leg goes.
    Send { leg: u32 },
    /// A leg's request, or its reply, goes on the wire.
    Wire { leg: u32, ticket: u32, reply: bool },
    /// A leg's request is at its target.
    Reach { leg: u32, ticket: u32 },
    /// The target has looked at it.
    Issue { leg: u32, ticket: u32 },
    /// A gathering of adjacent writes is over.
    Gathered { disk: DiskNumber, number: u64 },
    /// A drive has done a request.
    Driven { request: u32 },
    /// The target has looked at the drive's answer.
    Served { leg: u32, ticket: u32 },
    /// The reply is at the initiator.
    Back { leg: u32, ticket: u32 },
    /// The initiator has looked at the reply.
    Reply { leg: u32, ticket: u32 },
    /// The initiator has noticed that a leg failed.
    Fail { leg: u32, ticket: u32 },
    /// An I/O is done.
    Complete { io: u32 },
    /// A bus target dies, or comes back.
    Death { number: u32, alive: bool },
    /// A repair takes its next piece.
    Repair { job: u32 },
}

/// A cluster in mid-run.
#[derive(Debug)]
pub(crate) struct Engine<'a> {
    config: &'a Config,
    layout: &'a Layout,
    hardware: Hardware,
    recorder: Recorder,
    truth: Truth,
    sources: Vec<Source>,
    now: u64,
    heap: BinaryHeap<Reverse<(u64, u64, Step)>>,
    /// Steps put on the heap so far.
    steps: u64,
    ios: Slots<Io>,
    legs: Slots<Leg>,
    requests: Slots<Request>,
    /// Attempts so far: a step of an attempt that was given up finds another ticket and does nothing.
    tickets: u32,
    writes_made: u64,
    /// Writes under way, by volume and offset.
    under_way: FxHashMap<(u32, u64), u32>,
    deaths: Vec<Timed<Death>>,
    /// By node: who is dead now, by the number of the death.
    dead: Vec<Option<u32>>,
    jobs: Vec<Job>,
    gatherings: Vec<Option<Gathering>>,
    gathered: u64,
    /// By disk: what is added to its offsets at the far side.
    shifts: Vec<u64>,
    /// The drive that holds no copies.
    without: Option<DiskNumber>,
    /// By node: where the cache drive writes next, and what it has not given on yet.
    caches: Vec<(u64, u64)>,
    end: u64,
}

/// What a run leaves.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) recorder: Recorder,
    pub(crate) truth: Truth,
    pub(crate) counted: Counted,
    /// Until the last step, in nanoseconds.
    pub(crate) duration: u64,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(config: &'a Config, layout: &'a Layout) -> Self {
        let mut faults = Faults::new(config, layout);
        let disks = (config.nodes * layout.disks_a_node) as usize;
        let mut random = Random::new(config.seed, Purpose::Layout, 1);
        let units = config.disks.shift_bytes / 4096;
        let shifts = (0..disks).map(|_| {
            if units == 0 {
                0
            } else {
                4096 * (1 + random.below(units))
            }
        });
        let mut engine = Self {
            config,
            layout,
            shifts: shifts.collect(),
            without: config.without_disk.map(|on| layout.disk(on.node, on.disk)),
            hardware: Hardware::new(config, layout, &mut faults),
            recorder: Recorder::new(config),
            truth: Truth::default(),
            sources: Source::all(config),
            now: 0,
            heap: BinaryHeap::new(),
            steps: 0,
            ios: Slots::default(),
            legs: Slots::default(),
            requests: Slots::default(),
            tickets: 0,
            writes_made: 0,
            under_way: FxHashMap::default(),
            deaths: std::mem::take(&mut faults.deaths),
            dead: vec![None; config.nodes as usize],
            jobs: Vec::new(),
            gatherings: (0..disks).map(|_| None).collect(),
            gathered: 0,
            caches: vec![(0, 0); config.nodes as usize],
            end: config.seconds.map_or(u64::MAX, nanos),
        };
        engine.begin(&faults);
        engine
    }

    fn begin(&mut self, faults: &Faults) {
        for source in 0..self.sources.len() {
            let slots = match self.sources[source].arrival {
                Arrival::Rate(_) => 1,
                Arrival::QueueDepth(depth) => depth,
            };
            for _ in 0..slots {
                let at = self.sources[source].gap();
                self.at(at, Step::Submit { source: source as u32 });
            }
        }
        for number in 0..self.deaths.len() {
            let (from, until) = self.deaths[number].span;
            let number = number as u32;
            self.at(from, Step::Death { number, alive: false });
            self.at(until, Step::Death { number, alive: true });
        }
        for (number, repair) in faults.repairs.iter().enumerate() {
            for slot in 0..repair.what.queue_depth {
                let random = Random::new(self.config.seed, Purpose::Repair, number << 16 | slot as usize);
                self.jobs.push(Job::new(repair, slot, random));
                let job = self.jobs.len() as u32 - 1;
                self.at(repair.span.0, Step::Repair { job });
            }
        }
    }

    /// Runs until nothing is left to do.
    pub(crate) fn run(mut self) -> Ran {
        while let Some(Reverse((time, _, step))) = self.heap.pop() {
            debug_assert!(time >= self.now, "time goes forward");
            self.now = time;
            self.step(step);
        }
        debug_assert!(self.ios.is_empty() && self.legs.is_empty() && self.requests.is_empty());
        Ran {
            recorder: self.recorder,
            truth: self.truth,
            counted: self.hardware.into_counted(),
            duration: self.now,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Submit { source } => self.submit(source),
            Step::Fan { io } => self.fan(io),
            Step::Send { leg } => self.send(leg),
            Step::Wire { leg, ticket, reply } => self.wire(leg, ticket, reply),
            Step::Reach { leg, ticket } => self.reach(leg, ticket),
            Step::Issue { leg, ticket } => self.issue(leg, ticket),
            Step::Gathered { disk, number } => self.gathered(disk, number),
            Step::Driven { request } => self.driven(request),
            Step::Served { leg, ticket } => self.served(leg, ticket),
            Step::Back { leg, ticket } => self.back(leg, ticket),
            Step::Reply { leg, ticket } => self.reply(leg, ticket),
            Step::Fail { leg, ticket } => self.fail(leg, ticket),
            Step::Complete { io } => self.complete(io),
            Step::Death { number, alive } => self.death(number, alive),
            Step::Repair { job } => self.repair(job),
        }
    }

    fn at(&mut self, time: u64, step: Step) {
        self.steps += 1;
        self.heap.push(Reverse((time.max(self.now), self.steps, step)));
    }

    /// Whether no more I/O is made.
    fn is_over(&self) -> bool {
        self.now >= self.end || self.config.writes.is_some_and(|writes| self.writes_made >= writes)
    }

    fn submit(&mut self, source: u32) {
        if self.is_over() {
            return;
        }
        let of = &mut self.sources[source as usize];
        let (node, volume) = (of.node, of.volume);
        let wanted = {
            let under_way = &self.under_way;
            of.next(|offset| under_way.get(&(volume, offset)).copied().unwrap_or(0))
        };
        let by_rate = matches!(of.arrival, Arrival::Rate(_));
        if by_rate {
            let gap = of.gap();
            self.at(self.now + gap, Step::Submit { source });
        }
        let Some(wanted) = wanted else {
            if !by_rate {
                self.at(self.now + TRY_AGAIN, Step::Submit { source });
            }
            return;
        };
        let truth = if wanted.op == Op::Write {
            self.writes_made += 1;
            *self.under_way.entry((volume, wanted.offset)).or_default() += 1;
            self.truth.write(node)
        } else {
            NOBODY
        };
        let irp = self.recorder.irp(node);
        let io = self.ios.insert(Io {
            source,
            volume,
            node,
            op: wanted.op,
            offset: wanted.offset,
            length: wanted.length,
            start: self.now,
            truth,
            irp,
            open: 0,
            last: None,
            lead: None,
        });
        let worked = self.hardware.submit(node, volume, self.now, wanted.length);
        self.at(worked, Step::Fan { io });
    }

    /// What a tap sees of a request that completes now.
    fn see(&mut self, node: u32, device: DeviceKey, seen: Seen) -> Option<usize> {
        let seen = Seen { end: self.now, ..seen };
        self.recorder.push(node, device, seen, self.layout, self.config)
    }

    /// The offset that a tap of the far side shows.
    fn shown_offset(&self, tap: Tap, disk: DiskNumber, op: Op, offset: u64) -> u64 {
        let shifted = tap == Tap::Device || self.config.disks.shift_from == ShiftFrom::Target;
        if shifted && op != Op::Flush {
            offset + self.shifts[disk.as_usize()]
        } else {
            offset
        }
    }

    fn ticket(&mut self) -> u32 {
        self.tickets = self.tickets.wrapping_add(1);
        self.tickets
    }
}
