//! What cluster shared volumes are called.

use fathom_model::state::Observation;

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

/// The last folder of a path of Windows.
pub(crate) fn last_part(path: &str) -> &str {
    let path = path.trim_end_matches('\\');
    path.rsplit('\\').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use fathom_model::state::Kind;

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
}
