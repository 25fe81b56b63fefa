//! `fathom disks`, `jobs`, `pools`, `sbl`, `sources`, `extents`: resources of a cluster as they were at a moment.

mod beside;
pub(crate) mod counters;
pub(crate) mod extents;
pub(crate) mod history;
pub(crate) mod network;
mod tables;
pub(crate) mod vms;

use std::collections::BTreeMap;

use fathom_model::state::{Kind, Observation, Value};
use fathom_proto::convert::state::attribute_from_wire;
use fathom_proto::query::v1 as wire;
use serde_json::{Map, json};

use crate::args::{Output, StateArgs};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::table::{Grid, one_line};
use crate::render::units::date_time;
use crate::scope::tell;

pub(crate) use beside::{Beside, both, has};
pub(crate) use tables::{
    BITLOCKER, CSVS, DISKS, FILE_SYSTEMS, HEALTH_FAULTS, JOBS, NODES, POOLS, SMB_EVENTS, SOURCES, Table, VIRTUAL_DISKS,
};

/// A node whose newest reading is older than this at the moment that is asked about has not reported: every class is read at least this
/// often but for the reliability of drives.
const STALE_NANOS: i64 = 5 * 60 * 1_000_000_000;

/// A resource as it was at a moment.
pub(crate) struct Shown {
    pub(crate) observation: Observation,
    pub(crate) derived: BTreeMap<String, Value>,
    /// What would follow from other readings and does not, with the reason.
    unknown: BTreeMap<String, String>,
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
        let (mut derived, mut unknown) = (BTreeMap::new(), BTreeMap::new());
        for attribute in &resource.derived {
            match attribute_from_wire(attribute).map_err(Error::Malformed)? {
                (name, Ok(value)) => drop(derived.insert(name, value)),
                (name, Err(why)) => drop(unknown.insert(name, why)),
            }
        }
        Ok(Self {
            observation: observation.map_err(Error::Malformed)?,
            derived,
            unknown,
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
            "derived_unavailable": to_value(&self.unknown),
        })
    }
}

/// One of the plain lists.
pub(crate) fn run(table: &Table, arguments: &StateArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let filter = filter(table.kinds, arguments);
    let (cluster, (resources, coverage), known) = block_on(async {
        let client = Client::connect(&context).await?;
        let (resources, coverage) = client.resources(filter, arguments.at).await?;
        let known = match resources.is_empty() {
            true => names(&client, table.kinds, arguments).await?,
            false => None,
        };
        Ok((client.cluster().await?, (resources, coverage), known))
    })?;
    let resources: Vec<Shown> = resources.iter().map(Shown::from_wire).collect::<Result<_>>()?;
    let code = show(table, &cluster, &resources, coverage.as_ref(), output)?;
    tell_unknown(arguments, known.as_deref());
    Ok(code)
}

/// What is listed of the storage bus.
const SBL: [&Table; 8] = [
    &tables::SBL_NODES,
    &tables::SBL_DEVICES,
    &tables::SBL_PATHS,
    &tables::SBL_TARGETS,
    &tables::SBL_DISKS,
    &tables::SBL_STORES,
    &tables::SBL_BINDINGS,
    &tables::DIRTY_REGIONS,
];

/// The storage bus: each node's as a whole, drives as each node reaches them, as the node that has them holds them, what caches for which,
/// and the dirty regions of virtual disks.
pub(crate) fn sbl(arguments: &StateArgs, output: Output) -> Result<Code> {
    // Of a live node that a bus has neither is odd; what else there is none of is not shown.
    const EVERYWHERE: [&str; 2] = [tables::SBL_DEVICES.name, tables::SBL_TARGETS.name];
    lists(&SBL, &EVERYWHERE, arguments, output)
}

/// Physical disks, with how many drives there are of each firmware, and counters that no disk is known of. Of a cluster whose disks nobody
/// has listed what nodes see of them.
pub(crate) fn disks(arguments: &StateArgs, output: Output) -> Result<Code> {
    const LISTS: [&Table; 4] = [&DISKS, &tables::DISK_VIEWS, &tables::FIRMWARE, &tables::COUNTERS_ALONE];
    lists(&LISTS, &[DISKS.name], arguments, output)
}

