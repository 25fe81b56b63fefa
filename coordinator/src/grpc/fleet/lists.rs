//! Sites and clusters, as lists.

use fathom_model::rollup::ClusterKey;
use fathom_proto::fleet::v1 as wire;
use fathom_rollup::Selection;
use fathom_runtime::clock::{Clock, SystemClock};

use super::unheard;
use crate::fleet::sites::{Known, Reach, Site};

/// So many of the findings that were open when a cluster was last heard are given.
const LAST_FINDINGS: usize = 20;

/// How a cluster is called that its site does not serve any more.
const WITHDRAWN: &str = "withdrawn";

pub(super) fn site_status(name: &str, site: &Site) -> wire::SiteStatus {
    wire::SiteStatus {
        site: name.to_owned(),
        reach: site.reach().as_str().to_owned(),
        heard_unix_nanos: site.heard_unix_nanos,
        missing_since_unix_nanos: site.missing_since(),
        labels: site.labels.clone(),
        version: site.version.clone(),
        clusters: u32::try_from(site.served().count()).unwrap_or(u32::MAX),
        policy: site.policy.clone(),
        refused_twin_unix_nanos: site.twice_unix_nanos,
    }
}

/// The clusters that are meant. The names by which they are paged sort as site and cluster do.
pub(super) fn clusters(known: &Known, selection: &Selection, with_last: bool) -> Vec<(String, wire::ClusterStatus)> {
    let now = SystemClock.now_unix_nanos();
    let mut found = Vec::new();
    for (site, of_site) in known.sites() {
        for (cluster, of_cluster) in &of_site.clusters {
            let key = ClusterKey::new(site, cluster.as_str());
            let labels = of_site.labels_of(of_cluster);
            if !selection.has(&key, &labels) {
                continue;
            }
            let findings = of_cluster.findings.as_ref();
            let entry = known.fleet().cluster_entry(&key, now);
            let is_withdrawn = of_cluster.withdrawn_since_unix_nanos.is_some();
            let (state, reason) = match entry {
                // Whoever cannot be reached is not known now, however short that is.
                _ if of_site.missing_since().is_some() => ("unknown".to_owned(), format!("site {site} is missing")),
                _ if is_withdrawn => ("unknown".to_owned(), format!("site {site} does not serve it any more")),
                Some(entry) => (entry.state.as_str().to_owned(), entry.reason),
                None => ("unknown".to_owned(), String::new()),
            };
            let missing_since_unix_nanos = of_site.cluster_missing_since(of_cluster);
            let is_last_asked = with_last && missing_since_unix_nanos.is_some();
            let status = wire::ClusterStatus {
                site: site.to_owned(),
                cluster: cluster.clone(),
                address: known.address(site, cluster),
                labels,
                reach: match of_site.reach() {
                    Reach::Connected if is_withdrawn => WITHDRAWN.to_owned(),
                    reach => reach.as_str().to_owned(),
                },
                heard_unix_nanos: of_site.heard_unix_nanos,
                missing_since_unix_nanos,
                open_findings: findings.map(|findings| u32::try_from(findings.open.len()).unwrap_or(u32::MAX)),
                findings_sequence: findings.map(|findings| findings.sequence),
                state,
                reason,
                last_findings: findings
                    .filter(|_| is_last_asked)
                    .map_or_else(Vec::new, |findings| findings.costliest(LAST_FINDINGS)),
            };
            found.push((format!("{site}\0{cluster}"), status));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Whether a site is meant: it has a cluster that is, or sites alone were named and it is one of them.
pub(super) fn is_meant(name: &str, site: &Site, selection: &Selection) -> bool {
    let mut clusters = site.clusters.iter();
    selection.is_all()
        || (selection.is_of_sites() && selection.may_have_site(name))
        || clusters.any(|(cluster, of)| selection.has(&ClusterKey::new(name, cluster.as_str()), &site.labels_of(of)))
}

/// Sites that are missing, with clusters that are meant.
pub(super) fn missing(known: &Known, selection: &Selection) -> Vec<wire::SiteStatus> {
    let missing = known.sites().filter(|(_, site)| site.missing_since().is_some());
    let meant = missing.filter(|(name, site)| is_meant(name, site, selection));
    meant.map(|(name, site)| site_status(name, site)).collect()
}

/// Clusters that are meant and that their sites, which are connected, do not serve any more.
pub(super) fn withdrawn(known: &Known, selection: &Selection) -> Vec<wire::UnheardCluster> {
    let connected = known.sites().filter(|(_, site)| site.missing_since().is_none());
    let clusters = connected.flat_map(|(name, site)| site.clusters.iter().map(move |own| (name, site, own)));
    let withdrawn = clusters.filter_map(|(name, site, (cluster, own))| {
        let since = own.withdrawn_since_unix_nanos?;
        let key = ClusterKey::new(name, cluster.as_str());
        selection.has(&key, &site.labels_of(own)).then_some((key, Some(since)))
    });
    unheard(withdrawn.collect())
}
