//! What cmdlets and support folders say of a cluster's state: `ConvertTo-Json`, CLIXML (an SDDC folder or archive), or as printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use fathom_etl::slow::xml;
use fathom_model::NodeId;
use fathom_model::state::{Key, Kind, Observation, Sample, Scope};
use fathom_sources::state::log;
use fathom_state::decode::node_name;
use fathom_state::{Bag, Refused, decode_each, history, performance, schema, support};

use crate::error::{Error, Result};

mod archive;

/// Larger files hold no objects of a cluster: traces and dumps.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Larger texts are logs: what a cmdlet prints is small.
const MOST_TEXT_BYTES: u64 = 16 * 1024 * 1024;

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateFile {
    /// Its path, in a folder or an archive with the name in it. The folder or archive itself where files of it were left out.
    pub path: String,
    /// Objects in it.
    pub objects: u64,
    /// Observations made of them, by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Readings made of them: means of the cluster's performance history.
    pub samples: u64,
    /// Objects that no observation was made of, by why; of a folder or an archive the files that were left out.
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
    if support::is_wanted(&path.to_string_lossy()) {
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
    let objects = names.iter().filter(|name| support::is_objects(name)).count();
    let texts = names.iter().filter(|name| support::is_text(name)).count();
    let traces = names
        .iter()
        .filter(|name| name.ends_with(".etl") || name.ends_with(".csv"))
        .count();
    // A support folder has traces among its many files, and a trace may have a text beside it.
    objects > traces || (traces == 0 && texts > 0)
}

/// The class of what files say.
const IMPORT: &str = "import";

/// How a file's reading of the class went that its name tells, where no observation is made of it: a list with nothing in it is a reading,
/// and so is what was written of nothing, which of ConvertTo-Json is nothing; an empty text, or one without an object, is none.
fn reading(name: &str, bytes: &[u8], file: &StateFile) -> Option<Result<u64, String>> {
    if let Some(fault) = &file.fault {
        return Some(Err(fault.clone()));
    }
    if !file.kinds.is_empty() || file.samples > 0 {
        return None;
    }
    if file.objects > 0 {
        let why: Vec<&str> = file.refused.keys().map(String::as_str).collect();
        // An object that says itself that it holds nothing is read; what is no class' file has objects of others.
        let is_none = !why.is_empty() && support::class_of_name(name).is_some();
        return is_none.then(|| Err(format!("none of its objects was read: {}", why.join(", "))));
    }
    let content = support::content(bytes).unwrap_or_default();
    if xml::is_events(&content) {
        return None;
    }
    if support::is_text(name) {
        return support::class_of_name(name).map(|_| Err(NO_OBJECT.to_owned()));
    }
    Some(Ok(0))
}

/// Of a text that should hold objects by its name: it may be a cmdlet's message that it failed.
const NO_OBJECT: &str = "a text without an object: nothing tells whether there was none or the cmdlet failed";

/// What became of the files of one path.
struct Taking<'a> {
    node: Option<&'a NodeId>,
    cluster: &'a NodeId,
    /// When everything was so, whatever the files say.
    at: Option<i64>,
    import: StateImport,
    /// Of files that hold nothing or cannot be read, what that says of the class that their name tells.
    told: Vec<Observation>,
    /// Files that were left out, by why.
    left_out: BTreeMap<String, u64>,
}

impl StateFile {
    /// Whether everything that it should hold was read: an object of a class that nothing is told of is no part of that, nor is a file
    /// of a folder that was left out by its name.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        // Logs have tables and lists of everything.
        let is_a_log = support::is_text(&self.path) && self.kinds.is_empty();
        let is_of_no_concern =
            |why: &String| why.contains(NOT_DECODED) || (is_a_log && *why == Refused::Unknown.to_string());
        self.fault.is_none() && (self.objects == 0 || self.refused.keys().all(is_of_no_concern))
    }
}

/// What is said of an object of a class that has no table ([`Refused::Class`]), and of an event that has none.
const NOT_DECODED: &str = " is not decoded";

