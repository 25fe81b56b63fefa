//! What of a selection is not there.
//!
//! A name that is written out and that nothing has is a slip of whoever wrote it, or a cluster that is gone: an answer about the others alone
//! would look whole. So it is told, and the answer is partial. A pattern or a label selects what there is, be it nothing: that is told, too,
//! and no more.

use fathom_proto::fleet::v1 as wire;
use serde_json::{Value, json};

use crate::client::Client;
use crate::error::Result;
use crate::exit::Code;
use crate::render::table::one_line;
use crate::scope::tell;

/// What was asked for and is not there.
#[derive(Debug, Default)]
pub(super) struct Absent {
    names: Vec<Name>,
    /// Patterns and labels that nothing fits.
    patterns: Vec<String>,
}

/// A site, or a cluster, that was named.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    /// `None`: of a cluster none was said.
    site: Option<String>,
    /// `None`: it is a site.
    cluster: Option<String>,
}

impl Absent {
    /// What of a selection that something fits is not there; `clusters` are those that fit, where they were listed.
    pub(super) async fn of(
        client: &Client,
        selection: &wire::Selection,
        clusters: Option<&[wire::ClusterStatus]>,
    ) -> Result<Self> {
        // Of one thing something fits.
        if selection.terms.len() <= 1 && selection.sites.len() <= 1 {
            return Ok(Self::default());
        }
        let listed;
        let clusters = match clusters {
            Some(clusters) => clusters,
            None => {
                listed = client.clusters(selection.clone()).await?;
                &listed
            }
        };
        let sites = match selection.sites.is_empty() {
            true => Vec::new(),
            false => {
                let of_sites = wire::Selection {
                    sites: selection.sites.clone(),
                    ..wire::Selection::default()
                };
                client.sites(of_sites).await?
            }
        };
        let mut absent = Self::named(selection, clusters, &sites);
        // Those that are no names are for the fleet to decide.
        for term in selection.terms.iter().filter(|term| name_of(term).is_none()) {
            let alone = wire::Selection {
                terms: vec![term.clone()],
                sites: selection.sites.clone(),
            };
            if !client.has_clusters(alone).await? {
                absent.patterns.push(term.clone());
            }
        }
        Ok(absent)
    }

    /// The names that none of these has.
    fn named(selection: &wire::Selection, clusters: &[wire::ClusterStatus], sites: &[wire::SiteStatus]) -> Self {
        let mut names: Vec<Name> = Vec::new();
        let mut add = |name: Name| {
            if !names.contains(&name) {
                names.push(name);
            }
        };
        let own_sites = selection.sites.iter().filter(|site| !site.contains(['*', '?']));
        for site in own_sites.filter(|own| !sites.iter().any(|site| site.site == **own)) {
            add(Name {
                site: Some(site.clone()),
                cluster: None,
            });
        }
        for (site, cluster) in selection.terms.iter().filter_map(|term| name_of(term)) {
            let is_it = |own: &wire::ClusterStatus| own.cluster == cluster && site.is_none_or(|site| own.site == site);
            if !clusters.iter().any(is_it) {
                add(Name {
                    site: site.map(str::to_owned),
                    cluster: Some(cluster.to_owned()),
                });
            }
        }
        Self {
            names,
            patterns: Vec::new(),
        }
    }

    /// Says it; the exit code that this means.
    pub(super) fn note(&self) -> Code {
        for pattern in &self.patterns {
            tell!("no cluster is what `{}` selects", one_line(pattern));
        }
        for name in &self.names {
            tell!("partial: {}", name.says());
        }
        if self.names.is_empty() {
            Code::Fine
        } else {
            Code::Partial
        }
    }

    /// As rows of `missing` of an answer about several clusters.
    pub(super) fn missing(&self) -> Vec<Value> {
        let rows = self.names.iter().map(|name| {
            json!({
                "site": name.site, "cluster": name.cluster, "cause": "unknown", "reason": name.reason(), "since_unix_ns": null,
                "error": name.says(), "last": null,
            })
        });
        rows.collect()
    }

    /// As a list of their own, in an answer about the fleet.
    pub(super) fn unknown(&self) -> Vec<Value> {
        let rows = self.names.iter();
        let rows = rows.map(|name| json!({"site": name.site, "cluster": name.cluster, "reason": name.reason()}));
        rows.collect()
    }
}

impl Name {
    fn says(&self) -> String {
        match (&self.site, &self.cluster) {
            (Some(site), Some(cluster)) => {
                format!(
                    "there is no cluster `{}/{}` among those that are meant",
                    one_line(site),
                    one_line(cluster)
                )
            }
            (None, Some(cluster)) => format!("there is no cluster `{}` among those that are meant", one_line(cluster)),
            (site, None) => format!("there is no site `{}`", one_line(site.as_deref().unwrap_or_default())),
        }
    }

    /// The reason that a question about it would be refused with.
    const fn reason(&self) -> &'static str {
        match self.cluster {
            Some(_) => "NO_CLUSTER",
            None => "NO_SITE",
        }
    }
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
