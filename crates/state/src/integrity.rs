//! Whether ReFS keeps checksums of data: of what is made on a volume, and of the files of virtual machines on it.
//!
//! With integrity streams every write goes to another place than what it replaces, and its checksum has to be computed (MicrosoftDocs/
//! windowsserverdocs, `storage/refs/integrity-streams.md`): it is a setting that costs writes. It is each file's own, and a new file has that
//! of its folder: so the root of a volume says what new files have, and says nothing of those that were there before.

use std::collections::BTreeMap;

use fathom_model::state::{Key, Kind, Observation, Value};

use crate::disks::Beside;
use crate::history::{Fact, Picture};
use crate::{shared_volumes, vms};

/// FileSystemType of ReFS, and of ReFS under the cluster's file system.
const REFS: [i64; 2] = [15, 0x8001];

/// What to put beside each file system that is ReFS, by its resource: `integrity_of_new_files`, `integrity_enforced`, and of the files of virtual
/// machines that were asked `integrity_files` and of those that have it `integrity_files_on`.
#[must_use]
pub fn beside(picture: &Picture) -> BTreeMap<Key, Beside> {
    let told: Vec<Fact> = picture.of(Kind::FileIntegrity).collect();
    let csvs: Vec<Observation> = picture.of(Kind::Csv).map(|fact| fact.observation).collect();
    let is_refs = |volume: &Observation| match volume.get("file_system") {
        Some(Value::Code(code)) => code.code.is_some_and(|code| REFS.contains(&code)),
        _ => false,
    };
    let volumes = picture.of(Kind::FileSystem).map(|fact| fact.observation);
    let each = volumes.filter(is_refs).map(|volume| {
        let mut beside = Beside::default();
        let path = volume.text("path").map(plain);
        let is_root = |fact: &&Fact| path.is_some() && fact.observation.text("path").map(plain) == path;
        // Of several nodes that asked the newest.
        let root = told.iter().filter(is_root).max_by_key(|fact| fact.seen_unix_nanos);
        for (from, to) in [
            ("enabled", "integrity_of_new_files"),
            ("enforced", "integrity_enforced"),
        ] {
            let own = root.map(|root| &root.observation);
            let value = own.and_then(|own| own.get(from)).cloned();
            let why = || own.and_then(|own| own.unavailable.get(from)).cloned();
            match value {
                Some(value) => drop(beside.known.insert(to.to_owned(), value)),
                None => {
                    let why = why().unwrap_or_else(|| "no node has said it".to_owned());
                    beside.unknown.insert(to.to_owned(), why);
                }
            }
        }
        if let Some(root) = root {
            beside.note_seen("integrity", Some(&root.seen_unix_nanos));
        }
        // A file is of the volume that its path leads to; several nodes may have it open.
        let mut files: BTreeMap<String, (i64, Option<bool>)> = BTreeMap::new();
        for fact in &told {
            let Some(file) = fact.observation.text("path").map(plain) else {
                continue;
            };
            if path.as_ref() != Some(&file) && leads_to(&file, &volume, &csvs) {
                let newest = files.entry(file).or_insert((i64::MIN, None));
                *newest = (*newest).max((fact.seen_unix_nanos, fact.observation.flag("enabled")));
            }
        }
        let said: Vec<bool> = files.values().filter_map(|(_, enabled)| *enabled).collect();
        let on = said.iter().filter(|on| **on).count() as u64;
        if !said.is_empty() {
            let count = said.len() as u64;
            beside
                .known
                .insert("integrity_files".to_owned(), Value::Unsigned(count));
            beside
                .known
                .insert("integrity_files_on".to_owned(), Value::Unsigned(on));
        }
        (volume.key(), beside)
    });
    each.collect()
}

/// A path to compare by.
fn plain(path: &str) -> String {
    path.trim().trim_end_matches('\\').to_lowercase()
}

