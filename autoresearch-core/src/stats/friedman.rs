//! Friedman's test: do several configurations, run on the same blocks, differ at all?

use super::ranks::{midranks, over_ties};
use super::{StatsError, check, chi_square_sf};

/// The comparison of configurations by [`friedman`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Friedman {
    /// Friedman's chi-squared, corrected for ties; 0 where nothing can be said.
    pub chi2: f64,
    /// The degrees of freedom: configurations - 1.
    pub df: f64,
    /// p-value of "some configurations differ".
    pub p: f64,
}

/// Compares configurations (rows) over blocks (columns), such as seeds or tasks, by their ranks within each block
/// (Friedman 1937, *Journal of the American Statistical Association* 32:675-701): with `k` configurations, `n` blocks
/// and rank sums `R_j`, `chi2 = (12/(k·n·(k+1))·Σ R_j² - 3n(k+1)) / (1 - Σ(t³-t)/(n·(k³-k)))`.
///
/// This is the test at the heart of racing (F-race, Birattari et al. 2002). The p-value is the chi-squared
/// approximation, rough for fewer than about 10 blocks. All values equal within each block are no evidence: `p` is 1.
///
/// # Errors
/// [`StatsError::Empty`] for fewer than two configurations or no blocks, [`StatsError::LengthMismatch`] if rows
/// differ in length, [`StatsError::NonFinite`].
///
/// ```
/// use autoresearch_core::stats::friedman;
///
/// let losses = [vec![1.0, 2.1, 1.4, 2.2], vec![1.5, 2.5, 1.9, 2.0], vec![0.7, 1.6, 1.0, 1.2]];
/// let test = friedman(&losses)?;
/// assert_eq!((test.chi2, test.df), (6.5, 2.0));
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn friedman(configurations: &[Vec<f64>]) -> Result<Friedman, StatsError> {
    let [first, _, ..] = configurations else {
        return Err(StatsError::Empty { what: "all but one of the configurations" });
    };
    if first.is_empty() {
        return Err(StatsError::Empty { what: "configurations[0]" });
    }
    for (i, row) in configurations.iter().enumerate() {
        check::same_length("configurations[0]", first.len(), "another configuration", row.len())?;
        check::all_finite(&format!("configurations[{i}]"), row)?;
    }
    let (k, n) = (configurations.len() as f64, first.len() as f64);
    let mut rank_sums = vec![0.0; configurations.len()];
    let mut ties = 0.0;
    for block in 0..first.len() {
        let values: Vec<f64> = configurations.iter().map(|row| row[block]).collect();
        ties += over_ties(&values, |t| t * (t * t - 1.0));
        rank_sums.iter_mut().zip(midranks(&values)).for_each(|(sum, rank)| *sum += rank);
    }
    let (df, untied) = (k - 1.0, 1.0 - ties / (n * k * (k * k - 1.0)));
    if untied <= 0.0 {
        return Ok(Friedman { chi2: 0.0, df, p: 1.0 });
    }
    // About the mean rank sum, so that nothing cancels.
    let centre = 0.5 * n * (k + 1.0);
    let squares: f64 = rank_sums.iter().map(|sum| (sum - centre).powi(2)).sum();
    let chi2 = 12.0 / (k * n * (k + 1.0)) * squares / untied;
    Ok(Friedman { chi2, df, p: chi_square_sf(chi2, df) })
}
