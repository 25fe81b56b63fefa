//! Enumerations: what a number means.
//!
//! Numbers and names are those of the public pages of each class (MicrosoftDocs/windows-driver-docs, MSFT_*; MicrosoftDocs/win32, SecProv)
//! and, above 0xD008, of the table that LibreHardwareMonitor read out of the Storage module: observed, not documented. A number that is not
//! here stays a number.

use fathom_model::state::Code;

/// An enumeration.
#[derive(Debug)]
pub struct Codes {
    /// The numbers and their names, as Windows shows them.
    pub names: &'static [(i64, &'static str)],
    /// More of them, where two classes share most.
    pub more: &'static [(i64, &'static str)],
}

const fn codes(names: &'static [(i64, &'static str)]) -> Codes {
    Codes { names, more: &[] }
}

impl Codes {
    /// A number with its name, if it has one.
    #[must_use]
    pub fn of_number(&self, number: i64) -> Code {
        let mut all = self.more.iter().chain(self.names);
        let name = all
            .find(|(known, _)| *known == number)
            .map(|(_, name)| (*name).to_owned());
        Code {
            code: Some(number),
            name,
        }
    }

    /// A name with its number, if it is a known one. Compared without case, blanks and hyphens: `AutoSelect` is `Auto-Select`.
    #[must_use]
    pub fn of_name(&self, text: &str) -> Code {
        let plain = |text: &str| -> String {
            let letters = text.chars().filter(|letter| letter.is_alphanumeric());
            letters.flat_map(char::to_lowercase).collect()
        };
        let wanted = plain(text);
        let found = self
            .more
            .iter()
            .chain(self.names)
            .find(|(_, name)| plain(name) == wanted);
        match found {
            Some((number, name)) => Code {
                code: Some(*number),
                name: Some((*name).to_owned()),
            },
            None => Code {
                code: None,
                name: Some(text.to_owned()),
            },
        }
    }
}

/// HealthStatus of the storage classes.
pub const HEALTH: Codes = codes(&[(0, "Healthy"), (1, "Warning"), (2, "Unhealthy"), (5, "Unknown")]);

/// HealthStatus of MSFT_Volume.
pub const VOLUME_HEALTH: Codes = codes(&[
    (0, "Healthy"),
    (1, "Scan Needed"),
    (2, "Spot Fix Needed"),
    (3, "Full Repair Needed"),
]);

const OPERATIONAL_COMMON: &[(i64, &str)] = &[
    (0, "Unknown"),
    (1, "Other"),
    (2, "OK"),
    (3, "Degraded"),
    (4, "Stressed"),
    (5, "Predictive Failure"),
    (6, "Error"),
    (7, "Non-Recoverable Error"),
    (8, "Starting"),
    (9, "Stopping"),
    (10, "Stopped"),
    (11, "In Service"),
    (12, "No Contact"),
    (13, "Lost Communication"),
    (14, "Aborted"),
    (15, "Dormant"),
    (16, "Supporting Entity in Error"),
    (17, "Completed"),
    (18, "Power Mode"),
    (19, "Relocating"),
];

/// OperationalStatus of drives, pools, virtual disks and extents.
pub const OPERATIONAL: Codes = Codes {
    names: &[
        (0x8000, "Majority Disks Unhealthy"),
        (0x8001, "Minority Disks Unhealthy"),
        (0xD000, "Read-only"),
        // 0xD001 is of pools, 0xD003 of virtual disks: both are shown as Incomplete, and the name stands for the latter.
        (0xD003, "Incomplete"),
        (0xD001, "Incomplete"),
        (0xD002, "Detached"),
        (0xD004, "Failed Media"),
        (0xD005, "Split"),
        (0xD006, "Stale Metadata"),
        (0xD007, "IO Error"),
        (0xD008, "Unrecognized Metadata"),
        (0xD015, "Removing From Pool"),
        (0xD016, "In Maintenance Mode"),
        (0xD017, "Updating Firmware"),
        (0xD018, "Device Hardware Error"),
        (0xD019, "Not Usable"),
        (0xD01A, "Transient Error"),
        (0xD01B, "Suboptimal"),
        (0xD01C, "Starting Maintenance Mode"),
        (0xD01D, "Stopping Maintenance Mode"),
        (0xD024, "No Redundancy"),
        (0xD025, "Threshold Exceeded"),
        (0xD026, "Abnormal Latency"),
    ],
    more: OPERATIONAL_COMMON,
};

