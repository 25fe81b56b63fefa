//! `fathom disks`, `jobs`, `pools`, `sources`, `extents`: resources of a cluster as they were at a moment.

pub(crate) mod counters;
pub(crate) mod history;
pub(crate) mod network;
mod tables;
pub(crate) mod vms;

use std::collections::BTreeMap;

use fathom_model::state::{Observation, Value};
use fathom_proto::convert::state::attribute_from_wire;
use fathom_proto::query::v1 as wire;
use serde_json::{Map, json};

use crate::args::{ExtentsArgs, Output, StateArgs};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::table::{Grid, one_line};
use crate::render::units::date_time;
use crate::scope::tell;

pub(crate) use tables::{CSVS, DISKS, JOBS, NODES, POOLS, SMB_EVENTS, SOURCES, Table, VIRTUAL_DISKS};

/// A node whose newest reading is older than this at the moment that is asked about has not reported: every class is read at least this
/// often but for the reliability of drives.
const STALE_NANOS: i64 = 5 * 60 * 1_000_000_000;

/// A resource as it was at a moment.
pub(crate) struct Shown {
    pub(crate) observation: Observation,
    pub(crate) derived: BTreeMap<String, Value>,
    pub(crate) since: i64,
    pub(crate) seen: i64,
}

impl Shown {
    pub(crate) fn from_wire(resource: &wire::Resource) -> Result<Self> {
        let missing = fathom_proto::convert::Error::Missing {
            field: "resource.observation",
        };
        let observation = resource
            .observation
            .as_ref()
            .ok_or(missing)
            .and_then(Observation::try_from);
        let mut derived = BTreeMap::new();
        for attribute in &resource.derived {
            if let (name, Ok(value)) = attribute_from_wire(attribute).map_err(Error::Malformed)? {
                derived.insert(name, value);
            }
        }
        Ok(Self {
            observation: observation.map_err(Error::Malformed)?,
            derived,
            since: resource.since_unix_nanos,
            seen: resource.seen_unix_nanos,
        })
    }

    /// An attribute, its own or what follows from others.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.observation.get(name).or_else(|| self.derived.get(name))
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::as_u64)
    }

    fn json(&self, at: Option<i64>) -> serde_json::Value {
        let own = &self.observation;
        json!({
            "kind": own.kind.as_str(), "id": own.id, "node": own.node.as_str(),
            "observed_unix_ns": own.observed_unix_nanos, "since_unix_ns": self.since, "seen_unix_ns": self.seen,
            "age_ns": at.map(|at| at.saturating_sub(self.seen)),
            "attributes": to_value(&own.attributes), "unavailable": to_value(&own.unavailable), "derived": to_value(&self.derived),
        })
    }
}

/// One of the plain lists.
pub(crate) fn run(table: &Table, arguments: &StateArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let filter = filter(table.kinds, arguments);
    let (cluster, (resources, coverage)) = block_on(async {
        let client = Client::connect(&context).await?;
        Ok((client.cluster().await?, client.resources(filter, arguments.at).await?))
    })?;
    show(table, &cluster, &resources, coverage.as_ref(), output)
}

/// The extents of one volume, by the name of its virtual disk or by its id.
pub(crate) fn extents(arguments: &ExtentsArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let of = |kinds: &[&str], name: &str| wire::ResourceFilter {
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        name: name.to_owned(),
        ..wire::ResourceFilter::default()
    };
    let (cluster, (resources, coverage)) = block_on(async {
        let client = Client::connect(&context).await?;
        let (disks, _) = client
            .resources(of(&["virtual_disk"], &arguments.volume), arguments.at)
            .await?;
        let mut id = arguments.volume.clone();
        for disk in &disks {
            let disk = Shown::from_wire(disk)?.observation;
            if disk
                .text("name")
                .is_some_and(|name| name.eq_ignore_ascii_case(&arguments.volume))
            {
                id = disk.text("unique_id").unwrap_or(&disk.id).to_owned();
            }
        }
        Ok((
            client.cluster().await?,
            client.resources(of(&["extent"], &id), arguments.at).await?,
        ))
    })?;
    show(&tables::EXTENTS, &cluster, &resources, coverage.as_ref(), output)
}

pub(crate) fn filter(kinds: &[&str], arguments: &StateArgs) -> wire::ResourceFilter {
    wire::ResourceFilter {
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        node: arguments.node.clone().unwrap_or_default(),
        name: arguments.name.clone().unwrap_or_default(),
        volume: String::new(),
    }
}

fn show(
    table: &Table,
    cluster: &str,
    resources: &[wire::Resource],
    coverage: Option<&wire::StateCoverage>,
    output: Output,
) -> Result<Code> {
    let resources: Vec<Shown> = resources.iter().map(Shown::from_wire).collect::<Result<_>>()?;
    let at = coverage.and_then(|coverage| coverage.at_unix_nanos);
    match output {
        Output::Json => {
            let rows: Vec<_> = resources.iter().map(|row| row.json(at)).collect();
            document(cluster, table.name, rows.into(), coverage)?;
        }
        Output::Table => print(&table.lines(&resources, at))?,
    }
    Ok(note(coverage))
}

