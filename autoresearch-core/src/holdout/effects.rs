//! What the holdout says of several factors that were switched together.

use super::rule::{Certified, Heard, HeardEffect, Place, Test};
use super::units::{Shares, documents};
use super::{Basis, HeldOut, Holdout};
use crate::accept::{EffectsClaim, EffectsTest, Noise};
use crate::arm::Arm;
use crate::measure::Direction;
use crate::stats::{self, Design};

/// The factors that validation passes by itself, each with its strength; none of the others can pass.
pub(crate) fn contenders(claim: &EffectsClaim) -> Vec<Option<f64>> {
    match &claim.test {
        EffectsTest::Levels(levels) => levels.iter().map(|level| Some(-level.ln())).collect(),
        EffectsTest::Certificate { log_e, alpha, of, before } => {
            let mut strengths = vec![None; log_e.len()];
            for j in stats::e_bh_after(log_e, *alpha, *of, *before) {
                strengths[j] = Some(log_e[j]);
            }
            strengths
        }
    }
}

/// One factor over all groups.
#[derive(Default, Clone)]
struct Pooled {
    /// Sum of `precision·coefficient`, and of the precisions `s/s2`.
    sum: f64,
    precision: f64,
    /// The sum for the coefficients on validation.
    validation: f64,
    /// The same sum for every document, and the variance that runs give to it.
    documents: Vec<f64>,
    run_variance: Vec<f64>,
    /// The noise of the last group that said something, and the degrees of freedom of the test.
    noise: Noise,
    df: f64,
}

/// A question about several factors with everything that it is answered from.
pub(crate) struct Question<'a> {
    pub(crate) claim: &'a EffectsClaim,
    /// Which factors it is about.
    pub(crate) asked: Vec<bool>,
    /// Which were answered with yes before, for the incumbent of now.
    pub(crate) confirmed: Vec<bool>,
    /// The arms of the claim's runs and their losses on validation, as far as they are known still.
    pub(crate) arms: Vec<&'a Arm>,
    pub(crate) validation: Option<Vec<f64>>,
}

