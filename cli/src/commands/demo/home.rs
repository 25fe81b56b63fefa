//! The folder in which everything of a demo lies, and what was played in it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use fathom_lab::Recording;
use fathom_model::Tap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Says what was played in a folder.
const MARKER: &str = "demo.json";

/// Locked by the demo that lives in a folder.
const LOCK: &str = "demo.lock";

/// What a demo plays. A folder takes one: a store goes on where it was, so that of two that differ both would be answered for as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Played {
    run: String,
    without_taps: Vec<String>,
    /// Of all that the daemons read, as hexadecimal digits.
    content: String,
}

impl Played {
    /// A recording without some taps.
    ///
    /// # Errors
    ///
    /// When a file of it cannot be read.
    pub(super) fn of(recording: &Recording, without: &[Tap]) -> Result<Self> {
        let folder = recording.directory();
        let events = recording.nodes().iter().filter_map(|node| node.events.clone());
        let state = fathom_lab::state_file(folder);
        let mut hash = Sha256::new();
        for path in [folder.join("run.json")].into_iter().chain(events).chain(state) {
            let failed = |source| Error::File {
                path: path.clone(),
                source,
            };
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            let mut file = File::open(&path).map_err(failed)?;
            hash.update(file.metadata().map_err(failed)?.len().to_le_bytes());
            io::copy(&mut file, &mut hash).map_err(failed)?;
        }
        let mut without_taps: Vec<String> = without.iter().map(|tap| tap.as_str().to_owned()).collect();
        without_taps.sort_unstable();
        without_taps.dedup();
        Ok(Self {
            run: recording.run().name.clone(),
            without_taps,
            content: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    /// What has no recording.
    pub(super) fn named(run: &str) -> Self {
        Self {
            run: run.to_owned(),
            without_taps: Vec::new(),
            content: String::new(),
        }
    }

    /// What differs between this, which is in a folder, and another.
    fn differs_from(&self, other: &Self) -> String {
        let taps = |played: &Self| match &played.without_taps[..] {
            [] => "with all taps".to_owned(),
            taps => format!("without tap {}", taps.join(" ")),
        };
        if self.run != other.run {
            self.run.clone()
        } else if self.without_taps != other.without_taps {
            format!("{} {}", self.run, taps(self))
        } else {
            format!("{} as its files were then", self.run)
        }
    }
}

/// A demo's folder. A temporary one goes when this is dropped.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
    /// Held as long as the demo lives: a second one would take its store.
    _lock: Option<File>,
}

impl Home {
    /// The folder that is given, or a temporary one.
    ///
    /// # Errors
    ///
    /// When it cannot be made, a demo runs in it, or something else was played in it.
    pub(super) fn open(given: Option<&Path>, played: &Played) -> Result<Self> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { path, source }
        };
        let Some(path) = given else {
            let temporary = std::env::temp_dir();
            let made = tempfile::Builder::new()
                .prefix("fathom-demo-")
                .tempdir()
                .map_err(failed(&temporary))?;
            return Ok(Self {
                path: made.path().to_owned(),
                _temporary: Some(made),
                _lock: None,
            });
        };
        // What is offered at the end is asked from anywhere.
        let path = std::path::absolute(path).map_err(failed(path))?;
        let path = path.as_path();
        fs::create_dir_all(path).map_err(failed(path))?;
        let lock = path.join(LOCK);
        // In a folder that is refused nothing is left, which only a demo has locked before.
        if !lock.exists() {
            is_new(path, played)?;
        }
        let held = File::options().create(true).write(true).truncate(false).open(&lock);
        let held = held.map_err(failed(&lock))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::DemoRuns { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(failed(&lock)(error)),
        }
        if is_new(path, played)? {
            let marker = path.join(MARKER);
            let text = serde_json::to_vec_pretty(played).map_err(|error| failed(&marker)(error.into()))?;
            fs::write(&marker, text).map_err(failed(&marker))?;
        }
        Ok(Self {
            path: path.to_owned(),
            _temporary: None,
            _lock: Some(held),
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether nothing was played in a folder yet. An error when something else was, or nobody knows what.
fn is_new(path: &Path, played: &Played) -> Result<bool> {
    let other = |holds: String| Error::OtherDemo {
        path: path.to_owned(),
        holds,
    };
    let marker = path.join(MARKER);
    let text = match fs::read(&marker) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return is_empty(path),
        Err(source) => return Err(Error::File { path: marker, source }),
    };
    match serde_json::from_slice::<Played>(&text) {
        Ok(before) if before == *played => Ok(false),
        Ok(before) => Err(other(before.differs_from(played))),
        Err(error) => Err(other(format!("what {MARKER} does not say ({error})"))),
    }
}

/// Whether a folder has nothing but a demo's lock. An error where it has: a demo says what it plays before it writes anything else, so that
/// all of it is somebody's, and may have the names of what a demo writes.
fn is_empty(path: &Path) -> Result<bool> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name != LOCK {
            return Err(Error::NotADemo {
                path: path.to_owned(),
                name: name.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
