//! Events as the event log renders them (`EvtRenderEventXml`): as much of XML as that writes, and no more.

use crate::event::{Guid, providers};

/// A larger text is refused: the log's own limit for an event is 64 KiB.
const LARGEST: usize = 1 << 20;

/// A rendered event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The provider's name.
    pub provider: String,
    /// The provider's GUID as text, where it is said.
    pub provider_guid: String,
    /// The event's number.
    pub id: u16,
    /// Its version.
    pub version: u8,
    /// When it was logged, in nanoseconds since 1970.
    pub time_unix_nanos: Option<i64>,
    /// Its number in its channel.
    pub record: Option<u64>,
    /// The computer that logged it, as that calls itself; empty where it is not said.
    pub computer: String,
    /// Fields with their values as text.
    pub data: Vec<(String, String)>,
}

impl Rendered {
    /// The provider, by its GUID or else by its name.
    #[must_use]
    pub fn guid(&self) -> Option<Guid> {
        let by_name = || providers::ALL.iter().find(|(_, name)| *name == self.provider);
        self.provider_guid
            .parse()
            .ok()
            .or_else(|| by_name().map(|&(guid, _)| guid))
    }

    /// A field's text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let field = self.data.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }

    /// A field's number, decimal or hexadecimal as Windows writes it.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        number(self.text(name)?)
    }
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The events of a file, as `wevtutil` and `Get-WinEvent` write them: one after the other, within `Events` or not. What stands between them, and
/// one that has no end, is left out.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    const END: &str = "</Event>";
    let mut rest = text;
    std::iter::from_fn(move || {
        let begin = loop {
            let at = rest.find("<Event")?;
            let behind = rest[at + "<Event".len()..].chars().next()?;
            if behind == '>' || behind.is_ascii_whitespace() {
                break at;
            }
            // `Events`, `EventData` and the like.
            rest = &rest[at + "<Event".len()..];
        };
        let end = begin + rest[begin..].find(END)? + END.len();
        let event = &rest[begin..end];
        rest = &rest[end..];
        Some(event)
    })
}

/// Whether a text is a file of events and not of objects, by its first element.
#[must_use]
pub fn is_events(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    if let Some(behind) = rest.strip_prefix("<?xml") {
        rest = behind.split_once("?>").map_or("", |(_, rest)| rest).trim_start();
    }
    let name = rest
        .strip_prefix("<Event")
        .map(|rest| rest.strip_prefix('s').unwrap_or(rest));
    name.and_then(|rest| rest.chars().next())
        .is_some_and(|behind| behind == '>' || behind.is_ascii_whitespace())
}

/// Why a text is no rendered event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEvent {
    /// It is too large.
    #[error("{0} bytes, where {LARGEST} are the most")]
    TooLarge(usize),
    /// It ends, or goes on, where it should not.
    #[error("broken XML at byte {0}")]
    Broken(usize),
    /// It has no provider or no number.
    #[error("no event: {0} is missing")]
    Missing(&'static str),
}

/// Reads a rendered event.
///
/// # Errors
///
/// When the text is not one.
pub fn parse(text: &str) -> Result<Rendered, NoEvent> {
    if text.len() > LARGEST {
        return Err(NoEvent::TooLarge(text.len()));
    }
    let mut event = Rendered::default();
    let mut id = None;
    let mut path: Vec<&str> = Vec::new();
    let mut field: Option<String> = None;
    let mut content = String::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|found| at + found) {
        content.push_str(&unescaped(&text[at..open]));
        let rest = &text[open..];
        let skipped = [("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>")]
            .into_iter()
            .find(|(begin, _)| rest.starts_with(begin));
        if let Some((begin, end)) = skipped {
            let inner = &rest[begin.len()..];
            let close = inner.find(end).ok_or(NoEvent::Broken(open))?;
            if begin == "<![CDATA[" {
                content.push_str(&inner[..close]);
            }
            at = open + begin.len() + close + end.len();
            continue;
        }
        let close = tag_end(rest).ok_or(NoEvent::Broken(open))?;
        let tag = &rest[1..close];
        at = open + close + 1;
        if let Some(name) = tag.strip_prefix('/') {
            if path.pop() != Some(name.trim()) {
                return Err(NoEvent::Broken(open));
            }
            match name.trim() {
                "EventID" => id = number(&content).and_then(|id| u16::try_from(id).ok()),
                "Version" => {
                    event.version = number(&content)
                        .and_then(|version| u8::try_from(version).ok())
                        .unwrap_or(0)
                }
                "EventRecordID" => event.record = number(&content),
                "Computer" if path.last() == Some(&"System") => event.computer = content.trim().to_owned(),
                other if in_data(&path) => {
                    let name = field.take().unwrap_or_else(|| other.to_owned());
                    event.data.push((name, content.trim().to_owned()));
                }
                _ => {}
            }
            content.clear();
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.split_ascii_whitespace().next().ok_or(NoEvent::Broken(open))?;
        match name {
            "Provider" => {
                event.provider = attribute(tag, "Name").unwrap_or_default();
                event.provider_guid = attribute(tag, "Guid").unwrap_or_default();
            }
            "TimeCreated" => event.time_unix_nanos = attribute(tag, "SystemTime").and_then(|time| unix_nanos(&time)),
            _ if in_data(&path) => {
                field = attribute(tag, "Name");
                if is_empty {
                    event
                        .data
                        .push((field.take().unwrap_or_else(|| name.to_owned()), String::new()));
                }
            }
            _ => {}
        }
        content.clear();
        if !is_empty {
            path.push(name);
        }
    }
    if !path.is_empty() {
        return Err(NoEvent::Broken(text.len()));
    }
    if event.provider.is_empty() && event.provider_guid.is_empty() {
        return Err(NoEvent::Missing("the provider"));
    }
    event.id = id.ok_or(NoEvent::Missing("the event's number"))?;
    Ok(event)
}

