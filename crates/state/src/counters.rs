//! Counters: what the performance classes of Windows count, as readings that mean something by themselves.
//!
//! `Win32_PerfRawData_*` gives raw numbers: totals since the driver started, and pairs of which only the differences between two
//! readings make a mean. Their properties have the same names in every language, unlike the paths of PDH. The sets and their
//! properties are those of a 23H2 node (domain/counters.md); one that a node does not have is left out, never zero.
//!
//! # Readings
//!
//! | shape | a reading is | unknown when |
//! |---|---|---|
//! | `Now` | the number itself: a level, or a count since the driver started | |
//! | `PerSecond` | what came to a total since the reading before, a second | it is the first; the total fell; no time passed |
//! | `Mean` | of requests completed since the reading before, the mean time in ns | the same; none completed; a 32-bit sum may have wrapped |
//! | `Share` | the number against its base, in percent | the base is 0 |

use std::collections::BTreeMap;

use fathom_model::NodeId;
use fathom_model::state::{Kind, Sample};

use crate::bag::{Bag, Raw};

mod sets;

pub use sets::{MISSING, RDMA, SETS};

/// A counter set as one class of `root\cimv2` gives it.
#[derive(Debug)]
pub struct Set {
    /// The class.
    pub class: &'static str,
    /// What its counters' names begin with.
    pub name: &'static str,
    /// What an instance is about; its id is the instance's name as Windows shows it.
    pub kind: Kind,
    /// Seconds between two readings.
    pub every_seconds: u64,
    /// Levels of requests under way, where the set has them: by these it is seen whether a 32-bit sum may have wrapped.
    pub under_way: &'static [&'static str],
    /// The counters.
    pub counters: &'static [Counter],
}

/// One counter.
#[derive(Debug)]
pub struct Counter {
    /// The class's property.
    pub property: &'static str,
    /// The reading, with its unit as suffix.
    pub name: &'static str,
    /// What a reading is made of.
    pub shape: Shape,
    /// How wide the raw number is: 32 or 64 bits.
    pub bits: u32,
}

/// What a reading is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The number itself.
    Now,
    /// What came to a running total, a second.
    PerSecond,
    /// The mean time of what completed, from ticks and the property of the same name that ends in `_Base`.
    Mean,
    /// The number against the property of the same name that ends in `_Base`, in percent.
    Share,
}

/// What a counter showed last.
#[derive(Clone, Copy, Debug, Default)]
struct Raws {
    value: Option<u64>,
    base: Option<u64>,
}

/// A reading of an instance.
#[derive(Clone, Debug)]
struct Last {
    ticks: Option<u64>,
    unix_nanos: i64,
    under_way: u64,
    raws: Vec<Raws>,
}

/// The readings before, which the next ones are reckoned against.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    last: BTreeMap<(&'static str, String), Last>,
}

impl Readings {
    /// What the instances of a set say, read at a moment of the node's clock. Sums over all instances (`_Total`) are left out.
    pub fn read(&mut self, set: &'static Set, node: &NodeId, objects: &[Bag], at: i64) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut met = Vec::new();
        for object in objects {
            // Of a set without instances the only object has no name.
            let instance = match object.get("Name") {
                Some(Raw::Text(name)) if name == "_Total" => continue,
                Some(Raw::Text(name)) => name.clone(),
                _ => String::new(),
            };
            let now = Last {
                ticks: whole(object.get("Timestamp_PerfTime")),
                unix_nanos: at,
                under_way: set
                    .under_way
                    .iter()
                    .filter_map(|property| whole(object.get(property)))
                    .sum(),
                raws: set
                    .counters
                    .iter()
                    .map(|counter| Raws {
                        value: whole(object.get(counter.property)),
                        base: whole(object.get(&format!("{}_Base", counter.property))),
                    })
                    .collect(),
            };
            let frequency = whole(object.get("Frequency_PerfTime")).filter(|frequency| *frequency > 0);
            let key = (set.class, instance.clone());
            let before = self.last.get(&key).filter(|before| !set.began_anew(before, &now));
            for (at_counter, counter) in set.counters.iter().enumerate() {
                if let Some(value) = reading(counter, at_counter, before, &now, frequency) {
                    samples.push(Sample {
                        node: node.clone(),
                        kind: set.kind,
                        id: instance.clone(),
                        name: format!("{}.{}", set.name, counter.name),
                        observed_unix_nanos: at,
                        value,
                    });
                }
            }
            met.push(instance);
            self.last.insert(key, now);
        }
        // What is gone and comes again begins anew.
        self.last
            .retain(|(class, instance), _| *class != set.class || met.contains(instance));
        samples
    }
}

