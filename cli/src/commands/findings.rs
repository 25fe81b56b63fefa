//! `fathom findings`: what is wrong, and what people say of it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use fathom_lab::replay::{Options, replay};
use fathom_model::finding::{Change, Finding, Note, Severity, State};
use fathom_model::unit::show_nanos;
use fathom_proto::convert::findings::finding_from_wire;
use fathom_proto::fleet::v1::ClusterStatus;
use fathom_proto::query::v1 as wire;
use serde_json::json;

use crate::args::{FindingsAction, FindingsArgs, Output, RemarkArgs};
use crate::client::{Client, Listed, block_on};
use crate::commands::several::Last;
use crate::commands::{explain, note, print, unseen};
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::table::many_lines;
use crate::render::units::{count, date_time, maybe_nanos};
use crate::scope::{self, tell};

pub(crate) fn run(arguments: &FindingsArgs, output: Output) -> Result<Code> {
    match &arguments.action {
        Some(FindingsAction::Ack(remark)) => say(remark, false, output),
        Some(FindingsAction::Mute(remark)) => say(remark, true, output),
        None if arguments.watch => watch(arguments, output),
        None => list(arguments, output),
    }
}

fn list(arguments: &FindingsArgs, output: Output) -> Result<Code> {
    let code = code(arguments.code.as_deref())?;
    let (of, listed) = match &arguments.recording {
        Some(recording) => offline(recording, arguments.all, &code)?,
        None => {
            let context = arguments.connection.resolve()?;
            block_on(async {
                let client = Client::connect(&context).await?;
                let of = ("cluster", client.cluster().await?);
                Ok((of, client.findings(arguments.all, &code).await?))
            })?
        }
    };
    match output {
        Output::Json => json::print(json!({
            of.0: of.1, "findings": to_value(&listed.findings), "muted": listed.muted,
            "sequence": listed.sequence, "unseen": unseen(listed.coverage.as_ref()),
        }))?,
        Output::Table => {
            let mut text = String::new();
            listed.findings.iter().for_each(|finding| text.push_str(&show(finding)));
            if listed.findings.is_empty() {
                text.push_str(if arguments.all {
                    "no findings\n"
                } else {
                    "no open findings\n"
                });
            }
            print(&text)?;
            if listed.muted > 0 {
                tell!("{} open ones are muted; --all shows them", listed.muted);
            }
        }
    }
    let partial = note(listed.coverage.as_ref());
    let heard_of = |finding: &&Finding| {
        let is_incident = finding.severity > Severity::Maintenance;
        finding.state == State::Open && finding.muted.is_none() && is_incident
    };
    Ok(
        if arguments.check && listed.findings.iter().any(|finding| heard_of(&finding)) {
            Code::Trouble
        } else {
            partial
        },
    )
}

/// The findings of a cluster that cannot be asked, as they were when it was last heard: those that its site told the fleet.
pub(crate) fn last(arguments: &FindingsArgs, cluster: &ClusterStatus) -> Result<Last> {
    let code = code(arguments.code.as_deref())?;
    let findings = cluster.last_findings.iter().map(finding_from_wire);
    let mut findings: Vec<Finding> = findings.collect::<Result<_, _>>()?;
    let given = findings.len();
    findings.retain(|finding| (arguments.all || finding.muted.is_none()) && (code.is_empty() || finding.code == code));
    let open = cluster.open_findings.unwrap_or_default();
    let more = u64::from(open).saturating_sub(given as u64);
    let heard = date_time(cluster.heard_unix_nanos);
    let mut text = format!("as of {heard}, when its site was heard last\n");
    findings.iter().for_each(|finding| text.push_str(&show(finding)));
    if findings.is_empty() {
        text.push_str("no open findings\n");
    }
    if more > 0 {
        let _ = writeln!(text, "{} more cost less and were not told", count(more));
    }
    let document = json!({
        "as_of_unix_ns": cluster.heard_unix_nanos, "findings": to_value(&findings), "more": more,
    });
    Ok(Last { document, text })
}

/// A code that was asked for, in the case that it is written in; refused where there is none such. Empty of nothing asked.
fn code(asked: Option<&str>) -> Result<String> {
    let Some(asked) = asked else {
        return Ok(String::new());
    };
    explain::page(asked).map(|(code, _)| code.to_owned())
}

