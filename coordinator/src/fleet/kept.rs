//! What is known of sites, kept in a small file of the store, so that a restart does not forget who is missing.
//!
//! It is written whole, beside the old one, synced, and put in its place: at any moment there is one that is whole.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fathom_proto::fleet::v1 as wire;
use fathom_runtime::tasks::{Kind, TaskGroup};
use prost::Message;

use super::Sites;

/// Where it is in the store.
const FOLDER: &str = "fleet";
const FILE: &str = "sites.pb";

/// The file begins with this, and with a checksum of the rest.
const MAGIC: &[u8; 8] = b"FTHSITE1";
const HEAD: usize = MAGIC.len() + 4;

/// So long is waited for more changes before it is written; longer after a large one, so that about so many bytes a second are.
const WRITE_AFTER: Duration = Duration::from_secs(2);
const BYTES_A_SECOND: f64 = 1_000_000.0;

/// When sites were heard is kept this often, where nothing else changes.
const WRITE_EVERY: Duration = Duration::from_secs(30);

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

fn encode(kept: &wire::KeptFleet) -> Vec<u8> {
    let message = kept.encode_to_vec();
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&crc32fast::hash(&message).to_le_bytes());
    bytes.extend_from_slice(&message);
    bytes
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

fn write(store: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = path(store);
    let folder = path.with_file_name("");
    std::fs::create_dir_all(&folder)?;
    let fresh = path.with_extension("new");
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, &path)?;
    // The name is on the disk when its folder is; Windows syncs no folders.
    if cfg!(unix) {
        std::fs::File::open(&folder)?.sync_all()?;
    }
    Ok(())
}

/// Writes what is known whenever it has changed, and at the end.
pub(crate) fn start(sites: Sites, store: PathBuf, tasks: &TaskGroup) {
    let shutdown = tasks.shutdown().clone();
    let mut changed = sites.watch();
    tasks.spawn("memory of sites", Kind::Background, async move {
        let mut written = None;
        let mut pause = WRITE_AFTER;
        loop {
            let is_last = tokio::select! {
                _ = shutdown.requested() => true,
                news = changed.changed() => news.is_err(),
                () = tokio::time::sleep(WRITE_EVERY) => false,
            };
            if !is_last {
                tokio::select! {
                    _ = shutdown.requested() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
            changed.borrow_and_update();
            let kept = sites.look(super::sites::Known::kept);
            if written.as_ref() != Some(&kept) {
                let (store, bytes) = (store.clone(), encode(&kept));
                pause = WRITE_AFTER.max(Duration::from_secs_f64(bytes.len() as f64 / BYTES_A_SECOND));
                let done = tokio::task::spawn_blocking(move || write(&store, &bytes)).await;
                match done.map_err(std::io::Error::other).flatten() {
                    Ok(()) => written = Some(kept),
                    // The next change tries again: what is kept only shortens what has to be told.
                    Err(error) => tracing::warn!(%error, "what is known of sites cannot be kept"),
                }
            }
            if is_last {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests;