/// Whether a file's path leads to a volume: by the volume's own path, or by the folder that it is mounted at.
fn leads_to(file: &str, volume: &Observation, csvs: &[Observation]) -> bool {
    let Some(folder) = vms::volume_of(file) else {
        return false;
    };
    let path = volume.text("path").map(plain);
    if path.as_deref() == Some(plain(&folder).as_str()) {
        return true;
    }
    let mounted = csvs
        .iter()
        .find(|csv| shared_volumes::name_of(csv).eq_ignore_ascii_case(&folder));
    match mounted.and_then(|csv| csv.text("path")) {
        Some(mounted) => path == Some(plain(mounted)),
        // Where the cluster does not say which volume is mounted there, labels are what folders are called by.
        None => volume
            .text("name")
            .is_some_and(|name| name.eq_ignore_ascii_case(&folder)),
    }
}

#[cfg(test)]
mod tests {
    use fathom_model::state::Code;

    use super::*;

    fn of(node: &str, kind: Kind, id: &str, at: i64) -> Observation {
        Observation::new(node.into(), kind, id, at).with("path", id)
    }

    fn volume(path: &str, label: &str, kind: i64) -> Observation {
        let code = Code {
            code: Some(kind),
            name: None,
        };
        of("n1", Kind::FileSystem, path, 1)
            .with("name", label)
            .with("file_system", code)
    }

    fn picture(all: &[Observation]) -> Picture {
        let mut picture = Picture::at(99);
        all.iter().for_each(|row| picture.add(row));
        picture
    }

    const FIRST: &str = r"\\?\Volume{a}\";
    const SECOND: &str = r"\\?\Volume{b}\";

    #[test]
    fn a_volume_says_what_new_files_have_and_how_many_of_those_there_have_it() {
        let mut silent = of("n1", Kind::FileIntegrity, r"C:\ClusterStorage\one\c.vhdx", 3);
        silent
            .unavailable
            .insert("enabled".to_owned(), "it did not answer".to_owned());
        let all = [
            volume(FIRST, "label", 0x8001),
            volume(SECOND, "two", 15),
            volume(r"\\?\Volume{c}\", "ntfs", 14),
            of("n1", Kind::Csv, FIRST, 1).with("volume", r"C:\ClusterStorage\one"),
            of("n1", Kind::FileIntegrity, FIRST, 1).with("enabled", true),
            // Another node asked later, and spells the path otherwise.
            of("n2", Kind::FileIntegrity, r"\\?\volume{A}", 2)
                .with("enabled", false)
                .with("enforced", true),
            of("n1", Kind::FileIntegrity, r"C:\ClusterStorage\one\a.vhdx", 3).with("enabled", true),
            of("n2", Kind::FileIntegrity, r"c:\clusterstorage\ONE\A.vhdx", 1).with("enabled", false),
            of("n2", Kind::FileIntegrity, r"C:\ClusterStorage\one\b.vhdx", 3).with("enabled", false),
            silent,
            of("n2", Kind::FileIntegrity, r"C:\ClusterStorage\two\d.vhdx", 3).with("enabled", true),
            of("n2", Kind::FileIntegrity, r"D:\e.vhdx", 3).with("enabled", true),
        ];
        let said = beside(&picture(&all));
        assert_eq!(said.len(), 2, "of a file system that keeps none nothing is said");
        let first = &said[&all[0].key()];
        assert_eq!(
            first.known,
            BTreeMap::from([
                ("integrity_of_new_files".to_owned(), Value::Bool(false)),
                ("integrity_enforced".to_owned(), Value::Bool(true)),
                ("integrity_seen_unix_ns".to_owned(), Value::Unsigned(2)),
                ("integrity_files".to_owned(), Value::Unsigned(2)),
                ("integrity_files_on".to_owned(), Value::Unsigned(1)),
            ])
        );
        let second = &said[&all[1].key()];
        assert_eq!(second.unknown["integrity_of_new_files"], "no node has said it");
        assert_eq!(second.known["integrity_files_on"], Value::Unsigned(1));
    }
}
