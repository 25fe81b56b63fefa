//! Events of the log between the thread that reads it and the one that decodes them: bounded by how many and how large they are. Beyond it
//! the oldest go, counted: a log that is written so fast says nothing of single slow I/Os.

use std::collections::VecDeque;

/// Events that wait.
pub const MOST_EVENTS: usize = 10_000;

/// Bytes of what waits. An event is a kilobyte or two as XML, and a quarter of a megabyte at most.
pub const MOST_BYTES: usize = 16 << 20;

/// Events that wait to be taken.
#[derive(Debug, Default)]
pub struct Waiting {
    texts: VecDeque<String>,
    bytes: usize,
    dropped: u64,
}

impl Waiting {
    /// Takes an event in, and leaves out as many of the oldest as are needed for it.
    pub fn put(&mut self, text: String) {
        self.bytes += text.capacity();
        self.texts.push_back(text);
        while self.texts.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.texts.pop_front() else { break };
            self.bytes -= oldest.capacity();
            self.dropped += 1;
        }
    }

    /// Takes out all that is there, oldest first.
    #[must_use]
    pub fn take(&mut self) -> VecDeque<String> {
        self.bytes = 0;
        std::mem::take(&mut self.texts)
    }

    /// Events that found no room, so far.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_there_are_too_many_or_too_large_ones() {
        let mut waiting = Waiting::default();
        for number in 0..MOST_EVENTS + 5 {
            waiting.put(number.to_string());
        }
        assert_eq!(waiting.dropped(), 5);
        let taken = waiting.take();
        assert_eq!(
            (taken.len(), taken.front().map(String::as_str)),
            (MOST_EVENTS, Some("5"))
        );
        let large = "x".repeat(MOST_BYTES / 4);
        for _ in 0..6 {
            waiting.put(large.clone());
        }
        assert_eq!((waiting.dropped(), waiting.take().len()), (7, 4));
        // One that is larger than all the room is left out itself.
        waiting.put("x".repeat(MOST_BYTES + 1));
        assert_eq!((waiting.dropped(), waiting.take().len()), (8, 0));
    }
}
