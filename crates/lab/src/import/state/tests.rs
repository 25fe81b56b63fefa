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
