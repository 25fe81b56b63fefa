//! `root\MSCluster` and BitLocker.

use fathom_model::state::Kind;

use super::Take::{Code, Count, Text, Texts};
use super::{CMDLETS, Class, Identity, Property, property};
use crate::codes::{
    CONVERSION, CSV_BACKUP, CSV_BLOCK_REASON, CSV_FAULT, CSV_FILE_SYSTEM_REASON, CSV_STATE, DRAIN, NODE_STATE,
    NODE_STATUS, PROTECTION, RESOURCE_STATE, SEVERITY, UNDOCUMENTED,
};

/// Why a node reaches a shared volume by way of another.
const FILE_SYSTEM_REDIRECTED: Property = property(
    &["FileSystemRedirectedIOReason"],
    "file_system_redirected_reason",
    Code(&CSV_FILE_SYSTEM_REASON),
);
const BLOCK_REDIRECTED: Property = property(
    &["BlockRedirectedIOReason"],
    "block_redirected_reason",
    Code(&CSV_BLOCK_REASON),
);

pub(super) const CLASSES: &[Class] = &[
    Class {
        names: &["MSCluster_Node", "ClusterNode"],
        namespace: r"root\MSCluster",
        kind: Kind::Node,
        identity: Identity::First(&["Name", "NodeName"]),
        marks: &[&["NodeWeight", "DynamicWeight", "State"], &["NodeName", "DrainStatus"]],
        each: None,
        properties: &[
            property(&["Name", "NodeName"], "name", Text),
            property(&["State"], "state", Code(&NODE_STATE)),
            property(&["NodeDrainStatus", "DrainStatus"], "drain", Code(&DRAIN)),
            property(&["NodeDrainTarget", "DrainTarget"], "drain_target", Text),
            property(&["StatusInformation"], "status", Code(&NODE_STATUS)),
            property(&["BuildNumber"], "build", Text),
            property(&["DynamicWeight"], "vote", Count),
            property(&["FaultDomain"], "fault_domain", Texts),
            property(&["Id"], "number", Text),
        ],
    },
    Class {
        // Made by Get-ClusterSharedVolumeState out of the cluster's own interface; no namespace has a class of it.
        names: &["ClusterSharedVolumeStateInfo", "ClusterSharedVolumeState"],
        namespace: CMDLETS,
        kind: Kind::Csv,
        identity: Identity::All(&["Name", "VolumeName", "Node"]),
        marks: &[&["Node", "StateInfo", "FileSystemRedirectedIOReason"]],
        each: None,
        properties: &[
            property(&["Name"], "name", Text),
            property(&["VolumeName"], "path", Text),
            property(&["VolumeFriendlyName"], "volume", Text),
            property(&["Node"], "node", Text),
            property(&["StateInfo"], "state", Code(&CSV_STATE)),
            FILE_SYSTEM_REDIRECTED,
            BLOCK_REDIRECTED,
        ],
    },
    Class {
        names: &["MSCluster_ClusterSharedVolume", "ClusterSharedVolume"],
        namespace: r"root\MSCluster",
        kind: Kind::Csv,
        identity: Identity::First(&["Name", "VolumeName"]),
        marks: &[&["VolumeName", "FaultState", "BackupState"]],
        each: None,
        properties: &[
            property(&["Name"], "name", Text),
            property(&["VolumeName"], "path", Text),
            property(&["OwnerNode.Name", "OwnerNode"], "owner", Text),
            property(&["FaultState"], "fault_state", Code(&CSV_FAULT)),
            property(&["BackupState"], "backup_state", Code(&CSV_BACKUP)),
            // Of its resource, which whoever asks the cluster puts beside it; a cmdlet's object is the resource itself.
            property(&["ResourceName"], "resource", Text),
            property(&["ResourceState", "State"], "state", Code(&RESOURCE_STATE)),
            // Of the state at each node, which a cmdlet alone gives: whoever asks the cluster says so.
            FILE_SYSTEM_REDIRECTED,
            BLOCK_REDIRECTED,
        ],
    },
    Class {
        names: &[
            "MSCluster_HealthFault",
            "MSFT_StorageDiagnoseResult",
            "MSFT_HealthFault",
        ],
        namespace: r"root\MSCluster",
        kind: Kind::HealthFault,
        identity: Identity::First(&["FaultId", "Description", "FaultType"]),
        marks: &[
            &["FaultType", "FaultingObjectDescription"],
            &["Severity", "Reason", "Recommendation"],
        ],
        each: None,
        properties: &[
            property(&["FaultType"], "type", Text),
            property(&["PerceivedSeverity", "Severity"], "severity", Code(&SEVERITY)),
            property(&["Reason"], "reason", Text),
            property(&["RecommendedActions", "Recommendation"], "recommended", Texts),
            property(&["FaultingObjectDescription", "Description"], "object", Text),
            property(&["FaultingObjectLocation", "Location"], "location", Text),
            property(&["FaultingObjectUniqueId"], "object_id", Text),
        ],
    },
    Class {
        names: &["Win32_EncryptableVolume", "BitLockerVolume"],
        namespace: r"root\CIMV2\Security\MicrosoftVolumeEncryption",
        kind: Kind::Bitlocker,
        identity: Identity::First(&["DeviceID", "PersistentVolumeID", "MountPoint"]),
        marks: &[
            &["ProtectionStatus", "ConversionStatus"],
            &["MountPoint", "ProtectionStatus"],
        ],
        each: None,
        properties: &[
            property(&["DeviceID", "MountPoint"], "volume", Text),
            property(&["ProtectionStatus"], "protection", Code(&PROTECTION)),
            property(&["ConversionStatus", "VolumeStatus"], "conversion", Code(&CONVERSION)),
            property(&["EncryptionMethod"], "method", Code(&UNDOCUMENTED)),
        ],
    },
];
