//! `fathom fleet --watch`: how everything is, then what comes to look different.

use std::fmt::Write as _;
use std::io::Write as _;

use fathom_model::fleet::{Entry, Level};
use fathom_proto::convert::rollup::answers::entry_from_wire;
use fathom_proto::fleet::v1 as wire;
use serde_json::json;

use super::super::clusters::{is_narrow, selection};
use super::super::selected::Absent;
use super::table::{changed, children, states};
use crate::args::{FleetArgs, Output};
use crate::client::{Client, block_on};
use crate::commands::print;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json::to_value;
use crate::render::table::one_line;
use crate::render::units::date_time;

pub(super) fn run(arguments: &FleetArgs, output: Output) -> Result<Code> {
    let (context, meant) = arguments.connection.resolve_for_fleet()?;
    let selection = selection(meant);
    let is_narrow = is_narrow(&selection);
    let request = wire::WatchFleetHealthRequest {
        resume_token: arguments.after.clone().unwrap_or_default(),
        selection: Some(selection.clone()),
    };
    block_on(async {
        let client = Client::connect(&context).await?;
        // A watch has no end that could say so, and what is not there now may come.
        let first = wire::ListClustersRequest {
            selection: Some(selection),
            page_size: 1,
            ..wire::ListClustersRequest::default()
        };
        Absent::of(client.gaps(first).await?).note();
        client
            .watch_fleet(request, |message| {
                if is_narrow && message.is_all && message.entries.iter().all(|entry| entry.clusters.is_empty()) {
                    return Err(Error::NoneMeant);
                }
                let mut text = String::new();
                let token = &message.resume_token;
                for entry in message.entries {
                    let entry = entry_from_wire(entry)?;
                    match output {
                        Output::Json => {
                            let line = json!({"schema": 1, "is_all": message.is_all, "resume_token": token, "entry": to_value(&entry)});
                            let _ = writeln!(text, "{line}");
                        }
                        Output::Table => text.push_str(&lines(&entry)),
                    }
                }
                for gone in message.gone {
                    match output {
                        Output::Json => {
                            let line = json!({"schema": 1, "is_all": message.is_all, "resume_token": token, "gone": {"site": gone.site, "cluster": gone.cluster}});
                            let _ = writeln!(text, "{line}");
                        }
                        Output::Table => {
                            let _ = writeln!(text, "{:<12} {}/{}", "gone", one_line(&gone.site), one_line(&gone.cluster));
                        }
                    }
                }
                print(&text)?;
                std::io::stdout().lock().flush().map_err(Error::Output)
            })
            .await
    })?;
    Ok(Code::Fine)
}

/// One entry: how it is, what of it is not ok, and of the fleet what changed.
fn lines(entry: &Entry) -> String {
    let name = match entry.level {
        Level::Fleet => "fleet".to_owned(),
        Level::Site => format!("site {}", entry.site),
        Level::Cluster => format!("cluster {}/{}", entry.site, entry.cluster),
    };
    let clusters = if entry.level == Level::Cluster {
        String::new()
    } else {
        format!(" ({})", states(&entry.clusters))
    };
    let why = if entry.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", entry.reason)
    };
    let text = format!(
        "{:<12} {name} since {}{clusters}{why}",
        entry.state.as_str(),
        date_time(entry.since_unix_ns)
    );
    let mut text = format!("{}\n{}", one_line(&text), children(entry));
    if entry.level == Level::Fleet {
        let _ = writeln!(
            text,
            "  last hour: {}; last day: {}",
            changed(&entry.last_hour),
            changed(&entry.last_day)
        );
    }
    text
}
