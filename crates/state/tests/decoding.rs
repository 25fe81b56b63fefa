//! Objects as JSON, as CLIXML and made up: values of the exact classes, nulls, unknown numbers, wrong types, cut-off files.

use fathom_model::state::{Code, Kind, Observation, Value};
use fathom_state::{Bag, Decoded, Raw, Refused, clixml, decode, decode_all, json, schema, support};
use proptest::prelude::*;

fn only(bags: &[Bag]) -> Observation {
    let [bag] = bags else { panic!("{} objects", bags.len()) };
    let observations = decode(bag, &"n1".into(), 5).expect("it decodes");
    let [one] = &observations[..] else {
        panic!("{} observations", observations.len())
    };
    one.clone()
}

fn code(number: i64, name: Option<&str>) -> Value {
    Value::Code(Code {
        code: Some(number),
        name: name.map(str::to_owned),
    })
}

const DISK: &str = r#"{
    "CimClass": {"CimSystemProperties": {"Namespace": "ROOT/Microsoft/Windows/Storage", "ClassName": "MSFT_PhysicalDisk"}},
    "FriendlyName": "NVMe Dell 3.84TB", "UniqueId": "eui.0025385A21B0F001", "SerialNumber": " S64 ", "HealthStatus": 0,
    "OperationalStatus": [2, 53286], "BusType": 17, "MediaType": 77, "Size": "3840755982336", "SlotNumber": null,
    "Usage": "Auto-Select", "FirmwareVersion": 5, "CanPool": "maybe", "AllocatedSize": -1, "PSComputerName": "HV01.contoso.com"
}"#;

#[test]
fn a_slow_drive_is_healthy_and_of_abnormal_latency() {
    let disk = only(&json::bags(DISK).expect("JSON"));
    assert_eq!(
        (disk.kind, disk.id.as_str(), disk.node.as_str()),
        (Kind::Disk, "eui.0025385A21B0F001", "HV01")
    );
    assert_eq!(disk.get("health"), Some(&code(0, Some("Healthy"))));
    let status = Value::List(vec![code(2, Some("OK")), code(0xD026, Some("Abnormal Latency"))]);
    assert_eq!(disk.get("operational_status"), Some(&status));
    // 64 bits come as text, and a number that is not known stays one.
    assert_eq!(disk.number("size_bytes"), Some(3_840_755_982_336));
    assert_eq!(disk.get("media"), Some(&code(77, None)));
    assert_eq!(disk.get("usage"), Some(&code(1, Some("Auto-Select"))));
    assert_eq!(disk.text("firmware"), Some("5"));
    assert_eq!(disk.text("serial_number"), Some("S64"));
}

#[test]
fn null_and_wrong_types_are_unavailable_with_the_reason_and_never_zero() {
    let disk = only(&json::bags(DISK).expect("JSON"));
    assert_eq!(disk.get("slot"), None);
    assert_eq!(disk.unavailable["slot"], "null");
    assert_eq!(disk.unavailable["can_pool"], "`maybe` is not yes or no");
    assert_eq!(disk.unavailable["allocated_bytes"], "-1 is no size");
    // What an object of the class does not have was not given; what is printed shows a few columns of many, and says nothing of the others.
    assert_eq!(disk.unavailable["enclosure"], "not given");
    let mut printed = json::bags(DISK).expect("JSON");
    printed[0].class = None;
    let disk = only(&printed);
    assert_eq!(disk.kind, Kind::Disk);
    assert!(!disk.attributes.contains_key("enclosure") && !disk.unavailable.contains_key("enclosure"));
}

#[test]
fn a_list_of_powershell_5_and_one_object_are_both_read() {
    let two = r#"{"value": [{"JobState": 4, "PercentComplete": 10, "Name": "a"}, {"JobState": 5, "PercentComplete": 0, "Name": "b"}], "Count": 2}"#;
    assert_eq!(json::bags(two).expect("JSON").len(), 2);
    assert_eq!(json::bags("[]").expect("JSON").len(), 0);
    assert!(json::bags("{\"a\": ").is_err());
}

