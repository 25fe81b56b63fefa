//! The disk I/O table of Windows Performance Analyzer as CSV, as `wpaexporter` writes it: a row an I/O.
//!
//! Columns are found by name, so that their order and others between them do not matter. Read are `IO Type`, `Init Time`,
//! `Complete Time`, `Size`, `Min Offset` and `Disk`, and, where they are there, `Max Offset` and `Count` to check a row by. Numbers are in
//! the format of the machine that exported them: `1,079943800` and `16.384` with semicolons between columns in Germany,
//! `1.079943800` and `"16,384"` in the United States. What separates columns is seen from the header, what separates decimals
//! from the first time.
//!
//! Times in the table are seconds since the trace's start, to 100 ns; the start itself is not in it, so the caller says it.
//! There is no request address (IRP), no computer's name and nothing of lost events.

use std::io::{self, BufRead, BufReader, Read};

use csv::ByteRecord;
use fathom_model::Op;

use crate::disk_io::{DiskIo, in_order};
use crate::error::{Error, Result};
use crate::report::{FaultKind, Report};
use crate::trace::MOST_EVENTS;

/// Longer lines are refused: a row has about two hundred bytes, and a file without line ends must not fill the memory.
const LONGEST_LINE: usize = 64 * 1024;

/// A table, decoded.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its disk I/O, in the order of completion.
    pub events: Vec<DiskIo>,
    /// What was read and what was not. Offsets of faults are line numbers, from 1.
    pub report: Report,
}

/// Whether the begin of a file can be that of such a table: the name of a column of it stands in the first line.
#[must_use]
pub fn is_table(begin: &[u8]) -> bool {
    let line = begin.split(|&byte| byte == b'\n').next().unwrap_or_default();
    Columns::find(&String::from_utf8_lossy(line)).is_ok()
}

/// Reads a table to its end. `start_unix_nanos` is when its trace was started, in nanoseconds since 1970.
///
/// # Errors
///
/// When the input cannot be read or is empty, when its first line is not the header of such a table, when a line is longer than
/// 64 KiB, or at more than [`MOST_EVENTS`] rows. A row that is not what it should be is a [`Fault`](crate::Fault), and the others are
/// still read.
pub fn read(input: impl Read, start_unix_nanos: i64) -> Result<Table> {
    let mut input = BufReader::with_capacity(
        256 * 1024,
        LineBound {
            input,
            in_line: 0,
            read: 0,
        },
    );
    let mut header = Vec::new();
    if let Err(source) = input.read_until(b'\n', &mut header) {
        return Err(broken(source, input.get_ref().read));
    }
    if header.is_empty() {
        return Err(Error::Empty);
    }
    if header.starts_with(&[0xff, 0xfe]) || header.starts_with(&[0xfe, 0xff]) {
        return Err(Error::Csv {
            line: 1,
            cause: "the text is UTF-16; save it as UTF-8".to_owned(),
        });
    }
    let columns = Columns::find(&String::from_utf8_lossy(&header)).map_err(|cause| Error::Csv { line: 1, cause })?;
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(columns.delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(&mut input);
    let mut report = Report::default();
    let mut events = Vec::new();
    let mut decimal = None;
    let mut row = ByteRecord::new();
    loop {
        match rows.read_byte_record(&mut row) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                let offset = header.len() as u64 + rows.position().byte();
                return Err(match error.into_kind() {
                    csv::ErrorKind::Io(source) => broken(source, offset),
                    other => broken(io::Error::other(format!("{other:?}")), offset),
                });
            }
        }
        // The header is the first line.
        let line = row.position().map_or(1, csv::Position::line) + 1;
        report.records += 1;
        match columns.event(&row, &mut decimal, start_unix_nanos) {
            Ok(_) if events.len() >= MOST_EVENTS => {
                return Err(Error::TooMany {
                    most: MOST_EVENTS,
                    offset: header.len() as u64 + rows.position().byte(),
                });
            }
            Ok(event) => {
                match event.op {
                    Op::Read => report.counts.reads += 1,
                    Op::Write => report.counts.writes += 1,
                    Op::Flush | Op::Unmap => report.counts.flushes += 1,
                }
                events.push(event);
            }
            Err(cause) => report.fault(line, FaultKind::Record, cause),
        }
    }
    report.bytes = header.len() as u64 + rows.position().byte();
    in_order(&mut events);
    Ok(Table { events, report })
}

