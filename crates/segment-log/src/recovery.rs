//! Finding the end of a log after a crash, and telling a crash from corruption. Not repair of corruption.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use bytes::{Buf as _, Bytes};

use crate::{
    Damage, Durable, Error, Result, SegmentId, format, ordinal_after,
    segment::{self, Cursor},
};

/// The file whose lock a writer holds.
const LOCK_NAME: &str = "lock";
/// The smallest piece that a drive writes whole or not at all.
const SECTOR_BYTES: usize = 512;
/// How many bytes the search for an intact record may checksum: a second's work. Payloads that look like many record
/// heads could otherwise keep it busy for hours.
const SEARCH_BUDGET_BYTES: usize = 1 << 30;

/// How a log was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// All of the log, synced.
    pub durable: Durable,
    /// The caller's head of the last segment; `None` if there is no segment.
    pub head: Option<Bytes>,
    /// The size of the tail that a crash had left half written and that was cut off.
    pub discarded_bytes: u64,
}

/// Finds the end of a log that nobody writes to, cuts off what a crash left half written, and syncs the rest.
///
/// Only the last segment is read; a [`crate::Reader`] checks the others when it gets to them. From the first damaged
/// record on the file is taken for a half-written tail if
///
/// - no intact record follows it, or
/// - a sector between it and the next intact record is all zeros: after a power failure, pages that were never synced
///   may be missing in front of others that were written.
///
/// Anything else is corruption, and refused. (A log that a sync had covered entirely, and whose very last record was
/// damaged after it, cannot be told from a half-written one.)
///
/// # Errors
///
/// [`Error::Corrupt`], [`Error::Version`], [`Error::Locked`], [`Error::Io`].
pub fn recover(directory: &Path) -> Result<Recovered> {
    let _lock = lock(directory)?;
    recover_locked(directory)
}

/// The lowest ordinal that a log still holds; `None` if there is no segment.
///
/// # Errors
///
/// [`Error::Io`].
pub fn first_ordinal(directory: &Path) -> Result<Option<u64>> {
    Ok(segment::list(directory)?.first().map(|id| id.first))
}

/// Takes the lock that keeps a second writer out until it is dropped.
pub(crate) fn lock(directory: &Path) -> Result<File> {
    let path = directory.join(LOCK_NAME);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Locked { path }),
        Err(fs::TryLockError::Error(source)) => Err(Error::Io {
            operation: "lock",
            path,
            source,
        }),
    }
}

pub(crate) fn recover_locked(directory: &Path) -> Result<Recovered> {
    let mut ids = segment::list(directory)?;
    let Some(last) = ids.pop() else {
        return Ok(Recovered {
            durable: Durable::default(),
            head: None,
            discarded_bytes: 0,
        });
    };
    let scan = Scan::run(directory, last)?;
    if let Some(damage) = scan.damage
        && !torn(directory, last, &scan, damage)?
    {
        return Err(scan.corrupt(directory, last, damage));
    }
    match scan.head {
        Some(head) => {
            cut(&last.path(directory), scan.end, scan.file_bytes)?;
            segment::sync_directory(directory)?;
            let durable = Durable {
                segment: last,
                offset: scan.end,
                next_ordinal: scan.next_ordinal,
            };
            Ok(Recovered {
                durable,
                head: Some(head),
                discarded_bytes: scan.file_bytes - scan.end,
            })
        }
        None => {
            let before = before_headless(directory, last, ids.pop())?;
            let path = last.path(directory);
            fs::remove_file(&path).map_err(Error::io("delete", &path))?;
            segment::sync_directory(directory)?;
            Ok(Recovered {
                discarded_bytes: scan.file_bytes,
                ..before
            })
        }
    }
}

/// The end of a log whose last segment was being made when the crash came.
fn before_headless(directory: &Path, last: SegmentId, previous: Option<SegmentId>) -> Result<Recovered> {
    let found = match previous {
        None => Recovered {
            durable: Durable::default(),
            head: None,
            discarded_bytes: 0,
        },
        Some(id) => {
            // INVARIANT: a segment is synced before the next is made, so this one has no half-written tail.
            let scan = Scan::run(directory, id)?;
            if let Some(damage) = scan.damage {
                return Err(scan.corrupt(directory, id, damage));
            }
            let durable = Durable {
                segment: id,
                offset: scan.end,
                next_ordinal: scan.next_ordinal,
            };
            Recovered {
                durable,
                head: scan.head,
                discarded_bytes: 0,
            }
        }
    };
    let expected = found.durable.next_ordinal;
    if expected != last.first {
        let damage = Damage::Ordinal {
            expected,
            found: last.first,
        };
        return Err(Error::Corrupt {
            path: last.path(directory),
            offset: 0,
            damage,
        });
    }
    Ok(found)
}

