use serde_json::json;

use super::*;

fn extent() -> Value {
    json!({
        "VirtualDiskUniqueId": "66C74EBBE4A8954FB33F362DCBED4BA6", "VirtualDiskOffset": 154_618_822_656_u64,
        "Size": 1_073_741_824, "CopyNumber": 2, "ColumnNumber": 1, "PhysicalDiskUniqueId": "eui.ABC52D0055692058",
        "PhysicalDiskOffset": 82_141_249_536_u64, "ReplacementCopyNumber": null, "OperationalStatus": "Stale Metadata",
        "CimClass": {"CimClassName": "MSFT_PhysicalExtent"},
    })
}

fn read(extents: &[Value], disks: &[Value]) -> Result<Places, String> {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, rows: &[Value]| {
        let path = folder.path().join(name);
        // One row is an object, as ConvertTo-Json has it.
        let text = match rows {
            [one] => one.to_string(),
            rows => Value::Array(rows.to_vec()).to_string(),
        };
        fs::write(&path, text).unwrap();
        path
    };
    Places::read(&[put("extents.json", extents)], &[put("disks.json", disks)]).map_err(|error| error.to_string())
}

/// The values of `Get-PhysicalExtent` on a real cluster.
#[test]
fn extent_is_read_whatever_form_its_numbers_have() {
    let expected = PlacedExtent {
        volume: DiskKey("66c74ebbe4a8954fb33f362dcbed4ba6".to_owned()),
        volume_offset: 154_618_822_656,
        length: 1_073_741_824,
        copy: 2,
        disk: DiskKey("eui.abc52d0055692058".to_owned()),
        disk_offset: 82_141_249_536,
        column: 1,
        stripe: None,
    };
    let one = read(&[extent()], &[]).unwrap();
    assert_eq!(one.extents, std::slice::from_ref(&expected));
    let mut as_text = extent();
    as_text["VirtualDiskOffset"] = json!("154618822656");
    as_text["ReplacementCopyNumber"] = json!("");
    // The same row of another node is the same extent.
    assert_eq!(read(&[as_text, extent()], &[]).unwrap().extents, [expected]);
}

#[test]
fn copy_that_is_being_made_is_left_out_and_counted() {
    let mut being_made = extent();
    being_made["ReplacementCopyNumber"] = json!(1);
    let places = read(&[being_made, extent()], &[]).unwrap();
    assert_eq!((places.extents.len(), places.replacements), (1, 1));
}

#[test]
fn several_columns_are_read_with_what_the_virtual_disk_says_of_them() {
    let mut other = extent();
    other["ColumnNumber"] = json!(0);
    let virtual_disk = json!({
        "UniqueId": other["VirtualDiskUniqueId"].clone(), "NumberOfColumns": 2, "Interleave": "262144",
    });
    for (extents, disks) in [
        (vec![extent(), other.clone(), virtual_disk.clone()], Vec::new()),
        (vec![extent(), other.clone()], vec![virtual_disk]),
    ] {
        let places = read(&extents, &disks).unwrap();
        assert_eq!(places.extents.len(), 2);
        let known = places.striping.values().next().unwrap();
        assert_eq!((known.columns, known.interleave_bytes), (Some(2), Some(262_144)));
    }
}

#[test]
fn disks_are_read_from_each_cmdlet() {
    let rows = [
        json!({"Node": "N:Contoso-N01", "DiskNumber": 1003, "UniqueId": "{A-1}", "IsPhysicallyConnected": true}),
        json!({"Node": "N:contoso-n02", "DiskNumber": 1003, "UniqueId": "A-1", "IsPhysicallyConnected": false}),
        json!({"PSComputerName": "contoso-n02.example.org", "Number": 7, "UniqueId": "V", "FriendlyName": " Volume1 "}),
        json!({"PSComputerName": "contoso-n01", "Number": null, "UniqueId": "V"}),
        json!({"StorageNode": {"Name": "n3"}, "DiskNumber": "2000", "PhysicalDisk": {"UniqueId": "B", "FriendlyName": "NVMe"}}),
    ];
    let disk = |node: &str, number, disk: &str, name: Option<&str>| NumberedDisk {
        node: node.to_owned(),
        number,
        disk: DiskKey(disk.to_owned()),
        name: name.map(ToOwned::to_owned),
    };
    assert_eq!(
        read(&[], &rows).unwrap().disks,
        [
            disk("contoso-n01", 1003, "a-1", None),
            disk("contoso-n02", 7, "v", Some("Volume1")),
            disk("n3", 2000, "b", Some("NVMe")),
        ]
    );
}

#[test]
fn rows_that_are_none_are_refused_with_their_number() {
    let refused = |extents: &[Value], disks: &[Value]| read(extents, disks).unwrap_err();
    let mut broken = extent();
    broken["Size"] = json!(-1);
    assert!(refused(&[extent(), broken], &[]).contains("extents.json: row 1: Size is -1"));
    let mut broken = extent();
    broken.as_object_mut().unwrap().remove("PhysicalDiskOffset");
    assert!(refused(&[broken], &[]).contains("row 0: no PhysicalDiskOffset"));
    assert!(refused(&[], &[json!({"Number": 1, "UniqueId": "a"})]).contains("disks.json: row 0: no node"));
    assert!(refused(&[], &[json!({"Node": "n", "Number": 1})]).contains("no UniqueId"));
    let twice = [
        json!({"Node": "n", "Number": 1, "UniqueId": "a"}),
        json!({"Node": "n", "Number": 1, "UniqueId": "b"}),
    ];
    assert!(refused(&[], &twice).contains("disk 1 of n is b here and was a before"));
}

#[test]
fn text_is_read_as_powershell_writes_it() {
    let utf16 = |mark: u16, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(mark)
            .chain("[ö]".encode_utf16())
            .flat_map(bytes)
            .collect()
    };
    assert_eq!(decode(&utf16(0xfeff, u16::to_le_bytes)).as_deref(), Some("[ö]"));
    assert_eq!(decode(&utf16(0xfeff, u16::to_be_bytes)).as_deref(), Some("[ö]"));
    assert_eq!(decode("\u{feff}[ö]".as_bytes()).as_deref(), Some("[ö]"));
    assert_eq!(decode("[ö]".as_bytes()).as_deref(), Some("[ö]"));
    assert_eq!(decode(b"[\xf6]"), None);
}