impl Taking<'_> {
    /// A file's content as it was written at a time.
    fn file(&mut self, name: &str, bytes: &[u8], written: i64) {
        let at = self.at.unwrap_or(written);
        let (mut file, observations, samples) = read_one(name, bytes, self.node, self.cluster, at);
        if let Some(outcome) = reading(name, bytes, &file) {
            if let (Err(why), 0) = (&outcome, file.objects) {
                file.fault = Some(why.clone());
            }
            self.tell(name, outcome, at);
        }
        self.import.files.push(file);
        self.import.observations.extend(observations);
        self.import.samples.extend(samples);
    }

    /// A file that cannot be read.
    fn broken(&mut self, name: &str, fault: impl Into<String>, at: i64) {
        let fault = fault.into();
        self.tell(name, Err(fault.clone()), self.at.unwrap_or(at));
        self.import.files.push(StateFile {
            path: name.to_owned(),
            fault: Some(fault),
            ..StateFile::default()
        });
    }

    /// Notes how the reading of a class went whose objects a file has by its name; of one whose name tells none, that it cannot be read.
    fn tell(&mut self, name: &str, outcome: Result<u64, String>, at: i64) {
        let in_folder = support::node_of(name).map(|name| NodeId::new(node_name(name)));
        let node = self.node.cloned().or(in_folder);
        let Some(class) = support::class_of_name(name) else {
            if let Err(reason) = outcome {
                let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
                let node = node.unwrap_or_else(|| self.cluster.clone());
                let source = Observation::new(node, Kind::Source, format!("file/{file}"), at);
                let source = source.with("class", file).with("full", false);
                self.told
                    .push(source.with("available", false).with("reason", reason.as_str()));
            }
            return;
        };
        // That a node has none of what is its own nobody says who does not say which node.
        let is_of_nobody = node.is_none() && class.kind.scope() == Scope::Node;
        if is_of_nobody && outcome.is_ok() {
            return;
        }
        let node = node.unwrap_or_else(|| self.cluster.clone());
        let full = outcome.is_ok();
        let poll = history::Poll {
            kind: class.kind,
            class: IMPORT.to_owned(),
            outcome,
            full,
        };
        self.told.push(poll.observation(&node, at));
    }

    /// Whether a file is worth reading by its name and size; one that is not is noted.
    fn wants(&mut self, name: &str, bytes: u64) -> bool {
        let most = match support::is_text(name) {
            true => MOST_TEXT_BYTES,
            false => MOST_BYTES,
        };
        let why = if !support::is_wanted(name) {
            let end = Path::new(name)
                .extension()
                .map(|end| end.to_string_lossy().to_ascii_lowercase());
            match end {
                Some(end) => format!("file not read, for it is .{end}"),
                None => "file not read, for its name does not say what it is".to_owned(),
            }
        } else if bytes > most {
            format!("file not read, for it is larger than {} MiB", most >> 20)
        } else {
            return true;
        };
        *self.left_out.entry(why).or_default() += 1;
        false
    }

    /// Everything of a path; it says of each kind that this is all there is.
    fn finish(mut self, path: &Path) -> StateImport {
        if !self.left_out.is_empty() {
            self.import.files.push(StateFile {
                path: path.display().to_string(),
                refused: self.left_out,
                ..StateFile::default()
            });
        }
        let rows = &mut self.import.observations;
        rows.sort_by_key(|observation| observation.observed_unix_nanos);
        rows.dedup();
        let polls = polls(rows);
        rows.extend(polls);
        // What another file of the path says goes before: it may have the rest of the same.
        let mut said: BTreeSet<Key> = rows.iter().map(Observation::key).collect();
        rows.extend(self.told.into_iter().filter(|told| said.insert(told.key())));
        self.import
    }
}

/// One reading a node and kind. Files of one path are of different times: what the first of them says is not gone because the last does not
/// say it again, so the reading is as old as the first; of what the cluster has one of, as the first of whichever node.
fn polls(rows: &[Observation]) -> Vec<Observation> {
    let of = |row: &Observation| {
        let node = (row.kind.scope() == Scope::Node).then(|| row.node.clone());
        (node, row.kind)
    };
    let mut first: BTreeMap<(Option<NodeId>, Kind), i64> = BTreeMap::new();
    for row in rows {
        let at = first.entry(of(row)).or_insert(row.observed_unix_nanos);
        *at = row.observed_unix_nanos.min(*at);
    }
    let at_first = rows.iter().map(|row| {
        let at = first.get(&of(row)).copied();
        Observation::new(row.node.clone(), row.kind, "", at.unwrap_or(row.observed_unix_nanos))
    });
    history::polls_of(&at_first.collect::<Vec<_>>(), IMPORT)
}

/// Reads files. What was observed was so at `observed_unix_nanos`, else when its own file was written: in a folder and in an archive each
/// has its own time. A file that says nothing of a computer is `node`'s where it is about one node, else `cluster`'s.
///
/// # Errors
///
/// When a path cannot be opened, or is no archive. A single file, or a member of an archive, that cannot be read is noted and the rest is
/// read.
pub fn read_state(
    paths: &[PathBuf],
    node: Option<&NodeId>,
    cluster: &NodeId,
    observed_unix_nanos: Option<i64>,
) -> Result<StateImport> {
    let mut import = StateImport::default();
    for path in paths {
        let mut taking = Taking {
            node,
            cluster,
            at: observed_unix_nanos,
            import: StateImport::default(),
            told: Vec::new(),
            left_out: BTreeMap::new(),
        };
        if path.is_dir() {
            folder(path, &mut taking)?;
        } else {
            let failed = |source| Error::Open {
                path: path.clone(),
                source,
            };
            let bytes = fs::read(path).map_err(failed)?;
            let written = written(path).map_err(failed)?;
            if bytes.starts_with(b"PK\x03\x04") {
                drop(bytes);
                archive::read(path, written, &mut taking)?;
            } else {
                taking.file(&path.display().to_string(), &bytes, written);
            }
        }
        let read = taking.finish(path);
        import.files.extend(read.files);
        import.observations.extend(read.observations);
        import.samples.extend(read.samples);
    }
    import
        .observations
        .sort_by_key(|observation| observation.observed_unix_nanos);
    Ok(import)
}

