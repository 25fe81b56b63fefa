//! What is reached from a job, and what only methods give out.

use super::*;

fn rows_of(objects: &Objects) -> Vec<fathom_model::state::Observation> {
    let each = objects.bags.iter();
    each.flat_map(|bag| decode(bag, &"n1".into(), 7).expect("it decodes"))
        .collect()
}

/// MSFT_StorageJobToAffectedStorageObject, by way of each job.
#[test]
fn what_a_job_works_on_is_reached_from_the_job() {
    let job = |name: &str| {
        object(
            "MSFT_StorageJob",
            &[
                (PATH, text(&format!("path of {name}"))),
                ("ObjectId", text(&format!("{{{name}}}"))),
            ],
        )
    };
    let affected = |class: &str, id: &str| object(class, &[("ObjectId", text(id)), ("UniqueId", text("not it"))]);
    let query = |name: &str| {
        format!("ASSOCIATORS OF {{path of {name}}} WHERE AssocClass = MSFT_StorageJobToAffectedStorageObject")
    };
    let mut asks = Fake::default()
        .with("SELECT * FROM MSFT_StorageJob", vec![job("a"), job("b")])
        .with(
            query("a"),
            vec![
                affected("MSFT_VirtualDisk", "{p}:VD:{v}"),
                affected("MSFT_StoragePool", "{p}:SP:{s}"),
            ],
        );
    let objects = read(&mut asks, "MSFT_StorageJobToAffectedStorageObject").expect("one says it");
    assert_eq!(
        objects.note.as_deref(),
        Some("1 of 2 jobs did not say what they work on: invalid query (0x80041017)")
    );
    let rows = rows_of(&objects);
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.id.as_str(),
                row.text("job_object_id"),
                row.text("affected_object_id"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("{a}/{p}:VD:{v}", Some("{a}"), Some("{p}:VD:{v}")),
            ("{a}/{p}:SP:{s}", Some("{a}"), Some("{p}:SP:{s}")),
        ]
    );
    let mut none = Fake::default().with("SELECT * FROM MSFT_StorageJob", vec![job("a")]);
    let why = read(&mut none, "MSFT_StorageJobToAffectedStorageObject").expect_err("nobody says it");
    assert!(why.starts_with("no job said what it works on: invalid query"), "{why}");
    let mut idle = Fake::default().with("SELECT * FROM MSFT_StorageJob", Vec::new());
    assert_eq!(
        read(&mut idle, "MSFT_StorageJobToAffectedStorageObject"),
        Ok(Objects::default())
    );
}

#[test]
fn roots_of_refs_and_files_of_machines_are_asked_for_checksums() {
    let volume = |path: &str, kind: i128| {
        object(
            "MSFT_Volume",
            &[("Path", text(path)), ("FileSystemType", Raw::Integer(kind))],
        )
    };
    let setting = |id: &str, kind: &str, path: &str| {
        object(
            "Msvm_StorageAllocationSettingData",
            &[
                ("InstanceID", text(id)),
                ("ResourceSubType", text(kind)),
                ("HostResource", Raw::List(vec![text(path)])),
            ],
        )
    };
    let disk = "Microsoft:Hyper-V:Virtual Hard Disk";
    let of = r"Microsoft:1C2BCB5B-37C1-4940-92B0-79BE7292D6B0\83F8638B-8DCA-4152-9EDA-2CA8B33039B4\0";
    let told = |enabled: Raw| {
        object(
            "__PARAMETERS",
            &[
                ("ReturnValue", Raw::Integer(0)),
                (
                    "FileIntegrity",
                    Raw::Object(object(
                        "MSFT_FileIntegrity",
                        &[("Enabled", enabled), ("Enforced", Raw::Bool(true))],
                    )),
                ),
            ],
        )
    };
    let returned = |number: i128| object("__PARAMETERS", &[("ReturnValue", Raw::Integer(number))]);
    let files = r"root\virtualization\v2: SELECT * FROM Msvm_StorageAllocationSettingData";
    let method = |name: &str| format!("MSFT_FileIntegrity FileName={name}");
    let root = r"\\?\Volume{a}\";
    let volumes = vec![volume(root, 0x8001), volume(r"\\?\Volume{n}\", 14)];
    let mut asks = Fake::default()
        .with("SELECT * FROM MSFT_Volume", volumes.clone())
        .with(
            files,
            vec![
                setting(&format!(r"{of}\0\L"), disk, r"C:\ClusterStorage\v\a.vhdx"),
                setting(&format!(r"{of}\1\L"), disk, r"D:\b.vhdx"),
                setting(&format!(r"{of}\2\L"), disk, r"C:\ClusterStorage\v\c.vhdx"),
                setting(
                    &format!(r"{of}\3\L"),
                    "Microsoft:Hyper-V:Virtual CD/DVD Disk",
                    r"C:\x.iso",
                ),
            ],
        )
        .giving(&method(root), told(Raw::Bool(false)))
        .giving(&method(r"C:\ClusterStorage\v\a.vhdx"), told(Raw::Bool(true)))
        .giving(&method(r"D:\b.vhdx"), returned(1))
        .giving(&method(r"C:\ClusterStorage\v\c.vhdx"), returned(4));
    let objects = read(&mut asks, "MSFT_FileIntegrity").expect("some say it");
    assert_eq!(
        objects.note.as_deref(),
        Some(r"files on no ReFS: 1; files that did not answer: 1 (C:\ClusterStorage\v\c.vhdx: failed (it returned 4))")
    );
    let rows = rows_of(&objects);
    let said: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.flag("enabled"))).collect();
    assert_eq!(
        said,
        [
            (root, Some(false)),
            (r"C:\ClusterStorage\v\a.vhdx", Some(true)),
            (r"C:\ClusterStorage\v\c.vhdx", None),
        ]
    );
    assert_eq!(rows[2].unavailable["enabled"], "it did not answer");
    assert!(asks.called.iter().all(|called| called == "MSFT_FileIntegrity.Get"));
    // Without Hyper-V the volumes are asked all the same, and one that gives out something else is one that did not answer.
    let mut asks = Fake::default().with("SELECT * FROM MSFT_Volume", volumes).giving(
        &method(root),
        returned(0).with("FileIntegrity", text("an object as a text")),
    );
    let why = read(&mut asks, "MSFT_FileIntegrity").expect_err("nothing is known");
    assert!(why.ends_with("what it gave out is a text and no object"), "{why}");
}

