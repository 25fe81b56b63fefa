//! Cells come back as they were, whatever was put together meanwhile, and are counted once.

use fathom_model::cell::{
    Attribution, AttributionKey, Attributions, Bucket, Candidate, KeptAttribution, Latencies, LatencyKey, Moments, Of,
    SecondKey, Seconds, SizeClass, Whole,
};
use fathom_model::sketch::Sketch;

use super::*;
use crate::paths::DataPath;

mod sums;

use crate::scan::{read_attribution, read_latency, read_seconds};

const SECOND: i64 = 1_000_000_000;

fn sketch(values: impl IntoIterator<Item = u64>) -> Sketch {
    let mut sketch = Sketch::default();
    values.into_iter().for_each(|value| sketch.add(value));
    sketch
}

/// Cells of every kind, of one record's rows at a time.
fn cells(catalog: &mut Catalog, at: i64) -> Cells {
    let (volume, node) = (catalog.intern_volume(&"vol0".into()), catalog.intern_node(&"i0".into()));
    let far = catalog.intern_node(&"t1".into());
    let disk = catalog.intern_disk(&PhysicalDisk {
        id: "t1-disk0".into(),
        node: "t1".into(),
        name: "disk0".to_owned(),
    });
    let mut latency = Latencies::default();
    let fine = Bucket::of(at, Bucket::FINE_NANOS);
    let values = || (1..200).map(|value: u64| value * value * (at.unsigned_abs() % 97 + 1));
    for (tap, of) in [
        (
            Tap::Volume,
            Of::Io {
                volume,
                node,
                size: SizeClass::of(4096),
            },
        ),
        (Tap::Initiator, Of::Way { volume, node, far }),
        (Tap::Device, Of::Disk(disk)),
    ] {
        let key = LatencyKey { op: Op::Write, tap, of };
        latency.add(fine, key, &sketch(values()));
    }
    let mut attribution = Attributions::default();
    let minute = Bucket::of(at, Bucket::COARSE_NANOS);
    let mut all = Attribution {
        writes: 199,
        unknown: 3,
        took: sketch(values()),
        joined: Whole {
            legs_expected: 597,
            legs: 590,
            exact: 190,
            ambiguous: 2,
            incomplete: 7,
        },
        ..Attribution::default()
    };
    all.note_slowest(at.unsigned_abs() % 1000, || format!("i0-{at}"));
    let waits = Attribution {
        writes: 150,
        last: 70,
        expected_millionths: 50_000_000,
        leads: 149,
        added_nanos: 123_456,
        given_back_nanos: 100_000,
        sooner: 60,
        unknown: 1,
        took: sketch(values().skip(100)),
        would: sketch(values().take(99)),
        ..Attribution::default()
    };
    let missing = Attribution {
        writes: 7,
        ..Attribution::default()
    };
    for (to, cell) in [
        (Candidate::All, &all),
        (Candidate::Disk(disk), &waits),
        (Candidate::Node(far), &waits),
        (Candidate::Link(node.min(far), node.max(far)), &waits),
        (Candidate::Missing(far, Tap::Device, Missing::Lost), &missing),
    ] {
        attribution.add(minute, AttributionKey { volume, to }, cell);
    }
    let mut seconds = Seconds::default();
    for (number, nanos) in values().enumerate() {
        let key = SecondKey {
            second: at.div_euclid(SECOND) - number as i64 % 3,
            volume,
            node,
            size: SizeClass::of(4096),
        };
        let mut moments = Moments::default();
        moments.add(nanos);
        seconds.add(key, &moments);
    }
    Cells {
        latency,
        attribution,
        seconds,
    }
}

async fn read_all(owner: &Owner<u32>, catalog: &mut Catalog) -> Cells {
    let mut found = Cells::default();
    for file in owner.files() {
        let add = |bucket: Bucket, key, kept: fathom_model::sketch::Kept<'_>| {
            found.latency.cells.entry((bucket, key)).or_default().merge_bins(kept)
        };
        read_latency(owner.blobs(), file, catalog, add).await.unwrap();
        let add = |bucket, key, kept: &KeptAttribution<'_>| {
            let own = found.attribution.cells.entry((bucket, key)).or_default();
            own.merge_kept(kept)
        };
        read_attribution(owner.blobs(), file, catalog, add).await.unwrap();
        let add = |key, moments: Moments| found.seconds.add(key, &moments);
        read_seconds(owner.blobs(), file, Span::ALL, catalog, add)
            .await
            .unwrap();
    }
    found
}

