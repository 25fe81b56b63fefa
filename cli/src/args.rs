//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fathom_model::{Op, Tap};
use fathom_runtime::units::Span;

use crate::context::Connection;

mod costs;
mod findings;
mod fleet;
mod offline;
mod short;
mod state;

pub(crate) use costs::{BaselinesArgs, CompareArgs, JobsArgs};
pub(crate) use findings::{ExplainArgs, FindingsAction, FindingsArgs, HealthArgs, RemarkArgs, WhatIfArgs};
pub(crate) use fleet::{ClustersArgs, FleetAction, FleetArgs, LatencyOfFleetArgs};
pub(crate) use offline::{EvaluateArgs, ImportArgs, SimulateArgs};
pub(crate) use state::{CountersArgs, ExtentsArgs, HistoryArgs, QosArgs, RdmaArgs, StateArgs, VmsArgs};

/// Shows which copy a storage write waited for, and why
///
/// Fathom joins what the nodes of a cluster see of every write (volume, storage bus, drive) into its fan-out: which copies it made,
/// where each spent its time, and which one it waited for.
#[derive(Debug, Parser)]
#[command(
    name = "fathom",
    version,
    after_help = "Examples:\n  fathom demo                               a recorded cluster, from daemons to the culprit\n  fathom replay recordings/fault-slow-drive  the same in one process\n  fathom why --since 15m                     whom to blame, on a running coordinator\n\nExit codes: 0 fine, 1 failed, 2 usage, 3 found trouble where asked to (--check), 4 partial answer"
)]
pub(crate) struct Arguments {
    /// What to print: a table for people, or one JSON document with raw integers (ns, bytes)
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Table or JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play a recorded cluster through real daemons and a coordinator, and show what was found
    #[command(
        after_help = "Examples:\n  fathom demo                        the slow drive, then stay up for more questions\n  fathom demo --list                 which recordings there are\n  fathom demo --run fault-network-slow --once\n  fathom demo --once -o json         one document for programs\n  fathom demo --fleet                three clusters at two sites"
    )]
    Demo(DemoArgs),
    /// Join a recording in one process, without a network
    #[command(
        after_help = "Examples:\n  fathom replay recordings/fault-slow-drive\n  fathom replay DIR --without-tap target      what a Windows cluster gives\n  fathom replay DIR --export fanouts.jsonl    one JSON line a volume write"
    )]
    Replay(ReplayArgs),
    /// Hold a recording's fan-outs against its truth
    #[command(
        after_help = "Examples:\n  fathom score recordings/fault-slow-drive\n  fathom score DIR --export fanouts.jsonl     an export made earlier or elsewhere\n  fathom score DIR --check                    exit with 3 when it is not nearly perfect"
    )]
    Score(ScoreArgs),
    /// Simulate a cluster and write what its nodes would have recorded, with the truth
    #[command(
        after_help = "Examples:\n  fathom simulate --list                              the scenarios, a sentence each\n  fathom simulate DIR --scenario slow-disk            then: fathom replay DIR\n  fathom simulate DIR --scenario hot-spot --taps windows --seed 7\n  fathom simulate DIR --nodes 16 --seconds 30\n  fathom simulate --scenario columns --show-config > my.toml\n  fathom simulate DIR --config my.toml                a cluster like yours\n\nThe same options give the same bytes, on every system. What is simulated and what is not: docs/design/0008-simulator.md"
    )]
    Simulate(SimulateArgs),
    /// Read traces that Windows wrote (as events, as a recording, or joined into a store), or a cluster's state from support files
    #[command(
        after_help = "Examples:\n  fathom import hv01.etl                             what is in it\n  fathom import hv01.etl.zip --events events.jsonl   every disk I/O, a JSON line each\n  fathom import --node hv01=a.etl --node hv02=b.etl --events all.jsonl.zst\n  fathom import disk-io.csv.bz2 --csv-start 2026-09-22T03:13:00Z --events events.jsonl\n  fathom import hv0*.etl --extents extents.json --disks physical.json --disks disks.json --store store\n  fathom import HealthTest-S2D.zip --store store       a cluster's state, from a support folder\n  fathom import disks.json jobs.json --at 2026-09-22T03:13:00Z --store store\n\nTake a trace with: wpr -start DiskIO -filemode, then wpr -stop hv01.etl\nTake the lists with (once; on the owner of the pool):\n  Get-VirtualDisk | Get-PhysicalExtent | ConvertTo-Json > extents.json\n  Get-PhysicalDisk | Get-PhysicalDiskStorageNodeView | ConvertTo-Json -Depth 3 > physical.json\n  Invoke-Command (Get-ClusterNode).Name { Get-Disk } | Select PSComputerName,Number,UniqueId,FriendlyName | ConvertTo-Json > disks.json"
    )]
    Import(ImportArgs),
    /// Measure how well the diagnosis names what is wrong, on simulated clusters with known faults
    #[command(
        after_help = "Examples:\n  fathom evaluate --seeds 0..40             two rounds of the built-in catalogue\n  fathom evaluate --seeds 100000..100200    what is reported; 30 minutes at most on two cores\n  fathom evaluate --seeds 0..200 -o json    one document, every scenario with what was named\n  fathom evaluate mine.toml                 scenarios of your own, once each\n\nWhat is scored and how, and the format of FILE: docs/design/0015-evaluate.md\nSeeds 0 to 1000 are for tuning and not for reporting."
    )]
    Evaluate(EvaluateArgs),
    /// Run a coordinator
    #[command(
        after_help = "Example:\n  fathom coordinator --listen 0.0.0.0:7443 --store /var/lib/fathom --ca ca.crt --cert c.crt --key c.key"
    )]
    Coordinator(Box<fathom_coordinator::Options>),
    /// Run a node daemon
    #[command(
        after_help = "Example:\n  fathom node --coordinator https://c:7443 --cluster demo --node t1 --replay DIR --spool /var/spool/fathom \\\n              --ca ca.crt --cert t1.crt --key t1.key"
    )]
    Node(Box<fathom_node_daemon::Options>),
    /// All clusters of a fleet together: what is wrong, at which site, since when
    #[command(
        after_help = "Examples:\n  fathom fleet\n  fathom fleet --changes 24h        what changed in the last day\n  fathom fleet --watch              what changes, as it changes\n  fathom fleet latency --cluster 'prod-*'\n  fathom fleet cohorts              is a firmware slow wherever it runs?\n  fathom fleet forget old-site      a site that will not come back"
    )]
    Fleet(Box<FleetArgs>),
    /// The clusters of a fleet: at which site, whether it can be reached, what is open
    #[command(
        after_help = "Examples:\n  fathom clusters\n  fathom clusters --cluster 'c*' --site berlin\n  fathom clusters --cluster country=de     by label"
    )]
    Clusters(ClustersArgs),
    /// The nodes of a cluster and how well each was heard
    #[command(
        after_help = "Examples:\n  fathom nodes\n  fathom nodes --cluster prod -o json          positions, losses and gaps in raw integers\n  fathom nodes --at 2026-09-22T03:13:00Z        what the cluster said of them then\n  fathom nodes --cluster 'prod-*'               of several clusters, at a fleet's coordinator"
    )]
    Nodes(StateArgs),
    /// Order how much of nodes is read, for a time; then it is what each daemon's configuration says
    #[command(
        after_help = "Examples:\n  fathom profile writes --for 15m               every write of every node\n  fathom profile full --node n1 --for 5m        reads and all taps too, of one node\n  fathom profile --clear --node n1              back to what its configuration says, at once\n\nProfiles: off, slow-only (what Windows keeps of slow I/O itself), writes, full. `fathom nodes` shows what each node reads."
    )]
    Profile(ProfileArgs),
    /// The volumes of a cluster, and the virtual disks under them
    #[command(
        after_help = "Examples:\n  fathom volumes\n  fathom volumes --node n1                    with copies on it, or coordinated by it\n  fathom volumes --at 2026-09-22T03:13:00Z    virtual disks and cluster volumes as they were then\n  fathom volumes --cluster prod -o json"
    )]
    Volumes(StateArgs),
    /// The physical disks of a cluster: health, wear, errors, and which node has them
    #[command(
        after_help = "Examples:\n  fathom disks --node n1\n  fathom disks --at 2026-09-22T03:13:00Z     as they were then\n  fathom disks --name eui.0025 -o json       with what is unknown, and why"
    )]
    Disks(StateArgs),
    /// The storage bus: drives as each node reaches them, and as the node that has them holds them
    #[command(
        after_help = "Examples:\n  fathom sbl --node n1\n  fathom sbl --name S3Z1 --at 2026-09-22T03:13:00Z     one drive, as every node reached it then"
    )]
    Sbl(StateArgs),
    /// Virtual machines: where they run, and which VHDX files they have on which volume
    #[command(
        after_help = "Examples:\n  fathom vms --volume vol0\n  fathom vms --node n1 --at 2026-09-22T03:13:00Z     as they were then\n  fathom vms --name web -o json                      with what is unknown, and why"
    )]
    Vms(VmsArgs),
    /// Over what each pair of nodes talks: RDMA or TCP, and since when
    #[command(after_help = "Examples:\n  fathom rdma\n  fathom rdma --node n1 --at 2026-09-22T03:13:00Z")]
    Rdma(RdmaArgs),
    /// What happened last to SMB connections, by client, server and kind: disconnects, failures, fallbacks, hung requests
    #[command(
        after_help = "Examples:\n  fathom smb-events --node n1\n  fathom smb-events --at 2026-09-22T03:13:00Z     up to then\n  fathom history n2/Disconnected                  every time that it happened"
    )]
    SmbEvents(StateArgs),
    /// Network settings that all nodes should share, side by side, with what differs marked
    #[command(after_help = "Examples:\n  fathom qos\n  fathom qos --drift")]
    Qos(QosArgs),
    /// Storage jobs: how far, how fast, whether they began anew, and what they cost
    #[command(
        after_help = "Examples:\n  fathom jobs\n  fathom jobs --ledger --since 24h   bytes, restarts, and what writes waited for them, by volume"
    )]
    Jobs(JobsArgs),
    /// Storage pools
    #[command(after_help = "Examples:\n  fathom pools\n  fathom pools --at 2026-09-22T03:13:00Z     as they were then")]
    Pools(StateArgs),
    /// Where the bytes of a volume lie
    #[command(after_help = "Example:\n  fathom extents vol0")]
    Extents(ExtentsArgs),
    /// What each node can see, and why not the rest
    #[command(
        after_help = "Examples:\n  fathom sources\n  fathom sources --node n1 -o json           every class, with the reason where it cannot be read"
    )]
    Sources(StateArgs),
    /// What was said of a resource, and when it changed
    #[command(
        after_help = "Examples:\n  fathom history eui.0025385A21B0F001\n  fathom history vol0-Repair --kind storage_job"
    )]
    History(HistoryArgs),
    /// Readings of performance counters: storage bus, drives, RDMA, adapters, shared volumes
    #[command(
        after_help = "Examples:\n  fathom counters                                     all, over the last hour\n  fathom counters --counter stalls --node hv01         stalls of SMB Direct connections\n  fathom counters --counter cluster_disk.remote_write --since 10m\n  fathom counters --name 7 --counter physical_disk --at 2026-09-22T03:13:00Z -o json"
    )]
    Counters(CountersArgs),
    /// Writes, newest or slowest first
    #[command(
        after_help = "Examples:\n  fathom writes --slowest 10\n  fathom writes --volume vol0 --since 15m\n  fathom writes --node t1 --disk disk0 --slowest 5"
    )]
    Writes(ListArgs),
    /// Reads, newest or slowest first
    #[command(after_help = "Example:\n  fathom reads --slowest 10")]
    Reads(ListArgs),
    /// Flushes, newest or slowest first; `fathom write ID` of one tells which writes it made durable
    #[command(after_help = "Example:\n  fathom flushes --slowest 10")]
    Flushes(ListArgs),
    /// One write (or any other I/O) as a waterfall of its legs
    #[command(after_help = "Example:\n  fathom write i0.1f3c9a7e.38.1790046805")]
    Write(WriteArgs),
    /// Latency percentiles of writes, or of another operation
    #[command(
        after_help = "Examples:\n  fathom latency\n  fathom latency --by disk --since 1h\n  fathom latency --by pair"
    )]
    Latency(LatencyArgs),
    /// Whom to blame, with the evidence
    #[command(
        after_help = "Examples:\n  fathom why\n  fathom why --volume vol0 --since 15m\n  fathom why --since 2h --until 1h\n  fathom why --since 2h --source rows   also latencies that changed with an update, a reboot or another owner\n  fathom why ID                one write: where its time went\n  fathom why --check           exit with 3 when somebody is to blame\n  fathom why --node t1         of the writes that t1 began or has a copy of; another node may be to blame for them"
    )]
    Why(WhyArgs),
    /// What is wrong now, each under one name from when it is found until it is over
    #[command(
        after_help = "Examples:\n  fathom findings\n  fathom findings --all --code DISK_SLOW\n  fathom findings --watch -o json       a JSON line a change; --after NUMBER goes on after one\n  fathom findings --check               exit with 3 when one is open\n  fathom findings ack ID --by ann --for 4h\n  fathom findings mute ID --by ann --for 7d --text \"drive is ordered\""
    )]
    Findings(Box<FindingsArgs>),
    /// What a code of a finding means, how it is found, and where to look next; needs no coordinator
    #[command(after_help = "Examples:\n  fathom explain DISK_SLOW\n  fathom explain           all codes")]
    Explain(ExplainArgs),
    /// What writes would have taken without a disk, a link or a node
    #[command(
        name = "whatif",
        after_help = "Examples:\n  fathom whatif                            what would give back the most\n  fathom whatif --without disk:t1/disk0 --since 1h\n  fathom whatif --without disk:S6CMNE0R1   by its serial number (fathom disks has them)\n  fathom whatif --without link:n1-n2\n  fathom whatif --without job:vol0-Repair  a storage job, by its name or identity (fathom jobs has both)\n  fathom whatif --recording DIR            without a coordinator"
    )]
    WhatIf(WhatIfArgs),
    /// Two stretches of time side by side: latencies, last copies, findings, state, and what of it changed
    #[command(
        after_help = "Examples:\n  fathom compare --before 2026-09-21T03:00:00Z --after 2026-09-22T03:00:00Z\n  fathom compare --before 2026-09-22T03:13:15Z --after 2026-09-22T03:13:31Z --window 15s --all"
    )]
    Compare(CompareArgs),
    /// What is usual at each place, learnt of its own past, and whether that has changed and with what
    #[command(
        after_help = "Examples:\n  fathom baselines                      the cluster and its volumes, and what has changed\n  fathom baselines --disk n1/disk2\n  fathom baselines --changed            what has changed: all at once or day by day\n  fathom baselines -o json              everything"
    )]
    Baselines(BaselinesArgs),
    /// How disks, adapters, links, nodes, volumes and the cluster are, and why
    #[command(
        after_help = "Examples:\n  fathom health\n  fathom health --slow-minutes     minutes in which an objective was not met; --from and --until\n  fathom health --history          when the cluster was not well\n  fathom health --watch\n  fathom health --check            exit with 3 when it is degraded, critical or unknown"
    )]
    Health(HealthArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Recording to play [default: one with a slow drive]
    #[arg(long, value_name = "NAME")]
    pub(crate) run: Option<String>,
    /// Three simulated clusters of different health at two sites of a fleet, and the way to the one drive that is slow
    #[arg(long, conflicts_with_all = ["run", "list", "without_tap", "pace", "recordings"])]
    pub(crate) fleet: bool,
    /// List the recordings and exit
    #[arg(long)]
    pub(crate) list: bool,
    /// Exit when the recording is joined and shown
    #[arg(long)]
    pub(crate) once: bool,
    /// Leave out the events of a tap (may be repeated); `target` gives what a Windows cluster gives
    #[arg(long, value_name = "TAP")]
    pub(crate) without_tap: Vec<Tap>,
    /// Play at the recorded speed, or at so many times it [default: as fast as possible]
    #[arg(long, value_name = "FACTOR", num_args = 0..=1, allow_negative_numbers = true, default_missing_value = "1", value_parser = a_pace)]
    pub(crate) pace: Option<f64>,
    /// Folder with recordings (may be repeated) [default: the project's, and FATHOM_CAPTURES]
    #[arg(long, value_name = "DIR")]
    pub(crate) recordings: Vec<PathBuf>,
    /// Keep certificates, spools, store and logs in this folder [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Folder of the recording
    #[arg(value_name = "DIR")]
    pub(crate) recording: PathBuf,
    /// Leave out the events of a tap (may be repeated)
    #[arg(long, value_name = "TAP")]
    pub(crate) without_tap: Vec<Tap>,
    /// Write one JSON line a volume write to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<PathBuf>,
    /// Most events in a batch; changes nothing in the result
    #[arg(long, value_name = "COUNT", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) batch_events: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Folder of the recording, with its truth
    #[arg(value_name = "DIR")]
    pub(crate) recording: PathBuf,
    /// Score this export [default: join the recording now]
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<PathBuf>,
    /// Leave out the events of a tap (may be repeated)
    #[arg(long, value_name = "TAP")]
    pub(crate) without_tap: Vec<Tap>,
    /// Exit with 3 when fan-outs are less than 99.9 % exact, legs less than 99.99 % right, or a clock bound is broken
    #[arg(long)]
    pub(crate) check: bool,
}

