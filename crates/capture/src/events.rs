//! `events-<node>.jsonl.zst`: a row an I/O.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use fathom_model::{Device, IoColumns, IoEvent, NodeId, Op, PhysicalDiskId, Tap, VolumeId};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::run::{Recording, RecordingNode, disk_id};

/// Longer lines are refused: a row has a few hundred bytes, and a file without line ends must not fill the memory.
const LONGEST_LINE: u64 = 64 * 1024;

/// What a file of zstd begins with.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A row as it stands in the file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct EventRow<'a> {
    /// The tap.
    #[serde(borrow)]
    pub layer: Cow<'a, str>,
    /// The device as the tap names it.
    #[serde(borrow)]
    pub device: Cow<'a, str>,
    /// The operation.
    #[serde(borrow)]
    pub op: Cow<'a, str>,
    /// Byte offset; left out where the tap gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Bytes.
    pub length: u64,
    /// Start on the node's own clock.
    pub start_ns: i64,
    /// From start to completion.
    pub duration_ns: u64,
    /// 0 or an errno.
    #[serde(default)]
    pub status: u32,
    /// The node at the other end, for `initiator` rows.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Cow<'a, str>>,
    /// A value that ties events of one I/O on this node, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<u64>,
}

/// Rows of one node, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct RowBatch {
    /// Row number of the first event.
    pub first_row: u64,
    /// The events; `device` indexes [`EventReader::devices`].
    pub columns: IoColumns,
}

/// Reads the events of one node, a batch at a time.
pub struct EventReader {
    path: PathBuf,
    input: Box<dyn BufRead + Send>,
    compressed: bool,
    node: RecordingNode,
    paths: InitiatorPaths,
    line: String,
    rows: u64,
    failed: bool,
    devices: Vec<Device>,
    index: HashMap<(Tap, String, Option<String>), u32>,
    counts: BTreeMap<(Tap, Op), u64>,
}

impl std::fmt::Debug for EventReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReader")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// Where the copies of a volume lie: what an initiator device's name stands for.
#[derive(Clone, Debug)]
struct InitiatorPaths {
    /// (volume, copy, node) and the disks there.
    disks: BTreeMap<(String, u32, String), Vec<String>>,
}

impl Recording {
    /// Opens the events of a node.
    ///
    /// # Errors
    ///
    /// When the node has no events file or it cannot be opened.
    pub fn events(&self, node: &NodeId) -> Result<EventReader> {
        let missing = || Error::NoEvents {
            directory: self.directory().to_owned(),
            node: node.to_string(),
            known: {
                let with_file = self.nodes().iter().filter(|node| node.events.is_some());
                let names: Vec<&str> = with_file.map(|node| node.id.as_str()).collect();
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            },
        };
        let node = self.node(node.as_str()).ok_or_else(missing)?;
        let path = node.events.clone().ok_or_else(missing)?;
        let mut disks: BTreeMap<_, Vec<String>> = BTreeMap::new();
        // A column of a parity tier is no copy: no path is named for it.
        for extent in self.run().extents.iter().filter(|extent| extent.parity.is_none()) {
            let on = disks
                .entry((extent.volume.clone(), extent.copy, extent.node.clone()))
                .or_default();
            if !on.contains(&extent.disk) {
                on.push(extent.disk.clone());
            }
        }
        let (input, compressed) = open(&path)?;
        Ok(EventReader {
            path,
            input,
            compressed,
            node: node.clone(),
            paths: InitiatorPaths { disks },
            line: String::new(),
            rows: 0,
            failed: false,
            devices: Vec::new(),
            index: HashMap::new(),
            counts: BTreeMap::new(),
        })
    }
}

/// Opens a file of lines, compressed or not, and says which.
pub(crate) fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, bool)> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut magic = Vec::new();
    let first = Read::by_ref(&mut file).take(4).read_to_end(&mut magic);
    first.map_err(Error::io(path))?;
    file.rewind().map_err(Error::io(path))?;
    let named = path.extension().is_some_and(|extension| extension == "zst");
    let own = || path.to_owned();
    match (named, magic[..] == ZSTD_MAGIC) {
        (true, false) if magic.is_empty() => return Err(Error::Empty { path: own() }),
        (true, false) => return Err(Error::NotZstd { path: own() }),
        (false, true) => return Err(Error::IsZstd { path: own() }),
        (false, false) => return Ok((Box::new(BufReader::new(file)), false)),
        (true, true) => {}
    }
    let decoder = zstd::Decoder::new(file).map_err(Error::io(path))?;
    Ok((Box::new(BufReader::with_capacity(256 * 1024, decoder)), true))
}

