//! Objects by name, on a local folder or any other object store, with one promise that not all of them give by themselves:
//! an object that was put is whole, durable, and was not there before.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use crate::error::{Error, Result};

/// Where the store keeps its objects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// Set for a local folder, where writing is our own.
    root: Option<PathBuf>,
}

/// Whether an object was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was, and is durable now.
    Created,
    /// There was one already; nothing was changed.
    Exists,
}

impl Blobs {
    /// A local folder, made if it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be made, read or written.
    pub fn open_folder(root: &Path) -> Result<Self> {
        let failed = |source| Error::Io {
            path: root.display().to_string(),
            source,
        };
        fs::create_dir_all(root).map_err(failed)?;
        // A folder that cannot be written is told now and not at the first commit.
        let probe = root.join(format!(".write-test-{}", std::process::id()));
        File::create(&probe)
            .and_then(|_| fs::remove_file(&probe))
            .map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(root).map_err(|source| Error::Blob {
            path: root.display().to_string(),
            source,
        })?;
        Ok(Self {
            store: Arc::new(store),
            root: Some(root.to_owned()),
        })
    }

    /// A store in memory, for tests.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            store: Arc::new(InMemory::new()),
            root: None,
        }
    }

    /// Puts an object that must not exist yet.
    ///
    /// # Errors
    ///
    /// When it cannot be written; it may then be there or not, but never in part.
    pub async fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put> {
        if let Some(root) = &self.root {
            let path = root.join(name);
            let failed = |source| Error::Io {
                path: path.display().to_string(),
                source,
            };
            let (root, to) = (root.clone(), path.clone());
            let written = tokio::task::spawn_blocking(move || put_durable(&root, &to, &bytes)).await;
            return written
                .map_err(|error| failed(io::Error::other(error)))?
                .map_err(failed);
        }
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&object(name), bytes.into(), options).await {
            Ok(_) => Ok(Put::Created),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Put::Exists),
            Err(source) => Err(Error::Blob {
                path: name.to_owned(),
                source,
            }),
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    ///
    /// When it is not there or cannot be read.
    pub async fn get(&self, name: &str) -> Result<Bytes> {
        let failed = |source| Error::Blob {
            path: name.to_owned(),
            source,
        };
        self.store
            .get(&object(name))
            .await
            .map_err(failed)?
            .bytes()
            .await
            .map_err(failed)
    }

    /// Removes an object. That it is gone already is fine.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub async fn remove(&self, name: &str) -> Result<()> {
        match self.store.delete(&object(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(Error::Blob {
                path: name.to_owned(),
                source,
            }),
        }
    }

    /// The names of all objects below a folder, sorted.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let failed = |source| Error::Blob {
            path: folder.to_owned(),
            source,
        };
        let found: Vec<_> = self
            .store
            .list(Some(&object(folder)))
            .try_collect()
            .await
            .map_err(failed)?;
        let mut names: Vec<String> = found.into_iter().map(|meta| unobject(&meta.location)).collect();
        names.sort_unstable();
        Ok(names)
    }
}

/// Our names are escaped already; `object_store` escapes the `%` once more in its own.
fn object(name: &str) -> ObjectPath {
    ObjectPath::parse(name).unwrap_or_else(|_| ObjectPath::from(name))
}

fn unobject(path: &ObjectPath) -> String {
    path.as_ref().to_owned()
}

/// Writes beside the name, syncs, then links: a name never stands for half a file, not even after a power cut, and the
/// link fails when the name is taken.
fn put_durable(root: &Path, path: &Path, bytes: &[u8]) -> io::Result<Put> {
    let folder = path.parent().unwrap_or(root);
    let new_folders = missing_folders(root, folder);
    fs::create_dir_all(folder)?;
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    static PUTS: AtomicU64 = AtomicU64::new(0);
    let put = PUTS.fetch_add(1, Ordering::Relaxed);
    let beside = folder.join(format!(".{file_name}.{}-{put}.part", std::process::id()));
    let written = write_synced(&beside, bytes).and_then(|()| match fs::hard_link(&beside, path) {
        Ok(()) => Ok(Put::Created),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Put::Exists),
        Err(error) => Err(error),
    });
    let removed = fs::remove_file(&beside);
    let put = written?;
    removed?;
    sync_folder(folder)?;
    for parent in new_folders {
        sync_folder(&parent)?;
    }
    Ok(put)
}

/// The folders that hold the entries of folders that are about to be made.
fn missing_folders(root: &Path, folder: &Path) -> Vec<PathBuf> {
    folder
        .ancestors()
        .take_while(|ancestor| *ancestor != root && !ancestor.exists())
        .filter_map(|made| made.parent().map(Path::to_owned))
        .collect()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows flushes a folder's entries by a handle that may write, and gives out a handle of a folder only with
/// `FILE_FLAG_BACKUP_SEMANTICS`.
#[cfg(windows)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    use std::os::windows::fs::OpenOptionsExt as _;

    /// From `winbase.h`.
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    let mut options = fs::OpenOptions::new();
    options.write(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    options.open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
