//! What the event log says of slow I/O without any tracing: events as XML, as Windows renders them.
//!
//! Names of fields are those of the manifests of build 26200.6901 (ReFS, StorPort, VHDMP, StorageVSP). ClusPort has no public manifest: its
//! fields are looked for under several names, and an event in which none is found says so.

use fathom_model::{Op, Tap};

use crate::event::{Guid, providers};

pub mod xml;

use xml::Rendered;

/// One slow I/O.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowIo {
    /// Where along the path.
    pub tap: Tap,
    /// The volume, virtual disk or drive as the event names it.
    pub device: String,
    /// A drive's GUID.
    pub guid: Option<Guid>,
    /// A drive's serial number, without blanks at either end.
    pub serial: Option<String>,
    /// What it did.
    pub op: Op,
    /// First block on the drive, or first cluster on the volume.
    pub block: Option<u64>,
    /// Byte offset in the file.
    pub file_offset: Option<u64>,
    /// Bytes, where the event says.
    pub length: Option<u64>,
    /// When it was logged, which is when it had completed, in nanoseconds since 1970 on the system's clock.
    pub end_unix_nanos: i64,
    /// How long it took; Windows says it in milliseconds.
    pub duration_nanos: u64,
    /// 0 for success, else the source's own code.
    pub status: u32,
}

/// A drive, or a path to one, that was slower than the storage bus allows (ClusPort 8448 and 8704). Not an I/O.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowPath {
    /// When it was logged.
    pub at_unix_nanos: i64,
    /// The drive's GUID.
    pub guid: Option<Guid>,
    /// Its serial number.
    pub serial: Option<String>,
    /// How slow, in milliseconds.
    pub latency_millis: u64,
    /// The node at the other end: of a path.
    pub node: Option<String>,
}

/// A drive's latencies over a period (StorPort 505), by buckets whose bounds the event itself says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// When it was logged.
    pub at_unix_nanos: i64,
    /// The drive's GUID.
    pub guid: Option<Guid>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Each bucket as the event labels it, with its I/Os that went well and that failed.
    pub buckets: Vec<(String, u64, u64)>,
    /// The longest read or write, in nanoseconds.
    pub longest_nanos: Option<u64>,
}

/// What an event of the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slow {
    /// An I/O.
    Io(SlowIo),
    /// A drive or a path.
    Path(SlowPath),
    /// Many I/Os.
    Latencies(Latencies),
}

/// Why an event of the log says nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSlow {
    /// Nobody here knows it.
    #[error("event {id} of `{provider}` is not decoded here")]
    Foreign {
        /// Its provider.
        provider: String,
        /// Its number.
        id: u16,
    },
    /// It has no time.
    #[error("event {0} has no time")]
    NoTime(u16),
    /// A field is not there, or not what it should be.
    #[error("event {id} version {version} has no usable field {name}; it has: {names}")]
    Field {
        /// Its number.
        id: u16,
        /// Its version.
        version: u8,
        /// What was looked for.
        name: &'static str,
        /// What it has.
        names: String,
    },
    /// An operation that has no place in the model.
    #[error("event {id} is of the operation `{op}`, which is not counted as I/O here")]
    OtherOp {
        /// Its number.
        id: u16,
        /// The operation.
        op: String,
    },
}

/// What a rendered event says.
///
/// # Errors
///
/// Why it says nothing here.
pub fn decode(event: &Rendered) -> Result<Slow, NotSlow> {
    let at = event.time_unix_nanos.ok_or(NotSlow::NoTime(event.id));
    match (event.guid(), event.id) {
        (Some(providers::REFS), 147) => refs(event, at?),
        (Some(providers::STORPORT), 549 | 557) => drive(event, at?),
        (Some(providers::STORPORT), 505) => latencies(event, at?),
        (Some(providers::VHDMP), 302) => named(event, Tap::Vhdx, "VhdFile", at?),
        (Some(providers::STORAGE_VSP), 302) => named(event, Tap::Guest, "DeviceName", at?),
        (Some(providers::CLUSPORT), 8448 | 8704) => path(event, at?),
        _ => Err(NotSlow::Foreign {
            provider: event.provider.clone(),
            id: event.id,
        }),
    }
}

/// The events that [`decode`] knows, as a query of the event log needs them: channel, provider's name and ids.
pub const CHANNELS: &[(&str, &str, &[u16])] = &[
    ("Microsoft-Windows-ReFS/Operational", "Microsoft-Windows-ReFS", &[147]),
    (
        "Microsoft-Windows-Storage-Storport/Operational",
        "Microsoft-Windows-StorPort",
        &[505, 549, 557],
    ),
    ("Microsoft-Windows-VHDMP-Operational", "Microsoft-Windows-VHDMP", &[302]),
    (
        "Microsoft-Windows-Hyper-V-StorageVSP-Admin",
        "Microsoft-Windows-Hyper-V-StorageVSP",
        &[302],
    ),
    (
        "Microsoft-Windows-FailoverClustering-Clusport/Operational",
        "Microsoft-Windows-FailoverClustering-Clusport-Diagnostic",
        &[8448, 8704],
    ),
];

fn refs(event: &Rendered, at: i64) -> Result<Slow, NotSlow> {
    let device = event.text("VolumeName").or_else(|| event.text("VolumeCorrelationId"));
    Ok(Slow::Io(SlowIo {
        tap: Tap::Refs,
        device: device.ok_or_else(|| lacks(event, "VolumeName"))?.to_owned(),
        guid: None,
        serial: None,
        op: op_text(event, "IoTypeStr")?,
        block: event.number("StartingLcn"),
        file_offset: event.number("FileOffset"),
        length: event.number("IoSize"),
        end_unix_nanos: at,
        duration_nanos: millis(event, "LatencyMs")?,
        status: 0,
    }))
}

