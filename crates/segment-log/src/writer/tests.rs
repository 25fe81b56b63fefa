use super::*;
use crate::{
    Item, MAX_PAYLOAD_BYTES, Reader,
    tests::{config, items, noise, records, segments},
};

fn sizes(writer: &Writer) -> u64 {
    segments(&writer.config.directory)
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum()
}

#[test]
fn what_is_appended_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), b"head").unwrap();
    writer.append(7, 0, 3, b"first").unwrap();
    writer.append(8, 3, 0, b"mark").unwrap();
    writer.append(9, 3, u32::MAX, b"").unwrap();
    assert_eq!(writer.durable(), Durable::default());
    let durable = writer.sync().unwrap();
    assert_eq!(
        (durable, durable.next_ordinal()),
        (writer.durable(), 3 + u64::from(u32::MAX))
    );

    let found = records(folder.path(), 0, durable);
    let facts: Vec<_> = found
        .iter()
        .map(|r| (r.kind, r.first, r.count, r.payload.as_ref()))
        .collect();
    assert_eq!(
        facts,
        [
            (7, 0, 3, b"first".as_slice()),
            (8, 3, 0, b"mark"),
            (9, 3, u32::MAX, b"")
        ]
    );
    assert_eq!(
        items(folder.path(), 0, durable).unwrap()[0],
        Item::SegmentHead("head".into())
    );
    assert_eq!(writer.total_bytes(), sizes(&writer));
    assert_eq!(durable.offset(), writer.total_bytes());
}

#[test]
fn a_log_without_records_has_no_segment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a").join("b");
    let mut writer = Writer::open(Config::new(&path), b"head").unwrap();
    assert_eq!(writer.sync().unwrap(), Durable::default());
    writer.set_head(b"other").unwrap();
    assert_eq!((segments(&path), writer.total_bytes()), (vec![], 0));
    assert_eq!(writer.recovered().head, None);
}

#[test]
fn records_that_leave_a_gap_or_overlap_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), b"").unwrap();
    writer.append(0, 0, 10, b"").unwrap();
    for (first, count) in [(9, 1), (11, 1), (9, 0), (11, 0), (0, 10)] {
        let error = writer.append(0, first, count, b"").unwrap_err();
        assert!(matches!(error, Error::NotContiguous { expected: 10, found } if found == first));
    }
    assert_eq!(writer.next_ordinal(), 10);
    assert_eq!(records(folder.path(), 0, writer.sync().unwrap()).len(), 1);
}

#[test]
fn payloads_and_heads_over_the_limit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let large = vec![0; MAX_PAYLOAD_BYTES + 1];
    assert!(matches!(
        Writer::open(Config::new(folder.path()), &large),
        Err(Error::TooLarge { .. })
    ));
    let mut writer = Writer::open(Config::new(folder.path()), b"").unwrap();
    assert!(matches!(writer.append(0, 0, 1, &large), Err(Error::TooLarge { .. })));
    assert!(matches!(writer.set_head(&large), Err(Error::TooLarge { .. })));
    assert_eq!(writer.next_ordinal(), 0);
}

#[test]
fn a_full_segment_gets_a_successor_named_after_its_first_ordinal() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(config(folder.path(), 1_000), b"head").unwrap();
    for first in (0..100).step_by(5) {
        writer.append(0, first, 5, &noise(first, 200)).unwrap();
    }
    assert_eq!(
        writer.durable().next_ordinal(),
        80,
        "rotation syncs what it leaves behind"
    );
    let durable = writer.sync().unwrap();
    let names: Vec<_> = segments(folder.path())
        .iter()
        .map(|p| p.file_name().unwrap().to_owned())
        .collect();
    let wanted: Vec<_> = (0..5).map(|n| format!("{:020}.seg", n * 20)).collect();
    assert_eq!(
        names,
        wanted.iter().map(Into::into).collect::<Vec<std::ffi::OsString>>()
    );
    assert!(
        segments(folder.path())
            .iter()
            .all(|path| fs::metadata(path).unwrap().len() <= 1_000)
    );
    assert_eq!(records(folder.path(), 0, durable).len(), 20);
}

