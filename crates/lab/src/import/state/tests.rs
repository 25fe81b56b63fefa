//! A folder, an archive and single files give the same state, and one broken file does not hide the rest.

use std::io::Write;

use fathom_model::state::Kind;

use super::*;

const DISK: &str = r#"[{"FriendlyName": "a", "UniqueId": "eui.1", "SerialNumber": "s", "MediaType": 4, "BusType": 17, "HealthStatus": 0}]"#;
const PORT: &str = r#"<Objs><Obj RefId="0"><TN RefId="0"><T>x.CimInstance#root/wmi/ClusPortDeviceInformation</T></TN><Props>
    <S N="DeviceGuid">{a}</S><S N="ConnectedNode">HV02</S></Props></Obj></Objs>"#;

fn fill(folder: &Path) {
    fs::create_dir_all(folder.join("Node_HV01")).expect("a folder");
    fs::write(folder.join("GetPhysicalDisk.json"), DISK).expect("written");
    fs::write(folder.join("Node_HV01/ClusPort.xml"), PORT).expect("written");
    fs::write(folder.join("Node_HV01/broken.xml"), &PORT[..80]).expect("written");
    fs::write(folder.join("log.log"), "nothing").expect("written");
    fs::write(folder.join("System.EVTX"), "nothing").expect("written");
}

fn read(path: &Path) -> StateImport {
    read_state(&[path.to_owned()], None, &"c".into(), Some(7)).expect("it reads")
}

fn said(import: &StateImport) -> Vec<(Kind, String, String)> {
    let rows = import.observations.iter().filter(|row| row.kind != Kind::Source);
    rows.map(|row| (row.kind, row.node.to_string(), row.id.clone()))
        .collect()
}

#[test]
fn a_folder_and_its_archive_say_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    fill(&folder.path().join("HealthTest"));
    let from_folder = read(&folder.path().join("HealthTest"));
    let wanted = [
        (Kind::Disk, "c".to_owned(), "eui.1".to_owned()),
        (Kind::SblDevice, "HV01".to_owned(), "{a}".to_owned()),
    ];
    assert_eq!(said(&from_folder), wanted);
    let faults: Vec<&StateFile> = from_folder.files.iter().filter(|file| file.fault.is_some()).collect();
    assert!(faults.len() == 1 && faults[0].path.ends_with("broken.xml"));
    // What was not read is said, with the folder.
    let left_out = from_folder.files.last().expect("the folder itself");
    assert_eq!(
        left_out.refused,
        BTreeMap::from([("file not read, for it is .evtx".to_owned(), 1)])
    );

    let path = folder.path().join("HealthTest.zip");
    let mut archive = zip::ZipWriter::new(File::create(&path).expect("a file"));
    for name in ["GetPhysicalDisk.json", "Node_HV01/ClusPort.xml"] {
        archive
            .start_file(name, zip::write::SimpleFileOptions::default())
            .expect("a member");
        let bytes = fs::read(folder.path().join("HealthTest").join(name)).expect("it is there");
        archive.write_all(&bytes).expect("written");
    }
    archive.finish().expect("an archive");
    assert!(is_state(&path));
    let from_archive = read(&path);
    assert_eq!(said(&from_archive), wanted);
    // Each reading says that it was all there is.
    let polls: Vec<_> = from_archive
        .observations
        .iter()
        .filter(|row| row.kind == Kind::Source)
        .collect();
    assert_eq!(polls.len(), 2);
    assert!(
        polls
            .iter()
            .all(|poll| poll.flag("full") == Some(true) && poll.number("instances") == Some(1))
    );
}

#[test]
fn what_is_a_nodes_own_needs_a_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ClusPort.xml");
    fs::write(&path, PORT).expect("written");
    let unknown = read(&path);
    assert_eq!((unknown.observations.len(), unknown.files[0].refused.len()), (0, 1));
    let known = read_state(&[path], Some(&"HV07".into()), &"c".into(), Some(7)).expect("it reads");
    assert_eq!(said(&known), [(Kind::SblDevice, "HV07".to_owned(), "{a}".to_owned())]);
}

const SECOND: i64 = 1_000_000_000;

/// 2023-11-14 22:13:20 and 2024-01-01 00:00:00.
const OLD: i64 = 1_700_000_000 * SECOND;
const NEW: i64 = 1_704_067_200 * SECOND;

fn times(import: &StateImport) -> Vec<(Kind, String, i64)> {
    let rows = import.observations.iter();
    rows.map(|row| (row.kind, row.id.clone(), row.observed_unix_nanos))
        .collect()
}