/// A segment, read until its end or until something is wrong.
#[derive(Debug)]
struct Scan {
    /// `None` if the head is damaged.
    head: Option<Bytes>,
    file_bytes: u64,
    /// Where the intact part ends.
    end: u64,
    next_ordinal: u64,
    /// Why it ends before the file does.
    damage: Option<Damage>,
}

impl Scan {
    fn run(directory: &Path, id: SegmentId) -> Result<Self> {
        let mut cursor = Cursor::open(directory, id)?;
        let file_bytes = cursor.file_bytes()?;
        let mut scan = Self {
            head: None,
            file_bytes,
            end: 0,
            next_ordinal: id.first,
            damage: None,
        };
        match scan.read(&mut cursor) {
            Ok(()) => {}
            Err(Error::Corrupt { damage, .. }) => scan.damage = Some(damage),
            Err(error) => return Err(error),
        }
        scan.end = cursor.offset();
        Ok(scan)
    }

    fn corrupt(&self, directory: &Path, id: SegmentId, damage: Damage) -> Error {
        Error::Corrupt {
            path: id.path(directory),
            offset: self.end,
            damage,
        }
    }

    fn read(&mut self, cursor: &mut Cursor) -> Result<()> {
        self.head = Some(cursor.head(self.file_bytes)?);
        while let Some(record) = cursor.record(self.next_ordinal, self.file_bytes)? {
            self.next_ordinal = ordinal_after(record.first, record.count);
        }
        Ok(())
    }
}

/// Cuts a file and makes the rest durable: after a crash of the process alone it may be in the page cache only.
fn cut(path: &Path, end: u64, file_bytes: u64) -> Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    if end < file_bytes {
        file.set_len(end).map_err(Error::io("cut", path))?;
    }
    file.sync_all().map_err(Error::io("sync", path))
}

/// Whether a crash explains the damage at the end of the scan; see [`recover`].
fn torn(directory: &Path, id: SegmentId, scan: &Scan, damage: Damage) -> Result<bool> {
    let path = id.path(directory);
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|mut file| {
        file.seek(SeekFrom::Start(scan.end))?;
        file.read_to_end(&mut bytes)
    });
    read.map_err(Error::io("read", &path))?;
    match damage {
        // Written whole, and wrong: the file was renamed or put together by somebody.
        Damage::OtherSegment { .. } | Damage::Ordinal { .. } => return Ok(false),
        // Never written, or the file of another program that a crash here does not make ours to delete.
        Damage::Magic if !bytes.starts_with(&[0; 8]) => return Ok(false),
        Damage::Magic | Damage::Cut { .. } | Damage::Length { .. } | Damage::Checksum { .. } => {}
    }
    Ok(match intact_record(&bytes, scan.next_ordinal) {
        Search::Nowhere => true,
        Search::At(at) => has_unwritten_sector(&bytes[..at], scan.end),
        Search::GaveUp => false,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    Nowhere,
    At(usize),
    GaveUp,
}

/// The first intact record after the damage at the start of these bytes. Lengths may be damaged, so every offset counts.
fn intact_record(bytes: &[u8], next_ordinal: u64) -> Search {
    // More ordinals than any segment can hold; keeps the checksum from most places that only look like a record.
    let ordinals = next_ordinal..next_ordinal.saturating_add(1 << 40);
    let mut budget = SEARCH_BUDGET_BYTES;
    for at in 1..bytes.len().saturating_sub(format::RECORD_START - 1) {
        let rest = &bytes[at..];
        let Ok(size) = format::record_size(rest) else { continue };
        if size > rest.len() || !ordinals.contains(&(&rest[9..]).get_u64_le()) {
            continue;
        }
        if format::check_record(&rest[..size]).is_ok() {
            return Search::At(at);
        }
        let Some(left) = budget.checked_sub(size) else {
            return Search::GaveUp;
        };
        budget = left;
    }
    Search::Nowhere
}

/// Whether these bytes, which begin with damage at this offset of the file and end with an intact record, have a sector
/// (or the rest of a sector after intact records) that was never written.
fn has_unwritten_sector(bytes: &[u8], offset: u64) -> bool {
    let zero = |piece: &[u8]| piece.iter().all(|byte| *byte == 0);
    let to_border = (SECTOR_BYTES - (offset % SECTOR_BYTES as u64) as usize) % SECTOR_BYTES;
    let Some((rest_of_sector, sectors)) = bytes.split_at_checked(to_border) else {
        return false;
    };
    (!rest_of_sector.is_empty() && zero(rest_of_sector)) || sectors.chunks_exact(SECTOR_BYTES).any(zero)
}

#[cfg(test)]
mod tests;
