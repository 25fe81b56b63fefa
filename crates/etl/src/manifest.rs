//! The exact field lists of the events that are decoded, as manifests have them, and which of their fields mean what.
//!
//! Lists of providers that clients have are those of build 26200.6901 (lilhoser/etwmanifests `manifests/26200.6901`). The providers of
//! the cluster alone (ClusPort, CsvFs) have no public manifest: their layouts are read from the system at start-up, or configured, and
//! only the names under which their fields are looked for stand here.

use crate::event::{EventKey, Guid, providers};
use crate::layout::Layout;

/// An event that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// Hyper-V StorageVSP 1001: a guest's request, completed; without an offset.
    VspDone,
    /// VHDMP 1001: an I/O of a virtual disk file begins.
    VhdBegun,
    /// VHDMP 1002: it ends.
    VhdDone,
    /// CsvFs 12320: direct I/O, completed.
    CsvDirect,
    /// CsvFs 12336: redirected I/O, completed.
    CsvRedirected,
    /// StorageSpaces-Driver 2600: which copies an I/O goes to; without a duration.
    SpacesIo,
    /// ClusPort 512: a leg begins.
    BusBegun,
    /// ClusPort 1536: it ends.
    BusDone,
    /// SMBServer 12: a write request came.
    SmbBegun,
    /// SMBServer 112: it was answered.
    SmbDone,
    /// StorPort 222 and 223: a request, completed.
    PortDone,
    /// NvmeDisk 200: a command, completed.
    NvmeDone,
}

/// A field by the meaning that it has here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// What it is looked for as, in this order.
    pub names: &'static [&'static str],
    /// Whether the event means nothing without it.
    pub needed: bool,
}

const fn needed(names: &'static [&'static str]) -> Role {
    Role { names, needed: true }
}

const fn useful(names: &'static [&'static str]) -> Role {
    Role { names, needed: false }
}

/// An event: its number, what it means, and the fields that are read of it. The order of `roles` is that of the slots.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What it means.
    pub what: What,
    /// Its provider.
    pub provider: Guid,
    /// Its number.
    pub id: u16,
    /// The fields that are read.
    pub roles: &'static [Role],
    /// Its public field lists by version; none where there is no public manifest.
    pub layouts: &'static [(u8, &'static str)],
}

const VHD: &str = "VhdId:unicode VhdIoType:u32 VhdSrbType:u32 Offset:u64 Length:u32";
const VHD_ROLES: &[Role] = &[
    needed(&["VhdId"]),
    needed(&["VhdIoType"]),
    needed(&["Offset"]),
    needed(&["Length"]),
];
const CSV_ROLES: &[Role] = &[
    useful(&["Io", "IoPointer", "IrpContext", "Irp"]),
    useful(&["Status", "IoStatus"]),
    useful(&["Information"]),
    needed(&["Duration", "IoDuration", "Duration_100ns"]),
    // The texts do not tell reads from writes. Where a manifest does, it is taken.
    useful(&["Major", "MajorFunction", "IrpMajor"]),
];
const PORT: &str = "Port:u8 Bus:u8 Target:u8 LUN:u8 RequestDuration:u64 CDBLength:u32 CDB:bytes[CDBLength] SrbStatus:u8 Irp:pointer \
                    OriginalIrp:pointer BuildIoDuration:u64 StartIoDuration:u64 MiniportDuration:u64";
const PORT_ROLES: &[Role] = &[
    needed(&["Port"]),
    needed(&["Bus"]),
    needed(&["Target"]),
    needed(&["LUN"]),
    needed(&["RequestDuration"]),
    needed(&["CDB"]),
    needed(&["SrbStatus"]),
    useful(&["OriginalIrp"]),
];

