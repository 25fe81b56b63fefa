//! One question to several clusters at once.
//!
//! A fleet coordinator says which clusters are meant; each that can be reached is asked on a thread of its own, the same command as for one
//! cluster. Whoever cannot be asked, or has not answered in time, is named, with since when: nothing is guessed for it.

use std::sync::Mutex;
use std::time::Instant;

use fathom_identity::explain::chain;
use fathom_proto::fleet::v1 as wire;
use serde_json::{Value, json};

use super::clusters::{MISSING, is_here, note_missing};
use super::selected::Absent;
use crate::args::Output;
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::context::{Connection, Meant};
use crate::error::{DEADLINE, Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::one_line;
use crate::render::units::date_time;
use crate::scope::{self, Deadline, Scope, tell};

mod turns;

use turns::Turns;

/// What one cluster said.
struct Said {
    result: Result<Code>,
    scope: Scope,
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
    let selection = super::clusters::selection(meant);
    let listed = || {
        block_on(async {
            let client = Client::connect(&context).await?;
            let clusters = client.clusters_with(selection.clone(), last.is_some()).await?;
            if clusters.is_empty() {
                return Err(Error::NoneMeant);
            }
            let absent = Absent::of(&client, &selection, Some(&clusters)).await?;
            Ok((clusters, absent))
        })
    };
    let (clusters, absent) = scope::within(Some(connection.patience()), listed)?;
    let reached: Vec<&wire::ClusterStatus> = clusters.iter().filter(|cluster| is_here(cluster)).collect();
    let said = ask_all(&reached, deadline, ask)?;
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

fn ask_all(
    reached: &[&wire::ClusterStatus],
    deadline: Option<Deadline>,
    ask: &(dyn Fn() -> Result<Code> + Sync),
) -> Result<Vec<Said>> {
    let turns = Turns::new(reached.iter().map(|cluster| cluster.site.as_str()));
    let answers: Mutex<Vec<(usize, Said)>> = Mutex::default();
    let work = || {
        while let Some(turn) = turns.next() {
            let Some(cluster) = reached.get(turn.at) else { return };
            let scope = Scope::new(cluster.address.clone(), deadline);
            let (result, scope) = match deadline {
                // Of one whose turn comes too late nobody knows whether it would have answered.
                Some(Deadline { at, patience }) if at <= Instant::now() => (Err(Error::NotAsked { patience }), scope),
                _ => scope.run(ask),
            };
            let mut answers = answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            answers.push((turn.at, Said { result, scope }));
        }
    };
    std::thread::scope(|threads| {
        for number in 0..turns.at_once() {
            let thread = std::thread::Builder::new().name(format!("question {number}"));
            thread.spawn_scoped(threads, work).map_err(Error::Runtime)?;
        }
        Ok::<_, Error>(())
    })?;
    let mut answers = answers.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    answers.sort_by_key(|(at, _)| *at);
    Ok(answers.into_iter().map(|(_, said)| said).collect())
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
                    "since_unix_ns": since(cluster, error), "error": chain(error), "last": null,
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
                let heard = since(cluster, error).map_or_else(String::new, |heard| {
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

/// Since when a cluster is not heard that gave no answer: of one that refused it, or that was not asked, nothing says that it is not.
fn since(cluster: &wire::ClusterStatus, error: &Error) -> Option<i64> {
    let is_silent = matches!(error.reason(), Some(DEADLINE | "SITE_MISSING" | "SITE_CUT_OFF"));
    let is_silent = is_silent && !matches!(error, Error::NotAsked { .. });
    heard(cluster).filter(|_| is_silent)
}

/// When a cluster's site was heard last; `None` where that is not known.
fn heard(cluster: &wire::ClusterStatus) -> Option<i64> {
    Some(cluster.heard_unix_nanos).filter(|heard| *heard != 0)
}

#[cfg(test)]
mod tests;
