//! Factorial confirmation: many proposals share every run.
//!
//! `gather` screens and stacks (`colour` says what goes together), `trial` has the course of a trial, `confirm` its
//! ranking and its test, `look` the regression behind it, `check` the stack check, `block` the runs of a design,
//! `budget` what all of that costs, `rules` the settings; this file has the order of the phases.

mod block;
mod budget;
mod check;
mod colour;
mod confirm;
mod gather;
mod look;
mod rules;
mod trial;

use super::decision::{Decision, Plan, Step};
use super::{Acceptor, Cohort, Guarantee, Role, Setup};
use crate::arm::{Arm, ProposalId, RunId, Version};
use crate::stats::{Moments, Residual, mean};
use gather::Stock;
use rules::Rules;
use trial::{Levels, Trial};

/// Runs of the baseline at the start.
const CALIBRATE: usize = 8;
/// How often lost incumbent runs are replaced.
const REPLACEMENTS: u32 = 3;

/// The policy for dear proposals, where candidates compose: what looks promising is confirmed many at a time.
///
/// 8 calibration runs; a screening run each, and what beats the incumbent's mean by .5 sigma waits. When 15 wait, those
/// that merge are stacked: in an orthogonal two-level design every run trains the incumbent plus about half of them,
/// so that every run informs about every proposal, where pairs would pay for each alone (Fisher 1935; Plackett & Burman
/// 1946). A first block ranks and drops; fresh blocks test, with their fold-overs, until each proposal has convinced -
/// first validation at its e-LOND level (Xu & Ramdas 2024), then the holdout - or is given up. What is kept stays on
/// meanwhile and what is dropped stays off, so that the context becomes that of the next incumbent. Of two or more
/// kept, each must still help beside the rest; then all join the incumbent at once. Proposals that clash with an older
/// one wait for the next trial and are merged onto the new incumbent. What cannot be merged there settles as a conflict;
/// its proposer may make it anew ([`Proposal::rebases`](crate::Proposal::rebases)), and it then waits for the next trial
/// without another screening run.
///
/// **Guarantee**: false discovery rate at most `alpha` (.10) over the whole stream. **Assumes** fresh runs and about
/// Gaussian run noise of one size; the e-value is the one-sided, calibrated form of the anytime-valid regression t-test
/// of Lindon, Ham, Tingley & Bojinov (2022), valid at looks after complete blocks. That the next design is chosen from
/// the other estimates is outside of the strict theory and was checked by simulation, as were t4 and heteroscedastic
/// noise. The validation split's own noise is the holdout's business: without a holdout it is not covered.
///
/// **Limit**: an effect is that beside the stack which it was tested in. Where almost every edit's sign depends on the
/// incumbent, keep-if-better climbs two to three times as high as this or any other controlled rule, because it takes
/// ten times as many steps. Where proposals are plentiful, [`Scout`](crate::Scout) climbs higher for the same runs.
///
/// ```
/// use autoresearch_core::Factorial;
/// use autoresearch_core::testkit::landscape::{Landscape, Mixture, Rules, simulate};
/// let world = Landscape::new(Mixture::Mixed, 3);
/// let played = simulate(&world, Factorial::new().horizon(10.0), &Rules::stream(60))?;
/// assert!(played.true_gain > 0.0 && played.merit.junk == 0);
/// # Ok::<(), autoresearch_core::StateError>(())
/// ```
#[derive(Debug)]
pub struct Factorial {
    rules: Rules,
    phase: Phase,
    levels: Levels,
    /// Residual sum of squares of single runs: calibration and all of stage B so far.
    known: Residual,
    /// Mean loss of the incumbent.
    reference: f64,
    /// The incumbent that has runs which did not help to choose it.
    measured: Option<Version>,
    stock: Stock,
    /// Settled with the next decisions, because runs came first.
    overdue: Vec<Decision>,
    /// Kept by the decisions under way.
    landed: u64,
}

#[derive(Debug)]
enum Phase {
    /// Runs of the incumbent: planned ones, losses so far, and how often lost ones were replaced.
    Measure {
        planned: Vec<RunId>,
        losses: Vec<f64>,
        rounds: u32,
        wanted: usize,
    },
    Gather,
    Trial(Box<Trial>),
    /// A trial is being settled: so many are to be kept, and these are scores of all of them together.
    Land {
        kept: u64,
        full: Vec<f64>,
    },
    /// Nothing more can be tried.
    Close,
}

impl Phase {
    fn measure(wanted: usize) -> Self {
        Self::Measure { planned: Vec::new(), losses: Vec::new(), rounds: 0, wanted }
    }
}

impl Default for Factorial {
    fn default() -> Self {
        Self::new()
    }
}

impl Factorial {
    /// `alpha` .10 over a horizon of 50 tests, trials of up to 15 proposals, screening at .5 sigma.
    pub fn new() -> Self {
        let rules = Rules { alpha: 0.10, horizon: 50.0, cohort: 15, screen: 0.5 };
        Self {
            levels: Levels { elond: rules.levels(), tests: 0, kept: 0 },
            rules,
            phase: Phase::measure(CALIBRATE),
            known: Residual::default(),
            reference: f64::NAN,
            measured: None,
            stock: Stock::default(),
            overdue: Vec::new(),
            landed: 0,
        }
    }

