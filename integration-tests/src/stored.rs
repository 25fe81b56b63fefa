//! What a store holds, read without its coordinator, in terms that do not depend on numbering.

use std::collections::BTreeMap;
use std::path::Path;

use fathom_model::{Catalog, ClusterId, Io, JoinedRows, Merged, Observation, StreamId};
use fathom_store::blobs::Blobs;
use fathom_store::{manifest, read_pending, read_rows};
use serde_json::Value;

/// All rows of a store as sorted texts, and what its newest record says.
#[derive(Debug)]
pub struct Stored {
    /// One text an I/O with its legs, one an unmatched event; sorted.
    pub rows: Vec<String>,
    /// The engine's state in the newest record.
    pub state: Value,
    /// The newest record's number.
    pub number: u64,
    /// The rows themselves.
    pub joined: JoinedRows,
    /// The names behind their indices.
    pub catalog: Catalog,
    /// Ordinals of pending legs, a stream.
    pub pending: Vec<(StreamId, u64)>,
}

/// Reads a store.
pub async fn read(store: &Path, cluster: &str) -> Stored {
    let blobs = Blobs::open_folder(store).unwrap();
    let cluster = ClusterId::new(cluster);
    let newest = manifest::newest::<Value>(&blobs, &cluster).await.unwrap().unwrap();
    let (mut joined, mut catalog) = (JoinedRows::default(), Catalog::default());
    for file in &newest.files {
        if let Some(rows) = read_rows(&blobs, &cluster, file, &mut catalog).await.unwrap() {
            joined.append(rows);
        }
    }
    let pending = read_pending(&blobs, &cluster, newest.record.pending.as_ref())
        .await
        .unwrap();
    Stored {
        rows: texts(&joined, &catalog),
        state: newest.record.state,
        number: newest.record.number,
        pending: pending
            .into_iter()
            .map(|event| (event.stream, event.event.ordinal))
            .collect(),
        joined,
        catalog,
    }
}

/// Rows as sorted texts in names: the same for the same rows, however they were numbered and in whatever order they came.
#[must_use]
pub fn texts(rows: &JoinedRows, catalog: &Catalog) -> Vec<String> {
    let mut texts: Vec<String> = rows.ios.iter().map(|io| io_text(rows, io, catalog)).collect();
    texts.extend(rows.unmatched.iter().map(|event| {
        let seen = observation(&event.event, catalog);
        let disk = event.disk.map(|disk| catalog.disk(disk).id.to_string());
        format!(
            "unmatched {seen} {} {} {disk:?} {} {} {} {:?}",
            event.tap, event.device, event.op, event.offset, event.length, event.cause
        )
    }));
    texts.sort();
    texts
}

fn observation(seen: &Observation, catalog: &Catalog) -> String {
    let stream = catalog.stream(seen.stream);
    format!(
        "{}#{}@{}+{}={}",
        stream.node, seen.ordinal, seen.start_unix_nanos, seen.duration_nanos, seen.status
    )
}

fn io_text(rows: &JoinedRows, io: &Io, catalog: &Catalog) -> String {
    let mut text = format!(
        "io {} {} {} {} {} {:?} {}",
        observation(&io.event, catalog),
        catalog.volume(io.volume),
        io.op,
        io.offset,
        io.length,
        io.class,
        io.legs_expected
    );
    if let Some(slowest) = io.slowest {
        text += &format!(
            " slowest {} {:?} {:.4}",
            slowest.leg - io.legs.start,
            slowest.lead_nanos,
            slowest.confidence
        );
    }
    for leg in rows.legs_of(io) {
        let seen = |seen: &Option<Observation>| seen.as_ref().map(|seen| observation(seen, catalog));
        text += &format!(
            " | {}.{} {} {} {} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:.4} {} {} {:?}",
            leg.part,
            leg.copy,
            catalog.disk(leg.disk).id,
            leg.disk_offset,
            leg.length,
            leg.local,
            seen(&leg.initiator),
            seen(&leg.target),
            seen(&leg.device),
            leg.cache.map(|drive| &catalog.disk(drive).id),
            leg.merged,
            leg.more,
            leg.missing_initiator,
            leg.missing_target,
            leg.missing_device,
            leg.method,
            leg.confidence,
            leg.ambiguous,
            leg.candidate,
            leg.clock
        );
    }
    text
}

/// Every ordinal that the rows use, a node, with how often.
#[must_use]
pub fn ordinals(stored: &Stored) -> BTreeMap<(String, u64), usize> {
    let mut used: BTreeMap<(String, u64), usize> = BTreeMap::new();
    let catalog = &stored.catalog;
    let mut take = |node: String, ordinal: u64| *used.entry((node, ordinal)).or_default() += 1;
    let node = |seen: &Observation| catalog.stream(seen.stream).node.to_string();
    for io in &stored.joined.ios {
        take(node(&io.event), io.event.ordinal);
        for leg in stored.joined.legs_of(io) {
            // Of a merged request the ordinal counts at one leg.
            let device = leg.device.as_ref().filter(|_| leg.merged != Some(Merged::Further));
            for seen in [leg.initiator.as_ref(), leg.target.as_ref(), device]
                .into_iter()
                .flatten()
            {
                take(node(seen), seen.ordinal);
            }
            leg.more
                .initiator
                .iter()
                .for_each(|&ordinal| take(node(&io.event), ordinal));
            let far = leg.target.or(leg.device).map(|seen| node(&seen)).unwrap_or_default();
            let beyond = leg.more.target.iter().chain(&leg.more.device);
            beyond.for_each(|&ordinal| take(far.clone(), ordinal));
        }
    }
    for event in &stored.joined.unmatched {
        take(node(&event.event), event.event.ordinal);
    }
    for (stream, ordinal) in &stored.pending {
        take(stream.node.to_string(), *ordinal);
    }
    used
}
