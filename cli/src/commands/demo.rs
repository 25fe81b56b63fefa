//! `fathom demo`: a recorded cluster through real daemons and a coordinator, as separate processes on loopback.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fathom_lab::replay::{Options, RowMap, replay};
use fathom_lab::{Recording, score};
use fathom_model::report::Score;
use fathom_proto::convert::query::report_from_wire;
use fathom_proto::query::v1 as wire;

use crate::args::{DemoArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::commands::replay::show;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::table::one_line;
use crate::render::units::count;
use crate::scope::tell;

mod fleet;
mod lines;
mod processes;
mod recordings;
mod state;

use processes::Processes;

/// How often the coordinator is asked how far it is.
const POLL: Duration = Duration::from_millis(100);

/// Without a terminal progress is said this often.
const SAY_EVERY: Duration = Duration::from_secs(2);

pub(crate) fn run(arguments: &DemoArgs, output: Output) -> Result<Code> {
    if arguments.list {
        return recordings::list(&arguments.recordings, output);
    }
    if arguments.fleet {
        return fleet::run(arguments, output);
    }
    let folder = recordings::find(&arguments.recordings, arguments.run.as_deref())?;
    let recording = fathom_lab::open(&folder)?;
    let (home, _removed_at_the_end) = home(arguments.dir.as_deref())?;
    tell!(
        "{}: {}",
        one_line(&recording.run().name),
        one_line(recording.run().about.as_deref().unwrap_or("a recorded cluster"))
    );

    let started = Instant::now();
    let mut processes = Processes::start(&recording, &home, &arguments.without_tap, arguments.pace)?;
    if processes.nodes() == 0 {
        // Nobody will ever connect: what there is to say is said without the coordinator.
        answer_alone(&recording, arguments, output)?;
        return Ok(Code::Fine);
    }
    // What replay says of the recording; the daemons are at work meanwhile.
    let warnings = fathom_lab::replay::warnings(&recording, &arguments.without_tap)?;
    // Whoever stops it meanwhile leaves nothing behind: folders go as this function ends.
    let (mut report, score, of_state) = unless_stopped(async {
        let client = Client::connect(&processes.context).await?;
        follow(&client, &mut processes, started).await?;
        let report = report_from_wire(&client.report(wire::IoFilter::default(), "rows".to_owned()).await?)?;
        let score = score_of(&client, &recording, &arguments.without_tap).await?;
        let of_state = match output {
            Output::Table => state::lines(&client).await?,
            Output::Json => String::new(),
        };
        Ok((report, score, of_state))
    })?;
    // The coordinator says what it found itself; the daemons' sources say theirs to their logs alone.
    report.unseen.warnings.extend(warnings);
    fathom_lab::replay::tidy(&mut report.unseen.warnings);
    show(&recording.run().name, &report, score.as_ref(), output)?;
    print(&of_state)?;
    if !arguments.once {
        let hint = report_hint(&processes);
        stay_up(&mut processes, &hint)?;
    }
    Ok(Code::Fine)
}

/// Runs something until it is done or the demo is asked to stop.
fn unless_stopped<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    block_on(async {
        let stop = fathom_runtime::signal::terminated().map_err(Error::Runtime)?;
        tokio::select! {
            done = work => done,
            signal = stop => Err(Error::Stopped { signal: signal.to_string() }),
        }
    })
}

/// The document of a recording that no node has events in, as a replay gives it.
fn answer_alone(recording: &Recording, arguments: &DemoArgs, output: Output) -> Result<()> {
    let options = Options {
        without: arguments.without_tap.clone(),
        ..Options::default()
    };
    let replayed = replay(recording, &options)?;
    let report = fathom_lab::report::report(&replayed);
    let score = match recording.truth() {
        Some(_) => Some(score::score(recording, Vec::new(), &arguments.without_tap)?),
        None => None,
    };
    show(&recording.run().name, &report, score.as_ref(), output).map(drop)
}

