//! The certification as an acceptor: its proposals are the parts of the kept stack, its incumbent is the origin.

use super::batch::{Batch, Poll};
use super::design;
use super::judge::{Estimate, Row, earning, estimates};
use super::outcome::{Outcome, Pairs, Shared, UnitOutcome};
use super::result::Verdict;
use super::rules::CertifyRules;
use super::units::units;
use crate::accept::{Acceptor, Claim, Cohort, Decision, Guarantee, Noise, Role, Standing, Step};
use crate::arm::{Arm, ProposalId, RunId};
use crate::propose::Effect;
use crate::stats::paired_t;

/// Runs a part, for leaving it out.
const BUDGET: usize = 2;
/// After each look, what has a t below this is dropped: whatever it would take to show that it helps, it is more than
/// is left.
const HOPELESS: f64 = 0.5;
const LEVEL: f64 = 0.95;

pub(super) struct Panel {
    rules: CertifyRules,
    /// Parts of the kept stack.
    stages: usize,
    /// Which study, at which point, and what it had kept by then.
    about: String,
    outcome: Shared,
    now: Now,
    units: Vec<Vec<usize>>,
    /// Which of them are left in; which cannot be taken out.
    standing: Vec<bool>,
    fixed: Vec<bool>,
    rows: Vec<Row>,
    elsewhere: Vec<Row>,
    context: u32,
    spent: usize,
}

/// What is under way.
enum Now {
    Parts,
    Totals(Batch),
    Round(Batch, Vec<Vec<bool>>),
    Final(Batch),
    Transfer(Batch, Vec<Vec<bool>>),
    Settle,
    Done,
}

impl Panel {
    pub(super) fn new(rules: CertifyRules, stages: usize, about: String, outcome: Shared) -> Self {
        *outcome.lock() = Outcome::default();
        Self {
            rules,
            stages,
            about,
            outcome,
            now: Now::Parts,
            units: Vec::new(),
            standing: Vec::new(),
            fixed: Vec::new(),
            rows: Vec::new(),
            elsewhere: Vec::new(),
            context: 0,
            spent: 0,
        }
    }

    /// Asks for the parts, each upon those before it, then divides them into what can be switched.
    fn gather(&mut self, cohort: &Cohort<'_>) -> Step {
        let here = cohort.live().count();
        if self.stages == 0 {
            self.outcome.lock().complete = true;
            self.now = Now::Done;
            return Step::Finish;
        }
        if here < self.stages {
            let on = (1..=here as u64).map(ProposalId).collect();
            return if cohort.asked() > 0 {
                Step::Wait
            } else {
                Step::Propose { on, wanted: 1, standing: Standing::default() }
            };
        }
        (self.units, self.fixed) = units(self.stages, cohort);
        self.standing = vec![true; self.units.len()];
        let verdict = |fixed: &bool| if *fixed { Verdict::Inseparable } else { Verdict::Untested };
        let unit = |(stages, fixed): (&Vec<usize>, &bool)| UnitOutcome {
            stages: stages.clone(),
            estimate: None,
            elsewhere: None,
            verdict: verdict(fixed),
        };
        self.outcome.lock().units = self.units.iter().zip(&self.fixed).map(unit).collect();
        let (batch, step) = Batch::plan(self.pairs(&self.everything()), Role::Confirm, cohort);
        self.now = Now::Totals(batch);
        step
    }

    /// Origin and `arm` on each of some fresh seeds.
    fn pairs(&self, arm: &Arm) -> Vec<(Arm, u32)> {
        (0..self.rules.seeds).flat_map(|seed| [(Arm::incumbent(), seed), (arm.clone(), seed)]).collect()
    }

    fn everything(&self) -> Arm {
        self.arm(&vec![true; self.units.len()])
    }

    fn arm(&self, on: &[bool]) -> Arm {
        let units = self.units.iter().zip(on).filter(|(_, on)| **on).flat_map(|(stages, _)| stages);
        units.map(|stage| ProposalId(*stage as u64 + 1)).collect()
    }

    fn totals(&mut self, results: &[(RunId, Option<f64>)]) {
        let all = vec![true; self.units.len()];
        let full = results.iter().skip(1).step_by(2).filter_map(|(_, score)| *score);
        self.rows.extend(full.map(|score| Row { on: all.clone(), context: 0, score }));
        self.outcome.lock().kept = Some(Pairs::of(results));
    }

