//! What each policy spends to find an edit: the policies themselves, played through the state machine.

use crate::accept::{Acceptor, Factorial, Fast, FixedPaired, Greedy, Guarded, Margin, Scout, Sequential};
use crate::arm::ProposalId;
use crate::compose::{Change, Compose, Conflict};
use crate::limits::Limits;
use crate::measure::Measurement;
use crate::propose::{Proposal, Proposed};
use crate::state::{Action, Settings, StateError, StudyState, mix};
use crate::stats::normal_quantile;
use serde::{Deserialize, Serialize};

/// Proposals in a simulated stream.
pub(super) const PROPOSALS: u32 = 60;
/// One in so many has the effect.
pub(super) const ONE_IN: u32 = 10;

/// What a policy spends to find an edit of the size in question, in a simulated stream of 60 proposals of which every
/// tenth has that effect and the others none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PolicyCost {
    /// The policy, as it is made in code.
    pub policy: String,
    /// The share of the edits with the effect that it kept.
    pub found: f64,
    /// How many of them that were, over all simulated studies.
    #[serde(default)]
    pub finds: u32,
    /// Runs for each edit found, everything included: calibration, screening, what was spent in vain. `None`: it
    /// found none.
    pub runs_per_find: Option<f64>,
    /// Runs for each proposal.
    pub runs_per_proposal: f64,
    /// The share of what it kept that has no effect.
    pub junk: f64,
}

/// An endless supply of numbers between 0 and 1 by name.
fn gaussian(hash: u64) -> f64 {
    normal_quantile(((mix(hash, 3) >> 11) as f64 + 0.5) / (1u64 << 53) as f64)
}

/// A stream of edits whose effects add up, in standard deviations of one run.
#[derive(Debug, Clone, Copy)]
struct World {
    effect: f64,
    /// How much runs on equal seeds correlate.
    correlation: f64,
    seed: u64,
}

impl World {
    fn is_real(edit: u32) -> bool {
        // Neither the first nor the last of its ten.
        edit % ONE_IN == ONE_IN / 2
    }

    fn loss(&self, edits: &[u32], seed: u64) -> f64 {
        let whole = edits.iter().fold(mix(self.seed, 1), |hash, edit| mix(hash, u64::from(*edit)));
        let shared = gaussian(mix(mix(self.seed, 2), seed));
        let noise =
            self.correlation.sqrt() * shared + (1.0 - self.correlation).sqrt() * gaussian(mix(whole, seed));
        noise - self.effect * edits.iter().filter(|edit| Self::is_real(**edit)).count() as f64
    }
}

/// Sets of edits; any two compose.
struct Union;

impl Compose<Vec<u32>> for Union {
    fn apply(&self, base: &Vec<u32>, parent: &Vec<u32>, edited: &Vec<u32>) -> Result<Vec<u32>, Conflict> {
        let lost = |edit: &u32| parent.contains(edit) && !edited.contains(edit);
        let won = edited.iter().filter(|edit| !parent.contains(edit) && !base.contains(edit));
        let mut merged: Vec<u32> = base.iter().filter(|edit| !lost(edit)).chain(won).copied().collect();
        merged.sort_unstable();
        Ok(merged)
    }
    fn needs(&self, _later: Change<'_, Vec<u32>>, _earlier: Change<'_, Vec<u32>>) -> bool {
        false
    }
}

/// Edits kept with the effect and without, and runs.
#[derive(Debug, Default, Clone, Copy)]
struct Played {
    real: usize,
    junk: usize,
    runs: u64,
}

fn play(world: World, acceptor: Box<dyn Acceptor>) -> Result<Played, StateError> {
    let settings = Settings::new().limits(Limits::new()).seed(world.seed);
    let mut study = StudyState::composing(Vec::new(), acceptor, Union, settings)?;
    let mut made = 0;
    loop {
        match study.next_action() {
            Action::Propose { wanted } => {
                let on = study.view().incumbent.clone();
                let last = (made + wanted as u32).min(PROPOSALS);
                let edited = |edit: u32| {
                    let mut edited = on.clone();
                    edited.push(edit);
                    edited.sort_unstable();
                    Proposal::new(edited)
                };
                let proposals: Vec<_> = (made..last).map(edited).collect();
                made = last;
                let end = proposals.is_empty();
                study.proposed(if end { Proposed::Exhausted } else { Proposed::Proposals(proposals) })?;
            }
            Action::Run(run) => {
                let loss = world.loss(&run.candidate, run.seed);
                study.finished(run.id, Measurement::scalar(loss).map_err(Into::into))?;
            }
            // There is no holdout, and one run at a time.
            Action::AskHoldout(_) | Action::Wait => return Err(StateError::NotAsked),
            Action::Stop(_) => break,
        }
        study.take_events();
    }
    // Proposals are numbered from 1, edits from 0.
    let kept = |id: &&ProposalId| World::is_real(id.0 as u32 - 1);
    let real = study.kept().iter().filter(kept).count();
    Ok(Played { real, junk: study.kept().len() - real, runs: study.runs() })
}