/// Whether what stands here is a field: directly in EventData, or anywhere in UserData.
fn in_data(path: &[&str]) -> bool {
    path.last() == Some(&"EventData") || path.contains(&"UserData")
}

/// Where the tag at the begin of `text` ends: a `>` that is in no quotes.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None, b'>') => return Some(at),
            _ => {}
        }
    }
    None
}

fn attribute(tag: &str, wanted: &str) -> Option<String> {
    let mut rest = tag;
    while let Some(equals) = rest.find('=') {
        let name = rest[..equals].split_ascii_whitespace().next_back().unwrap_or_default();
        let value = rest[equals + 1..].trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let end = value[1..].find(quote)?;
        if name == wanted {
            return Some(unescaped(&value[1..1 + end]));
        }
        rest = &value[end + 2..];
    }
    None
}

/// Text with its entities resolved; what is no entity stays as it is.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let found = rest.find(';').filter(|end| *end <= 10).and_then(|end| {
            let character = match &rest[1..end] {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                "apos" => '\'',
                numeric => {
                    let digits = numeric.strip_prefix('#')?;
                    let code = match digits.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => digits.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((character, end + 1))
        });
        let (character, bytes) = found.unwrap_or(('&', 1));
        plain.push(character);
        rest = &rest[bytes..];
    }
    plain.push_str(rest);
    plain
}

/// A time as the log writes it, `2026-09-22T03:13:00.1234567Z`, in nanoseconds since 1970.
fn unix_nanos(text: &str) -> Option<i64> {
    let text = text.trim().strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let part = |text: &str, digits: usize| -> Option<i64> {
        (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let mut date = date.split('-');
    let (year, month, day) = (part(date.next()?, 4)?, part(date.next()?, 2)?, part(date.next()?, 2)?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.split(':');
    let (hour, minute, second) = (part(time.next()?, 2)?, part(time.next()?, 2)?, part(time.next()?, 2)?);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day) && date.next().is_none();
    if !is_date || hour > 23 || minute > 59 || second > 60 || time.next().is_some() || fraction.len() > 9 {
        return None;
    }
    let nanos = match fraction.len() {
        0 => 0,
        digits => part(fraction, digits)? * 10_i64.pow(9 - digits as u32),
    };
    // Days since 1970 of the civil calendar, counted in years that begin in March.
    let shifted = year - i64::from(month <= 2);
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// An event as the log renders it.
#[cfg(test)]
pub(crate) fn rendered(provider: &str, id: u16, fields: &[(&str, &str)]) -> Rendered {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("<Data Name='{name}'>{value}</Data>"))
        .collect();
    let text = format!(
        "<Event><System><Provider Name='{provider}'/><EventID>{id}</EventID>\
         <TimeCreated SystemTime='2026-09-22T03:13:00.5000000Z'/><EventRecordID>9</EventRecordID></System>\
         <EventData>{fields}</EventData></Event>"
    );
    parse(&text).expect("it is an event")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_file_are_told_apart() {
        let one = "<Event xmlns='x'><System><Provider Name='P'/><EventID>1</EventID><Computer>HV01</Computer></System></Event>";
        let two = "<Event><System><Provider Name='P'/><EventID>2</EventID></System><EventData>\n</EventData></Event>";
        let file = format!("\u{feff}<?xml version='1.0'?>\n<Events>\n{one}{two}\n<Event><System></Events>");
        assert!(is_events(&file) && is_events(one) && is_events("<Events\n>"));
        for other in ["", "<Objs>", "<EventData>", "<Eventss>", "<?xml", "{}", "<Event"] {
            assert!(!is_events(other), "{other}");
        }
        assert_eq!(split(&file).collect::<Vec<_>>(), [one, two]);
        let read = parse(one).expect("it is one");
        assert_eq!((read.computer.as_str(), read.id), ("HV01", 1));
        assert_eq!(
            split("<Event").count() + split("<Event>").count() + split("").count(),
            0
        );
    }

    #[test]
    fn times_are_read_to_the_last_digit() {
        assert_eq!(unix_nanos("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(
            unix_nanos("2026-09-22T03:13:00.1234567Z"),
            Some(1_790_046_780_123_456_700)
        );
        assert_eq!(unix_nanos("2024-02-29T23:59:59.9Z"), Some(1_709_251_199_900_000_000));
        assert_eq!(unix_nanos("1601-01-01T00:00:00Z"), None);
        for wrong in [
            "",
            "2026-13-01T00:00:00Z",
            "2026-09-22 03:13:00Z",
            "2026-09-22T03:13:00",
            "+026-09-22T03:13:00Z",
        ] {
            assert_eq!(unix_nanos(wrong), None, "{wrong}");
        }
    }
}
