//! Service centres: so many servers, first come first served.

/// A queue with one or more servers. Requests have to come in the order of their times, which the event loop gives.
#[derive(Clone, Debug)]
pub(crate) struct Station {
    /// When each server is free again, in nanoseconds of the run.
    free: Vec<u64>,
}

impl Station {
    pub(crate) fn new(servers: u32) -> Self {
        Self {
            free: vec![0; servers.max(1) as usize],
        }
    }

    /// Takes a request that comes now and needs a server until `until(start)`; returns when it is done.
    pub(crate) fn serve(&mut self, now: u64, until: impl FnOnce(u64) -> u64) -> u64 {
        let mut first = 0;
        for (at, &free) in self.free.iter().enumerate() {
            if free < self.free[first] {
                first = at;
            }
        }
        let end = until(self.free[first].max(now));
        self.free[first] = end;
        end
    }
}

#[cfg(test)]
mod tests;
