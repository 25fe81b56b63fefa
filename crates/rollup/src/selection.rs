//! Which clusters: by name, glob, label and site.
//!
//! A term is what `--cluster` takes: several parts with commas between them, all of which a cluster has to fit.
//!
//! | part | fits |
//! |---|---|
//! | `cluster7`, `prod-*`, `c?` | clusters by name: `*` is any text, `?` one character |
//! | `berlin/c*` | the same at sites by name |
//! | `env=prod`, `env=*` | clusters with that label; `label=env=prod` is the same |
//!
//! A cluster is selected that fits any of the terms, and any of the sites where sites are given. Names are compared with case. A name that
//! itself has a comma, an equals sign or a slash is meant by a whole term that is its name, or SITE/NAME; in a part, such a character is written
//! as `?`.

use std::collections::BTreeMap;

use fathom_model::rollup::{ClusterKey, LONGEST_TEXT};

/// Which clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Empty: all.
    terms: Vec<Vec<Part>>,
    /// Terms that are the whole name of a cluster, where there is one whose name has such characters.
    literals: Vec<String>,
    /// Empty: at all sites.
    sites: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// This one, whatever characters its names have.
    Key(ClusterKey),
    Name {
        site: Option<String>,
        cluster: String,
    },
    Label {
        name: String,
        value: String,
    },
}

/// Why a text selects nothing that could be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is nothing between two commas, before a slash or an equals sign.
    #[error("`{term}` has an empty part: give a name such as `prod-*`, `SITE/NAME` or `LABEL=VALUE`")]
    Empty {
        /// What was given.
        term: String,
    },
    /// It is longer than any name or label.
    #[error("a selection of {bytes} bytes is longer than any name: at most {limit}")]
    Long {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// It would break lines of logs and tables.
    #[error("a selection has no control characters, and this one has U+{code:04X}")]
    Control {
        /// The character's number in Unicode.
        code: u32,
    },
    /// There are too many.
    #[error("there are {given} selections, at most {limit} are taken")]
    Many {
        /// How many.
        given: usize,
        /// How many may be.
        limit: usize,
    },
}

/// So many terms, and so many sites.
const MOST: usize = 1000;

impl Selection {
    /// All clusters.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// One cluster.
    #[must_use]
    pub fn one(key: &ClusterKey) -> Self {
        Self {
            terms: vec![vec![Part::Key(key.clone())]],
            literals: Vec::new(),
            sites: Vec::new(),
        }
    }

    /// From what somebody wrote; no terms are all clusters, no sites all sites.
    ///
    /// # Errors
    ///
    /// When a term is empty, too long, or not of the form that the module describes.
    pub fn parse<T: AsRef<str>, S: AsRef<str>>(terms: &[T], sites: &[S]) -> Result<Self, Error> {
        let given = terms.len().max(sites.len());
        if given > MOST {
            return Err(Error::Many { given, limit: MOST });
        }
        let sites = sites.iter().map(|site| checked(site.as_ref()).map(str::to_owned));
        Ok(Self {
            terms: terms
                .iter()
                .map(|term| term_of(term.as_ref()))
                .collect::<Result<_, _>>()?,
            literals: (terms.iter().map(AsRef::as_ref))
                .filter(|term| term.contains([',', '=', '/']) && !term.contains(['*', '?']))
                .map(str::to_owned)
                .collect(),
            sites: sites.collect::<Result<_, _>>()?,
        })
    }

    /// Whether it is every cluster, whatever there is.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.terms.is_empty() && self.sites.is_empty()
    }

    /// Whether a cluster is among them.
    #[must_use]
    pub fn has(&self, key: &ClusterKey, labels: &BTreeMap<String, String>) -> bool {
        let at_site = self.sites.is_empty() || self.sites.iter().any(|site| fits(site, &key.site));
        let fits_part = |part: &Part| match part {
            Part::Key(own) => own == key,
            Part::Name { site, cluster } => {
                site.as_ref().is_none_or(|site| fits(site, &key.site)) && fits(cluster, &key.cluster)
            }
            Part::Label { name, value } => labels.get(name).is_some_and(|own| fits(value, own)),
        };
        let is_literal = |own: &String| {
            let of_site = own
                .strip_prefix(key.site.as_str())
                .and_then(|rest| rest.strip_prefix('/'));
            *own == key.cluster || of_site == Some(key.cluster.as_str())
        };
        at_site
            && (self.terms.is_empty()
                || self.terms.iter().any(|parts| parts.iter().all(fits_part))
                || self.literals.iter().any(is_literal))
    }

    /// Whether it names sites alone.
    #[must_use]
    pub const fn is_of_sites(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether what fits may come to fit no more: labels change, names do not.
    #[must_use]
    pub fn is_by_label(&self) -> bool {
        let mut parts = self.terms.iter().flatten();
        parts.any(|part| matches!(part, Part::Label { .. }))
    }

    /// Whether clusters of a site may be among them, but for one that has the name of another site and a slash in its own.
    #[must_use]
    pub fn may_have_site(&self, site: &str) -> bool {
        let named = |part: &Part| match part {
            Part::Key(own) => own.site == site,
            Part::Name { site: Some(own), .. } => fits(own, site),
            Part::Name { site: None, .. } | Part::Label { .. } => true,
        };
        let at_site = self.sites.is_empty() || self.sites.iter().any(|own| fits(own, site));
        at_site && (self.terms.is_empty() || self.terms.iter().any(|parts| parts.iter().all(named)))
    }
}

fn checked(text: &str) -> Result<&str, Error> {
    if text.is_empty() {
        return Err(Error::Empty { term: text.to_owned() });
    }
    if text.len() > 2 * LONGEST_TEXT {
        return Err(Error::Long {
            bytes: text.len(),
            limit: 2 * LONGEST_TEXT,
        });
    }
    match text.chars().find(|character| character.is_control()) {
        Some(character) => Err(Error::Control {
            code: u32::from(character),
        }),
        None => Ok(text),
    }
}

fn term_of(text: &str) -> Result<Vec<Part>, Error> {
    let empty = || Error::Empty { term: text.to_owned() };
    let part = |part: &str| {
        let part = part.trim();
        // `label=NAME=VALUE`; of `label=VALUE` the label's name is `label`.
        let part = part
            .strip_prefix("label=")
            .filter(|rest| rest.contains('='))
            .unwrap_or(part);
        if let Some((name, value)) = part.split_once('=') {
            return (!name.is_empty()).then(|| Part::Label {
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
        let (site, cluster) = match part.split_once('/') {
            Some((site, cluster)) => (Some(site), cluster),
            None => (None, part),
        };
        (!cluster.is_empty() && site != Some("")).then(|| Part::Name {
            site: site.map(str::to_owned),
            cluster: cluster.to_owned(),
        })
    };
    checked(text)?
        .split(',')
        .map(|own| part(own).ok_or_else(empty))
        .collect()
}

/// Whether a text is what a pattern says. At most as many steps as both have characters, multiplied: after a mismatch only the last `*`
/// takes one more.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut to, mut star) = (0, 0, None);
    while to < text.len() {
        match pattern.get(at) {
            Some('*') => {
                at += 1;
                star = Some((at, to));
            }
            Some(own) if *own == '?' || *own == text[to] => (at, to) = (at + 1, to + 1),
            _ => {
                let Some((after, taken)) = star else { return false };
                star = Some((after, taken + 1));
                (at, to) = (after, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|own| *own == '*')
}

#[cfg(test)]
mod tests;
