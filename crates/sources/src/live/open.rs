//! Opening a live source: with what a configuration says, over a session of this node or a trace file.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Duration;

use fathom_etl::decode::Settings;
use fathom_etl::event::{EventKey, providers};
use fathom_etl::layout::Layout;
use fathom_model::{Incarnation, NodeId, Topology};
use sha2::{Digest, Sha256};

use super::recorded::Recorded;
use super::source::{LiveSource, Options, Volume};
use super::{Disk, Profile};
use crate::{Error, Result, Source};

/// Layouts, each with its event.
pub type Layouts = Vec<(EventKey, Layout)>;

/// Events that may wait for their order: at 64 bytes each, 96 MiB.
const MOST_HELD: usize = 1_500_000;

/// What a configuration says of a live source.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The node.
    pub node: NodeId,
    /// How much is read.
    pub profile: Profile,
    /// The cluster, where it is known.
    pub topology: Option<Topology>,
    /// What no source documents.
    pub settings: Settings,
    /// Layouts that go before those of the system.
    pub layouts: Layouts,
    /// Where file systems lie on virtual disks.
    pub volumes: Vec<Volume>,
    /// Disks in place of what the system says of these numbers.
    pub disks: Vec<Disk>,
}

/// An open source, and what about it is odd without being wrong.
pub type Opened = (Box<dyn Source>, Vec<String>);

/// The topology of the recording in a folder, with every node observed: each is to have a daemon.
///
/// # Errors
///
/// When the folder holds no recording.
pub fn topology(folder: &Path) -> Result<Topology> {
    let mut topology = fathom_capture::Recording::open(folder)?.topology().clone();
    topology.nodes.iter_mut().for_each(|node| node.observed = true);
    Ok(topology)
}

/// A trace file as if it were logged now. The same file gives the same stream.
///
/// # Errors
///
/// When it cannot be read or is no trace.
pub fn trace(setup: Setup, file: &Path, pace: Option<f64>) -> Result<Opened> {
    let open = || {
        File::open(file).map_err(|source| Error::System {
            what: "the trace file",
            reason: format!("{}: {source}", file.display()),
        })
    };
    let incarnation = incarnation(&setup, open()?)?;
    let feed = Recorded::read(BufReader::new(open()?), setup.disks.clone(), pace)?;
    let (clock, first) = (feed.clock(), feed.first_unix_nanos());
    let options = setup.options(clock, (first, 0), Duration::from_secs(1));
    let (source, odd) = LiveSource::new(feed, options);
    Ok((Box::new(source.repeatable(incarnation)), odd))
}

/// A trace session of our own on this node.
///
/// # Errors
///
/// Always: only Windows has event tracing.
#[cfg(not(windows))]
pub fn etw(_: Setup) -> Result<Opened> {
    Err(Error::System {
        what: "source etw",
        reason: "this system has no event tracing, only Windows has; give --replay or --trace".to_owned(),
    })
}

/// A trace session of our own on this node.
///
/// # Errors
///
/// When the system gives none, or the rights are missing.
#[cfg(windows)]
pub fn etw(setup: Setup) -> Result<Opened> {
    let (feed, mut odd) = super::etw::EtwFeed::start(&setup)?;
    let (clock, anchor, hold, begin) = (feed.clock(), feed.anchor(), feed.hold(), feed.begin_unix_nanos());
    let (source, refused) = LiveSource::new(feed, setup.options(clock, anchor, hold));
    odd.extend(refused);
    Ok((Box::new(source.covering_from(begin)), odd))
}

impl Setup {
    fn options(self, clock: fathom_etl::Clock, anchor: (i64, u64), hold: Duration) -> Options {
        Options {
            node: self.node,
            profile: self.profile,
            clock,
            anchor,
            hold,
            topology: self.topology,
            settings: self.settings,
            layouts: self.layouts,
            volumes: self.volumes,
            most_held: MOST_HELD,
        }
    }
}

/// What an event is, by its provider's GUID or full name.
///
/// # Errors
///
/// When nobody here knows a provider of that name.
pub fn event_key(provider: &str, id: u16, version: u8) -> Result<EventKey, String> {
    let named = providers::ALL
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(provider));
    let provider = match named {
        Some(&(guid, _)) => guid,
        None => provider.parse().map_err(|_| {
            let names: Vec<&str> = providers::ALL.iter().map(|&(_, name)| name).collect();
            format!("`{provider}` is neither a GUID nor one of {}", names.join(", "))
        })?,
    };
    Ok(EventKey { provider, id, version })
}

/// The same file read in the same way gives the same events, and so the same incarnation.
fn incarnation(setup: &Setup, mut file: File) -> Result<Incarnation> {
    let mut hash = Sha256::new();
    hash.update(b"fathom trace 1\0");
    let settings = format!(
        "{:?}\0{:?}\0{:?}\0{:?}",
        setup.settings, setup.layouts, setup.disks, setup.volumes
    );
    for text in [setup.node.as_str(), setup.profile.as_str(), settings.as_str()] {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer).map_err(|source| Error::System {
            what: "the trace file",
            reason: source.to_string(),
        })?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Ok(Incarnation::from_bytes(bytes))
}
