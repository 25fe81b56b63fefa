//! Virtual disks of several columns: which arithmetic leads from their extents to where a byte lies is decided by the traces themselves
//! (`docs/design/0013-column-arithmetic.md`).

use std::collections::BTreeMap;
use std::str::FromStr;

use fathom_join::striping::{Explained, Served, Written, hold};
use fathom_model::striping::{Arithmetic, Slab, StripedMap, Striping};
use fathom_model::{Op, PhysicalDiskId, VolumeId};

use super::places::{DiskKey, PlacedExtent, Places};

/// Interleaves that are held against the traffic where nothing says which it is: powers of two.
const INTERLEAVE_BITS: std::ops::RangeInclusive<u32> = 14..=22;

/// Further than this apart no two nodes' clocks are taken to be where only other nodes' disks can tell.
const CLOCKS_APART_NANOS: i64 = 2_000_000_000;

/// An arithmetic that somebody names: `row-start`, or with the interleave in bytes `row-start,262144`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByHand {
    arithmetic: Arithmetic,
    interleave_bytes: Option<u64>,
}

impl FromStr for ByHand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, interleave) = match text.split_once(',') {
            Some((name, bytes)) => (name, Some(bytes)),
            None => (text, None),
        };
        let known = Arithmetic::ALL.map(Arithmetic::as_str).join(", ");
        let arithmetic = Arithmetic::ALL.into_iter().find(|one| one.as_str() == name.trim());
        let interleave_bytes = interleave.map(|bytes| bytes.trim().parse::<u64>().ok().filter(|&bytes| bytes > 0));
        match (arithmetic, interleave_bytes) {
            (None, _) => Err(format!("`{name}` is none of {known}")),
            (_, Some(None)) => Err("the interleave is a number of bytes, such as row-start,262144".to_owned()),
            (Some(arithmetic), interleave) => Ok(Self {
                arithmetic,
                interleave_bytes: interleave.flatten(),
            }),
        }
    }
}

/// How the columns of a virtual disk were found to lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The virtual disk.
    pub volume: String,
    /// How many it has.
    pub columns: u32,
    /// The candidate that is used, by its number.
    pub chosen: usize,
    /// Whether somebody named it; else the traffic chose.
    pub by_hand: bool,
    /// Writes that the candidates were held against.
    pub writes: u64,
    /// Every arithmetic and interleave that could be.
    pub candidates: Vec<Candidate>,
}

/// An arithmetic that was held against the traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What offsets of extents mean.
    pub arithmetic: Arithmetic,
    /// Bytes on one column before the next takes over.
    pub interleave_bytes: u64,
    /// What it explains of the traffic; where the extents alone rule it out, why.
    pub explained: Result<Explained, String>,
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.arithmetic.as_str();
        match &self.explained {
            Ok(Explained { parts, found, whole }) => write!(
                f,
                "{name},{}: {found} of {parts} places seen, {whole} writes whole",
                self.interleave_bytes
            ),
            Err(cause) => write!(f, "{name},{}: {cause}", self.interleave_bytes),
        }
    }
}

/// A write or a request at a drive of the traces, with the node that has it.
pub(super) struct Seen<'a> {
    pub(super) node: &'a str,
    pub(super) on: &'a DiskKey,
    pub(super) io: fathom_etl::DiskIo,
}

/// Chooses for every virtual disk of several columns; gives all extents as the join takes them.
///
/// # Errors
///
/// Where nothing explains a virtual disk clearly, and nobody named an arithmetic: says what each one explains and what to do.
pub(super) fn choose(
    places: &Places,
    names: &BTreeMap<DiskKey, String>,
    (writes, served): (&[Seen<'_>], &[Seen<'_>]),
    slack: i64,
) -> Result<(Vec<PlacedExtent>, Vec<Columns>), String> {
    let mut extents = Vec::with_capacity(places.extents.len());
    let mut found = Vec::new();
    for of_volume in places.extents.chunk_by(|a, b| a.volume == b.volume) {
        let volume = &of_volume[0].volume;
        let known = places.striping.get(volume).copied().unwrap_or_default();
        let mut seen: Vec<u64> = of_volume.iter().map(|extent| extent.column).collect();
        seen.sort_unstable();
        seen.dedup();
        let columns = known.columns.unwrap_or(seen.len() as u64);
        if seen.len() == 1 && columns <= 1 {
            extents.extend_from_slice(of_volume);
            continue;
        }
        let name = names.get(volume).unwrap_or(&volume.0);
        let columns = u32::try_from(columns).map_err(|_| format!("virtual disk {name} has {columns} columns"))?;
        let slabs = of_volume.iter().map(slab).collect::<Result<Vec<Slab>, String>>()?;
        let interleave = places
            .arithmetic
            .and_then(|hand| hand.interleave_bytes)
            .or(known.interleave_bytes);
        let (candidates, maps) = candidates(&slabs, columns, interleave, places.arithmetic);
        let (chosen, map) = decide(
            name,
            columns,
            (candidates, maps),
            places.arithmetic.is_some(),
            &|own_node| {
                let on_own: Vec<&str> = writes
                    .iter()
                    .filter(|one| one.on == volume)
                    .map(|one| one.node)
                    .collect();
                let apart = if own_node { 0 } else { CLOCKS_APART_NANOS };
                let own = |one: &&Seen<'_>| !own_node || on_own.first() == Some(&one.node);
                let writes = writes.iter().filter(own);
                let writes = writes.filter(|one| one.on == volume && one.io.op == Op::Write);
                let writes = writes.map(|one| Written {
                    volume: VolumeId::new(volume.0.as_str()),
                    offset: one.io.offset,
                    length: one.io.length,
                    start_unix_nanos: one.io.start_unix_nanos.saturating_sub(apart + slack),
                    end_unix_nanos: one.io.end_unix_nanos().saturating_add(apart + 2 * slack),
                });
                let served = served.iter().filter(own);
                let served = served.map(|one| Served {
                    disk: PhysicalDiskId::new(one.on.0.as_str()),
                    offset: one.io.offset,
                    length: one.io.length,
                    op: one.io.op,
                    start_unix_nanos: one.io.start_unix_nanos,
                    end_unix_nanos: one.io.end_unix_nanos(),
                });
                (writes.collect(), served.collect())
            },
        )?;
        found.push(chosen);
        extents.extend(map.slabs().into_iter().map(|extent| PlacedExtent {
            volume: volume.clone(),
            volume_offset: extent.volume_offset,
            length: extent.length,
            copy: extent.copy,
            disk: DiskKey(extent.disk.to_string()),
            disk_offset: extent.disk_offset,
            column: extent.stripe.map_or(0, |stripe| u64::from(stripe.column)),
            stripe: extent.stripe,
        }));
    }
    Ok((extents, found))
}

