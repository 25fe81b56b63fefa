//! Configuration: a file in TOML, the environment over it, options over both. Everything is checked before anything starts, and all
//! faults are reported at once.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fathom_model::objective::Objective;
use fathom_runtime::settings;
use fathom_runtime::units::{ByteSize, Span};
use serde::Deserialize;

mod fleet;

pub use fleet::{Allowed, Fleet, FleetOptions, Group, Labels, Policy, Role, Uplink};

use crate::webhook::{self, Webhook};
use fleet::{FleetFile, Own};

mod objectives;

/// One certificate may have so many requests open: `fathom` asks sixteen clusters at a time, and several people may share a program's.
const MAX_REQUESTS: u32 = 256;

/// Options of the coordinator. Each can also stand in the file, under the same name without the dashes.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Configuration file (TOML, keys as the options below)
    #[arg(long, value_name = "FILE", env = "FATHOM_COORDINATOR_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:7443]
    #[arg(long, value_name = "ADDRESS", env = "FATHOM_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Folder of the store
    #[arg(long, value_name = "DIR", env = "FATHOM_STORE")]
    pub store: Option<PathBuf>,
    /// Certificates of the authorities whose daemons and users may connect (PEM)
    #[arg(long, value_name = "FILE", env = "FATHOM_CA")]
    pub ca: Option<PathBuf>,
    /// The coordinator's certificate (PEM)
    #[arg(long = "cert", value_name = "FILE", env = "FATHOM_CERT")]
    pub cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", env = "FATHOM_KEY")]
    pub key: Option<PathBuf>,
    /// A node that is not connected for this long is no longer waited for [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub silence: Option<Span>,
    /// What was joined is stored at least this often [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub commit_every: Option<Span>,
    /// ... and when it has grown to this size [default: 64 MiB]
    #[arg(long, value_name = "SIZE")]
    pub commit_size: Option<ByteSize>,
    /// Events may come this much after the end of their window [default: 2s]
    #[arg(long, value_name = "TIME")]
    pub lateness: Option<Span>,
    /// Most events of a cluster in memory; nodes that are ahead wait beyond it [default: 4000000]
    #[arg(long, value_name = "COUNT")]
    pub memory_events: Option<usize>,
    /// Most requests that one certificate may have open at once, and as many watches beside them [default: 256]
    #[arg(long, value_name = "COUNT")]
    pub max_requests: Option<u32>,
    /// What it is in a fleet.
    #[command(flatten)]
    pub fleet: FleetOptions,
}

/// The file's keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct File {
    listen: Option<SocketAddr>,
    store: Option<PathBuf>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    silence: Option<Span>,
    commit_every: Option<Span>,
    commit_size: Option<ByteSize>,
    lateness: Option<Span>,
    memory_events: Option<usize>,
    max_requests: Option<u32>,
    fleet: FleetFile,
    webhook: Vec<webhook::Entry>,
    objective: Vec<objectives::Entry>,
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Folder of the store.
    pub store: PathBuf,
    /// Certificates of the authorities to trust.
    pub ca: PathBuf,
    /// The coordinator's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// How each cluster is joined and stored.
    pub ingest: Ingest,
    /// Most requests that one certificate may have open at once, and as many watches beside them: people and programs, not daemons and sites.
    pub max_requests: u32,
    /// What it is in a fleet.
    pub fleet: Fleet,
}

/// How a cluster is joined and stored.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// A node that is not connected for this long is no longer waited for.
    pub silence: Duration,
    /// What was joined is stored at least this often.
    pub commit_every: Duration,
    /// ... and when it has grown to about this many bytes.
    pub commit_bytes: u64,
    /// Most events in memory.
    pub memory_events: usize,
    /// Bounds of the join.
    pub join: fathom_join::Config,
    /// Who is told of changes of findings; in the file alone, as tables `[[webhook]]`.
    pub webhooks: Vec<Arc<Webhook>>,
    /// What is promised of writes; in the file alone, as tables `[[objective]]`.
    pub objectives: Vec<Objective>,
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(30),
            commit_every: Duration::from_secs(30),
            commit_bytes: 64 * 1024 * 1024,
            memory_events: 4_000_000,
            join: fathom_join::Config::default(),
            webhooks: Vec::new(),
            objectives: vec![objectives::default()],
        }
    }
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
        let mut needed = |name: &str, path: Option<PathBuf>| {
            let path = path.filter(|path| !path.as_os_str().is_empty());
            if path.is_none() {
                faults.push(format!(
                    "{name} is missing: give --{name}, or `{name}` in the configuration file"
                ));
            }
            path.unwrap_or_default()
        };
        let store = needed("store", options.store.or(file.store));
        let ca = needed("ca", options.ca.or(file.ca));
        let certificate = needed("cert", options.cert.or(file.cert));
        let key = needed("key", options.key.or(file.key));
        let defaults = Ingest::default();
        let span = |option: Option<Span>, file: Option<Span>, default: Duration| {
            option.or(file).map_or(default, |span| span.0)
        };
        let lateness = options
            .lateness
            .or(file.lateness)
            .map(|span| i64::try_from(span.0.as_nanos()));
        let mut join = defaults.join;
        match lateness {
            Some(Ok(nanos)) if nanos <= 600_000_000_000 => join.lateness_nanos = nanos,
            Some(_) => faults.push("lateness must be at most 10m".to_owned()),
            None => {}
        }
        let memory_events = options
            .memory_events
            .or(file.memory_events)
            .unwrap_or(defaults.memory_events);
        if memory_events < 100_000 {
            faults.push("memory-events must be at least 100000: a window and its lateness have to fit".to_owned());
        }
        let max_requests = options.max_requests.or(file.max_requests).unwrap_or(MAX_REQUESTS);
        if max_requests == 0 {
            faults.push("max-requests must be more than 0: nobody could ask anything".to_owned());
        }
        let own = Own {
            ca: &ca,
            certificate: &certificate,
            key: &key,
        };
        let fleet = Fleet::resolve(options.fleet, file.fleet, &own, &mut faults);
        let webhooks = webhook::open_all(&file.webhook).unwrap_or_else(|wrong| {
            faults.extend(wrong);
            Vec::new()
        });
        let objectives = objectives::all(&file.objective, &mut faults);
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        Ok(Self {
            fleet,
            listen: options
                .listen
                .or(file.listen)
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 7443))),
            store,
            ca,
            certificate,
            key,
            max_requests,
            ingest: Ingest {
                silence: span(options.silence, file.silence, defaults.silence),
                commit_every: span(options.commit_every, file.commit_every, defaults.commit_every),
                commit_bytes: options
                    .commit_size
                    .or(file.commit_size)
                    .map_or(defaults.commit_bytes, |size| size.0),
                memory_events,
                join,
                webhooks,
                objectives,
            },
        })
    }
}

#[cfg(test)]
mod tests;
