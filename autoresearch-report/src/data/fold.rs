//! From events to data, one event at a time.

use super::difference::{Applied, difference};
use super::{About, Cost, Data, HoldoutUse, Run, SCHEMA, Share, State, Trial, Unreadable};
use super::{cohort, evidence, funnel, incumbent, noise, predicted};
use crate::source::Entry;
use crate::text;
use autoresearch_core::{
    Answer, Basis, Charge, Event, Fate, Fault, FinalResult, Proposal, Role, RunFailure, RunSpec, Settings,
};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// Takes a store's events in order, and tells at any time what they come to.
///
/// ```
/// use autoresearch_report::{Fold, Report};
/// let nothing = Fold::new().data();
/// assert!(nothing.study.is_none() && nothing.proposals.is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Fold {
    about: Option<About>,
    state: State,
    cost: Cost,
    trials: Vec<Trial>,
    runs: Vec<Run>,
    keeps: Vec<incumbent::Keep>,
    holdout: Option<HoldoutUse>,
    result: Option<FinalResult>,
    charges: BTreeMap<String, Charge>,
    roles: BTreeMap<&'static str, Share>,
    remarks: VecDeque<String>,
    applied: Applied,
    damage: bool,
    baseline_memory: Option<f64>,
}

const REMARKS: usize = 20;
const UNREADABLE: usize = 20;

impl Fold {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of the last event that was taken.
    pub fn last(&self) -> u64 {
        self.state.last
    }

    /// Takes the next event. Events that were taken already are passed over.
    pub fn take(&mut self, entry: Entry) {
        let Entry { seq, at, event } = entry;
        if seq <= self.state.last {
            return;
        }
        let missing = seq - self.state.last - 1;
        if missing > 0 {
            let first = self.state.last + 1;
            self.unreadable(
                first,
                format!("{} missing before event {seq}", text::of(missing, "event")),
                missing,
            );
        }
        self.state.last = seq;
        self.state.events += 1;
        self.state.began = self.state.began.or(at);
        self.state.ended = at.or(self.state.ended);
        match event {
            Ok(event) => self.hear(seq, event),
            Err(why) => self.unreadable(seq, text::line(&why, 200), 1),
        }
    }

    /// Says that the store could not be read to its end.
    pub(crate) fn damaged(&mut self, why: &str) {
        if !self.damage {
            self.damage = true;
            self.unreadable(self.state.last + 1, text::line(why, 300), 1);
        }
    }

    fn unreadable(&mut self, seq: u64, why: String, count: u64) {
        self.state.unreadable_count += count;
        if self.state.unreadable.len() < UNREADABLE {
            self.state.unreadable.push(Unreadable { seq, why });
        }
    }