fn slab(extent: &PlacedExtent) -> Result<Slab, String> {
    Ok(Slab {
        volume: VolumeId::new(extent.volume.0.as_str()),
        copy: extent.copy,
        column: u32::try_from(extent.column).map_err(|_| format!("ColumnNumber is {}", extent.column))?,
        volume_offset: extent.volume_offset,
        length: extent.length,
        disk: PhysicalDiskId::new(extent.disk.0.as_str()),
        disk_offset: extent.disk_offset,
    })
}

/// All that could be, and the maps of those that the extents allow, in the same order.
fn candidates(
    slabs: &[Slab],
    columns: u32,
    interleave: Option<u64>,
    hand: Option<ByHand>,
) -> (Vec<Candidate>, Vec<StripedMap>) {
    let nothing = Explained {
        parts: 0,
        found: 0,
        whole: 0,
    };
    let (mut candidates, mut maps) = (Vec::new(), Vec::new());
    let arithmetics = Arithmetic::ALL.into_iter();
    let shortest = slabs.iter().map(|slab| slab.length).min().unwrap_or(0);
    for arithmetic in arithmetics.filter(|one| hand.is_none_or(|hand| hand.arithmetic == *one)) {
        let interleaves: Vec<u64> = match interleave {
            Some(bytes) => vec![bytes],
            // Where nothing is striped it does not matter.
            None if arithmetic == Arithmetic::Straight => vec![1 << INTERLEAVE_BITS.start()],
            None => INTERLEAVE_BITS
                .map(|bits| 1 << bits)
                .filter(|&bytes| bytes <= shortest)
                .collect(),
        };
        for interleave_bytes in interleaves {
            // Stripes as long as a slab, one slab behind the other, are not striped: that is tried already, and of two that say the same
            // neither could win.
            if hand.is_none() && arithmetic == Arithmetic::Consecutive && interleave_bytes >= shortest {
                continue;
            }
            let striping = Striping {
                columns,
                interleave_bytes,
            };
            let explained = match StripedMap::try_new(slabs, striping, arithmetic) {
                Ok(map) => {
                    maps.push(map);
                    Ok(nothing)
                }
                Err(error) => Err(error.to_string()),
            };
            candidates.push(Candidate {
                arithmetic,
                interleave_bytes,
                explained,
            });
        }
    }
    (candidates, maps)
}

/// Writes and what drives served: with `true` only that of the node that wrote, whose clock is the writes' own.
type Traffic<'a> = dyn Fn(bool) -> (Vec<Written>, Vec<Served>) + 'a;

fn decide(
    name: &str,
    columns: u32,
    (mut candidates, maps): (Vec<Candidate>, Vec<StripedMap>),
    by_hand: bool,
    traffic: &Traffic<'_>,
) -> Result<(Columns, StripedMap), String> {
    let possible: Vec<usize> = (0..candidates.len())
        .filter(|&at| candidates[at].explained.is_ok())
        .collect();
    let (mut winner, mut count) = (None, 0);
    // What the writer's own drives say needs no clock.
    for own_node in [true, false] {
        let (writes, served) = traffic(own_node);
        let verdict = hold(&maps, &writes, &served);
        for (&at, explained) in possible.iter().zip(&verdict.explained) {
            candidates[at].explained = Ok(*explained);
        }
        (winner, count) = (verdict.winner, verdict.writes);
        if winner.is_some() {
            break;
        }
    }
    // Who names one means it, as long as it says one map.
    if by_hand && let [_] = possible[..] {
        winner = Some(0);
    }
    let Some(winner) = winner else {
        let listed: Vec<String> = candidates.iter().map(ToString::to_string).collect();
        return Err(format!(
            "virtual disk {name} has {columns} columns, and of {count} writes no arithmetic explains clearly more than every other \
             ({}); take longer traces of all nodes, say NumberOfColumns and Interleave of the virtual disk (Get-VirtualDisk | \
             ConvertTo-Json) with --disks, name the one that is right with --column-arithmetic, or leave its extents out",
            listed.join("; ")
        ));
    };
    let chosen = Columns {
        volume: name.to_owned(),
        columns,
        chosen: possible[winner],
        by_hand,
        writes: count,
        candidates,
    };
    Ok((chosen, maps.into_iter().nth(winner).ok_or("no map")?))
}

#[cfg(test)]
mod tests;
