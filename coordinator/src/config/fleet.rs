//! What of the configuration is about a fleet: whether this coordinator is one's site or its centre, its labels, and what may be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use fathom_model::rollup::{LONGEST_TEXT, MOST_LABELS};
use fathom_runtime::units::{ByteSize, Span};
use serde::Deserialize;

/// What operators say of a site or a cluster.
pub type Labels = BTreeMap<String, String>;

/// The site's name of a coordinator that is in no fleet.
const NO_SITE: &str = "local";

/// What a coordinator is in its fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Serves clusters; with `--fleet` it is a site of one.
    #[default]
    Coordinator,
    /// Sites join it; it may serve clusters of its own.
    Fleet,
}

/// What a site lets the fleet do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Everything that only reads.
    Read,
    /// Acknowledging and muting findings.
    Remarks,
    /// Ordering how much daemons read.
    Profiles,
}

impl Group {
    /// As options and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Remarks => "remarks",
            Self::Profiles => "profiles",
        }
    }
}

/// Options about the fleet. In the file they stand in a table `fleet`, without `fleet-` before their names; `--fleet` is `join` there.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Fleet")]
pub struct FleetOptions {
    /// `fleet` makes this a fleet coordinator, which sites join [default: coordinator]
    #[arg(long, value_enum, value_name = "ROLE", env = "FATHOM_ROLE")]
    pub role: Option<Role>,
    /// Address of the fleet coordinator that this coordinator joins as a site
    #[arg(long, value_name = "URL", env = "FATHOM_FLEET")]
    pub fleet: Option<String>,
    /// Name of this site in the fleet; needed with --fleet, and the certificate that it shows has to be for it
    #[arg(long, value_name = "NAME", env = "FATHOM_SITE")]
    pub site: Option<String>,
    /// What is to be said of this site and its clusters, such as country=de (may be repeated)
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// What is to be said of one cluster, such as c1:tier=gold (may be repeated)
    #[arg(long = "cluster-label", value_name = "CLUSTER:KEY=VALUE", value_parser = cluster_label)]
    pub cluster_labels: Vec<(String, String, String)>,
    /// Certificates of the authorities that the fleet coordinator's certificate may be from (PEM) [default: that of --ca]
    #[arg(long, value_name = "FILE")]
    pub fleet_ca: Option<PathBuf>,
    /// Certificate to show the fleet coordinator (PEM), with the site's name as its common name or a DNS name [default: that of --cert,
    /// which then has to be good for clients too]
    #[arg(long, value_name = "FILE", requires = "fleet_key")]
    pub fleet_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "fleet_cert")]
    pub fleet_key: Option<PathBuf>,
    /// What the fleet may do here: read, remarks (acknowledge and mute findings), profiles; `nothing` alone leaves it rollups and
    /// findings [default: read]
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = allowed)]
    pub fleet_allow: Vec<Allowed>,
    /// Most rows of an answer to the fleet [default: 100000]
    #[arg(long, value_name = "COUNT")]
    pub fleet_max_rows: Option<u64>,
    /// Most bytes of an answer to the fleet [default: 64 MiB]
    #[arg(long, value_name = "SIZE")]
    pub fleet_max_bytes: Option<ByteSize>,
    /// Longest time for a question of the fleet; watches are not limited [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub fleet_max_time: Option<Span>,
    /// Most questions of the fleet at once; more wait for their turn [default: 32]
    #[arg(long, value_name = "COUNT")]
    pub fleet_max_queries: Option<u32>,
    /// Most watches of the fleet at once, beside the questions [default: 32]
    #[arg(long, value_name = "COUNT")]
    pub fleet_max_watches: Option<u32>,
}

/// What is allowed, or that nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed(pub Option<Group>);

/// The table `fleet` of the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct FleetFile {
    role: Option<Role>,
    join: Option<String>,
    site: Option<String>,
    labels: Labels,
    cluster_labels: BTreeMap<String, Labels>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    allow: Option<Vec<Group>>,
    max_rows: Option<u64>,
    max_bytes: Option<ByteSize>,
    max_time: Option<Span>,
    max_queries: Option<u32>,
    max_watches: Option<u32>,
}

