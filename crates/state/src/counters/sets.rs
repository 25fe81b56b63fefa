//! Which properties of which classes are read, and as what. From classes generated on a 23H2 node; widths are those of the dump.

use fathom_model::state::Kind;

use super::Shape::{Mean, Now, PerSecond, Share};
use super::{Counter, Set, Shape};

const fn narrow(property: &'static str, name: &'static str, shape: Shape) -> Counter {
    Counter {
        property,
        name,
        shape,
        bits: 32,
    }
}

const fn wide(property: &'static str, name: &'static str, shape: Shape) -> Counter {
    Counter {
        property,
        name,
        shape,
        bits: 64,
    }
}

/// Means from 32-bit sums are read this often: at ten million ticks a second such a sum lasts for 429 s of requests.
const OFTEN: u64 = 10;

/// Everything else is read this often.
const SELDOM: u64 = 60;

/// The set that drivers of adapters supply counter by counter.
pub const RDMA: &str = "Win32_PerfRawData_Counters_RDMAActivity";

/// RdmaMissingCounterInfo of MSFT_NetAdapterRdmaSettingData: its flags, each with the property of [`RDMA`] that the driver does not supply
/// where it is set.
pub const MISSING: &[(&str, &str)] = &[
    ("RDMAInOctetsPerformanceCounterMissing", "RDMAInboundBytesPersec"),
    ("RDMAOutOctetsPerformanceCounterMissing", "RDMAOutboundBytesPersec"),
    ("RDMAInFramesPerformanceCounterMissing", "RDMAInboundFramesPersec"),
    ("RDMAOutFramesPerformanceCounterMissing", "RDMAOutboundFramesPersec"),
    ("ActiveConnectionPerformanceCounterMissing", "RDMAActiveConnections"),
    ("ConnectionErrorPerformanceCounterMissing", "RDMAConnectionErrors"),
    (
        "CompletionQueueErrorPerformanceCounterMissing",
        "RDMACompletionQueueErrors",
    ),
    (
        "ConnectFailurePerformanceCounterMissing",
        "RDMAFailedConnectionAttempts",
    ),
    ("AcceptPerformanceCounterMissing", "RDMAAcceptedConnections"),
    ("ConnectPerformanceCounterMissing", "RDMAInitiatedConnections"),
];

