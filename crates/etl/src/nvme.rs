//! What an NVMe drive says of its own health: log page 02h as bytes, and the answers of Windows that it comes in.
//!
//! The page is the SMART / Health Information log of the NVM Express Base Specification (revision 2.0, figure 207; the same bytes since 1.0,
//! later revisions fill what was reserved). Windows hands it over in two ways: as the field `NvmeHealthLog` of event 512 of StorPort
//! (manifests of build 22621.2134 to 26200.6901, channel Microsoft-Windows-Storage-Storport/Health), and as the answer to
//! `IOCTL_STORAGE_QUERY_PROPERTY` with `STORAGE_PROTOCOL_SPECIFIC_DATA` (MicrosoftDocs/sdk-api, winioctl.h). Which drives of a node of Storage
//! Spaces Direct answer the latter is not stated anywhere: whoever asks has to say which did not.
//!
//! A page of nothing but zeros is no answer: drivers that do not ask the drive give such. What the specification lets a drive leave out (a
//! sensor that is not there, data units that are not counted) is 0, and is none here.

use crate::bytes::Bytes as _;
use crate::event::providers;
use crate::slow::xml::Rendered;

/// Bytes of the page.
pub const PAGE_BYTES: usize = 512;

/// Temperature sensors that a page has room for.
pub const SENSORS: usize = 8;

/// A unit of data read or written: a thousand blocks of 512 bytes, whatever the drive's own blocks are.
pub const DATA_UNIT_BYTES: u128 = 512_000;

/// The channel that event 512 is in.
pub const CHANNEL: &str = "Microsoft-Windows-Storage-Storport/Health";

/// The event's number.
pub const EVENT: u16 = 512;

/// What a drive says of its health. Counts run since the drive was made, and are of 128 bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What the drive warns of, by the bits of the specification: 0x01 spare capacity, 0x02 temperature, 0x04 reliability, 0x08 read only,
    /// 0x10 backup of volatile memory, 0x20 persistent memory region.
    pub critical_warning: u8,
    /// Temperature of the controller and its namespaces, in kelvin; none where the drive says 0.
    pub temperature_kelvin: Option<u16>,
    /// Spare capacity that is left, in percent.
    pub spare_percent: u8,
    /// Below this much spare capacity the drive warns, in percent.
    pub spare_limit_percent: u8,
    /// How much of the drive's life is used by its maker's estimate, in percent: more than 100 is possible, 255 is that or more.
    pub used_percent: u8,
    /// Data read, in units of 512,000 bytes, rounded up; none where the drive does not count it.
    pub units_read: Option<u128>,
    /// Data written, likewise.
    pub units_written: Option<u128>,
    /// Read commands.
    pub read_commands: u128,
    /// Write commands.
    pub write_commands: u128,
    /// How long the controller was busy, in minutes.
    pub busy_minutes: u128,
    /// How often power came.
    pub power_cycles: u128,
    /// How long it had power, in hours; some drives leave out times of low power.
    pub power_on_hours: u128,
    /// How often power went without a word.
    pub unsafe_shutdowns: u128,
    /// Errors of media and data integrity that the drive could not mend.
    pub media_errors: u128,
    /// Entries that its error log has had.
    pub error_log_entries: u128,
    /// How long it was hotter than its limit for a warning, in minutes.
    pub hot_minutes: u32,
    /// How long it was hotter than its critical limit, in minutes.
    pub critically_hot_minutes: u32,
    /// Its sensors, in kelvin; none for one that is not there.
    pub sensors_kelvin: [Option<u16>; SENSORS],
}

/// Which drive an answer is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drive {
    /// Its serial number as Windows shows it, without blanks at either end.
    pub serial: Option<String>,
    /// Its model.
    pub product: Option<String>,
    /// Its firmware.
    pub firmware: Option<String>,
    /// How it is connected, as `STORAGE_BUS_TYPE` numbers it; 17 is NVMe.
    pub bus: u32,
}

/// An event with a drive's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When it was logged, in nanoseconds since 1970 on the system's clock.
    pub at_unix_nanos: i64,
    /// The drive's GUID.
    pub guid: Option<crate::event::Guid>,
    /// Which drive.
    pub drive: Drive,
    /// What it says.
    pub health: Health,
}

