//! What the log as a whole promises, and the functions that the tests of the modules share.

use std::{
    fs::{self, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Condvar, Mutex},
};

use proptest::prelude::*;

use super::*;

/// A configuration with small segments.
pub(crate) fn config(directory: &Path, segment_bytes: u64) -> Config {
    Config {
        segment_bytes,
        ..Config::new(directory)
    }
}

/// Bytes that do not compress and hold no run of zeros.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8 | 1
    };
    (0..length).map(|_| next()).collect()
}

/// All items from an ordinal to the end of what is durable.
pub(crate) fn items(directory: &Path, from: u64, durable: Durable) -> Result<Vec<Item>> {
    let mut reader = Reader::open(directory, from)?;
    let mut items = Vec::new();
    while let Some(item) = reader.next(durable)? {
        items.push(item);
    }
    Ok(items)
}

/// All records from an ordinal to the end; panics if any are missing.
pub(crate) fn records(directory: &Path, from: u64, durable: Durable) -> Vec<Record> {
    let keep = |item| match item {
        Item::Record(record) => Some(record),
        Item::SegmentHead(_) => None,
        Item::Missing(range) => panic!("missing {range:?}"),
    };
    items(directory, from, durable)
        .unwrap()
        .into_iter()
        .filter_map(keep)
        .collect()
}

/// The paths of all segments, oldest first.
pub(crate) fn segments(directory: &Path) -> Vec<PathBuf> {
    segment::list(directory)
        .unwrap()
        .into_iter()
        .map(|id| id.path(directory))
        .collect()
}

#[test]
fn values_cross_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Writer>();
    check::<Reader>();
    check::<Durable>();
    check::<Error>();
}

#[test]
fn a_reader_follows_a_writer_on_another_thread() {
    const RECORDS: u64 = 500;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut writer = Writer::open(config(path, 4_000), b"head").unwrap();
    let published = (Mutex::new(writer.durable()), Condvar::new());

    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..RECORDS {
                writer.append(1, number * 2, 2, &noise(number, 100)).unwrap();
                if number % 7 == 0 || number == RECORDS - 1 {
                    *published.0.lock().unwrap() = writer.sync().unwrap();
                    published.1.notify_one();
                }
            }
        });

        let mut reader = Reader::open(path, 0).unwrap();
        let mut durable = Durable::default();
        let mut read = 0;
        while read < RECORDS {
            match reader.next(durable).unwrap() {
                Some(Item::Record(record)) => {
                    assert_eq!((record.first, record.payload.to_vec()), (read * 2, noise(read, 100)));
                    assert!(record.end() <= durable.next_ordinal(), "read past what is durable");
                    read += 1;
                }
                Some(Item::SegmentHead(head)) => assert_eq!(head, "head"),
                Some(Item::Missing(range)) => panic!("missing {range:?}"),
                None => {
                    let latest = published.0.lock().unwrap();
                    durable = *published.1.wait_while(latest, |latest| *latest == durable).unwrap();
                }
            }
        }
    });
    assert!(segments(path).len() > 10);
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        count: u32,
        length: usize,
    },
    Sync,
    SetHead(u8),
    /// Gives up everything below this share of the durable ordinals.
    Release(f64),
    /// A clean end and a new start.
    Reopen,
    /// A crash that leaves this share of the unsynced bytes of each file.
    Kill(f64),
    /// A power failure after which one sector of the unsynced bytes, at this share of them, was never written.
    Hole(f64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_u32..4, 0_usize..700).prop_map(|(count, length)| Step::Append { count, length }),
        3 => Just(Step::Sync),
        1 => any::<u8>().prop_map(Step::SetHead),
        1 => (0.0..1.1).prop_map(Step::Release),
        1 => Just(Step::Reopen),
        2 => (0.0..1.0).prop_map(Step::Kill),
        1 => (0.0..1.0).prop_map(Step::Hole),
    ]
}

/// A log and what it should hold.
struct Model {
    directory: PathBuf,
    writer: Option<Writer>,
    head: Vec<u8>,
    appended: Vec<Record>,
    /// How many of them are durable for sure.
    synced: usize,
    released: u64,
}

