//! Every captured output that shows a resource is read, and what it does not say stays unknown.

use std::collections::BTreeMap;

use fathom_model::state::{Code, Kind, Observation, Value};
use fathom_state::{Decoded, decode_all, support};

const AT: i64 = 1_790_000_000_000_000_000;

fn read(file: &str) -> Decoded {
    let path = format!("{}/tests/captures/{file}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).expect("the capture is there");
    let bags = support::bags(file, &bytes).expect("a text of a cmdlet");
    decode_all(&bags, &"asked".into(), AT)
}

fn kinds(decoded: &Decoded) -> BTreeMap<&str, usize> {
    let mut kinds = BTreeMap::new();
    decoded
        .observations
        .iter()
        .for_each(|observation| *kinds.entry(observation.kind.as_str()).or_default() += 1);
    kinds
}

fn named<'a>(decoded: &'a Decoded, name: &str) -> &'a Observation {
    let found = decoded
        .observations
        .iter()
        .find(|observation| observation.text("name") == Some(name));
    found.unwrap_or_else(|| panic!("{name} is not among {:?}", decoded.observations))
}

fn code(number: i64, name: &str) -> Value {
    Value::Code(Code {
        code: Some(number),
        name: Some(name.to_owned()),
    })
}

#[test]
fn disks_have_their_states_and_no_size_that_was_rounded() {
    let decoded = read("physical-disks-table.txt");
    assert_eq!(kinds(&decoded), BTreeMap::from([("disk", 8)]));
    let first = &decoded.observations[0];
    assert_eq!(first.id, "ABC1_0000_0000_0001.");
    assert_eq!(first.text("device_id"), Some("1000"));
    assert_eq!(first.get("health"), Some(&code(0, "Healthy")));
    assert_eq!(first.get("operational_status"), Some(&Value::List(vec![code(2, "OK")])));
    assert_eq!(first.get("usage"), Some(&code(1, "Auto-Select")));
    assert_eq!(first.get("media"), Some(&code(4, "SSD")));
    assert_eq!(first.get("size_bytes"), None);
    assert_eq!(first.unavailable["size_bytes"], "rounded for display: 3.49 TB");
}

#[test]
fn numbers_that_reach_under_the_name_before_are_not_torn() {
    let decoded = read("cannot-pool.txt");
    assert_eq!(kinds(&decoded), BTreeMap::from([("disk", 3)]));
    let disk = named(&decoded, "ATA MZ7LM120HCFD00D3");
    assert_eq!(disk.number("size_bytes"), Some(120_034_123_776));
    assert_eq!(disk.flag("can_pool"), Some(false));
    assert_eq!(
        disk.get("cannot_pool_reason"),
        Some(&Value::List(vec![code(7, "Insufficient Capacity")]))
    );
    let free = named(&decoded, "Msft Virtual Disk");
    assert_eq!(free.unavailable["cannot_pool_reason"], "null");
}

#[test]
fn reliability_keeps_null_apart_from_zero() {
    let nvme = read("reliability-counter-nvme.txt");
    let nvme = &nvme.observations[0];
    assert_eq!(nvme.kind, Kind::DiskReliability);
    assert_eq!(nvme.number("temperature_celsius"), Some(42));
    assert_eq!(nvme.number("wear_percent"), Some(0));
    assert_eq!(nvme.number("read_latency_max_ms"), Some(1771));
    assert_eq!(nvme.get("read_errors"), None);
    assert_eq!(nvme.unavailable["read_errors"], "null");
    let sas = read("reliability-counter-sas.txt");
    let sas = &sas.observations[0];
    assert_eq!(sas.number("read_errors"), Some(0));
    assert_eq!(sas.number("power_on_hours"), Some(0));
    assert_eq!(sas.text("manufactured"), Some("Year: 2011 Week: 33"));
    assert_eq!(sas.unavailable["wear_percent"], "null");
    // Nothing says which drive it is of: not stored under a made-up name.
    let sparse = read("reliability-counter-sparse.txt");
    assert_eq!((sparse.observations.len(), sparse.refused.len()), (0, 1));
}

