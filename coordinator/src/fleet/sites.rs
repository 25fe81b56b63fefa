//! What is known of each site: who it is, whether it is connected, and of its clusters what it told.
//!
//! Pure: messages and times are given to it. Everything is safe to be told twice; what would leave a gap is refused.

use std::collections::BTreeMap;

use fathom_model::check_name;
use fathom_proto::FLEET_PROTOCOL;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::join_request::Message;
use tonic::Status;

use super::Outbox;
use crate::grpc::status;

mod cluster;

pub(crate) use cluster::Cluster;

/// Most clusters of a site, and most labels of anything; each label's bytes.
const CLUSTERS: usize = 10_000;
const LABELS: usize = 64;
const LABEL_BYTES: usize = 256;

/// Everything that is known.
#[derive(Debug, Default)]
pub(crate) struct Known {
    sites: BTreeMap<String, Site>,
    own: String,
}

/// A site.
#[derive(Debug, Default)]
pub(crate) struct Site {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) version: String,
    /// None of this coordinator's own clusters: nobody is asked before they are.
    pub(crate) policy: Option<wire::SitePolicy>,
    /// When it said something last; of a missing site since when it is missing.
    pub(crate) heard_unix_nanos: i64,
    pub(crate) is_own: bool,
    link: Option<Link>,
    pub(crate) clusters: BTreeMap<String, Cluster>,
}

/// A site's connection.
#[derive(Debug)]
struct Link {
    session: u64,
    outbox: Outbox,
}

/// Where a cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At this coordinator, under this name.
    Own(String),
    /// At a site.
    Site { site: String, cluster: String },
    /// Nowhere that is known; there are clusters at these addresses.
    Nowhere { known: Vec<String> },
}

/// How a site can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Own,
    Connected,
    Missing,
}

impl Reach {
    /// As the wire has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Connected => "connected",
            Self::Missing => "missing",
        }
    }
}

impl Site {
    pub(crate) const fn reach(&self) -> Reach {
        match (self.is_own, &self.link) {
            (true, _) => Reach::Own,
            (false, Some(_)) => Reach::Connected,
            (false, None) => Reach::Missing,
        }
    }

    /// Since when it is missing, if it is.
    pub(crate) fn missing_since(&self) -> Option<i64> {
        (self.reach() == Reach::Missing).then_some(self.heard_unix_nanos)
    }

    fn offer(&mut self, offered: wire::OfferedCluster) -> Result<(), Status> {
        check_name(&offered.cluster).map_err(|fault| status::bad_site(format!("a cluster's name {fault}")))?;
        let labels = checked(offered.labels)?;
        if self.clusters.len() >= CLUSTERS && !self.clusters.contains_key(&offered.cluster) {
            return Err(status::bad_site(format!(
                "a site may have {CLUSTERS} clusters; make two of it"
            )));
        }
        self.clusters.entry(offered.cluster).or_default().labels = labels;
        Ok(())
    }
}

impl Known {
    /// What a predecessor kept: all of it is missing.
    pub(crate) fn restore(kept: wire::KeptFleet) -> Self {
        let sites = kept.sites.into_iter().map(|site| {
            let clusters = site.clusters.into_iter().map(Cluster::restore);
            let restored = Site {
                labels: site.labels,
                version: site.version,
                policy: site.policy,
                heard_unix_nanos: site.heard_unix_nanos,
                clusters: clusters.collect(),
                ..Site::default()
            };
            (site.site, restored)
        });
        Self {
            sites: sites.collect(),
            own: String::new(),
        }
    }

    /// What a successor needs.
    pub(crate) fn kept(&self) -> wire::KeptFleet {
        let joined = self.sites.iter().filter(|(_, site)| !site.is_own);
        let sites = joined.map(|(name, site)| wire::KeptSite {
            site: name.clone(),
            labels: site.labels.clone(),
            version: site.version.clone(),
            policy: site.policy.clone(),
            heard_unix_nanos: site.heard_unix_nanos,
            clusters: (site.clusters.iter())
                .map(|(name, cluster)| cluster.kept(name))
                .collect(),
        });
        wire::KeptFleet { sites: sites.collect() }
    }

