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

mod adjust;
mod bootstrap;
mod check;
mod cluster_se;
mod combinations;
mod elond;
mod error;
mod friedman;
mod futility;
mod gamma;
mod kendall;
mod ladder;
mod mann_whitney;
mod moments;
mod noncentral_t;
mod normal;
pub mod online;
mod paired;
mod permutation;
mod power;
mod ranks;
mod sign_flip;
mod spearman;
mod student;
mod tost;
mod ttest_e;
mod welch;
mod wilcoxon;

pub use adjust::{benjamini_hochberg, benjamini_yekutieli, bonferroni, holm};
pub use bootstrap::{Bca, bca_bootstrap, bca_full_enumeration};
pub use cluster_se::{ClusteredMean, clustered_se};
pub use elond::ELond;
pub use error::StatsError;
pub use friedman::{Friedman, friedman};
pub use futility::{half_normal_log_e, log_likelihood_ratio};
pub use gamma::{chi_square_quantile, chi_square_sf};
pub use kendall::{KendallTau, kendall_tau};
pub use ladder::Ladder;
pub use mann_whitney::{MannWhitney, mann_whitney};
pub use moments::{Moments, mean};
pub use noncentral_t::{noncentral_t_cdf, noncentral_t_sf};
pub use normal::{normal_cdf, normal_ln_cdf, normal_quantile, normal_sf};
pub use paired::{PairedT, one_sample_t, paired_t};
pub use permutation::{Permutation, permutation_test};
pub use power::{Sides, power_paired_t, power_two_sample_t, sample_size_paired_t, sample_size_two_sample_t};
pub use sign_flip::{SignFlip, sign_flip};
pub use spearman::{Spearman, spearman};
pub use student::{student_cdf, student_ln_cdf, student_ln_sf, student_quantile, student_sf};
pub use tost::{Tost, non_inferior_paired, non_inferior_welch, tost_paired, tost_welch};
pub use ttest_e::TTestE;
pub use welch::{Welch, welch};
pub use wilcoxon::{Wilcoxon, wilcoxon};
