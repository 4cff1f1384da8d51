//! Statistics: pure functions, one family a file, each with its formula, its source and its sign.
//!
//! The sign is that of plain mathematics (`mean(a) - mean(b)`, evidence for a *positive* mean) and stated with
//! each function; the acceptors turn losses, where lower is better, into it.
//!
//! | question | answer |
//! |---|---|
//! | mean and spread of some runs | [`Moments`], [`mean`] |
//! | two samples, looked at **once** | [`welch`] (independent), [`paired_t`] (pairs) |
//! | pairs that come in one by one, looked at **every time** | [`TTestE`] |
//! | a stream of tests, with the false discovery rate of the whole | [`ELond`] |
//! | is it worth going on? | [`log_likelihood_ratio`], [`half_normal_log_e`] |
//! | how sure is a mean over the documents of a split? | [`clustered_se`] |
//! | distribution functions, also far in the tails | [`student_cdf`] and [`normal_cdf`] with their companions |
//!
//! An **e-value** is a bet against "no improvement": its expectation is at most 1 if there is none, so that
//! `E >= 1/a` has a probability of at most `a`. Where the bet goes on and that holds at any stopping time, it
//! is an **e-process**. All e-values here are natural logarithms.
//!
//! None of these functions panics, and none turns missing evidence into evidence: what cannot be told is an
//! error, `None`, NaN, an infinite interval or a p-value of 1.

mod certificate;
mod cluster_se;
mod coefficient;
mod design;
mod ebh;
mod elond;
mod error;
mod futility;
mod moments;
mod normal;
mod paired;
mod regression;
mod ridge;
mod student;
mod ttest_e;
mod welch;

pub use certificate::{GroupFit, Residual, RoundNoise, UnitEvidence, block_runs};
pub use cluster_se::{ClusteredMean, clustered_se};
pub use coefficient::{
    PHI, coefficient_log_e, coefficient_log_e_two_sided, holdout_half_normal_log_e, holdout_p_value,
    normal_ln_quantile,
};
pub use design::{fold_over, two_level_design};
pub use ebh::{certificate_level, e_bh, e_bh_after};
pub use elond::ELond;
pub use error::StatsError;
pub use futility::{half_normal_log_e, log_likelihood_ratio};
pub use moments::{Moments, mean};
pub use normal::{normal_cdf, normal_ln_cdf, normal_quantile, normal_sf};
pub use paired::{PairedT, paired_t};
pub use regression::{Design, Fit, ridge};
pub use ridge::{AdditiveRidge, Posterior, Setting};
pub use student::{student_cdf, student_ln_cdf, student_ln_sf, student_quantile, student_sf};
pub use ttest_e::TTestE;
pub use welch::{Welch, welch, welch_of};
