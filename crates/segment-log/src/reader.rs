//! Reading a log from an ordinal on, also while it is written. Not waiting: the caller awaits the next [`Durable`].

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::{
    Damage, Durable, Error, Record, Result, SegmentId,
    segment::{self, Cursor},
};

/// How often a segment may vanish between listing and opening before that is an error.
const ATTEMPTS: usize = 10;

/// What a reader finds, in the order in which it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A segment begins: the caller's head, valid for the records up to the next one.
    SegmentHead(Bytes),
    /// A record or a mark.
    Record(Record),
    /// Ordinals that were asked for and are not there any more: evicted, released, or skipped.
    Missing(Range<u64>),
}

/// A reader of a log; any number of them may read while a writer appends.
#[derive(Debug)]
pub struct Reader {
    directory: PathBuf,
    from: u64,
    /// The ordinal that comes next; before the first segment it is `from`.
    next_ordinal: u64,
    cursor: Option<Cursor>,
    /// Found on entering the present segment and not yet told.
    missing: Option<Range<u64>>,
    skipping: bool,
}

impl Reader {
    /// A reader that begins with the record that holds this ordinal, and with the marks directly before that record if
    /// it begins there. A record may begin below `from`; the caller cuts it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], if the folder cannot be read.
    pub fn open(directory: &Path, from: u64) -> Result<Self> {
        segment::list(directory)?;
        let directory = directory.to_owned();
        Ok(Self {
            directory,
            from,
            next_ordinal: from,
            cursor: None,
            missing: None,
            skipping: false,
        })
    }

    /// The next item, or `None` when all that is durable has been read: then call again with a later [`Durable`].
    ///
    /// Never reads past `durable`, which must be of the writer, or of the recovery, of this log.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], [`Error::Version`], [`Error::BeyondEnd`], [`Error::Io`]. The reader stays where it is.
    pub fn next(&mut self, durable: Durable) -> Result<Option<Item>> {
        loop {
            if let Some(missing) = self.missing.take() {
                return Ok(Some(Item::Missing(missing)));
            }
            if let Some(item) = self.next_in_segment(durable)? {
                return Ok(Some(item));
            }
            if !self.enter_segment(durable)? {
                return Ok(None);
            }
        }
    }

    /// Leaves out the rest of the present segment, as after [`Error::Corrupt`]. Its ordinals are told as
    /// [`Item::Missing`] when the next segment begins.
    pub fn skip_segment(&mut self) {
        self.skipping = true;
    }

    fn next_in_segment(&mut self, durable: Durable) -> Result<Option<Item>> {
        let Some(cursor) = self.cursor.as_mut().filter(|_| !self.skipping) else {
            return Ok(None);
        };
        let limit = limit(cursor, durable)?;
        if cursor.offset() == 0 && limit > 0 {
            return cursor.head(limit).map(|head| Some(Item::SegmentHead(head)));
        }
        while let Some(record) = cursor.record(self.next_ordinal, limit)? {
            self.next_ordinal = record.end();
            let wanted = if record.count == 0 {
                record.first >= self.from
            } else {
                record.end() > self.from
            };
            if wanted {
                return Ok(Some(Item::Record(record)));
            }
        }
        Ok(None)
    }

    /// Goes to the first segment or from one to the next; false if there is none yet.
    fn enter_segment(&mut self, durable: Durable) -> Result<bool> {
        let present = self.cursor.as_ref().map(|cursor| cursor.id);
        if present.is_none() && self.from > durable.next_ordinal {
            return Err(Error::BeyondEnd {
                from: self.from,
                next_ordinal: durable.next_ordinal,
            });
        }
        if durable.offset == 0 || present.is_some_and(|id| id >= durable.segment) {
            return Ok(false);
        }
        let cursor = self.open_segment(present, durable)?;
        let first = cursor.id.first;
        if present.is_some() && first < self.next_ordinal {
            return Err(cursor.corrupt(Damage::Ordinal {
                expected: self.next_ordinal,
                found: first,
            }));
        }
        self.missing = Some(self.next_ordinal.max(self.from)..first).filter(|missing| !missing.is_empty());
        self.next_ordinal = first;
        self.cursor = Some(cursor);
        self.skipping = false;
        Ok(true)
    }

    /// Opens the next segment. The writer may delete it between listing and opening; then the one after it is next.
    fn open_segment(&self, present: Option<SegmentId>, durable: Durable) -> Result<Cursor> {
        for _ in 0..ATTEMPTS {
            let ids = segment::list(&self.directory)?;
            let next = match present {
                Some(present) => ids.iter().find(|id| **id > present),
                // Marks that stand before `from` may be at the end of the segment before the one that holds it.
                None => ids.iter().rfind(|id| id.first < self.from).or_else(|| ids.first()),
            };
            let Some(next) = next.filter(|id| **id <= durable.segment) else {
                continue;
            };
            match Cursor::open(&self.directory, *next) {
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                opened => return opened,
            }
        }
        // The durable segment is never deleted by a writer, so somebody else did.
        Err(Error::io("open", &durable.segment.path(&self.directory))(
            io::ErrorKind::NotFound.into(),
        ))
    }
}

/// How far a segment may be read: a finished one to its end, the durable one to where it is durable.
fn limit(cursor: &Cursor, durable: Durable) -> Result<u64> {
    if cursor.id < durable.segment {
        cursor.file_bytes()
    } else if cursor.id == durable.segment {
        Ok(durable.offset)
    } else {
        Ok(0)
    }
}

#[cfg(test)]
mod tests;
