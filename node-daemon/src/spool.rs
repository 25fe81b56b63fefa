//! The spool: everything that was read and is not yet stored by the coordinator, in segments on disk.
//!
//! Each incarnation has a folder of its own, `<sequence>-<incarnation>`; older ones are sent to their end first. A segment's
//! head holds the stream's Hello and its device dictionary; a record is a `CollectRequest` as it goes over the wire.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use fathom_model::{Device, Incarnation, StreamId, Tap};
use fathom_proto::COLLECT_PROTOCOL;
use fathom_proto::collect::v1 as wire;
use fathom_proto::convert::collect::{Opening, devices_to_wire};
use fathom_segment_log::{self as segment_log, Durable, Writer};
use prost::Message;
use tokio::sync::watch;

use crate::error::{Error, Result};

/// Size of a segment: small enough that releasing one frees room soon, large enough that a segment's head is nothing.
pub(crate) const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Kinds of records.
pub(crate) mod kind {
    /// Events: counts ordinals.
    pub(crate) const BATCH: u8 = 1;
    /// The end of the stream: a mark.
    pub(crate) const END: u8 = 2;
    /// A stretch of time in which the source lost events: a mark.
    pub(crate) const GAP: u8 = 3;
    /// The device dictionary after it has grown: a mark. The heads of later segments have it too.
    pub(crate) const DEVICES: u8 = 4;
    /// A promise without events: a mark.
    pub(crate) const QUIET: u8 = 5;
}

/// Who a stream is, as its segments say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) stream: StreamId,
    pub(crate) anchor_unix_nanos: i64,
    pub(crate) anchor_monotonic_nanos: u64,
    pub(crate) taps: Vec<(Tap, u64)>,
    pub(crate) covered_from_unix_nanos: Option<i64>,
}

/// What of a spool is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) durable: Durable,
    /// Whether the end of the stream is written too.
    pub(crate) ended: bool,
}

/// The spool of the present incarnation.
#[derive(Debug)]
pub(crate) struct Spool {
    directory: PathBuf,
    opening: Opening,
    /// The dictionary as a message, and how many entries it has.
    devices: Mutex<(Bytes, usize)>,
    most_bytes: u64,
    writer: Mutex<Writer>,
    written: watch::Sender<Written>,
}