/// A time with its offset from UTC, in nanoseconds since 1970.
fn point_in_time(text: &str) -> Result<i64, String> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| "give date, time and offset, such as 2026-09-22T03:13:00Z".to_owned())?;
    let nanos = i64::try_from(time.as_nanosecond()).ok().filter(|&nanos| nanos >= 0);
    nanos.ok_or_else(|| "a time between 1970 and 2262 is wanted".to_owned())
}

/// How much of which nodes, and for how long.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["profile", "clear"]))]
pub(crate) struct ProfileArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// `off`, `slow-only`, `writes` or `full`
    #[arg(value_name = "PROFILE", value_parser = ["off", "slow-only", "writes", "full"], requires = "lasts")]
    pub(crate) profile: Option<String>,
    /// Take an order back: daemons read what their configurations say, at once
    #[arg(long, conflicts_with = "lasts")]
    pub(crate) clear: bool,
    /// How long, at most a day
    #[arg(long = "for", value_name = "TIME", id = "lasts")]
    pub(crate) lasts: Option<Span>,
    /// Only this node (may be repeated) [default: all]
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) node: Vec<String>,
    /// Made up by you: the same order sent again with it changes nothing, and its time does not begin anew
    #[arg(long, value_name = "ID", value_parser = given)]
    pub(crate) request_id: Option<String>,
}

