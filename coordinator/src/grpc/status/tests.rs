//! Every reason that this coordinator gives is documented: in the contract of its domain, and in the page about it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All source files below a folder but tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// Words in capitals that stand as a text, each with the name of the domain before it, where one stands there.
fn reasons(text: &str) -> Vec<(Option<&str>, &str)> {
    let parts: Vec<&str> = text.split('"').collect();
    let is_reason = |word: &str| {
        word.len() > 3
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    };
    let found = parts.windows(2).filter(|pair| is_reason(pair[1]));
    found
        .filter(|pair| !pair[0].ends_with("env!("))
        .map(|pair| {
            let before = pair[0].trim_end().strip_suffix(',').unwrap_or("");
            let domain = ["COLLECT", "QUERY", "CONTROL", "FLEET"];
            (domain.into_iter().find(|domain| before.ends_with(domain)), pair[1])
        })
        .collect()
}

#[test]
fn every_reason_is_documented() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut found) = (Vec::new(), BTreeSet::new());
    for folder in ["grpc", "query", "fleet", "site"] {
        sources(&own.join("src").join(folder), &mut files);
    }
    for text in files.iter().map(|path| read(path)) {
        found.extend(
            reasons(&text)
                .into_iter()
                .map(|(domain, reason)| (domain.map(str::to_owned), reason.to_owned())),
        );
    }
    assert!(found.len() > 40, "{found:?}");
    let contract = own.with_file_name("proto").join("fathom");
    let comments = |file: &str| read(&contract.join(file));
    let (collect, query) = (comments("collect/v1/collect.proto"), comments("query/v1/query.proto"));
    let (control, fleet) = (comments("control/v1/control.proto"), comments("fleet/v1/fleet.proto"));
    let page = read(&own.with_file_name("docs").join("design").join("0003-wire-contract.md"));
    for (domain, reason) in &found {
        let places = match domain.as_deref() {
            Some("COLLECT") => vec![&collect],
            Some("QUERY") => vec![&query],
            Some("CONTROL") => vec![&control],
            Some("FLEET") => vec![&fleet],
            // Said to several.
            _ => vec![&collect, &query, &control, &fleet],
        };
        let has = |text: &String| {
            text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'))
                .any(|word| word == reason)
        };
        assert!(
            places.into_iter().any(has),
            "{reason} ({domain:?}) is in no .proto of its domain"
        );
        assert!(
            page.contains(&format!("`{reason}`")),
            "{reason} is not in docs/design/0003-wire-contract.md"
        );
    }
}
