//! Asks the system for its disks, on a thread of its own: a provider of management classes that hangs takes nothing with it.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use wmi::{Variant, WMIConnection};

use super::super::inventory::{Row, Rows};
use super::super::{Disk, Disks};

/// How long the first answer is waited for; events before it would have no identity.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the system is asked whether anything changed.
const EVERY: Duration = Duration::from_secs(30);

/// The disks, as the system tells of them.
#[derive(Debug)]
pub(super) struct Watch {
    configured: Disks,
    answers: Receiver<Answer>,
    first: Option<Answer>,
    last: Option<Disks>,
    trouble: Option<String>,
    /// Dropped with this: the thread ends after its present question.
    _stop: SyncSender<()>,
}

type Answer = Result<Disks, String>;

impl Watch {
    /// Begins to ask. Configured disks go before what the system says of their numbers.
    pub(super) fn begin(node: String, configured: Disks) -> Self {
        let (tell, answers) = sync_channel(1);
        let (stop, stopped) = sync_channel::<()>(0);
        let began = Builder::new().name("disks".to_owned()).spawn(move || {
            loop {
                if tell.send(ask(&node)).is_err() {
                    return;
                }
                match stopped.recv_timeout(EVERY) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        let first = match (&began, answers.recv_timeout(PATIENCE)) {
            (Err(error), _) => Some(Err(format!("no thread to ask on: {error}"))),
            (Ok(_), Ok(answer)) => Some(answer),
            (Ok(_), Err(_)) => Some(Err(format!(
                "no answer within {PATIENCE:?}; events have no identity until there is one"
            ))),
        };
        Self {
            configured,
            answers,
            first,
            last: None,
            trouble: None,
            _stop: stop,
        }
    }

    /// The disks, when they are others than before.
    pub(super) fn news(&mut self) -> Option<Disks> {
        let answer = self.first.take().or_else(|| match self.answers.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        })?;
        let told = match answer {
            Ok(disks) => {
                self.trouble = None;
                disks
            }
            Err(reason) => {
                self.trouble = Some(format!("disks: {reason}"));
                // What was known is still the best that is known; configured ones need no system.
                if self.last.is_some() || self.configured.is_empty() {
                    return None;
                }
                Vec::new()
            }
        };
        let configured =
            |disk: &Disk| disk.number.is_some() && self.configured.iter().any(|own| own.number == disk.number);
        let told = told.into_iter().filter(|disk| !configured(disk));
        let disks: Disks = self.configured.iter().cloned().chain(told).collect();
        (self.last.as_ref() != Some(&disks)).then(|| {
            self.last = Some(disks.clone());
            disks
        })
    }

    /// Why there is no answer.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }
}

fn ask(node: &str) -> Answer {
    let storage = r"root\Microsoft\Windows\Storage";
    let disks = rows(
        storage,
        "SELECT Number, UniqueId, SerialNumber, FriendlyName, BusType, Guid, LogicalSectorSize FROM MSFT_Disk",
    )?;
    let physical = rows(
        storage,
        "SELECT ObjectId, UniqueId, SerialNumber, FriendlyName, LogicalSectorSize FROM MSFT_PhysicalDisk",
    )
    .unwrap_or_default();
    // A node without Storage Spaces Direct has no storage bus.
    let bus = rows(r"root\wmi", "SELECT * FROM ClusPortDeviceInformation").unwrap_or_default();
    let rows = Rows { disks, physical, bus };
    Ok(rows.disks(node))
}

fn rows(namespace: &str, query: &str) -> Result<Vec<Row>, String> {
    let connection = WMIConnection::with_namespace_path(namespace).map_err(|error| format!("{namespace}: {error}"))?;
    let rows: Vec<HashMap<String, Variant>> = connection
        .raw_query(query)
        .map_err(|error| format!("{namespace}: {error}"))?;
    let text = |value: Variant| match value {
        Variant::String(text) => Some(text),
        Variant::Bool(value) => Some(value.to_string()),
        Variant::UI1(number) => Some(number.to_string()),
        Variant::UI2(number) => Some(number.to_string()),
        Variant::UI4(number) => Some(number.to_string()),
        Variant::UI8(number) => Some(number.to_string()),
        Variant::I1(number) => Some(number.to_string()),
        Variant::I2(number) => Some(number.to_string()),
        Variant::I4(number) => Some(number.to_string()),
        Variant::I8(number) => Some(number.to_string()),
        _ => None,
    };
    let row = |row: HashMap<String, Variant>| {
        row.into_iter()
            .filter_map(|(name, value)| Some((name, text(value)?)))
            .collect()
    };
    Ok(rows.into_iter().map(row).collect())
}
