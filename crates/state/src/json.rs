//! Objects from what `ConvertTo-Json` makes of a cmdlet's output.

use serde_json::Value;

use crate::bag::{Bag, Raw};
use crate::{Error, Result};

/// The objects of a document: it is a list of several or an object of one.
///
/// # Errors
///
/// When it is not JSON.
pub fn bags(text: &str) -> Result<Vec<Bag>> {
    let value: Value = serde_json::from_str(text).map_err(|error| Error::Json {
        cause: error.to_string(),
    })?;
    let mut bags = Vec::new();
    collect(&value, &mut bags);
    Ok(bags)
}

fn collect(value: &Value, bags: &mut Vec<Bag>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| match value {
            Value::Array(_) | Value::Object(_) => collect(value, bags),
            // A null or a plain value among objects is none: it is left out, and counted as that.
            _ => bags.push(Bag::default()),
        }),
        Value::Object(_) => match raw(value) {
            Raw::Object(bag) => bags.push(bag),
            Raw::List(items) => bags.extend(items.into_iter().map(|item| match item {
                Raw::Object(bag) => bag,
                _ => Bag::default(),
            })),
            _ => {}
        },
        _ => {}
    }
}

/// The items of a list that has properties of its own: of such a one PowerShell 5.1 makes an object of `value` and `Count`.
fn wrapped(fields: &serde_json::Map<String, Value>) -> Option<&Vec<Value>> {
    match (fields.get("value"), fields.get("Count")) {
        (Some(Value::Array(items)), Some(Value::Number(_))) if fields.len() == 2 => Some(items),
        _ => None,
    }
}

fn raw(value: &Value) -> Raw {
    match value {
        Value::Null => Raw::Null,
        Value::Bool(value) => Raw::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(value), _, _) => Raw::Integer(value.into()),
            (_, Some(value), _) => Raw::Integer(value.into()),
            (_, _, Some(value)) => Raw::Real(value),
            _ => Raw::Broken("a number that cannot be read"),
        },
        Value::String(text) => Raw::Text(text.clone()),
        Value::Array(values) => Raw::List(values.iter().map(raw).collect()),
        Value::Object(fields) => {
            if let Some(items) = wrapped(fields) {
                return Raw::List(items.iter().map(raw).collect());
            }
            let mut bag = Bag::default();
            fields.iter().for_each(|(name, value)| bag.set(name, raw(value)));
            bag.find_out();
            Raw::Object(bag)
        }
    }
}