#[test]
fn utf_16_is_read() {
    let bytes: Vec<u8> = [0xfeff_u16]
        .into_iter()
        .chain(DISK.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(support::bags("disk.json", &bytes).expect("JSON").len(), 1);
}

const CLUSPORT: &str = r##"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
  <Obj RefId="0">
    <TN RefId="0"><T>Deserialized.Microsoft.Management.Infrastructure.CimInstance#root/wmi/ClusPortDeviceInformation</T><T>System.Object</T></TN>
    <ToString>ClusPortDeviceInformation</ToString>
    <Props>
      <B N="Active">true</B><S N="ConnectedNode">HV02</S><U32 N="ConnectedNodeDeviceNumber">7</U32>
      <S N="DeviceGuid">{ec5d2ba6-2b6a-11ec-90c2-2cea7ff5475c}</S><U32 N="DeviceNumber">11</U32><U32 N="DeviceState">6</U32>
      <U32 N="DeviceType">0</U32><Nil N="SerialNumber" /><S N="ProductId">a_x0020_b &amp; c</S>
      <Obj N="Paths" RefId="1"><TN RefId="1"><T>System.Array</T></TN><LST><S>x</S></LST></Obj>
    </Props>
    <MS><S N="PSComputerName">HV01.contoso.com</S></MS>
  </Obj>
  <Obj RefId="2">
    <TNRef RefId="0" />
    <Props><S N="DeviceGuid">{b}</S><U32 N="DeviceState">1</U32></Props>
  </Obj>
</Objs>"##;

#[test]
fn clixml_gives_class_computer_and_nulls() {
    let bags = support::bags("HealthTest/Node_HV09/ClusPort.xml", CLUSPORT.as_bytes()).expect("CLIXML");
    // A path that was cut off where it was written is a text: it is none, and counted as left out.
    let [.., path] = &bags[..] else { panic!("{bags:?}") };
    assert_eq!(bags.len(), 3);
    assert!(matches!(
        decode(path, &"n1".into(), 5),
        Err(Refused::NoIdentity { class }) if class == "ClusPortPathInformation"
    ));
    let device = &decode(&bags[0], &"n1".into(), 5).expect("it decodes")[0];
    assert_eq!((device.kind, device.node.as_str()), (Kind::SblDevice, "HV01"));
    assert_eq!(device.text("connected_node"), Some("HV02"));
    assert_eq!(device.get("state"), Some(&code(6, None)));
    assert_eq!(device.get("type"), Some(&code(0, Some("disk"))));
    assert_eq!(device.text("product"), Some("a b & c"));
    assert_eq!(device.unavailable["serial_number"], "null");
    // The type by reference, the node by the folder.
    let other = &decode(&bags[1], &"n1".into(), 5).expect("it decodes")[0];
    assert_eq!(
        (other.kind, other.node.as_str(), other.id.as_str()),
        (Kind::SblDevice, "HV09", "{b}")
    );
}

#[test]
fn an_enumeration_in_clixml_is_its_number() {
    let text = r#"<Objs><Obj RefId="0"><TN RefId="0"><T>Microsoft.FailoverClusters.PowerShell.ClusterNode</T></TN><Props>
        <S N="Name">HV01</S><Obj N="State" RefId="1"><TN RefId="1"><T>X</T></TN><ToString>Paused</ToString><I32>2</I32></Obj>
        <Obj N="DrainStatus" RefId="2"><TNRef RefId="1"/><ToString>Odd</ToString><I32>77</I32></Obj></Props></Obj></Objs>"#;
    let node = only(&clixml::bags(text).expect("CLIXML"));
    assert_eq!(node.get("state"), Some(&code(2, Some("Paused"))));
    // A number that we do not know keeps the name that was shown.
    assert_eq!(node.get("drain"), Some(&code(77, Some("Odd"))));
}

#[test]
fn every_cut_of_a_file_is_refused_or_read_and_never_half_a_device() {
    for end in (0..CLUSPORT.len()).filter(|end| CLUSPORT.is_char_boundary(*end)) {
        let cut = &CLUSPORT[..end];
        if end < CLUSPORT.trim_end().len() {
            assert!(clixml::bags(cut).is_err(), "cut at {end}");
        }
    }
}

#[test]
fn one_path_of_a_target_is_one_observation() {
    let path = |guid: &str| {
        Raw::Object(
            Bag::default()
                .with("DeviceGuid", Raw::Text(guid.to_owned()))
                .with("Id", Raw::Integer(3)),
        )
    };
    let mut bag = Bag::default().with("PathInfo", Raw::List(vec![path("{a}"), path("{b}"), Raw::Null]));
    bag.class = Some("ClusBfltDeviceInformation".to_owned());
    let read = decode_all(&[bag], &"n1".into(), 5);
    assert_eq!(read.refused, [Refused::NoObject], "a null costs itself alone");
    let targets = read.observations;
    assert_eq!(
        targets.iter().map(|target| target.id.as_str()).collect::<Vec<_>>(),
        ["{a}/3", "{b}/3"]
    );
}

#[test]
fn lengths_of_time_in_every_form() {
    let forms = [
        ("00000001000119.500000:000", 86_479_500_000_000_u64),
        ("1.00:01:19.5", 86_479_500_000_000),
        ("00:01:19", 79_000_000_000),
        ("PT1M19S", 79_000_000_000),
    ];
    for (text, nanos) in forms {
        let bag = Bag::default()
            .with("JobState", Raw::Integer(4))
            .with("PercentComplete", Raw::Integer(1))
            .with("Name", Raw::Text("j".to_owned()));
        let job = only(&[bag.with("ElapsedTime", Raw::Text(text.to_owned()))]);
        assert_eq!(job.number("elapsed_ns"), Some(nanos), "{text}");
    }
    let bag = Bag::default()
        .with("JobState", Raw::Integer(4))
        .with("PercentComplete", Raw::Integer(1))
        .with("Name", Raw::Text("j".to_owned()));
    let job = only(&[bag.with("ElapsedTime", Raw::Text("soon".to_owned()))]);
    assert_eq!(job.unavailable["elapsed_ns"], "`soon` is not a length of time");
}

#[test]
fn what_is_unknown_is_refused_with_its_class() {
    let mut bag = Bag::default().with("a", Raw::Null);
    assert_eq!(decode(&bag, &"n".into(), 0), Err(Refused::Unknown));
    bag.class = Some("MSFT_Something".to_owned());
    assert_eq!(
        decode(&bag, &"n".into(), 0),
        Err(Refused::Class {
            class: "MSFT_Something".to_owned()
        })
    );
    bag.class = Some("MSFT_PhysicalDisk".to_owned());
    assert!(matches!(decode(&bag, &"n".into(), 0), Err(Refused::NoIdentity { .. })));
}

#[test]
fn attributes_and_properties_are_named_once_a_class() {
    for class in schema::classes() {
        let mut names: Vec<&str> = class.properties.iter().map(|property| property.to).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), class.properties.len(), "{:?}", class.names);
    }
}