#[test]
fn no_degrees_mean_that_the_drive_does_not_say() {
    let text = std::fs::read_to_string(format!(
        "{}/tests/captures/reliability-counter-sparse.txt",
        env!("CARGO_MANIFEST_DIR")
    ));
    let bags = support::bags("", format!("DeviceId : 3\n{}", text.expect("there")).as_bytes()).expect("a list");
    let drive = &decode_all(&bags, &"asked".into(), AT).observations[0];
    assert_eq!(drive.get("temperature_celsius"), None);
    assert!(drive.unavailable["temperature_celsius"].starts_with("0, by which"));
    assert_eq!(drive.number("read_latency_max_ms"), Some(46));
}

#[test]
fn extents_say_where_and_that_they_are_stale() {
    let decoded = read("physical-extent.txt");
    let extent = decoded
        .observations
        .iter()
        .find(|extent| extent.kind == Kind::Extent)
        .expect("an extent");
    assert_eq!(extent.number("virtual_disk_offset"), Some(154_618_822_656));
    assert_eq!(extent.number("disk_offset"), Some(82_141_249_536));
    assert_eq!(extent.number("size_bytes"), Some(1 << 30));
    assert_eq!((extent.number("copy"), extent.number("column")), (Some(2), Some(1)));
    assert_eq!(extent.number("flags"), Some(0));
    assert_eq!(
        extent.get("operational_status"),
        Some(&Value::List(vec![code(0xD006, "Stale Metadata")]))
    );
    assert_eq!(extent.unavailable["replacement_copy"], "null");
}

#[test]
fn a_pool_that_is_read_only_says_so() {
    let decoded = read("pool-readonly.txt");
    let pool = named(&decoded, "S2D on StorageSpacesDirect1");
    assert_eq!(pool.kind, Kind::Pool);
    assert_eq!(pool.flag("read_only"), Some(true));
    assert_eq!(pool.get("health"), Some(&code(5, "Unknown")));
    assert_eq!(
        pool.get("operational_status"),
        Some(&Value::List(vec![code(0xD000, "Read-only")]))
    );
}

#[test]
fn virtual_disks_have_all_their_states() {
    let decoded = read("virtual-disk-states.txt");
    let both = named(&decoded, "Volume2");
    assert_eq!(both.kind, Kind::VirtualDisk);
    let states = Value::List(vec![code(3, "Degraded"), code(0xD003, "Incomplete")]);
    assert_eq!(both.get("operational_status"), Some(&states));
    assert_eq!(
        named(&decoded, "Volume1").get("detached_reason"),
        Some(&code(2, "By Policy"))
    );
}

#[test]
fn jobs_have_exact_bytes_only() {
    let decoded = read("storage-jobs-suspended.txt");
    assert_eq!(kinds(&decoded), BTreeMap::from([("storage_job", 3)]));
    let job = named(&decoded, "Infrastructure_1-Repair");
    assert_eq!(job.node.as_str(), "Contoso-cl");
    assert_eq!(job.get("state"), Some(&code(5, "Suspended")));
    assert_eq!(job.number("elapsed_ns"), Some(52_000_000_000));
    assert_eq!(job.number("processed_bytes"), Some(0));
    assert_eq!(job.unavailable["total_bytes"], "rounded for display: 9 GB");
    assert_eq!(
        named(&decoded, "ClusterPerformanceHistory-Repair").number("total_bytes"),
        Some(1)
    );
    let regeneration = read("storage-job-regeneration.txt");
    let job = named(&regeneration, "Regeneration");
    assert_eq!(job.number("percent_complete"), Some(50));
    assert_eq!(job.number("elapsed_ns"), Some(79_000_000_000));
    assert_eq!(job.flag("background"), Some(true));
}

