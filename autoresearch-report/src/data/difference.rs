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
    /// Which unit of the whole change it belongs to, from 0, where candidates are merged field by field
    /// ([`FieldMerge`](autoresearch_core::FieldMerge)): values that are no objects are units, in the order of their names.
    pub unit: u16,
}

/// A change with its values whole.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    path: Vec<String>,
    from: Option<Value>,
    to: Option<Value>,
    unit: u16,
}

/// More than that many values are told as one.
const MOST: usize = 64;

/// So many incumbents are remembered.
const INCUMBENTS: usize = 32;

/// What turns `parent` into `child`.
pub(crate) fn difference(parent: &Value, child: &Value) -> Vec<Edit> {
    let mut walk = Walk::default();
    walk.go(Some(parent), Some(child), false);
    walk.edits
}

#[derive(Default)]
struct Walk {
    path: Vec<String>,
    edits: Vec<Edit>,
    /// Units that are complete.
    units: u16,
}

impl Walk {
    /// Within a list, all that differs is one unit; what is missing counts as null.
    fn go(&mut self, from: Option<&Value>, to: Option<&Value>, in_list: bool) {
        let deep = self.path.len() >= 32;
        let same = from.unwrap_or(&Value::Null) == to.unwrap_or(&Value::Null);
        match (from, to) {
            _ if same || self.edits.len() >= MOST => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) if !deep => {
                let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
                names.sort_unstable();
                names.dedup();
                for name in names {
                    self.path.push(name.clone());
                    self.go(a.get(name), b.get(name), in_list);
                    self.path.pop();
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() && !deep => {
                for (i, (from, to)) in a.iter().zip(b).enumerate() {
                    self.path.push(i.to_string());
                    self.go(Some(from), Some(to), true);
                    self.path.pop();
                }
                self.units += u16::from(!in_list);
            }
            _ => {
                let (from, to) = (from.cloned(), to.cloned());
                self.edits.push(Edit { path: self.path.clone(), from, to, unit: self.units });
                self.units += u16::from(!in_list);
            }
        }
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
        Change { path: text::line(&self.path.join("."), 200), from, to, diff, unit: self.unit }
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

    /// A proposal, or these units of it, became part of the incumbent, which has this version since.
    pub(crate) fn keep(&mut self, id: u64, units: Option<&[u16]>, version: u32) {
        let Some((_, before)) = self.incumbents.range(..=version).next_back() else { return };
        let mut now = before.clone();
        match units {
            None => self.apply(&mut now, id, None),
            Some(units) => units.iter().for_each(|unit| self.apply(&mut now, id, Some(*unit))),
        }
        self.incumbents.insert(version, now);
        while self.incumbents.len() > INCUMBENTS {
            self.incumbents.pop_first();
        }
    }

    /// Nothing will be built on this proposal any more.
    pub(crate) fn forget(&mut self, id: u64) {
        self.edits.remove(&id);
    }

    /// What was built upon: the incumbent with these proposals, or units of them.
    pub(crate) fn parent(&self, version: u32, on: &[(u64, Option<u16>)]) -> Option<Value> {
        let (_, incumbent) = self.incumbents.range(..=version).next_back()?;
        let mut parent = incumbent.clone();
        on.iter().for_each(|(id, unit)| self.apply(&mut parent, *id, *unit));
        Some(parent)
    }

    /// A unit that is none of fields is one of a candidate that merges in another way: then all is applied.
    fn apply(&self, value: &mut Value, id: u64, unit: Option<u16>) {
        let edits = || self.edits.get(&id).into_iter().flatten();
        let known = unit.filter(|unit| edits().any(|edit| edit.unit == *unit));
        for edit in edits().filter(|edit| known.is_none_or(|unit| edit.unit == unit)) {
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
        applied.keep(1, None, 1);
        assert_eq!(applied.parent(1, &[]).unwrap(), json!({"a": 2, "b": 1}));
        assert_eq!(applied.parent(1, &[(2, None)]).unwrap(), json!({"a": 2, "b": 5}));
        assert_eq!(applied.parent(0, &[]).unwrap(), json!({"a": 1, "b": 1}));
    }

    #[test]
    fn of_a_part_only_that_is_built_upon() {
        let (base, child) = (
            json!({"a": {"x": 1}, "b": 1, "c": [1, 2], "e": 1}),
            json!({"a": {"x": 2}, "b": 2, "c": [3, 4], "d": 1}),
        );
        let edits = difference(&base, &child);
        // The core's own units, by which arms name them.
        let units = autoresearch_core::FieldMerge::new().differences(&base, &child).unwrap();
        let paths: Vec<&str> = units.iter().map(|(path, ..)| path.as_str()).collect();
        assert_eq!(paths, ["a.x", "b", "c", "d", "e"]);
        let of: Vec<(String, u16)> = edits.iter().map(|edit| (edit.path.join("."), edit.unit)).collect();
        let named = |path: &str, unit| (path.to_string(), unit);
        let expected =
            [named("a.x", 0), named("b", 1), named("c.0", 2), named("c.1", 2), named("d", 3), named("e", 4)];
        assert_eq!(of, expected);
        let mut applied = Applied::default();
        applied.begin(base);
        applied.propose(1, &edits);
        let parent = applied.parent(0, &[(1, Some(1)), (1, Some(2))]).unwrap();
        assert_eq!(parent, json!({"a": {"x": 1}, "b": 2, "c": [3, 4], "e": 1}));
        applied.keep(1, Some(&[0]), 1);
        assert_eq!(applied.parent(1, &[]).unwrap(), json!({"a": {"x": 2}, "b": 1, "c": [1, 2], "e": 1}));
        assert_eq!(applied.parent(1, &[(1, Some(9))]).unwrap(), child);
    }
}
