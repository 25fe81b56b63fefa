//! What is known of each site: who it is, whether it is connected, and of its clusters what it told.
//!
//! Pure: messages and times are given to it. Everything is safe to be told twice; what would leave a gap is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use fathom_model::check_name;
use fathom_model::rollup::ClusterKey;
use fathom_proto::convert::rollup::rollup_from_wire;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::join_request::Message;
use fathom_rollup::Applied;
use tonic::Status;

use super::Outbox;
use super::kept::memory;
use crate::grpc::status;

mod cluster;
mod join;

pub(crate) use cluster::Cluster;
use join::checked;

/// Most clusters of a site.
const CLUSTERS: usize = 10_000;

/// A cluster whose site sends a rollup every 10 s is not known any more when none came for this long.
const MISSING_AFTER: i64 = 30_000_000_000;

/// Everything that is known.
#[derive(Debug)]
pub(crate) struct Known {
    sites: BTreeMap<String, Site>,
    own: String,
    /// How everything is, from rollups.
    fleet: fathom_rollup::Fleet,
    /// When this was last seen to run, on the monotonic clock and on the other.
    ran: Option<(Duration, i64)>,
}

/// Something is looked at every half a second: where nothing was for longer, this process or its machine stood still, or its clock was set.
const STOOD_STILL: Duration = Duration::from_secs(5);

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
    /// When another coordinator that goes by its name was last refused.
    pub(crate) twice_unix_nanos: Option<i64>,
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

    /// What is said of a cluster: of it alone, and of its site.
    pub(crate) fn labels_of(&self, cluster: &Cluster) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        labels.extend(cluster.labels.clone());
        labels
    }

    /// Whether it is connected, and that connection lives.
    fn is_heard(&self, now: i64) -> bool {
        self.link.is_some() && now.saturating_sub(self.heard_unix_nanos) < LIVES_NANOS
    }

    /// Since when a cluster of it cannot be asked about, if it cannot.
    pub(crate) fn cluster_missing_since(&self, cluster: &Cluster) -> Option<i64> {
        self.missing_since().or(cluster.withdrawn_since_unix_nanos)
    }

    /// The clusters that it serves.
    pub(crate) fn served(&self) -> impl Iterator<Item = (&String, &Cluster)> {
        let clusters = self.clusters.iter();
        clusters.filter(|(_, cluster)| cluster.withdrawn_since_unix_nanos.is_none())
    }

    /// Since when it is missing, if it is.
    pub(crate) fn missing_since(&self) -> Option<i64> {
        (self.reach() == Reach::Missing).then_some(self.heard_unix_nanos)
    }

    fn offer(&mut self, offered: wire::OfferedCluster) -> Result<(), Status> {
        check_name(&offered.cluster).map_err(|fault| status::bad_site(format!("a cluster's name {fault}")))?;
        let labels = checked(offered.labels)?;
        if self.served().count() >= CLUSTERS && !self.clusters.contains_key(&offered.cluster) {
            return Err(status::bad_site(format!(
                "a site may have {CLUSTERS} clusters; make two of it"
            )));
        }
        let cluster = self.clusters.entry(offered.cluster).or_default();
        cluster.labels = labels;
        cluster.withdrawn_since_unix_nanos = None;
        Ok(())
    }
}

impl Known {
    /// What a predecessor kept: all of it is missing.
    pub(crate) fn restore(mut kept: wire::KeptFleet, now: i64) -> Self {
        let mut known = Self {
            sites: BTreeMap::new(),
            own: String::new(),
            ran: None,
            fleet: fathom_rollup::Fleet::new(fathom_rollup::Config {
                missing_after_nanos: MISSING_AFTER,
                ..fathom_rollup::Config::default()
            }),
        };
        match memory::from_kept(&mut kept, now, MISSING_AFTER) {
            Some(memory) => known.fleet.recall(memory, now),
            None => known.fleet.begin(now),
        }
        // This coordinator's own clusters are told anew.
        for site in kept.sites.into_iter().filter(|site| !site.is_own) {
            // Of many clusters there are several pieces.
            let mut restored = known.sites.remove(&site.site).unwrap_or_else(|| Site {
                labels: site.labels,
                version: site.version,
                policy: site.policy,
                heard_unix_nanos: site.heard_unix_nanos,
                ..Site::default()
            });
            for kept in site.clusters {
                let key = ClusterKey::new(site.site.as_str(), kept.cluster.as_str());
                let rollup = kept.rollup.clone().map(rollup_from_wire).transpose();
                let heard = kept.rollup_heard_unix_nanos;
                let (name, cluster) = Cluster::restore(kept);
                known.fleet.expect(&key, &restored.labels_of(&cluster), now);
                // One that another version kept and this cannot read comes anew.
                if let Ok(Some(rollup)) = rollup {
                    known.fleet.restore(rollup, heard, now);
                }
                if cluster.withdrawn_since_unix_nanos.is_some() {
                    known.fleet.withdraw(&key, now);
                }
                restored.clusters.insert(name, cluster);
            }
            known.sites.insert(site.site, restored);
        }
        known
    }

