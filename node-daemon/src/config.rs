//! Configuration: a file in TOML, the environment over it, options over both. Everything is checked before anything starts, and all
//! faults are reported at once.

use std::fmt;
use std::path::PathBuf;

use fathom_model::{ClusterId, NodeId, Tap};
use fathom_runtime::settings;
use fathom_runtime::units::ByteSize;
use fathom_sources::live::Profile;
use serde::Deserialize;

mod live;

pub(crate) use live::{Live, Origin};

/// Options of the daemon. Each can also stand in the file, under the same name without the dashes.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Configuration file (TOML, keys as the options below)
    #[arg(long, value_name = "FILE", env = "FATHOM_NODE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address of the coordinator, such as `https://coordinator.example:7443`
    #[arg(long, value_name = "URL", env = "FATHOM_COORDINATOR")]
    pub coordinator: Option<String>,
    /// Name of the cluster
    #[arg(long, value_name = "NAME", env = "FATHOM_CLUSTER")]
    pub cluster: Option<String>,
    /// Name of this node, as extents and peers call it
    #[arg(long, value_name = "NAME", env = "FATHOM_NODE")]
    pub node: Option<String>,
    /// Certificates of the authorities to trust (PEM)
    #[arg(long, value_name = "FILE", env = "FATHOM_CA")]
    pub ca: Option<PathBuf>,
    /// This node's certificate (PEM)
    #[arg(long = "cert", value_name = "FILE", env = "FATHOM_CERT")]
    pub cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", env = "FATHOM_KEY")]
    pub key: Option<PathBuf>,
    /// Folder of the spool: what was read and is not yet stored by the coordinator
    #[arg(long, value_name = "DIR", env = "FATHOM_SPOOL")]
    pub spool: Option<PathBuf>,
    /// Largest size of the spool [default: 1 GiB]
    #[arg(long, value_name = "SIZE")]
    pub spool_size: Option<ByteSize>,
    /// Where events come from: `etw` (what this node logs now; Windows), `replay` or `trace` [default: what of --replay and --trace is
    /// given, else etw on Windows]
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<SourceKind>,
    /// Source of events: this node's part of the recording in DIR
    #[arg(long, value_name = "DIR")]
    pub replay: Option<PathBuf>,
    /// Source of events: a trace file (.etl), as if it were logged now
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// How much of the node is read: `off`, `slow-only`, `writes` or `full`, where nobody orders anything else [default: writes]
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<Profile>,
    /// Recording whose nodes, disks, volumes and extents are those of the cluster: what ties a live source's disks to volumes
    #[arg(long, value_name = "DIR")]
    pub topology: Option<PathBuf>,
    /// Play the recording at its recorded speed, or at so many times it [default: as fast as possible]
    #[arg(long, value_name = "FACTOR", num_args = 0..=1, allow_negative_numbers = true, default_missing_value = "1")]
    pub pace: Option<f64>,
    /// Leave out the events of a tap, as if the node did not have it (may be repeated)
    #[arg(long, value_name = "TAP")]
    pub without_tap: Vec<Tap>,
    /// Most events in a batch [default: 4096]
    #[arg(long, value_name = "COUNT")]
    pub batch_events: Option<usize>,
    /// File for the daemon's own log [default: standard error]
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

/// The file's keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct File {
    coordinator: Option<String>,
    cluster: Option<String>,
    node: Option<String>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    spool: Option<PathBuf>,
    spool_size: Option<ByteSize>,
    source: Option<SourceKind>,
    replay: Option<PathBuf>,
    trace: Option<PathBuf>,
    profile: Option<String>,
    topology: Option<PathBuf>,
    pace: Option<f64>,
    without_tap: Vec<Tap>,
    batch_events: Option<usize>,
    log_file: Option<PathBuf>,
    live: live::Table,
}

/// Kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// What this node logs now.
    Etw,
    /// A recording.
    Replay,
    /// A trace file.
    Trace,
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the coordinator.
    pub coordinator: String,
    /// The cluster.
    pub cluster: ClusterId,
    /// This node.
    pub node: NodeId,
    /// Certificates of the authorities to trust.
    pub ca: PathBuf,
    /// This node's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Folder of the spool.
    pub spool: PathBuf,
    /// Largest size of the spool.
    pub spool_bytes: u64,
    /// Where events come from.
    pub source: Source,
    /// Most events in a batch.
    pub batch_events: usize,
    /// Where the daemon's own log goes, if not to standard error.
    pub log_file: Option<PathBuf>,
}

/// Where events come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A recording.
    Replay(Replay),
    /// What a node logs.
    Live(Box<Live>),
}

/// A recording as a source.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Its folder.
    pub recording: PathBuf,
    /// Taps to leave out.
    pub without: Vec<Tap>,
    /// Recorded seconds a second; `None` for as fast as possible.
    pub pace: Option<f64>,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Faults {}

