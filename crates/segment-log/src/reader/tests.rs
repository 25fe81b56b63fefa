use std::fs::{self, OpenOptions};

use super::*;
use crate::{
    Config, Writer, recover,
    tests::{config, items, noise, records, segments},
};

/// Ten segments, each with two records of five ordinals.
fn ten_segments(folder: &Path) -> Writer {
    let mut writer = Writer::open(config(folder, 300), b"head").unwrap();
    for first in (0..100).step_by(5) {
        writer.append(0, first, 5, &noise(first, 100)).unwrap();
    }
    writer.sync().unwrap();
    assert_eq!(segments(folder).len(), 10);
    writer
}

#[test]
fn reading_begins_with_the_record_that_holds_the_ordinal() {
    let folder = tempfile::tempdir().unwrap();
    let writer = ten_segments(folder.path());
    for from in 0..100 {
        let found = records(folder.path(), from, writer.durable());
        assert_eq!(found[0].first, from - from % 5);
        assert_eq!(found.last().unwrap().end(), 100);
        assert_eq!(found.len() as u64, 20 - from / 5);
    }
    assert_eq!(records(folder.path(), 100, writer.durable()), []);
}

#[test]
fn each_segment_tells_its_head_before_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let writer = ten_segments(folder.path());
    let items = items(folder.path(), 0, writer.durable()).unwrap();
    for three in items.chunks(3) {
        assert!(matches!(three, [Item::SegmentHead(head), Item::Record(_), Item::Record(_)] if head == "head"));
    }
}

#[test]
fn marks_before_the_ordinal_are_read_with_it_and_earlier_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), b"").unwrap();
    writer.append(1, 0, 0, b"").unwrap();
    writer.append(2, 0, 5, b"").unwrap();
    writer.append(3, 5, 0, b"").unwrap();
    writer.append(4, 5, 5, b"").unwrap();
    writer.append(5, 10, 0, b"").unwrap();
    let durable = writer.sync().unwrap();
    let kinds = |from| {
        records(folder.path(), from, durable)
            .iter()
            .map(|record| record.kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(0), [1, 2, 3, 4, 5]);
    assert_eq!(kinds(1), [2, 3, 4, 5]);
    assert_eq!(kinds(5), [3, 4, 5]);
    assert_eq!(kinds(6), [4, 5]);
    assert_eq!(kinds(10), [5]);
}

#[test]
fn a_reader_stops_at_what_is_durable_and_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), b"head").unwrap();
    let mut reader = Reader::open(folder.path(), 0).unwrap();
    assert_eq!(reader.next(writer.durable()).unwrap(), None);

    writer.append(0, 0, 1, b"one").unwrap();
    let one = writer.sync().unwrap();
    writer.append(0, 1, 1, b"two").unwrap();
    let two = writer.sync().unwrap();

    assert!(matches!(reader.next(one).unwrap(), Some(Item::SegmentHead(_))));
    assert!(matches!(reader.next(one).unwrap(), Some(Item::Record(record)) if record.payload == "one"));
    assert_eq!(reader.next(one).unwrap(), None);
    assert!(matches!(reader.next(two).unwrap(), Some(Item::Record(record)) if record.payload == "two"));
    assert_eq!(reader.next(two).unwrap(), None);
    assert_eq!(reader.next(one).unwrap(), None, "an older limit does not disturb");

    writer.set_head(b"new").unwrap();
    assert_eq!(
        reader.next(writer.durable()).unwrap(),
        None,
        "a segment begins with its first record"
    );
    writer.append(0, 2, 1, b"three").unwrap();
    let three = writer.sync().unwrap();
    assert_eq!(reader.next(three).unwrap(), Some(Item::SegmentHead("new".into())));
    assert!(matches!(reader.next(three).unwrap(), Some(Item::Record(record)) if record.payload == "three"));
}

#[test]
fn payloads_larger_than_a_chunk_are_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), &noise(9, 100_000)).unwrap();
    let sizes = [0, 1, 65_536, 1_000_000, 65_515, 3];
    for (first, size) in sizes.into_iter().enumerate() {
        writer.append(0, first as u64, 1, &noise(first as u64, size)).unwrap();
    }
    let durable = writer.sync().unwrap();
    for (first, record) in records(folder.path(), 0, durable).iter().enumerate() {
        assert_eq!(record.payload, noise(first as u64, sizes[first]));
    }
}

#[test]
fn an_ordinal_beyond_the_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), b"").unwrap();
    let beyond = |from, durable| items(folder.path(), from, durable).unwrap_err();
    assert!(matches!(
        beyond(1, writer.durable()),
        Error::BeyondEnd {
            from: 1,
            next_ordinal: 0
        }
    ));
    writer.append(0, 0, 5, b"").unwrap();
    let durable = writer.sync().unwrap();
    assert!(matches!(
        beyond(6, durable),
        Error::BeyondEnd {
            from: 6,
            next_ordinal: 5
        }
    ));
    assert_eq!(records(folder.path(), 5, durable), []);
}

