//! Classes that one query does not answer: given out by a method, reached by an association, or spread over instances.
//!
//! Which way leads to the objects of a class is decided here, on every system; what goes it is [`Asks`], which on Windows is a namespace.

use std::collections::BTreeMap;

use fathom_state::schema::{self, Class, Identity};
use fathom_state::{Bag, Raw, codes, counters, within};

mod methods;
mod supplied;

pub use methods::Method;

/// The property that holds an object's own path.
pub const PATH: &str = "__PATH";

/// Most objects of one class: extents of a large pool are many. Of more nothing is said, since what is left out would seem to be gone.
pub(super) const MOST: usize = 200_000;

/// A namespace that can be asked.
pub trait Asks {
    /// The objects that a query gives, each with its path as [`PATH`] where it has one.
    ///
    /// # Errors
    ///
    /// In words for people.
    fn rows(&mut self, query: &str) -> Result<Vec<Bag>, String>;

    /// The same of another namespace.
    ///
    /// # Errors
    ///
    /// In words for people.
    fn rows_of(&mut self, namespace: &'static str, query: &str) -> Result<Vec<Bag>, String>;

    /// What a method gives out, with `ReturnValue` where it returns something.
    ///
    /// # Errors
    ///
    /// In words for people.
    fn call(&mut self, method: &Method<'_>) -> Result<Bag, String>;
}

/// The objects of a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects {
    /// The objects.
    pub bags: Vec<Bag>,
    /// How they were asked for, where that is not plain, and what of it failed.
    pub note: Option<String>,
}

impl From<Vec<Bag>> for Objects {
    fn from(bags: Vec<Bag>) -> Self {
        Self { bags, note: None }
    }
}

/// The objects of a class, by the way that leads to them.
///
/// # Errors
///
/// In words for people, when nothing can be said of the class.
pub fn read(asks: &mut impl Asks, class: &str) -> Result<Objects, String> {
    let objects = match class {
        "MSFT_StorageReliabilityCounter" => reliability(asks),
        "MSFT_PhysicalExtent" => methods::extents(asks),
        "MSFT_StorageNodeToPhysicalDisk" => views(asks),
        "MSCluster_ClusterSharedVolume" => shared_volumes(asks),
        "MSFT_SmbMultichannelConnection" => connections(asks),
        "MSFT_StorageJobToAffectedStorageObject" => works(asks),
        counters::RDMA => supplied::rdma(asks),
        "MSFT_FileIntegrity" => methods::integrity(asks),
        "ClusBfltHddBindingRecord" => methods::bindings(asks),
        "ClusPortPathInformation" | "ClusBfltCacheStoreInformation" => parts(asks, class),
        _ => all(asks, class).map(Objects::from),
    }?;
    if objects.bags.len() > MOST {
        return Err(format!("more than {MOST} objects: nothing is said of them"));
    }
    Ok(objects)
}

fn all(asks: &mut impl Asks, class: &str) -> Result<Vec<Bag>, String> {
    asks.rows(&format!("SELECT * FROM {class}"))
}

fn of(path: &str, class: &str) -> String {
    format!("ASSOCIATORS OF {{{path}}} WHERE ResultClass = {class}")
}

fn known(class: &str) -> Option<&'static Class> {
    schema::classes().find(|known| known.names[0] == class)
}