#[test]
fn each_file_of_a_folder_has_its_own_time() {
    let home = tempfile::tempdir().expect("a folder");
    let touch = |name: &str, text: &str, at: i64| {
        let path = home.path().join(name);
        fs::write(&path, text).expect("written");
        let at = UNIX_EPOCH + std::time::Duration::from_nanos(at.unsigned_abs());
        File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(at))
            .expect("set");
    };
    touch("GetPhysicalDisk.json", DISK, OLD);
    touch("GetPhysicalDisk2.json", &DISK.replace("eui.1", "eui.2"), NEW);
    let import = read_state(&[home.path().to_owned()], None, &"c".into(), None).expect("it reads");
    let wanted = [
        (Kind::Disk, "eui.1".to_owned(), OLD),
        // The reading of the kind is as old as its first file: nothing of that is gone by the second.
        (Kind::Source, "disk/import".to_owned(), OLD),
        (Kind::Disk, "eui.2".to_owned(), NEW),
    ];
    assert_eq!(times(&import), wanted);
    let mut picture = history::Picture::at(NEW);
    import.observations.iter().for_each(|row| picture.add(row));
    assert_eq!(picture.of(Kind::Disk).count(), 2);
}

#[test]
fn members_of_an_archive_have_their_own_times_and_a_broken_one_is_noted() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("HealthTest.zip");
    let mut archive = zip::ZipWriter::new(File::create(&path).expect("a file"));
    let options = |day: u8| {
        let at = zip::DateTime::from_date_and_time(2023, 11, day, 22, 13, 20).expect("a time");
        zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(at)
    };
    let other = DISK.replace("eui.1", "eui.broken");
    for (name, text, day) in [
        ("GetPhysicalDisk.json", DISK, 14),
        ("Broken.json", &other, 15),
        ("Node_HV01/ClusPort.xml", PORT, 16),
    ] {
        archive.start_file(name, options(day)).expect("a member");
        archive.write_all(text.as_bytes()).expect("written");
    }
    archive.finish().expect("an archive");
    // One member's bytes are other ones than its checksum says.
    let mut bytes = fs::read(&path).expect("it is there");
    let at = bytes
        .windows(10)
        .position(|part| part == b"eui.broken")
        .expect("stored as it is");
    bytes[at] = b'X';
    fs::write(&path, bytes).expect("written");

    let import = read_state(&[path], None, &"c".into(), None).expect("the rest is read");
    let rows: Vec<_> = times(&import)
        .into_iter()
        .filter(|(kind, ..)| *kind != Kind::Source)
        .collect();
    let day = 86_400 * SECOND;
    assert_eq!(
        rows,
        [
            (Kind::Disk, "eui.1".to_owned(), OLD),
            (Kind::SblDevice, "{a}".to_owned(), OLD + 2 * day)
        ]
    );
    let broken: Vec<&StateFile> = import.files.iter().filter(|file| file.fault.is_some()).collect();
    assert!(
        broken.len() == 1 && broken[0].path.ends_with("Broken.json"),
        "{broken:?}"
    );
}

#[test]
fn reports_of_a_support_folder_are_read() {
    let home = tempfile::tempdir().expect("a folder");
    let report = "Report: StorageBusConnectivity\nHV01 has 48 disks, 4 enclosures, and 0 scaleunit\n";
    fs::write(home.path().join("SDDCReport.txt"), report).expect("written");
    let import = read(home.path());
    assert_eq!(
        said(&import),
        [(Kind::SblNode, "HV01".to_owned(), "storage bus".to_owned())]
    );
    assert!(is_state(&home.path().join("SDDCReport.txt")) && is_state(&home.path().join("x.LOG")));
}

