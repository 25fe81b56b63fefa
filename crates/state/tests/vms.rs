//! Virtual machines and their VHDX files: values of the exact classes and of the cmdlets' types, with nulls, wrong types and numbers
//! that no page explains. No output of a real cluster was at hand: the shapes are synthetic.

use fathom_model::state::{Code, Kind, Observation, Value};
use fathom_state::{Bag, Raw, Refused, decode, decode_all, json, schema, support};

const ID: &str = "D99A57FE-9F2F-44EE-B15F-BF6C5D740D1C";

fn text(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}

fn code(number: i64, name: Option<&str>) -> Value {
    Value::Code(Code {
        code: Some(number),
        name: name.map(str::to_owned),
    })
}

/// As WMI gives it.
fn machine(name: &str) -> Bag {
    let mut bag = Bag::default()
        .with("Name", text(name))
        .with("ElementName", text("web"))
        .with("EnabledState", Raw::Integer(2))
        .with("HealthState", Raw::Integer(5))
        .with(
            "OperationalStatus",
            Raw::List(vec![Raw::Integer(2), Raw::Integer(32772)]),
        );
    bag.class = Some("Msvm_ComputerSystem".to_owned());
    bag
}

fn setting(instance: &str, medium: &str, path: &str) -> Bag {
    let mut bag = Bag::default()
        .with("InstanceID", text(instance))
        .with("ResourceType", Raw::Integer(31))
        .with("ResourceSubType", text(medium))
        .with("HostResource", Raw::List(vec![text(path)]))
        .with("IOPSLimit", text("0"))
        .with("CachingMode", Raw::Integer(9))
        .with("IgnoreFlushes", Raw::Null)
        .with("PersistentReservationsSupported", text("perhaps"));
    bag.class = Some("Msvm_StorageAllocationSettingData".to_owned());
    bag
}

fn only(bag: &Bag) -> Observation {
    let mut observations = decode(bag, &"n1".into(), 5).expect("it decodes");
    assert_eq!(observations.len(), 1);
    observations.remove(0)
}

const HARD_DISK: &str = "Microsoft:Hyper-V:Virtual Hard Disk";

#[test]
fn a_machine_of_wmi_is_known_by_its_guid_and_the_host_is_none() {
    let web = only(&machine(&ID.to_lowercase()));
    assert_eq!(
        (web.kind, web.id.as_str(), web.text("name")),
        (Kind::Vm, ID, Some("web"))
    );
    assert_eq!(web.get("state"), Some(&code(2, Some("Running"))));
    let status = Value::List(vec![code(2, Some("OK")), code(32772, Some("Merging Disks"))]);
    assert_eq!(web.get("operational_status"), Some(&status));
    let host = decode(&machine("HV01"), &"n1".into(), 5).expect_err("it is no machine");
    assert_eq!(host.to_string(), "Msvm_ComputerSystem that is the host itself");
    let nobody = decode(&machine(" "), &"n1".into(), 5).expect_err("nothing says which");
    assert!(matches!(nobody, Refused::NoIdentity { .. }));
}

#[test]
fn what_wmi_does_not_say_of_a_machine_is_unavailable_with_the_reason() {
    let odd = machine(ID)
        .with("ElementName", Raw::Null)
        .with("EnabledState", Raw::Integer(40_000))
        .with("HealthState", text("fine"))
        .with("OperationalStatus", Raw::List(vec![Raw::Null]));
    let odd = only(&odd);
    assert_eq!(odd.unavailable["name"], "null");
    assert_eq!(odd.get("state"), Some(&code(40_000, None)));
    // A text that is no known name stays one, without a number.
    assert_eq!(odd.text("health"), Some("fine"));
    assert_eq!(odd.unavailable["operational_status"], "a null within the list");
}

