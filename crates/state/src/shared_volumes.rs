//! What cluster shared volumes are called.

use std::collections::BTreeMap;

use fathom_model::state::{Key, Kind, Observation, Value};

use crate::disks::Beside;
use crate::history::Picture;

/// The virtual disk in the name of a cluster resource: clusters call it `Cluster Virtual Disk (NAME)`. A language or a person may have named it
/// otherwise: then `None`.
#[must_use]
pub fn virtual_disk(resource: &str) -> Option<&str> {
    resource.split_once('(')?.1.strip_suffix(')')
}

/// A volume's name as its folder below ClusterStorage has it; where no folder was read, off the name of its resource.
#[must_use]
pub fn name_of(csv: &Observation) -> &str {
    if let Some(folder) = csv.text("volume") {
        return last_part(folder);
    }
    let resource = csv.text("name").unwrap_or(&csv.id);
    virtual_disk(resource).unwrap_or_else(|| last_part(resource))
}

/// What the cluster shared volume is called that something names by its path, its folder or its name; none where it is none.
#[must_use]
pub fn named(volume: &str, csvs: &[Observation]) -> Option<String> {
    let plain = |path: &str| path.trim_end_matches('\\').to_ascii_lowercase();
    let wanted = plain(volume);
    let is_it = |csv: &&Observation| {
        let own = ["path", "volume", "name"].into_iter().filter_map(|key| csv.text(key));
        own.map(plain).any(|own| own == wanted)
    };
    if let Some(csv) = csvs.iter().find(is_it) {
        return Some(name_of(csv).to_owned());
    }
    let (_, folder) = wanted.split_once("\\clusterstorage\\")?;
    (!folder.is_empty()).then(|| last_part(volume).to_owned())
}

/// What to put beside each encryption of a volume, by its resource: the cluster shared volume that it is of, `shared_volume`.
#[must_use]
pub fn beside_encryption(picture: &Picture) -> BTreeMap<Key, Beside> {
    let csvs: Vec<Observation> = picture.of(Kind::Csv).map(|fact| fact.observation).collect();
    let each = picture.of(Kind::Bitlocker).map(|fact| {
        let own = fact.observation;
        let mut beside = Beside::default();
        match own.text("volume").and_then(|volume| named(volume, &csvs)) {
            Some(name) => drop(beside.known.insert("shared_volume".to_owned(), Value::from(name))),
            None => {
                let why = "no shared volume that the cluster says has that path".to_owned();
                drop(beside.unknown.insert("shared_volume".to_owned(), why));
            }
        }
        (own.key(), beside)
    });
    each.collect()
}

/// The last folder of a path of Windows.
pub(crate) fn last_part(path: &str) -> &str {
    let path = path.trim_end_matches('\\');
    path.rsplit('\\').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volume_is_called_as_its_folder_or_as_the_disk_in_its_resource() {
        let csv = |id: &str| Observation::new("n0".into(), Kind::Csv, id, 0);
        assert_eq!(name_of(&csv("Cluster Virtual Disk (vol0)")), "vol0");
        assert_eq!(name_of(&csv("1").with("name", "Cluster Virtual Disk (a (b))")), "a (b)");
        assert_eq!(name_of(&csv("1").with("name", "backup")), "backup");
        // A folder says it, whatever else there is and however it is written.
        let with_folder = |folder: &str| {
            csv("1")
                .with("name", "Cluster Virtual Disk (vol0)")
                .with("volume", folder)
        };
        assert_eq!(name_of(&with_folder(r"C:\ClusterStorage\Volume (1)\")), "Volume (1)");
        assert_eq!(name_of(&with_folder("vol7")), "vol7");
    }

    #[test]
    fn encryption_is_tied_to_the_shared_volume_whose_path_it_has() {
        let mut picture = Picture::at(9);
        let volume = r"\\?\Volume{a}\";
        let of = |id: &str| Observation::new("n0".into(), Kind::Bitlocker, id, 1).with("volume", id);
        let csv = Observation::new("n0".into(), Kind::Csv, "1", 1)
            .with("name", "Cluster Virtual Disk (vol0)")
            .with("path", r"\\?\volume{A}\");
        let all = [csv, of(volume), of("C:")];
        all.iter().for_each(|row| picture.add(row));
        let said = beside_encryption(&picture);
        assert_eq!(said[&all[1].key()].known["shared_volume"], Value::from("vol0"));
        assert!(said[&all[2].key()].unknown.contains_key("shared_volume"));
    }
}
