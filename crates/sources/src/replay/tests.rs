//! A recording is played whole, in order, from anywhere, at any pace, and its promises are kept.

use std::fs;
use std::path::Path;

use super::*;

fn write_recording(directory: &Path, rows: usize) {
    fs::write(
        directory.join("run.json"),
        r#"{"name":"tiny","topology":{"initiators":["i0"],"targets":["t0"]},"volumes":[{"name":"v"}],
           "extents":[{"volume":"v","volume_offset":0,"length":8192,"copy":0,"node":"t0","disk":"d","disk_offset":0}]}"#,
    )
    .unwrap();
    let mut text = String::new();
    for at in 0..rows {
        // Every tenth event is written out of the order of completion.
        let end = 1_790_000_000_000_000_000 + at as i64 * 1_000_000 - if at % 10 == 9 { 5_000_000 } else { 0 };
        let layer = if at % 3 == 0 { "target" } else { "device" };
        text += &format!(
            "{{\"layer\":\"{layer}\",\"device\":\"d\",\"op\":\"write\",\"offset\":{at},\"length\":1,\"start_ns\":{},\"duration_ns\":7,\"status\":0}}\n",
            end - 7
        );
    }
    fs::write(directory.join("events-t0.jsonl"), text).unwrap();
}

fn play(source: &mut ReplaySource, most: usize) -> Vec<(u64, fathom_model::IoEvent, i64)> {
    let mut played = Vec::new();
    while let Polled::Events(batch) = source.poll(Duration::ZERO, most).unwrap() {
        for (at, event) in batch.columns.iter().enumerate() {
            played.push((batch.first_ordinal + at as u64, event, batch.complete_until_unix_nanos));
        }
    }
    played
}

fn source(rows: usize, options: Options) -> (tempfile::TempDir, ReplaySource) {
    let directory = tempfile::tempdir().unwrap();
    write_recording(directory.path(), rows);
    let recording = Recording::open(directory.path()).unwrap();
    let source = ReplaySource::open(&recording, &"t0".into(), options).unwrap();
    (directory, source)
}

#[test]
fn promises_hold_for_every_batch_size() {
    for most in [1, 7, 1000, 5000] {
        let (_directory, mut source) = source(3000, Options::default());
        let played = play(&mut source, most);
        assert_eq!(played.len(), 3000);
        assert!(
            played
                .iter()
                .enumerate()
                .all(|(at, (ordinal, event, _))| *ordinal == at as u64 && event.offset == at as u64)
        );
        let mut earliest = i64::MAX;
        for (_, event, _) in played.iter().rev() {
            earliest = earliest.min(event.end_unix_nanos());
        }
        for (at, (_, _, promise)) in played.iter().enumerate() {
            let later_batch = played[at..]
                .iter()
                .find(|other| other.2 != *promise)
                .map(|other| other.0);
            if let Some(from) = later_batch {
                assert!(
                    played[from as usize..]
                        .iter()
                        .all(|(_, event, _)| event.end_unix_nanos() >= *promise)
                );
            }
        }
        assert_eq!(source.describe().covered_from_unix_nanos, Some(earliest));
    }
}

#[test]
fn seek_goes_forward_and_back() {
    let (_directory, mut source) = source(3000, Options::default());
    let all = play(&mut source, 100);
    for from in [0_u64, 1, 1023, 1024, 2999, 3000] {
        source.seek(from).unwrap();
        let rest: Vec<_> = play(&mut source, 64)
            .into_iter()
            .map(|(ordinal, event, _)| (ordinal, event))
            .collect();
        let expected: Vec<_> = all[from as usize..]
            .iter()
            .map(|(ordinal, event, _)| (*ordinal, *event))
            .collect();
        assert_eq!(rest, expected);
    }
}

