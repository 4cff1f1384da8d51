//! From events to data, one event at a time.

use super::cost::{place, positive};
use super::difference::Applied;
use super::trial::{Settled, find, objectives, without_tests};
use super::{About, Cost, Data, HoldoutUse, Run, SCHEMA, Share, State, Trial, Unreadable};
use super::{cohort, evidence, funnel, incumbent, learned, noise, predicted, promise, stack, together};
use crate::source::Entry;
use crate::text;
use autoresearch_core::stats::Moments;
use autoresearch_core::{Arm, Charge, CheckReport, Checks, Event, FinalResult, Settings};
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
    pub(super) about: Option<About>,
    pub(super) state: State,
    pub(super) cost: Cost,
    pub(super) trials: Vec<Trial>,
    pub(super) runs: Vec<Run>,
    pub(super) keeps: Vec<incumbent::Keep>,
    pub(super) stands: Vec<stack::Stand>,
    /// Of each incumbent and arm: the objectives of runs that look.
    pub(super) looks: BTreeMap<(u32, Arm), Moments>,
    pub(super) holdout: Option<HoldoutUse>,
    pub(super) result: Option<FinalResult>,
    pub(super) charges: BTreeMap<String, Charge>,
    pub(super) roles: BTreeMap<&'static str, Share>,
    /// By whether it was the infrastructure's fault, and what happened: how often, and to which proposals.
    pub(super) failures: BTreeMap<(bool, String), (u64, Vec<u64>)>,
    pub(super) remarks: VecDeque<String>,
    pub(super) applied: Applied,
    pub(super) damage: bool,
    pub(super) baseline_memory: Option<f64>,
    checks: Checks,
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

    /// How far the study is.
    #[cfg(feature = "live")]
    pub(crate) fn state(&self) -> &State {
        &self.state
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
            self.state.broken = Some(text::line(why, 300));
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
        // What they flag is in their report; held-out numbers, which the runs' would be compared with, are not stored.
        let _ = self.checks.heard(&event);
        self.checks.release(|_| false);
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
                self.stood(version.0, &on);
                let on: Vec<_> = on.parts().iter().map(|part| (part.proposal.0, part.unit)).collect();
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
                    self.looked(&run, m.objective());
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
                self.asked_about_one(proposal.0, answer, release)
            }
            Event::Examined { factors, answers, basis, release, .. } => {
                self.asked_about_several(&factors, &answers, basis, release);
            }
            Event::Deferred { proposal, reason } => {
                if let Some(trial) = find(&mut self.trials, proposal.0) {
                    trial.reason = text::line(&reason, 400);
                }
            }
            Event::Tested { result } => self.result = Some(result),
            Event::Settled { proposal, fate, units, version, effect, strength, reason, .. } => {
                self.settled(
                    seq,
                    proposal.0,
                    Settled { fate, units, version: version.0, effect, strength, reason },
                );
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
            guarantee: promise::promise(&policy),
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

    /// What the events until now come to.
    pub fn data(&self) -> Data {
        let mut proposals = self.trials.clone();
        objectives(&mut proposals, &self.runs);
        without_tests(&mut proposals);
        let mut cost = self.cost.clone();
        cost.charges = self.charges.values().cloned().collect();
        cost.roles = self.roles.values().cloned().collect();
        cost.roles.sort_by_key(|share| place(share.role));
        let lower_is_better = self.about.as_ref().is_none_or(|about| about.direction.loss(1.0) > 0.0);
        let incumbents = incumbent::incumbents(&self.runs, &self.keeps, lower_is_better);
        let stacks = self.stacks();
        let version = self.keeps.last().map_or(0, |keep| keep.version);
        Data {
            schema: SCHEMA,
            made_by: format!("autoresearch-report {}", env!("CARGO_PKG_VERSION")),
            study: self.about.clone(),
            state: self.state.clone(),
            cost,
            funnel: funnel::funnel(
                &proposals,
                stack::standing(&stacks, &proposals, version),
                self.holdout.is_some(),
            ),
            stacks,
            holdout: self.holdout.clone(),
            result: self.result,
            cohorts: cohort::cohorts(&proposals, &self.runs, lower_is_better),
            evidence: evidence::evidence(&proposals, &self.runs, lower_is_better),
            together: together::together(&proposals, &self.runs, lower_is_better),
            noise: noise::noise(&self.runs),
            predicted: predicted::predicted(&proposals),
            learned: learned::learned(&proposals),
            failures: self.broken(),
            remarks: self.remarks.iter().cloned().collect(),
            proposals,
            runs: self.runs.clone(),
            baseline_memory_gb: self.baseline_memory,
            incumbents,
            checks: self.checked(),
        }
    }

    /// What the overfitting checks found.
    fn checked(&self) -> CheckReport {
        let mut report = self.checks.report();
        if let Some(gap) = &mut report.gap {
            gap.unseen = gap.questions;
        }
        report
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
