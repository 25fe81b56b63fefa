//! Makes traces, as a session of Windows would have written them: what tests of this crate and of those above it read.
//!
//! It writes what [`read`](crate::read) reads and no more. That both agree proves little; that the reader agrees with real files is
//! shown by `tests/real_files.rs`.

use fathom_model::Op;

use crate::buffer::HEADER;
use crate::clock::ClockKind;
use crate::disk_io::DiskIo;

/// The time at which a built trace starts: 2026-09-22T00:00:00Z, in 100 ns since 1601.
pub const START_TIME: i64 = 134_347_680_000_000_000;

/// How a trace is built.
#[derive(Clone, Debug)]
pub struct Builder {
    /// 4 or 8.
    pub pointer_bytes: usize,
    /// Bytes of the pointers in the header, where they are not the machine's.
    pub header_pointer_bytes: Option<usize>,
    /// Whether buffers' flags say that they are compressed, where they are.
    pub flagged: bool,
    /// What stamps the records.
    pub clock: ClockKind,
    /// Ticks a second of the performance counter.
    pub qpc_frequency: i64,
    /// Megahertz of a processor.
    pub cpu_mhz: u32,
    /// The tick of the start.
    pub start_ticks: i64,
    /// When the session was started, in 100 ns since 1601.
    pub start_time: i64,
    /// Whether buffers are compressed.
    pub compressed: bool,
    /// Bytes of a buffer.
    pub buffer_bytes: usize,
    /// Events that the header calls lost.
    pub events_lost: u32,
    /// Buffers that the header calls lost.
    pub buffers_lost: u32,
    /// The records, each as it stands in a buffer, padded.
    pub records: Vec<Vec<u8>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            pointer_bytes: 8,
            header_pointer_bytes: None,
            flagged: true,
            clock: ClockKind::Qpc,
            qpc_frequency: 10_000_000,
            cpu_mhz: 3_000,
            start_ticks: 1_000_000,
            start_time: START_TIME,
            compressed: false,
            buffer_bytes: 4096,
            events_lost: 0,
            buffers_lost: 0,
            records: Vec::new(),
        }
    }
}

/// Bytes of a payload, one field after the other.
#[derive(Clone, Debug, Default)]
pub struct Payload(pub Vec<u8>);

impl Payload {
    /// A byte.
    #[must_use]
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// Two bytes.
    #[must_use]
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Four bytes.
    #[must_use]
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Eight bytes.
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Eight bytes with a sign.
    #[must_use]
    pub fn i64(self, value: i64) -> Self {
        self.u64(value.cast_unsigned())
    }

    /// A pointer of so many bytes.
    #[must_use]
    pub fn pointer(self, value: u64, bytes: usize) -> Self {
        if bytes == 4 {
            self.u32(value as u32)
        } else {
            self.u64(value)
        }
    }

    /// UTF-16 in a field of so many units, filled with zeros.
    #[must_use]
    pub fn utf16(mut self, text: &str, units: usize) -> Self {
        let text: Vec<u16> = text.encode_utf16().take(units).collect();
        let padding = units - text.len();
        self.0.extend(text.into_iter().flat_map(u16::to_le_bytes));
        self.0.extend(vec![0; 2 * padding]);
        self
    }
}

impl Builder {
    /// Adds a record of the kernel with the header that disk I/O has (PERFINFO).
    pub fn hook(&mut self, hook: u16, version: u16, stamp: i64, payload: &[u8]) {
        let kind = if self.pointer_bytes == 4 { 16 } else { 17 };
        let header = Payload::default()
            .u16(version)
            .u8(kind)
            .u8(0xc0)
            .u16((16 + payload.len()) as u16)
            .u16(hook)
            .i64(stamp);
        self.raw(&[&header.0, payload].concat());
    }

    /// Adds a record of the kernel with a full system header.
    pub fn system(&mut self, hook: u16, version: u16, stamp: i64, payload: &[u8]) {
        let header = self.system_header(hook, version, stamp, payload.len());
        self.raw(&[&header, payload].concat());
    }

    /// Adds a record with the header of a provider (EVENT_HEADER).
    pub fn provider(&mut self, guid: [u8; 16], id: u16, stamp: i64, payload: &[u8]) {
        let mut header = Payload::default()
            .u16((80 + payload.len()) as u16)
            .u8(if self.pointer_bytes == 4 { 18 } else { 19 })
            .u8(0xc0)
            .u32(0)
            .u64(0)
            .i64(stamp)
            .0;
        header.extend(guid);
        header.extend(id.to_le_bytes());
        header.resize(80, 0);
        self.raw(&[&header, payload].concat());
    }

    /// Adds a record with the header of a class of events (EVENT_TRACE_HEADER).
    pub fn class(&mut self, guid: [u8; 16], kind: u8, version: u16, stamp: i64, payload: &[u8]) {
        let mut header = Payload::default()
            .u16((48 + payload.len()) as u16)
            .u8(if self.pointer_bytes == 4 { 10 } else { 20 })
            .u8(0xc0)
            .u8(kind)
            .u8(0)
            .u16(version)
            .u64(0)
            .i64(stamp)
            .0;
        header.extend(guid);
        header.resize(48, 0);
        self.raw(&[&header, payload].concat());
    }

