//! Three-way merge: the one operation behind stacks, stale proposals, ablation and transfer.

use crate::candidate::Candidate;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// Why a change does not apply to a candidate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("conflict in {place}: {reason}")]
pub struct Conflict {
    /// Where: a key, a file and line.
    pub place: String,
    /// What clashes.
    pub reason: String,
}

/// Where on its key a unit stands: what a policy may learn from without seeing a candidate.
#[derive(Debug, Clone, PartialEq)]
pub enum Level {
    /// A place on the key's own scale, between 0 and 1.
    Number(f64),
    /// One of several that have no order.
    Choice(String),
}

/// The smallest change that can be switched on alone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Unit<C> {
    /// What it switches: a parameter's key. Units with one key exclude each other, and the later one supersedes the
    /// earlier. The empty key: the change as a whole, which excludes nothing.
    pub key: String,
    /// The value that it gives its key, where that is known.
    pub level: Option<Level>,
    /// The value that the key had in the parent, where that is known.
    pub from: Option<Level>,
    /// The parent with this change alone.
    pub edited: C,
}

impl<C> Unit<C> {
    /// A unit.
    pub fn new(key: impl Into<String>, edited: C) -> Self {
        Self { key: key.into(), level: None, from: None, edited }
    }

    /// Says which value it gives its key, and which the key had in the parent.
    #[must_use]
    pub fn levels(mut self, from: Option<Level>, to: Option<Level>) -> Self {
        (self.from, self.level) = (from, to);
        self
    }
}

/// Applies to `base` the change that turned `parent` into `edited`.
///
/// Laws: `apply(parent, parent, edited) = edited`; `apply(base, parent, parent) = base`.
pub trait Compose<C>: Send + Sync {
    /// The merged candidate.
    ///
    /// # Errors
    /// Both sides changed the same place, or the result would not be valid.
    fn apply(&self, base: &C, parent: &C, edited: &C) -> Result<C, Conflict>;

    /// Splits a change into what can be switched alone, always in the same order. The default: it cannot be split.
    fn units(&self, _parent: &C, edited: &C) -> Vec<Unit<C>>
    where
        C: Clone,
    {
        vec![Unit::new("", edited.clone())]
    }

    /// Gives `base` the unit's value, whatever value its key has there. The default applies it as a change.
    ///
    /// # Errors
    /// The result would not be valid, or the change does not apply.
    fn switch(&self, base: &C, parent: &C, unit: &Unit<C>) -> Result<C, Conflict> {
        self.apply(base, parent, &unit.edited)
    }

    /// The value of a unit's key in a candidate, in words, where that can be said. The default: it cannot.
    fn value(&self, _candidate: &C, _key: &str) -> Option<String> {
        None
    }

    /// A candidate in words that leave out whatever makes no difference to a run's outcome but chance (the seed, comments,
    /// white space), so that two candidates with the same words need not both be run. The default: nothing is known to
    /// make no difference.
    fn canonical(&self, _candidate: &C) -> Option<String> {
        None
    }

    /// Whether the later of two changes cannot be had without the earlier, which its parent contains: then the two are
    /// one unit. The default takes the earlier one back and sees whether the later still applies.
    fn needs(&self, later: Change<'_, C>, earlier: Change<'_, C>) -> bool {
        match self.apply(later.parent, earlier.edited, earlier.parent) {
            Ok(without) => self.apply(&without, later.parent, later.edited).is_err(),
            Err(_) => true,
        }
    }

    /// Which share of what may be changed differs between the two, where that can be said: the editable lines of a
    /// source tree. Policies that fuse overlapping edits certify before too much of it is covered.
    fn coverage(&self, _incumbent: &C, _stack: &C) -> Option<f64> {
        None
    }
}

/// A change: what it was made on, and what it made of that.
#[derive(Debug)]
pub struct Change<'a, C> {
    /// What it was made on.
    pub parent: &'a C,
    /// What came out.
    pub edited: &'a C,
}

