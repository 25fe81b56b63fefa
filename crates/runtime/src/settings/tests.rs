//! A fault names the file, the line and what to do.

use std::fs;

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "it is there to be read")]
    count: u32,
}

#[test]
fn fault_says_where_and_what_on_one_line() {
    for (text, line, says) in [
        ("\ncount = \"x\"\n", 2, "expected u32"),
        ("count = 1\ncuont = 3\n", 2, "unknown field `cuont`"),
        ("foo bar", 1, "expected `=`"),
        ("", 1, "missing field `count`"),
    ] {
        let fault = parse::<File>(text).unwrap_err();
        assert!(
            fault.starts_with(&format!("line {line}: ")) && fault.contains(says),
            "{fault}"
        );
        assert!(!fault.contains('\n'), "{fault}");
    }
}

#[test]
fn file_is_named_and_what_to_do_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.toml");
    let fault = read::<File>(&path).unwrap_err();
    assert!(
        fault.contains("node.toml") && fault.contains("check the path"),
        "{fault}"
    );
    fs::write(&path, "count = -1").unwrap();
    let fault = read::<File>(&path).unwrap_err();
    assert!(fault.contains("node.toml: line 1: "), "{fault}");
}