/// What a coordinator is in a fleet.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Whether sites may join it.
    pub role: Role,
    /// Its own name among sites.
    pub site: String,
    /// What is to be said of it and of its clusters.
    pub labels: Labels,
    /// What is to be said of single clusters.
    pub cluster_labels: BTreeMap<String, Labels>,
    /// The fleet coordinator that it joins.
    pub uplink: Option<Uplink>,
}

/// A fleet coordinator to join.
#[derive(Clone, Debug)]
pub struct Uplink {
    /// Its address.
    pub address: String,
    /// Certificates of the authorities to trust.
    pub ca: PathBuf,
    /// The certificate to show.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// What the fleet may ask.
    pub policy: Policy,
}

/// What a site lets its fleet ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it may do.
    pub allows: BTreeSet<Group>,
    /// Most rows of an answer.
    pub max_rows: u64,
    /// Most bytes of an answer.
    pub max_answer_bytes: u64,
    /// Longest time of a question that is no watch.
    pub max_time: Duration,
    /// Most questions at once that are no watches.
    pub max_queries: u32,
    /// Most watches at once.
    pub max_watches: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allows: BTreeSet::from([Group::Read]),
            max_rows: 100_000,
            max_answer_bytes: 64 * 1024 * 1024,
            max_time: Duration::from_secs(60),
            max_queries: 32,
            max_watches: 32,
        }
    }
}

/// The three files of the coordinator's own credentials.
pub(super) struct Own<'a> {
    pub(super) ca: &'a PathBuf,
    pub(super) certificate: &'a PathBuf,
    pub(super) key: &'a PathBuf,
}

impl Fleet {
    /// Lays the options over the file. What is wrong is added to `faults`.
    pub(super) fn resolve(options: FleetOptions, file: FleetFile, own: &Own<'_>, faults: &mut Vec<String>) -> Self {
        let role = options.role.or(file.role).unwrap_or_default();
        let address = options.fleet.or(file.join).filter(|address| !address.is_empty());
        let site = options.site.or(file.site);
        if address.is_some() && role == Role::Fleet {
            faults.push(
                "fleet and role = \"fleet\" exclude each other: a fleet coordinator joins no other; leave one out"
                    .to_owned(),
            );
        }
        if address.is_some() && site.is_none() {
            faults.push(
                "site is missing: give --site, or `site` in the table `fleet` of the configuration file".to_owned(),
            );
        }
        let site = site.unwrap_or_else(|| NO_SITE.to_owned());
        if let Err(fault) = fathom_model::check_name(&site) {
            faults.push(format!("site {fault}"));
        }
        if site.contains(['/', '*', '?']) {
            faults.push(format!(
                "site `{site}` has one of / * ? in it, which select clusters; give another name"
            ));
        }
        let mut labels = file.labels;
        labels.extend(options.labels);
        let mut cluster_labels = file.cluster_labels;
        for (cluster, key, value) in options.cluster_labels {
            cluster_labels.entry(cluster).or_default().insert(key, value);
        }
        check_labels(&labels, &cluster_labels, faults);
        let policy = policy(
            [options.fleet_max_rows, file.max_rows],
            [options.fleet_max_bytes, file.max_bytes],
            [options.fleet_max_time, file.max_time],
            [options.fleet_max_queries, file.max_queries],
            [options.fleet_max_watches, file.max_watches],
            allows(&options.fleet_allow, file.allow, faults),
        );
        let counts = [policy.max_queries, policy.max_watches];
        if policy.max_rows == 0 || policy.max_answer_bytes == 0 || policy.max_time.is_zero() || counts.contains(&0) {
            faults.push("fleet-max-rows, -bytes, -time, -queries and -watches have to be more than 0; --fleet-allow nothing allows nothing".to_owned());
        }
        if let Some(address) = address.as_ref().filter(|address| !address.starts_with("https://")) {
            faults.push(format!(
                "fleet `{address}` is not the address of a coordinator; give one such as https://fleet.example:7443"
            ));
        }
        let or_own = |option: Option<PathBuf>, file: Option<PathBuf>, own: &PathBuf| {
            option.or(file).unwrap_or_else(|| own.clone())
        };
        let uplink = address.map(|address| Uplink {
            address,
            ca: or_own(options.fleet_ca, file.ca, own.ca),
            certificate: or_own(options.fleet_cert, file.cert, own.certificate),
            key: or_own(options.fleet_key, file.key, own.key),
            policy,
        });
        Self {
            role,
            site,
            labels,
            cluster_labels,
            uplink,
        }
    }
}

