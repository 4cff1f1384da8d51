//! What error rate a rule of acceptance really has, and the suite that holds this crate's own tests to theirs.

mod outcome;
mod rate;
pub mod suite;

pub use outcome::{Calibrated, UnderNoise};
pub use rate::Rate;

use super::landscape::{Listed, Noise, World};
use crate::accept::Acceptor;
use crate::limits::{Limits, StopReason};
use crate::measure::Measurement;
use crate::propose::{Proposal, Proposed};
use crate::state::{Action, Settings, StateError, StudyState, mix};
use std::fmt;

/// A rule that has not come to a verdict after this many runs never will.
const PATIENCE: u64 = 10_000;

/// What error rate a rule of acceptance really has: plays it on proposals without merit, and on proposals with.
///
/// `make` makes the acceptor, anew for every repetition: [`acceptor_fn`](crate::acceptor_fn) with your rule, a policy
/// of this crate, or your own [`Acceptor`]. Each repetition is a study of its own with one proposal, played through the
/// real state machine: first the rule's calibration, then the proposal. So the repetitions are independent, and the
/// intervals exact. It happens under Gaussian noise and under Student-t noise with 4 degrees of freedom, the heavy tails
/// that training has now and then; on equal seeds runs do not correlate unless
/// [`seed_correlation`](Calibrate::seed_correlation) says so.
///
/// ```
/// use autoresearch_core::{acceptor_fn, stats::paired_t, testkit, Evidence, Verdict};
/// // Looks after every pair, as if each look were the only one.
/// let peeking = |evidence: &Evidence| match paired_t(evidence.candidate(), evidence.incumbent()) {
///     Ok(test) if test.p < 0.05 => Verdict::Accept,
///     _ if evidence.pairs() >= 24 => Verdict::Reject,
///     _ => Verdict::more(1),
/// };
/// let found = testkit::calibrate(|| acceptor_fn(peeking)).repetitions(300).run()?;
/// assert!(found.gaussian.false_acceptances.low > 0.10); // it takes its 5 % for more than 10
/// println!("{found}");
/// # Ok::<(), autoresearch_core::StateError>(())
/// ```
pub fn calibrate<A: Acceptor + 'static, F: Fn() -> A>(make: F) -> Calibrate<F> {
    Calibrate { make, repetitions: 1000, seed: 0, effect: 1.0, correlation: 0.0 }
}

/// Made by [`calibrate`].
#[derive(Clone)]
pub struct Calibrate<F> {
    make: F,
    repetitions: u32,
    seed: u64,
    effect: f64,
    correlation: f64,
}

impl<F> Calibrate<F> {
    /// How many proposals of each kind under each noise (default 1000, at least 1).
    #[must_use]
    pub fn repetitions(mut self, n: u32) -> Self {
        self.repetitions = n.max(1);
        self
    }

    /// What all noise follows from: the same seed gives the same answer.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The effect at which the power is measured, in the standard deviation of one run (default 1).
    #[must_use]
    pub fn effect(mut self, sigmas: f64) -> Self {
        self.effect = sigmas;
        self
    }

    /// How much runs on equal seeds correlate, between 0 (default: seeds mean nothing) and 1.
    #[must_use]
    pub fn seed_correlation(mut self, rho: f64) -> Self {
        self.correlation = rho;
        self
    }
}

impl<A: Acceptor + 'static, F: Fn() -> A> Calibrate<F> {
    /// Plays all repetitions.
    ///
    /// # Errors
    /// [`StateError`] if the rule refuses such a study, does what the state machine does not allow, or comes to no
    /// verdict: it waits for nothing, or still wants more after 10,000 runs.
    pub fn run(&self) -> Result<Calibrated, StateError> {
        let rule = (self.make)();
        Ok(Calibrated {
            rule: rule.describe(),
            guarantee: rule.guarantee(),
            effect: self.effect,
            gaussian: self.under(Noise::Gaussian)?,
            t4: self.under(Noise::T4)?,
        })
    }

    fn under(&self, noise: Noise) -> Result<UnderNoise, StateError> {
        let (without, runs) = self.play(noise, 0.0)?;
        let (with, _) = self.play(noise, self.effect)?;
        let n = u64::from(self.repetitions);
        Ok(UnderNoise {
            false_acceptances: Rate::new(without, n),
            power: Rate::new(with, n),
            runs: runs as f64 / n as f64,
        })
    }

    /// How many proposals with this effect were kept, and how many runs they took.
    fn play(&self, noise: Noise, effect: f64) -> Result<(u64, u64), StateError> {
        let (mut kept, mut runs) = (0, 0);
        for repetition in 0..self.repetitions {
            let seed = mix(mix(self.seed, 71), u64::from(repetition));
            let world = Listed::new(vec![effect], seed).noise(noise).seed_correlation(self.correlation);
            let (was_kept, took) = judge_one(&world, (self.make)(), seed)?;
            kept += u64::from(was_kept);
            runs += took;
        }
        Ok((kept, runs))
    }
}

