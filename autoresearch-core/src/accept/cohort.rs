//! What an acceptor sees: proposals waiting for judgement, the runs that are done, and what is left to spend.

use crate::arm::{Arm, ProposalId, RunId, Version};
use crate::compose::Level;
use crate::failure::RunFailure;
use crate::limits::{Limits, StopReason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// The incumbent, to know its mean and the noise.
    Calibrate,
    /// A first look at a proposal: it may choose, it never tests.
    Screen,
    /// A fresh run that tests. Its output is kept until its proposals are settled, for the holdout.
    Confirm,
    /// Baseline and incumbent side by side on fresh seeds, at the very end.
    Final,
    /// A fresh run that tests again what was kept. Its output is not kept.
    Certify,
    /// The same at another fidelity.
    Transfer,
}

/// A finished run as acceptors see it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunRecord {
    /// Its number.
    pub id: RunId,
    /// What it trained.
    pub arm: Arm,
    /// The incumbent that the arm was applied to.
    pub version: Version,
    /// Its seed.
    pub seed: u64,
    /// What it was for.
    pub role: Role,
    /// Whose judgement it belongs to, where the arm does not say it.
    pub about: Option<ProposalId>,
    /// Its loss (lower is better, whatever the study's direction), or how the candidate failed.
    pub loss: Result<f64, RunFailure>,
}

/// Whether the holdout can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldoutStatus {
    /// The study has none: what validation says is final.
    Absent,
    /// It answers this many more questions.
    Open {
        /// Questions left.
        left: u64,
    },
    /// Its budget is spent: nothing can be kept any more.
    Spent,
}

/// A unit of a proposal as acceptors see it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UnitInfo {
    /// What it switches; empty: the proposal as a whole.
    pub key: Arc<str>,
    /// The value that it gives its key, where that is known.
    pub level: Option<Level>,
    /// The value that the key had in what the proposal was built upon, where that is known.
    pub from: Option<Level>,
}

/// A proposal that waits for judgement, or was set aside.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) on: Arm,
    pub(crate) version: Version,
    pub(crate) units: Arc<[UnitInfo]>,
    /// The proposal that it is made anew from.
    pub(crate) rebases: Option<ProposalId>,
}

/// What can be said of arms by those who see candidates.
pub(crate) trait Merging {
    fn composes(&self, arm: &Arm) -> bool;
    fn needs(&self, later: ProposalId, earlier: ProposalId) -> bool;
    fn coverage(&self, arm: &Arm) -> Option<f64>;
}

/// Runs may become slower than they were: of the time that is left, so much is counted upon.
const CAUTION: f64 = 0.85;

/// A limit, what has been spent of it, and what of that by the runs that have ended.
struct Account {
    limit: Option<f64>,
    spent: f64,
    by_runs: f64,
    reason: StopReason,
}

/// The part of a study's state that is not about candidates.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pub(crate) version: Version,
    pub(crate) live: BTreeMap<ProposalId, Pending>,
    /// Settled as set aside: they may be taken up again.
    pub(crate) aside: BTreeMap<ProposalId, Pending>,
    /// Boxed: the tree moves and copies its entries.
    pub(crate) runs: BTreeMap<RunId, Box<RunRecord>>,
    pub(crate) next_run: RunId,
    pub(crate) next_seed: u32,
    pub(crate) seed_offset: u32,
    /// The bits that a seed may have.
    pub(crate) seed_bits: u32,
    pub(crate) outstanding: usize,
    /// Runs planned for which a limit leaves no room: they wait for the study to be resumed.
    pub(crate) shelved: usize,
    pub(crate) capacity: usize,
    pub(crate) asked: usize,
    pub(crate) exhausted: bool,
    /// Exhausted because what the proposer would say next costs more than the limit leaves.
    pub(crate) unaffordable: bool,
    pub(crate) started: u64,
    pub(crate) proposed: u64,
    pub(crate) kept: u64,
    pub(crate) limits: Limits,
    /// Seconds that the study had been running when the latest run ended, and how many runs had.
    pub(crate) elapsed: f64,
    pub(crate) ended: u64,
    /// Seconds that those runs took together, and what has been charged for.
    pub(crate) compute: f64,
    pub(crate) money: f64,
    /// What of that is the runs' own.
    pub(crate) money_of_runs: f64,
    pub(crate) holdout: HoldoutStatus,
}

