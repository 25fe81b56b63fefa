//! One event as a trace session hands it over, whoever it comes from: a session of this machine, or a file.

use std::fmt;
use std::str::FromStr;

/// A provider's or a class's GUID as it lies in memory and in files: the first three groups little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// From the groups of its text form.
    #[must_use]
    pub const fn new(first: u32, second: u16, third: u16, rest: [u8; 8]) -> Self {
        let (a, b, c, d) = (first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes(), rest);
        Self([
            a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7],
        ])
    }

    /// The groups of its text form, as Windows' own type has them.
    #[must_use]
    pub const fn groups(self) -> (u32, u16, u16, [u8; 8]) {
        let b = self.0;
        (
            u32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            u16::from_le_bytes([b[4], b[5]]),
            u16::from_le_bytes([b[6], b[7]]),
            [b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]],
        )
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second, third, d) = self.groups();
        write!(
            f,
            "{first:08x}-{second:04x}-{third:04x}-{:02x}{:02x}-{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}",
            d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]
        )
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no GUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no GUID: 32 hexadecimal digits in groups of 8-4-4-4-12 are")]
pub struct NoGuid(pub String);

impl FromStr for Guid {
    type Err = NoGuid;

    /// With or without braces.
    fn from_str(text: &str) -> Result<Self, NoGuid> {
        let no_guid = || NoGuid(text.to_owned());
        let bare = text.trim();
        let bare = bare
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or(bare);
        let groups: Vec<&str> = bare.split('-').collect();
        let shape = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]);
        let digits = groups.concat();
        if !shape || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(no_guid());
        }
        let number = u128::from_str_radix(&digits, 16).map_err(|_| no_guid())?;
        let b = number.to_be_bytes();
        Ok(Self::new(
            u32::from_be_bytes([b[0], b[1], b[2], b[3]]),
            u16::from_be_bytes([b[4], b[5]]),
            u16::from_be_bytes([b[6], b[7]]),
            [b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]],
        ))
    }
}

/// What an event is: its provider, and its number there. Of a class of the kernel the number is the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey {
    /// The provider, or the class.
    pub provider: Guid,
    /// The event's id; of a class, the type (opcode).
    pub id: u16,
    /// Its version.
    pub version: u8,
}

/// An event with its payload, as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// What it is.
    pub key: EventKey,
    /// When it was logged, in ticks of the session's clock.
    pub stamp: i64,
    /// Bytes of a pointer in the payload: 4 or 8.
    pub pointer_bytes: u8,
    /// What it says.
    pub payload: &'a [u8],
}

/// The providers that events are decoded of.
pub mod providers {
    use super::Guid;

    /// The kernel's disk I/O (a class, not a provider of its own).
    pub const DISK_IO: Guid = Guid(crate::disk_io::CLASS);
    /// Microsoft-Windows-Hyper-V-StorageVSP.
    pub const STORAGE_VSP: Guid = Guid::new(
        0x10b3_d268,
        0x9782,
        0x49a4,
        [0xaa, 0xcc, 0xa9, 0x3c, 0x54, 0x82, 0xcb, 0x6f],
    );
    /// Microsoft-Windows-VHDMP.
    pub const VHDMP: Guid = Guid::new(
        0xe281_6346,
        0x87f4,
        0x4f85,
        [0x95, 0xc3, 0x0c, 0x79, 0x40, 0x9a, 0xa8, 0x9d],
    );
    /// Microsoft-Windows-FailoverClustering-CsvFs-Diagnostic.
    pub const CSVFS: Guid = Guid::new(
        0x6a86_ae90,
        0x4e9b,
        0x4186,
        [0xb1, 0xd1, 0x9c, 0xe0, 0xe0, 0x2b, 0xcb, 0xc1],
    );
    /// Microsoft-Windows-ReFS.
    pub const REFS: Guid = Guid::new(
        0xcd9c_6198,
        0xbf73,
        0x4106,
        [0x80, 0x3b, 0xc1, 0x7d, 0x26, 0x55, 0x90, 0x18],
    );
    /// Microsoft-Windows-StorageSpaces-Driver.
    pub const SPACES: Guid = Guid::new(
        0x595f_7f52,
        0xc90a,
        0x4026,
        [0xa1, 0x25, 0x8e, 0xb5, 0xe0, 0x83, 0xf1, 0x5e],
    );
    /// Microsoft-Windows-FailoverClustering-Clusport-Diagnostic.
    pub const CLUSPORT: Guid = Guid::new(
        0x29c0_7d0e,
        0xe5a0,
        0x4e85,
        [0xa0, 0x04, 0x1f, 0x66, 0x85, 0x31, 0xce, 0x22],
    );
    /// Microsoft-Windows-SMBServer.
    pub const SMB_SERVER: Guid = Guid::new(
        0xd48c_e617,
        0x33a2,
        0x4bc3,
        [0xa5, 0xc7, 0x11, 0xaa, 0x4f, 0x29, 0x61, 0x9e],
    );
    /// Microsoft-Windows-StorPort.
    pub const STORPORT: Guid = Guid::new(
        0xc463_6a1e,
        0x7986,
        0x4646,
        [0xbf, 0x10, 0x7b, 0xc3, 0xb4, 0xa7, 0x6e, 0x8e],
    );
    /// Microsoft-Windows-NvmeDisk.
    pub const NVME_DISK: Guid = Guid::new(
        0x9799_276c,
        0xfb04,
        0x47e8,
        [0x84, 0x5e, 0x36, 0x94, 0x60, 0x45, 0xc2, 0x18],
    );

    /// The name under which a provider's manifest is installed; `None` for one that is not decoded here.
    #[must_use]
    pub fn name(provider: Guid) -> Option<&'static str> {
        ALL.iter().find(|(guid, _)| *guid == provider).map(|&(_, name)| name)
    }

    /// All of them, with their names.
    pub const ALL: &[(Guid, &str)] = &[
        (DISK_IO, "DiskIo"),
        (STORAGE_VSP, "Microsoft-Windows-Hyper-V-StorageVSP"),
        (VHDMP, "Microsoft-Windows-VHDMP"),
        (CSVFS, "Microsoft-Windows-FailoverClustering-CsvFs-Diagnostic"),
        (REFS, "Microsoft-Windows-ReFS"),
        (SPACES, "Microsoft-Windows-StorageSpaces-Driver"),
        (CLUSPORT, "Microsoft-Windows-FailoverClustering-Clusport-Diagnostic"),
        (SMB_SERVER, "Microsoft-Windows-SMBServer"),
        (STORPORT, "Microsoft-Windows-StorPort"),
        (NVME_DISK, "Microsoft-Windows-NvmeDisk"),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_are_read_and_written_as_windows_spells_them() {
        let text = "9799276c-fb04-47e8-845e-36946045c218";
        assert_eq!(text.parse::<Guid>(), Ok(providers::NVME_DISK));
        assert_eq!(
            format!("{{{}}}", text.to_uppercase()).parse::<Guid>(),
            Ok(providers::NVME_DISK)
        );
        assert_eq!(providers::NVME_DISK.to_string(), text);
        assert_eq!(providers::DISK_IO.to_string(), "3d6fa8d4-fe05-11d0-9dda-00c04fd7ba7c");
        for wrong in [
            "",
            "9799276c",
            "9799276cfb0447e8845e36946045c218",
            "9799276c-fb04-47e8-845e-36946045c21g",
        ] {
            assert!(wrong.parse::<Guid>().is_err(), "{wrong}");
        }
    }
}