impl Table {
    /// The resources as lines, each with how long ago it was last found so.
    pub(crate) fn lines(&self, resources: &[Shown], at: Option<i64>) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).chain([">age"]).collect();
        let mut grid = Grid::new(&names);
        for row in resources {
            let cells = self.columns.iter().map(|(_, cell)| cell(row));
            grid.row(cells.chain([age(at, row.seen)]));
        }
        grid.lines("")
    }
}

/// What state says beside what an answer is about; nothing where no node has reported any.
pub(crate) struct Beside {
    tables: Vec<(&'static Table, Vec<Shown>, Option<i64>)>,
}

impl Beside {
    /// Asks for the resources of some lists. A coordinator of before there was state has none.
    pub(crate) async fn ask(client: &Client, tables: &[&'static Table]) -> Result<Self> {
        let mut asked = Vec::new();
        for table in tables {
            let filter = wire::ResourceFilter {
                kinds: table.kinds.iter().map(|kind| (*kind).to_owned()).collect(),
                ..wire::ResourceFilter::default()
            };
            let (resources, coverage) = match client.resources(filter, None).await {
                Ok(answer) => answer,
                Err(Error::Protocol { .. }) => return Ok(Self { tables: Vec::new() }),
                Err(error) => return Err(error),
            };
            let at = coverage.and_then(|coverage| coverage.at_unix_nanos);
            asked.push((
                *table,
                resources.iter().map(Shown::from_wire).collect::<Result<_>>()?,
                at,
            ));
        }
        Ok(Self { tables: asked })
    }

    /// Adds the lists to a document, each under its name.
    pub(crate) fn add(&self, document: &mut serde_json::Value) {
        for (table, rows, at) in &self.tables {
            document[table.name] = rows.iter().map(|row| row.json(*at)).collect();
        }
    }

    /// The lists that have something, each after an empty line.
    pub(crate) fn lines(&self) -> String {
        let some = self.tables.iter().filter(|(_, rows, _)| !rows.is_empty());
        some.map(|(table, rows, at)| format!("\n{}", table.lines(rows, *at)))
            .collect()
    }
}

/// Prints a document about state.
pub(crate) fn document(
    cluster: &str,
    name: &str,
    rows: serde_json::Value,
    coverage: Option<&wire::StateCoverage>,
) -> Result<()> {
    document_with(cluster, [(name, rows)], coverage, &[])
}

/// Prints a document of several lists about state, with what could not be read.
pub(crate) fn document_with<'a>(
    cluster: &str,
    lists: impl IntoIterator<Item = (&'a str, serde_json::Value)>,
    coverage: Option<&wire::StateCoverage>,
    warnings: &[String],
) -> Result<()> {
    let mut fields = Map::new();
    fields.insert("cluster".to_owned(), json!(cluster));
    fields.insert(
        "at_unix_ns".to_owned(),
        json!(coverage.and_then(|coverage| coverage.at_unix_nanos)),
    );
    fields.extend(lists.into_iter().map(|(name, rows)| (name.to_owned(), rows)));
    let nodes: Vec<_> = unheard(coverage)
        .into_iter()
        .map(|(node, cause)| json!({"node": node, "cause": cause}))
        .collect();
    fields.insert(
        "unseen".to_owned(),
        json!({"missing": null, "unmatched": null, "nodes": nodes, "warnings": warnings}),
    );
    json::print(serde_json::Value::Object(fields))
}

/// How long before the moment something was last found so.
pub(crate) fn age(at: Option<i64>, seen: i64) -> String {
    let nanos = at.map(|at| at.saturating_sub(seen).max(0));
    nanos.map_or_else(|| "-".to_owned(), |nanos| span(nanos.unsigned_abs()))
}

/// A length of time to the second, as people say it.
pub(crate) fn span(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Nodes that have not reported at the moment, and why that is said.
fn unheard(coverage: Option<&wire::StateCoverage>) -> Vec<(&str, &'static str)> {
    let Some(coverage) = coverage else { return Vec::new() };
    let late = |heard: i64| {
        coverage
            .at_unix_nanos
            .is_some_and(|at| at.saturating_sub(heard) > STALE_NANOS)
    };
    let nodes = coverage.nodes.iter().filter_map(|node| match node.heard_unix_nanos {
        None => Some((node.node.as_str(), "no_state")),
        Some(heard) if late(heard) => Some((node.node.as_str(), "stale")),
        Some(_) => None,
    });
    nodes.collect()
}

/// Says on standard error which moment was looked at and who has not reported; the exit code that this means.
pub(crate) fn note(coverage: Option<&wire::StateCoverage>) -> Code {
    let Some(at) = coverage.and_then(|coverage| coverage.at_unix_nanos) else {
        tell!("partial: no node has reported any state");
        return Code::Partial;
    };
    tell!("as of {}", date_time(at));
    let unheard = unheard(coverage);
    for (node, cause) in &unheard {
        let why = match *cause {
            "stale" => "has not reported its state for more than 5 minutes",
            _ => "has not reported any state",
        };
        tell!("partial: node {} {why} ({cause})", one_line(node));
    }
    if unheard.is_empty() { Code::Fine } else { Code::Partial }
}
