use super::*;
use crate::{
    Config, Writer,
    tests::{config, noise, records, segments},
};

const HEAD: &[u8] = b"the head of this log";

/// A log of five records, each synced; returns the path of its segment and where each record begins.
fn five_records(folder: &Path) -> (std::path::PathBuf, Vec<u64>) {
    let mut writer = Writer::open(Config::new(folder), HEAD).unwrap();
    let mut offsets = vec![format::head_bytes(HEAD)];
    for first in 0..5 {
        writer.append(3, first * 2, 2, &noise(first, 90)).unwrap();
        offsets.push(writer.sync().unwrap().offset());
    }
    (segments(folder).pop().unwrap(), offsets)
}

#[track_caller]
fn refused(folder: &Path, file: &Path, at: u64) -> Damage {
    match recover(folder) {
        Err(Error::Corrupt { path, offset, damage }) if path == file && offset == at => damage,
        other => panic!("expected damage at {at}, got {other:?}"),
    }
}

#[test]
fn an_empty_folder_is_an_empty_log_and_a_missing_one_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let recovered = recover(folder.path()).unwrap();
    assert_eq!(
        recovered,
        Recovered {
            durable: Durable::default(),
            head: None,
            discarded_bytes: 0
        }
    );
    let missing = recover(&folder.path().join("absent")).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }), "{missing:?}");
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (path, offsets) = five_records(folder.path());
    let whole = fs::read(&path).unwrap();
    for length in offsets[4]..offsets[5] {
        fs::write(&path, &whole[..length as usize]).unwrap();
        let writer = Writer::open(Config::new(folder.path()), HEAD).unwrap();
        assert_eq!(writer.recovered().discarded_bytes, length - offsets[4]);
        assert_eq!(writer.next_ordinal(), 8);
        assert_eq!(records(folder.path(), 0, writer.durable()).len(), 4);
        assert_eq!(fs::metadata(&path).unwrap().len(), offsets[4]);
    }
}

#[test]
fn a_cut_tail_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, offsets) = five_records(folder.path());
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(offsets[5] - 1)
        .unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), HEAD).unwrap();
    writer.append(3, 8, 2, &noise(4, 90)).unwrap();
    let durable = writer.sync().unwrap();
    assert_eq!(
        (durable.offset(), records(folder.path(), 0, durable).len()),
        (offsets[5], 5)
    );
    assert_eq!(segments(folder.path()).len(), 1);
}

#[test]
fn a_flipped_bit_in_the_middle_is_refused_with_file_and_offset() {
    let folder = tempfile::tempdir().unwrap();
    let (path, offsets) = five_records(folder.path());
    let whole = fs::read(&path).unwrap();
    for at in offsets[2]..offsets[3] {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at as usize] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            refused(folder.path(), &path, offsets[2]);
            assert_eq!(fs::metadata(&path).unwrap().len(), whole.len() as u64, "nothing is cut");
        }
    }
    let error = Writer::open(Config::new(folder.path()), HEAD).unwrap_err();
    let wanted = format!("{} is corrupt at byte {}", path.display(), offsets[2]);
    assert_eq!(error.to_string(), wanted);
    assert!(std::error::Error::source(&error).is_some_and(|cause| cause.to_string().contains("checksum")));
}

#[test]
fn a_flipped_bit_in_the_head_is_refused_while_records_follow() {
    let folder = tempfile::tempdir().unwrap();
    let (path, offsets) = five_records(folder.path());
    let whole = fs::read(&path).unwrap();
    for at in 0..offsets[0] as usize {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        match recover(folder.path()) {
            Err(Error::Version {
                path: named,
                found,
                supported: 1,
            }) if at == 8 || at == 9 => {
                assert!(named == path && found != 1);
            }
            Err(Error::Corrupt {
                path: named, offset: 0, ..
            }) => assert_eq!(named, path),
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

// The flip cannot be told from a record that was never finished; see the documentation of `recover`.
#[test]
fn damage_to_the_very_last_record_is_taken_for_a_torn_tail() {
    let folder = tempfile::tempdir().unwrap();
    let (path, offsets) = five_records(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let recovered = recover(folder.path()).unwrap();
    assert_eq!(
        (recovered.durable.next_ordinal(), recovered.durable.offset()),
        (8, offsets[4])
    );
    assert_eq!(recovered.discarded_bytes, offsets[5] - offsets[4]);
}

#[test]
fn a_tail_of_zeros_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (path, offsets) = five_records(folder.path());
    // A file whose size was written before its content, as after a power failure on XFS or NTFS.
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(offsets[5] + 5_000)
        .unwrap();
    let recovered = recover(folder.path()).unwrap();
    assert_eq!(
        (recovered.durable.next_ordinal(), recovered.discarded_bytes),
        (10, 5_000)
    );
}

#[test]
fn a_page_that_was_never_written_before_others_that_were_is_a_torn_tail() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Config::new(folder.path()), HEAD).unwrap();
    for first in 0..40 {
        writer.append(0, first, 1, &noise(first, 300)).unwrap();
    }
    writer.sync().unwrap();
    drop(writer);
    let path = segments(folder.path()).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..8192].fill(0);
    fs::write(&path, &bytes).unwrap();
    let recovered = recover(folder.path()).unwrap();
    // 12 records of 321 bytes fit between a head of 50 bytes and the hole.
    assert_eq!(
        (recovered.durable.next_ordinal(), recovered.durable.offset()),
        (12, 50 + 12 * 321)
    );
    assert_eq!(records(folder.path(), 0, recovered.durable).len(), 12);
}

