//! What could not be read is told as that, and what is read as something else than it is stays unknown.

use fathom_model::state::{Kind, Observation};
use fathom_state::history::{Picture, Poll, rests_on};
use fathom_state::{decode_all, jobs, json, rdma, support};

fn poll(node: &str, kind: Kind, class: &str, at: i64, outcome: Result<u64, &str>) -> Observation {
    let poll = Poll {
        kind,
        class: class.to_owned(),
        outcome: outcome.map_err(str::to_owned),
        full: outcome.is_ok(),
    };
    poll.observation(&node.into(), at)
}

fn picture(rows: &[Observation]) -> Picture {
    let mut picture = Picture::at(i64::MAX);
    rows.iter().for_each(|row| picture.add(row));
    picture
}

fn failing(picture: &Picture, kinds: &[Kind]) -> Vec<(String, String, String)> {
    let unread = picture.unread(kinds).into_iter();
    unread
        .map(|unread| {
            (
                unread.node.map(|node| node.to_string()).unwrap_or_default(),
                unread.class,
                unread.reason,
            )
        })
        .collect()
}

#[test]
fn a_class_is_unread_until_it_is_read_again_by_whoever_reads_it() {
    let denied = |node: &str, kind: Kind, at: i64| poll(node, kind, "C", at, Err("denied"));
    let mut rows = vec![denied("n0", Kind::Disk, 10), denied("n0", Kind::Adapter, 10)];
    let said = |node: &str| (node.to_owned(), "C".to_owned(), "denied".to_owned());
    assert_eq!(failing(&picture(&rows), &[Kind::Disk]), [said("n0")]);
    assert_eq!(failing(&picture(&rows), &[Kind::Disk, Kind::Adapter]).len(), 2);
    assert!(failing(&picture(&rows), &[Kind::Pool]).is_empty());
    // Another node reads what is the cluster's, and nothing of what n0 has of its own.
    rows.extend([Kind::Disk, Kind::Adapter].map(|kind| poll("n1", kind, "C", 20, Ok(0))));
    assert!(failing(&picture(&rows), &[Kind::Disk]).is_empty());
    assert_eq!(failing(&picture(&rows), &[Kind::Adapter]), [said("n0")]);
    rows.push(poll("n0", Kind::Adapter, "D", 30, Ok(0)));
    assert_eq!(
        failing(&picture(&rows), &[Kind::Adapter]),
        [said("n0")],
        "another class says nothing of it"
    );
    rows.push(poll("n0", Kind::Adapter, "C", 30, Ok(0)));
    assert!(failing(&picture(&rows), &[Kind::Adapter]).is_empty());
    let again = [rows.as_slice(), &[denied("n0", Kind::Adapter, 40)]].concat();
    let unread = &picture(&again).unread(&[Kind::Adapter])[0];
    assert_eq!((unread.since_unix_nanos, unread.read_unix_nanos), (Some(40), Some(30)));
}

#[test]
fn of_what_nothing_was_ever_said_that_is_said() {
    let rows = [poll("n0", Kind::Disk, "C", 10, Ok(0))];
    let never = |kinds: &[Kind]| picture(&rows).never_said(kinds).len();
    assert_eq!(never(&[Kind::StorageJob]), 1);
    assert_eq!(
        never(&[Kind::StorageJob, Kind::Disk]),
        0,
        "of some it is known that there is none"
    );
    assert_eq!(never(&[Kind::Source]), 0);
    let denied = [poll("n0", Kind::StorageJob, "C", 10, Err("denied"))];
    assert!(picture(&denied).never_said(&[Kind::StorageJob]).is_empty());
    assert!(rests_on(&[Kind::Disk]).contains(&Kind::DiskReliability));
    assert!(rests_on(&[Kind::Source]).is_empty());
}

#[test]
fn a_node_that_cannot_read_its_connections_says_why() {
    let rows = [
        poll("n0", Kind::SmbConnection, "C", 10, Err("denied")),
        poll("n1", Kind::Adapter, "C", 10, Ok(0)),
    ];
    let pairs = rdma::matrix(&picture(&rows), &["n0".into(), "n1".into()], []);
    let notes: Vec<&str> = pairs.iter().map(|pair| pair.notes[0].as_str()).collect();
    assert_eq!(
        notes,
        [
            "n0 cannot read its SMB connections: denied",
            "n1 has not reported its SMB connections"
        ]
    );
}

