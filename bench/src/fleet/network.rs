//! The same through a fleet coordinator: a process of its own that serves as it does for real, sites that join it by mTLS, each with a
//! stream of what a site says, and questions and a watch by gRPC.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use fathom_coordinator::{Config, FleetOptions, Options, Role, run_blocking};
use fathom_identity::authority::{Authority, Leaf};
use fathom_model::health::State;
use fathom_model::rollup::ClusterRollup;
use fathom_proto::FLEET_PROTOCOL;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use fathom_proto::fleet::v1::join_request::Message as Request;
use fathom_proto::fleet::v1::join_response::Message as Response;
use fathom_proto::fleet::v1::site_service_client::SiteServiceClient;
use fathom_runtime::clock::{Clock, SystemClock};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::data::START;
use super::{Answer, Args, p99};

/// Nothing takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer about all clusters may be larger than gRPC's usual limit.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// What was measured.
pub(super) struct Through {
    /// Processor time of the coordinator, in nanoseconds, in the program and in the kernel.
    pub(super) nanos_a_rollup: f64,
    /// From a change's rollup being sent until a watch has it.
    pub(super) visible: Duration,
    pub(super) answers: Vec<Answer>,
    pub(super) sites: usize,
}

/// Serves as a fleet coordinator with the certificates in a folder, until it is killed.
pub(super) fn serve(home: &Path) -> Result<()> {
    let options = Options {
        listen: Some(([127, 0, 0, 1], 0).into()),
        store: Some(home.join("store")),
        ca: Some(home.join("ca.crt")),
        cert: Some(home.join("coordinator.crt")),
        key: Some(home.join("coordinator.key")),
        fleet: FleetOptions {
            role: Some(Role::Fleet),
            ..FleetOptions::default()
        },
        ..Options::default()
    };
    let config = Config::resolve(options).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    run_blocking(config, |address| println!("{address}"))?;
    Ok(())
}

/// Measures with these rollups, each from the site that it names.
pub(super) fn measure(rollups: &[ClusterRollup], args: &Args) -> Result<Through> {
    let home = tempfile::tempdir()?;
    let coordinator = Coordinator::start(home.path())?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut fleet = Sites::join(&coordinator, rollups).await?;
        // The first round makes the clusters known.
        fleet.round().await?;
        let before = coordinator.processor_nanos()?;
        for _ in 0..args.rounds {
            fleet.round().await?;
        }
        let spent = coordinator.processor_nanos()? - before;
        Ok(Through {
            nanos_a_rollup: spent / (args.rounds * rollups.len() as u64) as f64,
            answers: answers(&coordinator, args.answers).await?,
            visible: changes(&coordinator, &mut fleet, args.changes).await?,
            sites: fleet.sites.len(),
        })
    })
}

/// A fleet coordinator, which is killed when this is dropped.
struct Coordinator {
    child: Child,
    url: String,
    authority: Authority,
    since: SystemTime,
}

