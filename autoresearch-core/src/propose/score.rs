//! What strategies that learn go by: how good every settled setting was, on one scale.

use super::{Fate, TrialRecord};
use crate::arm::ProposalId;
use crate::candidate::Candidate;
use crate::space::{ParamSpace, ParamValue, json};
use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;

/// One settled setting.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    proposal: Option<ProposalId>,
    /// The value of each of the space's parameters; `None` where the parameter is inactive or unset.
    pub(super) values: Vec<Option<ParamValue>>,
    /// How much better it is than the baseline, in the objective's units; −∞ where it failed.
    pub(super) score: f64,
}

/// The latest settled settings.
///
/// A trial's effect is measured against the incumbent of its time. Effects of what was kept, added up, say how far
/// that incumbent was above the baseline. The sum is rough: what was kept was chosen for its effect, and a policy that
/// scouts ahead measures against its stack. It ranks settings; no claim rests on it.
#[derive(Debug, Clone)]
pub(super) struct Scores {
    window: usize,
    latest: VecDeque<Scored>,
    /// What is kept, and what each of it added.
    kept: Vec<(ProposalId, f64)>,
}

impl Scores {
    /// Remembers so many.
    pub(super) fn new(window: usize) -> Self {
        Self { window: window.max(1), latest: VecDeque::new(), kept: Vec::new() }
    }

    /// How much better the incumbent is than the baseline.
    pub(super) fn incumbent(&self) -> f64 {
        self.kept.iter().map(|k| k.1).sum()
    }

    /// How many settled settings are remembered.
    pub(super) fn len(&self) -> usize {
        self.latest.len()
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Scored> {
        self.latest.iter()
    }

    pub(super) fn observe<C: Candidate + Serialize>(&mut self, space: &ParamSpace, settled: &TrialRecord<C>) {
        let effect = settled.effect.map(|e| e.mean).filter(|mean| mean.is_finite());
        let score = match (settled.fate, effect) {
            (Fate::Failed, _) => f64::NEG_INFINITY,
            // The holdout did not see what validation saw.
            (Fate::HeldBack, Some(effect)) => self.incumbent() + effect.min(0.0),
            (_, Some(effect)) => self.incumbent() + effect,
            (_, None) => f64::NAN, // nothing is known of it
        };
        self.kept.retain(|(id, _)| *id != settled.id);
        if settled.fate == Fate::Kept {
            self.kept.push((settled.id, effect.unwrap_or(0.0)));
        }
        let Ok(candidate) = json(&settled.proposal.candidate) else { return };
        if score.is_nan() {
            return;
        }
        let values = values(space, &candidate);
        // Settled again: the later word counts.
        self.latest.retain(|s| s.proposal != Some(settled.id));
        self.latest.push_back(Scored { proposal: Some(settled.id), values, score });
        if self.latest.len() > self.window {
            self.latest.pop_front();
        }
    }

    /// The setting that is built upon now.
    pub(super) fn of_incumbent(&self, space: &ParamSpace, incumbent: &Value) -> Scored {
        Scored { proposal: None, values: values(space, incumbent), score: self.incumbent() }
    }
}

/// The values of the active parameters.
pub(super) fn values(space: &ParamSpace, candidate: &Value) -> Vec<Option<ParamValue>> {
    let at = |name: &str| crate::compose::get_path(candidate, name).and_then(ParamValue::from_json);
    let active = space.activity(candidate);
    space.params().iter().zip(active).map(|(p, active)| at(&p.name).filter(|_| active)).collect()
}
