//! The system configuration group: the computer's name, its disks and their partitions.

use std::collections::BTreeSet;

use crate::bytes::Bytes;

/// The group in a hook.
pub(crate) const GROUP: u8 = 0x0b;

/// What a trace says of the machine that it was taken on. Empty where the session did not log it (it does when a kernel trace is
/// merged).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// The computer's name.
    pub computer: Option<String>,
    /// Its disks, by number.
    pub drives: BTreeSet<PhysicalDrive>,
    /// Its partitions, by disk and offset.
    pub partitions: BTreeSet<Partition>,
}

/// A disk as the machine numbers it (`SystemConfig_PhyDisk`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhysicalDrive {
    /// Its number.
    pub disk: u32,
    /// Vendor and model, as the driver gives them.
    pub model: String,
    /// Bytes of a sector.
    pub sector_bytes: u32,
    /// Partitions on it.
    pub partitions: u32,
}

/// A partition (`SystemConfig_LogDisk`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partition {
    /// The number of the disk that it lies on.
    pub disk: u32,
    /// First byte on that disk.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Its letter with a colon, or what stands there instead; may be empty.
    pub letter: String,
    /// The file system's name; may be empty.
    pub file_system: String,
}

/// What could be made of a record of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Something that is kept.
    Kept,
    /// A type that nothing is wanted of.
    NotWanted,
    /// A wanted one that is too short.
    TooShort(&'static str),
}

impl System {
    /// Takes in a record. Later versions add fields at the end, which are not needed; so the version does not matter.
    pub(crate) fn take(&mut self, kind: u8, payload: &[u8]) -> Taken {
        let kept = match kind {
            10 => self.computer(payload).ok_or("SystemConfig/CPU"),
            11 => self.drive(payload).ok_or("SystemConfig/PhyDisk"),
            12 => self.partition(payload).ok_or("SystemConfig/LogDisk"),
            _ => return Taken::NotWanted,
        };
        kept.map_or_else(Taken::TooShort, |()| Taken::Kept)
    }

    fn computer(&mut self, payload: &[u8]) -> Option<()> {
        let name = payload.utf16_at(20, 256)?;
        // A merged trace repeats what each of its sessions logged.
        if !name.is_empty() {
            self.computer.get_or_insert(name);
        }
        Some(())
    }

    fn drive(&mut self, payload: &[u8]) -> Option<()> {
        let drive = PhysicalDrive {
            disk: payload.u32_at(0)?,
            sector_bytes: payload.u32_at(4)?,
            model: payload.utf16_at(40, 256)?.trim().to_owned(),
            partitions: payload.u32_at(552)?,
        };
        self.drives.insert(drive);
        Some(())
    }

    fn partition(&mut self, payload: &[u8]) -> Option<()> {
        let partition = Partition {
            disk: payload.u32_at(16)?,
            offset: payload.u64_at(0)?,
            length: payload.u64_at(8)?,
            letter: payload.utf16_at(28, 4)?,
            file_system: payload.utf16_at(72, 16)?,
        };
        self.partitions.insert(partition);
        Some(())
    }
}

#[cfg(test)]
mod tests;
