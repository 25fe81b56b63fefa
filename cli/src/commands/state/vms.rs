//! `fathom vms`: virtual machines with their VHDX files, and the volumes that those are on.

use std::collections::BTreeMap;

use fathom_model::state::{Kind, Value};
use fathom_proto::query::v1 as wire;

use super::tables::text;
use super::{Shown, age, document_with, names, note, tell_unknown};
use crate::args::{Output, VmsArgs};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::error::Result;
use crate::exit::Code;
use crate::render::table::{Grid, one_line};
use crate::scope::tell;

/// What was asked for, as it was at one moment.
struct Answer {
    cluster: String,
    machines: Vec<Shown>,
    /// The files, each machine's by its node and identity; those of none under no machine.
    files: BTreeMap<Option<(String, String)>, Vec<Shown>>,
    coverage: Option<wire::StateCoverage>,
    /// What could not be read, and so is not among the machines.
    unread: Vec<String>,
    /// The machines that there are, where none has the name that was asked for.
    known: Option<Vec<String>>,
}

pub(crate) fn run(arguments: &VmsArgs, output: Output) -> Result<Code> {
    let context = arguments.state.connection.resolve()?;
    let answer = block_on(async {
        let client = Client::connect(&context).await?;
        ask(&client, arguments).await
    })?;
    let at = answer.coverage.as_ref().and_then(|coverage| coverage.at_unix_nanos);
    match output {
        Output::Json => {
            let machines = answer.machines.iter().map(|machine| {
                let mut row = machine.json(at);
                row["vhds"] = answer.files_of(machine).iter().map(|file| file.json(at)).collect();
                row
            });
            let others = answer.others().iter().map(|file| file.json(at));
            let lists = [("vms", machines.collect()), ("other_vhds", others.collect())];
            document_with(&answer.cluster, lists, answer.coverage.as_ref(), &answer.unread)?;
        }
        Output::Table => {
            print(&answer.lines(at))?;
            if !answer.others().is_empty() {
                tell!(
                    "{} more VHDX files are of no machine that is there: of checkpoints, or of machines that moved (-o json has them)",
                    answer.others().len()
                );
            }
        }
    }
    let code = note(answer.coverage.as_ref());
    tell_unknown(&arguments.state, answer.known.as_deref());
    for what in &answer.unread {
        tell!("partial: {}", one_line(what));
    }
    // What the files of a machine are may be unknown where everything was read.
    let known = answer.unread.is_empty() && answer.machines.iter().all(|vm| vm.get("vhds_unknown").is_none());
    Ok(if known { code } else { Code::Partial })
}

async fn ask(client: &Client, arguments: &VmsArgs) -> Result<Answer> {
    let of = |kind: Kind, name: Option<&str>, volume: Option<&str>| wire::ResourceFilter {
        kinds: vec![kind.as_str().to_owned()],
        node: arguments.state.node.clone().unwrap_or_default(),
        name: name.unwrap_or_default().to_owned(),
        volume: volume.unwrap_or_default().to_owned(),
    };
    let volume = arguments.volume.as_deref();
    let cluster = client.cluster().await?;
    let (machines, coverage) = client
        .resources(
            of(Kind::Vm, arguments.state.name.as_deref(), volume),
            arguments.state.at,
        )
        .await?;
    // All lists are of one moment, whatever came meanwhile.
    let at = coverage.as_ref().and_then(|coverage| coverage.at_unix_nanos);
    let at = at.or(arguments.state.at);
    // A machine that is shown has all its files, and on a volume those alone that are on it.
    let (vhds, _) = client.resources(of(Kind::Vhd, None, volume), at).await?;
    let (sources, _) = client.resources(of(Kind::Source, None, None), at).await?;
    let machines: Vec<Shown> = machines.iter().map(Shown::from_wire).collect::<Result<_>>()?;
    let mut files: BTreeMap<Option<(String, String)>, Vec<Shown>> = BTreeMap::new();
    for vhd in &vhds {
        let file = Shown::from_wire(vhd)?;
        let attached = file.get("attached").and_then(Value::as_bool) == Some(true);
        let machine = machines.iter().find(|machine| attached && is_of(&file, machine));
        match machine {
            Some(machine) => files.entry(Some(key(machine))).or_default().push(file),
            // Of a machine that was not asked for, or of nobody knows which.
            None if arguments.state.name.is_some() => {}
            None => files.entry(None).or_default().push(file),
        }
    }
    let sources: Vec<Shown> = sources.iter().map(Shown::from_wire).collect::<Result<_>>()?;
    let unread = unread(&sources, coverage.as_ref(), arguments.state.node.as_deref());
    let known = match machines.is_empty() {
        true => names(client, &[Kind::Vm.as_str()], &arguments.state).await?,
        false => None,
    };
    Ok(Answer {
        known,
        cluster,
        machines,
        files,
        coverage,
        unread,
    })
}

