//! Each way leads to its objects, and what fails on it is said.

use fathom_model::state::{Code, Value};
use fathom_state::decode;

use super::*;

mod methods;
mod supplied;

/// Answers queries and methods that are known to it; others are refused.
#[derive(Default)]
struct Fake {
    rows: BTreeMap<String, Vec<Bag>>,
    methods: BTreeMap<String, Bag>,
    called: Vec<String>,
}

impl Fake {
    fn with(mut self, query: impl Into<String>, rows: Vec<Bag>) -> Self {
        self.rows.insert(query.into(), rows);
        self
    }

    /// What a method of an object gives out; of one that is given something, beside the path what that is.
    fn giving(mut self, path: &str, out: Bag) -> Self {
        self.methods.insert(path.to_owned(), out);
        self
    }
}

impl Asks for Fake {
    fn rows(&mut self, query: &str) -> Result<Vec<Bag>, String> {
        let known = self.rows.get(query).cloned();
        known.ok_or_else(|| "invalid query (0x80041017)".to_owned())
    }

    fn rows_of(&mut self, namespace: &'static str, query: &str) -> Result<Vec<Bag>, String> {
        let known = self.rows.get(&format!("{namespace}: {query}")).cloned();
        known.ok_or_else(|| "the namespace is not there (0x8004100E)".to_owned())
    }

    fn call(&mut self, method: &Method<'_>) -> Result<Bag, String> {
        let given: Vec<String> = method
            .given
            .iter()
            .map(|(name, value)| match value {
                Raw::Text(text) => format!("{name}={text}"),
                other => format!("{name}={other:?}"),
            })
            .collect();
        let path = [&[method.path.to_owned()], &given[..]].concat().join(" ");
        self.called.push(format!("{}.{}", method.class, method.name));
        let known = self.methods.get(&path).cloned();
        known.ok_or_else(|| "access denied (0x80041003)".to_owned())
    }
}

fn text(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}

fn object(class: &str, properties: &[(&str, Raw)]) -> Bag {
    let mut bag = Bag::default();
    bag.class = Some(class.to_owned());
    for (name, value) in properties {
        bag.set(name, value.clone());
    }
    bag
}

fn virtual_disk(name: &str) -> Bag {
    object(
        "MSFT_VirtualDisk",
        &[
            (PATH, text(&format!("path of {name}"))),
            ("FriendlyName", text(name)),
            ("UniqueId", text(&format!("ID{name}"))),
        ],
    )
}

/// As the class has it: numbers of 16 and 64 bits, and a list of states.
fn extent(offset: i128, copy: i128, disk: &str) -> Raw {
    Raw::Object(object(
        "MSFT_PhysicalExtent",
        &[
            ("VirtualDiskOffset", Raw::Integer(offset)),
            ("Size", Raw::Integer(1 << 30)),
            ("CopyNumber", Raw::Integer(copy)),
            ("ColumnNumber", Raw::Integer(1)),
            ("PhysicalDiskUniqueId", text(disk)),
            ("PhysicalDiskOffset", Raw::Integer(82_141_249_536)),
            ("OperationalStatus", Raw::List(vec![Raw::Integer(0xD006)])),
            ("ReplacementCopyNumber", Raw::Null),
            ("Flags", Raw::Integer(0)),
        ],
    ))
}

fn given(extents: Raw) -> Bag {
    object(
        "__PARAMETERS",
        &[("ReturnValue", Raw::Integer(0)), ("PhysicalExtents", extents)],
    )
}

#[test]
fn extents_are_those_that_each_virtual_disk_gives_out() {
    let mut asks = Fake::default()
        .with(
            "SELECT * FROM MSFT_VirtualDisk",
            vec![virtual_disk("a"), virtual_disk("b"), virtual_disk("c")],
        )
        .giving(
            "path of a",
            given(Raw::List(vec![extent(0, 0, "d1"), extent(0, 1, "d2")])),
        )
        // A list of one may come as the one, and an empty one as null.
        .giving("path of b", given(extent(0, 0, "d3")))
        .giving("path of c", given(Raw::Null));
    let read = read(&mut asks, "MSFT_PhysicalExtent").expect("they are given out");
    let rows: Vec<_> = read
        .bags
        .iter()
        .flat_map(|bag| decode(bag, &"n1".into(), 7).expect("extents"))
        .collect();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.id.as_str(),
                row.text("virtual_disk_id"),
                row.text("disk_id"),
                row.number("size_bytes"),
            )
        })
        .collect();
    let gib = Some(1 << 30);
    assert_eq!(
        told,
        [
            ("IDa/0/0/1", Some("IDa"), Some("d1"), gib),
            ("IDa/0/1/1", Some("IDa"), Some("d2"), gib),
            ("IDb/0/0/1", Some("IDb"), Some("d3"), gib),
        ]
    );
    let stale = Value::List(vec![Value::Code(Code {
        code: Some(0xD006),
        name: Some("Stale Metadata".to_owned()),
    })]);
    assert_eq!(rows[0].get("operational_status"), Some(&stale));
    assert_eq!(rows[0].unavailable["replacement_copy"], "null");
}

