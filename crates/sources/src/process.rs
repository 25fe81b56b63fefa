//! What this process uses, as the system counts it.
#![cfg_attr(windows, expect(unsafe_code, reason = "the counters of a process are a C interface"))]

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all its threads since it began, in nanoseconds. `None`: the system does not say.
    pub processor_nanos: Option<u64>,
    /// Memory that it holds now, in bytes. `None`: the system does not say.
    pub memory_bytes: Option<u64>,
}

/// What this process has used so far.
#[must_use]
#[cfg(not(windows))]
pub fn usage() -> Usage {
    // Fields 14, 15 and 24 of proc(5); the second one is a name in brackets that may hold blanks. A tick is 10 ms and a page 4 KiB on
    // every Linux that this runs on.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let ticks = fields.get(10).zip(fields.get(11)).map(|(user, system)| user + system);
    Usage {
        processor_nanos: ticks.map(|ticks| ticks * 10_000_000),
        memory_bytes: fields.get(20).map(|pages| pages * 4096),
    }
}

/// What this process has used so far.
#[must_use]
#[cfg(windows)]
pub fn usage() -> Usage {
    use windows::Win32::Foundation::FILETIME;
    use windows::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
    use windows::Win32::System::Threading::{GetCurrentProcess, GetProcessTimes};

    let nanos = |time: FILETIME| (u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)) * 100;
    let (mut created, mut exited) = (FILETIME::default(), FILETIME::default());
    let (mut kernel, mut user) = (FILETIME::default(), FILETIME::default());
    // SAFETY: the pseudo handle needs no closing; the four places live through the call.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: as above.
    let times = unsafe {
        GetProcessTimes(
            process,
            &raw mut created,
            &raw mut exited,
            &raw mut kernel,
            &raw mut user,
        )
    };
    let mut counters = PROCESS_MEMORY_COUNTERS::default();
    let size = u32::try_from(size_of::<PROCESS_MEMORY_COUNTERS>()).unwrap_or(0);
    // SAFETY: the place is as large as is said and lives through the call.
    let memory = unsafe { K32GetProcessMemoryInfo(process, &raw mut counters, size) };
    Usage {
        processor_nanos: times.is_ok().then(|| nanos(kernel) + nanos(user)),
        memory_bytes: memory.as_bool().then_some(counters.WorkingSetSize as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_uses_memory() {
        let usage = usage();
        assert!(
            usage
                .memory_bytes
                .is_some_and(|bytes| bytes > 1 << 20 && bytes < 1 << 40),
            "{usage:?}"
        );
        assert!(usage.processor_nanos.is_some());
    }
}
