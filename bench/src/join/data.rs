//! What `generate.py` wrote, as streams of a cluster: each node's events in the order of completion on its own clock.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use arrow_array::{Array as _, Int64Array};
use fathom_join::StreamInfo;
use fathom_model::topology::Node;
use fathom_model::{
    Catalog, ClusterId, Device, Extent, ExtentMap, Incarnation, IoClass, IoColumns, IoEvent, JoinedRows, NodeId, Op,
    PhysicalDisk, PhysicalDiskId, StreamId, StreamKind, Tap, Topology, Volume, VolumeId,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Events a batch, as a daemon sends them.
const BATCH: usize = 8192;

/// A batch as it arrives.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// Index into [`Data::streams`].
    pub(crate) stream: usize,
    pub(crate) first: u64,
    pub(crate) columns: IoColumns,
    /// The promise that comes with it.
    pub(crate) heard: i64,
}

/// All that is joined, and the truth.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) topology: Topology,
    pub(crate) streams: Vec<(StreamInfo, Vec<Device>)>,
    /// In the order of arrival.
    pub(crate) batches: Vec<Batch>,
    pub(crate) writes: u64,
    pub(crate) events: u64,
    pub(crate) nodes: usize,
    /// Writes whose block another write has too.
    pub(crate) repeated: u64,
    /// Of each stream the (write, copy) of every ordinal; the copy of a write's own event is -1.
    truth: Vec<Vec<(i64, i64)>>,
}

/// How fan-outs compare with the truth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Compared {
    /// Joined as the truth says, or flagged ambiguous.
    pub(crate) exact: u64,
    pub(crate) ambiguous: u64,
    pub(crate) incomplete: u64,
    /// Neither.
    pub(crate) wrong: u64,
}

struct Row {
    event: IoEvent,
    true_end: i64,
    truth: (i64, i64),
}

impl Data {
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let extents = Table::load(&folder.join("extents.parquet"))?;
        let volume = Table::load(&folder.join("volume.parquet"))?;
        let target = Table::load(&folder.join("target.parquet"))?;
        let topology = topology(&extents)?;
        let nodes = topology.nodes.len();
        let mut rows: Vec<Vec<Row>> = (0..nodes).map(|_| Vec::new()).collect();
        let volumes = topology.volumes.len() as u32;
        let mut repeats: HashMap<(i64, i64), u64> = HashMap::new();
        for at in 0..volume.rows {
            let event = volume.event(at, Tap::Volume, volume.i64("volume")?[at] as u32)?;
            *repeats
                .entry((i64::from(event.device), event.offset as i64))
                .or_default() += 1;
            rows[volume.i64("node")?[at] as usize].push(Row {
                event,
                true_end: volume.i64("start_ns")?[at] + volume.i64("duration_ns")?[at],
                truth: (volume.i64("write")?[at], -1),
            });
        }
        let (disk, node, copy) = (target.i64("disk")?, target.i64("node")?, target.i64("copy")?);
        for at in 0..target.rows {
            let event = target.event(at, Tap::Target, volumes + disk[at] as u32)?;
            rows[node[at] as usize].push(Row {
                event,
                true_end: target.i64("start_ns")?[at] + event.duration_nanos as i64,
                truth: (target.i64("write")?[at], copy[at]),
            });
        }
        let mut batches = Vec::new();
        let mut truth = Vec::new();
        for (stream, mut rows) in rows.into_iter().enumerate() {
            rows.sort_by_key(|row| row.event.end_unix_nanos());
            for (at, chunk) in rows.chunks(BATCH).enumerate() {
                let next = rows.get((at + 1) * BATCH).map(|row| row.event.end_unix_nanos());
                let last = chunk.last().context("a chunk has rows")?;
                batches.push((
                    last.true_end,
                    Batch {
                        stream,
                        first: (at * BATCH) as u64,
                        columns: chunk.iter().map(|row| row.event).collect(),
                        heard: next.unwrap_or_else(|| last.event.end_unix_nanos() + 1),
                    },
                ));
            }
            truth.push(rows.into_iter().map(|row| row.truth).collect());
        }
        batches.sort_by_key(|(when, batch)| (*when, batch.stream));
        let streams = (0..nodes).map(|node| stream(node, &topology)).collect();
        Ok(Self {
            streams,
            topology,
            batches: batches.into_iter().map(|(_, batch)| batch).collect(),
            writes: volume.rows as u64,
            events: (volume.rows + target.rows) as u64,
            nodes,
            repeated: repeats.values().filter(|&&times| times > 1).sum(),
            truth,
        })
    }

    /// Holds the rows against the truth. Every write has to be there once.
    pub(crate) fn compare(&self, rows: &[JoinedRows], catalog: &Catalog) -> Result<Compared> {
        let of_stream: Vec<usize> = catalog
            .streams()
            .iter()
            .map(|id| {
                let found = self.streams.iter().position(|(info, _)| info.id == *id);
                found.context("a stream that was not opened")
            })
            .collect::<Result<_>>()?;
        let truth =
            |event: &fathom_model::Observation| self.truth[of_stream[event.stream.as_usize()]][event.ordinal as usize];
        let mut compared = Compared::default();
        let mut met = vec![false; self.writes as usize];
        for chunk in rows {
            for io in &chunk.ios {
                let (write, _) = truth(&io.event);
                ensure!(
                    !std::mem::replace(&mut met[write as usize], true),
                    "write {write} was joined twice"
                );
                let legs = chunk.legs_of(io);
                let right = legs.len() == 3
                    && legs.iter().all(|leg| {
                        let target = leg.target.as_ref().map(truth);
                        target == Some((write, i64::from(leg.copy)))
                    });
                let ambiguous = io.class == IoClass::Ambiguous || legs.iter().any(|leg| leg.ambiguous);
                compared.ambiguous += u64::from(ambiguous);
                compared.incomplete += u64::from(io.class == IoClass::Incomplete);
                compared.exact += u64::from(right || ambiguous);
                compared.wrong += u64::from(!right && !ambiguous);
            }
        }
        ensure!(met.iter().all(|met| *met), "not every write was joined");
        Ok(compared)
    }
}