/// What is asked for after the other lists, where a list has nothing, and that list.
const INSTEAD: (&str, &str) = (tables::DISK_VIEWS.name, DISKS.name);

/// Several lists of one moment; in a table only those that have something, and some always.
fn lists(tables: &[&'static Table], always: &[&str], arguments: &StateArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let kinds: Vec<&str> = tables.iter().flat_map(|table| table.kinds).copied().collect();
    let of = |wanted: &dyn Fn(&Table) -> bool| -> Vec<&str> {
        let wanted = tables.iter().filter(|table| wanted(table));
        wanted.flat_map(|table| table.kinds).copied().collect()
    };
    let (cluster, (resources, coverage), known) = block_on(async {
        let client = Client::connect(&context).await?;
        let (mut resources, coverage) = client
            .resources(filter(&of(&|table| table.name != INSTEAD.0), arguments), arguments.at)
            .await?;
        let instead = of(&|table| table.name == INSTEAD.0);
        let is_first = |row: &wire::Resource| {
            let own = row.observation.as_ref();
            own.is_some_and(|own| {
                tables
                    .iter()
                    .any(|table| table.name == INSTEAD.1 && table.kinds.contains(&own.kind.as_str()))
            })
        };
        if !instead.is_empty() && !resources.iter().any(is_first) {
            let at = coverage.as_ref().and_then(|coverage| coverage.at_unix_nanos);
            resources.extend(
                client
                    .resources(filter(&instead, arguments), at.or(arguments.at))
                    .await?
                    .0,
            );
        }
        let known = match resources.is_empty() {
            true => names(&client, &kinds, arguments).await?,
            false => None,
        };
        Ok((client.cluster().await?, (resources, coverage), known))
    })?;
    let mut resources: Vec<Shown> = resources.iter().map(Shown::from_wire).collect::<Result<_>>()?;
    // Counters of a disk stand beside it.
    resources.retain(|row| row.observation.kind != Kind::DiskReliability || !row.derived.contains_key("disk"));
    let at = coverage.as_ref().and_then(|coverage| coverage.at_unix_nanos);
    let of = |table: &'static Table| resources.iter().filter(move |row| table.has(row));
    match output {
        Output::Json => {
            let list = |table: &'static Table| -> serde_json::Value { of(table).map(|row| row.json(at)).collect() };
            let lists = tables.iter().map(|table| (table.name, list(table)));
            document_with(&cluster, lists, coverage.as_ref(), &[])?;
        }
        Output::Table => {
            let is_shown = |table: &&&'static Table| of(table).next().is_some();
            let is_always = |table: &&'static Table| always.contains(&table.name);
            let some = tables.iter().any(|table| is_shown(&table) && !is_always(table));
            let live = tables.iter().any(|table| is_shown(&table) && is_always(table));
            let shown = tables
                .iter()
                // Of what a report alone tells of, that is shown and no empty lists of what a node would have.
                .filter(|table| is_shown(table) || ((live || !some) && is_always(table)));
            let lists: Vec<String> = shown.map(|table| table.lines(of(table), at)).collect();
            print(&lists.join("\n"))?;
        }
    }
    let code = note(coverage.as_ref());
    tell_unknown(arguments, known.as_deref());
    Ok(code)
}

/// So many names are told where one is not known.
const NAMED: usize = 48;

/// What could have been asked for, where nothing has the name that was; none where no name was given.
pub(crate) async fn names(client: &Client, kinds: &[&str], arguments: &StateArgs) -> Result<Option<Vec<String>>> {
    if arguments.name.is_none() {
        return Ok(None);
    }
    let of_any_name = wire::ResourceFilter {
        name: String::new(),
        ..filter(kinds, arguments)
    };
    let (resources, _) = client.resources(of_any_name, arguments.at).await?;
    let mut names = Vec::new();
    for resource in &resources {
        let own = Shown::from_wire(resource)?.observation;
        // Drives of one model have one name.
        let name = own.text("serial_number").or_else(|| own.text("name"));
        names.push(name.unwrap_or(&own.id).to_owned());
    }
    Ok(Some(names))
}

/// Says that nothing has the name that was asked for, and which there are.
pub(crate) fn tell_unknown(arguments: &StateArgs, known: Option<&[String]>) {
    if let (Some(name), Some(known)) = (&arguments.name, known) {
        tell!(
            "nothing here has `{}` in its id, name or serial number (known: {})",
            one_line(name),
            one_line(&listed(known))
        );
    }
}

/// Names in one line, each once.
pub(crate) fn listed(names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    match (names.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    }
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
    resources: &[Shown],
    coverage: Option<&wire::StateCoverage>,
    output: Output,
) -> Result<Code> {
    let at = coverage.and_then(|coverage| coverage.at_unix_nanos);
    match output {
        Output::Json => {
            let rows: Vec<_> = resources.iter().map(|row| row.json(at)).collect();
            document(cluster, table.name, rows.into(), coverage)?;
        }
        Output::Table => print(&table.lines(resources, at))?,
    }
    Ok(note(coverage))
}

impl Table {
    /// The resources as lines, each with how long ago it was last found so.
    pub(crate) fn lines<'a>(&self, resources: impl IntoIterator<Item = &'a Shown>, at: Option<i64>) -> String {
        let names = self.columns.iter().map(|(name, _)| *name).chain([">age"]);
        let names: Vec<&str> = names.chain(self.other_age.map(|(name, _)| name)).collect();
        let mut grid = Grid::new(&names);
        for row in resources {
            let cells = self.columns.iter().map(|(_, cell)| cell(row));
            let other = self.other_age.map(|(_, seen)| {
                let seen = row.number(seen).and_then(|seen| i64::try_from(seen).ok());
                seen.map_or_else(|| "-".to_owned(), |seen| age(at, seen))
            });
            grid.row(cells.chain([age(at, row.seen)]).chain(other));
        }
        grid.lines("")
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
    fields.insert("unseen".to_owned(), unseen(coverage, warnings));
    json::print(serde_json::Value::Object(fields))
}

/// What an answer about state did not see, in a document.
pub(crate) fn unseen(coverage: Option<&wire::StateCoverage>, warnings: &[String]) -> serde_json::Value {
    let nodes: Vec<_> = unheard(coverage)
        .into_iter()
        .map(|(node, cause)| json!({"node": node, "cause": cause}))
        .collect();
    let warnings: Vec<String> = warnings.iter().cloned().chain(unread(coverage)).collect();
    json!({"missing": null, "unmatched": null, "nodes": nodes, "warnings": warnings})
}

/// Who cannot read a class, and since when.
type Blind<'a> = (Vec<&'a str>, Option<i64>);

