//! What to ask a demo that stays up: commands that have something to show of this very recording.

use fathom_model::report::Culprit;

/// What the answers so far say about what is there to be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) culprit: Option<&'a Culprit>,
    /// Completion of the newest I/O.
    pub(super) newest_unix_nanos: Option<i64>,
    /// Whether any node said what it is made of.
    pub(super) has_state: bool,
}

/// The commands, without what they have in common.
pub(super) fn commands(shown: &Shown<'_>) -> Vec<String> {
    let mut commands = vec![
        "writes --slowest 10".to_owned(),
        why(shown),
        "latency --by disk".to_owned(),
        "nodes".to_owned(),
        "volumes".to_owned(),
    ];
    if shown.has_state {
        commands.extend(["disks".to_owned(), "rdma".to_owned()]);
    }
    commands
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
