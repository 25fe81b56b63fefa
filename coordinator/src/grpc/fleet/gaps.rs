//! What of a selection is not there.
//!
//! A name that is written out and that nothing has is a slip of whoever wrote it, or a cluster that is gone: an answer about the others alone
//! would look whole. A pattern or a label selects what there is, be it nothing: that is told, too, and no more.

use fathom_model::rollup::ClusterKey;
use fathom_proto::fleet::v1 as wire;
use fathom_rollup::Selection;

use crate::fleet::sites::Known;

/// What of a selection is not there.
pub(super) fn gaps(known: &Known, selection: &wire::Selection) -> wire::SelectionGaps {
    // Of one thing there is an answer or none.
    if selection.terms.len() <= 1 && selection.sites.len() <= 1 {
        return wire::SelectionGaps::default();
    }
    let mut unknown: Vec<wire::UnknownName> = Vec::new();
    let mut add = |site: &str, cluster: &str, reason: &str| {
        let name = wire::UnknownName {
            site: site.to_owned(),
            cluster: cluster.to_owned(),
            reason: reason.to_owned(),
        };
        if !unknown.contains(&name) {
            unknown.push(name);
        }
    };
    for site in selection.sites.iter().filter(|site| !site.contains(['*', '?'])) {
        if !known.sites().any(|(name, _)| name == site) {
            add(site, "", "NO_SITE");
        }
    }
    let mut empty_terms = Vec::new();
    for term in &selection.terms {
        let Ok(alone) = Selection::parse(std::slice::from_ref(term), &selection.sites) else {
            continue;
        };
        let is_there = known.sites().any(|(name, site)| {
            let mut clusters = site.clusters.iter();
            clusters.any(|(cluster, own)| alone.has(&ClusterKey::new(name, cluster.as_str()), &site.labels_of(own)))
        });
        match name_of(term) {
            _ if is_there => {}
            Some((site, cluster)) => add(site.unwrap_or_default(), cluster, "NO_CLUSTER"),
            None => empty_terms.push(term.clone()),
        }
    }
    wire::SelectionGaps { unknown, empty_terms }
}

/// Site and cluster of a term that is a name, written out; `None` where it is a pattern or a label.
fn name_of(term: &str) -> Option<(Option<&str>, &str)> {
    let term = term.trim();
    if term.contains(['*', '?', '=', ',']) {
        return None;
    }
    Some(match term.split_once('/') {
        Some((site, cluster)) => (Some(site), cluster),
        None => (None, term),
    })
}

#[cfg(test)]
mod tests;
