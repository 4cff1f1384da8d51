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
    /// Those of them whose expectation is absurd: more than a thousand times the largest effect that was measured. They
    /// stand in `points` and in `signs`, and are left out of everything else.
    pub absurd: Vec<u64>,
    /// The mean of what was expected.
    pub expected: f64,
    /// The mean of what was measured.
    pub measured: f64,
    /// The median of what was expected.
    pub median_expected: f64,
    /// The median of what was measured.
    pub median_measured: f64,
    /// How many expected a gain, nothing, a loss (rows), and showed a gain, nothing, a loss (columns).
    pub signs: [[u64; 3]; 3],
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

impl Predicted {
    /// The points whose expectation is not absurd.
    pub fn sound(&self) -> impl Iterator<Item = &Prediction> {
        self.points.iter().filter(|p| !self.absurd.contains(&p.proposal))
    }
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
    let largest = points.iter().map(|p| p.measured.abs()).fold(0.0, f64::max);
    let is_absurd = |p: &Prediction| largest > 0.0 && p.expected.abs() / 1000.0 > largest;
    let absurd: Vec<u64> = points.iter().filter(|p| is_absurd(p)).map(|p| p.proposal).collect();
    let sound = points.iter().filter(|p| !is_absurd(p));
    let (x, y): (Vec<f64>, Vec<f64>) = sound.map(|p| (p.expected, p.measured)).unzip();
    let mut signs = [[0; 3]; 3];
    let sign = |v: f64| if v > 0.0 { 0 } else { 1 + usize::from(v < 0.0) };
    for p in &points {
        signs[sign(p.expected)][sign(p.measured)] += 1;
    }
    // Of none, none: all that was expected is absurd.
    let mean = |values: &[f64]| values.iter().map(|v| v / values.len().max(1) as f64).sum::<f64>();
    let rank = (x.len() > 2).then(|| spearman(&x, &y).ok()).flatten().filter(|s| s.rho.is_finite());
    let p = rank.as_ref().map(|s| s.p_two_sided()).filter(|p| p.is_finite());
    Some(Predicted {
        expected: mean(&x),
        measured: mean(&y),
        median_expected: median(&x),
        median_measured: median(&y),
        absurd,
        signs,
        right_sign: points.iter().filter(|p| p.expected > 0.0 && p.measured > 0.0).count() as u64,
        rank_correlation: rank.map(|s| s.rho),
        p,
        points,
    })
}

/// The middle value, or half way between the two in the middle; 0 of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |i: usize| sorted.get(i).copied().unwrap_or(0.0);
    let n = sorted.len();
    if n.is_multiple_of(2) { at((n / 2).saturating_sub(1)) / 2.0 + at(n / 2) / 2.0 } else { at(n / 2) }
}
