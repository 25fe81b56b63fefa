//! Which disk has which number: from rows of management classes to [`Disk`]s. Pure; who asks the classes is `super::etw`.
//!
//! Three classes tell, each a part: `MSFT_Disk` the numbers of disks that the node can mount, Spaces among them; `MSFT_PhysicalDisk` the
//! identity of drives; `ClusPortDeviceInformation` the numbers on the storage bus, and, of a drive in a pool, which `MSFT_Disk` does not
//! list, its number on the node that it is connected to.

use std::collections::BTreeMap;

use super::Disk;
use super::places::same_id;

/// A row: properties with their values as text, without those that are empty.
pub type Row = BTreeMap<String, String>;

/// What the classes answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Of `MSFT_Disk`.
    pub disks: Vec<Row>,
    /// Of `MSFT_PhysicalDisk`.
    pub physical: Vec<Row>,
    /// Of `ClusPortDeviceInformation`.
    pub bus: Vec<Row>,
}

/// `BusType` of a Space (MSFT_Disk, the public page).
const STORAGE_SPACES: &str = "16";

/// `DeviceType` of a disk on the bus; others are enclosures and scale units.
const BUS_DISK: &str = "0";

impl Rows {
    /// The disks of a node, as its rows tell. A disk that two rows tell of with different identities is left out of neither: events find the
    /// first, which is that of `MSFT_Disk`.
    #[must_use]
    pub fn disks(&self, node: &str) -> Vec<Disk> {
        let of_disks = self.disks.iter().filter_map(|row| {
            let number = row.get("Number")?.parse().ok()?;
            let is_space = text(row, "BusType") == STORAGE_SPACES;
            let serial = text(row, "SerialNumber");
            let physical = self.physical(&[], &serial).filter(|_| !is_space);
            Some(Disk {
                number: Some(number),
                unique_id: first([
                    text(row, "UniqueId"),
                    physical.map_or_else(String::new, |row| text(row, "UniqueId")),
                ]),
                serial,
                friendly_name: text(row, "FriendlyName"),
                is_space,
                guid: text(row, "Guid"),
                sector_bytes: parsed(row, "LogicalSectorSize"),
                ..Disk::default()
            })
        });
        let of_bus = self.bus.iter().flat_map(|row| self.of_bus(row, node));
        of_disks.chain(of_bus).collect()
    }

    /// A drive on the bus: as the bus numbers it, and where it is connected here, as the kernel does.
    fn of_bus(&self, row: &Row, node: &str) -> Vec<Disk> {
        let Some(bus_number) = row.get("DeviceNumber").and_then(|number| number.parse().ok()) else {
            return Vec::new();
        };
        if row.get("DeviceType").is_some_and(|kind| kind != BUS_DISK) {
            return Vec::new();
        }
        let (guid, serial) = (text(row, "DeviceGuid"), text(row, "SerialNumber"));
        let physical = self.physical(&[&guid], &serial);
        let connected = text(row, "ConnectedNode");
        let is_here = same_node(&connected, node);
        let on_bus = Disk {
            number: None,
            unique_id: physical.map_or_else(String::new, |row| text(row, "UniqueId")),
            serial,
            friendly_name: first([
                physical.map_or_else(String::new, |row| text(row, "FriendlyName")),
                text(row, "ProductId"),
            ]),
            peer: Some(connected).filter(|peer| !peer.is_empty() && !is_here),
            guid,
            sector_bytes: physical.map_or(0, |row| parsed(row, "LogicalSectorSize")),
            bus_number: Some(bus_number),
            ..Disk::default()
        };
        let number = row
            .get("ConnectedNodeDeviceNumber")
            .and_then(|number| number.parse().ok());
        let here = number.filter(|_| is_here).map(|number| Disk {
            number: Some(number),
            bus_number: None,
            ..on_bus.clone()
        });
        here.into_iter().chain([on_bus]).collect()
    }

    /// The physical disk with one of these GUIDs in its object's id, or else with this serial number, if there is one alone.
    fn physical(&self, guids: &[&str], serial: &str) -> Option<&Row> {
        let by_guid = guids.iter().filter(|guid| !guid.is_empty()).find_map(|guid| {
            let bare: String = guid
                .chars()
                .filter(|character| !matches!(character, '{' | '}'))
                .collect();
            let marked = format!("PD:{{{bare}}}").to_lowercase();
            self.physical
                .iter()
                .find(|row| text(row, "ObjectId").to_lowercase().contains(&marked))
        });
        let mut of_serial = self
            .physical
            .iter()
            .filter(|row| same_id(&text(row, "SerialNumber"), serial));
        // A number that several drives show (behind some adapters all do) tells none of them.
        let by_serial = of_serial.next().filter(|_| of_serial.next().is_none());
        by_guid.or(by_serial)
    }
}

