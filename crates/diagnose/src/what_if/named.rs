//! How people name what could have been away: `disk:NODE/DISK`, `disk:SERIAL`, `link:NODE-NODE`, `node:NODE`.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{Catalog, DiskIndex, NodeIndex};

use super::Away;

/// Serial numbers of drives, as state has them, with the identities that each is known by there.
pub type Serials = BTreeMap<String, BTreeSet<String>>;

/// A text that names nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAway {
    /// It is not of one of the forms.
    Form {
        /// What was given.
        given: String,
    },
    /// There is no such thing.
    Unknown {
        /// What there is not.
        what: &'static str,
        /// Its name.
        name: String,
        /// Names that there are.
        known: Vec<String>,
    },
    /// Several drives have this serial number.
    Several {
        /// The serial number.
        serial: String,
        /// The drives, as NODE/DISK.
        disks: Vec<String>,
    },
}

impl std::fmt::Display for NotAway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Form { given } => write!(
                f,
                "`{given}` is none of disk:NODE/DISK, disk:SERIAL, link:NODE-NODE, node:NODE and, where a coordinator is asked, job:JOB; such as disk:t1/disk0"
            ),
            Self::Unknown { what, name, known } => {
                let how = match *what == "disk" && !name.contains('/') {
                    true => ", by its serial number or identity; disk:NODE/DISK names one too",
                    false => "",
                };
                write!(f, "there is no {what} `{name}`{how} (known: {})", known.join(", "))
            }
            Self::Several { serial, disks } => write!(
                f,
                "several disks have the serial number `{serial}`; name one as disk:NODE/DISK, such as {}",
                disks
                    .iter()
                    .map(|disk| format!("disk:{disk}"))
                    .collect::<Vec<_>>()
                    .join(" or ")
            ),
        }
    }
}

impl std::error::Error for NotAway {}

impl Away {
    /// Whether a text names a drive by neither place nor identity, so that serial numbers have to be known.
    #[must_use]
    pub fn asks_for_serial(text: &str, catalog: &Catalog) -> bool {
        let name = text.strip_prefix("disk:").filter(|name| !name.is_empty());
        name.is_some_and(|name| place(name, catalog).is_none() && identity(name, catalog).is_none())
    }

    /// What a text names. A drive goes by its place first, then by its identity, then by its serial number.
    ///
    /// # Errors
    ///
    /// When it names nothing, or more than one drive.
    pub fn parse(text: &str, catalog: &Catalog, serials: &Serials) -> Result<Self, NotAway> {
        let form = || NotAway::Form { given: text.to_owned() };
        let (kind, name) = text.split_once(':').ok_or_else(form)?;
        if name.is_empty() {
            return Err(form());
        }
        match kind {
            "disk" => disk(name, catalog, serials).map(Self::Disk),
            "node" => node(name, catalog)
                .map(Self::Node)
                .ok_or_else(|| unknown_node(name, catalog)),
            "link" if name.contains('-') => link(name, catalog),
            _ => Err(form()),
        }
    }
}

fn node(name: &str, catalog: &Catalog) -> Option<NodeIndex> {
    catalog.find_node(&name.into())
}

fn unknown_node(name: &str, catalog: &Catalog) -> NotAway {
    NotAway::Unknown {
        what: "node",
        name: name.to_owned(),
        known: catalog.nodes().iter().map(ToString::to_string).collect(),
    }
}

/// As answers show a drive.
fn full(catalog: &Catalog, at: usize) -> String {
    let disk = &catalog.disks()[at];
    format!("{}/{}", disk.node, disk.name)
}

fn place(name: &str, catalog: &Catalog) -> Option<usize> {
    (0..catalog.disks().len()).find(|&at| full(catalog, at) == name)
}

/// Identities (UniqueId of Windows) are hexadecimal, and written in either case.
fn identity(name: &str, catalog: &Catalog) -> Option<usize> {
    let mut disks = catalog.disks().iter();
    disks.position(|disk| disk.id.as_str().eq_ignore_ascii_case(name))
}

fn disk(name: &str, catalog: &Catalog, serials: &Serials) -> Result<DiskIndex, NotAway> {
    if let Some(at) = place(name, catalog).or_else(|| identity(name, catalog)) {
        return Ok(DiskIndex(at as u32));
    }
    // Drives pad their numbers with blanks.
    let is_it = |serial: &str| serial.trim().eq_ignore_ascii_case(name.trim());
    let mut found: BTreeSet<usize> = BTreeSet::new();
    for (_, ids) in serials.iter().filter(|(serial, _)| is_it(serial)) {
        found.extend(ids.iter().filter_map(|id| identity(id, catalog)));
    }
    let found: Vec<usize> = found.into_iter().collect();
    match found[..] {
        [at] => Ok(DiskIndex(at as u32)),
        [] => Err(NotAway::Unknown {
            what: "disk",
            name: name.to_owned(),
            known: (0..catalog.disks().len()).map(|at| full(catalog, at)).collect(),
        }),
        _ => Err(NotAway::Several {
            serial: name.to_owned(),
            disks: found.into_iter().map(|at| full(catalog, at)).collect(),
        }),
    }
}

/// Names of nodes may have hyphens too: wherever both sides are nodes.
fn link(name: &str, catalog: &Catalog) -> Result<Away, NotAway> {
    let pairs = name.match_indices('-').map(|(at, _)| (&name[..at], &name[at + 1..]));
    let mut found = pairs.filter_map(|(one, other)| Some((node(one, catalog)?, node(other, catalog)?)));
    match found.next().filter(|(one, other)| one != other) {
        Some((one, other)) => Ok(Away::Link(one.min(other), one.max(other))),
        None => Err(NotAway::Unknown {
            what: "link",
            name: name.to_owned(),
            known: catalog.nodes().iter().map(ToString::to_string).collect(),
        }),
    }
}