/// As `wevtutil qe Microsoft-Windows-Storage-Storport/Health /f:xml` writes it, with a drive's log of nothing but its spare capacity.
#[test]
fn events_of_the_log_are_of_the_computer_that_they_name_and_of_their_own_time() {
    let mut page = vec![0_u8; 512];
    page[3] = 90;
    let digits: String = page.iter().map(|byte| format!("{byte:02X}")).collect();
    let event = |id: u16, computer: &str, fields: &[(&str, &str)]| {
        let fields: String = fields
            .iter()
            .map(|(name, value)| format!("<Data Name='{name}'>{value}</Data>"))
            .collect();
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-StorPort'/>\
             <EventID>{id}</EventID><TimeCreated SystemTime='2026-09-22T03:13:00.5000000Z'/>{computer}</System>\
             <EventData>{fields}</EventData></Event>\n"
        )
    };
    let drive = ("SerialNumber", "S1");
    let health = [drive, ("NvmeHealthLog", digits.as_str())];
    let buckets = [drive, ("IoLatencyBuckets", "1ms"), ("BucketIoSuccess1", "5")];
    let named = "<Computer>HV01.contoso.com</Computer>";
    let file = [
        event(512, named, &health),
        event(505, named, &buckets),
        event(512, "", &health),
        event(510, named, &health),
    ]
    .concat();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("health.xml");
    // As PowerShell 5.1 writes files.
    let units: Vec<u8> = std::iter::once(0xfeff)
        .chain(file.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    fs::write(&path, units).expect("written");
    let import = read(&path);
    assert_eq!(said(&import), [(Kind::NvmeHealth, "HV01".to_owned(), "S1".to_owned())]);
    let row = &import.observations[0];
    assert_eq!(
        (row.observed_unix_nanos, row.number("available_spare_percent")),
        (1_790_046_780_500_000_000, Some(90))
    );
    let told = &import.files[0];
    assert_eq!((told.objects, told.samples, &told.fault), (4, 2, &None));
    assert_eq!(
        told.refused,
        BTreeMap::from([
            (OF_NO_NODE.to_owned(), 1),
            (
                "event 510 of `Microsoft-Windows-StorPort` is not decoded here".to_owned(),
                1
            ),
        ])
    );
    // What names no computer is the node's that was given for the file.
    let given = read_state(&[path], Some(&"HV02".into()), &"c".into(), None).expect("it reads");
    let nodes: Vec<String> = said(&given).into_iter().map(|(_, node, _)| node).collect();
    assert_eq!(nodes, ["HV01", "HV02"]);
}

/// A list with nothing in it was no reading: jobs that had ended ran on for ever. And that a file was broken was said once, and nowhere after.
#[test]
fn an_empty_list_is_a_reading_and_a_broken_file_one_that_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    fs::create_dir_all(home.join("a/Node_HV01")).expect("a folder");
    fs::write(home.join("a/GetStorageJob.json"), "[ ]\r\n").expect("written");
    fs::write(home.join("a/GetStoragePool.XML"), &PORT[..80]).expect("written");
    fs::write(home.join("a/Node_HV01/Get-NetQosPolicy.json"), "[]").expect("written");
    fs::write(home.join("a/Node_HV01/notes.json"), "[]").expect("written");
    fs::write(home.join("a/what.json"), "[{").expect("written");
    // Another file of the path has what this one has not.
    fs::write(home.join("a/GetPhysicalDisk.json"), "[]").expect("written");
    fs::write(home.join("a/disks.json"), DISK).expect("written");
    let import = read(&home.join("a"));
    let polls = import.observations.iter().filter(|row| row.kind == Kind::Source);
    let said: BTreeMap<String, (String, Option<u64>, Option<bool>)> = polls
        .map(|row| {
            (
                row.id.clone(),
                (row.node.to_string(), row.number("instances"), row.flag("full")),
            )
        })
        .collect();
    let wanted = [
        ("disk/import", ("c", Some(1), Some(true))),
        ("file/what.json", ("c", None, Some(false))),
        ("pool/import", ("c", None, Some(false))),
        ("qos_policy/import", ("HV01", Some(0), Some(true))),
        ("storage_job/import", ("c", Some(0), Some(true))),
    ];
    let wanted = wanted.map(|(id, (node, count, full))| (id.to_owned(), (node.to_owned(), count, full)));
    assert_eq!(said, BTreeMap::from(wanted));
    let pool = import
        .observations
        .iter()
        .find(|row| row.id == "pool/import")
        .expect("it is said");
    assert_eq!(pool.flag("available"), Some(false));
    assert!(pool.text("reason").expect("a reason").contains("not XML"));
}

/// A file that names the computer that it was read on hid what an older one says of the same cluster, which names none.
#[test]
fn files_of_one_path_hide_nothing_of_each_other_whoever_they_were_read_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let other =
        r#"[{"FriendlyName": "b", "UniqueId": "eui.2", "MediaType": 4, "CanPool": false, "PSComputerName": "HV01"}]"#;
    for (name, content, seconds) in [("a.json", other, 1_000), ("b.json", DISK, 2_000)] {
        let file = folder.path().join(name);
        fs::write(&file, content).expect("written");
        let at = UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let opened = File::options().write(true).open(&file).expect("it is there");
        opened.set_modified(at).expect("a time of its own");
    }
    let import = read_state(&[folder.path().to_owned()], None, &"c".into(), None).expect("it reads");
    let mut picture = history::Picture::at(i64::MAX);
    import.observations.iter().for_each(|row| picture.add(row));
    let ids: Vec<String> = picture.of(Kind::Disk).map(|fact| fact.observation.id).collect();
    assert_eq!(ids, ["eui.1", "eui.2"]);
}

fn at_once(files: &[(&str, &str)]) -> StateImport {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }
    read(folder.path())
}