/// A fleet coordinator takes no more and no longer ones, and a site that it refuses is better told before.
fn check_labels(of_site: &Labels, of_clusters: &BTreeMap<String, Labels>, faults: &mut Vec<String>) {
    let fits = |text: &str| (1..=LONGEST_TEXT).contains(&text.len());
    for (key, value) in of_clusters.values().chain([of_site]).flatten() {
        if !fits(key) || !fits(value) {
            faults.push(format!(
                "label `{key}={value}`: a key and a value have 1 to {LONGEST_TEXT} bytes each"
            ));
        }
    }
    if of_site.len() > MOST_LABELS {
        faults.push(format!(
            "there are {} labels, and {MOST_LABELS} is the most",
            of_site.len()
        ));
        return;
    }
    for (cluster, labels) in of_clusters {
        let count = of_site.len() + labels.keys().filter(|key| !of_site.contains_key(*key)).count();
        if count > MOST_LABELS {
            faults.push(format!(
                "cluster {cluster} has {count} labels with those of its site, and {MOST_LABELS} is the most"
            ));
        }
    }
}

fn allows(options: &[Allowed], file: Option<Vec<Group>>, faults: &mut Vec<String>) -> BTreeSet<Group> {
    let nothing = options.iter().any(|allowed| allowed.0.is_none());
    if nothing && options.len() > 1 {
        faults.push("fleet-allow: `nothing` stands alone".to_owned());
    }
    let groups: BTreeSet<Group> = options.iter().filter_map(|allowed| allowed.0).collect();
    match file {
        _ if !options.is_empty() => groups,
        Some(file) => file.into_iter().collect(),
        None => Policy::default().allows,
    }
}

fn policy(
    rows: [Option<u64>; 2],
    bytes: [Option<ByteSize>; 2],
    time: [Option<Span>; 2],
    queries: [Option<u32>; 2],
    watches: [Option<u32>; 2],
    allows: BTreeSet<Group>,
) -> Policy {
    let defaults = Policy::default();
    let first = |values: [Option<u64>; 2]| values.into_iter().flatten().next();
    Policy {
        allows,
        max_rows: first(rows).unwrap_or(defaults.max_rows),
        max_answer_bytes: first(bytes.map(|size| size.map(|size| size.0))).unwrap_or(defaults.max_answer_bytes),
        max_time: time
            .into_iter()
            .flatten()
            .next()
            .map_or(defaults.max_time, |span| span.0),
        max_queries: queries.into_iter().flatten().next().unwrap_or(defaults.max_queries),
        max_watches: watches.into_iter().flatten().next().unwrap_or(defaults.max_watches),
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("give a key, `=`, and a value, such as country=de".to_owned()),
    }
}

fn cluster_label(text: &str) -> Result<(String, String, String), String> {
    let form = || "give a cluster, `:`, a key, `=`, and a value, such as c1:tier=gold".to_owned();
    let (left, value) = text.split_once('=').ok_or_else(form)?;
    // A cluster's name may have a colon, a key has none.
    let (cluster, key) = left.rsplit_once(':').ok_or_else(form)?;
    if cluster.is_empty() || key.is_empty() || value.is_empty() {
        return Err(form());
    }
    Ok((cluster.to_owned(), key.to_owned(), value.to_owned()))
}

fn allowed(text: &str) -> Result<Allowed, String> {
    let known = [Group::Read, Group::Remarks, Group::Profiles];
    match known.into_iter().find(|group| group.as_str() == text) {
        Some(group) => Ok(Allowed(Some(group))),
        None if text == "nothing" => Ok(Allowed(None)),
        None => Err("known: read, remarks, profiles, nothing".to_owned()),
    }
}
