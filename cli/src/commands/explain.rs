//! `fathom explain`: what a code means, from the pages of `docs/findings`.

use serde_json::json;

use crate::args::{ExplainArgs, Output};
use crate::commands::print;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;

/// A page a code, as they stand in the documentation.
const PAGES: [(&str, &str); 23] = [
    ("DISK_SLOW", include_str!("../../../docs/findings/DISK_SLOW.md")),
    ("DISK_STALLS", include_str!("../../../docs/findings/DISK_STALLS.md")),
    ("LINK_SLOW", include_str!("../../../docs/findings/LINK_SLOW.md")),
    ("LINK_STALLS", include_str!("../../../docs/findings/LINK_STALLS.md")),
    ("NODE_SLOW", include_str!("../../../docs/findings/NODE_SLOW.md")),
    (
        "NODE_DRIVES_SLOW",
        include_str!("../../../docs/findings/NODE_DRIVES_SLOW.md"),
    ),
    (
        "INITIATOR_SLOW",
        include_str!("../../../docs/findings/INITIATOR_SLOW.md"),
    ),
    ("UNKNOWN_SLOW", include_str!("../../../docs/findings/UNKNOWN_SLOW.md")),
    (
        "LINK_TCP_FALLBACK",
        include_str!("../../../docs/findings/LINK_TCP_FALLBACK.md"),
    ),
    ("JOB_STUCK", include_str!("../../../docs/findings/JOB_STUCK.md")),
    ("QOS_DRIFT", include_str!("../../../docs/findings/QOS_DRIFT.md")),
    (
        "DISK_UNHEALTHY",
        include_str!("../../../docs/findings/DISK_UNHEALTHY.md"),
    ),
    ("DISK_WEAR", include_str!("../../../docs/findings/DISK_WEAR.md")),
    ("MTU_MISMATCH", include_str!("../../../docs/findings/MTU_MISMATCH.md")),
    (
        "JOB_COSTS_WRITES",
        include_str!("../../../docs/findings/JOB_COSTS_WRITES.md"),
    ),
    (
        "LINK_PAUSE_STORM",
        include_str!("../../../docs/findings/LINK_PAUSE_STORM.md"),
    ),
    (
        "LINK_CREDIT_STALLS",
        include_str!("../../../docs/findings/LINK_CREDIT_STALLS.md"),
    ),
    ("LINK_ERRORS", include_str!("../../../docs/findings/LINK_ERRORS.md")),
    (
        "LINK_SATURATED",
        include_str!("../../../docs/findings/LINK_SATURATED.md"),
    ),
    ("DISK_ERRORS", include_str!("../../../docs/findings/DISK_ERRORS.md")),
    (
        "CSV_REDIRECTED",
        include_str!("../../../docs/findings/CSV_REDIRECTED.md"),
    ),
    (
        "BITLOCKER_COSTS_WRITES",
        include_str!("../../../docs/findings/BITLOCKER_COSTS_WRITES.md"),
    ),
    (
        "POOL_MIXED_MEDIA",
        include_str!("../../../docs/findings/POOL_MIXED_MEDIA.md"),
    ),
];

pub(crate) fn run(arguments: &ExplainArgs, output: Output) -> Result<Code> {
    let Some(asked) = &arguments.code else {
        return list(output);
    };
    let (code, page) = page(asked)?;
    match output {
        Output::Json => json::print(json!({"code": code, "title": title(page), "page": page}))?,
        Output::Table => print(page)?,
    }
    Ok(Code::Fine)
}

/// The code of a name, whatever its case, with its page.
pub(crate) fn page(asked: &str) -> Result<(&'static str, &'static str)> {
    let page = PAGES.into_iter().find(|(code, _)| code.eq_ignore_ascii_case(asked));
    page.ok_or_else(|| Error::NoCode {
        code: asked.to_owned(),
        known: PAGES.map(|(code, _)| code).join(", "),
    })
}

fn list(output: Output) -> Result<Code> {
    match output {
        Output::Json => {
            let codes: Vec<_> = PAGES
                .iter()
                .map(|(code, page)| json!({"code": code, "title": title(page)}))
                .collect();
            json::print(json!({"codes": codes}))?;
        }
        Output::Table => {
            let width = PAGES.iter().map(|(code, _)| code.len()).max().unwrap_or(0);
            let lines = PAGES
                .iter()
                .map(|(code, page)| format!("{code:width$}  {}\n", title(page)));
            print(&lines.collect::<String>())?;
        }
    }
    Ok(Code::Fine)
}

/// What the first line says after the code.
fn title(page: &str) -> &str {
    let first = page.lines().next().unwrap_or_default();
    first.split_once(": ").map_or(first, |(_, title)| title)
}

#[cfg(test)]
mod tests {
    use fathom_lab::diagnosis::findings::Code;

    use super::*;

    #[test]
    fn each_code_has_a_page_that_says_what_where_and_what_not_and_the_commands_that_findings_give() {
        let codes: Vec<&str> = PAGES.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, Code::ALL.map(Code::as_str));
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {code}: ")), "{code}");
            for part in [
                "## What it means",
                "## How it is found",
                "## What it is not",
                "## Where to look next",
            ] {
                assert!(page.contains(part), "{code} has no `{part}`");
            }
            let code = Code::parse(code).unwrap();
            for command in code.commands() {
                assert!(page.contains(command), "{}: {command}", code.as_str());
            }
        }
    }
}
