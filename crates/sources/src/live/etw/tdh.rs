//! Layouts of events out of this system's own manifests. Functions of `tdh.dll` are looked up when they are needed: a system without them
//! has no manifests to ask, and that is said.

use std::ffi::c_void;

use fathom_etl::event::{EventKey, providers};
use fathom_etl::layout::{Field, Kind, Layout};
use windows::Win32::System::Diagnostics::Etw::{
    EVENT_DESCRIPTOR, EVENT_PROPERTY_INFO, PROVIDER_EVENT_INFO, PropertyParamCount, PropertyParamFixedCount,
    PropertyParamFixedLength, PropertyParamLength, PropertyStruct, TRACE_EVENT_INFO,
};
use windows::Win32::System::LibraryLoader::{GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW};
use windows::core::{GUID, HSTRING, PCSTR, s};

use super::super::profile::Plan;
use super::session::guid;

type Enumerate = unsafe extern "system" fn(*const GUID, *mut PROVIDER_EVENT_INFO, *mut u32) -> u32;
type Describe = unsafe extern "system" fn(*const GUID, *const EVENT_DESCRIPTOR, *mut TRACE_EVENT_INFO, *mut u32) -> u32;

const INSUFFICIENT_BUFFER: u32 = 122;

/// The layouts that the system has of the plan's events; what it has not is told in `troubles`.
pub(super) fn layouts(plan: &Plan, troubles: &mut Vec<String>) -> Vec<(EventKey, Layout)> {
    if plan.providers.is_empty() {
        return Vec::new();
    }
    let Some((enumerate, describe)) = functions() else {
        troubles.push("manifests: this system has no functions to read them (tdh.dll)".to_owned());
        return Vec::new();
    };
    let mut layouts = Vec::new();
    for enable in &plan.providers {
        let name = providers::name(enable.provider).unwrap_or("a provider");
        let provider = guid(enable.provider);
        let events = match events(enumerate, &provider) {
            Ok(events) => events,
            Err(code) => {
                troubles.push(format!(
                    "{name}: its manifest cannot be read ({code}); public field lists are used where there are any"
                ));
                continue;
            }
        };
        for event in events.iter().filter(|event| enable.ids.contains(&event.Id)) {
            let key = EventKey {
                provider: enable.provider,
                id: event.Id,
                version: event.Version,
            };
            match layout(describe, &provider, event) {
                Ok(layout) => layouts.push((key, layout)),
                Err(reason) => troubles.push(format!("{name}/{} version {}: {reason}", event.Id, event.Version)),
            }
        }
    }
    layouts
}

fn functions() -> Option<(Enumerate, Describe)> {
    // SAFETY: the name ends with a NUL; the library is the system's own, and stays loaded.
    let library = unsafe { LoadLibraryExW(&HSTRING::from("tdh.dll"), None, LOAD_LIBRARY_SEARCH_SYSTEM32) }.ok()?;
    let find = |name: PCSTR| {
        // SAFETY: the library is loaded; the name ends with a NUL.
        unsafe { GetProcAddress(library, name) }
    };
    let (enumerate, describe) = (
        find(s!("TdhEnumerateManifestProviderEvents"))?,
        find(s!("TdhGetManifestEventInformation"))?,
    );
    // SAFETY: these are the functions' types (win32, `desktop-src/ETW`).
    Some(unsafe {
        (
            std::mem::transmute::<_, Enumerate>(enumerate),
            std::mem::transmute::<_, Describe>(describe),
        )
    })
}

/// Asks for as many bytes as the system says it needs; in words of eight bytes, so that what lies in them is aligned.
fn ask(call: impl Fn(*mut c_void, *mut u32) -> u32) -> Result<(Vec<u64>, usize), u32> {
    let mut bytes = 0_u32;
    match call(std::ptr::null_mut(), &raw mut bytes) {
        INSUFFICIENT_BUFFER => {}
        // Nothing at all is no answer either.
        code => return Err(code),
    }
    // A manifest is some hundred KiB at most; more is not believed.
    if bytes > 16 << 20 {
        return Err(INSUFFICIENT_BUFFER);
    }
    let mut words = vec![0_u64; (bytes as usize).div_ceil(8)];
    match call(words.as_mut_ptr().cast(), &raw mut bytes) {
        0 => Ok((words, bytes as usize)),
        code => Err(code),
    }
}