/// Why bytes say nothing of a drive's health.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHealth {
    /// The page has another size.
    #[error("the health log has {found} bytes and not {PAGE_BYTES}")]
    Size {
        /// Bytes that are there.
        found: usize,
    },
    /// Nothing but zeros.
    #[error("the health log has nothing but zeros")]
    Empty,
    /// An answer ends before it should.
    #[error("the answer has {found} bytes, and {needed} are needed")]
    Short {
        /// Bytes that are there.
        found: usize,
        /// Bytes that have to be.
        needed: usize,
    },
    /// An answer says another size of its own header than it has.
    #[error("the answer is of another form: its header says {found} bytes")]
    Form {
        /// What it says.
        found: u32,
    },
    /// Another event.
    #[error("event {id} of `{provider}` has no health log")]
    Foreign {
        /// Its provider.
        provider: String,
        /// Its number.
        id: u16,
    },
    /// An event without a time.
    #[error("event {0} has no time")]
    NoTime(u16),
    /// An event whose bytes are no bytes.
    #[error("the field NvmeHealthLog is no hexadecimal text")]
    Hex,
    /// An event that has no log, or says another length of it than it has.
    #[error("the field NvmeHealthLog has {found} bytes where NvmeHealthLogLength says {said}")]
    Length {
        /// Bytes that are there.
        found: usize,
        /// What is said.
        said: u64,
    },
    /// An event that names no drive.
    #[error("event {0} names no drive: it has neither a serial number nor a GUID")]
    NoDrive(u16),
}

/// What a page says.
///
/// # Errors
///
/// When it has another size than the specification's, or holds nothing but zeros.
pub fn decode(page: &[u8]) -> Result<Health, NoHealth> {
    if page.len() != PAGE_BYTES {
        return Err(NoHealth::Size { found: page.len() });
    }
    if page.iter().all(|&byte| byte == 0) {
        return Err(NoHealth::Empty);
    }
    // All places are within the page, whose size was looked at.
    let byte = |at: usize| page[at];
    let kelvin = |at: usize| page.u16_at(at).filter(|&kelvin| kelvin != 0);
    let minutes = |at: usize| page.u32_at(at).unwrap_or(0);
    let count = |at: usize| page.array(at).map_or(0, u128::from_le_bytes);
    let counted = |at: usize| Some(count(at)).filter(|&count| count != 0);
    let mut sensors_kelvin = [None; SENSORS];
    for (number, sensor) in sensors_kelvin.iter_mut().enumerate() {
        *sensor = kelvin(200 + 2 * number);
    }
    Ok(Health {
        critical_warning: byte(0),
        temperature_kelvin: kelvin(1),
        spare_percent: byte(3),
        spare_limit_percent: byte(4),
        used_percent: byte(5),
        units_read: counted(32),
        units_written: counted(48),
        read_commands: count(64),
        write_commands: count(80),
        busy_minutes: count(96),
        power_cycles: count(112),
        power_on_hours: count(128),
        unsafe_shutdowns: count(144),
        media_errors: count(160),
        error_log_entries: count(176),
        hot_minutes: minutes(192),
        critically_hot_minutes: minutes(196),
        sensors_kelvin,
    })
}

/// `StorageDeviceProperty`.
const DEVICE_PROPERTY: u32 = 0;

/// `StorageDeviceProtocolSpecificProperty`.
const PROTOCOL_PROPERTY: u32 = 50;

/// `ProtocolTypeNvme`.
const NVME: u32 = 3;

/// `NVMeDataTypeLogPage`.
const LOG_PAGE: u32 = 2;

/// The page's number.
const HEALTH_PAGE: u32 = 2;

/// Bytes of `STORAGE_PROTOCOL_SPECIFIC_DATA`: ten numbers of 32 bits.
const SPECIFIC_BYTES: usize = 40;

/// Bytes before it: of a question what is asked and how, of an answer its version and size.
const FRONT_BYTES: usize = 8;

/// The question for the health log, as `STORAGE_PROPERTY_QUERY` with `STORAGE_PROTOCOL_SPECIFIC_DATA` behind it, and room for the answer: the
/// same bytes take both.
#[must_use]
pub fn health_question() -> Vec<u8> {
    let specific = [
        NVME,
        LOG_PAGE,
        HEALTH_PAGE,
        0,
        SPECIFIC_BYTES as u32,
        PAGE_BYTES as u32,
        0,
        0,
        0,
        0,
    ];
    let mut question = Vec::with_capacity(FRONT_BYTES + SPECIFIC_BYTES + PAGE_BYTES);
    for number in [PROTOCOL_PROPERTY, 0].into_iter().chain(specific) {
        question.extend(number.to_le_bytes());
    }
    question.resize(FRONT_BYTES + SPECIFIC_BYTES + PAGE_BYTES, 0);
    question
}