    /// Adds a record as it is, padded.
    pub fn raw(&mut self, record: &[u8]) {
        let mut record = record.to_owned();
        record.resize(record.len().next_multiple_of(8), 0);
        self.records.push(record);
    }

    /// The tick at which it was so many nanoseconds after 1970, rounded to the nearest.
    #[must_use]
    pub fn ticks(&self, unix_nanos: i64) -> i64 {
        let steps = i128::from(unix_nanos) / 100 + 116_444_736_000_000_000;
        let ticks = match self.clock {
            ClockKind::SystemTime => steps,
            ClockKind::Qpc => self.ticks_at(unix_nanos, i128::from(self.qpc_frequency)),
            ClockKind::Cycles => self.ticks_at(unix_nanos, i128::from(self.cpu_mhz) * 1_000_000),
        };
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }

    fn ticks_at(&self, unix_nanos: i64, frequency: i128) -> i128 {
        let start = (i128::from(self.start_time) - 116_444_736_000_000_000) * 100;
        let nanos = i128::from(unix_nanos) - start;
        i128::from(self.start_ticks) + (nanos * frequency + 500_000_000).div_euclid(1_000_000_000)
    }

    /// Adds an I/O as the kernel logs it at its completion, version 3. Times are rounded to ticks; an unmap cannot be logged and is
    /// left out.
    pub fn io(&mut self, io: &DiskIo) {
        let stamp = self.ticks(io.end_unix_nanos());
        let response = i128::from(io.duration_nanos) * i128::from(self.qpc_frequency) + 500_000_000;
        let response = (response / 1_000_000_000) as u64;
        let irp = io.irp.unwrap_or(0);
        let hook = match io.op {
            Op::Read => 0x010a,
            Op::Write => 0x010b,
            Op::Flush => 0x010e,
            Op::Unmap => return,
        };
        let payload = if io.op == Op::Flush {
            let payload = Payload::default().u32(io.disk).u32(0).u64(response);
            payload.pointer(irp, self.pointer_bytes).u32(7)
        } else {
            let payload = Payload::default().u32(io.disk).u32(0).u32(io.length as u32).u32(0);
            let payload = payload.u64(io.offset).pointer(1, self.pointer_bytes);
            payload.pointer(irp, self.pointer_bytes).u64(response).u32(7)
        };
        self.hook(hook, 3, stamp, &payload.0);
    }

    /// Adds the record that names the computer.
    pub fn computer(&mut self, name: &str) {
        let payload = Payload::default().u32(3_000).u32(8).u32(0).u32(4096).u32(65_536);
        let payload = payload.utf16(name, 256).utf16("example.org", 132).u32(0);
        self.system(0x0b0a, 2, self.start_ticks, &payload.0);
    }

    /// Adds the record of a disk.
    pub fn drive(&mut self, disk: u32, model: &str, partitions: u32) {
        let payload = Payload::default().u32(disk).u32(512).u32(63).u32(255).u64(1_000);
        let payload = payload.u32(0).u32(0).u32(0).u32(0).utf16(model, 256);
        let payload = payload.u32(partitions).u8(1).u8(0).utf16("C:", 3).utf16("", 2);
        self.system(0x0b0b, 2, self.start_ticks, &payload.0);
    }

    /// Adds the record of a partition.
    pub fn partition(&mut self, disk: u32, offset: u64, length: u64, letter: &str) {
        let payload = Payload::default().u64(offset).u64(length).u32(disk).u32(0).u32(1);
        let payload = payload.utf16(letter, 4).u32(0).u32(1).u32(8).u32(512).u32(0);
        let payload = payload.u64(0).u64(0).utf16("ReFS", 16).u32(0).u32(0);
        self.system(0x0b0c, 2, self.start_ticks, &payload.0);
    }

