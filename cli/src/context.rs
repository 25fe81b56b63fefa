//! Which coordinator to ask, and with which certificate: options, else the file that `--context` names, else the environment, else the file
//! that the environment names or that of the user.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use fathom_proto::fleet::v1 as wire;
use fathom_runtime::settings::parse;
use fathom_runtime::units::Span;
use serde::{Deserialize, Serialize};

use crate::args::given;
use crate::error::{Error, Result};
use crate::scope;

/// Names a context file.
const CONTEXT: &str = "FATHOM_CONTEXT";

/// The cluster that is meant where no option says any.
const CLUSTER: &str = "FATHOM_CLUSTER";

/// How long answers of several clusters are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where to find the coordinator.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// File with the options below (TOML); named here it goes before the environment [default: FATHOM_CONTEXT, else fathom/context.toml in the
    /// user's configuration folder, both after the variables below]
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
    /// Address of the coordinator [env: FATHOM_COORDINATOR]
    #[arg(long, value_name = "URL")]
    coordinator: Option<String>,
    /// Cluster to ask about; of a fleet also several: a pattern with * and ?, SITE/CLUSTER, a label as KEY=VALUE, several of these with commas
    /// between them for all at once, or @NAME of a selection that was saved, in the context file or with `fathom fleet save` (may be repeated; a name that nothing has is told, with exit code 4) [default: that of the file that --context
    /// names, else FATHOM_CLUSTER, else that of the context file, else the only one; `fleet` and `clusters` are about all]
    #[arg(long, value_name = "NAME", value_parser = given)]
    cluster: Vec<String>,
    /// All clusters of this site, or those of them that --cluster selects (may be repeated)
    #[arg(long, value_name = "NAME", value_parser = given)]
    site: Vec<String>,
    /// All clusters of the fleet
    #[arg(long, conflicts_with_all = ["cluster", "site"])]
    all_clusters: bool,
    /// How long to wait for an answer; of several clusters, who has not answered is named [default: 30s for several]
    #[arg(long, value_name = "TIME")]
    deadline: Option<Span>,
    /// Certificates of the authorities to trust (PEM) [env: FATHOM_CA]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Your certificate (PEM) [env: FATHOM_CERT]
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Private key of that certificate (PEM) [env: FATHOM_KEY]
    #[arg(long, value_name = "FILE")]
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
    /// Saved selections: what --cluster takes, other selections too, under a name for @NAME.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) selections: BTreeMap<String, Vec<String>>,
}

/// Which clusters are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// One by its name; empty: the only one.
    One(String),
    /// All that are selected.
    Several(wire::Selection),
}

/// Everything that is needed to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) coordinator: String,
    pub(crate) cluster: String,
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Context {
    /// All of it from a file.
    pub(crate) fn of_file(path: &Path) -> Result<Self> {
        let connection = Connection {
            context: Some(path.to_owned()),
            ..Connection::default()
        };
        connection.resolve()
    }
}

impl Connection {
    /// Lays the options over the context file and the environment, for a question about one cluster.
    pub(crate) fn resolve(&self) -> Result<Context> {
        let file = self.file()?;
        let cluster = match (scope::cluster(), self.meant_by(&file)?) {
            (Some(cluster), _) | (None, Meant::One(cluster)) => cluster,
            (None, Meant::Several(_)) => return Err(Error::OnlyOne),
        };
        self.context(file, cluster)
    }

    /// The same for a question about several clusters.
    pub(crate) fn resolve_for_several(&self) -> Result<(Context, Meant)> {
        let file = self.file()?;
        let meant = self.meant_by(&file)?;
        Ok((self.context(file, String::new())?, meant))
    }

    /// The same for a question about the fleet: about all of it where no option says which clusters. The cluster that others ask about by
    /// default would leave the rest out in silence.
    pub(crate) fn resolve_for_fleet(&self) -> Result<(Context, Meant)> {
        let file = ContextFile {
            cluster: None,
            ..self.file()?
        };
        let meant = self.meant_by(&file)?;
        Ok((self.context(file, String::new())?, meant))
    }

    /// Which clusters are meant.
    pub(crate) fn meant(&self) -> Result<Meant> {
        self.meant_by(&self.file()?)
    }

    /// For how long answers of several are waited for.
    pub(crate) fn patience(&self) -> Duration {
        self.deadline().unwrap_or(PATIENCE)
    }