#[test]
fn a_file_of_wmi_is_its_machines_and_other_media_and_templates_are_none() {
    let instance = format!(r"Microsoft:{ID}\83F8638B-8DCA-4152-9EDA-2CA8B33039B4\0\0\L");
    let path = r"C:\ClusterStorage\Volume1\web\os.vhdx";
    let file = only(&setting(&instance, HARD_DISK, path));
    let id = format!(r"{ID}\83F8638B-8DCA-4152-9EDA-2CA8B33039B4\0\0");
    assert_eq!((file.kind, &file.id), (Kind::Vhd, &id));
    assert_eq!((file.text("vm_id"), file.text("path")), (Some(ID), Some(path)));
    assert_eq!(
        (file.number("iops_limit"), file.get("caching")),
        (Some(0), Some(&code(9, None)))
    );
    assert_eq!(file.unavailable["ignores_flushes"], "null");
    assert_eq!(file.unavailable["shared"], "`perhaps` is not yes or no");
    let why = |bag: &Bag| decode(bag, &"n1".into(), 5).expect_err("it is no file").to_string();
    let iso = setting(&instance, "Microsoft:Hyper-V:Virtual CD/DVD Disk", "x.iso");
    assert!(why(&iso).ends_with("another medium than a hard disk"));
    let template = setting(
        r"Microsoft:Definition\70BB60D2-A9D3-46AA-B654-3DE53004B4F8\Default",
        HARD_DISK,
        "",
    );
    assert!(why(&template).ends_with("a template of settings"));
    // Nothing says what medium it is: it is not left out for that.
    let mut unsaid = setting(&instance, HARD_DISK, path);
    unsaid.set("ResourceSubType", Raw::Null);
    unsaid.set("HostResource", Raw::Null);
    assert_eq!(only(&unsaid).unavailable["path"], "null");
}

/// What `Get-VM | ConvertTo-Json` writes, cut to what is read.
const GET_VM: &str = r#"[{
    "VMName": "web", "VMId": "d99a57fe-9f2f-44ee-b15f-bf6c5d740d1c", "Name": "web", "Id": "d99a57fe-9f2f-44ee-b15f-bf6c5d740d1c",
    "State": 32783, "Generation": 2, "ProcessorCount": 8, "IsClustered": true, "Version": "11.0", "ComputerName": "HV01",
    "OperationalStatus": [2], "ConfigurationLocation": "C:\\ClusterStorage\\Volume1\\web",
    "HardDrives": [
        {"Path": "C:\\ClusterStorage\\Volume1\\web\\os.vhdx", "DiskNumber": 4294967295, "MaximumIOPS": 500, "ControllerType": 1,
         "ControllerNumber": 0, "ControllerLocation": 0, "VMSnapshotId": "00000000-0000-0000-0000-000000000000", "VMSnapshotName": "",
         "Id": "Microsoft:D99A57FE-9F2F-44EE-B15F-BF6C5D740D1C\\83F8638B-8DCA-4152-9EDA-2CA8B33039B4\\0\\0\\D"},
        "HardDiskDrive (Name = 'Hard Drive on SCSI controller number 0 at location 1', VMName = 'web')"
    ]
}, {"Name": "db", "State": "Off", "Generation": 2, "VMName": "db", "ComputerName": "HV02.contoso.com"}]"#;

#[test]
fn machines_and_the_drives_within_them_are_read_from_json() {
    let bags = json::bags(GET_VM).expect("JSON");
    let decoded = decode_all(&bags, &"cluster".into(), 5);
    assert!(decoded.refused.is_empty(), "{:?}", decoded.refused);
    let [web, os, db] = &decoded.observations[..] else {
        panic!("{:?}", decoded.observations)
    };
    assert_eq!((web.kind, web.id.as_str(), web.node.as_str()), (Kind::Vm, ID, "HV01"));
    assert_eq!(web.get("state"), Some(&code(32783, Some("RunningCritical"))));
    assert_eq!(
        (web.flag("clustered"), web.number("drives_unread")),
        (Some(true), Some(1))
    );
    // The same drive as WMI names it, on the node of its machine.
    assert_eq!(
        (os.kind, os.id.as_str(), os.node.as_str()),
        (
            Kind::Vhd,
            format!(r"{ID}\83F8638B-8DCA-4152-9EDA-2CA8B33039B4\0\0").as_str(),
            "HV01"
        )
    );
    assert_eq!((os.text("vm_id"), os.text("vm_name")), (Some(ID), Some("web")));
    assert_eq!(os.get("controller"), Some(&code(1, Some("SCSI"))));
    assert!(os.get("checkpoint").is_none() && os.get("disk_number").is_none());
    assert_eq!((db.id.as_str(), db.node.as_str()), ("db", "HV02"));
    assert_eq!(db.get("state"), Some(&code(3, Some("Off"))));
}

