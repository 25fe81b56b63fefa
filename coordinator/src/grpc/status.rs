//! From errors to statuses, in one place. Every status has an ErrorInfo with a reason that never changes.

use std::collections::HashMap;

use fathom_model::{ClusterId, NodeId};
use fathom_proto::convert::Error as Convert;
use fathom_proto::{COLLECT_PROTOCOL, QUERY_PROTOCOL};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::error::Error;

mod fleet;

pub(crate) use fleet::*;

const COLLECT: &str = "fathom.collect.v1";
const QUERY: &str = "fathom.query.v1";
const CONTROL: &str = "fathom.control.v1";
const FLEET: &str = "fathom.fleet.v1";

/// What is said where the id of a request was another's.
pub(crate) const OTHER_REQUEST: &str = "request_id was another request's: each request has an id of its own, and only the same one sent again has the same";

const STOPPING: &str = "the coordinator is stopping; try again";

fn status(code: Code, domain: &str, reason: &str, message: impl Into<String>) -> Status {
    let details = ErrorDetails::with_error_info(reason, domain, HashMap::new());
    Status::with_error_details(code, message, details)
}

/// What a fault of the coordinator means to who asks.
pub(crate) fn of(error: &Error) -> Status {
    fault(QUERY, error)
}

/// What a fault of the coordinator means to a daemon.
pub(crate) fn of_collect(error: &Error) -> Status {
    fault(COLLECT, error)
}

fn fault(domain: &str, error: &Error) -> Status {
    let (code, reason) = match error {
        Error::Store { source } if source.is_disk_full() => (Code::Unavailable, "DISK_FULL"),
        Error::Store {
            source: fathom_store::Error::Fenced { .. },
        } => (Code::Unavailable, "FENCED"),
        Error::Store { .. } => (Code::Internal, "STORE"),
        Error::Name { .. } => (Code::InvalidArgument, "NAME"),
        Error::Thread { .. } | Error::Random { .. } => (Code::Unavailable, "NO_RESOURCES"),
        Error::Config(_)
        | Error::Credentials(_)
        | Error::Listen { .. }
        | Error::Server { .. }
        | Error::Kept { .. }
        | Error::Uplink { .. }
        | Error::KeptSites { .. }
        | Error::Own { .. }
        | Error::Task { .. } => (Code::Internal, "COORDINATOR"),
    };
    status(code, domain, reason, fathom_identity::explain::chain(error))
}

/// The join refused what a daemon sent.
pub(crate) fn of_join(error: &fathom_join::Error) -> Status {
    let reason = match error {
        fathom_join::Error::NotOpen => "NOT_OPEN",
        fathom_join::Error::Skipped { .. } => "ORDINALS_SKIPPED",
        fathom_join::Error::AfterEnd { .. } => "AFTER_END",
        fathom_join::Error::UnknownDevice { .. } => "UNKNOWN_DEVICE",
        fathom_join::Error::DeviceChanged { .. } => "DEVICE_CHANGED",
    };
    status(Code::InvalidArgument, COLLECT, reason, error.to_string())
}

/// A message is not what the contract says.
pub(crate) fn of_convert(error: &Convert) -> Status {
    let reason = match error {
        Convert::Name { .. } => "NAME",
        Convert::Missing { .. }
        | Convert::UnknownNumber { .. }
        | Convert::UnknownName { .. }
        | Convert::Length { .. }
        | Convert::TooLarge { .. }
        | Convert::Impossible { .. }
        | Convert::Compressed { .. }
        | Convert::Encoding { .. }
        | Convert::Sketch { .. }
        | Convert::Extents(_) => "MALFORMED",
    };
    status(Code::InvalidArgument, COLLECT, reason, error.to_string())
}

/// The daemon speaks another version.
pub(crate) fn protocol_version(found: u32) -> Status {
    let message = format!(
        "the daemon speaks version {found} of the collect protocol, this coordinator speaks {COLLECT_PROTOCOL}: upgrade the older one"
    );
    status(Code::FailedPrecondition, COLLECT, "PROTOCOL_VERSION", message)
}

/// The first message was no Hello.
pub(crate) fn no_hello() -> Status {
    status(
        Code::InvalidArgument,
        COLLECT,
        "NO_HELLO",
        "the first message of a stream must be a Hello",
    )
}

/// A later message was a Hello.
pub(crate) fn second_hello() -> Status {
    status(
        Code::InvalidArgument,
        COLLECT,
        "SECOND_HELLO",
        "only the first message of a stream may be a Hello",
    )
}

/// A message that this version does not know.
pub(crate) fn unknown_message() -> Status {
    let message = "a message that this version does not know: upgrade this coordinator";
    status(Code::Unimplemented, COLLECT, "UNKNOWN_MESSAGE", message)
}

/// A daemon said something of a node that is not its own.
pub(crate) fn foreign_node(own: &NodeId, other: &NodeId) -> Status {
    let message =
        format!("the daemon of node {own} reports state of node {other}: each daemon speaks for its own node");
    status(Code::InvalidArgument, COLLECT, "FOREIGN_NODE", message)
}

/// Two daemons said different things of one version of the topology.
pub(crate) fn topology_conflict(version: u64) -> Status {
    let message = format!(
        "version {version} of the topology differs from what another daemon of this cluster said; is this another cluster or recording under the same name?"
    );
    status(Code::AlreadyExists, COLLECT, "TOPOLOGY_CONFLICT", message)
}

/// The same stream was opened again.
pub(crate) fn replaced_session(node: &NodeId) -> Status {
    let message = format!("another connection of node {node} took this stream over");
    status(Code::Aborted, COLLECT, "REPLACED", message)
}

/// The coordinator is stopping, to who asks.
pub(crate) fn stopping() -> Status {
    status(Code::Unavailable, QUERY, "STOPPING", STOPPING)
}

/// The coordinator is stopping, to a daemon.
pub(crate) fn stopping_collect() -> Status {
    status(Code::Unavailable, COLLECT, "STOPPING", STOPPING)
}

/// A cluster's store has not been taken over yet.
pub(crate) fn starting(cluster: &ClusterId) -> Status {
    let message = format!("the coordinator is still taking over the store of cluster {cluster}; try again in a moment");
    status(Code::Unavailable, QUERY, "STARTING", message)
}

/// An order that cannot be taken as given.
pub(crate) fn refused_order(reason: &str, message: impl Into<String>) -> Status {
    status(Code::InvalidArgument, CONTROL, reason, message)
}

/// Whoever asks has as many requests open as he may.
pub(crate) fn too_many_requests(is_about_fleet: bool, most: u32) -> Status {
    let domain = if is_about_fleet { FLEET } else { QUERY };
    let message = format!(
        "this certificate has {most} requests open, and that is the most at once; wait for some to end (the coordinator's --max-requests)"
    );
    status(Code::ResourceExhausted, domain, "TOO_MANY_REQUESTS", message)
}

/// A question that cannot be answered as asked.
pub(crate) fn invalid(message: impl Into<String>) -> Status {
    status(Code::InvalidArgument, QUERY, "INVALID", message)
}

/// Something that is not there.
pub(crate) fn not_found(reason: &str, message: impl Into<String>) -> Status {
    status(Code::NotFound, QUERY, reason, message)
}

/// Version of the query protocol, for status answers.
pub(crate) const fn query_protocol() -> u32 {
    QUERY_PROTOCOL
}

#[cfg(test)]
mod tests;
