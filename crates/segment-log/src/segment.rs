//! Segment files: their names, their folder, and reading one from front to back. Not which of them to read.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use bytes::{Buf as _, Bytes, BytesMut};

use crate::{Damage, Error, Record, Result, format};

const EXTENSION: &str = ".seg";
/// Bytes per read. A compromise: a batch of events is some ten kilobytes, and a payload keeps its chunk in memory.
const CHUNK_BYTES: u64 = 64 << 10;

/// A segment of a log; segments order as they were made. As text it is the name of its file without the extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    /// The ordinal with which the segment begins.
    pub first: u64,
    /// Zero, or a number from 1 up where earlier segments that begin with this ordinal hold only marks.
    pub part: u32,
}

impl SegmentId {
    pub(crate) fn path(self, directory: &Path) -> PathBuf {
        directory.join(format!("{self}{EXTENSION}"))
    }

    fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(EXTENSION)?;
        let (first, part) = stem.split_once('-').unwrap_or((stem, "0"));
        let id = Self {
            first: first.parse().ok()?,
            part: part.parse().ok()?,
        };
        // Only the exact name: "1.seg" is somebody's copy.
        (id.to_string() == stem).then_some(id)
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}", self.first)?;
        if self.part > 0 {
            write!(f, "-{:06}", self.part)
        } else {
            Ok(())
        }
    }
}

/// The segments in a folder, in order.
pub(crate) fn list(directory: &Path) -> Result<Vec<SegmentId>> {
    let entries = fs::read_dir(directory).map_err(Error::io("read the folder", directory))?;
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("read the folder", directory))?;
        ids.extend(entry.file_name().to_str().and_then(SegmentId::parse));
    }
    ids.sort_unstable();
    Ok(ids)
}

/// Makes new, renamed and deleted files of a folder survive a crash.
#[cfg(unix)]
pub(crate) fn sync_directory(directory: &Path) -> Result<()> {
    let synced = File::open(directory).and_then(|folder| folder.sync_all());
    synced.map_err(Error::io("sync the folder", directory))
}

/// Makes new, renamed and deleted files of a folder survive a crash.
///
/// Windows flushes a folder's entries by a handle that may write, and gives out a handle of a folder only where the caller
/// says that it knows what it does (`FILE_FLAG_BACKUP_SEMANTICS`).
#[cfg(windows)]
pub(crate) fn sync_directory(directory: &Path) -> Result<()> {
    use std::os::windows::fs::OpenOptionsExt as _;

    /// From `winbase.h`.
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    let mut options = fs::OpenOptions::new();
    options.write(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    let synced = options.open(directory).and_then(|folder| folder.sync_all());
    synced.map_err(Error::io("sync the folder", directory))
}

/// Reads one segment from front to back, never past a limit that may grow. After an error it stands where it stood.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub id: SegmentId,
    path: PathBuf,
    file: File,
    /// Read from the file and not yet given out; begins at `offset`.
    buffer: BytesMut,
    offset: u64,
}

impl Cursor {
    pub(crate) fn open(directory: &Path, id: SegmentId) -> Result<Self> {
        let path = id.path(directory);
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        Ok(Self {
            id,
            path,
            file,
            buffer: BytesMut::new(),
            offset: 0,
        })
    }

    /// The size of the file now.
    pub(crate) fn file_bytes(&self) -> Result<u64> {
        let metadata = self
            .file
            .metadata()
            .map_err(Error::io("read the size of", &self.path))?;
        Ok(metadata.len())
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the head, with which a segment begins, and returns the caller's part of it.
    pub(crate) fn head(&mut self, limit: u64) -> Result<Bytes> {
        self.fill(format::HEAD_START, limit)?;
        let start = format::head_start(&self.buffer).map_err(|damage| self.corrupt(damage))?;
        if start.version != format::VERSION {
            let path = self.path.clone();
            return Err(Error::Version {
                path,
                found: start.version,
                supported: format::VERSION,
            });
        }
        self.fill(start.bytes, limit)?;
        format::check_head(&self.buffer[..start.bytes]).map_err(|damage| self.corrupt(damage))?;
        if start.id != self.id {
            return Err(self.corrupt(Damage::OtherSegment { found: start.id }));
        }
        let head = self.take(start.bytes);
        Ok(head.slice(format::HEAD_START..head.len() - 4))
    }

    /// Reads the next record, which must begin with this ordinal; `None` at the limit.
    pub(crate) fn record(&mut self, expected: u64, limit: u64) -> Result<Option<Record>> {
        if self.offset >= limit {
            return Ok(None);
        }
        self.fill(format::RECORD_START, limit)?;
        let size = format::record_size(&self.buffer).map_err(|damage| self.corrupt(damage))?;
        self.fill(size, limit)?;
        let checked = format::check_record(&self.buffer[..size]);
        let (kind, first, count) = checked.map_err(|damage| self.corrupt(damage))?;
        if first != expected {
            return Err(self.corrupt(Damage::Ordinal { expected, found: first }));
        }
        let mut payload = self.take(size);
        payload.advance(format::RECORD_START);
        Ok(Some(Record {
            kind,
            first,
            count,
            payload,
        }))
    }

    /// Damage to what begins at the present offset.
    pub(crate) fn corrupt(&self, damage: Damage) -> Error {
        Error::Corrupt {
            path: self.path.clone(),
            offset: self.offset,
            damage,
        }
    }

    fn take(&mut self, bytes: usize) -> Bytes {
        self.offset += bytes as u64;
        self.buffer.split_to(bytes).freeze()
    }

    /// Sees to it that the buffer has at least so many bytes.
    fn fill(&mut self, needed: usize, limit: u64) -> Result<()> {
        let there = self.buffer.len();
        if there >= needed {
            return Ok(());
        }
        let position = self.offset + there as u64;
        let available = limit.saturating_sub(position);
        let missing = (needed - there) as u64;
        if missing > available {
            return Err(self.corrupt(Damage::Cut {
                needed: needed as u64,
                found: there as u64 + available,
            }));
        }
        let wanted = missing.max(CHUNK_BYTES).min(available);
        self.buffer.resize(there + wanted as usize, 0);
        let read = self.file.seek(SeekFrom::Start(position));
        let read = read.and_then(|_| self.file.read_exact(&mut self.buffer[there..]));
        read.map_err(|source| {
            self.buffer.truncate(there);
            match source.kind() {
                // The limit was durable once, so somebody shortened the file.
                io::ErrorKind::UnexpectedEof => {
                    let found = self.file_bytes().unwrap_or(position).saturating_sub(self.offset);
                    self.corrupt(Damage::Cut {
                        needed: needed as u64,
                        found,
                    })
                }
                _ => Error::Io {
                    operation: "read",
                    path: self.path.clone(),
                    source,
                },
            }
        })
    }
}
