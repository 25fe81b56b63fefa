use clap::{CommandFactory, Parser};

use super::Arguments;
use super::short::short;
use crate::exit::Code;

/// An empty value was sent as it was, and on the wire an empty name is no filter: what was asked of one volume was answered of all.
#[test]
fn empty_names_are_usage_errors_and_no_filters() {
    for arguments in [
        &["writes", "--disk", ""][..],
        &["writes", "--node", ""],
        &["writes", "--volume", " "],
        &["writes", "--cluster", ""],
        &["reads", "--disk", ""],
        &["why", "--vm", ""],
        &["why", ""],
        &["write", ""],
        &["latency", "--node="],
        &["nodes", "--node", ""],
        &["disks", "--name", ""],
        &["vms", "--volume", ""],
        &["counters", "--counter", ""],
        &["counters", "--kind", ""],
        &["extents", ""],
        &["history", ""],
        &["rdma", "--node", ""],
        &["whatif", "--without", ""],
        &["findings", "--code", ""],
        &["clusters", "--site", ""],
        &["fleet", "forget", ""],
        &["profile", "writes", "--for", "1m", "--node", ""],
    ] {
        let refused = Arguments::try_parse_from(["fathom"].iter().chain(arguments)).unwrap_err();
        assert_eq!(refused.exit_code(), i32::from(Code::Usage.number()), "{arguments:?}");
        assert!(
            refused.to_string().contains("nothing is called that"),
            "{arguments:?}: {refused}"
        );
    }
}

#[test]
fn commands_fit_together() {
    short(Arguments::command()).debug_assert();
}

#[test]
fn all_is_all_clusters_where_it_means_nothing_else() {
    let says = |arguments: &[&str], id: &str| {
        let matches = short(Arguments::command()).try_get_matches_from(["fathom"].iter().chain(arguments));
        let mut matches = matches.unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        while let Some((_, below)) = matches.remove_subcommand() {
            matches = below;
        }
        matches.get_flag(id)
    };
    for arguments in [
        &["nodes", "--all"][..],
        &["why", "--all"],
        &["clusters", "--all"],
        &["fleet", "--all"],
        &["fleet", "latency", "--all"],
        &["baselines", "--all"],
    ] {
        assert!(says(arguments, "all_clusters"), "{arguments:?}");
    }
    // Of these two the option has been something else for longer.
    for arguments in [
        &["findings", "--all"][..],
        &[
            "compare",
            "--all",
            "--before",
            "2026-09-21T03:00:00Z",
            "--after",
            "2026-09-22T03:00:00Z",
        ],
    ] {
        assert!(
            !says(arguments, "all_clusters") && says(arguments, "all"),
            "{arguments:?}"
        );
    }
    assert!(says(&["findings", "--all-clusters"], "all_clusters"));
}
