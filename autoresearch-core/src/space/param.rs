//! One parameter: its name, the values it can take, and when it matters.

use super::value::same_number;
use super::{MAX_INT, ParamValue, SpaceError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The values that a parameter can take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ParamKind {
    /// A number between two bounds, both included.
    Float {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
        /// Whether it is searched by factors rather than by differences.
        #[serde(default)]
        log: bool,
    },
    /// A whole number between two bounds, both included.
    Int {
        /// The lower bound.
        low: i64,
        /// The upper bound.
        high: i64,
        /// Whether it is searched by factors rather than by differences.
        #[serde(default)]
        log: bool,
    },
    /// One of these. Numbers in ascending order have neighbours; other values have none.
    Choice {
        /// The values, at least two.
        values: Vec<ParamValue>,
    },
    /// Yes or no.
    Bool,
}

impl ParamKind {
    /// Whether the parameter can take this value.
    ///
    /// An `f32` field holds the nearest `f32` of a bound, which may lie just beyond it; that is inside too.
    pub fn contains(&self, value: &ParamValue) -> bool {
        match self {
            Self::Float { low, high, .. } => value.as_f64().is_some_and(|x| {
                (*low..=*high).contains(&x) || same_number(*low, x) || same_number(*high, x)
            }),
            Self::Int { low, high, .. } => value.as_i64().is_some_and(|i| (*low..=*high).contains(&i)),
            Self::Choice { values } => values.iter().any(|v| v.is(value)),
            Self::Bool => matches!(value, ParamValue::Bool(_)),
        }
    }

    /// The first thing that is wrong with it, if anything is.
    pub(super) fn problem(&self) -> Option<String> {
        match self {
            Self::Float { low, high, .. }
                if !(low.is_finite() && high.is_finite() && (high - low).is_finite()) =>
            {
                Some(format!("the bounds {low:?} and {high:?} must be finite, and so must their distance"))
            }
            Self::Float { low, high, .. } if low >= high => Some(empty(low, high)),
            Self::Int { low, high, .. } if low >= high => Some(empty(low, high)),
            Self::Int { low, high, .. } if *low < -MAX_INT || *high > MAX_INT => {
                Some(format!("the bounds {low} and {high} must lie within ±2^53"))
            }
            Self::Float { low, log: true, .. } if *low <= 0.0 => Some(no_log(low)),
            Self::Int { low, log: true, .. } if *low <= 0 => Some(no_log(low)),
            Self::Float { .. } | Self::Int { .. } | Self::Bool => None,
            Self::Choice { values } => {
                let twice = values.iter().enumerate().find(|(i, v)| values.iter().take(*i).any(|w| w.is(v)));
                let nan = values.iter().find(|v| v.as_f64().is_some_and(|x| !x.is_finite()));
                match (values.len(), twice, nan) {
                    (0 | 1, ..) => {
                        Some(format!("it has {} values to choose from; give at least two", values.len()))
                    }
                    (_, Some((_, v)), _) => Some(format!("the value {v} is there twice")),
                    (_, _, Some(v)) => Some(format!("the value {v} is not finite")),
                    _ => None,
                }
            }
        }
    }
}

fn empty(low: &impl fmt::Debug, high: &impl fmt::Debug) -> String {
    format!("the range {low:?}..={high:?} is empty or a single value; the lower bound comes first")
}

fn no_log(low: &impl fmt::Debug) -> String {
    format!("a log range starts above 0, not at {low:?}")
}

impl fmt::Display for ParamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = |log: &bool| if *log { ", log scale" } else { "" };
        match self {
            Self::Float { low, high, log } => write!(f, "a number from {low:?} to {high:?}{}", scale(log)),
            Self::Int { low, high, log } => write!(f, "a whole number from {low} to {high}{}", scale(log)),
            Self::Choice { values } => {
                f.write_str("one of ")?;
                list(f, values)
            }
            Self::Bool => f.write_str("true or false"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, values: &[ParamValue]) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

/// A parameter matters only where another one has one of these values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Condition {
    /// The other parameter, which comes earlier in the space.
    pub on: String,
    /// The values.
    pub is: Vec<ParamValue>,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is ", self.on)?;
        for (i, value) in self.is.iter().enumerate() {
            write!(f, "{}{value}", if i == 0 { "" } else { " or " })?;
        }
        Ok(())
    }
}

/// One parameter of a [`ParamSpace`](super::ParamSpace).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Param {
    /// Its dotted path in the candidate's JSON.
    pub name: String,
    /// What it can be.
    #[serde(flatten)]
    pub kind: ParamKind,
    /// What it is, for people and models who propose.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// It matters only where all of these hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
    /// Whether a candidate may leave it unset: `None`, null, no such field.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

impl Param {
    pub(super) fn new(name: impl Into<String>, kind: ParamKind) -> Self {
        Self { name: name.into(), kind, doc: String::new(), when: Vec::new(), optional: false }
    }

    pub(super) fn outside(&self, value: &impl ToString) -> SpaceError {
        SpaceError::Outside {
            name: self.name.clone(),
            value: value.to_string(),
            allowed: self.kind.to_string(),
        }
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.kind)?;
        for (i, condition) in self.when.iter().enumerate() {
            write!(f, "{}{condition}", if i == 0 { "; only when " } else { " and " })?;
        }
        if self.optional {
            f.write_str("; may be unset")?;
        }
        if !self.doc.is_empty() {
            write!(f, ". {}", self.doc)?;
        }
        Ok(())
    }
}
