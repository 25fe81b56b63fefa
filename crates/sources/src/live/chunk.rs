//! Raw events from the thread that a session calls to the one that decodes them: copied into blocks of bytes, bounded, counted when
//! there is no room. The first thread does nothing else, so that the session's buffers are free again soon.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fathom_etl::event::{EventKey, Guid, RawEvent};

/// Bytes of a block.
const BLOCK_BYTES: usize = 256 * 1024;

/// Bytes before an event's payload: provider, id, version, pointer's bytes, length of the payload, stamp.
const HEAD: usize = 16 + 2 + 1 + 1 + 4 + 8;

/// Events that were handed over and are not decoded yet. When it is full, events are dropped and counted: the session never waits. What was
/// taken out counts until it is given back: it is in memory as long.
#[derive(Debug)]
pub struct Chunks {
    state: Mutex<State>,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    full: VecDeque<Vec<u8>>,
    present: Vec<u8>,
    /// Bytes of all blocks, with those that are being decoded.
    bytes: usize,
    spare: Vec<Vec<u8>>,
    dropped: u64,
    ended: bool,
}

impl Chunks {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(most_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            most_bytes: most_bytes.max(2 * BLOCK_BYTES),
        }
    }

    /// Takes an event in; false when it was dropped.
    #[inline]
    pub fn put(&self, event: &RawEvent<'_>) -> bool {
        let mut state = self.lock();
        let bytes = HEAD + event.payload.len();
        let Ok(length) = u32::try_from(event.payload.len()) else {
            state.dropped += 1;
            return false;
        };
        if state.bytes + bytes > self.most_bytes {
            state.dropped += 1;
            return false;
        }
        if state.present.len() + bytes > BLOCK_BYTES && !state.present.is_empty() {
            let next = state.spare.pop().unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES));
            let full = std::mem::replace(&mut state.present, next);
            state.full.push_back(full);
        }
        state.bytes += bytes;
        let block = &mut state.present;
        block.extend_from_slice(&head(event, length));
        block.extend_from_slice(event.payload);
        true
    }

    /// Nothing more comes.
    pub fn end(&self) {
        self.lock().ended = true;
    }

    /// Takes out all that is there.
    #[must_use]
    pub fn take(&self) -> Taken {
        let mut state = self.lock();
        let mut blocks: Vec<Vec<u8>> = state.full.drain(..).collect();
        if !state.present.is_empty() {
            let next = state.spare.pop().unwrap_or_default();
            blocks.push(std::mem::replace(&mut state.present, next));
        }
        Taken {
            blocks,
            dropped: state.dropped,
            ended: state.ended,
        }
    }

    /// Gives blocks back to be filled again: there is room for as much as they held.
    pub fn give_back(&self, blocks: impl IntoIterator<Item = Vec<u8>>) {
        let mut state = self.lock();
        for mut block in blocks {
            state.bytes = state.bytes.saturating_sub(block.len());
            if state.spare.len() < 8 {
                block.clear();
                state.spare.push(block);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[inline]
fn head(event: &RawEvent<'_>, length: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..16].copy_from_slice(&event.key.provider.0);
    head[16..18].copy_from_slice(&event.key.id.to_le_bytes());
    head[18] = event.key.version;
    head[19] = event.pointer_bytes;
    head[20..24].copy_from_slice(&length.to_le_bytes());
    head[24..].copy_from_slice(&event.stamp.to_le_bytes());
    head
}

/// One event as it stands in a block. A payload beyond 4 GiB, which no session has, is cut.
pub(super) fn encode(event: &RawEvent<'_>) -> Vec<u8> {
    let length = u32::try_from(event.payload.len()).unwrap_or(u32::MAX);
    let mut bytes = head(event, length).to_vec();
    bytes.extend_from_slice(&event.payload[..length as usize]);
    bytes
}

/// What was there.
#[derive(Debug)]
pub struct Taken {
    /// Events one after the other; read by [`events`].
    pub blocks: Vec<Vec<u8>>,
    /// Events dropped so far.
    pub dropped: u64,
    /// Whether nothing more comes.
    pub ended: bool,
}

/// The events of a block.
pub fn events(block: &[u8]) -> impl Iterator<Item = RawEvent<'_>> {
    let mut rest = block;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<HEAD>()?;
        let array = |from: usize| -> [u8; 8] { std::array::from_fn(|at| head[from + at]) };
        let mut provider = [0; 16];
        provider.copy_from_slice(&head[..16]);
        let length = u32::from_le_bytes([head[20], head[21], head[22], head[23]]) as usize;
        let (payload, after) = after.split_at_checked(length)?;
        rest = after;
        Some(RawEvent {
            key: EventKey {
                provider: Guid(provider),
                id: u16::from_le_bytes([head[16], head[17]]),
                version: head[18],
            },
            stamp: i64::from_le_bytes(array(24)),
            pointer_bytes: head[19],
            payload,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(payload: &[u8], stamp: i64) -> RawEvent<'_> {
        RawEvent {
            key: EventKey {
                provider: Guid([9; 16]),
                id: 11,
                version: 3,
            },
            stamp,
            pointer_bytes: 8,
            payload,
        }
    }

    #[test]
    fn events_come_out_as_they_went_in() {
        let chunks = Chunks::new(1 << 20);
        let payloads: Vec<Vec<u8>> = (0..5_000_usize).map(|number| vec![number as u8; number % 90]).collect();
        for (number, payload) in payloads.iter().enumerate() {
            assert!(chunks.put(&event(payload, number as i64)));
        }
        let taken = chunks.take();
        assert!(taken.blocks.len() > 1);
        let out: Vec<RawEvent<'_>> = taken.blocks.iter().flat_map(|block| events(block)).collect();
        let expected: Vec<RawEvent<'_>> = payloads
            .iter()
            .enumerate()
            .map(|(number, payload)| event(payload, number as i64))
            .collect();
        assert_eq!(out, expected);
        assert!(chunks.take().blocks.is_empty());
    }

    #[test]
    fn what_finds_no_room_is_counted_and_room_comes_back() {
        let chunks = Chunks::new(0);
        let payload = vec![1; 1000];
        let put = (0..1_000).filter(|_| chunks.put(&event(&payload, 0))).count();
        assert!((400..600).contains(&put), "{put}");
        let taken = chunks.take();
        assert_eq!(taken.dropped, 1_000 - put as u64);
        // What is being decoded is still there.
        assert!(!chunks.put(&event(&payload, 0)));
        chunks.give_back(taken.blocks);
        assert!(chunks.put(&event(&payload, 0)));
    }
}
