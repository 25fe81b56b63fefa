//! What a node of a Storage Spaces Direct cluster has that Fathom could read, by its exact names.
//!
//! Classes and properties are those of a 23H2 node (microsoft/wmi, `server23h2`), counters those seen verbatim in public sources
//! (microsoft/diskspd, `Frameworks/VMFleet1.0`; MicrosoftDocs/windowsserverdocs), providers those of the manifests of build
//! 26200.6901 and of Microsoft's support scripts. A client system and a single server have few of them.
//!
//! Which classes and counters the node's state is made of is not repeated here: it comes from the tables that state itself is asked by.

use fathom_state::{counters, schema};

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
    pub(super) classes: Vec<Class>,
}

use Class::{Definition, Instances};

/// Whether a namespace answers only a connection whose packets are encrypted: it is linked to a node's own cluster, or to keys.
pub(crate) fn is_guarded(path: &str) -> bool {
    path.ends_with("MSCluster") || path.ends_with("MicrosoftVolumeEncryption")
}

/// Where counters are.
const CIMV2: &str = r"root\CIMV2";

/// Classes of state that another object gives out, and that are never listed.
const GIVEN: &[&str] = &[
    "MSFT_StorageReliabilityCounter",
    "MSFT_PhysicalExtent",
    "MSFT_StorageJobToAffectedStorageObject",
    "MSFT_FileIntegrity",
    "ClusBfltHddBindingRecord",
    "ClusPortPathInformation",
    "ClusBfltCacheStoreInformation",
];

/// What is asked beside what state is made of: ends of its ways, and what tells whether a node is what it should be.
const BESIDE: &[(&str, &[Class])] = &[
    (
        r"root\wmi",
        &[
            Definition("ClusPortDeviceStateChange"),
            Definition("ClusBfltPathInformation"),
            Instances("ClusBfltCacheStoresInformation"),
            Instances("ClusBfltPathMethods"),
        ],
    ),
    (
        r"root\Microsoft\Windows\Storage",
        &[
            Instances("MSFT_StorageNode"),
            Instances("MSFT_StorageSubSystem"),
            Instances("MSFT_Disk"),
            Instances("MSFT_Partition"),
            Definition("MSFT_StorageFaultEvent"),
        ],
    ),
    (
        r"root\MSCluster",
        &[
            Instances("MSCluster_Resource"),
            Instances("MSCluster_StorageSpacesDirect"),
            Instances("MSCluster_NetworkInterface"),
            Instances("MSCluster_Network"),
        ],
    ),
    (
        r"root\Microsoft\Windows\SMB",
        &[
            Instances("MSFT_SmbServerNetworkInterface"),
            Instances("MSFT_SmbConnection"),
        ],
    ),
    (
        r"root\StandardCimv2",
        &[Instances("MSFT_NetAdapterStatisticsSettingData")],
    ),
    (CIMV2, &[Instances("Win32_OperatingSystem")]),
];

/// Everything that the node's state asks, and what is asked beside it: one connection a namespace.
pub(super) fn namespaces() -> Vec<Namespace> {
    let mut all: Vec<Namespace> = Vec::new();
    let mut add = |path: &'static str, class: Class| {
        let at = all.iter().position(|known| known.path.eq_ignore_ascii_case(path));
        let at = at.unwrap_or_else(|| {
            let classes = Vec::new();
            all.push(Namespace { path, classes });
            all.len() - 1
        });
        if all[at].classes.iter().all(|known| known.name() != class.name()) {
            all[at].classes.push(class);
        }
    };
    // Drives are asked themselves, and are no class of management; what cmdlets make is none either.
    let is_asked = |class: &&schema::Class| !matches!(class.namespace, "" | schema::DRIVES | schema::CMDLETS);
    for class in schema::classes().filter(is_asked) {
        let name = class.names[0];
        let is_given = GIVEN.contains(&name);
        add(
            class.namespace,
            if is_given { Definition(name) } else { Instances(name) },
        );
    }
    for set in counters::SETS {
        add(CIMV2, Instances(set.class));
    }
    for (path, classes) in BESIDE {
        classes.iter().for_each(|class| add(path, *class));
    }
    all
}

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
