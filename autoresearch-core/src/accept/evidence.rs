//! The runs of one proposal and of the incumbent, as a rule sees them.

use super::claim::{Claim, Noise};
use super::decision::Strength;
use crate::arm::RunId;
use crate::propose::Effect;
use crate::stats::TTestE;

/// Candidate and incumbent runs of one proposal: fresh runs only, in pairs, as losses (lower is better).
///
/// Rules for one proposal at a time ([`acceptor_fn`](crate::acceptor_fn)) look at this and give a
/// [`Verdict`](crate::Verdict). They are asked with no pairs at first, and again whenever the pairs that they wanted
/// are in.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Evidence {
    pub(crate) candidate: Vec<f64>,
    pub(crate) incumbent: Vec<f64>,
    pub(crate) candidate_runs: Vec<RunId>,
    pub(crate) incumbent_runs: Vec<RunId>,
    pub(crate) noise: Noise,
    pub(crate) sigma: Option<f64>,
    pub(crate) level: Option<f64>,
}

impl Evidence {
    /// Evidence for unit tests of a rule: pairs of candidate and incumbent losses.
    pub fn for_test(candidate: &[f64], incumbent: &[f64]) -> Self {
        let n = candidate.len().min(incumbent.len());
        Self { candidate: candidate[..n].to_vec(), incumbent: incumbent[..n].to_vec(), ..Self::default() }
    }

    /// Losses of the candidate, one a pair.
    pub fn candidate(&self) -> &[f64] {
        &self.candidate
    }

    /// Losses of the incumbent, one a pair.
    pub fn incumbent(&self) -> &[f64] {
        &self.incumbent
    }

    /// How many pairs there are.
    pub fn pairs(&self) -> usize {
        self.candidate.len()
    }

    /// Improvement in each pair: positive where the candidate is better.
    pub fn differences(&self) -> impl Iterator<Item = f64> + '_ {
        self.incumbent.iter().zip(&self.candidate).map(|(b, c)| b - c)
    }

    /// What calibration knows of the variance of a difference.
    pub fn noise(&self) -> Noise {
        self.noise
    }

    /// The standard deviation of one run over seeds, from the incumbent's calibration runs.
    pub fn sigma(&self) -> Option<f64> {
        self.sigma
    }

    /// The level fixed for this proposal before its first fresh run, where the policy has one.
    pub fn level(&self) -> Option<f64> {
        self.level
    }

    /// The t e-process over these differences.
    pub(crate) fn e_process(&self) -> Option<TTestE> {
        let mut e = TTestE::new(self.noise.ss, self.noise.df).ok()?;
        self.differences().for_each(|d| e.push(d));
        Some(e)
    }

    /// Mean improvement with its 95 % confidence sequence, valid whenever one chose to stop.
    pub(crate) fn effect(&self) -> Option<Effect> {
        let e = self.e_process().filter(|_| self.pairs() > 0)?;
        Some(Effect::new(e.mean(), e.confidence_sequence(0.95), 0.95, self.pairs() as u32, true))
    }

    pub(crate) fn claim(&self) -> Claim {
        let level = self.level.unwrap_or(0.05);
        Claim::new(self.candidate_runs.clone(), self.incumbent_runs.clone(), true, level, self.noise)
    }

    pub(crate) fn strength(&self) -> Option<Strength> {
        Some(Strength::new(self.e_process()?.log_e(), self.level?))
    }
}
