//! From events as processors hand them over to the order of completion, with a promise of what is still to come.
//!
//! A session's buffers belong to processors and are delivered when they are full or when the flush timer ends, so an event may come after
//! later ones. Events wait in slots of event time until everything of a slot must have come; then the slot is sorted, once.

use std::collections::BTreeMap;

use fathom_model::{IoColumns, IoEvent};

/// A slot of event time. Shorter ones give events out sooner, longer ones cost less.
const SLOT_NANOS: i64 = 25_000_000;

/// Events on their way to their order.
#[derive(Debug)]
pub(super) struct Order {
    slots: BTreeMap<i64, Vec<IoEvent>>,
    /// Sorted; those before `given` were given out.
    ready: Vec<IoEvent>,
    given: usize,
    held: usize,
    /// No event that completed before this is waited for.
    promised: i64,
    /// Slots that were emptied, to be filled again.
    spare: Vec<Vec<IoEvent>>,
}

/// An event came after what it would have to stand before had been given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late;

impl Order {
    pub(super) const fn new() -> Self {
        Self {
            slots: BTreeMap::new(),
            ready: Vec::new(),
            given: 0,
            held: 0,
            promised: i64::MIN,
            spare: Vec::new(),
        }
    }

    /// Takes an event in.
    #[inline]
    pub(super) fn push(&mut self, event: IoEvent) -> Result<(), Late> {
        let end = event.end_unix_nanos();
        if end < self.promised {
            return Err(Late);
        }
        let spare = &mut self.spare;
        let slot = self.slots.entry(end.div_euclid(SLOT_NANOS));
        slot.or_insert_with(|| spare.pop().unwrap_or_default()).push(event);
        self.held += 1;
        Ok(())
    }

    /// Everything that completed before `until` has come.
    pub(super) fn complete(&mut self, until: i64) {
        let slot = until.div_euclid(SLOT_NANOS);
        self.promised = self.promised.max(slot.saturating_mul(SLOT_NANOS));
    }

    /// Up to `most` events in the order of completion, of those whose slot is complete.
    pub(super) fn take(&mut self, most: usize, into: &mut IoColumns) {
        while into.len() < most {
            if self.given == self.ready.len() && !self.fill() {
                break;
            }
            let until = self.ready.len().min(self.given.saturating_add(most - into.len()));
            self.ready[self.given..until].iter().for_each(|&event| into.push(event));
            self.held -= until - self.given;
            self.given = until;
        }
    }

    /// Makes the next complete slot ready.
    fn fill(&mut self) -> bool {
        let Some(entry) = self.slots.first_entry() else {
            return false;
        };
        if (entry.key() + 1).saturating_mul(SLOT_NANOS) > self.promised {
            return false;
        }
        let mut slot = entry.remove();
        // What completed at once, by everything else, so that the order never depends on that of buffers. Stable, and quick on what is
        // nearly sorted.
        slot.sort_by_key(|event| {
            (
                event.end_unix_nanos(),
                event.start_unix_nanos,
                event.tap,
                event.device,
                event.offset,
                event.length,
                event.op,
                event.correlation,
            )
        });
        let mut before = std::mem::replace(&mut self.ready, slot);
        self.given = 0;
        before.clear();
        if self.spare.len() < 4 {
            self.spare.push(before);
        }
        true
    }

    /// Until when nothing is still to come after what was given out.
    pub(super) fn promise(&self) -> i64 {
        let next = self.ready.get(self.given).map(IoEvent::end_unix_nanos);
        let first = self.slots.keys().next().map(|slot| slot.saturating_mul(SLOT_NANOS));
        next.or(first).map_or(self.promised, |first| first.min(self.promised))
    }

    /// Events that wait.
    pub(super) const fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use fathom_model::{Op, Tap};
    use proptest::prelude::*;

    use super::*;

    fn event(end: i64, device: u32) -> IoEvent {
        IoEvent {
            tap: Tap::Device,
            device,
            op: Op::Write,
            offset: 0,
            length: 512,
            start_unix_nanos: end - 1_000,
            duration_nanos: 1_000,
            status: 0,
            correlation: None,
        }
    }

    #[test]
    fn an_event_that_is_too_late_is_refused_and_never_breaks_a_promise() {
        let mut order = Order::new();
        assert_eq!(order.push(event(100 * SLOT_NANOS, 0)), Ok(()));
        order.complete(101 * SLOT_NANOS + 5);
        assert_eq!(order.promise(), 100 * SLOT_NANOS);
        let mut given = IoColumns::default();
        order.take(10, &mut given);
        assert_eq!((given.len(), order.promise(), order.held()), (1, 101 * SLOT_NANOS, 0));
        assert_eq!(order.push(event(101 * SLOT_NANOS - 1, 0)), Err(Late));
        assert_eq!(order.push(event(101 * SLOT_NANOS, 0)), Ok(()));
    }

    proptest! {
        #[test]
        fn events_come_out_in_the_order_of_completion_and_promises_hold(
            steps in proptest::collection::vec((0_i64..20, 0_u32..3, 0_i64..10, 1_usize..5), 1..80),
        ) {
            let mut order = Order::new();
            let (mut pushed, mut refused, mut given) = (0, 0, IoColumns::default());
            let mut promise = i64::MIN;
            for (end, device, until, most) in steps {
                match order.push(event(end * SLOT_NANOS / 3 + SLOT_NANOS, device)) {
                    Ok(()) => pushed += 1,
                    Err(Late) => refused += 1,
                }
                order.complete(until * SLOT_NANOS);
                let before = given.len();
                let mut batch = IoColumns::default();
                order.take(most, &mut batch);
                for event in batch.iter() {
                    prop_assert!(event.end_unix_nanos() >= promise);
                    given.push(event);
                }
                prop_assert!(given.len() - before <= most);
                prop_assert!(order.promise() >= promise);
                promise = order.promise();
            }
            order.complete(i64::MAX);
            order.take(usize::MAX, &mut given);
            prop_assert_eq!(given.len(), pushed);
            prop_assert!(pushed + refused > 0 && order.held() == 0);
            let ends: Vec<i64> = given.iter().map(|event| event.end_unix_nanos()).collect();
            prop_assert!(ends.is_sorted());
        }
    }
}
