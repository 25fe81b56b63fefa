//! Holds documents against a JSON Schema: of the standard what our schemas use, and nothing that is not checked may stand in one.

use serde_json::{Map, Value};

/// Keywords that say nothing about documents.
const REMARKS: [&str; 4] = ["$schema", "$defs", "title", "description"];

/// Everything in a document that is not what the schema says, each with where it is.
#[must_use]
pub fn faults(schema: &Value, document: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, document, "", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let schema = schema.as_object().expect("a schema is an object");
    for (keyword, rule) in schema {
        let is_kept = match keyword.as_str() {
            "$ref" => {
                let pointer = rule.as_str().and_then(|reference| reference.strip_prefix('#'));
                let meant = pointer.and_then(|pointer| root.pointer(pointer));
                check(
                    root,
                    meant.expect("a reference is to a part of the schema"),
                    value,
                    at,
                    faults,
                );
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|own| is_of(own, value)),
                own => is_of(own, value),
            },
            "const" => value == rule,
            "enum" => rule.as_array().is_some_and(|all| all.contains(value)),
            "minimum" => value
                .as_f64()
                .is_none_or(|value| rule.as_f64().is_some_and(|least| value >= least)),
            "required" => value.as_object().is_none_or(|object| has_all(object, rule)),
            "properties" => {
                for (key, own) in rule.as_object().into_iter().flatten() {
                    if let Some(inner) = value.get(key) {
                        check(root, own, inner, &format!("{at}/{key}"), faults);
                    }
                }
                true
            }
            "items" => {
                for (number, inner) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, inner, &format!("{at}/{number}"), faults);
                }
                true
            }
            remark if REMARKS.contains(&remark) => true,
            other => panic!("a schema with `{other}`, which is not checked"),
        };
        if !is_kept {
            faults.push(format!("{at}: {value} is not as `{keyword}` says, {rule}"));
        }
    }
}

fn has_all(object: &Map<String, Value>, names: &Value) -> bool {
    let mut names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.all(|name| object.contains_key(name))
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        other => panic!("a type {other:?}, which there is not"),
    }
}

/// The names of an object's properties in a schema, at a pointer into it.
#[must_use]
pub fn properties(schema: &Value, pointer: &str) -> Vec<String> {
    let found = schema.pointer(pointer).and_then(|own| own.get("properties"));
    let found = found.and_then(Value::as_object).expect("it has properties");
    found.keys().cloned().collect()
}
