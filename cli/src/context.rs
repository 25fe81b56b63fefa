//! Which coordinator to ask, and with which certificate: options, else the environment, else a context file.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Where to find the coordinator.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// File with the options below (TOML) [default: fathom/context.toml in the user's configuration folder]
    #[arg(long, value_name = "FILE", env = "FATHOM_CONTEXT")]
    context: Option<PathBuf>,
    /// Address of the coordinator
    #[arg(long, value_name = "URL", env = "FATHOM_COORDINATOR")]
    coordinator: Option<String>,
    /// Cluster to ask about [default: the only one]
    #[arg(long, value_name = "NAME", env = "FATHOM_CLUSTER")]
    cluster: Option<String>,
    /// Certificates of the authorities to trust (PEM)
    #[arg(long, value_name = "FILE", env = "FATHOM_CA")]
    ca: Option<PathBuf>,
    /// Your certificate (PEM)
    #[arg(long, value_name = "FILE", env = "FATHOM_CERT")]
    cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", env = "FATHOM_KEY")]
    key: Option<PathBuf>,
}

/// A context file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct ContextFile {
    pub(crate) coordinator: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// Everything that is needed to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) coordinator: String,
    pub(crate) cluster: String,
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Connection {
    /// Lays the options over the context file.
    pub(crate) fn resolve(&self) -> Result<Context> {
        let file = match (&self.context, default_path()) {
            (Some(path), _) => read(path)?,
            (None, Some(path)) if path.is_file() => read(&path)?,
            _ => ContextFile::default(),
        };
        let missing = |what, option| move || Error::NoContext { what, option };
        Ok(Context {
            coordinator: self
                .coordinator
                .clone()
                .or(file.coordinator)
                .ok_or_else(missing("the coordinator's address", "coordinator"))?,
            cluster: self.cluster.clone().or(file.cluster).unwrap_or_default(),
            ca: self.ca.clone().or(file.ca).ok_or_else(missing("the CA file", "ca"))?,
            cert: self
                .cert
                .clone()
                .or(file.cert)
                .ok_or_else(missing("your certificate", "cert"))?,
            key: self
                .key
                .clone()
                .or(file.key)
                .ok_or_else(missing("your private key", "key"))?,
        })
    }
}

impl ContextFile {
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).map_err(|error| Error::Context {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
        std::fs::write(path, text).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })
    }
}

fn read(path: &Path) -> Result<ContextFile> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::Context {
        path: path.to_owned(),
        cause: format!("the context file cannot be read: {error}"),
    })?;
    let mut file: ContextFile = toml::from_str(&text).map_err(|error| Error::Context {
        path: path.to_owned(),
        cause: error.to_string(),
    })?;
    // Paths in the file are relative to it.
    let folder = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
    for path in [&mut file.ca, &mut file.cert, &mut file.key].into_iter().flatten() {
        *path = folder.join(&*path);
    }
    Ok(file)
}

fn default_path() -> Option<PathBuf> {
    let folder = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let config = folder("XDG_CONFIG_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".config")))
        .or_else(|| folder("APPDATA"))?;
    Some(config.join("fathom").join("context.toml"))
}
