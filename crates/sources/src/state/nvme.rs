//! NVMe drives of a node, each asked for what it says of its own health.
//!
//! Which drives there are and what they answer is decided here, on every system; who asks them is [`Drives`], which on Windows are its disks by
//! number. Whether a drive that Storage Spaces Direct has claimed answers there is not stated anywhere: each that does not is said not to, with the
//! reason, and hides no other.

use fathom_etl::nvme::{self, BUS_NVME, Drive, Health};
use fathom_state::{Bag, Raw, schema};

use super::walks::Objects;

/// Numbers that are tried: Windows numbers a node's disks from 0 on, and those of the storage bus among them.
const NUMBERS: u32 = 512;

/// The class's name in the tables.
const CLASS: &str = "NvmeHealthLog";

/// Disks that can be asked.
pub trait Drives {
    /// What the disk of a number answers to a question; none where no disk has the number.
    ///
    /// # Errors
    ///
    /// In words for people.
    fn ask(&mut self, number: u32, question: &[u8]) -> Result<Option<Vec<u8>>, String>;
}

/// What every NVMe drive says of its health.
///
/// # Errors
///
/// In words for people, when there are disks and none of them answers at all.
pub fn read(drives: &mut impl Drives) -> Result<Objects, String> {
    let mut objects = Objects::default();
    let (mut others, mut unknown, mut silent) = (0_u64, Vec::new(), Vec::new());
    for number in 0..NUMBERS {
        let asked = drives.ask(number, &nvme::drive_question());
        let told = match asked {
            Ok(None) => continue,
            Ok(Some(answer)) => nvme::drive_answer(&answer).map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        let drive = match told {
            Ok(drive) if drive.bus == BUS_NVME => drive,
            Ok(_) => {
                others += 1;
                continue;
            }
            Err(why) => {
                unknown.push(format!("disk {number}: {why}"));
                continue;
            }
        };
        let asked = drives.ask(number, &nvme::health_question());
        let health = asked.and_then(|answer| {
            let answer = answer.ok_or("it is not there any more")?;
            let page = nvme::health_answer(&answer).map_err(|error| error.to_string())?;
            nvme::decode(page).map_err(|error| error.to_string())
        });
        objects.bags.push(match health {
            Ok(health) => bag(&drive, None, Some(number), &health),
            Err(why) => {
                silent.push(format!("disk {number}: {why}"));
                let mut bag = Bag::default();
                let class = schema::classes().find(|class| class.names[0] == CLASS);
                for property in class.map_or(&[][..], |class| class.properties) {
                    bag.set(property.from[0], Raw::Broken("the drive did not answer"));
                }
                named(bag, &drive, None, Some(number))
            }
        });
    }
    let of = |what: &str, all: &[String]| Some(format!("{what}: {} ({})", all.len(), all.first()?));
    if objects.bags.is_empty()
        && others == 0
        && let Some(why) = unknown.first()
    {
        return Err(format!("no disk answered: {why}"));
    }
    let notes = [
        (others > 0).then(|| format!("disks that are not NVMe: {others}")),
        of("disks that did not say what they are", &unknown),
        of("drives that did not say how they are", &silent),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    objects.note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(objects)
}

/// A drive's health as the table of its class reads it.
#[must_use]
pub fn bag(drive: &Drive, guid: Option<String>, number: Option<u32>, health: &Health) -> Bag {
    let optional = |value: Option<u128>| value.map_or(Raw::Integer(0), count);
    let kelvin = |value: Option<u16>| Raw::Integer(value.unwrap_or(0).into());
    let mut bag = Bag::default()
        .with("CriticalWarning", Raw::Integer(health.critical_warning.into()))
        .with("Temperature", kelvin(health.temperature_kelvin))
        .with("AvailableSpare", Raw::Integer(health.spare_percent.into()))
        .with(
            "AvailableSpareThreshold",
            Raw::Integer(health.spare_limit_percent.into()),
        )
        .with("PercentageUsed", Raw::Integer(health.used_percent.into()))
        .with("DataUnitRead", optional(health.units_read))
        .with("DataUnitWritten", optional(health.units_written))
        .with("HostReadCommands", count(health.read_commands))
        .with("HostWrittenCommands", count(health.write_commands))
        .with("ControllerBusyTime", count(health.busy_minutes))
        .with("PowerCycle", count(health.power_cycles))
        .with("PowerOnHours", count(health.power_on_hours))
        .with("UnsafeShutdowns", count(health.unsafe_shutdowns))
        .with("MediaErrors", count(health.media_errors))
        .with("ErrorInfoLogEntryCount", count(health.error_log_entries))
        .with(
            "WarningCompositeTemperatureTime",
            Raw::Integer(health.hot_minutes.into()),
        )
        .with(
            "CriticalCompositeTemperatureTime",
            Raw::Integer(health.critically_hot_minutes.into()),
        );
    for (at, sensor) in health.sensors_kelvin.iter().enumerate() {
        bag.set(&format!("TemperatureSensor{}", at + 1), kelvin(*sensor));
    }
    named(bag, drive, guid, number)
}

/// Counts of 128 bits are taken as far as a raw value goes; what is beyond 64 is said to be.
fn count(value: u128) -> Raw {
    i128::try_from(value).map_or(Raw::Broken("beyond 127 bits"), Raw::Integer)
}

/// What is not known of which drive it is, is not given.
fn named(mut bag: Bag, drive: &Drive, guid: Option<String>, number: Option<u32>) -> Bag {
    bag.class = Some(CLASS.to_owned());
    for (name, text) in [
        ("SerialNumber", drive.serial.clone()),
        ("Model", drive.product.clone()),
        ("Firmware", drive.firmware.clone()),
        ("DeviceGuid", guid),
    ] {
        match text {
            Some(text) => bag.set(name, Raw::Text(text)),
            None => drop(bag.take(name)),
        }
    }
    match number {
        Some(number) => bag.set("DiskNumber", Raw::Integer(number.into())),
        None => drop(bag.take("DiskNumber")),
    }
    bag
}

#[cfg(test)]
mod tests;
