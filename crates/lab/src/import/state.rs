//! What cmdlets and support folders say of a cluster's state: `ConvertTo-Json`, CLIXML (an SDDC folder or archive), or as printed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use fathom_model::NodeId;
use fathom_model::state::{Observation, Sample, Scope};
use fathom_state::{Bag, decode, history, performance, schema, support};

use crate::error::{Error, Result};

/// Larger files hold no objects of a cluster: logs and traces.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateFile {
    /// Its path, in a folder or an archive with the name in it.
    pub path: String,
    /// Objects in it.
    pub objects: u64,
    /// Observations made of them, by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Readings made of them: means of the cluster's performance history.
    pub samples: u64,
    /// Objects that no observation was made of, by why.
    pub refused: BTreeMap<String, u64>,
    /// Why nothing of it could be read.
    pub fault: Option<String>,
}

/// What was read of files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateImport {
    /// The files, in order.
    pub files: Vec<StateFile>,
    /// What they say, in order, and that it was all.
    pub observations: Vec<Observation>,
    /// What the cluster had kept of the time before, as means that say so, in order.
    pub samples: Vec<Sample>,
}

/// Whether a path is state and not a trace: a folder, a file that holds objects by its name, or an archive with such and no trace.
#[must_use]
pub fn is_state(path: &Path) -> bool {
    if path.is_dir() {
        return true;
    }
    let name = path.to_string_lossy().to_ascii_lowercase();
    if support::is_wanted(&name) || name.ends_with(".txt") {
        return true;
    }
    let Ok(file) = File::open(path) else { return false };
    let Ok(archive) = zip::ZipArchive::new(BufReader::new(file)) else {
        return false;
    };
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.to_ascii_lowercase()))
        .collect();
    let objects = names.iter().filter(|name| support::is_wanted(name)).count();
    let traces = names
        .iter()
        .filter(|name| name.ends_with(".etl") || name.ends_with(".csv"))
        .count();
    // A support folder has traces among its many files.
    objects > traces
}

/// Reads files. What was observed was so at `observed_unix_nanos`, else when the file was written. A file that says nothing of a computer is
/// `node`'s where it is about one node, else `cluster`'s.
///
/// # Errors
///
/// When a path cannot be opened, or an archive is broken. A single file that cannot be read is noted and the rest is read.
pub fn read_state(
    paths: &[PathBuf],
    node: Option<&NodeId>,
    cluster: &NodeId,
    observed_unix_nanos: Option<i64>,
) -> Result<StateImport> {
    let mut import = StateImport::default();
    for path in paths {
        let at = match observed_unix_nanos {
            Some(at) => at,
            None => written(path)?,
        };
        let mut take = |name: String, bytes: &[u8]| {
            let (file, observations, samples) = read_one(&name, bytes, node, cluster, at);
            import.files.push(file);
            import.observations.extend(observations);
            import.samples.extend(samples);
        };
        if path.is_dir() {
            let mut files = Vec::new();
            walk(path, &mut files)?;
            files.sort();
            if files.is_empty() {
                return Err(Error::Unpack {
                    path: path.clone(),
                    cause: "a folder with neither .xml nor .json in it; of traces give the files themselves".to_owned(),
                });
            }
            for file in files {
                let bytes = fs::read(&file).map_err(|source| Error::Open {
                    path: file.clone(),
                    source,
                })?;
                take(file.display().to_string(), &bytes);
            }
        } else {
            let bytes = fs::read(path).map_err(|source| Error::Open {
                path: path.clone(),
                source,
            })?;
            if bytes.starts_with(b"PK\x03\x04") {
                archive(path, &mut take)?;
            } else {
                take(path.display().to_string(), &bytes);
            }
        }
    }
    import
        .observations
        .sort_by_key(|observation| observation.observed_unix_nanos);
    import.observations.dedup();
    let polls = history::polls_of(&import.observations, "import");
    import.observations.extend(polls);
    Ok(import)
}

fn written(path: &Path) -> Result<i64> {
    let failed = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    let modified = fs::metadata(path).and_then(|about| about.modified()).map_err(failed)?;
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |source| Error::Open {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Links are not followed: they may lead anywhere, and round and round.
        let about = entry.metadata().map_err(failed)?;
        let path = entry.path();
        if about.is_dir() {
            walk(&path, files)?;
        } else if about.is_file() && about.len() <= MOST_BYTES && support::is_wanted(&path.to_string_lossy()) {
            files.push(path);
        }
    }
    Ok(())
}

fn archive(path: &Path, take: &mut impl FnMut(String, &[u8])) -> Result<()> {
    let broken = |cause: String| Error::Unpack {
        path: path.to_owned(),
        cause: format!("the archive cannot be unpacked ({cause}); copy it again"),
    };
    let file = File::open(path).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| broken(error.to_string()))?;
    let mut names = Vec::new();
    for name in archive.file_names() {
        let name = name.map_err(|error| broken(error.to_string()))?;
        if support::is_wanted(&name) {
            names.push(name.into_owned());
        }
    }
    names.sort();
    for name in names {
        let member = archive.by_name(&name).map_err(|error| broken(error.to_string()))?;
        let mut bytes = Vec::new();
        // What the archive says of a size is not believed.
        member
            .take(MOST_BYTES)
            .read_to_end(&mut bytes)
            .map_err(|error| broken(error.to_string()))?;
        take(format!("{}/{name}", path.display()), &bytes);
    }
    Ok(())
}

fn read_one(
    path: &str,
    bytes: &[u8],
    node: Option<&NodeId>,
    cluster: &NodeId,
    at: i64,
) -> (StateFile, Vec<Observation>, Vec<Sample>) {
    let mut file = StateFile {
        path: path.to_owned(),
        ..StateFile::default()
    };
    let bags = match support::bags(path, bytes) {
        Ok(bags) => bags,
        Err(error) => {
            file.fault = Some(error.to_string());
            return (file, Vec::new(), Vec::new());
        }
    };
    file.objects = bags.len() as u64;
    let (past, bags): (Vec<Bag>, Vec<Bag>) = bags.into_iter().partition(performance::is_one);
    let past = performance::samples(&past, node.unwrap_or(cluster));
    file.samples = past.samples.len() as u64;
    file.refused = past.refused;
    let mut observations = Vec::new();
    for bag in &bags {
        let Some(reporter) = reporter(bag, node, cluster) else {
            *file
                .refused
                .entry("of one node, and nothing says which: give it with --node NAME=PATH".to_owned())
                .or_default() += 1;
            continue;
        };
        match decode(bag, reporter, at) {
            Ok(decoded) => observations.extend(decoded),
            Err(refused) => *file.refused.entry(refused.to_string()).or_default() += 1,
        }
    }
    for observation in &observations {
        *file.kinds.entry(observation.kind.as_str()).or_default() += 1;
    }
    (file, observations, past.samples)
}

/// Whose an object is that does not say it: what answers for the cluster is the cluster's, and what is each node's own is of the node that
/// was given, if any.
fn reporter<'a>(bag: &Bag, node: Option<&'a NodeId>, cluster: &'a NodeId) -> Option<&'a NodeId> {
    let of_node = schema::class_of(bag).is_some_and(|class| class.kind.scope() == Scope::Node);
    match (node, of_node && bag.computer.is_none()) {
        (Some(node), _) => Some(node),
        (None, true) => None,
        (None, false) => Some(cluster),
    }
}

#[cfg(test)]
mod tests;
