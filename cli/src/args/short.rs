//! `--all`: short for `--all-clusters`, but where it has meant something else for longer.

use clap::{CommandFactory, FromArgMatches};

use super::Arguments;

/// All clusters, as an argument and as an option.
const ALL: &str = "all_clusters";
const ALL_LONG: &str = "all-clusters";

impl Arguments {
    /// What the command line says. `--all` is short for `--all-clusters` with every command that has no `--all` of its own.
    pub(crate) fn of_command_line() -> Self {
        let matches = short(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// The command, and the commands in it, with `--all` where that means nothing else.
pub(super) fn short(command: clap::Command) -> clap::Command {
    let has = |id: &str, long: &str| {
        let mut arguments = command.get_arguments();
        arguments.any(|own| own.get_id() == id || own.get_long() == Some(long))
    };
    let is_free = has(ALL, ALL_LONG) && !has("all", "all");
    let command = command.mut_subcommands(short);
    match is_free {
        true => command.mut_arg(ALL, |argument| argument.visible_alias("all")),
        false => command,
    }
}
