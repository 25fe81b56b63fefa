//! Storage pools with what the disks in them are of.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::state::{Kind, Observation, Value};

use crate::disks::Beside;
use crate::history::Picture;

/// Codes of [`crate::codes`]: a journal disk, which caches for the others, and a disk that cannot be pooled since it is in a pool.
const JOURNAL: i64 = 5;
const IN_A_POOL: i64 = 2;

/// Says of each pool, by its id, of which `media` its disks for capacity are, and whether that is several (`mixed_media`). The primordial
/// pool, which is all disks there are, is left out.
#[must_use]
pub fn beside(picture: &Picture) -> BTreeMap<String, Beside> {
    let all = |kind: Kind| -> Vec<Observation> { picture.of(kind).map(|fact| fact.observation).collect() };
    let mut pools = all(Kind::Pool);
    pools.retain(|pool| pool.flag("primordial") != Some(true));
    let disks = all(Kind::Disk);
    let is_only = pools.len() == 1;
    let told = pools.iter().map(|pool| {
        let own: Vec<&Observation> = disks.iter().filter(|disk| is_in(disk, pool, is_only)).collect();
        (pool.id.clone(), of_disks(&own))
    });
    told.collect()
}

/// By the pool's id where the disk has it; else of the only pool is each that is in one.
fn is_in(disk: &Observation, pool: &Observation, is_only: bool) -> bool {
    match disk.text("pool_id") {
        Some(id) => id == pool.id || Some(id) == pool.text("unique_id"),
        None => is_only && codes(disk.get("cannot_pool_reason")).any(|code| code == IN_A_POOL),
    }
}

/// The name of the pool that a disk is in, where that is known.
pub(crate) fn name_of(picture: &Picture, disk: &Observation) -> Option<String> {
    let pools: Vec<Observation> = picture.of(Kind::Pool).map(|fact| fact.observation).collect();
    let mut own = pools.iter().filter(|pool| pool.flag("primordial") != Some(true));
    let is_only = own.clone().count() == 1;
    let pool = own.find(|pool| is_in(disk, pool, is_only))?;
    Some(pool.text("name").unwrap_or(&pool.id).to_owned())
}

fn of_disks(disks: &[&Observation]) -> Beside {
    let mut beside = Beside::default();
    if disks.is_empty() {
        let why = "no disk says that it is in this pool".to_owned();
        beside.unknown.insert("media".to_owned(), why);
        return beside;
    }
    let capacity = disks
        .iter()
        .filter(|disk| !codes(disk.get("usage")).any(|code| code == JOURNAL));
    let media: Vec<Option<&str>> = capacity.map(|disk| disk.text("media")).collect();
    let known: BTreeSet<&str> = media.iter().flatten().copied().collect();
    // That of some is not known: they may be another.
    if known.len() > 1 || media.iter().all(Option::is_some) {
        beside
            .known
            .insert("mixed_media".to_owned(), Value::Bool(known.len() > 1));
    } else {
        let why = "of some disks the media is not known".to_owned();
        beside.unknown.insert("mixed_media".to_owned(), why);
    }
    let names: Vec<Value> = known.into_iter().map(Value::from).collect();
    beside.known.insert("media".to_owned(), Value::List(names));
    beside
}

fn codes(value: Option<&Value>) -> impl Iterator<Item = i64> {
    let items = value.map_or(&[][..], Value::items).iter();
    items.filter_map(|item| match item {
        Value::Code(code) => code.code,
        _ => None,
    })
}
