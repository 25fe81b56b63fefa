//! A file of the store that holds one message with a checksum. It is written whole, beside the old one, synced, and put in its place: at any
//! moment there is one that is whole. One that is damaged is put aside and not believed.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use prost::Message;

/// The file begins with eight bytes that say what it is, and with a checksum of the rest.
const MAGIC: usize = 8;
const HEAD: usize = MAGIC + 4;

/// Why the file cannot be taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damaged {
    #[error("it is cut or none of this version")]
    Head,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it is no message")]
    Message(#[from] prost::DecodeError),
}

/// Where a file lies once it was put aside.
pub(super) fn aside(path: &Path) -> PathBuf {
    path.with_extension("damaged")
}

/// What was kept; nothing where there is no file. One that is damaged is put aside, and that is told with what it means.
pub(super) fn read<M: Message + Default>(path: &Path, magic: &[u8; MAGIC], means: &str) -> std::io::Result<M> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(M::default()),
        Err(error) => return Err(error),
    };
    match decode(&bytes, magic) {
        Ok(kept) => Ok(kept),
        Err(error) => {
            let aside = aside(path);
            tracing::warn!(path = %path.display(), aside = %aside.display(), %error, "a file is damaged: {means}");
            std::fs::rename(path, aside)?;
            Ok(M::default())
        }
    }
}

pub(super) fn decode<M: Message + Default>(bytes: &[u8], magic: &[u8; MAGIC]) -> Result<M, Damaged> {
    let (head, message) = bytes.split_at_checked(HEAD).ok_or(Damaged::Head)?;
    let (own, checksum) = head.split_at(MAGIC);
    if own != magic {
        return Err(Damaged::Head);
    }
    if checksum != crc32fast::hash(message).to_le_bytes() {
        return Err(Damaged::Checksum);
    }
    Ok(M::decode(message)?)
}

/// Writes pieces one after the other, which read together are one message; how many bytes that was.
pub(super) fn write<M: Message>(
    path: &Path,
    magic: &[u8; MAGIC],
    pieces: impl Iterator<Item = M>,
) -> std::io::Result<u64> {
    let folder = path.with_file_name("");
    std::fs::create_dir_all(&folder)?;
    let fresh = path.with_extension("new");
    let mut file = BufWriter::new(std::fs::File::create(&fresh)?);
    file.write_all(magic)?;
    file.write_all(&[0; HEAD - MAGIC])?;
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
    file.seek(SeekFrom::Start(MAGIC as u64))?;
    file.write_all(&checksum.finalize().to_le_bytes())?;
    file.into_inner()
        .map_err(std::io::IntoInnerError::into_error)?
        .sync_all()?;
    std::fs::rename(&fresh, path)?;
    // The name is on the disk when its folder is; Windows syncs no folders.
    if cfg!(unix) {
        std::fs::File::open(&folder)?.sync_all()?;
    }
    Ok(written)
}