    /// How everything is.
    pub(crate) const fn fleet(&self) -> &fathom_rollup::Fleet {
        &self.fleet
    }

    /// Notes that this process runs; for how long it did not, where it stood still. Before anything else: of whoever could not be listened to
    /// nothing is known, and nobody is missing for it.
    pub(crate) fn runs(&mut self, monotonic: Duration, now: i64) -> Option<Duration> {
        let (before, then) = self.ran.replace((monotonic, now))?;
        // Not all machines count on the monotonic clock while they stand still.
        let by_wall = Duration::from_nanos(u64::try_from(now.saturating_sub(then)).unwrap_or(0));
        let paused = monotonic.saturating_sub(before).max(by_wall);
        if paused < STOOD_STILL {
            return None;
        }
        self.fleet
            .resume(i64::try_from(paused.as_nanos()).unwrap_or(i64::MAX), now);
        Some(paused)
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: i64) {
        self.fleet.tick(now);
    }

    /// What a successor needs of everything together, and of which clusters the rest has to be asked for, by site.
    pub(crate) fn kept(&self, now: i64) -> (fathom_rollup::Memory, Vec<(String, Vec<String>)>) {
        let joined = self.sites.iter().filter(|(_, site)| !site.is_own);
        let names = joined.map(|(name, site)| (name.clone(), site.clusters.keys().cloned().collect()));
        (self.fleet.memory(now), names.collect())
    }

    /// The rest of some clusters of a site; `None` where that is not there any more.
    pub(crate) fn kept_of(&self, name: &str, clusters: &[String]) -> Option<wire::KeptSite> {
        let site = self.sites.get(name)?;
        let kept = clusters.iter().filter_map(|cluster| {
            let key = ClusterKey::new(name, cluster.as_str());
            let mut kept = site.clusters.get(cluster)?.kept(cluster, self.fleet.rollup(&key));
            kept.variants = memory::variants_to_kept(self.fleet.software(&key));
            Some(kept)
        });
        Some(wire::KeptSite {
            site: name.to_owned(),
            labels: site.labels.clone(),
            version: site.version.clone(),
            policy: site.policy.clone(),
            heard_unix_nanos: site.heard_unix_nanos,
            clusters: kept.collect(),
            ..wire::KeptSite::default()
        })
    }