fn broken(source: io::Error, offset: u64) -> Error {
    Error::Io { offset, source }
}

/// Refuses lines that are too long.
struct LineBound<R> {
    input: R,
    in_line: usize,
    read: u64,
}

impl<R: Read> Read for LineBound<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.read += read as u64;
        for &byte in &buffer[..read] {
            self.in_line = if byte == b'\n' { 0 } else { self.in_line + 1 };
            if self.in_line > LONGEST_LINE {
                let cause = format!("a line longer than {LONGEST_LINE} bytes: this is no table");
                return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
            }
        }
        Ok(read)
    }
}

/// Where the columns are, and what separates them.
#[derive(Debug)]
struct Columns {
    delimiter: u8,
    kind: usize,
    init: Time,
    complete: Time,
    size: usize,
    offset: usize,
    disk: usize,
    last: Option<usize>,
    count: Option<usize>,
}

/// A column of times.
#[derive(Clone, Copy, Debug)]
struct Time {
    column: usize,
    /// Nanoseconds of one of its units.
    unit: i128,
}

impl Columns {
    fn find(header: &str) -> Result<Self, String> {
        let header = header.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
        let split = |delimiter: char| -> Vec<&str> {
            let names = header.split(delimiter);
            names.map(|name| name.trim().trim_matches('"').trim()).collect()
        };
        let is_table = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case("IO Type"));
        let Some((delimiter, names)) = [';', ',', '\t']
            .into_iter()
            .map(|delimiter| (delimiter, split(delimiter)))
            .find(|(_, names)| names.len() > 1 && is_table(names))
        else {
            return Err(
                "no column is called `IO Type`: not the disk I/O table of wpaexporter; export Disk Usage, a row an I/O"
                    .to_owned(),
            );
        };
        // The name up to its unit, which stands in brackets after it.
        let column = |wanted: &str| {
            let is_it = |name: &&str| {
                let front = name.split('(').next().unwrap_or_default().trim();
                front.eq_ignore_ascii_case(wanted)
            };
            names.iter().position(is_it)
        };
        let must =
            |wanted: &str| column(wanted).ok_or_else(|| format!("no column is called `{wanted}`; export it too"));
        let time = |wanted: &str| -> Result<Time, String> {
            let column = must(wanted)?;
            let unit = match unit(names[column]) {
                "s" => 1_000_000_000,
                "ms" => 1_000_000,
                "ns" => 1,
                // The micro sign comes in two code points, and broken where the code page is another.
                micro if micro.ends_with('s') && micro.chars().count() == 2 => 1_000,
                other => {
                    return Err(format!(
                        "column `{wanted}` has the unit `{other}`; export it in seconds"
                    ));
                }
            };
            Ok(Time { column, unit })
        };
        let size = must("Size")?;
        if !matches!(unit(names[size]), "B" | "") {
            return Err(format!(
                "column `{}` is not in bytes; export it as `Size (B)`",
                names[size]
            ));
        }
        Ok(Self {
            delimiter: delimiter as u8,
            kind: must("IO Type")?,
            init: time("Init Time")?,
            complete: time("Complete Time")?,
            size,
            offset: must("Min Offset")?,
            disk: must("Disk")?,
            last: column("Max Offset"),
            count: column("Count"),
        })
    }

    fn event(&self, row: &ByteRecord, decimal: &mut Option<char>, start: i64) -> Result<DiskIo, String> {
        let text = |column: usize| -> Result<&str, String> {
            let field = row.get(column).ok_or("fewer columns than the header has")?;
            let field = std::str::from_utf8(field).map_err(|_| "not text in UTF-8")?;
            Ok(field.trim())
        };
        if let Some(count) = self.count {
            let count = integer(text(count)?)?;
            if count != 1 {
                return Err(format!("a row of {count} I/Os; export the table with a row an I/O"));
            }
        }
        let op = match text(self.kind)? {
            name if name.eq_ignore_ascii_case("read") => Op::Read,
            name if name.eq_ignore_ascii_case("write") => Op::Write,
            name if name.eq_ignore_ascii_case("flush") => Op::Flush,
            other => return Err(format!("an I/O of the unknown type `{other}`")),
        };
        let mut time = |of: Time| -> Result<i64, String> {
            let nanos = nanos(text(of.column)?, of.unit, decimal)?;
            start
                .checked_add(nanos)
                .ok_or_else(|| "a time that does not fit".to_owned())
        };
        let (init, complete) = (time(self.init)?, time(self.complete)?);
        let duration = complete
            .checked_sub(init)
            .and_then(|duration| u64::try_from(duration).ok())
            .ok_or("it completed before it was started")?;
        let (offset, length) = if op == Op::Flush {
            (0, 0)
        } else {
            let (offset, length) = (integer(text(self.offset)?)?, integer(text(self.size)?)?);
            let end = offset
                .checked_add(length)
                .ok_or("offset and size pass the end of the 64-bit range")?;
            if let Some(last) = self.last
                && integer(text(last)?)?.checked_add(1) != Some(end)
            {
                return Err("Min Offset, Size and Max Offset contradict each other".to_owned());
            }
            (offset, length)
        };
        let disk = integer(text(self.disk)?)?;
        Ok(DiskIo {
            disk: u32::try_from(disk).map_err(|_| format!("a disk with the number {disk}"))?,
            op,
            offset,
            length,
            start_unix_nanos: init,
            duration_nanos: duration,
            irp: None,
        })
    }
}