impl<C, T: Compose<C> + ?Sized> Compose<C> for Arc<T> {
    fn apply(&self, base: &C, parent: &C, edited: &C) -> Result<C, Conflict> {
        (**self).apply(base, parent, edited)
    }
    fn units(&self, parent: &C, edited: &C) -> Vec<Unit<C>>
    where
        C: Clone,
    {
        (**self).units(parent, edited)
    }
    fn switch(&self, base: &C, parent: &C, unit: &Unit<C>) -> Result<C, Conflict> {
        (**self).switch(base, parent, unit)
    }
    fn value(&self, candidate: &C, key: &str) -> Option<String> {
        (**self).value(candidate, key)
    }
    fn canonical(&self, candidate: &C) -> Option<String> {
        (**self).canonical(candidate)
    }
    fn needs(&self, later: Change<'_, C>, earlier: Change<'_, C>) -> bool {
        (**self).needs(later, earlier)
    }
    fn coverage(&self, incumbent: &C, stack: &C) -> Option<f64> {
        (**self).coverage(incumbent, stack)
    }
}

/// Field-by-field merge for any struct that serde can write as an object; nested objects merge key by key.
///
/// A field that both sides changed, to different values, is a [`Conflict`]. Every changed field is a unit.
///
/// ```
/// use autoresearch_core::{Compose, FieldMerge};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
/// struct Recipe { lr: f64, width: u32 }
/// let parent = Recipe { lr: 1e-3, width: 64 };
/// let faster = Recipe { lr: 3e-3, ..parent.clone() };
/// let wider = Recipe { width: 128, ..parent.clone() };
/// assert_eq!(FieldMerge::new().apply(&wider, &parent, &faster)?, Recipe { lr: 3e-3, width: 128 });
/// assert!(FieldMerge::new().apply(&Recipe { lr: 9e-3, width: 64 }, &parent, &faster).is_err());
/// # Ok::<(), autoresearch_core::Conflict>(())
/// ```
#[derive(Clone, Default)]
pub struct FieldMerge {
    check: Option<Arc<Check>>,
    place: Option<Arc<Place>>,
}

type Check = dyn Fn(&Value) -> Result<(), String> + Send + Sync;
type Place = dyn Fn(&str, &Value) -> Option<Level> + Send + Sync;

impl fmt::Debug for FieldMerge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldMerge").field("checked", &self.check.is_some()).finish()
    }
}

impl FieldMerge {
    /// A merge that accepts whatever deserialises.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has `check` look at every merged object; its message becomes the conflict's reason.
    #[must_use]
    pub fn checked(mut self, check: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// Has `place` say where on its scale the value of a path stands.
    #[must_use]
    pub fn placed(mut self, place: impl Fn(&str, &Value) -> Option<Level> + Send + Sync + 'static) -> Self {
        self.place = Some(Arc::new(place));
        self
    }

    /// The fields in which two candidates differ, as dotted paths in order with both values; null where there is none.
    ///
    /// # Errors
    /// One of them cannot be written as JSON.
    pub fn differences<C: Serialize>(
        &self,
        from: &C,
        to: &C,
    ) -> Result<Vec<(String, Value, Value)>, Conflict> {
        let (from, to) = (to_value(from)?, to_value(to)?);
        let before = |path: &str| get_path(&from, path).cloned().unwrap_or(Value::Null);
        Ok(differences(&from, &to).into_iter().map(|(path, to)| (path.clone(), before(&path), to)).collect())
    }

    fn finish<C: DeserializeOwned>(&self, merged: Value) -> Result<C, Conflict> {
        if let Some(check) = &self.check {
            check(&merged).map_err(|reason| Conflict { place: "the merged candidate".into(), reason })?;
        }
        from_value(merged)
    }
}

fn to_value<C: Serialize>(c: &C) -> Result<Value, Conflict> {
    serde_json::to_value(c).map_err(|e| Conflict {
        place: "the candidate".into(),
        reason: format!("cannot be written as JSON: {e}"),
    })
}

fn from_value<C: DeserializeOwned>(value: Value) -> Result<C, Conflict> {
    serde_json::from_value(value)
        .map_err(|e| Conflict { place: "the merged candidate".into(), reason: format!("is not valid: {e}") })
}

/// Merges `edited` into `base`; a key that is missing on one side counts as null.
fn merge(path: &str, base: &Value, parent: &Value, edited: &Value) -> Result<Value, Conflict> {
    if parent == edited || base == edited {
        return Ok(base.clone());
    }
    if let (Value::Object(b), Value::Object(p), Value::Object(e)) = (base, parent, edited) {
        let mut merged = Map::new();
        let mut keys: Vec<&String> = b.keys().chain(e.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let at = |m: &Map<String, Value>| m.get(key).cloned().unwrap_or(Value::Null);
            let value = merge(&join(path, key), &at(b), &at(p), &at(e))?;
            if !value.is_null() || b.contains_key(key) && e.contains_key(key) {
                merged.insert(key.clone(), value);
            }
        }
        return Ok(Value::Object(merged));
    }
    if base == parent {
        return Ok(edited.clone());
    }
    let place = if path.is_empty() { "the candidate".into() } else { path.to_string() };
    Err(Conflict { place, reason: format!("the change {parent} -> {edited} meets {base}") })
}

/// Whether a dotted path names a seed: chance, not a choice.
pub(crate) fn is_seed(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path).to_lowercase();
    name == "seed" || name.ends_with("_seed")
}

