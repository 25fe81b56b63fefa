//! Who is asked next where many are: one site after the other, and none takes more than its share of those that are asked at once. A site that
//! hangs keeps its own clusters waiting, and nobody else's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// So many clusters are asked at once.
const AT_ONCE: usize = 16;

/// Where there are more sites than that one of each is asked at once, of so many sites.
const MOST: usize = 64;

/// All that are to be asked.
#[derive(Debug)]
pub(super) struct Turns {
    sites: Mutex<Vec<Site>>,
    /// Told whenever a question is over.
    over: Notify,
    at_once: usize,
}

/// The clusters of a site.
#[derive(Debug, Default)]
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
    pub(super) fn new<'a>(clusters: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let mut by_site: BTreeMap<&str, Site> = BTreeMap::new();
        let mut count = 0;
        for (at, site) in clusters {
            by_site.entry(site).or_default().waiting.push_back(at);
            count += 1;
        }
        let at_once = AT_ONCE.max(by_site.len().min(MOST)).min(count);
        Self {
            sites: Mutex::new(by_site.into_values().collect()),
            over: Notify::new(),
            at_once,
        }
    }

    /// So many have something to do.
    pub(super) const fn at_once(&self) -> usize {
        self.at_once
    }

    /// Who is asked next, once somebody may be; `None` where all are or were. Cancel safe.
    pub(super) async fn next(&self) -> Option<Turn<'_>> {
        loop {
            let over = self.over.notified();
            tokio::pin!(over);
            // From here on nothing that ends is missed.
            over.as_mut().enable();
            {
                let mut sites = self.lock();
                if let Some((site, at)) = take(&mut sites, self.at_once) {
                    return Some(Turn { turns: self, site, at });
                }
                if sites.iter().all(|site| site.waiting.is_empty()) {
                    return None;
                }
            }
            over.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Site>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Site and cluster of who is asked next; `None` where nobody may be now.
fn take(sites: &mut [Site], at_once: usize) -> Option<(usize, usize)> {
    // It only grows: whatever a site has taken of it leaves the others theirs.
    let unfinished = sites.iter().filter(|site| site.open > 0 || !site.waiting.is_empty());
    let share = (at_once / unfinished.count().max(1)).max(1);
    let may = |site: &Site| !site.waiting.is_empty() && site.open < share;
    let next = (sites.iter_mut().enumerate())
        .filter(|(_, site)| may(site))
        .min_by_key(|(_, site)| (site.open, site.asked));
    let (site, own) = next?;
    let at = own.waiting.pop_front()?;
    own.open += 1;
    own.asked += 1;
    Some((site, at))
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(site) = self.turns.lock().get_mut(self.site) {
            site.open -= 1;
        }
        self.turns.over.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