    /// The next look at the parts; `None` when there is no more to be had.
    fn look(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        let budget = (BUDGET * self.units.len()).saturating_sub(self.spent);
        let outcome = self.outcome.lock();
        let mut open: Vec<usize> =
            (0..self.units.len()).filter(|&j| self.standing[j] && !self.fixed[j]).collect();
        let t = |j: &usize| outcome.units[*j].estimate.map_or(f64::NEG_INFINITY, |e| e.t);
        open.sort_by(|a, b| t(a).total_cmp(&t(b)));
        drop(outcome);
        let rows: Vec<Vec<bool>> = design::rows(&open, budget, cohort.fresh_seed(0))
            .into_iter()
            .map(|out| (0..self.units.len()).map(|j| self.standing[j] && !out.contains(&j)).collect())
            .collect();
        if rows.is_empty() {
            return None;
        }
        let arms = rows.iter().zip(0..).map(|(on, seed)| (self.arm(on), seed)).collect();
        let (batch, step) = Batch::plan(arms, Role::Certify, cohort);
        self.now = Now::Round(batch, rows);
        Some(step)
    }

    /// Takes a look's runs in, and drops what is hopeless.
    fn looked(&mut self, on: Vec<Vec<bool>>, results: &[(RunId, Option<f64>)]) {
        let context = self.context;
        let row = |(on, (_, score)): (Vec<bool>, &(RunId, Option<f64>))| {
            score.map(|score| Row { on, context, score })
        };
        self.rows.extend(on.into_iter().zip(results).filter_map(row));
        self.estimate();
        let shared = self.outcome.clone();
        let outcome = shared.lock();
        let mut dropped = false;
        for (j, unit) in outcome.units.iter().enumerate() {
            if self.standing[j] && !self.fixed[j] && unit.estimate.is_some_and(|e| e.t < HOPELESS) {
                (self.standing[j], dropped) = (false, true);
            }
        }
        self.context += u32::from(dropped);
    }

    fn estimate(&self) {
        let mut outcome = self.outcome.lock();
        let origin = outcome.kept.as_ref().map(|kept| Pairs::scores(&kept.origin)).unwrap_or_default();
        let found = estimates(&self.rows, self.units.len(), &origin);
        outcome.units.iter_mut().zip(found).for_each(|(unit, found)| unit.estimate = found);
    }

    /// What the looks come to: who stands, and on which runs the total is measured.
    fn conclude(&mut self, cohort: &Cohort<'_>) -> Step {
        let shared = self.outcome.clone();
        let mut outcome = shared.lock();
        if self.rules.leave_one_out {
            self.verdicts(&mut outcome);
            self.mend(&mut outcome, cohort);
        }
        let kept = outcome.kept.clone().unwrap_or_default();
        let all = self.standing.iter().all(|on| *on);
        let alone = self.rules.leave_one_out && self.units.len() == 1;
        if !self.standing.contains(&true) {
            return self.settle();
        }
        if all && !alone {
            outcome.standing = Some((kept, false));
            drop(outcome);
            return self.transfer(cohort);
        }
        drop(outcome);
        let (batch, step) = Batch::plan(self.pairs(&self.arm(&self.standing)), Role::Confirm, cohort);
        self.now = Now::Final(batch);
        step
    }

    fn verdicts(&mut self, outcome: &mut Outcome) {
        if let [unit] = &mut outcome.units[..] {
            // To leave the only part out is to go back to the origin: the totals have measured that.
            let kept = outcome.kept.clone().unwrap_or_default();
            self.fixed[0] = false;
            unit.estimate = alone(&kept);
        }
        let estimates: Vec<_> = outcome.units.iter().map(|unit| unit.estimate).collect();
        let alone = outcome.units.len() == 1;
        let rows = &self.rows;
        let was_left_out = |j: usize| alone || rows.iter().any(|row| !row.on[j]);
        let earning = earning(&estimates, &self.standing, self.rules.rate);
        for (j, unit) in outcome.units.iter_mut().enumerate() {
            unit.verdict = match &unit.estimate {
                _ if self.fixed[j] => Verdict::Inseparable,
                // Nothing was ever measured without it: nothing without it runs.
                None if !was_left_out(j) => Verdict::Inseparable,
                None => Verdict::NotShown,
                Some(_) if earning[j] => Verdict::Earns,
                Some(estimate) if !self.standing[j] || estimate.effect <= 0.0 => Verdict::Dropped,
                Some(_) => Verdict::NotShown,
            };
            self.standing[j] = matches!(unit.verdict, Verdict::Earns | Verdict::Inseparable);
        }
    }

