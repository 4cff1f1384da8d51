//! An additive model of scores over many keys: what each value of a key is worth, judged by all runs at once.

use super::regression::Cholesky;

/// Radial basis functions over a numeric key's range, and their length in distances between knots.
const KNOTS: usize = 13;
const JITTER: f64 = 1e-6;

/// A value of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// A place on the key's scale, between 0 and 1: near places are worth about the same.
    Place(f64),
    /// One of several without an order.
    Choice(String),
}

/// Additive ridge regression (Hoerl & Kennard 1970) on values of keys: the score of a run is a level common to all runs
/// plus what the values of its keys are worth against the values that the keys have at the base.
///
/// Numeric keys have 13 Gaussian radial basis functions, knots evenly over the scale and one knot distance wide;
/// other keys one effect a value; all weights are `N(0, prior²)` beforehand, runs vary by `s²`. It ranks values; it tests
/// nothing. Adding a run costs the square of the number of keys that differ from the base, however many runs there were.
///
/// Sign: scores, higher is better; a positive worth is good.
///
/// ```
/// use autoresearch_core::stats::{AdditiveRidge, Setting};
///
/// let mut model = AdditiveRidge::new();
/// let low = model.value("lr", &Setting::Place(0.5), &Setting::Place(0.25));
/// let high = model.value("lr", &Setting::Place(0.5), &Setting::Place(0.75));
/// for (values, score) in [(vec![], 0.0), (vec![low], 1.1), (vec![], 0.1), (vec![low], 0.9), (vec![high], -1.0)] {
///     model.add(&values, score);
/// }
/// let posterior = model.posterior(2.0, 0.1);
/// let (worth, sd) = posterior.difference(Some(low), None); // against the base
/// assert!((worth - 0.95).abs() < 0.1 && sd < 0.15);
/// assert!(posterior.difference(Some(high), Some(low)).0 < -1.5);
/// ```
#[derive(Debug, Clone, Default)]
pub struct AdditiveRidge {
    values: Vec<Value>,
    /// Of every value: in how many runs it was, together with every earlier value too, and the sum of their scores.
    together: Vec<Vec<f64>>,
    scores: Vec<f64>,
    runs: f64,
    total: f64,
}

#[derive(Debug, Clone)]
struct Value {
    key: String,
    base: Setting,
    setting: Setting,
}

impl AdditiveRidge {
    /// No runs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number by which a value is known here; the same for the same value. `base` is what the key has where a run
    /// names no value for it.
    pub fn value(&mut self, key: &str, base: &Setting, setting: &Setting) -> usize {
        let known = self.values.iter().position(|v| v.key == key && v.setting == *setting);
        known.unwrap_or_else(|| {
            let (key, base, setting) = (key.to_string(), base.clone(), setting.clone());
            self.values.push(Value { key, base, setting });
            self.together.push(vec![0.0; self.values.len()]);
            self.scores.push(0.0);
            self.values.len() - 1
        })
    }

