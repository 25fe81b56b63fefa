//! The one who appends: buffering, syncing, rotating, and giving up old segments. Not a policy for when.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    ops::Range,
    path::{Path, PathBuf},
};

use crate::{Config, Durable, Error, Recovered, Result, SegmentId, format, ordinal_after, recovery, segment};

/// Appended bytes are handed to the operating system when there are so many of them, and at every sync.
const BUFFER_BYTES: usize = 256 << 10;

/// The writer of a log; there is one at a time, which a lock in the folder sees to.
///
/// Dropping it without [`Writer::sync`] may lose what was appended since the last one, as a crash would.
///
/// ```
/// use fathom_segment_log::{Config, Item, Reader, Writer};
///
/// # let folder = tempfile::tempdir().unwrap();
/// let mut writer = Writer::open(Config::new(folder.path()), b"who wrote this")?;
/// writer.append(1, 0, 3, b"three events")?;
/// let durable = writer.sync()?;
///
/// let mut reader = Reader::open(folder.path(), 0)?;
/// assert_eq!(reader.next(durable)?, Some(Item::SegmentHead("who wrote this".into())));
/// assert!(matches!(reader.next(durable)?, Some(Item::Record(record)) if record.end() == 3));
/// assert_eq!(reader.next(durable)?, None);
/// # Ok::<(), fathom_segment_log::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    config: Config,
    head: Vec<u8>,
    recovered: Recovered,
    /// All segments and their sizes with what is buffered. The present one, if any, is the last.
    segments: BTreeMap<SegmentId, u64>,
    /// `None` until the first record after a start or a rotation, so that no segment is without a record.
    present: Option<Present>,
    /// Accepted and not yet written; goes to the end of the present segment.
    buffer: Vec<u8>,
    next_ordinal: u64,
    durable: Durable,
    in_doubt: bool,
    /// Held, not used.
    _lock: File,
}

/// The segment that is appended to.
#[derive(Debug)]
struct Present {
    id: SegmentId,
    path: PathBuf,
    file: File,
    /// What was written for sure. A failed write may leave bytes beyond, which the next one overwrites.
    written: u64,
    /// The folder does not durably name the file yet.
    made: bool,
}

impl Writer {
    /// Makes a log, or takes up one that is there after [recovery](crate::recover), with this head for new segments.
    ///
    /// The last segment is continued if it has the same head; otherwise the first record begins a new one.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Corrupt`], [`Error::Version`], [`Error::TooLarge`], [`Error::Io`].
    pub fn open(config: Config, head: &[u8]) -> Result<Self> {
        format::check_size(head.len())?;
        make_directory(&config.directory)?;
        let lock = recovery::lock(&config.directory)?;
        let recovered = recovery::recover_locked(&config.directory)?;
        let mut segments = BTreeMap::new();
        for id in segment::list(&config.directory)? {
            let path = id.path(&config.directory);
            let metadata = fs::metadata(&path).map_err(Error::io("read the size of", &path))?;
            segments.insert(id, metadata.len());
        }
        let durable = recovered.durable;
        let present = match &recovered.head {
            Some(found) if found == head => Some(Present::reopen(&config.directory, durable)?),
            _ => None,
        };
        Ok(Self {
            config,
            head: head.to_vec(),
            segments,
            present,
            buffer: Vec::new(),
            next_ordinal: durable.next_ordinal,
            durable,
            recovered,
            in_doubt: false,
            _lock: lock,
        })
    }

    /// How the log was found when it was opened.
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// The ordinal with which the next record must begin.
    pub fn next_ordinal(&self) -> u64 {
        self.next_ordinal
    }

    /// The lowest ordinal that the log still holds; the next one when it holds none.
    pub fn first_ordinal(&self) -> u64 {
        self.segments
            .first_key_value()
            .map_or(self.next_ordinal, |(id, _)| id.first)
    }

    /// How far the log is durable: what the last sync or rotation returned.
    pub fn durable(&self) -> Durable {
        self.durable
    }

