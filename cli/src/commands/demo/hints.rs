//! What to ask a demo that stays up: commands that have something to show of this very recording.

use std::path::Path;

use fathom_model::report::Culprit;

/// What the answers so far say about what is there to be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) culprit: Option<&'a Culprit>,
    /// Completion of the newest I/O.
    pub(super) newest_unix_nanos: Option<i64>,
    /// Whether there is any read.
    pub(super) has_reads: bool,
    /// Whether any node said what it is made of.
    pub(super) has_state: bool,
}

/// The commands, without what they have in common.
pub(super) fn commands(shown: &Shown<'_>) -> Vec<String> {
    let mut commands = vec!["writes --slowest 10".to_owned()];
    if shown.has_reads {
        commands.push("reads --slowest 10".to_owned());
    }
    commands.extend([
        why(shown),
        "latency --by disk".to_owned(),
        "nodes".to_owned(),
        "volumes".to_owned(),
    ]);
    if shown.has_state {
        commands.extend(["disks".to_owned(), "rdma".to_owned()]);
    }
    commands
}

/// Lines that can be pasted into a shell: the program with each command, asked of a context file.
pub(super) fn lines(program: &Path, context: &Path, commands: &[String]) -> String {
    let word = |path: &Path| {
        let text = path.display().to_string();
        // A path has no byte of 0, which alone cannot be quoted.
        shlex::try_quote(&text).map_or_else(|_| text.clone(), std::borrow::Cow::into_owned)
    };
    let (program, context) = (word(program), word(context));
    let lines = commands
        .iter()
        .map(|command| format!("  {program} {command} --context {context}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whom to blame from when it began on: what ended before the stretch that is asked about is not in it.
fn why(shown: &Shown<'_>) -> String {
    let since = || {
        let began: jiff::Timestamp = shown.culprit?.since.parse().ok()?;
        let began = i64::try_from(began.as_nanosecond()).ok()?;
        let ago = shown.newest_unix_nanos?.checked_sub(began).filter(|ago| *ago > 0)?;
        Some(ago.unsigned_abs().div_ceil(1_000_000_000))
    };
    match since() {
        Some(seconds) => format!("why --since {seconds}s"),
        None => "why".to_owned(),
    }
}

#[cfg(test)]
mod tests;
