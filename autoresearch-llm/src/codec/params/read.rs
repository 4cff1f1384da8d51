//! What a model wrote as a change of parameters, in the shapes that models write it in.

use crate::codec::hint::{did_you_mean, kind, quoted, unquoted};
use autoresearch_core::{Param, ParamKind, ParamSet, ParamSpace, ParamValue};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Values by name; `None` unsets.
pub(super) type Change = BTreeMap<String, Option<ParamValue>>;

/// Reads a change, or lists all that is wrong with it.
pub(super) fn change(space: &ParamSpace, now: &ParamSet, written: &Value) -> Result<Change, Vec<String>> {
    let mut reader = Reader { space, now, change: Change::new(), problems: Vec::new() };
    reader.top(&unquoted(written));
    if reader.problems.is_empty() { Ok(reader.change) } else { Err(reader.problems) }
}

const SHAPE: &str = "write it as [{\"parameter\": name, \"value\": new value}, ...]";

struct Reader<'a> {
    space: &'a ParamSpace,
    now: &'a ParamSet,
    change: Change,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn top(&mut self, written: &Value) {
        match written {
            Value::Array(items) => items.iter().for_each(|item| self.item(item)),
            Value::Object(map) => match self.wrapped(map) {
                Some(inner) => self.top(&unquoted(inner)),
                None => self.item(written),
            },
            other => self.problems.push(format!("the change is {}; {SHAPE}", kind(other))),
        }
    }

    /// What is inside of `{"changes": ...}` and the like.
    fn wrapped<'v>(&self, map: &'v Map<String, Value>) -> Option<&'v Value> {
        let (key, inner) = map.iter().next().filter(|_| map.len() == 1)?;
        let wrapper = matches!(key.as_str(), "change" | "changes" | "parameters" | "params");
        (wrapper && !self.names_something(key) && (inner.is_array() || inner.is_object())).then_some(inner)
    }

    /// Whether a key is a parameter, or a group of them.
    fn names_something(&self, key: &str) -> bool {
        self.space
            .params()
            .iter()
            .any(|p| p.name.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }

    fn item(&mut self, item: &Value) {
        let Value::Object(map) = item else {
            return self.problems.push(format!("{} is no change of a parameter; {SHAPE}", quoted(item)));
        };
        match self.pair(map) {
            Some((name, value)) => self.value(name, value),
            None => map.iter().for_each(|(key, value)| self.field(key, value)),
        }
    }

    /// `{"parameter": …, "value": …}`, unless these are parameters themselves.
    fn pair<'v>(&self, map: &'v Map<String, Value>) -> Option<(&'v str, &'v Value)> {
        let value = map.get("value")?;
        let key = ["parameter", "name"].into_iter().find(|key| map.contains_key(*key))?;
        let both_are_parameters = self.names_something(key) && self.names_something("value");
        let name = map.get(key).and_then(Value::as_str).filter(|_| !both_are_parameters)?;
        Some((name, value))
    }

    /// A parameter by its dotted name, or a group of them as an object.
    fn field(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(inner) if self.space.get(path).is_none() && self.names_something(path) => {
                inner.iter().for_each(|(key, value)| self.field(&format!("{path}.{key}"), value));
            }
            _ => self.value(path, value),
        }
    }

    fn value(&mut self, name: &str, written: &Value) {
        let Some(param) = self.space.get(name) else {
            let names = self.space.params().iter().map(|p| p.name.as_str());
            let hint = did_you_mean(name, names);
            let name = quoted(&Value::from(name)).trim_matches('"').to_string();
            return self.problems.push(format!("there is no parameter `{name}`{hint}"));
        };
        let read = match written {
            Value::Null if param.optional => None,
            Value::Null => {
                return self.problems.push(format!(
                    "`{name}` cannot be unset; leave it out to keep its value, or make it {}",
                    param.kind
                ));
            }
            _ => match value(param, written) {
                Some(value) => Some(value),
                // It stays as it is: of a parameter without effect that may be anything.
                None if self.now.get(name).is_some_and(|now| json!(now) == *written) => {
                    self.now.get(name).cloned()
                }
                None => {
                    let (kind, written) = (&param.kind, quoted(written));
                    return self.problems.push(format!("`{name}` is {written}; it must be {kind}"));
                }
            },
        };
        match self.change.get(name) {
            Some(other) if *other != read => {
                self.problems.push(format!("`{name}` is given two values; give it one"));
            }
            _ => drop(self.change.insert(name.to_string(), read)),
        }
    }
}

/// The parameter's own value for what was written, if it can take it: `8.0` is 8, `"3e-3"` is 0.003.
fn value(param: &Param, written: &Value) -> Option<ParamValue> {
    let plain = match written {
        Value::Bool(b) => ParamValue::Bool(*b),
        Value::Number(n) => n.as_i64().map(ParamValue::Int).or_else(|| n.as_f64().map(ParamValue::Float))?,
        Value::String(text) => ParamValue::Text(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let fits = |value: &ParamValue| param.kind.contains(value);
    canonical(&param.kind, &plain).filter(fits).or_else(|| meant(&param.kind, written).filter(fits))
}

/// The value as the kind writes it: an integer where whole numbers are, the listed value among choices.
fn canonical(kind: &ParamKind, value: &ParamValue) -> Option<ParamValue> {
    match kind {
        ParamKind::Float { .. } => value.as_f64().map(ParamValue::Float),
        ParamKind::Int { .. } => value.as_i64().map(ParamValue::Int),
        ParamKind::Choice { values } => {
            let same = |own: &&ParamValue| match (own.as_f64(), value.as_f64()) {
                (Some(a), Some(b)) => a == b,
                _ => *own == value,
            };
            values.iter().find(same).cloned()
        }
        _ => Some(value.clone()),
    }
}

/// The same by what it reads as: a number or a bool in quotes, a text without, a text in other letters.
fn meant(kind: &ParamKind, written: &Value) -> Option<ParamValue> {
    let text = match written {
        Value::String(text) => text.trim().to_string(),
        other => other.to_string(),
    };
    let number = || {
        let whole = text.parse().ok().map(ParamValue::Int);
        let digits = text.chars().any(|c| c.is_ascii_digit()); // not "inf" or "nan"
        whole.or_else(|| text.parse().ok().filter(|_| digits).map(ParamValue::Float))
    };
    match kind {
        ParamKind::Choice { values } => {
            let mut alike = values.iter().filter(|own| own.to_string().eq_ignore_ascii_case(&text));
            match (alike.next(), alike.next()) {
                (Some(own), None) => Some(own.clone()),
                _ => canonical(kind, &number()?),
            }
        }
        // A number where true or false belongs may mean anything.
        ParamKind::Bool if written.is_string() => {
            text.to_ascii_lowercase().parse().ok().map(ParamValue::Bool)
        }
        ParamKind::Bool => None,
        _ => canonical(kind, &number()?),
    }
}
