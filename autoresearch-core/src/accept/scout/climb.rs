//! Where the stack stands: its mean, re-measured and shrunk, how far a claimed gain can be trusted, and how many
//! proposals share a run.

use crate::accept::{Cohort, Standing};
use crate::arm::{Arm, ProposalId, RunId};
use crate::propose::Effect;
use crate::stats::{Moments, Residual};
use std::collections::VecDeque;

/// The stack is run again when the variance of its mean, in units of a run's, has grown beyond `MOST`, or when
/// `PATIENCE` bundles in a row were turned down and it is above `LEAST`. An acceptance adds `STEP`.
const STEP: f64 = 0.6;
pub(super) const MOST: f64 = 3.0;
const LEAST: f64 = 0.15;
const PATIENCE: u32 = 25;
/// Results at one bundle size before it changes.
const WINDOW: usize = 8;
/// Up above one fifth of successes, if so much of the claimed gains is real; down below a tenth, or below that share.
const SHARE_UP: f64 = 0.35;
const SHARE_DOWN: f64 = 0.2;

#[derive(Debug)]
pub(super) struct Climb {
    pub(super) mean: f64,
    /// The incumbent's mean, and what was gained since in the largest leaps.
    pub(super) origin: f64,
    pub(super) leapt: f64,
    /// Variance of the mean, in units of a run's.
    pub(super) variance: f64,
    /// The share of claimed gains that re-runs realise, as a ratio of two decaying sums.
    realised: f64,
    claims: f64,
    /// What the stack took up since the incumbent was last measured, and what each of it seemed to add.
    taken: Vec<(ProposalId, Effect)>,
    /// Claimed since the last re-run, and the mean then.
    pub(super) claimed: f64,
    mean_then: f64,
    pub(super) turned_down: u32,
    pub(super) bundle: usize,
    window: VecDeque<bool>,
    /// Re-runs of the stack as it is now.
    pub(super) reruns: Moments,
    pub(super) flying: Vec<(RunId, Flight)>,
    pub(super) queue: VecDeque<ProposalId>,
    pub(super) newest: ProposalId,
    /// Turned down, oldest first: offered again when nothing new comes.
    pub(super) rejected: VecDeque<ProposalId>,
    /// Asked for since the last bundle.
    pub(super) asked: bool,
    /// Runs of the stack that are to come before anything else.
    pub(super) owed: u32,
    /// The seed that proposals share with the stack, and what the stack scored on it.
    pub(super) seed: Option<(u64, f64)>,
    /// How often the stack has changed.
    pub(super) generation: u64,
}

/// How much of a seed's luck is expected to carry over to the stack with one proposal more. In real training it was
/// about .8 for mild edits; .3 gains nearly as much there, and costs nothing where seeds mean nothing.
const SHARED: f64 = 0.3;
/// Runs of a stack whose mean is not known.
const FRESH: u32 = 2;
/// So many sigma of a claim may be luck: the rest is believed at once.
const LUCK: f64 = 2.0;
/// A gain of so many sigma changes what is to be beaten: the stack is run again before anything else.
const LEAP: f64 = 4.0;

#[derive(Debug)]
pub(super) enum Flight {
    Stack,
    /// New proposals on the stack, whose expected score on this seed was `reference`.
    Bundle {
        proposals: Vec<ProposalId>,
        reference: f64,
        generation: u64,
    },
}

impl Flight {
    pub(super) fn new_values(&self, cohort: &Cohort<'_>) -> usize {
        match self {
            Self::Stack => 0,
            Self::Bundle { proposals, .. } => proposals.iter().map(|p| cohort.units(*p).len()).sum(),
        }
    }
}

impl Default for Climb {
    fn default() -> Self {
        Self {
            mean: 0.0,
            origin: 0.0,
            leapt: 0.0,
            variance: 1.0,
            realised: 1.5,
            claims: 5.0,
            taken: Vec::new(),
            claimed: 0.0,
            mean_then: 0.0,
            turned_down: 0,
            bundle: 1,
            window: VecDeque::new(),
            reruns: Moments::new(),
            flying: Vec::new(),
            queue: VecDeque::new(),
            newest: ProposalId(0),
            rejected: VecDeque::new(),
            asked: false,
            owed: 0,
            seed: None,
            generation: 0,
        }
    }
}

