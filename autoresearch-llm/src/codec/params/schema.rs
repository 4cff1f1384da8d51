//! The JSON schema of a change of parameters.

use crate::codec::hint::shown;
use autoresearch_core::{Param, ParamKind, ParamSet, ParamSpace, ParamValue};
use serde_json::{Map, Value, json};

/// A list of parameters with their new values.
///
/// Why a list, and not an object with a property for each parameter: strict schemas want every property of an object in
/// every answer, so that a model would have to say "no change" for each of a hundred parameters, and null, which could
/// say it, is a value that an optional parameter can take. A list names what changes and nothing else; `anyOf` ties each
/// name to its own values. OpenAI's strict mode and llama.cpp's grammars both take it.
pub(super) fn schema(space: &ParamSpace, now: &ParamSet, most: usize) -> Value {
    let each: Vec<Value> = space.params().iter().map(|param| pair(param, now)).collect();
    json!({
        "type": "array",
        "description": "The parameters that change, each once.",
        "items": {"anyOf": each},
        "minItems": 1,
        "maxItems": most,
    })
}

pub(super) fn pair(param: &Param, now: &ParamSet) -> Value {
    json!({
        "type": "object",
        "properties": {
            "parameter": {"type": "string", "enum": [param.name]},
            "value": value(param, now),
        },
        "required": ["parameter", "value"],
        "additionalProperties": false,
    })
}

fn value(param: &Param, now: &ParamSet) -> Value {
    let mut schema = Map::new();
    let mut types: Vec<&str> = match &param.kind {
        ParamKind::Float { low, high, .. } => {
            schema.insert("minimum".into(), json!(low));
            schema.insert("maximum".into(), json!(high));
            vec!["number"]
        }
        ParamKind::Int { low, high, .. } => {
            schema.insert("minimum".into(), json!(low));
            schema.insert("maximum".into(), json!(high));
            vec!["integer"]
        }
        ParamKind::Choice { values } => {
            let mut listed: Vec<Value> = values.iter().map(|v| json!(v)).collect();
            if param.optional {
                listed.push(Value::Null);
            }
            schema.insert("enum".into(), Value::Array(listed));
            let mut types: Vec<&str> = values.iter().map(type_of).collect();
            types.sort_unstable();
            types.dedup();
            types
        }
        ParamKind::Bool => vec!["boolean"],
        _ => Vec::new(),
    };
    if param.optional && !types.is_empty() {
        types.push("null");
    }
    match types.as_slice() {
        [] => {}
        [one] => drop(schema.insert("type".into(), json!(one))),
        several => drop(schema.insert("type".into(), json!(several))),
    }
    schema.insert("description".into(), Value::String(description(param, now)));
    Value::Object(schema)
}

fn type_of(value: &ParamValue) -> &'static str {
    match value {
        ParamValue::Bool(_) => "boolean",
        ParamValue::Int(_) => "integer",
        ParamValue::Float(_) => "number",
        ParamValue::Text(_) => "string",
    }
}

fn description(param: &Param, now: &ParamSet) -> String {
    // As the parameter reads, without its name, which stands beside it.
    let text = param.to_string();
    let about = text.get(param.name.len() + 2..).unwrap_or(&text);
    format!("now {}; {about}", shown(now.get(&param.name)))
}
