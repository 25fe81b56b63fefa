//! What happens on the made-up cluster: I/Os with all their events in true time.

use fathom_model::{Device, Op, Tap};

use super::cluster::{CHUNK, Cluster, Draft, MS, Merging, Options, Owner, START, Spot};

/// How one copy of one part goes, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trip {
    /// From the I/O's start until the leg begins.
    pub(super) wait: i64,
    pub(super) there: i64,
    /// At the bus target, before the drive is asked.
    pub(super) queue: i64,
    pub(super) service: i64,
    /// At the bus target, after the drive has answered.
    pub(super) after: i64,
    pub(super) back: i64,
}

impl Trip {
    /// An ordinary one.
    pub(super) const PLAIN: Self = Self {
        wait: 5_000,
        there: 20_000,
        queue: 5_000,
        service: 100_000,
        after: 3_000,
        back: 20_000,
    };
}

/// An I/O as its initiator asks for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) initiator: usize,
    pub(super) op: Op,
    pub(super) offset: u64,
    pub(super) length: u64,
    /// In true time.
    pub(super) start: i64,
}

impl Cluster {
    /// A cluster with everything that its options ask for.
    pub(super) fn busy(options: &Options) -> Self {
        let mut cluster = Self::idle(options);
        let blocks: Vec<Vec<(u64, u64)>> = (0..options.initiators).map(|_| cluster.blocks()).collect();
        let blocks = if options.shared {
            vec![blocks[0].clone(); options.initiators]
        } else {
            blocks
        };
        for (initiator, blocks) in blocks.iter().enumerate() {
            for _ in 0..options.ios {
                let (offset, length) = blocks[cluster.rng.below(blocks.len() as u64) as usize];
                let op = cluster.any_op();
                let (offset, length) = if op == Op::Flush { (0, 0) } else { (offset, length) };
                let start = START + cluster.rng.between(0, options.millis * MS);
                let request = Request {
                    initiator,
                    op,
                    offset,
                    length,
                    start,
                };
                let merges = op == Op::Write && length > 4096 && cluster.rng.chance(options.merges_per_mille);
                if merges {
                    cluster.random_pair(request);
                } else {
                    cluster.random_io(request);
                }
            }
        }
        for _ in 0..options.foreign {
            cluster.random_foreign(&blocks);
        }
        cluster
    }

    fn any_op(&mut self) -> Op {
        let drawn = self.rng.below(1000);
        let (reads, flushes) = (self.options.reads_per_mille, self.options.flushes_per_mille);
        match drawn {
            _ if drawn < reads => Op::Read,
            _ if drawn < reads + flushes => Op::Flush,
            _ if drawn < reads + flushes + self.options.unmaps_per_mille => Op::Unmap,
            _ => Op::Write,
        }
    }

    /// Places that I/Os go to; some cross a border between extents, some lie in others.
    fn blocks(&mut self) -> Vec<(u64, u64)> {
        let mut blocks = Vec::new();
        while blocks.len() < self.options.blocks {
            let length = 4096_u64 << self.rng.below(6);
            let most = self.options.chunks * CHUNK - length;
            let offset = match self.rng.below(10) {
                0 if self.options.chunks > 1 => {
                    let border = (1 + self.rng.below(self.options.chunks - 1)) * CHUNK;
                    border - (length / 2).div_ceil(4096) * 4096
                }
                _ => self.rng.below(most / 4096) * 4096,
            };
            blocks.push((offset, length));
            if length > 8192 && self.rng.chance(200) {
                blocks.push((offset, length / 2));
                blocks.push((offset + length / 2, length / 2));
            }
        }
        blocks
    }

    fn random_trip(&mut self, op: Op) -> Trip {
        let rng = &mut self.rng;
        let slow = rng.chance(self.options.slow_per_mille);
        let service = rng.between(20_000, 400_000) + if slow { rng.between(0, 700 * MS) } else { 0 };
        let far = if rng.chance(20) { 3 * MS } else { 150_000 };
        Trip {
            wait: rng.between(1_000, if op == Op::Flush { 2_000 } else { 30_000 }),
            there: rng.between(8_000, far) + self.options.asymmetry_nanos,
            queue: rng.between(500, 60_000),
            service,
            after: rng.between(500, 20_000),
            back: rng.between(8_000, far),
        }
    }

