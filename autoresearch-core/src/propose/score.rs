//! What strategies that learn go by: how good every setting was that was judged, on one scale.

use super::{Fate, ProposeContext, TrialRecord};
use crate::arm::ProposalId;
use crate::candidate::Candidate;
use crate::space::{ParamSpace, ParamValue, json};
use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;

/// One setting, and how good it was.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    proposal: Option<ProposalId>,
    /// The value of each of the space's parameters; `None` where the parameter is inactive or unset.
    pub(super) values: Vec<Option<ParamValue>>,
    /// How much better it is than the baseline, in the objective's units; −∞ where it failed, or was rejected without
    /// its effect being told.
    pub(super) score: f64,
}

/// The latest settled settings.
///
/// A trial's effect is measured against the incumbent of its time, or a stack upon it. Effects of what was kept, added up,
/// say how far that incumbent was above the baseline, and the policy says how far the stack was above it. The sum is rough:
/// what was kept or taken up was chosen for its effect. It ranks settings; no claim rests on it.
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

    /// Settled settings, oldest first, but for those of which `unsettled` knows better.
    pub(super) fn iter<'a>(&'a self, unsettled: &'a [Scored]) -> impl Iterator<Item = &'a Scored> {
        self.latest.iter().filter(|s| unsettled.iter().all(|u| u.proposal != s.proposal))
    }

    pub(super) fn observe<C: Candidate + Serialize>(&mut self, space: &ParamSpace, settled: &TrialRecord<C>) {
        let effect = settled.effect.map(|e| e.mean).filter(|mean| mean.is_finite());
        let upon = settled.effect.map_or(0.0, |e| e.upon);
        let score = match (settled.fate, effect) {
            // Rejected in a screen, say, which is no measurement that anybody would stand behind.
            (Fate::Failed, _) | (Fate::Rejected, None) => f64::NEG_INFINITY,
            // The holdout did not see what validation saw.
            (Fate::HeldBack, Some(effect)) => self.incumbent() + upon + effect.min(0.0),
            (_, Some(effect)) => self.incumbent() + upon + effect,
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

    /// What was not settled and is known to be good: the setting that is built upon now, and where that is an unproven
    /// stack, what it took up since the oldest that is remembered.
    pub(super) fn unsettled<C: Candidate + Serialize>(
        &self,
        space: &ParamSpace,
        built_upon: &Value,
        cx: &ProposeContext<'_, C>,
    ) -> Vec<Scored> {
        let oldest = self.latest.iter().filter_map(|s| s.proposal).min();
        let is_recent = |id| self.latest.len() < self.window || oldest.is_none_or(|oldest| id > oldest);
        let recent = cx.taken.iter().filter(|taken| is_recent(taken.id));
        let taken = recent.filter_map(|taken| {
            let values = values(space, &json(&taken.proposal.candidate).ok()?);
            let score = self.incumbent() + taken.effect.upon + taken.effect.mean;
            Some(Scored { proposal: Some(taken.id), values, score })
        });
        let here = Scored {
            proposal: None,
            values: values(space, built_upon),
            score: self.incumbent() + cx.standing,
        };
        taken.chain([here]).collect()
    }
}

/// The values of the active parameters.
pub(super) fn values(space: &ParamSpace, candidate: &Value) -> Vec<Option<ParamValue>> {
    let at = |name: &str| crate::compose::get_path(candidate, name).and_then(ParamValue::from_json);
    let active = space.activity(candidate);
    space.params().iter().zip(active).map(|(p, active)| at(&p.name).filter(|_| active)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::arm::Version;
    use crate::propose::{Effect, Proposal};
    use crate::space::ParamSet;
    use std::sync::Arc;

    pub(in super::super) fn settled(
        id: u64,
        x: f64,
        fate: Fate,
        effect: Option<f64>,
    ) -> TrialRecord<ParamSet> {
        TrialRecord {
            id: ProposalId(id),
            proposal: Arc::new(Proposal::new(ParamSet::new().with("x", x))),
            parent: Arc::new(ParamSet::new()),
            units: None,
            together: Vec::new(),
            version: Version(0),
            fate,
            effect: effect.map(|mean| Effect::new(mean, (f64::NAN, f64::NAN), 0.95, 1, false)),
            reason: String::new(),
            runs: 1,
            keys: Vec::new(),
        }
    }

    #[test]
    fn effects_are_put_on_the_baselines_scale() {
        let space = ParamSpace::new().float("x", 0.0..=1.0);
        let mut scores = Scores::new(5);
        let seen = |scores: &Scores| scores.iter(&[]).map(|s| s.score).collect::<Vec<_>>();
        for record in [
            settled(7, 0.1, Fate::Rejected, None),
            settled(1, 0.1, Fate::Rejected, Some(-1.0)),
            settled(2, 0.2, Fate::Kept, Some(2.0)),
            settled(3, 0.3, Fate::Rejected, Some(-1.0)), // against an incumbent that is better by 2
            settled(4, 0.4, Fate::HeldBack, Some(5.0)),  // the holdout did not see that
            settled(5, 0.5, Fate::Conflict, None),       // not known
            settled(5, 0.5, Fate::SetAside, None),       // nor this
        ] {
            scores.observe(&space, &record);
        }
        assert_eq!(seen(&scores), [f64::NEG_INFINITY, -1.0, 2.0, 1.0, 2.0]);
        assert_eq!(scores.incumbent(), 2.0);
        // One is settled again, one is new: the oldest goes.
        scores.observe(&space, &settled(3, 0.3, Fate::Kept, Some(0.5)));
        scores.observe(&space, &settled(6, 0.6, Fate::Failed, None));
        assert_eq!(seen(&scores), [-1.0, 2.0, 2.0, 2.5, f64::NEG_INFINITY]);
        assert_eq!(scores.incumbent(), 2.5);
        scores.observe(&space, &settled(2, 0.2, Fate::Revoked, Some(0.0)));
        assert_eq!(scores.incumbent(), 0.5);
    }
}
