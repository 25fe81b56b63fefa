//! What cmdlets and support folders say, imported without a network and asked of a coordinator.

use std::fs;
use std::path::Path;

use fathom_integration_tests::process::{Certificates, Ran};
use serde_json::{Value, json};

use super::{ask, program, rows, text};

pub(crate) const DISKS: &str = r#"[
  {"FriendlyName": "NVMe A", "UniqueId": "eui.1", "SerialNumber": "S1", "DeviceId": "1001", "HealthStatus": "Healthy",
   "OperationalStatus": ["OK", "Abnormal Latency"], "MediaType": "SSD", "BusType": "NVMe", "Size": 3840755982336, "CanPool": false},
  {"FriendlyName": "NVMe B", "UniqueId": "eui.2", "SerialNumber": "S2", "DeviceId": "1002", "HealthStatus": 0, "OperationalStatus": [2],
   "MediaType": 4, "BusType": 17, "Size": "3840755982336", "CanPool": false}]"#;

const COUNTERS: &str =
    r#"{"DeviceId": "1001", "Temperature": 0, "Wear": 4, "ReadErrorsTotal": null, "ReadLatencyMax": 11708}"#;

const PORT: &str = r#"<Objs><Obj RefId="0"><TN RefId="0"><T>x.CimInstance#root/wmi/ClusPortDeviceInformation</T></TN><Props>
    <S N="DeviceGuid">{a}</S><S N="ConnectedNode">HV02</S><S N="SerialNumber">S1</S><U32 N="DeviceNumber">7</U32></Props></Obj></Objs>"#;

/// When files are said to be of, that do not say it themselves.
const AT: &str = "2026-09-22T03:00:00Z";

/// Reads files of a cluster into a store.
fn imported(folder: &Path, at: &str, store: &str) -> Ran {
    program().run([
        "import",
        &text(folder),
        "--at",
        at,
        "--store",
        store,
        "--cluster",
        "test",
        "-o",
        "json",
    ])
}

#[test]
fn support_files_are_imported_once_and_asked_of_any_moment() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("HealthTest");
    fs::create_dir_all(folder.join("Node_HV01.contoso.com")).unwrap();
    fs::write(folder.join("GetPhysicalDisk.json"), DISKS).unwrap();
    fs::write(folder.join("GetReliabilityCounter.json"), COUNTERS).unwrap();
    fs::write(folder.join("Node_HV01.contoso.com/ClusPort.xml"), PORT).unwrap();
    let store = home.path().join("store");
    let ran = imported(&folder, AT, &text(&store));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.json()["kinds"],
        json!({"disk": 2, "disk_reliability": 1, "sbl_device": 1})
    );
    assert_eq!(ran.json()["store"]["known_streams"], 0);
    // Again it adds nothing.
    let ran = imported(&folder, AT, &text(&store));
    assert_eq!(
        (&ran.json()["store"]["rows"], &ran.json()["store"]["known_streams"]),
        (&json!(0), &json!(2))
    );
    // An hour later one disk is gone.
    let later = home.path().join("Later");
    fs::create_dir_all(&later).unwrap();
    let one: Value = serde_json::from_str::<Value>(DISKS).unwrap()[0].clone();
    fs::write(later.join("GetPhysicalDisk.json"), one.to_string()).unwrap();
    assert_eq!(imported(&later, "2026-09-22T04:00:00Z", &text(&store)).code, 0);

    let certificates = Certificates::new(&home.path().join("pki"));
    let coordinator = program().coordinator(&certificates, &store, &[]);
    let now = ask(&certificates, &coordinator, &["disks", "-o", "json"]);
    // The node that was read an hour ago has not reported since.
    assert_eq!(now.code, 4, "{}", now.err);
    let now = now.json();
    assert_eq!(rows(&now, "disks").len(), 1);
    assert_eq!(now["unseen"]["nodes"], json!([{"node": "HV01", "cause": "stale"}]));
    let disk = &now["disks"][0];
    assert_eq!((&disk["id"], &disk["age_ns"]), (&json!("eui.1"), &json!(0)));
    assert_eq!(
        disk["attributes"]["operational_status"][1],
        json!({"code": 53286, "name": "Abnormal Latency"})
    );
    // Beside it what the counters and the storage bus say of it; 0 degrees and null are nothing.
    let hour_ago = 1_790_046_000_000_000_000_i64;
    assert_eq!(
        disk["derived"],
        json!({
            "connected_node": "HV02", "connected_node_seen_unix_ns": hour_ago, "read_latency_max_ms": 11708,
            "reliability_seen_unix_ns": hour_ago, "sbl_device_number": 7, "sbl_device_number_seen_unix_ns": hour_ago,
            "wear_percent": 4,
        })
    );
    // What files say of the cluster is of no node of that name.
    let pairs = ask(&certificates, &coordinator, &["rdma", "-o", "json"]).json();
    assert_eq!(rows(&pairs, "pairs").len(), 0, "{pairs}");
    let then = ask(
        &certificates,
        &coordinator,
        &["disks", "-o", "json", "--at", "2026-09-22T03:30:00Z"],
    )
    .json();
    assert_eq!(rows(&then, "disks").len(), 2);
    assert_eq!(then["disks"][0]["age_ns"], json!(1_800_000_000_000_i64));
    // The disk that is not there any more is gone since the reading that did not have it.
    let gone = ask(&certificates, &coordinator, &["history", "eui.2", "-o", "json"]).json();
    let [seen, gone] = rows(&gone, "history") else {
        panic!("{gone}")
    };
    assert_eq!((&seen["present"], &gone["present"]), (&json!(true), &json!(false)));
    assert_eq!(gone["observed_unix_ns"], json!(hour_ago + 3_600_000_000_000));
    let table = ask(&certificates, &coordinator, &["history", "eui.2"]).out;
    let last = table.lines().last().unwrap_or_default();
    assert!(last.contains("NVMe B") && last.ends_with("gone"), "{table}");
    let unknown = ask(&certificates, &coordinator, &["history", "nobody", "-o", "json"]);
    assert!(rows(&unknown.json(), "history").is_empty() && unknown.err.contains("nothing was said of `nobody`"));
}

