//! What goes over the wire comes back as it was.

use fathom_model::report::Evidence;

use super::*;

fn finding() -> Finding {
    let note = Note {
        by: "ann".to_owned(),
        at_unix_ns: 7,
        until_unix_ns: Some(8),
        text: "ordered".to_owned(),
        request: String::new(),
    };
    Finding {
        id: "0123456789ab-2".to_owned(),
        code: "LINK_SLOW".to_owned(),
        kind: "link".to_owned(),
        node: "t1".to_owned(),
        disk: None,
        peer: Some("i0".to_owned()),
        resource: Some("SMB1".to_owned()),
        observations: vec![ObservationRef {
            kind: "adapter".to_owned(),
            node: "t1".to_owned(),
            id: "SMB1".to_owned(),
            at_unix_ns: 12,
            counter: Some("port_qos.sent_pause_frames_per_s".to_owned()),
        }],
        severity: Severity::Critical,
        state: State::Closed,
        confidence: 0.75,
        opened_unix_ns: 1,
        first_unix_ns: 2,
        last_unix_ns: 3,
        closed_unix_ns: Some(4),
        reopened: 5,
        cost_ns: 6,
        disks: vec!["t1/disk0".to_owned()],
        initiators: vec![VictimNode {
            node: "i0".to_owned(),
            writes: 9,
            cost_ns: 6,
        }],
        victims: vec![Victim {
            volume: "vol0".to_owned(),
            writes: 9,
            cost_ns: None,
        }],
        evidence: vec![Evidence {
            text: "it is".to_owned(),
            writes: vec!["i0.00000000.1.2".to_owned()],
        }],
        next: vec!["Get-NetAdapter".to_owned()],
        part_of: Some("0123456789ac-1".to_owned()),
        acknowledged: Some(note),
        muted: None,
        sequence: 10,
    }
}

#[test]
fn finding_comes_back_as_it_was() {
    let change = Change {
        sequence: 10,
        kind: ChangeKind::Closed,
        at_unix_ns: 4,
        finding: finding(),
    };
    assert_eq!(change_from_wire(&(&change).into()), Ok(change));
}

#[test]
fn word_that_is_not_known_is_refused_and_named() {
    let mut wire: wire::Finding = (&finding()).into();
    wire.severity = "awful".to_owned();
    let refused = finding_from_wire(&wire).unwrap_err().to_string();
    assert!(
        refused.contains("finding.severity") && refused.contains("awful"),
        "{refused}"
    );
    let change = wire::FindingChange::default();
    assert!(matches!(change_from_wire(&change), Err(Error::Missing { .. })));
}
