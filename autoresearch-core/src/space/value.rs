//! One parameter's value.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// One parameter's value. As JSON it is the bare number, bool or string; an integer stays an integer.
///
/// `Display` is exact: the shortest text that reads back as the same value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParamValue {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A category; also the name of a unit-like enum's variant, as serde writes it.
    Text(String),
}

impl ParamValue {
    /// As a number; an integer counts.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(i) => Some(*i as f64),
            Self::Float(x) => Some(*x),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }

    /// As a whole number; a float without a fraction counts.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(i) => Some(*i),
            // Beyond 2^53 a float says nothing about the integer that was meant.
            Self::Float(x) if x.fract() == 0.0 && x.abs() <= super::MAX_INT as f64 => Some(*x as i64),
            _ => None,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Bool(b) => Value::from(*b),
            Self::Int(i) => Value::from(*i),
            Self::Float(x) => Value::from(*x),
            Self::Text(s) => Value::from(s.as_str()),
        }
    }

    /// `None` for null, lists and objects.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(b) => Some(Self::Bool(*b)),
            Value::Number(n) => n.as_i64().map(Self::Int).or_else(|| n.as_f64().map(Self::Float)),
            Value::String(s) => Some(Self::Text(s.clone())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Whether `held`, as a candidate wrote it, is this value: `3.0` is `3`, and so is what an `f32` field makes of it.
    pub(crate) fn is(&self, held: &Self) -> bool {
        match (self.as_f64(), held.as_f64()) {
            (Some(a), Some(b)) => same_number(a, b),
            _ => self == held,
        }
    }
}

/// Whether a field that was given `given` may hold `held`: the same, or the nearest `f32`.
pub(crate) fn same_number(given: f64, held: f64) -> bool {
    given == held || f64::from(given as f32) == held
}

impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(i) => write!(f, "{i}"),
            Self::Float(x) => write!(f, "{x:?}"),
            Self::Text(s) => f.write_str(s),
        }
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),+) => {$(
        impl From<$from> for ParamValue {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )+};
}
from!(bool => Bool, i8 => Int, i16 => Int, i32 => Int, i64 => Int, u8 => Int, u16 => Int, u32 => Int, f32 => Float,
    f64 => Float, &str => Text, String => Text);
