//! What can be read off a study: for its proposer, for its driver, for its report.

use super::{Phase, Settings, StudyState, mix};
use crate::accept::{Guarantee, HoldoutStatus, Standing};
use crate::arm::{Arm, ProposalId, Version};
use crate::candidate::Candidate;
use crate::holdout::{FinalResult, HoldoutLedger};
use crate::limits::StopReason;
use crate::meter::Meter;
use crate::propose::{Effect, History, Proposal, ProposeContext, Taken};
use std::sync::Arc;

impl<C: Candidate> StudyState<C> {
    /// What a proposer may know now.
    pub fn view(&self) -> ProposeContext<'_, C> {
        let request = self.request.as_ref();
        ProposeContext {
            incumbent: request.map_or(self.incumbent(), |r| &*r.candidate),
            baseline: Arc::clone(&self.incumbents[0]),
            wanted: request.map_or(1, |r| self.shortage(r.wanted).unwrap_or(r.wanted)),
            history: self.history.clone(),
            pending: self.live.values().map(|l| Arc::clone(&l.proposal)).chain(self.waiting()).collect(),
            seed: match &self.backlog {
                None => mix(self.settings.seed, self.ledger.proposed),
                Some(backlog) => mix(mix(self.settings.seed, 72), backlog.answers),
            },
            proposals: self.ledger.proposed,
            runs_left: self.ledger.runs_left(),
            direction: self.settings.direction,
            baseline_objective: None,
            incumbent_objective: None,
            under_way: self.ledger.outstanding > 0 || self.court.is_some() || self.inquiry.is_some(),
            taken: request.map_or_else(Vec::new, |r| self.taken(&r.standing)),
            standing: request.map_or(0.0, |r| r.standing.gain),
            on: request.map_or_else(Arm::incumbent, |r| r.on.clone()),
            meter: Meter::new(self.ledger.limits.money, self.ledger.money),
        }
    }

    /// What a stack has taken up, for a proposer.
    fn taken(&self, standing: &Standing) -> Vec<Taken<C>> {
        let of = |&(id, effect): &(ProposalId, Effect)| {
            let live = self.live.get(&id).or_else(|| self.aside.get(&id))?;
            Some(Taken { id, proposal: Arc::clone(&live.proposal), effect })
        };
        standing.taken.iter().filter_map(of).collect()
    }

    /// Counts every change of the backlog that a reader could see.
    pub(crate) fn backlog_revision(&self) -> u64 {
        self.backlog.as_ref().map_or(0, |b| b.revision)
    }

    /// What waits in the backlog: a proposer need not propose it once more.
    fn waiting(&self) -> impl Iterator<Item = Arc<Proposal<C>>> + '_ {
        let ideas = self.backlog.iter().flat_map(|b| b.waiting.iter().filter_map(|id| b.ideas.get(id)));
        ideas.map(|idea| Arc::clone(&idea.proposal))
    }

    /// The best candidate that the study stands behind now.
    pub fn incumbent(&self) -> &C {
        self.newest()
    }

    /// The incumbent with everything that was neither certified nor found harmful: the bolder result. Where the policy
    /// leaves nothing undecided it is the incumbent.
    pub fn stack(&self) -> &C {
        self.stack.as_ref().map_or(self.newest(), |(_, candidate)| candidate)
    }

    /// How much better the incumbent is than the baseline on runs that chose neither, in the objective's units, with
    /// a 95 % interval over seeds (Welch 1947). `None` before the policy has measured it.
    pub fn gain(&self) -> Option<Effect> {
        let (base, now) = (&self.baseline_losses, &self.incumbent_losses);
        if self.ledger.version == Version(0) || base.n() == 0 || now.n() == 0 {
            return None;
        }
        let test = crate::stats::welch_of(base, now);
        Some(Effect::new(base.mean() - now.mean(), test.interval(0.95), 0.95, now.n() as u32, true))
    }

    /// What the study started from.
    pub fn baseline(&self) -> &C {
        &self.incumbents[0]
    }

    /// There is always at least the baseline.
    pub(super) fn newest(&self) -> &Arc<C> {
        &self.incumbents[self.incumbents.len() - 1]
    }

    /// How often the incumbent has changed.
    pub fn version(&self) -> Version {
        self.ledger.version
    }

    /// Every settled proposal.
    pub fn history(&self) -> &History<C> {
        &self.history
    }

    /// The proposals in the incumbent, oldest first.
    pub fn kept(&self) -> &[ProposalId] {
        &self.kept
    }

    /// What the acceptor promises.
    pub fn guarantee(&self) -> Guarantee {
        self.acceptor.guarantee()
    }

    /// How much runs on equal seeds were found to correlate, where the policy pairs them.
    pub fn seed_correlation(&self) -> Option<f64> {
        self.acceptor.seed_correlation()
    }

    /// What the study was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The study's identifier.
    pub fn id(&self) -> &Arc<str> {
        &self.study
    }

    /// Runs started in the search, without retries and final runs.
    pub fn runs(&self) -> u64 {
        self.ledger.started
    }

    /// Proposals made.
    pub fn proposals(&self) -> u64 {
        self.ledger.proposed
    }

    /// Whether the holdout can be asked.
    pub fn holdout(&self) -> HoldoutStatus {
        self.ledger.holdout
    }

    /// What the holdout was asked and what it answered, shard by shard; empty where there is none.
    pub fn holdout_ledger(&self) -> HoldoutLedger {
        self.book.ledger()
    }

    /// Why it stopped, if it has.
    pub fn stopped(&self) -> Option<&StopReason> {
        if let Phase::Stopped(reason) = &self.phase { Some(reason) } else { None }
    }

    /// Whether the search goes on: it is neither stopped nor at its final runs.
    pub fn is_searching(&self) -> bool {
        matches!(self.phase, Phase::Searching | Phase::Draining(_))
    }

    /// Whether proposals are wanted or awaited.
    pub fn is_asking(&self) -> bool {
        self.request.is_some()
    }

    /// Baseline against incumbent, if the test split has been opened.
    pub fn final_result(&self) -> Option<&FinalResult> {
        self.finale.result.as_ref()
    }

    /// Seconds that the study had been running when the latest run ended.
    pub fn elapsed(&self) -> f64 {
        self.elapsed
    }
}
