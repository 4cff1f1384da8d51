//! The verdict on each kept row.

use super::chance::luckiest;
use super::noise::{NoiseSource, RunNoise};
use super::repeats::SeedsOfRepeat;
use crate::measure::Direction;
use crate::stats::{Moments, chi_square_quantile, normal_quantile, student_sf};
use serde::{Deserialize, Serialize};
use std::fmt;

/// With fewer degrees of freedom behind the noise no row is said to be within it.
const FEW: f64 = 3.0;

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Undecided {
    /// Nothing tells how large run noise is.
    NoiseUnknown,
    /// Too few repeats tell how large run noise is: it may be far smaller or larger.
    FewRepeats,
    /// The noise is known well enough, and the gain is neither beyond it nor small beside it.
    Inconclusive,
    /// The row or the one before it has no value.
    NoValue,
    /// The gain is not small beside the spread of repeats, but nobody knows whether those used different seeds.
    SeedsUnknown,
    /// Which way is better, or which row came first, is not known: the name of the metric and what was kept contradict
    /// each other.
    DirectionUnknown,
}

/// Whether the gain of a kept row can be told from run noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It is what the others are compared with.
    Baseline,
    /// The gain exceeds what the luckiest of all tries would show if none of them did anything.
    BeyondNoise,
    /// It would exceed noise if it had been the only try; with all tries counted it does not.
    BeyondNoiseAlone,
    /// A mere change of seed does as much.
    WithinNoise,
    /// The row was kept although its value is no better than that of the one before.
    NotBetter,
    /// Nothing but the seed was changed: there is no edit that could have gained anything.
    SeedOnly,
    /// It repeats the row before: there is no edit that could have gained anything.
    Repeat,
    /// Nothing can be said.
    Undecidable(Undecided),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Baseline => "baseline",
            Self::BeyondNoise => "beyond noise",
            Self::BeyondNoiseAlone => "beyond noise alone, not among all tries",
            Self::WithinNoise => "within noise",
            Self::NotBetter => "not better",
            Self::SeedOnly => "only the seed changed",
            Self::Repeat => "a repeat",
            Self::Undecidable(Undecided::NoiseUnknown) => "undecidable: noise unknown",
            Self::Undecidable(Undecided::FewRepeats) => "undecidable: too few repeats",
            Self::Undecidable(Undecided::Inconclusive) => "undecidable: inconclusive at this noise",
            Self::Undecidable(Undecided::NoValue) => "undecidable: no value",
            Self::Undecidable(Undecided::SeedsUnknown) => "undecidable: seeds of the repeats unknown",
            Self::Undecidable(Undecided::DirectionUnknown) => "undecidable: which way is better?",
        })
    }
}

/// A kept row and what can be said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditedRow {
    /// Its line in the log, counted from 1; for a store the number of the event that settled it.
    pub line: u64,
    /// What names it in the log; empty where nothing does.
    pub id: String,
    /// What was tried, in words.
    pub description: String,
    /// Its value, in the metric's units: the mean where several runs stand behind it.
    pub value: Option<f64>,
    /// Runs behind the value.
    pub runs: u32,
    /// The value of the kept row before it.
    pub before: Option<f64>,
    /// The improvement on the kept row before it: positive for better, whatever the direction.
    pub gain: Option<f64>,
    /// The standard error of the gain: `sd·sqrt(1/runs + 1/runs before)`; where the row is [paired](Self::paired),
    /// `sd of the differences/sqrt(pairs)`.
    pub standard_error: Option<f64>,
    /// Pairs of runs on equal seeds, where the gain is the mean of their differences, with as many degrees of freedom
    /// less one; `None` where the two sides are compared by their means.
    #[serde(default)]
    pub paired: Option<u32>,
    /// One-sided p-value of the gain as if it had been the only try (Student's t; normal where the noise is exact).
    pub p: Option<f64>,
    /// The same with every try of the log counted: at most how often the luckiest of them would gain as much if none
    /// did anything.
    pub p_adjusted: Option<f64>,
    /// The gain over the typical difference that a change of seed alone makes between two such rows: above 1 it is
    /// larger. A comparison, no test.
    pub ratio: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
}

/// A row to be judged, and what it is compared with.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) line: u64,
    pub(super) id: String,
    pub(super) description: String,
    pub(super) value: Option<f64>,
    pub(super) runs: u32,
    /// Value and runs of the kept row before; `None` for the baseline.
    pub(super) before: Option<(Option<f64>, u32)>,
    /// Whether it repeats the kept row before, and on which seeds.
    pub(super) repeats: Option<SeedsOfRepeat>,
}

/// What all rows are judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) noise: &'a RunNoise,
    pub(super) direction: Direction,
    pub(super) alpha: f64,
    pub(super) tries: usize,
    /// Below this many standard errors a gain is within noise even if the noise is as small as the repeats leave
    /// possible (95 %).
    pub(super) within: f64,
}

impl<'a> Bench<'a> {
    pub(super) fn new(noise: &'a RunNoise, direction: Direction, alpha: f64, tries: usize) -> Self {
        let df = noise.freedom();
        let smallest = if df.is_infinite() { 1.0 } else { (df / chi_square_quantile(0.95, df)).sqrt() };
        Self { noise, direction, alpha, tries, within: -normal_quantile(alpha) * smallest }
    }

