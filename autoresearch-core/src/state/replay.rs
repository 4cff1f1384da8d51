//! Rebuilding a state from stored events: facts are applied again, conclusions are drawn again and compared.

use super::{Event, RunSpec, Settings, StateError, StudyState};
use crate::accept::{Acceptor, Strength};
use crate::arm::RunId;
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::constraint::Constraint;
use crate::propose::Effect;
use std::sync::Arc;

impl<C: Candidate> StudyState<C> {
    /// Begins to rebuild a study from its first stored event; [`replay`](Self::replay) takes the others, in order.
    ///
    /// `baseline`, `acceptor`, `settings` and `executor` (what [`Executor::identity`](crate::Executor::identity) and
    /// [`Evaluator::identity`](crate::Evaluator::identity) say) must be those that the study was opened with; limits and runs in flight may differ, and take effect with
    /// [`resume`](Self::resume).
    ///
    /// # Errors
    /// The event does not open a study, or it opens another one: the message says what differs.
    pub fn reopen(
        first: &Event<C>,
        baseline: &C,
        acceptor: impl Acceptor + 'static,
        compose: Option<Arc<dyn Compose<C>>>,
        settings: &Settings,
        executor: &str,
    ) -> Result<Self, StateError> {
        let Event::Opened { study, baseline: stored, settings: was, policy, executor: by } = first else {
            return Err(StateError::NotAStudy);
        };
        same("baseline", &format!("{stored:?}"), &format!("{baseline:?}"))?;
        same("policy", policy, &acceptor.describe())?;
        same("set-up (executor, fidelity, data)", by, executor)?;
        same("direction", &format!("{:?}", was.direction), &format!("{:?}", settings.direction))?;
        same("seed", &was.seed.to_string(), &settings.seed.to_string())?;
        same("holdout", &format!("{:?}", was.holdout), &format!("{:?}", settings.holdout))?;
        same("test split", &format!("{:?}", was.test), &format!("{:?}", settings.test))?;
        same("constraints", &listed(&was.constraints), &listed(&settings.constraints))?;
        same("decision order", &was.rhythm(), &settings.rhythm())?;
        same("rule for stale proposals", &format!("{:?}", was.stale), &format!("{:?}", settings.stale))?;
        // Equal to what is stored, but for a rule of the holdout's that is there and not just named.
        let now = Settings { holdout: settings.holdout.clone(), ..was.clone() };
        let mut state = Self::blank(study, stored.clone(), Box::new(acceptor), compose, now)?;
        state.pump();
        Ok(state)
    }

    /// Takes the next stored event. Conclusions that a crash kept from being stored are drawn again, and come out of
    /// [`take_events`](Self::take_events) after the last event.
    ///
    /// # Errors
    /// The stored conclusion is not the one that the facts lead to.
    pub fn replay(&mut self, event: &Event<C>) -> Result<(), StateError> {
        // What is taken from a backlog follows from what waits there.
        let is_taken = matches!(event, Event::Proposed { .. }) && self.backlog.is_some();
        if event.is_derived() || is_taken {
            if self.outbox.is_empty() {
                return Err(StateError::Diverged { stored: summary(event), derived: "nothing".into() });
            }
            let derived = self.outbox.remove(0);
            if is_same_settlement(event, &derived) {
                return Ok(());
            }
            let (stored, derived) = (summary(event), summary(&derived));
            return if stored == derived { Ok(()) } else { Err(StateError::Diverged { stored, derived }) };
        }
        let diverged = |derived: String| Err(StateError::Diverged { stored: summary(event), derived });
        if let Some(derived) = self.outbox.first() {
            return diverged(summary(derived));
        }
        if let Event::Finished { run, .. } = event {
            match self.planned(run.id) {
                Some(planned) if planned == run => {}
                Some(planned) => return diverged(format!("{planned:?}")),
                None => return diverged(format!("no run {}", run.id.0)),
            }
        }
        if let Event::Queued { .. } | Event::Moved { .. } = event
            && self.backlog.is_none()
        {
            return Err(StateError::NoBacklog);
        }
        if let Event::Proposed { .. } | Event::Queued { .. } = event {
            self.check_terms()?;
        }
        self.apply(event);
        self.draw();
        Ok(())
    }

    /// The plan of a run that has not ended.
    pub(super) fn planned(&self, run: RunId) -> Option<&RunSpec> {
        let mut all = self.queue.iter().chain(&self.finale.queue).chain(self.flying.values());
        all.find(|job| job.spec.id == run).map(|job| &*job.spec)
    }
}

/// Constraints in words.
fn listed(constraints: &[Constraint]) -> String {
    let all: Vec<String> = constraints.iter().map(Constraint::to_string).collect();
    if all.is_empty() { "none".into() } else { all.join(", ") }
}

pub(super) fn same(what: &'static str, stored: &str, given: &str) -> Result<(), StateError> {
    if stored == given {
        return Ok(());
    }
    Err(StateError::OtherStudy { what, stored: stored.into(), given: given.into() })
}

/// Whether both settle a proposal alike, to the last bit of every number. It may say no where [`summary`] sees no
/// difference: the summary has the last word, and costs more than all else in a replay.
fn is_same_settlement<C>(stored: &Event<C>, derived: &Event<C>) -> bool {
    let Event::Settled { proposal, fate, units, together, version, effect, strength, runs, reason } = stored
    else {
        return false;
    };
    let Event::Settled {
        proposal: proposal2,
        fate: fate2,
        units: units2,
        together: together2,
        version: version2,
        effect: effect2,
        strength: strength2,
        runs: runs2,
        reason: reason2,
    } = derived
    else {
        return false;
    };
    let bits = |effect: &Option<Effect>| {
        effect.map(|Effect { mean, low, high, level, runs, fresh, upon }| {
            let bits = |end: Option<f64>| end.map(f64::to_bits);
            (mean.to_bits(), bits(low), bits(high), level.to_bits(), runs, fresh, upon.to_bits())
        })
    };
    let both = |strength: &Option<Strength>| strength.map(|s| (s.log_e.to_bits(), s.level.to_bits()));
    bits(effect) == bits(effect2)
        && both(strength) == both(strength2)
        // What was stored before it was noted has none; the reason names them then, too.
        && (together.is_empty() || together == together2)
        && (proposal, fate, units, version, runs, reason)
            == (proposal2, fate2, units2, version2, runs2, reason2)
}

/// All of a derived event that must come out again.
fn summary<C: Candidate>(event: &Event<C>) -> String {
    match event {
        Event::Settled { proposal, fate, units, together, version, effect, strength, runs, reason } => {
            format!(
                "{proposal} {fate} {units:?} of {together:?} at version {} {effect:?} {strength:?} {runs} runs: {reason}",
                version.0
            )
        }
        Event::Deferred { proposal, reason } => format!("{proposal} deferred: {reason}"),
        Event::Finished { run, .. } => format!("{run:?}"),
        Event::Moved { idea, to } => format!("idea {} moved: {to:?}", idea.0),
        Event::Proposed { first, on, version, proposals } => {
            format!("{first} on {on:?} at version {} and on: {proposals:?}", version.0)
        }
        Event::Stopped { reason } => format!("stopped: {reason}"),
        other => other.kind().into(),
    }
}