impl Ledger {
    pub(crate) fn seed(&self, ahead: u32) -> u64 {
        u64::from(self.seed_offset.wrapping_add(self.next_seed).wrapping_add(ahead) & self.seed_bits)
    }

    /// Remembers that `seed` is used, if it is a fresh one, so that it is never handed out as fresh again.
    pub(crate) fn use_seed(&mut self, seed: u64) {
        let index = (seed as u32).wrapping_sub(self.seed_offset) & self.seed_bits;
        // An index far ahead of the counter is not one that `fresh_seed` gave out: leave it alone.
        if index >= self.next_seed && index - self.next_seed < 1 << 20 {
            self.next_seed = index + 1;
        }
    }

    pub(crate) fn runs_left(&self) -> Option<u64> {
        self.limits.runs.map(|limit| limit.saturating_sub(self.started))
    }

    /// The limits in hours or in money.
    fn accounts(&self) -> [Account; 3] {
        let seconds = |limit: Option<Duration>| limit.map(|limit| limit.as_secs_f64());
        let account = |limit, spent, by_runs, reason| Account { limit, spent, by_runs, reason };
        [
            // A proposer may think for longer than runs take; runs side by side take less than their sum.
            account(
                seconds(self.limits.wall_clock),
                self.elapsed,
                self.elapsed.min(self.compute),
                StopReason::WallClock,
            ),
            account(seconds(self.limits.compute), self.compute, self.compute, StopReason::Compute),
            account(self.limits.money, self.money, self.money_of_runs, StopReason::Money),
        ]
    }

    /// The limit by which nothing more may start. Time is the clock's to say: it ends runs under way as well.
    pub(crate) fn spent(&self) -> Option<StopReason> {
        let [_, others @ ..] = self.accounts();
        let gone = |account: &Account| account.limit.is_some_and(|limit| account.spent >= limit);
        others.into_iter().find(gone).map(|account| account.reason)
    }

    /// How many runs may still start, at the cost so far, and which limit says so.
    pub(crate) fn affordable(&self) -> Option<(u64, StopReason)> {
        let by_account =
            self.accounts().into_iter().filter_map(|Account { limit, spent, by_runs, reason }| {
                let limit = limit.filter(|_| by_runs > 0.0 && self.ended > 0)?;
                let runs = (CAUTION * (limit - spent).max(0.0) * self.ended as f64 / by_runs).floor() as u64;
                Some((runs.saturating_sub(self.outstanding as u64), reason))
            });
        let by_count = self.runs_left().map(|left| (left, StopReason::Runs));
        by_count.into_iter().chain(by_account).min_by_key(|(runs, _)| *runs)
    }

    fn runs_affordable(&self) -> Option<u64> {
        self.affordable().map(|(runs, _)| runs)
    }

    pub(crate) fn pending(&self, proposal: ProposalId) -> Option<&Pending> {
        self.live.get(&proposal).or_else(|| self.aside.get(&proposal))
    }

    pub(crate) fn proposals_left(&self) -> Option<u64> {
        self.limits.proposals.map(|limit| limit.saturating_sub(self.proposed))
    }

    /// Why no further proposals come.
    pub(crate) fn nobody_proposes(&self) -> StopReason {
        if self.exhausted && self.unaffordable {
            StopReason::Money
        } else if self.exhausted || self.proposals_left() != Some(0) {
            StopReason::Exhausted
        } else {
            StopReason::Proposals
        }
    }

    pub(crate) fn no_more_proposals(&self) -> bool {
        self.exhausted || self.proposals_left() == Some(0)
    }
}

/// What an acceptor sees.
#[derive(Clone, Copy)]
pub struct Cohort<'a> {
    ledger: &'a Ledger,
    merging: &'a dyn Merging,
}

impl<'a> Cohort<'a> {
    pub(crate) fn new(ledger: &'a Ledger, merging: &'a dyn Merging) -> Self {
        Self { ledger, merging }
    }

    /// Which incumbent this is; grows by one with each acceptance.
    pub fn version(&self) -> Version {
        self.ledger.version
    }