#[test]
fn a_segment_whose_making_was_cut_is_removed_at_any_length() {
    for length in 0..format::head_bytes(HEAD) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(config(folder.path(), 100), HEAD).unwrap();
        writer.append(0, 0, 4, &noise(0, 90)).unwrap();
        let durable = writer.sync().unwrap();
        writer.append(0, 4, 4, &noise(1, 90)).unwrap();
        writer.sync().unwrap();
        drop(writer);
        let path = segments(folder.path()).pop().unwrap();
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length)
            .unwrap();

        let recovered = recover(folder.path()).unwrap();
        assert_eq!(recovered.durable, durable);
        assert_eq!(
            (recovered.head.as_deref(), recovered.discarded_bytes),
            (Some(HEAD), length)
        );
        assert!(!path.exists());
    }
}

#[test]
fn the_first_segment_of_all_may_be_cut_too() {
    let folder = tempfile::tempdir().unwrap();
    let (path, offsets) = five_records(folder.path());
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(offsets[0] - 1)
        .unwrap();
    let recovered = recover(folder.path()).unwrap();
    assert_eq!(
        (recovered.durable, recovered.discarded_bytes),
        (Durable::default(), offsets[0] - 1)
    );
}

#[test]
fn a_cut_before_a_cut_segment_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(config(folder.path(), 100), HEAD).unwrap();
    for first in 0..2 {
        writer.append(0, first, 1, &noise(first, 90)).unwrap();
    }
    writer.sync().unwrap();
    drop(writer);
    let paths = segments(folder.path());
    let file = |path| OpenOptions::new().write(true).open(path).unwrap();
    file(&paths[1]).set_len(10).unwrap();
    file(&paths[0]).set_len(format::head_bytes(HEAD) + 20).unwrap();
    let damage = refused(folder.path(), &paths[0], format::head_bytes(HEAD));
    assert!(matches!(damage, Damage::Cut { needed: 21, found: 20 }), "{damage:?}");

    file(&paths[0]).set_len(format::head_bytes(HEAD)).unwrap();
    let damage = refused(folder.path(), &paths[1], 0);
    assert_eq!(damage, Damage::Ordinal { expected: 0, found: 1 });
    assert!(paths[1].exists(), "nothing is deleted");
}

#[test]
fn files_that_no_crash_makes_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = five_records(folder.path());
    let renamed = folder.path().join(format!("{:020}.seg", 500));
    fs::rename(&path, &renamed).unwrap();
    let found = SegmentId::default();
    assert_eq!(refused(folder.path(), &renamed, 0), Damage::OtherSegment { found });

    fs::write(&renamed, "a file of somebody else, longer than a head").unwrap();
    assert_eq!(refused(folder.path(), &renamed, 0), Damage::Magic);
    assert!(renamed.exists());
}

#[test]
fn records_out_of_order_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, offsets) = five_records(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes.drain(offsets[2] as usize..offsets[3] as usize);
    fs::write(&path, bytes).unwrap();
    assert_eq!(
        refused(folder.path(), &path, offsets[2]),
        Damage::Ordinal { expected: 4, found: 6 }
    );
}

#[test]
fn other_files_in_the_folder_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    five_records(folder.path());
    for name in [
        "5.seg",
        "00000000000000000009.seg.bak",
        "99999999999999999999.seg",
        "notes.txt",
    ] {
        fs::write(folder.path().join(name), "not a segment").unwrap();
    }
    assert_eq!(recover(folder.path()).unwrap().durable.next_ordinal(), 10);
    assert!(folder.path().join("5.seg").exists());
}

#[test]
fn the_search_for_intact_records_gives_up_in_time() {
    assert_eq!(intact_record(&noise(1, 1 << 20), 0), Search::Nowhere);
    // Many places look like a record of 16 MiB that begins with ordinal 0.
    let mut heads = vec![0; 64 << 20];
    for head in heads.chunks_exact_mut(21) {
        head[2] = 0xff;
    }
    assert_eq!(intact_record(&heads, 0), Search::GaveUp);
}
