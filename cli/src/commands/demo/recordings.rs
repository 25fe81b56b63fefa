//! Which recordings there are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::args::Output;
use crate::commands::print;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::{Grid, one_line};
use crate::scope::tell;

/// Shown when nobody says which: a recording with a fault.
const DEFAULT: &str = "fault-slow-drive";

/// Names another folder with recordings.
const VARIABLE: &str = "FATHOM_CAPTURES";

/// Folders that are searched: those given, else the project's own and the one that the environment names.
fn folders(given: &[PathBuf]) -> Vec<PathBuf> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let here = PathBuf::from("recordings");
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("recordings");
    let mut folders = vec![if here.is_dir() { here } else { project }];
    folders.extend(
        std::env::var_os(VARIABLE)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from),
    );
    folders
}

/// An error where a folder that is given cannot be listed.
fn listable(given: &[PathBuf]) -> Result<()> {
    let failed = given
        .iter()
        .find_map(|folder| Some((folder, std::fs::read_dir(folder).err()?)));
    match failed {
        Some((path, source)) => Err(Error::File {
            path: path.clone(),
            source,
        }),
        None => Ok(()),
    }
}

/// Says that a folder which the environment names is missed.
fn tell_unreadable(given: &[PathBuf]) {
    if let Some((path, error)) = unreadable(given) {
        tell!(
            "{VARIABLE} names {}, which cannot be listed ({error}): nothing of it is here; name a folder of recordings, or unset it",
            one_line(&path.display().to_string())
        );
    }
}

/// The folder that the environment names, where it counts and cannot be listed.
fn unreadable(given: &[PathBuf]) -> Option<(PathBuf, std::io::Error)> {
    let named = std::env::var_os(VARIABLE).filter(|value| given.is_empty() && !value.is_empty())?;
    let path = PathBuf::from(named);
    let error = std::fs::read_dir(&path).err()?;
    Some((path, error))
}

/// All recordings by name; of two with one name the first found.
fn all(given: &[PathBuf]) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for folder in folders(given) {
        let inside = std::fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        for path in std::iter::once(folder.clone()).chain(inside) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            // One that cannot be looked into is one that is broken.
            let is_one = path.is_dir() && !matches!(path.join("run.json").try_exists(), Ok(false));
            if let Some(name) = name.filter(|_| is_one) {
                found.entry(name).or_insert(path);
            }
        }
    }
    found
}

/// The folder of a recording by name, or of the one that the demo shows.
pub(super) fn find(given: &[PathBuf], name: Option<&str>) -> Result<PathBuf> {
    listable(given)?;
    let all = all(given);
    let name = name.unwrap_or(DEFAULT);
    // A folder may be named as well; what is wrong with it says whoever opens it.
    if let Some(folder) = all
        .get(name)
        .cloned()
        .or_else(|| Path::new(name).is_dir().then(|| name.into()))
    {
        return Ok(folder);
    }
    if Path::new(name).is_file() {
        return Err(Error::NoFolder { path: name.into() });
    }
    tell_unreadable(given);
    let known: Vec<&str> = all.keys().map(String::as_str).collect();
    let known = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    Err(Error::NoRecording {
        name: name.to_owned(),
        known,
    })
}

/// Prints the recordings.
pub(super) fn list(given: &[PathBuf], output: Output) -> Result<Code> {
    listable(given)?;
    tell_unreadable(given);
    let mut rows = Vec::new();
    for (name, path) in all(given) {
        let about = fathom_lab::open(&path).map(|recording| recording.run().about.clone().unwrap_or_default());
        rows.push((name, path, about));
    }
    match output {
        Output::Json => {
            let recordings: Vec<_> = rows
                .iter()
                .map(|(name, path, about)| {
                    let broken = about.as_ref().err().map(ToString::to_string);
                    json!({"name": name, "path": path, "about": about.as_ref().ok(), "broken": broken})
                })
                .collect();
            json::print(json!({"recordings": recordings}))?;
        }
        Output::Table => {
            let mut grid = Grid::new(&["recording", "about"]);
            for (name, _, about) in rows {
                let mark = if name == DEFAULT { " (default)" } else { "" };
                let about = about.unwrap_or_else(|error| format!("broken: {error}"));
                grid.row([format!("{name}{mark}"), about]);
            }
            print(&grid.lines(""))?;
        }
    }
    Ok(Code::Fine)
}