    /// This coordinator itself, as a site.
    pub(crate) fn add_own(&mut self, name: &str, labels: BTreeMap<String, String>, version: &str) {
        // Where a site of this name had joined before, it may not any more.
        let own = Site {
            labels,
            version: version.to_owned(),
            is_own: true,
            ..Site::default()
        };
        self.sites.insert(name.to_owned(), own);
        name.clone_into(&mut self.own);
    }

    /// All sites by name.
    pub(crate) fn sites(&self) -> impl Iterator<Item = (&str, &Site)> {
        self.sites.iter().map(|(name, site)| (name.as_str(), site))
    }

    /// A site joins. With its welcome comes the connection that it had before.
    pub(crate) fn join(
        &mut self,
        hello: wire::Hello,
        session: u64,
        outbox: Outbox,
        now: i64,
    ) -> Result<(wire::Welcome, Option<(u64, Outbox)>), Status> {
        if hello.protocol_version != FLEET_PROTOCOL {
            return Err(status::fleet_protocol(hello.protocol_version));
        }
        check_name(&hello.site).map_err(|fault| status::bad_site(format!("the site's name {fault}")))?;
        if hello.site.contains(['/', '*', '?']) {
            return Err(status::bad_site(format!(
                "the site's name `{}` has one of / * ? in it, which select clusters",
                hello.site
            )));
        }
        if hello.site == self.own {
            return Err(status::site_is_own(&hello.site));
        }
        let labels = checked(hello.labels)?;
        let mut offered = Site {
            labels,
            version: hello.version,
            policy: Some(hello.policy.unwrap_or_default()),
            heard_unix_nanos: now,
            ..Site::default()
        };
        for cluster in hello.clusters {
            offered.offer(cluster)?;
        }
        let before = self.sites.remove(&hello.site).unwrap_or_default();
        let mut before_clusters = before.clusters;
        for (name, cluster) in &mut offered.clusters {
            if let Some(known) = before_clusters.remove(name) {
                cluster.findings = known.findings;
                cluster.rollup = known.rollup;
            }
        }
        let positions = offered.clusters.iter().map(|(name, cluster)| cluster.position(name));
        let welcome = wire::Welcome {
            protocol_version: FLEET_PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            positions: positions.collect(),
            heartbeat_interval_nanos: 0,
        };
        offered.link = Some(Link { session, outbox });
        self.sites.insert(hello.site, offered);
        Ok((welcome, before.link.map(|link| (link.session, link.outbox))))
    }

    /// A site's connection is over; nothing when it has another by now.
    pub(crate) fn leave(&mut self, site: &str, session: u64, now: i64) {
        if let Some(site) = self.sites.get_mut(site)
            && site.link.as_ref().is_some_and(|link| link.session == session)
        {
            site.link = None;
            // It was heard until now: what comes over a connection that lives is at most a heartbeat old.
            site.heard_unix_nanos = site
                .heard_unix_nanos
                .max(now.min(site.heard_unix_nanos.saturating_add(HEARD_WITHIN)));
        }
    }

    /// A site's message.
    pub(crate) fn take(
        &mut self,
        name: &str,
        session: u64,
        message: wire::JoinRequest,
        now: i64,
    ) -> Result<Option<wire::Ack>, Status> {
        let site = self.sites.get_mut(name);
        let site = site.filter(|site| site.link.as_ref().is_some_and(|link| link.session == session));
        let site = site.ok_or_else(status::replaced_site)?;
        site.heard_unix_nanos = now;
        site.take(name, message, now)
    }

    /// A message about this coordinator's own clusters.
    pub(crate) fn take_own(&mut self, message: wire::JoinRequest, now: i64) -> Result<Option<wire::Ack>, Status> {
        let name = self.own.clone();
        let own = self.sites.entry(name.clone()).or_default();
        own.heard_unix_nanos = now;
        own.take(&name, message, now)
    }