fn raw() -> impl Strategy<Value = Raw> {
    let leaf = prop_oneof![
        Just(Raw::Null),
        any::<bool>().prop_map(Raw::Bool),
        any::<i128>().prop_map(Raw::Integer),
        any::<f64>().prop_map(Raw::Real),
        "[ 0-9A-Za-z:.,{}-]{0,24}".prop_map(Raw::Text),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Raw::List),
            prop::collection::vec(("(value|name|Ticks|UniqueId)", inner), 0..4).prop_map(|fields| {
                Raw::Object(
                    fields
                        .into_iter()
                        .fold(Bag::default(), |bag, (name, value)| bag.with(&name, value)),
                )
            }),
        ]
    })
}

proptest! {
    /// Whatever a property holds, it becomes a value or a reason, and an attribute is in one of the two only.
    #[test]
    fn anything_decodes_without_a_panic(class in 0..schema::classes().count(), values in prop::collection::vec(raw(), 40)) {
        let class = schema::classes().nth(class).expect("one of them");
        let mut bag = Bag::default();
        bag.class = Some(class.names[0].to_owned());
        for (property, value) in class.properties.iter().zip(values) {
            bag.set(property.from[0], value);
        }
        for observation in decode(&bag, &"n".into(), 1).into_iter().flatten() {
            prop_assert!(observation.attributes.keys().all(|name| !observation.unavailable.contains_key(name)));
        }
    }

    /// A text of anything is refused or read.
    #[test]
    fn any_text_is_refused_or_read(text in "[<>/&;=\"'A-Za-z0-9 :{}\\n\\[\\],-]{0,200}") {
        let _ = support::bags("x", text.as_bytes());
        let _ = clixml::bags(&text);
    }
}

