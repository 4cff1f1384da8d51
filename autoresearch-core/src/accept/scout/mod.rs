//! Scout and certify: explore like keep-if-better, believe only what survives a fresh factorial.
//!
//! `climb` knows where the unproven stack stands, `board` sends proposals out on it, `stack` knows what in it can be
//! switched alone, `refine` moves keys to the best values tried, `peel` takes useless edits off fused units, `trim` drops
//! keys that are not missed, `certify` tests all of it on fresh runs, each design a `block`, `verdict` says what that comes to, `reserve` what it costs; this file has
//! the settings and the order of the phases.

mod block;
mod board;
mod certify;
mod climb;
mod peel;
mod refine;
mod reserve;
mod rival;
mod stack;
mod trim;
mod verdict;

use super::decision::{Plan, Step};
use super::{Acceptor, Cohort, Guarantee, Role, Seeds, Setup};
use crate::arm::{Arm, ProposalId, RunId};
use crate::stats::{Moments, Residual, certificate_level};
use certify::Certificate;
use climb::Climb;
use peel::Peel;
use refine::Model;
use reserve::Ground;
use rival::Rival;
use stack::Stack;
use std::collections::BTreeMap;
use trim::Trim;

/// Runs of the baseline at the start, and of the certified set at the end.
const CALIBRATE: usize = 8;
const REPORT: usize = 8;
/// What shares a run is certified in one group.
const MOST_BUNDLED: usize = 26;
/// How often lost incumbent runs are replaced.
const REPLACEMENTS: u32 = 3;
/// Where so much of the gain came in leaps, effects stand out of the noise by themselves, and interactions with them.
const STEEP: f64 = 0.5;

/// The recommended policy wherever candidates compose.
///
/// It keeps two stands: the *scout stack*, liberal and unproven, which new proposals build upon, and the *incumbent*,
/// the certified set. One run decides whether the stack takes a proposal (better than the stack's mean by .4 sigma);
/// the mean is re-measured and shrunk, so that no lucky run becomes the yardstick; where runs are mostly signal,
/// several proposals share a run. On a plain baseline, where most of the gain came in leaps, keys that the stack does as
/// well without are dropped first, a few at a time: what stands in for one another is kept once. At the end, or now and then where no budget is known, everything in the stack is
/// switched on and off on fresh runs in orthogonal blocks with the rest of the stack on; what then convinces on
/// validation and on the holdout is certified and joins the incumbent, what hurts is dropped.
///
/// **Guarantee**: of the units in a certificate, at most a share `alpha` in expectation has no effect in the context
/// in which it was tested, on validation or on the holdout's population (e-BH, Wang & Ramdas 2022: under any dependence).
/// **Assumes** fresh runs and about Gaussian run noise of one size. Measured, not proved: that the effects hold
/// leave-one-out in the final set, under t4 and heteroscedastic noise as well. Before certification the stack is
/// mostly junk by design and is never reported as a result.
///
/// It needs a study whose candidates compose, and runs enough for at least one certificate; both are checked before
/// the first run.
#[derive(Debug)]
pub struct Scout {
    rules: Rules,
    phase: Phase,
    noise: Residual,
    climb: Climb,
    stack: Stack,
    model: Model,
    /// Certificates so far, units certified so far, and runs when the last one ended.
    certificates: u64,
    certified: usize,
    /// Units that are certified and not settled yet, by the proposal that brings them.
    promised: BTreeMap<ProposalId, usize>,
    since: u64,
    /// The share of the editable lines that the stack covers, as of its last change.
    coverage: Option<f64>,
    /// Whether the certificate under way is the last one.
    last: bool,
}

/// Overlapping edits fuse; before too much has grown together they are certified. Earlier than that, small certificates
/// eat up the runs.
const COVERAGE: f64 = 0.5;

#[derive(Debug, Clone, PartialEq)]
struct Rules {
    alpha: f64,
    threshold: f64,
    supersede: f64,
    bundle: usize,
    drop: f64,
    refine: bool,
    peel: bool,
    epochs: bool,
    seeds: Seeds,
}

#[derive(Debug)]
enum Phase {
    /// Runs of the incumbent: planned ones, losses so far, and how often lost ones were replaced.
    Measure {
        planned: Vec<RunId>,
        scores: Vec<(u64, f64)>,
        rounds: u32,
        wanted: usize,
    },
    Climb,
    Rival(Rival),
    Peel(Peel),
    Trim(Trim),
    Certify(Box<Certificate>),
    Done,
}

impl Phase {
    fn measure(wanted: usize) -> Self {
        Self::Measure { planned: Vec::new(), scores: Vec::new(), rounds: 0, wanted }
    }
}

