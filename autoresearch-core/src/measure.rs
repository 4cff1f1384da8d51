//! What a run was found to be worth: validated at the door, so that later code need not ask again.

use crate::curve::CurvePoint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Whether a lower or a higher objective is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Lower is better: losses, bits per byte, seconds.
    #[default]
    Minimize,
    /// Higher is better: accuracy, reward.
    Maximize,
}

impl Direction {
    /// The objective as a loss (lower is better), the form in which acceptors see it.
    pub fn loss(self, objective: f64) -> f64 {
        match self {
            Self::Minimize => objective,
            Self::Maximize => -objective,
        }
    }
}

/// Why numbers cannot be a [`Measurement`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MeasurementError {
    /// There was nothing to average.
    #[error("a measurement needs at least one value; the evaluator gave none")]
    Empty,
    /// A number was NaN or infinite.
    #[error("{what} is {value}; a measurement holds finite numbers only")]
    NotFinite {
        /// Which number.
        what: String,
        /// What it was.
        value: f64,
    },
    /// Weights or clusters do not match the values.
    #[error("{got} {what} for {values} values; there must be one for each value")]
    LengthMismatch {
        /// Weights or clusters.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many values there are.
        values: usize,
    },
    /// A point of the curve is out of order.
    #[error("the curve's steps and tokens must rise; point {0} does not come after the one before")]
    Curve(usize),
    /// A weight was negative, or all were zero.
    #[error("weights must be positive; {0}")]
    Weights(String),
}

/// One value a unit: a document, an image, a task. What lets the study see the split's own noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerUnit {
    pub(crate) values: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weights: Option<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clusters: Option<Vec<u64>>,
}

impl PerUnit {
    /// The values, one a unit.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Their weights (bytes of a document, say), if they differ.
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// Which source each unit came from, where several units share one.
    pub fn clusters(&self) -> Option<&[u64]> {
        self.clusters.as_deref()
    }
}

/// An objective, optionally its per-unit values, and named metrics. Every number in it is finite.
///
/// ```
/// use autoresearch_core::Measurement;
/// let m = Measurement::new([2.0, 4.0])?.weights([3.0, 1.0])?.metric("tokens_per_s", 11_000.0)?;
/// assert_eq!(m.objective(), 2.5);
/// assert!(Measurement::new([f64::NAN]).is_err());
/// # Ok::<(), autoresearch_core::MeasurementError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Measurement {
    objective: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    units: Option<PerUnit>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metrics: BTreeMap<String, f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    curve: Vec<CurvePoint>,
}

fn finite(what: impl fmt::Display, value: f64) -> Result<f64, MeasurementError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(MeasurementError::NotFinite { what: what.to_string(), value })
    }
}

impl Measurement {
    /// A measurement from one value a unit; the objective is their (weighted) mean.
    ///
    /// # Errors
    /// No values, or one that is not finite (the error says which).
    pub fn new(values: impl IntoIterator<Item = f64>) -> Result<Self, MeasurementError> {
        let values: Vec<f64> = values.into_iter().collect();
        for (i, v) in values.iter().enumerate() {
            finite(format_args!("value {i}"), *v)?;
        }
        if values.is_empty() {
            return Err(MeasurementError::Empty);
        }
        let objective = finite("the mean of the values", values.iter().sum::<f64>() / values.len() as f64)?;
        let units = Some(PerUnit { values, weights: None, clusters: None });
        Ok(Self { objective, direction: None, units, metrics: BTreeMap::new(), curve: Vec::new() })
    }

    /// A measurement that is one number, with no units behind it. The split's own noise is then unknown.
    ///
    /// # Errors
    /// The number is not finite.
    pub fn scalar(objective: f64) -> Result<Self, MeasurementError> {
        finite("the objective", objective)?;
        Ok(Self { objective, direction: None, units: None, metrics: BTreeMap::new(), curve: Vec::new() })
    }

