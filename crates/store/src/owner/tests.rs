//! What was committed is read back as it was; two owners never both go on.

use fathom_model::coverage::{CoverageState, GapCause};
use fathom_model::fan_out::{Further, MoreOrdinals};
use fathom_model::{
    ClockStatement, Incarnation, IoClass, Leg, LegMethod, Merged, Missing, Observation, Op, PhysicalDisk, Slowest,
    StreamId, StreamKind, Tap, UnmatchedCause,
};

use super::*;
use crate::scan::{Span, read_coverage, read_pending, read_rows};

mod baselines;
mod cells;
mod orphans;

const START: i64 = 1_790_046_805_000_000_000;

static NO_CELLS: std::sync::LazyLock<Cells> = std::sync::LazyLock::new(Cells::default);

fn stream(node: &str, byte: u8) -> StreamId {
    StreamId {
        cluster: "c".into(),
        node: node.into(),
        kind: StreamKind::Io,
        incarnation: Incarnation::from_bytes([byte; 16]),
    }
}

/// Rows with everything that can be null null in some and not in others, over two hours.
fn rows(catalog: &mut Catalog, count: u64) -> JoinedRows {
    let own = catalog.intern_stream(&stream("i0", 1));
    let far = catalog.intern_stream(&stream("t1", 2));
    let node = catalog.intern_node(&"i0".into());
    let far_node = catalog.intern_node(&"t1".into());
    let volume = catalog.intern_volume(&"vol0".into());
    let disk = catalog.intern_disk(&PhysicalDisk {
        id: "t1/disk0".into(),
        node: "t1".into(),
        name: "disk0".to_owned(),
    });
    let mut rows = JoinedRows::default();
    for at in 0..count {
        let seen = |stream, ordinal| Observation {
            stream,
            ordinal,
            start_unix_nanos: START + at as i64 * 1_800_000_000_000,
            duration_nanos: 5 + at,
            status: (at % 2) as u32,
        };
        let some = at % 2 == 0;
        rows.legs.push(Leg {
            part: at as u32,
            copy: 1,
            node: far_node,
            disk,
            disk_offset: 4096 * at,
            length: 512,
            local: some,
            initiator: some.then(|| seen(own, at)),
            target: (!some).then(|| seen(far, at)),
            device: Some(seen(far, at + 1)),
            cache: (!some).then_some(disk),
            merged: if some {
                None
            } else {
                Some([Merged::First, Merged::Further][at as usize / 2 % 2])
            },
            more: MoreOrdinals::from(Further {
                device: if some { vec![7, 8] } else { vec![] },
                ..Further::default()
            }),
            missing_initiator: (!some).then_some(Missing::Lost),
            missing_target: some.then_some(Missing::Absent),
            missing_device: None,
            method: if some { LegMethod::Key } else { LegMethod::Order },
            confidence: 0.5,
            ambiguous: !some,
            candidate: some,
            clock: some.then_some(ClockStatement {
                offset_nanos: -5,
                error_nanos: 3,
            }),
        });
        rows.ios.push(Io {
            event: seen(own, at + 100),
            node,
            volume,
            op: if some { Op::Write } else { Op::Read },
            offset: at,
            length: 512,
            class: if some { IoClass::Incomplete } else { IoClass::Ambiguous },
            legs_expected: 1,
            slowest: some.then_some(Slowest {
                leg: at as usize,
                lead_nanos: (at % 4 == 0).then_some(9),
                confidence: 1.0,
            }),
            legs: at as usize..at as usize + 1,
        });
        rows.unmatched.push(Unmatched {
            event: seen(far, at + 200),
            tap: Tap::Device,
            node: far_node,
            disk: some.then_some(disk),
            device: "disk0".to_owned(),
            op: Op::Flush,
            offset: 0,
            length: 0,
            cause: UnmatchedCause::Foreign,
        });
    }
    rows
}

