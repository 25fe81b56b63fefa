//! A recording into a store, without a network.

use std::path::Path;
use std::time::Duration;

use fathom_coordinator::offline::{Chunk, Feed, Gap, Stored, Stream, store_blocking};
use fathom_lab::import as trace;
use fathom_lab::replay::cluster_of;
use fathom_lab::sources::replay::{Options, ReplaySource};
use fathom_lab::sources::{Polled, Source};
use fathom_model::Incarnation;
use fathom_model::coverage::GapCause;

use crate::error::Result;

/// Puts the recording in a folder into a store, with what may be missing of it.
pub(super) fn put(folder: &Path, gaps: &[trace::Gap], store: &Path) -> Result<Stored> {
    let recording = fathom_lab::open(folder)?;
    let mut streams = Vec::new();
    for node in recording.nodes().iter().filter(|node| node.events.is_some()) {
        let source = ReplaySource::open(&recording, &node.id, Options::default()).map_err(fathom_lab::Error::from)?;
        let description = source.describe();
        let own = gaps.iter().filter(|gap| gap.node == node.id);
        streams.push(Stream {
            gaps: own.map(of).collect(),
            node: description.node,
            incarnation: description
                .incarnation
                .unwrap_or_else(|| Incarnation::from_bytes([0; 16])),
            taps: description.taps,
            covered_from_unix_nanos: description.covered_from_unix_nanos,
            devices: source.devices().to_vec(),
            feed: Box::new(Played(source)),
        });
    }
    Ok(store_blocking(
        store,
        &cluster_of(&recording),
        recording.topology(),
        streams,
    )?)
}

fn of(gap: &trace::Gap) -> Gap {
    Gap {
        from_unix_nanos: gap.from_unix_nanos,
        until_unix_nanos: gap.until_unix_nanos,
        cause: if gap.damaged {
            GapCause::Damaged
        } else {
            GapCause::SourceDropped
        },
        events: gap.events,
    }
}

/// A node's part of a recording, as the store wants it.
struct Played(ReplaySource);

impl Feed for Played {
    fn seek(&mut self, ordinal: u64) -> Result<(), String> {
        self.0.seek(ordinal).map_err(|error| error.to_string())
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, String> {
        match self.0.poll(Duration::ZERO, most).map_err(|error| error.to_string())? {
            Polled::Events(batch) => Ok(Some(Chunk {
                first_ordinal: batch.first_ordinal,
                columns: batch.columns,
                complete_until_unix_nanos: batch.complete_until_unix_nanos,
            })),
            // A recording has no pace, so it never asks to wait, and no gaps of its own.
            Polled::Gap(_) | Polled::Quiet { .. } | Polled::Later(_) | Polled::End => Ok(None),
        }
    }
}
