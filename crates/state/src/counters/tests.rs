use std::collections::BTreeSet;

use super::*;

const DISKS: &str = "Win32_PerfRawData_ClusportPerfProvider_ClusterDiskCounters";

fn set(class: &str) -> &'static Set {
    SETS.iter().find(|set| set.class == class).unwrap()
}

fn object(name: &str, ticks: u64, properties: &[(&str, u64)]) -> Bag {
    let mut object = Bag::default()
        .with("Name", Raw::Text(name.to_owned()))
        .with("Frequency_PerfTime", Raw::Text("10000000".to_owned()))
        .with("Timestamp_PerfTime", Raw::Text(ticks.to_string()));
    for (property, value) in properties {
        object.set(property, Raw::Integer((*value).into()));
    }
    object
}

/// What two readings of one object, ten seconds apart, say of a counter.
fn second(class: &str, counter: &str, before: &[(&str, u64)], after: &[(&str, u64)]) -> Option<f64> {
    let mut readings = Readings::default();
    let first = readings.read(set(class), &"n1".into(), &[object("7", 1_000_000, before)], 0);
    assert!(
        first
            .iter()
            .all(|sample| !sample.name.ends_with("_per_s") && !sample.name.ends_with("_mean_ns"))
    );
    let after = [object("7", 101_000_000, after)];
    let said = readings.read(set(class), &"n1".into(), &after, 10_000_000_000);
    let found = said.iter().find(|sample| sample.name == counter)?;
    assert_eq!((found.node.as_str(), found.id.as_str()), ("n1", "7"));
    Some(found.value)
}

#[test]
fn every_counter_is_named_once_and_by_its_unit() {
    let mut names = BTreeSet::new();
    for set in SETS {
        assert!(set.class.starts_with("Win32_PerfRawData_"));
        for counter in set.counters {
            assert!(names.insert((set.name, counter.name)), "{}.{}", set.name, counter.name);
            assert_eq!(
                counter.shape == Shape::Mean,
                counter.name.ends_with("_mean_ns"),
                "{}",
                counter.name
            );
            assert_eq!(
                counter.shape == Shape::PerSecond,
                counter.name.ends_with("_per_s"),
                "{}",
                counter.name
            );
            assert_eq!(
                counter.shape == Shape::Share,
                counter.name.ends_with("_percent"),
                "{}",
                counter.name
            );
        }
    }
}

#[test]
fn a_mean_is_of_what_completed_between_two_readings() {
    // 2,000 writes took 12,000,000 ticks of 100 ns together: 600 us each.
    let mean = second(
        DISKS,
        "cluster_disk.remote_write_mean_ns",
        &[("RemoteWriteLatency", 5_000_000), ("RemoteWriteLatency_Base", 900)],
        &[("RemoteWriteLatency", 17_000_000), ("RemoteWriteLatency_Base", 2_900)],
    );
    assert_eq!(mean, Some(600_000.0));
    // A 32-bit sum that began anew in between.
    let wrapped = second(
        DISKS,
        "cluster_disk.remote_write_mean_ns",
        &[
            ("RemoteWriteLatency", 4_294_000_000),
            ("RemoteWriteLatency_Base", 4_294_967_295),
        ],
        &[("RemoteWriteLatency", 1_032_704), ("RemoteWriteLatency_Base", 999)],
    );
    assert_eq!(wrapped, Some(200_000.0));
}

#[test]
fn a_mean_that_cannot_be_told_is_not_told() {
    let latency = "cluster_disk.remote_write_mean_ns";
    let none = [("RemoteWriteLatency", 5_000_000), ("RemoteWriteLatency_Base", 900)];
    assert_eq!(second(DISKS, latency, &none, &none), None, "nothing completed");
    let fell = [("RemoteWriteLatency", 10), ("RemoteWriteLatency_Base", 2)];
    assert_eq!(second(DISKS, latency, &none, &fell), None, "the driver began anew");
    let without = [("RemoteWriteLatency", 17_000_000)];
    assert_eq!(second(DISKS, latency, &none, &without), None, "no base");
    // With forty under way ten seconds fill a 32-bit sum nearly: how often it began anew is not known.
    let deep = [
        ("RemoteWriteLatency", 17_000_000),
        ("RemoteWriteLatency_Base", 2_900),
        ("WriteQueueLength", 40),
    ];
    assert_eq!(second(DISKS, latency, &none, &deep), None);
}

/// A 32-bit total in its upper half that begins at nothing looks like one that wrapped.
#[test]
fn a_restart_is_no_wrap_where_a_wide_total_tells() {
    let disk = "Win32_PerfRawData_PerfDisk_PhysicalDisk";
    let reads = |bytes: u64| {
        second(
            disk,
            "physical_disk.reads_per_s",
            &[("DiskReadsPersec", 3_000_000_000), ("DiskReadBytesPersec", 1 << 50)],
            &[("DiskReadsPersec", 100), ("DiskReadBytesPersec", bytes)],
        )
    };
    assert_eq!(reads(4_096), None);
    assert_eq!(reads((1 << 50) + 4_096), Some(129_496_739.6));
}

