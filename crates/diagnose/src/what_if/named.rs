//! How people name what could have been away: `disk:NODE/DISK`, `link:NODE-NODE`, `node:NODE`.

use fathom_model::{Catalog, DiskIndex, NodeIndex};

use super::Away;

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
}

impl std::fmt::Display for NotAway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Form { given } => write!(
                f,
                "`{given}` is none of disk:NODE/DISK, link:NODE-NODE, node:NODE and, where a coordinator is asked, job:JOB; such as disk:t1/disk0"
            ),
            Self::Unknown { what, name, known } => {
                write!(f, "there is no {what} `{name}` (known: {})", known.join(", "))
            }
        }
    }
}

impl std::error::Error for NotAway {}

impl Away {
    /// What a text names.
    ///
    /// # Errors
    ///
    /// When it names nothing.
    pub fn parse(text: &str, catalog: &Catalog) -> Result<Self, NotAway> {
        let form = || NotAway::Form { given: text.to_owned() };
        let (kind, name) = text.split_once(':').ok_or_else(form)?;
        if name.is_empty() {
            return Err(form());
        }
        match kind {
            "disk" if name.contains('/') => disk(name, catalog).map(Self::Disk),
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

fn disk(name: &str, catalog: &Catalog) -> Result<DiskIndex, NotAway> {
    let full = |at: usize| {
        let disk = &catalog.disks()[at];
        format!("{}/{}", disk.node, disk.name)
    };
    let found = (0..catalog.disks().len()).find(|&at| full(at) == name);
    found.map(|at| DiskIndex(at as u32)).ok_or_else(|| NotAway::Unknown {
        what: "disk",
        name: name.to_owned(),
        known: (0..catalog.disks().len()).map(full).collect(),
    })
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
