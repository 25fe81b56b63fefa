//! What stands beside disks and storage jobs by other readings: what a job works on, and how a drive itself says that it is.

use fathom_model::state::{Code, Kind, Observation, Value};
use fathom_state::history::Picture;
use fathom_state::{disks, jobs};

fn picture(at: i64, observations: &[Observation]) -> Picture {
    let mut picture = Picture::at(at);
    observations.iter().for_each(|observation| picture.add(observation));
    picture
}

fn code(number: i64, name: &str) -> Code {
    Code {
        code: Some(number),
        name: Some(name.to_owned()),
    }
}

#[test]
fn a_job_says_what_it_does_to_which_volume_and_the_disks_only_where_they_are_known() {
    let of = |kind: Kind, id: &str| Observation::new("n1".into(), kind, id, 10).with("name", id);
    let extent = |copy: u64, on: &str, status: Code| {
        of(Kind::Extent, &format!("id0/0/{copy}"))
            .with("virtual_disk_id", "id0")
            .with("disk_id", on)
            .with("operational_status", vec![status.into()])
    };
    let mut all = vec![
        of(Kind::VirtualDisk, "Vol0").with("unique_id", "id0"),
        of(Kind::Pool, "S2D on c"),
        of(Kind::StorageJob, "vol0-Repair"),
        of(Kind::StorageJob, "S2D on c-Optimize"),
        of(Kind::StorageJob, "Regeneration"),
        of(Kind::StorageJob, "Something else"),
        of(Kind::Disk, "d1").with("health", code(0, "Healthy")),
        extent(0, "d1", code(2, "OK")),
        extent(1, "d2", code(2, "OK")),
    ];
    let about = |all: &[Observation]| jobs::about(&picture(99, all));
    let text = |beside: &disks::Beside, name: &str| beside.known.get(name).map(ToString::to_string);
    let said = about(&all);
    let repair = &said["vol0-Repair"];
    assert_eq!(
        (text(repair, "job_kind"), text(repair, "volume"), text(repair, "disks")),
        (Some("repair".to_owned()), Some("Vol0".to_owned()), None)
    );
    assert!(repair.unknown.contains_key("disks"));
    let optimize = &said["S2D on c-Optimize"];
    assert_eq!(
        (
            text(optimize, "job_kind"),
            text(optimize, "pool"),
            text(optimize, "volume")
        ),
        (Some("optimize".to_owned()), Some("S2D on c".to_owned()), None)
    );
    let regeneration = &said["Regeneration"];
    assert_eq!(text(regeneration, "job_kind").as_deref(), Some("regeneration"));
    assert!(regeneration.unknown.contains_key("volume"));
    assert!(said["Something else"].unknown.contains_key("job_kind"));
    // A disk that is not well, and then extents, which say more.
    all.push(of(Kind::Disk, "d3").with("usage", code(4, "Retired")));
    let repair = &about(&all)["vol0-Repair"];
    assert_eq!(
        (text(repair, "disks"), text(repair, "disks_by")),
        (Some("d3".to_owned()), Some("health".to_owned()))
    );
    all.push(extent(2, "d2", code(5, "Predictive Failure")));
    let repair = &about(&all)["vol0-Repair"];
    assert_eq!(
        (text(repair, "disks"), text(repair, "disks_by")),
        (Some("d2".to_owned()), Some("extents".to_owned()))
    );
}