/// OperationalStatus of MSFT_StorageJob.
pub const JOB_OPERATIONAL: Codes = codes(OPERATIONAL_COMMON);

/// JobState of MSFT_StorageJob.
pub const JOB_STATE: Codes = codes(&[
    (2, "New"),
    (3, "Starting"),
    (4, "Running"),
    (5, "Suspended"),
    (6, "Shutting Down"),
    (7, "Completed"),
    (8, "Terminated"),
    (9, "Killed"),
    (10, "Exception"),
    (11, "Service"),
    (12, "Query Pending"),
]);

/// BusType of MSFT_PhysicalDisk.
pub const BUS: Codes = codes(&[
    (0, "Unknown"),
    (1, "SCSI"),
    (2, "ATAPI"),
    (3, "ATA"),
    (5, "SSA"),
    (6, "Fibre Channel"),
    (7, "USB"),
    (8, "RAID"),
    (9, "iSCSI"),
    (10, "SAS"),
    (11, "SATA"),
    (12, "SD"),
    (13, "MMC"),
    (14, "MAX"),
    (15, "File Backed Virtual"),
    (16, "Storage Spaces"),
    (17, "NVMe"),
    (18, "SCM"),
]);

/// MediaType.
pub const MEDIA: Codes = codes(&[(0, "Unspecified"), (3, "HDD"), (4, "SSD"), (5, "SCM")]);

/// Bits of the critical warning of an NVMe drive (NVM Express Base Specification, SMART / Health Information log, byte 0).
pub const NVME_WARNING: Codes = codes(&[
    (0x01, "Spare Below Threshold"),
    (0x02, "Temperature"),
    (0x04, "Reliability Degraded"),
    (0x08, "Read Only"),
    (0x10, "Volatile Memory Backup Failed"),
    (0x20, "Persistent Memory Region Unreliable"),
]);

/// Usage of MSFT_PhysicalDisk.
pub const DISK_USAGE: Codes = codes(&[
    (0, "Unknown"),
    (1, "Auto-Select"),
    (2, "Manual-Select"),
    (3, "Hot Spare"),
    (4, "Retired"),
    (5, "Journal"),
]);

/// CannotPoolReason.
pub const CANNOT_POOL: Codes = codes(&[
    (0, "Unknown"),
    (1, "Other"),
    (2, "In a Pool"),
    (3, "Not Healthy"),
    (4, "Removable Media"),
    (5, "In Use by Cluster"),
    (6, "Offline"),
    (7, "Insufficient Capacity"),
    (8, "Spare Disk"),
    (9, "Reserved by subsystem"),
    (10, "Starting"),
    (11, "Partial SCM"),
    (12, "Discovery Disabled"),
]);

/// DetachedReason of MSFT_VirtualDisk.
pub const DETACHED: Codes = codes(&[
    (0, "Unknown"),
    (1, "None"),
    (2, "By Policy"),
    (3, "Majority Disks Unhealthy"),
    (4, "Incomplete"),
    (5, "Timeout"),
]);

/// Access of MSFT_VirtualDisk.
pub const ACCESS: Codes = codes(&[
    (0, "Unknown"),
    (1, "Readable"),
    (2, "Writeable"),
    (3, "Read/Write"),
    (4, "Write Once"),
]);

/// ProvisioningType.
pub const PROVISIONING: Codes = codes(&[(0, "Unknown"), (1, "Thin"), (2, "Fixed")]);

/// FaultDomainAwareness.
pub const FAULT_DOMAIN: Codes = codes(&[
    (1, "PhysicalDisk"),
    (2, "StorageEnclosure"),
    (3, "StorageScaleUnit"),
    (4, "StorageChassis"),
    (5, "StorageRack"),
]);

/// ReadOnlyReason of MSFT_StoragePool.
pub const READ_ONLY: Codes = codes(&[
    (0, "Unknown"),
    (1, "None"),
    (2, "By Policy"),
    (3, "Majority Disks Unhealthy"),
    (4, "Starting"),
]);

/// RepairPolicy of MSFT_StoragePool.
pub const REPAIR_POLICY: Codes = codes(&[(2, "Sequential"), (3, "Parallel")]);

