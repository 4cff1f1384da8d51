//! Overfitting checks on a running study. They look on, and change no decision.
//!
//! `contrast` says what a question's runs gain on both splits, `gap` compares the two, `sentinels` picks runs of the
//! incumbent that no decision has picked, `drift` and `endpoint` go by them, `variance` compares candidates' noises,
//! `spending` shares one false-alarm rate among all, `report` is what comes out.

mod contrast;
mod drift;
mod endpoint;
mod gap;
mod report;
mod sentinels;
mod spending;
mod variance;

pub use report::{
    CheckReport, Concern, DriftCheck, EndpointCheck, GapCheck, GapNumbers, Trend, VarianceCheck,
};

use crate::accept::Role;
use crate::arm::{RunId, Version};
use crate::candidate::Candidate;
use crate::holdout::HeldOut;
use crate::measure::Direction;
use crate::propose::Fate;
use crate::state::{Event, HoldoutQuery, Split};
use crate::store::{Seq, Store, StoreError};
use drift::Drift;
use endpoint::Endpoint;
use gap::Gap;
use sentinels::{Sentinel, Sentinels};
use std::fmt;
use variance::Variances;

/// Four checks on a study as it runs: is it mining the validation split, do its runs drift, are its claims inflated, does
/// its noise depend on the candidate?
///
/// A [`Study`](crate::Study) has them on; what is flagged comes as [`Notice::Concern`](crate::Notice::Concern) and as a log
/// event (target `autoresearch::checks`, fields `check`, `proposals` and `runs`), and
/// [`Report::checks`](crate::Report::checks) has the figures at the end. For a loop of your own over
/// [`StudyState`](crate::StudyState), feed every event to [`heard`](Self::heard), and held-out measurements to
/// [`held_out`](Self::held_out) before the state gets them. For a stored study there is [`of`](Self::of).
///
/// * **Gap.** The gain of what validation accepted over the baseline, on validation and on the holdout, from the *same*
///   runs: the runs' luck is in both and cancels, so that this is about the split. It is tested at records of the gain
///   on validation, from 4.5 standard errors on and each 15 % above the last, against "all but a twentieth carries over",
///   bounded over all proposals made so far, and flagged where less than four fifths did. So the best of many guesses is no alarm, which gains `sqrt(2·ln k / n)` by luck, and a
///   proposer that puts guesses together by their answers is, which gains `sqrt(k/n)` (Blum & Hardt 2015, *The Ladder*,
///   arXiv 1502.04585). It looks from 20 proposals on. With a holdout ten times the size of validation it catches that attack within 200 proposals; with
///   one of the same size it may not. It needs a holdout and per-unit values on both splits, or both splits' errors stated
///   ([`split_error`](Self::split_error)) and arms with several runs.
/// * **Drift.** A trend of the loss with the run's number, among runs of an incumbent that policies make anyway: those that
///   calibrate, and the first that each proposal which was not kept was compared with. Nothing schedules runs for this check: a
///   policy that runs no incumbent twice (`Greedy` on one run) leaves it untested, and the report says so.
/// * **Endpoint against claims.** What fresh runs of baseline and incumbent show, against the sum of the claimed effects;
///   less than 0.7 is winner's curse of single runs, or interaction. Not about the split: it needs no holdout.
/// * **Variance.** Brown & Forsythe's test among arms with four runs.
///
/// **Error rate.** In a study where nothing is wrong all four together raise a false alarm with a probability of at most
/// 5 %, over all looks: each look has a level of its own, and these add up. The gap's part rests on the normal
/// distribution of means over documents; it speaks of single proposals out of many. A stack of many
/// edits, each kept by luck on a small validation split, has an inflated gain in truth, and is rightly flagged once that
/// is a fifth of it.
///
/// **Blindness.** Held-out numbers stay in this value, sealed, until the search is over; before that one bit comes out, at
/// most once a session: the alarm. It goes to whoever watches, never to the proposer, and no decision rests on it, so it is not
/// charged to the holdout's ledger. Yet it is an answer of the holdout: who acts on it, and goes on, should rotate to
/// a fresh shard. A study that came to its end at a limit can go on when the limit is raised, and whoever read its report
/// has seen the gap's numbers: then too a fresh holdout or shard is due. The gap is measured anew from there, at a smaller
/// level, and the report says that its numbers were seen before. The store keeps bits alone, so after a restart the gap is measured from the incumbent of then on, at
/// a smaller level, and the report says how many questions were not compared; the other three checks are rebuilt from the
/// store as they were.
///
/// ```
/// use autoresearch_core::{Action, Checks, Concern, Greedy, Limits, Measurement, Proposal, Settings, StudyState};
/// let settings = Settings::new().limits(Limits::new().proposals(3));
/// let (mut study, mut checks) = (StudyState::new(1.0, Greedy::new(), settings)?, Checks::new());
/// loop {
///     match study.next_action() {
///         Action::Propose { .. } => study.proposed(Proposal::new(study.view().incumbent / 2.0))?,
///         Action::Run(run) => study.finished(run.id, Ok(Measurement::scalar(*run.candidate)?))?,
///         Action::AskHoldout(_) | Action::Wait => unreachable!("no holdout, and nothing runs beside this loop"),
///         Action::Stop(_) => break,
///     }
///     for event in study.take_events() {
///         let concerns: Vec<Concern> = checks.heard(&event);
///         assert!(concerns.is_empty());
///     }
/// }
/// assert!(checks.report().gap.is_none(), "without a holdout nothing is known of the gap");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Checks {
    on: bool,
    gap: Gap,
    has_holdout: bool,
    /// Whether held-out numbers are handed in: only then validation's are kept.
    listens: bool,
    sentinels: Sentinels,
    drift: Drift,
    endpoint: Endpoint,
    variances: Variances,
    version: Version,
    direction: Direction,
    over: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Self::new()
    }
}