/// ClusBfltPathMethods gives out ClusBfltSsdBindingRecords for a way and a store.
#[test]
fn drives_bound_to_a_cache_are_those_that_its_store_names() {
    let store = |id: &str, way: Raw| {
        Raw::Object(object(
            "ClusBfltCacheStoreInformation",
            &[
                ("Id", text(id)),
                ("DeviceGuid", text("{ssd}")),
                ("PathId", way),
                ("PageSize", Raw::Integer(16)),
            ],
        ))
    };
    let stores = |all: Vec<Raw>| object("ClusBfltCacheStoresInformation", &[("CacheStoreInfo", Raw::List(all))]);
    let methods = object("ClusBfltPathMethods", &[(PATH, text("the methods"))]);
    let record = Raw::Object(object(
        "ClusBfltHddBindingRecord",
        &[
            ("BindingId", text("{b}")),
            ("DeviceGuid", text("{hdd}")),
            ("DeviceSize", text("8001563222016")),
            ("cPages", Raw::Integer(1000)),
            ("cDirtyPages", Raw::Integer(7)),
            ("Flags", Raw::Integer(5)),
        ],
    ));
    let given = |records: Raw| {
        let records = Raw::Object(object(
            "ClusBfltSsdBindingRecords",
            &[("NumberOfBindingRecords", Raw::Integer(1)), ("BindingRecords", records)],
        ));
        object("__PARAMETERS", &[("BindingRecords", records)])
    };
    let asking = |all: Vec<Raw>| {
        Fake::default()
            .with("SELECT * FROM ClusBfltCacheStoresInformation", vec![stores(all)])
            .with("SELECT * FROM ClusBfltPathMethods", vec![methods.clone()])
            .giving(
                "the methods PathId=Integer(3) CacheStoreId={s}",
                given(Raw::List(vec![record.clone()])),
            )
    };
    let mut asks = asking(vec![store("{s}", Raw::Integer(3))]);
    let objects = read(&mut asks, "ClusBfltHddBindingRecord").expect("the store says it");
    let row = &rows_of(&objects)[0];
    assert_eq!(
        (
            row.id.as_str(),
            row.text("device_guid"),
            row.text("store_id"),
            row.text("store_device_guid")
        ),
        ("{b}", Some("{hdd}"), Some("{s}"), Some("{ssd}"))
    );
    assert_eq!(
        (
            row.number("dirty_pages"),
            row.number("page_size"),
            row.number("size_bytes"),
            row.number("flags")
        ),
        (Some(7), Some(16), Some(8_001_563_222_016), Some(5))
    );
    assert_eq!(asks.called, ["ClusBfltPathMethods.QuerySsdBindingRecords"]);
    // A store that does not say it makes all unknown: what was left out would seem to be gone.
    for way in [Raw::Integer(4), Raw::Null] {
        let mut asks = asking(vec![store("{s}", Raw::Integer(3)), store("{t}", way)]);
        let why = read(&mut asks, "ClusBfltHddBindingRecord").expect_err("one is silent");
        assert!(why.starts_with("1 of 2 cache stores did not say"), "{why}");
    }
    // Where there is no cache nobody is asked, and there are none.
    let mut asks = Fake::default().with("SELECT * FROM ClusBfltCacheStoresInformation", Vec::new());
    assert_eq!(read(&mut asks, "ClusBfltHddBindingRecord"), Ok(Objects::default()));
}
