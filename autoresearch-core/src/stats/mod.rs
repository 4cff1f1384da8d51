//! Statistics: pure functions, one family a file, each with its formula, its source and its sign.
//!
//! The sign is that of plain mathematics (`mean(a) - mean(b)`, evidence for a *positive* mean) and stated with
//! each function; the acceptors turn losses, where lower is better, into it.
//!
//! | question | answer |
//! |---|---|
//! | mean and spread of some runs | [`Moments`], [`mean()`], [`sigma_upper_factor`] |
//! | two samples, looked at **once** | [`welch()`] (independent), [`paired_t`] (pairs), [`one_sample_t`] |
//! | the same, with fewer assumptions on the noise | [`sign_flip()`], [`wilcoxon()`] (pairs), [`permutation_test`], [`mann_whitney()`] (independent) |
//! | is it no worse, or the same? | [`non_inferior_paired`], [`tost_paired`] and their companions for independent samples |
//! | how many runs does it take? | [`sample_size_paired_t`], [`power_paired_t`] and their companions for two samples |
//! | pairs that come in one by one, looked at **every time** | [`TTestE`]; for other data [`sequences`], [`sprt_bounds`], [`msprt_log_e`]; with planned looks [`obrien_fleming_spending`] |
//! | a stream of tests, with the false discovery rate of the whole | [`ELond`]; for comparison [`online`] |
//! | a batch of tests | [`holm`], [`benjamini_hochberg`], [`benjamini_yekutieli`], [`bonferroni`] |
//! | is it worth going on, and where? | [`log_likelihood_ratio`], [`half_normal_log_e`], [`ocba()`] |
//! | how sure is a mean over the documents of a split? | [`clustered_se`], [`bca_bootstrap`] |
//! | do two measures agree, do several configurations differ? | [`kendall_tau`], [`spearman()`]; [`friedman()`], [`correlated_t()`] |
//! | what is a result worth that was selected? | [`conditional_mle`], [`expected_max_normal`], [`deflated_sharpe`], [`overfitting()`], [`Ladder`] |
//! | many factors at once, in designed runs | [`two_level_design`], [`Design`], [`coefficient_log_e`], [`ridge`], [`AdditiveRidge`] |
//! | which of many units earn their place? | [`GroupFit`], [`RoundNoise`], [`UnitEvidence`], [`e_bh`] |
//! | which part of a stack earned how much? | [`shapley()`], [`leave_one_out`] |
//! | distribution functions, also far in the tails | [`student_cdf`], [`normal_cdf`], [`noncentral_t_cdf`], [`chi_square_sf`] with their companions |
//!
//! An **e-value** is a bet against "no improvement": its expectation is at most 1 if there is none, so that
//! `E >= 1/a` has a probability of at most `a`. Where the bet goes on and that holds at any stopping time, it
//! is an **e-process**. All e-values here are natural logarithms.
//!
//! None of these functions panics, and none turns missing evidence into evidence: what cannot be told is an
//! error, `None`, NaN, an infinite interval or a p-value of 1.

mod adjust;
mod alpha_spending;
mod bootstrap;
mod certificate;
mod check;
mod cluster_se;
mod coefficient;
mod combinations;
mod correlated_t;
mod design;
mod ebh;
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
mod ocba;
pub mod online;
mod overfitting;
mod paired;
mod permutation;
mod power;
mod ranks;
mod regression;
mod ridge;
pub mod sequences;
mod shapley;
mod sharpe;
mod sigma;
mod sign_flip;
mod spearman;
mod sprt;
mod student;
mod tost;
mod ttest_e;
mod welch;
mod wilcoxon;
mod winners_curse;

pub use adjust::{benjamini_hochberg, benjamini_yekutieli, bonferroni, holm};
pub use alpha_spending::{obrien_fleming_spending, pocock_spending};
pub use bootstrap::{Bca, bca_bootstrap, bca_full_enumeration};
pub use certificate::{GroupFit, Residual, RoundNoise, UnitEvidence, block_runs};
pub use cluster_se::{ClusteredMean, clustered_se};
pub use coefficient::{
    PHI, coefficient_log_e, coefficient_log_e_two_sided, holdout_half_normal_log_e, holdout_p_value,
    normal_ln_quantile,
};
pub use correlated_t::{CorrelatedT, correlated_t};
pub use design::{fold_over, two_level_design};
pub use ebh::{certificate_level, e_bh, e_bh_after};
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
pub use ocba::ocba;
pub use overfitting::{Overfitting, overfitting};
pub use paired::{PairedT, one_sample_t, paired_t};
pub use permutation::{Permutation, permutation_test};
pub use power::{Sides, power_paired_t, power_two_sample_t, sample_size_paired_t, sample_size_two_sample_t};
pub use regression::{Design, Fit, ridge};
pub use ridge::{AdditiveRidge, Posterior, Setting};
pub use shapley::{leave_one_out, shapley};
pub use sharpe::{DeflatedSharpe, deflated_sharpe, expected_max_normal, expected_max_normal_approx};
pub use sigma::sigma_upper_factor;
pub use sign_flip::{SignFlip, sign_flip};
pub use spearman::{Spearman, spearman};
pub use sprt::{msprt_log_e, sprt_bounds};
pub use student::{student_cdf, student_ln_cdf, student_ln_sf, student_quantile, student_sf};
pub use tost::{Tost, non_inferior_paired, non_inferior_welch, tost_paired, tost_welch};
pub use ttest_e::TTestE;
pub use welch::{Welch, welch, welch_of};
pub use wilcoxon::{Wilcoxon, wilcoxon};
pub use winners_curse::conditional_mle;