type Make = Box<dyn Fn() -> Box<dyn Acceptor>>;

fn policies(pairs: u32, alpha: f64) -> Vec<(String, Make)> {
    let fixed = format!("FixedPaired::new().pairs({pairs}).alpha({alpha})");
    vec![
        ("Greedy::new()".into(), Box::new(|| Box::new(Greedy::new()))),
        ("Margin::new(2.0)".into(), Box::new(|| Box::new(Margin::new(2.0)))),
        (fixed, Box::new(move || Box::new(FixedPaired::new().pairs(pairs).alpha(alpha)))),
        ("Sequential::new()".into(), Box::new(|| Box::new(Sequential::new()))),
        ("Fast::new()".into(), Box::new(|| Box::new(Fast::new()))),
        ("Guarded::new()".into(), Box::new(|| Box::new(Guarded::new()))),
        ("Factorial::new()".into(), Box::new(|| Box::new(Factorial::new()))),
        ("Scout::new()".into(), Box::new(|| Box::new(Scout::new()))),
    ]
}

/// Plays every policy `studies` times on streams with edits of `effect` standard deviations of one run.
///
/// # Errors
/// What the state machine refuses: a policy whose settings cannot work.
pub(super) fn of_policies(
    effect: f64,
    correlation: f64,
    pairs: u32,
    alpha: f64,
    studies: u32,
) -> Result<Vec<PolicyCost>, StateError> {
    if studies == 0 {
        return Ok(Vec::new());
    }
    let cost = |(policy, make): (String, Make)| {
        let (mut real, mut junk, mut runs) = (0, 0, 0);
        for seed in 0..studies {
            let world = World { effect, correlation, seed: mix(23, seed.into()) };
            let played = play(world, make())?;
            real += played.real;
            junk += played.junk;
            runs += played.runs;
        }
        let (proposals, kept) = (f64::from(studies * PROPOSALS), (real + junk).max(1));
        Ok(PolicyCost {
            policy,
            found: real as f64 / (proposals / f64::from(ONE_IN)),
            finds: real as u32,
            runs_per_find: (real > 0).then(|| runs as f64 / real as f64),
            runs_per_proposal: runs as f64 / proposals,
            junk: junk as f64 / kept as f64,
        })
    };
    policies(pairs, alpha).into_iter().map(cost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_edits_merge() {
        let apply = |base: &[u32], parent: &[u32], edited: &[u32]| {
            Union.apply(&base.to_vec(), &parent.to_vec(), &edited.to_vec()).expect("it merges")
        };
        assert_eq!(apply(&[1, 5], &[1, 2], &[1, 2, 3]), [1, 3, 5]);
        assert_eq!(apply(&[1, 2, 5], &[1, 2], &[2]), [2, 5]);
    }

    /// A difference of runs on equal seeds has the variance 2·(1 - rho).
    #[test]
    fn the_simulated_noise() {
        let world = World { effect: 1.5, correlation: 0.8, seed: 4 };
        let gain = |seed| world.loss(&[], seed) - world.loss(&[5], seed);
        let gains: crate::stats::Moments = (0..4000).map(gain).collect();
        assert!(
            (gains.mean() - 1.5).abs() < 0.04 && (gains.sd().expect("many") - 0.4f64.sqrt()).abs() < 0.03
        );
    }

    /// What nobody can miss costs the textbook's test 2 runs a pair, and keep-if-better one.
    #[test]
    fn costs_that_are_known() {
        let costs = of_policies(50.0, 0.0, 4, 0.01, 2).expect("they play");
        let of = |name: &str| costs.iter().find(|c| c.policy.starts_with(name)).expect("it is listed");
        assert_eq!((of("FixedPaired").found, of("FixedPaired").runs_per_proposal), (1.0, 8.0));
        assert_eq!(of("Greedy").found, 1.0);
        assert!((of("Greedy").runs_per_proposal - 61.0 / 60.0).abs() < 1e-12);
        assert_eq!(of("Guarded").junk, 0.0);
    }
}
