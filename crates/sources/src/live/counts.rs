//! What became of events, counted.

use std::collections::BTreeMap;

use fathom_etl::decode::Unread;
use fathom_etl::event::{EventKey, RawEvent, providers};

use super::PairCounts;

/// What became of events since the source began.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Events that were handed over.
    pub seen: u64,
    /// I/Os that were made of them.
    pub ios: u64,
    /// I/Os that the profile does not keep.
    pub not_kept: u64,
    /// I/Os that were shed under load.
    pub shed: u64,
    /// I/Os that came too late for their place.
    pub late: u64,
    /// Events that the session lost, or that found no room.
    pub lost: u64,
    /// I/Os whose block could not be made a byte: the size of the device's blocks is not known.
    pub without_block_size: u64,
    /// What Storage Spaces said of an I/O's copies (2600): no place on the wire.
    pub copies: u64,
    /// What the event log says beside single I/Os: no place on the wire.
    pub other_slow: u64,
    /// Begins and ends.
    pub pairs: PairCounts,
    /// Events that say nothing here, by why and by what they are.
    pub unread: BTreeMap<(Unread, EventKey), u64>,
    /// More kinds of these than are kept apart.
    pub unread_more: u64,
    /// Events of the log that could not be read, the last reason of each kind.
    pub unreadable: BTreeMap<String, u64>,
}

/// Kinds that are kept apart. There are not so many unless something is very wrong.
const MOST_KINDS: usize = 256;

impl Counts {
    pub(super) fn unread(&mut self, why: Unread, event: &RawEvent<'_>) {
        if let Some(count) = self.unread.get_mut(&(why, event.key)) {
            *count += 1;
        } else if self.unread.len() < MOST_KINDS {
            self.unread.insert((why, event.key), 1);
        } else {
            self.unread_more += 1;
        }
    }

    pub(super) fn unreadable(&mut self, why: String) {
        if self.unreadable.len() < MOST_KINDS || self.unreadable.contains_key(&why) {
            *self.unreadable.entry(why).or_default() += 1;
        } else {
            self.unread_more += 1;
        }
    }

    /// What could not be read and may have been I/O, a line each: for a log, and for whoever configures layouts.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let of_events = self.unread.iter().filter_map(|((why, key), count)| {
            let words = match why {
                Unread::NotWanted | Unread::Foreign => return None,
                Unread::NoLayout => {
                    "no layout of this version is known: the system has no manifest of it, and none is configured"
                }
                Unread::Misfit => "they are not as long as their layout says",
                Unread::OtherOp => "their operation has no place here, or its code is not known",
                Unread::Impossible => "they have values that cannot be",
            };
            let provider = providers::name(key.provider).map_or_else(|| key.provider.to_string(), str::to_owned);
            Some(format!(
                "{count} events {provider}/{} version {}: {words}",
                key.id, key.version
            ))
        });
        let of_log = self
            .unreadable
            .iter()
            .map(|(why, count)| format!("{count} events of the log: {why}"));
        of_events.chain(of_log).collect()
    }
}
