//! `root\virtualization\v2`: virtual machines and the VHDX files that are attached to them, each node for itself.
//!
//! Classes and properties are those of a 23H2 node (microsoft/wmi, `server23h2`, generated 14 June 2024), enumerations those of
//! MicrosoftDocs/win32 (HyperV_v2), and what Get-VM and Get-VMHardDiskDrive give are the properties of their types. Nothing of this was
//! read on a live node.
//!
//! A setting's `InstanceID` is `Microsoft:OWNER\CONTROLLER\…\L`: the owner is the machine, a checkpoint of one, or `Definition`, which is a
//! template that the pools give out. A cmdlet's `Id` of the same drive ends with `\D`.

use fathom_model::state::Kind;

use super::Take::{Bool, Code, Codes, Count, Text};
use super::{Class, Identity, property};
use crate::bag::{Bag, Raw};
use crate::codes::{VHD_CACHING, VM_CONTROLLER, VM_HEALTH, VM_OPERATIONAL, VM_STATE};
use crate::decode::Refused;

const VIRTUALIZATION: &str = r"root\virtualization\v2";

pub(super) const CLASSES: &[Class] = &[MACHINE, FILE];

const MACHINE: Class = Class {
    names: &["Msvm_ComputerSystem", "VirtualMachine"],
    namespace: VIRTUALIZATION,
    kind: Kind::Vm,
    identity: Identity::First(&["VMId", "VMName"]),
    marks: &[
        &["VMId", "State", "Generation"],
        &["VMName", "State", "Generation"],
        &["Name", "State", "CPUUsage(%)"],
    ],
    each: None,
    properties: &[
        property(&["VMName"], "name", Text),
        property(&["VMId"], "vm_id", Text),
        property(&["EnabledState", "State"], "state", Code(&VM_STATE)),
        property(&["HealthState"], "health", Code(&VM_HEALTH)),
        property(&["OperationalStatus"], "operational_status", Codes(&VM_OPERATIONAL)),
        property(&["ConfigurationLocation"], "configuration_path", Text),
        property(&["Generation"], "generation", Count),
        property(&["ProcessorCount"], "processors", Count),
        property(&["IsClustered"], "clustered", Bool),
        property(&["Version"], "configuration_version", Text),
        // Drives that the output names and says nothing of.
        property(&["DrivesUnread"], "drives_unread", Count),
    ],
};

const FILE: Class = Class {
    names: &["Msvm_StorageAllocationSettingData", "HardDiskDrive"],
    namespace: VIRTUALIZATION,
    kind: Kind::Vhd,
    identity: Identity::First(&["VhdId"]),
    marks: &[&["ControllerType", "ControllerNumber", "ControllerLocation", "Path"]],
    each: None,
    properties: &[
        property(&["HostResource", "Path"], "path", Text),
        property(&["VMId"], "vm_id", Text),
        property(&["VMName"], "vm_name", Text),
        property(&["Checkpoint"], "checkpoint", Text),
        property(&["ControllerType"], "controller", Code(&VM_CONTROLLER)),
        property(&["ControllerNumber"], "controller_number", Count),
        property(&["ControllerLocation"], "controller_location", Count),
        property(&["PassThroughDisk"], "disk_number", Count),
        // 0 is no limit.
        property(&["IOPSLimit", "MaximumIOPS"], "iops_limit", Count),
        property(&["IOPSReservation", "MinimumIOPS"], "iops_reservation", Count),
        property(&["StorageQoSPolicyID", "QoSPolicyID"], "qos_policy", Text),
        property(&["CachingMode"], "caching", Code(&VHD_CACHING)),
        property(&["IgnoreFlushes"], "ignores_flushes", Bool),
        property(
            &["PersistentReservationsSupported", "SupportPersistentReservations"],
            "shared",
            Bool,
        ),
    ],
};

/// What names the file itself among the settings of storage; an ISO or a floppy has another one.
const HARD_DISK: &str = "Microsoft:Hyper-V:Virtual Hard Disk";