/// What the holdout says of the factors that are asked about. Those of which it says nothing are left out: the second
/// part names the factors that are in.
///
/// # Errors
/// The runs were not measured on the same units.
pub(super) fn hear(
    question: &Question<'_>,
    held: &[HeldOut],
    rules: &Holdout,
    direction: Direction,
    place: Place,
) -> Result<(Heard, Vec<usize>, Basis), String> {
    let claim = question.claim;
    let (documents, weights) = documents(held, direction)?;
    let mut pooled = vec![Pooled::default(); claim.factors.len()];
    let least = least(held.iter().map(|run| run.loss(direction)));
    let (mut spare, mut reference, mut at) = (0.0, 0.0, 0);
    for group in &claim.groups {
        let n: usize = group.blocks.iter().map(Vec::len).sum();
        let blocks: Vec<u32> =
            group.blocks.iter().zip(0u32..).flat_map(|(block, b)| block.iter().map(move |_| b)).collect();
        let rows = at..at + n;
        at += n;
        // Most factors are on in all runs of a group, or in none.
        let arms = &question.arms[rows.clone()];
        let is_on = |factor: &Arm| arms.iter().map(|arm| arm.contains(factor)).collect::<Vec<_>>();
        let (switched, columns): (Vec<usize>, Vec<Vec<bool>>) = claim
            .factors
            .iter()
            .map(is_on)
            .enumerate()
            .filter(|(_, column)| column.contains(&true) && column.contains(&false))
            .unzip();
        if switched.is_empty() {
            continue;
        }
        let on: Vec<Vec<bool>> =
            (0..n).map(|run| columns.iter().map(|column| column[run]).collect()).collect();
        let design = Design::new(&on, &blocks).map_err(|e| e.to_string())?;
        let fit = |scores: &[f64]| design.fit(scores).map_err(|e| e.to_string());
        // A score is the negative of a loss.
        let scores: Vec<f64> = held[rows.clone()].iter().map(|h| -h.loss(direction)).collect();
        let whole = fit(&scores)?;
        let validation = question.validation.as_ref().map(|losses| {
            let scores: Vec<f64> = losses[rows.clone()].iter().map(|loss| -loss).collect();
            fit(&scores)
        });
        let validation = validation.transpose()?;
        let fits = documents.iter().map(|losses| {
            let deviations: Vec<f64> =
                losses[rows.clone()].iter().zip(&scores).map(|(loss, score)| -loss - score).collect();
            fit(&deviations)
        });
        let fits = fits.collect::<Result<Vec<_>, _>>()?;
        spare += whole.df;
        // With everything switched off there remains the incumbent.
        let off = |(row, score): (&Vec<bool>, &f64)| {
            let switched = row.iter().zip(&whole.coefficients).filter(|(on, b)| **on && b.is_finite());
            -(score - switched.map(|(_, b)| b).sum::<f64>())
        };
        reference += on.iter().zip(&scores).map(off).sum::<f64>();
        for (j, &factor) in switched.iter().enumerate() {
            let Some(s) = design.information(j) else { continue };
            let pool = &mut pooled[factor];
            let precision = s / variance(group.noise, least);
            pool.noise = group.noise;
            pool.sum += precision * whole.coefficients[j];
            pool.precision += precision;
            pool.validation += validation.as_ref().map_or(f64::NAN, |fit| precision * fit.coefficients[j]);
            pool.documents.resize(fits.len(), 0.0);
            pool.run_variance.resize(fits.len(), 0.0);
            for (d, fit) in fits.iter().enumerate() {
                pool.documents[d] += precision * fit.coefficients[j];
                if fit.df > 0.0 {
                    pool.run_variance[d] += precision * precision / s * fit.rss / fit.df;
                }
            }
        }
    }
    let basis = match (rules.split_error, documents.len() > 1, spare >= 4.0) {
        (Some(_), ..) => Basis::Stated,
        (None, false, _) => Basis::RunsOnly,
        (None, true, false) => Basis::RunsAndDocuments,
        (None, true, true) => Basis::RunsAndDocumentComponent,
    };
    let split = |pool: &Pooled| match basis {
        Basis::Stated => Estimate::known(rules.split_error.map_or(0.0, |se| se * se)),
        Basis::RunsOnly => Estimate::known(0.0),
        _ => document_variance(pool, &weights, basis == Basis::RunsAndDocumentComponent),
    };
    let factors: Vec<usize> =
        (0..pooled.len()).filter(|&j| question.asked[j] && pooled[j].precision > 0.0).collect();
    let effect = |&j: &usize| {
        let pool = &mut pooled[j];
        let validation = Some(pool.validation / pool.precision).filter(|v| v.is_finite());
        let (split, runs) = (split(pool), 1.0 / pool.precision);
        pool.df = split.degrees_of_freedom(runs, pool.noise.df);
        let error = (split.variance + runs).sqrt();
        HeardEffect {
            confirmed: question.confirmed[j],
            ..HeardEffect::new(validation, pool.sum / pool.precision, error)
        }
    };
    let effects = factors.iter().map(effect).collect();
    let heard = Heard {
        reference: reference / at.max(1) as f64,
        effects,
        test: test(claim, &factors, &pooled, least),
        place,
    };
    Ok((heard, factors, basis))
}

/// An estimated variance: twice the square of `raw` over `df` is the variance of the estimate.
struct Estimate {
    variance: f64,
    raw: f64,
    df: f64,
}

impl Estimate {
    fn known(variance: f64) -> Self {
        Self { variance, raw: 0.0, df: f64::INFINITY }
    }

    /// Those of its sum with another variance (Satterthwaite 1946, *Biometrics Bulletin* 2:110-114), where they are
    /// fewer than the other has: among few documents their noise is not known better than that.
    fn degrees_of_freedom(&self, runs: f64, df: f64) -> f64 {
        let total = (self.variance + runs).powi(2);
        let spread = self.raw.powi(2) / self.df + runs.powi(2) / df;
        if spread > 0.0 { df.min(total / spread) } else { df }
    }
}

/// The claim's test of these factors.
fn test(claim: &EffectsClaim, factors: &[usize], pooled: &[Pooled], least: f64) -> Test {
    match &claim.test {
        EffectsTest::Levels(levels) => {
            Test::Levels(factors.iter().map(|&j| (levels[j], pooled[j].df)).collect())
        }
        EffectsTest::Certificate { log_e, alpha, of, before } => {
            let certified = |&j: &usize| Certified {
                log_e: log_e[j],
                df: pooled[j].df,
                variance: variance(pooled[j].noise, least),
            };
            let factors = factors.iter().map(certified).collect();
            Test::Certificate { factors, alpha: *alpha, of: *of, before: *before }
        }
    }
}