/// Ids as the storage classes have them: what is in front of an object's own name differs with who was asked.
#[test]
fn a_job_works_on_what_the_association_says_and_only_else_on_what_its_name_says() {
    let id = |server: &str, class: &str, own: &str| {
        format!(r#"{{1}}\\{server}\root/Microsoft/Windows/Storage/Providers_v2\SPACES_{class}.ObjectId="{{p}}:{own}""#)
    };
    let of = |kind: Kind, name: &str, object: &str| {
        Observation::new("n1".into(), kind, name, 10)
            .with("name", name)
            .with("object_id", object)
    };
    let job = |name: &str| of(Kind::StorageJob, name, &id("HV01", "StorageJob", name));
    let link = |name: &str, class: &str, own: &str| {
        let (job, object) = (id("c1.contoso.com", "StorageJob", name), id("C1", class, own));
        Observation::new("n1".into(), Kind::JobObject, format!("{job}/{object}"), 10)
            .with("job_object_id", job)
            .with("affected_object_id", object)
    };
    let mut all = vec![
        of(Kind::VirtualDisk, "Vol0", &id("HV01", "VirtualDisk", "VD:0")).with("unique_id", "id0"),
        of(Kind::VirtualDisk, "Vol1", &id("HV01", "VirtualDisk", "VD:1")),
        of(Kind::Pool, "S2D", &id("HV01", "StoragePool", "SP:0")),
        of(Kind::Disk, "d1", &id("HV01", "PhysicalDisk", "PD:1")),
        of(Kind::Disk, "d2", &id("HV01", "PhysicalDisk", "PD:2")).with("usage", code(4, "Retired")),
        // Its name says another volume than it works on: it was renamed since.
        job("Vol1-Repair"),
        link("Vol1-Repair", "VirtualDisk", "VD:0"),
        link("Vol1-Repair", "PhysicalDisk", "PD:1"),
        job("Regeneration"),
        link("Regeneration", "VirtualDisk", "VD:0"),
        link("Regeneration", "VirtualDisk", "VD:1"),
        job("Optimize"),
        link("Optimize", "StoragePool", "SP:0"),
        job("Vol0-Regeneration"),
    ];
    let about = |all: &[Observation]| jobs::about(&picture(99, all));
    let text = |beside: &disks::Beside, name: &str| beside.known.get(name).map(ToString::to_string);
    let told = |beside: &disks::Beside| {
        ["volume", "volume_by", "volumes", "pool", "pool_by", "disks", "disks_by"]
            .map(|name| text(beside, name).unwrap_or_default())
    };
    let said = about(&all);
    let by = "association";
    assert_eq!(told(&said["Vol1-Repair"]), ["Vol0", by, "", "", "", "d1", by]);
    // Of several none is the one; the disks that are not well may be any of theirs.
    assert_eq!(
        told(&said["Regeneration"]),
        ["", "", "Vol0, Vol1", "", "", "d2", "health"]
    );
    assert_eq!(said["Regeneration"].unknown["volume"], "it works on several");
    assert_eq!(told(&said["Optimize"]), ["", "", "", "S2D", by, "", ""]);
    assert_eq!(
        told(&said["Vol0-Regeneration"]),
        ["Vol0", "name", "", "", "", "d2", "health"]
    );
    // What is gone is worked on no more: then the name is all there is.
    all.retain(|row| row.kind != Kind::JobObject);
    assert_eq!(told(&about(&all)["Vol1-Repair"])[..2], ["Vol1", "name"]);
}

/// `Get-CimInstance MSFT_StorageJobToAffectedStorageObject | ConvertTo-Json`, deep and shallow.
#[test]
fn an_association_of_a_file_names_its_ends_in_whatever_form() {
    let text = r#"[
        {"CimClass": {"CimClassName": "MSFT_StorageJobToAffectedStorageObject"},
         "StorageJob": {"ObjectId": "{1}\\\\C1\\x.ObjectId=\"{j}\""}, "AffectedStorageObject": {"ObjectId": "{p}:VD:{v}", "FriendlyName": null}},
        {"StorageJob": "MSFT_StorageJob (ObjectId = \"{k}\")", "AffectedStorageObject": "MSFT_StoragePool.ObjectId=\"{p}:SP:{s}\""},
        {"StorageJob": "cut off", "AffectedStorageObject": null}]"#;
    let bags = fathom_state::support::bags("links.json", text.as_bytes()).expect("JSON");
    let read: Vec<_> = bags
        .iter()
        .map(|bag| fathom_state::decode(bag, &"n1".into(), 5))
        .collect();
    let ids: Vec<&str> = read.iter().flatten().flatten().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, [r#"{1}\\C1\x.ObjectId="{j}"/{p}:VD:{v}"#, "{k}/{p}:SP:{s}"]);
    assert!(read[2].is_err(), "it names neither end");
}

#[test]
fn a_drives_own_health_stands_beside_it_by_guid_or_by_serial_number() {
    let disk = |id: &str, serial: &str, guid: &str| {
        Observation::new("n1".into(), Kind::Disk, id, 10)
            .with("serial_number", serial)
            .with("object_id", format!("{{1}}x:PD:{{{guid}}}"))
    };
    let mut by_serial = Observation::new("n2".into(), Kind::NvmeHealth, "S1", 20)
        .with("serial_number", "ABC1_0000_0000_0001")
        .with("available_spare_percent", 97_u64)
        .with("critical_warnings", vec![code(1, "Spare Below Threshold").into()]);
    by_serial.unavailable.insert("read_bytes".to_owned(), "0".to_owned());
    let by_guid = Observation::new("n2".into(), Kind::NvmeHealth, "S2", 20)
        .with("device_guid", "1B2C0C7E-0F9A-4B6F-8D5A-3C2E1F0A9B8C")
        .with("available_spare_percent", 50_u64);
    // The drive was moved: who has it now read it later.
    let moved = Observation {
        node: "n3".into(),
        observed_unix_nanos: 30,
        ..by_guid.clone()
    }
    .with("available_spare_percent", 49_u64);
    let all = [
        disk("d1", "ABC1_0000_0000_0001.", "a"),
        disk("d2", "", "1b2c0c7e-0f9a-4b6f-8d5a-3c2e1f0a9b8c"),
        disk("d3", "S3", "c"),
        by_serial,
        moved,
        by_guid,
    ];
    let beside = disks::beside(&picture(99, &all));
    let first = &beside["d1"];
    assert_eq!(first.known["nvme_available_spare_percent"], Value::Unsigned(97));
    assert_eq!(
        first.known["nvme_critical_warnings"].to_string(),
        "Spare Below Threshold"
    );
    assert_eq!(first.known["nvme_seen_unix_ns"], Value::Unsigned(20));
    assert_eq!(first.unknown["nvme_read_bytes"], "0");
    assert_eq!(beside["d2"].known["nvme_available_spare_percent"], Value::Unsigned(49));
    assert!(beside["d3"].known.is_empty() && beside["d3"].unknown.is_empty());
}
