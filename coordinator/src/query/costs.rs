//! What jobs cost, two stretches side by side, and slow minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use fathom_diagnose::compare::{Compare, Compared, Span as Stretch};
use fathom_diagnose::ledger::Job;
use fathom_model::Catalog;
use fathom_model::finding::Finding;
use fathom_model::objective::SlowMinute;
use fathom_model::sketch::RELATIVE_ERROR;
use fathom_model::state::{Key, Kind, Observation, Scope};
use fathom_state::history::Picture;
use fathom_state::jobs;
use fathom_store::{Span, read_slow_minutes};

use super::Snapshot;
use super::findings::every;
use super::state::StateSnapshot;
use super::sums::Source;
use crate::error::Result;
use crate::ingest::Cluster;

/// A job with what state says of it.
pub(crate) struct Known {
    pub(crate) job: Job,
    /// As it was read last.
    pub(crate) last: Observation,
    pub(crate) course: jobs::Course,
}

/// A value of state that is otherwise than it was.
pub(crate) struct Changed {
    pub(crate) key: Key,
    /// None: the resource itself came or went.
    pub(crate) attribute: Option<String>,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) since: Option<i64>,
}

/// What of each kind is a setting, a version, a place or a health, and not a count that always moves.
const TELLING: &[(Kind, &[&str])] = &[
    (Kind::Node, &["state", "drain", "status", "build"]),
    (
        Kind::Disk,
        &["firmware", "health", "operational_status", "usage", "media", "slot"],
    ),
    (
        Kind::Pool,
        &["health", "operational_status", "read_only", "version", "repair_policy"],
    ),
    (
        Kind::VirtualDisk,
        &["health", "operational_status", "resiliency", "copies", "columns"],
    ),
    (
        Kind::Csv,
        &[
            "owner",
            "state",
            "file_system_redirected_reason",
            "block_redirected_reason",
        ],
    ),
    (Kind::Bitlocker, &["protection", "conversion", "method"]),
    (
        Kind::Adapter,
        &[
            "driver_version",
            "firmware_version",
            "mtu_bytes",
            "transmit_bits_per_s",
            "status",
        ],
    ),
    (
        Kind::AdapterRdma,
        &["enabled", "operational", "technology", "pfc", "ets"],
    ),
    (
        Kind::AdapterQos,
        &[
            "enabled",
            "flow_control_by_priority",
            "class_by_priority",
            "bandwidth_percent_by_class",
            "transmission_selection_by_class",
        ],
    ),
    (Kind::AdapterProperty, &["value"]),
    (
        Kind::SmbConnection,
        &["rdma_connections", "tcp_connections", "failed", "selected"],
    ),
    (
        Kind::QosPolicy,
        &[
            "priority",
            "net_direct_port",
            "port",
            "destination_port",
            "template",
            "dscp",
            "throttle_bits_per_s",
            "bandwidth_weight",
        ],
    ),
    (Kind::QosFlowControl, &["enabled"]),
    (Kind::QosTrafficClass, &["bandwidth_percent", "priorities", "algorithm"]),
    (Kind::QosDcbx, &["willing"]),
    (Kind::StorageJob, &["state"]),
    (Kind::Vm, &["state", "health"]),
    (Kind::Vhd, &["path", "iops_limit", "caching", "ignores_flushes"]),
];

impl StateSnapshot {
    /// All storage jobs that were ever read, the one that began last first. Blocks: files are read.
    pub(crate) fn jobs(&self) -> Result<Vec<Known>> {
        let mut readings: Vec<Observation> = Vec::new();
        let mut picture = Picture::at(i64::MAX);
        self.each(|row| {
            picture.add(row);
            if row.kind == Kind::StorageJob {
                readings.push(row.clone());
            }
        })?;
        // Still there: until it was last found to be.
        let seen: BTreeMap<String, i64> = picture
            .of(Kind::StorageJob)
            .map(|fact| (fact.observation.id.clone(), fact.seen_unix_nanos))
            .collect();
        let mut courses = jobs::courses(&readings, i64::MAX);
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        readings.sort_by_key(|reading| reading.observed_unix_nanos);
        for reading in readings {
            let at = reading.observed_unix_nanos;
            if let Some(known) = known.get_mut(&reading.id) {
                known.job.until_unix_nanos = at;
                if reading.present {
                    known.last = reading;
                }
                continue;
            }
            if !reading.present {
                continue;
            }
            // It may have begun before anybody read it.
            let begun = reading.number("elapsed_ns").unwrap_or(0);
            let job = Job {
                id: reading.id.clone(),
                from_unix_nanos: at.saturating_sub_unsigned(begun),
                until_unix_nanos: at,
            };
            let course = courses.remove(&reading.id).unwrap_or_default();
            known.insert(
                reading.id.clone(),
                Known {
                    job,
                    last: reading,
                    course,
                },
            );
        }
        for (id, seen) in seen {
            if let Some(known) = known.get_mut(&id) {
                known.job.until_unix_nanos = known.job.until_unix_nanos.max(seen);
            }
        }
        let mut known: Vec<Known> = known.into_values().collect();
        known.sort_by(|a, b| {
            let began = |one: &Known| one.job.from_unix_nanos;
            began(b).cmp(&began(a)).then_with(|| a.job.id.cmp(&b.job.id))
        });
        Ok(known)
    }

