//! The wire contract: protobuf packages `fathom.collect.v1`, `fathom.control.v1`, `fathom.fleet.v1` and `fathom.query.v1`, and their conversion to the model.
//!
//! The `.proto` files beside this crate are the contract; the code in `generated` is made from them (`tests/bootstrap.rs`) and
//! never edited. Everything that turns wire messages into domain types stands in [`convert`], one module a proto file, and
//! nowhere else.

pub mod convert;

/// What node daemons and coordinators say to each other.
pub mod collect {
    /// Version 1, frozen: additive changes only.
    #[expect(
        clippy::allow_attributes,
        clippy::clone_on_ref_ptr,
        unused_qualifications,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("generated/fathom.collect.v1.rs");
    }
}

/// What an operator tells a coordinator to do.
pub mod control {
    /// Version 1.
    #[expect(
        clippy::allow_attributes,
        clippy::clone_on_ref_ptr,
        unused_qualifications,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("generated/fathom.control.v1.rs");
    }
}

/// What sites and a fleet coordinator say to each other, and what is asked of many clusters.
pub mod fleet {
    /// Version 1.
    #[expect(
        clippy::allow_attributes,
        clippy::clone_on_ref_ptr,
        unused_qualifications,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("generated/fathom.fleet.v1.rs");
    }
}

/// What people and programs ask a coordinator.
pub mod query {
    /// Version 1.
    #[expect(
        clippy::allow_attributes,
        clippy::clone_on_ref_ptr,
        unused_qualifications,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("generated/fathom.query.v1.rs");
    }
}

/// The descriptors of all packages, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");

/// Version of the collect protocol that this build speaks.
pub const COLLECT_PROTOCOL: u32 = 1;

/// Version of the protocol between sites and fleet coordinators that this build speaks.
pub const FLEET_PROTOCOL: u32 = 1;

/// Version of the query protocol that this build speaks.
pub const QUERY_PROTOCOL: u32 = 1;