/// Smallest spool: three segments, so that one can be released while the next is written.
const LEAST_SPOOL_BYTES: u64 = 3 * crate::spool::SEGMENT_BYTES;

impl Config {
    /// Reads the file, if one is named, lays the options over it and checks the whole.
    ///
    /// # Errors
    ///
    /// All faults at once.
    pub fn resolve(options: Options) -> Result<Self, Faults> {
        let file = match &options.config {
            Some(path) => settings::read::<File>(path).map_err(|fault| Faults(vec![fault]))?,
            None => File::default(),
        };
        let mut faults = Vec::new();
        let mut needed = |name: &str, value: Option<String>| {
            let value = value.filter(|value| !value.is_empty());
            if value.is_none() {
                faults.push(format!(
                    "{name} is missing: give --{name}, or `{name}` in the configuration file"
                ));
            }
            value.unwrap_or_default()
        };
        let text = |path: Option<PathBuf>| path.map(|path| path.to_string_lossy().into_owned());
        let coordinator = needed("coordinator", options.coordinator.or(file.coordinator));
        let cluster = needed("cluster", options.cluster.or(file.cluster));
        let node = needed("node", options.node.or(file.node));
        let ca = needed("ca", text(options.ca.or(file.ca)));
        let certificate = needed("cert", text(options.cert.or(file.cert)));
        let key = needed("key", text(options.key.or(file.key)));
        let spool = needed("spool", text(options.spool.or(file.spool)));
        let (replay, trace) = (options.replay.or(file.replay), options.trace.or(file.trace));
        let kind = options.source.or(file.source).unwrap_or(match (&replay, &trace) {
            (None, Some(_)) => SourceKind::Trace,
            (None, None) if cfg!(windows) => SourceKind::Etw,
            _ => SourceKind::Replay,
        });
        let path = match kind {
            SourceKind::Replay => needed("replay", text(replay.clone())),
            SourceKind::Trace => needed("trace", text(trace.clone())),
            SourceKind::Etw => String::new(),
        };
        let idle = [
            (replay.is_some(), SourceKind::Replay, "replay"),
            (trace.is_some(), SourceKind::Trace, "trace"),
        ];
        for (_, _, name) in idle.iter().filter(|(given, of, _)| *given && *of != kind) {
            faults.push(format!(
                "{name} is given and the source is another one: a daemon has one source"
            ));
        }
        // What is not there is said already.
        for (what, name) in [("cluster", &cluster), ("node", &node)] {
            if let Err(fault) = fathom_model::check_name(name)
                && fault != fathom_model::NameFault::Empty
            {
                faults.push(format!("{what} {fault}"));
            }
        }
        let pace = options.pace.or(file.pace);
        if pace.is_some_and(|pace| !(pace > 0.0 && pace.is_finite())) {
            faults.push("pace must be more than 0".to_owned());
        }
        let batch_events = options.batch_events.or(file.batch_events).unwrap_or(4096);
        if !(1..=fathom_proto::convert::batch::MOST_EVENTS).contains(&batch_events) {
            faults.push(format!(
                "batch-events must be from 1 to {}",
                fathom_proto::convert::batch::MOST_EVENTS
            ));
        }
        let spool_bytes = options.spool_size.or(file.spool_size).map_or(1 << 30, |size| size.0);
        if spool_bytes < LEAST_SPOOL_BYTES {
            faults.push(format!("spool-size must be at least {}", ByteSize(LEAST_SPOOL_BYTES)));
        }
        let without = if options.without_tap.is_empty() {
            file.without_tap
        } else {
            options.without_tap
        };
        let profile = options
            .profile
            .map_or_else(|| file.profile.as_deref().unwrap_or("writes").parse(), Ok);
        let profile = profile.unwrap_or_else(|reason| {
            faults.push(format!("profile: {reason}"));
            Profile::Writes
        });
        let from = match kind {
            SourceKind::Trace => Origin::Trace {
                file: PathBuf::from(&path),
                pace,
            },
            SourceKind::Replay | SourceKind::Etw => Origin::Etw,
        };
        let live = file
            .live
            .check(from, profile, options.topology.or(file.topology), &mut faults);
        let source = match kind {
            SourceKind::Replay => Source::Replay(Replay {
                recording: path.into(),
                without,
                pace,
            }),
            SourceKind::Trace | SourceKind::Etw => Source::Live(Box::new(live)),
        };
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        Ok(Self {
            coordinator,
            cluster: cluster.as_str().into(),
            node: node.as_str().into(),
            ca: ca.into(),
            certificate: certificate.into(),
            key: key.into(),
            spool: spool.into(),
            spool_bytes,
            source,
            batch_events,
            log_file: options.log_file.or(file.log_file),
        })
    }
}

#[cfg(test)]
mod tests;
