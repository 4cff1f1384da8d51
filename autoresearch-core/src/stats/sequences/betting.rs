//! Betting on the mean of bounded values, and the confidence sequence of the same bets.

use super::super::{StatsError, check, error::parameter};

/// The predictable bets of the empirical-Bernstein method, one per value and each known before it (Waudby-Smith &
/// Ramdas 2024, *Journal of the Royal Statistical Society B* 86:1-27, section 3.2):
/// `sqrt(2·ln(1/alpha)/(t·ln(1+t)·s²_(t-1)))`, with mean and variance regularised by one value of mean 1/2 and
/// variance 1/4.
///
/// # Errors
/// [`StatsError::Parameter`] for a value outside of `[0, 1]` or unless `alpha` is inside `(0, 1)`.
pub fn predictable_bets(x: &[f64], alpha: f64) -> Result<Vec<f64>, StatsError> {
    check::open_unit("alpha", alpha)?;
    check_bounded(x)?;
    let (mut sum, mut squares, mut variance) = (0.5, 0.25, 0.25);
    Ok((1..)
        .zip(x)
        .map(|(t, &x)| {
            let t = f64::from(t);
            let bet = (-2.0 * alpha.ln() / (t * t.ln_1p() * variance)).sqrt();
            sum += x;
            let mean = (sum / (t + 1.0)).min(1.0);
            squares += (x - mean).powi(2);
            variance = squares / (t + 1.0);
            bet
        })
        .collect())
}

/// The logarithm of the capital after each value of `x`, betting that their mean is above `m`: an e-process, with
/// starting capital 1 (Waudby-Smith & Ramdas 2024). Capital `1/a` is ever reached with probability at most `a` if
/// each value, given those before it, has a mean of at most `m`.
///
/// The values lie in `[0, 1]`. Each multiplies the capital by `1 + b·(x - m)`, `b` the smaller of its predictable bet
/// ([`predictable_bets`]) and `share/m`; `share = 0.5` is usual and keeps the capital above zero. For a mean below `m`
/// bet on `1 - x` against `1 - m`.
///
/// # Errors
/// [`StatsError::Parameter`] for a value outside of `[0, 1]`, unless `m` and `alpha` are inside `(0, 1)`, or `share`
/// is in `(0, 1]`.
///
/// ```
/// use autoresearch_core::stats::sequences::betting_martingale;
///
/// let wins = [0.9, 0.7, 0.8, 0.95, 0.6, 0.85, 0.9, 0.75, 0.8, 0.9];
/// let log_e = betting_martingale(&wins, 0.5, 0.05, 0.5)?;
/// assert!(log_e[9] > 10f64.ln());
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn betting_martingale(x: &[f64], m: f64, alpha: f64, share: f64) -> Result<Vec<f64>, StatsError> {
    check::open_unit("m", m)?;
    if !(share > 0.0 && share <= 1.0) {
        return Err(parameter("share", share, "above 0 and at most 1"));
    }
    let bets = predictable_bets(x, alpha)?;
    let mut log_e = 0.0;
    Ok(x.iter()
        .zip(bets)
        .map(|(x, bet)| {
            // With a share of 1 everything can be lost, and by rounding no more than that.
            log_e += (bet.min(share / m) * (x - m)).max(-1.0).ln_1p();
            log_e
        })
        .collect())
}

/// The two-sided empirical-Bernstein confidence sequence of the mean of values in `[0, 1]`, as `(low, high)` after each
/// value (Waudby-Smith & Ramdas 2024, theorem 2): `Σ b·x/Σ b ± (ln(2/alpha) + Σ (x - mean_(t-1))²·ψ(b))/Σ b`, with
/// bets `b` at most `truncation` (0.5 is usual), `ψ(b) = -ln(1-b) - b` and the mean 0 before the first value.
///
/// Both ends stay within `[0, 1]`. The ends are those at each time, not intersected with earlier ones, which would be
/// valid too. It is wide for small samples: eight values say nothing at all at level .05.
///
/// # Errors
/// [`StatsError::Parameter`] for a value outside of `[0, 1]`, or unless `alpha` and `truncation` are inside `(0, 1)`.
///
/// ```
/// use autoresearch_core::stats::sequences::empirical_bernstein_cs;
///
/// let x: Vec<f64> = (0..400).map(|i| 0.6 + 0.1 * f64::from(i % 3)).collect();
/// let (low, high) = empirical_bernstein_cs(&x, 0.05, 0.5)?[399];
/// assert!(0.6 < low && low < 0.7 && 0.7 < high && high < 0.8);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn empirical_bernstein_cs(x: &[f64], alpha: f64, truncation: f64) -> Result<Vec<(f64, f64)>, StatsError> {
    check::open_unit("alpha", alpha)?;
    check::open_unit("truncation", truncation)?;
    let mirrored: Vec<f64> = x.iter().map(|x| 1.0 - x).collect();
    let lower = lower_bounds(x, 0.5 * alpha, truncation)?;
    let upper = lower_bounds(&mirrored, 0.5 * alpha, truncation)?;
    Ok(lower.into_iter().zip(upper).map(|(low, mirrored)| (low, 1.0 - mirrored)).collect())
}

fn lower_bounds(x: &[f64], alpha: f64, truncation: f64) -> Result<Vec<f64>, StatsError> {
    let bets = predictable_bets(x, alpha)?;
    let (mut sum, mut mean) = (0.0, 0.0);
    let (mut bet_sum, mut weighted, mut margin) = (0.0, 0.0, -alpha.ln());
    Ok((1..)
        .zip(x.iter().zip(bets))
        .map(|(t, (x, bet))| {
            let bet = bet.min(truncation);
            bet_sum += bet;
            weighted += bet * x;
            margin += (x - mean).powi(2) * (-(-bet).ln_1p() - bet);
            sum += x;
            mean = sum / f64::from(t);
            ((weighted - margin) / bet_sum).max(0.0)
        })
        .collect())
}

fn check_bounded(x: &[f64]) -> Result<(), StatsError> {
    match x.iter().find(|x| !(0.0..=1.0).contains(*x)) {
        Some(&outside) => Err(parameter("x", outside, "between 0 and 1")),
        None => Ok(()),
    }
}
