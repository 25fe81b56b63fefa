//! `fathom health`: how everything is, and why.

use std::fmt::Write as _;
use std::io::Write as _;

use fathom_proto::query::v1 as wire;
use serde_json::{Value, json};

use crate::args::{HealthArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::{note, print, unseen};
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::many_lines;
use crate::render::units::date_time;

const OK: &str = "ok";

pub(crate) fn run(arguments: &HealthArgs, output: Output) -> Result<Code> {
    if arguments.watch {
        return watch(arguments, output);
    }
    let context = arguments.connection.resolve()?;
    let (cluster, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        Ok((client.cluster().await?, client.health(arguments.history).await?))
    })?;
    match output {
        Output::Json => {
            let history = answer.history.iter().map(|span| {
                json!({"state": span.state, "from_unix_ns": span.from_unix_nanos, "reason": given(&span.reason)})
            });
            let history = arguments.history.then(|| history.collect::<Vec<_>>());
            json::print(json!({
                "cluster": cluster, "state": state(&answer.entries),
                "health": answer.entries.iter().map(entry).collect::<Vec<_>>(),
                "history": history, "unseen": unseen(answer.coverage.as_ref()),
            }))?;
        }
        Output::Table => print(&table(&answer, arguments.history))?,
    }
    let partial = note(answer.coverage.as_ref());
    let is_well = matches!(state(&answer.entries), "ok" | "maintenance");
    Ok(if arguments.check && !is_well {
        Code::Trouble
    } else {
        partial
    })
}

fn watch(arguments: &HealthArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    block_on(async {
        let client = Client::connect(&context).await?;
        client
            .watch_health(arguments.after.as_deref().unwrap_or_default(), |message| {
                let mut text = String::new();
                for one in &message.entries {
                    match output {
                        Output::Json => {
                            let mut line = json!({"schema": 1});
                            if let (Value::Object(line), Value::Object(fields)) = (&mut line, entry(one)) {
                                line.extend(fields);
                            }
                            let _ = writeln!(text, "{line}");
                        }
                        Output::Table => text.push_str(&show(one)),
                    }
                }
                if matches!(output, Output::Json) {
                    // Where to go on; whether what came with it is all there is.
                    let token =
                        json!({"schema": 1, "kind": null, "after": message.resume_token, "whole": message.is_whole});
                    let _ = writeln!(text, "{token}");
                }
                print(&text)?;
                std::io::stdout().lock().flush().map_err(Error::Output)
            })
            .await
    })?;
    Ok(Code::Fine)
}

/// The cluster's own state: what nobody has said yet is not known.
fn state(entries: &[wire::HealthEntry]) -> &str {
    let cluster = entries.iter().find(|entry| entry.kind == "cluster");
    cluster.map_or("unknown", |entry| entry.state.as_str())
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn entry(entry: &wire::HealthEntry) -> Value {
    let reasons = entry.reasons.iter().map(|reason| {
        json!({"state": reason.state, "from": reason.from, "text": reason.text, "finding": given(&reason.finding)})
    });
    json!({
        "kind": entry.kind, "name": given(&entry.name), "state": entry.state,
        "since_unix_ns": entry.since_unix_nanos, "reasons": reasons.collect::<Vec<_>>(),
        "more_reasons": entry.more_reasons,
    })
}

/// One thing, with its reasons.
fn show(entry: &wire::HealthEntry) -> String {
    let since = entry
        .since_unix_nanos
        .map_or_else(String::new, |since| format!(" since {}", date_time(since)));
    let name = if entry.name.is_empty() {
        entry.kind.clone()
    } else {
        format!("{} {}", entry.kind, entry.name)
    };
    let mut text = format!("{:<12} {name}{since}\n", entry.state);
    for reason in &entry.reasons {
        let finding = given(&reason.finding).map_or_else(String::new, |finding| format!(", finding {finding}"));
        let _ = writeln!(text, "               {}: {}{finding}", reason.from, reason.text);
    }
    if entry.more_reasons > 0 {
        let _ = writeln!(text, "               and {} more", entry.more_reasons);
    }
    many_lines(&text).into_owned()
}

/// The cluster, and what is not ok; of the rest how many there are.
fn table(answer: &wire::GetHealthResponse, history: bool) -> String {
    if answer.entries.is_empty() {
        return "nothing is known of the cluster yet: no daemon has described it\n".to_owned();
    }
    let shown = |entry: &&wire::HealthEntry| entry.kind == "cluster" || entry.state != OK;
    let mut text: String = answer.entries.iter().filter(shown).map(show).collect();
    let well: Vec<String> = ["node", "disk", "adapter", "link", "volume"]
        .into_iter()
        .filter_map(|kind| {
            let own = answer.entries.iter().filter(|entry| entry.kind == kind);
            let count = own.filter(|entry| entry.state == OK).count();
            let s = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {kind}{s}"))
        })
        .collect();
    if !well.is_empty() {
        let _ = writeln!(text, "{OK:<12} {}", well.join(", "));
    }
    if history {
        let _ = writeln!(text, "the cluster was");
        for span in &answer.history {
            let reason = given(&span.reason).map_or_else(String::new, |reason| format!("  {reason}"));
            let _ = writeln!(
                text,
                "  {} from {}{reason}",
                span.state,
                date_time(span.from_unix_nanos)
            );
        }
    }
    text
}