/// What an answer rests on and could not be read: a text a class and reason, with the nodes.
pub(crate) fn unread(coverage: Option<&wire::StateCoverage>) -> Vec<String> {
    let mut nodes: BTreeMap<(&str, &str, &str), Blind<'_>> = BTreeMap::new();
    for unread in coverage.into_iter().flat_map(|coverage| &coverage.unread) {
        let (by, since) = nodes.entry((&unread.kind, &unread.class, &unread.reason)).or_default();
        by.extend((!unread.node.is_empty()).then_some(unread.node.as_str()));
        *since = [*since, unread.since_unix_nanos].into_iter().flatten().min();
    }
    let told = nodes.into_iter().map(|((kind, class, reason), (by, since))| {
        let since = since.map_or_else(String::new, |since| format!(" since {}", date_time(since)));
        match by.as_slice() {
            [] => format!("{kind}: {reason}"),
            [node] => format!("{class} of node {node} ({kind}) cannot be read{since}: {reason}"),
            several => format!(
                "{class} of nodes {} ({kind}) cannot be read{since}: {reason}",
                several.join(", ")
            ),
        }
    });
    told.collect()
}

/// Says on standard error what an answer rests on and could not be read; the exit code that this means.
pub(crate) fn note_unread(coverage: Option<&wire::StateCoverage>) -> Code {
    let unread = unread(coverage);
    for what in &unread {
        tell!("partial: {}", one_line(what));
    }
    if unread.is_empty() { Code::Fine } else { Code::Partial }
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
    let unread = note_unread(coverage);
    if unheard.is_empty() { unread } else { Code::Partial }
}
