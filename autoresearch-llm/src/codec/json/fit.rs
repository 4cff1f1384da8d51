//! A written value put into a base value, as the schema of their type says.

use crate::codec::hint::{kind, nearest, quoted};
use serde_json::{Map, Value};

/// The base with what was written: fields of structs that are missing keep their value, everything else (lists, maps,
/// enums) is replaced as a whole. Unknown fields become problems.
pub(super) fn fit(schema: &Value, base: &Value, written: &Value, problems: &mut Vec<String>) -> Value {
    Fit { root: schema, problems }.value("", schema, Some(base), written)
}

struct Fit<'a> {
    root: &'a Value,
    problems: &'a mut Vec<String>,
}

impl<'a> Fit<'a> {
    fn value(&mut self, path: &str, schema: &'a Value, base: Option<&Value>, written: &Value) -> Value {
        let schema = self.without_null(self.resolved(schema));
        match written {
            Value::Object(fields) => match schema.get("properties") {
                Some(Value::Object(known)) => self.object(path, schema, known, base, fields),
                _ => self.map_or_variant(path, schema, fields, written),
            },
            Value::Array(items) => {
                let inner = schema.get("items");
                let place = |i: usize| format!("{path}[{i}]");
                let fitted = items.iter().enumerate().map(|(i, item)| match inner {
                    Some(inner) => self.value(&place(i), inner, None, item),
                    None => item.clone(),
                });
                Value::Array(fitted.collect())
            }
            _ => number(schema, written).unwrap_or_else(|| written.clone()),
        }
    }

    fn object(
        &mut self,
        path: &str,
        schema: &'a Value,
        known: &'a Map<String, Value>,
        base: Option<&Value>,
        written: &Map<String, Value>,
    ) -> Value {
        let base = base.and_then(Value::as_object);
        // With variants flattened into it, fields of one must not survive into another: all that is the variant's is
        // taken from what was written.
        let variants = variants(schema);
        let mut out = match base {
            Some(base) if variants.is_none() => base.clone(),
            Some(base) => base
                .iter()
                .filter(|(k, _)| known.contains_key(*k))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            None => Map::new(),
        };
        let of_variants: Vec<&String> = variants
            .into_iter()
            .flatten()
            .filter_map(|variant| self.resolved(variant).get("properties")?.as_object())
            .flat_map(Map::keys)
            .collect();
        let open = schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
        for (key, value) in written {
            let place = join(path, key);
            match known.get(key) {
                Some(inner) => {
                    let fitted = self.value(&place, inner, base.and_then(|b| b.get(key)), value);
                    out.insert(key.clone(), fitted);
                }
                None if open || of_variants.contains(&key) => drop(out.insert(key.clone(), value.clone())),
                None => {
                    let names = known.keys().chain(of_variants.iter().copied()).map(String::as_str);
                    let hint = nearest(key, names).map(|name| join(path, name));
                    let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                    self.problems.push(format!("there is no field `{place}`{hint}"));
                }
            }
        }
        if base.is_none() && schema.get("unevaluatedProperties").is_none() {
            // Nothing to take them from.
            let wanted = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            for name in wanted.filter_map(Value::as_str).filter(|name| !out.contains_key(*name)) {
                self.problems.push(format!("`{}` is missing", join(path, name)));
            }
        }
        Value::Object(out)
    }

    /// A map keeps nothing of the base; a variant of an enum neither.
    fn map_or_variant(
        &mut self,
        path: &str,
        schema: &'a Value,
        fields: &Map<String, Value>,
        written: &Value,
    ) -> Value {
        if let Some(inner @ Value::Object(_)) = schema.get("additionalProperties") {
            let each = fields.iter();
            return Value::Object(
                each.map(|(key, v)| (key.clone(), self.value(&join(path, key), inner, None, v))).collect(),
            );
        }
        let Some(variants) = variants(schema) else { return written.clone() };
        // The variant in which the fewest things are wrong; it says which.
        let mut best: Option<(Value, Vec<String>)> = None;
        for variant in variants {
            let variant = self.resolved(variant);
            let tags = variant.get("properties").and_then(Value::as_object);
            let tagged = tags.is_some_and(|tags| {
                tags.iter().all(|(key, of)| match of.get("const") {
                    Some(tag) => fields.get(key) == Some(tag),
                    None => true,
                }) && (tags.iter().any(|(key, of)| of.get("const").is_some() || fields.contains_key(key)))
            });
            if !tagged {
                continue;
            }
            let mut problems = Vec::new();
            let fitted = Fit { root: self.root, problems: &mut problems }.value(path, variant, None, written);
            if best.as_ref().is_none_or(|(_, least)| problems.len() < least.len()) {
                best = Some((fitted, problems));
            }
        }
        match best {
            Some((fitted, problems)) => {
                self.problems.extend(problems);
                fitted
            }
            None => written.clone(), // serde knows better what is wrong with it
        }
    }

    /// What a reference points to; types within themselves have one.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    /// Of `Option<T>` the schema of `T`.
    fn without_null(&self, schema: &'a Value) -> &'a Value {
        let Some([a, b]) = variants(schema).map(Vec::as_slice) else { return schema };
        let null = |s: &Value| s.get("type").is_some_and(|t| t == "null");
        match (null(a), null(b)) {
            (false, true) => self.resolved(a),
            (true, false) => self.resolved(b),
            _ => schema,
        }
    }
}

fn variants(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array)
}

/// A number that came in quotes, or a whole one with a fraction of nothing.
fn number(schema: &Value, written: &Value) -> Option<Value> {
    let of = |name: &str| match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(several)) => several.iter().any(|t| t == name),
        _ => false,
    };
    if !(of("number") || of("integer")) {
        return None;
    }
    let read = match written {
        // A text stays a text where one may stand.
        Value::String(_) if of("string") => return None,
        Value::String(text) => serde_json::from_str(text.trim()).ok().filter(Value::is_number)?,
        Value::Number(_) => written.clone(),
        _ => return None,
    };
    let whole =
        read.as_f64().filter(|x| read.is_f64() && x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0);
    match whole {
        Some(x) if of("integer") => Some(Value::from(x as i64)),
        _ => Some(read),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.into() } else { format!("{path}.{key}") }
}

/// What else was given where an object belongs.
pub(super) fn no_object(written: &Value) -> String {
    format!(
        "the change is {} ({}); it must be an object with the fields that change",
        kind(written),
        quoted(written)
    )
}
