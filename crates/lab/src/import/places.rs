//! Where things lie: what `Get-PhysicalExtent` and its kin say, as JSON, of which bytes of a virtual disk lie on which physical disk, and
//! which number each disk has on which node.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fathom_model::Stripe;
use serde_json::Value;

use super::columns::ByHand;
use crate::error::{Error, Result};

/// One copy of a range of a virtual disk (MSFT_PhysicalExtent).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PlacedExtent {
    pub(super) volume: DiskKey,
    pub(super) volume_offset: u64,
    pub(super) length: u64,
    pub(super) copy: u32,
    pub(super) disk: DiskKey,
    pub(super) disk_offset: u64,
    pub(super) column: u64,
    /// How it takes part in its row, once the arithmetic is known.
    pub(super) stripe: Option<Stripe>,
}

impl PlacedExtent {
    /// One past the last byte of the virtual disk that it, or its row, has.
    pub(super) fn volume_end(&self) -> u64 {
        let columns = self.stripe.map_or(1, |stripe| u64::from(stripe.columns));
        self.volume_offset.saturating_add(self.length.saturating_mul(columns))
    }
}

/// What is said of how a virtual disk is striped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) columns: Option<u64>,
    pub(super) interleave_bytes: Option<u64>,
}

/// A disk, virtual or physical, by its `UniqueId`: compared without case, braces and blanks, which cmdlets write differently.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct DiskKey(pub(super) String);

impl DiskKey {
    fn new(unique_id: &str) -> Self {
        let kept = unique_id
            .chars()
            .filter(|letter| !letter.is_whitespace() && !matches!(letter, '{' | '}'));
        Self(kept.flat_map(char::to_lowercase).collect())
    }
}

/// A disk as one node numbers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NumberedDisk {
    /// The node, as [`node_key`] writes it.
    pub(super) node: String,
    pub(super) number: u32,
    pub(super) disk: DiskKey,
    /// A name for people.
    pub(super) name: Option<String>,
}

/// What was read of the files.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub(super) extents: Vec<PlacedExtent>,
    pub(super) disks: Vec<NumberedDisk>,
    /// Extents that are left out since they are copies still being made (`ReplacementCopyNumber`).
    pub replacements: u64,
    pub(super) striping: BTreeMap<DiskKey, Known>,
    /// The arithmetic of columns that somebody names; else the traffic chooses.
    pub arithmetic: Option<ByHand>,
}

impl Places {
    /// Reads extents and disks.
    ///
    /// A file of extents is `Get-VirtualDisk | Get-PhysicalExtent | ConvertTo-Json`. A file of disks has rows with a node (`Node`,
    /// `PSComputerName` or `StorageNode.Name`), a number (`DiskNumber` or `Number`) and a `UniqueId` (its own, or that of
    /// `PhysicalDisk`): of `Get-Disk` on each node, and of `Get-PhysicalDiskStorageNodeView`. Rows with `IsPhysicallyConnected` false
    /// are another node's disks and do not count. Rows of `Get-VirtualDisk` in either say `NumberOfColumns` and `Interleave`. The text may be UTF-8 or UTF-16, as PowerShell writes it.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not such a list.
    pub fn read(extents: &[PathBuf], disks: &[PathBuf]) -> Result<Self> {
        let mut places = Self::default();
        for path in extents {
            for (at, row) in rows(path)?.iter().enumerate() {
                places.extent(row).map_err(|cause| wrong(path, Some(at), cause))?;
            }
        }
        if !extents.is_empty() {
            places.extents.sort();
            // Whoever asks on every node gets every row several times.
            places.extents.dedup();
        }
        for path in disks {
            for (at, row) in rows(path)?.iter().enumerate() {
                places.disk(row).map_err(|cause| wrong(path, Some(at), cause))?;
            }
        }
        Ok(places)
    }

    fn extent(&mut self, row: &Value) -> Result<(), String> {
        if field(row, "VirtualDiskUniqueId").is_none() && field(row, "NumberOfColumns").is_some() {
            return self.note_striping(text(row, "UniqueId")?, row);
        }
        let volume = text(row, "VirtualDiskUniqueId")?;
        self.note_striping(volume, row)?;
        let replacement = field(row, "ReplacementCopyNumber").filter(|value| !value.is_null());
        if replacement.is_some_and(|value| value.as_str() != Some("")) {
            self.replacements += 1;
            return Ok(());
        }
        let copy = number(row, "CopyNumber")?;
        self.extents.push(PlacedExtent {
            volume: DiskKey::new(volume),
            volume_offset: number(row, "VirtualDiskOffset")?,
            length: number(row, "Size")?,
            copy: u32::try_from(copy).map_err(|_| format!("CopyNumber is {copy}"))?,
            disk: DiskKey::new(text(row, "PhysicalDiskUniqueId")?),
            disk_offset: number(row, "PhysicalDiskOffset")?,
            column: number(row, "ColumnNumber")?,
            stripe: None,
        });
        Ok(())
    }