/// The same of a recording, with its state, in one process.
fn offline(folder: &Path, all: bool, code: &str) -> Result<((&'static str, String), Listed)> {
    let recording = fathom_lab::open(folder)?;
    let replayed = replay(&recording, &Options::default())?;
    let kept = fathom_lab::state::findings(&recording, &replayed)?;
    let mut findings = kept.findings;
    findings.retain(|finding| (all || finding.state == State::Open) && (code.is_empty() || finding.code == code));
    findings.sort_by_key(|finding| (finding.state == State::Closed, std::cmp::Reverse(finding.cost_ns)));
    let nodes = replayed.missing_nodes.iter().map(|node| wire::UnseenNode {
        node: node.to_string(),
        cause: "no_daemon".to_owned(),
    });
    let listed = Listed {
        findings,
        muted: 0,
        sequence: kept.sequence,
        coverage: Some(wire::Coverage {
            nodes: nodes.collect(),
            warnings: replayed.warnings.clone(),
            ..wire::Coverage::default()
        }),
    };
    Ok((("run", recording.run().name.clone()), listed))
}

fn watch(arguments: &FindingsArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let code = code(arguments.code.as_deref())?;
    block_on(async {
        let client = Client::connect(&context).await?;
        client
            .watch_findings(&code, arguments.after, |open, changes, token| match output {
                Output::Json => lines(&open, &changes, token),
                Output::Table => {
                    let mut text = String::new();
                    open.iter().for_each(|finding| text.push_str(&show(finding)));
                    changes.iter().for_each(|change| text.push_str(&told(change)));
                    print(&text)?;
                    std::io::stdout().lock().flush().map_err(Error::Output)
                }
            })
            .await
    })?;
    Ok(Code::Fine)
}

/// A JSON line a finding that is open, and a line a change.
fn lines(open: &[Finding], changes: &[Change], token: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let open = open
        .iter()
        .map(|finding| json!({"schema": 1, "change": "open", "sequence": null, "finding": to_value(finding)}));
    let changes = changes.iter().map(|change| {
        json!({
            "schema": 1, "change": change.kind.as_str(), "sequence": change.sequence, "at_unix_ns": change.at_unix_ns,
            "finding": to_value(&change.finding),
        })
    });
    for line in open.chain(changes) {
        writeln!(out, "{line}").map_err(Error::Output)?;
    }
    // Where to go on, also when nothing was open.
    writeln!(out, "{}", json!({"schema": 1, "change": null, "after": token})).map_err(Error::Output)?;
    out.flush().map_err(Error::Output)
}

fn say(remark: &RemarkArgs, mutes: bool, output: Output) -> Result<Code> {
    let context = remark.connection.resolve()?;
    let (cluster, finding) = scope::within(remark.connection.deadline(), || {
        block_on(async {
            let client = Client::connect(&context).await?;
            Ok((client.cluster().await?, client.remark(remark, mutes).await?))
        })
    })?;
    match output {
        Output::Json => json::print(json!({"cluster": cluster, "finding": to_value(&finding)}))?,
        Output::Table => print(&show(&finding))?,
    }
    Ok(Code::Fine)
}

fn told(change: &Change) -> String {
    let finding = &change.finding;
    format!(
        "{} {} {}: {} {} {}, {}, {}\n",
        date_time(change.at_unix_ns),
        change.kind.as_str(),
        finding.id,
        finding.code,
        finding.kind,
        finding.object(),
        finding.severity.as_str(),
        cost(finding),
    )
}

/// What it cost. What state shows costs nothing where no write felt it; what writes show costs something, known or not.
fn cost(finding: &Finding) -> String {
    if finding.cost_ns == 0 && finding.observations.is_empty() {
        return "what it cost is not known".to_owned();
    }
    format!("cost {}", show_nanos(finding.cost_ns))
}

/// A finding in a few lines.
fn show(finding: &Finding) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} {} {} {}: {}, {:.0} % sure, {}",
        finding.id,
        finding.code,
        finding.kind,
        finding.object(),
        finding.severity.as_str(),
        finding.confidence * 100.0,
        cost(finding),
    );
    let _ = write!(
        text,
        "  felt from {} to {}, found {}",
        date_time(finding.first_unix_ns),
        date_time(finding.last_unix_ns),
        date_time(finding.opened_unix_ns),
    );
    match (finding.closed_unix_ns, finding.reopened) {
        (Some(closed), _) => {
            let _ = writeln!(text, ", over {}", date_time(closed));
        }
        (None, 0) => text.push('\n'),
        (None, times) => {
            let _ = writeln!(text, ", came back {times} times");
        }
    }
    if let Some(whole) = &finding.part_of {
        let _ = writeln!(text, "  it is part of {whole}");
    }
    let remarks = [("acknowledged", &finding.acknowledged), ("muted", &finding.muted)];
    for (word, remark) in remarks {
        if let Some(remark) = remark {
            text.push_str(&said(word, remark));
        }
    }
    for observation in &finding.observations {
        let counter = observation.counter.as_deref();
        let counter = counter.map_or_else(String::new, |name| format!(" {name}"));
        let _ = writeln!(
            text,
            "  read by {}: {} {}{counter} at {}",
            observation.node,
            observation.kind,
            observation.id,
            date_time(observation.at_unix_ns),
        );
    }
    for victim in &finding.victims {
        let _ = writeln!(
            text,
            "  volume {}: {} writes waited, {}",
            victim.volume,
            count(victim.writes),
            maybe_nanos(victim.cost_ns)
        );
    }
    for evidence in &finding.evidence {
        let _ = writeln!(text, "  {}", evidence.text);
        if !evidence.writes.is_empty() {
            let _ = writeln!(text, "  look at {}", evidence.writes.join(" "));
        }
    }
    let _ = writeln!(text, "  then, as `fathom explain {}` says:", finding.code);
    for command in &finding.next {
        let _ = writeln!(text, "    {command}");
    }
    many_lines(&text).into_owned()
}

fn said(word: &str, remark: &Note) -> String {
    let until = remark
        .until_unix_ns
        .map_or_else(String::new, |until| format!(", until {}", date_time(until)));
    let text = if remark.text.is_empty() {
        String::new()
    } else {
        format!(": {}", remark.text)
    };
    format!(
        "  {word} by {} at {}{until}{text}\n",
        remark.by,
        date_time(remark.at_unix_ns)
    )
}
