//! What a recording's state says beside its fan-outs: what is odd at its end.

use fathom_proto::query::v1 as wire;

use crate::client::Client;
use crate::commands::state::{DISKS, JOBS, Shown, Table};
use crate::error::Result;
use crate::render::units::date_time;

/// Lines about the state that was reported; none where the recording has none.
pub(super) async fn lines(client: &Client) -> Result<String> {
    let (disks, coverage) = ask(client, &DISKS).await?;
    let Some(at) = coverage.and_then(|coverage| coverage.at_unix_nanos) else {
        return Ok(String::new());
    };
    let (jobs, _) = ask(client, &JOBS).await?;
    let pairs = client.rdma(String::new(), Some(at)).await?.pairs;
    let drift = client.qos(true, Some(at)).await?.settings;
    let mut text = format!("\nState at {}\n", date_time(at));
    let is_odd = |disk: &Shown| {
        let status = disk.get("operational_status").map_or(0, |status| status.items().len());
        status > 1
            || disk
                .get("health")
                .and_then(|health| health.as_str())
                .is_some_and(|health| health != "Healthy")
    };
    let all = disks.len();
    let odd: Vec<Shown> = disks.into_iter().filter(|disk| is_odd(disk)).collect();
    let of_disks = match odd.len() {
        0 => format!("all {all} disks are well"),
        1 => format!("1 of {all} disks is not all well"),
        odd => format!("{odd} of {all} disks are not all well"),
    };
    let of_jobs = match jobs.len() {
        0 => "no storage job runs".to_owned(),
        1 => "1 storage job runs".to_owned(),
        jobs => format!("{jobs} storage jobs run"),
    };
    text += &format!("  {of_disks}, {of_jobs}\n");
    for (table, rows) in [(&DISKS, odd), (&JOBS, jobs)] {
        if !rows.is_empty() {
            text += &indented(&table.lines(&rows, Some(at)));
        }
    }
    let rdma = pairs.iter().filter(|pair| pair.transport == "rdma").count();
    text += &format!("  {rdma} of {} directions between nodes go over RDMA", pairs.len());
    let fallen = pairs.iter().filter(|pair| pair.fallback);
    let fallen: Vec<String> = fallen
        .map(|pair| format!("{} to {}", pair.client, pair.server))
        .collect();
    if !fallen.is_empty() {
        text += &format!("; over TCP although both ends can RDMA: {}", fallen.join(", "));
    }
    text += &format!("\n  {} network settings differ between nodes", drift.len());
    let drift: Vec<String> = drift.iter().take(3).map(shown).collect();
    if !drift.is_empty() {
        text += &format!(": {}", drift.join("; "));
    }
    Ok(text + "\n")
}

fn shown(setting: &wire::QosSetting) -> String {
    let odd = setting.values.iter().filter(|value| value.odd);
    let odd: Vec<String> = odd
        .map(|value| format!("{} {}", value.node, value.value.as_deref().unwrap_or("?")))
        .collect();
    format!("{}, {} ({})", setting.of, setting.what, odd.join(", "))
}

async fn ask(client: &Client, table: &Table) -> Result<(Vec<Shown>, Option<wire::StateCoverage>)> {
    let filter = wire::ResourceFilter {
        kinds: table.kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        ..wire::ResourceFilter::default()
    };
    let (resources, coverage) = client.resources(filter, None).await?;
    Ok((resources.iter().map(Shown::from_wire).collect::<Result<_>>()?, coverage))
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("    {line}\n")).collect()
}