/// Numbers of the exact classes: where the type of the module names one it is shown by name, and a sum of bits by its number.
#[test]
fn reasons_of_redirection_and_faults_of_a_shared_volume_are_named() {
    let state = r#"{"Name": "Cluster Virtual Disk (v1)", "VolumeName": "\\\\?\\Volume{a}\\", "VolumeFriendlyName": "v1", "Node": "HV01",
        "StateInfo": 2, "FileSystemRedirectedIOReason": 0, "BlockRedirectedIOReason": 0}"#;
    let csv = only(&json::bags(state).expect("JSON"));
    assert_eq!(csv.kind, Kind::Csv);
    assert_eq!(
        csv.get("file_system_redirected_reason"),
        Some(&code(0, Some("NotFileSystemRedirected")))
    );
    assert_eq!(
        csv.get("block_redirected_reason"),
        Some(&code(0, Some("NotBlockRedirected")))
    );
    let both = state.replace(r#"Reason": 0, "Block"#, r#"Reason": 33, "Block"#);
    let csv = only(&json::bags(&both).expect("JSON"));
    assert_eq!(csv.get("file_system_redirected_reason"), Some(&code(33, None)));
    let volume = |state: &str| {
        let text =
            format!(r#"{{"Name": "v1", "VolumeName": "x", "FaultState": 2, "BackupState": 1, "State": {state}}}"#);
        only(&json::bags(&text).expect("JSON"))
    };
    let csv = volume("2");
    assert_eq!(csv.get("fault_state"), Some(&code(2, Some("NoAccess"))));
    assert_eq!(csv.get("backup_state"), Some(&code(1, Some("InProgress"))));
    assert_eq!(
        (csv.get("state"), volume("\"Online\"").get("state")),
        (Some(&code(2, Some("Online"))), csv.get("state"))
    );
}

/// What a support folder's ClusPort.xml and ClusBflt.xml hold within their objects are resources of their own.
#[test]
fn ways_caches_and_bindings_within_objects_are_read() {
    let text = r#"[
        {"CimClass": {"CimClassName": "ClusPortDeviceInformation"}, "DeviceGuid": "{a}", "DeviceNumber": 12, "ConnectedNode": "HV02",
         "DeviceState": 4, "PSComputerName": "HV01", "NumberOfPaths": 1,
         "Paths": [{"PathId": 3, "PathState": 2, "NodeName": "HV02", "NodeId": 2, "InActiveList": true, "InStandbyList": null}, "cut off"]},
        {"CimClass": {"CimClassName": "ClusBfltSsdBindingRecords"}, "NumberOfBindingRecords": 1, "PSComputerName": "HV01",
         "BindingRecords": [{"BindingId": "{b}", "DeviceGuid": "{a}", "DeviceSize": "8001563222016", "cPages": 1000, "cDirtyPages": 7,
            "cDirtySlots": 0, "cPagesL2": 1, "cRefs": 2, "Flags": 5}]},
        {"CimClass": {"CimClassName": "ClusBfltHddBindingInformation"}, "BindingId": "{h}", "CacheStoreId": "{s}", "PageSize": 16},
        {"CimClass": {"CimClassName": "MSFT_SBLTargetCacheConfiguration"}, "Identifier": "c1", "CurrentState": 3, "CachePageSizeinKB": 16,
         "FlashMetadataReserveBytes": "34359738368", "SpacesDirectEnabled": true, "PSComputerName": "HV01"}
    ]"#;
    let bags = support::bags("ClusPort.json", text.as_bytes()).expect("JSON");
    let rows: Vec<Observation> = bags
        .iter()
        .filter_map(|bag| decode(bag, &"n1".into(), 5).ok())
        .flatten()
        .collect();
    let of = |kind: Kind| rows.iter().filter(|row| row.kind == kind).collect::<Vec<_>>();
    let way = of(Kind::SblPath)[0];
    assert_eq!(
        (way.id.as_str(), way.node.as_str(), way.text("node")),
        ("{a}/3", "HV01", Some("HV02"))
    );
    assert_eq!(
        (way.flag("active"), way.get("state")),
        (Some(true), Some(&code(2, None)))
    );
    assert_eq!(way.unavailable["standby"], "null");
    assert_eq!((of(Kind::SblPath).len(), of(Kind::SblDevice).len()), (1, 1));
    let bindings = of(Kind::SblBinding);
    let record = bindings.iter().find(|row| row.id == "{b}").expect("a record");
    assert_eq!(
        (record.number("dirty_pages"), record.number("size_bytes")),
        (Some(7), Some(8_001_563_222_016))
    );
    assert!(
        bindings
            .iter()
            .any(|row| row.id == "{h}" && row.text("store_id") == Some("{s}"))
    );
    let cache = of(Kind::SblNode)[0];
    assert_eq!(
        (cache.get("cache_state"), cache.number("cache_page_kib")),
        (Some(&code(3, None)), Some(16))
    );
}