/// Which I/Os.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Only of this volume
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) volume: Option<String>,
    /// Only of this node, as initiator or as holder of a copy
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) node: Option<String>,
    /// Only with a copy on this disk, as NODE/DISK or by its name: on any node, or on the one of --node where that has such a disk
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) disk: Option<String>,
    /// Only those of the last stretch of time, counted back from the cluster's newest I/O, such as 15m
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = stretch)]
    pub(crate) since: Option<Span>,
    /// Only those up to so long before the cluster's newest I/O, such as 5m: with --since 15m ten minutes
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = stretch)]
    pub(crate) until: Option<Span>,
}

/// What an answer is made of.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SourceArgs {
    /// Look at each I/O (rows), or at what they added up to as they came, to 1 % and from whole minutes on (tables) [default: tables
    /// where there are more than 200,000 I/Os]
    #[arg(long = "source", value_enum, value_name = "WHAT")]
    pub(crate) wanted: Option<Source>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    Rows,
    Tables,
}

impl SourceArgs {
    /// As a question says it.
    pub(crate) fn word(self) -> String {
        match self.wanted {
            None => "",
            Some(Source::Rows) => "rows",
            Some(Source::Tables) => "tables",
        }
        .to_owned()
    }
}

/// A name, a text or a number of something that there is: an empty one is what a script's variable holds that was never set, and would
/// mean all.
pub(crate) fn given(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("nothing is called that; leave it out if all are meant".to_owned());
    }
    Ok(text.to_owned())
}