/// Variance of a pooled coefficient that comes from the documents: all of it, or what does not fall with more runs.
/// The runs' part comes from residuals of the same deviations, and is short by the same factor as their scatter.
fn document_variance(pool: &Pooled, weights: &[f64], component: bool) -> Estimate {
    let shares = Shares::new(weights);
    let Some(factor) = shares.factor() else { return Estimate::known(0.0) };
    let square = pool.precision * pool.precision;
    let scatter = shares.scatter(&pool.documents) / square;
    let runs = if component { shares.of_mean(&pool.run_variance) / square } else { 0.0 };
    Estimate {
        variance: (scatter - runs).max(0.0) * factor,
        raw: scatter * factor,
        df: shares.degrees_of_freedom(),
    }
}

/// So far apart are two equal losses at most, as a share of the largest, once sums over runs have been rounded.
const ROUNDING: f64 = 1e-12;

/// The least variance of a single run. An objective that is always the same has no noise but that of rounding; one over
/// its square has to be a number.
fn least(losses: impl Iterator<Item = f64>) -> f64 {
    let largest = losses.fold(1e-38, |largest: f64, loss| largest.max(loss.abs()));
    (ROUNDING * largest).powi(2)
}

/// Variance of a single run, as far as it is known.
fn variance(noise: Noise, least: f64) -> f64 {
    if noise.df > 0.0 { (noise.ss / noise.df).max(least) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::EffectsGroup;
    use crate::arm::{Part, ProposalId, RunId};
    use crate::holdout::{HoldoutRule, Memory, OneBit};
    use crate::measure::Measurement;
    use crate::stats::two_level_design;

    /// An objective that is always the same says without any doubt what is better.
    #[test]
    fn without_any_noise_what_is_better_is_confirmed() {
        let gains = [0.5, 0.25, -0.5, 0.0];
        let on = two_level_design(4, 16, 3).expect("a design");
        let arm = |row: &Vec<bool>| {
            (1..).zip(row).filter(|(_, on)| **on).map(|(i, _)| Part::from(ProposalId(i))).collect::<Arm>()
        };
        let arms: Vec<Arm> = on.iter().map(arm).collect();
        let factors: Vec<Arm> = (1..=4).map(|i| Arm::single(ProposalId(i))).collect();
        let blocks = vec![(1..=16).map(RunId).collect()];
        let groups = vec![EffectsGroup::new(blocks, Noise::new(0.0, 12.0))];
        let certificate = EffectsTest::Certificate { log_e: vec![50.0; 4], alpha: 0.1, of: 4, before: 0 };
        for test in [EffectsTest::Levels(vec![0.01; 4]), certificate] {
            for units in [1, 24] {
                let run = |row: &Vec<bool>| {
                    let gain: f64 = row.iter().zip(gains).filter(|(on, _)| **on).map(|(_, gain)| gain).sum();
                    Measurement::new(vec![2.0 - gain; units]).expect("finite").into()
                };
                let held: Vec<HeldOut> = on.iter().map(run).collect();
                let claim = EffectsClaim::new(factors.clone(), groups.clone(), test.clone());
                let question = Question {
                    claim: &claim,
                    asked: vec![true; 4],
                    confirmed: vec![false; 4],
                    arms: arms.iter().collect(),
                    validation: None,
                };
                let heard = hear(&question, &held, &Holdout::new(), Direction::Minimize, Place::default());
                let (heard, ..) = heard.expect("comparable");
                let heard_gains: Vec<f64> = heard.effects().iter().map(|effect| effect.gain).collect();
                for (heard, gain) in heard_gains.iter().zip(gains) {
                    assert!((heard - gain).abs() < 1e-12, "{heard_gains:?}");
                }
                let passed = OneBit.answer(&heard, &Memory::default()).passed;
                assert_eq!(passed, [true, true, false, false], "{test:?}, {units} units: {heard_gains:?}");
            }
        }
    }
}
