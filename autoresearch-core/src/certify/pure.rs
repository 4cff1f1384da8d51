//! The certification as a state machine, for loops of one's own.

use super::lineage::Lineage;
use super::outcome::Shared;
use super::panel::Panel;
use super::result::{Certified, Sources};
use super::rules::CertifyRules;
use crate::arm::RunId;
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::limits::{Limits, StopReason};
use crate::measure::Direction;
use crate::propose::{Proposal, Proposed};
use crate::state::{
    Action, Event, Outcome as RunOutcome, SHORT_SEED, Settings, StateError, StudyState, mix, seed_offset,
};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// What every certification is made of, with a runtime or without.
pub(super) struct Case<C> {
    pub(super) lineage: Lineage<C>,
    pub(super) rules: CertifyRules,
    pub(super) outcome: Shared,
    seed: u64,
}

impl<C: Candidate> Case<C> {
    pub(super) fn new<'e>(
        events: impl IntoIterator<Item = &'e Event<C>>,
        compose: Option<&dyn Compose<C>>,
        rules: CertifyRules,
    ) -> Result<Self, StateError> {
        rules.check().map_err(StateError::Settings)?;
        let lineage = Lineage::read(events, compose)?;
        let seed = fresh_seed(&lineage.seeds, lineage.seed).ok_or_else(|| {
            StateError::Settings(format!(
                "certify: none of {TRIES} seeds has {SPAN} after it that the study's {} runs left free",
                lineage.seeds.len()
            ))
        })?;
        Ok(Self { lineage, rules, outcome: Shared::default(), seed })
    }

    pub(super) fn panel(&self) -> Panel {
        let (stages, about) = (self.lineage.stages.len(), self.lineage.identity());
        Panel::new(self.rules.clone(), stages, about, self.outcome.clone())
    }

    /// A study of the origin whose fresh seeds are none of those that the certified study used.
    pub(super) fn settings(&self) -> Settings {
        let settings = Settings::new().seed(self.seed);
        if self.lineage.direction == Direction::Maximize { settings.maximize() } else { settings }
    }

    pub(super) fn proposal(&self, index: u64) -> Option<Proposal<C>> {
        let stage = self.lineage.stages.get(index as usize)?;
        Some(Proposal::new((*stage.candidate).clone()).title(&stage.title))
    }

    pub(super) fn result(&self, split: &str, stopped: StopReason, certified: C, bolder: C) -> Certified<C> {
        let outcome = self.outcome.lock();
        // Before it has ended, nothing has been taken out.
        let (certified, bolder) = if outcome.complete {
            (certified, bolder)
        } else {
            let kept = self.lineage.kept();
            ((**kept).clone(), (**kept).clone())
        };
        let (lineage, rules, outcome) = (&self.lineage, &self.rules, &*outcome);
        Certified::of(Sources { lineage, rules, outcome, split, stopped, certified, bolder })
    }
}

/// A certification uses fewer seeds than this.
const SPAN: u32 = 1 << 16;
/// How many seeds are tried before none is said to be free.
const TRIES: u64 = 64;

/// A seed from which on the next [`SPAN`] are none of those that were used.
fn fresh_seed(used: &BTreeSet<u64>, of_study: u64) -> Option<u64> {
    let far = |seed: &u64| {
        let offset = seed_offset(*seed);
        !used.iter().any(|used| (*used as u32).wrapping_sub(offset) & SHORT_SEED < SPAN)
    };
    (1..=TRIES).map(|i| mix(of_study, i)).find(far)
}

