//! The layer table: who may import whom, and which foreign crates only some may know.
//!
//! A change here is a design decision: it goes with a line in ARCHITECTURE.md that says why.

/// What every package name starts with; the rest is its folder.
pub(super) const PREFIX: &str = "fathom-";

/// Only tests and tools: nothing imports them, and they import what they like.
const TOP: u8 = 3;

/// Every crate that the workspace has or plans, without [`PREFIX`].
const TABLE: &[Row] = &[
    Row {
        name: "model",
        layer: 0,
        may: &[],
    },
    Row {
        name: "runtime",
        layer: 0,
        may: &[],
    },
    Row {
        name: "segment-log",
        layer: 0,
        may: &[],
    },
    Row {
        name: "identity",
        layer: 0,
        may: &[],
    },
    Row {
        name: "proto",
        layer: 1,
        may: &["model"],
    },
    Row {
        name: "join",
        layer: 1,
        may: &["model"],
    },
    Row {
        name: "diagnose",
        layer: 1,
        may: &["model"],
    },
    Row {
        name: "rollup",
        layer: 1,
        may: &["model"],
    },
    Row {
        name: "simulate",
        layer: 1,
        may: &["model"],
    },
    Row {
        name: "state",
        layer: 1,
        may: &["model"],
    },
    Row {
        name: "etl",
        layer: 1,
        may: &["model"],
    },
    Row {
        name: "capture",
        layer: 1,
        may: &["model"],
    },
    // It plays recordings and simulations back through the trait that the live sources implement, decodes with etl, and decodes state.
    Row {
        name: "sources",
        layer: 1,
        may: &["model", "capture", "simulate", "state", "etl"],
    },
    Row {
        name: "store",
        layer: 1,
        may: &["model"],
    },
    Row {
        name: "node-daemon",
        layer: 2,
        may: &["model", "runtime", "segment-log", "identity", "proto", "sources"],
    },
    Row {
        name: "coordinator",
        layer: 2,
        may: &[
            "model",
            "runtime",
            "segment-log",
            "identity",
            "proto",
            "join",
            "diagnose",
            "rollup",
            "state",
            "store",
        ],
    },
    Row {
        name: "lab",
        layer: 2,
        may: &[
            "model", "join", "diagnose", "etl", "capture", "simulate", "sources", "state", "store",
        ],
    },
    // The two roles as libraries, for `fathom demo`.
    Row {
        name: "cli",
        layer: 2,
        may: &[
            "model",
            "runtime",
            "identity",
            "proto",
            "lab",
            "node-daemon",
            "coordinator",
        ],
    },
    Row {
        name: "integration-tests",
        layer: TOP,
        may: &[],
    },
    Row {
        name: "bench",
        layer: TOP,
        may: &[],
    },
    Row {
        name: "xtask",
        layer: TOP,
        may: &[],
    },
    Row {
        name: "fuzz",
        layer: TOP,
        may: &[],
    },
];

/// What can be seen from dependencies of the column "alone knows". The first rule that is broken is told.
pub(super) const KNOWLEDGE: &[Knowledge] = &[
    Knowledge {
        families: &["tokio", "tracing"],
        who: Who::AllBut(&["model", "join", "diagnose", "etl", "rollup", "simulate", "state"]),
        tests_too: false,
        cure: "take and return values, and let the caller wait and log",
    },
    Knowledge {
        families: &["tokio"],
        who: Who::Only(&[
            "node-daemon",
            "coordinator",
            "cli",
            "runtime",
            "store",
            "integration-tests",
            "bench",
            "xtask",
        ]),
        tests_too: false,
        cure: "offer a blocking function or an iterator, and let the caller put it on a task or a thread",
    },
    Knowledge {
        families: &["tonic", "prost"],
        who: Who::Only(&[
            "proto",
            "node-daemon",
            "coordinator",
            "cli",
            "integration-tests",
            "bench",
            "xtask",
        ]),
        tests_too: false,
        cure: "speak in model's types, and convert in proto",
    },
    Knowledge {
        families: &["parquet", "arrow", "datafusion", "object_store"],
        // The benches read the files that their peers read.
        who: Who::Only(&["store", "integration-tests", "bench"]),
        tests_too: true,
        cure: "ask store for model's values",
    },
    Knowledge {
        families: &["windows", "wmi"],
        // Beside what a node reads: the daemon as a service, and key files that only their owner may read.
        who: Who::Only(&["sources", "node-daemon", "identity"]),
        tests_too: false,
        cure: "ask sources for model's values, or take what the standard library has",
    },
    Knowledge {
        families: &["testcontainers", "bollard"],
        who: Who::Only(&["integration-tests"]),
        tests_too: false,
        cure: "test it as a process, or in integration-tests/tests/containers.rs",
    },
];

/// One crate of ours.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) layer: u8,
    /// Means something below [`TOP`] only.
    may: &'static [&'static str],
}

/// Foreign crates that only some of ours may depend on.
#[derive(Debug)]
pub(super) struct Knowledge {
    /// Each stands for itself and for whatever carries it as a prefix, such as `tokio` for `tokio-util`.
    families: &'static [&'static str],
    who: Who,
    /// Whether dev-dependencies are free.
    tests_too: bool,
    pub(super) cure: &'static str,
}

#[derive(Debug)]
enum Who {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

/// The row of a crate, by its name without [`PREFIX`].
pub(super) fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

impl Row {
    /// Whether an arrow from here to `to` is in the table.
    pub(super) fn may_import(&self, to: &Self, dev: bool) -> bool {
        // Recordings are the truth that the crates of layer 1 are tested against.
        let recordings = dev && self.layer == 1 && to.name == "capture";
        to.layer < TOP && (self.layer == TOP || self.may.contains(&to.name) || recordings)
    }

    /// The same as words.
    pub(super) fn may_import_text(&self) -> String {
        if self.may.is_empty() {
            "nothing of ours".to_owned()
        } else {
            format!("only {}", self.may.join(", "))
        }
    }
}

impl Knowledge {
    /// Whether the rule is about the foreign crate called `name`.
    pub(super) fn concerns(&self, name: &str) -> bool {
        self.families.iter().any(|family| {
            name.strip_prefix(family)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        })
    }

    /// Whether our crate may depend on it.
    pub(super) fn grants(&self, row: &Row, dev: bool) -> bool {
        let named = match self.who {
            Who::Only(names) => names.contains(&row.name),
            Who::AllBut(names) => !names.contains(&row.name),
        };
        named || (dev && self.tests_too)
    }

    /// The rule as words.
    pub(super) fn rule(&self) -> String {
        let what = self.families.join(", ");
        match self.who {
            Who::Only(names) => format!("only {} may know {what}", names.join(", ")),
            Who::AllBut(names) => format!("{} know nothing of {what}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