impl Coordinator {
    fn start(home: &Path) -> Result<Self> {
        let since = SystemClock.now() - Duration::from_secs(60);
        let authority = Authority::throw_away("bench of a fleet", since, Duration::from_secs(86_400))?;
        authority.write_to(home, "ca")?;
        let leaf = Leaf {
            common_name: "coordinator".to_owned(),
            ip_addresses: vec![[127, 0, 0, 1].into()],
            server: true,
            not_before: since,
            ..Leaf::default()
        };
        authority.issue(&leaf)?.write_to(home, "coordinator")?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["fleet", "--coordinator-in"])
            .arg(home)
            .stdout(Stdio::piped())
            .spawn()?;
        let said = child.stdout.take().context("its standard output is a pipe")?;
        let mut coordinator = Self {
            child,
            url: String::new(),
            authority,
            since,
        };
        let mut address = String::new();
        BufReader::new(said).read_line(&mut address)?;
        if address.is_empty() {
            bail!("the fleet coordinator did not start: {:?}", coordinator.child.wait()?);
        }
        coordinator.url = format!("https://{}", address.trim());
        Ok(coordinator)
    }

    /// A connection as somebody.
    async fn channel(&self, name: &str) -> Result<Channel> {
        let leaf = Leaf {
            common_name: name.to_owned(),
            client: true,
            not_before: self.since,
            ..Leaf::default()
        };
        let issued = self.authority.issue(&leaf)?;
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.authority.certificate_pem()))
            .identity(Identity::from_pem(issued.certificate_pem, issued.key_pem));
        Ok(Endpoint::from_shared(self.url.clone())?
            .tls_config(tls)?
            .connect()
            .await?)
    }

    async fn questions(&self) -> Result<FleetServiceClient<Channel>> {
        let channel = self.channel("user").await?;
        Ok(FleetServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES))
    }

    /// Processor time so far, which Linux counts in steps of 10 ms (proc(5), fields 14 and 15).
    fn processor_nanos(&self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        // The second field is a name in brackets that may hold blanks.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: Vec<f64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() * 1e7)
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A site's stream.
struct Site {
    messages: mpsc::Sender<wire::JoinRequest>,
    /// How many rollups were sent, and how many of them the coordinator says that it has.
    sent: u64,
    taken: watch::Receiver<u64>,
}

/// All sites with what they tell.
struct Sites {
    sites: Vec<Site>,
    /// With the site that tells it.
    rollups: Vec<(usize, wire::ClusterRollup)>,
    number: u64,
    /// What reads and what beats, of each site; ends with this.
    _tasks: JoinSet<()>,
}

impl Sites {
    async fn join(coordinator: &Coordinator, rollups: &[ClusterRollup]) -> Result<Self> {
        let mut clusters: BTreeMap<&str, Vec<wire::OfferedCluster>> = BTreeMap::new();
        for rollup in rollups {
            let offered = wire::OfferedCluster {
                cluster: rollup.cluster.to_string(),
                labels: rollup.labels.clone().into_iter().collect(),
            };
            clusters.entry(&rollup.site).or_default().push(offered);
        }
        let names: Vec<&str> = clusters.keys().copied().collect();
        let (mut sites, mut tasks) = (Vec::new(), JoinSet::new());
        for (name, clusters) in &clusters {
            let channel = coordinator.channel(name).await?;
            sites.push(Site::join(channel, name, clusters.clone(), &mut tasks).await?);
        }
        let told = rollups.iter().map(|rollup| {
            let site = names.binary_search(&rollup.site.as_str()).unwrap_or_default();
            (site, wire::ClusterRollup::from(rollup))
        });
        Ok(Self {
            rollups: told.collect(),
            sites,
            number: 0,
            _tasks: tasks,
        })
    }

    /// Each cluster's rollup, as it was and newer, until all are taken.
    async fn round(&mut self) -> Result<()> {
        self.send_all().await?;
        for site in &mut self.sites {
            let sent = site.sent;
            let taken = site.taken.wait_for(|taken| *taken >= sent);
            tokio::time::timeout(PATIENCE, taken)
                .await
                .context("rollups were not taken within a minute")?
                .context("a site's stream has ended")?;
        }
        Ok(())
    }

    async fn send_all(&mut self) -> Result<()> {
        self.number += 1;
        for (site, rollup) in &self.rollups {
            self.sites[*site].send(rollup, self.number).await?;
        }
        Ok(())
    }
}

impl Site {
    async fn join(
        channel: Channel,
        name: &str,
        clusters: Vec<wire::OfferedCluster>,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self> {
        let (messages, queue) = mpsc::channel(64);
        let hello = wire::Hello {
            protocol_version: FLEET_PROTOCOL,
            site: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clusters,
            ..wire::Hello::default()
        };
        messages.send(request(Request::Hello(hello))).await?;
        let mut client = SiteServiceClient::new(channel);
        let mut inbox = client.join(ReceiverStream::new(queue)).await?.into_inner();
        let first = inbox.message().await?.and_then(|first| first.message);
        let Some(Response::Welcome(welcome)) = first else {
            bail!("the coordinator did not begin with a Welcome");
        };
        let every = match welcome.heartbeat_interval_nanos {
            0 => Duration::from_secs(2),
            nanos => Duration::from_nanos(nanos),
        };
        let (told, taken) = watch::channel(0);
        tasks.spawn(async move {
            while let Ok(Some(response)) = inbox.message().await {
                if matches!(response.message, Some(Response::Ack(_))) {
                    told.send_modify(|taken| *taken += 1);
                }
            }
        });
        let beats = messages.clone();
        tasks.spawn(async move {
            let beat = || request(Request::Heartbeat(wire::Heartbeat { wall_unix_nanos: START }));
            while beats.send(beat()).await.is_ok() {
                tokio::time::sleep(every).await;
            }
        });
        Ok(Self {
            messages,
            sent: 0,
            taken,
        })
    }

    async fn send(&mut self, rollup: &wire::ClusterRollup, number: u64) -> Result<()> {
        let revision = wire::RollupRevision {
            started_unix_nanos: START,
            number,
        };
        let newer = wire::ClusterRollup {
            revision: Some(revision),
            ..rollup.clone()
        };
        self.sent += 1;
        let sent = self.messages.send(request(Request::Rollup(newer))).await;
        sent.context("a site's stream has ended")
    }
}

const fn request(message: Request) -> wire::JoinRequest {
    wire::JoinRequest { message: Some(message) }
}

/// From each question until its answer is there as a message.
async fn answers(coordinator: &Coordinator, times: usize) -> Result<Vec<Answer>> {
    let mut client = coordinator.questions().await?;
    let some = || {
        Some(wire::Selection {
            terms: vec!["cluster*1*,env=prod".to_owned()],
            sites: Vec::new(),
        })
    };
    let mut told = Vec::new();
    for question in [
        "fleet",
        "sites",
        "clusters",
        "latency_of_all",
        "latency_of_some",
        "cohorts",
    ] {
        let mut took = Vec::new();
        for _ in 0..times {
            let began = Instant::now();
            let rows = match question {
                "fleet" => {
                    let asked = wire::GetFleetHealthRequest::default();
                    client.get_fleet_health(asked).await?.into_inner().entries.len()
                }
                "sites" => {
                    let asked = wire::ListSitesRequest::default();
                    client.list_sites(asked).await?.into_inner().sites.len()
                }
                "clusters" => {
                    let asked = wire::GetFleetHealthRequest {
                        clusters: true,
                        ..wire::GetFleetHealthRequest::default()
                    };
                    client.get_fleet_health(asked).await?.into_inner().entries.len()
                }
                "latency_of_all" => {
                    let asked = wire::GetFleetLatencyRequest::default();
                    client.get_fleet_latency(asked).await?.into_inner().latency.len()
                }
                "latency_of_some" => {
                    let asked = wire::GetFleetLatencyRequest {
                        selection: some(),
                        ..wire::GetFleetLatencyRequest::default()
                    };
                    client.get_fleet_latency(asked).await?.into_inner().latency.len()
                }
                _ => {
                    let asked = wire::ListCohortsRequest { selection: None };
                    client.list_cohorts(asked).await?.into_inner().cohorts.len()
                }
            };
            took.push(began.elapsed());
            if rows == 0 {
                bail!("{question} was not answered");
            }
        }
        told.push(Answer {
            question,
            p99: p99(took),
        });
    }
    Ok(told)
}

/// From a changed rollup being sent, behind those of all clusters, until a watch has the cluster's entry, while somebody asks for cohorts
/// once a second.
async fn changes(coordinator: &Coordinator, fleet: &mut Sites, changes: u64) -> Result<Duration> {
    let mut asker = coordinator.questions().await?;
    let mut asking = JoinSet::new();
    asking.spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if asker.list_cohorts(wire::ListCohortsRequest::default()).await.is_err() {
                return;
            }
        }
    });
    let mut client = coordinator.questions().await?;
    let mut seen = client
        .watch_fleet_health(wire::WatchFleetHealthRequest::default())
        .await?
        .into_inner();
    let mut took = Vec::new();
    for change in 0..changes {
        let at = (change as usize + 1) * 37 % fleet.rollups.len();
        fleet.send_all().await?;
        fleet.number += 1;
        let (site, mut changed) = fleet.rollups[at].clone();
        changed.state = State::Critical.as_str().to_owned();
        let began = Instant::now();
        fleet.sites[site].send(&changed, fleet.number).await?;
        let is_it = |entry: &wire::FleetEntry| {
            (&entry.site, &entry.cluster, &entry.state) == (&changed.site, &changed.cluster, &changed.state)
        };
        let found = async {
            while let Some(message) = seen.message().await? {
                if message.entries.iter().any(is_it) {
                    return Ok(());
                }
            }
            bail!("the watch has ended")
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .context("a change was not seen within a minute")??;
        took.push(began.elapsed());
    }
    asking.abort_all();
    Ok(p99(took))
}