/// Puts a record with an I/O and cells at a time.
async fn put(owner: &mut Owner<u32>, catalog: &mut Catalog, at: i64, since: u64) -> Cells {
    let cells = cells(catalog, at);
    let mut rows = rows(catalog, 1);
    for io in &mut rows.ios {
        io.event.start_unix_nanos = at;
        io.event.duration_nanos = 0;
    }
    let commit = Commit {
        cells: &cells,
        cells_since: since,
        ..commit(&rows, catalog, &[], &[])
    };
    owner.commit(commit).await.unwrap();
    cells
}

fn level_counts(owner: &Owner<u32>, table: Table) -> [usize; 4] {
    let of_table = owner.files().iter().filter(|file| file.table == table);
    let levels = of_table.map(|file| file.path.parse::<DataPath>().unwrap().merged);
    levels.fold([0; 4], |mut counts, level| {
        counts[usize::from(level)] += 1;
        counts
    })
}

#[tokio::test]
async fn cells_come_back_as_they_were_and_few_files_hold_them() {
    let blobs = Blobs::in_memory();
    let mut catalog = Catalog::default();
    let mut owner = owner(&blobs, 1).await.unwrap();
    let day = Partition::of(Table::Latency, START);
    let (mut expected, mut at) = (Cells::default(), START);
    for _ in 0..100 {
        expected.merge(&put(&mut owner, &mut catalog, at, 1).await);
        at += 7 * SECOND;
        assert_eq!(Partition::of(Table::Latency, at), day, "the test is about one day");
    }
    assert_eq!(read_all(&owner, &mut catalog).await, expected);
    // Six times sixteen became one, and the rest is not enough.
    assert_eq!(level_counts(&owner, Table::Latency), [4, 6, 0, 0]);
    assert_eq!(level_counts(&owner, Table::Attribution), [4, 6, 0, 0]);
    assert_eq!(level_counts(&owner, Table::WriteSeconds), [4, 6, 0, 0]);
    let named: Vec<&str> = owner.files().iter().map(|file| file.path.as_str()).collect();
    let newest = manifest::newest::<u32>(&blobs, &"c".into()).await.unwrap().unwrap();
    let successor: Vec<&str> = newest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(named, successor, "a successor sees the same files");
}

#[tokio::test]
async fn latencies_that_are_over_an_hour_old_are_by_the_minute() {
    let blobs = Blobs::in_memory();
    let mut catalog = Catalog::default();
    let mut owner = owner(&blobs, 1).await.unwrap();
    let (mut expected, mut at) = (Cells::default(), START);
    for _ in 0..300 {
        expected.merge(&put(&mut owner, &mut catalog, at, 1).await);
        at += 3 * SECOND;
    }
    for _ in 0..4 {
        at += 3600 * SECOND;
        expected.merge(&put(&mut owner, &mut catalog, at, 1).await);
    }
    let found = read_all(&owner, &mut catalog).await;
    assert_eq!(found.attribution, expected.attribution);
    assert_eq!(found.seconds, expected.seconds);
    let mut coarse = Latencies::default();
    for ((bucket, key), sketch) in &expected.latency.cells {
        coarse.add(bucket.coarse(), *key, sketch);
    }
    let mut found_coarse = Latencies::default();
    for ((bucket, key), sketch) in &found.latency.cells {
        found_coarse.add(bucket.coarse(), *key, sketch);
    }
    assert_eq!(found_coarse, coarse);
    let counts = level_counts(&owner, Table::Latency);
    assert_eq!((counts[2], counts[3]), (0, 1), "{counts:?}");
    // What is attributed is by the minute from the beginning.
    let counts = level_counts(&owner, Table::Attribution);
    assert_eq!((counts[2], counts[3]), (1, 0), "{counts:?}");
    let is_coarse = |bucket: &Bucket| bucket.length_nanos == Bucket::COARSE_NANOS;
    assert!(found.latency.cells.keys().any(|(bucket, _)| is_coarse(bucket)));
    assert!(found.latency.cells.keys().any(|(bucket, _)| !is_coarse(bucket)));
}