/// FileSystemType of MSFT_Volume.
pub const FILE_SYSTEM: Codes = codes(&[
    (0, "Unknown"),
    (2, "UFS"),
    (3, "HFS"),
    (4, "FAT"),
    (5, "FAT16"),
    (6, "FAT32"),
    (7, "NTFS4"),
    (8, "NTFS5"),
    (9, "XFS"),
    (10, "AFS"),
    (11, "EXT2"),
    (12, "EXT3"),
    (13, "ReiserFS"),
    (14, "NTFS"),
    (15, "ReFS"),
    (0x8000, "CSVFS_NTFS"),
    (0x8001, "CSVFS_ReFS"),
]);

/// State of MSCluster_Node, and of the cmdlet's ClusterNode.
pub const NODE_STATE: Codes = codes(&[(0, "Up"), (1, "Down"), (2, "Paused"), (3, "Joining"), (-1, "Unknown")]);

/// NodeDrainStatus.
pub const DRAIN: Codes = codes(&[(0, "NotInitiated"), (1, "InProgress"), (2, "Completed"), (3, "Failed")]);

/// StatusInformation of MSCluster_Node.
pub const NODE_STATUS: Codes = codes(&[(0, "Normal"), (1, "Isolated"), (2, "Quarantined")]);

/// FaultState of a cluster shared volume: how a node reaches it (ClusterSharedVolumeStateInfo, StateInfo).
pub const CSV_STATE: Codes = codes(&[
    (0, "Unavailable"),
    (1, "Paused"),
    (2, "Direct"),
    (3, "FileSystemRedirected"),
    (4, "BlockRedirected"),
]);

/// FaultState of MSCluster_ClusterSharedVolume (clusapi.h, CLUSTER_CSV_VOLUME_FAULT_STATE): bits, of which several may be set; a sum of
/// them has no name.
pub const CSV_FAULT: Codes = codes(&[
    (0, "NoFaults"),
    (1, "NoDirectIO"),
    (2, "NoAccess"),
    (4, "InMaintenance"),
    (8, "Dismounted"),
]);

/// BackupState of MSCluster_ClusterSharedVolume (clusapi.h, CLUSTER_SHARED_VOLUME_BACKUP_STATE).
pub const CSV_BACKUP: Codes = codes(&[(0, "None"), (1, "InProgress")]);

/// FileSystemRedirectedIOReason of ClusterSharedVolumeStateInfo, as its own type in the FailoverClusters module names it: bits.
pub const CSV_FILE_SYSTEM_REASON: Codes = codes(&[
    (0, "NotFileSystemRedirected"),
    (1, "UserRequest"),
    (2, "IncompatibleFileSystemFilter"),
    (4, "IncompatibleVolumeFilter"),
    (8, "FileSystemTiering"),
    (16, "BitLockerInitializing"),
    (32, "FileSystemReFs"),
]);

/// BlockRedirectedIOReason of the same.
pub const CSV_BLOCK_REASON: Codes = codes(&[
    (0, "NotBlockRedirected"),
    (1, "NoDiskConnectivity"),
    (2, "StorageSpaceNotAttached"),
    (4, "VolumeReplicationEnabled"),
]);

/// State of MSCluster_Resource (clusapi.h, CLUSTER_RESOURCE_STATE), and of the cmdlet's ClusterSharedVolume.
pub const RESOURCE_STATE: Codes = codes(&[
    (-1, "Unknown"),
    (0, "Inherited"),
    (1, "Initializing"),
    (2, "Online"),
    (3, "Offline"),
    (4, "Failed"),
    (128, "Pending"),
    (129, "OnlinePending"),
    (130, "OfflinePending"),
]);

/// ProtectionStatus of Win32_EncryptableVolume.
pub const PROTECTION: Codes = codes(&[(0, "Off"), (1, "On"), (2, "Unknown")]);

/// ConversionStatus of Win32_EncryptableVolume.
pub const CONVERSION: Codes = codes(&[
    (0, "FullyDecrypted"),
    (1, "FullyEncrypted"),
    (2, "EncryptionInProgress"),
    (3, "DecryptionInProgress"),
    (4, "EncryptionPaused"),
    (5, "DecryptionPaused"),
]);

/// PerceivedSeverity of a health fault.
pub const SEVERITY: Codes = codes(&[
    (0, "Unknown"),
    (2, "Information"),
    (3, "Degraded/Warning"),
    (4, "Minor"),
    (5, "Major"),
    (6, "Critical"),
    (7, "Fatal/NonRecoverable"),
]);

