//! Machines, files and volumes come together by identity, and what is not known is said.

use fathom_model::state::Observation;

use super::*;
use crate::history::Poll;

const WEB: &str = "D99A57FE-9F2F-44EE-B15F-BF6C5D740D1C";

fn machine(node: &str, id: &str, name: &str) -> Observation {
    Observation::new(node.into(), Kind::Vm, id, 5)
        .with("vm_id", id)
        .with("name", name)
}

fn file(node: &str, id: &str, path: &str) -> Observation {
    Observation::new(node.into(), Kind::Vhd, format!("{id}/{path}"), 5)
        .with("vm_id", id)
        .with("path", path)
}

fn read(node: &str, kind: Kind) -> Observation {
    let poll = Poll {
        kind,
        class: "c".to_owned(),
        outcome: Ok(1),
        full: true,
    };
    poll.observation(&node.into(), 5)
}

fn put_together(rows: &[Observation]) -> BTreeMap<Key, BTreeMap<String, Value>> {
    let mut picture = Picture::at(10);
    rows.iter().for_each(|row| picture.add(row));
    beside(&picture)
}

fn texts(value: &Value) -> Vec<&str> {
    value.items().iter().filter_map(Value::as_str).collect()
}

#[test]
fn a_path_tells_its_volume() {
    let on = |path: &str| volume_of(path).unwrap_or_default();
    assert_eq!(on(r"C:\ClusterStorage\Volume1\web\os.vhdx"), "Volume1");
    assert_eq!(on(r"c:\clusterstorage\Mirror 01\a\b.avhdx"), "Mirror 01");
    assert_eq!(on(r"\\?\C:\ClusterStorage\V\a.vhdx"), "V");
    assert_eq!(on(r"d:\VMs\a.vhdx"), "D:");
    assert_eq!(on(r"\\sofs\vms\a.vhdx"), r"\\sofs\vms");
    assert_eq!(on(r"\\?\Volume{12-34}\a.vhdx"), r"\\?\Volume{12-34}");
    // A file beside the volumes is on none of them, and a name alone is of nowhere.
    for odd in [
        r"C:\ClusterStorage\a.vhdx",
        r"C:\ClusterStorage",
        "a.vhdx",
        "",
        r"\\sofs",
        r"C:\ClusterStorage\\x",
    ] {
        assert!(
            matches!(volume_of(odd).as_deref(), None | Some("C:")),
            "{odd}: {:?}",
            volume_of(odd)
        );
    }
    assert_eq!(volume_of(r"C:\ClusterStorage\a.vhdx"), None);
}

#[test]
fn a_machine_has_its_files_with_their_volumes_and_virtual_disks() {
    let csv = Observation::new("n1".into(), Kind::Csv, "c", 5)
        .with("name", "Cluster Virtual Disk (Mirror01)")
        .with("volume", "Volume1");
    let disk = Observation::new("n1".into(), Kind::VirtualDisk, "d", 5).with("name", "Mirror01");
    let os = file("n1", WEB, r"c:\clusterstorage\volume1\web\os.vhdx");
    let data = file("n1", WEB, r"C:\ClusterStorage\Other\web\data.vhdx");
    let web = machine("n1", WEB, "web");
    // Of a checkpoint: its settings have an owner of their own, and no machine is called so.
    let old = file(
        "n1",
        "1C2BCB5B-37C1-4940-92B0-79BE7292D6B0",
        r"C:\ClusterStorage\Volume1\web\old.vhdx",
    );
    let rows = [
        csv,
        disk,
        os.clone(),
        data,
        web.clone(),
        old.clone(),
        read("n1", Kind::Vhd),
    ];
    let beside = put_together(&rows);
    let of_web = &beside[&web.key()];
    assert_eq!(texts(&of_web["volumes"]), ["Other", "Volume1"]);
    assert_eq!(texts(&of_web["vhds"]).len(), 2);
    assert!(!of_web.contains_key("vhds_unknown"));
    let of_os = &beside[&os.key()];
    assert_eq!(
        (
            of_os["vm"].as_str(),
            of_os["volume"].as_str(),
            of_os["virtual_disk"].as_str()
        ),
        (Some("web"), Some("Volume1"), Some("Mirror01"))
    );
    assert!(is_on(of_os, "MIRROR01") && is_on(of_os, "volume1") && !is_on(of_os, "Other"));
    assert!(is_on(of_web, "other") && !is_on(of_web, "nowhere"));
    assert_eq!(beside[&old.key()]["attached"], Value::Bool(false));
}

#[test]
fn files_that_were_not_read_are_unknown_and_not_none() {
    let web = machine("n1", WEB, "web");
    let unread = put_together(&[web.clone(), read("n1", Kind::Vm)]);
    let why = unread[&web.key()]["vhds_unknown"].as_str().unwrap_or_default();
    assert!(why.starts_with("n1 has not said"), "{why}");
    let none = put_together(&[web.clone(), read("n1", Kind::Vm), read("n1", Kind::Vhd)]);
    assert_eq!(none[&web.key()]["vhds"], Value::List(Vec::new()));
    // A file whose path is null, and a drive that was cut off.
    let mut blank = file("n1", WEB, "x");
    blank.attributes.remove("path");
    let cut = web.clone().with("drives_unread", 3_u64);
    let some = put_together(&[cut.clone(), blank, read("n1", Kind::Vhd)]);
    assert_eq!(
        some[&cut.key()]["vhds_unknown"].as_str(),
        Some("of 3 of its drives no file is known")
    );
}

#[test]
fn a_machine_at_two_nodes_says_so_and_each_has_only_its_own_nodes_files() {
    let (here, there) = (machine("n1", WEB, "web"), machine("n2", WEB, "web"));
    let path = r"C:\ClusterStorage\V\a.vhdx";
    let rows = [
        here.clone(),
        there.clone(),
        file("n2", WEB, path),
        read("n1", Kind::Vhd),
        read("n2", Kind::Vhd),
    ];
    let beside = put_together(&rows);
    assert_eq!(texts(&beside[&here.key()]["also_on"]), ["n2"]);
    assert_eq!(texts(&beside[&there.key()]["also_on"]), ["n1"]);
    assert!(texts(&beside[&here.key()]["vhds"]).is_empty());
    assert_eq!(texts(&beside[&there.key()]["vhds"]), [path]);
}

#[test]
fn a_cmdlets_files_are_a_machines_by_name_where_nothing_else_is_said() {
    let web = Observation::new("n1".into(), Kind::Vm, "web", 5).with("name", "web");
    let own = Observation::new("n1".into(), Kind::Vhd, "web/a", 5)
        .with("vm_name", "web")
        .with("path", r"C:\ClusterStorage\V\a.vhdx");
    let other = Observation {
        id: "web/b".to_owned(),
        ..own.clone().with("checkpoint", "before the update")
    };
    let beside = put_together(&[web.clone(), own.clone(), other.clone()]);
    assert_eq!(texts(&beside[&web.key()]["vhds"]).len(), 1);
    assert_eq!(
        (&beside[&own.key()]["attached"], &beside[&other.key()]["attached"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
}
