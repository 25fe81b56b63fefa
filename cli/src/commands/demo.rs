//! `fathom demo`: a recorded cluster through real daemons and a coordinator, as separate processes on loopback.

use std::io::{IsTerminal, Write};
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
mod hints;
mod home;
mod lines;
mod processes;
mod recordings;
mod state;
mod stop;

use home::{Home, Played};
use processes::Processes;
use stop::Stop;

/// How often the coordinator is asked how far it is.
const POLL: Duration = Duration::from_millis(100);

/// Without a terminal progress is said this often.
const SAY_EVERY: Duration = Duration::from_secs(2);

pub(crate) fn run(arguments: &DemoArgs, output: Output) -> Result<Code> {
    if arguments.list {
        return recordings::list(&arguments.recordings, output);
    }
    // Before there is anything to leave behind.
    let stop = Stop::listen()?;
    if arguments.fleet {
        return fleet::run(arguments, &stop, output);
    }
    let folder = recordings::find(&arguments.recordings, arguments.run.as_deref())?;
    let recording = fathom_lab::open(&folder)?;
    let played = Played::of(&recording, &arguments.without_tap)?;
    let home = Home::open(arguments.dir.as_deref(), &played)?;
    tell!(
        "{}: {}",
        one_line(&recording.run().name),
        one_line(recording.run().about.as_deref().unwrap_or("a recorded cluster"))
    );

    let started = Instant::now();
    let played = (&arguments.without_tap[..], arguments.pace);
    let mut processes = Processes::start(&recording, home.path(), played, &stop)?;
    if processes.nodes() == 0 {
        // Nobody will ever connect: what there is to say is said without the coordinator.
        answer_alone(&recording, arguments, output)?;
        return Ok(Code::Fine);
    }
    // What replay says of the recording; the daemons are at work meanwhile.
    let warnings = fathom_lab::replay::warnings(&recording, &arguments.without_tap)?;
    // Whoever stops it meanwhile leaves nothing behind: folders go as this function ends.
    let (mut report, newest_unix_nanos, score, of_state) = unless_stopped(&stop, async {
        let client = Client::connect(&processes.context).await?;
        follow(&client, &mut processes, started).await?;
        let answer = client.report(wire::IoFilter::default(), "rows".to_owned()).await?;
        let newest = answer.coverage.as_ref().and_then(|coverage| coverage.newest_unix_nanos);
        let score = score_of(&client, &recording, &arguments.without_tap).await?;
        let of_state = state::lines(&client).await?;
        Ok((report_from_wire(&answer)?, newest, score, of_state))
    })?;
    // The coordinator says what it found itself; the daemons' sources say theirs to their logs alone.
    report.unseen.warnings.extend(warnings);
    fathom_lab::replay::tidy(&mut report.unseen.warnings);
    show(&recording.run().name, &report, score.as_ref(), output)?;
    if output == Output::Table {
        print(&of_state)?;
    }
    if !arguments.once {
        let shown = hints::Shown {
            culprit: report.culprit.as_ref(),
            newest_unix_nanos,
            has_reads: report.joined.reads > 0,
            has_state: !of_state.is_empty(),
        };
        let hint = report_hint(&processes, &shown);
        stay_until(&hint, &stop, || processes.check_coordinator())?;
    }
    Ok(Code::Fine)
}

/// Runs something until it is done or the demo is asked to stop.
fn unless_stopped<T>(stop: &Stop, work: impl Future<Output = Result<T>>) -> Result<T> {
    block_on(async {
        tokio::select! {
            // Ctrl-C goes to all processes of a terminal: that those end is no fault then.
            biased;
            signal = stop.asked() => Err(Error::Stopped { signal: signal.to_string() }),
            done = work => done.map_err(|error| stop.check().err().unwrap_or(error)),
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

/// A line on a terminal that the next one takes the place of. Whatever is said after it, an error too, has a line of its own.
struct Progress;

impl Progress {
    fn show(&self, line: &str) {
        // Where the terminal is gone nobody needs to know.
        let mut out = std::io::stderr();
        let _ = write!(out, "\r\x1b[K{line}").and_then(|()| out.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if std::io::stderr().is_terminal() {
            self.show("");
        }
    }
}

/// Shows how far the join is until everything is joined and stored, and how long that took since the processes were started.
async fn follow(client: &Client, processes: &mut Processes, started: Instant) -> Result<()> {
    let terminal = std::io::stderr().is_terminal();
    let progress = Progress;
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
            progress.show(&one_line(&line));
        } else if said.elapsed() >= SAY_EVERY {
            tell!("{}", one_line(&line));
            said = Instant::now();
        }
        if cluster.finished && (cluster.ios + cluster.events > 0 || all_ended) {
            drop(progress);
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

fn report_hint(processes: &Processes, shown: &hints::Shown<'_>) -> String {
    format!(
        "The coordinator stays up at {}. Ask more:\n{}\nCtrl-C ends it.",
        processes.context.coordinator,
        hints::lines(&processes.program, &processes.context_file, &hints::commands(shown))
    )
}

/// Waits for Ctrl-C, or until something is wrong.
fn stay_until(hint: &str, stop: &Stop, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    tell!("\n{hint}");
    block_on(async {
        loop {
            tokio::select! {
                biased;
                _ = stop.asked() => return Ok(()),
                () = tokio::time::sleep(POLL) => match check() {
                    // Ctrl-C goes to all processes of a terminal: that one of them has ended is no fault then.
                    Err(_) if stop.check().is_err() => return Ok(()),
                    checked => checked?,
                }
            }
        }
    })
}
