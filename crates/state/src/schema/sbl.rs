//! The storage bus layer: `root\wmi`, where each node answers for itself.

use fathom_model::state::Kind;

use super::Take::{Bool, Code, Count, Text};
use super::{Class, Identity, property};
use crate::codes::{SBL_DEVICE, UNDOCUMENTED};

pub(super) const CLASSES: &[Class] = &[
    Class {
        names: &["ClusPortDeviceInformation", "StorageBusClientDevice"],
        namespace: r"root\wmi",
        kind: Kind::SblDevice,
        identity: Identity::First(&["DeviceGuid", "DeviceNumber"]),
        marks: &[&["DeviceGuid", "ConnectedNode", "DeviceState"]],
        each: None,
        properties: &[
            property(&["DeviceGuid"], "device_guid", Text),
            property(&["DeviceNumber"], "device_number", Count),
            property(&["ConnectedNode"], "connected_node", Text),
            property(&["ConnectedNodeDeviceNumber"], "connected_device_number", Count),
            property(&["DeviceState"], "state", Code(&UNDOCUMENTED)),
            property(&["DeviceType"], "type", Code(&SBL_DEVICE)),
            property(&["DeviceAttribute"], "attribute_bits", Count),
            property(&["Flags"], "flags", Count),
            property(&["IsReadOnly"], "read_only", Bool),
            property(&["NumberOfPaths"], "paths", Count),
            property(&["ProductId"], "product", Text),
            property(&["VendorId"], "vendor", Text),
            property(&["SerialNumber"], "serial_number", Text),
            property(&["Active"], "active", Bool),
        ],
    },
    Class {
        names: &["ClusBfltDeviceInformation"],
        namespace: r"root\wmi",
        kind: Kind::SblTarget,
        identity: Identity::All(&["DeviceGuid", "Id"]),
        marks: &[&["PathInfo", "NumberOfPaths"]],
        each: Some("PathInfo"),
        properties: &[
            property(&["DeviceGuid"], "device_guid", Text),
            property(&["DeviceNumber"], "device_number", Count),
            property(&["Id"], "path", Count),
            property(&["BusType"], "bus_number", Count),
            property(&["DeviceType"], "type", Code(&SBL_DEVICE)),
            property(&["PathType"], "path_type", Code(&UNDOCUMENTED)),
            property(&["Status"], "status", Code(&UNDOCUMENTED)),
            property(&["Attributes"], "attribute_bits", Count),
        ],
    },
    Class {
        names: &["MSFT_SBLTargetDisk"],
        namespace: r"root\Microsoft\Windows\Storage",
        kind: Kind::SblTarget,
        identity: Identity::First(&["Identifier", "DeviceNumber"]),
        marks: &[&["Identifier", "CurrentUsage", "IsSblCacheDevice"]],
        each: None,
        properties: &[
            property(&["Identifier"], "device_guid", Text),
            property(&["DeviceNumber"], "device_number", Count),
            property(&["State"], "cache_state", Code(&UNDOCUMENTED)),
            property(&["CacheMode"], "cache_mode", Code(&UNDOCUMENTED)),
            property(&["CurrentUsage"], "usage", Code(&UNDOCUMENTED)),
            property(&["DesiredUsage"], "desired_usage", Code(&UNDOCUMENTED)),
            property(&["SblAttributes"], "attribute_bits", Count),
            property(&["IsFlash"], "flash", Bool),
            property(&["IsSblCacheDevice"], "cache_device", Bool),
            property(&["ReadMediaErrorCount"], "read_media_errors", Count),
            property(&["ReadTotalErrorCount"], "read_errors", Count),
            property(&["WriteMediaErrorCount"], "write_media_errors", Count),
            property(&["WriteTotalErrorCount"], "write_errors", Count),
        ],
    },
];