    /// Puts back, one after the other, what the standing parts turn out not to be had without.
    fn mend(&mut self, outcome: &mut Outcome, cohort: &Cohort<'_>) {
        for j in 0..self.units.len() {
            if cohort.composes(&self.arm(&self.standing)) {
                return;
            }
            if !self.standing[j] {
                (self.standing[j], outcome.units[j].verdict) = (true, Verdict::Inseparable);
            }
        }
    }

    fn settle(&mut self) -> Step {
        self.now = Now::Settle;
        Step::Wait
    }

    /// The same parts at another fidelity.
    fn transfer(&mut self, cohort: &Cohort<'_>) -> Step {
        if self.rules.transfer.is_none() {
            return self.settle();
        }
        let mut arms = self.pairs(&self.arm(&self.standing));
        let open: Vec<usize> = (0..self.units.len()).filter(|&j| !self.fixed[j]).collect();
        let rows: Vec<Vec<bool>> = design::rows(&open, BUDGET * self.units.len(), cohort.fresh_seed(0))
            .into_iter()
            .map(|out| (0..self.units.len()).map(|j| !out.contains(&j)).collect())
            .collect();
        let mut rows = if self.units.len() > 1 { rows } else { Vec::new() };
        let one_each = rows.iter().all(|on| on.iter().filter(|on| !**on).count() == 1);
        if one_each && !self.standing.iter().all(|on| *on) {
            // The pairs lack what was taken out; without the whole stack beside them, rows that each lack one part tell
            // nothing of any.
            let whole = vec![vec![true; self.units.len()]; rows.len().min(self.rules.seeds as usize)];
            rows.extend(whole);
        }
        arms.extend(rows.iter().zip(self.rules.seeds..).map(|(on, seed)| (self.arm(on), seed)));
        let (batch, step) = Batch::plan(arms, Role::Transfer, cohort);
        self.now = Now::Transfer(batch, rows);
        step
    }

    fn transferred(&mut self, rows: Vec<Vec<bool>>, results: &[(RunId, Option<f64>)]) {
        let (pairs, designed) = results.split_at(results.len() - rows.len());
        let row = |(on, (_, score)): (Vec<bool>, &(RunId, Option<f64>))| {
            score.map(|score| Row { on, context: 0, score })
        };
        self.elsewhere.extend(rows.into_iter().zip(designed).filter_map(row));
        if self.standing.iter().all(|on| *on) {
            let full = pairs.iter().skip(1).step_by(2).filter_map(|(_, score)| *score);
            let on = vec![true; self.units.len()];
            self.elsewhere.extend(full.map(|score| Row { on: on.clone(), context: 0, score }));
        }
        let pairs = Pairs::of(pairs);
        let found = estimates(&self.elsewhere, self.units.len(), &Pairs::scores(&pairs.origin));
        let mut outcome = self.outcome.lock();
        outcome.units.iter_mut().zip(found).for_each(|(unit, found)| unit.elsewhere = found);
        outcome.transfer = Some(pairs);
    }