impl<F> fmt::Debug for Calibrate<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calibrate")
            .field("repetitions", &self.repetitions)
            .field("seed", &self.seed)
            .field("effect", &self.effect)
            .field("correlation", &self.correlation)
            .finish_non_exhaustive()
    }
}

/// Plays a study of one proposal: whether it was kept, and the runs from its first on.
fn judge_one(
    world: &Listed,
    acceptor: impl Acceptor + 'static,
    seed: u64,
) -> Result<(bool, u64), StateError> {
    let limits = Limits::new().proposals(1).runs(PATIENCE);
    let settings = Settings::new().limits(limits).seed(seed);
    let mut study = StudyState::composing(world.baseline(), acceptor, world.composer(), settings)?;
    let mut runs = 0;
    loop {
        match study.next_action() {
            Action::Propose { .. } => {
                let proposal = Proposal::new(world.propose(0, study.incumbent()));
                study.proposed(Proposed::Proposals(vec![proposal]))?;
            }
            Action::Run(run) => {
                // What comes before is there for any number of proposals.
                runs += u64::from(runs > 0 || !run.arm.is_incumbent());
                let measured = Measurement::scalar(world.loss(&run.candidate, run.seed, 0));
                study.finished(run.id, measured.map_err(Into::into))?;
            }
            Action::AskHoldout(_) | Action::Wait => return Err(StateError::NotAsked),
            Action::Stop(StopReason::Exhausted | StopReason::Proposals) => {
                return Ok((!study.kept().is_empty(), runs));
            }
            Action::Stop(reason) => {
                return Err(StateError::Settings(format!("no verdict on a proposal: {reason}")));
            }
        }
        study.take_events();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::{Evidence, Factorial, Fast, Greedy, Guarded, Margin, Scout, Verdict, acceptor_fn};

    #[test]
    fn a_coin_is_seen_for_what_it_is() {
        let found = calibrate(Greedy::new).repetitions(400).run().expect("it plays");
        let Rate { low, high, .. } = found.gaussian.false_acceptances;
        assert!(low < 0.5 && 0.5 < high, "{found}");
        assert!((found.gaussian.runs - 1.0).abs() < 1e-9, "{found}");
        assert_eq!(found, calibrate(Greedy::new).repetitions(400).run().expect("it plays"));
        assert_ne!(found, calibrate(Greedy::new).repetitions(400).seed(1).run().expect("it plays"));
    }

    #[test]
    fn every_policy_can_be_calibrated() {
        fn runs<A: Acceptor + 'static>(make: impl Fn() -> A) -> f64 {
            calibrate(make).repetitions(5).run().expect("it plays").gaussian.runs
        }
        assert!((runs(|| Margin::new(20.0)) - 1.0).abs() < 1e-9);
        assert!(runs(Guarded::new) >= 1.0 && runs(Fast::new) >= 1.0);
        assert!(runs(Factorial::new) >= 1.0 && runs(Scout::new) >= 1.0);
    }

    #[test]
    fn what_it_found_can_be_written_and_read() {
        let found = calibrate(Greedy::new).repetitions(10).run().expect("it plays");
        let text = serde_json::to_string(&found).expect("it is data");
        assert_eq!(serde_json::from_str::<Calibrated>(&text).expect("the same"), found);
    }

    #[test]
    fn a_rule_without_a_verdict_is_told_so() {
        let endless = || acceptor_fn(|_: &Evidence| Verdict::more(100));
        let message = calibrate(endless).repetitions(1).run().expect_err("no verdict").to_string();
        assert!(message.contains("no verdict"), "{message}");
    }
}
