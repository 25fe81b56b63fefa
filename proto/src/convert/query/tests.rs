//! A report comes back from the wire as it was.

use fathom_model::report::{
    Clock, Culprit, Evidence, IoDetail, IoParts, Joined, LastCopy, Latency, LegDetail, LegParts, MissingCount, Report,
    SlowestDetail, UnmatchedCount, Unseen, UnseenNode,
};

use super::*;

fn io() -> IoDetail {
    let leg = LegDetail {
        part: 0,
        copy: 1,
        node: "t1".to_owned(),
        disk: "disk0".to_owned(),
        disk_offset: 4096,
        length: 512,
        local: false,
        initiator_ns: Some([1, 2]),
        target_ns: None,
        device_ns: Some([-1, 2]),
        missing: [("target".to_owned(), "lost".to_owned())].into(),
        method: "key".to_owned(),
        confidence: 0.5,
        ambiguous: true,
        candidate: true,
        clock_offset_ns: Some(-7),
        clock_error_ns: Some(0),
        initiator_ordinal: Some(0),
        target_ordinal: None,
        device_ordinals: vec![3, 4],
        parts: LegParts {
            whole_ns: Some(1),
            there_ns: Some([0, 1]),
            way_and_queue_ns: Some(0),
            ..LegParts::default()
        },
    };
    IoDetail {
        id: "i0.00000000.1.2".to_owned(),
        node: "i0".to_owned(),
        volume: "vol0".to_owned(),
        op: "write".to_owned(),
        offset: 0,
        length: 512,
        start_unix_ns: 5,
        duration_ns: 6,
        status: 0,
        class: "exact".to_owned(),
        legs_expected: 1,
        slowest: Some(SlowestDetail {
            node: "t1".to_owned(),
            disk: "disk0".to_owned(),
            part: 0,
            copy: 1,
            lead_ns: None,
            confidence: 1.0,
        }),
        legs: vec![leg],
        parts: Some(IoParts {
            before_ns: [1, 2],
            legs_ns: [3, 4],
            after_ns: [0, 1],
            last_copy_ns: None,
        }),
    }
}

#[test]
fn report_comes_back() {
    let text = ToOwned::to_owned;
    let report = Report {
        joined: Joined {
            writes: 3,
            legs: 9,
            legs_expected: 9,
            exact: 1,
            ambiguous: 1,
            incomplete: 1,
            last_unknown: 2,
            ..Joined::default()
        },
        latency: vec![Latency {
            tap: text("device"),
            node: Some(text("t1")),
            count: 3,
            p50_ns: 1,
            ..Latency::default()
        }],
        last_copies: vec![LastCopy {
            node: text("t1"),
            disk: Some(text("disk0")),
            peer: None,
            writes: 3,
            share: 0.5,
            share_low: 0.1,
            share_high: 0.9,
            expected_share: 0.25,
            added_ns: Some(7),
            added_writes: Some(2),
        }],
        last_copies_by_node: Vec::new(),
        last_copies_by_pair: vec![LastCopy {
            node: text("i0"),
            disk: None,
            peer: Some(text("t1")),
            writes: 2,
            share: 1.0,
            share_low: 0.3424,
            share_high: 1.0,
            expected_share: 0.5,
            added_ns: None,
            added_writes: Some(0),
        }],
        culprit: Some(Culprit {
            kind: text("disk"),
            node: Some(text("t1")),
            disk: Some(text("disk0")),
            peer: None,
            resource: None,
            confidence: 0.9,
            cost_ns: 7,
            guessed_ns: 3,
            hidden_ns: 0,
            since: text("2026-09-22T03:13:25Z"),
            until: text("2026-09-22T03:13:26Z"),
            evidence: vec![Evidence {
                text: text("why"),
                writes: vec![text("i0.00000000.1.2")],
            }],
        }),
        culprits: vec![Culprit {
            kind: text("node"),
            node: Some(text("t2")),
            disk: None,
            peer: None,
            resource: None,
            confidence: 0.8,
            cost_ns: 0,
            guessed_ns: 0,
            hidden_ns: 0,
            since: text("2026-09-22T03:13:25Z"),
            until: text("2026-09-22T03:13:26Z"),
            evidence: Vec::new(),
        }],
        slowest_write: Some(io()),
        clocks: vec![Clock {
            node: text("t1"),
            reference: text("i0"),
            offset_ns: Some(0),
            drift_ppb: None,
            error_ns: Some(1),
        }],
        unseen: Unseen {
            missing: vec![MissingCount {
                node: text("t1"),
                tap: text("target"),
                cause: text("lost"),
                legs: 1,
            }],
            unmatched: vec![UnmatchedCount {
                node: text("t1"),
                device: None,
                tap: text("target"),
                op: text("write"),
                cause: text("foreign"),
                events: 1,
                bytes: 2,
            }],
            nodes: vec![UnseenNode {
                node: text("t9"),
                cause: text("no_daemon"),
            }],
            warnings: vec![text("odd")],
        },
    };
    let slowest = io_to_wire(&io(), 1, &[vec![8]]);
    assert_eq!(slowest.legs[0].attempt_ordinals, [8]);
    let message = report_to_wire(&report, Some(slowest), Some(1), None);
    assert_eq!(report_from_wire(&message), Ok(report));
}

#[test]
fn answer_without_its_parts_is_refused() {
    let empty = wire::GetReportResponse::default();
    assert_eq!(report_from_wire(&empty), Err(Error::Missing { field: "joined" }));
}