#[test]
fn a_record_larger_than_a_segment_has_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(config(folder.path(), 100), &noise(1, 200)).unwrap();
    for first in 0..3 {
        writer.append(0, first, 1, &noise(first, 500)).unwrap();
    }
    let durable = writer.sync().unwrap();
    assert_eq!(
        (segments(folder.path()).len(), records(folder.path(), 0, durable).len()),
        (3, 3)
    );
}

#[test]
fn segments_of_marks_alone_do_not_collide() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(config(folder.path(), 1_000), b"").unwrap();
    for number in 0..20 {
        writer.append(number, 0, 0, &noise(1, 200)).unwrap();
    }
    writer.append(20, 0, 1, b"event").unwrap();
    let durable = writer.sync().unwrap();
    assert_eq!(durable.segment(), SegmentId { first: 0, part: 4 });
    assert_eq!(durable.segment().to_string(), "00000000000000000000-000004");
    let kinds: Vec<_> = records(folder.path(), 0, durable)
        .iter()
        .map(|record| record.kind)
        .collect();
    assert_eq!(kinds, (0..=20).collect::<Vec<u8>>());
    drop(writer);

    let mut writer = Writer::open(config(folder.path(), 1_000), b"new head").unwrap();
    assert_eq!(writer.durable(), durable);
    writer.append(21, 1, 1, b"").unwrap();
    assert_eq!(records(folder.path(), 0, writer.sync().unwrap()).len(), 22);
}

#[test]
fn a_reopened_log_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    for start in 0..5 {
        let mut writer = Writer::open(Config::new(folder.path()), b"head").unwrap();
        assert_eq!(writer.next_ordinal(), start * 10);
        assert_eq!(writer.recovered().discarded_bytes, 0);
        for first in 0..10 {
            writer.append(1, start * 10 + first, 1, b"payload").unwrap();
        }
        writer.sync().unwrap();
    }
    let recovered = crate::recover(folder.path()).unwrap();
    assert_eq!(recovered.head.as_deref(), Some(b"head".as_slice()));
    assert_eq!(records(folder.path(), 0, recovered.durable).len(), 50);
    assert_eq!(segments(folder.path()).len(), 1);
}

#[test]
fn unsynced_records_are_lost_with_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), b"head").unwrap();
    writer.append(0, 0, 1, b"kept").unwrap();
    let durable = writer.sync().unwrap();
    writer.append(0, 1, 1, b"lost").unwrap();
    drop(writer);
    assert_eq!(
        Writer::open(Config::new(folder.path()), b"head").unwrap().durable(),
        durable
    );
}

#[test]
fn another_head_begins_another_segment() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), b"one").unwrap();
    writer.set_head(b"two").unwrap();
    writer.append(0, 0, 1, b"").unwrap();
    writer.set_head(b"two").unwrap();
    writer.append(0, 1, 1, b"").unwrap();
    writer.set_head(b"three").unwrap();
    assert_eq!(writer.durable().next_ordinal(), 2, "what has the old head is synced");
    writer.append(0, 2, 1, b"").unwrap();
    writer.sync().unwrap();
    drop(writer);
    let mut writer = Writer::open(Config::new(folder.path()), b"four").unwrap();
    writer.append(0, 3, 1, b"").unwrap();

    let items = items(folder.path(), 0, writer.sync().unwrap()).unwrap();
    let told = items.iter().map(|item| match item {
        Item::SegmentHead(head) => String::from_utf8(head.to_vec()).unwrap(),
        Item::Record(record) => record.first.to_string(),
        Item::Missing(range) => format!("{range:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), ["two", "0", "1", "three", "2", "four", "3"]);
}

#[test]
fn a_second_writer_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::open(Config::new(folder.path()), b"").unwrap();
    assert!(matches!(
        Writer::open(Config::new(folder.path()), b""),
        Err(Error::Locked { .. })
    ));
    assert!(matches!(crate::recover(folder.path()), Err(Error::Locked { .. })));
    drop(writer);
    Writer::open(Config::new(folder.path()), b"").unwrap();
}

/// Ten segments of ten ordinals each, and a reader that has seen none of them.
fn ten_segments(folder: &Path) -> Writer {
    let mut writer = Writer::open(config(folder, 300), b"").unwrap();
    for first in (0..100).step_by(10) {
        writer.append(0, first, 10, &noise(first, 200)).unwrap();
    }
    writer.sync().unwrap();
    assert_eq!(segments(folder).len(), 10);
    writer
}

#[test]
fn release_keeps_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ten_segments(folder.path());
    for (below, released) in [(0, 0), (10, 0), (11, 1), (11, 0), (35, 2), (20, 0)] {
        assert_eq!(writer.release(below).unwrap(), released, "below {below}");
    }
    assert_eq!(segments(folder.path()).len(), 7);
    assert_eq!(records(folder.path(), 35, writer.durable())[0].first, 30);
    assert_eq!(writer.total_bytes(), sizes(&writer));

    assert_eq!(writer.release(u64::MAX).unwrap(), 6, "the last segment stays");
    drop(writer);
    assert_eq!(
        Writer::open(config(folder.path(), 300), b"").unwrap().next_ordinal(),
        100
    );
}

