//! How much larger the noise may be than it looked.

use super::{StatsError, check, chi_square_quantile};

/// The factor that makes an estimated standard deviation an upper confidence bound: `sqrt(df/χ²_(1-conf, df))`, for
/// independent normal noise with `df` degrees of freedom behind the estimate (Neyman 1937).
///
/// With 8 calibration runs and confidence .9 the noise may be 1.57 times as large as it looked.
///
/// # Errors
/// [`StatsError::Parameter`] unless `df` is positive and finite and `conf` inside `(0, 1)`.
///
/// ```
/// use autoresearch_core::stats::sigma_upper_factor;
///
/// assert!((sigma_upper_factor(15.0, 0.9)? - 1.3247837).abs() < 1e-7);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn sigma_upper_factor(df: f64, conf: f64) -> Result<f64, StatsError> {
    check::positive("df", df)?;
    check::open_unit("conf", conf)?;
    Ok((df / chi_square_quantile(1.0 - conf, df)).sqrt())
}
