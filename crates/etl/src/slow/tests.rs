//! Events as the log renders them, with the fields of their manifests.

use proptest::prelude::*;

use super::xml::{NoEvent, parse};
use super::*;

fn event(provider: &str, guid: Guid, id: u16, fields: &[(&str, &str)]) -> String {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("<Data Name='{name}'>{value}</Data>"))
        .collect();
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='{provider}' Guid='{{{guid}}}'/>\
         <EventID>{id}</EventID><Version>2</Version><Level>3</Level><TimeCreated SystemTime='2026-09-22T03:13:00.5000000Z'/>\
         <EventRecordID>77</EventRecordID><Correlation/><Execution ProcessID='4' ThreadID='8'/><Channel>C</Channel>\
         <Computer>n1</Computer><Security UserID='S-1-5-18'/></System><EventData>{fields}</EventData></Event>"
    )
}

const AT: i64 = 1_790_046_780_500_000_000;

fn read(xml: &str) -> Result<Slow, NotSlow> {
    decode(&parse(xml).expect("it is an event"))
}

#[test]
fn refs_147_has_cluster_and_latency() {
    let fields = [
        ("VolumeCorrelationId", "{00000000-0000-0000-0000-000000000001}"),
        ("VolumeName", "C:\\ClusterStorage\\V1 &amp; more"),
        ("FileName", "\\vm&#x31;.vhdx"),
        ("IoType", "1"),
        ("IoTypeStr", "Write"),
        ("IoSize", "65536"),
        ("FileOffset", "1048576"),
        ("LatencyMs", "1200"),
        ("StartingLcn", "4711"),
        ("ClustersCount", "16"),
    ];
    let Ok(Slow::Io(io)) = read(&event("Microsoft-Windows-ReFS", providers::REFS, 147, &fields)) else {
        panic!("an I/O");
    };
    assert_eq!(
        (io.tap, io.op, io.device.as_str()),
        (Tap::Refs, Op::Write, "C:\\ClusterStorage\\V1 & more")
    );
    assert_eq!(
        (io.block, io.file_offset, io.length),
        (Some(4711), Some(1 << 20), Some(65_536))
    );
    assert_eq!((io.end_unix_nanos, io.duration_nanos), (AT, 1_200_000_000));
}

#[test]
fn storport_557_has_serial_number_and_block() {
    let fields = [
        ("ClassDeviceGuid", "{9799276c-fb04-47e8-845e-36946045c218}"),
        ("ProductId", "NVMe  "),
        ("SerialNumber", "  S4X1 "),
        ("Threshold_ms", "1000"),
        ("RequestDuration_ms", "2500"),
        ("WaitDuration_ms", "10"),
        ("Command", "138"),
        ("IoSize", "4096"),
        ("LBA", "0xABCDEF"),
    ];
    let Ok(Slow::Io(io)) = read(&event("Microsoft-Windows-StorPort", providers::STORPORT, 557, &fields)) else {
        panic!("an I/O");
    };
    assert_eq!(
        (io.tap, io.op, io.serial.as_deref()),
        (Tap::Device, Op::Write, Some("S4X1"))
    );
    assert_eq!(
        (io.guid, io.block, io.length),
        (Some(providers::NVME_DISK), Some(0xab_cdef), Some(4096))
    );
    assert_eq!((io.duration_nanos, io.status), (2_500_000_000, 0));
}

