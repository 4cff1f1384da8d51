//! A landscape with known effects: what a policy keeps can be held against the truth.

use crate::accept::Acceptor;
use crate::arm::ProposalId;
use crate::compose::{Change, Compose, Conflict};
use crate::holdout::{HeldOut, Holdout};
use crate::limits::Limits;
use crate::measure::Measurement;
use crate::propose::{Proposal, Proposed};
use crate::state::{Action, Settings, StateError, StudyState, mix};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A candidate of the landscape: the edits that are in it, sorted.
pub type Edits = Vec<u32>;

/// Merges edits as sets: any two are compatible.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnionOfEdits;

impl Compose<Edits> for UnionOfEdits {
    fn apply(&self, base: &Edits, parent: &Edits, edited: &Edits) -> Result<Edits, Conflict> {
        let added = edited.iter().filter(|e| !parent.contains(e));
        let mut merged: Edits =
            base.iter().filter(|e| edited.contains(e) || !parent.contains(e)).copied().collect();
        merged.extend(added);
        merged.sort_unstable();
        merged.dedup();
        Ok(merged)
    }

    fn needs(&self, _later: Change<'_, Edits>, _earlier: Change<'_, Edits>) -> bool {
        false
    }
}

/// The distribution of the noise of single runs, with standard deviation 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Gaussian.
    Gaussian,
    /// Student t with 4 degrees of freedom, scaled to standard deviation 1.
    T4,
}

/// A stream of proposals with known effects, in units of the standard deviation of one run.
///
/// Effects add up. A run's loss is minus the sum of its edits' effects, plus run noise, plus a bias of the validation
/// split for each edit (standard deviation `split`); the holdout has biases of its own (`split`/√11: 11 times the
/// documents). The defaults are the mixed stream: 3 % of the edits gain U(1, 3), 57 % lose U(0, 3), 40 % do nothing.
#[derive(Debug, Clone)]
pub struct Landscape {
    effects: Vec<f64>,
    split: f64,
    noise: Noise,
    seed: u64,
    /// How much of a run's variance its seed decides, whatever the candidate: the correlation of equal seeds.
    correlation: f64,
}

/// What a policy did on a landscape.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Simulated {
    /// Edits kept.
    pub kept: Vec<u32>,
    /// How many of them have no positive effect.
    pub junk: usize,
    /// The sum of the kept edits' true effects.
    pub true_gain: f64,
    /// The sum of all positive effects.
    pub ideal_gain: f64,
    /// What the policy claims that they gain, summed.
    pub claimed_gain: f64,
    /// Runs used.
    pub runs: u64,
    /// Proposals made.
    pub proposals: u64,
}

impl Simulated {
    /// The share of junk in what was kept; 0 where nothing was.
    pub fn false_discovery_proportion(&self) -> f64 {
        if self.kept.is_empty() { 0.0 } else { self.junk as f64 / self.kept.len() as f64 }
    }
}

impl Landscape {
    /// The mixed stream of `n` edits, drawn from `seed`: no split noise, Gaussian run noise, seeds that mean nothing.
    pub fn mixed(n: u32, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(mix(seed, 1));
        let mut effect = || match rng.random::<f64>() {
            x if x < 0.03 => 1.0 + 2.0 * rng.random::<f64>(),
            x if x < 0.60 => -3.0 * rng.random::<f64>(),
            _ => 0.0,
        };
        Self::of((0..n).map(|_| effect()).collect(), seed)
    }

    /// Edits with these effects.
    pub fn of(effects: Vec<f64>, seed: u64) -> Self {
        Self { effects, split: 0.0, noise: Noise::Gaussian, seed, correlation: 0.0 }
    }

    /// The standard deviation of an edit's bias on the validation split.
    #[must_use]
    pub fn split_noise(mut self, sd: f64) -> Self {
        self.split = sd;
        self
    }

    /// The distribution of run noise.
    #[must_use]
    pub fn noise(mut self, noise: Noise) -> Self {
        self.noise = noise;
        self
    }

    /// How much runs on equal seeds correlate, between 0 and 1.
    #[must_use]
    pub fn seed_correlation(mut self, rho: f64) -> Self {
        self.correlation = rho.clamp(0.0, 1.0);
        self
    }