#[test]
fn one_virtual_disk_that_gives_nothing_out_is_named_and_nothing_is_said_to_be_gone() {
    let disks = || vec![virtual_disk("a"), virtual_disk("b")];
    let good = given(Raw::List(vec![extent(0, 0, "d1")]));
    let why = |out: Option<Bag>| {
        let mut asks = Fake::default()
            .with("SELECT * FROM MSFT_VirtualDisk", disks())
            .giving("path of a", good.clone());
        if let Some(out) = out {
            asks = asks.giving("path of b", out);
        }
        read(&mut asks, "MSFT_PhysicalExtent").expect_err("it fails")
    };
    assert_eq!(why(None), "GetPhysicalExtent of b: access denied (0x80041003)");
    let denied = object("__PARAMETERS", &[("ReturnValue", Raw::Integer(40001))]);
    assert_eq!(
        why(Some(denied)),
        "GetPhysicalExtent of b: access denied (it returned 40001)"
    );
    let unknown = object(
        "__PARAMETERS",
        &[
            ("ReturnValue", Raw::Integer(0)),
            (
                "PhysicalExtents",
                Raw::List(vec![Raw::Broken("of a type that is not read")]),
            ),
        ],
    );
    assert!(why(Some(unknown)).ends_with("an extent is broken and no object"));
    let silent = object("__PARAMETERS", &[("PhysicalExtents", Raw::Null)]);
    assert!(why(Some(silent)).ends_with("it did not say whether it did it"));
}

#[test]
fn a_drive_that_does_not_answer_hides_no_other() {
    let disk = |name: &str| object("MSFT_PhysicalDisk", &[(PATH, text(name)), ("UniqueId", text(name))]);
    let counters = object(
        "MSFT_StorageReliabilityCounter",
        &[("DeviceId", text("1001")), ("Temperature", Raw::Integer(41))],
    );
    let mut asks = Fake::default()
        .with("SELECT * FROM MSFT_PhysicalDisk", vec![disk("d1"), disk("d2")])
        .with(
            "ASSOCIATORS OF {d1} WHERE ResultClass = MSFT_StorageReliabilityCounter",
            vec![counters],
        );
    let objects = read(&mut asks, "MSFT_StorageReliabilityCounter").expect("one answers");
    assert_eq!(
        objects.note.as_deref(),
        Some("1 of 2 drives did not answer: invalid query (0x80041017)")
    );
    let rows: Vec<_> = objects
        .bags
        .iter()
        .flat_map(|bag| decode(bag, &"n1".into(), 7).expect("drives"))
        .collect();
    assert_eq!(
        (rows[0].id.as_str(), rows[0].number("temperature_celsius")),
        ("d1", Some(41))
    );
    assert_eq!((rows[1].id.as_str(), rows[1].get("temperature_celsius")), ("d2", None));
    assert_eq!(rows[1].unavailable["temperature_celsius"], "the drive did not answer");
    let mut none = Fake::default().with("SELECT * FROM MSFT_PhysicalDisk", vec![disk("d1")]);
    assert!(read(&mut none, "MSFT_StorageReliabilityCounter").is_err());
}

