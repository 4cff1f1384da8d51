//! What every acceptor must do.

use crate::accept::Acceptor;
use crate::compose::{Compose, Conflict};
use crate::failure::RunFailure;
use crate::holdout::{HeldOut, Holdout};
use crate::limits::{Limits, StopReason};
use crate::measure::Measurement;
use crate::propose::{Proposal, Proposed};
use crate::state::{Action, Event, Outcome, PlannedRun, Settings, StudyState, mix};
use std::sync::Arc;

/// How many studies are played: each of 32 kinds once, with one of three limits.
const STUDIES: u64 = 32;

/// Checks an acceptor against the contract of [`Acceptor`]; `make` gives a new one each time.
///
/// Plays it through the state machine in small studies of every kind it may meet: nothing to find, large gains, candidates
/// that crash, runs that are lost, one slot and four, a limit on runs or on proposals, with and without a holdout, runs
/// that end in any order. It must not break its contract (plans that cannot be, decisions on what does not wait, waiting
/// for nothing), must come to an end, and must draw the same conclusions from the same facts, also when they are replayed
/// from the stored events. Which error rate it keeps is not checked here: [`calibrate`](crate::testkit::calibrate()) does.
///
/// ```
/// use autoresearch_core::{Sequential, testkit::conformance};
/// conformance::acceptor(Sequential::new);
/// ```
///
/// # Panics
/// The acceptor breaks the contract; the message says how, and in which study.
pub fn acceptor<A: Acceptor + 'static>(make: impl Fn() -> A) {
    let mut refused = Vec::new();
    for number in 0..STUDIES {
        let study = Small::new(number);
        match study.open(make()) {
            Ok(state) => study.check(state, &make),
            Err(why) => refused.push(why),
        }
    }
    assert!(refused.len() < STUDIES as usize, "it refuses to work in any study: {}", refused[0]);
}

/// A study of a positive number; a proposal is a factor.
#[derive(Debug)]
struct Small {
    seed: u64,
    slots: usize,
    /// Factors in steps of .1 that make a difference; 0: none does.
    effect: f64,
    crashes: bool,
    losses: bool,
    holdout: bool,
    runs: Option<u64>,
}

struct Factors;

impl Compose<f64> for Factors {
    fn apply(&self, base: &f64, parent: &f64, edited: &f64) -> Result<f64, Conflict> {
        Ok(base * edited / parent)
    }
}

impl Small {
    fn new(number: u64) -> Self {
        let bit = |k: u64| number >> k & 1 == 1;
        Self {
            seed: mix(number, 17),
            slots: if bit(0) { 4 } else { 1 },
            effect: if bit(1) { 1.0 } else { 0.0 },
            crashes: bit(2),
            losses: bit(3),
            holdout: bit(4),
            runs: match number % 3 {
                0 => None,
                1 => Some(60),
                _ => Some(260),
            },
        }
    }

    fn settings(&self) -> Settings {
        let limits = Limits::new().proposals(25).consecutive_failures(1000);
        let limits = self.runs.map_or(limits.clone(), |runs| limits.runs(runs));
        let settings = Settings::new().seed(self.seed).in_flight(self.slots).limits(limits);
        if self.holdout { settings.holdout(Holdout::new()) } else { settings }
    }

    fn open(&self, acceptor: impl Acceptor + 'static) -> Result<StudyState<f64>, String> {
        StudyState::composing(8.0, acceptor, Factors, self.settings()).map_err(|e| e.to_string())
    }

    /// Noise of sd about .1 on a loss of steps of .5, half of them better.
    fn loss(&self, run: &PlannedRun<f64>, split: u64) -> f64 {
        let noise =
            (0..6).map(|i| (mix(mix(run.seed, run.id.0), split * 8 + i) % 1000) as f64 / 1000.0 - 0.5);
        self.effect * 0.5 * run.candidate.ln() + 0.15 * noise.sum::<f64>()
    }

    fn outcome(&self, run: &PlannedRun<f64>) -> Outcome {
        if self.losses && run.attempt == 0 && run.id.0.is_multiple_of(7) {
            return Err(RunFailure::infrastructure("node lost"));
        }
        if self.crashes && !run.arm.is_incumbent() && mix(run.candidate.to_bits(), 3).is_multiple_of(5) {
            return Err(RunFailure::candidate("crash"));
        }
        Ok(Measurement::new([self.loss(run, 0), self.loss(run, 0) + 0.1])?)
    }

    fn check<A: Acceptor + 'static>(&self, mut state: StudyState<f64>, make: &impl Fn() -> A) {
        let (name, promise) = (make().describe(), make().guarantee());
        let events = self.play(&mut state);
        if let Some(StopReason::AcceptorFailed(why)) = state.stopped() {
            panic!("{name} breaks its contract in {self:?}: {why}");
        }
        assert_eq!(
            (make().describe(), make().guarantee()),
            (name.clone(), promise),
            "its description changes"
        );
        let again = self.open(make()).map(|mut state| self.play(&mut state));
        assert!(again.as_ref() == Ok(&events), "{name} concludes otherwise from the same facts in {self:?}");
        let compose: Option<Arc<dyn Compose<f64>>> = Some(Arc::new(Factors));
        let reopened = StudyState::reopen(&events[0], &8.0, make(), compose, &self.settings(), "");
        let mut replayed = reopened.unwrap_or_else(|e| panic!("{name} cannot be reopened in {self:?}: {e}"));
        for event in &events[1..] {
            replayed.replay(event).unwrap_or_else(|e| panic!("{name}, replayed in {self:?}: {e}"));
        }
        assert_eq!(replayed.stopped(), state.stopped(), "{name}, replayed in {self:?}");
        assert_eq!(replayed.kept(), state.kept(), "{name}, replayed in {self:?}");
    }

    fn play(&self, state: &mut StudyState<f64>) -> Vec<Event<f64>> {
        let mut flying: Vec<PlannedRun<f64>> = Vec::new();
        let mut events = state.take_events();
        for tick in 0..20_000 {
            match state.next_action() {
                Action::Propose { wanted } => {
                    let view = state.view();
                    let idea = |i: u64| {
                        let factor = [0.3, 0.5, 0.9, 1.1, 2.0][(mix(view.seed, i) % 5) as usize];
                        Proposal::new(view.incumbent * factor)
                    };
                    let ideas = (0..wanted.min(3) as u64).map(idea).collect();
                    state.proposed(Proposed::Proposals(ideas)).unwrap_or_else(|e| panic!("{e}"));
                }
                Action::Run(run) => flying.push(run),
                Action::AskHoldout(query) => {
                    let held = query.runs.iter().map(|run| {
                        let loss = self.loss(run, 1);
                        HeldOut::from(Measurement::new([loss; 8]).unwrap_or_else(|e| panic!("{e}")))
                    });
                    state.held_out(query.id, held.collect()).unwrap_or_else(|e| panic!("{e}"));
                }
                Action::Wait => {
                    let run = flying.remove(mix(self.seed, tick) as usize % flying.len());
                    state.finished(run.id, self.outcome(&run)).unwrap_or_else(|e| panic!("{e}"));
                }
                Action::Stop(_) => {
                    events.extend(state.take_events());
                    return events;
                }
            }
            events.extend(state.take_events());
        }
        panic!("it comes to no end in {self:?}");
    }
}
