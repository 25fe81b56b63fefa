//! Events become what happened and what was counted; what cannot be read is counted with the reason.

use super::*;

fn event(provider: &str, id: u16, record: u64, fields: &[(&str, &str)]) -> String {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("<Data Name='{name}'>{value}</Data>"))
        .collect();
    format!(
        "<Event><System><Provider Name='{provider}'/><EventID>{id}</EventID>\
         <TimeCreated SystemTime='2026-09-22T03:13:00.5000000Z'/><EventRecordID>{record}</EventRecordID></System>\
         <EventData>{fields}</EventData></Event>"
    )
}

const AT: i64 = 1_790_046_780_500_000_000;

#[test]
fn a_disconnect_is_of_its_server_and_another_one_is_another() {
    let fields = [
        ("ServerName", "HV02.contoso.com"),
        ("ConnectionType", "2"),
        ("Reason", "7"),
        ("Status", "0xC000020C"),
    ];
    let texts = [
        event(connectivity::PROVIDER, 30804, 7, &fields),
        event(connectivity::PROVIDER, 30804, 8, &fields),
        event(connectivity::PROVIDER, 30809, 9, &[("ElapsedTimeInMs", "62000")]),
    ];
    let said = read(&texts, &"n1".into());
    assert_eq!((said.observations.len(), said.undecoded), (3, 0));
    let first = &said.observations[0];
    assert_eq!(
        (first.kind, first.id.as_str(), first.observed_unix_nanos),
        (Kind::SmbEvent, "HV02/Disconnected", AT)
    );
    assert_eq!(first.text("connection_type"), Some("RDMA"));
    assert_eq!(
        first.get("status").map(ToString::to_string).as_deref(),
        Some("unknown (0xC000020C)")
    );
    assert_eq!(first.unavailable["elapsed_ms"], "the event does not say");
    assert!(!first.says_the_same(&said.observations[1]));
    let expired = &said.observations[2];
    assert_eq!(
        (expired.id.as_str(), expired.number("elapsed_ms")),
        ("unknown/Request Expired", Some(62_000))
    );
}

#[test]
fn a_drives_buckets_are_samples_named_as_the_event_labels_them() {
    let fields = [
        ("SerialNumber", " S1 "),
        ("IoLatencyBuckets", "256us, 1ms+"),
        ("BucketIoSuccess1", "10"),
        ("BucketIoSuccess2", "20"),
        ("BucketIoFailed2", "1"),
        ("MaxReadWriteLatency_100ns", "50000"),
    ];
    let said = read(&[event("Microsoft-Windows-StorPort", 505, 1, &fields)], &"n1".into());
    let rows: Vec<(&str, f64)> = said.samples.iter().map(|row| (row.name.as_str(), row.value)).collect();
    assert_eq!(
        rows,
        [
            ("storport.bucket.256us.completed_count", 10.0),
            ("storport.bucket.256us.failed_count", 0.0),
            ("storport.bucket.1ms+.completed_count", 20.0),
            ("storport.bucket.1ms+.failed_count", 1.0),
            ("storport.longest_read_or_write_ns", 5e6),
        ]
    );
    assert!(
        said.samples
            .iter()
            .all(|row| (row.kind, row.id.as_str(), row.observed_unix_nanos) == (Kind::Disk, "S1", AT))
    );
}

#[test]
fn what_a_drive_said_of_its_health_was_so_when_it_was_logged() {
    let mut page = vec![0_u8; nvme::PAGE_BYTES];
    page[3] = 99;
    page[0] = 0x08;
    let digits: String = page.iter().map(|byte| format!("{byte:02X}")).collect();
    let fields = [
        ("ClassDeviceGuid", "{1b2c0c7e-0f9a-4b6f-8d5a-3c2e1f0a9b8c}"),
        ("SerialNumber", " S1 "),
        ("NvmeHealthLogLength", "512"),
        ("NvmeHealthLog", digits.as_str()),
    ];
    let said = read(&[event("Microsoft-Windows-StorPort", 512, 1, &fields)], &"n1".into());
    assert_eq!((said.undecoded, said.why), (0, None));
    let row = &said.observations[0];
    assert_eq!(
        (row.kind, row.id.as_str(), row.observed_unix_nanos, row.class.as_deref()),
        (Kind::NvmeHealth, "S1", AT, Some(nvme::CHANNEL))
    );
    assert_eq!(
        (row.number("available_spare_percent"), row.text("device_guid")),
        (Some(99), Some("1b2c0c7e-0f9a-4b6f-8d5a-3c2e1f0a9b8c"))
    );
    assert_eq!(
        row.get("critical_warnings").map(ToString::to_string).as_deref(),
        Some("Read Only")
    );
    // A log that is cut off is no log.
    let cut = [fields[1], ("NvmeHealthLog", &digits[..100])];
    let said = read(&[event("Microsoft-Windows-StorPort", 512, 2, &cut)], &"n1".into());
    assert_eq!(
        (said.undecoded, said.why.as_deref()),
        (1, Some("the health log has 50 bytes and not 512"))
    );
}

#[test]
fn what_cannot_be_read_is_counted_with_the_reason() {
    let nameless = event(
        "Microsoft-Windows-StorPort",
        505,
        1,
        &[("IoLatencyBuckets", "1ms"), ("BucketIoSuccess1", "1")],
    );
    let bare = event("Microsoft-Windows-StorPort", 505, 2, &[("SerialNumber", "S")]);
    for (text, why) in [
        (nameless, "names no drive"),
        (bare, "IoLatencyBuckets"),
        ("<Event>".to_owned(), "broken XML"),
        (event("Other", 30804, 3, &[]), "not decoded here"),
    ] {
        let said = read(&[text], &"n1".into());
        assert!(said.observations.is_empty() && said.samples.is_empty());
        let reason = said.why.unwrap_or_default();
        assert!(said.undecoded == 1 && reason.contains(why), "{reason}");
    }
}