#[test]
fn drives_of_their_own_are_read_with_checkpoints_and_disks_that_are_passed_through() {
    let drives = r#"[
        {"VMName": "web", "VMId": "D99A57FE-9F2F-44EE-B15F-BF6C5D740D1C", "Path": "C:\\ClusterStorage\\V\\a.vhdx", "ComputerName": "HV01",
         "ControllerType": "SCSI", "ControllerNumber": 0, "ControllerLocation": 1, "DiskNumber": null,
         "VMSnapshotId": "1C2BCB5B-37C1-4940-92B0-79BE7292D6B0", "VMSnapshotName": "before"},
        {"VMName": "web", "Path": "Disk 3 1.00 TB Bus 0 Lun 3 Target 0", "ComputerName": "HV01",
         "ControllerType": 7, "ControllerNumber": 0, "ControllerLocation": 2, "DiskNumber": 3},
        {"VMName": "web", "Path": "x.iso", "ControllerType": 1, "ControllerNumber": 0, "ControllerLocation": 3, "DvdMediaType": 1},
        {"VMName": "web", "Path": null, "ControllerType": 1, "ControllerNumber": 0, "ControllerLocation": 4}
    ]"#;
    let decoded = decode_all(&json::bags(drives).expect("JSON"), &"cluster".into(), 5);
    let [old, disk] = &decoded.observations[..] else {
        panic!("{:?}", decoded.observations)
    };
    assert_eq!((old.text("checkpoint"), old.get("disk_number")), (Some("before"), None));
    assert_eq!(
        (disk.number("disk_number"), disk.get("controller")),
        (Some(3), Some(&code(7, None)))
    );
    let refused: Vec<String> = decoded.refused.iter().map(ToString::to_string).collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused[0].ends_with("a DVD drive") && refused[1].ends_with("without an identity"),
        "{refused:?}"
    );
}

#[test]
fn machines_of_a_support_folder_are_read() {
    let clixml = r#"<Objs><Obj RefId="0"><TN RefId="0"><T>Deserialized.Microsoft.HyperV.PowerShell.VirtualMachine</T></TN><Props>
        <S N="VMName">web</S><G N="VMId">d99a57fe-9f2f-44ee-b15f-bf6c5d740d1c</G>
        <Obj N="State" RefId="1"><TN RefId="1"><T>Deserialized.Microsoft.HyperV.PowerShell.VMState</T></TN><ToString>Running</ToString><I32>2</I32></Obj>
        <Obj N="HardDrives" RefId="2"><TN RefId="2"><T>System.Array</T></TN><LST>
            <Obj RefId="3"><TN RefId="3"><T>Deserialized.Microsoft.HyperV.PowerShell.HardDiskDrive</T></TN><Props>
                <S N="Path">C:\ClusterStorage\Volume1\web\os.vhdx</S></Props></Obj>
            <S>HardDiskDrive (Name = 'x')</S></LST></Obj></Props></Obj></Objs>"#;
    let bags = support::bags("HealthTest/Node_HV09/GetVM.XML", clixml.as_bytes()).expect("CLIXML");
    let decoded = decode_all(&bags, &"cluster".into(), 5);
    let [web, os] = &decoded.observations[..] else {
        panic!("{decoded:?}")
    };
    assert_eq!(
        (web.node.as_str(), web.get("state")),
        ("HV09", Some(&code(2, Some("Running"))))
    );
    assert_eq!(
        (os.kind, os.node.as_str(), os.text("vm_name")),
        (Kind::Vhd, "HV09", Some("web"))
    );
    assert_eq!(web.number("drives_unread"), Some(1));
}

#[test]
fn both_classes_are_asked_in_the_namespace_of_virtualization() {
    let asked: Vec<&str> = schema::classes()
        .filter(|class| class.namespace == r"root\virtualization\v2")
        .map(|class| class.names[0])
        .collect();
    assert_eq!(asked, ["Msvm_ComputerSystem", "Msvm_StorageAllocationSettingData"]);
}