    fn hear(&mut self, seq: u64, event: Event<Value>) {
        match event {
            Event::Opened { study, baseline, settings, policy, executor } => {
                self.opened(study, baseline, &settings, policy, executor);
            }
            Event::Resumed { limits, in_flight } => {
                self.state.resumed += 1;
                (self.state.stopped, self.state.reason, self.state.is_final) = (false, None, false);
                if let Some(about) = &mut self.about {
                    about.limits = figures(&serde_json::to_value(limits).unwrap_or_default());
                    about.in_flight = in_flight as u64;
                }
            }
            Event::Proposed { first, on, version, proposals } => {
                let on: Vec<u64> = on.proposals().map(|p| p.0).collect();
                for (id, proposal) in (first.0..).zip(proposals) {
                    self.proposed(id, version.0, &on, proposal);
                }
            }
            Event::Charged(charge) => self.charged(charge),
            Event::Remarked { text } => {
                self.cost.remarks += 1;
                self.remarks.push_front(text::line(&text, 300));
                self.remarks.truncate(REMARKS);
            }
            Event::Finished { run, outcome, seconds, elapsed, .. } => {
                if let Ok(m) = &outcome {
                    self.remember(&run, m.metrics().get("memory_gb").copied());
                }
                let outcome = outcome.map(|m| m.objective());
                self.finished(run, outcome, seconds, elapsed);
            }
            Event::Interrupted { seconds, .. } => {
                self.cost.interrupted += 1;
                self.cost.compute += positive(seconds);
            }
            Event::Answered { proposal, answer, release, .. } => {
                self.answered(Some(answer.passed), answer.basis);
                if let Some(holdout) = &mut self.holdout {
                    holdout.release = Some(release).filter(|r| *r != Default::default()).or(holdout.release);
                }
                if let Some(trial) = find(&mut self.trials, proposal.0) {
                    let Answer { passed, .. } = answer;
                    trial.held_out = Some(passed);
                }
            }
            Event::Examined { factors, answers, basis, release, .. } => {
                for (factor, answer) in factors.iter().zip(answers) {
                    self.answered(answer, basis);
                    let mut of: Vec<u64> = factor.proposals().map(|p| p.0).collect();
                    if let (Some(passed), Some(only), true) = (answer, of.pop(), of.is_empty())
                        && let Some(trial) = find(&mut self.trials, only)
                    {
                        // A proposal of several units has several answers.
                        trial.held_out = Some(trial.held_out.unwrap_or(false) || passed);
                    }
                }
                if let Some(holdout) = &mut self.holdout {
                    holdout.release = Some(release).filter(|r| *r != Default::default()).or(holdout.release);
                }
            }
            Event::Deferred { proposal, reason } => {
                if let Some(trial) = find(&mut self.trials, proposal.0) {
                    trial.reason = text::line(&reason, 400);
                }
            }
            Event::Tested { result } => self.result = Some(result),
            Event::Settled { proposal, fate, version, effect, strength, reason, .. } => {
                let (at_run, at_time) = (self.runs.len() as u64, self.cost.elapsed);
                let Some(trial) = find(&mut self.trials, proposal.0) else { return };
                trial.fate = Some(fate);
                trial.settled_version = Some(version.0);
                trial.effect = effect.filter(|e| e.mean.is_finite());
                trial.strength = strength;
                trial.reason = text::line(&reason, 400);
                (trial.at_run, trial.at_time) = (at_run, at_time);
                trial.settled_at = Some(seq);
                if matches!(fate, Fate::Kept | Fate::Revoked) {
                    let effect = trial.effect;
                    let keep = incumbent::Keep {
                        version: version.0,
                        proposal: proposal.0,
                        fate,
                        effect,
                        at_run,
                        at_time,
                    };
                    self.keeps.push(keep);
                }
                match fate {
                    Fate::Kept => self.applied.keep(proposal.0, version.0),
                    Fate::SetAside | Fate::Undecided => {} // arms may have it again
                    _ => self.applied.forget(proposal.0),
                }
            }
            Event::Stopping { elapsed, .. } => self.cost.elapsed = self.cost.elapsed.max(positive(elapsed)),
            Event::Stopped { reason } => {
                self.state.stopped = true;
                self.state.is_final = reason.is_final();
                self.state.reason = Some(text::line(&reason.to_string(), 400));
            }
            _ => {}
        }
    }

    fn opened(&mut self, id: String, baseline: Value, settings: &Settings, policy: String, executor: String) {
        let settings = serde_json::to_value(settings).unwrap_or_default();
        let direction = serde_json::from_value(settings["direction"].clone()).unwrap_or_default();
        if let Some(holdout) = settings.get("holdout").filter(|holdout| !holdout.is_null()) {
            let figure = |name: &str| holdout.get(name).and_then(Value::as_u64);
            let (queries, shards) = (figure("queries").unwrap_or(0), figure("shards").unwrap_or(1));
            self.holdout = Some(HoldoutUse { queries, shards, ..HoldoutUse::default() });
        }
        self.about = Some(About {
            id: text::line(&id, 100),
            policy: text::line(&policy, 300),
            executor: text::line(&executor, 300),
            direction,
            seed: settings["seed"].as_u64().unwrap_or(0),
            in_flight: settings["in_flight"].as_u64().unwrap_or(1),
            limits: figures(&settings["limits"]),
            test_split: !settings["test"].is_null(),
            baseline: text::block(&shown(&baseline), 60, 2000),
        });
        self.applied.begin(baseline);
    }

