//! The baseline runs and the settings, and the order in which they are made into an answer.

use super::checks::{Drift, Repeats, Tails};
use super::detect::PairNoise;
use super::documents::Table;
use super::{
    Detectable, Documents, EvaluationDesign, HoldoutSize, Levers, Longer, Pairs, Sigma, Warning, cost,
};
use crate::measure::{Direction, Measurement};
use crate::state::StateError;
use crate::stats::mean;
use std::collections::BTreeSet;

/// Why runs cannot be made into an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Noise over seeds needs seeds.
    #[error(
        "{runs} baseline runs on {seeds} different seed(s): how much a run scatters over seeds takes 3 seeds at the \
         least, better 8; run the baseline on more"
    )]
    Seeds {
        /// Runs given.
        runs: usize,
        /// Seeds among them.
        seeds: usize,
    },
    /// All runs came out the same.
    #[error(
        "all {runs} baseline runs on different seeds scored {value}: either the seed does not reach the training run, \
         or there is no noise to plan for"
    )]
    NoSpread {
        /// Runs on different seeds.
        runs: usize,
        /// What they scored.
        value: f64,
    },
    /// The spread is no number to reckon with.
    #[error(
        "the standard deviation of the baseline runs is {sd:e}: it and its square must be finite and above 0; check the \
         runs for values that are no scores, or measure in other units"
    )]
    Scale {
        /// The standard deviation.
        sd: f64,
    },
    /// An edit that moved every run by the same amount.
    #[error(
        "edit {edit} (counted from 0) differs from the baseline by the same amount on every seed (sd {sd:e}): that is an \
         exact shift, not a run of its own; train the edit on each seed, or leave it out"
    )]
    ExactShift {
        /// Which edit.
        edit: usize,
        /// Standard deviation of its differences.
        sd: f64,
    },
    /// Runs were measured on different units.
    #[error(
        "runs differ in their units (in number, weights or clusters); the evaluator must give the same documents in the \
         same order for every run"
    )]
    Units,
    /// An edit without a partner.
    #[error("edit {edit} (counted from 0) has no run on a seed of the baseline's; run it on the same seeds")]
    NoPairs {
        /// Which edit.
        edit: usize,
    },
    /// Longer runs without spread.
    #[error("{runs} longer run(s) show no noise over seeds; give 3 at the least, on different seeds")]
    Longer {
        /// How many were given.
        runs: usize,
    },
    /// A setting outside of its range.
    #[error("{name} is {value}; it must be {expected}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What was given.
        value: f64,
        /// The range, in words.
        expected: &'static str,
    },
    /// A policy refused to be played.
    #[error("a policy could not be simulated: {0}")]
    Policy(#[from] StateError),
}

/// Baseline runs, and what is planned: [`design`](Self::design) makes an [`EvaluationDesign`] of them.
#[derive(Debug, Clone)]
pub struct Baseline {
    runs: Vec<(u64, Measurement)>,
    edits: Vec<Vec<(u64, Measurement)>>,
    longer: Option<(f64, Vec<f64>)>,
    direction: Direction,
    budget: u32,
    alpha: f64,
    matters: Option<f64>,
    simulations: u32,
    budgets: Vec<u32>,
}

/// Numbers of runs on one proposal that are shown beside the planned one.
const BY_RUNS: [u32; 5] = [4, 8, 16, 32, 64];
/// Nobody spends more runs than this on one proposal.
const MOST_RUNS: u32 = 4096;
/// With fewer seeds than this, sigma may be off by more than a factor of two (95 %, 6 seeds: .62 to 2.45).
const FEW_SEEDS: usize = 6;
/// Nobody's tails are known further out.
const LEAST_ALPHA: f64 = 1e-9;
const FEW_DOCUMENTS: usize = 10;
/// Where nobody says what matters: few edits of a tuned baseline gain more than this many sigma.
const LARGE: f64 = 2.0;

impl Baseline {
    /// Runs of one and the same baseline, each with its seed, in the order in which they were made.
    ///
    /// Eight on different seeds are a good beginning, with per-unit values and clusters if the evaluator has them.
    /// Runs on a seed that was there before count as repeats.
    pub fn of(runs: impl IntoIterator<Item = (u64, Measurement)>) -> Self {
        Self {
            runs: runs.into_iter().collect(),
            edits: Vec::new(),
            longer: None,
            direction: Direction::Minimize,
            budget: 16,
            alpha: 0.01,
            matters: None,
            simulations: 20,
            budgets: BY_RUNS.to_vec(),
        }
    }

    /// Adds runs of a mild edit on seeds of the baseline's, two or more: what equal seeds are worth, and the split's own
    /// noise for an edit, cannot be seen without. A few edits are better than many runs of one.
    #[must_use]
    pub fn edit(mut self, runs: impl IntoIterator<Item = (u64, Measurement)>) -> Self {
        self.edits.push(runs.into_iter().collect());
        self
    }

    /// Adds runs of the same baseline at a larger fidelity, on different seeds; each costs as much as `cost` of the
    /// others.
    #[must_use]
    pub fn longer(mut self, cost: f64, runs: impl IntoIterator<Item = Measurement>) -> Self {
        self.longer = Some((cost, runs.into_iter().map(|run| run.objective()).collect()));
        self
    }