    /// The values of a key that were seen.
    pub fn values_of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = usize> + 'a {
        (0..self.values.len()).filter(move |&i| self.values[i].key == key)
    }

    /// Adds a run: the values in it that differ from the base, and its score. One that is not finite is left out.
    pub fn add(&mut self, values: &[usize], score: f64) {
        if !score.is_finite() {
            return;
        }
        self.runs += 1.0;
        self.total += score;
        for &i in values {
            self.scores[i] += score;
            for &j in values {
                if j <= i {
                    self.together[i][j] += 1.0;
                }
            }
        }
    }

    /// How much a value is worth, given all runs: `prior` is the standard deviation of a weight beforehand, `s` that of
    /// a run, in units of the score.
    pub fn posterior(&self, prior: f64, s: f64) -> Posterior {
        let n = self.values.len();
        let s2 = (s * s).max(f64::MIN_POSITIVE);
        let factors = self.prior_factors(prior);
        let count = |i: usize| self.together[i][i];
        let runs = self.runs.max(1.0);
        // A = Zc'Zc/s², b = Zc'yc/s², with everything centred: the common level has a flat prior.
        let a = |i: usize, j: usize| (self.together[i.max(j)][i.min(j)] - count(i) * count(j) / runs) / s2;
        let b: Vec<f64> = (0..n).map(|i| (self.scores[i] - count(i) * self.total / runs) / s2).collect();
        // M = I + L'AL, where LL' is the prior covariance, block by block.
        let mut al = vec![vec![0.0; n]; n];
        for (i, row) in al.iter_mut().enumerate() {
            for block in &factors {
                for (q, &column) in block.members.iter().enumerate() {
                    row[column] =
                        (q..block.members.len()).map(|p| a(i, block.members[p]) * block.factor[p][q]).sum();
                }
            }
        }
        let mut m = vec![Vec::new(); n];
        for block in &factors {
            for (q, &row) in block.members.iter().enumerate() {
                m[row] = (0..=row)
                    .map(|column| {
                        let sum: f64 = (q..block.members.len())
                            .map(|p| block.factor[p][q] * al[block.members[p]][column])
                            .sum();
                        sum + if row == column { 1.0 } else { 0.0 }
                    })
                    .collect();
            }
        }
        let root = Cholesky::pivoted(&m, 0.0);
        // Of value i: W_i = R^-1 L'e_i, so that the covariance of i and j is W_i·W_j, and the mean of i is W_i·R^-1 L'b.
        let mut weights = vec![vec![0.0; n]; n];
        let mut lb = vec![0.0; n];
        for block in &factors {
            for (p, &i) in block.members.iter().enumerate() {
                for (q, &column) in block.members.iter().enumerate().take(p + 1) {
                    weights[i][column] = block.factor[p][q];
                    lb[column] += block.factor[p][q] * b[i];
                }
            }
        }
        let weights: Vec<Vec<f64>> = weights.iter().map(|w| root.forward(w)).collect();
        let centre = root.forward(&lb);
        let means = weights.iter().map(|w| dot(w, &centre)).collect();
        Posterior { means, weights }
    }

    /// The prior covariance of each key's values against the base, as a lower triangular factor.
    fn prior_factors(&self, prior: f64) -> Vec<Factor> {
        let mut blocks: Vec<Factor> = Vec::new();
        for i in 0..self.values.len() {
            match blocks.iter_mut().find(|block| self.values[block.members[0]].key == self.values[i].key) {
                Some(block) => block.members.push(i),
                None => blocks.push(Factor { members: vec![i], factor: Vec::new() }),
            }
        }
        for block in &mut blocks {
            let features: Vec<Vec<f64>> =
                block.members.iter().map(|&i| self.features(i, &block.members)).collect();
            let k = block.members.len();
            let mut factor: Vec<Vec<f64>> = Vec::with_capacity(k);
            for i in 0..k {
                let mut row: Vec<f64> = Vec::with_capacity(k);
                for j in 0..=i {
                    let mut x = prior * prior * dot(&features[i], &features[j]);
                    if i == j {
                        x += prior * prior * JITTER;
                    }
                    let above: &[f64] = if j < i { &factor[j][..j] } else { &row[..j] };
                    let rest = x - dot(&row[..j], above);
                    row.push(if i == j { rest.max(0.0).sqrt() } else { safe_ratio(rest, factor[j][j]) });
                }
                row.resize(k, 0.0);
                factor.push(row);
            }
            block.factor = factor;
        }
        blocks
    }

    /// Basis functions of a value less those of the base.
    fn features(&self, i: usize, members: &[usize]) -> Vec<f64> {
        let Value { base, setting, .. } = &self.values[i];
        match (setting, base) {
            (Setting::Place(x), Setting::Place(from)) => {
                let at = |x: f64, m: usize| {
                    let distance = x * (KNOTS - 1) as f64 - m as f64;
                    (-0.5 * distance * distance).exp()
                };
                (0..KNOTS).map(|m| at(*x, m) - at(*from, m)).collect()
            }
            // One weight a value, and one for the base, which all share.
            _ => members.iter().map(|&j| f64::from(u8::from(i == j))).chain([-1.0]).collect(),
        }
    }
}

/// The values of one key, and the lower triangular factor of their prior covariance.
#[derive(Debug)]
struct Factor {
    members: Vec<usize>,
    factor: Vec<Vec<f64>>,
}

/// What [`AdditiveRidge::posterior`] knows.
#[derive(Debug, Clone)]
pub struct Posterior {
    means: Vec<f64>,
    weights: Vec<Vec<f64>>,
}

impl Posterior {
    /// Mean and standard deviation of what value `a` is worth against value `b` of the same key; `None` is the base.
    /// Values that the model does not know are worth nothing, with no doubt about it.
    pub fn difference(&self, a: Option<usize>, b: Option<usize>) -> (f64, f64) {
        let mean = |i: Option<usize>| i.and_then(|i| self.means.get(i)).copied().unwrap_or(0.0);
        let weights = |i: Option<usize>| i.and_then(|i| self.weights.get(i)).map_or(&[][..], Vec::as_slice);
        let (wa, wb) = (weights(a), weights(b));
        let at = |w: &[f64], i: usize| w.get(i).copied().unwrap_or(0.0);
        let variance: f64 = (0..wa.len().max(wb.len())).map(|i| (at(wa, i) - at(wb, i)).powi(2)).sum();
        (mean(a) - mean(b), variance.sqrt())
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn safe_ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}