    /// What was said of what tells, as it was at two moments. Blocks: files are read.
    pub(crate) fn changes(&self, before: i64, after: i64) -> Result<Vec<Changed>> {
        let (mut old, mut new) = (Picture::at(before), Picture::at(after));
        self.each(|row| {
            old.add(row);
            new.add(row);
        })?;
        let told = |picture: &Picture| -> BTreeMap<Key, (Observation, i64)> {
            let of_kind = TELLING.iter().flat_map(|(kind, _)| picture.of(*kind));
            of_kind
                .map(|fact| (fact.observation.key(), (fact.observation, fact.since_unix_nanos)))
                .collect()
        };
        let (was, is) = (told(&old), told(&new));
        let keys: BTreeSet<&Key> = was.keys().chain(is.keys()).collect();
        let mut changes = Vec::new();
        for key in keys {
            let names = TELLING.iter().find(|(kind, _)| *kind == key.kind);
            let names = names.map_or(&[][..], |(_, names)| names);
            match (was.get(key), is.get(key)) {
                (Some((one, _)), Some((other, since))) => {
                    for name in names {
                        let value = |of: &Observation| of.get(name).map(ToString::to_string);
                        let (one, other) = (value(one), value(other));
                        // What was not known before is no change.
                        if one.is_some() && other.is_some() && one != other {
                            changes.push(Changed {
                                key: (*key).clone(),
                                attribute: Some((*name).to_owned()),
                                before: one,
                                after: other,
                                since: Some(*since),
                            });
                        }
                    }
                }
                // Of a node that had not reported by then nothing came or went.
                (None, Some((other, since))) if old.has_read(&other.node, key.kind) => changes.push(Changed {
                    key: (*key).clone(),
                    attribute: None,
                    before: None,
                    after: Some("there".to_owned()),
                    since: Some(*since),
                }),
                (Some(_), None) => changes.push(Changed {
                    key: (*key).clone(),
                    attribute: None,
                    before: Some("there".to_owned()),
                    after: None,
                    since: None,
                }),
                _ => {}
            }
        }
        Ok(changes)
    }
}

/// The node of a resource that each node has its own of.
pub(crate) fn node_of(key: &Key) -> String {
    let own = (key.kind.scope() == Scope::Node).then(|| key.node.as_ref().map(ToString::to_string));
    own.flatten().unwrap_or_default()
}

impl Snapshot {
    /// Two stretches side by side. Blocks: files are read.
    pub(crate) fn compare(&self, before: Stretch, after: Stretch) -> Result<(Compared, Source)> {
        let (mut compare, mut files) = (Compare::new(before, after), 0);
        let mut names = Catalog::clone(&self.view.catalog);
        // Stretches may be months apart; what lies between is not read.
        for (number, stretch) in [before, after].into_iter().enumerate() {
            let span = Span {
                from_unix_nanos: stretch.from_unix_nanos,
                until_unix_nanos: stretch.until_unix_nanos,
            };
            files += self.files_in(span);
            names = self.each_in(span, names, &mut |rows, _| {
                rows.ios.iter().for_each(|io| compare.add_to(number, rows, io));
                ControlFlow::Continue(())
            })?;
        }
        // Of rows too durations are in bins here.
        let source = Source {
            relative_error: RELATIVE_ERROR,
            ..Source::rows(files)
        };
        Ok((compare.report(&names), source))
    }

    /// Findings that were felt in a stretch or another, each with in which. Blocks: files are read.
    pub(crate) fn felt(&self, before: Stretch, after: Stretch) -> Result<Vec<(Finding, bool, bool)>> {
        let recent = self.view.findings.to_vec();
        let all = every(&self.cluster, &self.view, recent)?;
        let felt = |finding: &Finding, stretch: Stretch| {
            finding.first_unix_ns < stretch.until_unix_nanos && finding.last_unix_ns >= stretch.from_unix_nanos
        };
        let told = all.into_iter().map(|finding| {
            let (one, other) = (felt(&finding, before), felt(&finding, after));
            (finding, one, other)
        });
        Ok(told.filter(|(_, one, other)| *one || *other).collect())
    }
}

/// Slow minutes of a stretch, the newest first. Blocks: files are read.
pub(crate) fn slow_minutes(cluster: &Cluster, from: i64, until: i64) -> Result<Vec<SlowMinute>> {
    let view = cluster.view();
    let runtime = tokio::runtime::Handle::current();
    let mut minutes = Vec::new();
    let within = |at: i64| from <= at && at < until;
    for file in view
        .files
        .iter()
        .filter(|file| file.max_unix_nanos >= from && file.min_unix_nanos < until)
    {
        let rows = runtime.block_on(read_slow_minutes(&cluster.blobs, file))?;
        minutes.extend(rows.into_iter().filter(|row| within(row.minute_unix_ns)));
    }
    minutes.sort_by(|a, b| {
        b.minute_unix_ns
            .cmp(&a.minute_unix_ns)
            .then_with(|| (&a.objective, &a.volume).cmp(&(&b.objective, &b.volume)))
    });
    Ok(minutes)
}
