//! Adapters, RDMA, quality of service and SMB: `root\StandardCimv2` and `root\Microsoft\Windows\SMB`, each node for itself.

use fathom_model::state::Kind;

use super::Take::{BitsPerSecond, Bool, Bools, Bytes, Code, Codes, Count, Counts, Flags, Number, Text, Texts};
use super::{Class, Identity, property};
use crate::codes::{QOS_TEMPLATE, RDMA_TECHNOLOGY, SMB_INSTANCE, TRANSMISSION_SELECTION, UNDOCUMENTED};
use crate::counters::MISSING;

const CIM: &str = r"root\StandardCimv2";
const SMB: &str = r"root\Microsoft\Windows\SMB";

pub(super) const CLASSES: &[Class] = &[
    Class {
        names: &["MSFT_NetAdapter"],
        namespace: CIM,
        kind: Kind::Adapter,
        identity: Identity::First(&["Name", "InterfaceName", "InterfaceDescription", "InterfaceGuid"]),
        marks: &[
            &["InterfaceDescription", "MtuSize"],
            &["Name", "InterfaceDescription", "LinkSpeed", "MacAddress"],
        ],
        each: None,
        properties: &[
            property(&["Name"], "name", Text),
            property(&["InterfaceDescription"], "description", Text),
            property(&["InterfaceIndex", "ifIndex"], "interface_index", Count),
            property(&["InterfaceGuid"], "interface_guid", Text),
            property(&["MtuSize"], "mtu_bytes", Bytes),
            property(&["TransmitLinkSpeed"], "transmit_bits_per_s", BitsPerSecond),
            property(&["ReceiveLinkSpeed"], "receive_bits_per_s", BitsPerSecond),
            property(
                &["InterfaceOperationalStatus"],
                "operational_state",
                Code(&UNDOCUMENTED),
            ),
            property(&["MediaConnectState"], "media_connected", Code(&UNDOCUMENTED)),
            property(&["Status"], "status", Text),
            property(&["DriverProvider"], "driver_provider", Text),
            property(&["DriverVersionString", "DriverVersion"], "driver_version", Text),
            property(&["Virtual"], "virtual", Bool),
            property(&["VlanID"], "vlan", Count),
        ],
    },
    Class {
        names: &["MSFT_NetAdapterRdmaSettingData"],
        namespace: CIM,
        kind: Kind::AdapterRdma,
        identity: Identity::First(&["Name", "InstanceID"]),
        marks: &[
            &["MaxQueuePairCount", "Enabled"],
            &["OperationalState", "PFC", "ETS"],
            // As Get-NetAdapterRdma shows it.
            &["Name", "Enabled", "Operational", "PFC", "ETS"],
        ],
        each: None,
        properties: &[
            property(&["Name"], "name", Text),
            property(&["InterfaceDescription"], "description", Text),
            property(&["Enabled"], "enabled", Bool),
            property(&["OperationalState", "Operational"], "operational", Bool),
            property(&["PFC"], "pfc", Code(&UNDOCUMENTED)),
            property(&["ETS"], "ets", Code(&UNDOCUMENTED)),
            property(
                &["RdmaAdapterInfo.RdmaTechnology"],
                "technology",
                Code(&RDMA_TECHNOLOGY),
            ),
            // Of counters that the driver does not supply a zero is no count.
            property(&["RdmaMissingCounterInfo"], "counters_missing", Flags(MISSING)),
            property(&["MaxQueuePairCount"], "queue_pairs_max", Count),
        ],
    },
    Class {
        names: &["MSFT_NetAdapterQosSettingData"],
        namespace: CIM,
        kind: Kind::AdapterQos,
        identity: Identity::First(&["Name", "InstanceID"]),
        marks: &[
            &["OperationalTrafficClasses", "OperationalFlowControl"],
            &["Name", "Enabled", "Capabilities"],
        ],
        each: None,
        properties: &[
            property(&["Name"], "name", Text),
            property(&["Enabled"], "enabled", Bool),
            property(&["OperationalSettings.FlowControlEnabled"], "flow_control", Bool),
            property(
                &["OperationalSettings.PriorityFlowControlEnableArray"],
                "flow_control_by_priority",
                Bools,
            ),
            property(
                &["OperationalSettings.PriorityAssignmentTable"],
                "class_by_priority",
                Counts,
            ),
            property(
                &["OperationalSettings.BandwidthAssignmentTable"],
                "bandwidth_percent_by_class",
                Counts,
            ),
            property(
                &["OperationalSettings.TsaAssignmentTable"],
                "transmission_selection_by_class",
                Codes(&TRANSMISSION_SELECTION),
            ),
            property(
                &["RemoteSettings.PriorityFlowControlEnableArray"],
                "remote_flow_control_by_priority",
                Bools,
            ),
            property(
                &["RemoteSettings.PriorityAssignmentTable"],
                "remote_class_by_priority",
                Counts,
            ),
            property(
                &["RemoteSettings.BandwidthAssignmentTable"],
                "remote_bandwidth_percent_by_class",
                Counts,
            ),
            property(
                &["RemoteSettings.TsaAssignmentTable"],
                "remote_transmission_selection_by_class",
                Codes(&TRANSMISSION_SELECTION),
            ),
            property(
                &["HardwareCapabilities.NumberOfTrafficClasses"],
                "hardware_classes",
                Count,
            ),
            property(
                &["HardwareCapabilities.NumberOfEtsCapableTrafficClasses"],
                "hardware_ets_classes",
                Count,
            ),
            property(
                &["HardwareCapabilities.NumberOfPfcEnabledTrafficClasses"],
                "hardware_pfc_classes",
                Count,
            ),
            property(&["HardwareCapabilities.IeeeDcbxSupported"], "hardware_dcbx_ieee", Bool),
            property(&["HardwareCapabilities.CeeDcbxSupported"], "hardware_dcbx_cee", Bool),
            property(
                &["CurrentCapabilities.NumberOfTrafficClasses"],
                "current_classes",
                Count,
            ),
            property(
                &["CurrentCapabilities.NumberOfEtsCapableTrafficClasses"],
                "current_ets_classes",
                Count,
            ),
            property(
                &["CurrentCapabilities.NumberOfPfcEnabledTrafficClasses"],
                "current_pfc_classes",
                Count,
            ),
            property(&["CurrentCapabilities.IeeeDcbxSupported"], "current_dcbx_ieee", Bool),
            property(&["CurrentCapabilities.CeeDcbxSupported"], "current_dcbx_cee", Bool),
            property(&["OperationalClassifications"], "classifications_shown", Text),
            property(&["OperationalFlowControl"], "flow_control_shown", Text),
            property(&["OperationalTrafficClasses"], "traffic_classes_shown", Text),
        ],
    },
    Class {
        names: &["MSFT_NetAdapterAdvancedPropertySettingData"],
        namespace: CIM,
        kind: Kind::AdapterProperty,
        identity: Identity::All(&["Name", "RegistryKeyword"]),
        marks: &[&["RegistryKeyword", "RegistryValue"]],
        each: None,
        properties: &[
            property(&["Name"], "name", Text),
            property(&["RegistryKeyword"], "keyword", Text),
            property(&["RegistryValue"], "value", Texts),
            property(&["DisplayName"], "shown_name", Text),
            property(&["DisplayValue"], "shown_value", Text),
        ],
    },
    Class {
        names: &["MSFT_NetQosPolicySettingData"],
        namespace: CIM,
        kind: Kind::QosPolicy,
        identity: Identity::First(&["Name", "InstanceID"]),
        marks: &[
            &["NetDirectPortMatchCondition"],
            &["Name", "NetworkProfile", "Precedence"],
        ],
        each: None,
        properties: &[
            property(&["Name"], "name", Text),
            property(&["Owner"], "owner", Text),
            property(&["NetworkProfile"], "network_profile", Text),
            property(&["Precedence"], "precedence", Count),
            // -1: the policy sets none.
            property(&["PriorityValue8021Action", "PriorityValue"], "priority", Number),
            property(
                &["NetDirectPortMatchCondition", "NetDirectPort"],
                "net_direct_port",
                Count,
            ),
            // Of conditions on ports 0 is none; a range has a begin and an end.
            property(&["IPPortMatchCondition", "IPPort"], "port", Count),
            property(
                &["IPDstPortStartMatchCondition", "IPDstPortStart", "IPDstPort"],
                "destination_port",
                Count,
            ),
            property(
                &["IPDstPortEndMatchCondition", "IPDstPortEnd"],
                "destination_port_end",
                Count,
            ),
            property(
                &["IPSrcPortStartMatchCondition", "IPSrcPortStart", "IPSrcPort"],
                "source_port",
                Count,
            ),
            property(
                &["IPSrcPortEndMatchCondition", "IPSrcPortEnd"],
                "source_port_end",
                Count,
            ),
            property(
                &["IPDstPrefixMatchCondition", "IPDstPrefix"],
                "destination_prefix",
                Text,
            ),
            property(&["IPSrcPrefixMatchCondition", "IPSrcPrefix"], "source_prefix", Text),
            property(
                &["IPProtocolMatchCondition", "IPProtocol"],
                "protocol",
                Code(&UNDOCUMENTED),
            ),
            property(&["AppPathNameMatchCondition", "AppPathName"], "application", Text),
            property(&["TemplateMatchCondition", "Template"], "template", Code(&QOS_TEMPLATE)),
            property(
                &["MinBandwidthWeightAction", "MinBandwidthWeight"],
                "bandwidth_weight",
                Count,
            ),
            property(
                &["ThrottleRateAction", "ThrottleRate"],
                "throttle_bits_per_s",
                BitsPerSecond,
            ),
            // -1: the policy sets none.
            property(&["DSCPAction", "DSCPValue"], "dscp", Number),
        ],
    },
    Class {
        names: &["MSFT_NetQosFlowControlSettingData"],
        namespace: CIM,
        kind: Kind::QosFlowControl,
        identity: Identity::All(&["Priority", "InterfaceAlias|IfAlias"]),
        marks: &[&["Priority", "Enabled", "PolicySet"]],
        each: None,
        properties: &[
            property(&["Priority"], "priority", Count),
            property(&["Enabled"], "enabled", Bool),
            property(&["InterfaceAlias", "IfAlias"], "interface", Text),
            property(&["PolicySet"], "policy_set", Text),
        ],
    },
    Class {
        names: &["MSFT_NetQosTrafficClassSettingData"],
        namespace: CIM,
        kind: Kind::QosTrafficClass,
        identity: Identity::All(&["Name", "InterfaceAlias|IfAlias"]),
        marks: &[&["Name", "Algorithm", "Priority"]],
        each: None,
        properties: &[
            property(&["Name"], "name", Text),
            property(&["Algorithm"], "algorithm", Code(&UNDOCUMENTED)),
            property(
                &["BandwidthPercentage", "Bandwidth(%)", "Bandwidth"],
                "bandwidth_percent",
                Count,
            ),
            property(&["Priority"], "priorities", Counts),
            property(&["InterfaceAlias", "IfAlias"], "interface", Text),
            property(&["PolicySet"], "policy_set", Text),
        ],
    },
    Class {
        names: &["MSFT_NetQosDcbxSettingData"],
        namespace: CIM,
        kind: Kind::QosDcbx,
        identity: Identity::All(&["Willing", "InterfaceAlias|IfAlias"]),
        marks: &[&["Willing"]],
        each: None,
        properties: &[
            property(&["Willing"], "willing", Bool),
            property(&["InterfaceAlias", "IfAlias"], "interface", Text),
            property(&["PolicySet"], "policy_set", Text),
        ],
    },
    Class {
        names: &["MSFT_SmbClientNetworkInterface"],
        namespace: SMB,
        kind: Kind::SmbInterface,
        identity: Identity::First(&["InterfaceIndex", "FriendlyName"]),
        marks: &[&["InterfaceIndex", "RdmaCapable", "IpAddresses"]],
        each: None,
        properties: &[
            property(&["FriendlyName"], "name", Text),
            property(&["InterfaceIndex"], "interface_index", Count),
            property(&["IpAddresses"], "addresses", Texts),
            property(&["LinkSpeed", "Speed"], "link_bits_per_s", BitsPerSecond),
            property(&["RdmaCapable"], "rdma_capable", Bool),
            property(&["RssCapable"], "rss_capable", Bool),
        ],
    },
    Class {
        names: &["MSFT_SmbMultichannelConnection"],
        namespace: SMB,
        kind: Kind::SmbConnection,
        identity: Identity::All(&[
            "ServerName",
            "SmbInstance",
            "ClientInterfaceIndex",
            "ClientIpAddress",
            "ClientIP",
            "ServerInterfaceIndex",
            "ServerIpAddress",
            "ServerIP",
        ]),
        marks: &[
            &["ServerName", "ClientInterfaceIndex", "ServerInterfaceIndex"],
            &["ServerName", "Selected", "ClientRdmaCapable"],
        ],
        each: None,
        properties: &[
            property(&["ServerName"], "server", Text),
            property(&["SmbInstance"], "instance", Code(&SMB_INSTANCE)),
            property(&["ClientInterfaceFriendlyName"], "client_interface", Text),
            property(&["ClientInterfaceIndex"], "client_interface_index", Count),
            property(&["ClientIpAddress", "ClientIP"], "client_address", Text),
            property(&["ClientLinkSpeed"], "client_bits_per_s", BitsPerSecond),
            property(&["ClientRdmaCapable"], "client_rdma_capable", Bool),
            property(&["ClientRSSCapable"], "client_rss_capable", Bool),
            property(&["ServerInterfaceIndex"], "server_interface_index", Count),
            property(&["ServerIpAddress", "ServerIP"], "server_address", Text),
            property(&["ServerLinkSpeed"], "server_bits_per_s", BitsPerSecond),
            property(&["ServerRdmaCapable"], "server_rdma_capable", Bool),
            property(&["ServerRSSCapable"], "server_rss_capable", Bool),
            property(&["CurrentChannels"], "channels", Count),
            property(&["MaxChannels"], "channels_max", Count),
            property(&["RdmaConnectionCount"], "rdma_connections", Count),
            property(&["TcpConnectionCount"], "tcp_connections", Count),
            property(&["Selected"], "selected", Bool),
            property(&["Failed"], "failed", Bool),
            property(&["FailureCount"], "failures", Count),
        ],
    },
];
