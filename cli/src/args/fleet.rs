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
    /// How long operations took over all clusters together, from what their sites told in short
    Latency {
        #[command(flatten)]
        connection: Connection,
    },
    /// Which firmware, driver or build of the system is worse than its like, and by more than chance
    Cohorts {
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
