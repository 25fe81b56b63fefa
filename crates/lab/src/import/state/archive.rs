//! Members of a support archive, each with its own time; one that is broken is noted, and the others are read.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use jiff::civil;
use jiff::tz::TimeZone;
use zip::ExtraField;
use zip::read::ZipFile;

use super::{MOST_BYTES, Taking};
use crate::error::{Error, Result};

/// Between 1601 and 1970, in units of 100 ns: what NTFS times begin with.
const NTFS_EPOCH: i64 = 116_444_736_000_000_000;

/// Reads what is in an archive that was written itself at a time.
pub(super) fn read(path: &Path, written: i64, taking: &mut Taking<'_>) -> Result<()> {
    let failed = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| Error::Unpack {
        path: path.to_owned(),
        cause: format!("the archive cannot be unpacked ({error}); copy it again"),
    })?;
    let mut members: Vec<(String, usize)> = Vec::new();
    for number in 0..archive.len() {
        let name = match archive.by_index_raw(number) {
            Ok(member) if member.is_dir() => continue,
            Ok(member) => member.name().map(|name| (name.into_owned(), member.size())),
            Err(error) => Err(error),
        };
        match name {
            Ok((name, size)) if taking.wants(&name, size) => members.push((name, number)),
            Ok(_) => {}
            Err(error) => taking.broken(
                &format!("{}/member {}", path.display(), number + 1),
                error.to_string(),
                written,
            ),
        }
    }
    members.sort();
    for (name, number) in members {
        let place = format!("{}/{name}", path.display());
        match content(&mut archive, number) {
            Ok((bytes, own)) => taking.file(&place, &bytes, own.unwrap_or(written)),
            Err(error) => taking.broken(
                &place,
                format!("it cannot be unpacked ({error}); copy the archive again"),
                written,
            ),
        }
    }
    Ok(())
}

/// A member's bytes, and when it was written.
fn content(
    archive: &mut zip::ZipArchive<BufReader<File>>,
    number: usize,
) -> zip::result::ZipResult<(Vec<u8>, Option<i64>)> {
    let member = archive.by_index(number)?;
    let written = own_time(&member);
    let mut bytes = Vec::new();
    // What the archive says of a size is not believed.
    member.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok((bytes, written))
}

/// When a member was written, in nanoseconds since 1970. What has a zone goes first; the time that every member has is that of the clock on the
/// wall where it was packed, and is taken for UTC. None where it is the first moment that there is, which means that there was none.
fn own_time<R: Read>(member: &ZipFile<'_, R>) -> Option<i64> {
    for field in member.extra_data_fields() {
        let nanos = match field {
            ExtraField::ExtendedTimestamp(stamp) => stamp
                .mod_time()
                .map(|seconds| i64::from(seconds.cast_signed()) * 1_000_000_000),
            ExtraField::Ntfs(times) => {
                let since = i64::try_from(times.mtime())
                    .ok()
                    .and_then(|at| at.checked_sub(NTFS_EPOCH));
                since.and_then(|ticks| ticks.checked_mul(100))
            }
            _ => None,
        };
        if nanos.is_some() {
            return nanos;
        }
    }
    let shown = member.last_modified()?;
    let small = |number: u8| i8::try_from(number).ok();
    let shown = civil::DateTime::new(
        i16::try_from(shown.year()).ok()?,
        small(shown.month())?,
        small(shown.day())?,
        small(shown.hour())?,
        small(shown.minute())?,
        small(shown.second())?,
        0,
    );
    let shown = shown
        .ok()
        .filter(|shown| *shown != civil::date(1980, 1, 1).at(0, 0, 0, 0))?;
    let at = shown.to_zoned(TimeZone::UTC).ok()?.timestamp();
    i64::try_from(at.as_nanosecond()).ok()
}