    pub(super) fn judge(&self, trial: Trial) -> AuditedRow {
        let mut row = AuditedRow {
            line: trial.line,
            id: trial.id,
            description: trial.description,
            value: trial.value,
            runs: trial.runs,
            before: trial.before.and_then(|(value, _)| value),
            gain: None,
            standard_error: None,
            paired: None,
            p: None,
            p_adjusted: None,
            ratio: None,
            verdict: Verdict::Baseline,
        };
        let Some((_, runs_before)) = trial.before else { return row };
        let (Some(value), Some(before)) = (row.value, row.before) else {
            row.verdict = Verdict::Undecidable(Undecided::NoValue);
            return row;
        };
        let gain = self.direction.loss(before) - self.direction.loss(value);
        let share = (1.0 / f64::from(trial.runs.max(1)) + 1.0 / f64::from(runs_before.max(1))).sqrt();
        self.weigh(&mut row, gain, self.noise.sd.map(|sd| sd * share));
        match trial.repeats {
            Some(SeedsOfRepeat::Differ) => row.verdict = Verdict::SeedOnly,
            Some(_) => row.verdict = Verdict::Repeat,
            None => {}
        }
        row
    }

    /// Puts a gain and its standard error into a row, with the verdict that follows.
    pub(super) fn weigh(&self, row: &mut AuditedRow, gain: f64, error: Option<f64>) {
        row.gain = Some(gain).filter(|gain| gain.is_finite());
        if let Some(error) = error.filter(|error| *error > 0.0 && error.is_finite()) {
            row.standard_error = Some(error);
            row.ratio = Some(gain / error).filter(|ratio| ratio.is_finite());
        }
        let error = error.filter(|error| *error > 0.0 && error.is_finite() && !self.is_weak());
        if let Some(error) = error {
            row.p = Some(student_sf(gain / error, self.noise.freedom())).filter(|p| p.is_finite());
            row.p_adjusted = row.p.map(|_| luckiest(gain / error, self.noise.freedom(), self.tries));
        }
        row.verdict = match row.gain {
            None => Verdict::Undecidable(Undecided::NoValue),
            Some(gain) if gain <= 0.0 => Verdict::NotBetter,
            Some(_) if self.is_weak() => self.weak_verdict(row.ratio),
            Some(_) => self.verdict(row.ratio, row.p, row.p_adjusted),
        };
    }

    /// Whether the noise may be understated, so that no p-value holds.
    fn is_weak(&self) -> bool {
        self.noise.source == NoiseSource::WeakRepeats
    }

    /// Noise that may be understated can show that a gain is small, and not that it is large.
    fn weak_verdict(&self, t: Option<f64>) -> Verdict {
        match t {
            None => Verdict::Undecidable(Undecided::NoiseUnknown),
            Some(_) if self.noise.freedom() < FEW => Verdict::Undecidable(Undecided::FewRepeats),
            Some(t) if t < self.within => Verdict::WithinNoise,
            Some(_) => Verdict::Undecidable(Undecided::SeedsUnknown),
        }
    }

    /// Puts a gain into a judged row that was seen in `differences` on equal seeds (positive for better). Each row has an
    /// estimate of its noise of its own, so that all tries count by Bonferroni. The ratio stays that of unpaired runs.
    pub(super) fn pair(&self, row: &mut AuditedRow, differences: &Moments) {
        let (n, df) = (differences.n(), differences.n() as f64 - 1.0);
        let Some(error) = differences.sd().map(|sd| sd / (n as f64).sqrt()).filter(|e| *e > 0.0) else {
            return;
        };
        let (gain, t) = (differences.mean(), differences.mean() / error);
        let p = student_sf(t, df);
        if !(gain.is_finite() && t.is_finite() && p.is_finite()) {
            return;
        }
        (row.gain, row.standard_error, row.paired) = (Some(gain), Some(error), Some(n as u32));
        (row.p, row.p_adjusted) = (Some(p), Some((p * self.tries.max(1) as f64).min(1.0)));
        row.verdict = if gain <= 0.0 {
            Verdict::NotBetter
        } else {
            let noise = RunNoise::of(self.noise.source, self.noise.sd, Some(df));
            Bench::new(&noise, self.direction, self.alpha, self.tries).verdict(Some(t), row.p, row.p_adjusted)
        };
    }

    /// The verdict on a gain of `t` standard errors.
    pub(super) fn verdict(&self, t: Option<f64>, p: Option<f64>, adjusted: Option<f64>) -> Verdict {
        let (Some(t), Some(p), Some(adjusted)) = (t, p, adjusted) else {
            return Verdict::Undecidable(Undecided::NoiseUnknown);
        };
        if adjusted <= self.alpha {
            return Verdict::BeyondNoise;
        }
        if p <= self.alpha {
            return Verdict::BeyondNoiseAlone;
        }
        match (self.noise.freedom() >= FEW, t < self.within) {
            (true, true) => Verdict::WithinNoise,
            (true, false) => Verdict::Undecidable(Undecided::Inconclusive),
            _ => Verdict::Undecidable(Undecided::FewRepeats),
        }
    }
}
