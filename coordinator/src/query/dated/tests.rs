//! An event is a value that is otherwise than it was, dated between two readings.

use fathom_state::history::Poll;

use super::*;

const SECOND: i64 = 1_000_000_000;

fn happened(rows: &[Observation], from: i64, until: i64) -> Vec<Event> {
    let disks = [PhysicalDisk {
        id: "eui.1".into(),
        node: "n1".into(),
        name: "disk3".to_owned(),
    }];
    let mut happened = Happened {
        stretch: stretch(from * SECOND, until * SECOND),
        disks: &disks,
        last: BTreeMap::new(),
        read: BTreeMap::new(),
        events: Vec::new(),
    };
    rows.iter().for_each(|row| happened.add(row));
    happened.events
}

fn row(kind: Kind, id: &str, second: i64) -> Observation {
    Observation::new("n0".into(), kind, id, second * SECOND)
}

fn poll(kind: Kind, second: i64) -> Observation {
    let poll = Poll {
        kind,
        class: "class".to_owned(),
        outcome: Ok(1),
        full: false,
    };
    poll.observation(&"n0".into(), second * SECOND)
}

#[test]
fn owner_that_moved_is_dated_between_the_readings_and_about_its_volume() {
    let csv = |owner: &str, second: i64| row(Kind::Csv, "Cluster Virtual Disk (vol0)", second).with("owner", owner);
    let rows = [
        csv("n1", 0),
        poll(Kind::Csv, 0),
        poll(Kind::Csv, 60),
        csv("n2", 120),
        poll(Kind::Csv, 120),
        // Said again, by a daemon that began anew.
        csv("n2", 180),
    ];
    let events = happened(&rows, 100, 1000);
    assert_eq!(events.len(), 1, "{events:?}");
    let one = &events[0];
    assert_eq!((one.from_unix_nanos, one.at_unix_nanos), (60 * SECOND, 120 * SECOND));
    assert_eq!(one.about, About::Volume("vol0".to_owned()));
    assert_eq!(
        (one.attribute.as_str(), &one.values),
        ("owner", &["n1".to_owned(), "n2".to_owned()])
    );
    assert_eq!(happened(&rows, 121, 1000), [], "it was before");
}

#[test]
fn what_is_known_first_or_not_placed_is_no_event() {
    let rows = [
        row(Kind::Node, "n1", 0).with("name", "n1"),
        row(Kind::Node, "n1", 10).with("name", "n1").with("build", "20348"),
        row(Kind::Node, "n1", 20).with("name", "n1").with("build", "26100"),
        row(Kind::Disk, "a", 0).with("unique_id", "eui.1").with("firmware", "1"),
        row(Kind::Disk, "a", 30)
            .with("unique_id", "eui.1")
            .with("firmware", "2"),
        row(Kind::Disk, "b", 0).with("firmware", "1"),
        row(Kind::Disk, "b", 30).with("firmware", "2"),
        row(Kind::Adapter, "SMB1", 0).with("mtu_bytes", 1514_u64),
        row(Kind::Adapter, "SMB1", 40).with("mtu_bytes", 9014_u64),
    ];
    let about: Vec<About> = happened(&rows, 0, 100).into_iter().map(|event| event.about).collect();
    assert_eq!(
        about,
        [
            About::Node("n1".to_owned()),
            About::Disk("n1".to_owned(), "disk3".to_owned())
        ]
    );
}

#[test]
fn stretches_that_are_close_are_read_once_and_far_ones_apart() {
    let span = |from: i64, until: i64| Span {
        from_unix_nanos: from * SECOND,
        until_unix_nanos: until * SECOND,
    };
    let far = 3 * 3600;
    let spans = vec![span(far, far + 600), span(0, 600), span(300, 900), span(1000, 1200)];
    assert_eq!(joined(spans), [span(0, 1200), span(far, far + 600)]);
    assert_eq!(joined(Vec::new()), []);
}
