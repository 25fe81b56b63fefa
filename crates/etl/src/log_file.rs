//! The log-file header (TRACE_LOGFILE_HEADER): the first record of a trace.

use crate::bytes::Bytes;
use crate::clock::{Clock, ClockKind, unix_nanos_of_file_time};

/// What the header of a trace says of the file and its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Windows' version: major, minor, build.
    pub windows: (u8, u8, u32),
    /// Processors of the machine.
    pub processors: u32,
    /// Bytes of a pointer in the header, and so of the machine: 4 or 8.
    pub pointer_bytes: u32,
    /// The mode in which it was written; bit 0x0400_0000: compressed.
    pub mode: u32,
    /// Bytes of a buffer in the session.
    pub buffer_bytes: u32,
    /// Buffers that the session says it wrote.
    pub buffers_written: u32,
    /// Events that the session lost.
    pub events_lost: u32,
    /// Buffers that the session lost.
    pub buffers_lost: u32,
    /// Which clock stamped the records; `None` for a value that is not known here.
    pub clock: Option<ClockKind>,
    /// Every how many 100 ns the machine's system time moved on.
    pub timer_resolution: u32,
    /// Ticks a second of the performance counter.
    pub qpc_frequency: i64,
    /// Megahertz of a processor.
    pub cpu_mhz: u32,
    /// When the machine was started, in 100 ns since 1601.
    pub boot_time: i64,
    /// When the session was started, in 100 ns since 1601.
    pub start_time: i64,
    /// When the session was stopped, in 100 ns since 1601; 0 where it was not.
    pub end_time: i64,
    /// The stamp of the header itself: the tick of `start_time`.
    pub start_ticks: i64,
}

impl LogFile {
    /// Out of the payload of the header's record, whose kind says how many bytes a pointer has. A merging program of another width than
    /// the machine's writes pointers of its own; then the clock shows it. `None` where the bytes end before.
    pub(crate) fn of(payload: &[u8], pointer: usize, stamp: i64) -> Option<Self> {
        let first = Self::parse(payload, pointer, stamp);
        if first.as_ref().is_some_and(|log_file| log_file.clock().is_ok()) {
            return first;
        }
        let other = Self::parse(payload, if pointer == 4 { 8 } else { 4 }, stamp);
        other.filter(|log_file| log_file.clock().is_ok()).or(first)
    }

    /// Out of the payload, with pointers of 4 or 8 bytes.
    fn parse(payload: &[u8], pointer: usize, stamp: i64) -> Option<Self> {
        // Two pointers (names of logger and file), the time zone (172 bytes), and then 64-bit values at a multiple of eight.
        let times = (56 + 2 * pointer + 172).next_multiple_of(8);
        let version = payload.u32_at(4)?.to_le_bytes();
        Some(Self {
            windows: (version[0], version[1], payload.u32_at(8)?),
            processors: payload.u32_at(12)?,
            pointer_bytes: payload.u32_at(44)?,
            mode: payload.u32_at(32)?,
            buffer_bytes: payload.u32_at(0)?,
            buffers_written: payload.u32_at(36)?,
            events_lost: payload.u32_at(48)?,
            buffers_lost: payload.u32_at(times + 28)?,
            clock: ClockKind::of(payload.u32_at(times + 24)?),
            timer_resolution: payload.u32_at(24)?,
            qpc_frequency: payload.i64_at(times + 8)?,
            cpu_mhz: payload.u32_at(52)?,
            boot_time: payload.i64_at(times)?,
            start_time: payload.i64_at(times + 16)?,
            end_time: payload.i64_at(16)?,
            start_ticks: stamp,
        })
    }

    /// Whether the session wrote compressed buffers.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.mode & 0x0400_0000 != 0
    }

    /// When the session was started, in nanoseconds since 1970; `None` where it does not fit.
    #[must_use]
    pub fn start_unix_nanos(&self) -> Option<i64> {
        i64::try_from(unix_nanos_of_file_time(self.start_time)).ok()
    }

    /// When the session was stopped, in nanoseconds since 1970; `None` where it was not, or it does not fit.
    #[must_use]
    pub fn end_unix_nanos(&self) -> Option<i64> {
        let end = (self.end_time > 0).then(|| unix_nanos_of_file_time(self.end_time))?;
        i64::try_from(end).ok()
    }

    /// How fine the times of its records are, in nanoseconds: a tick of the clock, or of the timer that moves the system time on.
    #[must_use]
    pub fn resolution_nanos(&self) -> u64 {
        let tick = |hertz: u64| 1_000_000_000_u64.div_ceil(hertz.max(1));
        let qpc = tick(u64::try_from(self.qpc_frequency).unwrap_or(0));
        match self.clock {
            Some(ClockKind::SystemTime) => qpc.max(u64::from(self.timer_resolution) * 100),
            Some(ClockKind::Qpc | ClockKind::Cycles) | None => qpc,
        }
    }

    /// The clock of the records; the cause in words where there is none.
    pub(crate) fn clock(&self) -> Result<Clock, String> {
        let qpc = u64::try_from(self.qpc_frequency).unwrap_or(0);
        if qpc == 0 {
            return Err(format!(
                "gives {} as the ticks a second of its clock",
                self.qpc_frequency
            ));
        }
        let base_nanos = unix_nanos_of_file_time(self.start_time);
        let (frequency, base_ticks, base_nanos) = match self.clock {
            Some(ClockKind::Qpc) => (qpc, self.start_ticks, base_nanos),
            Some(ClockKind::SystemTime) => (10_000_000, 0, unix_nanos_of_file_time(0)),
            Some(ClockKind::Cycles) if self.cpu_mhz > 0 => {
                (u64::from(self.cpu_mhz) * 1_000_000, self.start_ticks, base_nanos)
            }
            Some(ClockKind::Cycles) => return Err("gives 0 MHz as the speed of its clock".to_owned()),
            None => return Err("names a clock that is not known here".to_owned()),
        };
        Ok(Clock {
            frequency,
            base_ticks,
            base_nanos,
            response_frequency: qpc,
        })
    }
}

#[cfg(test)]
mod tests;