/// The state of a drive was lost in PowerShell 5.1's JSON, where a list with properties of its own is an object of `value` and `Count`.
#[test]
fn lists_within_objects_are_read_however_powershell_5_wraps_them() {
    let text = r#"{"FriendlyName": "a", "UniqueId": "u", "MediaType": 4, "CanPool": false,
        "OperationalStatus": {"value": [2, 53286], "Count": 2}, "CannotPoolReason": {"value": [], "Count": 0}}"#;
    let disk = only(&json::bags(text).expect("JSON"));
    let status = Value::List(vec![code(2, Some("OK")), code(0xD026, Some("Abnormal Latency"))]);
    assert_eq!(disk.get("operational_status"), Some(&status));
    assert_eq!(disk.get("cannot_pool_reason"), Some(&Value::List(vec![])));
    // An object that happens to have such names stays one.
    let bags = json::bags(r#"[{"value": 1, "Count": 2}]"#).expect("JSON");
    assert_eq!(bags[0].text("Count").as_deref(), Some("2"));
}

/// A state that was written in hexadecimal was taken for a name; numbers that no drive can have stood as what it has.
#[test]
fn hexadecimal_is_a_number_and_what_is_out_of_range_is_unknown() {
    let text = r#"[{"FriendlyName": "a", "UniqueId": "u", "MediaType": 4, "CanPool": false, "OperationalStatus": "0xD026", "Size": -5},
        {"DeviceId": "1", "Temperature": 300, "TemperatureMax": 70, "Wear": 4294967295, "PowerOnHours": 1},
        {"JobState": 4, "PercentComplete": 250, "Name": "j"}, {"FileSystemLabel": "v", "Size": 1, "SizeRemaining": 1, "FileSystemType": 4}]"#;
    let read = |bag: &Bag| decode(bag, &"n1".into(), 5).expect("it decodes").remove(0);
    let rows: Vec<Observation> = json::bags(text).expect("JSON").iter().map(read).collect();
    let status = Value::List(vec![code(0xD026, Some("Abnormal Latency"))]);
    assert_eq!(rows[0].get("operational_status"), Some(&status));
    assert_eq!(rows[0].unavailable["size_bytes"], "-5 is no size");
    assert_eq!(
        rows[1].unavailable["temperature_celsius"],
        "300 \u{b0}C is no temperature of a drive"
    );
    assert_eq!(rows[1].number("temperature_max_celsius"), Some(70));
    assert_eq!(
        rows[1].unavailable["wear_percent"],
        "4294967295 is no share: it is at most 255 %"
    );
    assert!(rows[2].unavailable["percent_complete"].starts_with("250 is no share"));
    assert_eq!(rows[3].get("file_system"), Some(&code(4, Some("FAT"))));
}