    /// Weights of the values (bytes of each document, say): the objective becomes their weighted mean.
    ///
    /// # Errors
    /// Another number of weights than values, a negative or non-finite weight, all weights zero.
    pub fn weights(mut self, weights: impl IntoIterator<Item = f64>) -> Result<Self, MeasurementError> {
        let weights: Vec<f64> = weights.into_iter().collect();
        let values = self.units.as_ref().map_or(&[][..], PerUnit::values);
        if weights.len() != values.len() {
            let (got, values) = (weights.len(), values.len());
            return Err(MeasurementError::LengthMismatch { what: "weights", got, values });
        }
        for (i, w) in weights.iter().enumerate() {
            if finite(format_args!("weight {i}"), *w)? < 0.0 {
                return Err(MeasurementError::Weights(format!("weight {i} is {w}")));
            }
        }
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            return Err(MeasurementError::Weights("their sum is zero".into()));
        }
        let sum: f64 = values.iter().zip(&weights).map(|(v, w)| v * w).sum();
        self.objective = finite("the weighted mean", sum / total)?;
        if let Some(units) = &mut self.units {
            units.weights = Some(weights);
        }
        Ok(self)
    }

    /// Which source each value came from, where several values share one (excerpts of one document).
    ///
    /// # Errors
    /// Another number of clusters than values.
    pub fn clusters(mut self, clusters: impl IntoIterator<Item = u64>) -> Result<Self, MeasurementError> {
        let clusters: Vec<u64> = clusters.into_iter().collect();
        let values = self.units.as_ref().map_or(0, |u| u.values.len());
        if clusters.len() != values {
            return Err(MeasurementError::LengthMismatch { what: "clusters", got: clusters.len(), values });
        }
        if let Some(units) = &mut self.units {
            units.clusters = Some(clusters);
        }
        Ok(self)
    }

    /// Adds a named metric (peak memory in GB, tokens per second, parameters).
    ///
    /// # Errors
    /// The number is not finite.
    pub fn metric(mut self, name: impl Into<String>, value: f64) -> Result<Self, MeasurementError> {
        let name = name.into();
        finite(format_args!("metric '{name}'"), value)?;
        self.metrics.insert(name, value);
        Ok(self)
    }

    /// Adds the run's training curve, about 100 points of it: a certification tells from it how much sooner what was kept
    /// reaches the loss that the origin ends at.
    ///
    /// # Errors
    /// A number is not finite, or steps or tokens do not rise.
    pub fn curve(mut self, points: impl IntoIterator<Item = CurvePoint>) -> Result<Self, MeasurementError> {
        let points: Vec<CurvePoint> = points.into_iter().collect();
        for (i, point) in points.iter().enumerate() {
            for (what, value) in [("loss", point.loss), ("seconds", point.seconds), ("flops", point.flops)] {
                finite(format_args!("the {what} of the curve's point {i}"), value)?;
            }
            let before = i.checked_sub(1).map(|before| &points[before]);
            if before.is_some_and(|before| before.step >= point.step || before.tokens > point.tokens) {
                return Err(MeasurementError::Curve(i));
            }
        }
        self.curve = points;
        Ok(self)
    }

    /// States that this objective is to be made as `direction` says; a study told otherwise refuses it.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// The number that the study steers by.
    pub fn objective(&self) -> f64 {
        self.objective
    }

    /// The direction that the evaluator stated, if it did.
    pub fn stated_direction(&self) -> Option<Direction> {
        self.direction
    }

    /// The values behind the objective, if there are any.
    pub fn units(&self) -> Option<&PerUnit> {
        self.units.as_ref()
    }

    /// The named metrics.
    pub fn metrics(&self) -> &BTreeMap<String, f64> {
        &self.metrics
    }

    /// The run's training curve, if the evaluator gave one.
    pub fn training_curve(&self) -> &[CurvePoint] {
        &self.curve
    }
}

/// The stored form; deserialising goes through the same checks as constructing.
#[derive(Deserialize)]
struct Raw {
    objective: f64,
    #[serde(default)]
    direction: Option<Direction>,
    #[serde(default)]
    units: Option<PerUnit>,
    #[serde(default)]
    metrics: BTreeMap<String, f64>,
    #[serde(default)]
    curve: Vec<CurvePoint>,
}

impl TryFrom<Raw> for Measurement {
    type Error = MeasurementError;

    fn try_from(raw: Raw) -> Result<Self, Self::Error> {
        let mut m = match raw.units {
            None => Self::scalar(raw.objective)?,
            Some(units) => {
                let mut m = Self::new(units.values)?;
                if let Some(weights) = units.weights {
                    m = m.weights(weights)?;
                }
                if let Some(clusters) = units.clusters {
                    m = m.clusters(clusters)?;
                }
                finite("the objective", raw.objective)?;
                m.objective = raw.objective; // bit for bit as it was written
                m
            }
        };
        m.direction = raw.direction;
        for (name, value) in raw.metrics {
            m = m.metric(name, value)?;
        }
        m.curve(raw.curve)
    }
}
