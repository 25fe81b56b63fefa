//! Recordings to test with.

use std::path::{Path, PathBuf};

/// The recordings of the repository.
#[must_use]
pub fn own() -> Vec<PathBuf> {
    inside(&Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("recordings"))
}

/// One recording of the repository.
#[must_use]
pub fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("recordings")
        .join(name)
}

/// Copies a recording with the files of nodes `t1` and `t2` taken for one another.
pub fn swapped(from: &Path, into: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let other = match name.split_once("-t") {
            Some((events, rest)) if rest.starts_with('1') => format!("{events}-t2{}", &rest[1..]),
            Some((events, rest)) if rest.starts_with('2') => format!("{events}-t1{}", &rest[1..]),
            _ => name,
        };
        std::fs::copy(entry.path(), into.join(other)).unwrap();
    }
}

/// All real recordings that can be found; says on standard error when it is only the repository's own.
#[must_use]
pub fn all() -> Vec<PathBuf> {
    let named = std::env::var_os("FATHOM_CAPTURES")
        .map(PathBuf::from)
        .filter(|folder| folder.is_dir());
    let Some(folder) = named else {
        eprintln!("FATHOM_CAPTURES names no folder: only the repository's own recordings are tested");
        return real(own());
    };
    let mut found = inside(&folder);
    let known: Vec<_> = found
        .iter()
        .filter_map(|path| path.file_name().map(ToOwned::to_owned))
        .collect();
    found.extend(
        own()
            .into_iter()
            .filter(|path| path.file_name().is_none_or(|name| !known.contains(&name.to_owned()))),
    );
    real(found)
}

/// A recording's name.
#[must_use]
pub fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("run.json").is_file())
        .collect();
    found.sort();
    found
}

/// Recordings with truth: made by a capture, not by hand and not by the simulator, which says of which configuration it made one.
fn real(found: Vec<PathBuf>) -> Vec<PathBuf> {
    let simulated =
        |path: &Path| std::fs::read_to_string(path.join("run.json")).is_ok_and(|run| run.contains("\"simulated\":"));
    found
        .into_iter()
        .filter(|path| path.join("truth.jsonl.zst").is_file() && !simulated(path))
        .collect()
}
