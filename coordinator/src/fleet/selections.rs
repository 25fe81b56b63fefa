//! Selections under names, for everybody who asks this coordinator. They stand in a file of the store: what was said to be saved is on the disk.
//!
//! A saved selection may have others in it. What is saved can always be expanded: one that has itself in it, or one that is not there, is not
//! saved, and one that others have in them is not deleted.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fathom_proto::fleet::v1 as wire;
use fathom_rollup::Selection;
use prost::Message;
use tonic::Status;

use super::{file, kept};
use crate::grpc::status;

/// Where it is in the folder of the fleet.
const FILE: &str = "selections.pb";

/// The file begins with this.
const MAGIC: &[u8; 8] = b"FTHSELE1";

/// Most selections.
const MOST: usize = 1000;

/// Most terms of one, with all that is in it in its place.
const MOST_TERMS: usize = 1000;

/// So many requests are known by their ids. Older ones are forgotten: whoever repeats himself does so within minutes.
const REQUESTS: usize = 1000;

/// Longest id of a request.
const LONGEST_ID: usize = 128;

/// Longest name.
const LONGEST_NAME: usize = 64;

/// The saved selections. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Selections {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    by_name: BTreeMap<String, wire::SavedSelection>,
    requests: VecDeque<wire::KeptRequest>,
}

impl Selections {
    /// Those that a predecessor saved.
    pub(crate) fn open(store: &Path) -> std::io::Result<Self> {
        let path = store.join(kept::FOLDER).join(FILE);
        let read: wire::KeptSelections = file::read(&path, MAGIC, "no selection is saved any more")?;
        let by_name = read.selections.into_iter().map(|saved| (saved.name.clone(), saved));
        let kept = Kept {
            by_name: by_name.collect(),
            requests: read.requests.into(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                kept: Mutex::new(kept),
            }),
        })
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<wire::SavedSelection> {
        self.lock().by_name.values().cloned().collect()
    }

    /// What a selection means, with what was saved in the place of its name.
    pub(crate) fn expand(&self, selection: wire::Selection) -> Result<wire::Selection, Status> {
        self.lock().expand(selection)
    }

    /// Saves one under its name, now. Blocks: a file is written.
    pub(crate) fn save(&self, request: wire::SaveSelectionRequest, now: i64) -> Result<wire::SavedSelection, Status> {
        let checksum = crc32fast::hash(&request.encode_to_vec());
        let wire::SaveSelectionRequest {
            name,
            selection,
            request_id,
        } = request;
        let selection = selection.unwrap_or_default();
        check_name(&name)?;
        check_id(&request_id)?;
        let mut kept = self.lock();
        if let Some(done) = kept.done(&request_id, checksum)? {
            return done.saved.clone().ok_or_else(status::other_request);
        }
        if selection.terms.is_empty() && selection.sites.is_empty() {
            return Err(status::invalid_of_fleet(
                "a selection of no terms and no sites would be all clusters: give what it is to be",
            ));
        }
        let saved = wire::SavedSelection {
            name: name.clone(),
            selection: Some(selection.clone()),
            saved_unix_nanos: now,
        };
        let mut next = kept.clone();
        next.by_name.insert(name, saved.clone());
        if next.by_name.len() > MOST {
            return Err(status::too_many_selections(MOST));
        }
        // Of those that have it in them, too: it may have become too much for one, or have one in it.
        for own in next.by_name.values() {
            let whole = next.expand(wire::Selection {
                terms: vec![format!("@{}", own.name)],
                sites: Vec::new(),
            })?;
            let parsed = Selection::parse(&whole.terms, &whole.sites);
            parsed.map_err(|error| status::invalid_of_fleet(format!("selection `{}`: {error}", own.name)))?;
        }
        next.note(wire::KeptRequest {
            request_id,
            checksum,
            saved: Some(saved.clone()),
            was_there: false,
        });
        self.keep(&mut kept, next)?;
        Ok(saved)
    }

    /// Deletes one; whether there was one. Blocks: a file is written.
    pub(crate) fn delete(&self, request: wire::DeleteSelectionRequest) -> Result<bool, Status> {
        let checksum = crc32fast::hash(&request.encode_to_vec());
        let wire::DeleteSelectionRequest { name, request_id } = request;
        check_id(&request_id)?;
        let mut kept = self.lock();
        if let Some(done) = kept.done(&request_id, checksum)? {
            return match done.saved {
                Some(_) => Err(status::other_request()),
                None => Ok(done.was_there),
            };
        }
        let term = format!("@{name}");
        let having = kept.by_name.values().filter(|own| {
            let selection = own.selection.as_ref();
            selection.is_some_and(|selection| selection.terms.iter().any(|own| own.trim() == term))
        });
        let having: Vec<String> = having.map(|own| own.name.clone()).collect();
        if !having.is_empty() {
            return Err(status::selection_used(&name, &having));
        }
        let mut next = kept.clone();
        let was_there = next.by_name.remove(&name).is_some();
        next.note(wire::KeptRequest {
            request_id,
            checksum,
            saved: None,
            was_there,
        });
        self.keep(&mut kept, next)?;
        Ok(was_there)
    }

    /// What is on the disk is what is known: a change that cannot be written did not happen.
    fn keep(&self, kept: &mut Kept, next: Kept) -> Result<(), Status> {
        let whole = wire::KeptSelections {
            selections: next.by_name.values().cloned().collect(),
            requests: next.requests.iter().cloned().collect(),
        };
        file::write(&self.inner.path, MAGIC, std::iter::once(whole)).map_err(|error| status::not_kept(&error))?;
        *kept = next;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The request of this id, where it was done; a fault where the id was another's.
    fn done(&self, id: &str, checksum: u32) -> Result<Option<&wire::KeptRequest>, Status> {
        if id.is_empty() {
            return Ok(None);
        }
        let done = self.requests.iter().find(|done| done.request_id == id);
        match done {
            Some(done) if done.checksum != checksum => Err(status::other_request()),
            done => Ok(done),
        }
    }

    fn note(&mut self, done: wire::KeptRequest) {
        if done.request_id.is_empty() {
            return;
        }
        if self.requests.len() == REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(done);
    }

    fn expand(&self, selection: wire::Selection) -> Result<wire::Selection, Status> {
        let mut terms = Vec::new();
        for term in &selection.terms {
            self.add(term, &mut Vec::new(), &mut terms)?;
        }
        Ok(wire::Selection {
            terms,
            sites: selection.sites,
        })
    }

    /// Adds what a term means, each once; `inside` are the selections that it stands in.
    fn add<'a>(&'a self, term: &'a str, inside: &mut Vec<&'a str>, terms: &mut Vec<String>) -> Result<(), Status> {
        let Some(name) = term.trim().strip_prefix('@').filter(|name| !name.contains(',')) else {
            if term.split(',').any(|part| part.trim().starts_with('@')) {
                return Err(status::invalid_of_fleet(format!(
                    "selection: `{term}`: @NAME of a selection stands alone, without commas; what both select is to be saved as one"
                )));
            }
            if !terms.iter().any(|own| own == term) {
                terms.push(term.to_owned());
            }
            // Before it takes the memory: a few that have each other in them many times would be very many.
            return match terms.len() <= MOST_TERMS {
                true => Ok(()),
                false => Err(status::invalid_of_fleet(format!(
                    "selection: with what was saved under names it has more than {MOST_TERMS} terms"
                ))),
            };
        };
        let saved = self.by_name.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
            status::no_selection(name, &known)
        })?;
        if inside.contains(&name) {
            let way = inside.iter().skip_while(|own| **own != name).chain([&name]);
            let way: Vec<String> = way.map(|own| format!("@{own}")).collect();
            return Err(status::invalid_of_fleet(format!(
                "selection `{name}` has itself in it: {}",
                way.join(" -> ")
            )));
        }
        inside.push(name);
        let (own, sites) = saved
            .selection
            .as_ref()
            .map_or((&[][..], &[][..]), |own| (&own.terms, &own.sites));
        let mut within = Vec::new();
        for term in own {
            self.add(term, inside, &mut within)?;
        }
        inside.pop();
        for term in at_sites(within, sites) {
            self.add(&term, &mut Vec::new(), terms)?;
        }
        Ok(())
    }
}

