//! Observations and samples.

use fathom_model::NodeId;
use fathom_model::state::{Code, Kind, Observation, Sample, Value};

use super::{Error, Result};
use crate::collect::v1 as wire;
use crate::collect::v1::state_value::Value as WireValue;

/// Lists within lists beyond this are refused.
const DEEPEST: u32 = 16;

impl From<&Observation> for wire::Observation {
    fn from(observation: &Observation) -> Self {
        Self {
            node: observation.node.to_string(),
            kind: observation.kind.as_str().to_owned(),
            id: observation.id.clone(),
            observed_unix_nanos: observation.observed_unix_nanos,
            gone: !observation.present,
            attributes: attributes_to_wire(observation),
            class: observation.class.clone().unwrap_or_default(),
        }
    }
}

fn attributes_to_wire(observation: &Observation) -> Vec<wire::Attribute> {
    let known = observation
        .attributes
        .iter()
        .map(|(name, value)| attribute(name, value));
    let unknown = observation.unavailable.iter();
    let unknown = unknown.map(|(name, why)| unknown_attribute(name, why));
    known.chain(unknown).collect()
}

/// An attribute that is known.
#[must_use]
pub fn attribute(name: &str, value: &Value) -> wire::Attribute {
    wire::Attribute {
        name: name.to_owned(),
        value: Some(value_to_wire(value)),
        unavailable: String::new(),
    }
}

/// An attribute that is not known, and why.
#[must_use]
pub fn unknown_attribute(name: &str, why: &str) -> wire::Attribute {
    wire::Attribute {
        name: name.to_owned(),
        value: None,
        unavailable: why.to_owned(),
    }
}

fn value_to_wire(value: &Value) -> wire::StateValue {
    let value = match value {
        Value::Bool(value) => WireValue::Flag(*value),
        Value::Unsigned(value) => WireValue::Unsigned(*value),
        Value::Signed(value) => WireValue::Signed(*value),
        Value::Real(value) => WireValue::Real(*value),
        Value::Text(value) => WireValue::Text(value.clone()),
        Value::Code(code) => WireValue::Code(wire::StateCode {
            code: code.code,
            name: code.name.clone(),
        }),
        Value::List(values) => WireValue::List(wire::StateValues {
            values: values.iter().map(value_to_wire).collect(),
        }),
    };
    wire::StateValue { value: Some(value) }
}

/// An attribute's name with its value, or with why it has none.
///
/// # Errors
///
/// When it has neither.
pub fn attribute_from_wire(attribute: &wire::Attribute) -> Result<(String, Result<Value, String>)> {
    if let Some(value) = &attribute.value {
        return Ok((attribute.name.clone(), Ok(value_from_wire(value, 0)?)));
    }
    if attribute.unavailable.is_empty() {
        return Err(Error::Missing {
            field: "observation.attributes.value",
        });
    }
    Ok((attribute.name.clone(), Err(attribute.unavailable.clone())))
}

fn value_from_wire(value: &wire::StateValue, depth: u32) -> Result<Value> {
    let missing = Error::Missing {
        field: "observation.attributes.value",
    };
    Ok(match value.value.as_ref().ok_or(missing)? {
        WireValue::Flag(value) => Value::Bool(*value),
        WireValue::Unsigned(value) => Value::Unsigned(*value),
        WireValue::Signed(value) => Value::Signed(*value),
        // JSON, in which attributes are kept, has no other numbers.
        WireValue::Real(value) if !value.is_finite() => {
            return Err(Error::Encoding {
                field: "observation.attributes.value.real",
                cause: "it is not a finite number".to_owned(),
            });
        }
        WireValue::Real(value) => Value::Real(*value),
        WireValue::Text(value) => Value::Text(value.clone()),
        WireValue::Code(code) => Value::Code(Code {
            code: code.code,
            name: code.name.clone(),
        }),
        WireValue::List(_) if depth >= DEEPEST => {
            return Err(Error::TooLarge {
                field: "depth of observation.attributes.value.list",
                limit: DEEPEST.into(),
                found: u64::from(depth) + 1,
            });
        }
        WireValue::List(list) => {
            let values = list.values.iter().map(|value| value_from_wire(value, depth + 1));
            Value::List(values.collect::<Result<_>>()?)
        }
    })
}

fn kind_from_wire(field: &'static str, kind: &str) -> Result<Kind> {
    kind.parse()
        .map_err(|error: fathom_model::state::NotAKind| Error::Encoding {
            field,
            cause: error.to_string(),
        })
}

impl TryFrom<&wire::Observation> for Observation {
    type Error = Error;

    fn try_from(observation: &wire::Observation) -> Result<Self> {
        let kind = kind_from_wire("observation.kind", &observation.kind)?;
        if observation.node.is_empty() {
            return Err(Error::Missing {
                field: "observation.node",
            });
        }
        let node = NodeId::new(observation.node.as_str());
        let mut made = Self::new(node, kind, observation.id.as_str(), observation.observed_unix_nanos);
        made.present = !observation.gone;
        made.class = Some(observation.class.clone()).filter(|class| !class.is_empty());
        for attribute in &observation.attributes {
            match attribute_from_wire(attribute)? {
                (name, Ok(value)) => drop(made.attributes.insert(name, value)),
                (name, Err(why)) => drop(made.unavailable.insert(name, why)),
            }
        }
        Ok(made)
    }
}

impl From<&Sample> for wire::Sample {
    fn from(sample: &Sample) -> Self {
        Self {
            node: sample.node.to_string(),
            kind: sample.kind.as_str().to_owned(),
            id: sample.id.clone(),
            name: sample.name.clone(),
            observed_unix_nanos: sample.observed_unix_nanos,
            value: sample.value,
        }
    }
}

impl TryFrom<&wire::Sample> for Sample {
    type Error = Error;

    fn try_from(sample: &wire::Sample) -> Result<Self> {
        Ok(Self {
            node: NodeId::new(sample.node.as_str()),
            kind: kind_from_wire("sample.kind", &sample.kind)?,
            id: sample.id.clone(),
            name: sample.name.clone(),
            observed_unix_nanos: sample.observed_unix_nanos,
            value: sample.value,
        })
    }
}

#[cfg(test)]
mod tests;
