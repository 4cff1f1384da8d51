//! Least squares on two-level factors with blocks, and ridge regression to rank them.

use super::StatsError;
use super::check::{all_finite, same_length};
use super::error::parameter;
use std::collections::BTreeMap;

/// What is smaller than this is taken for zero, in sums of products of centred 0/1 columns: the sum of squares
/// of a column that is not constant is at least 1/2, and rounding stays far below.
const TOLERANCE: f64 = 1e-8;

/// Runs with two-level factors, each switched on or off, in blocks that may differ in their mean.
///
/// The model of a response is `y = block mean + Σ_{j on} β_j + noise`: ordinary least squares with one dummy per
/// block, on block-centred columns (Frisch & Waugh 1933, *Econometrica* 1:387-401). Runs may be missing, and a
/// factor may be confounded with a block or with other factors: then its coefficient is not estimable, while the
/// others are not affected. One design is factorised once and then fitted to many responses.
///
/// Sign: responses are scores, where higher is better; a positive coefficient is good.
///
/// ```
/// use autoresearch_core::stats::Design;
///
/// let on = [vec![true, true], vec![true, false], vec![false, true], vec![false, false], vec![true, true]];
/// let design = Design::new(&on, &[0, 0, 0, 0, 1])?; // the fifth run is alone in its block: it says nothing
/// let fit = design.fit(&[3.1, 2.0, 1.2, 0.1, 9.0])?;
/// assert!((fit.coefficients[0] - 1.9).abs() < 1e-12 && (fit.coefficients[1] - 1.1).abs() < 1e-12);
/// assert_eq!(fit.df, 1.0);
/// assert!((design.information(0).unwrap() - 1.0).abs() < 1e-12); // the variance of a coefficient is σ²/1
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Design {
    /// The block of each run, counted from 0, and the number of runs of each block.
    block: Vec<usize>,
    sizes: Vec<f64>,
    /// The centred columns, one a factor.
    columns: Vec<Vec<f64>>,
    cholesky: Cholesky,
    /// `s_j`; `None` where the coefficient is not estimable.
    information: Vec<Option<f64>>,
}

/// The least-squares fit of one response, by [`Design::fit`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fit {
    /// One coefficient a factor, in the units of the response; NaN where it is not estimable.
    pub coefficients: Vec<f64>,
    /// The residual sum of squares.
    pub rss: f64,
    /// The degrees of freedom of `rss`: runs, minus blocks, minus the rank of the centred columns.
    pub df: f64,
}

impl Design {
    /// The design whose run `i` had the factors `on[i]` switched on and belongs to block `blocks[i]`. Equal
    /// numbers are one block, wherever they stand.
    ///
    /// # Errors
    /// [`StatsError::Empty`] without runs, [`StatsError::LengthMismatch`] if the runs differ in their number of
    /// factors or if there is not one block number a run.
    pub fn new(on: &[Vec<bool>], blocks: &[u32]) -> Result<Self, StatsError> {
        let factors = factors(on)?;
        same_length("runs", on.len(), "blocks", blocks.len())?;
        let mut index = BTreeMap::new();
        let mut sizes = Vec::new();
        let mut block = Vec::with_capacity(blocks.len());
        for &id in blocks {
            let next = index.len();
            let b = *index.entry(id).or_insert(next);
            if b == sizes.len() {
                sizes.push(0.0);
            }
            sizes[b] += 1.0;
            block.push(b);
        }
        let columns = columns(on, factors, &block, &sizes);
        let cholesky = Cholesky::pivoted(&cross(&columns), TOLERANCE);
        let information = cholesky.information(factors, TOLERANCE);
        Ok(Self { block, sizes, columns, cholesky, information })
    }

    /// The number of runs.
    pub fn runs(&self) -> usize {
        self.block.len()
    }

    /// The number of factors.
    pub fn factors(&self) -> usize {
        self.columns.len()
    }

    /// The residual degrees of freedom: runs, minus blocks, minus the rank of the centred columns.
    pub fn df(&self) -> f64 {
        self.runs() as f64 - self.sizes.len() as f64 - self.cholesky.rank() as f64
    }

    /// `s_j = 1/[(X'X)^-]_jj`: the variance of coefficient `j` is `σ²/s_j`. A quarter of the runs for a balanced
    /// factor that is orthogonal to the others. `None` if the coefficient is not estimable, or if there is no
    /// such factor.
    pub fn information(&self, j: usize) -> Option<f64> {
        self.information.get(j).copied().flatten()
    }