// Marks have no ordinal that could be acknowledged: those at the end of a segment stand before the first ordinal of the
// next one, and would be lost if the segment went as soon as its own ordinals had arrived.
#[test]
fn release_keeps_marks_that_stand_before_the_ordinal() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(config(folder.path(), 300), b"").unwrap();
    writer.append(0, 0, 10, &noise(0, 150)).unwrap();
    writer.append(1, 10, 0, b"time gap").unwrap();
    writer.append(0, 10, 10, &noise(1, 150)).unwrap();
    let durable = writer.sync().unwrap();
    assert_eq!(segments(folder.path()).len(), 2);

    assert_eq!(writer.release(10).unwrap(), 0);
    let kinds: Vec<_> = records(folder.path(), 10, durable)
        .iter()
        .map(|record| record.kind)
        .collect();
    assert_eq!(kinds, [1, 0]);
    assert_eq!(writer.release(11).unwrap(), 1);
}

// Found by the property test: an ordinal that does not exist yet took the marks before the next one with it.
#[test]
fn release_beyond_the_end_keeps_marks_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(config(folder.path(), 300), b"").unwrap();
    for _ in 0..3 {
        writer.append(1, 0, 0, &noise(0, 200)).unwrap();
    }
    let durable = writer.sync().unwrap();
    assert_eq!(writer.release(u64::MAX).unwrap(), 0);
    assert_eq!(records(folder.path(), 0, durable).len(), 3);
}

// If the unsynced segment were lost in a crash after all others were released, ordinals would begin again at zero.
#[test]
fn release_keeps_the_durable_segment_though_a_newer_one_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ten_segments(folder.path());
    writer.append(0, 100, 10, &noise(100, 200)).unwrap();
    assert_eq!(writer.release(u64::MAX).unwrap(), 9);
    assert_eq!(writer.evict_oldest().unwrap(), None);
    let begun = segments(folder.path()).pop().unwrap();
    drop(writer);
    fs::remove_file(begun).unwrap();
    assert_eq!(
        Writer::open(config(folder.path(), 300), b"").unwrap().next_ordinal(),
        100
    );
}