#[test]
fn buckets_have_the_bounds_that_the_event_says() {
    let fields = [
        ("SerialNumber", "S"),
        ("IoLatencyBuckets", "256us, 1ms, 4ms+"),
        ("BucketIoSuccess1", "10"),
        ("BucketIoSuccess2", "20"),
        ("BucketIoSuccess3", "30"),
        ("BucketIoFailed3", "1"),
        ("MaxReadWriteLatency_100ns", "50000"),
    ];
    let Ok(Slow::Latencies(of)) = read(&event("Microsoft-Windows-StorPort", providers::STORPORT, 505, &fields)) else {
        panic!("latencies");
    };
    let buckets: Vec<(&str, u64, u64)> = of
        .buckets
        .iter()
        .map(|(label, well, failed)| (label.as_str(), *well, *failed))
        .collect();
    assert_eq!(buckets, [("256us", 10, 0), ("1ms", 20, 0), ("4ms+", 30, 1)]);
    assert_eq!(of.longest_nanos, Some(5_000_000));
}

#[test]
fn virtual_disks_are_named_by_file_and_by_device() {
    for (provider, guid, name, tap) in [
        ("Microsoft-Windows-VHDMP", providers::VHDMP, "VhdFile", Tap::Vhdx),
        (
            "Microsoft-Windows-Hyper-V-StorageVSP",
            providers::STORAGE_VSP,
            "DeviceName",
            Tap::Guest,
        ),
    ] {
        let fields = [
            (name, "d.vhdx"),
            ("IoTypeStr", "Read"),
            ("IoSize", "512"),
            ("LatencyMs", "7"),
        ];
        let Ok(Slow::Io(io)) = read(&event(provider, guid, 302, &fields)) else {
            panic!("an I/O");
        };
        assert_eq!(
            (io.tap, io.op, io.device.as_str(), io.block),
            (tap, Op::Read, "d.vhdx", None)
        );
    }
}

#[test]
fn a_slow_path_names_its_node() {
    let fields = [
        ("DeviceGuid", "9799276c-fb04-47e8-845e-36946045c218"),
        ("Latency", "900"),
        ("NodeName", "n2"),
    ];
    let xml = event(
        "Microsoft-Windows-FailoverClustering-Clusport-Diagnostic",
        providers::CLUSPORT,
        8704,
        &fields,
    );
    let Ok(Slow::Path(path)) = read(&xml) else {
        panic!("a path")
    };
    assert_eq!((path.latency_millis, path.node.as_deref()), (900, Some("n2")));
}

#[test]
fn what_lacks_a_field_is_refused_with_what_it_has() {
    let refused = read(&event(
        "Microsoft-Windows-VHDMP",
        providers::VHDMP,
        302,
        &[("VhdFile", "x"), ("Other", "1")],
    ));
    let words = refused.expect_err("refused").to_string();
    assert!(
        words.contains("IoTypeStr") && words.contains("VhdFile Other"),
        "{words}"
    );
    let foreign = read(&event("Microsoft-Windows-VHDMP", providers::VHDMP, 1, &[]));
    assert!(matches!(foreign, Err(NotSlow::Foreign { id: 1, .. })), "{foreign:?}");
    let fields = [
        ("VhdFile", "x"),
        ("IoTypeStr", "Mount"),
        ("IoSize", "1"),
        ("LatencyMs", "1"),
    ];
    let other = read(&event("Microsoft-Windows-VHDMP", providers::VHDMP, 302, &fields));
    assert!(matches!(other, Err(NotSlow::OtherOp { .. })), "{other:?}");
}

#[test]
fn cut_off_text_is_no_event() {
    let whole = event("Microsoft-Windows-VHDMP", providers::VHDMP, 302, &[("VhdFile", "x")]);
    for end in (0..whole.len()).filter(|&end| whole.is_char_boundary(end)) {
        assert!(parse(&whole[..end]).is_err(), "{end}");
    }
    assert!(matches!(parse(&"x".repeat(2 << 20)), Err(NoEvent::TooLarge(_))));
}

proptest! {
    #[test]
    fn no_text_makes_a_panic(text in "(<|>|/|'|\"|&|;|#x|Event|EventData|UserData|Data|Name=| |!--|\\[CDATA\\[|\\]\\]|ä|.){0,60}") {
        if let Ok(event) = parse(&text) {
            let _ = decode(&event);
        }
    }
}