    /// Whether lower or higher is better; lower, unless said otherwise.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Runs to be spent on one proposal, half of them on the incumbent (default 16).
    #[must_use]
    pub fn runs_per_proposal(mut self, runs: u32) -> Self {
        self.budget = runs;
        self
    }

    /// The one-sided level at which a proposal without merit is kept (default .01; 1e-9 to .5).
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// The smallest gain that is worth finding, in the units of the objective.
    #[must_use]
    pub fn matters(mut self, gain: f64) -> Self {
        self.matters = Some(gain);
        self
    }

    /// Simulated studies for the cost of each policy (default 20; 0 leaves the costs out). Seconds in an optimised build.
    #[must_use]
    pub fn simulations(mut self, studies: u32) -> Self {
        self.simulations = studies;
        self
    }

    /// Other numbers of runs on one proposal for which the smallest effect is wanted as well (default 4, 8, 16, 32, 64).
    #[must_use]
    pub fn compare(mut self, runs_per_proposal: impl IntoIterator<Item = u32>) -> Self {
        self.budgets = runs_per_proposal.into_iter().collect();
        self
    }

    /// What the runs say. Deterministic: the simulations are seeded.
    ///
    /// # Errors
    /// Fewer than three seeds, no spread, runs on different units, an edit without a common seed, a setting outside of
    /// its range; each error says what to do.
    pub fn design(&self) -> Result<EvaluationDesign, PlanError> {
        self.check()?;
        let first = self.first_of_each_seed();
        let objectives: Vec<f64> = first.iter().map(|run| run.1.objective()).collect();
        let by_seed = |runs: &[(u64, &Measurement)]| runs.iter().map(|r| (r.0, r.1.objective())).collect();
        let (of_first, of_all): (Vec<_>, Vec<_>) =
            (by_seed(&first), self.runs.iter().map(|r| (r.0, r.1.objective())).collect());
        let too_few = PlanError::Seeds { runs: self.runs.len(), seeds: first.len() };
        let sigma = Sigma::of(&objectives).filter(|_| first.len() >= 3).ok_or(too_few)?;
        if sigma.sd == 0.0 {
            return Err(PlanError::NoSpread { runs: first.len(), value: objectives[0] });
        }
        if !(sigma.sd * sigma.sd).is_normal() {
            return Err(PlanError::Scale { sd: sigma.sd });
        }
        let measurements: Vec<&Measurement> = first.iter().map(|run| run.1).collect();
        let table = Table::of(&measurements, self.direction)?;
        let documents = table.and_then(|table| Documents::of(&table, &objectives));
        let pairs = Pairs::of(&first, &self.edits, sigma.sd, self.direction)?;
        let noise = pair_noise(&sigma, pairs.as_ref());
        let detectable = |runs: u32| {
            let effect = noise.detectable(runs / 2, self.alpha);
            Detectable { runs: runs / 2 * 2, effect, in_sigma: effect / sigma.sd }
        };
        let planned = detectable(self.budget);
        let target = self.matters.unwrap_or(planned.effect);
        let correlation = pairs.as_ref().map_or(0.0, |p| p.correlation);
        let levers = self.levers(&noise, &planned, &sigma, documents.as_ref(), pairs.as_ref())?;
        let mut design = EvaluationDesign {
            runs: self.runs.len(),
            seeds: first.len(),
            mean: mean(&objectives),
            sigma,
            documents,
            alpha: self.alpha,
            detectable: planned,
            by_runs: self.budgets.iter().copied().map(detectable).collect(),
            matters: self.matters,
            costs: cost::of_policies(
                target / sigma.sd,
                correlation,
                self.budget / 2,
                self.alpha,
                self.simulations,
            )?,
            holdout: holdout(&noise, &sigma, self.budget / 2, documents.as_ref(), pairs.as_ref()),
            levers,
            repeats: Repeats::of(&of_all, sigma.sd, sigma.df),
            drift: Drift::of(&objectives),
            tails: Tails::of(&of_first),
            pairs,
            warnings: Vec::new(),
        };
        design.warnings = self.warnings(&design, &noise);
        Ok(design)
    }

    fn check(&self) -> Result<(), PlanError> {
        let setting = |name, value, expected| Err(PlanError::Setting { name, value, expected });
        if !(self.alpha >= LEAST_ALPHA && self.alpha <= 0.5) {
            return setting("alpha", self.alpha, "a level of 1e-9 at the least and .5 at most");
        }
        if !(4..=MOST_RUNS).contains(&self.budget) {
            return setting("runs_per_proposal", self.budget.into(), "between 4 (two pairs) and 4096");
        }
        if let Some(runs) = self.budgets.iter().find(|runs| !(4..=MOST_RUNS).contains(runs)) {
            return setting("a number of runs to compare", (*runs).into(), "between 4 (two pairs) and 4096");
        }
        if let Some(gain) = self.matters.filter(|gain| !(gain.is_finite() && *gain > 0.0)) {
            return setting("matters", gain, "a positive gain");
        }
        if let Some((cost, _)) = self.longer.as_ref().filter(|(cost, _)| !(cost.is_finite() && *cost > 0.0)) {
            return setting("the cost of a longer run", *cost, "positive, in runs of the usual length");
        }
        Ok(())
    }

