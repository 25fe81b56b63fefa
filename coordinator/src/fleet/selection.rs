//! Which clusters are meant: by names and labels with `*` and `?`.

use std::collections::BTreeMap;

use fathom_proto::fleet::v1 as wire;
use tonic::Status;

use crate::grpc::status;

/// A checked selection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    clusters: Vec<String>,
    sites: Vec<String>,
    labels: Vec<(String, String)>,
}

impl Selection {
    pub(crate) fn from_wire(selection: Option<wire::Selection>) -> Result<Self, Status> {
        let selection = selection.unwrap_or_default();
        let labels = selection.labels.iter().map(|label| {
            let parts = label.split_once('=').filter(|(key, _)| !key.is_empty());
            let (key, value) = parts
                .ok_or_else(|| status::invalid(format!("selection.labels: `{label}` is not of the form KEY=VALUE")))?;
            Ok((key.to_owned(), value.to_owned()))
        });
        Ok(Self {
            labels: labels.collect::<Result<_, Status>>()?,
            clusters: selection.clusters,
            sites: selection.sites,
        })
    }

    /// Whether a cluster is meant. Its labels go before those of its site.
    pub(crate) fn has(
        &self,
        site: &str,
        cluster: &str,
        of_site: &BTreeMap<String, String>,
        of_cluster: &BTreeMap<String, String>,
    ) -> bool {
        let label = |key: &str| of_cluster.get(key).or_else(|| of_site.get(key));
        let is_named = |pattern: &String| matches(pattern, cluster) || matches(pattern, &format!("{site}/{cluster}"));
        (self.sites.is_empty() || self.sites.iter().any(|pattern| matches(pattern, site)))
            && (self.clusters.is_empty() || self.clusters.iter().any(is_named))
            && (self.labels.iter()).all(|(key, value)| label(key).is_some_and(|found| matches(value, found)))
    }
}

/// Whether a text is of a pattern: `*` stands for any text, `?` for one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // The last star, and how much of the text it stands for so far.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                at = place + 1;
                seen = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests;
