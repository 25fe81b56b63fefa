//! What events say, as values.

use fathom_model::{Op, Tap};

use crate::event::Guid;

/// Which device an event is of, as the event itself says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site<'a> {
    /// A disk by its number on this machine, which may be another disk's tomorrow.
    Disk(u32),
    /// A drive by its GUID and its serial number (bytes as the drive gives them).
    Drive {
        /// The device's GUID.
        guid: Guid,
        /// The serial number.
        serial: &'a [u8],
    },
    /// A device of a port driver: port, bus, target, unit.
    Port([u8; 4]),
    /// A device of the storage bus, by its number on this node.
    BusDevice(u64),
    /// A virtual disk or its file by name, in UTF-16.
    Named(&'a [u8]),
    /// A file that is open over SMB.
    File(Guid),
    /// Direct I/O of the cluster's file system: the event names no file.
    CsvDirect,
    /// Redirected I/O of the cluster's file system.
    CsvRedirected,
}

/// Where on its device an I/O begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The event does not say.
    Untold,
    /// A byte.
    Byte(u64),
    /// A block of the device.
    Block(u64),
}

/// How much an I/O moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The event does not say.
    Untold,
    /// Bytes.
    Bytes(u64),
    /// Blocks of the device.
    Blocks(u64),
}

/// An I/O, or its begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Where along the path it was seen. Of a disk of the kernel it depends on the disk, and is `Device` here.
    pub tap: Tap,
    /// Of which device.
    pub site: Site<'a>,
    /// What it does.
    pub op: Op,
    /// From where on.
    pub place: Place,
    /// How much.
    pub extent: Extent,
    /// What ties it to other events of the same I/O on this machine (the request's address).
    pub correlation: Option<u64>,
}

/// What ties an I/O's begin to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PairKey {
    /// The provider's kind of pair.
    pub kind: Tap,
    /// Values of the event.
    pub values: [u64; 2],
}

/// What the driver of Storage Spaces says of an I/O's copies (2600). It has no duration, and the units of offset and length are not
/// documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceIo {
    /// A short id of the space on this node.
    pub space: u32,
    /// The slab.
    pub slab: u32,
    /// Offset in the column, in a unit that is not documented.
    pub column_offset: u32,
    /// Length, in a unit that is not documented.
    pub length: u32,
    /// A number that is not documented.
    pub operation: u16,
    /// A bit for each copy that it goes to.
    pub copies_mask: u16,
    /// The column.
    pub column: u16,
    /// 0 for success.
    pub error: u8,
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// An I/O that completed when the event was logged.
    Done {
        /// The I/O.
        request: Request<'a>,
        /// How long it took, in nanoseconds.
        duration_nanos: u64,
        /// 0 for success, else the source's own code.
        status: u32,
    },
    /// An I/O that began when the event was logged.
    Begun {
        /// The I/O.
        request: Request<'a>,
        /// What its end will have.
        key: PairKey,
    },
    /// The I/O that began with this key completed when the event was logged.
    Ended {
        /// What its begin had.
        key: PairKey,
        /// 0 for success, else the source's own code.
        status: u32,
    },
    /// Which copies an I/O goes to.
    Copies(SpaceIo),
}

/// Why an event says nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unread {
    /// Of no use here, and known to be: what begins an I/O that its end tells whole, drivers' calls.
    NotWanted,
    /// Nobody here knows it.
    Foreign,
    /// No layout of this version is known.
    NoLayout,
    /// It is not as long as its layout.
    Misfit,
    /// An operation that has no place in the model, or whose code nobody has told us.
    OtherOp,
    /// A value that cannot be.
    Impossible,
}
