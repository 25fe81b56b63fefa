//! The image: the program under test, the libraries that it needs, and nothing else, since none can be pulled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the program lies in the image.
pub(crate) const PROGRAM: &str = "/fathom";

/// Folders that a system has; the roles make their own in them.
const FOLDERS: [&str; 2] = ["tmp", "var/lib/fathom"];

/// The image's files as a tar archive.
pub(crate) fn archive(program: &Path) -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    for folder in FOLDERS {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    let inside = root.path().join(PROGRAM.trim_start_matches('/'));
    fs::copy(program, &inside).unwrap();
    // Lines of our own code in backtraces are worth less here than the seconds that it takes to copy them about.
    let stripped = Command::new("strip").arg("--strip-debug").arg(&inside).status();
    if !stripped.is_ok_and(|status| status.success()) {
        eprintln!("the image holds the program with its debug information: strip cannot be run");
    }
    for library in libraries(program) {
        let copy = root.path().join(library.strip_prefix("/").unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&library, copy).unwrap();
    }
    let tar = Command::new("tar")
        .args(["--create", "--owner=0", "--group=0", "--numeric-owner", "--directory"])
        .arg(root.path())
        .arg(".")
        .output()
        .unwrap();
    assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
    tar.stdout
}

/// The shared libraries that the program asks for, and the loader that finds them, by the paths by which they are looked for.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.status.success(),
        "ldd: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    assert!(!text.contains("not found"), "a library is missing here already: {text}");
    let path = |line: &str| {
        line.split_whitespace()
            .find(|word| word.starts_with('/'))
            .map(PathBuf::from)
    };
    let found: Vec<PathBuf> = text.lines().filter_map(path).collect();
    assert!(
        !found.is_empty(),
        "ldd names no library of {}: {text}",
        program.display()
    );
    found
}
