//! What the holdout's tests promise, in simulation: runs, documents, and both crossed.
//!
//! The verdict is a computed binomial bound: a test fails if so many errors would have a probability below 1/1000 had
//! the true rate been the level. The seeds are fixed, so that it always comes out the same.

use super::effects::{self, Question};
use super::rule::Place;
use super::{HeldOut, Holdout, HoldoutRule, Memory, OneBit, gate};
use crate::accept::{Claim, EffectsClaim, EffectsGroup, EffectsTest, Noise};
use crate::arm::{Arm, Part, ProposalId, RunId};
use crate::measure::{Direction, Measurement};
use crate::stats::{normal_quantile, student_sf, two_level_design};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(super) fn gaussian(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// The most errors among `n` that a rate of `p` is still believed with.
fn most(n: u32, p: f64) -> u32 {
    let mut ln_term = f64::from(n) * (-p).ln_1p();
    let (mut sum, mut k) = (ln_term.exp(), 0);
    while sum < 0.999 {
        k += 1;
        ln_term += (f64::from(n - k + 1) / f64::from(k)).ln() + p.ln() - (-p).ln_1p();
        sum += ln_term.exp();
    }
    k
}

/// A holdout of documents, each of several units that weigh differently.
struct Split {
    documents: usize,
    /// Standard deviations: an edit's bias on a document, a run's noise on a document.
    bias: f64,
    crossed: f64,
    /// Of every unit: its document and its weight.
    units: Vec<(usize, f64)>,
}

impl Split {
    fn new(documents: usize, bias: f64, crossed: f64, rng: &mut ChaCha8Rng) -> Self {
        let of_documents: Vec<f64> = (0..documents).map(|_| 0.7 * gaussian(rng)).collect();
        let unit = |i: usize| (i % documents, (of_documents[i % documents] + 0.2 * gaussian(rng)).exp());
        Self { documents, bias, crossed, units: (0..3 * documents).map(unit).collect() }
    }

    /// Sum of the squared shares of the documents: what the mean of independent documents keeps of their variance.
    fn concentration(&self) -> f64 {
        let mut weights = vec![0.0; self.documents];
        self.units.iter().for_each(|&(d, w)| weights[d] += w);
        let total: f64 = weights.iter().sum();
        weights.iter().map(|w| (w / total).powi(2)).sum()
    }

    /// The variance of one run on this split.
    fn run_variance(&self) -> f64 {
        1.0 + self.crossed.powi(2) * self.concentration()
    }

    fn biases(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        (0..self.documents).map(|_| self.bias * gaussian(rng)).collect()
    }

    /// A run of edits with these biases. The documents differ among each other far more than any of them.
    fn run(&self, edits: &[&Vec<f64>], rng: &mut ChaCha8Rng) -> HeldOut {
        let of_run = gaussian(rng);
        let own: Vec<f64> = (0..self.documents)
            .map(|d| {
                let gains: f64 = edits.iter().map(|edit| edit[d]).sum();
                10.0 + (d as f64).sin() * 3.0 + of_run + self.crossed * gaussian(rng) - gains
            })
            .collect();
        let values = self.units.iter().map(|&(d, _)| own[d]);
        let held = Measurement::new(values)
            .and_then(|m| m.weights(self.units.iter().map(|u| u.1)))
            .and_then(|m| m.clusters(self.units.iter().map(|u| u.0 as u64)));
        held.expect("finite").into()
    }

    /// What somebody knows of a variance from so many degrees of freedom.
    fn noise(variance: f64, df: u32, rng: &mut ChaCha8Rng) -> Noise {
        Noise::new(variance * (0..df).map(|_| gaussian(rng).powi(2)).sum::<f64>(), f64::from(df))
    }
}

/// The levels of the first two factors.
const LEVELS: [f64; 2] = [0.05, 0.01];

/// Of studies of four factors that do nothing: how often each of the first two is answered with yes, and the mean and
/// its standard error of the estimated part of the documents over the true one.
fn factors(split: &Split, runs: usize, studies: u32, seed: u64) -> ([u32; 2], f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let on = two_level_design(4, runs, 3).expect("a design");
    let factors: Vec<Arm> = (1..=4).map(|i| Arm::single(ProposalId(i))).collect();
    let arm = |row: &Vec<bool>| {
        row.iter().zip(1..).filter(|(on, _)| **on).map(|(_, i)| Part::from(ProposalId(i))).collect::<Arm>()
    };
    let arms: Vec<Arm> = on.iter().map(arm).collect();
    let truth = split.bias.powi(2) * split.concentration();
    let (mut yes, mut sum, mut squares) = ([0; 2], 0.0, 0.0);
    for _ in 0..studies {
        let biases: Vec<Vec<f64>> = (0..4).map(|_| split.biases(&mut rng)).collect();
        let held: Vec<HeldOut> = on
            .iter()
            .map(|row| {
                let edits: Vec<&Vec<f64>> =
                    row.iter().zip(&biases).filter(|(on, _)| **on).map(|x| x.1).collect();
                split.run(&edits, &mut rng)
            })
            .collect();
        let noise = Split::noise(split.run_variance(), 12, &mut rng);
        let blocks = vec![(1..=runs as u64).map(RunId).collect()];
        let test = EffectsTest::Levels([LEVELS, LEVELS].concat());
        let claim = EffectsClaim::new(factors.clone(), vec![EffectsGroup::new(blocks, noise)], test);
        let question = Question {
            claim: &claim,
            asked: vec![true; 4],
            confirmed: vec![false; 4],
            arms: arms.iter().collect(),
            validation: None,
        };
        let heard = effects::hear(&question, &held, &Holdout::new(), Direction::Minimize, Place::default());
        let (heard, _, _) = heard.expect("comparable");
        let bits = OneBit.answer(&heard, &Memory::default()).passed;
        yes.iter_mut().zip(bits).for_each(|(yes, bit)| *yes += u32::from(bit));
        let of_runs = noise.ss / noise.df / (runs as f64 / 4.0);
        let ratio = (heard.effects()[0].error.powi(2) - of_runs) / truth;
        sum += ratio;
        squares += ratio * ratio;
    }
    let n = f64::from(studies);
    let mean = sum / n;
    (yes, mean, ((squares / n - mean * mean) / n).sqrt())
}

#[test]
fn a_factor_that_does_nothing_is_confirmed_at_most_at_the_level() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (documents, bias, crossed, runs) in [(20, 0.0, 0.5, 8), (20, 2.0, 2.0, 16), (6, 6.0, 0.0, 32)] {
        let split = Split::new(documents, bias, crossed, &mut rng);
        let (yes, ..) = factors(&split, runs, 1200, 7);
        for (yes, level) in yes.into_iter().zip(LEVELS) {
            let bound = most(1200, level);
            assert!(
                yes <= bound,
                "{documents} documents, {runs} runs: {yes} errors at {level}, at most {bound}"
            );
        }
    }
}