/// Counters are reached from their drive, and are of it: they name no drive themselves. One drive that does not answer, as dying ones do,
/// hides no other.
fn reliability(asks: &mut impl Asks) -> Result<Objects, String> {
    const CLASS: &str = "MSFT_StorageReliabilityCounter";
    let mut objects = Objects::default();
    let (mut asked, mut silent) = (0_u64, Vec::new());
    for disk in all(asks, "MSFT_PhysicalDisk")? {
        let (Some(unique_id), Some(path)) = (disk.text("UniqueId"), disk.text(PATH)) else {
            continue;
        };
        asked += 1;
        match asks.rows(&of(&path, CLASS)) {
            Ok(counters) => objects.bags.extend(
                counters
                    .into_iter()
                    .map(|counters| counters.with("PhysicalDiskUniqueId", Raw::Text(unique_id.clone()))),
            ),
            Err(why) => silent.push((unique_id, why)),
        }
    }
    if let Some((_, why)) = silent.first() {
        if objects.bags.is_empty() {
            return Err(format!("no drive answered: {why}"));
        }
        objects.note = Some(format!("{} of {asked} drives did not answer: {why}", silent.len()));
    }
    for (unique_id, _) in silent {
        let mut unknown = Bag::default();
        unknown.class = Some(CLASS.to_owned());
        for property in known(CLASS).map_or(&[][..], |class| class.properties) {
            unknown.set(property.from[0], Raw::Broken("the drive did not answer"));
        }
        objects
            .bags
            .push(unknown.with("PhysicalDiskUniqueId", Raw::Text(unique_id)));
    }
    Ok(objects)
}

/// An association names its two ends by path alone: what they are called is asked of the ends.
fn views(asks: &mut impl Asks) -> Result<Objects, String> {
    let mut ends = BTreeMap::new();
    for (class, names) in [
        ("MSFT_PhysicalDisk", &["UniqueId", "SerialNumber"][..]),
        ("MSFT_StorageNode", &["Name"]),
    ] {
        for object in all(asks, class)? {
            let Some(end) = object.text(PATH).and_then(|path| end(&path, class)) else {
                continue;
            };
            let mut said = Bag::default();
            for name in names {
                if let Some(value) = object.get(name) {
                    said.set(name, value.clone());
                }
            }
            ends.insert(end, said);
        }
    }
    let mut views = all(asks, "MSFT_StorageNodeToPhysicalDisk")?;
    for view in &mut views {
        for (role, class) in [
            ("PhysicalDisk", "MSFT_PhysicalDisk"),
            ("StorageNode", "MSFT_StorageNode"),
        ] {
            let found = view.text(role).and_then(|path| end(&path, class));
            if let Some(said) = found.and_then(|end| ends.get(&end)) {
                view.set(role, Raw::Object(said.clone()));
            }
        }
    }
    Ok(views.into())
}

/// A path without the server and namespace in front, which an end of an association may write differently.
fn end(path: &str, class: &str) -> Option<String> {
    let at = path.find(&format!("{class}."))?;
    path.get(at..).map(str::to_lowercase)
}

/// What a job works on is reached from the job. One of which it is not said hides no other: it may have ended since it was listed.
fn works(asks: &mut impl Asks) -> Result<Objects, String> {
    const CLASS: &str = "MSFT_StorageJobToAffectedStorageObject";
    let mut objects = Objects::default();
    let (mut asked, mut silent) = (0_u64, Vec::new());
    for job in all(asks, "MSFT_StorageJob")? {
        let (Some(id), Some(path)) = (job.text("ObjectId"), job.text(PATH)) else {
            continue;
        };
        asked += 1;
        let affected = match asks.rows(&format!("ASSOCIATORS OF {{{path}}} WHERE AssocClass = {CLASS}")) {
            Ok(affected) => affected,
            Err(why) => {
                silent.push(why);
                continue;
            }
        };
        for affected in affected.iter().filter_map(|object| object.text("ObjectId")) {
            let end = |id: String| Raw::Object(Bag::default().with("ObjectId", Raw::Text(id)));
            let mut link = Bag::default();
            link.class = Some(CLASS.to_owned());
            let link = link.with("StorageJob", end(id.clone()));
            objects.bags.push(link.with("AffectedStorageObject", end(affected)));
        }
    }
    if let Some(why) = silent.first() {
        if silent.len() as u64 == asked {
            return Err(format!("no job said what it works on: {why}"));
        }
        objects.note = Some(format!(
            "{} of {asked} jobs did not say what they work on: {why}",
            silent.len()
        ));
    }
    Ok(objects)
}

