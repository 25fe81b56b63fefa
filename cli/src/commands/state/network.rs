//! `fathom rdma` and `fathom qos`.

use fathom_proto::query::v1 as wire;
use serde_json::json;

use super::{STALE_NANOS, age, document, document_with, note};
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
                    "priority": pair.priority, "interfaces": pair.interfaces, "failures": pair.failures, "notes": pair.notes,
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
            let columns = ["from \\ to"]
                .into_iter()
                .chain(servers.iter().copied())
                .chain([">age"]);
            let columns: Vec<&str> = columns.collect();
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
                            let priority = pair.priority.map_or_else(String::new, |number| format!(" p{number}"));
                            let mark = if pair.fallback { " (!)" } else { "" };
                            let so_long = pair.since_unix_nanos.map(|since| format!(" for {}", age(at, since)));
                            format!("{}{priority}{mark}{}", pair.transport, so_long.unwrap_or_default())
                        },
                    )
                };
                // As old as the oldest of them.
                let own = answer.pairs.iter().filter(|pair| pair.client == client);
                let oldest = own.filter_map(|pair| pair.seen_unix_nanos).min();
                let aged = oldest.map_or_else(|| "-".to_owned(), |seen| age(at, seen));
                grid.row(
                    [client.to_owned()]
                        .into_iter()
                        .chain(servers.iter().map(cell))
                        .chain([aged]),
                );
            }
            print(&grid.lines(""))?;
            let mut odd = Grid::new(&[
                "from",
                "to",
                "over",
                "since",
                ">rdma",
                ">tcp",
                ">priority",
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
                    count(pair.priority),
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

/// Settings side by side; what differs is marked, and what is not of a reading that is new enough.
pub(crate) fn qos(arguments: &QosArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let (cluster, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        let wanted = wire::ListQosRequest {
            only_drift: arguments.drift,
            at_unix_nanos: arguments.at,
            node: arguments.node.clone().unwrap_or_default(),
            name: arguments.name.clone().unwrap_or_default(),
            ..wire::ListQosRequest::default()
        };
        let answer = client.qos(wanted).await?;
        Ok((client.cluster().await?, answer))
    })?;
    let at = answer.coverage.as_ref().and_then(|coverage| coverage.at_unix_nanos);
    let is_stale = |value: &wire::QosValue| {
        let late = |(at, seen): (i64, i64)| at.saturating_sub(seen) > STALE_NANOS;
        value.value.is_some() && (!value.unavailable.is_empty() || at.zip(value.seen_unix_nanos).is_some_and(late))
    };
    match output {
        Output::Json => {
            let settings = answer.settings.iter().map(|setting| {
                let values: Vec<_> = setting
                    .values
                    .iter()
                    .map(|value| {
                        json!({
                            "node": value.node, "value": value.value, "odd": value.odd, "stale": is_stale(value),
                            "seen_unix_ns": value.seen_unix_nanos,
                            "age_ns": at.zip(value.seen_unix_nanos).map(|(at, seen)| at.saturating_sub(seen)),
                            "unavailable": Some(&value.unavailable).filter(|why| !why.is_empty()),
                        })
                    })
                    .collect();
                json!({"of": setting.of, "what": setting.what, "drift": setting.drift, "values": values, "notes": setting.notes})
            });
            let lists = [("settings", settings.collect())];
            document_with(&cluster, lists, answer.coverage.as_ref(), &[])?;
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
                .chain(["why", ">age"])
                .collect();
            let mut grid = Grid::new(&columns);
            for setting in &answer.settings {
                let cell = |node: &&str| {
                    let value = setting.values.iter().find(|value| value.node == **node);
                    let Some((value, text)) = value.and_then(|value| Some((value, value.value.clone()?))) else {
                        return "?".to_owned();
                    };
                    let stale = value.seen_unix_nanos.filter(|_| is_stale(value));
                    let stale = stale.map_or_else(String::new, |seen| format!(" (stale: {})", age(at, seen)));
                    format!("{text}{stale}{}", if value.odd { " (!)" } else { "" })
                };
                // As old as the oldest of them.
                let oldest = setting.values.iter().filter_map(|value| value.seen_unix_nanos).min();
                let mark = if setting.drift { "!" } else { "" };
                let head = [mark.to_owned(), setting.of.clone(), setting.what.clone()];
                grid.row(
                    head.into_iter()
                        .chain(nodes.iter().map(cell))
                        .chain([setting.notes.join("; ")])
                        .chain([oldest.map_or_else(|| "-".to_owned(), |seen| age(at, seen))]),
                );
            }
            print(&grid.lines(""))?;
        }
    }
    Ok(note(answer.coverage.as_ref()))
}
