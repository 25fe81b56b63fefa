//! A trace session under a name of its own: started, asked how much it lost, stopped. A stale one of the same name, which a daemon that was
//! killed left behind, is stopped first; one of another daemon that runs is not touched.

use std::ffi::c_void;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use fathom_etl::event::{EventKey, Guid, RawEvent, providers};
use windows::Win32::Foundation::{
    CloseHandle, ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_INVALID_PARAMETER, ERROR_NO_SYSTEM_RESOURCES,
    ERROR_SUCCESS, GetLastError, HANDLE, WIN32_ERROR,
};
use windows::Win32::System::Diagnostics::Etw::{
    CONTROLTRACE_HANDLE, CloseTrace, ControlTraceW, ENABLE_TRACE_PARAMETERS, ENABLE_TRACE_PARAMETERS_VERSION_2,
    EVENT_CONTROL_CODE_ENABLE_PROVIDER, EVENT_FILTER_DESCRIPTOR, EVENT_FILTER_TYPE_EVENT_ID,
    EVENT_HEADER_FLAG_32_BIT_HEADER, EVENT_HEADER_FLAG_CLASSIC_HEADER, EVENT_RECORD, EVENT_TRACE_CONTROL_QUERY,
    EVENT_TRACE_CONTROL_STOP, EVENT_TRACE_FLAG, EVENT_TRACE_LOGFILEW, EVENT_TRACE_PROPERTIES,
    EVENT_TRACE_REAL_TIME_MODE, EVENT_TRACE_SYSTEM_LOGGER_MODE, EnableTraceEx2, OpenTraceW,
    PROCESS_TRACE_MODE_EVENT_RECORD, PROCESS_TRACE_MODE_RAW_TIMESTAMP, PROCESS_TRACE_MODE_REAL_TIME,
    PROCESSTRACE_HANDLE, ProcessTrace, StartTraceW, WNODE_FLAG_TRACED_GUID,
};
use windows::Win32::System::Threading::CreateMutexW;
use windows::core::{GUID, HSTRING, PCWSTR, PWSTR};

use super::super::chunk::Chunks;
use super::super::profile::{Enable, Plan};
use crate::{Error, Result};

/// The session's name. One daemon a node has it; what keeps two apart is the mutex.
const NAME: &str = "fathom-node";

/// Exists as long as a daemon that may have the session runs: the system forgets it with its process, however that ends.
const MUTEX: &str = r"Global\fathom-node-trace-session";

/// QPC ticks, as event time asks for.
const CLOCK_IS_QPC: u32 = 1;

/// `FlushTimer` is in milliseconds (`evntrace.h`, EVENT_TRACE_USE_MS_FLUSH_TIMER). Systems that do not know it refuse.
const FLUSH_IN_MILLIS: u32 = 0x10;

/// A buffer that is not full is delivered after this.
const FLUSH_MILLIS: u32 = 250;

/// Kilobytes of a buffer, and buffers: 32 MiB at most.
const BUFFER_KILOBYTES: u32 = 256;
const LEAST_BUFFERS: u32 = 32;
const MOST_BUFFERS: u32 = 128;

/// What `OpenTraceW` gives when it fails.
const NO_TRACE: u64 = u64::MAX;

/// A session that runs, and the thread that it calls.
#[derive(Debug)]
pub(super) struct Session {
    handle: CONTROLTRACE_HANDLE,
    flush: Duration,
    consumer: Option<JoinHandle<()>>,
    _mutex: Mutex,
}

/// A named mutex that is never taken, only there.
#[derive(Debug)]
struct Mutex(HANDLE);

// SAFETY: a handle of the kernel may be closed by any thread.
unsafe impl Send for Mutex {}

impl Drop for Mutex {
    fn drop(&mut self) {
        // SAFETY: the handle comes from CreateMutexW and is closed once.
        let _ = unsafe { CloseHandle(self.0) };
    }
}

