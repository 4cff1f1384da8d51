//! Group-sequential alpha spending: how much of alpha a planned number of looks may have used up.

use super::{StatsError, check, normal_quantile, normal_sf};
use std::f64::consts::E;

/// The one-sided alpha that may be spent up to information fraction `t`, in the manner of O'Brien & Fleming: little
/// early, nearly all at the end (Lan & DeMets 1983, *Biometrika* 70:659-663): `2 - 2·Φ(z_(alpha/2)/sqrt(t))`.
///
/// `t` is the share of the planned runs that are in, from 0 to 1. For two sides spend half of alpha on each.
///
/// # Errors
/// [`StatsError::Parameter`] unless `t` is in `[0, 1]` and `alpha` inside `(0, 1)`.
///
/// ```
/// use autoresearch_core::stats::{obrien_fleming_spending, pocock_spending};
///
/// assert!((obrien_fleming_spending(0.5, 0.05)? - 0.0055746).abs() < 1e-7);
/// assert!((pocock_spending(0.5, 0.05)? - 0.0310057).abs() < 1e-7);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn obrien_fleming_spending(t: f64, alpha: f64) -> Result<f64, StatsError> {
    check::closed_unit("t", t)?;
    check::open_unit("alpha", alpha)?;
    if t == 1.0 {
        return Ok(alpha);
    }
    Ok(2.0 * normal_sf(-normal_quantile(0.5 * alpha) / t.sqrt()))
}

/// The one-sided alpha that may be spent up to information fraction `t`, in the manner of Pocock: about the same at
/// every look (Lan & DeMets 1983): `alpha·ln(1 + (e - 1)·t)`.
///
/// # Errors
/// [`StatsError::Parameter`] unless `t` is in `[0, 1]` and `alpha` inside `(0, 1)`.
pub fn pocock_spending(t: f64, alpha: f64) -> Result<f64, StatsError> {
    check::closed_unit("t", t)?;
    check::open_unit("alpha", alpha)?;
    Ok((alpha * ((E - 1.0) * t).ln_1p()).min(alpha))
}
