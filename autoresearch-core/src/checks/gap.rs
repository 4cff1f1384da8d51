//! Is the search mining the split? Gains on validation against gains on the holdout, from the same runs.

use super::contrast::Contrast;
use super::report::{GapCheck, GapNumbers, Trend};
use super::spending::{GAP, level, of_session};
use crate::arm::{ProposalId, QuestionId, RunId};
use crate::holdout::HeldOut;
use crate::measure::{Direction, Measurement};
use crate::state::HoldoutQuery;
use crate::stats::{kendall_tau, normal_sf};
use statrs::function::gamma::ln_gamma;
use std::collections::BTreeMap;

/// A gain on validation that is looked at, in standard errors of the split; and by what factor it is to have grown
/// before the next look.
const FIRST_LOOK: f64 = 4.5;
const GROWTH: f64 = 1.15;
/// Proposals before the first look: a split that was asked so seldom is not mined.
const FEWEST_PROPOSALS: u64 = 20;
/// The share of a gain on validation that is tested to carry over: two splits need not be alike to the last twentieth.
const TESTED: f64 = 0.95;
/// Degrees of freedom of the run noise below which nothing is said without per-unit values.
const FEWEST: f64 = 3.0;

/// All that the process knows of the gap. Nothing in here leaves it while the search goes on, but for one bit.
pub(super) struct Gap {
    /// The share that is to carry over, or else the gap matters.
    pub(super) share: f64,
    pub(super) split_error: Option<f64>,
    /// The holdout's, if it was stated.
    pub(super) stated: Option<f64>,
    pub(super) direction: Direction,
    pub(super) session: u32,
    pub(super) proposals: u64,
    /// Validation measurements of the runs that the holdout may still be asked about.
    validation: BTreeMap<RunId, HeldOut>,
    /// What was kept, one claim after the other.
    chain: Option<Contrast>,
    waiting: BTreeMap<ProposalId, Contrast>,
    /// Own gap of each question, in its standard errors.
    series: Vec<f64>,
    last: Option<QuestionId>,
    ss: f64,
    df: f64,
    record: f64,
    looks: u32,
    /// The look with the least p-value over its level.
    worst: Option<GapNumbers>,
    flagged_at: Option<u64>,
    /// Whether this session has raised its alarm.
    alarmed: bool,
    questions: u64,
    unseen: u64,
    seen_before: bool,
}

impl Gap {
    pub(super) fn new() -> Self {
        Self {
            share: 0.8,
            split_error: None,
            stated: None,
            direction: Direction::Minimize,
            session: 1,
            proposals: 0,
            validation: BTreeMap::new(),
            chain: None,
            waiting: BTreeMap::new(),
            series: Vec::new(),
            last: None,
            ss: 0.0,
            df: 0.0,
            record: 0.0,
            looks: 0,
            worst: None,
            flagged_at: None,
            alarmed: false,
            questions: 0,
            unseen: 0,
            seen_before: false,
        }
    }

    /// Sealed from here on, like what it is compared with.
    pub(super) fn measured(&mut self, run: RunId, measurement: &Measurement) {
        self.validation.insert(run, measurement.clone().into());
    }

    pub(super) fn release(&mut self, needed: impl Fn(RunId) -> bool) {
        self.validation.retain(|run, _| needed(*run));
    }

    /// The held-out numbers of all questions so far are lost.
    pub(super) fn forget(&mut self) {
        self.unseen = self.questions;
    }

    /// A study goes on after its end, where the numbers came out: what they were of is no evidence any more, and the gap
    /// is measured anew. An alarm that was raised stays in the report.
    pub(super) fn goes_on(&mut self) {
        if self.questions == 0 {
            return;
        }
        self.seen_before = true;
        self.forget();
        let fresh = Self::new();
        (self.chain, self.waiting, self.series) = (fresh.chain, fresh.waiting, fresh.series);
        (self.ss, self.df, self.record, self.looks) = (fresh.ss, fresh.df, fresh.record, fresh.looks);
        (self.worst, self.alarmed) = (fresh.worst, fresh.alarmed);
    }

    pub(super) fn answered(&mut self) {
        self.questions += 1;
    }

    pub(super) fn settled(&mut self, proposal: ProposalId, kept: bool) {
        if let Some(contrast) = self.waiting.remove(&proposal).filter(|_| kept) {
            self.chain =
                Some(self.chain.take().map_or_else(|| contrast.clone(), |chain| chain.and(&contrast)));
        }
    }

