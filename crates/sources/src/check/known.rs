//! What a node of a Storage Spaces Direct cluster has that Fathom could read, by its exact names.
//!
//! Classes and properties are those of a 23H2 node (microsoft/wmi, `server23h2`), counters those seen verbatim in public sources
//! (microsoft/diskspd, `Frameworks/VMFleet1.0`; MicrosoftDocs/windowsserverdocs), providers those of the manifests of build
//! 26200.6901 and of Microsoft's support scripts. A client system and a single server have few of them.

/// How much of a class can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Its instances can be listed.
    Instances(&'static str),
    /// Only whether it is there: an event, or an object that only another one gives out.
    Definition(&'static str),
}

impl Class {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Instances(name) | Self::Definition(name) => name,
        }
    }
}

/// A namespace with the classes asked in it.
#[derive(Debug)]
pub(super) struct Namespace {
    pub(super) path: &'static str,
    /// Answers only a connection whose packets are encrypted.
    pub(super) private: bool,
    pub(super) classes: &'static [Class],
}

use Class::{Definition, Instances};

/// One connection each.
pub(super) const NAMESPACES: &[Namespace] = &[
    Namespace {
        path: r"root\wmi",
        private: false,
        classes: &[
            Instances("ClusPortDeviceInformation"),
            Instances("ClusPortPathInformation"),
            Definition("ClusPortDeviceStateChange"),
            Instances("ClusBfltDeviceInformation"),
            Instances("ClusBfltPathInformation"),
            Instances("ClusBfltCacheStoresInformation"),
        ],
    },
    Namespace {
        path: r"root\Microsoft\Windows\Storage",
        private: false,
        classes: &[
            Instances("MSFT_PhysicalDisk"),
            // Given out by a disk, never listed.
            Definition("MSFT_StorageReliabilityCounter"),
            Instances("MSFT_StorageJob"),
            Instances("MSFT_VirtualDisk"),
            // What GetPhysicalExtent of a virtual disk gives: the extent map.
            Definition("MSFT_PhysicalExtent"),
            Instances("MSFT_StoragePool"),
            Instances("MSFT_StorageNode"),
            Instances("MSFT_StorageSubSystem"),
            Instances("MSFT_Volume"),
            Instances("MSFT_Disk"),
            Instances("MSFT_Partition"),
            Definition("MSFT_StorageFaultEvent"),
        ],
    },
    Namespace {
        path: r"root\MSCluster",
        private: true,
        classes: &[
            Instances("MSCluster_Node"),
            Instances("MSCluster_ClusterSharedVolume"),
            Instances("MSCluster_Resource"),
            Instances("MSCluster_StorageSpacesDirect"),
            Instances("MSCluster_NetworkInterface"),
            Instances("MSCluster_Network"),
        ],
    },
    Namespace {
        path: r"root\Microsoft\Windows\SMB",
        private: false,
        classes: &[
            Instances("MSFT_SmbClientNetworkInterface"),
            Instances("MSFT_SmbServerNetworkInterface"),
            Instances("MSFT_SmbMultichannelConnection"),
            Instances("MSFT_SmbConnection"),
        ],
    },
    Namespace {
        path: r"root\StandardCimv2",
        private: false,
        classes: &[
            Instances("MSFT_NetAdapter"),
            Instances("MSFT_NetAdapterRdmaSettingData"),
            Instances("MSFT_NetAdapterStatisticsSettingData"),
            Instances("MSFT_NetAdapterQosSettingData"),
        ],
    },
    Namespace {
        path: r"root\CIMV2",
        private: false,
        classes: &[
            Instances("Win32_OperatingSystem"),
            // Counter sets whose names for PDH are not public.
            Instances("Win32_PerfRawData_ClusBfltPerfProvider_ClusterStorageDiskScheduler"),
            Instances("Win32_PerfRawData_CsvFsPerfProvider_ClusterCSVFSRedirectedIO"),
        ],
    },
    Namespace {
        path: r"root\virtualization\v2",
        private: false,
        classes: &[
            Instances("Msvm_ComputerSystem"),
            Instances("Msvm_StorageAllocationSettingData"),
        ],
    },
    Namespace {
        path: r"root\CIMV2\Security\MicrosoftVolumeEncryption",
        private: true,
        classes: &[Instances("Win32_EncryptableVolume")],
    },
];