/// What `Get-VM` and `Get-VMHardDiskDrive` of two nodes write as JSON, cut to what is read: `db` names a drive that is cut off.
const MACHINES: &str = r#"[
  {"VMName": "web", "VMId": "d99a57fe-9f2f-44ee-b15f-bf6c5d740d1c", "State": 2, "Generation": 2, "ComputerName": "HV01", "HardDrives": []},
  {"VMName": "db", "VMId": "1c2bcb5b-37c1-4940-92b0-79be7292d6b0", "State": 32787, "Generation": 2, "ComputerName": "HV02",
   "HardDrives": ["HardDiskDrive (Name = 'x')"]}]"#;

const DRIVES: &str = r#"[
  {"VMName": "web", "VMId": "d99a57fe-9f2f-44ee-b15f-bf6c5d740d1c", "ComputerName": "HV01", "ControllerType": "SCSI", "ControllerNumber": 0,
   "ControllerLocation": 0, "Path": "C:\\ClusterStorage\\Volume1\\web\\os.vhdx"},
  {"VMName": "web", "VMId": "d99a57fe-9f2f-44ee-b15f-bf6c5d740d1c", "ComputerName": "HV01", "ControllerType": "SCSI", "ControllerNumber": 0,
   "ControllerLocation": 1, "Path": "D:\\data.vhdx"}]"#;