/// Of objects that Get-CimInstance and Get-WmiObject wrote out of `root\wmi` the paths were lost without a word: their types are written with
/// other bars, or are of another class of .NET.
#[test]
fn paths_of_the_storage_bus_are_read_whoever_exported_them() {
    let path = |number: u32, state: u32| {
        format!(
            "<Obj RefId=\"7{number}\"><TN RefId=\"7{number}\"><T>Deserialized.System.Management.ManagementBaseObject#\\ClusPortPathInformation</T></TN>\
             <Props><U32 N=\"PathId\">{number}</U32><S N=\"NodeName\">HV0{number}</S><U32 N=\"PathState\">{state}</U32></Props></Obj>"
        )
    };
    for of in [
        r"Deserialized.Microsoft.Management.Infrastructure.CimInstance#root\wmi\ClusPortDeviceInformation",
        r"Deserialized.System.Management.ManagementObject#root\wmi\ClusPortDeviceInformation",
        "Deserialized.Microsoft.Management.Infrastructure.CimInstance#ROOT/wmi/ClusPortDeviceInformation",
        "Deserialized.Of.Nobody",
    ] {
        let text = format!(
            "<Objs><Obj RefId=\"0\"><TN RefId=\"0\"><T>{of}</T></TN><Props><S N=\"DeviceGuid\">{{a}}</S><U32 N=\"DeviceNumber\">5</U32>\
             <S N=\"ConnectedNode\">HV01</S><U32 N=\"DeviceState\">3</U32>\
             <Obj N=\"Paths\" RefId=\"1\"><LST>{}{}</LST></Obj></Props></Obj></Objs>",
            path(1, 2),
            path(2, 7)
        );
        let bags = support::bags("ClusPort.xml", text.as_bytes()).expect("CLIXML");
        let read = decode_all(&bags, &"n1".into(), 5);
        assert_eq!(read.refused, [], "{of}");
        let paths: Vec<(&str, Option<&str>, Option<&Value>)> = read
            .observations
            .iter()
            .filter(|row| row.kind == Kind::SblPath)
            .map(|row| (row.id.as_str(), row.text("node"), row.get("state")))
            .collect();
        let wanted = [
            ("{a}/1", Some("HV01"), Some(&code(2, None))),
            ("{a}/2", Some("HV02"), Some(&code(7, None))),
        ];
        assert_eq!(paths, wanted, "{of}");
    }
}

#[test]
fn what_is_no_object_is_counted_as_left_out() {
    let bags = json::bags(r#"[{"JobState": 4, "PercentComplete": 10, "Name": "a"}, null, 5, "x"]"#).expect("JSON");
    let read = decode_all(&bags, &"n1".into(), 5);
    assert_eq!((read.observations.len(), read.refused), (1, vec![Refused::NoObject; 3]));
    let of_target = |more: &str| {
        let text = format!(r#"{{"CimClass": {{"CimClassName": "ClusBfltDeviceInformation"}}, {more}}}"#);
        decode_all(&json::bags(&text).expect("JSON"), &"n1".into(), 5)
    };
    let read = of_target(r#""NumberOfPaths": 2, "PathInfo": null"#);
    assert!(matches!(&read.refused[..], [Refused::Other { what, .. }] if *what == "without what it holds"));
    let read = of_target(r#""NumberOfPaths": 2, "PathInfo": [null, {"Id": 1, "DeviceGuid": "{a}"}]"#);
    assert_eq!((read.observations.len(), read.refused), (1, vec![Refused::NoObject]));
    // One that has none holds none, and nothing is left out.
    assert_eq!(of_target(r#""NumberOfPaths": 0, "PathInfo": null"#), Decoded::default());
}