impl Session {
    /// Starts one and enables the plan's providers; those that refuse are told in `troubles`.
    pub(super) fn start(plan: &Plan, chunks: &Arc<Chunks>, troubles: &mut Vec<String>) -> Result<Self> {
        let mutex = Mutex::only()?;
        stop_stale()?;
        let (handle, flush) = start(plan.kernel_flags)?;
        // From here on a failure stops it again.
        let mut session = Self {
            handle,
            flush,
            consumer: None,
            _mutex: mutex,
        };
        // What only says that it started one (Wine does) has no buffers to show.
        let shown = session.query();
        if !shown.as_ref().is_ok_and(|head| head.NumberOfBuffers > 0) {
            let why = shown
                .err()
                .map_or_else(|| "it has no buffers".to_owned(), |error| error.to_string());
            return Err(refused(format!(
                "it seemed to start, and this system does not trace: {why}"
            )));
        }
        for enable in &plan.providers {
            if let Err(reason) = session.enable(enable) {
                let name = providers::name(enable.provider).unwrap_or("a provider");
                troubles.push(format!("{name}: {reason}"));
            }
        }
        session.consumer = Some(consume(chunks)?);
        Ok(session)
    }

    /// How long a buffer may wait.
    pub(super) const fn flush(&self) -> Duration {
        self.flush
    }

    /// Events and buffers lost so far.
    pub(super) fn lost(&self) -> Result<(u64, u64)> {
        let head = self.query()?;
        Ok((
            u64::from(head.EventsLost),
            u64::from(head.LogBuffersLost) + u64::from(head.RealTimeBuffersLost),
        ))
    }

    fn query(&self) -> Result<EVENT_TRACE_PROPERTIES> {
        let mut properties = Properties::new(0);
        // SAFETY: the session is ours and open; the properties are as large as they say.
        let asked = unsafe {
            ControlTraceW(
                self.handle,
                PCWSTR::null(),
                &raw mut properties.head,
                EVENT_TRACE_CONTROL_QUERY,
            )
        };
        match asked {
            ERROR_SUCCESS => Ok(properties.head),
            other => Err(refused(format!("it cannot be asked: {}", message(other)))),
        }
    }

