//! Plays the streams of a made-up cluster to an engine in some order, with or without restarts, and checks on the way that
//! every ordinal is where it should be.

use std::collections::BTreeSet;

use fathom_model::{Catalog, Io, JoinedRows, Leg, Observation, StreamId, StreamIndex, Topology};

use super::super::{Engine, State};
use super::cluster::{Made, Rng};
use crate::config::Config;

/// In which order and how the streams are played.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) most_batch: u64,
    /// Chances a step, out of a thousand.
    pub(super) duplicates: u64,
    pub(super) advances: u64,
    pub(super) heards: u64,
    pub(super) opens: u64,
    pub(super) takes: u64,
    pub(super) checks: u64,
    /// Restarts at random moments.
    pub(super) restarts: u32,
    /// Whether streams are chosen at random, else who is furthest behind.
    pub(super) uneven: bool,
    /// Whether what was heard is said again before an end where a restart left nothing of a stream to be sent again.
    pub(super) repeats: bool,
    /// Ordinals that are lost: of which stream, from, until. Sorted, and apart from each other.
    pub(super) lost: Vec<(usize, usize, usize)>,
}

impl Plan {
    /// The plainest: all open, large batches in order of time.
    pub(super) const PLAIN: Self = Self {
        seed: 1,
        most_batch: 500,
        duplicates: 0,
        advances: 1000,
        heards: 1000,
        opens: 1000,
        takes: 1000,
        checks: 0,
        restarts: 0,
        uneven: false,
        repeats: true,
        lost: Vec::new(),
    };

    /// Anything that promises allow.
    pub(super) fn wild(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x71);
        Self {
            seed,
            most_batch: 1 + rng.below(300),
            duplicates: rng.below(300),
            advances: 1 + rng.below(1000),
            heards: rng.below(1000),
            opens: 1 + rng.below(400),
            takes: rng.below(500),
            checks: 20,
            restarts: 0,
            uneven: true,
            repeats: true,
            lost: Vec::new(),
        }
    }
}

/// What playing gave.
#[derive(Debug)]
pub(super) struct Played {
    /// Everything since the last restart.
    pub(super) rows: JoinedRows,
    pub(super) engine: Engine,
    /// All rows by names, sorted.
    pub(super) named: Vec<String>,
    /// Every ordinal that is in a row.
    pub(super) uses: BTreeSet<(StreamId, u64)>,
}

/// Plays all streams to their ends.
pub(super) fn play(config: &Config, topology: &Topology, streams: &[Made], plan: &Plan) -> Played {
    let mut player = Player::new(config, topology, streams, plan);
    while player.step() {}
    player.finish()
}

pub(super) struct Player<'a> {
    config: &'a Config,
    topology: &'a Topology,
    streams: &'a [Made],
    plan: &'a Plan,
    rng: Rng,
    pub(super) engine: Engine,
    opened: Vec<Option<StreamIndex>>,
    ended: Vec<bool>,
    /// Whether all that a stream promises was said and need not be said again.
    told: Vec<bool>,
    restarts: u32,
    rows: JoinedRows,
    named: Vec<String>,
    uses: BTreeSet<(StreamId, u64)>,
}

impl<'a> Player<'a> {
    pub(super) fn new(config: &'a Config, topology: &'a Topology, streams: &'a [Made], plan: &'a Plan) -> Self {
        let mut engine = Engine::new(config.clone());
        engine.set_topology(topology);
        Self {
            config,
            topology,
            streams,
            plan,
            rng: Rng::new(plan.seed),
            engine,
            opened: vec![None; streams.len()],
            ended: vec![false; streams.len()],
            told: vec![false; streams.len()],
            restarts: plan.restarts,
            rows: JoinedRows::default(),
            named: Vec::new(),
            uses: BTreeSet::new(),
        }
    }

