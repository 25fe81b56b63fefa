//! State: what a resource of a node or of the cluster was like at a time.
//!
//! An [`Observation`] is one resource as one node reported it; a [`Sample`] is one reading of a counter. Both are kept with their
//! history. What a source does not know is not in [`Observation::attributes`]: why not stands in [`Observation::unavailable`], or the
//! attribute is in neither and was not given. Nothing is ever a made-up zero.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;

/// Whose a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One for the cluster, whoever reports it.
    Cluster,
    /// Each node has its own.
    Node,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $text:literal $scope:ident,)*) => {
        /// What a resource is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Snake case, as columns and JSON show it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Whether the cluster has one or each node its own.
            #[must_use]
            pub const fn scope(self) -> Scope {
                match self {
                    $(Self::$name => Scope::$scope,)*
                }
            }
        }
    };
}

kinds! {
    /// A node as the cluster sees it.
    Node "node" Cluster,
    /// A physical disk.
    Disk "disk" Cluster,
    /// What a physical disk says of its own wear and errors.
    DiskReliability "disk_reliability" Cluster,
    /// What an NVMe drive says of its own health, as the node that it is in reads it.
    NvmeHealth "nvme_health" Node,
    /// A physical disk as one node sees it.
    DiskView "disk_view" Cluster,
    /// Drives of one model and firmware, counted.
    Firmware "firmware" Cluster,
    /// A storage pool.
    Pool "pool" Cluster,
    /// A virtual disk.
    VirtualDisk "virtual_disk" Cluster,
    /// A cluster shared volume as one node reaches it.
    Csv "csv" Cluster,
    /// A file system on a volume.
    FileSystem "file_system" Cluster,
    /// A storage job.
    StorageJob "storage_job" Cluster,
    /// Something that a storage job works on: a virtual disk, a pool, a physical disk.
    JobObject "job_object" Cluster,
    /// A copy of a range of a virtual disk.
    Extent "extent" Cluster,
    /// A fault that the Health Service reports.
    HealthFault "health_fault" Cluster,
    /// A storage bus device as an initiator reaches it.
    SblDevice "sbl_device" Node,
    /// A way of an initiator to a storage bus device: a device has one at each node that can reach the drive.
    SblPath "sbl_path" Node,
    /// A node's storage bus as a whole: how many devices it sees, and what its cache does.
    SblNode "sbl_node" Node,
    /// A drive as the target side of the storage bus holds it.
    SblTarget "sbl_target" Node,
    /// A drive as the cache of the storage bus counts it.
    SblDisk "sbl_disk" Node,
    /// A cache of the storage bus on a cache drive.
    SblCacheStore "sbl_cache_store" Node,
    /// A capacity drive bound to a cache of the storage bus.
    SblBinding "sbl_binding" Node,
    /// Dirty regions of a virtual disk that a node tracks.
    DirtyRegions "dirty_regions" Node,
    /// Encryption of a volume.
    Bitlocker "bitlocker" Node,
    /// Whether ReFS keeps checksums of a file's data, or of what is made in a folder.
    FileIntegrity "file_integrity" Node,
    /// A network adapter.
    Adapter "adapter" Node,
    /// RDMA of a network adapter.
    AdapterRdma "adapter_rdma" Node,
    /// Quality of service of a network adapter.
    AdapterQos "adapter_qos" Node,
    /// An advanced property of a network adapter, such as jumbo frames.
    AdapterProperty "adapter_property" Node,
    /// A network interface as the SMB client uses it.
    SmbInterface "smb_interface" Node,
    /// A connection of the SMB client to a server, by pair of interfaces.
    SmbConnection "smb_connection" Node,
    /// A policy that marks traffic with a priority.
    QosPolicy "qos_policy" Node,
    /// Priority flow control of one priority.
    QosFlowControl "qos_flow_control" Node,
    /// A traffic class with its share of bandwidth.
    QosTrafficClass "qos_traffic_class" Node,
    /// Whether the host takes its settings from the switch.
    QosDcbx "qos_dcbx" Node,
    /// A virtual machine, at the node that runs it or has it registered.
    Vm "vm" Node,
    /// A virtual hard disk (VHDX) file as it is attached to a virtual machine.
    Vhd "vhd" Node,
    /// What happened last, of a kind, to the SMB client's connections to a server; its history is all of them.
    SmbEvent "smb_event" Node,
    /// Sets of counters, of which nothing but readings is said.
    Counters "counters" Node,
    /// What a node can see, one a class, and why not.
    Source "source" Node,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = NotAKind;

    fn from_str(text: &str) -> Result<Self, NotAKind> {
        let found = Self::ALL.iter().find(|kind| kind.as_str() == text);
        found.copied().ok_or_else(|| NotAKind { text: text.to_owned() })
    }
}

