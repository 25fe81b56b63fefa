//! What no query lists and only methods give out: where virtual disks lie, whether ReFS keeps checksums, which drives are bound to a cache.

use fathom_model::NodeId;
use fathom_state::{Bag, Raw, decode, within};

use super::{Asks, MOST, Objects, PATH, all};

/// A method to be called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Method<'a> {
    /// The class that has it.
    pub class: &'static str,
    /// The object that it is called of; the class itself of a method that needs none.
    pub path: &'a str,
    /// Its name.
    pub name: &'static str,
    /// What it is given: texts and whole numbers, by name.
    pub given: &'a [(&'static str, Raw)],
}

/// Where a virtual disk lies is given out by its method GetPhysicalExtent. One that fails fails all: what was left out would seem to be gone.
pub(super) fn extents(asks: &mut impl Asks) -> Result<Objects, String> {
    const METHOD: &str = "GetPhysicalExtent";
    let mut extents = Vec::new();
    for disk in all(asks, "MSFT_VirtualDisk")? {
        let name = disk.text("FriendlyName").or_else(|| disk.text("UniqueId"));
        let name = name.unwrap_or_else(|| "a virtual disk without a name".to_owned());
        let path = disk
            .text(PATH)
            .ok_or_else(|| format!("{name} has no path to ask it by"))?;
        let failed = |why: String| format!("{METHOD} of {name}: {why}");
        let method = Method {
            class: "MSFT_VirtualDisk",
            path: &path,
            name: METHOD,
            given: &[],
        };
        let mut out = asks.call(&method).map_err(failed)?;
        done(&out).map_err(failed)?;
        let items = match out.take("PhysicalExtents") {
            Some(Raw::List(items)) => items,
            Some(one @ Raw::Object(_)) => vec![one],
            Some(Raw::Null) => Vec::new(),
            Some(other) => return Err(failed(format!("its extents are {} and no list", other.what()))),
            None => return Err(failed("it gave no extents out".to_owned())),
        };
        for item in items {
            let Raw::Object(mut extent) = item else {
                return Err(failed(format!("an extent is {} and no object", item.what())));
            };
            extent.class.get_or_insert_with(|| "MSFT_PhysicalExtent".to_owned());
            if extent.text("VirtualDiskUniqueId").is_none()
                && let Some(unique_id) = disk.text("UniqueId")
            {
                extent.set("VirtualDiskUniqueId", Raw::Text(unique_id));
            }
            extents.push(extent);
        }
        if extents.len() > MOST {
            break;
        }
    }
    Ok(extents.into())
}

/// Whether a method of the storage classes did what it was called for.
fn done(out: &Bag) -> Result<(), String> {
    match out.get("ReturnValue") {
        Some(Raw::Integer(0)) => Ok(()),
        Some(Raw::Integer(number)) => Err(returned(*number)),
        _ => Err("it did not say whether it did it".to_owned()),
    }
}

/// What a method of the storage classes returns (MicrosoftDocs/windows-driver-docs, MSFT_VirtualDisk).
fn returned(number: i128) -> String {
    let what = match number {
        1 => "not supported",
        2 => "unspecified error",
        3 => "timeout",
        4 => "failed",
        5 => "invalid parameter",
        40001 => "access denied",
        46000 => "the provider of storage cannot be reached",
        _ => return format!("it returned {number}"),
    };
    format!("{what} (it returned {number})")
}

/// Where the virtual machines' files are said.
const VIRTUALIZATION: &str = r"root\virtualization\v2";

/// Files whose integrity is asked in one reading at most: each is a question of its own.
const MOST_FILES: usize = 4096;

/// File systems of MSFT_Volume that keep checksums of data: ReFS, and ReFS under the cluster's file system.
const REFS: [i128; 2] = [15, 0x8001];

