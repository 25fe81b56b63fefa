//! The same work on many pieces, on as many threads as were asked for. What comes out does not depend on their number.

use rayon::ThreadPool;
use rayon::prelude::*;

/// The threads that a cluster's rounds are worked on.
#[derive(Debug, Default)]
pub(in crate::engine) struct Workers(Option<ThreadPool>);

impl Workers {
    /// One thread is the caller's own, and all that there is where the system gives no more.
    pub(in crate::engine) fn new(threads: usize) -> Self {
        if threads <= 1 {
            return Self(None);
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|at| format!("join-{at}"));
        Self(pool.build().ok())
    }

    /// `work` for each of `0..pieces`, in that order.
    pub(in crate::engine) fn map<T: Send>(&self, pieces: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
        match &self.0 {
            Some(pool) if pieces > 1 => {
                pool.install(|| (0..pieces).into_par_iter().with_max_len(1).map(work).collect())
            }
            _ => (0..pieces).map(work).collect(),
        }
    }

    /// `work` on each of some pieces, in that order.
    pub(in crate::engine) fn map_mut<P: Send, T: Send>(
        &self,
        pieces: &mut [P],
        work: impl Fn(&mut P) -> T + Sync + Send,
    ) -> Vec<T> {
        match &self.0 {
            Some(pool) if pieces.len() > 1 => {
                pool.install(|| pieces.par_iter_mut().with_max_len(1).map(work).collect())
            }
            _ => pieces.iter_mut().map(work).collect(),
        }
    }
}
