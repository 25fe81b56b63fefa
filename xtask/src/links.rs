//! Pages that are named exist: links between Markdown files, and mentions of `docs/….md` in code.
//!
//! A decision page that is named in ten places and not there misleads ten times. What is linked outside the tree is not asked.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;
use crate::workspace::Workspace;

/// Kinds of files in which a page may be mentioned.
const MENTIONING: [&str; 5] = [".rs", ".toml", ".proto", ".yaml", ".py"];

/// Prints each name that leads nowhere and fails if there is one.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let listed = command::output(Command::new("git").current_dir(&workspace.root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let (mut links, mut broken) = (0, 0);
    for file in listed.lines() {
        let path = workspace.root.join(file);
        let found = if file.ends_with(".md") {
            markdown_links
        } else {
            mentions
        };
        if !(file.ends_with(".md") || MENTIONING.iter().any(|end| file.ends_with(end))) || !path.is_file() {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {file}"))?;
        for (line, target) in found(&text) {
            links += 1;
            let base = if file.ends_with(".md") { path.parent() } else { None };
            if !base.unwrap_or(&workspace.root).join(target).exists() {
                broken += 1;
                println!("{file}:{line}: `{target}` is not there");
            }
        }
    }
    if broken > 0 {
        bail!("{broken} of {links} links lead nowhere");
    }
    println!("links ok: {links}");
    Ok(())
}

/// Targets of `[text](target)` inside the tree, with their lines, without their anchors.
fn markdown_links(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ', '#']).next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !outside {
                found.push((at + 1, target));
            }
        }
    }
    found
}

/// Every `docs/….md` in a text, with its line.
fn mentions(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for (from, _) in line.match_indices("docs/") {
            let rest = &line[from..];
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || "/-_.".contains(c)))
                .unwrap_or(rest.len());
            let name = rest[..end].trim_end_matches('.');
            let target = Path::new(name);
            if target.extension().is_some_and(|extension| extension == "md") && target.file_stem().is_some() {
                found.push((at + 1, name));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_inside_the_tree_are_found_with_their_lines() {
        let text = "see [a](pages/a.md#top) and [b](https://example.org)\n\n```\n[no](x.md)\n```\n[c](../c.md)";
        assert_eq!(markdown_links(text), [(1, "pages/a.md"), (6, "../c.md")]);
    }

    #[test]
    fn mentions_end_where_the_name_does() {
        let page = concat!("docs", "/design/0001-x.md");
        let text = format!("//! See `{page}`, field 3.\nlet docs/ = 1;");
        assert_eq!(mentions(&text), [(1, page)]);
    }
}