    /// The false discovery rate.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.rules.alpha = alpha;
        self.levels.elond = self.rules.levels();
        self
    }

    /// How many proposals wait before a trial, and are in it at most: 15, or 31 where merging is easy (a tenth more
    /// gain for a run); one less than a power of two wastes no run. At most 63.
    #[must_use]
    pub fn cohort(mut self, proposals: usize) -> Self {
        self.rules.cohort = proposals;
        self
    }

    /// A proposal must gain this much in its screening run, in sigma.
    #[must_use]
    pub fn screen(mut self, sigmas: f64) -> Self {
        self.rules.screen = sigmas;
        self
    }

    /// Over about how many tests the error budget is spread (default 50). A test is a proposal that came through
    /// screening and ranking.
    #[must_use]
    pub fn horizon(mut self, tests: f64) -> Self {
        self.rules.horizon = tests;
        self.levels.elond = self.rules.levels();
        self
    }

    /// Standard deviation of one run.
    fn s(&self) -> f64 {
        self.known.variance().unwrap_or(0.0).sqrt()
    }

    /// Whether all runs of the incumbent of now helped to choose it.
    fn is_unmeasured(&self, cohort: &Cohort<'_>) -> bool {
        self.measured != Some(cohort.version())
    }

    /// Runs the incumbent as often as wanted; `None` once that is done.
    fn measure(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        let Phase::Measure { planned, losses, rounds, wanted } = &mut self.phase else { return None };
        let Some(done) = planned.iter().map(|id| cohort.run(*id)).collect::<Option<Vec<_>>>() else {
            return Some(Step::Wait);
        };
        losses.extend(done.iter().filter_map(|run| run.loss.as_ref().ok()));
        planned.clear();
        let left = cohort.runs_affordable().map_or(usize::MAX, |left| left as usize);
        let missing = wanted.saturating_sub(losses.len()).min(left);
        if missing > 0 && *rounds <= REPLACEMENTS {
            *rounds += 1;
            *planned = (0..missing).map(|i| cohort.next_run(i)).collect();
            let plan = |i| Plan::new(Arm::incumbent(), cohort.fresh_seed(i), Role::Calibrate);
            return Some(Step::Run((0..missing as u32).map(plan).collect()));
        }
        let moments: Moments = std::mem::take(losses).into_iter().collect();
        if self.measured.is_none() {
            self.known = Residual::new(moments.sum_of_squares(), (moments.n() as f64 - 1.0).max(0.0));
        }
        if moments.n() > 0 {
            self.reference = moments.mean();
        }
        self.measured = Some(cohort.version());
        None
    }

    /// The trial is over: pools what it says of the noise, and settles its proposals.
    fn settle(&mut self, trial: &mut Trial) -> Option<Step> {
        let outcome = trial.outcome();
        self.known = self.known.pooled(outcome.residual);
        self.stock.wait(outcome.pending);
        self.landed = 0;
        self.phase = Phase::Land { kept: outcome.kept, full: outcome.full };
        (!outcome.decisions.is_empty()).then_some(Step::Decide(outcome.decisions))
    }

    /// The trial is settled: where the incumbent now stands.
    fn land(&mut self, kept: u64, full: &[f64]) {
        self.phase = Phase::Gather;
        if self.landed == kept && !full.is_empty() {
            self.reference = -mean(full);
        } else if self.landed > 0 {
            self.phase = Phase::measure(budget::CHECK);
        }
    }
}

impl Acceptor for Factorial {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Gather) {
                phase @ Phase::Measure { .. } => {
                    self.phase = phase;
                    if let Some(step) = self.measure(cohort) {
                        return step;
                    }
                    self.phase = Phase::Gather;
                }
                Phase::Gather => {
                    if let Some(step) = self.gather(cohort) {
                        return step;
                    }
                }
                Phase::Trial(mut trial) => match trial.next(cohort, &mut self.levels) {
                    Some(step) => {
                        self.phase = Phase::Trial(trial);
                        return step;
                    }
                    None => {
                        if let Some(step) = self.settle(&mut trial) {
                            return step;
                        }
                    }
                },
                Phase::Land { kept, full } => self.land(kept, &full),
                // The runs that a check gave the incumbent helped to choose it: a few more tell what was gained.
                Phase::Close if self.is_unmeasured(cohort) => self.phase = Phase::measure(budget::CHECK),
                // In the phase of before, so that a study with more to spend goes on.
                Phase::Close if cohort.outstanding() > 0 => return Step::Wait,
                Phase::Close => return Step::Finish,
            }
        }
    }

    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.stock.settled(proposal);
        if kept {
            self.levels.kept += 1;
            self.landed += 1;
        }
    }

    fn answered(&mut self, answers: &[Option<bool>]) {
        if let Phase::Trial(trial) = &mut self.phase {
            trial.answered(answers);
        }
    }

    fn check(&self, setup: &Setup) -> Result<(), String> {
        self.rules.check(setup)
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::FalseDiscoveryRate(self.rules.alpha)
    }

    fn describe(&self) -> String {
        format!("factorial {:?}", self.rules)
    }
}
