//! Codecs, through their public face: what they take, what they refuse, and in which words.
#![allow(clippy::unwrap_used)]

mod disk;
mod edits;
mod garbage;
mod merge;
mod params;
mod round_trip;
mod structs;

use autoresearch_core::Candidate;
use autoresearch_llm::Codec;
use serde_json::Value;

/// The message of a refusal.
fn refused<C: Candidate>(codec: &impl Codec<C>, base: &C, change: &Value) -> String {
    match codec.apply(base, change) {
        Err(e) => e.to_string(),
        Ok(changed) => panic!("{change} was taken: {changed:?}"),
    }
}

/// What strict modes want of a schema: closed objects that require all they have, no references, known keywords.
fn assert_strict(schema: &Value) {
    const KNOWN: [&str; 18] = [
        "type",
        "description",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "enum",
        "const",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "format",
        "pattern",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
    ];
    let Value::Object(map) = schema else { return };
    for key in map.keys() {
        assert!(KNOWN.contains(&key.as_str()), "`{key}` in {schema}");
    }
    if let Some(Value::Object(properties)) = map.get("properties") {
        assert_eq!(map.get("additionalProperties"), Some(&Value::Bool(false)), "{schema}");
        let required: Vec<&str> =
            map["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(required, properties.keys().map(String::as_str).collect::<Vec<_>>());
        properties.values().for_each(assert_strict);
    }
    map.get("items").into_iter().for_each(assert_strict);
    map.get("anyOf").and_then(Value::as_array).into_iter().flatten().for_each(assert_strict);
}
