//! What is written is read, by node, and a broken row is named.

use fathom_model::state::Kind;

use super::*;

#[test]
fn rows_come_back_as_they_were_and_by_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut disk = Observation::new("n0".into(), Kind::Disk, "d", 7)
        .with("size_bytes", u64::MAX)
        .with("load", fathom_model::state::Value::Real(0.5))
        .with(
            "state",
            fathom_model::state::Code {
                code: Some(1),
                name: None,
            },
        );
    disk.unavailable.insert("wear_percent".to_owned(), "null".to_owned());
    let sample = Sample {
        node: "n1".into(),
        kind: Kind::AdapterRdma,
        id: "SMB1".to_owned(),
        name: "inbound_bytes".to_owned(),
        observed_unix_nanos: 8,
        value: 7.0,
    };
    let rows = [StateRow::Observation(disk), StateRow::Sample(sample)];
    assert_eq!(state_file(folder.path()), None);
    for name in ["state.jsonl", "state.jsonl.zst"] {
        write_state(&folder.path().join(name), &rows).expect("it can be written");
        let path = state_file(folder.path()).expect("it is there");
        assert_eq!(read_state(&path, None).expect("it reads"), rows);
        assert_eq!(read_state(&path, Some(&"n1".into())).expect("it reads"), rows[1..]);
    }
}

#[test]
fn a_row_that_is_none_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.jsonl");
    std::fs::write(&path, "{\"observation\":{\"node\":\"n0\",\"kind\":\"teapot\"}}\n").expect("written");
    assert!(matches!(read_state(&path, None), Err(Error::Row { row: 0, .. })));
}
