//! What goes over the wire comes back, and what is missing is named.

use super::*;

fn opening() -> Opening {
    Opening {
        protocol_version: 1,
        stream: StreamId {
            cluster: "c".into(),
            node: "n".into(),
            kind: StreamKind::Io,
            incarnation: Incarnation::from_bytes([9; 16]),
        },
        anchor_unix_nanos: -5,
        anchor_monotonic_nanos: 7,
        taps: vec![(Tap::Volume, 1), (Tap::Device, 1000)],
        covered_from_unix_nanos: Some(3),
        spool_first_ordinal: 2,
        spool_next_ordinal: 11,
        daemon_version: "0.1.0".to_owned(),
    }
}

#[test]
fn hello_comes_back() {
    assert_eq!(Opening::try_from(&wire::Hello::from(&opening())), Ok(opening()));
}

#[test]
fn hello_without_identity_is_refused_by_field() {
    let broken = |change: &dyn Fn(&mut wire::Hello)| {
        let mut hello = wire::Hello::from(&opening());
        change(&mut hello);
        Opening::try_from(&hello).unwrap_err().to_string()
    };
    assert!(broken(&|hello| hello.cluster.clear()).contains("hello.cluster"));
    assert!(broken(&|hello| hello.node.clear()).contains("hello.node"));
    let long = broken(&|hello| hello.cluster = "z".repeat(300));
    assert_eq!(long, "hello.cluster has 300 bytes; a name has 1 to 80");
    let lines = broken(&|hello| hello.node = "n\nlevel=error".to_owned());
    assert!(
        lines.starts_with("hello.node has the control character U+000A"),
        "{lines}"
    );
    assert!(broken(&|hello| hello.stream_kind = 0).contains("hello.stream_kind"));
    assert!(broken(&|hello| hello.stream_kind = 77).contains("hello.stream_kind"));
    assert!(broken(&|hello| hello.incarnation.truncate(4)).contains("hello.incarnation has 4 values, 16"));
    assert!(broken(&|hello| hello.taps[0].tap = 99).contains("hello.taps.tap"));
    assert!(broken(&|hello| hello.taps[0].resolution_nanos = 0).contains("resolution_nanos"));
}

#[test]
fn devices_and_topology_come_back() {
    let devices = vec![
        Device {
            tap: Tap::Initiator,
            name: "vol0.copy1".to_owned(),
            disk: Some("t1/disk0".into()),
            volume: Some("vol0".into()),
            copy: Some(0),
            peer: Some("t1".into()),
            has_offsets: true,
        },
        Device {
            tap: Tap::Guest,
            name: "vm".to_owned(),
            disk: None,
            volume: None,
            copy: None,
            peer: None,
            has_offsets: false,
        },
    ];
    assert_eq!(devices_from_wire(&devices_to_wire(&devices)), Ok(devices));
    let striped = Extent {
        volume: "vol0".into(),
        volume_offset: 0,
        length: 1 << 30,
        copy: 0,
        disk: "t1/disk0".into(),
        disk_offset: 4096,
        valid: Validity {
            from_unix_nanos: Some(-5),
            until_unix_nanos: None,
        },
        stripe: Some(Stripe {
            column: 1,
            columns: 2,
            interleave_bytes: 1 << 16,
        }),
        parity: None,
    };
    let of_parity = Extent {
        volume_offset: 1 << 40,
        disk_offset: 1 << 41,
        stripe: None,
        parity: Some(Parity {
            column: 5,
            columns: 6,
            parity_columns: 2,
            interleave_bytes: None,
        }),
        ..striped.clone()
    };
    let versioned = VersionedTopology {
        version: 4,
        valid_from_unix_nanos: None,
        topology: Topology {
            nodes: vec![Node {
                id: "t1".into(),
                observed: true,
            }],
            disks: vec![PhysicalDisk {
                id: "t1/disk0".into(),
                node: "t1".into(),
                name: "disk0".to_owned(),
            }],
            volumes: vec![Volume {
                id: "vol0".into(),
                size_bytes: 1 << 30,
                copies: 1,
            }],
            extents: ExtentMap::try_new(vec![striped, of_parity]).unwrap(),
        },
    };
    let mut message = wire::Topology::from(&versioned);
    assert_eq!(VersionedTopology::try_from(&message), Ok(versioned));
    message.extents.push(message.extents[0].clone());
    assert!(
        VersionedTopology::try_from(&message)
            .unwrap_err()
            .to_string()
            .contains("overlap")
    );
    message.physical_disks.clear();
    assert!(
        VersionedTopology::try_from(&message)
            .unwrap_err()
            .to_string()
            .contains("topology.physical_disks")
    );
}

#[test]
fn every_enumeration_comes_back_and_unknown_numbers_are_named() {
    for tap in Tap::ALL {
        assert_eq!(tap_from_wire("tap", tap_to_wire(tap) as i64), Ok(tap));
    }
    for op in Op::ALL {
        assert_eq!(op_from_wire("op", op_to_wire(op) as i64), Ok(op));
    }
    for cause in GapCause::ALL {
        assert_eq!(cause_from_wire("cause", cause_to_wire(cause) as i32), Ok(cause));
    }
    assert!(
        tap_from_wire("some.tap", i64::MAX)
            .unwrap_err()
            .to_string()
            .contains("some.tap")
    );
    assert!(
        cause_from_wire("some.cause", 0)
            .unwrap_err()
            .to_string()
            .contains("some.cause")
    );
}

/// A count whose end is beyond 64 bits was cut off there, and credit beyond it wrapped to nothing.
#[test]
fn losses_and_gaps_that_cannot_be_are_refused_with_their_field() {
    let lost = |first_ordinal, count| wire::OrdinalsLost {
        first_ordinal,
        count,
        cause: wire::LossCause::Damaged.into(),
        complete_until_unix_nanos: None,
    };
    assert_eq!(lost_from_wire(&lost(7, 1)), Ok((7, 8)));
    assert_eq!(lost_from_wire(&lost(0, 1 << 53)), Ok((0, 1 << 53)));
    for (first, count, says) in [
        (7, 0, "ordinals_lost.count cannot be 0"),
        (7, u64::MAX, "the limit is 9007199254740992"),
        (u64::MAX, 1, "the limit"),
        (
            1,
            1 << 53,
            "ordinals_lost.first_ordinal with its count is 9007199254740993",
        ),
    ] {
        let refused = lost_from_wire(&lost(first, count)).unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
    let gap = |from_unix_nanos, until_unix_nanos| wire::TimeGap {
        from_unix_nanos,
        until_unix_nanos,
        cause: wire::LossCause::Shed.into(),
        events: None,
    };
    assert_eq!(gap_from_wire(&gap(5, 5)), Ok((5, 5)));
    let refused = gap_from_wire(&gap(5, 4)).unwrap_err().to_string();
    assert_eq!(
        refused,
        "time_gap.until_unix_nanos, which is before its beginning, cannot be 4"
    );
}