    fn enable(&self, enable: &Enable) -> Result<(), String> {
        // EVENT_FILTER_EVENT_ID: whether these alone, a byte that is reserved, how many, and the ids.
        let count = u16::try_from(enable.ids.len()).unwrap_or(u16::MAX);
        let mut filter: Vec<u8> = vec![1, 0];
        filter.extend(count.to_le_bytes());
        filter.extend(enable.ids.iter().flat_map(|id| id.to_le_bytes()));
        let mut descriptor = EVENT_FILTER_DESCRIPTOR {
            Ptr: filter.as_ptr() as u64,
            Size: u32::try_from(filter.len()).unwrap_or(0),
            Type: EVENT_FILTER_TYPE_EVENT_ID,
        };
        let parameters = ENABLE_TRACE_PARAMETERS {
            Version: ENABLE_TRACE_PARAMETERS_VERSION_2,
            EnableFilterDesc: &raw mut descriptor,
            FilterDescCount: 1,
            ..ENABLE_TRACE_PARAMETERS::default()
        };
        let guid = guid(enable.provider);
        // SAFETY: the session is ours and open; what is pointed to lives through the call, which copies it.
        let enabled = unsafe {
            EnableTraceEx2(
                self.handle,
                &raw const guid,
                EVENT_CONTROL_CODE_ENABLE_PROVIDER.0,
                enable.level,
                enable.keywords,
                0,
                0,
                Some(&raw const parameters),
            )
        };
        match enabled {
            ERROR_SUCCESS => Ok(()),
            other => Err(format!("it cannot be enabled: {}", message(other))),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut properties = Properties::new(0);
        // SAFETY: the session is ours; stopping it ends the consumer's call.
        let stopped = unsafe {
            ControlTraceW(
                self.handle,
                PCWSTR::null(),
                &raw mut properties.head,
                EVENT_TRACE_CONTROL_STOP,
            )
        };
        // A session that was not stopped would keep the consumer for ever; then it is left, and the next start stops the session.
        if stopped == ERROR_SUCCESS
            && let Some(consumer) = self.consumer.take()
        {
            let _ = consumer.join();
        }
    }
}

impl Mutex {
    /// The mutex, when no other daemon has it.
    fn only() -> Result<Self> {
        let name = HSTRING::from(MUTEX);
        // SAFETY: the name ends with a NUL; nobody is given the handle.
        let handle = unsafe { CreateMutexW(None, false, &name) };
        // SAFETY: asked at once after the call that sets it.
        let already = unsafe { GetLastError() } == ERROR_ALREADY_EXISTS;
        let mutex = Self(handle.map_err(|error| super::failed("the trace session's lock", &error))?);
        if already {
            return Err(refused(
                "another daemon on this node has it: stop that one first".to_owned(),
            ));
        }
        Ok(mutex)
    }
}

/// Stops a session of our name whose daemon is gone.
fn stop_stale() -> Result<()> {
    let mut properties = Properties::new(0);
    // SAFETY: the name ends with a NUL; the properties are as large as they say.
    let stopped = unsafe {
        ControlTraceW(
            CONTROLTRACE_HANDLE::default(),
            &HSTRING::from(NAME),
            &raw mut properties.head,
            EVENT_TRACE_CONTROL_STOP,
        )
    };
    match stopped {
        ERROR_ACCESS_DENIED => Err(refused(
            "one that another account left behind cannot be stopped: run as administrator (5)".to_owned(),
        )),
        // Most often there is none; anything else shows when ours is started.
        _ => Ok(()),
    }
}

fn start(kernel_flags: u32) -> Result<(CONTROLTRACE_HANDLE, Duration)> {
    let name = HSTRING::from(NAME);
    let mut tries = [
        (
            FLUSH_IN_MILLIS,
            FLUSH_MILLIS,
            Duration::from_millis(u64::from(FLUSH_MILLIS)),
        ),
        (0, 1, Duration::from_secs(1)),
    ]
    .into_iter();
    loop {
        let Some((mode, timer, flush)) = tries.next() else {
            return Err(refused("the system takes no flush timer".to_owned()));
        };
        let mut properties = Properties::new(kernel_flags);
        properties.head.LogFileMode |= mode;
        properties.head.FlushTimer = timer;
        let mut handle = CONTROLTRACE_HANDLE::default();
        // SAFETY: the name ends with a NUL; the properties say how large they are, with room for the name behind them.
        match unsafe { StartTraceW(&raw mut handle, &name, &raw mut properties.head) } {
            ERROR_SUCCESS => return Ok((handle, flush)),
            ERROR_INVALID_PARAMETER if mode != 0 => {}
            ERROR_ACCESS_DENIED => {
                let cure = "access is denied: run as administrator, or with the right SeSystemProfilePrivilege and in the group \
                            Performance Log Users (5)";
                return Err(refused(cure.to_owned()));
            }
            ERROR_NO_SYSTEM_RESOURCES => {
                return Err(refused(
                    "all of the system's trace sessions are taken (1450): `logman query -ets` lists them".to_owned(),
                ));
            }
            other => return Err(refused(message(other))),
        }
    }
}

/// Begins to be called with events, on a thread of its own, until the session is stopped.
fn consume(chunks: &Arc<Chunks>) -> Result<JoinHandle<()>> {
    let chunks = Arc::clone(chunks);
    let (opened, answer) = std::sync::mpsc::sync_channel(1);
    let thread = Builder::new().name("etw".to_owned()).spawn(move || {
        let mut name: Vec<u16> = NAME.encode_utf16().chain([0]).collect();
        let mut log = EVENT_TRACE_LOGFILEW {
            LoggerName: PWSTR(name.as_mut_ptr()),
            Context: Arc::as_ptr(&chunks).cast_mut().cast::<c_void>(),
            ..EVENT_TRACE_LOGFILEW::default()
        };
        log.Anonymous1.ProcessTraceMode =
            PROCESS_TRACE_MODE_REAL_TIME | PROCESS_TRACE_MODE_EVENT_RECORD | PROCESS_TRACE_MODE_RAW_TIMESTAMP;
        log.Anonymous2.EventRecordCallback = Some(record);
        // SAFETY: name and context live until this thread ends, which is after the last call of the callback.
        let trace: PROCESSTRACE_HANDLE = unsafe { OpenTraceW(&raw mut log) };
        if trace.Value == NO_TRACE {
            // SAFETY: asked at once after the call that sets it.
            let _ = opened.send(Err(message(unsafe { GetLastError() })));
            return;
        }
        let _ = opened.send(Ok(()));
        // SAFETY: the trace is open and closed once, after this.
        let _ = unsafe { ProcessTrace(&[trace], None, None) };
        // SAFETY: as above.
        let _ = unsafe { CloseTrace(trace) };
        chunks.end();
    });
    let thread = thread.map_err(|error| refused(format!("no thread for it: {error}")))?;
    match answer.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(reason)) => Err(refused(format!("it cannot be read: {reason}"))),
        Err(_) => Err(refused("its thread broke".to_owned())),
    }
}

