//! What a recording's state says beside its fan-outs: what is odd at its end.

use std::collections::BTreeSet;

use fathom_proto::query::v1 as wire;

use crate::client::Client;
use crate::commands::state::{DISKS, JOBS, Shown, Table, unread};
use crate::error::Result;
use crate::render::table::one_line;
use crate::render::units::date_time;

/// Lines about the state that was reported; none where the recording has none.
pub(super) async fn lines(client: &Client) -> Result<String> {
    let (disks, of_disks) = ask(client, &DISKS).await?;
    let Some(at) = of_disks.as_ref().and_then(|coverage| coverage.at_unix_nanos) else {
        return Ok(String::new());
    };
    let (jobs, of_jobs) = ask(client, &JOBS).await?;
    let of_rdma = client.rdma(String::new(), Some(at)).await?;
    let pairs = of_rdma.pairs;
    let of_drift = wire::ListQosRequest {
        only_drift: true,
        at_unix_nanos: Some(at),
        ..wire::ListQosRequest::default()
    };
    let of_qos = client.qos(of_drift).await?;
    let drift = of_qos.settings;
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
    // What does not say how it is may be well or not.
    let silent = disks
        .iter()
        .filter(|disk| !is_odd(disk) && !says_how_it_is(disk))
        .count();
    let odd: Vec<Shown> = disks.into_iter().filter(|disk| is_odd(disk)).collect();
    let well = match (odd.len(), silent) {
        (0, 0) if all == 0 => "of disks nothing is known".to_owned(),
        (0, 0) => format!("all {all} disks are well"),
        (0, silent) if silent == all => format!("of none of {all} disks it is known whether it is well"),
        (0, silent) => format!("{} of {all} disks are well, of {silent} it is not known", all - silent),
        (1, _) => format!("1 of {all} disks is not all well"),
        (odd, _) => format!("{odd} of {all} disks are not all well"),
    };
    let well = match (odd.len(), silent) {
        (0, _) | (_, 0) => well,
        (_, silent) => format!("{well}, of {silent} it is not known"),
    };
    let run = match jobs.len() {
        0 if !unread(of_jobs.as_ref()).is_empty() => "whether a storage job runs is not known".to_owned(),
        0 => "no storage job runs".to_owned(),
        1 => "1 storage job runs".to_owned(),
        jobs => format!("{jobs} storage jobs run"),
    };
    text += &format!("  {well}, {run}\n");
    for (table, rows) in [(&DISKS, odd), (&JOBS, jobs)] {
        if !rows.is_empty() {
            text += &indented(&table.lines(&rows, Some(at)));
        }
    }
    let rdma = pairs.iter().filter(|pair| pair.transport == "rdma").count();
    text += &format!("  {rdma} of {} directions between nodes go over RDMA", pairs.len());
    let unknown = pairs.iter().filter(|pair| pair.transport == "unknown").count();
    if unknown > 0 {
        text += &format!(", of {unknown} it is not known");
    }
    let fallen = pairs.iter().filter(|pair| pair.fallback);
    let fallen: Vec<String> = fallen
        .map(|pair| format!("{} to {}", pair.client, pair.server))
        .collect();
    if !fallen.is_empty() {
        text += &format!("; over TCP although both ends can RDMA: {}", fallen.join(", "));
    }
    let unread_settings = !unread(of_qos.coverage.as_ref()).is_empty();
    text += &match (drift.len(), unread_settings) {
        (0, true) => "\n  whether network settings differ between nodes is not known".to_owned(),
        (differ, true) => format!("\n  {differ} network settings differ between nodes, of those that could be read"),
        (differ, false) => format!("\n  {differ} network settings differ between nodes"),
    };
    let drift: Vec<String> = drift.iter().take(3).map(shown).collect();
    if !drift.is_empty() {
        text += &format!(": {}", drift.join("; "));
    }
    text += "\n";
    let coverages = [
        of_disks.as_ref(),
        of_jobs.as_ref(),
        of_rdma.coverage.as_ref(),
        of_qos.coverage.as_ref(),
    ];
    let unread: BTreeSet<String> = coverages.into_iter().flat_map(unread).collect();
    for what in unread {
        text += &format!("  not known: {}\n", one_line(&what));
    }
    Ok(text)
}

/// Whether a disk says how it is.
fn says_how_it_is(disk: &Shown) -> bool {
    disk.get("health").is_some_and(|health| health.as_str().is_some())
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