fn pending() -> Vec<PendingEvent> {
    vec![PendingEvent {
        stream: stream("i0", 1),
        event: Observation {
            stream: fathom_model::StreamIndex(0),
            ordinal: 4,
            start_unix_nanos: START,
            duration_nanos: 6,
            status: 0,
        },
        tap: Tap::Initiator,
        device: 3,
        op: Op::Write,
        offset: 4096,
        length: 512,
        disk: None,
        peer: Some("t1".into()),
        copy: Some(("vol0".into(), 2)),
        correlation: Some(u64::MAX),
        contested: true,
        late: false,
    }]
}

fn coverage() -> Vec<Coverage> {
    [
        CoverageState::Heard,
        CoverageState::Silent,
        CoverageState::Gap(GapCause::SourceDropped),
    ]
    .into_iter()
    .enumerate()
    .map(|(at, state)| Coverage {
        node: "t1".into(),
        from_unix_nanos: START,
        until_unix_nanos: START + at as i64,
        state,
        events: (at == 0).then_some(17),
    })
    .collect()
}

async fn owner(blobs: &Blobs, nonce: u8) -> Result<Owner<u32>> {
    Owner::take_over(blobs.clone(), "c".into(), [nonce; 16], START).await
}

fn commit<'a>(
    rows: &'a JoinedRows,
    catalog: &'a Catalog,
    coverage: &'a [Coverage],
    pending: &'a [PendingEvent],
) -> Commit<'a, u32> {
    Commit {
        rows,
        catalog,
        coverage,
        observations: &[],
        samples: &[],
        findings: &[],
        slow_minutes: &[],
        baselines: &[],
        picture: None,
        cells: &NO_CELLS,
        cells_since: 1,
        pending,
        topologies: Vec::new(),
        state: 42,
        now_unix_nanos: START,
    }
}

async fn read_in(owner: &Owner<u32>, span: Span) -> (JoinedRows, Catalog) {
    let (mut found, mut catalog) = (JoinedRows::default(), Catalog::default());
    for file in owner.files().iter().filter(|file| span.touches(file)) {
        if let Some(rows) = read_rows(owner.blobs(), &owner.record().cluster, file, &mut catalog)
            .await
            .unwrap()
        {
            found.append(rows);
        }
    }
    (found, catalog)
}

async fn all(owner: &Owner<u32>) -> (JoinedRows, Catalog) {
    read_in(owner, Span::ALL).await
}

#[tokio::test]
async fn what_was_committed_is_read_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for blobs in [Blobs::in_memory(), Blobs::open_folder(folder.path()).unwrap()] {
        let mut catalog = Catalog::default();
        let rows = rows(&mut catalog, 5);
        let mut first = owner(&blobs, 1).await.unwrap();
        assert_eq!(
            (first.record().number, first.record().epoch, first.record().state),
            (1, 1, 0)
        );
        first
            .commit(commit(&rows, &catalog, &coverage(), &pending()))
            .await
            .unwrap();
        let successor = owner(&blobs, 2).await.unwrap();
        assert_eq!(
            (
                successor.record().number,
                successor.record().epoch,
                successor.record().state
            ),
            (3, 2, 42)
        );
        let (mut found, found_catalog) = all(&successor).await;
        assert_eq!(found_catalog.streams(), catalog.streams());
        // Files of two hours come one after the other; both catalogs met the names in the same order here.
        found.ios.sort_by_key(|io| io.event.ordinal);
        let ordered: Vec<_> = found.ios.iter().flat_map(|io| found.legs_of(io).to_vec()).collect();
        assert_eq!(ordered, rows.legs);
        assert_eq!(
            found
                .ios
                .iter()
                .map(|io| (io.event, io.op, io.class))
                .collect::<Vec<_>>(),
            rows.ios
                .iter()
                .map(|io| (io.event, io.op, io.class))
                .collect::<Vec<_>>()
        );
        assert_eq!(
            found
                .ios
                .iter()
                .map(|io| io.slowest.map(|s| s.lead_nanos))
                .collect::<Vec<_>>(),
            rows.ios
                .iter()
                .map(|io| io.slowest.map(|s| s.lead_nanos))
                .collect::<Vec<_>>()
        );
        found.unmatched.sort_by_key(|row| row.event.ordinal);
        assert_eq!(found.unmatched, rows.unmatched);
        assert_eq!(
            read_coverage(&blobs, successor.files(), Span::ALL).await.unwrap(),
            coverage()
        );
        let record = successor.record();
        assert_eq!(
            read_pending(&blobs, &record.cluster, record.pending.as_ref())
                .await
                .unwrap(),
            pending()
        );
        let hours: std::collections::BTreeSet<_> = successor
            .files()
            .iter()
            .filter(|file| file.table == Table::Ios)
            .map(|file| file.path.parse::<DataPath>().unwrap().partition)
            .collect();
        assert_eq!(hours.len(), 3, "five I/Os half an hour apart");
    }
}