#[test]
fn totals_become_rates_and_levels_stay() {
    let stalls = second(
        "Win32_PerfRawData_Counters_SMBDirectConnection",
        "smb_direct.stalls_send_credit_per_s",
        &[("StallsSendCreditPersec", 100)],
        &[("StallsSendCreditPersec", 350)],
    );
    assert_eq!(stalls, Some(25.0));
    let fell = second(
        "Win32_PerfRawData_Mlx5Provider_MellanoxWinOF2PortQoS",
        "port_qos.received_pause_frames_per_s",
        &[("RcvPauseFrames", 100)],
        &[("RcvPauseFrames", 50)],
    );
    assert_eq!(fell, None, "64 bits do not wrap: it began anew");
    let usage = second(
        "Win32_PerfRawData_ClusBfltPerfProvider_ClusterStorageCacheStores",
        "cache_store.usage_percent",
        &[],
        &[("CacheUsagePercent", 300), ("CacheUsagePercent_Base", 400)],
    );
    assert_eq!(usage, Some(75.0));
    let under_way = second(DISKS, "cluster_disk.writes_under_way", &[], &[("WriteQueueLength", 9)]);
    assert_eq!(under_way, Some(9.0));
}

#[test]
fn sums_of_all_are_left_out_and_what_comes_again_begins_anew() {
    let mut readings = Readings::default();
    let set = set(DISKS);
    let disk = |ticks, writes| object("7", ticks, &[("RemoteWrites", writes)]);
    let total = object("_Total", 0, &[("RemoteWrites", 5), ("WriteQueueLength", 5)]);
    assert_eq!(readings.read(set, &"n1".into(), &[total, disk(0, 1)], 0), []);
    assert_eq!(readings.read(set, &"n1".into(), &[], 1), []);
    assert_eq!(
        readings.read(set, &"n1".into(), &[disk(100_000_000, 1_000)], 2),
        [],
        "it was gone"
    );
    let rate = readings.read(set, &"n1".into(), &[disk(200_000_000, 2_000)], 3);
    assert_eq!(rate.iter().map(|sample| sample.value).collect::<Vec<_>>(), [100.0]);
}

#[test]
fn without_the_providers_clock_the_readings_own_counts() {
    let mut readings = Readings::default();
    let set = set("Win32_PerfRawData_Tcpip_NetworkAdapter");
    let object = |bytes: i128| {
        Bag::default()
            .with("Name", Raw::Text("Ethernet".to_owned()))
            .with("BytesSentPersec", Raw::Integer(bytes))
            .with("PacketsOutboundErrors", Raw::Null)
    };
    readings.read(set, &"n1".into(), &[object(0)], 0);
    let said = readings.read(set, &"n1".into(), &[object(4_000)], 2_000_000_000);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(
        (said[0].name.as_str(), said[0].value),
        ("network.sent_bytes_per_s", 2_000.0)
    );
}

/// On a node of another language the names of sets and counters are in it, as PDH and people see them; the properties of the raw classes are
/// not, and names of instances are the administrator's own in any language.
#[test]
fn names_in_the_nodes_language_change_nothing_and_are_never_taken_for_a_counter() {
    let english = [("RemoteWriteLatency", 5_000_000), ("RemoteWriteLatency_Base", 900)];
    let later = [("RemoteWriteLatency", 17_000_000), ("RemoteWriteLatency_Base", 2_900)];
    let german = |object: Bag, value: u64| {
        // What a localized class has beside its properties.
        let object = object.with("Caption", Raw::Text("Clusterdatentr\u{e4}gerindikatoren".to_owned()));
        object.with("Remote: Schreibwartezeit", Raw::Integer(value.into()))
    };
    let mut readings = Readings::default();
    let name = "Datentr\u{e4}ger 7";
    let first = german(object(name, 1_000_000, &english), 1);
    readings.read(set(DISKS), &"n1".into(), &[first], 0);
    let second = german(object(name, 101_000_000, &later), 9_999);
    let said = readings.read(set(DISKS), &"n1".into(), &[second], 10_000_000_000);
    let told: Vec<_> = said
        .iter()
        .map(|sample| (sample.id.as_str(), sample.name.as_str(), sample.value))
        .collect();
    assert_eq!(told, [(name, "cluster_disk.remote_write_mean_ns", 600_000.0)]);
    // An object with localized names alone says nothing, and no zero.
    let mut readings = Readings::default();
    for ticks in [1_000_000, 101_000_000] {
        let only = german(object(name, ticks, &[]), ticks);
        assert_eq!(
            readings.read(set(DISKS), &"n1".into(), &[only], i64::try_from(ticks).unwrap()),
            []
        );
    }
}

#[test]
fn the_scheduler_is_read_at_every_priority() {
    let scheduler = set("Win32_PerfRawData_ClusBfltPerfProvider_ClusterStorageDiskScheduler");
    let has = |property: &str| scheduler.counters.iter().any(|counter| counter.property == property);
    for (side, who) in [("Que", "Usr"), ("Que", "Sys"), ("Dsp", "Usr"), ("Dsp", "Sys")] {
        for priority in ["Normal", "High", "IdlePerLow"] {
            assert!(
                has(&format!("{side}Per{who}{priority}AvgsecPerDataRequest")),
                "{side} {who} {priority}"
            );
        }
    }
    let high = second(
        scheduler.class,
        "disk_scheduler.drive_system_high_mean_ns",
        &[
            ("DspPerSysHighAvgsecPerDataRequest", 10),
            ("DspPerSysHighAvgsecPerDataRequest_Base", 1),
        ],
        &[
            ("DspPerSysHighAvgsecPerDataRequest", 50_010),
            ("DspPerSysHighAvgsecPerDataRequest_Base", 6),
        ],
    );
    assert_eq!(high, Some(1_000_000.0));
}