    /// Forgets a missing site.
    pub(crate) fn forget(&mut self, name: &str) -> Result<(), Status> {
        match self.sites.get(name).map(Site::reach) {
            Some(Reach::Connected | Reach::Own) => Err(status::site_is_here(name)),
            Some(Reach::Missing) => {
                self.sites.remove(name);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The connection of a site.
    pub(crate) fn link(&self, name: &str) -> Result<(u64, Outbox), Status> {
        let site = self.sites.get(name).ok_or_else(|| status::no_site(name))?;
        let link = site
            .link
            .as_ref()
            .ok_or_else(|| status::site_missing(name, site.heard_unix_nanos))?;
        Ok((link.session, link.outbox.clone()))
    }

    /// Where a cluster is: by its name where no other has it, or by SITE/CLUSTER.
    pub(crate) fn place(&self, name: &str) -> Result<Place, Status> {
        let all = || {
            let sites = self.sites.iter();
            sites.flat_map(|(site, known)| known.clusters.keys().map(move |cluster| (site, cluster)))
        };
        let here = |(site, cluster): (&String, &String)| match *site == self.own {
            true => Place::Own(cluster.clone()),
            false => Place::Site {
                site: site.clone(),
                cluster: cluster.clone(),
            },
        };
        let meant: Vec<_> = match name {
            "" => all().take(2).collect(),
            name => all().filter(|(_, cluster)| *cluster == name).collect(),
        };
        let meant = if meant.is_empty() && !name.is_empty() {
            let whole = |(site, cluster): &(&String, &String)| format!("{site}/{cluster}") == name;
            all().filter(whole).collect()
        } else {
            meant
        };
        match &meant[..] {
            [only] => Ok(here(*only)),
            [] => match all().any(|(site, _)| *site != self.own) {
                true => Ok(Place::Nowhere {
                    known: all().map(|(site, cluster)| self.address(site, cluster)).collect(),
                }),
                // What its own services say of it is right: a cluster that has just come, or none.
                false => Ok(Place::Own(name.to_owned())),
            },
            _ => {
                let named = all().filter(|(_, cluster)| name.is_empty() || *cluster == name);
                let names: Vec<String> = named.map(|(site, cluster)| self.address(site, cluster)).collect();
                Err(status::ambiguous_cluster(name, &names))
            }
        }
    }

    /// What to say in a question about a cluster.
    pub(crate) fn address(&self, site: &str, cluster: &str) -> String {
        let having = self.sites.values().filter(|site| site.clusters.contains_key(cluster));
        if having.count() > 1 {
            format!("{site}/{cluster}")
        } else {
            cluster.to_owned()
        }
    }
}

/// A connection is noticed to be dead within this.
const HEARD_WITHIN: i64 = 2_000_000_000;

impl Site {
    /// A cluster that it has told to serve.
    fn offered(&mut self, name: &str) -> Result<&mut Cluster, Status> {
        let cluster = self.clusters.get_mut(name);
        cluster.ok_or_else(|| status::bad_site(format!("cluster `{name}` is told of and was not offered before")))
    }

    fn take(&mut self, own: &str, message: wire::JoinRequest, now: i64) -> Result<Option<wire::Ack>, Status> {
        match message.message {
            Some(Message::Hello(_)) => Err(status::bad_site("only the first message may be a Hello")),
            Some(Message::Clusters(offered)) => {
                offered
                    .clusters
                    .into_iter()
                    .try_for_each(|cluster| self.offer(cluster))?;
                Ok(None)
            }
            Some(Message::Findings(update)) => {
                let name = update.cluster.clone();
                let cluster = self.offered(&name)?;
                cluster.take_findings(update)?;
                Ok(Some(cluster.position(&name)))
            }
            Some(Message::Rollup(rollup)) => {
                if rollup.site != own {
                    return Err(status::bad_site(format!(
                        "site {own} tells of site `{}`: each site speaks for itself",
                        rollup.site
                    )));
                }
                let name = rollup.cluster.clone();
                let cluster = self.offered(&name)?;
                cluster.take_rollup(rollup, now)?;
                Ok(Some(cluster.position(&name)))
            }
            Some(Message::Heartbeat(_)) => Ok(None),
            None => Err(status::unknown_site_message()),
        }
    }
}

/// Labels that are not too many and not too long.
fn checked(labels: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Status> {
    let fits = |text: &str| !text.is_empty() && text.len() <= LABEL_BYTES;
    if labels.len() > LABELS || !labels.iter().all(|(key, value)| fits(key) && fits(value)) {
        return Err(status::bad_site(format!(
            "there may be {LABELS} labels, key and value of 1 to {LABEL_BYTES} bytes each"
        )));
    }
    Ok(labels)
}

#[cfg(test)]
mod tests;
