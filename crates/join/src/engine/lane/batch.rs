//! A batch of events in a lane.

use fathom_model::{IoColumns, Op, Tap};

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

    /// The columns, cut to one length, so that one look tells that a row is in all of them.
    #[inline]
    pub(in crate::engine) fn columns(&self) -> Columns<'_> {
        let rows = self.columns.len();
        Columns {
            taps: &self.columns.taps()[..rows],
            devices: &self.columns.devices()[..rows],
            ops: &self.columns.ops()[..rows],
            offsets: &self.columns.offsets()[..rows],
            lengths: &self.columns.lengths()[..rows],
            starts: &self.columns.starts_unix_nanos()[..rows],
            durations: &self.columns.durations_nanos()[..rows],
            statuses: &self.columns.statuses()[..rows],
        }
    }

    /// Rows that wait.
    pub(in crate::engine) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.gone.len()).flat_map(|word| bits(self.waiting(word)).map(move |bit| word * 64 + bit))
    }

    /// Each row that waits, ended no earlier than `from` and started no later than `until`.
    #[inline]
    pub(in crate::engine) fn for_each_between(&self, from: i64, until: i64, take: impl FnMut(usize)) {
        self.for_each_at(from, until, |_| true, take);
    }

    /// The same of rows of some taps.
    #[inline]
    pub(in crate::engine) fn for_each_at(
        &self,
        from: i64,
        until: i64,
        at: impl Fn(Tap) -> bool,
        mut take: impl FnMut(usize),
    ) {
        if self.max_end < from || self.min_start > until {
            return;
        }
        let columns = self.columns();
        for (word, &(earliest, latest)) in self.spans.iter().enumerate() {
            if latest < from || earliest > until {
                continue;
            }
            let rows = word * 64..(word * 64 + 64).min(columns.taps.len());
            let (taps, starts, durations) = (
                &columns.taps[rows.clone()],
                &columns.starts[rows.clone()],
                &columns.durations[rows],
            );
            // Whether a row is one is told without a branch: of those that are, the others cannot be foretold.
            let mut wanted = 0_u64;
            for (bit, &tap) in taps.iter().enumerate() {
                wanted |= u64::from(at(tap)) << bit;
            }
            wanted &= self.waiting(word);
            if earliest < from || latest > until {
                let mut near = 0_u64;
                for (bit, (&start, &duration)) in starts.iter().zip(durations).enumerate() {
                    near |= u64::from((start <= until) & (start + duration as i64 >= from)) << bit;
                }
                wanted &= near;
            }
            while wanted != 0 {
                take(word * 64 + wanted.trailing_zeros() as usize);
                wanted &= wanted - 1;
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

/// The columns of a batch that the bulk looks at, all as long as the batch.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Columns<'a> {
    pub(in crate::engine) taps: &'a [Tap],
    pub(in crate::engine) devices: &'a [u32],
    pub(in crate::engine) ops: &'a [Op],
    pub(in crate::engine) offsets: &'a [u64],
    pub(in crate::engine) lengths: &'a [u64],
    pub(in crate::engine) starts: &'a [i64],
    pub(in crate::engine) durations: &'a [u64],
    pub(in crate::engine) statuses: &'a [u32],
}

impl Columns<'_> {
    #[inline]
    pub(in crate::engine) const fn end(&self, row: usize) -> i64 {
        self.starts[row] + self.durations[row] as i64
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
