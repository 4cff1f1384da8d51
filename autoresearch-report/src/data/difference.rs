//! What a proposal changes, value by value, and what candidates were made upon.

use crate::text;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A value that a proposal changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// Where it stands: names and positions, with dots between them; empty for the candidate as a whole.
    pub path: String,
    /// What it was, as JSON, shortened to 2,000 characters; `None`: it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it becomes; `None`: it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Where both are texts of several lines: what changes, as a unified diff of at most 8,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// A change with its values whole.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    path: Vec<String>,
    from: Option<Value>,
    to: Option<Value>,
}

/// More than that many values are told as one.
const MOST: usize = 64;

/// So many incumbents are remembered.
const INCUMBENTS: usize = 32;

/// What turns `parent` into `child`.
pub(crate) fn difference(parent: &Value, child: &Value) -> Vec<Edit> {
    let mut edits = Vec::new();
    walk(&mut Vec::new(), parent, child, &mut edits);
    edits
}

fn walk(path: &mut Vec<String>, from: &Value, to: &Value, edits: &mut Vec<Edit>) {
    let one = |path: &[String], from: Option<&Value>, to: Option<&Value>| Edit {
        path: path.to_vec(),
        from: from.cloned(),
        to: to.cloned(),
    };
    match (from, to) {
        _ if from == to || edits.len() >= MOST => {}
        (Value::Object(a), Value::Object(b)) if path.len() < 32 => {
            for (name, from) in a {
                path.push(name.clone());
                match b.get(name) {
                    Some(to) => walk(path, from, to, edits),
                    None => edits.push(one(path, Some(from), None)),
                }
                path.pop();
            }
            for (name, to) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                path.push(name.clone());
                edits.push(one(path, None, Some(to)));
                path.pop();
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() && path.len() < 32 => {
            for (i, (from, to)) in a.iter().zip(b).enumerate() {
                path.push(i.to_string());
                walk(path, from, to, edits);
                path.pop();
            }
        }
        _ => edits.push(one(path, Some(from), Some(to))),
    }
}

impl Edit {
    /// As it is shown.
    pub(crate) fn shown(self) -> Change {
        let short = |value: &Value| text::block(&plain(value), 40, 2000);
        let diff = match (&self.from, &self.to) {
            (Some(Value::String(from)), Some(Value::String(to)))
                if from.contains('\n') || to.contains('\n') =>
            {
                Some(lines(from, to))
            }
            _ => None,
        };
        let (from, to) = match &diff {
            Some(_) => (None, None),
            None => (self.from.as_ref().map(short), self.to.as_ref().map(short)),
        };
        Change { path: text::line(&self.path.join("."), 200), from, to, diff }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A unified diff; of texts so long that it would take long, only that they differ.
fn lines(from: &str, to: &str) -> String {
    const LONG: usize = 200_000;
    if from.len() + to.len() > LONG {
        return format!("(texts of {} and {} bytes that differ)", from.len(), to.len());
    }
    let diff = similar::TextDiff::from_lines(from, to);
    text::block(&diff.unified_diff().context_radius(2).to_string(), 200, 8000)
}

/// Incumbents as JSON: the baseline with the changes of what was kept, value by value. It serves to tell what a proposal
/// changes, and nothing else: where candidates merge in another way, it may say more than what was changed.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// By version, the latest ones: candidates may be large.
    incumbents: BTreeMap<u32, Value>,
    edits: BTreeMap<u64, Vec<Edit>>,
}

impl Applied {
    pub(crate) fn begin(&mut self, baseline: Value) {
        self.incumbents.insert(0, baseline);
    }

    pub(crate) fn propose(&mut self, id: u64, edits: &[Edit]) {
        self.edits.insert(id, edits.to_vec());
    }

    /// A proposal became part of the incumbent, which has this version since.
    pub(crate) fn keep(&mut self, id: u64, version: u32) {
        let Some((_, before)) = self.incumbents.range(..=version).next_back() else { return };
        let mut now = before.clone();
        self.apply(&mut now, id);
        self.incumbents.insert(version, now);
        while self.incumbents.len() > INCUMBENTS {
            self.incumbents.pop_first();
        }
    }

    /// Nothing will be built on this proposal any more.
    pub(crate) fn forget(&mut self, id: u64) {
        self.edits.remove(&id);
    }

    /// What was built upon.
    pub(crate) fn parent(&self, version: u32, on: &[u64]) -> Option<Value> {
        let (_, incumbent) = self.incumbents.range(..=version).next_back()?;
        let mut parent = incumbent.clone();
        on.iter().for_each(|id| self.apply(&mut parent, *id));
        Some(parent)
    }

    fn apply(&self, value: &mut Value, id: u64) {
        for edit in self.edits.get(&id).into_iter().flatten() {
            set(value, &edit.path, edit.to.as_ref());
        }
    }
}

fn set(value: &mut Value, path: &[String], to: Option<&Value>) {
    match (path, value) {
        ([], value) => {
            if let Some(to) = to {
                *value = to.clone();
            }
        }
        ([last], Value::Object(map)) => {
            match to {
                Some(to) => map.insert(last.clone(), to.clone()),
                None => map.remove(last),
            };
        }
        ([first, rest @ ..], Value::Object(map)) => {
            if let Some(inner) = map.get_mut(first) {
                set(inner, rest, to);
            }
        }
        ([first, rest @ ..], Value::Array(list)) => {
            if let Some(inner) = first.parse().ok().and_then(|i: usize| list.get_mut(i)) {
                set(inner, rest, to);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(from: Value, to: Value) -> Vec<(String, Option<String>, Option<String>)> {
        difference(&from, &to).into_iter().map(Edit::shown).map(|c| (c.path, c.from, c.to)).collect()
    }

    #[test]
    fn leaves_that_differ_are_named() {
        let changes =
            shown(json!({"a": {"b": 1, "c": [1, 2]}, "d": "x"}), json!({"a": {"b": 2, "c": [1, 3]}, "e": 1}));
        let s = |x: &str| Some(x.to_string());
        let expected = [
            ("a.b".into(), s("1"), s("2")),
            ("a.c.1".into(), s("2"), s("3")),
            ("d".into(), s("x"), None),
            ("e".into(), None, s("1")),
        ];
        assert_eq!(changes, expected);
        assert_eq!(shown(json!(1.0), json!(2.0)), [(String::new(), s("1.0"), s("2.0"))]);
    }

    #[test]
    fn texts_differ_by_lines() {
        let change = difference(&json!("a\nb\nc\n"), &json!("a\nx\nc\n")).remove(0).shown();
        let diff = change.diff.unwrap();
        assert!(diff.contains("-b\n") && diff.contains("+x\n"), "{diff}");
    }

    #[test]
    fn what_was_kept_is_built_upon() {
        let mut applied = Applied::default();
        applied.begin(json!({"a": 1, "b": 1}));
        applied.propose(1, &difference(&json!({"a": 1, "b": 1}), &json!({"a": 2, "b": 1})));
        applied.propose(2, &difference(&json!({"a": 1, "b": 1}), &json!({"a": 1, "b": 5})));
        applied.keep(1, 1);
        assert_eq!(applied.parent(1, &[]).unwrap(), json!({"a": 2, "b": 1}));
        assert_eq!(applied.parent(1, &[2]).unwrap(), json!({"a": 2, "b": 5}));
        assert_eq!(applied.parent(0, &[]).unwrap(), json!({"a": 1, "b": 1}));
    }
}