#[test]
fn the_part_of_the_documents_is_right_on_average() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for (documents, bias, crossed) in [(20, 2.0, 2.0), (8, 3.0, 2.0), (8, 3.0, 0.0)] {
        let split = Split::new(documents, bias, crossed, &mut rng);
        let (_, mean, error) = factors(&split, 16, 800, 9);
        assert!((mean - 1.0).abs() < 4.0 * error, "{documents} documents: {mean:.3} ± {error:.3}");
    }
}

/// Of pairs of equal candidates: how often the gate says yes.
fn pairs(split: &Split, n: usize, level: f64, known: u32, studies: u32, seed: u64) -> (u32, f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let ids = |from: u64| (from..from + n as u64).map(RunId).collect();
    let truth = split.bias.powi(2) * split.concentration() + 2.0 * split.run_variance() / n as f64;
    let (mut yes, mut sum, mut squares) = (0, 0.0, 0.0);
    for _ in 0..studies {
        let bias = split.biases(&mut rng);
        let candidate: Vec<HeldOut> = (0..n).map(|_| split.run(&[&bias], &mut rng)).collect();
        let incumbent: Vec<HeldOut> = (0..n).map(|_| split.run(&[], &mut rng)).collect();
        let noise = Split::noise(2.0 * split.run_variance(), known, &mut rng);
        let claim = Claim::new(ids(1), ids(100), true, level, noise);
        let place = Place::default();
        let heard = gate::hear(&claim, &candidate, &incumbent, &Holdout::new(), Direction::Minimize, place);
        let (heard, _) = heard.expect("comparable");
        yes += u32::from(OneBit.answer(&heard, &Memory::default()).passed[0]);
        let ratio = heard.effects()[0].error.powi(2) / truth;
        sum += ratio;
        squares += ratio * ratio;
    }
    let n = f64::from(studies);
    let mean = sum / n;
    (yes, mean, ((squares / n - mean * mean) / n).sqrt())
}

/// The gate takes the normal distribution for a variance that it estimates. With many degrees of freedom the level is
/// kept; with few the errors are those of a normal quantile in Student's distribution, and no more.
#[test]
fn a_proposal_that_does_nothing_is_confirmed_as_often_as_a_plugged_in_variance_allows() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (level, studies) = (0.05, 1200);
    // 20 documents with biases that matter, or none at all, and what is known of the run noise beforehand.
    for (bias, n, known) in [(0.0, 4, 200), (0.0, 4, 2), (2.0, 4, 200), (2.0, 2, 200)] {
        let split = Split::new(20, bias, 1.0, &mut rng);
        let (yes, mean, error) = pairs(&split, n, level, known, studies, 5);
        let of_runs = f64::from(known) + n as f64 - 1.0;
        let df = if bias > 0.0 { of_runs.min(19.0) } else { of_runs };
        let bound = most(studies, student_sf(normal_quantile(1.0 - level), df));
        assert!(yes <= bound, "bias {bias}, {n} pairs, {known} known: {yes} errors, at most {bound}");
        // From four pairs on nothing is counted twice, but for a component that cannot be negative.
        assert!(mean > 1.0 - 4.0 * error, "bias {bias}, {n} pairs: {mean:.3} ± {error:.3}");
        assert!(bias == 0.0 || n < 4 || mean < 1.0 + 4.0 * error, "{n} pairs: {mean:.3} ± {error:.3}");
    }
}