impl Default for Scout {
    fn default() -> Self {
        Self::new()
    }
}

impl Scout {
    /// `alpha` .10, threshold .4 sigma (1.7 where a value replaces another), up to 8 proposals a run.
    pub fn new() -> Self {
        let rules = Rules {
            alpha: 0.10,
            threshold: 0.4,
            supersede: 1.7,
            bundle: 8,
            drop: 0.5,
            refine: true,
            peel: false,
            epochs: false,
            seeds: Seeds::Equal,
        };
        Self {
            rules,
            phase: Phase::measure(CALIBRATE),
            noise: Residual::default(),
            climb: Climb::default(),
            stack: Stack::default(),
            model: Model::default(),
            certificates: 0,
            certified: 0,
            promised: BTreeMap::new(),
            since: 0,
            coverage: None,
            last: false,
        }
    }

    /// The false discovery rate of a certificate.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.rules.alpha = alpha;
        self
    }

    /// By how many sigma a run must beat the stack's mean for the stack to take its proposals.
    #[must_use]
    pub fn threshold(mut self, sigmas: f64) -> Self {
        self.rules.threshold = sigmas;
        self
    }

    /// At most this many proposals a run; 1 where proposals are dear.
    #[must_use]
    pub fn bundle(mut self, proposals: usize) -> Self {
        self.rules.bundle = proposals;
        self
    }

    /// While scouting, a proposal runs on the seed on which the stack ran last (equal), or on one of its own. Certificates
    /// always have fresh and different seeds.
    #[must_use]
    pub fn seeds(mut self, seeds: Seeds) -> Self {
        self.rules.seeds = seeds;
        self
    }

    /// Certifies now and then, whenever a certificate costs no more than a quarter of the runs since the last one, also
    /// where the budget is known: there is something to stand behind long before the end. The k-th certificate has
    /// `alpha/(k(k+1))`. Without a limit on runs or time it is always so. (Otherwise the one certificate has all of
    /// `alpha`; if the study is granted more runs after it, later ones have their shares besides.)
    #[must_use]
    pub fn epochs(mut self) -> Self {
        self.rules.epochs = true;
        self
    }

    /// Whether keys with many tried values are moved by a model of all runs (default: yes). It only chooses what is
    /// certified.
    #[must_use]
    pub fn refine(mut self, yes: bool) -> Self {
        self.rules.refine = yes;
        self
    }

    /// Whether fused units are peeled before they are certified (default: no, as it costs runs). Edits that overlap are
    /// one unit, and half of those in a certified unit may be useless: a certificate speaks of the whole. With peeling,
    /// the edits that no other is built on are first switched off one by one, in a block of 16 or more fresh runs with
    /// the rest of the stack on; those whose estimate is not above .5 sigma are rejected, and then it is the turn of
    /// what has come to light below them.
    ///
    /// **Guarantee**: that of the certificate, for what is left of each unit: the certificate follows, on other fresh
    /// runs and with other answers of the holdout. Peeling itself tests nothing and promises nothing for each edit; a
    /// useless edit below a useful one stays, and now and then a useful one is lost. In simulated files (2,000 runs) the
    /// share of useless edits fell by a quarter, at 4 to 7 % of the gain. Keys of a parameter set are units of their own,
    /// with nothing to peel.
    #[must_use]
    pub fn peel(mut self, yes: bool) -> Self {
        self.rules.peel = yes;
        self
    }

    /// Standard deviation of one run.
    fn s(&self) -> f64 {
        self.noise.variance().unwrap_or(0.0).sqrt()
    }

    /// Runs the incumbent `wanted` times; `None` once that is done.
    fn measure(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        let Phase::Measure { planned, scores, rounds, wanted } = &mut self.phase else { return None };
        let Some(done) = planned.iter().map(|id| cohort.run(*id)).collect::<Option<Vec<_>>>() else {
            return Some(Step::Wait);
        };
        scores.extend(done.iter().filter_map(|run| Some((run.seed, -run.loss.as_ref().ok()?))));
        planned.clear();
        let missing = wanted.saturating_sub(scores.len());
        if missing == 0 || *rounds > REPLACEMENTS {
            return None;
        }
        *rounds += 1;
        *planned = (0..missing).map(|i| cohort.next_run(i)).collect();
        let plan = |i| Plan::new(Arm::incumbent(), cohort.fresh_seed(i), Role::Calibrate);
        Some(Step::Run((0..missing as u32).map(plan).collect()))
    }

    /// The incumbent's runs are in: what they say of the noise, and where the stack now stands.
    fn measured(&mut self, cohort: &Cohort<'_>) {
        let Phase::Measure { scores, .. } = std::mem::replace(&mut self.phase, Phase::Climb) else { return };
        let moments: Moments = scores.iter().map(|(_, score)| *score).collect();
        let first = self.noise.df == 0.0;
        let df = (moments.n() as f64 - 1.0).max(0.0);
        self.noise = self.noise.pooled(Residual::new(moments.sum_of_squares(), df));
        let alone = self.stack.is_empty();
        self.climb.restart(moments.mean(), 1.0 / (moments.n() as f64).max(1.0), alone);
        self.climb.found(moments.mean());
        if let (true, Some((seed, score))) = (alone, scores.first()) {
            self.share(*seed, *score);
        }
        if !first {
            self.since = cohort.started();
            if self.spent(cohort) {
                self.phase = Phase::Done;
            }
        }
    }

    /// Runs to be kept back for certifying so many units.
    fn reserve(&self, units: usize) -> u64 {
        let peel = if self.rules.peel { peel::cost(self.stack.fused()) } else { 0 };
        let trim = if self.ground() == Ground::Steep { trim::cost(units) } else { 0 };
        self.certificate_cost(units) + peel + trim
    }

    /// Runs of a certificate of so many units.
    fn certificate_cost(&self, units: usize) -> u64 {
        reserve::reserve(units, self.ground())
    }

    /// How much may be switched at once in a certificate.
    fn ground(&self) -> Ground {
        let steep =
            self.climb.leapt > 0.0 && self.climb.leapt >= STEEP * (self.climb.mean - self.climb.origin);
        match self.stack.is_keyed() {
            true if steep => Ground::Steep,
            true => Ground::Keys,
            false => Ground::Edits,
        }
    }

    /// Whether the runs that are left would not pay for another certificate.
    fn spent(&self, cohort: &Cohort<'_>) -> bool {
        let least = self.reserve(self.stack.len() + 1) + 1;
        cohort.runs_affordable().is_some_and(|left| left < least)
            || cohort.exhausted() && self.climb.is_idle(cohort) && self.stack.is_empty()
    }

    /// Whether scouting is over for now.
    fn is_time(&self, cohort: &Cohort<'_>) -> bool {
        let units = self.stack.len();
        let in_epochs = self.rules.epochs || cohort.runs_affordable().is_none();
        let pays = || 4 * self.reserve(units) <= cohort.started() - self.since;
        self.is_the_end(cohort)
            || units > 0 && in_epochs && pays()
            || units > 0 && self.coverage.is_some_and(|share| share >= COVERAGE)
    }

    /// Whether what is left is needed for the last certificate.
    fn is_the_end(&self, cohort: &Cohort<'_>) -> bool {
        let needed = self.reserve(self.stack.len() + self.climb.bundle());
        // Of a limit on time nobody knows for sure how many runs it leaves, and all those under way end first.
        let needed =
            if cohort.time_binds() { needed + needed / 4 + cohort.outstanding() as u64 } else { needed };
        cohort.runs_affordable().is_some_and(|left| left <= needed)
    }

    /// So many units can be certified with what is left.
    fn room(&self, cohort: &Cohort<'_>) -> usize {
        let Some(left) = cohort.runs_affordable() else { return usize::MAX };
        (1..).take_while(|units| self.reserve(*units) <= left).last().unwrap_or(0)
    }

    /// Scouting is over for now: what is in the stack is certified.
    fn scouted(&mut self, cohort: &Cohort<'_>) {
        self.last = self.is_the_end(cohort) || cohort.exhausted() && self.climb.is_idle(cohort);
        if self.stack.is_empty() {
            self.phase = Phase::Done;
        } else if self.rules.peel {
            self.phase = Phase::Peel(Peel::default());
        } else if self.ground() == Ground::Steep {
            self.phase = Phase::Trim(Trim::default());
        } else {
            self.certify();
        }
    }

    fn certify(&mut self) {
        self.certificates += 1;
        let k = self.certificates;
        // A single certificate has all of alpha; where there are several they share it.
        let alone = k == 1 && self.last && !self.rules.epochs;
        let alpha = if alone { self.rules.alpha } else { certificate_level(self.rules.alpha, k) };
        let units = self.stack.units().to_vec();
        let ground = self.ground();
        let certificate =
            Certificate::new(units, self.noise, alpha, self.certified, self.rules.drop, ground, self.last);
        self.phase = Phase::Certify(Box::new(certificate));
    }
}