fn drop_seeds(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|name, _| !is_seed(name));
        fields.values_mut().for_each(drop_seeds);
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.into() } else { format!("{path}.{key}") }
}

/// The leaves in which two values differ, as dotted paths with the edited value, in key order.
pub(crate) fn differences(parent: &Value, edited: &Value) -> Vec<(String, Value)> {
    fn walk(path: &str, parent: &Value, edited: &Value, out: &mut Vec<(String, Value)>) {
        if parent == edited {
            return;
        }
        match (parent, edited) {
            (Value::Object(p), Value::Object(e)) => {
                let mut keys: Vec<&String> = p.keys().chain(e.keys()).collect();
                keys.sort_unstable();
                keys.dedup();
                for key in keys {
                    let at = |m: &Map<String, Value>| m.get(key).cloned().unwrap_or(Value::Null);
                    walk(&join(path, key), &at(p), &at(e), out);
                }
            }
            _ => out.push((path.to_string(), edited.clone())),
        }
    }
    let mut out = Vec::new();
    walk("", parent, edited, &mut out);
    out
}

/// Sets the leaf at a dotted path, making objects on the way.
pub(crate) fn set_path(target: &mut Value, path: &str, value: Value) {
    let mut at = target;
    for key in path.split('.').filter(|k| !k.is_empty()) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = match at {
            Value::Object(map) => map.entry(key.to_string()).or_insert(Value::Null),
            _ => return,
        };
    }
    *at = value;
}

/// The leaf at a dotted path.
pub(crate) fn get_path<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|k| !k.is_empty()).try_fold(value, |v, key| v.get(key))
}

impl<C: Candidate + Serialize + DeserializeOwned> Compose<C> for FieldMerge {
    fn apply(&self, base: &C, parent: &C, edited: &C) -> Result<C, Conflict> {
        self.finish(merge("", &to_value(base)?, &to_value(parent)?, &to_value(edited)?)?)
    }

    fn units(&self, parent: &C, edited: &C) -> Vec<Unit<C>> {
        let (Ok(p), Ok(e)) = (to_value(parent), to_value(edited)) else {
            return vec![Unit::new("", edited.clone())];
        };
        let split: Result<Vec<Unit<C>>, Conflict> = differences(&p, &e)
            .into_iter()
            .map(|(path, value)| {
                let place = |v: &Value| self.place.as_ref().and_then(|place| place(&path, v));
                let from = get_path(&p, &path).and_then(place);
                let to = place(&value);
                let mut alone = p.clone();
                set_path(&mut alone, &path, value);
                Ok(Unit::new(path.clone(), from_value(alone)?).levels(from, to))
            })
            .collect();
        // Fields that are valid only together are one unit.
        split.unwrap_or_else(|_| vec![Unit::new("", edited.clone())])
    }

    fn switch(&self, base: &C, parent: &C, unit: &Unit<C>) -> Result<C, Conflict> {
        if unit.key.is_empty() {
            return self.apply(base, parent, &unit.edited);
        }
        let mut merged = to_value(base)?;
        let value = get_path(&to_value(&unit.edited)?, &unit.key).cloned().unwrap_or(Value::Null);
        set_path(&mut merged, &unit.key, value);
        self.finish(merged)
    }

    fn value(&self, candidate: &C, key: &str) -> Option<String> {
        let value = to_value(candidate).ok()?;
        get_path(&value, key).map(ToString::to_string)
    }

    /// The JSON without fields that are called `seed`, or end in `_seed`.
    fn canonical(&self, candidate: &C) -> Option<String> {
        let mut value = to_value(candidate).ok()?;
        drop_seeds(&mut value);
        Some(value.to_string())
    }
}
