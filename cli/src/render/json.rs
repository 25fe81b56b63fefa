//! One JSON document a command: schema 1 (`docs/design/0005-json-output.md`). Keys may be added; none changes its meaning.

use std::io::Write;

use fathom_model::report::{Report, Score};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::scope;

/// Version of the documents' shape.
const SCHEMA: u32 = 1;

/// Prints a document with its schema version in front.
pub(crate) fn print(document: Value) -> Result<()> {
    let mut whole = Map::new();
    whole.insert("schema".to_owned(), json!(SCHEMA));
    if let Value::Object(fields) = document {
        whole.extend(fields);
    }
    scope::document(whole)
}

/// Writes a document to standard output.
pub(crate) fn write(document: Map<String, Value>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &Value::Object(document)).map_err(|error| Error::Output(error.into()))?;
    writeln!(out).map_err(Error::Output)
}

/// The document of `demo` and `replay`.
pub(crate) fn run(name: &str, report: &Report, score: Option<&Score>) -> Value {
    let mut fields = Map::new();
    fields.insert("run".to_owned(), json!(name));
    if let Value::Object(of_report) = to_value(report) {
        fields.extend(of_report);
    }
    fields.insert("score".to_owned(), score.map_or(Value::Null, to_value));
    Value::Object(fields)
}

/// Any answer as a value.
pub(crate) fn to_value<T: serde::Serialize>(answer: &T) -> Value {
    // Answers are plain structs of numbers, texts and lists: they always serialise.
    serde_json::to_value(answer).unwrap_or(Value::Null)
}
