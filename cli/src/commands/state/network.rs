//! `fathom rdma` and `fathom qos`.

use serde_json::json;

use super::{age, document, note};
use crate::args::{Output, QosArgs, RdmaArgs};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::error::Result;
use crate::exit::Code;
use crate::render::table::Grid;
use crate::render::units::date_time;

/// Pairs of nodes: a matrix, then every pair that is not all RDMA.
pub(crate) fn rdma(arguments: &RdmaArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (cluster, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        let answer = client
            .rdma(arguments.node.clone().unwrap_or_default(), arguments.at)
            .await?;
        Ok((client.cluster().await?, answer))
    })?;
    let at = answer.coverage.as_ref().and_then(|coverage| coverage.at_unix_nanos);
    match output {
        Output::Json => {
            let pairs = answer.pairs.iter().map(|pair| {
                json!({
                    "client": pair.client, "server": pair.server, "transport": pair.transport, "fallback": pair.fallback,
                    "since_unix_ns": pair.since_unix_nanos, "seen_unix_ns": pair.seen_unix_nanos,
                    "rdma_connections": pair.rdma_connections, "tcp_connections": pair.tcp_connections,
                    "interfaces": pair.interfaces, "failures": pair.failures, "notes": pair.notes,
                })
            });
            document(&cluster, "pairs", pairs.collect(), answer.coverage.as_ref())?;
        }
        Output::Table => {
            let mut servers: Vec<&str> = answer
                .pairs
                .iter()
                .flat_map(|pair| [pair.client.as_str(), pair.server.as_str()])
                .collect();
            servers.sort_unstable();
            servers.dedup();
            let columns: Vec<&str> = ["from \\ to"].into_iter().chain(servers.iter().copied()).collect();
            let mut grid = Grid::new(&columns);
            let mut clients: Vec<&str> = answer.pairs.iter().map(|pair| pair.client.as_str()).collect();
            clients.dedup();
            for client in clients {
                let cell = |server: &&str| {
                    let pair = answer
                        .pairs
                        .iter()
                        .find(|pair| pair.client == client && pair.server == **server);
                    pair.map_or_else(
                        || ".".to_owned(),
                        |pair| {
                            if pair.fallback {
                                format!("{} (!)", pair.transport)
                            } else {
                                pair.transport.clone()
                            }
                        },
                    )
                };
                grid.row([client.to_owned()].into_iter().chain(servers.iter().map(cell)));
            }
            print(&grid.lines(""))?;
            let mut odd = Grid::new(&[
                "from",
                "to",
                "over",
                "since",
                ">rdma",
                ">tcp",
                "interfaces",
                "why",
                ">age",
            ]);
            let count = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
            let wanted = answer
                .pairs
                .iter()
                .filter(|pair| pair.transport != "rdma" || pair.fallback || !pair.notes.is_empty());
            let mut rows = 0;
            for pair in wanted {
                rows += 1;
                odd.row([
                    pair.client.clone(),
                    pair.server.clone(),
                    pair.transport.clone(),
                    pair.since_unix_nanos.map_or_else(|| "-".to_owned(), date_time),
                    count(pair.rdma_connections),
                    count(pair.tcp_connections),
                    pair.interfaces.join(" "),
                    pair.notes.join("; "),
                    pair.seen_unix_nanos
                        .map_or_else(|| "-".to_owned(), |seen| age(at, seen)),
                ]);
            }
            if rows > 0 {
                print(&format!("\n{}", odd.lines("")))?;
            }
        }
    }
    Ok(note(answer.coverage.as_ref()))
}

/// Settings side by side; what differs is marked.
pub(crate) fn qos(arguments: &QosArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (cluster, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        let answer = client.qos(arguments.drift, arguments.at).await?;
        Ok((client.cluster().await?, answer))
    })?;
    match output {
        Output::Json => {
            let settings = answer.settings.iter().map(|setting| {
                let values: Vec<_> = setting
                    .values
                    .iter()
                    .map(|value| json!({"node": value.node, "value": value.value, "odd": value.odd}))
                    .collect();
                json!({"of": setting.of, "what": setting.what, "drift": setting.drift, "values": values, "notes": setting.notes})
            });
            document(&cluster, "settings", settings.collect(), answer.coverage.as_ref())?;
        }
        Output::Table => {
            let mut nodes: Vec<&str> = answer
                .settings
                .iter()
                .flat_map(|setting| &setting.values)
                .map(|value| value.node.as_str())
                .collect();
            nodes.sort_unstable();
            nodes.dedup();
            let columns: Vec<&str> = ["", "of", "setting"]
                .into_iter()
                .chain(nodes.iter().copied())
                .chain(["why"])
                .collect();
            let mut grid = Grid::new(&columns);
            for setting in &answer.settings {
                let cell = |node: &&str| {
                    let value = setting.values.iter().find(|value| value.node == **node);
                    match value.and_then(|value| Some((value.value.clone()?, value.odd))) {
                        Some((text, true)) => format!("{text} (!)"),
                        Some((text, false)) => text,
                        None => "?".to_owned(),
                    }
                };
                let mark = if setting.drift { "!" } else { "" };
                let head = [mark.to_owned(), setting.of.clone(), setting.what.clone()];
                grid.row(
                    head.into_iter()
                        .chain(nodes.iter().map(cell))
                        .chain([setting.notes.join("; ")]),
                );
            }
            print(&grid.lines(""))?;
        }
    }
    Ok(note(answer.coverage.as_ref()))
}