    /// Two writes of one half each, whose copies the drives write together.
    fn random_pair(&mut self, request: Request) {
        let half = (request.length / 8192).max(1) * 4096;
        let front = Request {
            length: half,
            ..request
        };
        let back = Request {
            offset: request.offset + half,
            length: request.length - half,
            start: request.start + 200,
            ..request
        };
        if self.asked_of_all(request).len() != self.options.copies as usize {
            // What lies on two extents is not one request.
            self.random_io(front);
            self.random_io(back);
            return;
        }
        let trips: Vec<Trip> = (0..self.options.copies).map(|_| self.random_trip(Op::Write)).collect();
        let done = self.rng.between(500, 20_000);
        self.merging = Merging::With(back.length);
        let spots = self.asked_of_all(front);
        self.io(front, &spots, &trips, done);
        self.merging = Merging::Behind;
        let spots = self.asked_of_all(back);
        self.io(back, &spots, &trips, done);
        self.merging = Merging::Apart;
    }

    /// Two writes of one half each, whose copies the drives write together, and of which the second completes later by so much.
    pub(super) fn pair_apart(&mut self, request: Request, later: i64) {
        let half = request.length / 2;
        let front = Request {
            length: half,
            ..request
        };
        let back = Request {
            offset: request.offset + half,
            length: half,
            start: request.start + 200,
            ..request
        };
        let trips = vec![Trip::PLAIN; self.options.copies as usize];
        self.merging = Merging::With(half);
        let spots = self.asked_of_all(front);
        self.io(front, &spots, &trips, 2_000);
        self.merging = Merging::Behind;
        let spots = self.asked_of_all(back);
        self.io(back, &spots, &trips, 2_000 + later);
        self.merging = Merging::Apart;
    }

    fn asked_of_all(&self, request: Request) -> Vec<Spot> {
        let (_, volume) = self.initiator(request.initiator);
        self.spots(volume, request.offset, request.length)
    }

    fn random_io(&mut self, request: Request) -> usize {
        let spots = self.asked(request);
        let trips: Vec<Trip> = spots.iter().map(|_| self.random_trip(request.op)).collect();
        let done = self.rng.between(500, 20_000);
        self.io(request, &spots, &trips, done)
    }

    /// The copies that an I/O goes to; a read asks one a part.
    fn asked(&mut self, request: Request) -> Vec<Spot> {
        let (_, volume) = self.initiator(request.initiator);
        let all = match request.op {
            Op::Flush => self.disks_of(volume),
            Op::Read | Op::Write | Op::Unmap => self.spots(volume, request.offset, request.length),
        };
        if request.op != Op::Read {
            return all;
        }
        let parts = all.iter().map(|spot| spot.part).max().map_or(0, |last| last + 1);
        let copies = u64::from(self.options.copies);
        let chosen = (0..parts)
            .map(|part| (part, self.rng.below(copies) as u32))
            .collect::<Vec<_>>();
        all.into_iter()
            .filter(|spot| chosen.contains(&(spot.part, spot.copy)))
            .collect()
    }

    /// Adds an I/O with all its events; says its number.
    pub(super) fn io(&mut self, request: Request, spots: &[Spot], trips: &[Trip], done: i64) -> usize {
        let io = self.ios;
        self.ios += 1;
        let mut end = request.start;
        for (spot, trip) in spots.iter().zip(trips) {
            end = end.max(self.leg(request, io, *spot, *trip));
        }
        let (node, volume) = self.initiator(request.initiator);
        self.drafts.push(Draft {
            node,
            device: Self::volume_device(volume),
            op: request.op,
            offset: request.offset,
            length: request.length,
            start: request.start,
            end: end + done,
            status: 0,
            owner: Owner {
                io: Some(io),
                part: 0,
                copy: 0,
            },
        });
        io
    }

    /// An ordinary I/O to every copy; says its number.
    pub(super) fn plain(&mut self, request: Request) -> usize {
        let spots = self.asked(request);
        let trips = vec![Trip::PLAIN; spots.len()];
        self.io(request, &spots, &trips, 2_000)
    }

