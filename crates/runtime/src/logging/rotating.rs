//! A file that lines are added to and that never grows without bound.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Some hundred thousand lines; with the old one twice that.
const LIMIT_BYTES: u64 = 16 << 20;

/// The file, and beside it at most one older one.
#[derive(Debug)]
pub(super) struct Rotating {
    path: PathBuf,
    limit_bytes: u64,
    file: File,
    bytes: u64,
}

impl Rotating {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, LIMIT_BYTES)
    }

    fn with_limit(path: &Path, limit_bytes: u64) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self {
            bytes: file.metadata()?.len(),
            path: path.to_owned(),
            limit_bytes,
            file,
        })
    }

    /// Begins a new file. Where the old one cannot be renamed it is gone on with: a log is no reason to stop.
    fn rotate(&mut self) {
        let mut old: OsString = self.path.clone().into();
        old.push(".old");
        // Windows renames an open file where all who have it open allow that, and the standard library does.
        let renamed = fs::rename(&self.path, old).and_then(|()| Self::with_limit(&self.path, self.limit_bytes));
        match renamed {
            Ok(new) => *self = new,
            // Tried again when as much has been written once more.
            Err(_) => self.bytes = 0,
        }
    }
}

impl Write for Rotating {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes >= self.limit_bytes {
            self.rotate();
        }
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests;