/// All sets.
pub const SETS: &[Set] = &[
    Set {
        class: "Win32_PerfRawData_ClusportPerfProvider_ClusterDiskCounters",
        name: "cluster_disk",
        kind: Kind::SblDevice,
        every_seconds: OFTEN,
        under_way: &["ReadQueueLength", "WriteQueueLength"],
        counters: &[
            narrow("LocalReadLatency", "local_read_mean_ns", Mean),
            narrow("LocalWriteLatency", "local_write_mean_ns", Mean),
            narrow("RemoteReadLatency", "remote_read_mean_ns", Mean),
            narrow("RemoteWriteLatency", "remote_write_mean_ns", Mean),
            wide("LocalReads", "local_reads_per_s", PerSecond),
            wide("LocalWrites", "local_writes_per_s", PerSecond),
            wide("RemoteReads", "remote_reads_per_s", PerSecond),
            wide("RemoteWrites", "remote_writes_per_s", PerSecond),
            wide("ExceededLatencyLimit", "exceeded_latency_limit_per_s", PerSecond),
            wide("ReadQueueLength", "reads_under_way", Now),
            wide("WriteQueueLength", "writes_under_way", Now),
        ],
    },
    Set {
        class: "Win32_PerfRawData_ClusBfltPerfProvider_ClusterStorageDiskScheduler",
        name: "disk_scheduler",
        kind: Kind::SblTarget,
        every_seconds: OFTEN,
        under_way: &[
            "DspPerUsrNormalCurrentQueueLength",
            "DspPerSysNormalCurrentQueueLength",
            "DspPerUsrHighCurrentQueueLength",
            "DspPerSysHighCurrentQueueLength",
            "DspPerUsrIdlePerLowCurrentQueueLength",
            "DspPerSysIdlePerLowCurrentQueueLength",
        ],
        counters: &[
            narrow("QuePerUsrNormalAvgsecPerDataRequest", "queue_user_mean_ns", Mean),
            narrow("QuePerSysNormalAvgsecPerDataRequest", "queue_system_mean_ns", Mean),
            narrow("DspPerUsrNormalAvgsecPerDataRequest", "drive_user_mean_ns", Mean),
            narrow("DspPerSysNormalAvgsecPerDataRequest", "drive_system_mean_ns", Mean),
            narrow("QuePerUsrHighAvgsecPerDataRequest", "queue_user_high_mean_ns", Mean),
            narrow("QuePerSysHighAvgsecPerDataRequest", "queue_system_high_mean_ns", Mean),
            narrow("DspPerUsrHighAvgsecPerDataRequest", "drive_user_high_mean_ns", Mean),
            narrow("DspPerSysHighAvgsecPerDataRequest", "drive_system_high_mean_ns", Mean),
            narrow(
                "QuePerUsrIdlePerLowAvgsecPerDataRequest",
                "queue_user_low_mean_ns",
                Mean,
            ),
            narrow(
                "QuePerSysIdlePerLowAvgsecPerDataRequest",
                "queue_system_low_mean_ns",
                Mean,
            ),
            narrow(
                "DspPerUsrIdlePerLowAvgsecPerDataRequest",
                "drive_user_low_mean_ns",
                Mean,
            ),
            narrow(
                "DspPerSysIdlePerLowAvgsecPerDataRequest",
                "drive_system_low_mean_ns",
                Mean,
            ),
            wide("DspPerUsrNormalCurrentQueueLength", "user_under_way", Now),
            wide("DspPerSysNormalCurrentQueueLength", "system_under_way", Now),
            wide("DspPerUsrHighCurrentQueueLength", "user_high_under_way", Now),
            wide("DspPerSysHighCurrentQueueLength", "system_high_under_way", Now),
            wide("DspPerUsrIdlePerLowCurrentQueueLength", "user_low_under_way", Now),
            wide("DspPerSysIdlePerLowCurrentQueueLength", "system_low_under_way", Now),
        ],
    },
    Set {
        class: "Win32_PerfRawData_ClusBfltPerfProvider_ClusterStorageHybridDisks",
        name: "hybrid_disk",
        kind: Kind::SblTarget,
        every_seconds: SELDOM,
        under_way: &[],
        counters: &[
            wide("CacheHitReads", "cache_hit_reads_per_s", PerSecond),
            wide("CacheMissReads", "cache_miss_reads_per_s", PerSecond),
            wide("CacheWrites", "cache_writes_per_s", PerSecond),
            wide("DestageBytes", "destage_bytes_per_s", PerSecond),
            wide("DirectWriteBytes", "direct_write_bytes_per_s", PerSecond),
            wide("CachePagesDirty", "cache_pages_dirty", Now),
        ],
    },
    Set {
        class: "Win32_PerfRawData_ClusBfltPerfProvider_ClusterStorageCacheStores",
        name: "cache_store",
        kind: Kind::SblTarget,
        every_seconds: SELDOM,
        under_way: &[],
        counters: &[
            wide("CacheUsagePercent", "usage_percent", Share),
            wide("CachePages", "pages", Now),
            wide("CachePagesDirty", "pages_dirty", Now),
            wide("CachePagesFree", "pages_free", Now),
            wide("DestageBytes", "destage_bytes_per_s", PerSecond),
            wide("ReadErrorsTotal", "read_errors", Now),
            wide("DevicesBlocked", "devices_blocked", Now),
        ],
    },
    Set {
        class: "Win32_PerfRawData_CsvFsPerfProvider_ClusterCSVFS",
        name: "csvfs",
        kind: Kind::Csv,
        every_seconds: OFTEN,
        under_way: &["CurrentReadQueueLength", "CurrentWriteQueueLength"],
        counters: &[
            narrow("AvgsecPerRead", "read_mean_ns", Mean),
            narrow("AvgsecPerWrite", "write_mean_ns", Mean),
            wide("Reads", "reads_per_s", PerSecond),
            wide("Writes", "writes_per_s", PerSecond),
            wide("CurrentReadQueueLength", "reads_under_way", Now),
            wide("CurrentWriteQueueLength", "writes_under_way", Now),
            // What its numbers mean is not documented.
            narrow("VolumeState", "volume_state", Now),
            wide("VolumePauseCountDisk", "pauses_for_disk", Now),
            wide("VolumePauseCountNetwork", "pauses_for_network", Now),
            wide("VolumePauseCountOther", "pauses_for_other", Now),
        ],
    },
    Set {
        class: "Win32_PerfRawData_CsvFsPerfProvider_ClusterCSVFSRedirectedIO",
        name: "csvfs_redirected",
        kind: Kind::Csv,
        every_seconds: OFTEN,
        under_way: &["CurrentReadQueueLength", "CurrentWriteQueueLength"],
        counters: &[
            narrow("AvgsecPerRead", "read_mean_ns", Mean),
            narrow("AvgsecPerWrite", "write_mean_ns", Mean),
            wide("ReadsPersec", "reads_per_s", PerSecond),
            wide("WritesPersec", "writes_per_s", PerSecond),
        ],
    },
    Set {
        class: "Win32_PerfRawData_PerfDisk_PhysicalDisk",
        name: "physical_disk",
        kind: Kind::DiskView,
        every_seconds: OFTEN,
        under_way: &["CurrentDiskQueueLength"],
        counters: &[
            narrow("AvgDisksecPerRead", "read_mean_ns", Mean),
            narrow("AvgDisksecPerWrite", "write_mean_ns", Mean),
            narrow("DiskReadsPersec", "reads_per_s", PerSecond),
            narrow("DiskWritesPersec", "writes_per_s", PerSecond),
            wide("DiskReadBytesPersec", "read_bytes_per_s", PerSecond),
            wide("DiskWriteBytesPersec", "write_bytes_per_s", PerSecond),
            narrow("CurrentDiskQueueLength", "under_way", Now),
            narrow("SplitIOPerSec", "split_per_s", PerSecond),
        ],
    },
    Set {
        class: "Win32_PerfRawData_Counters_SMBDirectConnection",
        name: "smb_direct",
        kind: Kind::SmbConnection,
        every_seconds: OFTEN,
        under_way: &[],
        counters: &[
            narrow("StallsSendCreditPersec", "stalls_send_credit_per_s", PerSecond),
            narrow("StallsSendQueuePersec", "stalls_send_queue_per_s", PerSecond),
            narrow("StallsRDMAReadPersec", "stalls_rdma_read_per_s", PerSecond),
            narrow("StallsRDMARegistrationsPersec", "stalls_registration_per_s", PerSecond),
            wide("BytesRDMAReadPersec", "rdma_read_bytes_per_s", PerSecond),
            wide("BytesRDMAWrittenPersec", "rdma_written_bytes_per_s", PerSecond),
            narrow("SendsPersec", "sends_per_s", PerSecond),
        ],
    },
    Set {
        class: RDMA,
        name: "rdma",
        kind: Kind::Adapter,
        every_seconds: OFTEN,
        under_way: &[],
        counters: &[
            wide("RDMAInboundBytesPersec", "inbound_bytes_per_s", PerSecond),
            wide("RDMAOutboundBytesPersec", "outbound_bytes_per_s", PerSecond),
            narrow("RDMAActiveConnections", "connections", Now),
            narrow("RDMAConnectionErrors", "connection_errors", Now),
            narrow("RDMACompletionQueueErrors", "completion_queue_errors", Now),
            narrow("RDMAFailedConnectionAttempts", "failed_attempts", Now),
        ],
    },
    Set {
        class: "Win32_PerfRawData_Mlx5Provider_MellanoxWinOF2PortQoS",
        name: "port_qos",
        kind: Kind::Adapter,
        every_seconds: OFTEN,
        under_way: &[],
        counters: &[
            wide("RcvPauseFrames", "received_pause_frames_per_s", PerSecond),
            wide("SentPauseFrames", "sent_pause_frames_per_s", PerSecond),
            // In which unit is not documented.
            wide("RcvPauseDuration", "received_pause_duration_per_s", PerSecond),
            wide("SentPauseDuration", "sent_pause_duration_per_s", PerSecond),
        ],
    },
    Set {
        class: "Win32_PerfRawData_Tcpip_NetworkAdapter",
        name: "network",
        kind: Kind::Adapter,
        every_seconds: SELDOM,
        under_way: &[],
        counters: &[
            wide("BytesReceivedPersec", "received_bytes_per_s", PerSecond),
            wide("BytesSentPersec", "sent_bytes_per_s", PerSecond),
            wide("PacketsReceivedDiscarded", "received_discarded_per_s", PerSecond),
            wide("PacketsReceivedErrors", "received_errors_per_s", PerSecond),
            wide("PacketsOutboundDiscarded", "sent_discarded_per_s", PerSecond),
            wide("PacketsOutboundErrors", "sent_errors_per_s", PerSecond),
        ],
    },
];