    /// Does one thing; false when there is nothing left to do.
    pub(super) fn step(&mut self) -> bool {
        let Some(at) = self.choose() else { return false };
        if let Some(stream) = self.opened[at] {
            self.send(at, stream);
        } else {
            if !self.plan.uneven || self.rng.chance(self.plan.opens) {
                self.open(at);
            }
            return true;
        }
        if self.rng.chance(self.plan.advances) {
            self.engine.advance();
        }
        if self.rng.chance(self.plan.takes) {
            self.take_rows();
        }
        if self.rng.chance(self.plan.checks) {
            self.check_accounts();
        }
        if self.restarts > 0 && self.rng.chance(1000 / (2 + 100 / u64::from(self.restarts))) {
            self.restarts -= 1;
            self.restart();
        }
        true
    }

    /// A stream with something to say: anyone, or who is furthest behind.
    fn choose(&mut self) -> Option<usize> {
        let ready: Vec<usize> = (0..self.streams.len())
            .filter(|&at| !self.ended[at] && self.streams[at].after.is_none_or(|before| self.ended[before]))
            .collect();
        if self.plan.uneven {
            return ready.get(self.rng.below(ready.len() as u64) as usize).copied();
        }
        ready.into_iter().min_by_key(|&at| {
            let made = &self.streams[at];
            let sent = self.opened[at].map(|stream| self.engine.next_ordinal(stream));
            sent.map_or(i64::MIN, |sent| made.clock.when(made.heard[sent as usize]))
        })
    }

    pub(super) fn open(&mut self, at: usize) -> StreamIndex {
        let made = &self.streams[at];
        let stream = self.engine.open_stream(&made.info);
        self.engine.set_devices(stream, &made.devices).unwrap();
        self.opened[at] = Some(stream);
        stream
    }

    fn send(&mut self, at: usize, stream: StreamIndex) {
        let made = &self.streams[at];
        let next = self.engine.next_ordinal(stream) as usize;
        if next == made.events.len() {
            if !self.told[at] {
                self.engine.heard(stream, *made.heard.last().unwrap()).unwrap();
                self.told[at] = !self.plan.repeats;
            }
            // The end of some comes long after all else.
            if self.plan.repeats || self.rng.chance(100) {
                self.engine.end(stream, made.end).unwrap();
                self.ended[at] = true;
            }
            return;
        }
        let losses = self.plan.lost.iter().filter(|lost| lost.0 == at);
        let loss = losses.map(|&(_, from, until)| (from, until)).find(|lost| lost.1 > next);
        if let Some((from, until)) = loss.filter(|loss| loss.0 <= next) {
            // Every batch carries its promise, so that what was heard before a loss is known when it is said.
            self.engine.heard(stream, made.heard[from]).unwrap();
            self.engine.lose(stream, from as u64, until as u64).unwrap();
            return;
        }
        let until = made
            .events
            .len()
            .min(loss.map_or(usize::MAX, |loss| loss.0))
            .min(next + 1 + self.rng.below(self.plan.most_batch) as usize);
        let from = if self.rng.chance(self.plan.duplicates) {
            self.rng.below(next as u64 + 1) as usize
        } else {
            next
        };
        if next > 0 && self.rng.chance(self.plan.duplicates) {
            // Something of long ago comes again, which ends before what is new.
            let old = self.rng.below(next as u64) as usize;
            let again = old + 1 + self.rng.below((next - old) as u64) as usize;
            self.engine.push(stream, old as u64, made.batch(old, again)).unwrap();
            assert_eq!(self.engine.next_ordinal(stream), next as u64);
        }
        self.engine.push(stream, from as u64, made.batch(from, until)).unwrap();
        if self.rng.chance(self.plan.heards) {
            self.engine.heard(stream, made.heard[until]).unwrap();
        }
    }

    pub(super) fn take_rows(&mut self) {
        let rows = self.engine.take_rows();
        let width = self.engine.config.window_nanos;
        let window = |io: &Io| io.event.end_unix_nanos().div_euclid(width);
        assert!(
            rows.ios.is_sorted_by_key(window),
            "rows come in the order of their windows"
        );
        let catalog = self.engine.catalog();
        for observation in used(&rows) {
            let id = catalog.stream(observation.0).clone();
            assert!(
                self.uses.insert((id.clone(), observation.1)),
                "{id} {} is in two rows",
                observation.1
            );
        }
        self.named.extend(named(catalog, &rows));
        self.rows.append(rows);
    }