fn text(row: &Row, name: &str) -> String {
    row.get(name).map_or_else(String::new, |text| text.trim().to_owned())
}

fn parsed(row: &Row, name: &str) -> u32 {
    row.get(name).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn first<const N: usize>(texts: [String; N]) -> String {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// Node names without case and domain: classes write them in several ways.
fn same_node(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.split('.').next().unwrap_or_default().to_lowercase();
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[(&str, &str)]) -> Row {
        fields
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn rows() -> Rows {
        Rows {
            disks: vec![
                row(&[
                    ("Number", "0"),
                    ("UniqueId", "boot"),
                    ("SerialNumber", "B0"),
                    ("BusType", "11"),
                ]),
                row(&[
                    ("Number", "5"),
                    ("UniqueId", "8F00"),
                    ("FriendlyName", "vol0"),
                    ("BusType", "16"),
                ]),
            ],
            physical: vec![
                row(&[
                    ("UniqueId", "eui.01"),
                    ("SerialNumber", "S1"),
                    (
                        "ObjectId",
                        "{1}\\\\n\\root/x:SPACES_PhysicalDisk.ObjectId=\"{a}:PD:{AAAA-01}\"",
                    ),
                    ("LogicalSectorSize", "4096"),
                    ("FriendlyName", "NVMe"),
                ]),
                row(&[
                    ("UniqueId", "eui.02"),
                    ("SerialNumber", "S2"),
                    ("ObjectId", "PD:{aaaa-02}"),
                ]),
                row(&[
                    ("UniqueId", "eui.03"),
                    ("SerialNumber", "S2"),
                    ("ObjectId", "PD:{aaaa-03}"),
                ]),
            ],
            bus: vec![
                row(&[
                    ("DeviceNumber", "11"),
                    ("DeviceGuid", "{aaaa-01}"),
                    ("ConnectedNode", "N1.contoso.com"),
                    ("ConnectedNodeDeviceNumber", "3"),
                    ("DeviceType", "0"),
                ]),
                row(&[
                    ("DeviceNumber", "12"),
                    ("DeviceGuid", "aaaa-02"),
                    ("SerialNumber", "S2"),
                    ("ConnectedNode", "n2"),
                    ("ConnectedNodeDeviceNumber", "3"),
                ]),
                row(&[("DeviceNumber", "13"), ("SerialNumber", "S2"), ("ConnectedNode", "n2")]),
                row(&[("DeviceNumber", "14"), ("DeviceType", "1")]),
                row(&[("ConnectedNode", "n2")]),
            ],
        }
    }

    #[test]
    fn a_drive_in_a_pool_gets_its_number_from_the_bus_and_its_identity_by_guid() {
        let disks = rows().disks("n1");
        let here = disks.iter().find(|disk| disk.number == Some(3)).expect("it is here");
        assert_eq!(
            (here.unique_id.as_str(), here.sector_bytes, &here.peer),
            ("eui.01", 4096, &None)
        );
        let on_bus: Vec<(u64, &str, Option<&str>)> = disks
            .iter()
            .filter_map(|disk| Some((disk.bus_number?, disk.unique_id.as_str(), disk.peer.as_deref())))
            .collect();
        // The third shows a serial number that two drives have: no identity rather than a wrong one.
        assert_eq!(
            on_bus,
            [(11, "eui.01", None), (12, "eui.02", Some("n2")), (13, "", Some("n2"))]
        );
    }

    #[test]
    fn another_nodes_number_is_never_taken_for_ours() {
        let disks = rows().disks("n3");
        assert!(disks.iter().all(|disk| disk.number != Some(3)), "{disks:?}");
    }

    #[test]
    fn a_space_is_known_by_its_bus_type() {
        let disks = rows().disks("n1");
        let space = disks.iter().find(|disk| disk.number == Some(5)).expect("it is there");
        assert!(space.is_space && space.unique_id == "8F00");
        assert!(!disks.iter().any(|disk| disk.number == Some(0) && disk.is_space));
    }
}
