//! Selections are saved once, outlive a restart, stand in others, and never mean more than was said.

use super::*;

fn selection(terms: &[&str], sites: &[&str]) -> wire::Selection {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    wire::Selection {
        terms: texts(terms),
        sites: texts(sites),
    }
}

fn request(name: &str, what: wire::Selection, id: &str) -> wire::SaveSelectionRequest {
    wire::SaveSelectionRequest {
        name: name.to_owned(),
        selection: Some(what),
        request_id: id.to_owned(),
    }
}

fn deletion(name: &str, id: &str) -> wire::DeleteSelectionRequest {
    wire::DeleteSelectionRequest {
        name: name.to_owned(),
        request_id: id.to_owned(),
    }
}

fn reason(status: &Status) -> String {
    use tonic_types::StatusExt;
    status.get_details_error_info().map(|info| info.reason).unwrap()
}

fn open() -> (tempfile::TempDir, Selections) {
    let store = tempfile::tempdir().unwrap();
    let selections = Selections::open(store.path()).unwrap();
    (store, selections)
}

#[test]
fn what_is_saved_is_there_after_a_restart_and_says_when() {
    let (store, selections) = open();
    let saved = selections
        .save(request("de", selection(&["country=de"], &[]), ""), 7)
        .unwrap();
    assert_eq!((saved.name.as_str(), saved.saved_unix_nanos), ("de", 7));
    selections.save(request("a", selection(&["c1"], &[]), ""), 8).unwrap();
    drop(selections);
    let again = Selections::open(store.path()).unwrap();
    let names: Vec<String> = again.all().into_iter().map(|saved| saved.name).collect();
    assert_eq!(names, ["a", "de"]);
    assert!(again.delete(deletion("a", "")).unwrap());
    assert!(!again.delete(deletion("a", "")).unwrap());
    assert_eq!(Selections::open(store.path()).unwrap().all().len(), 1);
}

/// A client that did not see its answer asks again, and may come after somebody else who saved another one meanwhile.
#[test]
fn request_that_is_repeated_changes_nothing_also_after_a_restart() {
    let (store, selections) = open();
    let first = selections.save(request("x", selection(&["c1"], &[]), "r1"), 7).unwrap();
    selections.save(request("x", selection(&["c2"], &[]), "r2"), 8).unwrap();
    let selections = Selections::open(store.path()).unwrap();
    let again = selections.save(request("x", selection(&["c1"], &[]), "r1"), 9).unwrap();
    assert_eq!(again, first, "as the first was answered");
    assert_eq!(selections.all()[0].selection, Some(selection(&["c2"], &[])));
    assert!(selections.delete(deletion("x", "r3")).unwrap());
    selections
        .save(request("x", selection(&["c3"], &[]), "r4"), 10)
        .unwrap();
    assert!(
        selections.delete(deletion("x", "r3")).unwrap(),
        "as the first was answered"
    );
    assert_eq!(selections.all().len(), 1);
    // An id is of one request.
    for other in [
        selections
            .save(request("x", selection(&["c9"], &[]), "r1"), 11)
            .map(drop),
        selections
            .save(request("x", selection(&["c1"], &[]), "r3"), 11)
            .map(drop),
        selections.delete(deletion("x", "r1")).map(drop),
    ] {
        assert_eq!(reason(&other.unwrap_err()), "INVALID");
    }
}

#[test]
fn only_the_last_requests_are_known() {
    let (_store, selections) = open();
    let mut kept = selections.lock();
    for number in 0..=REQUESTS {
        kept.note(wire::KeptRequest {
            request_id: format!("r{number}"),
            ..wire::KeptRequest::default()
        });
    }
    assert_eq!(kept.requests.len(), REQUESTS);
    assert!(kept.done("r0", 0).unwrap().is_none());
    assert!(kept.done("r1", 0).unwrap().is_some());
}

