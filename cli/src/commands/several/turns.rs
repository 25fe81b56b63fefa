//! Who is asked next where many are: one site after the other, and none takes more than its share of those that are asked at once. A site that
//! hangs keeps its own clusters waiting, and nobody else's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// So many clusters are asked at once.
const AT_ONCE: usize = 16;

/// Where there are more sites than that one of each is asked at once, of so many sites.
const MOST: usize = 64;

/// All that are to be asked.
pub(super) struct Turns {
    sites: Mutex<Vec<Site>>,
    /// Told whenever a question is over.
    over: Condvar,
    at_once: usize,
}

/// The clusters of a site.
#[derive(Default)]
struct Site {
    waiting: VecDeque<usize>,
    open: usize,
    asked: usize,
}

/// Somebody is asked, until this is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    site: usize,
    /// The number of the cluster.
    pub(super) at: usize,
}

impl Turns {
    /// Clusters by their numbers, of each its site.
    pub(super) fn new<'a>(sites: impl Iterator<Item = &'a str>) -> Self {
        let mut by_site: BTreeMap<&str, Site> = BTreeMap::new();
        let mut count = 0;
        for (at, site) in sites.enumerate() {
            by_site.entry(site).or_default().waiting.push_back(at);
            count = at + 1;
        }
        let at_once = AT_ONCE.max(by_site.len().min(MOST)).min(count);
        Self {
            sites: Mutex::new(by_site.into_values().collect()),
            over: Condvar::new(),
            at_once,
        }
    }

    /// So many threads have something to do.
    pub(super) const fn at_once(&self) -> usize {
        self.at_once
    }

    /// Who is asked next, once somebody may be; `None` where all are or were.
    pub(super) fn next(&self) -> Option<Turn<'_>> {
        let mut sites = self.lock();
        loop {
            // It only grows: whatever a site has taken of it leaves the others theirs.
            let unfinished = sites.iter().filter(|site| site.open > 0 || !site.waiting.is_empty());
            let share = (self.at_once / unfinished.count().max(1)).max(1);
            let may = |site: &Site| !site.waiting.is_empty() && site.open < share;
            let next = (sites.iter_mut().enumerate())
                .filter(|(_, site)| may(site))
                .min_by_key(|(_, site)| (site.open, site.asked));
            if let Some((site, own)) = next
                && let Some(at) = own.waiting.pop_front()
            {
                own.open += 1;
                own.asked += 1;
                return Some(Turn { turns: self, site, at });
            }
            if sites.iter().all(|site| site.waiting.is_empty()) {
                return None;
            }
            sites = self.over.wait(sites).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Site>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(site) = self.turns.lock().get_mut(self.site) {
            site.open -= 1;
        }
        self.turns.over.notify_all();
    }
}