impl Acceptor for Scout {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        loop {
            match &mut self.phase {
                Phase::Measure { .. } => match self.measure(cohort) {
                    Some(step) => return step,
                    None => self.measured(cohort),
                },
                Phase::Climb => {
                    if let Some(step) = self.climb(cohort) {
                        return step;
                    }
                    let last = self.is_time(cohort) || !self.refinement_is_due(cohort);
                    let most = if last { self.room(cohort).max(self.stack.len()) } else { usize::MAX };
                    match self.refined(most, cohort) {
                        Some(stack) => {
                            let (rival, step) = Rival::plan(stack, last, cohort);
                            self.phase = Phase::Rival(rival);
                            return step;
                        }
                        None if last => self.scouted(cohort),
                        None => {}
                    }
                }
                Phase::Trim(_) => {
                    let Phase::Trim(mut trim) = std::mem::replace(&mut self.phase, Phase::Climb) else {
                        continue;
                    };
                    let step = self.trim(&mut trim, cohort);
                    match step {
                        Some(step) => {
                            self.phase = Phase::Trim(trim);
                            return step;
                        }
                        None => self.certify(),
                    }
                }
                Phase::Rival(_) => {
                    let Phase::Rival(rival) = std::mem::replace(&mut self.phase, Phase::Climb) else {
                        continue;
                    };
                    let left = match self.decide_rival(&rival, cohort) {
                        Ok(left) => left,
                        Err(step) => {
                            self.phase = Phase::Rival(rival);
                            return step;
                        }
                    };
                    if rival.last {
                        self.scouted(cohort);
                    }
                    if !left.is_empty() {
                        return Step::Decide(left);
                    }
                }
                Phase::Peel(peel) => {
                    let reserved = reserve::reserve(self.stack.len(), Ground::Edits);
                    let most =
                        cohort.runs_affordable().map_or(u64::MAX, |left| left.saturating_sub(reserved));
                    if let Some(step) = peel.next(&mut self.stack, self.noise, self.rules.drop, most, cohort)
                    {
                        return step;
                    }
                    self.certify();
                }
                Phase::Certify(certificate) => {
                    if let Some(step) = certificate.next(cohort) {
                        return step;
                    }
                    let settled = certificate.settle(&self.stack, self.last);
                    self.promised = settled.promised;
                    self.stack = settled.stack;
                    self.coverage = None;
                    if !self.promised.is_empty() {
                        // Its values are compared with an incumbent of before.
                        self.model = Model::default();
                    }
                    self.phase = Phase::measure(REPORT);
                    if !settled.decisions.is_empty() {
                        return Step::Decide(settled.decisions);
                    }
                }
                Phase::Done => {
                    if !self.spent(cohort) {
                        self.phase = Phase::Climb;
                        continue;
                    }
                    return if cohort.outstanding() > 0 { Step::Wait } else { Step::Finish };
                }
            }
        }
    }

    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.climb.settled(proposal, kept);
        // A constraint may have turned down what the certificate found.
        let units = self.promised.remove(&proposal).filter(|_| kept);
        self.certified += units.unwrap_or(0);
    }

    fn answered(&mut self, answers: &[Option<bool>]) {
        if let Phase::Certify(certificate) = &mut self.phase {
            certificate.answered(answers);
        }
    }

    fn check(&self, setup: &Setup) -> Result<(), String> {
        let Rules { alpha, threshold, supersede, bundle, .. } = self.rules;
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(format!("scout: alpha is {alpha}; it must be between 0 and 1, both excluded"));
        }
        if !(threshold.is_finite() && threshold >= 0.0 && supersede >= 0.0) {
            return Err(format!(
                "scout: the threshold is {threshold}; it must be a number of sigmas, 0 or more"
            ));
        }
        if !(1..=MOST_BUNDLED).contains(&bundle) {
            return Err(format!(
                "scout: a bundle has 1 to {MOST_BUNDLED} proposals, and {bundle} were asked for"
            ));
        }
        if setup.questions == Some(0) {
            return Err(
                "scout: the holdout answers no question at all, so that nothing could be certified; give it \
                        some (`Holdout::queries`), or leave it out"
                    .into(),
            );
        }
        if !setup.composes {
            return Err("scout stacks proposals, and this study does not know how to merge candidates: implement \
                        `Compose` for them and give it to the study (`.compose(…)`; `FieldMerge` does it for any \
                        struct that serde knows), or use `Guarded`"
                .into());
        }
        let least = CALIBRATE as u64 + 1 + reserve::reserve(1, Ground::Edits);
        match setup.runs {
            Some(runs) if runs < least => Err(format!(
                "scout cannot certify anything within {runs} runs: {CALIBRATE} calibrate, at least 1 scouts, and \
                 the smallest certificate takes {}; allow {least} or more, or use `Fast` or `Guarded`",
                reserve::reserve(1, Ground::Edits)
            )),
            _ => Ok(()),
        }
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::FalseDiscoveryRate(self.rules.alpha)
    }

    fn describe(&self) -> String {
        format!("scout {:?}", self.rules)
    }
}