#[tokio::test]
async fn scan_leaves_out_files_of_other_times() {
    let blobs = Blobs::in_memory();
    let mut catalog = Catalog::default();
    let rows = rows(&mut catalog, 5);
    let mut owner = owner(&blobs, 1).await.unwrap();
    owner.commit(commit(&rows, &catalog, &[], &[])).await.unwrap();
    let span = Span {
        from_unix_nanos: START,
        until_unix_nanos: START + 10,
    };
    let seen = read_in(&owner, span).await.0.ios.len();
    assert!((1..5).contains(&seen), "{seen}");
}

#[tokio::test]
async fn owner_that_was_replaced_is_fenced_and_harms_nothing() {
    let blobs = Blobs::in_memory();
    let mut catalog = Catalog::default();
    let rows = rows(&mut catalog, 2);
    let mut stale = owner(&blobs, 1).await.unwrap();
    let mut fresh = owner(&blobs, 2).await.unwrap();
    let error = stale.commit(commit(&rows, &catalog, &[], &[])).await.unwrap_err();
    assert!(matches!(error, Error::Fenced { number: 2, .. }), "{error}");
    fresh.commit(commit(&rows, &catalog, &[], &[])).await.unwrap();
    let third = owner(&blobs, 3).await.unwrap();
    assert_eq!(
        all(&third).await.0.ios.len(),
        2,
        "the stale owner's files are part of nothing"
    );
}

#[tokio::test]
async fn record_that_is_gone_or_newer_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_folder(folder.path()).unwrap();
    let mut first = owner(&blobs, 1).await.unwrap();
    let (rows, catalog) = (JoinedRows::default(), Catalog::default());
    first.commit(commit(&rows, &catalog, &[], &[])).await.unwrap();
    first.commit(commit(&rows, &catalog, &[], &[])).await.unwrap();
    let path = |number: u64| {
        folder.path().join(
            RecordPath {
                cluster: "c".into(),
                number,
            }
            .to_string(),
        )
    };
    let text = std::fs::read_to_string(path(3)).unwrap();
    std::fs::write(path(3), text.replace("\"format\": 1", "\"format\": 9")).unwrap();
    assert!(matches!(owner(&blobs, 2).await, Err(Error::Format { found: 9, .. })));
    std::fs::write(path(3), &text[..text.len() / 2]).unwrap();
    assert!(matches!(owner(&blobs, 2).await, Err(Error::Record { .. })));
    std::fs::write(path(3), text).unwrap();
    std::fs::remove_file(path(2)).unwrap();
    assert!(matches!(owner(&blobs, 2).await, Err(Error::Gap { number: 2, .. })));
}

