//! Options of commands that need no network: simulate, import, evaluate.

use std::ops::Range;
use std::path::PathBuf;

use clap::Args;

use super::{a_name, point_in_time};

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Folder for the recording; made where it is not there
    #[arg(value_name = "DIR", required_unless_present_any = ["list", "show_config"])]
    pub(crate) folder: Option<PathBuf>,
    /// List the scenarios and exit
    #[arg(long)]
    pub(crate) list: bool,
    /// What is simulated [default: healthy]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub(crate) scenario: Option<String>,
    /// Simulate what this TOML file says; the options below go before it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the configuration as TOML, to be changed and given to --config, and exit
    #[arg(long)]
    pub(crate) show_config: bool,
    /// What decides every draw [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Nodes, 1 to 16 [default: the scenario's, mostly 4]
    #[arg(long, value_name = "COUNT")]
    pub(crate) nodes: Option<u32>,
    /// End after so many volume writes [default: 30000, if --seconds is not given]
    #[arg(long, value_name = "COUNT")]
    pub(crate) writes: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<f64>,
    /// What is seen: `windows` (as Windows gives it: no target, initiator without offset), `windows-offset`, or `rich`
    #[arg(long, value_name = "TAPS", value_parser = ["windows", "windows-offset", "rich"])]
    pub(crate) taps: Option<String>,
    /// Replace a recording that is in the folder
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Trace (.etl) or wpaexporter's disk I/O table (.csv), plain, in a zip archive, or packed with gzip, bzip2 or zstd; or state: an SDDC
    /// diagnostic folder or its zip, CLIXML (.xml), ConvertTo-Json of cmdlets (.json), or what they and the support module print (.txt,
    /// .log)
    #[arg(value_name = "PATH", required_unless_present = "node")]
    pub(crate) paths: Vec<PathBuf>,
    /// A trace, and the node that it was taken on (may be repeated) [default: the computer that the trace names, else the file's name]
    #[arg(long, value_name = "NAME=PATH", value_parser = named_path)]
    pub(crate) node: Vec<(String, PathBuf)>,
    /// When the traces behind CSV files were started, such as 2026-09-22T03:13:00Z [default: 1970, so that times count from the start]
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) csv_start: Option<i64>,
    /// Write every disk I/O to this file as a row of the recording format; compressed where its name ends in .zst
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,
    /// Extents of the virtual disks, as JSON of Get-PhysicalExtent (may be repeated)
    #[arg(long, value_name = "FILE", requires = "disks")]
    pub(crate) extents: Vec<PathBuf>,
    /// Numbers of virtual and physical disks on their nodes, as JSON of Get-Disk and Get-PhysicalDiskStorageNodeView (may be repeated)
    #[arg(long, value_name = "FILE", requires = "extents")]
    pub(crate) disks: Vec<PathBuf>,
    /// How columns of virtual disks lie, and the interleave in bytes: `row-start`, `consecutive` or `straight`, such as
    /// row-start,262144 [default: what explains the traffic]
    #[arg(long, value_name = "NAME[,BYTES]", requires = "extents", value_parser = clap::value_parser!(fathom_lab::import::ByHand))]
    pub(crate) column_arithmetic: Option<fathom_lab::import::ByHand>,
    /// Join the traces, or take the state, and put the result into the store in this folder, which no coordinator may use meanwhile
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// When the state was observed [default: when each file was written]
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) at: Option<i64>,
    /// The cluster's name in the store, and the recording's
    #[arg(long, value_name = "NAME", default_value = "imported", value_parser = a_name)]
    pub(crate) cluster: String,
    /// Write the traces as a recording into this folder, for `fathom replay`; made where it is not there
    #[arg(long, value_name = "DIR", requires = "extents")]
    pub(crate) recording: Option<PathBuf>,
    /// Replace a recording that is in the folder
    #[arg(long, requires = "recording")]
    pub(crate) force: bool,
}

/// `NAME=PATH`.
fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err("give a node's name, `=`, and the file, such as hv01=trace.etl".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// Scenarios with their truth, as TOML [default: a built-in catalogue in which every seed is a scenario]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Seeds, the last not included [default: 0..200, with FILE one a scenario]
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    pub(crate) seeds: Option<Range<u64>>,
    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
}

/// Two numbers with dots between them, the second the greater.
fn seeds(text: &str) -> Result<Range<u64>, String> {
    let form = || format!("`{text}` is not of the form A..B, such as 0..200");
    let (from, until) = text.split_once("..").ok_or_else(form)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| form());
    let (from, until) = (number(from)?, number(until)?);
    if from >= until {
        return Err(format!("no seed lies within {text}: B is not included"));
    }
    Ok(from..until)
}