#[test]
fn left_out_taps_are_as_if_the_node_did_not_have_them() {
    let (_directory, mut source) = source(
        300,
        Options {
            without: vec![Tap::Target],
            pace: None,
        },
    );
    let played = play(&mut source, 64);
    assert_eq!(played.len(), 200);
    assert!(played.iter().all(|(_, event, _)| event.tap == Tap::Device));
    assert_eq!(source.describe().taps, [(Tap::Device, 1000)]);
    let (_directory, whole) = self::source(300, Options::default());
    assert_ne!(
        whole.incarnation, source.incarnation,
        "another set of events is another stream"
    );
}

#[test]
fn the_same_recording_has_the_same_incarnation_and_a_changed_one_another() {
    let (directory, first) = source(30, Options::default());
    let (_other, second) = source(30, Options::default());
    assert_eq!(first.incarnation, second.incarnation);
    write_recording(directory.path(), 31);
    let recording = Recording::open(directory.path()).unwrap();
    let changed = ReplaySource::open(&recording, &"t0".into(), Options::default()).unwrap();
    assert_ne!(first.incarnation, changed.incarnation);
}

#[test]
fn pace_gives_only_what_would_have_happened_by_now() {
    let (_directory, mut source) = source(
        100,
        Options {
            without: Vec::new(),
            pace: Some(2.0),
        },
    );
    let mut given = 0;
    for millis in 0..49_u64 {
        loop {
            match source.poll(Duration::from_millis(millis), 1000).unwrap() {
                Polled::Events(batch) => given += batch.columns.len(),
                Polled::Later(wait) => break assert!(wait <= Duration::from_millis(3)),
                Polled::End => panic!("the recording lasts longer"),
                Polled::Gap(_) | Polled::Quiet { .. } => panic!("a recording has no gaps"),
            }
        }
        assert!(given as u64 <= millis * 2 + 11, "{given} events after {millis} ms");
    }
    assert!(given > 80);
}

#[test]
fn recording_that_changes_while_played_is_an_error() {
    let (directory, mut source) = source(3000, Options::default());
    write_recording(directory.path(), 10);
    source.reader = source.recording.events(&source.node).unwrap();
    let mut failed = false;
    for _ in 0..10 {
        match source.poll(Duration::ZERO, 1000) {
            Err(Error::Changed {
                expected: 3000,
                found: 10,
                ..
            }) => {
                failed = true;
                break;
            }
            Err(other) => panic!("{other}"),
            Ok(_) => {}
        }
    }
    assert!(failed);
}

/// Of a node without a row only the drive's events were missing: which taps it has was told by its rows alone.
#[test]
fn node_without_a_row_has_the_taps_that_the_recording_counts() {
    let directory = tempfile::tempdir().unwrap();
    write_recording(directory.path(), 0);
    let run = directory.path().join("run.json");
    let text = fs::read_to_string(&run).unwrap();
    let counts = r#""counts":{"t0":{"target.write":5,"device.write":5,"initiator.write":0}},"name":"#;
    fs::write(&run, text.replacen("\"name\":", counts, 1)).unwrap();
    let recording = Recording::open(directory.path()).unwrap();
    let open = |without: &[Tap]| {
        let options = Options {
            without: without.to_vec(),
            pace: None,
        };
        ReplaySource::open(&recording, &"t0".into(), options).unwrap()
    };
    let taps = |source: &ReplaySource| source.describe().taps.iter().map(|(tap, _)| *tap).collect::<Vec<_>>();
    let whole = open(&[]);
    assert_eq!(taps(&whole), [Tap::Target, Tap::Device]);
    let says = whole.warnings().join("\n");
    assert!(
        says.contains("there is no row in it: what t0 saw is not known"),
        "{says}"
    );
    assert_eq!(taps(&open(&[Tap::Target])), [Tap::Device]);
    // Rows that are left out are rows.
    let (_directory, source) = source(
        3,
        Options {
            without: vec![Tap::Target, Tap::Device],
            pace: None,
        },
    );
    assert_eq!(source.warnings(), [""; 0]);
}
