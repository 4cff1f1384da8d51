//! Schemas of types, made so that strict providers take them.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// Formats that strict modes know; the others (`uint32`, `double`) say nothing that bounds do not.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// The schema of a type as serde reads it, without references, as the type says it.
pub(super) fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with(|s| {
        s.meta_schema = None;
        // The schema becomes a part of a larger one, where a reference would point elsewhere.
        s.inline_subschemas = true;
    });
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The same for strict modes: closed objects that want every property, no keyword that they refuse.
pub(super) fn strict(schema: &Value) -> Value {
    let Value::Object(map) = schema else {
        return schema.clone();
    };
    // A type within itself cannot be written without references. What stands there is left to the codec.
    if map.contains_key("$ref") {
        return json!({"description": "the same kind of value again"});
    }
    let mut out = Map::new();
    for (key, value) in map {
        match key.as_str() {
            "title"
            | "default"
            | "examples"
            | "$schema"
            | "$defs"
            | "definitions"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
            | "unevaluatedProperties"
            | "required" => {}
            "format" if !value.as_str().is_some_and(|f| FORMATS.contains(&f)) => {}
            "oneOf" | "anyOf" => drop(out.insert("anyOf".into(), each(value))),
            "allOf" | "prefixItems" => drop(out.insert(key.clone(), each(value))),
            "items" | "additionalProperties" | "not" => drop(out.insert(key.clone(), strict(value))),
            "properties" => {
                let all = value.as_object().into_iter().flatten();
                let all: Map<_, _> = all.map(|(name, s)| (name.clone(), strict(s))).collect();
                out.insert("required".into(), all.keys().cloned().collect());
                out.insert(key.clone(), Value::Object(all));
                out.entry("additionalProperties").or_insert(json!(false));
            }
            _ => drop(out.insert(key.clone(), value.clone())),
        }
    }
    Value::Object(merged(out))
}

fn each(schemas: &Value) -> Value {
    schemas.as_array().into_iter().flatten().map(strict).collect()
}

/// An `allOf` of one is that one. Properties beside an `anyOf` of objects (a flattened enum) go into each of them: a closed
/// object would refuse what its neighbour wants.
fn merged(mut map: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Array(all)) = map.get("allOf")
        && let [Value::Object(only)] = all.as_slice()
    {
        let only = only.clone();
        map.remove("allOf");
        map.extend(only.into_iter().filter(|(key, _)| key != "description"));
    }
    if !(map.contains_key("properties") && map.contains_key("anyOf")) {
        return map;
    }
    let (Some(Value::Object(shared)), Some(Value::Array(variants))) =
        (map.get("properties").cloned(), map.get("anyOf").cloned())
    else {
        return map;
    };
    let widened = variants.into_iter().map(|variant| match variant {
        Value::Object(mut variant) => {
            let mut all = shared.clone();
            if let Some(Value::Object(own)) = variant.get("properties") {
                all.extend(own.clone());
            }
            variant.insert("type".into(), json!("object"));
            variant.insert("required".into(), all.keys().cloned().collect());
            variant.insert("properties".into(), Value::Object(all));
            variant.insert("additionalProperties".into(), json!(false));
            Value::Object(variant)
        }
        other => other,
    });
    let widened = widened.collect();
    for key in ["type", "properties", "required", "additionalProperties"] {
        map.remove(key);
    }
    map.insert("anyOf".into(), widened);
    map
}
