//! Names behind indices: rows of the join carry small numbers, a [`Catalog`] says what they stand for.
//!
//! A catalog only grows, so an index handed out once stays true. Two catalogs of one cluster may number the same names
//! differently: indices never leave a process.

use std::collections::HashMap;

use crate::id::{NodeId, StreamId, VolumeId};
use crate::topology::PhysicalDisk;

macro_rules! index_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index into a slice.
            #[must_use]
            pub const fn as_usize(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index_type!(
    /// A node of a [`Catalog`].
    NodeIndex
);
index_type!(
    /// A physical disk of a [`Catalog`].
    DiskIndex
);
index_type!(
    /// A volume of a [`Catalog`].
    VolumeIndex
);
index_type!(
    /// A stream of a [`Catalog`].
    StreamIndex
);

/// The names of one cluster, numbered in the order in which they were first met.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    nodes: Interner<NodeId>,
    disks: Interner<PhysicalDisk>,
    volumes: Interner<VolumeId>,
    streams: Interner<StreamId>,
}

#[derive(Clone, Debug)]
struct Interner<T> {
    values: Vec<T>,
    index: HashMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            index: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Interner<T> {
    fn intern(&mut self, value: &T) -> u32 {
        if let Some(&at) = self.index.get(value) {
            return at;
        }
        let at = u32::try_from(self.values.len()).expect("a cluster has fewer than 2^32 names of a kind");
        self.values.push(value.clone());
        self.index.insert(value.clone(), at);
        at
    }
}

macro_rules! names {
    ($field:ident, $index:ident, $value:ty, $intern:ident, $find:ident, $get:ident, $all:ident, $what:literal) => {
        #[doc = concat!("The index of a ", $what, ", new or known.")]
        pub fn $intern(&mut self, value: &$value) -> $index {
            $index(self.$field.intern(value))
        }

        #[doc = concat!("The index of a ", $what, ", if it is known.")]
        #[must_use]
        pub fn $find(&self, value: &$value) -> Option<$index> {
            self.$field.index.get(value).copied().map($index)
        }

        #[doc = concat!("The ", $what, " behind an index of this catalog.\n\n# Panics\n\nWhen the index is another catalog's.")]
        #[must_use]
        pub fn $get(&self, index: $index) -> &$value {
            &self.$field.values[index.as_usize()]
        }

        #[doc = concat!("Every ", $what, ", in the order of their indices.")]
        #[must_use]
        pub fn $all(&self) -> &[$value] {
            &self.$field.values
        }
    };
}

impl Catalog {
    names!(nodes, NodeIndex, NodeId, intern_node, find_node, node, nodes, "node");
    names!(
        disks,
        DiskIndex,
        PhysicalDisk,
        intern_disk,
        find_disk,
        disk,
        disks,
        "physical disk"
    );
    names!(
        volumes,
        VolumeIndex,
        VolumeId,
        intern_volume,
        find_volume,
        volume,
        volumes,
        "volume"
    );
    names!(
        streams,
        StreamIndex,
        StreamId,
        intern_stream,
        find_stream,
        stream,
        streams,
        "stream"
    );
}