#[test]
fn machines_are_imported_with_their_files_and_what_is_cut_off_is_said() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("vms");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("Get-VM.json"), MACHINES).unwrap();
    fs::write(folder.join("Get-VMHardDiskDrive.json"), DRIVES).unwrap();
    let store = text(&home.path().join("store"));
    let ran = imported(&folder, AT, &store);
    assert_eq!(
        (ran.code, &ran.json()["kinds"]),
        (0, &json!({"vhd": 2, "vm": 2})),
        "{}",
        ran.err
    );
    let certificates = Certificates::new(&home.path().join("pki"));
    let coordinator = program().coordinator(&certificates, Path::new(&store), &[]);
    let all = ask(&certificates, &coordinator, &["vms"]);
    // Of `db` no file is known: neither is that none, nor is the answer whole.
    assert_eq!(all.code, 4, "{}", all.err);
    let line = |name: &str| {
        all.out
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        line("db").contains("PausedCritical") && line("db").contains("HV02 has not said which files"),
        "{}",
        all.out
    );
    assert!(line("web").contains("Running"), "{}", all.out);
    let on = |volume: &str| {
        let ran = ask(&certificates, &coordinator, &["vms", "--volume", volume, "-o", "json"]);
        let document = ran.json();
        let paths = rows(&document, "vms").iter().flat_map(|vm| rows(vm, "vhds"));
        paths.map(|file| file["attributes"]["path"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(on("volume1"), [json!(r"C:\ClusterStorage\Volume1\web\os.vhdx")]);
    assert_eq!(on("d:"), [json!(r"D:\data.vhdx")]);
    assert!(on("Volume2").is_empty());
    // By its path a file has a history.
    let history = ask(&certificates, &coordinator, &["history", r"D:\data.vhdx", "-o", "json"]);
    assert_eq!(rows(&history.json(), "history").len(), 1);
}

/// What `Get-ClusterPerf` gives, as JSON: two values 5 minutes apart, and one that was printed for people.
const PERFORMANCE: &str = r#"[
  {"MetricId": "Volume.Latency.Write", "Group": {"ObjectDescription": "Volume vol0"}, "Time": "2026-09-22T02:00:00Z", "Value": 0.004},
  {"MetricId": "Volume.Latency.Write", "Group": {"ObjectDescription": "Volume vol0"}, "Time": "2026-09-22T02:05:00Z", "Value": 0.002},
  {"MetricId": "Volume.Size.Total", "Group": {"ObjectDescription": "Volume vol0"}, "Time": "2026-09-22T02:05:00Z", "Value": "4 TB"}]"#;

#[test]
fn the_clusters_own_history_is_imported_as_means_that_say_so() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("Get-ClusterPerf.json");
    fs::write(&file, PERFORMANCE).unwrap();
    let store = text(&home.path().join("store"));
    let import = || {
        program().run([
            "import",
            &text(&file),
            "--store",
            &store,
            "--cluster",
            "test",
            "-o",
            "json",
        ])
    };
    let ran = import();
    // One of its objects was left out.
    assert_eq!(ran.code, 4, "{}", ran.err);
    let said = &ran.json()["files"][0];
    assert_eq!((&said["objects"], &said["samples"]), (&json!(3), &json!(2)));
    assert!(said["refused"].to_string().contains("rounded for display"), "{said}");
    // Again it adds nothing.
    assert_eq!(import().json()["store"]["rows"], json!(0));
    let certificates = Certificates::new(&home.path().join("pki"));
    let coordinator = program().coordinator(&certificates, Path::new(&store), &[]);
    let ran = ask(
        &certificates,
        &coordinator,
        &[
            "counters",
            "--counter",
            "history.",
            "--at",
            "2026-09-22T03:00:00Z",
            "--since",
            "2h",
            "-o",
            "json",
        ],
    );
    let document = ran.json();
    let series = rows(&document, "series");
    assert_eq!(
        (series.len(), &series[0]["name"], &series[0]["id"]),
        (1, &json!("history.mean_of_300s.volume.latency.write_s"), &json!("vol0"))
    );
    assert!(
        series[0].to_string().contains("0.004") && series[0].to_string().contains("0.002"),
        "{document}"
    );
}

/// A folder about one volume: what it is made of, a job that works on it, its checksums, its drives' own health, and its cache.
fn one_volume(folder: &Path) {
    let root = r"\\\\?\\Volume{a}\\";
    let write = |name: &str, content: String| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let object = |class: &str, own: &str| {
        format!(r#"{{1}}\\\\C1\\root/Microsoft/Windows/Storage/Providers_v2\\SPACES_{class}.ObjectId=\"{{p}}:{own}\""#)
    };
    let (volume, disk, job) = (
        object("VirtualDisk", "VD:{v}"),
        object("PhysicalDisk", "PD:{d}"),
        object("StorageJob", "j"),
    );
    write(
        "GetVirtualDisk.json",
        format!(
            r#"{{"FriendlyName": "Vol1", "UniqueId": "v1", "ObjectId": "{volume}", "NumberOfDataCopies": 3, "ResiliencySettingName": "Mirror"}}"#
        ),
    );
    write(
        "GetPhysicalDisk.json",
        format!(
            r#"{{"FriendlyName": "NVMe A", "UniqueId": "eui.1", "ObjectId": "{disk}", "SerialNumber": "S1.", "MediaType": 4, "BusType": 17, "CanPool": false}}"#
        ),
    );
    write(
        "GetStorageJob.json",
        format!(
            r#"{{"Name": "Old name-Repair", "UniqueId": "j", "ObjectId": "{job}", "JobState": 4, "PercentComplete": 10, "BytesProcessed": 5, "BytesTotal": 50}}"#
        ),
    );
    write(
        "Associations.json",
        format!(
            r#"[{{"StorageJob": {{"ObjectId": "{job}"}}, "AffectedStorageObject": {{"ObjectId": "{volume}"}}}},
                {{"StorageJob": {{"ObjectId": "{job}"}}, "AffectedStorageObject": {{"ObjectId": "{disk}"}}}}]"#
        ),
    );
    write(
        "GetVolume.json",
        format!(
            r#"{{"FileSystemLabel": "Vol1", "Path": "{root}", "UniqueId": "{root}", "FileSystemType": 32769, "SizeRemaining": 1, "Size": 2}}"#
        ),
    );
    write(
        "Node_HV01/GetFileIntegrity.json",
        format!(
            r#"[{{"FileName": "{root}", "Enabled": false, "Enforced": true}},
                {{"FileName": "C:\\ClusterStorage\\Vol1\\a.vhdx", "Enabled": true, "Enforced": true}}]"#
        ),
    );
    write(
        "Node_HV01/Bindings.json",
        r#"[{"CimClass": {"CimClassName": "ClusBfltCacheStoresInformation"},
             "CacheStoreInfo": [{"Id": "{s}", "DeviceGuid": "{ssd}", "PathId": 3, "StoreSize": 100, "PageSize": 16, "Status": 1}]},
            {"CimClass": {"CimClassName": "ClusBfltHddBindingRecord"}, "BindingId": "{b}", "DeviceGuid": "{hdd}", "cPages": 10, "cDirtyPages": 7,
             "Flags": 5}]"#
            .to_owned(),
    );
    let mut page = vec![0_u8; 512];
    (page[0], page[3], page[5]) = (1, 8, 97);
    let digits: String = page.iter().map(|byte| format!("{byte:02X}")).collect();
    write(
        "Node_HV01/StorportHealth.xml",
        format!(
            "<Events><Event><System><Provider Name='Microsoft-Windows-StorPort'/><EventID>512</EventID>\
             <TimeCreated SystemTime='2026-09-22T02:50:00Z'/><Computer>HV01.contoso.com</Computer></System><EventData>\
             <Data Name='SerialNumber'>S1</Data><Data Name='NvmeHealthLog'>{digits}</Data></EventData></Event></Events>"
        ),
    );
}