    /// The proposals that wait for judgement, oldest first.
    pub fn live(&self) -> impl DoubleEndedIterator<Item = ProposalId> + 'a {
        self.ledger.live.keys().copied()
    }

    /// Whether this proposal still waits for judgement.
    pub fn is_live(&self, proposal: ProposalId) -> bool {
        self.ledger.live.contains_key(&proposal)
    }

    /// What a waiting proposal was built upon: the arm, and the version of the incumbent below it.
    pub fn built_on(&self, proposal: ProposalId) -> Option<(&'a Arm, Version)> {
        self.ledger.pending(proposal).map(|p| (&p.on, p.version))
    }

    /// The earlier proposal whose change this waiting one makes anew, by its proposer's own word.
    pub fn rebases(&self, proposal: ProposalId) -> Option<ProposalId> {
        self.ledger.pending(proposal).and_then(|p| p.rebases)
    }

    /// What a proposal is made of, in the order in which [`Part::unit`](crate::Part) counts. One unit with an empty
    /// key: it can be switched as a whole only. Empty for a proposal that is settled for good.
    pub fn units(&self, proposal: ProposalId) -> &'a [UnitInfo] {
        self.ledger.pending(proposal).map_or(&[], |p| &p.units)
    }

    /// Whether the arm can be built on the incumbent of now. What was set aside can still be part of it.
    pub fn composes(&self, arm: &Arm) -> bool {
        self.merging.composes(arm)
    }

    /// Whether the later proposal cannot be had without the earlier, because their changes overlap.
    pub fn needs(&self, later: ProposalId, earlier: ProposalId) -> bool {
        self.merging.needs(later, earlier)
    }

    /// Which share of what may be changed this arm changes, where candidates can say that.
    pub fn coverage(&self, arm: &Arm) -> Option<f64> {
        self.merging.coverage(arm)
    }

    /// A finished run; `None` while it is under way, and after all its proposals are settled.
    pub fn run(&self, id: RunId) -> Option<&'a RunRecord> {
        self.ledger.runs.get(&id).map(|run| &**run)
    }

    /// All finished runs that still matter, in order.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &'a RunRecord> + 'a {
        self.ledger.runs.values().map(|run| &**run)
    }

    /// The number that the `ahead`-th plan of the next [`Step::Run`](super::Step::Run) will get (0 is the first).
    pub fn next_run(&self, ahead: usize) -> RunId {
        RunId(self.ledger.next_run.0 + ahead as u64)
    }

    /// The `ahead`-th seed that no run has used yet (0 is the first).
    pub fn fresh_seed(&self, ahead: u32) -> u64 {
        self.ledger.seed(ahead)
    }

    /// How many runs could start at once now.
    pub fn idle(&self) -> usize {
        self.ledger.capacity.saturating_sub(self.ledger.outstanding)
    }

    /// Runs planned or under way. Planned ones that a limit holds back count too: what they would say is not known yet.
    pub fn outstanding(&self) -> usize {
        self.ledger.outstanding + self.ledger.shelved
    }

    /// Proposals asked for and not yet made.
    pub fn asked(&self) -> usize {
        self.ledger.asked
    }

    /// Whether no further proposals will come.
    pub fn exhausted(&self) -> bool {
        self.ledger.no_more_proposals()
    }

    /// Runs that may still be started, where that is limited.
    pub fn runs_left(&self) -> Option<u64> {
        self.ledger.runs_left()
    }

    /// Runs that may still be started within all limits: as [`runs_left`](Self::runs_left), or as many as the limits on
    /// time, compute or money leave at the pace so far, if that is less.
    pub fn runs_affordable(&self) -> Option<u64> {
        self.ledger.runs_affordable()
    }

    /// Whether it is time, compute or money that leaves so few.
    pub fn time_binds(&self) -> bool {
        let affordable = self.ledger.runs_affordable();
        affordable.is_some() && affordable != self.ledger.runs_left()
    }

    /// Runs started so far.
    pub fn started(&self) -> u64 {
        self.ledger.started
    }

    /// Whether the holdout can be asked.
    pub fn holdout(&self) -> HoldoutStatus {
        self.ledger.holdout
    }
}

impl fmt::Debug for Cohort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cohort").field("ledger", self.ledger).finish_non_exhaustive()
    }
}