/// A stretch of time that has something in it.
fn stretch(text: &str) -> Result<Span, String> {
    let span: Span = text
        .parse()
        .map_err(|error: fathom_runtime::units::NotAUnit| error.to_string())?;
    if span.0.is_zero() {
        return Err("nothing lies within no time; give more than 0, or leave it out for everything".to_owned());
    }
    Ok(span)
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The slowest so many instead of the newest
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub(crate) slowest: Option<u32>,
    /// So many [default: 20]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10000), conflicts_with = "slowest")]
    pub(crate) limit: Option<u32>,
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct WriteArgs {
    /// Its name, as `fathom writes` prints it
    #[arg(value_name = "ID", value_parser = given)]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct LatencyArgs {
    /// What to group by
    #[arg(long, value_enum, default_value = "node", value_name = "WHAT")]
    pub(crate) by: By,
    /// Of which operation: read, write, flush or unmap
    #[arg(long, default_value = "write", value_name = "OP")]
    pub(crate) op: Op,
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Recorded seconds a second.
fn a_pace(pace: &str) -> Result<f64, String> {
    let pace: f64 = pace.parse().map_err(|_| "it is no number".to_owned())?;
    if pace > 0.0 && pace.is_finite() {
        Ok(pace)
    } else {
        Err("it must be more than 0".to_owned())
    }
}

/// A name that can be a cluster's.
fn a_name(name: &str) -> Result<String, String> {
    fathom_model::check_name(name)
        .map(|()| name.to_owned())
        .map_err(|fault| format!("it {fault}"))
}

/// What latency is grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Tap,
    Node,
    Disk,
    Volume,
    Pair,
}

impl By {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Tap => "tap",
            Self::Node => "node",
            Self::Disk => "disk",
            Self::Volume => "volume",
            Self::Pair => "pair",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// One write, by its name as `fathom writes` prints it: where its time went and what it waited for
    #[arg(value_name = "ID", conflicts_with_all = ["check", "vm", "volume", "node", "disk", "since", "until", "wanted"], value_parser = given)]
    pub(crate) id: Option<String>,
    /// Exit with 3 when somebody is to blame
    #[arg(long)]
    pub(crate) check: bool,
    /// Only of the volume that this virtual machine is on; other machines on it are named
    #[arg(long, value_name = "NAME", conflicts_with = "volume", value_parser = given)]
    pub(crate) vm: Option<String>,
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[cfg(test)]
mod tests;
