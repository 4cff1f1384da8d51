//! Effects as they were expected, and as they were measured.

use super::Trial;
use autoresearch_core::Fate;
use autoresearch_core::stats::spearman;
use serde::Serialize;

/// How well those who proposed knew what would come of it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Predicted {
    /// Every proposal with an expectation and a measured effect.
    pub points: Vec<Prediction>,
    /// The mean of what was expected.
    pub expected: f64,
    /// The mean of what was measured.
    pub measured: f64,
    /// How many expected a gain and showed one.
    pub right_sign: u64,
    /// Spearman's rank correlation; `None`: fewer than three points, or no spread.
    pub rank_correlation: Option<f64>,
    /// Its two-sided p-value.
    pub p: Option<f64>,
}

/// An expected and a measured effect.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct Prediction {
    /// Of which proposal.
    pub proposal: u64,
    /// What became of it.
    pub fate: Option<Fate>,
    /// What was expected.
    pub expected: f64,
    /// What was measured.
    pub measured: f64,
}

pub(super) fn predicted(trials: &[Trial]) -> Option<Predicted> {
    let point = |trial: &Trial| {
        let (expected, effect) = (trial.expected?, trial.effect?);
        Some(Prediction { proposal: trial.id, fate: trial.fate, expected, measured: effect.mean })
    };
    let points: Vec<Prediction> = trials.iter().filter_map(point).collect();
    if points.is_empty() {
        return None;
    }
    let (x, y): (Vec<f64>, Vec<f64>) = points.iter().map(|p| (p.expected, p.measured)).unzip();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let rank = (x.len() > 2).then(|| spearman(&x, &y).ok()).flatten().filter(|s| s.rho.is_finite());
    let p = rank.as_ref().map(|s| s.p_two_sided()).filter(|p| p.is_finite());
    Some(Predicted {
        expected: mean(&x),
        measured: mean(&y),
        right_sign: points.iter().filter(|p| p.expected > 0.0 && p.measured > 0.0).count() as u64,
        rank_correlation: rank.map(|s| s.rho),
        p,
        points,
    })
}