fn written(path: &Path) -> std::io::Result<i64> {
    let modified = fs::metadata(path).and_then(|about| about.modified())?;
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn folder(path: &Path, taking: &mut Taking<'_>) -> Result<()> {
    let mut files = Vec::new();
    let listed = walk(path, &mut files, taking);
    listed.map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })?;
    files.sort();
    if files.is_empty() {
        return Err(Error::Unpack {
            path: path.to_owned(),
            cause: "a folder with neither .xml nor .json nor text in it; of traces give the files themselves"
                .to_owned(),
        });
    }
    for file in files {
        let name = file.display().to_string();
        match fs::read(&file).and_then(|bytes| Ok((bytes, written(&file)?))) {
            Ok((bytes, written)) => taking.file(&name, &bytes, written),
            Err(error) => taking.broken(&name, error.to_string(), written(&file).unwrap_or_default()),
        }
    }
    Ok(())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, taking: &mut Taking<'_>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Links are not followed: they may lead anywhere, and round and round.
        let about = entry.metadata()?;
        let path = entry.path();
        if about.is_dir() {
            // One that may not be looked into hides no other.
            if let Err(error) = walk(&path, files, taking) {
                let at = written(&path).unwrap_or_default();
                taking.broken(&path.display().to_string(), error.to_string(), at);
            }
        } else if about.is_file() && taking.wants(&path.to_string_lossy(), about.len()) {
            files.push(path);
        }
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
    let bags = match support::content(bytes) {
        Ok(content) if xml::is_events(&content) => return events(file, &content, node),
        Ok(content) => support::bags_of(path, &content),
        Err(error) => Err(error),
    };
    let bags = match bags {
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
            *file.refused.entry(OF_NO_NODE.to_owned()).or_default() += 1;
            continue;
        };
        for one in decode_each(bag, reporter, at) {
            match one {
                Ok(observation) => observations.push(observation),
                Err(refused) => *file.refused.entry(refused.to_string()).or_default() += 1,
            }
        }
    }
    let mut said: BTreeMap<(NodeId, Key), &Observation> = BTreeMap::new();
    for observation in &observations {
        *file.kinds.entry(observation.kind.as_str()).or_default() += 1;
        let before = said.insert((observation.node.clone(), observation.key()), observation);
        if before.is_some_and(|before| !before.says_the_same(observation)) {
            let why = format!(
                "{} that says something else of the same id as another before it: the last counts",
                observation.kind
            );
            *file.refused.entry(why).or_default() += 1;
        }
    }
    (file, observations, past.samples)
}

/// What events of the log say that somebody wrote into a file: each is of the computer that it names, and of its own time.
fn events(mut file: StateFile, content: &str, node: Option<&NodeId>) -> (StateFile, Vec<Observation>, Vec<Sample>) {
    let (mut observations, mut samples) = (Vec::new(), Vec::new());
    for text in xml::split(content) {
        file.objects += 1;
        let computer = xml::parse(text).map(|event| event.computer).unwrap_or_default();
        let named = (!computer.is_empty()).then(|| NodeId::new(node_name(&computer)));
        let in_folder = || support::node_of(&file.path).map(|name| NodeId::new(node_name(name)));
        let Some(logged_by) = named.or_else(|| node.cloned()).or_else(in_folder) else {
            *file.refused.entry(OF_NO_NODE.to_owned()).or_default() += 1;
            continue;
        };
        let said = log::read(std::slice::from_ref(&text.to_owned()), &logged_by);
        observations.extend(said.observations);
        samples.extend(said.samples);
        if let Some(why) = said.why {
            *file.refused.entry(why).or_default() += 1;
        }
    }
    for observation in &observations {
        *file.kinds.entry(observation.kind.as_str()).or_default() += 1;
    }
    file.samples = samples.len() as u64;
    (file, observations, samples)
}

/// Why what a node has of its own is left out where nothing names the node.
const OF_NO_NODE: &str = "of one node, and nothing says which: give it with --node NAME=PATH";

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
