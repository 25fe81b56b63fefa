//! What the event log says of the SMB client's connections: events of Microsoft-Windows-SmbClient/Connectivity as XML.
//!
//! Numbers, texts and names of fields are those of domain/etw.md (manifests of build 26200.6901; MicrosoftDocs). Which of the fields an
//! event has is not public for all of them: each is taken where it is there, and what an event does not say is said to be unknown.

use crate::slow::NotSlow;
use crate::slow::xml::Rendered;

/// The provider's name; its events are known by this or by [`GUID`].
pub const PROVIDER: &str = "Microsoft-Windows-SMBClient";

/// The provider's GUID, as text.
pub const GUID: &str = "988c59c5-0a1c-45b6-a555-0c62276e327d";

/// The channel.
pub const CHANNEL: &str = "Microsoft-Windows-SmbClient/Connectivity";

/// The events that are decoded, each with what it says.
pub const EVENTS: &[(u16, &str)] = &[
    (30703, "RDMA Connect Failed"),
    (30705, "RDMA Connected"),
    (30803, "Connect Failed"),
    (30804, "Disconnected"),
    (30809, "Request Expired"),
    (30818, "RDMA Fallback"),
    (30822, "Multichannel Connect Failed"),
    (30823, "Connection Hung"),
];

/// The numbers of [`EVENTS`], as a query of the event log needs them.
pub const IDS: &[u16] = &[30703, 30705, 30803, 30804, 30809, 30818, 30822, 30823];

/// What happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connectivity {
    /// The event's number.
    pub id: u16,
    /// What it says.
    pub what: &'static str,
    /// When it was logged, in nanoseconds since 1970 on the system's clock.
    pub at_unix_nanos: i64,
    /// Its number in its channel.
    pub record: Option<u64>,
    /// The server as the client calls it: a name or an address.
    pub server: Option<String>,
    /// The instance of the client: of storage, of shared volumes, or the default one.
    pub instance: Option<String>,
    /// What the connection goes over; 2 is RDMA (domain/etw.md), other numbers are not documented.
    pub connection_type: Option<u64>,
    /// Why; not documented. The Health Service counts disconnects of RDMA for reason 7.
    pub reason: Option<u64>,
    /// The NTSTATUS.
    pub status: Option<u64>,
    /// The interface.
    pub interface: Option<u64>,
    /// The request that expired, as its SMB2 command.
    pub command: Option<String>,
    /// How often that was tried again.
    pub retries: Option<u64>,
    /// How long it took, in milliseconds.
    pub elapsed_millis: Option<u64>,
}

/// What a rendered event says of a connection.
///
/// # Errors
///
/// When it is another event, or has no time.
pub fn decode(event: &Rendered) -> Result<Connectivity, NotSlow> {
    let guid = event.provider_guid.trim_matches(['{', '}']);
    let is_its = guid.eq_ignore_ascii_case(GUID) || event.provider.eq_ignore_ascii_case(PROVIDER);
    let known = EVENTS.iter().find(|(id, _)| is_its && *id == event.id);
    let &(id, what) = known.ok_or_else(|| NotSlow::Foreign {
        provider: event.provider.clone(),
        id: event.id,
    })?;
    let text = |names: &[&str]| -> Option<String> {
        let found = names.iter().find_map(|name| event.text(name))?.trim();
        (!found.is_empty()).then(|| found.to_owned())
    };
    let number = |names: &[&str]| names.iter().find_map(|name| event.number(name));
    Ok(Connectivity {
        id,
        what,
        at_unix_nanos: event.time_unix_nanos.ok_or(NotSlow::NoTime(id))?,
        record: event.record,
        server: text(&["ServerName", "RemoteServerName", "ServerAddress", "RemoteAddress"])
            .map(|server| server.trim_start_matches('\\').to_owned()),
        instance: text(&["InstanceName", "Instance"]),
        connection_type: number(&["ConnectionType"]),
        reason: number(&["Reason"]),
        status: number(&["Status"]),
        interface: number(&["InterfaceId", "InterfaceIndex"]),
        command: text(&["Smb2Command"]),
        retries: number(&["RetryCount"]),
        elapsed_millis: number(&["ElapsedTimeInMs"]),
    })
}

#[cfg(test)]
mod tests;