fn disk(properties: &str) -> Observation {
    let text = format!(r#"{{"FriendlyName": "a", "UniqueId": "u", "MediaType": 4, "CanPool": false, {properties}}}"#);
    let decoded = decode_all(&json::bags(&text).expect("JSON"), &"n0".into(), 1);
    decoded.observations.into_iter().next().expect("a disk")
}

/// `false` was a drive's health 0, Healthy.
#[test]
fn a_boolean_is_no_value_of_an_enumeration() {
    for (given, attribute) in [
        (r#""HealthStatus": false"#, "health"),
        (r#""HealthStatus": true"#, "health"),
        (r#""OperationalStatus": [false, true]"#, "operational_status"),
        (r#""OperationalStatus": [2, true]"#, "operational_status"),
    ] {
        let disk = disk(given);
        assert_eq!(disk.get(attribute), None, "{given}");
        assert_eq!(
            disk.unavailable[attribute],
            "a boolean and not a value of an enumeration"
        );
    }
}

#[test]
fn there_are_not_fewer_errors_than_none() {
    let text = r#"{"DeviceId": "1", "ReadErrorsTotal": 0, "WriteErrorsTotal": -3, "Temperature": 30, "Wear": 1, "PowerOnHours": "-1"}"#;
    let decoded = decode_all(&json::bags(text).expect("JSON"), &"n0".into(), 1);
    let counters = &decoded.observations[0];
    assert_eq!(
        (counters.number("read_errors"), counters.get("write_errors")),
        (Some(0), None)
    );
    assert_eq!(counters.unavailable["write_errors"], "-3 is no count");
    assert_eq!(counters.unavailable["power_on_hours"], "-1 is no count");
}

/// As a text of JSON it was taken for all there is: `Abnormal Latency...` was a status.
#[test]
fn a_list_that_was_printed_is_cut_off_wherever_it_stands() {
    let cut = disk(r#""OperationalStatus": "{OK, Abnormal Latency...}""#);
    assert_eq!(cut.get("operational_status"), None);
    assert!(cut.unavailable["operational_status"].contains("cut off"), "{cut:?}");
    let whole = disk(r#""OperationalStatus": "{OK, Abnormal Latency}""#);
    let status = whole.get("operational_status").expect("it is there");
    assert_eq!(
        (status.items().len(), status.to_string().as_str()),
        (2, "OK, Abnormal Latency")
    );
}

#[test]
fn a_job_that_was_read_once_has_no_rate_for_that_reason() {
    let job = Observation::new("n0".into(), Kind::StorageJob, "j", 10)
        .with("processed_bytes", 5_u64)
        .with("total_bytes", 50_u64);
    let why = |rows: &[Observation]| {
        let picture = picture(rows);
        let fact = picture.of(Kind::StorageJob).next().expect("it is there");
        jobs::beside(&jobs::courses(rows, i64::MAX)["j"], &fact).unknown["bytes_per_s"].clone()
    };
    assert_eq!(why(std::slice::from_ref(&job)), "it was read once");
    // What changed alone was said, and of this job nothing.
    let confirmed = [
        job.clone(),
        poll("n0", Kind::StorageJob, "C", 20, Ok(1)).with("full", false),
    ];
    assert_eq!(why(&confirmed), "nothing of it has changed since it was first read");
}

#[test]
fn an_empty_document_is_none_where_even_nothing_has_one() {
    assert!(support::bags("GetStorageJob.XML", b"").is_err());
    assert!(support::bags("GetStorageJob.XML", b"not xml").is_err());
    assert_eq!(
        support::bags("GetStorageJob.XML", b"<Objs/>").map(|bags| bags.len()),
        Ok(0)
    );
    // ConvertTo-Json of nothing writes nothing.
    assert_eq!(
        support::bags("GetStorageJob.json", b"\r\n").map(|bags| bags.len()),
        Ok(0)
    );
    assert_eq!(support::bags("a.log", b"anything").map(|bags| bags.len()), Ok(0));
}