#[test]
fn a_job_names_its_volume_and_disks_and_a_drive_and_a_volume_say_how_they_are() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("files");
    one_volume(&folder);
    let store = text(&home.path().join("store"));
    let ran = imported(&folder, AT, &store);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.json()["kinds"],
        json!({"disk": 1, "file_integrity": 2, "file_system": 1, "job_object": 2, "nvme_health": 1, "sbl_binding": 1,
            "sbl_cache_store": 1, "storage_job": 1, "virtual_disk": 1})
    );
    let certificates = Certificates::new(&home.path().join("pki"));
    let coordinator = program().coordinator(&certificates, Path::new(&store), &[]);
    let json = |arguments: &[&str]| ask(&certificates, &coordinator, &[arguments, &["-o", "json"]].concat()).json();
    let job = &json(&["jobs"])["jobs"][0]["derived"];
    assert_eq!(
        (&job["volume"], &job["volume_by"], &job["disks"], &job["disks_by"]),
        (
            &json!("Vol1"),
            &json!("association"),
            &json!(["eui.1"]),
            &json!("association")
        )
    );
    let disk = &json(&["disks"])["disks"][0]["derived"];
    assert_eq!(
        disk["nvme_critical_warnings"],
        json!([{"code": 1, "name": "Spare Below Threshold"}])
    );
    // It was so when it was logged, ten minutes before the files were read.
    assert_eq!(
        (&disk["nvme_available_spare_percent"], &disk["nvme_seen_unix_ns"]),
        (&json!(8), &json!(1_790_045_400_000_000_000_i64))
    );
    let volume = &json(&["volumes"])["file_systems"][0]["derived"];
    assert_eq!(
        (
            &volume["integrity_of_new_files"],
            &volume["integrity_files_on"],
            &volume["integrity_files"]
        ),
        (&json!(false), &json!(1), &json!(1))
    );
    let sbl = json(&["sbl"]);
    assert_eq!(
        (
            &sbl["sbl_cache_stores"][0]["id"],
            &sbl["sbl_bindings"][0]["attributes"]["dirty_pages"]
        ),
        (&json!("{s}"), &json!(7))
    );
    let shown = |arguments: &[&str]| ask(&certificates, &coordinator, arguments).out;
    for (command, parts) in [
        ("jobs", &["Vol1", "eui.1"][..]),
        ("disks", &["8 %", "Spare Below Threshold"]),
        ("volumes", &["new files: no; 1 of 1 files"]),
        ("sbl", &["{b}", "{hdd}", "0x5"]),
    ] {
        let out = shown(&[command]);
        assert!(parts.iter().all(|part| out.contains(part)), "{command}: {out}");
    }
    let history = json(&["history", "S1", "--kind", "nvme_health"]);
    assert_eq!(rows(&history, "history").len(), 1, "{history}");
}
