//! `fathom extents`: where the bytes of a volume lie.

use std::collections::BTreeSet;

use fathom_proto::query::v1 as wire;

use super::{DISKS, Shown, listed, show, tables};
use crate::args::{ExtentsArgs, Output};
use crate::client::{Client, block_on};
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::table::one_line;
use crate::scope::tell;

/// The extents of one volume, by the name of its virtual disk or by its id.
pub(crate) fn run(arguments: &ExtentsArgs, output: Output) -> Result<Code> {
    let context = arguments.connection.resolve()?;
    let of = |kind: &str, name: &str| wire::ResourceFilter {
        kinds: vec![kind.to_owned()],
        name: name.to_owned(),
        ..wire::ResourceFilter::default()
    };
    let volume = &arguments.volume;
    let (cluster, disks, known, (extents, coverage), on) = block_on(async {
        let client = Client::connect(&context).await?;
        let (disks, _) = client.resources(of("virtual_disk", ""), arguments.at).await?;
        let disks: Vec<Shown> = disks.iter().map(Shown::from_wire).collect::<Result<_>>()?;
        let id = volume_id(&disks, volume).unwrap_or(volume).to_owned();
        let answer = client.resources(of("extent", &id), arguments.at).await?;
        let on = match arguments.node.is_some() || arguments.disk.is_some() {
            true => Some(disks_of(&client, arguments).await?),
            false => None,
        };
        // What events are joined by is told beside state, and often alone.
        let known = match (&answer.0[..], &disks[..]) {
            ([], []) => client.volumes().await?.volumes,
            _ => Vec::new(),
        };
        Ok((client.cluster().await?, disks, known, answer, on))
    })?;
    let id = volume_id(&disks, volume);
    let mut extents: Vec<Shown> = extents.iter().map(Shown::from_wire).collect::<Result<_>>()?;
    // That of `vol1` is part of that of `vol10`.
    if let Some(id) = id {
        extents.retain(|extent| extent.observation.text("virtual_disk_id") == Some(id));
    }
    let all = extents.len();
    if let Some(on) = &on {
        extents.retain(|extent| extent.observation.text("disk_id").is_some_and(|disk| on.contains(disk)));
    }
    if all == 0 && id.is_none() && !disks.is_empty() {
        let known = disks
            .iter()
            .map(|disk| disk.observation.text("name").unwrap_or(&disk.observation.id));
        let known: Vec<String> = known.map(str::to_owned).collect();
        return Err(Error::NoVolume {
            name: volume.clone(),
            known: listed(&known),
        });
    }
    let code = show(&tables::EXTENTS, &cluster, &extents, coverage.as_ref(), output)?;
    if all == 0 {
        tell!("{}", nothing_said(volume, &known));
    } else if extents.is_empty() {
        tell!("none of the {all} extents of {} is on such a disk", one_line(volume));
    }
    Ok(code)
}

/// The disks that extents are asked of, by the names that extents have for them.
async fn disks_of(client: &Client, arguments: &ExtentsArgs) -> Result<BTreeSet<String>> {
    let wanted = wire::ResourceFilter {
        kinds: DISKS.kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        node: arguments.node.clone().unwrap_or_default(),
        name: arguments.disk.clone().unwrap_or_default(),
        volume: String::new(),
    };
    let (disks, _) = client.resources(wanted, arguments.at).await?;
    let mut ids = BTreeSet::new();
    for disk in &disks {
        let own = Shown::from_wire(disk)?.observation;
        ids.extend(own.text("unique_id").map(str::to_owned));
        ids.insert(own.id);
    }
    Ok(ids)
}

/// That state says nothing of a volume, and what the map says by which its writes are joined.
fn nothing_said(volume: &str, known: &[wire::VolumeStatus]) -> String {
    let name = one_line(volume);
    match known.iter().find(|known| known.volume == volume) {
        Some(known) if known.extents > 0 => format!(
            "no node's state says where the bytes of {name} lie; the map by which its writes are joined does, with {} extents on {}: \
             `fathom writes --volume {name}` and `fathom write ID` show where copies went",
            known.extents,
            listed(&known.nodes),
        ),
        _ => format!("nothing was said of where the bytes of {name} lie"),
    }
}

/// The id by which extents name a virtual disk.
fn volume_id<'a>(disks: &'a [Shown], volume: &str) -> Option<&'a str> {
    let is_it = |disk: &&Shown| {
        let own = &disk.observation;
        let names = [Some(own.id.as_str()), own.text("name"), own.text("unique_id")];
        names
            .into_iter()
            .flatten()
            .any(|name| name.eq_ignore_ascii_case(volume))
    };
    let own = &disks.iter().find(is_it)?.observation;
    Some(own.text("unique_id").unwrap_or(&own.id))
}