    fn first_of_each_seed(&self) -> Vec<(u64, &Measurement)> {
        let mut seen = BTreeSet::new();
        self.runs.iter().filter(|run| seen.insert(run.0)).map(|run| (run.0, &run.1)).collect()
    }

    fn levers(
        &self,
        noise: &PairNoise,
        planned: &Detectable,
        sigma: &Sigma,
        documents: Option<&Documents>,
        pairs: Option<&Pairs>,
    ) -> Result<Levers, PlanError> {
        let twice = noise.detectable(self.budget / 2 * 2, self.alpha);
        // The part of a difference's variance that more documents average away.
        let share = pairs.map_or(documents.map(|d| d.run_share), |p| p.document_share);
        let longer = self.longer.as_ref().map(|(cost, values)| Longer::of(*cost, values, sigma));
        Ok(Levers {
            twice_the_runs: twice / planned.effect,
            twice_the_documents: share.map(|share| (1.0 - share / 2.0).sqrt()),
            all_documents: share.map(|share| (1.0 - share).sqrt()),
            longer: longer.transpose()?,
        })
    }

    fn warnings(&self, design: &EvaluationDesign, noise: &PairNoise) -> Vec<Warning> {
        let (runs, effect) = (design.detectable.runs, design.detectable.effect);
        let mut warnings = Vec::new();
        match self.matters {
            Some(matters) if effect > matters => {
                let needed = needed(noise, self.alpha, matters);
                warnings.push(Warning::Blind { runs, effect, matters, needed });
            }
            None if design.detectable.in_sigma > LARGE => {
                warnings.push(Warning::OnlyLargeEffects { runs, in_sigma: design.detectable.in_sigma });
            }
            _ => {}
        }
        let seeds = design.seeds;
        if seeds < FEW_SEEDS {
            warnings.push(Warning::TooFewRuns { seeds });
        }
        let single = design.pairs.as_ref().map_or(self.edits.len(), |pairs| pairs.single);
        if single > 0 {
            warnings.push(Warning::SinglePairs { edits: single });
        }
        match design.documents {
            None => warnings.push(Warning::NoUnits),
            Some(Documents { count: documents, .. }) if documents < FEW_DOCUMENTS => {
                warnings.push(Warning::FewDocuments { documents });
            }
            _ => {}
        }
        let split = design.pairs.as_ref().and_then(|p| p.split);
        if let Some(split) = split.filter(|split| split.sd > 0.5 * effect) {
            warnings.push(Warning::SplitNoise { sd: split.sd, effect });
        }
        if let Some(tails) = design.tails {
            let far = tails.farthest;
            if far.p < 0.05 {
                warnings.push(Warning::Outlier { seed: far.seed, deviation: far.deviation, p: far.p, seeds });
            }
            if tails.p < 0.01 {
                warnings.push(Warning::HeavyTails { kurtosis: tails.kurtosis, p: tails.p, seeds });
            }
        }
        if let Some(drift) = design.drift.filter(|drift| drift.p < 0.01) {
            warnings.push(Warning::Drift { change: drift.change, p: drift.p });
        }
        if let Some(repeats) = design.repeats.filter(Repeats::understate) {
            warnings.push(Warning::RepeatsUnderstate { ratio: repeats.ratio });
        }
        warnings
    }
}

/// With edits on the baseline's seeds, what they show; else two runs that have nothing in common.
fn pair_noise(sigma: &Sigma, pairs: Option<&Pairs>) -> PairNoise {
    match pairs.filter(|p| p.sd > 0.0) {
        Some(p) => PairNoise { sd: p.sd, df: p.df, spread_df: p.spread_df },
        None => PairNoise { sd: 2f64.sqrt() * sigma.sd, df: sigma.df, spread_df: f64::INFINITY },
    }
}

/// The fewest runs on one proposal, as a power of two, that tell an effect.
fn needed(noise: &PairNoise, alpha: f64, effect: f64) -> Option<u32> {
    let mut runs = 4;
    while runs <= MOST_RUNS {
        if noise.detectable(runs / 2, alpha) <= effect {
            return Some(runs);
        }
        runs *= 2;
    }
    None
}

fn holdout(
    noise: &PairNoise,
    sigma: &Sigma,
    planned: u32,
    documents: Option<&Documents>,
    pairs: Option<&Pairs>,
) -> HoldoutSize {
    let pair = noise.sd * noise.sd;
    let known = pairs.and_then(|p| p.split).map(|split| split.at_most.powi(2));
    // Where no edit shows it, as much as one pair's documents scatter: what falls with seeds is taken as if it did not.
    // Without documents, as much as run noise.
    let assumed = documents.map_or(sigma.sd.powi(2), |d| 2.0 * d.run_sd.powi(2));
    HoldoutSize::new(known.unwrap_or(assumed), pair, planned, documents.map(|d| d.count), known.is_none())
}