/// A certification as a pure state machine: actions out, facts in; [`certify`](crate::certify()) drives the same with
/// tokio. It makes its own proposals and asks no holdout, so that nothing is left to do but its runs.
///
/// ```
/// use autoresearch_core::{Action, Certification, CertifyRules, Greedy, Limits, Measurement, Proposal, Settings, StudyState};
/// let loss = |rate: f64, seed: u64| (rate.log10() + 3.0).abs() + (seed as f64 * 78.233).sin() * 0.01;
/// let mut study = StudyState::new(1.0, Greedy::new(), Settings::new().limits(Limits::new().proposals(3)))?;
/// let mut events = Vec::new();
/// loop {
///     match study.next_action() {
///         Action::Propose { .. } => study.proposed(Proposal::new(study.view().incumbent / 2.0))?,
///         Action::Run(run) => study.finished(run.id, Ok(Measurement::scalar(loss(*run.candidate, run.seed))?))?,
///         _ => break,
///     }
///     events.extend(study.take_events());
/// }
///
/// let mut certification = Certification::of(&events, None, CertifyRules::new())?;
/// while let Action::Run(run) = certification.next_action() {
///     certification.finished(run.id, Ok(Measurement::scalar(loss(*run.candidate, run.seed))?))?;
/// }
/// let claim = certification.result().claim.expect("three halvings were kept");
/// assert!(claim.gain.low.is_some_and(|low| low > 0.5)); // log10(8) = .9
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Certification<C: Candidate> {
    case: Case<C>,
    state: StudyState<C>,
}

impl<C: Candidate> Certification<C> {
    /// A certification of what the study with these events kept. Without the `compose` that the study had, only the
    /// totals can be measured.
    ///
    /// # Errors
    /// The events are no study's, its kept stack cannot be put together again, or rules that cannot work.
    pub fn of<'e>(
        events: impl IntoIterator<Item = &'e Event<C>>,
        compose: Option<Arc<dyn Compose<C>>>,
        rules: CertifyRules,
    ) -> Result<Self, StateError> {
        let case = Case::new(events, compose.as_deref(), rules)?;
        let settings = case.settings().limits(Limits::new().consecutive_failures(u32::MAX));
        let (origin, panel) = ((*case.lineage.origin).clone(), Box::new(case.panel()));
        let state = StudyState::open_as("certification", origin, panel, compose, settings, String::new())?;
        Ok(Self { case, state })
    }

    /// What is to be done next: a run, or nothing until one is handed in, or the end.
    pub fn next_action(&mut self) -> Action<C> {
        loop {
            match self.state.next_action() {
                Action::Propose { .. } => {
                    let part = self.case.proposal(self.state.proposals());
                    let answered = self.state.proposed(part.map_or(Proposed::Exhausted, Proposed::from));
                    if answered.is_err() {
                        return Action::Wait; // asked, so it is not
                    }
                }
                action => return action,
            }
        }
    }

    /// Hands in what came of a run, as in [`StudyState::finished`].
    ///
    /// # Errors
    /// The run is not under way, or the evaluator states another direction than the study.
    pub fn finished(&mut self, run: RunId, outcome: RunOutcome) -> Result<(), StateError> {
        let curve = outcome.as_ref().map_or(&[][..], |measurement| measurement.training_curve()).to_vec();
        self.state.finished(run, outcome)?;
        if !curve.is_empty() {
            self.case.outcome.lock().curves.insert(run, curve);
        }
        Ok(())
    }

    /// What is certified: the origin with everything that the study kept.
    pub fn kept(&self) -> &C {
        self.case.lineage.kept()
    }

    /// What has happened since the last call, for a store of one's own.
    pub fn take_events(&mut self) -> Vec<Event<C>> {
        self.state.take_events()
    }

    /// What may be claimed by now; [`Certified::complete`] says whether that is all.
    pub fn result(&self) -> Certified<C> {
        let stopped = self.state.stopped().cloned().unwrap_or(StopReason::Cancelled);
        let (certified, bolder) = (self.state.incumbent().clone(), self.state.stack().clone());
        self.case.result("validation", stopped, certified, bolder)
    }
}

impl<C: Candidate> fmt::Debug for Certification<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certification").field("rules", &self.case.rules).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{SPAN, fresh_seed};

    #[test]
    fn a_search_for_seeds_comes_to_an_end() {
        assert!(fresh_seed(&(0..1000).collect(), 7).is_some());
        let everywhere = (0..=u32::MAX).step_by(SPAN as usize / 2).map(u64::from).collect();
        assert_eq!(fresh_seed(&everywhere, 7), None);
    }
}
