//! Bounds on metrics other than the objective: memory, parameters, tokens per second.

use crate::failure::{FailureKind, RunFailure};
use crate::measure::Measurement;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A bound on a named metric ([`Measurement::metric`]) that holds whatever the policy.
///
/// *Hard* bounds ([`at_most`](Self::at_most), [`at_least`](Self::at_least)) hold for every run: one that breaks them
/// fails by the candidate's fault, and a baseline that breaks them stops the study. A *soft* bound
/// ([`within`](Self::within)) holds for every proposal that is kept: it may cost no more than that. Soft costs add up
/// over what is kept; a hard bound beside it limits the sum.
///
/// A run that does not give the metric fails: what is not measured has not been kept to.
///
/// ```
/// use autoresearch_core::{Constraint, Settings};
/// let settings = Settings::new()
///     .constraint(Constraint::at_most("memory_gb", 8.0))
///     .constraint(Constraint::within("memory_gb", 0.10));
/// # let _ = settings;
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Constraint {
    metric: String,
    bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Within(f64),
}

impl Constraint {
    /// Every run has at most this much of it.
    pub fn at_most(metric: impl Into<String>, bound: f64) -> Self {
        Self { metric: metric.into(), bound: Bound::AtMost(bound) }
    }

    /// Every run has at least this much of it.
    pub fn at_least(metric: impl Into<String>, bound: f64) -> Self {
        Self { metric: metric.into(), bound: Bound::AtLeast(bound) }
    }

    /// No proposal that is kept raises the metric's mean by more than this share (.10 for 10 %) of what it is without
    /// the proposal. Compared are the means over the runs that its acceptance rests on; their noise is not tested.
    pub fn within(metric: impl Into<String>, share: f64) -> Self {
        Self { metric: metric.into(), bound: Bound::Within(share) }
    }

    /// The metric that it is about.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// Whether it holds for what is kept, and not for every run.
    pub(crate) fn is_soft(&self) -> bool {
        matches!(self.bound, Bound::Within(_))
    }

    /// Whether anything can be held against it.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.metric.is_empty() {
            return Err(format!("the constraint '{self}' names no metric; give the metric's name"));
        }
        match self.bound {
            Bound::AtMost(x) | Bound::AtLeast(x) if !x.is_finite() => {
                Err(format!("the constraint '{self}' has a bound of {x}; give a finite number"))
            }
            Bound::Within(x) if !(x.is_finite() && x >= 0.0) => Err(format!(
                "the constraint '{self}' has a tolerance of {x}; give a share of 0 or more, .10 for 10 %"
            )),
            _ => Ok(()),
        }
    }

    /// What a run has of the metric.
    ///
    /// # Errors
    /// It has none, or breaks a hard bound: the candidate's fault.
    pub(crate) fn admit(&self, measurement: &Measurement) -> Result<f64, RunFailure> {
        let Some(&value) = measurement.metrics().get(&self.metric) else {
            let given: Vec<&str> = measurement.metrics().keys().map(String::as_str).collect();
            let given = if given.is_empty() { "none".into() } else { given.join(", ") };
            let message = format!(
                "the measurement has no metric '{}', which the constraint '{self}' is about (it has: {given}); add it \
                 in the evaluator with `Measurement::metric`",
                self.metric
            );
            return Err(RunFailure::candidate(message).kind(FailureKind::InvalidMetric));
        };
        let broken = match self.bound {
            Bound::AtMost(bound) => value > bound,
            Bound::AtLeast(bound) => value < bound,
            Bound::Within(_) => false,
        };
        if broken {
            let message = format!("{} is {value}, and the study allows {self}", self.metric);
            return Err(RunFailure::candidate(message).kind(FailureKind::Constraint));
        }
        Ok(value)
    }

    /// Why a proposal with these means of the metric, with and without it, is not kept.
    pub(crate) fn objection(&self, with: f64, without: f64) -> Option<String> {
        let Bound::Within(share) = self.bound else { return None };
        if !(with.is_finite() && without.is_finite()) {
            return Some(format!(
                "turned down: no two runs show what it does to {}, and the study allows {self}",
                self.metric
            ));
        }
        (with > without + share * without.abs()).then(|| {
            format!(
                "turned down: {} goes from {without:.4} to {with:.4}, and the study allows {self}",
                self.metric
            )
        })
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = &self.metric;
        match self.bound {
            Bound::AtMost(x) => write!(f, "{metric} at most {x}"),
            Bound::AtLeast(x) => write!(f, "{metric} at least {x}"),
            Bound::Within(x) => write!(f, "{metric} up by at most {} %", 100.0 * x),
        }
    }
}
