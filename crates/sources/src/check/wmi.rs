//! Which management classes answer. A namespace is a probe of its own: one that hangs takes no other with it.

use wmi::{AuthLevel, WMIConnection, WMIError};

use super::known::{self, Class, Namespace};
use super::{Answers, Probe, State, words};

/// Instances are counted up to here: how many there are is of no use beyond "many".
const MOST_COUNTED: usize = 1000;

pub(super) fn namespaces() -> impl Iterator<Item = Probe> {
    known::namespaces().into_iter().map(|namespace| {
        let items = namespace
            .classes
            .iter()
            .map(|class| format!(r"{}\{}", namespace.path, class.name()))
            .collect();
        Probe::new("wmi", items, move |answers| ask(&namespace, answers))
    })
}

fn ask(namespace: &Namespace, answers: &Answers) {
    let connection = WMIConnection::with_namespace_path(namespace.path).and_then(|connection| {
        if known::is_guarded(namespace.path) {
            connection.set_proxy_blanket(AuthLevel::PktPrivacy)?;
        }
        Ok(connection)
    });
    for (item, class) in namespace.classes.iter().enumerate() {
        let state = match &connection {
            Ok(connection) => match seen(connection, *class) {
                Ok(text) => State::Available(text),
                Err(error) => State::Unavailable(reason(&error)),
            },
            Err(error) => State::Unavailable(format!("the namespace cannot be opened: {}", reason(error))),
        };
        answers.give(item, state);
    }
}

/// What of a class is there.
fn seen(connection: &WMIConnection, class: Class) -> Result<String, WMIError> {
    let name = class.name();
    // First the class: a query for one that is not there fails only at its first row, and not with every provider.
    connection.get_object(name)?;
    match class {
        Class::Definition(_) => Ok("the class is there".to_owned()),
        Class::Instances(_) => {
            let mut count = 0;
            for row in connection
                .exec_query(format!("SELECT * FROM {name}"))?
                .take(MOST_COUNTED)
            {
                row?;
                count += 1;
            }
            Ok(match count {
                1 => "1 instance".to_owned(),
                MOST_COUNTED => format!("{MOST_COUNTED} instances or more"),
                _ => format!("{count} instances"),
            })
        }
    }
}

/// What Windows says, in words.
pub(crate) fn reason(error: &WMIError) -> String {
    match error {
        WMIError::HResultError { hres } => words::wmi(hres.cast_unsigned()),
        other => other.to_string(),
    }
}
