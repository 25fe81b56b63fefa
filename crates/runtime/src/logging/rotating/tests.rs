use super::*;

#[test]
fn a_log_that_is_full_becomes_the_old_one_and_the_older_one_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.log");
    let mut log = Rotating::with_limit(&path, 8).unwrap();
    for line in ["first line\n", "second line\n", "third line\n"] {
        log.write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "third line\n");
    assert_eq!(
        fs::read_to_string(folder.path().join("node.log.old")).unwrap(),
        "second line\n"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn lines_are_added_to_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.log");
    for line in ["before\n", "after\n"] {
        Rotating::open(&path).unwrap().write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "before\nafter\n");
}
