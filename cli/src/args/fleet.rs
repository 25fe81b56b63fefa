//! Many clusters.

use clap::{Args, Subcommand};

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
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// What is done with a fleet.
#[derive(Debug, Subcommand)]
pub(crate) enum FleetAction {
    /// Forget a site that is missing and will not come back
    Forget {
        /// Its name
        #[arg(value_name = "SITE")]
        site: String,
        #[command(flatten)]
        connection: Connection,
    },
}
