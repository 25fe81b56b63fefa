//! `fathom compare`: two stretches of time side by side, and what changed.

use fathom_model::unit::show_nanos;
use fathom_proto::query::v1 as wire;
use serde_json::{Value, json};

use crate::args::{CompareArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::{note, print, source, tell_source, unseen};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json;
use crate::render::table::Grid;
use crate::render::units::{count, date_time, percent};

pub(crate) fn run(arguments: &CompareArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let window = arguments
        .window
        .map_or(0, |span| u64::try_from(span.0.as_nanos()).unwrap_or(u64::MAX));
    let (cluster, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        let source = arguments.source.word();
        let answer = client
            .compare(arguments.before, arguments.after, window, source)
            .await?;
        Ok((client.cluster().await?, answer))
    })?;
    match output {
        Output::Json => json::print(document(&cluster, &answer))?,
        Output::Table => {
            print(&table(&answer, arguments.all))?;
            tell_source(answer.source.as_ref());
        }
    }
    Ok(note(answer.coverage.as_ref()))
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn side(side: Option<&wire::Side>) -> Value {
    side.map_or(Value::Null, |side| {
        json!({
            "from_unix_ns": side.from_unix_nanos, "until_unix_ns": side.until_unix_nanos,
            "writes": side.writes, "blocks": side.blocks,
        })
    })
}

fn quantiles(quantiles: Option<&wire::Quantiles>) -> Value {
    quantiles.map_or(
        Value::Null,
        |of| json!({"count": of.count, "p50_ns": of.p50_nanos, "p95_ns": of.p95_nanos, "p99_ns": of.p99_nanos}),
    )
}

fn document(cluster: &str, answer: &wire::CompareStretchesResponse) -> Value {
    let latencies = answer.latencies.iter().map(|one| {
        json!({
            "tap": one.tap, "volume": given(&one.volume), "node": given(&one.node), "disk": given(&one.disk),
            "before": quantiles(one.before.as_ref()), "after": quantiles(one.after.as_ref()),
            "changed": one.changed, "p50_p": one.p50_p, "p99_p": one.p99_p,
        })
    });
    let shares = answer.last_copies.iter().map(|one| {
        json!({
            "node": one.node, "disk": one.disk, "before": one.before, "after": one.after,
            "changed": one.changed, "p": one.p,
        })
    });
    let findings = answer.findings.iter().map(
        |one| json!({"id": one.id, "code": one.code, "object": one.object, "before": one.before, "after": one.after}),
    );
    let states = answer.states.iter().map(|one| {
        json!({
            "kind": one.kind, "id": one.id, "node": given(&one.node), "attribute": given(&one.attribute),
            "before": one.before, "after": one.after, "changed_unix_ns": one.changed_unix_nanos,
        })
    });
    json!({
        "cluster": cluster, "before": side(answer.before.as_ref()), "after": side(answer.after.as_ref()),
        "latencies": latencies.collect::<Vec<_>>(), "last_copies": shares.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(), "states": states.collect::<Vec<_>>(),
        "unseen": unseen(answer.coverage.as_ref()), "source": source(answer.source.as_ref()),
    })
}

fn table(answer: &wire::CompareStretchesResponse, all: bool) -> String {
    let mut text = String::new();
    for (word, side) in [("before", &answer.before), ("after", &answer.after)] {
        if let Some(side) = side {
            text += &format!(
                "{word:<7} {} to {}: {} writes, {} pieces to hold against each other\n",
                date_time(side.from_unix_nanos),
                date_time(side.until_unix_nanos),
                count(side.writes),
                side.blocks
            );
        }
    }
    let is_shown = |changed: Option<bool>| all || changed == Some(true);
    let shown: Vec<&wire::ComparedLatency> = answer
        .latencies
        .iter()
        .filter(|one| is_shown(one.changed) || is_whole(one))
        .collect();
    text += "Latency\n";
    let mut grid = Grid::new(&["", "of", ">p50", ">", ">p95", ">", ">p99", ">", "changed"]);
    for one in shown {
        let pair = |of: fn(&wire::Quantiles) -> u64| {
            let show = |side: &Option<wire::Quantiles>| {
                side.as_ref()
                    .map_or_else(|| "-".to_owned(), |side| show_nanos(of(side)))
            };
            [show(&one.before), show(&one.after)]
        };
        let [p50, p50_after] = pair(|of| of.p50_nanos);
        let [p95, p95_after] = pair(|of| of.p95_nanos);
        let [p99, p99_after] = pair(|of| of.p99_nanos);
        grid.row([
            one.tap.clone(),
            object(one),
            p50,
            p50_after,
            p95,
            p95_after,
            p99,
            p99_after,
            word(one.changed).to_owned(),
        ]);
    }
    text += &grid.lines("  ");
    let shares: Vec<&wire::ComparedShare> = answer.last_copies.iter().filter(|one| is_shown(one.changed)).collect();
    if !shares.is_empty() {
        text += "Last copies\n";
        let mut grid = Grid::new(&["disk", ">before", ">after", "changed"]);
        for one in shares {
            let show = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent);
            grid.row([
                format!("{}/{}", one.node, one.disk),
                show(one.before),
                show(one.after),
                word(one.changed).to_owned(),
            ]);
        }
        text += &grid.lines("  ");
    }
    text += &format!(
        "Findings{}\n",
        if answer.findings.is_empty() {
            ": none in either"
        } else {
            ""
        }
    );
    for one in &answer.findings {
        let when = match (one.before, one.after) {
            (true, true) => "in both",
            (true, false) => "before only",
            _ => "after only",
        };
        text += &format!("  {} {} {}: {when}\n", one.id, one.code, one.object);
    }
    text += &format!(
        "State{}\n",
        if answer.states.is_empty() {
            ": nothing that was read changed"
        } else {
            ""
        }
    );
    for one in &answer.states {
        let at = one
            .changed_unix_nanos
            .map_or_else(String::new, |at| format!(", read {}", date_time(at)));
        let node = given(&one.node).map_or_else(String::new, |node| format!(" of {node}"));
        let what = match (given(&one.attribute), &one.before, &one.after) {
            (Some(name), before, after) => format!(
                "{name} {} -> {}",
                before.as_deref().unwrap_or("?"),
                after.as_deref().unwrap_or("?")
            ),
            (None, None, _) => "is new".to_owned(),
            (None, Some(_), _) => "is gone".to_owned(),
        };
        text += &format!("  {} {}{node}: {what}{at}\n", one.kind, one.id);
    }
    text
}

/// Of all writes together.
fn is_whole(one: &wire::ComparedLatency) -> bool {
    one.tap == "volume" && one.volume.is_empty() && one.node.is_empty()
}

fn object(one: &wire::ComparedLatency) -> String {
    match (given(&one.volume), given(&one.node), given(&one.disk)) {
        (Some(volume), _, _) => format!("volume {volume}"),
        (None, Some(node), Some(disk)) => format!("{node}/{disk}"),
        (None, Some(node), None) => format!("node {node}"),
        _ => "all writes".to_owned(),
    }
}

const fn word(changed: Option<bool>) -> &'static str {
    match changed {
        Some(true) => "yes",
        Some(false) => "no",
        None => "too few to tell",
    }
}