/// Values of the exact classes: MSCluster_ClusterSharedVolume has neither an owner nor a state.
#[test]
fn a_shared_volume_is_its_resources_owners() {
    let volume = |name: &str, fault: i128| {
        object(
            "MSCluster_ClusterSharedVolume",
            &[
                (PATH, text(name)),
                ("Name", text(name)),
                ("VolumeName", text(r"\\?\Volume{a}\")),
                ("VolumeOffset", Raw::Integer(0)),
                ("FaultState", Raw::Integer(fault)),
                ("BackupState", Raw::Integer(0)),
            ],
        )
    };
    let resource = object(
        "MSCluster_Resource",
        &[
            ("Name", text("Cluster Virtual Disk (v1)")),
            ("IsClusterSharedVolume", Raw::Bool(true)),
            ("OwnerNode", text("HV02")),
            ("State", Raw::Integer(2)),
        ],
    );
    let mut asks = Fake::default()
        .with(
            "SELECT * FROM MSCluster_ClusterSharedVolume",
            vec![volume("v1", 0), volume("v2", 64)],
        )
        .with(
            "ASSOCIATORS OF {v1} WHERE ResultClass = MSCluster_Resource",
            vec![resource],
        )
        .with("ASSOCIATORS OF {v2} WHERE ResultClass = MSCluster_Resource", Vec::new());
    let objects = read(&mut asks, "MSCluster_ClusterSharedVolume").expect("they are there");
    assert_eq!(
        objects.note.as_deref(),
        Some("the owner of v2 was not found: no resource belongs to it")
    );
    let rows: Vec<_> = objects
        .bags
        .iter()
        .flat_map(|bag| decode(bag, &"n1".into(), 7).expect("volumes"))
        .collect();
    let said = |name: &str| rows[0].get(name).map(ToString::to_string);
    assert_eq!(
        (
            said("owner"),
            said("state"),
            said("fault_state"),
            said("backup_state"),
            said("resource")
        ),
        (
            Some("HV02".to_owned()),
            Some("Online".to_owned()),
            Some("NoFaults".to_owned()),
            Some("None".to_owned()),
            Some("Cluster Virtual Disk (v1)".to_owned())
        )
    );
    assert_eq!(rows[1].unavailable["owner"], "the volume's resource was not found");
    assert_eq!(
        rows[1].get("fault_state").map(ToString::to_string),
        Some("unknown (0x40)".to_owned())
    );
}

#[test]
fn connections_of_every_instance_are_asked_for_and_which_were_is_said() {
    let connection = |instance: Raw, channels: i128| {
        object(
            "MSFT_SmbMultichannelConnection",
            &[
                ("ServerName", text("HV02")),
                ("ClientIpAddress", text("10.0.1.1")),
                ("SmbInstance", instance),
                ("CurrentChannels", Raw::Integer(channels)),
            ],
        )
    };
    let plain = "SELECT * FROM MSFT_SmbMultichannelConnection";
    let mut asks = Fake::default()
        .with(plain, vec![connection(Raw::Integer(0), 2)])
        .with(
            format!("{plain} WHERE SmbInstance = 0"),
            vec![connection(Raw::Integer(0), 4)],
        )
        .with(format!("{plain} WHERE SmbInstance = 1"), Vec::new())
        .with(format!("{plain} WHERE SmbInstance = 2"), vec![connection(Raw::Null, 1)]);
    let objects = read(&mut asks, "MSFT_SmbMultichannelConnection").expect("they are there");
    assert_eq!(
        objects.note.as_deref(),
        Some("asked: the plain list, Default, CSV, SBL; not: SR (invalid query (0x80041017))")
    );
    let rows: Vec<_> = objects
        .bags
        .iter()
        .flat_map(|bag| decode(bag, &"n1".into(), 7).expect("connections"))
        .collect();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.text("instance"), row.number("channels")))
        .collect();
    // The default one's is told once, as it was read last.
    assert_eq!(told, [(Some("Default"), Some(4)), (Some("SBL"), Some(1))]);
}