/// The page within an answer to [`health_question`], a `STORAGE_PROTOCOL_DATA_DESCRIPTOR`.
///
/// # Errors
///
/// When the answer is too short for what it says of itself, or says another size of its header.
pub fn health_answer(answer: &[u8]) -> Result<&[u8], NoHealth> {
    let header = FRONT_BYTES + SPECIFIC_BYTES;
    let short = |needed: usize| NoHealth::Short {
        found: answer.len(),
        needed,
    };
    if answer.len() < header {
        return Err(short(header));
    }
    let number = |at: usize| answer.u32_at(at).ok_or_else(|| short(header));
    // The version is the header's size, and the size may count what follows.
    let (version, size) = (number(0)?, number(4)?);
    if version as usize != header || (size as usize) < header {
        return Err(NoHealth::Form {
            found: version.min(size),
        });
    }
    let (offset, length) = (number(FRONT_BYTES + 16)? as usize, number(FRONT_BYTES + 20)? as usize);
    if offset < SPECIFIC_BYTES {
        return Err(NoHealth::Form { found: offset as u32 });
    }
    if length != PAGE_BYTES {
        return Err(NoHealth::Size { found: length });
    }
    // Where the page is, is counted from behind the front. A size that is not there is not believed.
    let from = FRONT_BYTES.saturating_add(offset);
    let until = from.saturating_add(length);
    answer.get(from..until).ok_or_else(|| short(until))
}

/// The question for what a drive is, as `STORAGE_PROPERTY_QUERY`.
#[must_use]
pub fn drive_question() -> Vec<u8> {
    // Behind the two numbers stands one byte of more, which is none here.
    let mut question = Vec::new();
    question.extend(DEVICE_PROPERTY.to_le_bytes());
    question.extend([0; 8]);
    question
}

/// What an answer to [`drive_question`], a `STORAGE_DEVICE_DESCRIPTOR`, says.
///
/// # Errors
///
/// When it is too short.
pub fn drive_answer(answer: &[u8]) -> Result<Drive, NoHealth> {
    const HEADER: usize = 36;
    let header = answer.get(..HEADER).ok_or(NoHealth::Short {
        found: answer.len(),
        needed: HEADER,
    })?;
    let number = |at: usize| header.u32_at(at).unwrap_or(0);
    // A text's place is counted from the begin; 0, and what points into the header or behind the end, is none.
    let text = |at: usize| -> Option<String> {
        let from = number(at) as usize;
        let bytes = answer.get(from..).filter(|_| from >= HEADER)?;
        let end = bytes.iter().position(|&byte| byte == 0)?;
        let text = String::from_utf8_lossy(&bytes[..end]).trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    Ok(Drive {
        serial: text(24),
        product: text(16),
        firmware: text(20),
        bus: number(28),
    })
}

/// What event 512 of StorPort says.
///
/// # Errors
///
/// When it is another event, has no time, names no drive, or its log is no page.
pub fn event(event: &Rendered) -> Result<Told, NoHealth> {
    if event.guid() != Some(providers::STORPORT) || event.id != EVENT {
        return Err(NoHealth::Foreign {
            provider: event.provider.clone(),
            id: event.id,
        });
    }
    let at_unix_nanos = event.time_unix_nanos.ok_or(NoHealth::NoTime(event.id))?;
    let page = hex(event.text("NvmeHealthLog").unwrap_or_default()).ok_or(NoHealth::Hex)?;
    if let Some(said) = event.number("NvmeHealthLogLength")
        && said != page.len() as u64
    {
        return Err(NoHealth::Length {
            found: page.len(),
            said,
        });
    }
    let text = |name: &str| -> Option<String> {
        let text = event.text(name)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let drive = Drive {
        serial: text("SerialNumber"),
        product: text("ProductId"),
        firmware: text("FirmwareRevision"),
        bus: BUS_NVME,
    };
    let guid = crate::slow::device_guid(event);
    if drive.serial.is_none() && guid.is_none() {
        return Err(NoHealth::NoDrive(event.id));
    }
    Ok(Told {
        at_unix_nanos,
        guid,
        drive,
        health: decode(&page)?,
    })
}

/// `BusTypeNvme` of `STORAGE_BUS_TYPE`.
pub const BUS_NVME: u32 = 17;

/// Bytes as the log renders them: two digits each, with nothing between.
fn hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    // More is no page, and is told by its size.
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = text.as_bytes().chunks_exact(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests;