impl Checks {
    /// All four.
    pub fn new() -> Self {
        Self {
            on: true,
            gap: Gap::new(),
            has_holdout: false,
            listens: true,
            sentinels: Sentinels::default(),
            drift: Drift::default(),
            endpoint: Endpoint::default(),
            variances: Variances::default(),
            version: Version(0),
            direction: Direction::Minimize,
            over: false,
        }
    }

    /// None: [`Study::checks`](crate::Study::checks) with this switches them off.
    pub fn off() -> Self {
        Self { on: false, ..Self::new() }
    }

    /// States the standard error of one edit's gain that comes from the *validation* split being finite, in the
    /// objective's units, for measurements without per-unit values; the holdout's is stated by
    /// [`Holdout::split_error`](crate::Holdout::split_error). What is not positive and finite is taken as not stated.
    #[must_use]
    pub fn split_error(mut self, standard_error: f64) -> Self {
        self.gap.split_error = (standard_error.is_finite() && standard_error > 0.0).then_some(standard_error);
        self
    }

    /// Which share of a gain on validation is to carry over to the holdout, .8 unless said; kept between 0 and 1. A gap that
    /// is significant and leaves at least this share is none that matters, and not flagged.
    #[must_use]
    pub fn carries(mut self, share: f64) -> Self {
        if share.is_finite() {
            self.gap.share = share.clamp(0.0, 1.0);
        }
        self
    }