/// Whether ReFS keeps checksums is a property of each file and folder, answered by a static method for one name at a time. Asked are the roots
/// of the volumes, whose setting is what is made in them has from then on, and the files of this node's virtual machines: those are what is
/// written. A file on another file system has none (the method does not support it), and is left out.
pub(super) fn integrity(asks: &mut impl Asks) -> Result<Objects, String> {
    const CLASS: &str = "MSFT_FileIntegrity";
    let mut names: Vec<String> = Vec::new();
    for volume in all(asks, "MSFT_Volume")? {
        let is_refs = matches!(volume.get("FileSystemType"), Some(Raw::Integer(kind)) if REFS.contains(kind));
        names.extend(volume.text("Path").filter(|_| is_refs));
    }
    let mut notes = Vec::new();
    match asks.rows_of(VIRTUALIZATION, "SELECT * FROM Msvm_StorageAllocationSettingData") {
        Ok(files) => {
            let mut paths: Vec<String> = files.iter().filter_map(disk_file).collect();
            paths.sort();
            paths.dedup();
            names.extend(paths);
        }
        // A node without Hyper-V has no files, and its volumes are asked all the same.
        Err(why) => notes.push(format!("files of virtual machines are not known: {why}")),
    }
    if names.len() > MOST_FILES {
        notes.push(format!("of {} files {MOST_FILES} were asked", names.len()));
        names.truncate(MOST_FILES);
    }
    let mut objects = Objects::default();
    let (mut elsewhere, mut silent) = (0_u64, Vec::new());
    for name in names {
        let given = [("FileName", Raw::Text(name.clone()))];
        let method = Method {
            class: CLASS,
            path: CLASS,
            name: "Get",
            given: &given,
        };
        let told = asks.call(&method).and_then(|mut out| {
            if matches!(out.get("ReturnValue"), Some(Raw::Integer(NOT_SUPPORTED))) {
                return Ok(None);
            }
            done(&out)?;
            match out.take("FileIntegrity") {
                Some(Raw::Object(told)) => Ok(Some(told)),
                Some(other) => Err(format!("what it gave out is {} and no object", other.what())),
                None => Err("it gave nothing out".to_owned()),
            }
        });
        let mut bag = match told {
            Ok(Some(told)) => told,
            Ok(None) => {
                elsewhere += 1;
                continue;
            }
            Err(why) => {
                let broken = || Raw::Broken("it did not answer");
                silent.push(format!("{name}: {why}"));
                Bag::default().with("Enabled", broken()).with("Enforced", broken())
            }
        };
        bag.class = Some(CLASS.to_owned());
        bag.set("FileName", Raw::Text(name));
        objects.bags.push(bag);
    }
    if elsewhere > 0 {
        notes.push(format!("files on no ReFS: {elsewhere}"));
    }
    if let Some(why) = silent.first() {
        if silent.len() == objects.bags.len() {
            return Err(format!("no file answered: {why}"));
        }
        notes.push(format!("files that did not answer: {} ({why})", silent.len()));
    }
    objects.note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(objects)
}

/// What a method returns that does not support what it is asked.
const NOT_SUPPORTED: i128 = 1;

/// The file of a setting of storage, where it is a hard disk's.
fn disk_file(setting: &Bag) -> Option<String> {
    // Which settings are files of hard disks, the table of state knows; the name of the node does not matter here.
    let decoded = decode(setting, &NodeId::new("here"), 0).ok()?;
    decoded.first()?.text("path").map(str::to_owned)
}

/// Which drives are bound to a cache store the store's own drive knows, by a method that is given the way to it and the store
/// (microsoft/wmi `server23h2/root/wmi/ClusBfltPathMethods.go`; so does Get-StorageBusBinding of the module StorageBusCache). It changes
/// nothing. A drive whose store is gone is not found this way.
pub(super) fn bindings(asks: &mut impl Asks) -> Result<Objects, String> {
    const METHODS: &str = "ClusBfltPathMethods";
    let stores: Vec<Bag> = within::parts(&all(asks, "ClusBfltCacheStoresInformation")?);
    if stores.is_empty() {
        return Ok(Objects::default());
    }
    let methods = all(asks, METHODS)?;
    let path = methods.first().and_then(|methods| methods.text(PATH));
    let path = path.ok_or_else(|| format!("there is no {METHODS} to ask by"))?;
    let mut objects = Objects::default();
    let mut silent = Vec::new();
    for store in &stores {
        let id = store.text("Id").unwrap_or_default();
        let records = match store.get("PathId") {
            Some(way @ Raw::Integer(_)) if !id.is_empty() => {
                let given = [("PathId", way.clone()), ("CacheStoreId", Raw::Text(id.clone()))];
                let method = Method {
                    class: METHODS,
                    path: &path,
                    name: "QuerySsdBindingRecords",
                    given: &given,
                };
                asks.call(&method)
            }
            _ => Err("it has no way, or no id, to ask it by".to_owned()),
        };
        let records = records.and_then(|mut out| match out.take("BindingRecords") {
            Some(Raw::Object(mut records)) => {
                // The inner list is of records, whatever class the outer object names.
                records.class = Some("ClusBfltSsdBindingRecords".to_owned());
                Ok(within::parts(&[records]))
            }
            Some(Raw::Null) => Ok(Vec::new()),
            Some(other) => Err(format!("its bindings are {} and no object", other.what())),
            None => Err("it gave no bindings out".to_owned()),
        });
        match records {
            Ok(records) => {
                let of_store = records.into_iter().map(|record| {
                    let page = store.get("PageSize").cloned().unwrap_or(Raw::Null);
                    let drive = store.get("DeviceGuid").cloned().unwrap_or(Raw::Null);
                    let record = record.with("CacheStoreId", Raw::Text(id.clone()));
                    record
                        .with("CacheStoreDeviceId", drive)
                        .with("CacheStorePageSize", page)
                });
                objects.bags.extend(of_store);
            }
            Err(why) => silent.push(format!("{id}: {why}")),
        }
    }
    if let Some(why) = silent.first() {
        // What was left out would seem to be gone.
        return Err(format!(
            "{} of {} cache stores did not say which drives are bound to them: {why}",
            silent.len(),
            stores.len()
        ));
    }
    Ok(objects)
}