fn key(machine: &Shown) -> (String, String) {
    let own = &machine.observation;
    (own.node.to_string(), own.id.clone())
}

/// By GUID, or by name where one of the two has no other.
fn is_of(file: &Shown, machine: &Shown) -> bool {
    let (file, machine) = (&file.observation, &machine.observation);
    if file.node != machine.node {
        return false;
    }
    match (file.text("vm_id"), machine.text("vm_id")) {
        (Some(id), Some(of)) => id == of,
        _ => file.text("vm_name").is_some() && file.text("vm_name") == machine.text("name"),
    }
}

/// Nodes that report, but neither machines nor files: a text each.
fn unread(sources: &[Shown], coverage: Option<&wire::StateCoverage>, node: Option<&str>) -> Vec<String> {
    let of = |source: &&Shown| matches!(source.observation.text("kind"), Some("vm" | "vhd"));
    let mut unread = Vec::new();
    let heard = coverage.into_iter().flat_map(|coverage| &coverage.nodes);
    for heard in heard.filter(|heard| heard.heard_unix_nanos.is_some()) {
        let name = heard.node.as_str();
        let wanted = node.is_none_or(|node| node.eq_ignore_ascii_case(name));
        let said = |source: &Shown| source.observation.node.as_str() == name;
        if wanted && !sources.iter().filter(of).any(said) {
            unread.push(format!("node {name} has said nothing of virtual machines"));
        }
    }
    unread
}

impl Answer {
    fn files_of(&self, machine: &Shown) -> &[Shown] {
        self.files.get(&Some(key(machine))).map_or(&[][..], Vec::as_slice)
    }

    fn others(&self) -> &[Shown] {
        self.files.get(&None).map_or(&[][..], Vec::as_slice)
    }

    /// A line a file; of a machine without one a line that says so, or why none is known.
    fn lines(&self, at: Option<i64>) -> String {
        let mut grid = Grid::new(&["vm", "on", "state", "health", "volume", "file", "note", ">age"]);
        for machine in &self.machines {
            let name = match machine.get("name") {
                Some(name) => name.to_string(),
                None => machine.observation.id.clone(),
            };
            let unknown = machine.get("vhds_unknown").map(|why| format!("unknown: {why}"));
            let also = machine.get("also_on").map(|nodes| format!("{nodes} has it too"));
            let note: Vec<String> = also.into_iter().chain(unknown.clone()).collect();
            let row = |volume: String, file: String, seen: i64| {
                [
                    name.clone(),
                    machine.observation.node.to_string(),
                    text(machine, "state"),
                    text(machine, "health"),
                    volume,
                    file,
                    note.join("; "),
                    age(at, seen),
                ]
            };
            let files = self.files_of(machine);
            for file in files {
                // As old as the older of the two.
                let seen = file.seen.min(machine.seen);
                grid.row(row(text(file, "volume"), text(file, "path"), seen));
            }
            if files.is_empty() {
                let none = if unknown.is_some() { "?" } else { "none" };
                grid.row(row("-".to_owned(), none.to_owned(), machine.seen));
            }
        }
        grid.lines("")
    }
}