    /// The file.
    ///
    /// # Panics
    ///
    /// When a record is larger than a buffer.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        let mut buffers: Vec<Vec<u8>> = Vec::new();
        for record in &self.records {
            assert!(
                record.len() <= self.buffer_bytes - HEADER,
                "a record larger than a buffer"
            );
            match buffers.last_mut() {
                Some(buffer) if buffer.len() + record.len() <= self.buffer_bytes - HEADER => {
                    buffer.extend(record);
                }
                _ => buffers.push(record.clone()),
            }
        }
        let mut file = self.header(buffers.len() as u32 + 1);
        for data in buffers {
            file.extend(self.buffer(&data));
        }
        file
    }

    fn buffer(&self, data: &[u8]) -> Vec<u8> {
        let end = HEADER + data.len();
        if self.compressed {
            let packed = pack(data);
            let flags = if self.flagged { 0x60 } else { 0x20 };
            let mut buffer = buffer_header(HEADER + packed.len(), end, flags, 0);
            buffer.extend(packed);
            return buffer;
        }
        let mut buffer = buffer_header(self.buffer_bytes, end, 0x20, 0);
        buffer.extend(data);
        buffer.resize(self.buffer_bytes, 0xff);
        buffer
    }

    /// The first buffer, with the header of the trace.
    fn header(&self, buffers: u32) -> Vec<u8> {
        let clock = match self.clock {
            ClockKind::Qpc => 1,
            ClockKind::SystemTime => 2,
            ClockKind::Cycles => 3,
        };
        let pointer = self.header_pointer_bytes.unwrap_or(self.pointer_bytes);
        let mode = if self.compressed { 0x0400_0001 } else { 1 };
        let mut payload = Payload::default()
            .u32(self.buffer_bytes as u32)
            .u32(u32::from_le_bytes([10, 0, 0, 5]))
            .u32(20_348)
            .u32(8)
            .i64(self.start_time + 600_000_000)
            .u32(156_250)
            .u32(0)
            .u32(mode)
            .u32(buffers)
            .u32(1)
            .u32(self.pointer_bytes as u32)
            .u32(self.events_lost)
            .u32(self.cpu_mhz)
            .pointer(0, pointer)
            .pointer(0, pointer)
            .0;
        payload.resize((payload.len() + 172).next_multiple_of(8), 0);
        let payload = Payload(payload)
            .i64(self.start_time - 1_000_000)
            .i64(self.qpc_frequency)
            .i64(self.start_time)
            .u32(clock)
            .u32(self.buffers_lost)
            .utf16("built", 6)
            .utf16("", 1);
        let stamp = match self.clock {
            ClockKind::SystemTime => self.start_time,
            ClockKind::Qpc | ClockKind::Cycles => self.start_ticks,
        };
        let mut record = self.system_header(0, 2, stamp, payload.0.len());
        record.extend(payload.0);
        let end = HEADER + record.len();
        let size = if self.compressed { 512 } else { self.buffer_bytes };
        let mut buffer = buffer_header(size, end, 1, 4);
        buffer.extend(record);
        buffer.resize(size, 0xff);
        buffer
    }

    fn system_header(&self, hook: u16, version: u16, stamp: i64, payload: usize) -> Vec<u8> {
        Payload::default()
            .u16(version)
            .u8(if self.pointer_bytes == 4 { 1 } else { 2 })
            .u8(0xc0)
            .u16((32 + payload) as u16)
            .u16(hook)
            .u32(0)
            .u32(4)
            .i64(stamp)
            .u64(0)
            .0
    }
}

/// WMI_BUFFER_HEADER.
fn buffer_header(size: usize, end: usize, flags: u16, kind: u16) -> Vec<u8> {
    let mut header = Payload::default().u32(size as u32).u32(end as u32).u32(end as u32).0;
    header.resize(0x30, 0);
    let mut header = Payload(header).u32(end as u32).u16(flags).u16(kind).0;
    header.resize(HEADER, 0);
    header
}

/// Compresses as a session does: greedily, with the last place where three bytes stood.
#[must_use]
pub fn pack(input: &[u8]) -> Vec<u8> {
    let mut places = std::collections::HashMap::new();
    let mut output = Vec::new();
    let (mut flags_at, mut flags, mut used) = (0, 0_u32, 32);
    let mut half_byte: Option<usize> = None;
    let mut at = 0;
    loop {
        if used == 32 {
            if !output.is_empty() {
                output[flags_at..flags_at + 4].copy_from_slice(&flags.to_le_bytes());
            }
            flags_at = output.len();
            output.extend([0; 4]);
            (flags, used) = (0, 0);
        }
        if at == input.len() {
            break;
        }
        let from: Option<usize> = input.get(at..at + 3).and_then(|three| places.insert(three, at));
        used += 1;
        match from.filter(|from| at - from <= 8192) {
            Some(from) => {
                let same = input[at..]
                    .iter()
                    .zip(&input[from..])
                    .take_while(|(a, b)| a == b)
                    .count();
                flags |= 1 << (32 - used);
                output.extend((((at - from - 1) << 3 | (same - 3).min(7)) as u16).to_le_bytes());
                long_length(same - 3, &mut half_byte, &mut output);
                at += same;
            }
            None => {
                output.push(input[at]);
                at += 1;
            }
        }
    }
    // What is not used of the last flags is ones.
    let unused = u32::MAX.checked_shr(used).unwrap_or(0);
    output[flags_at..flags_at + 4].copy_from_slice(&(flags | unused).to_le_bytes());
    output
}

/// What follows a match whose length less three does not fit three bits.
fn long_length(length: usize, half_byte: &mut Option<usize>, output: &mut Vec<u8>) {
    if length < 7 {
        return;
    }
    let half = (length - 7).min(15) as u8;
    match half_byte.take() {
        Some(shared) => output[shared] |= half << 4,
        None => {
            *half_byte = Some(output.len());
            output.push(half);
        }
    }
    if length < 7 + 15 {
        return;
    }
    output.push((length - 22).min(255) as u8);
    if length - 22 >= 255 {
        match u16::try_from(length) {
            Ok(short) => output.extend(short.to_le_bytes()),
            Err(_) => {
                output.extend([0, 0]);
                output.extend((length as u32).to_le_bytes());
            }
        }
    }
}
