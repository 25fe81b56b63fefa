//! A successor knows what its predecessor knew, without what it had read long ago.

use std::sync::RwLock;

use fathom_model::condition::Sign;
use fathom_model::state::{Code, Kind};
use fathom_model::{ClusterId, NodeId};
use fathom_store::blobs::Blobs;

use super::*;
use crate::config::Ingest;
use crate::ingest::View;

const SECOND: i64 = 1_000_000_000;

async fn start(blobs: &Blobs) -> Running {
    let view = Arc::new(RwLock::new(Arc::new(View::default())));
    let mut running = Running::start(ClusterId::new("c"), Ingest::default(), blobs.clone(), view)
        .await
        .unwrap();
    running.warm_state().await.unwrap();
    running
}

/// One record: a drive's temperature, and a reading of the drives; at first drives that nothing more is said of, one of them ill.
async fn put(running: &mut Running, number: i64) {
    let at = 1_790_000_000 * SECOND + number * 30 * SECOND;
    let of = |kind: Kind, id: &str| Observation::new(NodeId::new("n1"), kind, id, at);
    let mut some = vec![of(Kind::DiskReliability, "d0").with("temperature_celsius", number as u64 % 7)];
    if number == 0 {
        let ids = ["d0", "d1", "d2"].into_iter();
        some.extend(ids.map(|id| of(Kind::Disk, id).with("health", health(i64::from(id == "d1") * 2))));
    }
    let poll = of(Kind::Source, "disk/MSFT_PhysicalDisk").with("kind", "disk");
    some.push(poll.with("available", true).with("full", number == 0));
    let some = Arc::new(some);
    running.by_state.wait(&some);
    running.state.hot.push(some);
    running.read_conditions(true);
    running.dirty = true;
    running.commit().await.unwrap();
}

fn health(code: i64) -> Code {
    Code {
        name: None,
        code: Some(code),
    }
}

/// What stands by state, and how much was looked at.
fn known(running: &mut Running) -> String {
    let now = &mut running.by_state.now;
    let mut known = format!("{:?}\n", now.maintenance());
    for sign in Sign::ALL {
        known += &format!("{:?}\n", now.of(sign));
    }
    known += &running.by_state.judged().to_string();
    known
}

#[tokio::test]
async fn what_was_read_before_the_picture_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_folder(folder.path()).unwrap();
    let mut running = start(&blobs).await;
    for number in 0..100 {
        put(&mut running, number).await;
    }
    let before = known(&mut running);
    assert!(before.contains("d1"), "a drive is ill: {before}");
    let files: Vec<FileEntry> = running.owner.files().to_vec();
    drop(running);
    let pictures = files.iter().filter(|file| file.table == Table::Pictures).count();
    assert_eq!(pictures, 1, "the last replaces those before it");
    // Gone for good: nobody asks for them.
    let observations: Vec<&FileEntry> = files.iter().filter(|file| file.table == Table::Observations).collect();
    assert_eq!(observations.len(), 100);
    for file in observations.iter().take(60) {
        std::fs::remove_file(folder.path().join(&file.path)).unwrap();
    }
    let mut successor = start(&blobs).await;
    assert_eq!(known(&mut successor), before);
    // It goes on, and the next picture has everything too.
    for number in 100..170 {
        put(&mut successor, number).await;
    }
    let before = known(&mut successor);
    drop(successor);
    for file in observations.iter().skip(60) {
        std::fs::remove_file(folder.path().join(&file.path)).unwrap();
    }
    assert_eq!(known(&mut start(&blobs).await), before);
}

#[test]
fn files_that_a_picture_has_are_left_out_by_their_rows() {
    let file = |rows| FileEntry {
        table: Table::Observations,
        path: String::new(),
        rows,
        bytes: 0,
        min_unix_nanos: 0,
        max_unix_nanos: 0,
    };
    let files = [file(5), file(3), file(4)];
    let of = |counted| -> Vec<(u64, u64)> {
        beyond(&files, counted)
            .iter()
            .map(|(file, known)| (file.rows, *known))
            .collect()
    };
    assert_eq!(of(0), [(5, 0), (3, 0), (4, 0)]);
    assert_eq!(of(5), [(3, 0), (4, 0)]);
    assert_eq!(of(6), [(3, 1), (4, 0)]);
    assert_eq!(of(12), []);
}

#[test]
fn picture_waits_until_everything_in_it_was_looked_at() {
    let one = |at: i64| Observation::new(NodeId::new("n1"), Kind::Disk, "d", at);
    let mut pictured = Pictured::default();
    for at in 0..i64::from(RECORDS) {
        assert!(pictured.due(0).is_none());
        pictured.stored(vec![Arc::new(vec![one(at)])], false);
    }
    assert!(pictured.due(u64::from(RECORDS) - 1).is_none(), "one was not looked at");
    let (counted, rows) = pictured.due(u64::from(RECORDS)).unwrap();
    assert_eq!((counted, rows.len()), (u64::from(RECORDS), 2));
    pictured.stored(Vec::new(), true);
    assert!(pictured.due(u64::from(RECORDS)).is_none(), "it is stored");
}