    /// Adds the events of one copy; says when the initiator had the reply.
    fn leg(&mut self, request: Request, io: usize, spot: Spot, trip: Trip) -> i64 {
        let (node, volume) = self.initiator(request.initiator);
        let owner = Owner {
            io: Some(io),
            part: spot.part,
            copy: spot.copy,
        };
        let mut start = request.start + trip.wait;
        if spot.node == node {
            let end = self.device_events(request.op, spot, start, trip.service, owner);
            return end + 1_000;
        }
        let path = if self.options.unplaced {
            self.port_device(spot.node, spot.disk)
        } else {
            self.path_device(volume, spot.copy, spot.node)
        };
        let target = Self::disk_device(Tap::Target, spot.node, spot.disk);
        let mut attempts = 0;
        // One that failed once is likely to fail again.
        while attempts < self.options.most_retries
            && self.options.retries_per_mille > 0
            && self.rng.chance(if attempts == 0 {
                self.options.retries_per_mille
            } else {
                500
            })
        {
            attempts += 1;
            let mut failed = start + self.rng.between(1_000, 50_000);
            if self.options.served_per_mille > 0 && self.rng.chance(self.options.served_per_mille) {
                let arrival = start + trip.there;
                let served = self.device_events(request.op, spot, arrival + trip.queue, trip.service / 2, owner);
                let sent = served + trip.after;
                let place = (spot.offset, spot.length);
                self.event(spot.node, target.clone(), request.op, place, (arrival, sent), owner);
                failed = sent + self.rng.between(20_000, 90_000);
            }
            self.event(
                node,
                path.clone(),
                request.op,
                (spot.offset, spot.length),
                (start, failed),
                owner,
            );
            self.drafts.last_mut().unwrap().status = 5;
            start = failed + 2_000;
        }
        let arrival = start + trip.there;
        let served = self.device_events(request.op, spot, arrival + trip.queue, trip.service, owner);
        let sent = served + trip.after;
        self.event(
            spot.node,
            target,
            request.op,
            (spot.offset, spot.length),
            (arrival, sent),
            owner,
        );
        let end = sent + trip.back;
        self.event(node, path, request.op, (spot.offset, spot.length), (start, end), owner);
        end
    }

    /// What the drive says of a request: one event, or one a piece.
    fn device_events(&mut self, op: Op, spot: Spot, start: i64, service: i64, owner: Owner) -> i64 {
        let most = match self.options.split_bytes {
            Some(most) if op != Op::Flush => most,
            _ => u64::MAX,
        };
        let spot = match self.merging {
            Merging::Apart => spot,
            Merging::With(more) => Spot {
                length: spot.length + more,
                ..spot
            },
            Merging::Behind => return start + service,
        };
        let mut device = Self::disk_device(Tap::Device, spot.node, spot.disk);
        let mut spot = spot;
        if self.options.cache && op == Op::Write {
            device.name = "cache0".to_owned();
            device.disk = Some(format!("n{}/cache0", spot.node).as_str().into());
            spot.offset = self.cached[spot.node];
            self.cached[spot.node] += spot.length;
        }
        let (mut at, mut from, mut last) = (spot.offset, start, start);
        loop {
            let length = (spot.offset + spot.length - at).min(most);
            let end = from + service;
            self.event(spot.node, device.clone(), op, (at, length), (from, end), owner);
            last = last.max(end);
            (at, from) = (at + length, from + 3_000);
            if at >= spot.offset + spot.length {
                return last;
            }
        }
    }

    /// Adds one event.
    pub(super) fn event(
        &mut self,
        node: usize,
        device: Device,
        op: Op,
        (offset, length): (u64, u64),
        (start, end): (i64, i64),
        owner: Owner,
    ) {
        self.drafts.push(Draft {
            node,
            device,
            op,
            offset,
            length,
            start,
            end,
            status: 0,
            owner,
        });
    }

    /// A request at a drive that no I/O made: a repair's, or of an initiator that nobody watches. Half of them go where I/Os go.
    fn random_foreign(&mut self, blocks: &[Vec<(u64, u64)>]) {
        let initiator = self.rng.below(blocks.len() as u64) as usize;
        let (offset, length) = blocks[initiator][self.rng.below(blocks[initiator].len() as u64) as usize];
        let spots = self.spots(self.initiator(initiator).1, offset, length);
        let mut spot = spots[self.rng.below(spots.len() as u64) as usize];
        if self.rng.chance(500) {
            (spot.offset, spot.length) = ((2 << 30) + self.rng.below(1000) * 65_536, 65_536);
        }
        let start = START + self.rng.between(0, self.options.millis * MS);
        let op = if self.rng.chance(500) { Op::Read } else { Op::Write };
        let service = self.rng.between(20_000, 400_000);
        let end = self.device_events(op, spot, start, service, Owner::default());
        let target = Self::disk_device(Tap::Target, spot.node, spot.disk);
        if self.rng.chance(500) {
            let place = (spot.offset, spot.length);
            self.event(
                spot.node,
                target,
                op,
                place,
                (start - 4_000, end + 4_000),
                Owner::default(),
            );
        }
    }
}
