//! What is known of sites, kept in a file of the store, so that a restart does not forget who is missing, since when, and what changed.
//!
//! Its pieces are of moments that are close to each other and not the same: each cluster stands for itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fathom_proto::fleet::v1 as wire;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::tasks::{Kind, TaskGroup};

use super::{Sites, file};

pub(super) mod memory;

/// Where it is in the store.
pub(super) const FOLDER: &str = "fleet";
const FILE: &str = "sites.pb";

/// The file begins with this.
const MAGIC: &[u8; 8] = b"FTHSITE1";

/// So long is waited for more changes before it is written; longer after a large one, so that about so many bytes a second are.
const WRITE_AFTER: Duration = Duration::from_secs(2);
const BYTES_A_SECOND: f64 = 1_000_000.0;

/// Clusters in a piece: some 2 MB, and some milliseconds in which nobody else looks at what is known.
const SOME: usize = 100;

/// What was kept, and when what is damaged was written last, as long as that lies aside: sites that join tell everything anew, but of one that
/// was missing then nobody knows.
pub(crate) fn read(store: &Path) -> std::io::Result<(wire::KeptFleet, Option<i64>)> {
    let path = path(store);
    let kept = file::read(&path, MAGIC, "sites that are missing are not known until they join")?;
    let aside = std::fs::metadata(file::aside(&path)).and_then(|file| file.modified());
    let since = aside.ok().map(|written| {
        let since = written.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    });
    Ok((kept, since))
}

fn path(store: &Path) -> PathBuf {
    store.join(FOLDER).join(FILE)
}

/// Writes pieces one after the other, which read together are one message; how many bytes that was.
fn write(store: &Path, pieces: impl Iterator<Item = wire::KeptFleet>) -> std::io::Result<u64> {
    file::write(&path(store), MAGIC, pieces)
}

/// What is known now. Of all sites together only names and states are taken at once; the rest some clusters at a time, so that nobody waits
/// for all of it and there is never a second copy of it.
fn pieces(sites: &Sites, now: i64) -> impl Iterator<Item = wire::KeptFleet> {
    let (memory, names) = sites.look(|known| known.kept(now));
    let mut first = memory::to_kept(&memory, |site| names.iter().any(|(name, _)| name == site), now);
    sites.look(|known| memory::add_own_variants(&mut first, known.fleet()));
    let some = names.into_iter().flat_map(|(site, clusters)| {
        let parts: Vec<Vec<String>> = match clusters.is_empty() {
            true => vec![Vec::new()],
            false => clusters.chunks(SOME).map(<[String]>::to_vec).collect(),
        };
        parts.into_iter().map(move |part| (site.clone(), part))
    });
    let some = some.filter_map(move |(site, clusters)| {
        let mut kept = sites.look(|known| known.kept_of(&site, &clusters))?;
        memory::add_shown(&mut kept, &memory);
        Some(wire::KeptFleet {
            sites: vec![kept],
            ..wire::KeptFleet::default()
        })
    });
    std::iter::once(first).chain(some)
}

/// Writes what is known whenever it has changed, and at the end.
pub(crate) fn start(sites: Sites, store: PathBuf, tasks: &TaskGroup) {
    let shutdown = tasks.shutdown().clone();
    let mut changed = sites.watch();
    tasks.spawn("memory of sites", Kind::Background, async move {
        let mut pause = WRITE_AFTER;
        loop {
            let is_last = tokio::select! {
                _ = shutdown.requested() => true,
                news = changed.changed() => news.is_err(),
            };
            if !is_last {
                tokio::select! {
                    _ = shutdown.requested() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
            changed.borrow_and_update();
            let (sites, store) = (sites.clone(), store.clone());
            let write = move || write(&store, pieces(&sites, SystemClock.now_unix_nanos()));
            let done = tokio::task::spawn_blocking(write).await;
            match done.map_err(std::io::Error::other).flatten() {
                Ok(bytes) => pause = WRITE_AFTER.max(Duration::from_secs_f64(bytes as f64 / BYTES_A_SECOND)),
                // The next change tries again: what is kept only shortens what has to be told.
                Err(error) => tracing::warn!(%error, "what is known of sites cannot be kept"),
            }
            if is_last {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests;
