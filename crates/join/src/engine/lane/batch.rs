//! A batch of events in a lane.

use fathom_model::{IoColumns, Op};

use super::LARGEST;

/// Events as they came.
#[derive(Debug)]
pub(in crate::engine) struct Batch {
    /// The ordinal of the first row.
    pub(in crate::engine) first: u64,
    pub(in crate::engine) columns: IoColumns,
    /// A bit a row: it left the lane.
    gone: Vec<u64>,
    pub(in crate::engine) open: usize,
    min_start: i64,
    pub(in crate::engine) min_end: i64,
    pub(super) max_end: i64,
    /// Of each word of `gone` the earliest start and the latest end of its rows.
    spans: Vec<(i64, i64)>,
}

impl Batch {
    /// Spans are those of all rows, also where not all stay.
    pub(super) fn new(first: u64, columns: IoColumns) -> Self {
        let words = columns.len().div_ceil(64);
        let mut batch = Self {
            first,
            gone: vec![0; words],
            open: columns.len(),
            min_start: i64::MAX,
            min_end: i64::MAX,
            max_end: i64::MIN,
            spans: Vec::with_capacity(words),
            columns,
        };
        let starts = batch.columns.starts_unix_nanos().chunks(64);
        for (starts, durations) in starts.zip(batch.columns.durations_nanos().chunks(64)) {
            let (mut earliest, mut latest, mut first_end) = (i64::MAX, i64::MIN, i64::MAX);
            for (&start, &duration) in starts.iter().zip(durations) {
                let end = start + duration as i64;
                earliest = earliest.min(start);
                latest = latest.max(end);
                first_end = first_end.min(end);
            }
            batch.min_start = batch.min_start.min(earliest);
            batch.min_end = batch.min_end.min(first_end);
            batch.max_end = batch.max_end.max(latest);
            batch.spans.push((earliest, latest));
        }
        batch
    }

    #[inline]
    pub(super) fn go(&mut self, row: usize) -> bool {
        let bit = 1 << (row % 64);
        let first = self.gone[row / 64] & bit == 0;
        self.gone[row / 64] |= bit;
        self.open -= usize::from(first);
        first
    }

    #[inline]
    pub(in crate::engine) fn end(&self, row: usize) -> i64 {
        self.columns.starts_unix_nanos()[row] + self.columns.durations_nanos()[row] as i64
    }

    /// Rows that wait.
    pub(in crate::engine) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.gone.len()).flat_map(|word| bits(self.waiting(word)).map(move |bit| word * 64 + bit))
    }

    /// Each row that waits, ended no earlier than `from` and started no later than `until`.
    pub(in crate::engine) fn for_each_between(&self, from: i64, until: i64, mut take: impl FnMut(usize)) {
        if self.max_end < from || self.min_start > until {
            return;
        }
        let starts = self.columns.starts_unix_nanos();
        for (word, &(earliest, latest)) in self.spans.iter().enumerate() {
            if latest < from || earliest > until {
                continue;
            }
            for row in bits(self.waiting(word)).map(|bit| word * 64 + bit) {
                if starts[row] <= until && self.end(row) >= from {
                    take(row);
                }
            }
        }
    }

    /// Each row that waits and ended in a stretch of time.
    pub(super) fn for_each_ended(&self, from: i64, until: i64, mut take: impl FnMut(usize)) {
        if self.open == 0 || self.max_end < from || self.min_end >= until {
            return;
        }
        let all = self.min_end >= from && self.max_end < until;
        for word in 0..self.gone.len() {
            if self.spans[word].1 < from {
                continue;
            }
            for row in bits(self.waiting(word)).map(|bit| word * 64 + bit) {
                if all || (from..until).contains(&self.end(row)) {
                    take(row);
                }
            }
        }
    }

    /// The same of rows of which one look tells that they may be wanted: nearly all are not, and are left without a branch.
    pub(in crate::engine) fn for_each_wanted(
        &self,
        from: i64,
        until: i64,
        may_be: impl Fn(usize) -> bool,
        mut take: impl FnMut(usize),
    ) {
        if self.open == 0 || self.max_end < from || self.min_end >= until {
            return;
        }
        for (word, &(earliest, latest)) in self.spans.iter().enumerate() {
            if latest < from || earliest > until {
                continue;
            }
            let rows = word * 64..self.columns.len().min(word * 64 + 64);
            let wanted = (0..)
                .zip(rows)
                .fold(0, |all, (bit, row)| all | (u64::from(may_be(row)) << bit));
            for row in bits(wanted & self.waiting(word)).map(|bit| word * 64 + bit) {
                if (from..until).contains(&self.end(row)) {
                    take(row);
                }
            }
        }
    }

    /// A bit for each of 64 rows that waits.
    #[inline]
    fn waiting(&self, word: usize) -> u64 {
        let rows = (self.columns.len() - word * 64).min(64);
        !self.gone[word] & (u64::MAX >> (64 - rows))
    }

    /// Whether all rows may wait, by what devices' events may.
    pub(super) fn may_all_wait(&self, roles: &[u16]) -> bool {
        let columns = &self.columns;
        let mut all = true;
        let rows = columns.taps().iter().zip(columns.devices());
        for (&tap, &device) in rows {
            let taps = roles.get(device as usize).copied().unwrap_or(0);
            all &= taps & (1 << tap as usize) != 0;
        }
        let plain = |&op: &Op| matches!(op, Op::Write | Op::Unmap);
        all &= columns.ops().iter().fold(true, |all, op| all & plain(op));
        let lengths = columns.lengths().iter();
        all && lengths.fold(true, |all, length| all & (1..=LARGEST).contains(length))
    }
}

/// The bits that are set, the lowest first.
#[inline]
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}