#[test]
fn a_full_log_refuses_until_old_segments_go() {
    let folder = tempfile::tempdir().unwrap();
    let limit = Some(1_000);
    let mut writer = Writer::open(
        Config {
            max_total_bytes: limit,
            ..config(folder.path(), 300)
        },
        b"",
    )
    .unwrap();
    let mut first = 0;
    while writer.fits(200) {
        writer.append(0, first, 10, &noise(first, 200)).unwrap();
        first += 10;
    }
    let full = writer.append(0, first, 10, &noise(first, 200)).unwrap_err();
    assert!(
        matches!(full, Error::Full { limit_bytes: 1_000, wanted_bytes } if wanted_bytes > 1_000),
        "{full:?}"
    );
    assert!(!full.is_disk_full());
    assert_eq!((first, writer.next_ordinal()), (30, 30));

    writer.sync().unwrap();
    assert_eq!(writer.evict_oldest().unwrap(), Some(0..10));
    writer.append(0, first, 10, &noise(first, 200)).unwrap();
    let durable = writer.sync().unwrap();
    assert!(writer.total_bytes() <= 1_000 && writer.total_bytes() == sizes(&writer));
    assert_eq!(items(folder.path(), 0, durable).unwrap()[0], Item::Missing(0..10));
    drop(writer);

    let writer = Writer::open(
        Config {
            max_total_bytes: limit,
            ..config(folder.path(), 300)
        },
        b"",
    )
    .unwrap();
    assert!(!writer.fits(200), "the size is known again after a start");
}

#[test]
fn a_failed_write_is_tried_again_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(config(folder.path(), 1_000), b"").unwrap();
    writer.append(0, 0, 1, b"one").unwrap();
    writer.sync().unwrap();
    writer.append(0, 1, 1, b"two").unwrap();

    let present = writer.present.as_mut().unwrap();
    let read_only = File::open(&present.path).unwrap();
    let good = std::mem::replace(&mut present.file, read_only);
    let error = writer.sync().unwrap_err();
    assert!(matches!(error, Error::Io { operation: "write", .. }), "{error:?}");
    assert!(
        writer.append(0, 2, 1, &noise(2, 1_000)).is_err(),
        "no rotation before the old segment is safe"
    );

    // A part of the failed write may be in the file.
    let mut good = good;
    good.seek(SeekFrom::End(0))
        .and_then(|_| good.write_all(b"half"))
        .unwrap();
    writer.present.as_mut().unwrap().file = good;
    writer.append(0, 2, 1, &noise(2, 1_000)).unwrap();
    assert_eq!(records(folder.path(), 0, writer.sync().unwrap()).len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_from_other_failures() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), b"").unwrap();
    writer.append(0, 0, 1, b"one").unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let good = std::mem::replace(&mut writer.present.as_mut().unwrap().file, full);
    assert!(writer.sync().unwrap_err().is_disk_full());
    writer.present.as_mut().unwrap().file = good;
    assert_eq!(records(folder.path(), 0, writer.sync().unwrap()).len(), 1);
}

// After a failed fsync Linux marks the pages clean: the next fsync succeeds and the data is gone.
#[cfg(target_os = "linux")]
#[test]
fn after_a_failed_sync_the_writer_refuses_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), b"").unwrap();
    writer.append(0, 0, 1, b"one").unwrap();
    // A device that takes every write and cannot be synced.
    writer.present.as_mut().unwrap().file = OpenOptions::new().write(true).open("/dev/null").unwrap();
    assert!(matches!(writer.sync(), Err(Error::Io { operation: "sync", .. })));
    assert!(matches!(writer.sync(), Err(Error::InDoubt { .. })));
    assert!(matches!(writer.append(0, 1, 1, b""), Err(Error::InDoubt { .. })));
    assert!(matches!(writer.set_head(b"other"), Err(Error::InDoubt { .. })));
    assert_eq!(writer.durable(), Durable::default());
}

#[test]
fn a_buffer_that_grows_is_written_before_the_sync() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), b"").unwrap();
    for first in 0..20 {
        writer.append(0, first, 1, &noise(first, 50_000)).unwrap();
    }
    let written = fs::metadata(&segments(folder.path())[0]).unwrap().len();
    assert!(
        written > 500_000 && writer.buffer.len() < BUFFER_BYTES + 100_000,
        "{written}"
    );
    let mut reader = Reader::open(folder.path(), 0).unwrap();
    assert_eq!(reader.next(writer.durable()).unwrap(), None, "written is not durable");
    assert_eq!(records(folder.path(), 0, writer.sync().unwrap()).len(), 20);
}