impl Model {
    fn open(directory: &Path) -> Self {
        let head = noise(0, 40);
        let writer = Some(Writer::open(config(directory, 3_000), &head).unwrap());
        Self {
            directory: directory.to_owned(),
            writer,
            head,
            appended: Vec::new(),
            synced: 0,
            released: 0,
        }
    }

    fn run(&mut self, step: Step) {
        let writer = self.writer.as_mut().unwrap();
        match step {
            Step::Append { count, length } => {
                let number = self.appended.len();
                let payload = noise(number as u64, length).into();
                let record = Record {
                    kind: number as u8,
                    first: writer.next_ordinal(),
                    count,
                    payload,
                };
                let before = writer.durable();
                writer
                    .append(record.kind, record.first, record.count, &record.payload)
                    .unwrap();
                if writer.durable() != before {
                    self.synced = self.appended.len();
                }
                self.appended.push(record);
            }
            Step::Sync => {
                writer.sync().unwrap();
                self.synced = self.appended.len();
            }
            Step::SetHead(seed) => {
                self.head = noise(u64::from(seed), 30 + 5 * usize::from(seed));
                writer.set_head(&self.head).unwrap();
            }
            Step::Release(share) => {
                let below = (writer.durable().next_ordinal() as f64 * share) as u64;
                writer.release(below).unwrap();
                self.released = self.released.max(below.min(writer.durable().next_ordinal()));
            }
            Step::Reopen => {
                writer.sync().unwrap();
                self.synced = self.appended.len();
                self.reopen();
            }
            Step::Kill(share) => self.crash(|file, from, to| {
                file.set_len(from + ((to - from) as f64 * share) as u64).unwrap();
            }),
            Step::Hole(share) => self.crash(|mut file, from, to| {
                let at = from + ((to - from) as f64 * share) as u64;
                let sector = at - at % 512;
                let hole = sector.max(from)..(sector + 512).min(to);
                file.seek(SeekFrom::Start(hole.start)).unwrap();
                file.write_all(&vec![0; (hole.end - hole.start) as usize]).unwrap();
            }),
        }
    }

    /// Drops the writer without a sync and does something to the unsynced part of each file.
    fn crash(&mut self, damage: impl Fn(fs::File, u64, u64)) {
        let mut writer = self.writer.take().unwrap();
        // What a real crash may or may not have written is written here, and then partly undone.
        let durable = writer.durable();
        writer.flush().unwrap();
        drop(writer);
        for id in segment::list(&self.directory).unwrap() {
            if id >= durable.segment {
                let file = OpenOptions::new().write(true).open(id.path(&self.directory)).unwrap();
                let from = if id == durable.segment { durable.offset } else { 0 };
                let to = file.metadata().unwrap().len();
                damage(file, from, to);
            }
        }
        self.reopen();
    }

    /// Opens the log again; what it holds must be the durable records and then some of the others, in order.
    fn reopen(&mut self) {
        drop(self.writer.take());
        let writer = Writer::open(config(&self.directory, 3_000), &self.head).unwrap();
        let found = records(&self.directory, self.released, writer.durable());
        let wanted = |record: &&Record| match record.count {
            0 => record.first >= self.released,
            _ => record.end() > self.released,
        };
        let before = self.appended.iter().filter(|record| !wanted(record)).count();
        let kept = before + found.len();
        assert!(kept >= self.synced, "{} durable, {kept} kept", self.synced);
        self.appended.truncate(kept);
        assert!(
            found.iter().eq(self.appended.iter().filter(wanted)),
            "other records than were appended"
        );
        assert_eq!(writer.next_ordinal(), self.appended.last().map_or(0, Record::end));
        self.synced = kept;
        self.writer = Some(writer);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn synced_records_survive_everything_in_order_and_once(steps in prop::collection::vec(step(), 1..80)) {
        let folder = tempfile::tempdir().unwrap();
        let mut model = Model::open(folder.path());
        for step in steps {
            model.run(step);
        }
        model.run(Step::Reopen);
    }
}
