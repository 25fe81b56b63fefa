//! Sums beside files say what the files do, are there as long as they are, and are read in their place.

use std::collections::BTreeMap;

use fathom_model::cell::OfKind;

use super::*;
use crate::manifest::FileEntry;
use crate::sums::{Ask, longest_bucket, sum_attribution, sum_latency};
use crate::{Span, manifest};

const MINUTE: i64 = 60 * SECOND;

/// Cells of a busier cluster: three volumes, each written by a node of its own, and eight disks.
fn busy(catalog: &mut Catalog, at: i64) -> Cells {
    let mut all = Cells::default();
    for number in 0..3_i64 {
        let volume = catalog.intern_volume(&format!("vol{number}").as_str().into());
        let node = catalog.intern_node(&format!("i{number}").as_str().into());
        let (fine, minute) = (Bucket::of(at, Bucket::FINE_NANOS), Bucket::of(at, Bucket::COARSE_NANOS));
        let took =
            |more: i64| sketch((1..30).map(|value| value * value * 1000 + (at / SECOND + more).unsigned_abs() % 977));
        let size = SizeClass::of(4096 << number);
        for op in [Op::Write, Op::Read] {
            let of = Of::Io { volume, node, size };
            let tap = Tap::Volume;
            all.latency.add(fine, LatencyKey { op, tap, of }, &took(number));
        }
        let mut cell = Attribution {
            writes: 29,
            took: took(number),
            ..Attribution::default()
        };
        cell.note_slowest((at / SECOND + number).unsigned_abs() % 100, || {
            format!("i{number}-{at}")
        });
        let key = |to| AttributionKey { volume, to };
        all.attribution.add(minute, key(Candidate::All), &cell);
        for disk in 0..8 {
            let far = format!("t{}", disk % 4);
            let far_node = catalog.intern_node(&far.as_str().into());
            let disk_index = catalog.intern_disk(&PhysicalDisk {
                id: format!("{far}-{disk}").as_str().into(),
                node: far.as_str().into(),
                name: format!("disk{disk}"),
            });
            let (op, tap) = (Op::Write, Tap::Device);
            let way = Of::Way {
                volume,
                node,
                far: far_node,
            };
            all.latency.add(fine, LatencyKey { op, tap, of: way }, &took(disk));
            let of = Of::Disk(disk_index);
            all.latency.add(fine, LatencyKey { op, tap, of }, &took(disk));
            let waits = Attribution {
                writes: 20,
                last: 7,
                given_back_nanos: 1000,
                sooner: 5,
                took: took(disk),
                would: took(disk + 1),
                ..Attribution::default()
            };
            all.attribution.add(minute, key(Candidate::Disk(disk_index)), &waits);
            all.attribution.add(minute, key(Candidate::Node(far_node)), &waits);
        }
    }
    all
}

async fn put_busy(owner: &mut Owner<u32>, catalog: &mut Catalog, at: i64) -> Cells {
    let cells = busy(catalog, at);
    let mut rows = rows(catalog, 1);
    for io in &mut rows.ios {
        io.event.start_unix_nanos = at;
        io.event.duration_nanos = 0;
    }
    let commit = Commit {
        cells: &cells,
        cells_since: 1,
        ..commit(&rows, catalog, &[], &[])
    };
    owner.commit(commit).await.unwrap();
    cells
}

/// A store of two hours and a little, with files of every level, and what it has.
async fn store(blobs: &Blobs, catalog: &mut Catalog) -> (Owner<u32>, Cells) {
    let mut owner = owner(blobs, 1).await.unwrap();
    let (mut expected, mut at) = (Cells::default(), START);
    for number in 0..560 {
        expected.merge(&put_busy(&mut owner, catalog, at).await);
        // Now and then something comes late.
        let back = if number % 50 == 49 { 3 * MINUTE } else { 0 };
        at += 14 * SECOND;
        if back > 0 {
            expected.merge(&put_busy(&mut owner, catalog, at - back).await);
        }
    }
    assert_eq!(
        Partition::of(Table::Latency, START),
        Partition::of(Table::Latency, at),
        "the test is about one day"
    );
    (owner, expected)
}

fn ask(from: i64, until: i64) -> Ask<'static> {
    Ask {
        span: Span {
            from_unix_nanos: from,
            until_unix_nanos: until,
        },
        since: 1,
        volume: None,
        op: None,
        kinds: &OfKind::ALL,
        with_sketches: true,
    }
}