#[test]
fn a_drive_is_seen_by_two_nodes() {
    let decoded = read("storage-node-view.txt");
    assert_eq!(kinds(&decoded), BTreeMap::from([("disk_view", 2)]));
    let connected: Vec<_> = decoded
        .observations
        .iter()
        .map(|view| (view.text("node"), view.flag("connected")))
        .collect();
    assert_eq!(
        connected,
        [(Some("Contoso-N01"), Some(true)), (Some("contoso-n02"), Some(false))]
    );
    let status = Value::List(vec![code(0xD016, "In Maintenance Mode")]);
    assert_eq!(decoded.observations[1].get("operational_status"), Some(&status));
}

#[test]
fn connections_are_read_from_list_and_table() {
    let list = read("smb-multichannel-list.txt");
    assert!(
        list.observations
            .iter()
            .all(|connection| connection.kind == Kind::SmbConnection)
            && !list.observations.is_empty()
    );
    let first = &list.observations[0];
    assert_eq!(first.number("client_bits_per_s"), Some(32_000_000_000));
    assert_eq!(first.flag("client_rdma_capable"), Some(true));
    assert_eq!(first.number("rdma_connections"), None);
    let table = read("smb-multichannel-table.txt");
    assert_eq!(kinds(&table), BTreeMap::from([("smb_connection", 6)]));
    assert!(
        table
            .observations
            .iter()
            .all(|row| row.flag("client_rdma_capable") == Some(true)),
        "{table:?}"
    );
    assert_eq!(
        table.observations[0]
            .text("client_address")
            .map(|text| text.starts_with("192.168.")),
        Some(true)
    );
}

#[test]
fn interfaces_are_read_and_what_is_cut_off_is_not_guessed() {
    let table = read("smb-client-interfaces-table.txt");
    assert_eq!(kinds(&table), BTreeMap::from([("smb_interface", 9)]));
    let rdma = named(&table, "RDMA1");
    assert_eq!(rdma.number("link_bits_per_s"), Some(32_000_000_000));
    assert_eq!(rdma.flag("rdma_capable"), Some(true));
    let cut = table
        .observations
        .iter()
        .find(|interface| interface.number("interface_index") == Some(17))
        .expect("it is there");
    assert_eq!(cut.unavailable["name"], "cut off where it was printed");
    let list = read("smb-client-interfaces-list.txt");
    assert_eq!(kinds(&list), BTreeMap::from([("smb_interface", 2)]));
}

#[test]
fn quality_of_service_of_an_adapter_and_a_policy() {
    let decoded = read("netadapter-qos.txt");
    let policy = named(&decoded, "SMB Policy");
    assert_eq!(policy.kind, Kind::QosPolicy);
    assert_eq!(policy.number("priority"), Some(4));
    let adapter = named(&decoded, "M1");
    assert_eq!((adapter.kind, adapter.flag("enabled")), (Kind::AdapterQos, Some(true)));
    // What stands in blocks with blank lines between them is all of the one adapter's.
    let numbers = |numbers: &[u64]| {
        Some(Value::List(
            numbers.iter().map(|number| Value::Unsigned(*number)).collect(),
        ))
    };
    assert_eq!(
        adapter.get("class_by_priority").cloned(),
        numbers(&[0, 0, 0, 0, 1, 0, 0, 0])
    );
    assert_eq!(adapter.get("bandwidth_percent_by_class").cloned(), numbers(&[70, 30]));
    assert_eq!(
        adapter.get("flow_control_by_priority"),
        Some(&Value::List(vec![Value::Bool(false); 8]))
    );
    assert_eq!(adapter.text("flow_control_shown"), Some("All Priorities Disabled"));
    assert_eq!(
        ["hardware_classes", "hardware_ets_classes", "current_pfc_classes"].map(|name| adapter.number(name)),
        [Some(8); 3]
    );
    assert_eq!(adapter.flag("hardware_dcbx_ieee"), Some(false));
    assert!(
        adapter
            .text("traffic_classes_shown")
            .is_some_and(|text| text.contains("1 ETS    30%       4"))
    );
    // The same adapter switched off is an object of its own.
    let off = decoded
        .observations
        .iter()
        .find(|row| row.flag("enabled") == Some(false))
        .expect("it is read");
    assert_eq!(
        (off.number("current_classes"), off.get("class_by_priority")),
        (Some(0), None)
    );
}