/// DeviceType of ClusPortDeviceInformation, as the SDDC module uses it.
pub const SBL_DEVICE: Codes = codes(&[(0, "disk"), (1, "enclosure"), (2, "scale unit")]);

/// SmbInstance: the order of the cmdlet's parameter; the numbers are not confirmed.
pub const SMB_INSTANCE: Codes = codes(&[(0, "Default"), (1, "CSV"), (2, "SBL"), (3, "SR")]);

/// TemplateMatchCondition of MSFT_NetQosPolicySettingData: the order of the values that Set-NetQosPolicy takes
/// (MicrosoftDocs/windows-powershell-docs, `netqos/Set-NetQosPolicy.md`); the numbers are not confirmed.
pub const QOS_TEMPLATE: Codes = codes(&[
    (0, "None"),
    (1, "Default"),
    (2, "iSCSI"),
    (3, "FCoE"),
    (4, "SMB"),
    (5, "NFS"),
    (6, "LiveMigration"),
    (7, "Cluster"),
]);

/// How a traffic class is chosen to send next (IEEE 802.1Qaz, as ntddndis.h numbers it: NDIS_QOS_TSA).
pub const TRANSMISSION_SELECTION: Codes = codes(&[(0, "Strict"), (1, "CBS"), (2, "ETS")]);

/// RdmaTechnology of an adapter, numbered as its keyword `*NetworkDirectTechnology`.
pub const RDMA_TECHNOLOGY: Codes = codes(&[(1, "iWARP"), (2, "InfiniBand"), (3, "RoCE"), (4, "RoCEv2")]);

/// What a virtual machine does, as Get-VM shows it: `EnabledState` of Msvm_ComputerSystem up to 10, and beyond it the enumeration VMState of
/// the Hyper-V module, which PowerShell's own source repeats (`PSRemotingBaseCmdlet.VMState`). A state that is critical is one whose
/// storage or worker does not answer.
pub const VM_STATE: Codes = codes(&[
    (0, "Unknown"),
    (1, "Other"),
    (2, "Running"),
    (3, "Off"),
    (4, "Stopping"),
    (5, "Not Applicable"),
    (6, "Saved"),
    (7, "In Test"),
    (8, "Deferred"),
    (9, "Paused"),
    (10, "Starting"),
    (11, "Reset"),
    (32773, "Saving"),
    (32776, "Pausing"),
    (32777, "Resuming"),
    (32779, "FastSaved"),
    (32780, "FastSaving"),
    (32781, "ForceShutdown"),
    (32782, "ForceReboot"),
    (32783, "RunningCritical"),
    (32784, "OffCritical"),
    (32785, "StoppingCritical"),
    (32786, "SavedCritical"),
    (32787, "PausedCritical"),
    (32788, "StartingCritical"),
    (32789, "ResetCritical"),
    (32790, "SavingCritical"),
    (32791, "PausingCritical"),
    (32792, "ResumingCritical"),
    (32793, "FastSavedCritical"),
    (32794, "FastSavingCritical"),
]);

/// HealthState of Msvm_ComputerSystem (MicrosoftDocs/win32, HyperV_v2).
pub const VM_HEALTH: Codes = codes(&[(5, "OK"), (20, "Major Failure"), (25, "Critical Failure")]);

/// OperationalStatus of Msvm_ComputerSystem; from 0x8000 on what is done to the machine (MicrosoftDocs/win32, HyperV_v2).
pub const VM_OPERATIONAL: Codes = Codes {
    names: &[
        (32768, "Creating Snapshot"),
        (32769, "Applying Snapshot"),
        (32770, "Deleting Snapshot"),
        (32771, "Waiting to Start"),
        (32772, "Merging Disks"),
        (32773, "Exporting Virtual Machine"),
        (32774, "Migrating Virtual Machine"),
    ],
    more: OPERATIONAL_COMMON,
};

/// ControllerType of a drive of a virtual machine, as the Hyper-V module numbers it.
pub const VM_CONTROLLER: Codes = codes(&[(0, "IDE"), (1, "SCSI")]);

/// CachingMode of Msvm_StorageAllocationSettingData (MicrosoftDocs/win32, HyperV_v2).
pub const VHD_CACHING: Codes = codes(&[
    (0, "Unknown"),
    (2, "Default"),
    (3, "No Caching"),
    (4, "Cache Sharable Parents"),
]);

/// What no page explains: only the number is known.
pub const UNDOCUMENTED: Codes = codes(&[]);
