//! One question to several clusters at once.
//!
//! The fleet coordinator puts it to all that are meant, in one call; of each cluster the same command is run as for one, with what that
//! cluster answered. Whoever cannot be asked, or has not answered in time, is named, with since when: nothing is guessed for it.

use std::sync::{Arc, Mutex, PoisonError};

use fathom_identity::explain::chain;
use fathom_proto::fleet::v1 as wire;
use serde_json::{Value, json};

use super::clusters::{MISSING, is_here, note_missing};
use super::selected::Absent;
use crate::args::Output;
use crate::client::{Client, First, Question};
use crate::commands::print;
use crate::context::{Connection, Meant};
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::one_line;
use crate::render::units::date_time;
use crate::scope::{self, Deadline, Scope, tell};

mod answers;

/// The cluster of a command that is run to learn what it asks: a name, so that none has to be found for it, and it goes nowhere.
const ANY: &str = "any";

/// What one cluster said.
#[derive(Debug)]
struct Said {
    result: Result<Code>,
    scope: Scope,
    /// Since when it is not heard, where it gave no answer for that.
    since: Option<i64>,
}

impl Said {
    /// Whether this is an answer: that something is not there is one, that nobody can be reached is none.
    fn is_answer(&self) -> bool {
        self.is_absent() || matches!(self.result, Ok(_) | Err(Error::Answer { usage: true, .. }))
    }

    /// Whether this cluster does not have what was asked for by its identity.
    fn is_absent(&self) -> bool {
        matches!(self.result, Err(Error::Answer { absent: true, .. }))
    }
}

/// What is known of a cluster that cannot be asked, from when it was last heard.
pub(crate) struct Last {
    pub(crate) document: Value,
    pub(crate) text: String,
}

/// Makes it of what the fleet coordinator has.
pub(crate) type LastOf<'a> = &'a dyn Fn(&wire::ClusterStatus) -> Result<Last>;

/// Asks one cluster, or all that are meant.
pub(crate) fn over(connection: &Connection, output: Output, ask: &(dyn Fn() -> Result<Code> + Sync)) -> Result<Code> {
    over_or_last(connection, output, None, ask)
}

/// The same, and shows what is known of those that cannot be asked.
pub(crate) fn over_or_last(
    connection: &Connection,
    output: Output,
    last: Option<LastOf<'_>>,
    ask: &(dyn Fn() -> Result<Code> + Sync),
) -> Result<Code> {
    if let Meant::One(_) = connection.meant()? {
        return scope::within(connection.deadline(), ask);
    }
    let (context, meant) = connection.resolve_for_several()?;
    let deadline = Deadline::after(connection.patience());
    // The connection lives on it for as long as commands ask over it.
    let runtime = crate::client::runtime()?;
    let connected = async { tokio::time::timeout(connection.patience(), Client::connect(&context)).await };
    let client = runtime.block_on(connected).map_err(|_| late(connection))??;
    let question = match first_question(&client, ask) {
        Asked::First(question) => question,
        Asked::Nothing(said) => return alone(*said),
    };
    let request = wire::AskClustersRequest {
        selection: Some(super::clusters::selection(meant)),
        method: question.method.clone(),
        request: question.request.clone(),
        deadline_nanos: u64::try_from(connection.patience().as_nanos())
            .unwrap_or(u64::MAX)
            .max(1),
        last_findings: last.is_some(),
    };
    let asking = Asking {
        client: &client,
        question,
        deadline,
        ask,
    };
    let answers = answers::all(&runtime, &asking, request)?;
    // What is still on its way is given up with the connection.
    runtime.shutdown_background();
    let answers = answers.ok_or_else(|| late(connection))?;
    let absent = Absent::of(answers.gaps);
    let clusters = answers.clusters;
    if clusters.is_empty() {
        return Err(Error::NoneMeant);
    }
    let (mut reached, mut said) = (Vec::new(), Vec::new());
    for (at, own) in answers.said {
        if let Some(cluster) = clusters.get(at) {
            reached.push(cluster);
            said.push(own);
        }
    }
    let missing = show(&clusters, &reached, &said, &absent, last, output)?;
    let answered: Vec<&Said> = said.iter().filter(|said| said.is_answer()).collect();
    if answered.is_empty() {
        return Err(Error::NobodyAnswered { asked: clusters.len() });
    }
    let is_partial = missing || answered.len() < said.len();
    let codes: Vec<Code> = answered
        .iter()
        .filter_map(|said| said.result.as_ref().ok().copied())
        .collect();
    Ok(match &codes[..] {
        // Nobody who was asked has it; those who were not may.
        [] if is_partial && answered.iter().any(|said| said.is_absent()) => Code::Partial,
        [] if answered.iter().any(|said| said.is_absent()) => Code::Failed,
        // Where no cluster has what is asked for, the question is wrong, as it is for one.
        [] => Code::Usage,
        codes if codes.contains(&Code::Trouble) => Code::Trouble,
        codes if is_partial || codes.contains(&Code::Partial) => Code::Partial,
        _ => Code::Fine,
    })
}

/// A command that is run for several clusters.
struct Asking<'a> {
    client: &'a Client,
    /// What it asks first.
    question: Question,
    deadline: Option<Deadline>,
    ask: &'a (dyn Fn() -> Result<Code> + Sync),
}

/// What a command does first.
enum Asked {
    /// It asks.
    First(Question),
    /// It is over before.
    Nothing(Box<Said>),
}

