//! State is played whole, in order, from anywhere, and at its pace.

use fathom_capture::write_state;
use fathom_model::state::Kind;

use super::*;

fn row(node: &str, at: i64) -> StateRow {
    StateRow::Observation(Observation::new(node.into(), Kind::Disk, "d", at).with("slot", at as u64))
}

fn sample(at: i64) -> StateRow {
    StateRow::Sample(Sample {
        node: "n0".into(),
        kind: Kind::AdapterRdma,
        id: "a".to_owned(),
        name: "bytes".to_owned(),
        observed_unix_nanos: at,
        value: 1.0,
    })
}

fn open(pace: Option<f64>) -> ReplayState {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = [row("n0", 10), row("n1", 11), sample(12), row("n0", 1_000_000_012)];
    write_state(&folder.path().join("state.jsonl.zst"), &rows).expect("written");
    ReplayState::open(folder.path(), &"n0".into(), pace)
        .expect("it opens")
        .expect("it has state")
}

fn play(source: &mut ReplayState, most: usize) -> Vec<(u64, usize, usize)> {
    let mut played = Vec::new();
    while let StatePolled::Rows(batch) = source.poll(Duration::ZERO, most).expect("it plays") {
        played.push((batch.first_ordinal, batch.observations.len(), batch.samples.len()));
    }
    played
}

#[test]
fn a_batch_has_observations_then_samples() {
    assert_eq!(play(&mut open(None), 100), [(0, 1, 1), (2, 1, 0)]);
    assert_eq!(play(&mut open(None), 1), [(0, 1, 0), (1, 0, 1), (2, 1, 0)]);
}

#[test]
fn it_goes_on_from_any_ordinal_under_the_same_name() {
    let mut source = open(None);
    source.seek(2).expect("it is there");
    assert_eq!(play(&mut source, 100), [(2, 1, 0)]);
    source.seek(9).expect("the end");
    assert_eq!(source.poll(Duration::ZERO, 1).expect("it plays"), StatePolled::End);
    assert_eq!(source.incarnation(), open(None).incarnation());
}

#[test]
fn at_its_pace_what_comes_later_is_later() {
    let mut source = open(Some(2.0));
    assert!(
        matches!(source.poll(Duration::ZERO, 9).expect("it plays"), StatePolled::Rows(batch) if batch.observations.len() == 1)
    );
    assert!(
        matches!(source.poll(Duration::from_millis(100), 9).expect("it plays"), StatePolled::Rows(batch) if batch.samples.len() == 1)
    );
    assert!(matches!(
        source.poll(Duration::from_millis(100), 9).expect("it plays"),
        StatePolled::Later(_)
    ));
    assert!(matches!(
        source.poll(Duration::from_secs(1), 9).expect("it plays"),
        StatePolled::Rows(_)
    ));
}

#[test]
fn a_recording_without_state_has_none() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(
        ReplayState::open(folder.path(), &"n0".into(), None)
            .expect("it opens")
            .is_none()
    );
}