/// Reads one line into `line`; false at the end of the file.
pub(crate) fn read_line(
    input: &mut dyn BufRead,
    line: &mut String,
    path: &Path,
    compressed: bool,
    row: u64,
) -> Result<bool> {
    line.clear();
    let read = input.take(LONGEST_LINE).read_line(line);
    let bytes = read.map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData if !compressed || source.to_string().contains("UTF-8") => Error::Row {
            path: path.to_owned(),
            row,
            cause: "not text in UTF-8".to_owned(),
        },
        _ if compressed => Error::Compressed {
            path: path.to_owned(),
            rows: row,
            source,
        },
        _ => Error::Io {
            path: path.to_owned(),
            source,
        },
    })?;
    if bytes == 0 {
        return Ok(false);
    }
    if !line.ends_with('\n') && bytes as u64 == LONGEST_LINE {
        return Err(Error::Row {
            path: path.to_owned(),
            row,
            cause: format!("longer than {LONGEST_LINE} bytes: not a file of rows"),
        });
    }
    Ok(true)
}

impl EventReader {
    /// The next up to `most` events, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// At the first row that is not what it should be; the rows before it were returned by earlier calls or are lost with
    /// it, and every later call ends the file.
    pub fn next_batch(&mut self, most: usize) -> Result<Option<RowBatch>> {
        if self.failed {
            return Ok(None);
        }
        let mut batch = RowBatch {
            first_row: self.rows,
            columns: IoColumns::with_capacity(most),
        };
        while batch.columns.len() < most {
            match self.next_event() {
                Ok(Some(event)) => batch.columns.push(event),
                Ok(None) => break,
                Err(error) => {
                    self.failed = true;
                    return Err(error);
                }
            }
        }
        Ok((!batch.columns.is_empty()).then_some(batch))
    }

    /// The devices met so far; the events' `device` indexes them.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// Rows read so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// How the rows read so far differ from the recorder's own count in `run.json`, one sentence each.
    #[must_use]
    pub fn differences(&self, recording: &Recording) -> Vec<String> {
        let Some(expected) = recording
            .run()
            .counts
            .as_ref()
            .and_then(|counts| counts.get(self.node.id.as_str()))
        else {
            return Vec::new();
        };
        let found: BTreeMap<String, u64> = self
            .counts
            .iter()
            .map(|((tap, op), rows)| (format!("{tap}.{op}"), *rows))
            .collect();
        let names: std::collections::BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
        names
            .into_iter()
            .filter_map(|name| {
                let (want, have) = (
                    expected.get(name).copied().unwrap_or(0),
                    found.get(name).copied().unwrap_or(0),
                );
                (want != have)
                    .then(|| format!("{}: {have} rows of {name}, run.json counts {want}", self.path.display()))
            })
            .collect()
    }

