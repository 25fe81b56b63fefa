//! A site joins.

use std::collections::BTreeMap;

use fathom_model::check_name;
use fathom_model::rollup::{ClusterKey, LONGEST_TEXT, MOST_LABELS};
use fathom_proto::FLEET_PROTOCOL;
use fathom_proto::fleet::v1 as wire;
use tonic::Status;

use super::{Known, Link, Site};
use crate::fleet::Outbox;
use crate::grpc::status;

impl Known {
    /// A site joins. With its welcome comes the connection that it had before and that is not heard any more: as long as one is, a second
    /// coordinator of the same name is refused, else the two would take each other's place for ever. What it served before and does not any
    /// more is missing from now on.
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
        if let Some(here) = self.sites.get_mut(&hello.site).filter(|site| site.is_heard(now)) {
            here.twice_unix_nanos = Some(now);
            return Err(status::site_twice(&hello.site));
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
        let mut positions = Vec::new();
        for (name, cluster) in &mut offered.clusters {
            if let Some(known) = before_clusters.remove(name) {
                cluster.findings = known.findings;
            }
            let key = ClusterKey::new(hello.site.as_str(), name.as_str());
            let revision = self.fleet.rollup(&key).map(|(rollup, _)| rollup.revision);
            positions.push(cluster.position(name, revision));
        }
        for (name, cluster) in &offered.clusters {
            let key = ClusterKey::new(hello.site.as_str(), name.as_str());
            self.fleet.expect(&key, &offered.labels_of(cluster), now);
        }
        for (name, mut gone) in before_clusters {
            let key = ClusterKey::new(hello.site.as_str(), name.as_str());
            gone.withdrawn_since_unix_nanos.get_or_insert(now);
            self.fleet.withdraw(&key, now);
            offered.clusters.insert(name, gone);
        }
        let welcome = wire::Welcome {
            protocol_version: FLEET_PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            positions,
            heartbeat_interval_nanos: 0,
        };
        offered.link = Some(Link { session, outbox });
        self.sites.insert(hello.site, offered);
        Ok((welcome, before.link.map(|link| (link.session, link.outbox))))
    }
}

/// Labels that are not too many and not too long.
pub(super) fn checked(labels: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Status> {
    let fits = |text: &str| (1..=LONGEST_TEXT).contains(&text.len());
    if labels.len() > MOST_LABELS || !labels.iter().all(|(key, value)| fits(key) && fits(value)) {
        return Err(status::bad_site(format!(
            "there may be {MOST_LABELS} labels, key and value of 1 to {LONGEST_TEXT} bytes each"
        )));
    }
    Ok(labels)
}
