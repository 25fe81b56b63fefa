//! Values become readings that say that they are means, and of what; what cannot be one is refused with the reason.

use super::*;
use crate::json;

fn read(text: &str) -> History {
    let bags = json::bags(text).expect("JSON");
    assert!(bags.iter().all(is_one));
    samples(&bags, &"cluster".into())
}

fn rows(history: &History) -> Vec<(&str, Kind, &str, i64)> {
    let rows = history.samples.iter();
    rows.map(|row| {
        (
            row.name.as_str(),
            row.kind,
            row.id.as_str(),
            row.observed_unix_nanos / SECOND,
        )
    })
    .collect()
}

#[test]
fn values_are_means_of_the_interval_that_lies_between_them() {
    let history = read(
        r#"[
        {"MetricId": "PhysicalDisk.Latency.Average", "Group": {"ObjectDescription": "PhysicalDisk S1"}, "Time": "/Date(1547224200000)/", "Value": 0.004},
        {"MetricId": "PhysicalDisk.Latency.Average", "Group": {"ObjectDescription": "PhysicalDisk S1"}, "Time": "/Date(1547224210000)/", "Value": 0.006},
        {"MetricId": "PhysicalDisk.Latency.Average", "Group": {"ObjectDescription": "PhysicalDisk S1"}, "Time": "2019-01-11T12:30:00-04:00", "Value": 0.001},
        {"MetricId": "PhysicalDisk.Latency.Average", "Group": {"ObjectDescription": "PhysicalDisk S1"}, "Time": "2019-01-11T16:25:00Z", "Value": 0.002},
        {"Series": "Volume.Iops.Write", "ObjectDescription": "Volume vol0", "Time": "2019-01-11T16:25:00Z", "Value": 7, "PSComputerName": "HV01"}]"#,
    );
    assert!(history.refused.is_empty(), "{:?}", history.refused);
    let latency = |of: &str| format!("history.mean_of_{of}.physicaldisk.latency.average_s");
    assert_eq!(
        rows(&history),
        [
            (
                "history.mean_of_unknown.volume.iops.write_per_s",
                Kind::Csv,
                "vol0",
                1_547_223_900
            ),
            (latency("300s").as_str(), Kind::Disk, "S1", 1_547_223_900),
            // At one time there are a mean of 10 s and one of 5 minutes, and nothing says which is which.
            (latency("unknown").as_str(), Kind::Disk, "S1", 1_547_224_200),
            (latency("unknown").as_str(), Kind::Disk, "S1", 1_547_224_200),
            (latency("10s").as_str(), Kind::Disk, "S1", 1_547_224_210),
        ]
    );
    assert_eq!(history.samples[0].node.as_str(), "HV01");
    assert_eq!(
        (history.samples[4].node.as_str(), history.samples[4].value),
        ("cluster", 0.006)
    );
}

#[test]
fn what_is_no_exact_value_is_refused_with_the_reason() {
    let history = read(
        r#"[
        {"Series": "ClusterNode.Storage.Degraded", "ObjectDescription": "ClusterNode S", "Time": "2019-01-11T16:26:48Z", "Value": "214 GB"},
        {"Series": "ClusterNode.Storage.Degraded", "ObjectDescription": "ClusterNode S", "Time": "01/11/2019 16:26:48", "Value": 1},
        {"Series": "ClusterNode.Storage.Degraded", "ObjectDescription": "ClusterNode S", "Time": null, "Value": 1},
        {"Series": "ClusterNode.Storage.Degraded", "ObjectDescription": "ClusterNode S", "Time": "2019-01-11T16:26:48Z", "Value": null},
        {"Series": "ClusterNode.Storage.Degraded", "Time": "2019-01-11T16:26:48Z", "Value": 1}]"#,
    );
    assert!(history.samples.is_empty());
    let why: Vec<(&str, u64)> = history
        .refused
        .iter()
        .map(|(why, count)| (why.as_str(), *count))
        .collect();
    assert_eq!(why.iter().map(|(_, count)| count).sum::<u64>(), 5);
    for part in [
        "rounded for display",
        "without a time that has a zone",
        "that is null",
        "names no object",
    ] {
        assert!(why.iter().any(|(why, _)| why.contains(part)), "{part}: {why:?}");
    }
}

#[test]
fn units_are_those_of_the_pages_and_a_bandwidths_is_left_open() {
    for (series, name) in [
        (
            "NetAdapter.Bandwidth.RDMA.Total",
            "netadapter.bandwidth.rdma.total_bits_or_bytes_per_s",
        ),
        ("ClusterNode.Cpu.Usage", "clusternode.cpu.usage_percent"),
        (
            "ClusterNode.SblCache.Iops.Read.HitRate",
            "clusternode.sblcache.iops.read.hitrate_percent",
        ),
        ("VHD.Size.Current", "vhd.size.current_bytes"),
        (
            "PhysicalDisk.Periodic.Latency.Bucket.128us",
            "physicaldisk.periodic.latency.bucket.128us",
        ),
        ("Volume.Throughput.Read", "volume.throughput.read_bytes_per_s"),
    ] {
        assert_eq!(with_unit(series), name);
    }
}
