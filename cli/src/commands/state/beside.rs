//! What state says beside an answer that is of events: lists under it, of one moment, and who has not reported.

use fathom_proto::query::v1 as wire;
use serde_json::{Value, json};

use super::{Shown, Table, filter, names, note, tell_unknown, unheard, unread};
use crate::args::StateArgs;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::exit::Code;

/// What state says; nothing where no node has reported any.
pub(crate) struct Beside {
    tables: Vec<(&'static Table, Vec<Shown>)>,
    coverage: Option<wire::StateCoverage>,
    is_of_past: bool,
    /// What there is, where nothing has the name that was asked for.
    known: Option<Vec<String>>,
}

impl Beside {
    /// Asks for the resources of some lists. A coordinator of before there was state has none.
    pub(crate) async fn ask(client: &Client, tables: &[&'static Table], arguments: &StateArgs) -> Result<Self> {
        let mut beside = Self {
            tables: Vec::new(),
            coverage: None,
            is_of_past: arguments.at.is_some(),
            known: None,
        };
        let mut moment = arguments.at;
        let mut rows = Vec::new();
        // Asked for together: each question reads all of state.
        for of_no_node in [false, true] {
            let own = tables.iter().filter(|table| table.is_of_no_node == of_no_node);
            let kinds: Vec<&str> = own.flat_map(|table| table.kinds).copied().collect();
            if kinds.is_empty() {
                continue;
            }
            let mut wanted = filter(&kinds, arguments);
            if of_no_node {
                wanted.node = String::new();
            }
            let (resources, coverage) = match client.resources(wanted, moment).await {
                Ok(answer) => answer,
                Err(Error::Protocol { .. }) => return Ok(beside),
                Err(error) => return Err(error),
            };
            // All lists are of one moment, whatever came meanwhile.
            moment = moment.or_else(|| coverage.as_ref()?.at_unix_nanos);
            let unread = coverage
                .as_ref()
                .map_or_else(Vec::new, |coverage| coverage.unread.clone());
            match &mut beside.coverage {
                Some(known) => known.unread.extend(unread),
                none => *none = coverage,
            }
            for resource in &resources {
                rows.push(Shown::from_wire(resource)?);
            }
        }
        for table in tables {
            let (own, others) = rows.into_iter().partition(|row: &Shown| table.has(row));
            rows = others;
            beside.tables.push((table, own));
        }
        if let Some(coverage) = beside
            .coverage
            .as_mut()
            .filter(|_| beside.tables.iter().any(|(_, rows)| !rows.is_empty()))
        {
            // Of one list of several nothing may ever be said: not every cluster has what it is of.
            coverage.unread.retain(|unread| !unread.node.is_empty());
        }
        if beside.tables.iter().all(|(_, rows)| rows.is_empty()) {
            let kinds: Vec<&str> = tables.iter().flat_map(|table| table.kinds).copied().collect();
            beside.known = names(client, &kinds, arguments).await?;
        }
        Ok(beside)
    }

    /// The rows of a list.
    pub(crate) fn of(&self, table: &Table) -> &[Shown] {
        let own = self.tables.iter().find(|(known, _)| known.name == table.name);
        own.map_or(&[][..], |(_, rows)| rows)
    }

    /// Leaves out rows of a list.
    pub(crate) fn retain(&mut self, table: &Table, keep: impl Fn(&Shown) -> bool) {
        for (known, rows) in &mut self.tables {
            if known.name == table.name {
                rows.retain(&keep);
            }
        }
    }

    fn at(&self) -> Option<i64> {
        self.coverage.as_ref()?.at_unix_nanos
    }

    /// Where nobody has ever reported state and nobody asked for a moment, the answer is of events alone.
    fn is_of_events(&self) -> bool {
        self.at().is_none() && !self.is_of_past
    }

    /// Adds the moment and the lists to a document, each under its name, and who has not reported to what was not seen.
    pub(crate) fn add(&self, document: &mut Value, mut unseen: Value) {
        document["at_unix_ns"] = json!(self.at());
        for (table, rows) in &self.tables {
            document[table.name] = rows.iter().map(|row| row.json(self.at())).collect();
        }
        if let Some(nodes) = unseen["nodes"].as_array_mut().filter(|_| !self.is_of_events()) {
            let unheard = unheard(self.coverage.as_ref()).into_iter();
            nodes.extend(unheard.map(|(node, cause)| json!({"node": node, "cause": cause})));
        }
        if let Some(warnings) = unseen["warnings"].as_array_mut().filter(|_| !self.is_of_events()) {
            warnings.extend(unread(self.coverage.as_ref()).into_iter().map(Value::from));
        }
        document["unseen"] = unseen;
    }

    /// The lists that have something, with an empty line between them.
    pub(crate) fn lines(&self) -> String {
        let some = self.tables.iter().filter(|(_, rows)| !rows.is_empty());
        let lists: Vec<String> = some.map(|(table, rows)| table.lines(rows, self.at())).collect();
        lists.join("\n")
    }

    /// The same, each after an empty line.
    pub(crate) fn lines_under(&self) -> String {
        let lines = self.lines();
        match lines.is_empty() {
            true => lines,
            false => format!("\n{lines}"),
        }
    }

    /// Says what was looked at, who has not reported, and that nothing has the name that was asked for, unless something of events has;
    /// `others` are the names of those. The exit code that this means.
    pub(crate) fn note(&self, arguments: &StateArgs, others: &[String]) -> Code {
        let name = arguments.name.as_ref();
        if !others.iter().any(|other| has(name, other)) {
            let known = self.known.as_ref().map(|known| [known.as_slice(), others].concat());
            tell_unknown(arguments, known.as_deref());
        }
        match self.is_of_events() {
            true => Code::Fine,
            false => note(self.coverage.as_ref()),
        }
    }
}

/// Whether a name has what was asked for in it, in whatever case.
pub(crate) fn has(part: Option<&String>, name: &str) -> bool {
    part.is_none_or(|part| name.to_lowercase().contains(&part.to_lowercase()))
}

/// The exit code of an answer of two parts.
pub(crate) fn both(one: Code, other: Code) -> Code {
    if one == Code::Fine { other } else { one }
}