/// Where everything of this demo lies: a temporary folder unless one is given.
fn home(given: Option<&Path>) -> Result<(PathBuf, Option<tempfile::TempDir>)> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    match given {
        Some(path) => {
            std::fs::create_dir_all(path).map_err(failed(path))?;
            Ok((path.to_owned(), None))
        }
        None => {
            let temporary = std::env::temp_dir();
            let made = tempfile::Builder::new()
                .prefix("fathom-demo-")
                .tempdir()
                .map_err(failed(&temporary))?;
            Ok((made.path().to_owned(), Some(made)))
        }
    }
}

/// Shows how far the join is until everything is joined and stored, and how long that took since the processes were started.
async fn follow(client: &Client, processes: &mut Processes, started: Instant) -> Result<()> {
    let terminal = std::io::stderr().is_terminal();
    let mut said = Instant::now();
    loop {
        // Asked before the status: whoever has ended has had everything acknowledged by then.
        let all_ended = processes.check()?;
        let status = client.status().await?;
        let cluster = status
            .clusters
            .iter()
            .find(|cluster| cluster.cluster == processes.context.cluster);
        let Some(cluster) = cluster else {
            tokio::time::sleep(POLL).await;
            continue;
        };
        let waiting: Vec<&str> = cluster.waiting.iter().map(|waiting| waiting.node.as_str()).collect();
        let waiting = if waiting.is_empty() {
            String::new()
        } else {
            format!(", waiting for {}", waiting.join(" "))
        };
        let line = format!(
            "{} events received, {} I/Os joined, {} in memory{waiting}",
            count(cluster.events),
            count(cluster.ios),
            count(cluster.in_memory)
        );
        if terminal {
            eprint!("\r\x1b[K{}", one_line(&line));
            let _ = std::io::stderr().flush();
        } else if said.elapsed() >= SAY_EVERY {
            tell!("{}", one_line(&line));
            said = Instant::now();
        }
        if cluster.finished && (cluster.ios + cluster.events > 0 || all_ended) {
            if terminal {
                eprint!("\r\x1b[K");
            }
            tell!(
                "{} sent {} events; {} I/Os joined and stored in {:.1} s",
                match processes.nodes() {
                    1 => "1 daemon".to_owned(),
                    nodes => format!("{nodes} daemons"),
                },
                count(cluster.events),
                count(cluster.ios),
                started.elapsed().as_secs_f64()
            );
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Scores what the coordinator stored against the recording's truth.
async fn score_of(client: &Client, recording: &Recording, without: &[fathom_model::Tap]) -> Result<Option<Score>> {
    if recording.truth().is_none() {
        return Ok(None);
    }
    let map = RowMap::new(recording, without)?;
    let filter = wire::IoFilter {
        op: fathom_model::Op::Write.as_str().to_owned(),
        ..wire::IoFilter::default()
    };
    let mut lines = Vec::new();
    client.all_ios(filter, |io| lines.push(lines::line(&io, &map))).await?;
    Ok(Some(score::score(recording, lines, without)?))
}

fn report_hint(processes: &Processes) -> String {
    let program = processes.program.display();
    let context = processes.context_file.display();
    let commands = [
        "writes --slowest 10",
        "why --since 5s",
        "latency --by disk",
        "nodes",
        "volumes",
        "disks",
        "rdma",
    ];
    let lines: Vec<String> = commands
        .iter()
        .map(|command| format!("  {program} {command} --context {context}"))
        .collect();
    format!(
        "The coordinator stays up at {}. Ask more:\n{}\nCtrl-C ends it.",
        processes.context.coordinator,
        lines.join("\n")
    )
}

/// Waits for Ctrl-C, or for the coordinator to end.
fn stay_up(processes: &mut Processes, hint: &str) -> Result<()> {
    stay_until(hint, || processes.check_coordinator())
}

/// Waits for Ctrl-C, or until something is wrong.
fn stay_until(hint: &str, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    tell!("\n{hint}");
    block_on(async {
        let stop = fathom_runtime::signal::terminated().map_err(Error::Runtime)?;
        tokio::pin!(stop);
        loop {
            tokio::select! {
                _ = &mut stop => return Ok(()),
                () = tokio::time::sleep(POLL) => check()?,
            }
        }
    })
}
