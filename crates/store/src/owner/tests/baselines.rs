//! Hours of what is usual, and days of them put together.

use fathom_model::baseline::{Place, Size, Subject};

use super::{owner as owner_of, *};

#[tokio::test]
async fn hours_come_back_as_they_were_and_those_of_a_day_that_is_over_from_one_file() {
    let blobs = Blobs::in_memory();
    let mut owner = owner_of(&blobs, 1).await.unwrap();
    let (rows, catalog) = (JoinedRows::default(), Catalog::default());
    let subject = |place: Place, tap: Tap| Subject {
        place,
        tap,
        op: Op::Write,
        size: Size::Medium,
    };
    let text = |name: &str| name.to_owned();
    let subjects = [
        subject(Place::Cluster, Tap::Volume),
        subject(Place::Volume(text("vol0")), Tap::Volume),
        subject(Place::Node(text("n1")), Tap::Target),
        subject(
            Place::Pair {
                from: text("n1"),
                to: text("n2"),
            },
            Tap::Initiator,
        ),
        subject(
            Place::Disk {
                node: text("n1"),
                disk: text("disk2"),
            },
            Tap::Device,
        ),
    ];
    let day = START.div_euclid(86_400_000_000_000) * 86_400_000_000_000;
    let mut written = Vec::new();
    for number in 20..26_u64 {
        let hours: Vec<Hour> = subjects
            .iter()
            .map(|subject| Hour {
                from_unix_nanos: day + number as i64 * 3_600_000_000_000,
                subject: subject.clone(),
                blocks: 12,
                values: number,
                p50_nanos: 100 + number,
                p99_nanos: (number % 2 == 0).then_some(200 + number),
                felt: number == 22,
            })
            .collect();
        let commit = Commit {
            baselines: &hours,
            ..commit(&rows, &catalog, &[], &[])
        };
        owner.commit(commit).await.unwrap();
        written.extend(hours);
    }
    let files = owner.files().iter().filter(|file| file.table == Table::Baselines);
    let files: Vec<FileEntry> = files.cloned().collect();
    // Four hours of the first day in one, and two of the second that goes on.
    assert_eq!(files.iter().map(|file| file.rows).collect::<Vec<_>>(), [5, 20, 5]);
    let mut read = Vec::new();
    for file in &files {
        let hours = crate::read_baselines(&blobs, file).await.unwrap();
        let first = hours.iter().map(|hour| hour.from_unix_nanos).min();
        assert_eq!(first, Some(file.min_unix_nanos));
        read.extend(hours);
    }
    read.sort_by_key(|hour| hour.from_unix_nanos);
    assert_eq!(read, written);
    // Whoever takes over sees the same files.
    let successor = owner_of(&blobs, 2).await.unwrap();
    assert_eq!(successor.files(), owner.files());
}
