//! What all runs so far say about the values of each key: an additive model with a Gaussian prior.

use super::StatsError;
use super::error::parameter;
use super::regression::Cholesky;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The number of basis functions of a numeric key.
const KNOTS: usize = 13;
/// The prior standard deviation of a coefficient, in standard deviations of a single run.
const PRIOR_SD: f64 = 2.0;

/// The value of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting<'a> {
    /// A number, as its position in the key's range: 0 the lower end, 1 the upper.
    Position(f64),
    /// One of a few levels without an order.
    Level(&'a str),
}

/// Bayesian ridge regression of scores on the settings of many keys, each key with a function of its own.
///
/// A numeric key has 13 Gaussian basis functions with knots evenly over its range, each as wide (standard
/// deviation) as the knots are apart; a level has one indicator. The coefficients have independent normal priors with
/// mean 0 and standard deviation `2·s`, where `s` is that of a single run, and the intercept a flat one
/// (Lindley & Smith 1972, *Journal of the Royal Statistical Society B* 34:1-41). It ranks values, also of runs
/// that a search chose; it tests nothing.
///
/// Runs are added one by one; memory grows with keys and levels, not with runs. A key that a run does not name,
/// or that is new, adds nothing to that run.
///
/// Sign: responses are scores, where higher is better. The caller clips what a crash would make extreme.
///
/// ```
/// use autoresearch_core::stats::{AdditiveRidge, Setting};
///
/// let mut ridge = AdditiveRidge::new();
/// for run in 0..60 {
///     let (x, norm) = (f64::from(run % 10) / 9.0, ["layer", "rms"][run as usize % 2]);
///     let score = 3.0 - 8.0 * (x - 0.4).powi(2) + if norm == "rms" { 1.0 } else { 0.0 };
///     ridge.add(&[("rate", Setting::Position(x)), ("norm", Setting::Level(norm))], score)?;
/// }
/// let posterior = ridge.posterior();
/// let (mean, sd) = posterior.difference("rate", Setting::Position(0.4), Setting::Position(1.0), 0.3)?;
/// assert!((mean - 8.0 * 0.36).abs() < 0.3 && sd < 0.3);
/// let (mean, _) = posterior.difference("norm", Setting::Level("rms"), Setting::Level("layer"), 0.3)?;
/// assert!((mean - 1.0).abs() < 0.1);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AdditiveRidge {
    runs: u64,
    keys: BTreeMap<String, Columns>,
    /// The first response, subtracted from all: the spread may be small against the level.
    offset: f64,
    /// X'X, its lower triangle, and X'y. Column 0 is the intercept.
    cross: Vec<Vec<f64>>,
    products: Vec<f64>,
}

/// Where the features of a key are: the first of its basis functions, and its levels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Columns {
    knots: Option<usize>,
    levels: BTreeMap<String, usize>,
}