impl Climb {
    pub(super) fn bundle(&self) -> usize {
        self.bundle
    }

    /// Whether nothing is left to be tried, once no further proposals come. What was turned down is offered again where
    /// a budget says when to stop.
    pub(super) fn is_idle(&self, cohort: &Cohort<'_>) -> bool {
        let again = !self.rejected.is_empty() && cohort.runs_affordable().is_some();
        self.queue.is_empty() && self.flying.is_empty() && !again
    }

    /// Begins at this mean; where it is not known, the stack is to be run first.
    pub(super) fn restart(&mut self, mean: f64, variance: f64, known: bool) {
        (self.mean, self.mean_then, self.claimed) = (mean, mean, 0.0);
        self.owed = if known { 0 } else { FRESH };
        self.variance = if known { variance } else { f64::INFINITY };
        self.turned_down = 0;
        self.reruns = Moments::new();
    }

    pub(super) fn settled(&mut self, proposal: ProposalId, kept: bool) {
        if kept {
            self.rejected.retain(|p| *p != proposal);
        }
    }

    /// What the stack with so many more proposals is expected to score on the shared seed, if they do nothing.
    pub(super) fn reference(&self, proposals: usize) -> f64 {
        let known = self.seed.map_or(0.0, |(_, score)| score - self.mean);
        self.mean + SHARED.powi(proposals.min(64) as i32) * known
    }