/// Runs a command to learn what it asks first: that goes nowhere, and what the command says of it is of no account.
fn first_question(client: &Client, ask: &(dyn Fn() -> Result<Code> + Sync)) -> Asked {
    let noted = Arc::new(Mutex::new(None));
    let transport = client.transport().with(First::Note(Arc::clone(&noted)));
    let (result, scope) = Scope::new(ANY.to_owned(), None).over(transport).run(ask);
    let noted = noted.lock().unwrap_or_else(PoisonError::into_inner).take();
    let said = |result, scope| Said {
        result,
        scope,
        since: None,
    };
    match noted {
        Some(question) => Asked::First(question),
        None => Asked::Nothing(Box::new(said(result, scope))),
    }
}

/// Shows what a command said that asks nobody.
fn alone(said: Said) -> Result<Code> {
    print(&said.scope.text)?;
    said.result
}

fn late(connection: &Connection) -> Error {
    Error::Deadline {
        patience: connection.patience(),
    }
}

/// Shows all that was said, and says who is missing; whether anybody is.
fn show(
    clusters: &[wire::ClusterStatus],
    reached: &[&wire::ClusterStatus],
    said: &[Said],
    absent: &Absent,
    last: Option<LastOf<'_>>,
    output: Output,
) -> Result<bool> {
    let answers = || reached.iter().zip(said);
    let away = clusters.iter().filter(|cluster| !is_here(cluster)).map(|cluster| {
        let last = last
            .filter(|_| cluster.open_findings.is_some())
            .map(|last| last(cluster));
        Ok((cluster, last.transpose()?))
    });
    let away: Vec<(&wire::ClusterStatus, Option<Last>)> = away.collect::<Result<_>>()?;
    match output {
        Output::Json => {
            let answered = answers().filter(|(_, said)| said.is_answer()).map(|(cluster, said)| {
                let mut answer = said.scope.document.clone();
                if let Some(answer) = &mut answer {
                    answer.remove("schema");
                }
                let error = said.result.as_ref().err();
                json!({
                    "site": cluster.site, "cluster": cluster.cluster, "labels": cluster.labels, "answer": answer,
                    "error": error.map(|error| chain(error)), "reason": error.and_then(Error::reason),
                    "notes": said.scope.notes,
                })
            });
            let answered: Vec<Value> = answered.collect();
            let away = away.iter().map(|(cluster, last)| {
                let (cause, reason) = cause_of(cluster);
                json!({
                    "site": cluster.site, "cluster": cluster.cluster, "cause": cause, "reason": reason,
                    "since_unix_ns": cluster.missing_since_unix_nanos, "error": null,
                    "last": last.as_ref().map(|last| &last.document),
                })
            });
            let failed = answers().filter(|(_, said)| !said.is_answer());
            let failed = failed.filter_map(|(cluster, said)| {
                let error = said.result.as_ref().err()?;
                Some(json!({
                    "site": cluster.site, "cluster": cluster.cluster, "cause": cause_of_error(error), "reason": error.reason(),
                    "since_unix_ns": said.since, "error": chain(error), "last": null,
                }))
            });
            let missing: Vec<Value> = away.chain(failed).chain(absent.missing()).collect();
            json::print(json!({"clusters": answered, "missing": missing}))?;
        }
        Output::Table => {
            for (at, (cluster, said)) in answers().filter(|(_, said)| said.result.is_ok()).enumerate() {
                let space = if at > 0 { "\n" } else { "" };
                let (site, name) = (one_line(&cluster.site), one_line(&cluster.cluster));
                print(&format!("{space}{site}/{name}\n{}", said.scope.text))?;
            }
            for (cluster, last) in away
                .iter()
                .filter_map(|(cluster, last)| Some((cluster, last.as_ref()?)))
            {
                let (site, name) = (one_line(&cluster.site), one_line(&cluster.cluster));
                print(&format!("\n{site}/{name}, which cannot be asked, {}", last.text))?;
            }
        }
    }
    let is_found = said.iter().any(|said| said.result.is_ok());
    for (cluster, said) in answers() {
        let name = format!("{}/{}", one_line(&cluster.site), one_line(&cluster.cluster));
        for note in &said.scope.notes {
            tell!("{name}: {note}");
        }
        match &said.result {
            Ok(_) => {}
            // What has one place is not missing everywhere else.
            Err(_) if said.is_absent() && is_found => {}
            Err(error) if said.is_answer() => tell!("{name}: {}", one_line(&chain(error))),
            Err(error @ Error::NotAsked { .. }) => tell!("partial: {name} was not asked: {error}"),
            Err(error) => {
                let heard = said.since.map_or_else(String::new, |heard| {
                    format!(" (its site was heard last at {})", date_time(heard))
                });
                tell!("partial: {name} gave no answer{heard}: {}", one_line(&chain(error)));
            }
        }
    }
    let is_whole = note_missing(clusters) == Code::Fine && absent.note() == Code::Fine;
    Ok(!is_whole)
}

/// Why a cluster cannot be asked, and the reason that a question about it would be refused with.
fn cause_of(cluster: &wire::ClusterStatus) -> (&'static str, &'static str) {
    if cluster.reach == MISSING {
        ("site_missing", "SITE_MISSING")
    } else {
        ("cluster_withdrawn", "CLUSTER_WITHDRAWN")
    }
}

/// Why there is no answer of a cluster that can be asked.
const fn cause_of_error(error: &Error) -> &'static str {
    match error {
        Error::NotAsked { .. } => "not_asked",
        _ => "no_answer",
    }
}
