//! What is said of how it is against how it usually is.

use fathom_model::Catalog;
use fathom_model::Op;
use fathom_model::baseline::{Place, Share, Subject};
use fathom_model::report::{Culprit, Evidence};
use fathom_model::unit::show_nanos;

use super::{HOUR_NANOS, Pasts, Recent, Usual, told};

/// How a comparison with the past begins among evidence: the last one stands.
pub(crate) const BEGINS: &str = "against its own past: ";

/// What I/Os take at a place against what is usual there.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Of what.
    pub subject: Subject,
    /// Which latency.
    pub share: Share,
    /// What it is.
    pub nanos: u64,
    /// Of how many I/Os.
    pub count: u64,
    /// What is usual.
    pub usual: Usual,
}

/// Of the classes of writes at some places, of which something was learnt, the one that most writes are of.
#[must_use]
pub fn compare(pasts: &Pasts, recent: &Recent, places: &[Place], catalog: &Catalog) -> Option<Comparison> {
    let all = recent.all(catalog).into_iter();
    let there = all.filter(|(subject, _)| subject.op == Op::Write && places.contains(&subject.place));
    let compared = there.filter_map(|(subject, values)| {
        let usual = pasts.usual(&subject);
        if !usual.is_learnt {
            return None;
        }
        let shares = [Share::P99, Share::P50].into_iter();
        let mut known = shares.filter(|share| usual.of(*share).is_some());
        let (share, nanos) = known.find_map(|share| Some((share, told(&values, share)?)))?;
        Some(Comparison {
            subject,
            share,
            nanos,
            count: values.count(),
            usual,
        })
    });
    // Recent values come in no order.
    compared.max_by(|a, b| (a.count, &b.subject).cmp(&(b.count, &a.subject)))
}

impl Comparison {
    /// In words, as evidence.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        Evidence {
            text: format!("{BEGINS}{}", self.text()),
            writes: Vec::new(),
        }
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let at = match &self.subject.place {
            Place::Cluster => "in the cluster".to_owned(),
            Place::Volume(volume) => format!("to {volume}"),
            Place::Node(node) => format!("at the bus target of {node}"),
            Place::Pair { from, to } => format!("sent from {from} to {to}"),
            Place::Disk { .. } => "at the drive".to_owned(),
        };
        let usual = self.usual.of(self.share).map_or_else(String::new, |usual| {
            let learnt = show_learnt(self.usual.learnt_nanos);
            format!("; usual here {}, learnt over {learnt}", show_nanos(usual))
        });
        let band = self.usual.band.filter(|band| band.of == self.share);
        let band = band.map_or_else(String::new, |band| {
            format!("; published band under {}", show_nanos(band.below_nanos))
        });
        format!(
            "{} of writes of {} {at} {}{usual}{band}",
            self.share.as_str(),
            self.subject.size.words(),
            show_nanos(self.nanos),
        )
    }
}

/// How much time was learnt of, in words.
fn show_learnt(nanos: u64) -> String {
    let hours = nanos / HOUR_NANOS.unsigned_abs();
    match hours {
        0..48 => format!("{hours} h"),
        more => format!("{} days", more / 24),
    }
}

/// Where what is found shows: its own copies, and where it has none the volume that waited the most.
#[must_use]
pub fn places(kind: &str, node: &str, disk: Option<&str>, peer: Option<&str>, volume: Option<&str>) -> Vec<Place> {
    let text = str::to_owned;
    match (kind, disk, peer) {
        ("disk", Some(disk), _) => vec![Place::Disk {
            node: text(node),
            disk: text(disk),
        }],
        ("link" | "unknown", _, Some(peer)) => vec![
            Place::Pair {
                from: text(peer),
                to: text(node),
            },
            Place::Pair {
                from: text(node),
                to: text(peer),
            },
        ],
        ("node", ..) => vec![Place::Node(text(node))],
        _ => volume.map(|volume| Place::Volume(text(volume))).into_iter().collect(),
    }
}

/// Where a culprit shows.
#[must_use]
pub fn of_culprit(culprit: &Culprit) -> Vec<Place> {
    let node = culprit.node.as_deref().unwrap_or_default();
    places(
        &culprit.kind,
        node,
        culprit.disk.as_deref(),
        culprit.peer.as_deref(),
        None,
    )
}
