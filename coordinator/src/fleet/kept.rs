//! What is known of sites, kept in a file of the store, so that a restart does not forget who is missing, since when, and what changed.
//!
//! It is written whole, beside the old one, synced, and put in its place: at any moment there is one that is whole. Its pieces are of
//! moments that are close to each other and not the same: each cluster stands for itself.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fathom_proto::fleet::v1 as wire;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::tasks::{Kind, TaskGroup};
use prost::Message;

use super::Sites;

pub(super) mod memory;

/// Where it is in the store.
const FOLDER: &str = "fleet";
const FILE: &str = "sites.pb";

/// The file begins with this, and with a checksum of the rest.
const MAGIC: &[u8; 8] = b"FTHSITE1";
const HEAD: usize = MAGIC.len() + 4;

/// So long is waited for more changes before it is written; longer after a large one, so that about so many bytes a second are.
const WRITE_AFTER: Duration = Duration::from_secs(2);
const BYTES_A_SECOND: f64 = 1_000_000.0;

/// Clusters in a piece: some 2 MB, and some milliseconds in which nobody else looks at what is known.
const SOME: usize = 100;

/// Why the file cannot be taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Damaged {
    #[error("it is cut or none of this version")]
    Head,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it is no message")]
    Message(#[from] prost::DecodeError),
}

/// What was kept; nothing where there is no file. One that is damaged is put aside: sites that join tell everything anew.
pub(crate) fn read(store: &Path) -> std::io::Result<wire::KeptFleet> {
    let path = path(store);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(wire::KeptFleet::default()),
        Err(error) => return Err(error),
    };
    match decode(&bytes) {
        Ok(kept) => Ok(kept),
        Err(error) => {
            let aside = path.with_extension("damaged");
            tracing::warn!(path = %path.display(), aside = %aside.display(), %error, "what was kept of sites is damaged: missing ones are not known until they join");
            std::fs::rename(&path, aside)?;
            Ok(wire::KeptFleet::default())
        }
    }
}

fn path(store: &Path) -> PathBuf {
    store.join(FOLDER).join(FILE)
}

fn decode(bytes: &[u8]) -> Result<wire::KeptFleet, Damaged> {
    let (head, message) = bytes.split_at_checked(HEAD).ok_or(Damaged::Head)?;
    let (magic, checksum) = head.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(Damaged::Head);
    }
    if checksum != crc32fast::hash(message).to_le_bytes() {
        return Err(Damaged::Checksum);
    }
    Ok(wire::KeptFleet::decode(message)?)
}

/// Writes pieces one after the other, which read together are one message; how many bytes that was.
fn write(store: &Path, pieces: impl Iterator<Item = wire::KeptFleet>) -> std::io::Result<u64> {
    let path = path(store);
    let folder = path.with_file_name("");
    std::fs::create_dir_all(&folder)?;
    let fresh = path.with_extension("new");
    let mut file = BufWriter::new(std::fs::File::create(&fresh)?);
    file.write_all(MAGIC)?;
    file.write_all(&[0; HEAD - MAGIC.len()])?;
    let mut checksum = crc32fast::Hasher::new();
    let mut bytes = Vec::new();
    let mut written = 0;
    for piece in pieces {
        bytes.clear();
        // A vector takes all that comes.
        piece.encode(&mut bytes).map_err(std::io::Error::other)?;
        checksum.update(&bytes);
        file.write_all(&bytes)?;
        written += bytes.len() as u64;
    }
    file.seek(SeekFrom::Start(MAGIC.len() as u64))?;
    file.write_all(&checksum.finalize().to_le_bytes())?;
    file.into_inner()
        .map_err(std::io::IntoInnerError::into_error)?
        .sync_all()?;
    std::fs::rename(&fresh, &path)?;
    // The name is on the disk when its folder is; Windows syncs no folders.
    if cfg!(unix) {
        std::fs::File::open(&folder)?.sync_all()?;
    }
    Ok(written)
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
