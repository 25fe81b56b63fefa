//! Options of commands about state: which resources or counters, and when.

use clap::Args;
use fathom_runtime::units::Span;

use super::{given, point_in_time, stretch};
use crate::context::Connection;

/// Which resources, and when.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// Only on this node
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) node: Option<String>,
    /// Only those with this in their id, name or serial number
    #[arg(long, value_name = "TEXT", value_parser = given)]
    pub(crate) name: Option<String>,
    /// As they were at this time, such as 2026-09-22T03:13:00Z [default: at the newest reading]
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) at: Option<i64>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Which virtual machines, and when.
#[derive(Debug, Args)]
pub(crate) struct VmsArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Only with a file on this volume: its folder below ClusterStorage, or the name of its virtual disk
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) volume: Option<String>,
}

/// Which counters, and when.
#[derive(Debug, Args)]
pub(crate) struct CountersArgs {
    /// Only those with this in their name, such as `stalls` or `cluster_disk.remote_write`
    #[arg(long, value_name = "TEXT", value_parser = given)]
    pub(crate) counter: Option<String>,
    /// Only of resources of this kind, such as `disk` or `smb_connection`
    #[arg(long, value_name = "KIND", value_parser = given)]
    pub(crate) kind: Option<String>,
    /// Only read by this node
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) node: Option<String>,
    /// Only of resources with this in their id, which is the name of the counter's instance
    #[arg(long, value_name = "TEXT", value_parser = given)]
    pub(crate) name: Option<String>,
    /// So far back [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = stretch)]
    pub(crate) since: Option<Span>,
    /// Up to this time [default: up to the newest reading]
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) at: Option<i64>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct ExtentsArgs {
    /// The volume: name or id of its virtual disk
    #[arg(value_name = "VOLUME", value_parser = given)]
    pub(crate) volume: String,
    /// Only on disks of this node
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) node: Option<String>,
    /// Only on disks with this in their id, name or serial number
    #[arg(long, value_name = "TEXT", value_parser = given)]
    pub(crate) disk: Option<String>,
    /// As they were at this time [default: at the newest reading]
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) at: Option<i64>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct RdmaArgs {
    /// Only pairs with this node
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) node: Option<String>,
    /// As it was at this time [default: at the newest reading]
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) at: Option<i64>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct QosArgs {
    /// Only settings that differ between nodes
    #[arg(long)]
    pub(crate) drift: bool,
    /// Only settings that this node has; with --drift those in which it is an odd one
    #[arg(long, value_name = "NODE", value_parser = given)]
    pub(crate) node: Option<String>,
    /// Only of what has this in its name, such as an adapter or a policy
    #[arg(long, value_name = "TEXT", value_parser = given)]
    pub(crate) name: Option<String>,
    /// As they were at this time [default: at the newest reading]
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) at: Option<i64>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Id, name or serial number
    #[arg(value_name = "RESOURCE", value_parser = given)]
    pub(crate) resource: String,
    /// Only of this kind, such as `disk` or `storage_job`
    #[arg(long, value_name = "KIND", value_parser = given)]
    pub(crate) kind: Option<String>,
    /// Up to this time [default: up to the newest reading]
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) at: Option<i64>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