    /// Takes an event of the study, in its order; gives what it makes them flag, each concern once.
    pub fn heard<C>(&mut self, event: &Event<C>) -> Vec<Concern> {
        let mut concerns = Vec::new();
        if !self.on {
            return concerns;
        }
        match event {
            Event::Opened { settings, .. } => {
                self.direction = settings.direction;
                self.gap.direction = settings.direction;
                self.has_holdout = settings.holdout.is_some();
                self.gap.stated = settings.holdout.as_ref().and_then(|h| h.split_error);
            }
            Event::Resumed { .. } => {
                if self.over {
                    self.gap.goes_on();
                }
                (self.over, self.gap.session) = (false, self.gap.session + 1);
            }
            Event::Proposed { proposals, .. } => self.gap.proposals += proposals.len() as u64,
            Event::Finished { run, outcome: Ok(measurement), .. } => {
                let loss = self.direction.loss(measurement.objective());
                if run.role == Role::Confirm && self.has_holdout && self.listens {
                    self.gap.measured(run.id, measurement);
                }
                if run.role == Role::Final && run.arm.is_incumbent() {
                    self.endpoint.last(run.version, loss);
                }
                if self.variances.take(run, loss) {
                    concerns.push(Concern::UnequalVariance);
                }
                if let Some(sentinel) = self.sentinels.finished(run, loss) {
                    self.watch(sentinel, &mut concerns);
                }
            }
            Event::Answered { .. } | Event::Examined { .. } => self.gap.answered(),
            Event::Settled { proposal, fate, together, effect, version, .. } => {
                let kept = *fate == Fate::Kept;
                self.gap.settled(*proposal, kept);
                if let Some(sentinel) = self.sentinels.settled(*proposal, kept) {
                    self.watch(sentinel, &mut concerns);
                }
                self.version = *version;
                self.variances.settled(*proposal, *version);
                match fate {
                    Fate::Kept => self.endpoint.kept(*proposal, together, *effect),
                    Fate::Revoked => self.endpoint.revoked(*proposal),
                    _ => {}
                }
            }
            Event::Stopped { reason } => {
                self.over = reason.is_final();
                if self.over && self.endpoint.end() {
                    concerns.push(Concern::ClaimsInflated);
                }
            }
            _ => {}
        }
        concerns
    }

    fn watch(&mut self, sentinel: Sentinel, concerns: &mut Vec<Concern>) {
        // A run of an incumbent that was replaced meanwhile would be out of order.
        if sentinel.version != self.version {
            return;
        }
        if self.drift.take(sentinel) {
            concerns.push(Concern::Drift);
        }
        if self.endpoint.take(sentinel) {
            concerns.push(Concern::ClaimsInflated);
        }
    }

    /// Takes the held-out measurements of a question, in the question's order, before the state gets them; says whether
    /// they make the checks flag the gap.
    pub fn held_out<C>(&mut self, query: &HoldoutQuery<C>, held: &[HeldOut]) -> Option<Concern> {
        let flagged = self.on && query.split == Split::Holdout && self.gap.held_out(query, held);
        flagged.then_some(Concern::SplitMined)
    }

    /// Forgets what validation measured of runs that the holdout will not be asked about any more:
    /// `checks.release(|run| study.needs_output(run))` keeps memory from growing with the history.
    pub fn release(&mut self, needed: impl Fn(RunId) -> bool) {
        self.gap.release(needed);
    }

    /// What was found so far. While the search goes on the gap's numbers are left out; once it came to its end, also at a
    /// limit that can be raised, they are in it.
    pub fn report(&self) -> CheckReport {
        CheckReport {
            gap: self.has_holdout.then(|| self.gap.report(self.over)),
            drift: self.drift.report(),
            endpoint: self.endpoint.report(),
            variance: self.variances.report(),
        }
    }

    /// The checks of a stored study. Its store has the holdout's bits and no number, so that the gap itself is not known; the
    /// other three are as they were in the study.
    ///
    /// # Errors
    /// The store cannot be read.
    ///
    /// # Cancel safety
    /// It only reads.
    ///
    /// ```
    /// use autoresearch_core::{Checks, MemoryStore};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let report = Checks::of(&MemoryStore::<f64>::new()).await?;
    /// assert!(report.concerns().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn of<C: Candidate>(store: &impl Store<C>) -> Result<CheckReport, StoreError> {
        let mut checks = Self { listens: false, ..Self::new() };
        let mut seq = Seq(0);
        loop {
            let page = store.read(seq, 1024).await?;
            let Some((last, _)) = page.last() else { break };
            seq = *last;
            page.iter().for_each(|(_, event)| drop(checks.heard(event)));
        }
        let mut report = checks.report();
        if let Some(gap) = &mut report.gap {
            gap.unseen = gap.questions;
        }
        Ok(report)
    }

    /// What was heard until here was of an earlier session: its held-out numbers are gone.
    pub(crate) fn reopened(&mut self, resumes: bool) {
        self.gap.forget();
        // Where the session begins with an event that says so, that is counted.
        self.gap.session += u32::from(!resumes);
    }

    /// Whether they look on at all.
    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    pub(crate) fn proposals(&self) -> u64 {
        self.gap.proposals
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of the gap but what may be told.
        f.debug_struct("Checks").field("on", &self.on).field("report", &self.report()).finish_non_exhaustive()
    }
}
