//! Files within files: archives and packings, told by their first bytes and not by their names.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use crate::error::{Error, Result};

/// So many bytes at the begin of a file say what it is.
const BEGIN: u64 = 4096;

/// What is done with one content: its first bytes, its name in an archive, and all of it.
pub(super) type Visit<'a> = dyn FnMut(&[u8], Option<&str>, &mut dyn Read) -> Result<()> + 'a;

/// Visits what a file contains: itself, what is packed in it, or every trace and table of a zip archive.
pub(super) fn each(path: &Path, visit: &mut Visit<'_>) -> Result<()> {
    let open = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(open)?;
    if file.metadata().map_err(open)?.is_dir() {
        return Err(Error::Unpack {
            path: path.to_owned(),
            cause: "a folder; give the files in it".to_owned(),
        });
    }
    let begin = begin(&mut file).map_err(open)?;
    file.rewind().map_err(open)?;
    if begin.starts_with(b"PK\x03\x04") || begin.starts_with(b"PK\x05\x06") {
        return archive(path, file, visit);
    }
    let mut content = unpacked(&begin, BufReader::with_capacity(256 * 1024, file)).map_err(open)?;
    one(path, None, &mut content, visit)
}

/// Looks whether a file that begins as an archive is one. Of what cannot be opened nothing is said.
///
/// # Errors
///
/// When it is an archive that cannot be unpacked.
pub fn check_archive(path: &Path) -> Result<()> {
    let Ok(mut file) = File::open(path) else { return Ok(()) };
    let is_archive = begin(&mut file).is_ok_and(|begin| begin.starts_with(b"PK"));
    if !is_archive || file.rewind().is_err() {
        return Ok(());
    }
    match zip::ZipArchive::new(BufReader::new(file)) {
        Ok(_) => Ok(()),
        Err(error) => Err(broken(path, &error)),
    }
}

/// An archive that is none.
fn broken(path: &Path, error: &zip::result::ZipError) -> Error {
    Error::Unpack {
        path: path.to_owned(),
        cause: format!("the archive cannot be unpacked ({error}); copy it again"),
    }
}

/// The first bytes.
fn begin(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    input.take(BEGIN).read_to_end(&mut begin)?;
    Ok(begin)
}

/// What is in a packed file, or the file as it is.
fn unpacked<'a>(begin: &[u8], file: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match begin {
        // Several packed parts one after the other are one file, as with the tools.
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(file)?),
        _ => Box::new(file),
    })
}

/// Every trace and table of an archive.
fn archive(path: &Path, file: File, visit: &mut Visit<'_>) -> Result<()> {
    let broken = |error: zip::result::ZipError| broken(path, &error);
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    let is_wanted = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.ends_with(".etl") || name.ends_with(".csv")
    };
    let mut names = Vec::new();
    for name in archive.file_names() {
        let name = name.map_err(broken)?;
        if is_wanted(&name) {
            names.push(name.into_owned());
        }
    }
    names.sort();
    if names.is_empty() {
        return Err(Error::Unpack {
            path: path.to_owned(),
            cause: "the archive holds no .etl and no .csv".to_owned(),
        });
    }
    for name in names {
        let mut member = archive.by_name(&name).map_err(broken)?;
        one(path, Some(&name), &mut member, visit)?;
    }
    Ok(())
}

/// One content, with its first bytes looked at.
fn one(path: &Path, member: Option<&str>, content: &mut dyn Read, visit: &mut Visit<'_>) -> Result<()> {
    let begin = match begin(content) {
        Ok(begin) => begin,
        Err(error) => {
            return Err(Error::Unpack {
                path: path.to_owned(),
                cause: format!("its packing is broken ({error}); copy the file again"),
            });
        }
    };
    visit(&begin, member, &mut Cursor::new(begin.as_slice()).chain(content))
}