    /// This coordinator itself, as a site.
    pub(crate) fn add_own(&mut self, name: &str, labels: BTreeMap<String, String>, version: &str) {
        self.drop_site(name);
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

    /// A site's connection is over; nothing when it has another by now.
    pub(crate) fn leave(&mut self, name: &str, session: u64, now: i64) {
        let Some(site) = self.sites.get_mut(name) else { return };
        if site.link.as_ref().is_none_or(|link| link.session != session) {
            return;
        }
        site.link = None;
        // What comes over a connection that lives is at most a heartbeat old: where it was noticed late, it was heard no later than that.
        let latest = site.heard_unix_nanos.saturating_add(HEARD_WITHIN);
        site.heard_unix_nanos = site.heard_unix_nanos.max(now.min(latest));
        for cluster in site.clusters.keys() {
            self.fleet.miss(&ClusterKey::new(name, cluster.as_str()), now);
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
        let site = self.sites.get(name).and_then(|site| site.link.as_ref());
        if site.is_none_or(|link| link.session != session) {
            return Err(status::replaced_site());
        }
        self.take_of(name, message, now)
    }

    /// A message about this coordinator's own clusters.
    pub(crate) fn take_own(&mut self, message: wire::JoinRequest, now: i64) -> Result<Option<wire::Ack>, Status> {
        self.take_of(&self.own.clone(), message, now)
    }

    fn take_of(&mut self, name: &str, message: wire::JoinRequest, now: i64) -> Result<Option<wire::Ack>, Status> {
        let site = self.sites.get_mut(name).ok_or_else(status::replaced_site)?;
        site.heard_unix_nanos = now;
        let key = |cluster: &str| ClusterKey::new(name, cluster);
        let told = match message.message {
            Some(Message::Hello(_)) => return Err(status::bad_site("only the first message may be a Hello")),
            // It serves these from now on, be it again.
            Some(Message::Clusters(offered)) => {
                for cluster in offered.clusters {
                    let key = key(&cluster.cluster);
                    site.offer(cluster)?;
                    let labels = site.clusters.get(&key.cluster).map(|cluster| site.labels_of(cluster));
                    self.fleet.expect(&key, &labels.unwrap_or_default(), now);
                }
                return Ok(None);
            }
            Some(Message::Heartbeat(_)) => return Ok(None),
            Some(Message::Findings(update)) => {
                let told = update.cluster.clone();
                site.offered(&told)?.take_findings(update)?;
                told
            }
            Some(Message::Rollup(rollup)) => {
                if rollup.site != name {
                    return Err(status::bad_site(format!(
                        "site {name} tells of site `{}`: each site speaks for itself",
                        rollup.site
                    )));
                }
                let told = rollup.cluster.clone();
                site.offered(&told)?;
                let rollup =
                    rollup_from_wire(rollup).map_err(|error| status::bad_site(format!("a rollup: {error}")))?;
                if self.fleet.apply(rollup, now) == Applied::TooMany {
                    return Err(status::too_many_clusters());
                }
                told
            }
            None => return Err(status::unknown_site_message()),
        };
        let revision = self.fleet.rollup(&key(&told)).map(|(rollup, _)| rollup.revision);
        Ok(Some(site.offered(&told)?.position(&told, revision)))
    }

    /// Takes a site out, and what is known of its clusters.
    fn drop_site(&mut self, name: &str) {
        if let Some(site) = self.sites.remove(name) {
            for cluster in site.clusters.keys() {
                self.fleet.forget(&ClusterKey::new(name, cluster.as_str()));
            }
        }
    }

    /// Forgets a cluster that its site does not serve any more, or that is of a missing site; whether there was one.
    pub(crate) fn forget_cluster(&mut self, name: &str, cluster: &str) -> Result<bool, Status> {
        let Some(site) = self.sites.get_mut(name) else {
            return Ok(false);
        };
        let Some(known) = site.clusters.get(cluster) else {
            return Ok(false);
        };
        if site.cluster_missing_since(known).is_none() {
            return Err(status::cluster_is_here(name, cluster));
        }
        site.clusters.remove(cluster);
        self.fleet.forget(&ClusterKey::new(name, cluster));
        Ok(true)
    }

    /// Forgets a missing site; whether there was one.
    pub(crate) fn forget(&mut self, name: &str) -> Result<bool, Status> {
        match self.sites.get(name).map(Site::reach) {
            Some(Reach::Connected | Reach::Own) => Err(status::site_is_here(name)),
            Some(Reach::Missing) => {
                self.drop_site(name);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// The connection of a site, to ask about a cluster.
    pub(crate) fn link(&self, name: &str, cluster: &str) -> Result<(u64, Outbox), Status> {
        let site = self.sites.get(name).ok_or_else(|| status::no_site(name))?;
        let known = site.clusters.get(cluster);
        if let Some(since) = known.and_then(|known| known.withdrawn_since_unix_nanos) {
            return Err(status::cluster_withdrawn(name, cluster, since));
        }
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
        let is_alone = !all().any(|(site, _)| *site != self.own);
        if is_alone {
            // What its own services say of it is right: a cluster that has just come, or none.
            let own = name.strip_prefix(&format!("{}/", self.own));
            let own = own
                .filter(|own| all().any(|(_, cluster)| cluster == own) && !all().any(|(_, cluster)| cluster == name));
            return Ok(Place::Own(own.unwrap_or(name).to_owned()));
        }
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
            [] => Ok(Place::Nowhere {
                known: all().map(|(site, cluster)| self.address(site, cluster)).collect(),
            }),
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

/// A connection over which nothing came for so long does not live: a site sends heartbeats every two seconds.
const LIVES_NANOS: i64 = 6_000_000_000;

/// A connection is noticed to be dead within this.
const HEARD_WITHIN: i64 = 2_000_000_000;

impl Site {
    /// A cluster that it has told to serve.
    fn offered(&mut self, name: &str) -> Result<&mut Cluster, Status> {
        let cluster = self.clusters.get_mut(name);
        cluster.ok_or_else(|| status::bad_site(format!("cluster `{name}` is told of and was not offered before")))
    }
}

#[cfg(test)]
mod tests;
