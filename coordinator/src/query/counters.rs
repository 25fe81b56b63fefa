//! Questions about counters: their readings over a stretch of time.

use std::collections::BTreeMap;

use fathom_model::state::{Kind, Sample};
use fathom_store::paths::Table;
use fathom_store::read_samples;

use super::state::Which;
use crate::error::Result;
use crate::ingest::Cluster;

/// Where nobody says how far to look back.
const HOUR: u64 = 3_600_000_000_000;

/// Which counters, and when.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) which: Which,
    /// Part of a counter's name, in small letters.
    pub(crate) counter: String,
    pub(crate) until: Option<i64>,
    /// 0: an hour.
    pub(crate) since_nanos: u64,
}

/// A counter of a resource as one node reads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    pub(crate) kind: Kind,
    pub(crate) node: String,
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Readings by time.
pub(crate) type Readings = BTreeMap<i64, f64>;

/// What was found, and the stretch of time that was looked at; nothing was ever read where there is none.
pub(crate) type Found = (BTreeMap<Series, Readings>, Option<(i64, i64)>);

/// The readings that were asked for. Blocks: files are read.
pub(crate) fn counters(cluster: &Cluster, asked: &Asked) -> Result<Found> {
    let view = cluster.view();
    let files = || view.files.iter().filter(|file| file.table == Table::Samples);
    let hot = || view.samples.iter().flat_map(|some| some.iter());
    let in_files = files().map(|file| file.max_unix_nanos).max();
    let newest = in_files.max(hot().map(|sample| sample.observed_unix_nanos).max());
    let Some(until) = asked.until.or(newest).filter(|_| newest.is_some()) else {
        return Ok((BTreeMap::new(), None));
    };
    let since = if asked.since_nanos == 0 {
        HOUR
    } else {
        asked.since_nanos
    };
    let from = until.saturating_sub_unsigned(since);
    let mut found: BTreeMap<Series, Readings> = BTreeMap::new();
    let mut take = |sample: &Sample| {
        let observed = sample.observed_unix_nanos;
        if (from..=until).contains(&observed) && asked.wants(sample) {
            let series = Series {
                kind: sample.kind,
                node: sample.node.to_string(),
                id: sample.id.clone(),
                name: sample.name.clone(),
            };
            found.entry(series).or_default().insert(observed, sample.value);
        }
    };
    let runtime = tokio::runtime::Handle::current();
    for file in files().filter(|file| file.min_unix_nanos <= until && file.max_unix_nanos >= from) {
        let rows = runtime.block_on(read_samples(&cluster.blobs, file))?;
        rows.iter().for_each(&mut take);
    }
    hot().for_each(take);
    Ok((found, Some((from, until))))
}

impl Asked {
    fn wants(&self, sample: &Sample) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(part);
        let which = &self.which;
        (which.kinds.is_empty() || which.kinds.contains(&sample.kind))
            && which.node.as_ref().is_none_or(|node| sample.node.as_str() == node)
            && which
                .name
                .as_ref()
                .is_none_or(|name| has(&sample.id, &name.to_lowercase()))
            && has(&sample.name, &self.counter)
    }
}
