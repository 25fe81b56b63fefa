//! Events of the SMB client as the log renders them; the fields are those of domain/etw.md, the values made up.

use super::*;
use crate::slow::xml::rendered;

#[test]
fn a_disconnect_has_its_server_its_reason_and_what_it_went_over() {
    let fields = [
        ("Reason", "7"),
        ("Status", "0xC000020C"),
        ("InstanceName", "\\Device\\LanmanRedirector\\SBL"),
        ("ServerName", "\\HV02"),
        ("ConnectionType", "2"),
        ("InterfaceId", "11"),
    ];
    let said = decode(&rendered(PROVIDER, 30804, &fields)).expect("it is decoded");
    assert_eq!((said.what, said.server.as_deref()), ("Disconnected", Some("HV02")));
    assert_eq!(
        (
            said.connection_type,
            said.reason,
            said.status,
            said.interface,
            said.record
        ),
        (Some(2), Some(7), Some(0xc000_020c), Some(11), Some(9))
    );
    assert_eq!(
        (said.at_unix_nanos, said.elapsed_millis),
        (1_790_046_780_500_000_000, None)
    );
}

#[test]
fn an_expired_request_says_how_long_it_took_and_nothing_of_a_server() {
    let fields = [
        ("Smb2Command", "9"),
        ("RetryCount", "3"),
        ("ElapsedTimeInMs", "62000"),
        ("ServerName", " "),
    ];
    let said = decode(&rendered(PROVIDER, 30809, &fields)).expect("it is decoded");
    assert_eq!(
        (said.elapsed_millis, said.retries, said.server),
        (Some(62_000), Some(3), None)
    );
    assert_eq!(said.command.as_deref(), Some("9"));
}

#[test]
fn other_events_and_other_providers_are_named_and_not_decoded() {
    for (provider, id) in [(PROVIDER, 1), ("Microsoft-Windows-ReFS", 30804)] {
        let why = decode(&rendered(provider, id, &[])).expect_err("it is another");
        assert!(why.to_string().contains(provider), "{why}");
    }
    let mut timeless = rendered(PROVIDER, 30804, &[]);
    timeless.time_unix_nanos = None;
    assert_eq!(decode(&timeless), Err(NotSlow::NoTime(30804)));
    assert_eq!(IDS, EVENTS.iter().map(|(id, _)| *id).collect::<Vec<_>>());
}
