//! A ready-made candidate: named values.

use super::{ParamValue, SpaceError};
use crate::compose::set_path;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Named values, in the order of their names: the candidate for those who have no struct of their own.
///
/// A dotted name is a path. As JSON a set is the object that a nested struct would be, so it converts to and from
/// your structs, and whatever works on one works on the other.
///
/// ```
/// use autoresearch_core::ParamSet;
/// # use serde::{Deserialize, Serialize};
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Optim { lr: f32, warmup: Option<u32> }
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Recipe { width: usize, optim: Optim }
///
/// let set = ParamSet::new().with("width", 64).with("optim.lr", 0.5);
/// let recipe: Recipe = set.to()?;
/// assert_eq!(recipe, Recipe { width: 64, optim: Optim { lr: 0.5, warmup: None } });
/// assert_eq!(ParamSet::of(&recipe)?, set);
/// assert_eq!(set.float("optim.lr")?, 0.5);
/// assert_eq!(set.int("optim.lr").unwrap_err().to_string(), "`optim.lr` is 0.5; it must be a whole number");
/// # Ok::<(), autoresearch_core::SpaceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParamSet(BTreeMap<String, ParamValue>);

impl ParamSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same set with this value.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a value; gives back the one that was there.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Option<ParamValue> {
        self.0.insert(name.into(), value.into())
    }

    /// Takes a value out.
    pub fn remove(&mut self, name: &str) -> Option<ParamValue> {
        self.0.remove(name)
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&ParamValue> {
        self.0.get(name)
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &ParamValue)> + '_ {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number; an integer counts.
    ///
    /// # Errors
    /// It is missing, or no number.
    pub fn float(&self, name: &str) -> Result<f64, SpaceError> {
        self.typed(name, "a number", |v| v.as_f64())
    }

    /// A whole number.
    ///
    /// # Errors
    /// It is missing, or no whole number.
    pub fn int(&self, name: &str) -> Result<i64, SpaceError> {
        self.typed(name, "a whole number", |v| v.as_i64())
    }

    /// Yes or no.
    ///
    /// # Errors
    /// It is missing, or no bool.
    pub fn bool(&self, name: &str) -> Result<bool, SpaceError> {
        self.typed(name, "true or false", |v| match v {
            ParamValue::Bool(b) => Some(*b),
            _ => None,
        })
    }

    /// A text.
    ///
    /// # Errors
    /// It is missing, or no text.
    pub fn text(&self, name: &str) -> Result<&str, SpaceError> {
        self.typed(name, "a text", |v| match v {
            ParamValue::Text(s) => Some(s.as_str()),
            _ => None,
        })
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&'a ParamValue) -> Option<T>,
    ) -> Result<T, SpaceError> {
        let (name_, allowed) = (name.to_string(), wanted.to_string());
        match self.0.get(name) {
            None => Err(SpaceError::Missing { name: name_, allowed }),
            Some(value) => read(value).ok_or_else(|| SpaceError::Outside {
                name: name_,
                value: value.to_json().to_string(),
                allowed,
            }),
        }
    }

    /// The set as your own struct.
    ///
    /// # Errors
    /// A field has no value here, or one of another type.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, SpaceError> {
        self.to_json()
            .and_then(|v| serde_json::from_value(v).map_err(|e| e.to_string()))
            .map_err(SpaceError::candidate)
    }

    /// Your own struct as a set. What is `None` is left out.
    ///
    /// # Errors
    /// It is no object in JSON, or a field holds a list.
    pub fn of<T: Serialize>(value: &T) -> Result<Self, SpaceError> {
        let value = serde_json::to_value(value).map_err(SpaceError::candidate)?;
        Self::from_json(&value).map_err(SpaceError::candidate)
    }

    fn to_json(&self) -> Result<Value, String> {
        let mut object = Value::Object(serde_json::Map::new());
        for (name, value) in &self.0 {
            // JSON would silently make these null.
            if let ParamValue::Float(x) = value
                && !x.is_finite()
            {
                return Err(format!("`{name}` is {x}, which is no number in JSON"));
            }
            let clash =
                self.0.range(format!("{name}.")..).next().filter(|(k, _)| k.starts_with(&format!("{name}.")));
            if let Some((inner, _)) = clash {
                return Err(format!("`{name}` cannot hold both a value and `{inner}`"));
            }
            if !super::is_path(name) {
                return Err(format!("`{name}` is no name; write it like `lr` or `optim.lr`"));
            }
            set_path(&mut object, name, value.to_json());
        }
        Ok(object)
    }

    fn from_json(value: &Value) -> Result<Self, String> {
        fn walk(path: &str, value: &Value, out: &mut ParamSet) -> Result<(), String> {
            match value {
                Value::Null => {}
                Value::Object(map) => {
                    for (key, value) in map {
                        let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                        walk(&name, value, out)?;
                    }
                }
                _ => {
                    let value = ParamValue::from_json(value)
                        .ok_or_else(|| format!("`{path}` is a list, not a value"))?;
                    out.set(path, value);
                }
            }
            Ok(())
        }
        if !value.is_object() {
            return Err(format!("{value} has no names"));
        }
        let mut set = Self::default();
        walk("", value, &mut set)?;
        Ok(set)
    }
}

impl<N: Into<String>, V: Into<ParamValue>> FromIterator<(N, V)> for ParamSet {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(values: I) -> Self {
        values.into_iter().fold(Self::new(), |set, (name, value)| set.with(name, value))
    }
}

impl fmt::Display for ParamSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name} {value}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Serialize for ParamSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ParamSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