    /// The least-squares fit of a response, one value a run.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`] if there is not one value a run, [`StatsError::NonFinite`] for a value (or
    /// if they overflow together).
    pub fn fit(&self, response: &[f64]) -> Result<Fit, StatsError> {
        same_length("runs", self.runs(), "response", response.len())?;
        all_finite("response", response)?;
        let y = centred(response, &self.block, &self.sizes);
        // Coefficients, and once more on the residuals: the second pass takes out the rounding of the first.
        let mut solution = vec![0.0; self.factors()];
        let mut residuals = y;
        for _ in 0..2 {
            let products: Vec<f64> = self.columns.iter().map(|column| dot(column, &residuals)).collect();
            for (j, step) in self.cholesky.solve(&products).into_iter().enumerate() {
                if step != 0.0 {
                    solution[j] += step;
                    residuals.iter_mut().zip(&self.columns[j]).for_each(|(r, x)| *r -= step * x);
                }
            }
        }
        let rss = dot(&residuals, &residuals);
        if !rss.is_finite() || solution.iter().any(|beta| !beta.is_finite()) {
            return Err(StatsError::NonFinite { what: "the residual sum of squares".into(), value: rss });
        }
        let estimable = |(beta, information): (f64, &Option<f64>)| information.map_or(f64::NAN, |_| beta);
        let coefficients = solution.into_iter().zip(&self.information).map(estimable).collect();
        // Without degrees of freedom the residuals are rounding.
        Ok(Fit { coefficients, rss: if self.df() > 0.0 { rss } else { 0.0 }, df: self.df() })
    }
}

/// Ridge regression of a response on two-level factors: `(Xc'Xc + λI)^-1 Xc'yc` with centred columns (Hoerl &
/// Kennard 1970, *Technometrics* 12:55-67). It ranks factors, also if there are more of them than runs; it tests
/// nothing.
///
/// Sign: `response` is a score, where higher is better; a positive coefficient is good.
///
/// # Errors
/// [`StatsError::Empty`] without runs, [`StatsError::LengthMismatch`], [`StatsError::NonFinite`] for a value,
/// [`StatsError::Parameter`] unless `lambda` is positive and finite.
///
/// ```
/// use autoresearch_core::stats::ridge;
///
/// let on = [vec![true, false], vec![false, true], vec![true, true], vec![false, false]];
/// let b = ridge(&on, &[2.0, 0.0, 2.0, 0.0], 0.25)?;
/// assert!((b[0] - 1.6).abs() < 1e-12 && b[1].abs() < 1e-12); // 2, shrunk by 1/(1 + λ)
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn ridge(on: &[Vec<bool>], response: &[f64], lambda: f64) -> Result<Vec<f64>, StatsError> {
    let factors = factors(on)?;
    same_length("runs", on.len(), "response", response.len())?;
    all_finite("response", response)?;
    if !(lambda > 0.0 && lambda.is_finite()) {
        return Err(parameter("lambda", lambda, "positive and finite"));
    }
    let (block, sizes) = (vec![0; on.len()], vec![on.len() as f64]);
    let columns = columns(on, factors, &block, &sizes);
    let y = centred(response, &block, &sizes);
    let mut cross = cross(&columns);
    cross.iter_mut().enumerate().for_each(|(i, row)| row[i] += lambda);
    let products: Vec<f64> = columns.iter().map(|column| dot(column, &y)).collect();
    Ok(Cholesky::pivoted(&cross, 0.0).solve(&products))
}

/// The Cholesky factor of a symmetric positive semidefinite matrix, with diagonal pivoting (Higham 1990, in
/// *Reliable Numerical Computation*, 161-185): of the largest regular block it finds.
#[derive(Debug, Clone)]
pub(super) struct Cholesky {
    /// The pivots in their order, then the rows that depend on them.
    order: Vec<usize>,
    rank: usize,
    /// The rows of the lower factor in the order of `order`; those of dependent rows have `rank` entries.
    lower: Vec<Vec<f64>>,
}