    /// For how long an answer is waited for, where an option says so.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.0)
    }

    fn file(&self) -> Result<ContextFile> {
        self.file_in(|name| std::env::var_os(name))
    }

    /// What the context file and the environment say: whoever names a file on the command line means that one.
    fn file_in(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<ContextFile> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let environment = ContextFile::of_environment(given);
        if let Some(path) = &self.context {
            return Ok(read(path)?.over(environment));
        }
        let file = match (given(CONTEXT), default_path(given)) {
            (Some(path), _) => read(Path::new(&path))?,
            (None, Some(path)) if path.is_file() => read(&path)?,
            _ => ContextFile::default(),
        };
        Ok(environment.over(file))
    }

    fn meant_by(&self, file: &ContextFile) -> Result<Meant> {
        if self.all_clusters {
            return Ok(Meant::Several(wire::Selection::default()));
        }
        let terms = match (&self.cluster[..], &file.cluster) {
            ([], Some(cluster)) if self.site.is_empty() => std::slice::from_ref(cluster),
            (terms, _) => terms,
        };
        meant(terms, &self.site, &file.selections)
    }

    fn context(&self, file: ContextFile, cluster: String) -> Result<Context> {
        let missing = |what, option| move || Error::NoContext { what, option };
        Ok(Context {
            coordinator: self
                .coordinator
                .clone()
                .or(file.coordinator)
                .ok_or_else(missing("the coordinator's address", "coordinator"))?,
            cluster,
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

/// What terms of `--cluster` and names of `--site` mean.
fn meant(terms: &[String], sites: &[String], saved: &BTreeMap<String, Vec<String>>) -> Result<Meant> {
    let is_plain = |term: &str| !term.contains(['*', '?', '=', ',']) && !term.starts_with('@');
    match terms {
        [] if sites.is_empty() => return Ok(Meant::One(String::new())),
        [only] if sites.is_empty() && is_plain(only) => return Ok(Meant::One(only.clone())),
        _ => {}
    }
    let mut selection = wire::Selection {
        sites: sites.to_vec(),
        ..wire::Selection::default()
    };
    for term in terms {
        expand(term, saved, &mut Vec::new(), &mut selection.terms)?;
    }
    Ok(Meant::Several(selection))
}

/// Adds what a term means, each once; `inside` are the saved selections that it stands in.
fn expand<'a>(
    term: &'a str,
    saved: &'a BTreeMap<String, Vec<String>>,
    inside: &mut Vec<&'a str>,
    terms: &mut Vec<String>,
) -> Result<()> {
    let Some(name) = term.strip_prefix('@').filter(|name| !name.contains(',')) else {
        if term.split(',').any(|part| part.trim().starts_with('@')) {
            return Err(Error::MixedSelection { term: term.to_owned() });
        }
        if !terms.iter().any(|own| own == term) {
            terms.push(term.to_owned());
        }
        return Ok(());
    };
    let Some(some) = saved.get(name) else {
        // The coordinator knows it, or that there is none.
        if !terms.iter().any(|own| own == term) {
            terms.push(term.to_owned());
        }
        return Ok(());
    };
    if some.is_empty() {
        // No terms are all clusters.
        return Err(Error::EmptySelection { name: name.to_owned() });
    }
    if inside.contains(&name) {
        let way = inside.iter().skip_while(|own| **own != name).chain([&name]);
        return Err(Error::SelectionCycle {
            name: name.to_owned(),
            way: way.map(|own| format!("@{own}")).collect::<Vec<_>>().join(" -> "),
        });
    }
    inside.push(name);
    for term in some {
        expand(term, saved, inside, terms)?;
    }
    inside.pop();
    Ok(())
}

impl ContextFile {
    /// What the environment says instead of a file. Its cluster is no option: whoever says which clusters he means overrides it.
    fn of_environment(given: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| given(name).map(|value| value.to_string_lossy().into_owned());
        let path = |name: &str| given(name).map(PathBuf::from);
        Self {
            coordinator: text("FATHOM_COORDINATOR"),
            cluster: text(CLUSTER),
            ca: path("FATHOM_CA"),
            cert: path("FATHOM_CERT"),
            key: path("FATHOM_KEY"),
            selections: BTreeMap::new(),
        }
    }

    /// What it says, and what it does not say another. Only a file has selections.
    fn over(self, other: Self) -> Self {
        Self {
            coordinator: self.coordinator.or(other.coordinator),
            cluster: self.cluster.or(other.cluster),
            ca: self.ca.or(other.ca),
            cert: self.cert.or(other.cert),
            key: self.key.or(other.key),
            selections: if self.selections.is_empty() {
                other.selections
            } else {
                self.selections
            },
        }
    }

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
        cause: format!("the context file cannot be read: {error}; give another with --context, or ask without one"),
    })?;
    let mut file: ContextFile = parse(&text).map_err(|fault| Error::Context {
        path: path.to_owned(),
        cause: format!(
            "{fault}; a context file (TOML) has `coordinator`, `cluster`, `ca`, `cert` and `key`, each = \"TEXT\", and the table `selections`"
        ),
    })?;
    // Paths in the file are relative to it.
    let folder = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
    for path in [&mut file.ca, &mut file.cert, &mut file.key].into_iter().flatten() {
        *path = folder.join(&*path);
    }
    Ok(file)
}

fn default_path(given: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| given(name).map(PathBuf::from);
    let config = folder("XDG_CONFIG_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".config")))
        .or_else(|| folder("APPDATA"))?;
    Some(config.join("fathom").join("context.toml"))
}

#[cfg(test)]
mod tests;
