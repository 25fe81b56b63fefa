//! Objects of Windows' management classes.

use fathom_state::{Bag, Raw};
use wmi::{AuthLevel, IWbemClassWrapper, Variant, WMIConnection, WMIError};

/// Most objects of one class: extents of a large pool are many.
const MOST: usize = 200_000;

/// Objects within objects beyond this are not read.
const DEEPEST: u32 = 4;

/// Why a property that holds something else is not read.
const ODD: &str = "of a type that is not read";

/// A namespace; the connection is made and used on one thread.
pub struct Namespace {
    path: &'static str,
    connection: Option<WMIConnection>,
}

// The connection is opened by the thread that reads, never before.
impl std::fmt::Debug for Namespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Namespace")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Namespace {
    /// Nothing is opened yet.
    #[must_use]
    pub const fn new(path: &'static str) -> Self {
        Self { path, connection: None }
    }

    fn objects(&mut self, class: &'static str) -> Result<Vec<Bag>, WMIError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = WMIConnection::with_namespace_path(self.path)?;
                // These two answer only a connection whose packets are encrypted.
                if self.path.ends_with("MSCluster") || self.path.ends_with("MicrosoftVolumeEncryption") {
                    connection.set_proxy_blanket(AuthLevel::PktPrivacy)?;
                }
                connection
            }
        };
        let connection = self.connection.insert(connection);
        // A query for a class that is not there fails only at its first row, and not with every provider.
        connection.get_object(class)?;
        match class {
            "MSFT_StorageReliabilityCounter" => reliability(connection),
            // Given out by a method of each virtual disk, whose array of objects is not read yet.
            "MSFT_PhysicalExtent" => Err(WMIError::ConvertVariantError(
                "extents are given out by GetPhysicalExtent, which is not asked yet".to_owned(),
            )),
            _ => rows(connection, &format!("SELECT * FROM {class}")),
        }
    }
}

impl Namespace {
    /// The objects of a class.
    ///
    /// # Errors
    ///
    /// As [`super::live::Reader::read`].
    pub fn read(&mut self, class: &'static str) -> Result<Vec<Bag>, String> {
        let read = self.objects(class);
        if read.is_err() {
            // A service that was restarted does not know the old connection.
            self.connection = None;
        }
        read.map_err(|error| crate::check::wmi::reason(&error))
    }
}

fn rows(connection: &WMIConnection, query: &str) -> Result<Vec<Bag>, WMIError> {
    let mut bags = Vec::new();
    for row in connection.exec_query(query)?.take(MOST) {
        bags.push(bag(&row?, 0)?);
    }
    Ok(bags)
}

/// Counters are reached from their drive, and are of it: they name no drive themselves.
fn reliability(connection: &WMIConnection) -> Result<Vec<Bag>, WMIError> {
    let mut bags = Vec::new();
    for disk in connection.exec_query("SELECT * FROM MSFT_PhysicalDisk")?.take(MOST) {
        let disk = disk?;
        let Variant::String(unique_id) = disk.get_property("UniqueId")? else {
            continue;
        };
        let query = format!(
            "ASSOCIATORS OF {{{}}} WHERE ResultClass = MSFT_StorageReliabilityCounter",
            disk.path()?
        );
        for mut counters in rows(connection, &query)? {
            counters.set("PhysicalDiskUniqueId", Raw::Text(unique_id.clone()));
            bags.push(counters);
        }
    }
    Ok(bags)
}

fn bag(object: &IWbemClassWrapper, depth: u32) -> Result<Bag, WMIError> {
    let mut bag = Bag::default();
    bag.class = object.class().ok();
    for name in object.list_properties()? {
        // One that cannot be read costs itself alone.
        let value = object
            .get_property(&name)
            .map_or(Raw::Broken(ODD), |value| raw(value, depth));
        bag.set(&name, value);
    }
    Ok(bag)
}

fn raw(value: Variant, depth: u32) -> Raw {
    match value {
        Variant::Empty | Variant::Null => Raw::Null,
        Variant::String(text) => Raw::Text(text),
        Variant::I1(value) => Raw::Integer(value.into()),
        Variant::I2(value) => Raw::Integer(value.into()),
        Variant::I4(value) => Raw::Integer(value.into()),
        Variant::I8(value) => Raw::Integer(value.into()),
        Variant::UI1(value) => Raw::Integer(value.into()),
        Variant::UI2(value) => Raw::Integer(value.into()),
        Variant::UI4(value) => Raw::Integer(value.into()),
        Variant::UI8(value) => Raw::Integer(value.into()),
        Variant::R4(value) => Raw::Real(value.into()),
        Variant::R8(value) => Raw::Real(value),
        Variant::Bool(value) => Raw::Bool(value),
        Variant::Array(values) => Raw::List(values.into_iter().map(|value| raw(value, depth)).collect()),
        Variant::Object(_) | Variant::Unknown(_) if depth >= DEEPEST => Raw::Broken(ODD),
        Variant::Object(object) => bag(&object, depth + 1).map_or(Raw::Broken(ODD), Raw::Object),
        Variant::Unknown(unknown) => {
            let object = unknown.to_wbem_class_obj().and_then(|object| bag(&object, depth + 1));
            object.map_or(Raw::Broken(ODD), Raw::Object)
        }
    }
}
