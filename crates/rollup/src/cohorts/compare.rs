//! From the values of clusters to what is said of a cohort.

use std::cmp::Ordering;

use fathom_model::fleet::{Measure, Verdict};

use super::RATE;
use super::stats::{adjusted, deviation, doubled, hypergeometric, mann_whitney, median, signed_rank, signs, together};

/// A time is clearly worse from this factor on, if that is more than the values differ by anyway.
const CLEARLY: f64 = 1.10;

/// What counts for whether it is worse in more clusters than chance explains: beyond so many deviations of all.
///
/// Those that are worse widen this deviation: of a third by 1.7 times.
const FAR: f64 = 2.0;

/// What is called clearly worse: beyond so many deviations of those that are not.
const CLEARLY_FAR: f64 = 3.0;

/// A time is significantly worse only from this factor on.
const AT_LEAST: f64 = 1.05;

/// So many clusters are named.
const MOST_NAMED: usize = 20;

/// What a cluster says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) value: f64,
    /// The cluster.
    pub(super) place: usize,
}

/// What all clusters say of a cohort in one measure.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    /// Differences within clusters that have others beside it.
    pub(super) beside: Vec<Sample>,
    /// What clusters that were updated to it changed by, and what others changed by.
    pub(super) before: Groups,
    /// Values of clusters that have it alone, and of those that only have others.
    pub(super) alone: Groups,
}

/// Values of clusters of two kinds.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    pub(super) own: Vec<Sample>,
    pub(super) others: Vec<f64>,
}

/// A comparison with its chance, before the correction.
#[derive(Debug)]
pub(super) struct Asked {
    /// The number of the cohort.
    cohort: usize,
    measure: Measure,
    p: f64,
    effect: f64,
    /// Clusters in which it is clearly worse, the worst first.
    worse: Vec<Sample>,
    /// How many of them against what was before.
    worse_since_update: usize,
    beside: usize,
    before: usize,
    alone: usize,
}

/// What one way of comparing says.
struct Compared {
    /// The chances that it is worse everywhere, and that it is in some places.
    everywhere: Option<f64>,
    somewhere: Option<f64>,
    /// How much worse each cluster is.
    differences: Vec<Sample>,
    /// Those that are clearly worse.
    worse: Vec<Sample>,
}

impl Samples {
    /// Compares. `None` where there is too little to compare.
    pub(super) fn ask(self, cohort: usize, measure: Measure) -> Option<Asked> {
        let margin = if measure.is_latency() { CLEARLY.ln() } else { 0.0 };
        let beside = of_pairs(self.beside, margin);
        let before = self.before.compared(margin);
        let alone = self.alone.compared(margin);
        let asked = |of: fn(&Compared) -> Option<f64>| doubled(of(&before), together(of(&beside), of(&alone)));
        let p = doubled(asked(|own| own.everywhere), asked(|own| own.somewhere))?;
        let all = [&beside, &before, &alone];
        let mut worse: Vec<Sample> = all.iter().flat_map(|own| own.worse.iter().copied()).collect();
        worse.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.place.cmp(&b.place)));
        let values = |samples: &[Sample]| samples.iter().map(|sample| sample.value).collect::<Vec<f64>>();
        let effect = if worse.is_empty() {
            median(
                &all.iter()
                    .flat_map(|own| values(&own.differences))
                    .collect::<Vec<f64>>(),
            )?
        } else {
            median(&values(&worse))?
        };
        Some(Asked {
            cohort,
            measure,
            p,
            effect: if measure.is_latency() { effect.exp() } else { effect },
            worse,
            worse_since_update: before.worse.len(),
            beside: beside.differences.len(),
            before: before.differences.len(),
            alone: alone.differences.len(),
        })
    }
}

/// Differences within clusters: where nothing is worse they lie evenly about 0.
fn of_pairs(differences: Vec<Sample>, margin: f64) -> Compared {
    let values: Vec<f64> = differences.iter().map(|sample| sample.value).collect();
    let bound = margin.max(FAR * deviation(&values, 0.0));
    let up = values.iter().filter(|value| **value > bound).count();
    let far = values.iter().filter(|value| value.abs() > bound).count();
    // What is worse lies above: those below say how much clusters differ anyway.
    let below: Vec<f64> = values.iter().copied().filter(|value| *value < 0.0).collect();
    let clearly = margin.max(CLEARLY_FAR * deviation(&below, 0.0));
    let worse = differences.iter().filter(|sample| sample.value > clearly).copied();
    Compared {
        everywhere: signed_rank(&values),
        somewhere: signs(up, far),
        worse: worse.collect(),
        differences,
    }
}