    fn proposed(&mut self, id: u64, version: u32, on: &[u64], proposal: Proposal<Value>) {
        let hypothesis = proposal.hypothesis;
        let changes = match self.applied.parent(version, on) {
            Some(parent) => difference(&parent, &proposal.candidate),
            None => Vec::new(),
        };
        // What a title says in place of nothing.
        let title = match text::line(&hypothesis.title, 300) {
            title if title.is_empty() => format!("proposal {id}"),
            title => title,
        };
        self.applied.propose(id, &changes);
        self.trials.push(Trial {
            id,
            title,
            rationale: text::block(&hypothesis.rationale, 40, 2000),
            change: text::block(&hypothesis.change, 200, 8000),
            changes: changes.into_iter().map(|change| change.shown()).collect(),
            expected: hypothesis.expected.filter(|x| x.is_finite()),
            tags: hypothesis.tags.iter().take(8).map(|tag| text::line(tag, 60)).collect(),
            version,
            fate: None,
            settled_version: None,
            effect: None,
            strength: None,
            reason: String::new(),
            runs: 0,
            confirming: 0,
            seconds: 0.0,
            objective: None,
            held_out: None,
            at_run: self.runs.len() as u64,
            at_time: self.cost.elapsed,
            settled_at: None,
            memory_gb: None,
        });
    }

    fn charged(&mut self, charge: Charge) {
        self.cost.money += positive(charge.amount);
        let what = text::line(&charge.what, 80);
        let known = self.charges.len() < 50 || self.charges.contains_key(&what);
        let what = if known { what } else { "others".into() };
        let of = self.charges.entry(what.clone()).or_insert_with(|| Charge::new(0.0, what));
        of.amount += positive(charge.amount);
        for (unit, count) in charge.used {
            let of = of.used.entry(text::line(&unit, 40)).or_default();
            *of = of.saturating_add(count);
        }
    }

    fn finished(&mut self, run: RunSpec, outcome: Result<f64, RunFailure>, seconds: f64, elapsed: f64) {
        let seconds = positive(seconds);
        self.cost.compute += seconds;
        self.cost.elapsed = self.cost.elapsed.max(positive(elapsed));
        let share = Share { role: run.role, runs: 0, seconds: 0.0 };
        let share = self.roles.entry(role_name(run.role)).or_insert(share);
        share.seconds += seconds;
        match &outcome {
            Err(failure) if failure.fault() == Fault::Infrastructure => {
                self.cost.lost += 1;
                return;
            }
            Err(failure) if failure.fault() == Fault::Cancelled => {
                self.cost.interrupted += 1;
                return;
            }
            Err(_) => self.cost.failed += 1,
            Ok(_) => {}
        }
        self.cost.runs += 1;
        share.runs += 1;
        let arm: Vec<u64> = run.arm.proposals().map(|p| p.0).collect();
        let (at_run, at_time) = (self.runs.len() as u64 + 1, self.cost.elapsed);
        for id in &arm {
            if let Some(trial) = find(&mut self.trials, *id) {
                trial.runs += 1;
                trial.confirming += u64::from(run.role == Role::Confirm);
                trial.seconds += seconds;
                if trial.fate.is_none() {
                    (trial.at_run, trial.at_time) = (at_run, at_time);
                }
            }
        }
        self.runs.push(Run {
            id: run.id.0,
            arm,
            partial: run.arm.parts().iter().any(|part| part.unit.is_some()),
            version: run.version.0,
            seed: run.seed,
            role: run.role,
            about: run.about.map(|p| p.0),
            objective: outcome.as_ref().ok().copied(),
            failure: outcome.err().map(|failure| text::line(&failure.to_string(), 200)),
            seconds,
            elapsed: at_time,
        });
    }

    fn remember(&mut self, run: &RunSpec, memory: Option<f64>) {
        let of = match run.arm.proposals().next() {
            Some(first) => find(&mut self.trials, first.0).map(|trial| &mut trial.memory_gb),
            None if run.version.0 == 0 => Some(&mut self.baseline_memory),
            None => None,
        };
        if let (Some(of), Some(memory)) = (of, memory) {
            *of = Some(of.unwrap_or(0.0).max(memory));
        }
    }