#[test]
fn a_health_fault_has_its_reason() {
    let decoded = read("health-fault.txt");
    let fault = &decoded.observations[0];
    assert_eq!(fault.kind, Kind::HealthFault);
    assert_eq!(fault.get("severity"), Some(&code(3, "Degraded/Warning")));
    assert!(
        fault
            .text("reason")
            .expect("a reason")
            .starts_with("Parts of the virtual disk")
    );
}

/// A file, its observations by kind, and how many objects nothing is made of.
type Expected = (&'static str, &'static [(&'static str, usize)], usize);

/// What each capture holds.
const EXPECTED: &[Expected] = &[
    ("cannot-pool.txt", &[("disk", 3)], 0),
    // No resource: one value of the performance history, rounded for display.
    ("clusterperf-storage-degraded.txt", &[], 1),
    ("drt-dirty-count.txt", &[("dirty_regions", 1)], 0),
    ("health-fault.txt", &[("health_fault", 1)], 0),
    ("netadapter-qos.txt", &[("adapter_qos", 2), ("qos_policy", 1)], 0),
    ("physical-disks-table.txt", &[("disk", 8)], 0),
    // The table above the list is made shorter by hand: it has no offset, and so no extent.
    ("physical-extent.txt", &[("extent", 1)], 1),
    ("pool-readonly.txt", &[("pool", 1)], 0),
    ("reliability-counter-nvme.txt", &[("disk_reliability", 1)], 0),
    ("reliability-counter-sas.txt", &[("disk_reliability", 1)], 0),
    // No resource: nothing says which drive it is of.
    ("reliability-counter-sparse.txt", &[], 1),
    // No resource: names of instances of a counter set, by node.
    ("sbl-cache-instances.txt", &[], 1),
    // No resource: the cache's state of a drive that nothing names.
    ("sbl-disk-state.txt", &[], 1),
    (
        "sddc-report-summary.txt",
        &[("disk_view", 48), ("firmware", 1), ("sbl_node", 4)],
        0,
    ),
    ("smb-client-interfaces-list.txt", &[("smb_interface", 2)], 0),
    ("smb-client-interfaces-table.txt", &[("smb_interface", 9)], 0),
    ("smb-multichannel-list.txt", &[("smb_connection", 2)], 0),
    ("smb-multichannel-table.txt", &[("smb_connection", 6)], 0),
    ("storage-job-regeneration.txt", &[("storage_job", 1)], 0),
    ("storage-jobs-suspended.txt", &[("storage_job", 3)], 0),
    ("storage-node-view.txt", &[("disk_view", 2)], 0),
    // Counts of drives by node and bus are of no resource, and times at which a test stopped are none.
    (
        "validation-ax6515.txt",
        &[
            ("disk_view", 10),
            ("firmware", 1),
            ("pool", 2),
            ("qos_dcbx", 2),
            ("smb_interface", 6),
        ],
        6,
    ),
    (
        "validation-nested-4node.txt",
        &[("disk_view", 13), ("smb_interface", 12)],
        1,
    ),
    ("virtual-disk-states.txt", &[("virtual_disk", 2)], 0),
];

#[test]
fn every_capture_has_its_expectation() {
    let folder = format!("{}/tests/captures", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "INDEX.md")
        .collect();
    files.sort();
    let expected: Vec<&str> = EXPECTED.iter().map(|(file, ..)| *file).collect();
    assert_eq!(
        files, expected,
        "each file needs what is expected of it, and each expectation a file"
    );
    let index = include_str!("captures/INDEX.md");
    for (file, wanted, refused) in EXPECTED {
        let decoded = read(file);
        let wanted: BTreeMap<&str, usize> = wanted.iter().copied().collect();
        assert_eq!(
            (kinds(&decoded), decoded.refused.len()),
            (wanted, *refused),
            "{file}: {decoded:#?}"
        );
        assert!(index.contains(&format!("| {file} |")), "{file} says where it is from");
    }
}

#[test]
fn a_report_says_what_each_node_sees_of_the_bus() {
    let decoded = read("sddc-report-summary.txt");
    let bus = decoded
        .observations
        .iter()
        .find(|row| row.kind == Kind::SblNode)
        .expect("a bus");
    assert_eq!(bus.node.as_str(), "S2D1");
    let number = |name: &str| bus.number(name);
    assert_eq!(
        (
            number("disks"),
            number("enclosures"),
            number("scale_units"),
            number("cache_devices"),
            number("capacity_devices")
        ),
        (Some(48), Some(4), Some(0), Some(0), Some(12))
    );
    let said = Value::List(vec![Value::Text("All disks are in SkippedBindingNoFlash".to_owned())]);
    assert_eq!(bus.get("cache_said"), Some(&said));
    let drive = decoded
        .observations
        .iter()
        .find(|row| row.kind == Kind::DiskView)
        .expect("a drive");
    assert_eq!(
        (drive.id.as_str(), drive.node.as_str()),
        ("67CD422F-7677-4A17-B2D1-A1C2FEF72AC4/S2D1", "S2D1")
    );
    assert_eq!(
        (drive.text("firmware"), drive.get("health")),
        (Some("1.0"), Some(&code(0, "Healthy")))
    );
    assert_eq!(drive.unavailable["serial_number"], "null");
    assert_eq!(
        drive.get("sample_periods").map(ToString::to_string).as_deref(),
        Some("16ms: 4, 64ms: 1")
    );
    let firmware = decoded
        .observations
        .iter()
        .find(|row| row.kind == Kind::Firmware)
        .expect("a firmware");
    assert_eq!(
        (firmware.text("name"), firmware.number("drives")),
        (Some("Virtual Disk"), Some(48))
    );
}

#[test]
fn a_validations_tables_have_the_node_above_them() {
    let decoded = read("validation-ax6515.txt");
    let of = |kind: Kind| decoded.observations.iter().filter(move |row| row.kind == kind);
    let drive = of(Kind::DiskView)
        .find(|row| row.text("serial_number") == Some("ES07N4166I0107G54"))
        .expect("a drive");
    assert_eq!(drive.id, "5ACE42E02519DDA6/ES07N4166I0107G54/AxNode1");
    assert_eq!(
        (drive.text("firmware"), drive.get("media")),
        (Some("DD02"), Some(&code(4, "SSD")))
    );
    // What the pool's table says of the same drive stands beside it.
    assert_eq!(drive.get("health"), Some(&code(0, "Healthy")));
    assert_eq!(drive.unavailable["size_bytes"], "rounded for display: 894 GB");
    let boss = of(Kind::DiskView)
        .find(|row| row.text("serial_number") == Some("8931b571b1280010"))
        .expect("a drive");
    assert_eq!(boss.unavailable["page_83h_id"], "null");
    let interface = of(Kind::SmbInterface).next_back().expect("an interface");
    assert_eq!(
        (interface.node.as_str(), interface.number("link_bits_per_s")),
        ("AxNode2", Some(25_000_000_000))
    );
    assert!(of(Kind::QosDcbx).all(|row| row.flag("willing") == Some(false)));
    assert!(of(Kind::Pool).all(|row| row.flag("read_only") == Some(true)));
}

#[test]
fn dirty_regions_are_counted_against_their_limit() {
    let decoded = read("drt-dirty-count.txt");
    let regions = &decoded.observations[0];
    assert_eq!(
        (regions.node.as_str(), regions.id.as_str()),
        ("contoso-n01", "userstorage_2 - disk 19")
    );
    assert_eq!(
        (regions.number("dirty_count"), regions.number("dirty_count_limit")),
        (Some(1000), Some(255))
    );
}
