//! What NVMe drives say of their own health: log page 02h of each, asked by the node that the drive is in.
//!
//! Names are those of `NVME_HEALTH_INFO_LOG` (nvme.h), which are those of the NVM Express Base Specification; the page is taken apart where it
//! is read (`fathom_etl::nvme`), and what a drive leaves out is null.

use fathom_model::state::Kind;

use super::Take::{Bits, Count, DataUnits, Kelvin, Text};
use super::{Class, DRIVES, Identity, property};
use crate::codes::NVME_WARNING;

pub(super) const CLASSES: &[Class] = &[Class {
    names: &["NvmeHealthLog"],
    namespace: DRIVES,
    kind: Kind::NvmeHealth,
    identity: Identity::First(&["SerialNumber", "DeviceGuid", "DiskNumber"]),
    marks: &[&["CriticalWarning", "AvailableSpare", "PercentageUsed"]],
    each: None,
    properties: &[
        property(&["SerialNumber"], "serial_number", Text),
        property(&["DeviceGuid"], "device_guid", Text),
        property(&["DiskNumber"], "disk_number", Count),
        property(&["Model"], "name", Text),
        property(&["Firmware"], "firmware", Text),
        property(&["CriticalWarning"], "critical_warnings", Bits(&NVME_WARNING)),
        property(&["Temperature"], "temperature_celsius", Kelvin),
        property(&["AvailableSpare"], "available_spare_percent", Count),
        property(&["AvailableSpareThreshold"], "available_spare_limit_percent", Count),
        // By the maker's estimate; 255 is that or more.
        property(&["PercentageUsed"], "used_percent", Count),
        property(&["DataUnitRead"], "read_bytes", DataUnits),
        property(&["DataUnitWritten"], "written_bytes", DataUnits),
        property(&["HostReadCommands"], "read_commands", Count),
        property(&["HostWrittenCommands"], "write_commands", Count),
        property(&["ControllerBusyTime"], "busy_minutes", Count),
        property(&["PowerCycle"], "power_cycles", Count),
        property(&["PowerOnHours"], "power_on_hours", Count),
        property(&["UnsafeShutdowns"], "unsafe_shutdowns", Count),
        property(&["MediaErrors"], "media_errors", Count),
        property(&["ErrorInfoLogEntryCount"], "error_log_entries", Count),
        property(&["WarningCompositeTemperatureTime"], "hot_minutes", Count),
        property(&["CriticalCompositeTemperatureTime"], "critically_hot_minutes", Count),
        property(&["TemperatureSensor1"], "sensor_1_celsius", Kelvin),
        property(&["TemperatureSensor2"], "sensor_2_celsius", Kelvin),
        property(&["TemperatureSensor3"], "sensor_3_celsius", Kelvin),
        property(&["TemperatureSensor4"], "sensor_4_celsius", Kelvin),
        property(&["TemperatureSensor5"], "sensor_5_celsius", Kelvin),
        property(&["TemperatureSensor6"], "sensor_6_celsius", Kelvin),
        property(&["TemperatureSensor7"], "sensor_7_celsius", Kelvin),
        property(&["TemperatureSensor8"], "sensor_8_celsius", Kelvin),
    ],
}];