    fn answered(&mut self, answer: Option<bool>, basis: Basis) {
        let holdout = self.holdout.get_or_insert_default();
        match answer {
            None => holdout.refused += 1,
            Some(passed) => {
                holdout.asked += 1;
                holdout.yes += u64::from(passed);
                holdout.unmeasured += u64::from(basis == Basis::Unmeasured);
                let basis = serde_json::to_value(basis).ok();
                let name = basis.as_ref().and_then(Value::as_str).unwrap_or("other").replace('_', " ");
                *holdout.basis.entry(name).or_default() += 1;
            }
        }
    }

    /// What the events until now come to.
    pub fn data(&self) -> Data {
        let mut proposals = self.trials.clone();
        objectives(&mut proposals, &self.runs);
        let mut cost = self.cost.clone();
        cost.charges = self.charges.values().cloned().collect();
        cost.roles = self.roles.values().cloned().collect();
        let lower_is_better = self.about.as_ref().is_none_or(|about| about.direction.loss(1.0) > 0.0);
        let incumbents = incumbent::incumbents(&self.runs, &self.keeps, lower_is_better);
        Data {
            schema: SCHEMA,
            made_by: format!("autoresearch-report {}", env!("CARGO_PKG_VERSION")),
            study: self.about.clone(),
            state: self.state.clone(),
            cost,
            funnel: funnel::funnel(&proposals, self.holdout.is_some()),
            holdout: self.holdout.clone(),
            result: self.result,
            cohorts: cohort::cohorts(&proposals, &self.runs, lower_is_better),
            evidence: evidence::evidence(&proposals, &self.runs, lower_is_better),
            noise: noise::noise(&self.runs),
            predicted: predicted::predicted(&proposals),
            remarks: self.remarks.iter().cloned().collect(),
            proposals,
            runs: self.runs.clone(),
            baseline_memory_gb: self.baseline_memory,
            incumbents,
        }
    }
}

/// Proposals are numbered from 1, in order; where events are missing, some are not where their number says.
fn find(trials: &mut [Trial], id: u64) -> Option<&mut Trial> {
    let guess = usize::try_from(id.checked_sub(1)?).ok()?;
    let at = match trials.get(guess) {
        Some(trial) if trial.id == id => guess,
        _ => trials.binary_search_by_key(&id, |trial| trial.id).ok()?,
    };
    trials.get_mut(at)
}

/// The mean objective of each proposal's runs on which nothing else was switched on.
fn objectives(trials: &mut [Trial], runs: &[Run]) {
    let mut sums: BTreeMap<u64, (f64, u32)> = BTreeMap::new();
    for run in runs {
        if let ([only], Some(objective), false) = (run.arm.as_slice(), run.objective, run.partial)
            && matches!(run.role, Role::Screen | Role::Confirm)
        {
            let of = sums.entry(*only).or_default();
            *of = (of.0 + objective, of.1 + 1);
        }
    }
    for (id, (sum, n)) in sums {
        if let Some(trial) = find(trials, id) {
            trial.objective = Some(sum / f64::from(n));
        }
    }
}

fn positive(x: f64) -> f64 {
    if x.is_finite() { x.max(0.0) } else { 0.0 }
}

/// A role as it is shown.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Calibrate => "calibrate",
        Role::Screen => "screen",
        Role::Confirm => "confirm",
        Role::Final => "final",
        Role::Certify => "certify",
        Role::Transfer => "transfer",
        _ => "other",
    }
}

/// The figures among limits; durations in seconds.
fn figures(limits: &Value) -> BTreeMap<String, f64> {
    let mut figures = BTreeMap::new();
    for (name, value) in limits.as_object().into_iter().flatten() {
        let seconds = || value.get("secs").and_then(Value::as_f64);
        if let Some(x) = value.as_f64().or_else(seconds) {
            figures.insert(name.clone(), x);
        }
    }
    figures
}

/// A candidate as people read it.
fn shown(candidate: &Value) -> String {
    match candidate {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}