    /// Every ordinal that came is in a row, kept as pending, or said to be open: exactly one of these.
    pub(super) fn check_accounts(&mut self) {
        self.take_rows();
        let mut kept = BTreeSet::new();
        for event in self.engine.pending() {
            assert!(
                kept.insert((event.stream.clone(), event.event.ordinal)),
                "pending twice"
            );
        }
        for account in self.engine.accounts() {
            let id = self.engine.catalog().stream(account.stream).clone();
            let of_stream = |(stream, ordinal): &&(StreamId, u64)| *stream == id && *ordinal < u64::MAX;
            let mut said = account.accounted.clone();
            said.insert(0, account.position);
            let rows = self.uses.iter().filter(of_stream).map(|(_, ordinal)| *ordinal);
            let pending = kept.iter().filter(of_stream).map(|(_, ordinal)| *ordinal);
            let lost = self.plan.lost.iter().filter(|lost| self.streams[lost.0].info.id == id);
            let lost = lost.flat_map(|lost| lost.1 as u64..lost.2 as u64);
            let lost = lost.filter(|&ordinal| said.contains(ordinal));
            let mut found: Vec<u64> = rows.chain(pending).chain(lost).collect();
            found.sort_unstable();
            let count = found.len();
            found.dedup();
            assert_eq!(count, found.len(), "{id}: in a row and pending");
            let said: Vec<u64> = said.ranges().iter().flat_map(|&(from, until)| from..until).collect();
            assert_eq!(said, found, "{id}: said to be accounted for, and found");
            assert!(
                account
                    .accounted
                    .ranges()
                    .first()
                    .is_none_or(|first| first.0 > account.position)
            );
        }
    }

    /// Loses the engine, and goes on from what was kept.
    pub(super) fn restart(&mut self) {
        self.check_accounts();
        let text = serde_json::to_string(&self.engine.state()).unwrap();
        let state: State = serde_json::from_str(&text).unwrap();
        assert_eq!(state, self.engine.state());
        let pending = self.engine.pending();
        self.rows = JoinedRows::default();
        self.engine = Engine::restore(self.config.clone(), self.topology, state.clone(), pending).unwrap();
        for at in 0..self.streams.len() {
            let kept = state.streams.iter().find(|kept| kept.id == self.streams[at].info.id);
            self.opened[at] = None;
            self.told[at] &= kept.is_some_and(|kept| kept.position == self.streams[at].events.len() as u64);
            self.ended[at] = kept.is_some_and(|kept| kept.ended.is_some());
            if self.ended[at] {
                let kept = kept.unwrap();
                assert_eq!(
                    kept.position,
                    self.streams[at].events.len() as u64,
                    "ended, so all of it is accounted for"
                );
            }
        }
        self.check_accounts();
    }

    pub(super) fn finish(mut self) -> Played {
        self.engine.advance();
        self.check_accounts();
        self.named.sort_unstable();
        Played {
            rows: self.rows,
            engine: self.engine,
            named: self.named,
            uses: self.uses,
        }
    }
}

/// Every (stream, ordinal) in rows, as often as it is there.
pub(super) fn used(rows: &JoinedRows) -> Vec<(StreamIndex, u64)> {
    let mut found = Vec::new();
    for io in &rows.ios {
        found.push((io.event.stream, io.event.ordinal));
        for leg in rows.legs_of(io) {
            found.extend(events_of(leg).iter().map(|(_, event)| *event));
        }
    }
    found.extend(rows.unmatched.iter().map(|row| (row.event.stream, row.event.ordinal)));
    found
}

/// The events of a leg with their taps.
pub(super) fn events_of(leg: &Leg) -> Vec<(fathom_model::Tap, (StreamIndex, u64))> {
    use fathom_model::Tap;
    let mut found = Vec::new();
    let more = [
        (Tap::Initiator, &leg.more.initiator),
        (Tap::Target, &leg.more.target),
        (Tap::Device, &leg.more.device),
    ];
    for (tap, more) in more {
        // Of a merged request the ordinal counts at one leg.
        if tap == Tap::Device && leg.merged == Some(fathom_model::Merged::Further) {
            continue;
        }
        if let Some(first) = leg.observation(tap) {
            found.push((tap, (first.stream, first.ordinal)));
            found.extend(more.iter().map(|&ordinal| (tap, (first.stream, ordinal))));
        } else {
            assert!(more.is_empty(), "more than nothing");
        }
    }
    found
}

