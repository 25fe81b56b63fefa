//! Objects as JSON, as CLIXML and made up: values of the exact classes, nulls, unknown numbers, wrong types, cut-off files.

use fathom_model::state::{Code, Kind, Observation, Value};
use fathom_state::{Bag, Raw, Refused, clixml, decode, json, schema, support};
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
    assert_eq!(disk.get("allocated_bytes"), Some(&Value::Signed(-1)));
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
    assert_eq!(bags.len(), 2);
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
    let targets = decode(&bag, &"n1".into(), 5).expect("they decode");
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
