//! Which proposals to believe: sequential experimental design over arms.

mod claim;
mod cohort;
mod decision;
mod engine;
mod evidence;
mod factorial;
mod fast;
mod fixed_paired;
mod greedy;
mod guarded;
mod margin;
mod rule;
mod scout;
mod sequential;

pub use claim::{Claim, EffectsClaim, EffectsGroup, EffectsTest, Noise};
pub use cohort::{Cohort, HoldoutStatus, Role, RunRecord, UnitInfo};
pub use decision::{Decision, Plan, Standing, Step, Strength, Verdict};
pub use evidence::Evidence;
pub use factorial::Factorial;
pub use fast::Fast;
pub use fixed_paired::FixedPaired;
pub use greedy::Greedy;
pub use guarded::Guarded;
pub use margin::Margin;
pub use rule::{AcceptorFn, acceptor_fn};
pub use scout::Scout;
pub use sequential::Sequential;

pub(crate) use cohort::{Ledger, Merging, Pending};

use crate::arm::ProposalId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an acceptor promises about what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Guarantee {
    /// Nothing.
    None,
    /// Each proposal without merit is kept with at most this probability.
    PerProposal(f64),
    /// At most this share of what is kept is without merit, in expectation (false discovery rate).
    FalseDiscoveryRate(f64),
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no error guarantee"),
            Self::PerProposal(a) => write!(f, "each useless edit is kept with probability at most {a}"),
            Self::FalseDiscoveryRate(a) => write!(f, "false discovery rate at most {a}"),
        }
    }
}

/// Designs the experiment: which arms to run with which seeds, and what to conclude.
///
/// Pure and deterministic: it reads no clock, holds no randomness of its own, and never sees a candidate, only arms
/// and losses (lower is better, whatever the study's direction). The study asks [`next`](Self::next) whenever it has
/// a free slot and something may have changed; the acceptor answers with one [`Step`] at a time.
///
/// A rule that judges one proposal at a time needs only a closure: [`acceptor_fn`]. The trait is for policies that
/// design whole cohorts: arms of many proposals, proposals that build on an unproven stack
/// ([`Step::Propose`] with a non-empty arm), seeds shared between arms ([`Plan::seed`]), decisions on many at once.
///
/// Contract:
/// * Fresh seeds come from [`Cohort::fresh_seed`]; two plans with the same seed are a pair.
/// * Runs get their numbers in the order of the plans, from [`Cohort::next_run`] on; results are looked up by number
///   with [`Cohort::run`] and stay there until the proposals in their arm are settled.
/// * A proposal accepted with [`Decision::accept`] is kept only if the holdout (where there is one) says yes;
///   [`settled`](Self::settled) tells the outcome.
/// * Runs that helped to choose a proposal are never part of its [`Claim`] unless they are planned as
///   [`Role::Confirm`], which says that they are fresh.
///
/// ```
/// use autoresearch_core::{Acceptor, Cohort, Decision, Guarantee, Step};
/// /// Keeps nothing: useful to see what proposers do.
/// struct KeepNothing;
/// impl Acceptor for KeepNothing {
///     fn next(&mut self, cohort: &Cohort<'_>) -> Step {
///         match cohort.live().next() {
///             Some(p) => Step::Decide(vec![Decision::reject(p, "nothing is kept")]),
///             None if cohort.exhausted() => Step::Finish,
///             None => Step::propose(1),
///         }
///     }
///     fn guarantee(&self) -> Guarantee { Guarantee::None }
///     fn describe(&self) -> String { "keep-nothing".into() }
/// }
/// ```
pub trait Acceptor: Send {
    /// What to do next.
    fn next(&mut self, cohort: &Cohort<'_>) -> Step;

    /// Called for each proposal when it is settled, after the holdout.
    fn settled(&mut self, _proposal: ProposalId, _kept: bool) {}

    /// The answers to the factors of its last [`Step::Ask`], in their order. `None`: not answered, because the
    /// holdout's budget of questions is spent.
    fn answered(&mut self, _answers: &[Option<bool>]) {}

    /// Whether it can work in such a study; asked before anything runs.
    ///
    /// # Errors
    /// What cannot work, and what to do about it: the study is refused with this message.
    fn check(&self, _setup: &Setup) -> Result<(), String> {
        Ok(())
    }

    /// How much runs on equal seeds were found to correlate, where the policy pairs them: estimated from the
    /// confirming pairs of all proposals tested as `1 − SS_d/(SS_c + SS_b)`, with the sums of squares of the
    /// differences and of both arms, each about the means of its own proposal. `None`: not paired, or not seen yet.
    fn seed_correlation(&self) -> Option<f64> {
        None
    }

    /// What it promises about what it keeps.
    fn guarantee(&self) -> Guarantee;

    /// Name and settings in one line; a stored study goes on only with the same.
    fn describe(&self) -> String;
}

impl<T: Acceptor + ?Sized> Acceptor for Box<T> {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        (**self).next(cohort)
    }
    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        (**self).settled(proposal, kept);
    }
    fn answered(&mut self, answers: &[Option<bool>]) {
        (**self).answered(answers);
    }
    fn check(&self, setup: &Setup) -> Result<(), String> {
        (**self).check(setup)
    }
    fn seed_correlation(&self) -> Option<f64> {
        (**self).seed_correlation()
    }
    fn guarantee(&self) -> Guarantee {
        (**self).guarantee()
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
}

/// What an acceptor can know of a study before it begins.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Setup {
    /// The limit on runs.
    pub runs: Option<u64>,
    /// Whether the study can merge candidates.
    pub composes: bool,
    /// How many questions the holdout answers in all; `None`: there is no holdout.
    pub questions: Option<u64>,
}

impl Setup {
    /// A study without limits, merges or holdout.
    pub fn new() -> Self {
        Self { runs: None, composes: false, questions: None }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

/// Which seeds the two arms of a comparison run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seeds {
    /// The same seed in both arms: less noise where seeds mean something, no loss where they do not.
    #[default]
    Equal,
    /// A seed of its own for every run.
    Independent,
}