impl Spool {
    /// Opens or makes the spool of an incarnation. What a crash left half-written is cut off; it was never sent.
    pub(crate) fn open(root: &Path, most_bytes: u64, identity: Identity, devices: &[Device]) -> Result<Self> {
        let directory = folder(root, identity.stream.incarnation)?;
        let failed = |source| Error::Spool {
            directory: directory.clone(),
            source,
        };
        let mut opening = Opening {
            protocol_version: COLLECT_PROTOCOL,
            stream: identity.stream,
            anchor_unix_nanos: identity.anchor_unix_nanos,
            anchor_monotonic_nanos: identity.anchor_monotonic_nanos,
            taps: identity.taps,
            covered_from_unix_nanos: identity.covered_from_unix_nanos,
            spool_first_ordinal: 0,
            spool_next_ordinal: 0,
            daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let count = devices.len();
        let devices = dictionary(devices);
        let log = segment_log::Config {
            segment_bytes: SEGMENT_BYTES,
            max_total_bytes: Some(most_bytes),
            ..segment_log::Config::new(&directory)
        };
        let writer = Writer::open(log, &head(&opening, &devices)).map_err(failed)?;
        if let Some(kept) = &writer.recovered().head {
            // The anchor is read once an incarnation: the one in the spool stays.
            let kept = read_head(kept).map_err(|cause| Error::SpoolContent {
                directory: directory.clone(),
                cause,
            })?;
            if kept.stream != opening.stream {
                let cause = format!(
                    "it belongs to {}, not to {}; give each daemon a spool folder of its own",
                    kept.stream, opening.stream
                );
                return Err(Error::SpoolContent { directory, cause });
            }
            opening.anchor_unix_nanos = kept.anchor_unix_nanos;
            opening.anchor_monotonic_nanos = kept.anchor_monotonic_nanos;
        }
        let cut = writer.recovered().discarded_bytes;
        if cut > 0 {
            tracing::info!(bytes = cut, "cut off what a crash left half-written");
        }
        let durable = writer.durable();
        let ended = has_end(&directory, durable).map_err(failed)?;
        let (written, _) = watch::channel(Written { durable, ended });
        Ok(Self {
            directory,
            opening,
            devices: Mutex::new((devices, count)),
            most_bytes,
            writer: Mutex::new(writer),
            written,
        })
    }

    /// Where its segments are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Tells of everything that becomes durable.
    pub(crate) fn watch(&self) -> watch::Receiver<Written> {
        self.written.subscribe()
    }

    /// The dictionary as it stands in segment heads from here on.
    pub(crate) fn devices(&self) -> Bytes {
        self.dictionary().0.clone()
    }

    /// Entries of the dictionary.
    pub(crate) fn device_count(&self) -> usize {
        self.dictionary().1
    }

    /// Takes a dictionary that has grown: later segments have it in their heads. The caller adds a record of it too, for a connection that
    /// is in the middle of things.
    pub(crate) fn grow(&self, devices: &[Device]) -> Result<()> {
        let message = dictionary(devices);
        self.writer()
            .set_head(&head(&self.opening, &message))
            .map_err(|source| self.failed(source))?;
        *self.dictionary() = (message, devices.len());
        Ok(())
    }

    /// Bytes that it holds, and how full it is, from 0 to 1.
    pub(crate) fn fullness(&self) -> (u64, f64) {
        let bytes = self.writer().total_bytes();
        (bytes, bytes as f64 / self.most_bytes.max(1) as f64)
    }

    fn dictionary(&self) -> MutexGuard<'_, (Bytes, usize)> {
        self.devices.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The stream as it introduces itself now.
    pub(crate) fn opening(&self) -> Opening {
        let durable = self.written.borrow().durable;
        Opening {
            spool_first_ordinal: self.writer().first_ordinal(),
            spool_next_ordinal: durable.next_ordinal(),
            ..self.opening.clone()
        }
    }

    /// The ordinal that the source has to go on with.
    pub(crate) fn next_ordinal(&self) -> u64 {
        self.writer().next_ordinal()
    }

    /// Whether the end of the stream was written already.
    pub(crate) fn ended(&self) -> bool {
        self.written.borrow().ended
    }

    /// Adds a record; false when the spool is full and the caller has to wait.
    pub(crate) fn append(
        &self,
        kind: u8,
        first: u64,
        count: u32,
        message: wire::collect_request::Message,
    ) -> Result<bool> {
        let payload = request(message).encode_to_vec();
        match self.writer().append(kind, first, count, &payload) {
            Ok(()) => Ok(true),
            Err(segment_log::Error::Full { .. }) => Ok(false),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Makes durable what was added, and tells.
    pub(crate) fn sync(&self, ended: bool) -> Result<()> {
        let durable = self.writer().sync().map_err(|source| self.failed(source))?;
        self.written.send_if_modified(|written| {
            let now = Written {
                durable,
                ended: written.ended || ended,
            };
            std::mem::replace(written, now) != now
        });
        Ok(())
    }

    /// Deletes what the coordinator has stored for good.
    pub(crate) fn release(&self, below: u64) -> Result<()> {
        let released = self.writer().release(below).map_err(|source| self.failed(source))?;
        if released > 0 {
            tracing::debug!(segments = released, below, "released");
        }
        Ok(())
    }

    fn failed(&self, source: segment_log::Error) -> Error {
        Error::Spool {
            directory: self.directory.clone(),
            source,
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic while holding the lock ends the daemon; the writer is not used after it.
        self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A message as one request.
pub(crate) fn request(message: wire::collect_request::Message) -> wire::CollectRequest {
    wire::CollectRequest { message: Some(message) }
}

/// The folder of an incarnation: the one that it has, or a new one after all others.
fn folder(root: &Path, incarnation: Incarnation) -> Result<PathBuf> {
    let failed = |source| Error::SpoolFolder {
        directory: root.to_owned(),
        source,
    };
    fs::create_dir_all(root).map_err(failed)?;
    let mut last = 0;
    for entry in fs::read_dir(root).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let parsed = name
            .split_once('-')
            .and_then(|(sequence, rest)| Some((sequence.parse::<u64>().ok()?, rest.parse::<Incarnation>().ok()?)));
        let Some((sequence, found)) = parsed else { continue };
        if found == incarnation {
            return Ok(entry.path());
        }
        last = last.max(sequence);
    }
    Ok(root.join(format!("{:010}-{incarnation}", last + 1)))
}

fn dictionary(devices: &[Device]) -> Bytes {
    let message = request(wire::collect_request::Message::Devices(devices_to_wire(devices)));
    Bytes::from(message.encode_to_vec())
}

fn head(opening: &Opening, devices: &Bytes) -> Vec<u8> {
    let hello = request(wire::collect_request::Message::Hello(opening.into()));
    let mut head = hello.encode_length_delimited_to_vec();
    head.extend_from_slice(devices);
    head
}

fn read_head(head: &Bytes) -> Result<Opening, String> {
    let mut rest = head.clone();
    let hello = wire::CollectRequest::decode_length_delimited(&mut rest).map_err(|error| error.to_string())?;
    match hello.message {
        Some(wire::collect_request::Message::Hello(hello)) => {
            Opening::try_from(&hello).map_err(|error| error.to_string())
        }
        _ => Err("a segment's head does not begin with a Hello".to_owned()),
    }
}

/// A stream of an earlier life of the node, to be sent to its end.
pub(crate) struct OldStream {
    pub(crate) directory: PathBuf,
    pub(crate) opening: Opening,
    pub(crate) devices: Bytes,
    pub(crate) durable: Durable,
}

/// Streams of other incarnations than the present one, oldest first.
pub(crate) fn old_streams(root: &Path, present: &Path, stream: &StreamId) -> Result<Vec<OldStream>> {
    let failed = |source| Error::SpoolFolder {
        directory: root.to_owned(),
        source,
    };
    let mut directories = Vec::new();
    for entry in fs::read_dir(root).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ours = name
            .split_once('-')
            .is_some_and(|(sequence, rest)| sequence.parse::<u64>().is_ok() && rest.parse::<Incarnation>().is_ok());
        if ours && path != present {
            directories.push(path);
        }
    }
    directories.sort();
    let mut streams = Vec::new();
    for directory in directories {
        let recovered = segment_log::recover(&directory).map_err(|source| Error::Spool {
            directory: directory.clone(),
            source,
        })?;
        // Nothing was ever written to it: there is nothing to send.
        let Some(head) = recovered.head else { continue };
        let content = |cause| Error::SpoolContent {
            directory: directory.clone(),
            cause,
        };
        let opening = read_head(&head).map_err(content)?;
        let kept = &opening.stream;
        if (&kept.cluster, &kept.node) != (&stream.cluster, &stream.node) {
            let cause = format!(
                "it belongs to node {} of cluster {}; give each daemon a spool folder of its own",
                kept.node, kept.cluster
            );
            return Err(content(cause));
        }
        let mut rest = head.clone();
        wire::CollectRequest::decode_length_delimited(&mut rest).map_err(|error| content(error.to_string()))?;
        let durable = recovered.durable;
        let spool_first_ordinal = segment_log::first_ordinal(&directory).map_err(|source| Error::Spool {
            directory: directory.clone(),
            source,
        })?;
        let opening = Opening {
            spool_first_ordinal: spool_first_ordinal.unwrap_or_else(|| durable.next_ordinal()),
            spool_next_ordinal: durable.next_ordinal(),
            ..opening
        };
        streams.push(OldStream {
            directory,
            opening,
            devices: rest,
            durable,
        });
    }
    Ok(streams)
}

/// Whether the last record of a log is the end of its stream.
fn has_end(directory: &Path, durable: Durable) -> segment_log::Result<bool> {
    let mut reader = segment_log::Reader::open(directory, durable.next_ordinal())?;
    while let Some(item) = reader.next(durable)? {
        if let segment_log::Item::Record(record) = item
            && record.kind == kind::END
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
