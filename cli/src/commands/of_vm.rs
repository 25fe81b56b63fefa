//! `--vm NAME`: the volume that a virtual machine's files are on. Writes are known by volume and not by machine, which is said where others
//! have files there too.

use std::collections::BTreeSet;

use fathom_model::state::{Kind, Value};
use fathom_proto::query::v1 as wire;

use super::state::Shown;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::scope::tell;

/// A virtual machine by the volume that it is on.
pub(crate) struct OfVm {
    pub(crate) name: String,
    /// The volume, as I/Os have it.
    pub(crate) volume: String,
    /// Other machines with files on it, by name.
    pub(crate) others: Vec<String>,
}

impl OfVm {
    /// Says of whom else writes to the volume may be.
    pub(crate) fn tell(&self) {
        let Self { name, volume, others } = self;
        if others.is_empty() {
            tell!("{name} is on volume {volume}, where no other machine is known to be");
        } else {
            tell!(
                "{name} is on volume {volume}, and so are {}: what is said is of all their writes",
                others.join(", ")
            );
        }
    }
}

/// The volume of a machine; refused where there is no such machine, or its files are on none or several.
pub(crate) async fn find(client: &Client, name: &str) -> Result<OfVm> {
    let of = |kind: Kind| wire::ResourceFilter {
        kinds: vec![kind.as_str().to_owned()],
        ..wire::ResourceFilter::default()
    };
    let (machines, coverage) = client.resources(of(Kind::Vm), None).await?;
    let at = coverage.and_then(|coverage| coverage.at_unix_nanos);
    let (files, _) = client.resources(of(Kind::Vhd), at).await?;
    let machines: Vec<Shown> = machines.iter().map(Shown::from_wire).collect::<Result<_>>()?;
    let files: Vec<Shown> = files.iter().map(Shown::from_wire).collect::<Result<_>>()?;
    let named: BTreeSet<&str> = machines.iter().filter_map(|vm| vm.observation.text("name")).collect();
    let Some(own) = named.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
        return Err(Error::NoVm {
            name: name.to_owned(),
            known: if named.is_empty() {
                "none".to_owned()
            } else {
                named.into_iter().collect::<Vec<_>>().join(", ")
            },
        });
    };
    let text = |file: &Shown, key: &str| file.get(key).and_then(Value::as_str).map(str::to_owned);
    let is_attached = |file: &&Shown| file.get("attached").and_then(Value::as_bool) == Some(true);
    let attached = files.iter().filter(is_attached);
    let (mine, theirs): (Vec<&Shown>, Vec<&Shown>) =
        attached.partition(|file| text(file, "vm").as_deref() == Some(*own));
    let volumes: BTreeSet<String> = mine.iter().filter_map(|file| text(file, "volume")).collect();
    let mut several = volumes.iter();
    let (Some(folder), None) = (several.next(), several.next()) else {
        return Err(Error::VmVolumes {
            name: (*own).to_owned(),
            volumes: if volumes.is_empty() {
                "no volume that is known".to_owned()
            } else {
                volumes.into_iter().collect::<Vec<_>>().join(" and ")
            },
        });
    };
    // A volume may go by its folder or by its virtual disk.
    let mut names: Vec<String> = vec![folder.clone()];
    names.extend(mine.iter().filter_map(|file| text(file, "virtual_disk")));
    let known = client.volumes().await?.volumes;
    let mut known = known.into_iter().map(|volume| volume.volume);
    let volume = known.find(|known| names.iter().any(|name| name.eq_ignore_ascii_case(known)));
    let others: BTreeSet<String> = theirs
        .iter()
        .filter(|file| text(file, "volume").as_deref() == Some(folder.as_str()))
        .filter_map(|file| text(file, "vm"))
        .collect();
    Ok(OfVm {
        name: (*own).to_owned(),
        volume: volume.unwrap_or_else(|| folder.clone()),
        others: others.into_iter().collect(),
    })
}
