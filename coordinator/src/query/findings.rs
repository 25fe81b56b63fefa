//! Findings from the store.

use std::collections::BTreeMap;

use fathom_model::finding::{Change, Finding};
use fathom_store::read_changes;

use crate::error::Result;
use crate::ingest::{Cluster, View};

/// Changes with numbers above one, as records have them. Blocks: files are read.
pub(crate) fn changes_after(cluster: &Cluster, view: &View, after: u64) -> Result<Vec<Change>> {
    let runtime = tokio::runtime::Handle::current();
    Ok(runtime.block_on(read_changes(&cluster.blobs, &view.files, after))?)
}

/// All findings there ever were: as their last change left them, or as the record has them. Blocks: files are read.
pub(crate) fn every(cluster: &Cluster, view: &View, recent: Vec<Finding>) -> Result<Vec<Finding>> {
    let mut findings: BTreeMap<String, Finding> = BTreeMap::new();
    for change in changes_after(cluster, view, 0)? {
        findings.insert(change.finding.id.clone(), change.finding);
    }
    // The record's are as fresh as its rows.
    findings.extend(recent.into_iter().map(|finding| (finding.id.clone(), finding)));
    Ok(findings.into_values().collect())
}