/// All of them.
pub const KNOWN: &[Known] = &[
    Known {
        what: What::VspDone,
        provider: providers::STORAGE_VSP,
        id: 1001,
        roles: &[
            needed(&["DeviceName"]),
            needed(&["Command"]),
            needed(&["DataTransferSize"]),
            needed(&["Status"]),
            needed(&["QueueTimeUSec"]),
            needed(&["ServiceTimeUSec"]),
            useful(&["LunSrbQueueTag"]),
        ],
        layouts: &[(
            0,
            "DeviceName:unicode Command:u32 DataTransferSize:u32 Status:u32 QueueTimeUSec:u64 ServiceTimeUSec:u64 \
             ChannelUniqueId:guid LunSrbQueueTag:u32",
        )],
    },
    Known {
        what: What::VhdBegun,
        provider: providers::VHDMP,
        id: 1001,
        roles: VHD_ROLES,
        layouts: &[(0, VHD)],
    },
    Known {
        what: What::VhdDone,
        provider: providers::VHDMP,
        id: 1002,
        roles: VHD_ROLES,
        layouts: &[(0, VHD)],
    },
    Known {
        what: What::CsvDirect,
        provider: providers::CSVFS,
        id: 12320,
        roles: CSV_ROLES,
        layouts: &[],
    },
    Known {
        what: What::CsvRedirected,
        provider: providers::CSVFS,
        id: 12336,
        roles: CSV_ROLES,
        layouts: &[],
    },
    Known {
        what: What::SpacesIo,
        provider: providers::SPACES,
        id: 2600,
        roles: &[
            needed(&["SpaceId"]),
            needed(&["SlabIndex"]),
            needed(&["ColumnOffset"]),
            needed(&["Length"]),
            needed(&["Operation"]),
            needed(&["CopiesMask"]),
            needed(&["Column"]),
            needed(&["Error"]),
        ],
        layouts: &[(
            0,
            "SpaceId:u32 SlabIndex:u32 ColumnOffset:u32 Length:u32 Operation:u16 CopiesMask:u16 Column:u16 Error:u8 Buffer:rest",
        )],
    },
    Known {
        what: What::BusBegun,
        provider: providers::CLUSPORT,
        id: 512,
        roles: &[
            needed(&["Device", "DeviceNumber", "DeviceId"]),
            needed(&["Irp"]),
            needed(&["Major", "MajorFunction", "IrpMajor"]),
            useful(&["Minor", "MinorFunction", "IrpMinor"]),
            // Not in the message texts. Where a manifest has them, they are taken.
            useful(&["Length", "IoLength", "TransferLength"]),
            useful(&["Offset", "IoOffset", "ByteOffset"]),
        ],
        layouts: &[],
    },
    Known {
        what: What::BusDone,
        provider: providers::CLUSPORT,
        id: 1536,
        roles: &[
            needed(&["Device", "DeviceNumber", "DeviceId"]),
            needed(&["Irp"]),
            needed(&["Status", "IoStatus"]),
        ],
        layouts: &[],
    },
    Known {
        what: What::SmbBegun,
        provider: providers::SMB_SERVER,
        id: 12,
        roles: &[
            needed(&["SessionId"]),
            needed(&["MessageId"]),
            needed(&["ConnectionGUID"]),
            needed(&["Length"]),
            needed(&["Offset"]),
            needed(&["FileGUID"]),
        ],
        layouts: &[(
            2,
            "SessionId:u64 ProcessId:u32 TreeId:u32 MessageId:u64 MasterMessageId:u64 Command:u16 CreditsRequested:u16 Flags:u32 \
             Length:u32 Offset:u64 FileId:u64 Channel:u32 RemainingBytes:u32 WriteChannelInfoOffset:u16 WriteChannelInfoLength:u16 \
             WriteFlags:u32 ConnectionGUID:guid SessionGUID:guid TreeConnectGUID:guid FileGUID:guid",
        )],
    },
    Known {
        what: What::SmbDone,
        provider: providers::SMB_SERVER,
        id: 112,
        roles: &[
            needed(&["SessionId"]),
            needed(&["MessageId"]),
            needed(&["ConnectionGUID"]),
            needed(&["Status"]),
        ],
        layouts: &[(
            2,
            "SessionId:u64 ProcessId:u32 TreeId:u32 MessageId:u64 MasterMessageId:u64 Command:u16 CreditsGranted:u16 Flags:u32 \
             Status:u32 Srv2Instance:u32 ProcessingHits:u32 ProcessingTime:u64 QueueHits:u32 QueueTime:u64 FileSystemFastHits:u32 \
             FileSystemFastTime:u64 FileSystemSlowHits:u32 FileSystemSlowTime:u64 TransportFastHits:u32 TransportFastTime:u64 \
             TransportSlowHits:u32 TransportSlowTime:u64 TransportDPHits:u32 TransportDPTime:u64 SecurityHits:u32 SecurityTime:u64 \
             TotalTime:u64 LengthWritten:u32 Remaining:u32 WriteChannelInfoOffset:u16 WriteChannelInfoLength:u16 \
             ConnectionGUID:guid SessionGUID:guid TreeConnectGUID:guid FileGUID:guid FileId:u64",
        )],
    },
    Known {
        what: What::PortDone,
        provider: providers::STORPORT,
        id: 222,
        roles: PORT_ROLES,
        layouts: &[(1, PORT)],
    },
    Known {
        what: What::PortDone,
        provider: providers::STORPORT,
        id: 223,
        roles: PORT_ROLES,
        layouts: &[(1, PORT)],
    },
    Known {
        what: What::NvmeDone,
        provider: providers::NVME_DISK,
        id: 200,
        roles: &[
            needed(&["DeviceGUID"]),
            needed(&["SerialNumber"]),
            needed(&["RequestDuration_100ns"]),
            useful(&["Irp"]),
            needed(&["NTStatus"]),
            needed(&["Command"]),
            needed(&["CDW10"]),
            needed(&["CDW11"]),
            needed(&["CDW12"]),
            useful(&["CommandType"]),
        ],
        layouts: &[(
            1,
            "DeviceGUID:guid DeviceNumber:u32 Model:ansi FirmwareVersion:ansi SerialNumber:ansi RequestDuration_100ns:u64 Irp:pointer \
             CommandType:unicode CommandTag:u32 NTStatus:u32 Command:u32 CDW10:u32 CDW11:u32 CDW12:u32 CDW13:u32 CDW14:u32 CDW15:u32",
        )],
    },
];

/// The public layouts, each with its event.
pub fn layouts() -> impl Iterator<Item = (EventKey, Layout)> {
    KNOWN.iter().flat_map(|known| {
        known.layouts.iter().filter_map(|&(version, text)| {
            let key = EventKey {
                provider: known.provider,
                id: known.id,
                version,
            };
            // Each is read in the tests, so none is left out.
            text.parse().ok().map(|layout| (key, layout))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_public_layout_has_the_fields_that_are_needed_of_it() {
        let texts = KNOWN.iter().map(|known| known.layouts.len()).sum::<usize>();
        assert_eq!(layouts().count(), texts);
        for (key, layout) in layouts() {
            let known = KNOWN
                .iter()
                .find(|known| (known.provider, known.id) == (key.provider, key.id));
            for role in known.expect("it is known").roles.iter().filter(|role| role.needed) {
                let found = role.names.iter().any(|name| layout.position(name).is_some());
                assert!(found, "{key:?} lacks {:?}", role.names);
            }
        }
    }
}
