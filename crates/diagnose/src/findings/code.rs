//! The codes: what a finding is, as far as the diagnosis can tell. Each has a page in `docs/findings`.

use fathom_model::condition::Sign;
use fathom_model::finding::Finding;

use crate::watch::{self, Named};

/// Fewer than this share of its writes beyond the margin, and it is stalls and not slowness.
const STALLS: f64 = 0.15;

/// From this share on what were stalls is slowness: apart from [`STALLS`], so that a code does not change to and fro.
const SLOW: f64 = 0.25;

/// What a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A drive takes longer than its like.
    DiskSlow,
    /// A drive is as its like, but for a few writes that it holds up.
    DiskStalls,
    /// The way between two nodes takes longer than its like.
    LinkSlow,
    /// The way between two nodes is as its like, but for a few writes that it holds up.
    LinkStalls,
    /// A node takes longer than its like on all ways or at its bus target.
    NodeSlow,
    /// All drives of a node take longer than their like.
    NodeDrivesSlow,
    /// A node takes longer than its like with its own writes, outside all copies.
    InitiatorSlow,
    /// Something at or on the way to a node that was not seen takes longer than its like.
    UnknownSlow,
    /// The storage bus goes over TCP though both ends can RDMA.
    LinkTcpFallback,
    /// A storage job begins anew again and again, or stands still.
    JobStuck,
    /// Nodes mark or pause traffic differently.
    QosDrift,
    /// Windows says that a drive is not well.
    DiskUnhealthy,
    /// A drive has used up the writes that it is rated for.
    DiskWear,
    /// Adapters of storage have frames of different sizes.
    MtuMismatch,
    /// Writes wait for what a storage job that runs moves.
    JobCostsWrites,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 15] = [
        Self::DiskSlow,
        Self::DiskStalls,
        Self::LinkSlow,
        Self::LinkStalls,
        Self::NodeSlow,
        Self::NodeDrivesSlow,
        Self::InitiatorSlow,
        Self::UnknownSlow,
        Self::LinkTcpFallback,
        Self::JobStuck,
        Self::QosDrift,
        Self::DiskUnhealthy,
        Self::DiskWear,
        Self::MtuMismatch,
        Self::JobCostsWrites,
    ];

    /// As everything that names it has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DiskSlow => "DISK_SLOW",
            Self::DiskStalls => "DISK_STALLS",
            Self::LinkSlow => "LINK_SLOW",
            Self::LinkStalls => "LINK_STALLS",
            Self::NodeSlow => "NODE_SLOW",
            Self::NodeDrivesSlow => "NODE_DRIVES_SLOW",
            Self::InitiatorSlow => "INITIATOR_SLOW",
            Self::UnknownSlow => "UNKNOWN_SLOW",
            Self::LinkTcpFallback => "LINK_TCP_FALLBACK",
            Self::JobStuck => "JOB_STUCK",
            Self::QosDrift => "QOS_DRIFT",
            Self::DiskUnhealthy => "DISK_UNHEALTHY",
            Self::DiskWear => "DISK_WEAR",
            Self::MtuMismatch => "MTU_MISMATCH",
            Self::JobCostsWrites => "JOB_COSTS_WRITES",
        }
    }

    /// The code of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// The code of what state shows.
    #[must_use]
    pub const fn of_sign(sign: Sign) -> Self {
        match sign {
            Sign::TcpFallback => Self::LinkTcpFallback,
            Sign::JobStuck => Self::JobStuck,
            Sign::JobRuns => Self::JobCostsWrites,
            Sign::QosDrift => Self::QosDrift,
            Sign::DiskUnhealthy => Self::DiskUnhealthy,
            Sign::DiskWear => Self::DiskWear,
            Sign::MtuMismatch => Self::MtuMismatch,
        }
    }

    /// What state shows it; none of what writes show.
    #[must_use]
    pub fn sign(self) -> Option<Sign> {
        Sign::ALL.into_iter().find(|sign| Self::of_sign(*sign) == self)
    }

    /// What the watch's evidence says, given what was said before.
    pub(super) fn of(found: &watch::Finding, before: Option<Self>) -> Self {
        let share = found.share();
        let rare = match before {
            Some(Self::DiskStalls | Self::LinkStalls) => share < SLOW,
            // What was slow before is slow: its surest margin may be a rarer one later.
            Some(_) => false,
            None => share < STALLS,
        };
        match found.named {
            Named::Disk(_) if rare => Self::DiskStalls,
            Named::Disk(_) => Self::DiskSlow,
            Named::Link(..) if rare => Self::LinkStalls,
            Named::Link(..) => Self::LinkSlow,
            Named::Node(_) if found.is_of_drives() => Self::NodeDrivesSlow,
            Named::Node(_) => Self::NodeSlow,
            Named::Initiator(_) => Self::InitiatorSlow,
            Named::Unknown(_) => Self::UnknownSlow,
        }
    }

    /// Read-only commands of Windows to look next, with `NODE`, `DISK`, `PEER` and `JOB` to be filled in. The same stand in its page.
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
        }
    }

    /// The same for a finding, with its names; those of a job are asked at whoever read it, under the name that it has there.
    pub(super) fn next(self, finding: &Finding, job: Option<&str>) -> Vec<String> {
        // Within single quotes of PowerShell a quote is doubled and nothing else means anything.
        let quoted = |name: &str| name.replace('\'', "''");
        let disk = finding.disk.as_deref().map(number).map(quoted).unwrap_or_default();
        let reader = finding.observations.first().map(|read| read.node.as_str());
        let node = Some(finding.node.as_str()).filter(|node| !node.is_empty()).or(reader);
        let job = quoted(job.or(finding.resource.as_deref()).unwrap_or_default());
        let (node, peer) = (
            quoted(node.unwrap_or_default()),
            quoted(finding.peer.as_deref().unwrap_or_default()),
        );
        let fill = |command: &&str| {
            // In one pass: a name that has a placeholder in it stays as it is.
            let mut filled = String::new();
            for (at, piece) in command.split('\'').enumerate() {
                if at > 0 {
                    filled.push('\'');
                }
                filled.push_str(match piece {
                    "NODE" => &node,
                    "DISK" => &disk,
                    "PEER" => &peer,
                    "JOB" => &job,
                    other => other,
                });
            }
            filled
        };
        self.commands().iter().map(fill).collect()
    }
}

/// A disk's number, as `DeviceId` of Windows has it: of `disk7` it is 7.
fn number(name: &str) -> &str {
    let digits = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits } else { name }
}