async fn latencies(
    owner: &Owner<u32>,
    files: &[FileEntry],
    ask: &Ask<'_>,
    names: &mut Catalog,
) -> BTreeMap<LatencyKey, Sketch> {
    let mut found: BTreeMap<LatencyKey, Sketch> = BTreeMap::new();
    let take = |key, kept: fathom_model::sketch::Kept<'_>| found.entry(key).or_default().merge_bins(kept);
    sum_latency(owner.blobs(), files, ask, names, take).await.unwrap();
    found
}

async fn attributions(
    owner: &Owner<u32>,
    files: &[FileEntry],
    ask: &Ask<'_>,
    names: &mut Catalog,
) -> BTreeMap<Candidate, Attribution> {
    let mut found: BTreeMap<Candidate, Attribution> = BTreeMap::new();
    let take = |to, kept: &KeptAttribution<'_>| found.entry(to).or_default().merge_kept(kept);
    sum_attribution(owner.blobs(), files, ask, names, take).await.unwrap();
    found
}

/// The same of the cells themselves.
fn expected_latencies(cells: &Cells, ask: &Ask<'_>, names: &Catalog) -> BTreeMap<LatencyKey, Sketch> {
    let mut sums: BTreeMap<LatencyKey, Sketch> = BTreeMap::new();
    for ((bucket, key), sketch) in &cells.latency.cells {
        let volume = match key.of {
            Of::Io { volume, .. } | Of::Way { volume, .. } => Some(names.volume(volume).as_str()),
            Of::Disk(_) => None,
        };
        let is_asked = ask.volume.is_none_or(|asked| volume == Some(asked))
            && ask.op.is_none_or(|op| op == key.op)
            && ask.kinds.contains(&key.of.kind());
        let at = bucket.from_unix_nanos;
        if is_asked && ask.span.from_unix_nanos <= at && at <= ask.span.until_unix_nanos {
            sums.entry(*key).or_default().merge(sketch);
        }
    }
    sums
}

fn expected_attributions(cells: &Cells, ask: &Ask<'_>, names: &Catalog) -> BTreeMap<Candidate, Attribution> {
    let mut sums: BTreeMap<Candidate, Attribution> = BTreeMap::new();
    for ((bucket, key), cell) in &cells.attribution.cells {
        let is_asked = ask
            .volume
            .is_none_or(|asked| names.volume(key.volume).as_str() == asked);
        let at = bucket.from_unix_nanos;
        if is_asked && ask.span.from_unix_nanos <= at && at <= ask.span.until_unix_nanos {
            sums.entry(key.to).or_default().merge(cell);
        }
    }
    sums
}

#[tokio::test]
async fn any_stretch_adds_up_to_its_cells_whatever_is_read_of_it() {
    let blobs = Blobs::in_memory();
    let mut names = Catalog::default();
    let (owner, cells) = store(&blobs, &mut names).await;
    let levels = level_counts(&owner, Table::Latency);
    assert!(levels[0] > 0 && levels[1] > 0 && levels[3] > 0, "{levels:?}");
    let minute = |minutes: i64| Bucket::of(START, Bucket::COARSE_NANOS).from_unix_nanos + minutes * MINUTE;
    // As a store of before there were sums has them.
    let of_cells = |file: &&FileEntry| matches!(file.table, Table::Latency | Table::Attribution);
    let older: Vec<FileEntry> = owner.files().iter().filter(of_cells).cloned().collect();
    assert!(older.len() < owner.files().len());
    for (from, until) in [
        (i64::MIN, i64::MAX),
        (minute(0), i64::MAX),
        (minute(33), i64::MAX),
        (minute(71), minute(101) - 1),
        (minute(131), i64::MAX),
        (minute(400), i64::MAX),
    ] {
        let all = ask(from, until);
        let asks = [
            all,
            Ask {
                volume: Some("vol1"),
                ..all
            },
            Ask {
                op: Some(Op::Read),
                ..all
            },
            Ask {
                kinds: &[OfKind::Disk],
                op: Some(Op::Write),
                ..all
            },
            Ask {
                kinds: &[OfKind::Io, OfKind::Way],
                volume: Some("vol2"),
                ..all
            },
            Ask {
                volume: Some("no such volume"),
                ..all
            },
        ];
        for ask in asks {
            for files in [owner.files(), &older] {
                let found = latencies(&owner, files, &ask, &mut names).await;
                assert!(found == expected_latencies(&cells, &ask, &names), "{ask:?}");
                let found = attributions(&owner, files, &ask, &mut names).await;
                assert!(found == expected_attributions(&cells, &ask, &names), "{ask:?}");
            }
        }
    }
}