#[test]
fn what_was_given_up_is_told_as_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ten_segments(folder.path());
    writer.release(45).unwrap();
    let from = |from| items(folder.path(), from, writer.durable()).unwrap();
    assert_eq!(from(7)[..2], [Item::Missing(7..40), Item::SegmentHead("head".into())]);
    assert_eq!(from(40)[0], Item::SegmentHead("head".into()));
}

#[test]
fn a_slow_reader_finishes_its_segment_and_is_told_what_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ten_segments(folder.path());
    let durable = writer.durable();
    let mut reader = Reader::open(folder.path(), 0).unwrap();
    assert!(matches!(reader.next(durable).unwrap(), Some(Item::SegmentHead(_))));
    for lost in [0..10, 10..20, 20..30] {
        assert_eq!(writer.evict_oldest().unwrap(), Some(lost));
    }
    assert!(matches!(reader.next(durable).unwrap(), Some(Item::Record(record)) if record.first == 0));
    assert!(matches!(reader.next(durable).unwrap(), Some(Item::Record(record)) if record.first == 5));
    assert_eq!(reader.next(durable).unwrap(), Some(Item::Missing(10..30)));
    assert!(matches!(reader.next(durable).unwrap(), Some(Item::SegmentHead(_))));
    assert!(matches!(reader.next(durable).unwrap(), Some(Item::Record(record)) if record.first == 30));
}

#[test]
fn corruption_names_file_and_offset_and_can_be_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let writer = ten_segments(folder.path());
    let spoilt = segments(folder.path());
    // The second record of segment 3, and the head of segment 4.
    for (path, at) in [(&spoilt[3], 200), (&spoilt[4], 30)] {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let durable = writer.durable();
    let mut reader = Reader::open(folder.path(), 30).unwrap();
    let mut told = Vec::new();
    let mut corrupt = Vec::new();
    loop {
        match reader.next(durable) {
            Ok(Some(Item::Record(record))) => told.push(record.first..record.end()),
            Ok(Some(Item::Missing(range))) => told.push(range),
            Ok(Some(Item::SegmentHead(_))) => {}
            Ok(None) => break,
            Err(Error::Corrupt {
                path,
                offset,
                damage: Damage::Checksum { .. },
            }) => {
                let again = reader.next(durable).unwrap_err();
                assert!(
                    matches!(again, Error::Corrupt { .. }),
                    "an error does not pass by itself"
                );
                corrupt.push((path, offset));
                reader.skip_segment();
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    // A head of 34 bytes, and a record of 121.
    assert_eq!(corrupt, [(spoilt[3].clone(), 155), (spoilt[4].clone(), 0)]);
    assert_eq!(told[..4], [30..35, 35..40, 40..50, 50..55]);
    assert_eq!(told.last(), Some(&(95..100)));
}

#[test]
fn a_file_shortened_behind_our_back_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let writer = ten_segments(folder.path());
    let last = segments(folder.path()).pop().unwrap();
    OpenOptions::new()
        .write(true)
        .open(&last)
        .unwrap()
        .set_len(200)
        .unwrap();
    let error = items(folder.path(), 95, writer.durable()).unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt { path, damage: Damage::Cut { .. }, .. } if *path == last),
        "{error:?}"
    );
}

#[test]
fn a_missing_segment_in_the_middle_is_missing_ordinals() {
    let folder = tempfile::tempdir().unwrap();
    let writer = ten_segments(folder.path());
    fs::remove_file(&segments(folder.path())[4]).unwrap();
    let missing = items(folder.path(), 0, writer.durable()).unwrap();
    assert!(missing.contains(&Item::Missing(40..50)));
    assert_eq!(
        items(folder.path(), 43, writer.durable()).unwrap()[1],
        Item::Missing(43..50)
    );
}

#[test]
#[cfg_attr(
    windows,
    ignore = "Wine keeps the name of a deleted file while the writer has it open, which Windows does not: to be run there"
)]
fn a_deleted_durable_segment_is_an_error_and_not_silence() {
    let folder = tempfile::tempdir().unwrap();
    let writer = ten_segments(folder.path());
    fs::remove_file(&segments(folder.path())[9]).unwrap();
    let error = items(folder.path(), 0, writer.durable()).unwrap_err();
    assert!(matches!(error, Error::Io { operation: "open", .. }), "{error:?}");
}

#[test]
fn a_log_without_a_writer_is_read_to_its_recovered_end() {
    let folder = tempfile::tempdir().unwrap();
    drop(ten_segments(folder.path()));
    let recovered = recover(folder.path()).unwrap();
    assert_eq!(records(folder.path(), 0, recovered.durable).len(), 20);
}
