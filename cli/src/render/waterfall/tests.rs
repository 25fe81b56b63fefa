//! A waterfall shows each leg where it was, and what is not known.

use fathom_model::report::{IoParts, LegParts, SlowestDetail};

use super::*;

fn leg(copy: u32, spans: [Option<[i64; 2]>; 3]) -> LegDetail {
    LegDetail {
        part: 0,
        copy,
        node: format!("t{copy}"),
        disk: "disk0".to_owned(),
        disk_offset: 0,
        length: 4096,
        local: false,
        initiator_ns: spans[0],
        target_ns: spans[1],
        device_ns: spans[2],
        missing: [].into(),
        method: "key".to_owned(),
        confidence: 1.0,
        ambiguous: false,
        candidate: true,
        clock_offset_ns: Some(0),
        clock_error_ns: Some(25_000),
        initiator_ordinal: None,
        target_ordinal: None,
        device_ordinals: Vec::new(),
        parts: LegParts::default(),
    }
}

fn io() -> IoDetail {
    let first = [
        Some([1_000_000, 9_000_000]),
        Some([2_000_000, 8_000_000]),
        Some([3_000_000, 7_000_000]),
    ];
    let mut second = leg(1, [Some([1_000_000, 2_000_000]), None, None]);
    second.missing = [("device".to_owned(), "no_daemon".to_owned())].into();
    IoDetail {
        id: "i0.00000001.7.1790046805".to_owned(),
        node: "i0".to_owned(),
        volume: "vol0".to_owned(),
        op: "write".to_owned(),
        offset: 8192,
        length: 4096,
        start_unix_ns: 1_790_046_805_000_000_000,
        duration_ns: 10_000_000,
        status: 0,
        class: "incomplete".to_owned(),
        legs_expected: 2,
        slowest: Some(SlowestDetail {
            node: "t0".to_owned(),
            disk: "disk0".to_owned(),
            part: 0,
            copy: 0,
            lead_ns: Some(7_000_000),
            confidence: 1.0,
        }),
        legs: vec![leg(0, first), second],
        parts: None,
    }
}

#[test]
fn legs_stand_where_they_were() {
    let text = show(&io());
    assert!(
        text.contains("t0/disk0  ....----=====##################=====----....  "),
        "{text}"
    );
    assert!(
        text.contains("t1/disk0  ....-----...................................  "),
        "{text}"
    );
    assert!(text.contains("no device: no_daemon"), "{text}");
    assert!(
        text.contains("at i0 itself: 1.00 ms before the first leg, 1.00 ms after the last"),
        "{text}"
    );
    assert!(
        text.contains("it waited for copy 0 on t0/disk0, 7.00 ms after the one before"),
        "{text}"
    );
    assert!(
        text.lines()
            .all(|line| line.chars().count() <= 160 && !line.ends_with(' ')),
        "{text}"
    );
}

#[test]
fn what_it_waited_for_is_not_made_up() {
    let mut io = io();
    io.legs[1].initiator_ns = None;
    assert!(
        !show(&io).contains("after the last"),
        "a leg that was not seen may have ended later"
    );
    io.slowest = None;
    assert!(show(&io).contains("it may be t0/disk0 or t1/disk0"));
    io.legs.iter_mut().for_each(|leg| leg.candidate = false);
    assert!(show(&io).contains("is not known\n"));
}

#[test]
fn what_the_clock_and_what_was_seen_do_not_tell_is_between_two_bounds() {
    let mut io = io();
    io.legs[1].initiator_ns = None;
    io.parts = Some(IoParts {
        before_ns: [0, 1_000_000],
        legs_ns: [8_000_000, 10_000_000],
        after_ns: [500_000, 1_000_000],
        last_copy_ns: Some(7_000_000),
    });
    io.legs[0].parts = LegParts {
        there_ns: Some([900_000, 1_100_000]),
        back_ns: Some([900_000, 1_100_000]),
        ..LegParts::default()
    };
    let text = show(&io);
    assert!(
        text.contains("at i0 itself: 0 ns to 1.00 ms before the first leg, 500 us to 1.00 ms after the last"),
        "{text}"
    );
    assert!(
        text.contains("on its way 900 us to 1.10 ms there, 900 us to 1.10 ms back"),
        "{text}"
    );
}