/// A set of counters, with one of its counters by its English name.
pub(super) const COUNTERS: &[(&str, &str)] = &[
    ("Cluster Disk Counters", "Remote: Write Latency"),
    ("Cluster Storage Hybrid Disks", "Cache Write Bytes/sec"),
    ("Cluster Storage Cache Stores", "Cache Pages Dirty"),
    ("Cluster CSVFS", "Avg. sec/Write"),
    ("SMB Client Shares", "Write Requests/sec"),
    ("SMB Server Shares", "Write Requests/sec"),
    ("RDMA Activity", "RDMA Inbound Bytes/sec"),
    ("PhysicalDisk", "Avg. Disk sec/Write"),
    ("Hyper-V Virtual Storage Device", "Latency"),
    ("Network Adapter", "Bytes Sent/sec"),
];

/// A provider of events.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) name: &'static str,
    /// As text, without braces.
    pub(super) guid: &'static str,
}

const fn provider(name: &'static str, guid: &'static str) -> Provider {
    Provider { name, guid }
}

/// Those on the path of a write, from the guest to the drive.
pub(super) const PROVIDERS: &[Provider] = &[
    provider(
        "Microsoft-Windows-Hyper-V-StorageVSP",
        "10b3d268-9782-49a4-aacc-a93c5482cb6f",
    ),
    provider("Microsoft-Windows-VHDMP", "e2816346-87f4-4f85-95c3-0c79409aa89d"),
    provider(
        "Microsoft-Windows-FailoverClustering-CsvFs-Diagnostic",
        "6a86ae90-4e9b-4186-b1d1-9ce0e02bcbc1",
    ),
    provider("Microsoft-Windows-ReFS", "cd9c6198-bf73-4106-803b-c17d26559018"),
    provider(
        "Microsoft-Windows-StorageSpaces-Driver",
        "595f7f52-c90a-4026-a125-8eb5e083f15e",
    ),
    provider(
        "Microsoft-Windows-FailoverClustering-Clusport-Diagnostic",
        "29c07d0e-e5a0-4e85-a004-1f668531ce22",
    ),
    provider(
        "Microsoft-Windows-FailoverClustering-ClusBflt-Diagnostic",
        "923bcb94-58d2-42be-bba9-b1315f363838",
    ),
    provider("Microsoft-Windows-SMBClient", "988c59c5-0a1c-45b6-a555-0c62276e327d"),
    provider("Microsoft-Windows-SMBDirect", "db66ea65-b7bb-4ca9-8748-334cb5c32400"),
    provider("Microsoft-Windows-SMBServer", "d48ce617-33a2-4bc3-a5c7-11aa4f29619e"),
    provider("Microsoft-Windows-Kernel-Disk", "c7bde69a-e1e0-4177-b6ef-283ad1525271"),
    provider("Microsoft-Windows-Disk", "6b4db0bc-9a3d-467d-81b9-a84c6f2f3d40"),
    provider("Microsoft-Windows-StorPort", "c4636a1e-7986-4646-bf10-7bc3b4a76e8e"),
    provider("Microsoft-Windows-NvmeDisk", "9799276c-fb04-47e8-845e-36946045c218"),
];

/// Channels of the event log that tell of storage.
pub(super) const CHANNELS: &[&str] = &[
    "Microsoft-Windows-FailoverClustering-ClusBflt/Operational",
    "Microsoft-Windows-FailoverClustering-ClusBflt/Diagnostic",
    "Microsoft-Windows-FailoverClustering-Clusport/Operational",
    "Microsoft-Windows-FailoverClustering-Clusport/Diagnostic",
    "Microsoft-Windows-FailoverClustering-CsvFs/Operational",
    "Microsoft-Windows-StorageSpaces-Driver/Operational",
    "Microsoft-Windows-StorageSpaces-Driver/Diagnostic",
    "Microsoft-Windows-ReFS/Operational",
    "Microsoft-Windows-VHDMP-Operational",
    "Microsoft-Windows-Hyper-V-StorageVSP-Admin",
    "Microsoft-Windows-Storage-Storport/Operational",
    "Microsoft-Windows-Storage-Storport/Health",
    "Microsoft-Windows-SmbClient/Connectivity",
    "Microsoft-Windows-Health/Operational",
];