/// A text that names no kind of resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no kind of resource")]
pub struct NotAKind {
    /// What was given.
    pub text: String,
}

/// A value of an enumeration: its number as the source has it, and what the number means. Either may be unknown: a number that no page
/// explains has no name, a text that is no known name has no number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// The number.
    pub code: Option<i64>,
    /// What it means, as Windows shows it.
    pub name: Option<String>,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.code) {
            (Some(name), _) => f.write_str(name),
            (None, Some(code)) => write!(f, "unknown ({code:#X})"),
            (None, None) => f.write_str("unknown"),
        }
    }
}

/// The value of an attribute. The unit stands in the attribute's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Unsigned(u64),
    /// A whole number below zero.
    Signed(i64),
    /// A number with a fraction.
    Real(f64),
    /// A text.
    Text(String),
    /// Of an enumeration.
    Code(Code),
    /// Several, in the source's order.
    List(Vec<Value>),
}

impl Value {
    /// As a whole number.
    #[must_use]
    pub const fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(*value),
            _ => None,
        }
    }

    /// As yes or no.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// As a text, also the name of a code.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Code(code) => code.name.as_deref(),
            _ => None,
        }
    }

    /// As a list: what is none is one value.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            one => std::slice::from_ref(one),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => f.write_str(if *value { "yes" } else { "no" }),
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Signed(value) => write!(f, "{value}"),
            Self::Real(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Code(value) => write!(f, "{value}"),
            Self::List(values) => values.iter().enumerate().try_for_each(|(at, value)| {
                f.write_str(if at == 0 { "" } else { ", " })?;
                write!(f, "{value}")
            }),
        }
    }
}

/// A resource as a node reported it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The node that reports.
    pub node: NodeId,
    /// What the resource is.
    pub kind: Kind,
    /// Which one: unique among its kind in the cluster, or on the node, as [`Kind::scope`] says.
    pub id: String,
    /// The class that it was read of: what a reading of another class of its kind says or leaves out says nothing of it. None of what does
    /// not come of reading a class again and again, such as files and events, and of what was said before classes were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// When it was so, on the node's clock.
    pub observed_unix_nanos: i64,
    /// False: it was there before and is not any more.
    pub present: bool,
    /// What is known of it, by name.
    pub attributes: BTreeMap<String, Value>,
    /// What is not known, and why: `null` where the source says that it does not know, else in words.
    pub unavailable: BTreeMap<String, String>,
}

impl Observation {
    /// A resource that is there, with nothing known of it yet.
    #[must_use]
    pub fn new(node: NodeId, kind: Kind, id: impl Into<String>, observed_unix_nanos: i64) -> Self {
        Self {
            node,
            kind,
            id: id.into(),
            class: None,
            observed_unix_nanos,
            present: true,
            attributes: BTreeMap::new(),
            unavailable: BTreeMap::new(),
        }
    }

    /// The same with an attribute more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// Which resource it is about: the node is part of it only where each node has its own.
    #[must_use]
    pub fn key(&self) -> Key {
        Key {
            kind: self.kind,
            node: (self.kind.scope() == Scope::Node).then(|| self.node.clone()),
            id: self.id.clone(),
        }
    }

    /// Whether it says the same as another of the same resource, whenever and of whichever class.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.present == other.present && self.attributes == other.attributes && self.unavailable == other.unavailable
    }

    /// An attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }

    /// An attribute as a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::as_u64)
    }

    /// An attribute as a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// An attribute as yes or no.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }
}

/// Which resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// The node that has it, of kinds that each node has its own of.
    pub node: Option<NodeId>,
    /// Which one.
    pub id: String,
}

/// One reading of a counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The node that reports.
    pub node: NodeId,
    /// What the counter is about.
    pub kind: Kind,
    /// Which one.
    pub id: String,
    /// The counter's name, with its unit as suffix.
    pub name: String,
    /// When it was read, on the node's clock.
    pub observed_unix_nanos: i64,
    /// The reading; of a running total the total.
    pub value: f64,
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Unsigned(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Code> for Value {
    fn from(value: Code) -> Self {
        Self::Code(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Self>) -> Self {
        Self::List(values)
    }
}