    fn next_event(&mut self) -> Result<Option<IoEvent>> {
        if !read_line(&mut *self.input, &mut self.line, &self.path, self.compressed, self.rows)? {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        let event = self.event(line.trim_end());
        self.line = line;
        let event = event.map_err(|cause| Error::Row {
            path: self.path.clone(),
            row: self.rows,
            cause,
        })?;
        self.rows += 1;
        *self.counts.entry((event.tap, event.op)).or_default() += 1;
        Ok(Some(event))
    }

    fn event(&mut self, line: &str) -> Result<IoEvent, String> {
        let row: EventRow<'_> = crate::objects::from_str(line).map_err(|error| cause(&error, line))?;
        let tap: Tap = row.layer.parse().map_err(|error| format!("{error}"))?;
        let op: Op = row.op.parse().map_err(|error| format!("{error}"))?;
        let role_fits = if tap.is_far_side() {
            self.node.target
        } else {
            self.node.initiator
        };
        if !role_fits {
            let role = if tap.is_far_side() { "target" } else { "initiator" };
            return Err(format!(
                "a `{tap}` event, but run.json does not name {} as {role}: is this another node's file?",
                self.node.id
            ));
        }
        if row.offset.unwrap_or(0).checked_add(row.length).is_none() {
            return Err("offset + length passes the end of the 64-bit range".to_owned());
        }
        let Some(end) = row.start_ns.checked_add_unsigned(row.duration_ns) else {
            return Err("start_ns + duration_ns passes the end of the 64-bit range".to_owned());
        };
        if row.start_ns < 0 || end < 0 {
            return Err("start_ns is negative: times are nanoseconds since 1970".to_owned());
        }
        let device = self.device(tap, &row)?;
        let known = &self.devices[device as usize];
        if known.has_offsets != row.offset.is_some() {
            let (has, had) = if row.offset.is_some() {
                ("an", "none")
            } else {
                ("no", "some")
            };
            return Err(format!(
                "device {} has {has} offset here and had {had} before",
                row.device
            ));
        }
        Ok(IoEvent {
            tap,
            device,
            op,
            offset: row.offset.unwrap_or(0),
            length: row.length,
            start_unix_nanos: row.start_ns,
            duration_nanos: row.duration_ns,
            status: row.status,
            correlation: row.correlation,
        })
    }

    fn device(&mut self, tap: Tap, row: &EventRow<'_>) -> Result<u32, String> {
        let key = (
            tap,
            row.device.clone().into_owned(),
            row.peer.as_ref().map(|peer| peer.clone().into_owned()),
        );
        if let Some(&at) = self.index.get(&key) {
            return Ok(at);
        }
        let at = u32::try_from(self.devices.len()).map_err(|_| "more than 2^32 devices".to_owned())?;
        self.devices.push(self.paths.describe(tap, row, &self.node.id));
        self.index.insert(key, at);
        Ok(at)
    }
}

impl InitiatorPaths {
    fn describe(&self, tap: Tap, row: &EventRow<'_>, node: &NodeId) -> Device {
        let mut device = Device {
            tap,
            name: row.device.clone().into_owned(),
            disk: None,
            volume: None,
            copy: None,
            peer: row.peer.as_deref().map(NodeId::new),
            has_offsets: row.offset.is_some(),
        };
        match tap {
            Tap::Target | Tap::Device => device.disk = Some(disk_id(node.as_str(), &row.device)),
            Tap::Initiator => {
                let Some((volume, copy)) = volume_and_copy(&row.device) else {
                    device.disk = remote_disk(&row.device, row.peer.as_deref());
                    return device;
                };
                device.volume = Some(VolumeId::new(volume));
                device.copy = Some(copy);
                let Some(peer) = row.peer.as_deref() else { return device };
                // Only where all extents of this copy on that node share a disk does the path name one.
                if let Some([disk]) = self
                    .disks
                    .get(&(volume.to_owned(), copy, peer.to_owned()))
                    .map(Vec::as_slice)
                {
                    device.disk = Some(disk_id(peer, disk));
                }
            }
            Tap::Guest | Tap::Vhdx | Tap::Csv | Tap::Refs | Tap::Volume => {
                device.volume = Some(VolumeId::new(&*row.device));
            }
        }
        device
    }
}

/// `vol0.copy1` and `vol0.slab3.copy1` name volume and copy.
fn volume_and_copy(device: &str) -> Option<(&str, u32)> {
    let (front, copy) = device.rsplit_once(".copy")?;
    let copy = copy.parse().ok()?;
    match front.rsplit_once(".slab") {
        Some((volume, slab)) if !slab.is_empty() && slab.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((volume, copy))
        }
        _ => Some((front, copy)),
    }
}

/// `clusport.t1.disk0` with peer `t1` is a disk of another node, as the storage bus of a Windows node shows it: whose copies
/// lie there is not in the name.
fn remote_disk(device: &str, peer: Option<&str>) -> Option<PhysicalDiskId> {
    let peer = peer?;
    let disk = device
        .strip_prefix("clusport.")?
        .strip_prefix(peer)?
        .strip_prefix('.')?;
    (!disk.is_empty()).then(|| disk_id(peer, disk))
}

pub(crate) fn cause(error: &serde_json::Error, line: &str) -> String {
    let text = error.to_string();
    let text = text.split(" at line").next().unwrap_or_default();
    if line.is_empty() {
        "an empty line".to_owned()
    } else if error.is_eof() {
        format!("{text}: the line is cut off")
    } else {
        format!("{text} (column {})", error.column())
    }
}

/// Writes an events or truth file: a JSON document a line, compressed when the name ends in `.zst`.
pub struct EventWriter {
    path: PathBuf,
    output: Output,
}

impl std::fmt::Debug for EventWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventWriter")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

enum Output {
    Plain(BufWriter<File>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl EventWriter {
    /// Makes the file, replacing one that is there.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let file = BufWriter::new(File::create(path).map_err(Error::io(path))?);
        let output = if path.extension().is_some_and(|extension| extension == "zst") {
            Output::Zstd(zstd::Encoder::new(file, 3).map_err(Error::io(path))?)
        } else {
            Output::Plain(file)
        };
        Ok(Self {
            path: path.to_owned(),
            output,
        })
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write<T: Serialize>(&mut self, row: &T) -> Result<()> {
        let mut line = serde_json::to_vec(row).map_err(|error| Error::Io {
            path: self.path.clone(),
            source: error.into(),
        })?;
        line.push(b'\n');
        match &mut self.output {
            Output::Plain(file) => file.write_all(&line),
            Output::Zstd(encoder) => encoder.write_all(&line),
        }
        .map_err(Error::io(&self.path))
    }

    /// Writes what is buffered and closes the file; without this the file is cut off.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(self) -> Result<()> {
        match self.output {
            Output::Plain(mut file) => file.flush(),
            Output::Zstd(encoder) => encoder.finish().and_then(|mut file| file.flush()),
        }
        .map_err(Error::io(&self.path))
    }
}

#[cfg(test)]
mod tests;
