//! Confidence sequences: intervals and e-values that hold at every sample size at once, so that anybody may look and
//! stop at any time.
//!
//! | sequence | for | needs |
//! |---|---|---|
//! | [`NormalMixture`] | sums of sub-Gaussian terms | a known bound on the variance |
//! | [`GammaExponentialMixture`] | sums of sub-exponential terms | the variance process and the scale |
//! | [`PolyStitching`] | the same, growing as slowly as the law of the iterated logarithm | the same |
//! | [`empirical_bernstein_cs`] | means of values in `[0, 1]` | nothing |
//! | [`betting_martingale`] | e-values for one mean of values in `[0, 1]` | nothing |
//! | [`asymptotic_cs`] | any mean | a large sample |
//!
//! The first three bound `S_t`, a sum that is a martingale if there is no effect, by its intrinsic time `v`, the sum of
//! the variances: `P(S_t ever reaches bound(v_t)) <= alpha` (Howard, Ramdas, McAuliffe & Sekhon 2021, *Annals of
//! Statistics* 49:1055-1080). For differences of runs with unknown variance use
//! [`TTestE::confidence_sequence`](super::TTestE::confidence_sequence).

mod asymptotic;
mod betting;
mod gamma_exponential;
mod normal_mixture;
mod stitching;

pub use asymptotic::{AsymptoticCs, asymptotic_cs, asymptotic_rho};
pub use betting::{betting_martingale, empirical_bernstein_cs, predictable_bets};
pub use gamma_exponential::GammaExponentialMixture;
pub use normal_mixture::NormalMixture;
pub use stitching::PolyStitching;

/// The `s` at which an increasing `log_e` reaches `target`, from 0 on; infinity if it is nowhere in the range of f64.
fn crossing(log_e: impl Fn(f64) -> f64, start: f64, target: f64) -> f64 {
    let (mut low, mut high) = (0.0, start.max(f64::MIN_POSITIVE));
    while log_e(high) < target {
        low = high;
        high *= 2.0;
        if high.is_infinite() {
            return high;
        }
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if log_e(middle) < target { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}
