//! What a thread of the node's state asks Windows: a namespace's classes, channels of the event log, or drives.

use std::collections::BTreeMap;

use fathom_etl::slow::xml;
use windows::Win32::System::EventLog::{EvtQueryForwardDirection, EvtQueryReverseDirection};

use fathom_state::schema::DRIVES;

use super::drives::Physical;
use super::live::{EVENT_LOG, Reader};
use super::log::Channel;
use super::nvme;
use super::walks::Objects;
use super::wmi::Namespace;
use crate::live::etw::log::{next, query};

/// Events of a channel that are taken at a time; the others are there the next time.
const MOST: usize = 2_000;

/// Events that are rendered at once.
const SOME: usize = 64;

/// What one thread asks.
#[derive(Debug)]
pub(super) enum Reads {
    /// Classes.
    Classes(Namespace),
    /// Channels, each with the number of its last record.
    Channels(BTreeMap<&'static str, u64>),
    /// Drives.
    Drives,
}

impl Reads {
    pub(super) fn new(namespace: &'static str) -> Self {
        match namespace {
            EVENT_LOG => Self::Channels(BTreeMap::new()),
            DRIVES => Self::Drives,
            _ => Self::Classes(Namespace::new(namespace)),
        }
    }
}

impl Reader for Reads {
    fn read(&mut self, class: &'static str) -> Result<Objects, String> {
        match self {
            Self::Classes(namespace) => namespace.read(class),
            Self::Drives => nvme::read(&mut Physical::begin()),
            Self::Channels(_) => Err(format!("{class} is no channel of the event log")),
        }
    }

    fn events(&mut self, channel: &'static Channel) -> Result<Vec<String>, String> {
        match self {
            Self::Classes(_) | Self::Drives => Err(format!("{} is a channel of the event log", channel.name)),
            Self::Channels(last) => events(channel, last),
        }
    }
}

fn events(channel: &'static Channel, last: &mut BTreeMap<&'static str, u64>) -> Result<Vec<String>, String> {
    let record = |text: &String| xml::parse(text).ok().and_then(|event| event.record);
    let ids: Vec<String> = channel.ids.iter().map(|id| format!("EventID={id}")).collect();
    let of = format!("Provider[@Name='{}'] and ({})", channel.provider, ids.join(" or "));
    let newer = match last.get(channel.name) {
        Some(known) => format!("EventRecordID>{known}"),
        // What happened while a daemon was down is seen all the same. What was said before is the same event with the same number, and is
        // not told twice.
        None => format!(
            "TimeCreated[timediff(@SystemTime) <= {}]",
            channel.back_hours * 3_600_000
        ),
    };
    // Before the events themselves: what is logged meanwhile is newer.
    let newest = match last.contains_key(channel.name) {
        true => None,
        false => {
            let found = query(channel.name, "*", EvtQueryReverseDirection.0)?;
            next(&found, 1)?.first().and_then(record)
        }
    };
    let found = query(
        channel.name,
        &format!("*[System[{of} and {newer}]]"),
        EvtQueryForwardDirection.0,
    )?;
    let mut texts = Vec::new();
    while texts.len() < MOST {
        let some = next(&found, SOME)?;
        if some.is_empty() {
            break;
        }
        texts.extend(some);
    }
    let read = texts.iter().filter_map(record).max();
    // Of what was cut off the rest is read the next time.
    let newest = newest.filter(|_| texts.len() < MOST);
    if let Some(reached) = read.max(newest) {
        let known = last.entry(channel.name).or_default();
        *known = reached.max(*known);
    } else {
        last.entry(channel.name).or_default();
    }
    Ok(texts)
}