struct Table {
    rows: usize,
    columns: HashMap<String, Vec<i64>>,
}

impl Table {
    fn load(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.build()?;
        let mut columns: HashMap<String, Vec<i64>> = HashMap::new();
        let mut rows = 0;
        for batch in reader {
            let batch = batch?;
            rows += batch.num_rows();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                let column = column.as_any().downcast_ref::<Int64Array>();
                let column = column.with_context(|| format!("{}: {} is not int64", path.display(), field.name()))?;
                columns
                    .entry(field.name().clone())
                    .or_default()
                    .extend_from_slice(column.values());
            }
        }
        Ok(Self { rows, columns })
    }

    fn i64(&self, name: &str) -> Result<&[i64]> {
        let column = self
            .columns
            .get(name)
            .with_context(|| format!("there is no column {name}"))?;
        Ok(column)
    }

    /// The event of a row, on its node's own clock.
    fn event(&self, at: usize, tap: Tap, device: u32) -> Result<IoEvent> {
        Ok(IoEvent {
            tap,
            device,
            op: Op::Write,
            offset: self.i64("offset")?[at] as u64,
            length: self.i64("length")?[at] as u64,
            start_unix_nanos: self.i64("local_start_ns")?[at],
            duration_nanos: self.i64("duration_ns")?[at] as u64,
            status: 0,
            correlation: None,
        })
    }
}

fn node_id(node: i64) -> NodeId {
    NodeId::new(format!("n{node}"))
}

fn disk_id(disk: i64) -> PhysicalDiskId {
    PhysicalDiskId::new(format!("disk{disk}"))
}

fn topology(table: &Table) -> Result<Topology> {
    let (node, disk, volume) = (table.i64("node")?, table.i64("disk")?, table.i64("volume")?);
    let (from, length) = (table.i64("volume_offset")?, table.i64("length")?);
    let (copy, on_disk) = (table.i64("copy")?, table.i64("disk_offset")?);
    let most = |column: &[i64]| column.iter().copied().max().unwrap_or(-1) + 1;
    let mut disks: HashMap<i64, i64> = HashMap::new();
    let mut extents = Vec::with_capacity(table.rows);
    for at in 0..table.rows {
        disks.insert(disk[at], node[at]);
        extents.push(Extent {
            volume: VolumeId::new(format!("vol{}", volume[at])),
            volume_offset: from[at] as u64,
            length: length[at] as u64,
            copy: copy[at] as u32,
            disk: disk_id(disk[at]),
            disk_offset: on_disk[at] as u64,
            valid: fathom_model::Validity::default(),
            stripe: None,
            parity: None,
        });
    }
    let all_disks = most(disk);
    let per_node = all_disks / most(node).max(1);
    Ok(Topology {
        nodes: (0..most(node))
            .map(|node| Node {
                id: node_id(node),
                observed: true,
            })
            .collect(),
        disks: (0..all_disks)
            .map(|disk| PhysicalDisk {
                id: disk_id(disk),
                node: node_id(disks.get(&disk).copied().unwrap_or_else(|| disk / per_node.max(1))),
                name: format!("disk{disk}"),
            })
            .collect(),
        volumes: (0..most(volume))
            .map(|volume| Volume {
                id: VolumeId::new(format!("vol{volume}")),
                size_bytes: 0,
                copies: 3,
            })
            .collect(),
        extents: ExtentMap::try_new(extents)?,
    })
}

/// A node's stream and its device dictionary: all volumes, then all disks.
fn stream(node: usize, topology: &Topology) -> (StreamInfo, Vec<Device>) {
    let device = |tap: Tap, name: String| Device {
        tap,
        name,
        disk: None,
        volume: None,
        copy: None,
        peer: None,
        has_offsets: true,
    };
    let volumes = topology.volumes.iter().map(|volume| Device {
        volume: Some(volume.id.clone()),
        ..device(Tap::Volume, volume.id.to_string())
    });
    let disks = topology.disks.iter().map(|disk| Device {
        disk: Some(disk.id.clone()),
        ..device(Tap::Target, disk.name.clone())
    });
    let info = StreamInfo {
        id: StreamId {
            cluster: ClusterId::new("bench"),
            node: node_id(node as i64),
            kind: StreamKind::Io,
            incarnation: Incarnation::from_bytes([node as u8 + 1; 16]),
        },
        taps: vec![(Tap::Volume, 1), (Tap::Target, 1)],
        covered_from_unix_nanos: None,
    };
    (info, volumes.chain(disks).collect())
}