impl Groups {
    /// Where nothing is worse, which of the clusters are the own ones is chance: so the bound of the test is that of all together.
    fn compared(self, margin: f64) -> Compared {
        let own: Vec<f64> = self.own.iter().map(|sample| sample.value).collect();
        let both: Vec<f64> = own.iter().chain(&self.others).copied().collect();
        let middle = median(&both).unwrap_or(0.0);
        let bound = middle + margin.max(FAR * deviation(&both, middle));
        let high = |values: &[f64]| values.iter().filter(|value| **value > bound).count();
        let (everywhere, somewhere) = (
            mann_whitney(&own, &self.others),
            hypergeometric(high(&own), own.len(), high(&both), both.len()),
        );
        // Where there are no others, nothing is compared.
        let Some(base) = median(&self.others) else {
            return Compared {
                everywhere,
                somewhere,
                differences: Vec::new(),
                worse: Vec::new(),
            };
        };
        let clearly = margin.max(CLEARLY_FAR * deviation(&self.others, base));
        let relative = self.own.iter().map(|sample| Sample {
            value: sample.value - base,
            ..*sample
        });
        let differences: Vec<Sample> = relative.collect();
        let worse = differences.iter().filter(|sample| sample.value > clearly).copied();
        Compared {
            everywhere,
            somewhere,
            worse: worse.collect(),
            differences,
        }
    }
}

/// What is said of each comparison, once all are known; with the number of the cohort.
pub(super) fn verdicts(asked: Vec<Asked>, keys: &[String]) -> Vec<(usize, Verdict)> {
    let chances: Vec<f64> = asked.iter().map(|own| own.p).collect();
    let adjusted = adjusted(&chances);
    asked
        .into_iter()
        .zip(adjusted)
        .map(|(own, p_adjusted)| (own.cohort, own.verdict(p_adjusted, keys)))
        .collect()
}

/// What is significant first, then what is least likely to be chance.
pub(super) fn most_telling_first(one: &Verdict, other: &Verdict) -> Ordering {
    let by_chance = one
        .p_adjusted
        .total_cmp(&other.p_adjusted)
        .then(one.p.total_cmp(&other.p));
    (other.significant.cmp(&one.significant))
        .then(by_chance)
        .then(one.measure.cmp(&other.measure))
}

impl Asked {
    fn verdict(self, p_adjusted: f64, keys: &[String]) -> Verdict {
        let is_enough = !self.measure.is_latency() || self.effect >= AT_LEAST;
        let significant = p_adjusted <= RATE && is_enough;
        let named = self.worse.iter().take(MOST_NAMED);
        let compared = self.compared();
        Verdict {
            measure: self.measure,
            significant,
            p_adjusted,
            p: self.p,
            effect: self.effect,
            worse_clusters: self.worse.len() as u64,
            compared_clusters: compared as u64,
            worst: named.filter_map(|sample| keys.get(sample.place).cloned()).collect(),
            beside: self.beside as u64,
            before: self.before as u64,
            alone: self.alone as u64,
            text: self.text(significant),
        }
    }

    /// Clusters that could be compared.
    const fn compared(&self) -> usize {
        self.beside + self.before + self.alone
    }

    fn text(&self, significant: bool) -> String {
        if !significant {
            return "no more than chance".to_owned();
        }
        let what = match self.measure {
            Measure::WriteP50 => "slow writes",
            Measure::WriteP99 => "slow writes of the slowest 1 %",
            Measure::ReadP50 => "slow reads",
            Measure::ReadP99 => "slow reads of the slowest 1 %",
            Measure::IoErrors => "more I/O errors",
            Measure::MediaErrors => "more media errors",
            Measure::Found => "more findings",
        };
        let since = if self.worse_since_update > 0 && 2 * self.worse_since_update >= self.worse.len() {
            " since the update"
        } else {
            ""
        };
        let by = if self.measure.is_latency() {
            format!(", by {:.0} %", (self.effect - 1.0) * 100.0)
        } else {
            String::new()
        };
        if self.worse.is_empty() {
            return format!("{what} a little on all {} clusters{by}", self.compared());
        }
        format!(
            "{what} on {} of {} clusters{since}{by}",
            self.worse.len(),
            self.compared()
        )
    }
}
