//! What the repetitions of a cell come to.
use super::cell::Cell;
use super::scenario::Scenario;
use autoresearch_core::testkit::landscape::Simulated;
use serde_json::{Map, Value, json};

/// A mean and its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mean {
    pub(super) mean: f64,
    pub(super) se: f64,
}

impl Mean {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let ss: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        Self { mean, se: if n > 1.0 { (ss / (n - 1.0) / n).sqrt() } else { f64::NAN } }
    }
}

/// What the repetitions of a cell come to.
#[derive(Debug, Clone)]
pub(super) struct Summary<'a> {
    pub(super) cell: &'a Cell,
    reps: usize,
    figures: Vec<(&'static str, Mean)>,
}

type Figure = fn(&Simulated) -> f64;

const FIGURES: &[(&str, Figure)] = &[
    ("fdr", |s| s.false_discovery_proportion()),
    ("fdr_unit", |s| s.false_discovery_proportion_of_units()),
    ("fdr_weak", |s| s.merit.weak as f64 / (s.merit.edits as f64).max(1.0)),
    ("any_false", |s| if s.merit.junk > 0 { 1.0 } else { 0.0 }),
    ("kept", |s| s.merit.edits as f64),
    ("true_gain", |s| s.true_gain),
    ("stack_gain", |s| s.stack_gain),
    ("ideal_gain", |s| s.ideal_gain),
    ("runs", |s| s.runs as f64),
    ("proposals", |s| s.proposals as f64),
    ("runs_per_proposal", |s| s.runs as f64 / (s.proposals as f64).max(1.0)),
    ("gain_per_1000_runs", |s| 1000.0 * s.true_gain / s.runs as f64),
    ("reported_minus_true", |s| s.reported_gain - s.true_gain),
];

impl<'a> Summary<'a> {
    pub(super) fn of(cell: &'a Cell, played: &[Simulated]) -> Self {
        let mean = |figure: Figure| Mean::of(played.iter().map(figure));
        let mut figures: Vec<_> = FIGURES.iter().map(|(name, figure)| (*name, mean(*figure))).collect();
        if let Scenario::Slots(_) = cell.kind {
            figures.push(("share_of_optimum", mean(|s| s.true_gain / s.ideal_gain)));
        }
        Self { cell, reps: played.len(), figures }
    }

    pub(super) fn get(&self, name: &str) -> Option<Mean> {
        self.figures.iter().find(|(known, _)| *known == name).map(|(_, mean)| *mean)
    }

    /// All of them, by name.
    pub(super) fn figures(&self) -> impl Iterator<Item = (&'static str, Mean)> + '_ {
        self.figures.iter().copied()
    }

    /// One line.
    pub(super) fn json(&self) -> String {
        let Cell { policy, scenario, options: o, .. } = self.cell;
        let mut all = Map::new();
        let settings = [
            ("policy", json!(policy)),
            ("scenario", json!(scenario)),
            ("sigma_v", json!(o.sigma_v)),
            ("noise", json!(o.noise)),
            ("interactions", json!(o.interactions)),
            ("seeds", json!(o.seeds)),
            ("tau", json!(o.tau)),
            ("conflicts", json!(o.conflicts)),
            ("missing", json!(o.missing)),
            ("budget", json!(o.budget)),
            ("stream", json!(o.proposals)),
            ("seed", json!(o.seed)),
            ("reps", json!(self.reps)),
        ];
        all.extend(settings.map(|(name, value)| (name.to_string(), value)));
        for (name, mean) in &self.figures {
            all.insert(name.to_string(), json!(mean.mean));
            all.insert(format!("{name}_se"), json!(mean.se));
        }
        Value::Object(all).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_and_its_error_by_hand() {
        let mean = Mean::of([1.0, 2.0, 3.0].into_iter());
        assert!((mean.mean - 2.0).abs() < 1e-12 && (mean.se - 1.0 / 3f64.sqrt()).abs() < 1e-12);
        assert!(Mean::of([1.0].into_iter()).se.is_nan());
    }
}
