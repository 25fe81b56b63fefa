use clap::{CommandFactory, Parser};

use super::Arguments;
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
    Arguments::command().debug_assert();
}
