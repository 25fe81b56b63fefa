//! Paths survive being printed and read, whatever the cluster is called.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn paths_come_back(cluster in ".{1,20}", number in any::<u64>(), writer in any::<u32>(), hour in 0_i64..1_000_000, merged in any::<u8>()) {
        for (table, partition) in [
            (Table::Ios, Partition::Hour(hour)),
            (Table::Coverage, Partition::Day(hour / 24)),
            (Table::Pending, Partition::None),
            (Table::Latency, Partition::Day(hour / 24)),
        ] {
            let path = DataPath { table, cluster: ClusterId::new(cluster.as_str()), partition, number, writer, merged };
            prop_assert_eq!(path.to_string().parse::<DataPath>(), Ok(path));
        }
        let record = RecordPath { cluster: ClusterId::new(cluster.as_str()), number };
        prop_assert_eq!(record.to_string().parse::<RecordPath>(), Ok(record));
    }
}

#[test]
fn path_of_an_hour_reads_as_any_engine_expects() {
    let path = DataPath {
        table: Table::Ios,
        cluster: "fault-slow-drive".into(),
        partition: Partition::of(Table::Ios, 1_790_046_805_000_000_000),
        number: 7,
        writer: 0xab,
        merged: 0,
    };
    let text = "ios/cluster=fault-slow-drive/date=2026-09-22/hour=03/00000000000000000007-000000ab.parquet";
    assert_eq!(path.to_string(), text);
}

#[test]
fn names_that_could_leave_the_folder_are_escaped() {
    for name in ["..", "a/b", "a\\b", "", "%41", "A:"] {
        let escaped = escape(name);
        assert!(
            !escaped.starts_with('.') && !escaped.contains(['/', '\\', ':']),
            "{escaped}"
        );
        assert_eq!(unescape(&escaped).as_deref(), Some(name));
    }
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "",
        "ios",
        "ios/cluster=a/x.parquet",
        "legs/a/00000000000000000007-000000ab.parquet",
        "manifest/cluster=a/7.json",
        "latency/cluster=a/date=2026-09-22/00000000000000000007-000000ab-m0.parquet",
        "latency/cluster=a/date=2026-09-22/00000000000000000007-000000ab-m.parquet",
    ] {
        assert!(
            text.parse::<DataPath>().is_err() && text.parse::<RecordPath>().is_err(),
            "{text}"
        );
    }
}