/// Called with each event. Copies it and returns.
unsafe extern "system" fn record(event: *mut EVENT_RECORD) {
    // SAFETY: the system calls with a record that lives through the call.
    let Some(event) = (unsafe { event.as_ref() }) else {
        return;
    };
    // SAFETY: the context is the `Chunks` that the consumer's thread holds as long as it is called.
    let Some(chunks) = (unsafe { event.UserContext.cast::<Chunks>().as_ref() }) else {
        return;
    };
    let payload: &[u8] = if event.UserData.is_null() {
        &[]
    } else {
        // SAFETY: the record says how many bytes are there.
        unsafe { std::slice::from_raw_parts(event.UserData.cast::<u8>(), usize::from(event.UserDataLength)) }
    };
    let header = &event.EventHeader;
    let id = header.ProviderId;
    let provider = Guid::new(id.data1, id.data2, id.data3, id.data4);
    let flags = u32::from(header.Flags);
    // A class has no ids: its events are told apart by their type.
    let is_class = flags & EVENT_HEADER_FLAG_CLASSIC_HEADER != 0 || provider == providers::DISK_IO;
    let descriptor = &header.EventDescriptor;
    chunks.put(&RawEvent {
        key: EventKey {
            provider,
            id: if is_class {
                u16::from(descriptor.Opcode)
            } else {
                descriptor.Id
            },
            version: descriptor.Version,
        },
        stamp: header.TimeStamp,
        pointer_bytes: if flags & EVENT_HEADER_FLAG_32_BIT_HEADER != 0 {
            4
        } else {
            8
        },
        payload,
    });
}

/// A session's properties with the room behind them in which the system writes its name.
#[repr(C)]
struct Properties {
    head: EVENT_TRACE_PROPERTIES,
    name: [u16; 128],
}

impl Properties {
    fn new(kernel_flags: u32) -> Self {
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut properties = Self {
            head: EVENT_TRACE_PROPERTIES::default(),
            name: [0; 128],
        };
        let head = &mut properties.head;
        head.Wnode.BufferSize = size(size_of::<Self>());
        head.Wnode.Flags = WNODE_FLAG_TRACED_GUID;
        head.Wnode.ClientContext = CLOCK_IS_QPC;
        head.BufferSize = BUFFER_KILOBYTES;
        head.MinimumBuffers = LEAST_BUFFERS;
        head.MaximumBuffers = MOST_BUFFERS;
        head.LogFileMode = EVENT_TRACE_REAL_TIME_MODE;
        if kernel_flags != 0 {
            head.LogFileMode |= EVENT_TRACE_SYSTEM_LOGGER_MODE;
            head.EnableFlags = EVENT_TRACE_FLAG(kernel_flags);
        }
        head.LoggerNameOffset = size(std::mem::offset_of!(Self, name));
        properties
    }
}

pub(super) const fn guid(guid: Guid) -> GUID {
    let (first, second, third, rest) = guid.groups();
    GUID::from_values(first, second, third, rest)
}

const fn refused(reason: String) -> Error {
    Error::System {
        what: "a trace session",
        reason,
    }
}

fn message(error: WIN32_ERROR) -> String {
    format!("{} ({})", error.to_hresult().message().trim_end_matches('.'), error.0)
}