impl AdditiveRidge {
    /// A model that has seen no runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of runs added.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Adds one run: its settings, each key at most once, and its score.
    ///
    /// # Errors
    /// [`StatsError::NonFinite`] for the response, [`StatsError::Parameter`] for a position outside of `[0, 1]`;
    /// the run is then not added.
    pub fn add(&mut self, settings: &[(&str, Setting<'_>)], response: f64) -> Result<(), StatsError> {
        if !response.is_finite() {
            return Err(StatsError::NonFinite { what: "response".into(), value: response });
        }
        settings.iter().try_for_each(|(_, setting)| check(*setting))?;
        if self.runs == 0 {
            self.offset = response;
        }
        let mut row = vec![(self.first_column(0, 1), 1.0)];
        for &(key, setting) in settings {
            self.push_features(key, setting, &mut row);
        }
        for &(i, x) in &row {
            for &(j, z) in row.iter().filter(|(j, _)| *j <= i) {
                self.cross[i][j] += x * z;
            }
            self.products[i] += x * (response - self.offset);
        }
        self.runs += 1;
        Ok(())
    }

    /// Solves the model for all runs so far: cubic in the number of features, some milliseconds for 400.
    pub fn posterior(&self) -> Posterior<'_> {
        let mut precision = self.cross.clone();
        let lambda = PRIOR_SD.powi(-2);
        precision.iter_mut().enumerate().skip(1).for_each(|(i, row)| row[i] += lambda);
        let cholesky = Cholesky::pivoted(&precision, 0.0);
        Posterior { mean: cholesky.solve(&self.products), cholesky, keys: &self.keys }
    }

    /// Adds the features of a setting to a run's row, with new columns where they are new.
    fn push_features(&mut self, key: &str, setting: Setting<'_>, row: &mut Vec<(usize, f64)>) {
        let next = self.cross.len();
        if !self.keys.contains_key(key) {
            self.keys.insert(key.to_owned(), Columns::default());
        }
        let Some(columns) = self.keys.get_mut(key) else { return };
        match setting {
            Setting::Position(x) => {
                let first = *columns.knots.get_or_insert(next);
                self.first_column(first, KNOTS);
                row.extend(basis(x).into_iter().enumerate().map(|(i, value)| (first + i, value)));
            }
            Setting::Level(level) => {
                let column = match columns.levels.get(level) {
                    Some(&column) => column,
                    None => *columns.levels.entry(level.to_owned()).or_insert(next),
                };
                self.first_column(column, 1);
                row.push((column, 1.0));
            }
        }
    }

    /// Makes sure that there are `count` columns from `first` on.
    fn first_column(&mut self, first: usize, count: usize) -> usize {
        while self.cross.len() < first + count {
            self.cross.push(vec![0.0; self.cross.len() + 1]);
            self.products.push(0.0);
        }
        first
    }
}

/// The posterior of an [`AdditiveRidge`], by [`AdditiveRidge::posterior`].
#[derive(Debug, Clone)]
pub struct Posterior<'a> {
    keys: &'a BTreeMap<String, Columns>,
    cholesky: Cholesky,
    mean: Vec<f64>,
}

impl Posterior<'_> {
    /// Posterior mean and standard deviation of "setting `a` of the key instead of `b`", all else equal: positive
    /// if `a` is better. `s` is the standard deviation of a single run. A key or a level that no run had is known
    /// by its prior only.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] for a position outside of `[0, 1]` or a negative or infinite `s`.
    pub fn difference(
        &self,
        key: &str,
        a: Setting<'_>,
        b: Setting<'_>,
        s: f64,
    ) -> Result<(f64, f64), StatsError> {
        check(a)?;
        check(b)?;
        if !(s >= 0.0 && s.is_finite()) {
            return Err(parameter("s", s, "finite and at least 0"));
        }
        if a == b {
            return Ok((0.0, 0.0));
        }
        let columns = self.keys.get(key);
        let mut contrast = vec![0.0; self.mean.len()];
        let (mut unseen_knots, mut unseen) = ([0.0; KNOTS], 0.0);
        for (setting, sign) in [(a, 1.0), (b, -1.0)] {
            match setting {
                Setting::Position(x) => {
                    let values = basis(x);
                    let seats = match columns.and_then(|columns| columns.knots) {
                        Some(first) => &mut contrast[first..first + KNOTS],
                        None => &mut unseen_knots[..],
                    };
                    seats.iter_mut().zip(values).for_each(|(seat, value)| *seat += sign * value);
                }
                Setting::Level(level) => match columns.and_then(|columns| columns.levels.get(level)) {
                    Some(&column) => contrast[column] += sign,
                    None => unseen += 1.0,
                },
            }
        }
        unseen += unseen_knots.iter().map(|x| x * x).sum::<f64>();
        let mean = contrast.iter().zip(&self.mean).map(|(x, beta)| x * beta).sum();
        let variance = self.cholesky.quadratic(&contrast) + PRIOR_SD * PRIOR_SD * unseen;
        Ok((mean, s * variance.sqrt()))
    }
}

/// The basis functions at a position.
fn basis(x: f64) -> [f64; KNOTS] {
    let steps = (KNOTS - 1) as f64;
    std::array::from_fn(|knot| (-0.5 * (x * steps - knot as f64).powi(2)).exp())
}

fn check(setting: Setting<'_>) -> Result<(), StatsError> {
    match setting {
        Setting::Position(x) if !(0.0..=1.0).contains(&x) => {
            Err(parameter("position", x, "between 0 and 1, both included"))
        }
        _ => Ok(()),
    }
}
