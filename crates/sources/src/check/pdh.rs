//! Which sets of performance counters answer, by their English names.
#![expect(unsafe_code, reason = "PDH is a C interface")]

use windows::Win32::System::Performance::{
    PDH_HCOUNTER, PDH_HQUERY, PDH_MORE_DATA, PdhAddEnglishCounterW, PdhCloseQuery, PdhCollectQueryData,
    PdhGetRawCounterArrayW, PdhOpenQueryW,
};
use windows::core::{HSTRING, PCWSTR};

use super::known::COUNTERS;
use super::{Probe, State, words};

/// The call did what it was asked.
const SUCCESS: u32 = 0;

pub(super) fn counter_sets() -> Probe {
    let items = COUNTERS.iter().map(|(set, counter)| format!(r"\{set}(*)\{counter}"));
    Probe::new("pdh", items.collect(), |answers| {
        for (item, (set, counter)) in COUNTERS.iter().enumerate() {
            let state = match instances(&format!(r"\{set}(*)\{counter}")) {
                Ok(1) => State::Available("1 instance".to_owned()),
                Ok(count) => State::Available(format!("{count} instances")),
                Err(status) => State::Unavailable(words::pdh(status)),
            };
            answers.give(item, state);
        }
    })
}

/// A query that is closed when it is dropped, and its counters with it.
struct Query(PDH_HQUERY);

impl Drop for Query {
    fn drop(&mut self) {
        // SAFETY: the handle comes from PdhOpenQueryW and is closed once.
        unsafe { PdhCloseQuery(self.0) };
    }
}

/// Instances of a counter that gave a value, or the status of the first call that failed.
fn instances(path: &str) -> Result<u32, u32> {
    let ok = |status: u32| if status == SUCCESS { Ok(()) } else { Err(status) };
    let mut query = Query(PDH_HQUERY::default());
    // SAFETY: a null source is the running system; the place for the handle lives through the call.
    let opened = unsafe { PdhOpenQueryW(PCWSTR::null(), 0, &raw mut query.0) };
    if opened != SUCCESS {
        // There is no handle to close.
        std::mem::forget(query);
        return Err(opened);
    }
    let mut counter = PDH_HCOUNTER::default();
    // SAFETY: the query is open, the path ends with a NUL, and the place for the handle lives through the call.
    ok(unsafe { PdhAddEnglishCounterW(query.0, &HSTRING::from(path), 0, &raw mut counter) })?;
    // SAFETY: the query is open.
    ok(unsafe { PdhCollectQueryData(query.0) })?;
    let (mut bytes, mut items) = (0, 0);
    // SAFETY: the counter is the query's; without a buffer only sizes are given.
    match unsafe { PdhGetRawCounterArrayW(counter, &raw mut bytes, &raw mut items, None) } {
        SUCCESS | PDH_MORE_DATA => Ok(items),
        status => Err(status),
    }
}
