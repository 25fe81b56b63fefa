//! Whether a trace session of the kernel's disk I/O can be had, and which providers this system knows.
#![expect(unsafe_code, reason = "event tracing and the registry are C interfaces")]

use windows::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_NO_SYSTEM_RESOURCES, ERROR_SUCCESS, WIN32_ERROR,
};
use windows::Win32::System::Diagnostics::Etw::{
    CONTROLTRACE_HANDLE, ControlTraceW, EVENT_TRACE_CONTROL_QUERY, EVENT_TRACE_CONTROL_STOP, EVENT_TRACE_FLAG_DISK_IO,
    EVENT_TRACE_PROPERTIES, EVENT_TRACE_REAL_TIME_MODE, EVENT_TRACE_SYSTEM_LOGGER_MODE, StartTraceW,
    WNODE_FLAG_TRACED_GUID,
};
use windows::Win32::System::Registry::{HKEY, HKEY_LOCAL_MACHINE, KEY_READ, RegCloseKey, RegOpenKeyExW};
use windows::core::{HSTRING, PCWSTR};

use super::known::PROVIDERS;
use super::{Probe, State};

/// Where a manifest leaves its provider when it is installed.
const PUBLISHERS: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\WINEVT\Publishers";

/// QPC ticks, as a node's event time asks for.
const CLOCK_IS_QPC: u32 = 1;

pub(super) fn session() -> Probe {
    let items = vec!["a session of the kernel's disk I/O".to_owned()];
    Probe::new("etw", items, |answers| answers.give(0, try_session()))
}

pub(super) fn providers() -> Probe {
    let items = PROVIDERS.iter().map(|provider| provider.name.to_owned());
    Probe::new("etw", items.collect(), |answers| {
        for (item, provider) in PROVIDERS.iter().enumerate() {
            answers.give(item, registered(provider.guid));
        }
    })
}

/// Starts a session under a name of its own and stops it at once.
fn try_session() -> State {
    let name = HSTRING::from(format!("fathom-check-{}", std::process::id()));
    let mut properties = Properties::new();
    let mut session = CONTROLTRACE_HANDLE::default();
    // SAFETY: the name ends with a NUL; the properties say how large they are, with room for the name behind them.
    let started = unsafe { StartTraceW(&raw mut session, &name, &raw mut properties.head) };
    match started {
        ERROR_SUCCESS => {}
        ERROR_ACCESS_DENIED => {
            let cure = "access is denied: run as administrator, or with the right SeSystemProfilePrivilege (5)";
            return State::Unavailable(cure.to_owned());
        }
        ERROR_NO_SYSTEM_RESOURCES => {
            return State::Unavailable("all of the system's trace sessions are taken (1450)".to_owned());
        }
        other => return State::Unavailable(message(other)),
    }
    // What only says that it started one (Wine does) has no buffers to show.
    let mut shown = Properties::new();
    // SAFETY: the name ends with a NUL; the properties are as large as they say.
    let asked = unsafe {
        ControlTraceW(
            CONTROLTRACE_HANDLE::default(),
            &name,
            &raw mut shown.head,
            EVENT_TRACE_CONTROL_QUERY,
        )
    };
    // SAFETY: the session is ours and open; the properties are as large as they say.
    let stopped = unsafe {
        ControlTraceW(
            session,
            PCWSTR::null(),
            &raw mut properties.head,
            EVENT_TRACE_CONTROL_STOP,
        )
    };
    match stopped {
        ERROR_SUCCESS if asked != ERROR_SUCCESS => {
            State::Unavailable(format!("one seemed to start and was not there: {}", message(asked)))
        }
        ERROR_SUCCESS if shown.head.NumberOfBuffers == 0 => {
            State::Unavailable("one seemed to start and has no buffers: this system does not trace".to_owned())
        }
        ERROR_SUCCESS => State::Available("one could be started, and was stopped".to_owned()),
        // A session that stays would log for ever.
        other => State::Unavailable(format!(
            "one could be started and not be stopped, so end it by `logman stop {name} -ets`: {}",
            message(other)
        )),
    }
}

/// A session's properties with the room behind them in which the system writes its name.
#[repr(C)]
struct Properties {
    head: EVENT_TRACE_PROPERTIES,
    name: [u16; 128],
}

impl Properties {
    fn new() -> Self {
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut properties = Self {
            head: EVENT_TRACE_PROPERTIES::default(),
            name: [0; 128],
        };
        let head = &mut properties.head;
        head.Wnode.BufferSize = size(size_of::<Self>());
        head.Wnode.Flags = WNODE_FLAG_TRACED_GUID;
        head.Wnode.ClientContext = CLOCK_IS_QPC;
        head.LogFileMode = EVENT_TRACE_REAL_TIME_MODE | EVENT_TRACE_SYSTEM_LOGGER_MODE;
        head.EnableFlags = EVENT_TRACE_FLAG_DISK_IO;
        head.LoggerNameOffset = size(std::mem::offset_of!(Self, name));
        properties
    }
}

/// Whether a provider's manifest is installed.
fn registered(guid: &str) -> State {
    let path = HSTRING::from(format!(r"{PUBLISHERS}\{{{guid}}}"));
    let mut key = HKEY::default();
    // SAFETY: the path ends with a NUL, and the place for the handle lives through the call.
    let opened = unsafe { RegOpenKeyExW(HKEY_LOCAL_MACHINE, &path, None, KEY_READ, &raw mut key) };
    match opened {
        ERROR_SUCCESS => {
            // SAFETY: the key was opened above and is closed once.
            let _ = unsafe { RegCloseKey(key) };
            State::Available("its manifest is installed".to_owned())
        }
        ERROR_FILE_NOT_FOUND => State::Unavailable("its manifest is not installed on this system".to_owned()),
        other => State::Unavailable(message(other)),
    }
}

fn message(error: WIN32_ERROR) -> String {
    let hresult = error.to_hresult();
    format!("{} ({})", hresult.message().trim_end_matches('.'), error.0)
}