    pub(super) fn rho(&self) -> f64 {
        if self.claims > 0.0 { (self.realised / self.claims).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The stack has taken something that claims to gain so much, where runs vary by `s`; `keyed`: values of keys.
    ///
    /// What may be luck is shrunk by the share that claims have realised. Of keys one may be worth tens of sigma, and
    /// noise does not grow with a gain: were all of it shrunk, whatever comes next could lose most of it and still seem
    /// better than the mean.
    pub(super) fn rise(&mut self, gain: f64, s: f64, keyed: bool) {
        let sure = if keyed { gain - LUCK * s } else { f64::NEG_INFINITY };
        self.mean += (self.rho() * gain).max(sure);
        self.claimed += gain;
        self.variance += STEP;
        if keyed && gain > LEAP * s {
            self.owed = self.owed.max(1);
        }
        if keyed && gain > 2.0 * LEAP * s {
            self.leapt += gain;
        }
        self.turned_down = 0;
        self.reruns = Moments::new();
        self.generation += 1;
        self.seed = None;
    }

    /// Begins at the incumbent, whose mean is known now.
    pub(super) fn found(&mut self, incumbent: f64) {
        (self.origin, self.leapt) = (incumbent, 0.0);
        self.taken.clear();
    }

    /// These proposals, taken up on a stack with this mean, made it what it is now.
    pub(super) fn credit(&mut self, proposals: &[ProposalId], before: f64) {
        let each = (self.mean - before) / proposals.len().max(1) as f64;
        for (i, &proposal) in proposals.iter().enumerate() {
            let upon = before + each * i as f64 - self.origin;
            let effect = Effect::new(each, (f64::NAN, f64::NAN), 0.95, 1, false).upon(upon);
            self.taken.retain(|(taken, _)| *taken != proposal); // what was taken up, replaced, and offered again
            self.taken.push((proposal, effect));
        }
    }

    /// What a proposal seemed to add when it was taken up.
    pub(super) fn effect(&self, proposal: ProposalId) -> Option<Effect> {
        self.taken.iter().find(|(taken, _)| *taken == proposal).map(|(_, effect)| *effect)
    }

    /// Where the stack stands, for those who propose.
    pub(super) fn standing(&self, stack: &Arm) -> Standing {
        let gain = if stack.is_incumbent() { 0.0 } else { self.mean - self.origin };
        Standing::new(gain, self.taken.clone())
    }

    /// A run of the stack itself.
    pub(super) fn remeasure(&mut self, score: f64, noise: &mut Residual) {
        self.owed = self.owed.saturating_sub(1);
        let before = self.reruns.sum_of_squares();
        self.reruns.push(score);
        if self.reruns.n() > 1 {
            *noise = noise.pooled(Residual::new(self.reruns.sum_of_squares() - before, 1.0));
        }
        let s = noise.variance().unwrap_or(0.0).sqrt();
        if self.claimed > 0.0 && s > 0.0 {
            self.realised = 0.8 * self.realised + (score - self.mean_then) / s;
            self.claims = 0.8 * self.claims + self.claimed / s;
            self.claimed = 0.0;
        }
        let weight = if self.variance.is_finite() { self.variance / (self.variance + 1.0) } else { 1.0 };
        self.mean += weight * (score - self.mean);
        self.variance = weight;
        self.mean_then = self.mean;
    }

    /// From here on one proposal a run, these first, until success makes the bundles grow again.
    pub(super) fn disband(&mut self, proposals: Vec<ProposalId>) {
        self.bundle = 1;
        self.window.clear();
        proposals.into_iter().rev().for_each(|p| self.queue.push_front(p));
    }

    pub(super) fn needs_rerun(&self) -> bool {
        let under_way = self.flying.iter().any(|(_, flight)| matches!(flight, Flight::Stack));
        let due =
            self.owed > 0 || self.variance > MOST || self.turned_down >= PATIENCE && self.variance > LEAST;
        due && !under_way
    }

    /// The 1/5 success rule (Rechenberg 1973), held in check by the share of claims that was real.
    pub(super) fn adapt(&mut self, success: bool, most: usize) {
        self.window.push_back(success);
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        if self.window.len() < WINDOW {
            return;
        }
        let share = self.window.iter().filter(|s| **s).count() as f64 / WINDOW as f64;
        let bundle = if share > 0.2 && self.rho() > SHARE_UP && self.bundle < most {
            (2 * self.bundle).min(most)
        } else if self.bundle > 1 && (share < 0.1 || self.rho() < SHARE_DOWN) {
            self.bundle / 2
        } else {
            return;
        };
        self.bundle = bundle;
        self.window.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise() -> Residual {
        Residual::new(7.0, 7.0)
    }

    /// By hand: with variance 3, a re-run weighs 3/4; with 3/4 left, the next weighs 3/7.
    #[test]
    fn the_mean_is_measured_again_and_shrunk() {
        let (mut climb, mut noise) = (Climb::default(), noise());
        climb.restart(1.0, 3.0, true);
        climb.remeasure(2.0, &mut noise);
        assert_eq!((climb.mean, climb.variance), (1.75, 0.75));
        climb.remeasure(1.05, &mut noise);
        assert!((climb.mean - 1.45).abs() < 1e-12 && (climb.variance - 3.0 / 7.0).abs() < 1e-12);
        // The two runs of one stack say something of the noise: (2 - 1.05)²/2 with one degree of freedom.
        assert!((noise.ss - 7.45125).abs() < 1e-12 && noise.df == 8.0);
    }

    /// 1.5/5 at first; a claim of 2 sigma of which 1 came true: (.8·1.5 + 1)/(.8·5 + 2).
    #[test]
    fn claims_are_believed_as_far_as_they_come_true() {
        let (mut climb, mut noise) = (Climb::default(), noise());
        climb.restart(0.0, 0.5, true);
        assert_eq!(climb.rho(), 0.3);
        climb.claimed = 2.0;
        climb.remeasure(1.0, &mut noise);
        assert!((climb.rho() - 2.2 / 6.0).abs() < 1e-12);
        climb.remeasure(-9.0, &mut noise); // nothing was claimed since
        assert!((climb.rho() - 2.2 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn bundles_follow_success() {
        let mut climb = Climb { realised: 5.0, ..Climb::default() };
        for success in [true, true, false, false, false, false, false, false] {
            assert_eq!(climb.bundle, 1);
            climb.adapt(success, 8); // a quarter of eight
        }
        assert_eq!(climb.bundle, 2);
        (0..7).for_each(|_| climb.adapt(false, 8));
        assert_eq!(climb.bundle, 2, "too few results at this size");
        climb.adapt(false, 8);
        assert_eq!(climb.bundle, 1);
        // Where claims do not come true, success is luck.
        climb.realised = 0.0;
        (0..20).for_each(|_| climb.adapt(true, 8));
        assert_eq!(climb.bundle, 1);
    }

    #[test]
    fn a_shared_seed_is_believed_in_part() {
        let mut climb = Climb::default();
        climb.restart(1.0, 0.5, true);
        assert_eq!(climb.reference(1), 1.0);
        climb.seed = Some((7, 2.0));
        assert!((climb.reference(1) - 1.3).abs() < 1e-12 && (climb.reference(2) - 1.09).abs() < 1e-12);
    }
}