/// What stands in brackets at the end of a column's name.
fn unit(name: &str) -> &str {
    let unit = name.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    unit.map_or("", |(unit, _)| unit.trim())
}

/// Signs between groups of three digits in one country or another.
const GROUPS: [char; 6] = ['.', ',', ' ', '\u{a0}', '\u{202f}', '\''];

/// A whole number: hexadecimal with 0x, or decimal with or without groups of three digits.
fn integer(text: &str) -> Result<u64, String> {
    let refuse = || format!("`{text}` is not a whole number");
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(digits, 16).map_err(|_| refuse());
    }
    whole(text).and_then(|digits| digits.parse().ok()).ok_or_else(refuse)
}

/// The digits of a whole number without what is between its groups; `None` where it is none.
fn whole(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split(GROUPS).collect();
    let is_digits = |group: &&str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let fits = groups.iter().all(is_digits) && groups.iter().skip(1).all(|group| group.len() == 3);
    fits.then(|| groups.concat())
}

/// A time in some unit as nanoseconds. The first one with a sign in it says what the sign before decimals is: the last one of it.
fn nanos(text: &str, unit: i128, decimal: &mut Option<char>) -> Result<i64, String> {
    let refuse = || format!("`{text}` is not a time");
    if decimal.is_none() {
        *decimal = text.chars().rev().find(|sign| matches!(sign, '.' | ','));
    }
    let (front, fraction) = decimal.and_then(|sign| text.rsplit_once(sign)).unwrap_or((text, ""));
    if fraction.len() > 12 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse());
    }
    let front: i128 = whole(front).and_then(|digits| digits.parse().ok()).ok_or_else(refuse)?;
    let part: i128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().map_err(|_| refuse())?
    };
    let scale = 10_i128.pow(fraction.len() as u32);
    let nanos = front
        .checked_mul(unit)
        .and_then(|nanos| nanos.checked_add(part * unit / scale));
    nanos.and_then(|nanos| i64::try_from(nanos).ok()).ok_or_else(refuse)
}

#[cfg(test)]
mod tests;