/// Rows as text with names in place of indices.
pub(super) fn named(catalog: &Catalog, rows: &JoinedRows) -> Vec<String> {
    let event = |event: &Observation| {
        let id = catalog.stream(event.stream);
        let (start, took, status) = (event.start_unix_nanos, event.duration_nanos, event.status);
        format!(
            "{}/{}#{} {start}+{took}?{status}",
            id.node,
            id.incarnation.prefix(),
            event.ordinal
        )
    };
    let maybe = |seen: &Option<Observation>| seen.as_ref().map_or_else(|| "-".to_owned(), event);
    let mut found = Vec::with_capacity(rows.ios.len() + rows.unmatched.len());
    for io in &rows.ios {
        let (node, volume) = (catalog.node(io.node), catalog.volume(io.volume));
        let mut line = format!(
            "{} {node} {volume} {:?} {}+{} {:?} of {}",
            event(&io.event),
            io.op,
            io.offset,
            io.length,
            io.class,
            io.legs_expected,
        );
        if let Some(slowest) = &io.slowest {
            assert!(io.legs.contains(&slowest.leg), "the slowest leg is another I/O's");
            line += &format!(" slowest {} {slowest:?}", slowest.leg - io.legs.start)
                .replace(&format!("leg: {}", slowest.leg), "");
        }
        for leg in rows.legs_of(io) {
            let disk = catalog.disk(leg.disk);
            assert_eq!(disk.node, *catalog.node(leg.node));
            line += &format!(
                "\n  {}.{} {}+{} {} local {} [{} {} {}] {:?} {:?} {:?} missing {:?} {:?} {:?} {:?} {} ambiguous {} candidate {} {:?}",
                leg.part,
                leg.copy,
                leg.disk_offset,
                leg.length,
                disk.id,
                leg.local,
                maybe(&leg.initiator),
                maybe(&leg.target),
                maybe(&leg.device),
                leg.cache.map(|drive| &catalog.disk(drive).id),
                leg.merged,
                leg.more,
                leg.missing_initiator,
                leg.missing_target,
                leg.missing_device,
                leg.method,
                leg.confidence,
                leg.ambiguous,
                leg.candidate,
                leg.clock,
            );
        }
        found.push(line);
    }
    for row in &rows.unmatched {
        let disk = row.disk.map(|disk| catalog.disk(disk).id.clone());
        found.push(format!(
            "unmatched {} {} {} {disk:?} {} {:?} {}+{} {:?}",
            event(&row.event),
            row.tap,
            catalog.node(row.node),
            row.device,
            row.op,
            row.offset,
            row.length,
            row.cause,
        ));
    }
    found
}

/// Fails with the first rows that differ.
pub(super) fn assert_same(one: &[String], other: &[String]) {
    if one == other {
        return;
    }
    let lines = |rows: &[String], others: &[String]| {
        let others: BTreeSet<&String> = others.iter().collect();
        // The earliest tells most: the others may follow from it.
        let start = |row: &&String| {
            row.split(' ')
                .find_map(|word| word.split('+').next()?.parse::<i64>().ok())
        };
        let only = || rows.iter().filter(|row| !others.contains(row));
        (only().min_by_key(start).cloned().unwrap_or_default(), only().count())
    };
    let ((first, more), (other_first, other_more)) = (lines(one, other), lines(other, one));
    let other_lines: Vec<&str> = other_first.lines().collect();
    let first_lines: Vec<&str> = first.lines().collect();
    let only = |lines: &[&str], others: &[&str]| -> String {
        let marked = lines
            .iter()
            .map(|line| format!("{} {line}\n", if others.contains(line) { ' ' } else { '*' }));
        marked.collect()
    };
    panic!(
        "rows differ\n{}and {more} more, against\n{}and {other_more} more",
        only(&first_lines, &other_lines),
        only(&other_lines, &first_lines)
    );
}