/// Why nothing is known of how each node reaches a shared volume.
const AT_EACH_NODE: &str = "Get-ClusterSharedVolumeState alone gives it, and no class";

/// A shared volume does not say who owns it: its resource does.
fn shared_volumes(asks: &mut impl Asks) -> Result<Objects, String> {
    let mut volumes = all(asks, "MSCluster_ClusterSharedVolume")?;
    let mut note = None;
    for volume in &mut volumes {
        for name in ["FileSystemRedirectedIOReason", "BlockRedirectedIOReason"] {
            volume.set(name, Raw::Broken(AT_EACH_NODE));
        }
        let path = volume
            .text(PATH)
            .ok_or_else(|| "it has no path to ask it by".to_owned());
        let resources = path.and_then(|path| asks.rows(&of(&path, "MSCluster_Resource")));
        let resource = resources.and_then(|resources| {
            let is_shared = |resource: &&Bag| !matches!(resource.get("IsClusterSharedVolume"), Some(Raw::Bool(false)));
            let found = resources.iter().find(is_shared).cloned();
            found.ok_or_else(|| "no resource belongs to it".to_owned())
        });
        match resource {
            Ok(resource) => {
                for (from, to) in [
                    ("OwnerNode", "OwnerNode"),
                    ("State", "ResourceState"),
                    ("Name", "ResourceName"),
                ] {
                    if let Some(value) = resource.get(from) {
                        volume.set(to, value.clone());
                    }
                }
            }
            Err(why) => {
                volume.set("OwnerNode", Raw::Broken("the volume's resource was not found"));
                let name = volume.text("Name").unwrap_or_else(|| "a volume".to_owned());
                note = note.or_else(|| Some(format!("the owner of {name} was not found: {why}")));
            }
        }
    }
    Ok(Objects { bags: volumes, note })
}

/// Without an instance the default one alone is listed, and connections of the storage bus are of another.
fn connections(asks: &mut impl Asks) -> Result<Objects, String> {
    const CLASS: &str = "MSFT_SmbMultichannelConnection";
    let mut found: BTreeMap<String, Bag> = BTreeMap::new();
    let mut add = |bag: Bag| drop(found.insert(identity(&bag, CLASS), bag));
    all(asks, CLASS)?.into_iter().for_each(&mut add);
    let (mut asked, mut refused) = (vec!["the plain list"], Vec::new());
    for (number, name) in codes::SMB_INSTANCE.names {
        match asks.rows(&format!("SELECT * FROM {CLASS} WHERE SmbInstance = {number}")) {
            Ok(rows) => {
                asked.push(name);
                for mut row in rows {
                    if matches!(row.get("SmbInstance"), None | Some(Raw::Null)) {
                        row.set("SmbInstance", Raw::Integer((*number).into()));
                    }
                    add(row);
                }
            }
            Err(why) => refused.push((name, why)),
        }
    }
    let mut note = format!("asked: {}", asked.join(", "));
    if let Some((_, why)) = refused.first() {
        let names: Vec<&str> = refused.iter().map(|(name, _)| **name).collect();
        note = format!("{note}; not: {} ({why})", names.join(", "));
    }
    Ok(Objects {
        bags: found.into_values().collect(),
        note: Some(note),
    })
}

/// What tells one object from another, as the class's table has it.
fn identity(bag: &Bag, class: &str) -> String {
    let names = match known(class).map(|class| class.identity) {
        Some(Identity::All(names) | Identity::First(names)) => names,
        None => &[],
    };
    let parts: Vec<String> = names.iter().filter_map(|name| bag.text(name)).collect();
    parts.join("/")
}

/// What stands within the objects of another class.
fn parts(asks: &mut impl Asks, class: &str) -> Result<Objects, String> {
    let mut parts = Vec::new();
    for outer in within::outer(class) {
        parts.extend(within::parts(&all(asks, outer)?));
    }
    parts.retain(|part| part.class.as_deref() == Some(class));
    Ok(parts.into())
}

#[cfg(test)]
mod tests;