    /// What a row says of how its virtual disk is striped (`MSFT_VirtualDisk`).
    fn note_striping(&mut self, volume: &str, row: &Value) -> Result<(), String> {
        let said = |name: &str| {
            field(row, name)
                .filter(|value| !value.is_null())
                .map(|_| number(row, name))
        };
        let columns = said("NumberOfColumns").transpose()?.filter(|&columns| columns > 0);
        let interleave_bytes = said("Interleave").transpose()?.filter(|&bytes| bytes > 0);
        if columns.is_some() || interleave_bytes.is_some() {
            let known = self.striping.entry(DiskKey::new(volume)).or_default();
            known.columns = columns.or(known.columns);
            known.interleave_bytes = interleave_bytes.or(known.interleave_bytes);
        }
        Ok(())
    }

    fn disk(&mut self, row: &Value) -> Result<(), String> {
        if field(row, "IsPhysicallyConnected").and_then(Value::as_bool) == Some(false) {
            return Ok(());
        }
        if field(row, "NumberOfColumns").is_some() {
            self.note_striping(text(row, "UniqueId")?, row)?;
            // A virtual disk by itself, and not its disk on a node.
            if ["DiskNumber", "Number"]
                .into_iter()
                .all(|name| field(row, name).is_none())
            {
                return Ok(());
            }
        }
        let inner = |outer: &str, name: &str| {
            field(row, outer)
                .and_then(|value| field(value, name))
                .and_then(Value::as_str)
        };
        let node = ["Node", "PSComputerName"]
            .into_iter()
            .find_map(|name| field(row, name).and_then(Value::as_str))
            .or_else(|| inner("StorageNode", "Name"))
            .ok_or("no node: add one, such as PSComputerName of Invoke-Command")?;
        let of_number = ["DiskNumber", "Number"].into_iter().find_map(|name| {
            let value = field(row, name).filter(|value| !value.is_null());
            value.map(|_| number(row, name))
        });
        // A virtual disk that is not attached on this node has no number there.
        let Some(disk_number) = of_number else {
            return Ok(());
        };
        let disk_number = disk_number?;
        let unique_id = field(row, "UniqueId")
            .and_then(Value::as_str)
            .or_else(|| inner("PhysicalDisk", "UniqueId"))
            .ok_or("no UniqueId")?;
        let name = field(row, "FriendlyName")
            .and_then(Value::as_str)
            .or_else(|| inner("PhysicalDisk", "FriendlyName"));
        let disk = NumberedDisk {
            node: node_key(node),
            number: u32::try_from(disk_number).map_err(|_| format!("a disk with the number {disk_number}"))?,
            disk: DiskKey::new(unique_id),
            name: name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
        };
        if let Some(other) = self
            .disks
            .iter()
            .find(|other| (&other.node, other.number) == (&disk.node, disk.number))
        {
            if other.disk == disk.disk {
                return Ok(());
            }
            return Err(format!(
                "disk {} of {} is {} here and was {} before",
                disk.number, disk.node, disk.disk.0, other.disk.0
            ));
        }
        self.disks.push(disk);
        Ok(())
    }
}

/// A node's name to compare by: without case, domain, and the `N:` that some views put in front.
pub(super) fn node_key(name: &str) -> String {
    let name = name.trim();
    let name = name.strip_prefix("N:").unwrap_or(name);
    name.split('.').next().unwrap_or(name).to_lowercase()
}

fn wrong(path: &Path, row: Option<usize>, cause: String) -> Error {
    Error::Places {
        path: path.to_owned(),
        cause: match row {
            Some(row) => format!("row {row}: {cause}"),
            None => cause,
        },
    }
}

/// The rows of a file: `ConvertTo-Json` makes a list of several and an object of one.
fn rows(path: &Path) -> Result<Vec<Value>> {
    let bytes = fs::read(path).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })?;
    let text = decode(&bytes).ok_or_else(|| wrong(path, None, "not text in UTF-8 or UTF-16".to_owned()))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong(path, None, format!("not JSON: {error}")))?;
    match value {
        Value::Array(rows) => Ok(rows),
        Value::Object(_) => Ok(vec![value]),
        _ => Err(wrong(
            path,
            None,
            "not a list of objects; make it with ConvertTo-Json".to_owned(),
        )),
    }
}

/// Text as PowerShell writes it: UTF-16 with a mark in front (5.1), or UTF-8 with or without one.
fn decode(bytes: &[u8]) -> Option<String> {
    let units = |from: fn([u8; 2]) -> u16| -> Option<String> {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|pair| from([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

/// A property by its name, in whatever case.
fn field<'a>(row: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = row.as_object()?;
    fields.get(name).or_else(|| {
        fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

fn text<'a>(row: &'a Value, name: &str) -> Result<&'a str, String> {
    field(row, name)
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| format!("no {name}; make the file with Get-PhysicalExtent | ConvertTo-Json"))
}

/// A whole number, which WMI gives as text where it has 64 bits.
fn number(row: &Value, name: &str) -> Result<u64, String> {
    let value = field(row, name).ok_or_else(|| format!("no {name}; make the file with ConvertTo-Json"))?;
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    number.ok_or_else(|| format!("{name} is {value} and no whole number"))
}

#[cfg(test)]
mod tests;
