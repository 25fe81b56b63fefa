//! Follows channels of the event log: what is logged from now on, as XML. Asked on a thread of its own, each channel by its last record.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use fathom_etl::slow::xml;
use windows::Win32::Foundation::{ERROR_SUCCESS, SetLastError};
use windows::Win32::System::EventLog::{
    EVT_HANDLE, EvtClose, EvtNext, EvtQuery, EvtQueryChannelPath, EvtQueryForwardDirection, EvtQueryReverseDirection,
    EvtRender, EvtRenderEventXml,
};
use windows::core::HSTRING;

use super::super::waiting::Waiting;
use super::LOG_EVERY;

/// Events of a channel that are read at once.
const SOME: usize = 64;

type Channels = &'static [(&'static str, &'static str, &'static [u16])];

/// Channels that are followed.
#[derive(Debug)]
pub(super) struct Log {
    state: Arc<Mutex<State>>,
    /// Dropped with this: the thread ends.
    _stop: SyncSender<()>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    troubles: BTreeMap<&'static str, String>,
}

impl Log {
    /// Begins to follow them.
    pub(super) fn follow(channels: Channels) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (stop, stopped) = sync_channel::<()>(0);
        let shared = Arc::clone(&state);
        let began = Builder::new().name("event-log".to_owned()).spawn(move || {
            let mut last: Vec<Option<u64>> = channels.iter().map(|_| None).collect();
            loop {
                for (channel, last) in channels.iter().zip(&mut last) {
                    let trouble = read(channel, last, &shared).err();
                    let mut state = lock(&shared);
                    match trouble {
                        Some(trouble) => drop(state.troubles.insert(channel.0, trouble)),
                        None => drop(state.troubles.remove(channel.0)),
                    }
                }
                match stopped.recv_timeout(LOG_EVERY) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        if let Err(error) = began {
            lock(&state)
                .troubles
                .insert("event log", format!("no thread to ask it on: {error}"));
        }
        Self { state, _stop: stop }
    }

    /// Hands over what came.
    pub(super) fn take(&self, mut take: impl FnMut(&str)) {
        let waiting = lock(&self.state).waiting.take();
        waiting.iter().for_each(|text| take(text));
    }

    /// Events that found no room, so far.
    pub(super) fn dropped(&self) -> u64 {
        lock(&self.state).waiting.dropped()
    }

    /// What of it cannot be read.
    pub(super) fn troubles(&self) -> Vec<String> {
        let state = lock(&self.state);
        let dropped = state.waiting.dropped();
        let dropped = (dropped > 0).then(|| format!("event log: {dropped} events found no room"));
        let of_channels = state
            .troubles
            .iter()
            .map(|(channel, trouble)| format!("{channel}: {trouble}"));
        of_channels.chain(dropped).collect()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something of the event log that is closed when it is dropped.
pub(crate) struct Handle(EVT_HANDLE);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle comes from the event log and is closed once.
        let _ = unsafe { EvtClose(self.0) };
    }
}

/// Reads what a channel has after its last record; the first time, only which record is its last.
fn read(
    (channel, provider, ids): &(&'static str, &'static str, &'static [u16]),
    last: &mut Option<u64>,
    shared: &Mutex<State>,
) -> Result<(), String> {
    let ids: Vec<String> = ids.iter().map(|id| format!("EventID={id}")).collect();
    let of_ids = format!("System[Provider[@Name='{provider}'] and ({})", ids.join(" or "));
    let Some(known) = *last else {
        let newest = query(channel, "*", EvtQueryReverseDirection.0)?;
        let text = next(&newest, 1)?.pop();
        *last = Some(text.and_then(|text| xml::parse(&text).ok()?.record).unwrap_or(0));
        return Ok(());
    };
    let found = query(
        channel,
        &format!("*[{of_ids} and EventRecordID>{known}]]"),
        EvtQueryForwardDirection.0,
    )?;
    loop {
        let texts = next(&found, SOME)?;
        if texts.is_empty() {
            return Ok(());
        }
        let mut state = lock(shared);
        for text in texts {
            if let Ok(xml::Rendered {
                record: Some(record), ..
            }) = xml::parse(&text)
            {
                *last = Some(record.max(last.unwrap_or(0)));
            }
            state.waiting.put(text);
        }
    }
}

/// Asks a channel for events, oldest or newest first.
pub(crate) fn query(channel: &str, query: &str, direction: u32) -> Result<Handle, String> {
    let flags = EvtQueryChannelPath.0 | direction;
    let (channel, query) = (HSTRING::from(channel), HSTRING::from(query));
    // What fails without saying why must not be given the reason of another call.
    // SAFETY: the call has no conditions.
    unsafe { SetLastError(ERROR_SUCCESS) };
    // SAFETY: no session is this machine; both names end with a NUL.
    let found = unsafe { EvtQuery(None, &channel, &query, flags) };
    found.map(Handle).map_err(|error| match error.code().is_ok() {
        true => "the event log failed without saying why".to_owned(),
        false => error.message(),
    })
}

/// The next events of a query, as XML.
pub(crate) fn next(found: &Handle, most: usize) -> Result<Vec<String>, String> {
    let mut events = vec![0_isize; most];
    let mut returned = 0;
    // SAFETY: the query is open; the places live through the call. It fails when there are no more events.
    if unsafe { EvtNext(found.0, &mut events, 1_000, 0, &raw mut returned) }.is_err() {
        return Ok(Vec::new());
    }
    events.truncate(returned as usize);
    let handles: Vec<Handle> = events.into_iter().map(|event| Handle(EVT_HANDLE(event))).collect();
    handles.iter().map(render).collect()
}

fn render(event: &Handle) -> Result<String, String> {
    // An event has 64 KiB at most, twice that as UTF-16, and a little more as XML.
    let mut units = vec![0_u16; 256 * 1024];
    let (mut used, mut properties) = (0, 0);
    let size = u32::try_from(units.len() * 2).unwrap_or(u32::MAX);
    // SAFETY: the event is open; the buffer is as large as is said.
    let rendered = unsafe {
        EvtRender(
            None,
            event.0,
            EvtRenderEventXml.0,
            size,
            Some(units.as_mut_ptr().cast()),
            &raw mut used,
            &raw mut properties,
        )
    };
    rendered.map_err(|error| error.message())?;
    let end = units.iter().position(|&unit| unit == 0).unwrap_or(units.len());
    Ok(String::from_utf16_lossy(&units[..end]))
}