#[tokio::test]
async fn seconds_of_a_stretch_are_found_in_large_files_and_nothing_is_lost_of_long_durations() {
    let blobs = Blobs::in_memory();
    let mut catalog = Catalog::default();
    let mut owner = owner(&blobs, 1).await.unwrap();
    let mut cells = Cells::default();
    let node = catalog.intern_node(&"i0".into());
    for number in 0..300 {
        let volume = catalog.intern_volume(&format!("vol{}", number % 50).as_str().into());
        for second in 0..200 {
            let mut moments = Moments::default();
            // A minute, squared and added up, is more than 64 bits hold.
            (0..10).for_each(|more| moments.add(60 * SECOND.unsigned_abs() + more));
            let key = SecondKey {
                second: START.div_euclid(SECOND) + second,
                volume,
                node,
                size: SizeClass(9 + (number % 6) as u8),
            };
            cells.seconds.add(key, &moments);
        }
    }
    let rows = rows(&mut catalog, 1);
    let commit = Commit {
        cells: &cells,
        cells_since: 1,
        ..commit(&rows, &catalog, &[], &[])
    };
    owner.commit(commit).await.unwrap();
    let file = owner.files().iter().find(|file| file.table == Table::WriteSeconds);
    let file = file.unwrap();
    assert_eq!(file.rows as usize, cells.seconds.cells.len());
    let span = Span {
        from_unix_nanos: START + 150 * SECOND,
        until_unix_nanos: START + 151 * SECOND,
    };
    let mut found = Seconds::default();
    let mut read = 0;
    read_seconds(&blobs, file, span, &mut catalog, |key, moments| {
        read += 1;
        found.add(key, &moments);
    })
    .await
    .unwrap();
    assert!(read < file.rows, "row groups of other times are passed over");
    let wanted = cells.seconds.cells.iter();
    let mut wanted = wanted.filter(|(key, _)| (150..=151).contains(&(key.second - START.div_euclid(SECOND))));
    assert!(wanted.all(|(key, moments)| found.cells.get(key) == Some(moments)));
}

#[tokio::test]
async fn files_of_before_every_record_had_cells_stay_apart() {
    let blobs = Blobs::in_memory();
    let mut catalog = Catalog::default();
    let mut owner = owner(&blobs, 1).await.unwrap();
    for at in 0..10 {
        put(&mut owner, &mut catalog, START + at * SECOND, 1).await;
    }
    let since = owner.record().number + 1;
    for at in 10..30 {
        put(&mut owner, &mut catalog, START + at * SECOND, since).await;
    }
    let merged = owner.files().iter().filter(|file| file.table == Table::Latency);
    let paths: Vec<DataPath> = merged.map(|file| file.path.parse().unwrap()).collect();
    assert_eq!(paths.iter().filter(|path| path.number < since).count(), 10, "{paths:?}");
    assert_eq!(paths.iter().filter(|path| path.merged == 1).count(), 1, "{paths:?}");
}

#[tokio::test]
async fn broken_file_is_left_alone_and_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_folder(folder.path()).unwrap();
    let mut catalog = Catalog::default();
    let mut owner = owner(&blobs, 1).await.unwrap();
    put(&mut owner, &mut catalog, START, 1).await;
    let file = owner.files().iter().find(|file| file.table == Table::Latency).unwrap();
    std::fs::write(folder.path().join(&file.path), b"no parquet").unwrap();
    let broken = file.path.clone();
    for at in 1..40 {
        put(&mut owner, &mut catalog, START + at * SECOND, 1).await;
    }
    assert!(owner.files().iter().any(|file| file.path == broken));
    let told = owner.take_merge_fault().map(ToString::to_string);
    assert!(told.as_ref().is_some_and(|told| told.contains(&broken)), "{told:?}");
    assert!(owner.take_merge_fault().is_none());
    assert_eq!(owner.record().number, 41, "every record was put");
}