    /// Takes held-out measurements; says whether the gap is flagged now, for the first time.
    pub(super) fn held_out<C>(&mut self, query: &HoldoutQuery<C>, held: &[HeldOut]) -> bool {
        if self.last.replace(query.id) == Some(query.id) {
            return false; // asked again after a stop
        }
        let Some(own) = Contrast::of(query, &self.validation, held, self.direction, TESTED) else {
            self.unseen += 1;
            return false;
        };
        self.ss += own.ss;
        self.df += own.df;
        if let Some((validation, holdout)) = self.variances(&own) {
            let gap = own.validation.gain - own.holdout.gain;
            let error = (validation + holdout).sqrt();
            self.series.push(if error > 0.0 { gap / error } else { 0.0 });
        }
        let whole = self.chain.as_ref().map_or_else(|| own.clone(), |chain| chain.and(&own));
        if let Some(proposal) = query.proposal {
            self.waiting.insert(proposal, own);
        }
        self.look(&whole)
    }

    /// The variances of the gain on validation and on the holdout, run noise that both do not share counted with the
    /// holdout's; `None` where they are not known.
    fn variances(&self, of: &Contrast) -> Option<(f64, f64)> {
        let runs = if self.df >= FEWEST { self.ss / self.df * of.squares } else { 0.0 };
        if let (Some(validation), Some(holdout)) = (of.validation.variance(), of.holdout.variance()) {
            return Some((validation, holdout + runs));
        }
        let (validation, holdout) = (self.split_error?, self.stated?);
        let known = self.df >= FEWEST;
        known.then(|| (of.edits * validation.powi(2), of.edits * holdout.powi(2) + runs))
    }

    /// Looks only at records of the gain on validation: when it looks, and at what, then depends on no held-out number
    /// but through the bits that the holdout gave out.
    fn look(&mut self, whole: &Contrast) -> bool {
        if self.proposals < FEWEST_PROPOSALS {
            return false;
        }
        let Some((of_validation, of_holdout)) = self.variances(whole) else { return false };
        let standing = whole.validation.gain / of_validation.sqrt();
        if standing.is_nan() || standing < FIRST_LOOK.max(GROWTH * self.record) {
            return false;
        }
        self.record = standing;
        self.looks += 1;
        let (validation, holdout) = (whole.validation.gain, whole.holdout.gain);
        let excess = TESTED * validation - holdout;
        let candidates = choices(self.proposals as f64, whole.stacked);
        let p_value = p_value(excess, TESTED * of_validation.sqrt(), of_holdout.sqrt(), candidates);
        let level = level(GAP * of_session(self.session), self.looks);
        let error = (of_validation + of_holdout).sqrt();
        let numbers = GapNumbers {
            validation,
            holdout,
            gap: validation - holdout,
            error,
            p_value,
            level,
            proposals: self.proposals,
        };
        if self.worst.is_none_or(|worst| p_value / level <= worst.p_value / worst.level) {
            self.worst = Some(numbers);
        }
        let matters = holdout < self.share * validation;
        let flagged = p_value <= level && matters && !self.alarmed;
        if flagged {
            self.alarmed = true;
            self.flagged_at.get_or_insert(self.proposals);
        }
        flagged
    }

    /// What may be told: everything once the search is over, before that the bit alone.
    pub(super) fn report(&self, over: bool) -> GapCheck {
        let order: Vec<f64> = (0..self.series.len()).map(|i| i as f64).collect();
        let trend = kendall_tau(&order, &self.series).ok().filter(|t| t.tau.is_finite());
        GapCheck {
            flagged_at: self.flagged_at,
            questions: self.questions,
            unseen: self.unseen,
            seen_before: self.seen_before,
            tested: self.looks > 0,
            numbers: self.worst.filter(|_| over),
            trend: trend.filter(|_| over).map(|t| Trend { tau: t.tau, p_value: t.p_positive }),
        }
    }
}