fn named(event: &Rendered, tap: Tap, device: &'static str, at: i64) -> Result<Slow, NotSlow> {
    Ok(Slow::Io(SlowIo {
        tap,
        device: event.text(device).ok_or_else(|| lacks(event, device))?.to_owned(),
        guid: None,
        serial: None,
        op: op_text(event, "IoTypeStr")?,
        block: None,
        file_offset: None,
        length: event.number("IoSize"),
        end_unix_nanos: at,
        duration_nanos: millis(event, "LatencyMs")?,
        status: 0,
    }))
}

fn drive(event: &Rendered, at: i64) -> Result<Slow, NotSlow> {
    let command = event.number("Command").ok_or_else(|| lacks(event, "Command"))?;
    let op = u8::try_from(command).ok().and_then(crate::decode::scsi_op);
    let op = op.ok_or_else(|| NotSlow::OtherOp {
        id: event.id,
        op: format!("{command:#x}"),
    })?;
    let serial = serial(event);
    let guid = device_guid(event);
    // The port's time from taking the request to its completion. What it waited before is said beside it and is part of it or not:
    // not documented, so it is not added.
    let duration_nanos = millis(event, "RequestDuration_ms")?;
    let status = match event.number("SrbStatus").map_or(1, |status| status & 0x3f) {
        1 => 0,
        other => other as u32,
    };
    let model = event.text("ProductId").unwrap_or_default();
    let named = serial.clone().or_else(|| guid.map(|guid| guid.to_string()));
    let transfers = matches!(op, Op::Read | Op::Write);
    Ok(Slow::Io(SlowIo {
        tap: Tap::Device,
        device: named.unwrap_or_else(|| model.to_owned()),
        guid,
        serial,
        op,
        block: event.number("LBA").filter(|_| transfers),
        file_offset: None,
        length: event.number("IoSize").filter(|_| transfers),
        end_unix_nanos: at,
        duration_nanos,
        status,
    }))
}

fn latencies(event: &Rendered, at: i64) -> Result<Slow, NotSlow> {
    let labels = event
        .text("IoLatencyBuckets")
        .ok_or_else(|| lacks(event, "IoLatencyBuckets"))?;
    let labels = labels.split(',').map(str::trim).filter(|label| !label.is_empty());
    let mut buckets = Vec::new();
    for (at, label) in labels.enumerate() {
        let number = at + 1;
        // Before 2019 a bucket had one count.
        let well = event
            .number(&format!("BucketIoSuccess{number}"))
            .or_else(|| event.number(&format!("BucketIoCount{number}")))
            .ok_or_else(|| lacks(event, "BucketIoSuccess or BucketIoCount of each bucket"))?;
        let failed = event.number(&format!("BucketIoFailed{number}")).unwrap_or(0);
        buckets.push((label.to_owned(), well, failed));
    }
    Ok(Slow::Latencies(Latencies {
        at_unix_nanos: at,
        guid: device_guid(event),
        serial: serial(event),
        buckets,
        longest_nanos: event
            .number("MaxReadWriteLatency_100ns")
            .and_then(|steps| steps.checked_mul(100)),
    }))
}

fn path(event: &Rendered, at: i64) -> Result<Slow, NotSlow> {
    let first = |names: &[&str]| names.iter().find_map(|name| event.number(name));
    let latency = first(&["Latency", "LatencyMs", "Latency_ms", "IoLatency", "Milliseconds"]);
    let (guid, serial) = (device_guid(event), serial(event));
    if guid.is_none() && serial.is_none() {
        return Err(lacks(event, "SerialNumber or DeviceGuid"));
    }
    let node = event.text("NodeName").or_else(|| event.text("Node"));
    Ok(Slow::Path(SlowPath {
        at_unix_nanos: at,
        guid,
        serial,
        latency_millis: latency.ok_or_else(|| lacks(event, "Latency"))?,
        node: node.map(str::to_owned),
    }))
}

fn serial(event: &Rendered) -> Option<String> {
    let serial = event.text("SerialNumber").or_else(|| event.text("Serial"))?.trim();
    (!serial.is_empty()).then(|| serial.to_owned())
}

pub(crate) fn device_guid(event: &Rendered) -> Option<Guid> {
    let text = event.text("ClassDeviceGuid").or_else(|| event.text("DeviceGuid"))?;
    text.parse().ok().filter(|guid| *guid != Guid([0; 16]))
}

fn millis(event: &Rendered, name: &'static str) -> Result<u64, NotSlow> {
    let nanos = event.number(name).and_then(|millis| millis.checked_mul(1_000_000));
    nanos.ok_or_else(|| lacks(event, name))
}

/// The operation as a word.
fn op_text(event: &Rendered, name: &'static str) -> Result<Op, NotSlow> {
    let text = event.text(name).ok_or_else(|| lacks(event, name))?;
    let word = text.trim().to_ascii_lowercase();
    let op = match word.as_str() {
        "read" => Some(Op::Read),
        "write" => Some(Op::Write),
        "flush" => Some(Op::Flush),
        "unmap" | "trim" => Some(Op::Unmap),
        _ => None,
    };
    op.ok_or_else(|| NotSlow::OtherOp {
        id: event.id,
        op: text.to_owned(),
    })
}

fn lacks(event: &Rendered, name: &'static str) -> NotSlow {
    let names: Vec<&str> = event.data.iter().map(|(name, _)| name.as_str()).collect();
    NotSlow::Field {
        id: event.id,
        version: event.version,
        name,
        names: names.join(" "),
    }
}

#[cfg(test)]
mod tests;