impl Cholesky {
    /// Factorises a matrix, given by its lower triangle, until no pivot exceeds `tolerance`.
    pub(super) fn pivoted(matrix: &[Vec<f64>], tolerance: f64) -> Self {
        let size = matrix.len();
        let mut order: Vec<usize> = (0..size).collect();
        let mut remaining: Vec<f64> = (0..size).map(|i| matrix[i][i]).collect();
        let mut lower: Vec<Vec<f64>> = vec![Vec::with_capacity(size); size];
        let mut rank = 0;
        while rank < size {
            // The largest remaining pivot; the first among equals, so that nothing depends on rounding.
            let largest = remaining[rank..].iter().copied().fold(0.0, f64::max);
            if largest.is_nan() || largest <= tolerance {
                break;
            }
            let Some(at) = (rank..size).find(|&i| remaining[i] >= largest * (1.0 - 1e-9)) else { break };
            order.swap(rank, at);
            remaining.swap(rank, at);
            lower.swap(rank, at);
            let root = remaining[rank].sqrt();
            let pivot_row = std::mem::take(&mut lower[rank]);
            for i in rank + 1..size {
                let (row, column) = (order[i].max(order[rank]), order[i].min(order[rank]));
                let entry = (matrix[row][column] - dot(&lower[i], &pivot_row)) / root;
                lower[i].push(entry);
                remaining[i] -= entry * entry;
            }
            lower[rank] = pivot_row;
            lower[rank].push(root);
            rank += 1;
        }
        Self { order, rank, lower }
    }

    pub(super) fn rank(&self) -> usize {
        self.rank
    }

    /// A solution of `A x = b` for `b` in the range of `A`: dependent entries are 0.
    pub(super) fn solve(&self, b: &[f64]) -> Vec<f64> {
        let mut z = self.forward(b);
        for i in (0..self.rank).rev() {
            z[i] /= self.lower[i][i];
            let known = z[i];
            z[..i].iter_mut().zip(&self.lower[i]).for_each(|(z, l)| *z -= known * l);
        }
        let mut x = vec![0.0; self.order.len()];
        z.into_iter().zip(&self.order).for_each(|(z, &j)| x[j] = z);
        x
    }

    /// `L^-1 b` for the regular block: of two such vectors the product is `a' A^-1 b`.
    pub(super) fn forward(&self, b: &[f64]) -> Vec<f64> {
        let mut z: Vec<f64> = Vec::with_capacity(self.order.len());
        for i in 0..self.rank {
            let row = &self.lower[i];
            let rest = b[self.order[i]] - dot(&row[..i], &z);
            z.push(rest / row[i]);
        }
        z
    }

    /// `1/[A^-]_jj` for each `j` whose unit vector is in the row space.
    ///
    /// With `L` the regular factor and `D` the rows of dependent columns, `C = L^-T D'` says what each dependent
    /// column is made of: a pivot that occurs in none of them is estimable, a dependent column never is.
    fn information(&self, size: usize, tolerance: f64) -> Vec<Option<f64>> {
        let mut information = vec![None; size];
        // The columns of L^-1, one after the other: column i gives [A^-1]_ii.
        let mut inverse_column = vec![0.0; self.rank];
        for i in 0..self.rank {
            inverse_column[i] = 1.0 / self.lower[i][i];
            for row in i + 1..self.rank {
                let sum = dot(&self.lower[row][i..row], &inverse_column[i..row]);
                inverse_column[row] = -sum / self.lower[row][row];
            }
            let column = &inverse_column[i..];
            let occurs = |dependent: &Vec<f64>| dot(&dependent[i..self.rank], column).abs() > tolerance;
            if !self.lower[self.rank..].iter().any(occurs) {
                information[self.order[i]] = Some(1.0 / dot(column, column));
            }
        }
        information
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The centred 0/1 columns of the factors.
fn columns(on: &[Vec<bool>], factors: usize, block: &[usize], sizes: &[f64]) -> Vec<Vec<f64>> {
    let column = |j: usize| on.iter().map(|run| f64::from(u8::from(run[j]))).collect::<Vec<f64>>();
    (0..factors).map(|j| centred(&column(j), block, sizes)).collect()
}

/// Their sums of products, the lower triangle.
fn cross(columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let row = |i: usize| columns[..=i].iter().map(|column| dot(&columns[i], column)).collect();
    (0..columns.len()).map(row).collect()
}

/// `values` minus the mean of their block.
fn centred(values: &[f64], block: &[usize], sizes: &[f64]) -> Vec<f64> {
    let mut centred = values.to_vec();
    // The second pass takes out the rounding of the first.
    for _ in 0..2 {
        let mut means = vec![0.0; sizes.len()];
        centred.iter().zip(block).for_each(|(value, &b)| means[b] += value / sizes[b]);
        centred.iter_mut().zip(block).for_each(|(value, &b)| *value -= means[b]);
    }
    centred
}

/// The number of factors, the same in each run.
fn factors(on: &[Vec<bool>]) -> Result<usize, StatsError> {
    let first = on.first().ok_or(StatsError::Empty { what: "runs" })?;
    for run in on {
        same_length("the first run", first.len(), "another run", run.len())?;
    }
    Ok(first.len())
}
