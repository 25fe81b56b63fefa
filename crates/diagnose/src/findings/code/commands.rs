//! The commands of Windows that show more of a finding. All of them only read.

use super::Code;

impl Code {
    /// Read-only commands of Windows to look next, with `NODE`, `DISK`, `PEER`, `JOB` and `VOLUME` to be filled in. The same stand in its page.
    #[must_use]
    pub const fn commands(self) -> &'static [&'static str] {
        match self {
            Self::DiskSlow | Self::DiskStalls => &[
                "Get-PhysicalDisk -CimSession 'NODE' | Get-PhysicalDiskStorageNodeView | Where-Object DiskNumber -eq 'DISK' | Format-List *",
                "Get-PhysicalDisk -CimSession 'NODE' | Format-Table DeviceId,FriendlyName,SerialNumber,MediaType,HealthStatus,OperationalStatus,Usage,FirmwareVersion",
                "Get-PhysicalDisk -CimSession 'NODE' | Get-StorageReliabilityCounter | Format-Table DeviceId,Wear,Temperature,ReadErrorsTotal,WriteErrorsTotal,ReadLatencyMax,WriteLatencyMax,PowerOnHours",
                "Get-StorageJob -CimSession 'NODE'",
                "Get-WinEvent -ComputerName 'NODE' -MaxEvents 50 -FilterHashtable @{LogName='System'; ProviderName='disk','storahci','stornvme'}",
            ],
            Self::LinkSlow | Self::LinkStalls => &[
                "Get-SmbMultichannelConnection -CimSession 'PEER' -SmbInstance SBL | Where-Object ServerName -match 'NODE'",
                "Get-NetAdapterRdma -CimSession 'NODE','PEER'",
                "Get-NetAdapterStatistics -CimSession 'NODE','PEER' | Format-List Name,ReceivedDiscardedPackets,ReceivedPacketErrors,OutboundDiscardedPackets,OutboundPacketErrors",
                "Get-NetAdapterQos -CimSession 'NODE','PEER'",
                "Get-NetAdapterAdvancedProperty -CimSession 'NODE','PEER' -RegistryKeyword '*JumboPacket'",
            ],
            Self::NodeSlow => &[
                "Get-ClusterNode -Cluster 'NODE' | Format-Table Name,State,StatusInformation",
                "Get-Counter -ComputerName 'NODE' -Counter '\\Processor(_Total)\\% Processor Time','\\System\\Processor Queue Length' -SampleInterval 1 -MaxSamples 10",
                "Get-NetAdapterRdma -CimSession 'NODE'",
                "Get-NetAdapterStatistics -CimSession 'NODE' | Format-List Name,ReceivedDiscardedPackets,ReceivedPacketErrors,OutboundDiscardedPackets,OutboundPacketErrors",
                "Get-SmbMultichannelConnection -CimSession 'NODE' -SmbInstance SBL",
            ],
            Self::NodeDrivesSlow => &[
                "Get-PhysicalDisk -CimSession 'NODE' | Format-Table DeviceId,FriendlyName,MediaType,HealthStatus,OperationalStatus,FirmwareVersion",
                "Get-PhysicalDisk -CimSession 'NODE' | Get-StorageReliabilityCounter | Format-Table DeviceId,Wear,Temperature,WriteLatencyMax",
                "Get-StorageJob -CimSession 'NODE'",
                "Get-WinEvent -ComputerName 'NODE' -MaxEvents 50 -FilterHashtable @{LogName='System'; ProviderName='disk','storahci','stornvme'}",
            ],
            Self::InitiatorSlow => &[
                "Get-Counter -ComputerName 'NODE' -Counter '\\Processor(_Total)\\% Processor Time','\\System\\Processor Queue Length' -SampleInterval 1 -MaxSamples 10",
                "Get-ClusterSharedVolumeState -Cluster 'NODE' -Node 'NODE'",
                "Get-ClusterSharedVolume -Cluster 'NODE' | Format-Table Name,OwnerNode,State",
                "Get-WinEvent -ComputerName 'NODE' -MaxEvents 50 -LogName 'Microsoft-Windows-ReFS/Operational'",
            ],
            Self::UnknownSlow => &[
                "Get-ClusterNode -Cluster 'NODE' | Format-Table Name,State,StatusInformation",
                "Get-PhysicalDisk -CimSession 'NODE' | Get-StorageReliabilityCounter | Format-Table DeviceId,Wear,Temperature,WriteLatencyMax",
                "Get-SmbMultichannelConnection -CimSession 'NODE' -SmbInstance SBL",
                "Get-NetAdapterStatistics -CimSession 'NODE' | Format-List Name,ReceivedDiscardedPackets,ReceivedPacketErrors,OutboundDiscardedPackets,OutboundPacketErrors",
            ],
            Self::LinkTcpFallback => &[
                "Get-SmbMultichannelConnection -CimSession 'NODE' -SmbInstance SBL | Format-Table ServerName,ClientRdmaCapable,ServerRdmaCapable,CurrentChannels,RdmaConnectionCount,TcpConnectionCount",
                "Get-NetAdapterRdma -CimSession 'NODE' | Format-Table Name,Enabled,Operational",
                "Get-SmbClientNetworkInterface -CimSession 'NODE' | Format-Table InterfaceIndex,RdmaCapable,LinkSpeed,IpAddresses",
                "Get-SmbServerNetworkInterface -CimSession 'NODE' | Format-Table InterfaceIndex,RdmaCapable,LinkSpeed,IpAddress",
                "Get-WinEvent -ComputerName 'NODE' -MaxEvents 50 -LogName 'Microsoft-Windows-SMBClient/Connectivity'",
            ],
            Self::JobCostsWrites => &[
                "Get-StorageJob -CimSession 'NODE' | Where-Object Name -eq 'JOB' | Format-List *",
                "Get-StorageJob -CimSession 'NODE' | Format-Table Name,JobState,PercentComplete,BytesProcessed,BytesTotal,ElapsedTime",
                "Get-VirtualDisk -CimSession 'NODE' | Format-Table FriendlyName,HealthStatus,OperationalStatus,DetachedReason",
                "Get-StoragePool -CimSession 'NODE' -IsPrimordial $false | Format-Table FriendlyName,HealthStatus,OperationalStatus,RepairPolicy",
                "Get-PhysicalDisk -CimSession 'NODE' | Where-Object OperationalStatus -ne OK | Format-Table DeviceId,SerialNumber,HealthStatus,OperationalStatus,Usage",
            ],
            Self::JobStuck => &[
                "Get-StorageJob -CimSession 'NODE' | Where-Object Name -eq 'JOB' | Format-List *",
                "Get-StorageJob -CimSession 'NODE' | Format-Table Name,JobState,PercentComplete,BytesProcessed,BytesTotal,ElapsedTime",
                "Get-VirtualDisk -CimSession 'NODE' | Format-Table FriendlyName,HealthStatus,OperationalStatus,DetachedReason",
                "Get-PhysicalDisk -CimSession 'NODE' | Where-Object OperationalStatus -ne OK | Format-Table DeviceId,SerialNumber,HealthStatus,OperationalStatus",
                "Get-PhysicalDisk -CimSession 'NODE' | Get-StorageReliabilityCounter | Sort-Object ReadLatencyMax -Descending | Select-Object -First 5 DeviceId,ReadErrorsTotal,ReadLatencyMax,WriteLatencyMax",
            ],
            Self::QosDrift => &[
                "Get-NetQosPolicy -CimSession 'NODE' | Format-Table Name,NetDirectPortMatchCondition,PriorityValue8021Action",
                "Get-NetQosFlowControl -CimSession 'NODE' | Format-Table Priority,Enabled",
                "Get-NetQosTrafficClass -CimSession 'NODE' | Format-Table Name,Algorithm,Bandwidth,Priority",
                "Get-NetQosDcbxSetting -CimSession 'NODE'",
                "Get-NetAdapterQos -CimSession 'NODE'",
            ],
            Self::DiskUnhealthy | Self::DiskWear => &[
                "Get-PhysicalDisk -CimSession 'NODE' | Get-PhysicalDiskStorageNodeView | Where-Object DiskNumber -eq 'DISK' | Format-List *",
                "Get-PhysicalDisk -CimSession 'NODE' | Format-Table DeviceId,FriendlyName,SerialNumber,MediaType,HealthStatus,OperationalStatus,Usage,FirmwareVersion",
                "Get-PhysicalDisk -CimSession 'NODE' | Get-StorageReliabilityCounter | Format-Table DeviceId,Wear,Temperature,ReadErrorsTotal,WriteErrorsTotal,ReadLatencyMax,WriteLatencyMax,PowerOnHours",
                "Get-StorageJob -CimSession 'NODE'",
            ],
            Self::MtuMismatch => &[
                "Get-NetAdapterAdvancedProperty -CimSession 'NODE' -RegistryKeyword '*JumboPacket' | Format-Table Name,DisplayValue,RegistryValue",
                "Get-NetAdapter -CimSession 'NODE' | Format-Table Name,InterfaceDescription,MtuSize,LinkSpeed,Status",
                "Get-NetIPInterface -CimSession 'NODE' -AddressFamily IPv4 | Format-Table InterfaceAlias,NlMtu",
                "Get-NetAdapterRdma -CimSession 'NODE' | Format-Table Name,Enabled,Operational",
            ],
            Self::LinkPauseStorm => &[
                "Get-NetQosFlowControl -CimSession 'NODE' | Format-Table Priority,Enabled",
                "Get-NetAdapterQos -CimSession 'NODE'",
                "Get-NetQosPolicy -CimSession 'NODE' | Format-Table Name,NetDirectPortMatchCondition,PriorityValue8021Action",
                "Get-CimInstance -ComputerName 'NODE' -ClassName Win32_PerfRawData_Mlx5Provider_MellanoxWinOF2PortQoS | Format-Table Name,SentPauseFrames,RcvPauseFrames,SentPauseDuration,RcvPauseDuration",
                "Get-NetAdapterStatistics -CimSession 'NODE' | Format-List Name,ReceivedDiscardedPackets,ReceivedPacketErrors,OutboundDiscardedPackets,OutboundPacketErrors",
            ],
            Self::LinkCreditStalls => &[
                "Get-Counter -ComputerName 'NODE' -ListSet 'SMB Direct Connection' | Select-Object -ExpandProperty PathsWithInstances",
                "Get-CimInstance -ComputerName 'NODE' -ClassName Win32_PerfRawData_Counters_SMBDirectConnection | Format-Table Name,StallsSendCreditPersec,StallsSendQueuePersec,StallsRDMAReadPersec,StallsRDMARegistrationsPersec,SendsPersec",
                "Get-SmbMultichannelConnection -CimSession 'NODE' -SmbInstance SBL",
                "Get-NetAdapterRdma -CimSession 'NODE' | Format-Table Name,Enabled,Operational",
            ],
            Self::LinkErrors => &[
                "Get-NetAdapterStatistics -CimSession 'NODE' | Format-List Name,ReceivedDiscardedPackets,ReceivedPacketErrors,OutboundDiscardedPackets,OutboundPacketErrors",
                "Get-NetAdapter -CimSession 'NODE' | Format-Table Name,InterfaceDescription,Status,LinkSpeed,DriverVersion",
                "Get-CimInstance -ComputerName 'NODE' -ClassName Win32_PerfRawData_Counters_RDMAActivity | Format-Table Name,RDMAConnectionErrors,RDMACompletionQueueErrors,RDMAFailedConnectionAttempts",
                "Get-SmbMultichannelConnection -CimSession 'NODE' -SmbInstance SBL | Format-Table ServerName,Selected,Failed,FailureCount",
                "Get-WinEvent -ComputerName 'NODE' -MaxEvents 50 -LogName 'Microsoft-Windows-SMBClient/Connectivity'",
            ],
            Self::LinkSaturated => &[
                "Get-NetAdapter -CimSession 'NODE' | Format-Table Name,InterfaceDescription,Status,LinkSpeed,ReceiveLinkSpeed,TransmitLinkSpeed",
                "Get-CimInstance -ComputerName 'NODE' -ClassName Win32_PerfRawData_Counters_RDMAActivity | Format-Table Name,RDMAInboundBytesPersec,RDMAOutboundBytesPersec,Timestamp_PerfTime,Frequency_PerfTime",
                "Get-CimInstance -ComputerName 'NODE' -ClassName Win32_PerfRawData_Tcpip_NetworkAdapter | Format-Table Name,BytesReceivedPersec,BytesSentPersec,Timestamp_PerfTime,Frequency_PerfTime",
                "Get-SmbMultichannelConnection -CimSession 'NODE' -SmbInstance SBL",
                "Get-NetQosTrafficClass -CimSession 'NODE' | Format-Table Name,Algorithm,Bandwidth,Priority",
                "Get-StorageJob -CimSession 'NODE' | Format-Table Name,JobState,PercentComplete,BytesProcessed,BytesTotal",
            ],
            Self::DiskErrors => &[
                "Get-PhysicalDisk -CimSession 'NODE' | Get-PhysicalDiskStorageNodeView | Where-Object DiskNumber -eq 'DISK' | Format-List *",
                "Get-PhysicalDisk -CimSession 'NODE' | Get-StorageReliabilityCounter | Format-Table DeviceId,ReadErrorsTotal,ReadErrorsCorrected,ReadErrorsUncorrected,WriteErrorsTotal,WriteErrorsCorrected,WriteErrorsUncorrected",
                "Get-PhysicalDisk -CimSession 'NODE' | Format-Table DeviceId,FriendlyName,SerialNumber,MediaType,HealthStatus,OperationalStatus,Usage,FirmwareVersion",
                "Get-WinEvent -ComputerName 'NODE' -MaxEvents 50 -FilterHashtable @{LogName='System'; ProviderName='disk','storahci','stornvme'}",
            ],
            Self::CsvRedirected => &[
                "Get-ClusterSharedVolumeState -Cluster 'NODE' | Where-Object VolumeFriendlyName -eq 'VOLUME' | Format-Table Node,StateInfo,FileSystemRedirectedIOReason,BlockRedirectedIOReason",
                "Get-ClusterSharedVolume -Cluster 'NODE' | Format-Table Name,OwnerNode,State",
                "Get-PhysicalDisk -CimSession 'NODE' | Where-Object OperationalStatus -ne OK | Format-Table DeviceId,SerialNumber,HealthStatus,OperationalStatus,Usage",
                "Get-WinEvent -ComputerName 'NODE' -MaxEvents 50 -FilterHashtable @{LogName='System'; ProviderName='Microsoft-Windows-FailoverClustering'}",
            ],
            Self::BitlockerCostsWrites => &[
                "Get-CimInstance -ComputerName 'NODE' -Namespace 'root/CIMV2/Security/MicrosoftVolumeEncryption' -ClassName Win32_EncryptableVolume | Format-Table DeviceID,ProtectionStatus,ConversionStatus,EncryptionMethod",
                "Get-ClusterSharedVolume -Cluster 'NODE' | Format-Table Name,OwnerNode,State",
                "Get-CimInstance -ComputerName 'NODE' -ClassName Win32_Processor | Format-Table Name,NumberOfCores,LoadPercentage",
                "Get-Counter -ComputerName 'NODE' -Counter '\\Processor(_Total)\\% Processor Time','\\System\\Processor Queue Length' -SampleInterval 1 -MaxSamples 10",
            ],
            Self::PoolMixedMedia => &[
                "Get-StoragePool -CimSession 'NODE' -IsPrimordial $false | Get-PhysicalDisk | Format-Table DeviceId,FriendlyName,SerialNumber,MediaType,Usage,Size",
                "Get-StorageTier -CimSession 'NODE' | Format-Table FriendlyName,MediaType,ResiliencySettingName,Size",
                "Get-VirtualDisk -CimSession 'NODE' | Format-Table FriendlyName,ResiliencySettingName,NumberOfDataCopies,MediaType",
            ],
        }
    }
}
