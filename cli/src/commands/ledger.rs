//! `fathom jobs --ledger`: what storage jobs moved, and what it cost whom.

use fathom_proto::query::v1 as wire;
use serde_json::{Value, json};

use crate::args::{JobsArgs, Output, SourceArgs};
use crate::client::{Client, block_on};
use crate::commands::state::{both, unread};
use crate::commands::{note, print, source, unseen};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json;
use crate::render::table::{Grid, one_line};
use crate::render::units::{bytes, count, date_time, maybe_nanos, signed_nanos};
use crate::scope::tell;

pub(crate) fn run(arguments: &JobsArgs, output: Output) -> Result<Code> {
    let context = arguments.state.connection.resolve()?;
    let since = arguments.since.map_or(0, |span| {
        u64::try_from(span.0.as_nanos())
            .unwrap_or(u64::MAX)
            .min(i64::MAX as u64)
    });
    let wanted = SourceArgs {
        wanted: arguments.source,
    };
    let (cluster, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        Ok((client.cluster().await?, client.ledger(since, wanted.word()).await?))
    })?;
    let by_tables = answer.source.as_ref().is_some_and(|source| source.kind == "tables");
    match output {
        Output::Json => json::print(json!({
            "cluster": cluster, "jobs": answer.jobs.iter().map(|job| document(job, by_tables)).collect::<Vec<_>>(),
            "unseen": unseen_jobs(&answer), "source": source(answer.source.as_ref()),
        }))?,
        Output::Table => {
            print(&table(&answer.jobs))?;
            if by_tables && answer.jobs.iter().any(|job| !job.costs.is_empty()) {
                tell!(
                    "of what writes added up to: what they waited at drives is not told; `fathom jobs --ledger --source rows` looks at each"
                );
            }
        }
    }
    let code = note(answer.coverage.as_ref());
    Ok(both(code, note_jobs(answer.state.as_ref())))
}

/// What is missing of events, and of what nodes say of their jobs.
fn unseen_jobs(answer: &wire::GetJobLedgerResponse) -> Value {
    let mut unseen = unseen(answer.coverage.as_ref());
    if let Some(warnings) = unseen["warnings"].as_array_mut() {
        warnings.extend(unknown_jobs(answer.state.as_ref()).into_iter().map(Value::from));
    }
    unseen
}

/// Whose jobs are not known, and why. A coordinator of before this was told says nothing of it.
fn unknown_jobs(state: Option<&wire::StateCoverage>) -> Vec<String> {
    match state {
        Some(state) if state.at_unix_nanos.is_none() => {
            vec!["no node has reported any state: which storage jobs ran is not known".to_owned()]
        }
        state => unread(state),
    }
}

/// Says so; the exit code that this means.
fn note_jobs(state: Option<&wire::StateCoverage>) -> Code {
    let unknown = unknown_jobs(state);
    for what in &unknown {
        tell!("partial: {}", one_line(what));
    }
    if unknown.is_empty() { Code::Fine } else { Code::Partial }
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn document(job: &wire::LedgerJob, by_tables: bool) -> Value {
    let costs = job.costs.iter().map(|cost| {
        json!({
            "volume": cost.volume, "writes": cost.writes, "cost_ns": cost.cost_nanos, "error_ns": cost.error_nanos,
            "unknown": cost.unknown, "exposed": (!by_tables).then_some(cost.exposed), "at_drives_ns": cost.at_drives_nanos,
            "at_drives_error_ns": cost.at_drives_error_nanos,
        })
    });
    json!({
        "id": job.id, "name": given(&job.name), "state": given(&job.state),
        "from_unix_ns": job.from_unix_nanos, "until_unix_ns": job.until_unix_nanos,
        "moved_bytes": job.moved_bytes, "bytes_per_s": job.bytes_per_s, "restarts": job.restarts,
        "read_bytes": job.read_bytes, "written_bytes": job.written_bytes, "disks": job.disks,
        "costs": costs.collect::<Vec<_>>(), "shared_ns": job.shared_nanos,
    })
}

fn table(jobs: &[wire::LedgerJob]) -> String {
    if jobs.is_empty() {
        return "no storage jobs were read\n".to_owned();
    }
    let mut text = String::new();
    for job in jobs {
        let rate = job
            .bytes_per_s
            .map_or_else(|| "-".to_owned(), |rate| format!("{}/s", bytes(rate as u64)));
        text += &format!(
            "{} ({}), {} to {}\n  moved {} by its own account, {rate} at last, began anew {} times\n",
            given(&job.name).unwrap_or(&job.id),
            given(&job.state).unwrap_or("state not known"),
            date_time(job.from_unix_nanos),
            date_time(job.until_unix_nanos),
            job.moved_bytes.map_or_else(|| "-".to_owned(), bytes),
            job.restarts,
        );
        text += &format!(
            "  drives read {} and were written {} for it: {}\n",
            bytes(job.read_bytes),
            bytes(job.written_bytes),
            if job.disks.is_empty() {
                "none was seen".to_owned()
            } else {
                job.disks.join(", ")
            }
        );
        if job.shared_nanos > 0 {
            text += &format!(
                "  for {} other jobs ran too: that time is in none of their rows\n",
                maybe_nanos(Some(job.shared_nanos))
            );
        }
        if job.costs.is_empty() {
            text += "  no write was seen beside it\n";
            continue;
        }
        let mut grid = Grid::new(&[
            "volume",
            ">writes",
            ">took longer",
            ">+-",
            ">a write",
            ">at drives",
            ">+-",
        ]);
        for cost in &job.costs {
            let each = cost
                .cost_nanos
                .zip(i64::try_from(cost.writes).ok().filter(|writes| *writes > 0))
                .map_or_else(|| "-".to_owned(), |(cost, writes)| signed_nanos(cost / writes));
            grid.row([
                cost.volume.clone(),
                count(cost.writes),
                cost.cost_nanos.map_or_else(|| "-".to_owned(), signed_nanos),
                maybe_nanos(cost.error_nanos),
                each,
                cost.at_drives_nanos.map_or_else(|| "-".to_owned(), signed_nanos),
                maybe_nanos(cost.at_drives_error_nanos),
            ]);
        }
        text += &grid.lines("  ");
    }
    text
}
