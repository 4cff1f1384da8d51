//! What an acceptor can answer.

use crate::arm::{Arm, ProposalId};
use crate::failure::RunFailure;
use crate::propose::Effect;
use serde::{Deserialize, Serialize};

use super::claim::{Claim, EffectsClaim};
use super::cohort::Role;

/// One step of an acceptor's design.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Ask the proposer for proposals that build on this arm.
    Propose {
        /// The incumbent (the empty arm), or a stack of unproven proposals.
        on: Arm,
        /// How many.
        wanted: usize,
        /// Where that arm stands; proposers are told.
        standing: Standing,
    },
    /// Run these arms.
    Run(Vec<Plan>),
    /// Ask the holdout about several factors at once, without settling anything; the answers come through
    /// [`Acceptor::answered`](super::Acceptor::answered). Without a holdout, validation alone answers.
    Ask(EffectsClaim),
    /// Settle these proposals; all that are accepted in one step join the incumbent together.
    Decide(Vec<Decision>),
    /// Nothing until a run or a proposal comes in.
    Wait,
    /// Nothing ever again: the stream is exhausted and everything is settled.
    Finish,
}

impl Step {
    /// Ask for proposals on the incumbent.
    pub fn propose(wanted: usize) -> Self {
        Self::Propose { on: Arm::incumbent(), wanted, standing: Standing::default() }
    }
}

/// Where a stack of unproven proposals stands, as far as its policy can tell. No claim rests on it: it lets proposers
/// learn from what seems to work long before anything is certified.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Standing {
    /// By how much it seems better than the incumbent, positive for better.
    pub gain: f64,
    /// What it took up since the incumbent was measured, in that order, and what each of it seemed to add; also what was
    /// replaced since.
    pub taken: Vec<(ProposalId, Effect)>,
}

impl Standing {
    /// So much better than the incumbent, for the sake of these proposals.
    pub fn new(gain: f64, taken: Vec<(ProposalId, Effect)>) -> Self {
        Self { gain, taken }
    }
}

/// A run to be made: an arm, a seed and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// What it trains.
    pub arm: Arm,
    /// Its seed; the same in two plans makes them a pair.
    pub seed: u64,
    /// What it is for.
    pub role: Role,
    /// Whose judgement it belongs to, where the arm does not say it: the incumbent's half of a pair.
    pub about: Option<ProposalId>,
}

impl Plan {
    /// A run of `arm` on `seed`.
    pub fn new(arm: Arm, seed: u64, role: Role) -> Self {
        Self { arm, seed, role, about: None }
    }

    /// Says that this run belongs to the judgement of `proposal` and is not needed after it.
    #[must_use]
    pub fn about(mut self, proposal: ProposalId) -> Self {
        self.about = Some(proposal);
        self
    }
}

/// What a rule says of a proposal, given the evidence so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It is better: keep it, if the holdout agrees.
    Accept,
    /// It is not shown to be better.
    Reject,
    /// Put it back: judge it afresh later, on the incumbent of then.
    Requeue,
    /// A kept edit that is no longer found useful.
    Revoke,
    /// Not taken up now; it may be part of an arm again, and be accepted later.
    SetAside,
    /// Neither shown to be useful nor found harmful: part of the bolder stack, not of the incumbent.
    Undecided,
    /// Nothing speaks against it, but it does not merge with the incumbent of now: it settles as a conflict, and a
    /// proposer that had said that it is exhausted is asked again, so that it can make the change anew.
    Rebase,
    /// Undecided: run more pairs.
    More {
        /// How many.
        pairs: u32,
    },
}

impl Verdict {
    /// Undecided: run `pairs` more pairs.
    pub fn more(pairs: u32) -> Self {
        Self::More { pairs }
    }
}

/// How strong the evidence was and how strong it had to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Strength {
    /// Natural logarithm of the e-value.
    pub log_e: f64,
    /// The level it was held against: accepted when `log_e >= -ln(level)`.
    pub level: f64,
}

impl Strength {
    /// An e-value (as its logarithm) against a level.
    pub fn new(log_e: f64, level: f64) -> Self {
        Self { log_e, level }
    }
}

/// A verdict on a proposal, with the evidence as data.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// On which proposal.
    pub proposal: ProposalId,
    /// What it is.
    pub verdict: Verdict,
    /// Which units of it are kept, where it is not all of them; see [`Part`](crate::Part).
    pub units: Option<Vec<u16>>,
    /// The proposals that were judged as one with it, itself among them: the evidence is of all of them, and which does
    /// the work it cannot tell. Empty where it was judged by itself.
    pub together: Vec<ProposalId>,
    /// The runs that the holdout is asked about; needed to accept.
    pub claim: Option<Claim>,
    /// The measured improvement in losses, if it was measured.
    pub effect: Option<Effect>,
    /// The e-value and its level, where the rule has them.
    pub strength: Option<Strength>,
    /// How its run failed, where that is the reason.
    pub failure: Option<RunFailure>,
    /// Why, in a sentence.
    pub reason: String,
}

impl Decision {
    /// Keep it, if the holdout agrees.
    pub fn accept(proposal: ProposalId, claim: Claim, reason: impl Into<String>) -> Self {
        Self { claim: Some(claim), ..Self::of(proposal, Verdict::Accept, reason) }
    }

    /// Keep it, the holdout having said yes to all of it already ([`Step::Ask`]).
    pub fn keep(proposal: ProposalId, reason: impl Into<String>) -> Self {
        Self::of(proposal, Verdict::Accept, reason)
    }

    /// Do not take it up now; arms may have it again, and it may be accepted later.
    pub fn set_aside(proposal: ProposalId, reason: impl Into<String>) -> Self {
        Self::of(proposal, Verdict::SetAside, reason)
    }

    /// Put it into the bolder stack, beside the incumbent: not certified, and not found harmful.
    pub fn undecided(proposal: ProposalId, reason: impl Into<String>) -> Self {
        Self::of(proposal, Verdict::Undecided, reason)
    }

    /// Have it made anew upon the incumbent of now, with which it does not merge.
    pub fn rebase(proposal: ProposalId, reason: impl Into<String>) -> Self {
        Self::of(proposal, Verdict::Rebase, reason)
    }

    /// These units of it only.
    #[must_use]
    pub fn units(mut self, units: Vec<u16>) -> Self {
        self.units = Some(units);
        self
    }

    /// Judged as one with these proposals, itself among them.
    #[must_use]
    pub fn together(mut self, proposals: impl IntoIterator<Item = ProposalId>) -> Self {
        self.together = proposals.into_iter().collect();
        self
    }

    /// Do not keep it.
    pub fn reject(proposal: ProposalId, reason: impl Into<String>) -> Self {
        Self::of(proposal, Verdict::Reject, reason)
    }

    /// Do not keep it: its run failed, or it does not apply.
    pub fn failed(proposal: ProposalId, failure: RunFailure) -> Self {
        let reason = failure.to_string();
        Self { failure: Some(failure), ..Self::of(proposal, Verdict::Reject, reason) }
    }

    /// Adds the measured improvement.
    #[must_use]
    pub fn effect(mut self, effect: Option<Effect>) -> Self {
        self.effect = effect;
        self
    }

    /// Adds the e-value and its level.
    #[must_use]
    pub fn strength(mut self, strength: Option<Strength>) -> Self {
        self.strength = strength;
        self
    }

    fn of(proposal: ProposalId, verdict: Verdict, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            proposal,
            verdict,
            units: None,
            together: Vec::new(),
            claim: None,
            effect: None,
            strength: None,
            failure: None,
            reason,
        }
    }
}
