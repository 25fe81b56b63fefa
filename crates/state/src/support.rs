//! Files that people hand over: an SDDC diagnostic folder, output of cmdlets as JSON, CLIXML or as printed.

use crate::bag::Bag;
use crate::schema::{self, Class};
use crate::{Error, Result, clixml, json, text, within};

/// The objects of a file, whatever of the three it is. In an SDDC folder what lies in `Node_NAME` was read on that node.
///
/// # Errors
///
/// When it is none of the three, or broken; and an empty file whose name says that it is CLIXML.
pub fn bags(path: &str, bytes: &[u8]) -> Result<Vec<Bag>> {
    bags_of(path, &content(bytes)?)
}

/// A file's text, in whichever encoding PowerShell wrote it.
///
/// # Errors
///
/// When it is neither UTF-8 nor UTF-16.
pub fn content(bytes: &[u8]) -> Result<String> {
    decode(bytes).ok_or(Error::Encoding)
}

/// The objects of a file's text, as [`bags`].
///
/// # Errors
///
/// As [`bags`].
pub fn bags_of(path: &str, content: &str) -> Result<Vec<Bag>> {
    let read = match content.trim_start().chars().next() {
        // ConvertTo-Json and what prints write nothing of nothing, Export-Clixml does not.
        None if is_clixml(path) => return Err(Error::Empty),
        None => return Ok(Vec::new()),
        Some('<') => clixml::bags(content),
        // A list in JSON; a line of a report may begin with a bracket too.
        Some('[' | '{') => json::bags(content),
        Some(_) => match text::bags(content) {
            // Its name says that it holds objects.
            bags if bags.is_empty() && is_objects(path) => Err(Error::NoObjects),
            bags => Ok(bags),
        },
    };
    let mut bags = match read {
        Err(_) if is_text(path) => text::bags(content),
        read => read?,
    };
    let parts = within::parts(&bags);
    bags.extend(parts);
    if let Some(node) = node_of(path) {
        for bag in bags.iter_mut().filter(|bag| bag.computer.is_none()) {
            bag.computer = Some(node.to_owned());
        }
    }
    Ok(bags)
}

/// The class whose objects a file holds by its name: cmdlets' output is called as the cmdlet, `GetStorageJob.XML`, or as what it gives.
#[must_use]
pub fn class_of_name(path: &str) -> Option<&'static Class> {
    let name = path.rsplit(['/', '\\']).next()?;
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(|letter| letter.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let stem = plain(stem);
    let stem = stem.strip_prefix("get").unwrap_or(&stem);
    let called = |name: &str| {
        // `MSFT_StorageJob` is what Get-StorageJob gives, `MSFT_NetQosPolicySettingData` what Get-NetQosPolicy.
        let name = name.split_once('_').map_or(name, |(_, name)| name);
        plain(name.strip_suffix("SettingData").unwrap_or(name))
    };
    let is_it = |name: &&str| {
        let called = called(name);
        called == stem || stem.strip_suffix('s') == Some(called.as_str())
    };
    schema::classes().find(|class| class.names.iter().any(is_it))
}

/// Whether a file of a folder is worth reading, by its name.
#[must_use]
pub fn is_wanted(path: &str) -> bool {
    is_objects(path) || is_text(path)
}

/// Whether a file holds objects by its name.
#[must_use]
pub fn is_objects(path: &str) -> bool {
    ends(path, &[".xml", ".json", ".clixml"])
}

/// Whether a file was written by Export-Clixml by its name.
fn is_clixml(path: &str) -> bool {
    ends(path, &[".xml", ".clixml"])
}

/// Whether a file holds by its name what was printed: reports, and logs of which most hold no resource.
#[must_use]
pub fn is_text(path: &str) -> bool {
    ends(path, &[".txt", ".log"])
}

fn ends(path: &str, with: &[&str]) -> bool {
    let name = path.to_ascii_lowercase();
    with.iter().any(|end| name.ends_with(end))
}

/// The node that a path of an SDDC folder names.
#[must_use]
pub fn node_of(path: &str) -> Option<&str> {
    path.split(['/', '\\']).rev().skip(1).find_map(|folder| {
        let (mark, name) = folder.split_at_checked(5)?;
        (mark.eq_ignore_ascii_case("node_") && !name.is_empty()).then_some(name)
    })
}

/// Text as PowerShell writes it: UTF-16 with a mark in front (5.1), or UTF-8 with or without one.
fn decode(bytes: &[u8]) -> Option<String> {
    let units = |from: fn([u8; 2]) -> u16| -> Option<String> {
        let pairs = bytes[2..].chunks_exact(2).map(|pair| from([pair[0], pair[1]]));
        String::from_utf16(&pairs.collect::<Vec<u16>>()).ok()
    };
    match bytes {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}