    /// The size of all segments, with what is buffered.
    pub fn total_bytes(&self) -> u64 {
        self.segments.values().sum()
    }

    /// Whether a payload of this size can be appended without [`Error::Full`].
    pub fn fits(&self, payload_bytes: usize) -> bool {
        self.check_room((format::RECORD_START + payload_bytes) as u64).is_ok()
    }

    /// Appends a record, or with count 0 a mark. It is durable after the next [`Writer::sync`].
    ///
    /// If the present segment has no room, it is synced first and a new one begun.
    ///
    /// # Errors
    ///
    /// [`Error::NotContiguous`], [`Error::TooLarge`], [`Error::Full`], [`Error::InDoubt`], [`Error::Io`]. After any of
    /// them the record is not in the log.
    pub fn append(&mut self, kind: u8, first: u64, count: u32, payload: &[u8]) -> Result<()> {
        self.check_doubt()?;
        format::check_size(payload.len())?;
        if first != self.next_ordinal {
            return Err(Error::NotContiguous {
                expected: self.next_ordinal,
                found: first,
            });
        }
        let bytes = format::record_bytes(payload);
        self.check_room(bytes)?;
        if self.is_full_for(bytes) {
            self.rotate()?;
        }
        // Before the record is accepted, so that a failure leaves nothing behind.
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        if self.present.is_none() {
            self.begin_segment()?;
        }
        format::put_record(&mut self.buffer, kind, first, count, payload);
        self.grow(bytes);
        self.next_ordinal = ordinal_after(first, count);
        Ok(())
    }

    /// Writes and syncs what was appended, and returns how far the log is durable now.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: a write may be tried again; after a failed sync all is [`Error::InDoubt`].
    pub fn sync(&mut self) -> Result<Durable> {
        self.check_doubt()?;
        self.flush()?;
        let Some(present) = &mut self.present else {
            return Ok(self.durable);
        };
        let durable = Durable {
            segment: present.id,
            offset: present.written,
            next_ordinal: self.next_ordinal,
        };
        if durable == self.durable {
            return Ok(durable);
        }
        // After a failed sync the system may have dropped the pages and report success the next time.
        self.in_doubt = true;
        present.file.sync_data().map_err(Error::io("sync", &present.path))?;
        if present.made {
            segment::sync_directory(&self.config.directory)?;
            present.made = false;
        }
        self.in_doubt = false;
        self.durable = durable;
        Ok(durable)
    }

    /// Changes the head of segments from here on. If it differs, what was appended is synced, and the next record
    /// begins a new segment.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::InDoubt`], [`Error::Io`]; the head is then as before.
    pub fn set_head(&mut self, head: &[u8]) -> Result<()> {
        format::check_size(head.len())?;
        if head != self.head {
            self.rotate()?;
            self.head = head.to_vec();
        }
        Ok(())
    }

    /// Deletes the segments that hold nothing but ordinals below this one, and returns how many they were.
    ///
    /// The segment in which the durable part ends is kept. So is one whose ordinals are all below but whose successor
    /// begins with this very ordinal: it may end with marks, which stand before that ordinal and have not arrived
    /// as long as it has not. An ordinal beyond the durable end counts as that end.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; the log is intact, and the rest is deleted by the next call.
    pub fn release(&mut self, below: u64) -> Result<usize> {
        let below = below.min(self.durable.next_ordinal);
        let mut released = 0;
        while let Some((id, successor)) = self.oldest()
            && successor < below
        {
            self.delete(id)?;
            released += 1;
        }
        if released > 0 {
            segment::sync_directory(&self.config.directory)?;
        }
        Ok(released)
    }

    /// Deletes the oldest segment whether or not it has arrived anywhere, and returns the ordinals that are lost by it
    /// (none, if it held only marks). `None` if the durable part ends in it: sync first, then try again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; the log is intact.
    pub fn evict_oldest(&mut self) -> Result<Option<Range<u64>>> {
        let Some((id, successor)) = self.oldest() else {
            return Ok(None);
        };
        self.delete(id)?;
        segment::sync_directory(&self.config.directory)?;
        Ok(Some(id.first..successor))
    }