fn reading_of<'a>(import: &'a StateImport, id: &str) -> &'a Observation {
    let found = import.observations.iter().find(|row| row.id == id);
    found.unwrap_or_else(|| panic!("no {id} in {:?}", import.observations))
}

/// Of all that an SDDC folder or a cmdlet writes of nothing, `[]` alone was taken for that: jobs that had ended ran on.
#[test]
fn whatever_is_written_of_nothing_is_a_reading_and_an_empty_file_else_is_not() {
    for (name, content) in [
        (
            "GetStorageJob.XML",
            "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\" />",
        ),
        ("GetStorageJob.XML", "<Objs Version=\"1.1.0.1\">\r\n</Objs>"),
        // ConvertTo-Json of nothing writes nothing.
        ("GetStorageJob.json", ""),
        ("GetStorageJob.json", "\u{feff}"),
        ("GetStorageJob.json", "[]"),
    ] {
        let job = r#"[{"Name": "Vol1-Repair", "UniqueId": "j", "JobState": 4, "PercentComplete": 10}]"#;
        let (before, after) = (at_once(&[("GetStorageJob.json", job)]), at_once(&[(name, content)]));
        let reading = reading_of(&after, "storage_job/import");
        assert_eq!(
            (reading.flag("full"), reading.number("instances")),
            (Some(true), Some(0)),
            "{name}"
        );
        assert!(after.files[0].is_whole(), "{:?}", after.files);
        let mut picture = history::Picture::at(i64::MAX);
        before.observations.iter().for_each(|row| picture.add(row));
        assert_eq!(picture.of(Kind::StorageJob).count(), 1);
        for row in &after.observations {
            picture.add(&Observation {
                observed_unix_nanos: 8,
                ..row.clone()
            });
        }
        assert_eq!(picture.of(Kind::StorageJob).count(), 0, "{name}: {content}");
    }
    // Export-Clixml has a document even of nothing, and what was printed may be that a cmdlet failed.
    for (name, content) in [
        ("GetStorageJob.XML", ""),
        ("GetStorageJob.txt", ""),
        ("GetStorageJob.txt", "Get-StorageJob : Access denied"),
        ("GetStorageJob.json", "[null]"),
        ("GetStorageJob.json", "null"),
    ] {
        let import = at_once(&[(name, content)]);
        let reading = reading_of(&import, "storage_job/import");
        assert_eq!(reading.flag("available"), Some(false), "{name}: {content}");
        assert!(
            reading.text("reason").is_some() && !import.files[0].is_whole(),
            "{name}: {content}"
        );
    }
}

/// Files without an object passed with `nothing of 0 objects`.
#[test]
fn a_broken_or_empty_file_of_a_node_is_a_reading_that_failed() {
    let import = at_once(&[
        ("Node_HV01/GetNetAdapter.XML", "not xml"),
        ("Node_HV01/GetSmbMultichannelConnection.XML", ""),
    ]);
    for (id, why) in [
        ("adapter/import", "no JSON, no CLIXML"),
        ("smb_connection/import", "the file is empty"),
    ] {
        let reading = reading_of(&import, id);
        assert_eq!(
            (reading.node.as_str(), reading.flag("available")),
            ("HV01", Some(false))
        );
        assert!(
            reading.text("reason").is_some_and(|reason| reason.contains(why)),
            "{reading:?}"
        );
    }
    assert!(import.files.iter().all(|file| file.fault.is_some()));
}

#[test]
fn an_object_that_takes_the_place_of_another_of_its_file_is_told() {
    let twice = r#"[{"FriendlyName": "a", "UniqueId": "eui.1", "MediaType": 4, "CanPool": false, "HealthStatus": 0},
        {"FriendlyName": "b", "UniqueId": "eui.1", "MediaType": 4, "CanPool": false, "HealthStatus": 1}]"#;
    let file = &at_once(&[("disks.json", twice)]).files[0];
    let why: Vec<&String> = file.refused.keys().collect();
    assert!(
        why.len() == 1 && why[0].contains("disk that says something else of the same id"),
        "{why:?}"
    );
    assert!(!file.is_whole());
    // What says the same twice takes nothing away.
    let same = format!("[{0}, {0}]", &DISK[1..DISK.len() - 1]);
    let file = &at_once(&[("disks.json", same.as_str())]).files[0];
    assert!(file.is_whole(), "{file:?}");
    // What is of no class that is told of is no part of what a file should have.
    let other = r#"<Objs><Obj RefId="0"><TN RefId="0"><T>x.CimInstance#root/cimv2/Win32_Fan</T></TN><Props><S N="Name">a</S></Props></Obj></Objs>"#;
    assert!(
        at_once(&[("fans.xml", other), ("disks.json", DISK)])
            .files
            .iter()
            .all(StateFile::is_whole)
    );
}