#[tokio::test]
async fn snapshot_has_all_files_so_that_older_records_are_not_needed() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_folder(folder.path()).unwrap();
    let mut catalog = Catalog::default();
    let some = rows(&mut catalog, 1);
    let mut first = owner(&blobs, 1).await.unwrap();
    first.commit(commit(&some, &catalog, &[], &[])).await.unwrap();
    let empty = JoinedRows::default();
    while first.record().number < SNAPSHOT_EVERY + 2 {
        first.commit(commit(&empty, &catalog, &[], &[])).await.unwrap();
    }
    for number in 1..SNAPSHOT_EVERY {
        std::fs::remove_file(
            folder.path().join(
                RecordPath {
                    cluster: "c".into(),
                    number,
                }
                .to_string(),
            ),
        )
        .unwrap();
    }
    assert_eq!(all(&owner(&blobs, 2).await.unwrap()).await.0.ios.len(), 1);
}

#[tokio::test]
async fn takeover_on_the_number_of_a_snapshot_is_one() {
    let blobs = Blobs::in_memory();
    let mut catalog = Catalog::default();
    let some = rows(&mut catalog, 1);
    let mut first = owner(&blobs, 1).await.unwrap();
    first.commit(commit(&some, &catalog, &[], &[])).await.unwrap();
    let empty = JoinedRows::default();
    while first.record().number < SNAPSHOT_EVERY - 1 {
        first.commit(commit(&empty, &catalog, &[], &[])).await.unwrap();
    }
    let second = owner(&blobs, 2).await.unwrap();
    let record = second.record();
    assert_eq!((record.number, record.format), (SNAPSHOT_EVERY, FORMAT));
    assert_eq!(record.snapshot.as_deref(), Some(second.files()));
    assert_eq!(all(&owner(&blobs, 3).await.unwrap()).await.0.ios.len(), 1);
}

#[tokio::test]
async fn record_of_a_newer_version_in_the_way_means_that_it_has_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_folder(folder.path()).unwrap();
    let mut stale = owner(&blobs, 1).await.unwrap();
    let path = |number: u64| {
        let cluster = "c".into();
        folder.path().join(RecordPath { cluster, number }.to_string())
    };
    let text = std::fs::read_to_string(path(1)).unwrap();
    std::fs::write(path(2), text.replace("\"format\": 1", "\"format\": 9")).unwrap();
    let (rows, catalog) = (JoinedRows::default(), Catalog::default());
    let error = stale.commit(commit(&rows, &catalog, &[], &[])).await.unwrap_err();
    assert!(matches!(error, Error::Fenced { number: 2, .. }), "{error}");
}

#[tokio::test]
async fn state_is_read_back_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = Blobs::open_folder(folder.path()).expect("it opens");
    let mut owner = owner(&blobs, 7).await.unwrap();
    let observation = |at: i64, present: bool| {
        let mut row =
            fathom_model::state::Observation::new("n1".into(), fathom_model::state::Kind::Disk, "d1", START + at)
                .with("size_bytes", u64::MAX)
                .with("slot", fathom_model::state::Value::Signed(-1))
                .with("load", fathom_model::state::Value::Real(0.5))
                .with("partial", true)
                .with("name", "a \"drive\"")
                .with(
                    "status",
                    vec![
                        fathom_model::state::Code {
                            code: Some(0xD026),
                            name: None,
                        }
                        .into(),
                    ],
                );
        row.present = present;
        if present {
            row.class = Some("MSFT_PhysicalDisk".to_owned());
            row.unavailable.insert("wear_percent".to_owned(), "null".to_owned());
        }
        row
    };
    // Two days: two files.
    let observations = [observation(0, true), observation(86_400_000_000_000, false)];
    let samples = [Sample {
        node: "n1".into(),
        kind: fathom_model::state::Kind::SblDevice,
        id: "11".to_owned(),
        name: "read_bytes".to_owned(),
        observed_unix_nanos: START,
        value: 1e300,
    }];
    let catalog = Catalog::default();
    let empty = JoinedRows::default();
    let state = Commit {
        observations: &observations,
        samples: &samples,
        ..commit(&empty, &catalog, &[], &[])
    };
    owner.commit(state).await.expect("a commit");
    let newest = manifest::newest::<u32>(&blobs, &"c".into())
        .await
        .expect("it reads")
        .expect("it is there");
    let (mut rows, mut readings) = (Vec::new(), Vec::new());
    for file in &newest.files {
        rows.extend(crate::read_observations(&blobs, file).await.expect("it reads"));
        readings.extend(crate::read_samples(&blobs, file).await.expect("it reads"));
    }
    assert_eq!(newest.files.len(), 3);
    assert_eq!(rows, observations);
    assert_eq!(readings, samples);
}