    /// The oldest segment that may be deleted, and the ordinal with which the one after it begins.
    fn oldest(&self) -> Option<(SegmentId, u64)> {
        let mut ids = self.segments.keys();
        let (oldest, successor) = (ids.next()?, ids.next()?);
        // INVARIANT: a durable segment stays, since its end is the only record of the next ordinal.
        (*oldest < self.durable.segment).then_some((*oldest, successor.first))
    }

    fn delete(&mut self, id: SegmentId) -> Result<()> {
        let path = id.path(&self.config.directory);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Io {
                    operation: "delete",
                    path,
                    source: error,
                });
            }
            _ => {}
        }
        self.segments.remove(&id);
        Ok(())
    }

    fn check_doubt(&self) -> Result<()> {
        if self.in_doubt {
            return Err(Error::InDoubt {
                path: self.config.directory.clone(),
            });
        }
        Ok(())
    }

    fn check_room(&self, bytes: u64) -> Result<()> {
        let Some(limit_bytes) = self.config.max_total_bytes else {
            return Ok(());
        };
        let begins = self.present.is_none() || self.is_full_for(bytes);
        let head = if begins { format::head_bytes(&self.head) } else { 0 };
        let wanted_bytes = self.total_bytes() + head + bytes;
        if wanted_bytes > limit_bytes {
            return Err(Error::Full {
                limit_bytes,
                wanted_bytes,
            });
        }
        Ok(())
    }

    /// Whether the present segment has a record and would pass its size with this one.
    fn is_full_for(&self, bytes: u64) -> bool {
        let present = self.present.as_ref().and_then(|present| self.segments.get(&present.id));
        present.is_some_and(|size| *size > format::head_bytes(&self.head) && size + bytes > self.config.segment_bytes)
    }

    /// Ends the present segment.
    fn rotate(&mut self) -> Result<()> {
        self.sync()?;
        self.present = None;
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<()> {
        let first = self.next_ordinal;
        let part = match self.segments.last_key_value() {
            Some((last, _)) if last.first == first => last.part + 1,
            _ => 0,
        };
        let id = SegmentId { first, part };
        self.present = Some(Present::make(&self.config.directory, id)?);
        format::put_head(&mut self.buffer, id, &self.head);
        self.grow(format::head_bytes(&self.head));
        Ok(())
    }

    fn grow(&mut self, bytes: u64) {
        if let Some(present) = &self.present {
            *self.segments.entry(present.id).or_default() += bytes;
        }
    }

    /// Hands what was appended to the operating system: safe from a crash of the process and not of the machine.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if let Some(present) = &mut self.present {
            present.write(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

impl Present {
    fn make(directory: &Path, id: SegmentId) -> Result<Self> {
        let path = id.path(directory);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(Error::io("make", &path))?;
        Ok(Self {
            id,
            path,
            file,
            written: 0,
            made: true,
        })
    }

    fn reopen(directory: &Path, durable: Durable) -> Result<Self> {
        let id = durable.segment;
        let path = id.path(directory);
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        Ok(Self {
            id,
            path,
            file,
            written: durable.offset,
            made: false,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = self
            .file
            .seek(SeekFrom::Start(self.written))
            .and_then(|_| self.file.write_all(bytes));
        written.map_err(Error::io("write", &self.path))?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// Makes the folder and those above it that are not there, so that they survive a crash.
fn make_directory(directory: &Path) -> Result<()> {
    let missing: Vec<_> = directory.ancestors().take_while(|path| !path.exists()).collect();
    fs::create_dir_all(directory).map_err(Error::io("make", directory))?;
    for made in missing {
        match made.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => segment::sync_directory(parent)?,
            Some(_) => segment::sync_directory(Path::new("."))?,
            None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