impl Set {
    /// Whether the driver behind an instance was restarted between two readings: a total of 64 bits fell, which never wraps. Then one of
    /// 32 bits that fell did not wrap either.
    fn began_anew(&self, before: &Last, now: &Last) -> bool {
        let totals = self.counters.iter().zip(before.raws.iter().zip(&now.raws));
        totals
            .filter(|(counter, _)| counter.bits == 64 && counter.shape == Shape::PerSecond)
            .any(|(_, (before, now))| before.value.zip(now.value).is_some_and(|(before, now)| now < before))
    }
}

/// What a counter says, if that can be told.
fn reading(counter: &Counter, number: usize, before: Option<&Last>, now: &Last, frequency: Option<u64>) -> Option<f64> {
    let own = now.raws[number];
    let value = own.value?;
    match counter.shape {
        Shape::Now => Some(value as f64),
        Shape::Share => own
            .base
            .filter(|base| *base > 0)
            .map(|base| value as f64 * 100.0 / base as f64),
        Shape::PerSecond => {
            let before = before?;
            let came = risen(before.raws[number].value?, value, counter.bits)?;
            let seconds = seconds(before, now, frequency).filter(|seconds| *seconds > 0.0)?;
            Some(came as f64 / seconds)
        }
        Shape::Mean => {
            let (before, frequency) = (before?, frequency?);
            let requests = risen(before.raws[number].base?, own.base?, 32).filter(|requests| *requests > 0)?;
            let ticks = risen(before.raws[number].value?, value, counter.bits)?;
            if counter.bits == 32 {
                // The sum grows by as many ticks as passed, times what is under way. Where that may be half of what fits, it is
                // not known how often it began anew.
                let passed = seconds(before, now, Some(frequency))? * frequency as f64;
                let most = before.under_way.max(now.under_way).max(1) as f64;
                if passed * most >= f64::from(u32::MAX / 2) {
                    return None;
                }
            }
            Some(ticks as f64 / requests as f64 * 1e9 / frequency as f64)
        }
    }
}

/// By how much a total has grown; of 32 bits it may have begun anew once. One that fell otherwise began anew at nothing.
const fn risen(before: u64, now: u64, bits: u32) -> Option<u64> {
    if now >= before {
        return Some(now - before);
    }
    if bits == 32 && before <= u32::MAX as u64 {
        // One that wrapped has come less than half of the way round since; one that began at nothing seems to have come further, unless it
        // stood in its upper half: that is what totals of 64 bits are asked about first.
        let wrapped = now + (1 << 32) - before;
        return if wrapped < 1 << 31 { Some(wrapped) } else { None };
    }
    None
}

/// Time between two readings, by the provider's own clock where it says so.
fn seconds(before: &Last, now: &Last, frequency: Option<u64>) -> Option<f64> {
    if let (Some(from), Some(until), Some(frequency)) = (before.ticks, now.ticks, frequency) {
        return until.checked_sub(from).map(|ticks| ticks as f64 / frequency as f64);
    }
    let nanos = now.unix_nanos.checked_sub(before.unix_nanos)?;
    (nanos > 0).then_some(nanos as f64 / 1e9)
}

fn whole(raw: Option<&Raw>) -> Option<u64> {
    match raw? {
        Raw::Integer(number) => u64::try_from(*number).ok(),
        // 64 bits are given as text by WMI.
        Raw::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