fn change(sequence: u64, at_unix_ns: i64) -> Change {
    use fathom_model::finding::{ChangeKind, Finding, Severity, State};
    Change {
        sequence,
        kind: ChangeKind::Opened,
        at_unix_ns,
        finding: Finding {
            id: format!("a-{sequence}"),
            code: "DISK_SLOW".to_owned(),
            kind: "disk".to_owned(),
            node: "n\"1".to_owned(),
            disk: Some("disk0".to_owned()),
            peer: None,
            resource: None,
            observations: Vec::new(),
            severity: Severity::Critical,
            state: State::Open,
            confidence: 0.97,
            opened_unix_ns: at_unix_ns,
            first_unix_ns: at_unix_ns - 5,
            last_unix_ns: at_unix_ns,
            closed_unix_ns: None,
            reopened: 0,
            cost_ns: u64::MAX,
            disks: Vec::new(),
            initiators: Vec::new(),
            victims: Vec::new(),
            evidence: Vec::new(),
            next: vec!["Get-PhysicalDisk".to_owned()],
            part_of: None,
            acknowledged: None,
            muted: None,
            sequence,
        },
    }
}

#[tokio::test]
async fn slow_minutes_come_back_as_they_were() {
    let blobs = Blobs::in_memory();
    let mut owner = owner(&blobs, 1).await.unwrap();
    let (rows, catalog) = (JoinedRows::default(), Catalog::default());
    let minute = |minute_unix_ns: i64, volume: Option<&str>| SlowMinute {
        minute_unix_ns,
        objective: "default".to_owned(),
        volume: volume.map(str::to_owned),
        writes: 1000,
        slow: 11,
        value_ns: 2_500_000,
        below_ns: 2_000_000,
    };
    // Two days: two files.
    let minutes = vec![minute(START, None), minute(START + 86_400_000_000_000, Some("vol0"))];
    let commit = Commit {
        slow_minutes: &minutes,
        ..commit(&rows, &catalog, &[], &[])
    };
    let files = owner.commit(commit).await.unwrap().added.clone();
    assert_eq!(files.len(), 2);
    let mut read = Vec::new();
    for file in &files {
        assert!(file.path.starts_with("slow_minutes/"), "{}", file.path);
        read.extend(crate::read_slow_minutes(&blobs, file).await.unwrap());
    }
    assert_eq!(read, minutes);
}

#[tokio::test]
async fn changes_of_findings_are_read_from_any_number_on() {
    let blobs = Blobs::in_memory();
    let mut owner = owner(&blobs, 1).await.unwrap();
    let (rows, catalog) = (JoinedRows::default(), Catalog::default());
    let day = 86_400_000_000_000;
    // The second record spans midnight: two files, in the order of the days and not of the numbers.
    let records = [
        vec![change(1, START), change(2, START)],
        vec![change(3, START + day), change(4, START), change(5, START + day)],
        vec![change(6, START)],
    ];
    for changes in &records {
        let commit = Commit {
            findings: changes,
            ..commit(&rows, &catalog, &[], &[])
        };
        owner.commit(commit).await.unwrap();
    }
    let all: Vec<_> = records.concat();
    for after in 0..=7 {
        let read = crate::read_changes(&blobs, owner.files(), after).await.unwrap();
        let expected: Vec<_> = all.iter().filter(|change| change.sequence > after).cloned().collect();
        assert_eq!(read, expected, "after {after}");
    }
}