/// An object of one of the two classes as the tables read it: identities in one spelling, whoever said it. A machine with drives in it,
/// as Get-VM gives it, is followed by those.
///
/// # Errors
///
/// When it is the host itself, a template, or another medium than a hard disk, or when nothing says which one it is.
pub(crate) fn objects(bag: &Bag, class: &Class) -> Result<Vec<(&'static Class, Bag)>, Refused> {
    if class.kind == Kind::Vhd {
        return Ok(vec![(&FILE, file(bag)?)]);
    }
    let machine = machine(bag)?;
    let drives = match bag.get("HardDrives") {
        Some(Raw::List(items)) => items.as_slice(),
        // Lists of one are given as the one.
        Some(one @ Raw::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    };
    let mut machine = machine;
    let mut objects = Vec::new();
    let mut unread = 0;
    for drive in drives {
        let Raw::Object(drive) = drive else {
            // One that was cut off where it was written is a text, and names no file.
            unread += 1;
            continue;
        };
        let mut drive = drive.clone();
        for name in ["VMId", "VMName"] {
            if drive.get(name).is_none()
                && let Some(value) = machine.get(name)
            {
                drive.set(name, value.clone());
            }
        }
        match file(&drive) {
            Ok(file) => objects.push((&FILE, file)),
            Err(_) => unread += 1,
        }
    }
    if unread > 0 {
        machine.set("DrivesUnread", Raw::Integer(unread));
    }
    objects.insert(0, (&MACHINE, machine));
    Ok(objects)
}

fn machine(bag: &Bag) -> Result<Bag, Refused> {
    let mut machine = bag.clone();
    if bag.get("ElementName").is_some() || bag.class.as_deref() == Some(MACHINE.names[0]) {
        // A machine's Name is its GUID, the host's is its NetBIOS name.
        let id = bag.text("Name").ok_or_else(|| no_identity(&MACHINE))?;
        let id = guid(&id).ok_or_else(|| Refused::Other {
            class: MACHINE.names[0].to_owned(),
            what: "the host itself",
        })?;
        machine.set("VMId", Raw::Text(id));
        machine.set("VMName", bag.get("ElementName").cloned().unwrap_or(Raw::Null));
        return Ok(machine);
    }
    let id = ["VMId", "Id"].into_iter().find_map(|name| guid(&bag.text(name)?));
    let name = ["VMName", "Name"].into_iter().find_map(|name| bag.text(name));
    if id.is_none() && name.is_none() {
        return Err(no_identity(&MACHINE));
    }
    if let Some(id) = id {
        machine.set("VMId", Raw::Text(id));
    }
    if let Some(name) = name {
        machine.set("VMName", Raw::Text(name));
    }
    Ok(machine)
}

fn file(bag: &Bag) -> Result<Bag, Refused> {
    let other = |what| Refused::Other {
        class: FILE.names[0].to_owned(),
        what,
    };
    let mut file = bag.clone();
    if bag.get("DvdMediaType").is_some() {
        return Err(other("a DVD drive"));
    }
    if bag
        .text("ResourceSubType")
        .is_some_and(|medium| !medium.eq_ignore_ascii_case(HARD_DISK))
    {
        return Err(other("another medium than a hard disk"));
    }
    let place = ["InstanceID", "Id"].into_iter().find_map(|name| bag.text(name));
    let place = place.map(|place| {
        let place = place.replace(r"\\", r"\");
        let place = place.strip_prefix("Microsoft:").unwrap_or(&place).to_ascii_uppercase();
        let drive = place.strip_suffix(r"\L").or_else(|| place.strip_suffix(r"\D"));
        drive.unwrap_or(&place).to_owned()
    });
    let owner = place
        .as_deref()
        .map(|place| place.split_once('\\').map_or(place, |(owner, _)| owner));
    if owner == Some("DEFINITION") {
        return Err(other("a template of settings"));
    }
    let machine = bag.text("VMId").and_then(|id| guid(&id)).or_else(|| guid(owner?));
    if let Some(id) = &machine {
        file.set("VMId", Raw::Text(id.clone()));
    }
    let id = place.or_else(|| {
        let owner = machine.or_else(|| bag.text("VMName"))?;
        Some(format!("{owner}/{}", bag.text("Path")?))
    });
    file.set("VhdId", Raw::Text(id.ok_or_else(|| no_identity(&FILE))?));
    // Of a drive that is no checkpoint's the cmdlet says a GUID of zeros.
    let checkpoint = bag
        .text("VMSnapshotId")
        .filter(|id| !id.trim_matches(['0', '-']).is_empty());
    if let Some(id) = checkpoint {
        file.set("Checkpoint", Raw::Text(bag.text("VMSnapshotName").unwrap_or(id)));
    }
    // A file has no disk number; older builds write the largest one for none.
    match bag.get("DiskNumber") {
        None | Some(Raw::Null) => {}
        Some(Raw::Integer(number)) if *number == i128::from(u32::MAX) => {}
        Some(number) => file.set("PassThroughDisk", number.clone()),
    }
    Ok(file)
}

fn no_identity(class: &Class) -> Refused {
    Refused::NoIdentity {
        class: class.names[0].to_owned(),
    }
}

/// A GUID in capitals, without braces: sources of Windows write both.
fn guid(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('{').trim_end_matches('}');
    let parts: Vec<&str> = text.split('-').collect();
    let is_one = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts
            .iter()
            .all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_one.then(|| text.to_ascii_uppercase())
}