    /// The true effect of an edit.
    pub fn effect(&self, edit: u32) -> f64 {
        self.effects.get(edit as usize).copied().unwrap_or(0.0)
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        match self.noise {
            Noise::Gaussian => gaussian(rng),
            Noise::T4 => {
                let chi2: f64 = (0..4).map(|_| gaussian(rng).powi(2)).sum();
                gaussian(rng) / (chi2 / 4.0).sqrt() / 2f64.sqrt()
            }
        }
    }

    /// The loss of a candidate on a seed; the same arguments give the same number. Split 0 is validation, 1 the holdout.
    pub fn loss(&self, edits: &Edits, seed: u64, split: u64) -> f64 {
        let hash = edits.iter().fold(17, |h, e| mix(h, u64::from(*e)));
        let mut own = ChaCha8Rng::seed_from_u64(mix(mix(self.seed, hash), mix(seed, 2)));
        let mut shared = ChaCha8Rng::seed_from_u64(mix(self.seed, mix(seed, 3)));
        let rho = self.correlation;
        let noise = rho.sqrt() * self.draw(&mut shared) + (1.0 - rho).sqrt() * self.draw(&mut own);
        let sd = if split == 0 { self.split } else { self.split / 11f64.sqrt() };
        let bias = |e: &u32| {
            let mut rng = ChaCha8Rng::seed_from_u64(mix(mix(self.seed, 4 + split), u64::from(*e)));
            sd * gaussian(&mut rng)
        };
        let gain: f64 = edits.iter().map(|e| self.effect(*e) + bias(e)).sum();
        noise - gain
    }

    /// Plays the whole stream, one proposal after the other, through the real state machine.
    ///
    /// With split noise there is a holdout, whose own noise is stated to the study.
    ///
    /// # Errors
    /// What the state machine refuses; none is expected.
    pub fn play(&self, acceptor: impl Acceptor + 'static, limits: Limits) -> Result<Simulated, StateError> {
        let mut settings = Settings::new().limits(limits).seed(self.seed);
        if self.split > 0.0 {
            let holdout = Holdout::new().queries(1_000_000).split_error(self.split / 11f64.sqrt());
            settings = settings.holdout(holdout);
        }
        let mut study = StudyState::composing(Edits::new(), acceptor, UnionOfEdits, settings)?;
        let mut next = 0;
        loop {
            match study.next_action() {
                Action::Propose { .. } => {
                    if next as usize >= self.effects.len() {
                        study.proposed(Proposed::Exhausted)?;
                        continue;
                    }
                    let mut edited = study.view().incumbent.clone();
                    edited.push(next);
                    next += 1;
                    study.proposed(Proposal::new(edited))?;
                }
                Action::Run(run) => {
                    let loss = self.loss(&run.candidate, run.seed, 0);
                    study.finished(run.id, Measurement::scalar(loss).map_err(Into::into))?;
                }
                Action::AskHoldout(query) => {
                    let loss = |run: &crate::PlannedRun<Edits>| self.loss(&run.candidate, run.seed, 1);
                    let held: Result<Vec<HeldOut>, _> = query
                        .runs
                        .iter()
                        .map(|run| Measurement::scalar(loss(run)).map(HeldOut::from))
                        .collect();
                    let held = held.map_err(|e| StateError::HeldOut(e.to_string()))?;
                    study.held_out(query.id, held)?;
                }
                Action::Wait => return Err(StateError::NotAsked),
                Action::Stop(_) => break,
            }
            study.take_events();
        }
        let kept = study.incumbent().clone();
        let claimed = |id: &ProposalId| {
            let record = study.history().iter().find(|r| r.id == *id);
            record.and_then(|r| r.effect).map_or(0.0, |e| e.mean)
        };
        Ok(Simulated {
            junk: kept.iter().filter(|e| self.effect(**e) <= 0.0).count(),
            true_gain: kept.iter().map(|e| self.effect(*e)).sum(),
            ideal_gain: self.effects.iter().filter(|e| **e > 0.0).sum(),
            claimed_gain: study.kept().iter().map(claimed).sum(),
            runs: study.runs(),
            proposals: study.proposals(),
            kept,
        })
    }
}

/// A standard normal number (Box & Muller 1958).
fn gaussian(rng: &mut impl Rng) -> f64 {
    let u: f64 = 1.0 - rng.random::<f64>();
    let v: f64 = rng.random();
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
