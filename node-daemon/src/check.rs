//! `fathom-node check`: what this node can see and what it cannot, as lines for people or one JSON document.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::ValueEnum;
use fathom_runtime::units::Span;
use fathom_sources::check::{Finding, State};
use serde::Serialize;

/// Version of the document's shape: keys may join it, none goes or changes.
const SCHEMA: u32 = 1;

/// Options of `fathom-node check`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How long a source may take to answer before it is left
    #[arg(long, value_name = "TIME", default_value = "15s")]
    limit: Span,
    /// Lines for people, or one JSON document
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORMAT")]
    output: Output,
}

/// Lines or JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Serialize)]
struct Document {
    schema: u32,
    system: &'static str,
    version: &'static str,
    sources: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    source: &'static str,
    item: String,
    /// `available`, `unavailable` or `no_answer`.
    state: &'static str,
    /// What was seen of it.
    seen: Option<String>,
    /// Why it is not available.
    reason: Option<String>,
}

/// Asks all sources and prints what they answered; false when one of them had not answered in time.
///
/// # Errors
///
/// When standard output cannot be written.
pub fn run(options: &Options) -> io::Result<bool> {
    let findings = fathom_sources::check::check(options.limit.0);
    let answered = findings
        .iter()
        .all(|finding| !matches!(finding.state, State::NoAnswer(_)));
    let mut text = match options.output {
        Output::Table => table(&findings),
        Output::Json => serde_json::to_string_pretty(&document(findings)).map_err(io::Error::other)?,
    };
    if options.output == Output::Json {
        text.push('\n');
    }
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(answered)
}

fn document(findings: Vec<Finding>) -> Document {
    let rows = findings.into_iter().map(|finding| {
        let (state, seen, reason) = match finding.state {
            State::Available(seen) => ("available", Some(seen), None),
            State::Unavailable(reason) => ("unavailable", None, Some(reason)),
            State::NoAnswer(limit) => ("no_answer", None, Some(no_answer(limit))),
        };
        Row {
            source: finding.source,
            item: finding.item,
            state,
            seen,
            reason,
        }
    });
    Document {
        schema: SCHEMA,
        system: std::env::consts::OS,
        version: env!("CARGO_PKG_VERSION"),
        sources: rows.collect(),
    }
}

fn table(findings: &[Finding]) -> String {
    let width = |of: fn(&Finding) -> usize| findings.iter().map(of).max().unwrap_or(0);
    let (source, item) = (
        width(|finding| finding.source.len()),
        width(|finding| finding.item.chars().count()),
    );
    let mut text = String::new();
    for finding in findings {
        let said = match &finding.state {
            State::Available(seen) => format!("available: {seen}"),
            State::Unavailable(reason) => format!("unavailable: {reason}"),
            State::NoAnswer(limit) => format!("no answer: {}", no_answer(*limit)),
        };
        // A provider of the system chose some of these words; a line stays a line.
        let said = said.replace(['\r', '\n'], " ");
        let _ = writeln!(text, "{:source$}  {:item$}  {said}", finding.source, finding.item);
    }
    text
}

fn no_answer(limit: std::time::Duration) -> String {
    format!("left after {limit:?}; it may hang, or need more time (--limit)")
}

#[cfg(test)]
mod tests;