#[test]
fn an_association_of_paths_says_the_names_of_its_ends() {
    let key = r#"ObjectId="{1}\\\\C1\\root/X:PD:{a}""#;
    let disk = object(
        "MSFT_PhysicalDisk",
        &[
            (PATH, text(&format!(r"\\HV01\root\x:MSFT_PhysicalDisk.{key}"))),
            ("UniqueId", text("eui.1")),
            ("SerialNumber", text("S1")),
        ],
    );
    let node = object(
        "MSFT_StorageNode",
        &[
            (PATH, text(r#"\\HV01\root\x:MSFT_StorageNode.ObjectId="n2""#)),
            ("Name", text("HV02.contoso.com")),
        ],
    );
    let view = object(
        "MSFT_StorageNodeToPhysicalDisk",
        &[
            ("PhysicalDisk", text(&format!("MSFT_PhysicalDisk.{key}"))),
            ("StorageNode", text(r#"\\.\root\x:MSFT_StorageNode.ObjectId="N2""#)),
            ("DiskNumber", Raw::Integer(1003)),
            ("IsPhysicallyConnected", Raw::Bool(true)),
        ],
    );
    let mut asks = Fake::default()
        .with("SELECT * FROM MSFT_PhysicalDisk", vec![disk])
        .with("SELECT * FROM MSFT_StorageNode", vec![node])
        .with("SELECT * FROM MSFT_StorageNodeToPhysicalDisk", vec![view]);
    let objects = read(&mut asks, "MSFT_StorageNodeToPhysicalDisk").expect("they are there");
    let row = &decode(&objects.bags[0], &"n1".into(), 7).expect("a view")[0];
    assert_eq!(
        (
            row.text("disk_id"),
            row.text("node"),
            row.number("disk_number"),
            row.flag("connected")
        ),
        (Some("eui.1"), Some("HV02"), Some(1003), Some(true))
    );
}

/// ClusPortDeviceInformation and ClusPortPathInformation as their classes are.
#[test]
fn ways_of_a_bus_device_are_read_out_of_the_device() {
    let way = |node: &str, active: bool| {
        Raw::Object(object(
            "ClusPortPathInformation",
            &[
                ("PathId", Raw::Integer(if active { 1 } else { 2 })),
                ("PathKey", Raw::Integer(7)),
                ("PathState", Raw::Integer(2)),
                ("NodeId", Raw::Integer(1)),
                ("NodeName", text(node)),
                ("InActiveList", Raw::Bool(active)),
                ("InStandbyList", Raw::Bool(!active)),
                ("InReadOnlyList", Raw::Bool(false)),
                ("IsReadOnly", Raw::Bool(false)),
            ],
        ))
    };
    let device = object(
        "ClusPortDeviceInformation",
        &[
            ("DeviceGuid", text("{a}")),
            ("DeviceNumber", Raw::Integer(12)),
            (
                "Paths",
                Raw::List(vec![way("HV02", true), way("HV03.contoso.com", false)]),
            ),
        ],
    );
    let mut asks = Fake::default().with("SELECT * FROM ClusPortDeviceInformation", vec![device]);
    let objects = read(&mut asks, "ClusPortPathInformation").expect("they are there");
    let rows: Vec<_> = objects
        .bags
        .iter()
        .flat_map(|bag| decode(bag, &"n1".into(), 7).expect("ways"))
        .collect();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.id.as_str(),
                row.text("node"),
                row.number("device_number"),
                row.flag("active"),
                row.flag("standby"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("{a}/1", Some("HV02"), Some(12), Some(true), Some(false)),
            ("{a}/2", Some("HV03"), Some(12), Some(false), Some(true)),
        ]
    );
    let store = Raw::Object(object(
        "ClusBfltCacheStoreInformation",
        &[
            ("Id", text("{s}")),
            ("DeviceGuid", text("{c}")),
            ("StoreSize", Raw::Text("800166076416".to_owned())),
            ("PageSize", Raw::Integer(16)),
            ("Status", Raw::Integer(3)),
        ],
    ));
    let stores = object(
        "ClusBfltCacheStoresInformation",
        &[("CacheStoreInfo", Raw::List(vec![store]))],
    );
    let mut asks = Fake::default().with("SELECT * FROM ClusBfltCacheStoresInformation", vec![stores]);
    let objects = read(&mut asks, "ClusBfltCacheStoreInformation").expect("they are there");
    let row = &decode(&objects.bags[0], &"n1".into(), 7).expect("a store")[0];
    assert_eq!(
        (row.id.as_str(), row.number("size_bytes")),
        ("{s}", Some(800_166_076_416))
    );
}

/// What one class says in full would else make what another one said of the same kind seem to be gone.
#[test]
fn no_two_classes_that_are_asked_are_of_one_kind() {
    let mut kinds = std::collections::BTreeSet::new();
    // What cmdlets make is asked of nobody.
    for class in schema::classes().filter(|class| !matches!(class.namespace, "" | schema::CMDLETS)) {
        assert!(kinds.insert(class.kind), "{}", class.names[0]);
    }
}