#[tokio::test]
async fn counts_alone_are_told_without_sketches() {
    let blobs = Blobs::in_memory();
    let mut names = Catalog::default();
    let (owner, cells) = store(&blobs, &mut names).await;
    let ask = Ask {
        with_sketches: false,
        ..ask(START + 33 * MINUTE, i64::MAX)
    };
    let mut expected = expected_attributions(&cells, &ask, &names);
    for cell in expected.values_mut() {
        (cell.took, cell.would) = (Sketch::default(), Sketch::default());
    }
    assert_eq!(attributions(&owner, owner.files(), &ask, &mut names).await, expected);
}

#[tokio::test]
async fn sums_come_and_go_with_their_files_and_a_successor_sees_the_same() {
    let blobs = Blobs::in_memory();
    let mut names = Catalog::default();
    let (owner, _) = store(&blobs, &mut names).await;
    let newest = manifest::newest::<u32>(&blobs, &"c".into()).await.unwrap().unwrap();
    assert_eq!(newest.files, owner.files());
    for (table, sums) in [
        (Table::Latency, Table::LatencySums),
        (Table::Attribution, Table::AttributionSums),
    ] {
        let named = |of: Table| {
            let own = newest.files.iter().filter(move |file| file.table == of);
            let paths = own.map(|file| file.path.parse::<DataPath>().unwrap());
            let names = paths
                .filter(|path| path.merged > 0)
                .map(|path| (path.number, path.merged));
            names.collect::<Vec<_>>()
        };
        assert!(!named(table).is_empty());
        assert_eq!(named(table), named(sums), "{table:?}");
    }
}

#[tokio::test]
async fn files_that_lie_in_a_stretch_are_not_read_where_their_sums_are() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_folder(folder.path()).unwrap();
    let mut names = Catalog::default();
    let mut owner = owner(&blobs, 1).await.unwrap();
    let mut cells = Cells::default();
    for number in 0..40 {
        cells.merge(&put_busy(&mut owner, &mut names, START + number * 14 * SECOND).await);
    }
    let merged = owner.files().iter().filter(|file| {
        let path = file.path.parse::<DataPath>().unwrap();
        path.merged > 0 && matches!(file.table, Table::Latency | Table::Attribution)
    });
    let merged: Vec<&FileEntry> = merged.collect();
    assert!(merged.len() >= 4, "{merged:?}");
    for file in &merged {
        std::fs::write(folder.path().join(&file.path), b"no parquet").unwrap();
    }
    let whole = ask(i64::MIN, i64::MAX);
    let found = latencies(&owner, owner.files(), &whole, &mut names).await;
    assert!(found == expected_latencies(&cells, &whole, &names));
    let found = attributions(&owner, owner.files(), &whole, &mut names).await;
    assert!(found == expected_attributions(&cells, &whole, &names));
    // Part of one needs the file itself, and says which is broken.
    let part = ask(merged[0].min_unix_nanos + MINUTE, i64::MAX);
    let take = |_, _: &KeptAttribution<'_>| Ok(());
    let failed = sum_attribution(owner.blobs(), owner.files(), &part, &mut names, take).await;
    let told = failed.unwrap_err().to_string();
    assert!(merged.iter().any(|file| told.contains(&file.path)), "{told}");
}

#[tokio::test]
async fn stretches_are_by_the_minute_where_any_file_of_theirs_is() {
    let blobs = Blobs::in_memory();
    let mut names = Catalog::default();
    let (owner, _) = store(&blobs, &mut names).await;
    let last = owner.files().iter().map(|file| file.max_unix_nanos).max().unwrap();
    let since = |from_unix_nanos| Span {
        from_unix_nanos,
        until_unix_nanos: i64::MAX,
    };
    assert_eq!(longest_bucket(owner.files(), since(i64::MIN)), Bucket::COARSE_NANOS);
    assert_eq!(
        longest_bucket(owner.files(), since(last - 10 * MINUTE)),
        Bucket::FINE_NANOS
    );
}
