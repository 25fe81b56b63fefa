//! The layer check: every arrow between our crates, and every crate that only some may know, against the table.
//!
//! It reads declared dependencies, of every kind and every target system. What a crate does with one is for review.

use std::fmt;

use anyhow::{Result, bail};

use self::table::{KNOWLEDGE, PREFIX, Row, row};
use crate::workspace::{Dependency, Kind, Member, Workspace};

mod table;
#[cfg(test)]
mod tests;

const TABLE_FILE: &str = "xtask/src/layers/table.rs";

/// One broken rule.
#[derive(Debug)]
struct Fault {
    package: String,
    /// The name that the arrow points at, if the fault is an arrow.
    arrow: Option<String>,
    rule: String,
    cure: String,
}

/// Prints each fault on a line and fails if there is one.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let faults = check(&workspace.members);
    for fault in &faults {
        println!("{fault}");
    }
    if !faults.is_empty() {
        bail!("{} against the house rules", count(faults.len(), "fault"));
    }
    let arrows = workspace.members.iter().map(arrows).sum();
    println!(
        "layers ok: {}, {}",
        count(workspace.members.len(), "crate"),
        count(arrows, "arrow")
    );
    Ok(())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.package)?;
        if let Some(to) = &self.arrow {
            write!(f, " -> {to}")?;
        }
        write!(f, ": {}; {}", self.rule, self.cure)
    }
}

/// Every fault of every member, in the order of the members.
fn check(members: &[Member]) -> Vec<Fault> {
    members.iter().flat_map(check_member).collect()
}

fn check_member(member: &Member) -> Vec<Fault> {
    let mut faults = check_manifest(member);
    let Some(row) = row(&member.folder) else {
        let cure = format!("decide its layer and add a row to {TABLE_FILE}, or make it a module of its one user");
        faults.push(fault(member, "every member stands in the layer table", cure));
        return faults;
    };
    faults.extend(member.dependencies.iter().filter_map(|dependency| {
        let (rule, cure) = if is_ours(dependency) {
            check_arrow(row, dependency)?
        } else {
            check_knowledge(row, dependency)?
        };
        Some(Fault {
            arrow: Some(arrow_end(dependency)),
            ..fault(member, rule, cure)
        })
    }));
    faults
}

/// The rules about a package alone.
fn check_manifest(member: &Member) -> Vec<Fault> {
    let mut faults = Vec::new();
    let expected = format!("{PREFIX}{}", member.folder);
    if member.name != expected {
        let rule = format!(
            "a package is called {PREFIX} and its folder, which is {}",
            member.folder
        );
        faults.push(fault(
            member,
            rule,
            format!("rename the package to {expected}, or move it"),
        ));
    }
    if !member.inherits_lints {
        let cure = "add `[lints]` with `workspace = true` to its manifest";
        faults.push(fault(member, "every crate inherits the workspace's lints", cure));
    }
    for file in &member.mod_files {
        let rule = format!(
            "a module is noun.rs with noun/ beside it, and {} is not",
            file.display()
        );
        faults.push(fault(member, rule, "move it up a folder and give it its folder's name"));
    }
    faults
}

/// The rule that an arrow between two of our crates breaks, if it does, and what to do.
fn check_arrow(from: &Row, dependency: &Dependency) -> Option<(String, String)> {
    let Some(to) = dependency.name.strip_prefix(PREFIX).and_then(row) else {
        let rule = "an arrow ends at a crate of the layer table".to_owned();
        return Some((rule, format!("decide that crate's layer and add a row to {TABLE_FILE}")));
    };
    if from.may_import(to, dependency.kind == Some(Kind::Dev)) {
        return None;
    }
    if to.layer == 3 {
        let rule = format!("nothing may import {}, which is in layer 3", to.name);
        return Some((
            rule,
            "move what is needed down into the crate that owns the idea".to_owned(),
        ));
    }
    let rule = format!("{} may import {}", from.name, from.may_import_text());
    let cure = if from.layer < 2 {
        "move the shared type down to model, or let a crate of layer 2 bring the two together"
    } else {
        "move the shared type down, or give the work to the crate that may"
    };
    Some((rule, format!("{cure}; a new arrow is a design decision")))
}

/// The "alone knows" rule that a dependency on a foreign crate breaks, if it does, and what to do.
fn check_knowledge(from: &Row, dependency: &Dependency) -> Option<(String, String)> {
    let dev = dependency.kind == Some(Kind::Dev);
    let broken = KNOWLEDGE
        .iter()
        .find(|rule| rule.concerns(&dependency.name) && !rule.grants(from, dev))?;
    Some((broken.rule(), broken.cure.to_owned()))
}

fn is_ours(dependency: &Dependency) -> bool {
    dependency.path.is_some() || dependency.name.starts_with(PREFIX)
}

fn arrows(member: &Member) -> usize {
    member
        .dependencies
        .iter()
        .filter(|dependency| is_ours(dependency))
        .count()
}

fn arrow_end(dependency: &Dependency) -> String {
    match dependency.kind {
        None => dependency.name.clone(),
        Some(Kind::Dev) => format!("{} (dev)", dependency.name),
        Some(Kind::Build) => format!("{} (build)", dependency.name),
    }
}

fn fault(member: &Member, rule: impl Into<String>, cure: impl Into<String>) -> Fault {
    Fault {
        package: member.name.clone(),
        arrow: None,
        rule: rule.into(),
        cure: cure.into(),
    }
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