/// Terms that mean the same at these sites alone: a selection has one list of sites, and one in it has another.
fn at_sites(terms: Vec<String>, sites: &[String]) -> Vec<String> {
    if sites.is_empty() {
        return terms;
    }
    // As names are written that have such a character: a site's has no slash.
    let sites = sites.iter().map(|site| site.replace([',', '=', '@'], "?"));
    let at = sites.flat_map(|site| match terms.is_empty() {
        true => vec![format!("{site}/*")],
        false => (terms.iter())
            .map(|term| match term.contains(['/', '=', ',']) {
                true => format!("{site}/*,{term}"),
                false => format!("{site}/{}", term.trim()),
            })
            .collect(),
    });
    at.collect()
}

fn check_name(name: &str) -> Result<(), Status> {
    let is_one = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_one) {
        return Ok(());
    }
    Err(status::invalid_of_fleet(format!(
        "the name of a selection has 1 to {LONGEST_NAME} letters, digits, `-`, `_` and `.`"
    )))
}

fn check_id(id: &str) -> Result<(), Status> {
    match id.len() <= LONGEST_ID {
        true => Ok(()),
        false => Err(status::invalid_of_fleet(format!(
            "request_id may have {LONGEST_ID} bytes"
        ))),
    }
}

#[cfg(test)]
mod tests;
