//! Evaluation design: whether a metric is good enough to search on, from a handful of baseline runs.
//!
//! Before hundreds of runs are spent on a search, eight runs of the baseline on different seeds tell most of what it can
//! find: how much one run scatters, how small an edit can be and still be told from nothing, what each acceptance policy
//! will spend to find such an edit, how large the holdout should be, and whether more seeds, more documents or longer
//! runs buy most. [`Baseline`] takes the runs, [`EvaluationDesign`] is the answer: as data (serde), as a table and a
//! paragraph (`Display`), with [`Warning`]s in plain words where the search would be blind.
//!
//! ```
//! use autoresearch_core::{Measurement, plan::Baseline};
//!
//! // Loss of 6 documents in 8 runs on 8 seeds.
//! let noise = |i: u64| ((i * 7919 + 13) as f64 * 78.233).sin();
//! let run = |seed: u64| Measurement::new((0..6).map(move |d| 2.0 + 0.01 * noise(seed) + 0.02 * noise(seed * 31 + d)));
//! let runs = (0..8).map(|seed| Ok((seed, run(seed)?))).collect::<Result<Vec<_>, autoresearch_core::MeasurementError>>()?;
//!
//! let design = Baseline::of(runs).matters(0.002).simulations(0).design()?;
//! assert!(design.is_blind()); // 16 runs a proposal cannot tell an edit of .002
//! println!("{design}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `baseline` has the settings and the order of things, `sigma`, `documents`, `pairs`, `checks` what the runs say,
//! `detect`, `cost`, `size`, `levers` what follows from it, `warning`, `design` and `text` how it is said.

mod baseline;
mod checks;
mod cost;
mod design;
mod detect;
mod documents;
mod levers;
mod pairs;
mod sigma;
mod size;
mod text;
mod warning;

pub use baseline::{Baseline, PlanError};
pub use checks::{Drift, Outlier, Repeats, Tails};
pub use cost::PolicyCost;
pub use design::EvaluationDesign;
pub use detect::Detectable;
pub use documents::Documents;
pub use levers::{Levers, Longer};
pub use pairs::{Pairs, SplitNoise};
pub use sigma::Sigma;
pub use size::HoldoutSize;
pub use warning::Warning;

use statrs::distribution::{ContinuousCDF, FisherSnedecor};

/// The `x` with `P(F <= x) = p` for Fisher's F with these degrees of freedom, which may be infinite.
fn f_quantile(p: f64, df1: f64, df2: f64) -> f64 {
    // Beyond this many the distribution function is that of infinitely many to more digits than anybody states.
    let finite = |df: f64| df.clamp(1e-3, 1e6);
    FisherSnedecor::new(finite(df1), finite(df2)).map_or(f64::NAN, |f| f.inverse_cdf(p))
}

#[cfg(test)]
mod tests {
    /// Fisher's F at 95 % with 4 and 10 degrees of freedom is 3.478 (any table), with 4 and infinitely many 2.372.
    #[test]
    fn f_as_in_the_tables() {
        assert!((super::f_quantile(0.95, 4.0, 10.0) - 3.478).abs() < 5e-4);
        assert!((super::f_quantile(0.95, 4.0, f64::INFINITY) - 2.372).abs() < 5e-4);
        assert!((super::f_quantile(0.05, 10.0, 4.0) - 1.0 / 3.478).abs() < 1e-3);
    }
}
