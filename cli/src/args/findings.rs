//! Findings, what-if and health.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fathom_runtime::units::Span;

use super::{SourceArgs, Which, given, point_in_time, stretch};
use crate::context::Connection;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct FindingsArgs {
    #[command(subcommand)]
    pub(crate) action: Option<FindingsAction>,
    /// Show those that are open, then each change as it comes, until interrupted
    #[arg(long, conflicts_with_all = ["all", "check"])]
    pub(crate) watch: bool,
    /// With --watch: go on after the change of this number
    #[arg(long, value_name = "NUMBER", requires = "watch")]
    pub(crate) after: Option<u64>,
    /// Those that are over or muted too
    #[arg(long)]
    pub(crate) all: bool,
    /// Only of this code, such as DISK_SLOW
    #[arg(long, value_name = "CODE", value_parser = given)]
    pub(crate) code: Option<String>,
    /// Exit with 3 when one is open that is not muted
    #[arg(long)]
    pub(crate) check: bool,
    /// Join this recording now instead of asking a coordinator
    #[arg(long, value_name = "DIR", conflicts_with = "watch")]
    pub(crate) recording: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// What is said of a finding.
#[derive(Debug, Subcommand)]
pub(crate) enum FindingsAction {
    /// Say that somebody works on a finding
    Ack(RemarkArgs),
    /// Say that somebody does not want to hear of a finding; it still counts for health
    Mute(RemarkArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RemarkArgs {
    /// Its name, as `fathom findings` prints it
    #[arg(value_name = "ID", value_parser = given)]
    pub(crate) id: String,
    /// Who
    #[arg(long, value_name = "NAME", required_unless_present = "undo", value_parser = given)]
    pub(crate) by: Option<String>,
    /// For how long, such as 4h [default: as long as the finding is known]
    #[arg(long = "for", value_name = "TIME", value_parser = stretch)]
    pub(crate) how_long: Option<Span>,
    /// What else is to be said
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Take it back
    #[arg(long, conflicts_with_all = ["by", "how_long", "text"])]
    pub(crate) undo: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code [default: list them]
    #[arg(value_name = "CODE", value_parser = given)]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct WhatIfArgs {
    /// disk:NODE/DISK or disk:SERIAL (its UniqueId too), link:NODE-NODE, node:NODE, or job:JOB by a storage job's identity or name
    /// [default: all disks, links and nodes that would give something back, the most first]
    #[arg(long, value_name = "WHAT", value_parser = given)]
    pub(crate) without: Option<String>,
    /// At most so many of a ranking
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub(crate) limit: u32,
    /// Join this recording now instead of asking a coordinator
    #[arg(long, value_name = "DIR", conflicts_with_all = ["volume", "node", "disk", "since", "until", "wanted"])]
    pub(crate) recording: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Show how everything is, then what changes, until interrupted
    #[arg(long, conflicts_with_all = ["history", "check"])]
    pub(crate) watch: bool,
    /// With --watch: what has changed after this, as an earlier watch said where to go on
    #[arg(long, value_name = "TOKEN", requires = "watch")]
    pub(crate) after: Option<String>,
    /// The changes of the cluster's own state too
    #[arg(long)]
    pub(crate) history: bool,
    /// Exit with 3 when the cluster is degraded, critical or unknown
    #[arg(long)]
    pub(crate) check: bool,
    /// Minutes in which an objective was not met, the newest first
    #[arg(long, conflicts_with_all = ["watch", "history", "check"])]
    pub(crate) slow_minutes: bool,
    /// With --slow-minutes: from here on, such as 2026-09-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = point_in_time, requires = "slow_minutes")]
    pub(crate) from: Option<i64>,
    /// With --slow-minutes: before this
    #[arg(long, value_name = "TIME", value_parser = point_in_time, requires = "slow_minutes")]
    pub(crate) until: Option<i64>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
