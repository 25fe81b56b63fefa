//! The ledger and comparisons.

use clap::Args;
use fathom_runtime::units::Span;

use super::{Source, SourceArgs, StateArgs, given, point_in_time, stretch};
use crate::context::Connection;

#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    /// What each job moved, and what writes waited for it, by volume
    #[arg(long, conflicts_with_all = ["node", "name", "at"])]
    pub(crate) ledger: bool,
    /// With --ledger: only jobs that ran in the last stretch of time, counted back from the cluster's newest I/O, such as 24h
    #[arg(long, value_name = "TIME", value_parser = stretch, requires = "ledger")]
    pub(crate) since: Option<Span>,
    /// With --ledger: look at each write (rows), or at what they added up to by the second, which tells all but what was waited at drives
    /// (tables) [default: tables where there are more than 200,000 I/Os]
    #[arg(long, value_enum, value_name = "WHAT", requires = "ledger")]
    pub(crate) source: Option<Source>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The end of the first stretch, such as 2026-09-22T03:00:00Z
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) before: i64,
    /// The end of the second stretch; of one that lies ahead the newest I/O
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) after: i64,
    /// How long each is [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = stretch)]
    pub(crate) window: Option<Span>,
    /// What did not change too
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct BaselinesArgs {
    /// Only of this volume
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) volume: Option<String>,
    /// Only of this node: its disks, its bus target, and copies that it sends or holds
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) node: Option<String>,
    /// Only of this disk, as NODE/DISK or by its name
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) disk: Option<String>,
    /// Only what has changed
    #[arg(long)]
    pub(crate) changed: bool,
    /// Of nodes, pairs and disks too
    #[arg(long)]
    pub(crate) places: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
