//! Channels of the event log that tell of state: what becomes of SMB connections, and how long a drive's requests took.
//!
//! An event of a connection is an observation of kind `smb_event`, named by the server and by what happened: what is known now is when it
//! happened last, and its history is every time that it did. A drive's latency buckets (StorPort 505) are samples of the drive, named as
//! the event itself labels them; which period they are of is not documented. What an NVMe drive says of its health (StorPort 512) is an
//! observation of kind `nvme_health` at the event's time; how often it is logged is not documented.

use fathom_etl::connectivity::{self, Connectivity};
use fathom_etl::nvme;
use fathom_etl::slow::{self, Latencies, Slow, xml};
use fathom_model::NodeId;
use fathom_model::state::{Code, Kind, Observation, Sample, Value};
use fathom_state::decode;
use fathom_state::decode::node_name;

use super::nvme::bag;

/// A channel, and what of it is read.
#[derive(Debug)]
pub struct Channel {
    /// Its name.
    pub name: &'static str,
    /// The provider of the events.
    pub provider: &'static str,
    /// Their numbers.
    pub ids: &'static [u16],
    /// What is said to be read by it.
    pub kind: Kind,
    /// So many hours of what was logged before are read at the start.
    pub back_hours: u64,
}

/// The channels.
pub const CHANNELS: &[Channel] = &[
    Channel {
        name: connectivity::CHANNEL,
        provider: connectivity::PROVIDER,
        ids: connectivity::IDS,
        kind: Kind::SmbEvent,
        back_hours: 1,
    },
    Channel {
        name: "Microsoft-Windows-Storage-Storport/Operational",
        provider: "Microsoft-Windows-StorPort",
        ids: &[505],
        kind: Kind::Counters,
        back_hours: 1,
    },
    Channel {
        name: nvme::CHANNEL,
        provider: "Microsoft-Windows-StorPort",
        ids: &[nvme::EVENT],
        // A drive was so when its event was logged: that the channel was read again does not make it any newer.
        kind: Kind::Counters,
        // How often it is logged is not documented: what a drive said last may be hours old.
        back_hours: 24,
    },
];

/// What events say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// What happened.
    pub observations: Vec<Observation>,
    /// What was counted.
    pub samples: Vec<Sample>,
    /// Events of which nothing could be made.
    pub undecoded: u64,
    /// Why, of the last of them.
    pub why: Option<String>,
}

/// What rendered events say that `node` logged.
#[must_use]
pub fn read(texts: &[String], node: &NodeId) -> Said {
    let mut said = Said::default();
    for text in texts {
        if let Err(why) = take(text, node, &mut said) {
            said.undecoded += 1;
            said.why = Some(why);
        }
    }
    said
}

fn take(text: &str, node: &NodeId, said: &mut Said) -> Result<(), String> {
    let event = xml::parse(text).map_err(|error| error.to_string())?;
    if event.id == nvme::EVENT {
        let told = nvme::event(&event).map_err(|error| error.to_string())?;
        let guid = told.guid.map(|guid| guid.to_string());
        let bag = bag(&told.drive, guid, None, &told.health);
        let decoded = decode(&bag, node, told.at_unix_nanos).map_err(|error| error.to_string())?;
        // Readings of the drive itself say nothing of whether it was logged.
        said.observations.extend(decoded.into_iter().map(|row| Observation {
            class: Some(nvme::CHANNEL.to_owned()),
            ..row
        }));
        return Ok(());
    }
    if event.id != 505 {
        let happened = connectivity::decode(&event).map_err(|error| error.to_string())?;
        said.observations.push(observation(&happened, node));
        return Ok(());
    }
    match slow::decode(&event).map_err(|error| error.to_string())? {
        Slow::Latencies(latencies) => said.samples.extend(samples(&latencies, node)?),
        Slow::Io(_) | Slow::Path(_) => return Err(format!("event {} is of no channel of state", event.id)),
    }
    Ok(())
}

fn observation(happened: &Connectivity, node: &NodeId) -> Observation {
    let server = happened.server.as_deref().map(node_name);
    let id = format!("{}/{}", server.unwrap_or("unknown"), happened.what);
    let mut row = Observation::new(node.clone(), Kind::SmbEvent, id, happened.at_unix_nanos);
    let number = |code: u64, name: Option<&str>| {
        let code = i64::try_from(code).ok();
        Value::Code(Code {
            code,
            name: name.map(str::to_owned),
        })
    };
    let of = |value: Option<u64>| value.map(Value::Unsigned);
    let fields = [
        ("event", Some(number(happened.id.into(), Some(happened.what)))),
        ("server", server.map(Value::from)),
        ("instance", happened.instance.as_deref().map(Value::from)),
        (
            "connection_type",
            happened
                .connection_type
                .map(|kind| number(kind, (kind == 2).then_some("RDMA"))),
        ),
        ("reason", happened.reason.map(|reason| number(reason, None))),
        ("status", happened.status.map(|status| number(status, None))),
        ("interface_index", of(happened.interface)),
        ("request", happened.command.as_deref().map(Value::from)),
        ("retries", of(happened.retries)),
        ("elapsed_ms", of(happened.elapsed_millis)),
        // Two that say the same are two.
        ("record", of(happened.record)),
    ];
    for (name, value) in fields {
        match value {
            Some(value) => drop(row.attributes.insert(name.to_owned(), value)),
            None => drop(
                row.unavailable
                    .insert(name.to_owned(), "the event does not say".to_owned()),
            ),
        }
    }
    row
}

fn samples(latencies: &Latencies, node: &NodeId) -> Result<Vec<Sample>, String> {
    let drive = latencies.serial.clone();
    let drive = drive.or_else(|| latencies.guid.map(|guid| guid.to_string()));
    let drive = drive.ok_or("event 505 names no drive: it has neither a serial number nor a GUID")?;
    let sample = |name: String, value: u64| Sample {
        node: node.clone(),
        kind: Kind::Disk,
        id: drive.clone(),
        name,
        observed_unix_nanos: latencies.at_unix_nanos,
        value: value as f64,
    };
    let mut samples = Vec::new();
    for (label, well, failed) in &latencies.buckets {
        samples.push(sample(format!("storport.bucket.{label}.completed_count"), *well));
        samples.push(sample(format!("storport.bucket.{label}.failed_count"), *failed));
    }
    let longest = latencies.longest_nanos;
    samples.extend(longest.map(|nanos| sample("storport.longest_read_or_write_ns".to_owned(), nanos)));
    Ok(samples)
}

#[cfg(test)]
mod tests;
