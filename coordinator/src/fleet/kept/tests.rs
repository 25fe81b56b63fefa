//! What is kept comes back, and what is damaged is put aside and not believed.

use super::*;

fn kept() -> wire::KeptFleet {
    let site = wire::KeptSite {
        site: "berlin".to_owned(),
        heard_unix_nanos: 7,
        clusters: vec![wire::KeptCluster {
            cluster: "c1".to_owned(),
            findings_sequence: Some(3),
            ..wire::KeptCluster::default()
        }],
        ..wire::KeptSite::default()
    };
    wire::KeptFleet {
        sites: vec![site],
        ..wire::KeptFleet::default()
    }
}

fn encode(kept: wire::KeptFleet) -> Vec<u8> {
    let store = tempfile::tempdir().unwrap();
    write(store.path(), std::iter::once(kept)).unwrap();
    std::fs::read(path(store.path())).unwrap()
}

#[test]
fn comes_back_and_is_replaced_whole() {
    let store = tempfile::tempdir().unwrap();
    assert_eq!(read(store.path()).unwrap(), (wire::KeptFleet::default(), None));
    write(store.path(), std::iter::once(wire::KeptFleet::default())).unwrap();
    write(store.path(), std::iter::once(kept())).unwrap();
    assert_eq!(read(store.path()).unwrap(), (kept(), None));
    // In pieces it is the same, one after the other.
    write(store.path(), [kept(), kept()].into_iter()).unwrap();
    assert_eq!(read(store.path()).unwrap().0.sites.len(), 2);
}

#[test]
fn damaged_file_is_put_aside() {
    let whole = encode(kept());
    for cut in 0..whole.len() {
        assert!(file::decode::<wire::KeptFleet>(&whole[..cut], MAGIC).is_err(), "{cut}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        assert!(file::decode::<wire::KeptFleet>(&bytes, MAGIC).is_err(), "{at}");
    }
    let store = tempfile::tempdir().unwrap();
    write(store.path(), std::iter::once(kept())).unwrap();
    std::fs::write(path(store.path()), &whole[..20]).unwrap();
    let (nothing, since) = read(store.path()).unwrap();
    assert_eq!(nothing, wire::KeptFleet::default());
    assert!(since.is_some_and(|since| since > 0), "{since:?}");
    let aside = file::aside(&path(store.path()));
    assert!(aside.is_file());
    // It is said as long as it lies there, by whoever comes next, too.
    assert_eq!(read(store.path()).unwrap(), (nothing.clone(), since));
    std::fs::remove_file(aside).unwrap();
    assert_eq!(read(store.path()).unwrap(), (nothing, None));
}