    /// Tells the study: what stands joins the origin, what was not shown is left in the bolder stack.
    fn decisions(&self) -> Vec<Decision> {
        let outcome = self.outcome.lock();
        let pairs = outcome.standing.as_ref().map(|(pairs, _)| pairs.clone()).unwrap_or_default();
        let ids = |runs: &[(RunId, f64)]| runs.iter().map(|(run, _)| *run).collect::<Vec<_>>();
        let mut decisions = Vec::new();
        for (unit, standing) in outcome.units.iter().zip(&self.standing) {
            let effect = unit.estimate.map(|e| effect(&e));
            for stage in &unit.stages {
                let proposal = ProposalId(*stage as u64 + 1);
                let reason = unit.verdict.to_string();
                let decision = match unit.verdict {
                    _ if *standing && !pairs.now.is_empty() => {
                        let noise = Noise::default();
                        let claim =
                            Claim::new(ids(&pairs.now), ids(&pairs.origin), true, self.rules.rate, noise);
                        Decision::accept(proposal, claim, reason)
                    }
                    Verdict::Dropped => Decision::reject(proposal, reason),
                    _ => Decision::undecided(proposal, reason),
                };
                decisions.push(decision.effect(effect));
            }
        }
        decisions
    }

    fn count(&self, kind: usize, batch: &Batch) {
        self.outcome.lock().runs[kind] += batch.runs() as u64;
    }
}

/// The total as an estimate of the only part's effect.
fn alone(pairs: &Pairs) -> Option<Estimate> {
    let (origin, now) = (Pairs::scores(&pairs.origin), Pairs::scores(&pairs.now));
    let test = paired_t(&origin, &now).ok().filter(|test| test.df > 0.0)?;
    Some(Estimate {
        effect: -test.difference,
        standard_error: test.standard_error,
        df: test.df,
        t: -test.t,
        p: test.p,
        runs: (now.len() as u32, origin.len() as u32),
    })
}

pub(super) fn effect(estimate: &Estimate) -> Effect {
    Effect::new(estimate.effect, estimate.interval(LEVEL), LEVEL, estimate.runs.0, true)
}

impl Acceptor for Panel {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        loop {
            match std::mem::replace(&mut self.now, Now::Done) {
                Now::Parts => {
                    self.now = Now::Parts;
                    return self.gather(cohort);
                }
                Now::Totals(mut batch) => match batch.poll(cohort, 0) {
                    Poll::Step(step) => {
                        self.now = Now::Totals(batch);
                        return step;
                    }
                    Poll::Done(results) => {
                        self.count(0, &batch);
                        self.totals(&results);
                        let looks = self.rules.leave_one_out && self.units.len() > 1;
                        let step = if looks { self.look(cohort) } else { None };
                        let step = step.unwrap_or_else(|| self.conclude(cohort));
                        if !matches!(self.now, Now::Settle) {
                            return step;
                        }
                    }
                },
                Now::Round(mut batch, on) => {
                    let left = (BUDGET * self.units.len()).saturating_sub(self.spent + batch.runs());
                    match batch.poll(cohort, left) {
                        Poll::Step(step) => {
                            self.now = Now::Round(batch, on);
                            return step;
                        }
                        Poll::Done(results) => {
                            self.count(1, &batch);
                            self.spent += batch.runs();
                            self.looked(on, &results);
                            let step = self.look(cohort);
                            let step = step.unwrap_or_else(|| self.conclude(cohort));
                            if !matches!(self.now, Now::Settle) {
                                return step;
                            }
                        }
                    }
                }
                Now::Final(mut batch) => match batch.poll(cohort, 0) {
                    Poll::Step(step) => {
                        self.now = Now::Final(batch);
                        return step;
                    }
                    Poll::Done(results) => {
                        self.count(0, &batch);
                        self.outcome.lock().standing = Some((Pairs::of(&results), true));
                        let step = self.transfer(cohort);
                        if !matches!(self.now, Now::Settle) {
                            return step;
                        }
                    }
                },
                Now::Transfer(mut batch, rows) => match batch.poll(cohort, 0) {
                    Poll::Step(step) => {
                        self.now = Now::Transfer(batch, rows);
                        return step;
                    }
                    Poll::Done(results) => {
                        self.count(2, &batch);
                        self.transferred(rows, &results);
                        self.settle();
                    }
                },
                Now::Settle => {
                    self.outcome.lock().complete = true;
                    return Step::Decide(self.decisions());
                }
                Now::Done => return Step::Finish,
            }
        }
    }

    fn guarantee(&self) -> Guarantee {
        if self.rules.leave_one_out {
            Guarantee::FalseDiscoveryRate(self.rules.rate)
        } else {
            Guarantee::None
        }
    }

    fn describe(&self) -> String {
        format!("certify {} with {:?}", self.about, self.rules)
    }
}