fn events(enumerate: Enumerate, provider: &GUID) -> Result<Vec<EVENT_DESCRIPTOR>, u32> {
    // SAFETY: the buffer is as large as is said, or none with a size of 0.
    let (words, bytes) = ask(|buffer, size| unsafe { enumerate(provider, buffer.cast(), size) })?;
    let head = std::mem::offset_of!(PROVIDER_EVENT_INFO, EventDescriptorsArray);
    if bytes < head {
        return Ok(Vec::new());
    }
    // SAFETY: the head is there; the words are aligned for it.
    let count = unsafe { (*words.as_ptr().cast::<PROVIDER_EVENT_INFO>()).NumberOfEvents } as usize;
    let count = count.min((bytes - head) / size_of::<EVENT_DESCRIPTOR>());
    // SAFETY: so many descriptors lie behind the head, at a multiple of eight.
    let array = unsafe { words.as_ptr().cast::<u8>().add(head).cast::<EVENT_DESCRIPTOR>() };
    // SAFETY: as above.
    Ok((0..count).map(|at| unsafe { array.add(at).read() }).collect())
}

fn layout(describe: Describe, provider: &GUID, event: &EVENT_DESCRIPTOR) -> Result<Layout, String> {
    // SAFETY: the buffer is as large as is said, or none with a size of 0.
    let asked = ask(|buffer, size| unsafe { describe(provider, event, buffer.cast(), size) });
    let (words, bytes) = asked.map_err(|code| format!("its fields cannot be read ({code})"))?;
    let head = std::mem::offset_of!(TRACE_EVENT_INFO, EventPropertyInfoArray);
    if bytes < head {
        return Err("its fields cannot be read (too short)".to_owned());
    }
    // SAFETY: the head is there; the words are aligned for it.
    let count = unsafe { (*words.as_ptr().cast::<TRACE_EVENT_INFO>()).TopLevelPropertyCount } as usize;
    let count = count.min((bytes - head) / size_of::<EVENT_PROPERTY_INFO>());
    // SAFETY: the bytes lie in the words.
    let all = unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), bytes) };
    let mut layout = Layout::default();
    for at in 0..count {
        // SAFETY: so many properties lie behind the head, at a multiple of eight.
        let property = unsafe {
            words
                .as_ptr()
                .cast::<u8>()
                .add(head)
                .cast::<EVENT_PROPERTY_INFO>()
                .add(at)
                .read()
        };
        let name = text(all, property.NameOffset as usize);
        let kind = kind(&property).ok_or_else(|| format!("its field {name} is of a kind that is not known here"))?;
        layout.fields.push(Field { name, kind });
    }
    layout.checked().map_err(|error| error.to_string())
}

/// UTF-16 up to a zero, from a place in the bytes.
fn text(bytes: &[u8], from: usize) -> String {
    let units = bytes.get(from..).unwrap_or_default().chunks_exact(2);
    let units = units
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .take_while(|&unit| unit != 0);
    String::from_utf16_lossy(&units.collect::<Vec<u16>>())
}

/// The kind of a property by its type (`tdh.h`, `_TDH_IN_TYPE`); structures and arrays are none that is known here.
fn kind(property: &EVENT_PROPERTY_INFO) -> Option<Kind> {
    let flags = property.Flags.0;
    if flags & (PropertyStruct.0 | PropertyParamCount.0 | PropertyParamFixedCount.0) != 0 {
        return None;
    }
    // SAFETY: it is no structure; each of these is two bytes wide, whichever of its meanings it has.
    let (kind, length) = unsafe { (property.Anonymous1.nonStructType.InType, property.Anonymous3.length) };
    let of_field = flags & PropertyParamLength.0 != 0;
    let is_fixed = flags & PropertyParamFixedLength.0 != 0;
    Some(match kind {
        1 if of_field => Kind::UnicodeOf(length),
        1 if is_fixed => Kind::Bytes(length.checked_mul(2)?),
        1 => Kind::Unicode,
        2 if of_field => Kind::BytesOf(length),
        2 if is_fixed => Kind::Bytes(length),
        2 => Kind::Ansi,
        3 | 4 => Kind::Number(1),
        5 | 6 => Kind::Number(2),
        7 | 8 | 11 | 13 | 20 => Kind::Number(4),
        9 | 10 | 12 | 17 | 21 => Kind::Number(8),
        14 if of_field => Kind::BytesOf(length),
        14 if length > 0 => Kind::Bytes(length),
        14 => Kind::Rest,
        15 => Kind::Guid,
        16 | 308 => Kind::Pointer,
        18 => Kind::Bytes(16),
        _ => return None,
    })
}