/// The probability of such an excess of validation over the holdout, if the candidate is one of `candidates` that were
/// made without the answers of validation, each with an excess of 0 in truth: `∫ φ(h)·min(1, N·(1 − Φ((x − s_h·h)/s_v))) dh`.
///
/// Whoever picked it could go by validation alone: that part is bounded over all `N` candidates (Bonferroni), the
/// holdout's noise is that of one.
fn p_value(excess: f64, on_validation: f64, on_holdout: f64, candidates: f64) -> f64 {
    let n = candidates.clamp(1.0, f64::MAX);
    let beyond = |h: f64| {
        let x = excess - on_holdout * h;
        let tail = if on_validation > 0.0 { normal_sf(x / on_validation) } else { f64::from(x <= 0.0) };
        (n * tail).min(1.0)
    };
    let density = |h: f64| (-0.5 * h * h).exp() / std::f64::consts::TAU.sqrt();
    let (steps, width) = (640_u32, 0.025);
    let at = |i: u32| -8.0 + width * f64::from(i);
    (0..=steps).map(|i| width * density(at(i)) * beyond(at(i))).sum::<f64>().min(1.0)
}

/// In how many ways `of` proposals can be chosen from `proposals`: the stacks that one question may have been about.
fn choices(proposals: f64, of: f64) -> f64 {
    let of = of.clamp(1.0, proposals.max(1.0));
    (ln_gamma(proposals + 1.0) - ln_gamma(of + 1.0) - ln_gamma(proposals - of + 1.0)).exp()
}

#[cfg(test)]
mod tests {
    use super::super::contrast::OneSplit;
    use super::{Contrast, FEWEST_PROPOSALS, Gap, choices, p_value};
    use crate::stats::normal_sf;

    /// With one candidate it is the plain z-test of a sum of two independent errors.
    #[test]
    fn one_candidate_is_a_z_test() {
        for (x, v, h) in [(0.5, 1.0, 1.0), (2.0, 1.0, 0.3), (4.0, 0.5, 1.5)] {
            let plain = normal_sf(x / f64::hypot(v, h));
            assert!((p_value(x, v, h, 1.0) - plain).abs() < 1e-6 + 1e-3 * plain, "{x} {v} {h}");
        }
    }

    /// A gain of 1 on validation and of none on the holdout, in standard errors of a hundredth.
    fn mined() -> Contrast {
        let split = |gain| {
            let mut split = OneSplit::default();
            split.gain = gain;
            split
        };
        Contrast {
            validation: split(1.0),
            holdout: split(0.0),
            edits: 1.0,
            stacked: 1.0,
            squares: 1.0,
            ss: 0.0,
            df: 9.0,
        }
    }

    fn watched() -> Gap {
        Gap {
            split_error: Some(0.01),
            stated: Some(0.01),
            df: 9.0,
            proposals: FEWEST_PROPOSALS,
            ..Gap::new()
        }
    }

    #[test]
    fn few_proposals_mine_nothing() {
        let mut gap = Gap { proposals: FEWEST_PROPOSALS - 1, ..watched() };
        assert!(!gap.look(&mined()) && !gap.report(true).tested);
        gap.proposals += 1;
        assert!(gap.look(&mined()) && gap.report(true).numbers.is_some());
    }

    #[test]
    fn after_the_end_it_starts_anew_at_a_smaller_level() {
        let mut gap = watched();
        gap.answered();
        assert!(gap.look(&mined()) && !gap.report(true).seen_before);
        let first = gap.report(true).numbers.expect("the search is over");
        (gap.session, gap.proposals) = (2, 2 * FEWEST_PROPOSALS);
        gap.goes_on();
        let between = gap.report(true);
        assert!(between.seen_before && between.numbers.is_none() && !between.tested && between.unseen == 1);
        assert_eq!(between.flagged_at, Some(FEWEST_PROPOSALS), "an alarm is not taken back");
        gap.df = 9.0;
        assert!(gap.look(&mined()), "it is raised anew");
        assert!(gap.report(true).numbers.expect("over again").level < first.level);
        assert!(gap.report(true).to_string().contains("seen before"));
    }

    #[test]
    fn a_stack_is_one_of_many() {
        let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-6, "{a} {b}");
        near(choices(52.0, 5.0), 2_598_960.0); // hands of five cards
        near(choices(700.0, 1.0), 700.0);
        near(choices(3.0, 9.0), 1.0);
        near(choices(0.0, 0.0), 1.0);
    }

    #[test]
    fn many_candidates_make_it_larger_up_to_one() {
        let p = |n| p_value(3.0, 1.0, 0.5, n);
        assert!(p(1.0) < p(10.0) && p(10.0) < p(1000.0) && p(f64::INFINITY) == p(f64::INFINITY).min(1.0));
        assert!(p(10.0) < 10.0 * p(1.0) + 1e-12, "never worse than Bonferroni over both splits");
    }
}