#[test]
fn one_in_another_keeps_its_sites_and_terms_stand_once() {
    let (_store, selections) = open();
    let save = |name: &str, what| selections.save(request(name, what, ""), 7).unwrap();
    save("gold", selection(&["tier=gold", "c1", "oslo/c?"], &["berlin", "o,k"]));
    save("sites", selection(&[], &["rome"]));
    save("all", selection(&["@gold", "c1", "@sites", "@gold"], &[]));
    let expanded = selections.expand(selection(&["@all", "x*"], &["b*"])).unwrap();
    assert_eq!(
        expanded.terms,
        [
            "berlin/*,tier=gold",
            "berlin/c1",
            "berlin/*,oslo/c?",
            "o?k/*,tier=gold",
            "o?k/c1",
            "o?k/*,oslo/c?",
            "c1",
            "rome/*",
            "x*"
        ]
    );
    assert_eq!(expanded.sites, ["b*"], "what is asked for now holds for all of it");
    let plain = selection(&["c1", "c1 , env=prod"], &[]);
    assert_eq!(selections.expand(plain.clone()).unwrap(), plain);
}

#[test]
fn what_cannot_be_expanded_is_not_saved() {
    let (_store, selections) = open();
    let save = |name: &str, what| selections.save(request(name, what, ""), 7);
    save("a", selection(&["c1"], &[])).unwrap();
    save("b", selection(&["@a"], &[])).unwrap();
    for (name, what, says, why) in [
        ("a", selection(&["@b"], &[]), "@a -> @b -> @a", "INVALID"),
        ("c", selection(&["@c"], &[]), "@c -> @c", "INVALID"),
        ("c", selection(&["@nope"], &[]), "(known: a, b", "NO_SELECTION"),
        ("c", selection(&[], &[]), "would be all clusters", "INVALID"),
        ("c", selection(&["@a,x"], &[]), "stands alone", "INVALID"),
        ("c", selection(&[",x"], &[]), "empty part", "INVALID"),
        ("", selection(&["x"], &[]), "1 to 64 letters", "INVALID"),
        ("a/b", selection(&["x"], &[]), "1 to 64 letters", "INVALID"),
    ] {
        let refused = save(name, what).unwrap_err();
        assert!(refused.message().contains(says), "{says}: {refused}");
        assert_eq!(reason(&refused), why, "{refused}");
    }
    assert_eq!(selections.all().len(), 2);
    assert_eq!(selections.all()[0].selection, Some(selection(&["c1"], &[])));
    let used = selections.delete(deletion("a", "")).unwrap_err();
    assert_eq!(reason(&used), "SELECTION_USED");
    assert!(used.message().contains("stands in others: b"), "{used}");
    let unknown = selections.expand(selection(&["@nope"], &[])).unwrap_err();
    assert_eq!(
        (unknown.code(), reason(&unknown).as_str()),
        (tonic::Code::NotFound, "NO_SELECTION")
    );
}

/// Ten names that each have the one before at ten sites would be ten billion terms.
#[test]
fn names_in_names_do_not_grow_without_bound() {
    let (_store, selections) = open();
    let many: Vec<String> = (0..600).map(|at| format!("c{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    selections.save(request("a", selection(&many, &[]), ""), 7).unwrap();
    let refused = selections.save(request("b", selection(&["@a"], &["berlin", "oslo"]), ""), 7);
    let refused = refused.unwrap_err();
    assert!(refused.message().contains("more than 1000 terms"), "{refused}");
    assert_eq!(reason(&refused), "INVALID");
    selections
        .save(request("b", selection(&["@a", "@a", "x"], &[]), ""), 7)
        .unwrap();
    assert_eq!(selections.expand(selection(&["@b"], &[])).unwrap().terms.len(), 601);
}

#[test]
fn what_cannot_be_written_did_not_happen() {
    let (store, selections) = open();
    selections.save(request("a", selection(&["c1"], &[]), ""), 7).unwrap();
    // A folder where the new file is to be written.
    std::fs::create_dir(store.path().join(kept::FOLDER).join("selections.new")).unwrap();
    let refused = selections
        .save(request("b", selection(&["c2"], &[]), "r"), 8)
        .unwrap_err();
    assert_eq!(reason(&refused), "NOT_KEPT");
    assert_eq!(selections.all().len(), 1);
    std::fs::remove_dir(store.path().join(kept::FOLDER).join("selections.new")).unwrap();
    assert!(selections.save(request("b", selection(&["c2"], &[]), "r"), 9).is_ok());
}

#[test]
fn damaged_file_is_put_aside() {
    let (store, selections) = open();
    selections.save(request("a", selection(&["c1"], &[]), ""), 7).unwrap();
    let path = selections.inner.path.clone();
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(Selections::open(store.path()).unwrap().all().is_empty());
    assert!(file::aside(&path).is_file());
}
