//! Many clusters.

use clap::{Args, Subcommand};
use fathom_runtime::units::Span;

use super::{given, stretch};
use crate::context::Connection;

#[derive(Debug, Args)]
pub(crate) struct ClustersArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct FleetArgs {
    #[command(subcommand)]
    pub(crate) action: Option<FleetAction>,
    /// Show how everything is, then what comes to look different, until interrupted
    #[arg(long, conflicts_with_all = ["check", "changes"])]
    pub(crate) watch: bool,
    /// With --watch: go on after the message with this token (`resume_token` of -o json)
    #[arg(long, value_name = "TOKEN", requires = "watch")]
    pub(crate) after: Option<String>,
    /// What changed in the last stretch of time too, such as 1h
    #[arg(long, value_name = "TIME", value_parser = stretch)]
    pub(crate) changes: Option<Span>,
    /// Exit with 3 when the fleet is degraded, critical or unknown, also where a site is missing, which is said besides
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// What else is asked of a fleet, or done with it.
#[derive(Debug, Subcommand)]
pub(crate) enum FleetAction {
    /// The sites: whether they are connected, and what each allows
    Sites {
        #[command(flatten)]
        connection: Connection,
    },
    /// How long operations took over all clusters together, within 1 %: over the last hour from what their sites told in short, over any other
    /// stretch, or of a volume or a node, from the sites
    #[command(
        after_help = "Examples:\n  fathom fleet latency\n  fathom fleet latency --cluster country=de --since 24h --until 12h\n  fathom fleet latency --volume vol0 --deadline 10s"
    )]
    Latency(LatencyOfFleetArgs),
    /// Which firmware, driver or build of the system is worse than its like, and by more than chance
    Cohorts {
        #[command(flatten)]
        connection: Connection,
    },
    /// Selections that were saved for everybody, for --cluster @NAME
    Selections {
        #[command(flatten)]
        connection: Connection,
    },
    /// Save what --cluster and --site select under a name, for everybody who asks this coordinator
    #[command(
        after_help = "Example:\n  fathom fleet save gold --cluster tier=gold --site berlin\n  fathom why --cluster @gold"
    )]
    Save {
        /// Its name, of letters, digits, `-`, `_` and `.`; one that there is gets replaced
        #[arg(value_name = "NAME", value_parser = given)]
        name: String,
        /// Made up by you: the same request sent again with it changes nothing
        #[arg(long, value_name = "ID", value_parser = given)]
        request_id: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a selection that was saved
    Unsave {
        /// Its name
        #[arg(value_name = "NAME", value_parser = given)]
        name: String,
        /// Made up by you: the same request sent again with it changes nothing
        #[arg(long, value_name = "ID", value_parser = given)]
        request_id: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Forget a site that is missing and will not come back, or a cluster that its site does not serve any more
    Forget {
        /// Its name
        #[arg(id = "forgotten", value_name = "SITE[/CLUSTER]", value_parser = given)]
        site: String,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Of which I/Os, and of which clusters.
#[derive(Debug, Args)]
pub(crate) struct LatencyOfFleetArgs {
    /// Only I/Os of the last stretch of time, counted back from each cluster's newest I/O, such as 24h [default: the last hour, from what
    /// sites told; with --volume or --node everything there is]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = stretch)]
    pub(crate) since: Option<Span>,
    /// Only those up to so long before each cluster's newest I/O
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = stretch)]
    pub(crate) until: Option<Span>,
    /// Only of volumes of this name
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) volume: Option<String>,
    /// Only of I/Os that a node of this name began or has a copy of
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) node: Option<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
